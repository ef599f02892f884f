#include <lpd/pay/ledger_local.h>

#include <string.h>

#include <lpd/io/shared_db.h>
#include <lpd/pay/rand.h>

static const char *const steps[] = {
	"CREATE TABLE clock (block INTEGER NOT NULL);"
	"CREATE TABLE sender (address BLOB PRIMARY KEY, deposit BLOB NOT NULL, reserve BLOB NOT NULL,"
	" claimed BLOB NOT NULL, claimed_round INTEGER NOT NULL, withdraw_round INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE claim (sender BLOB, recipient BLOB, amount BLOB NOT NULL, round INTEGER NOT NULL,"
	" PRIMARY KEY (sender, recipient)) WITHOUT ROWID;"
	"CREATE TABLE recipient (address BLOB PRIMARY KEY, fees BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE redemption (ticket BLOB PRIMARY KEY, sender BLOB NOT NULL, recipient BLOB NOT NULL,"
	" face_value BLOB NOT NULL, paid BLOB NOT NULL, block INTEGER NOT NULL) WITHOUT ROWID;",
	/* The second since 1970 at which the block began; 0: nobody has looked yet. */
	"ALTER TABLE clock ADD COLUMN began INTEGER NOT NULL DEFAULT 0",
};

struct lp_ledger {
	struct lp_shared_db *db;
	unsigned pace;		/* seconds of a block; 0: blocks pass when somebody says so */
};

/* One transaction: what it has read is still so when it writes. */
struct work {
	struct lp_shared_db *db;
	struct lp_scope *scope;
	uint64_t block, round;
	struct lp_err *e;
};

struct account {
	struct lp_address address;
	struct lp_wei deposit, reserve;
	struct lp_wei claimed;		/* in this round, by everybody */
	uint64_t withdraw_round;
};

/* ---- values ---- */

static struct lp_db_value number(uint64_t n)
{
	return (struct lp_db_value){ .kind = LP_DB_INT, .i = (int64_t)n };
}

static struct lp_db_value blob(const void *at, size_t len)
{
	return (struct lp_db_value){ .kind = LP_DB_BLOB, .bytes = lp_span_of(at, len) };
}

static struct lp_db_value amount(const struct work *w, struct lp_wei wei)
{
	uint8_t *bytes = lp_alloc(w->scope, 32);

	lp_u256_write_32(bytes, wei.n);
	return blob(bytes, 32);
}

static struct lp_wei amount_of(const struct lp_db_value *v)
{
	struct lp_wei wei = LP_WEI_ZERO;

	return lp_u256_read_bytes(&wei.n, v->bytes) ? wei : LP_WEI_ZERO;
}

static enum lp_code ask(const struct work *w, struct lp_db_value *row, const char *sql,
			const struct lp_db_value *values, int n)
{
	return lp_shared_db_ask(w->scope, w->db, row, &(struct lp_db_write){ sql, values, n }, w->e);
}

static enum lp_code run(const struct work *w, const char *sql, const struct lp_db_value *values, int n)
{
	return lp_shared_db_run(w->db, &(struct lp_db_write){ sql, values, n }, w->e);
}

/* ---- rounds ---- */

/* No chain makes them, so they are made of their number: nodes of one machine agree. */
static struct lp_hash round_hash(uint64_t round)
{
	static const char tag[] = "lpd/ledger/round/1";
	struct lp_keccak k;
	struct lp_hash hash;

	lp_keccak_init(&k);
	lp_keccak_add(&k, tag, sizeof tag);
	for (int i = 56; i >= 0; i -= 8) {
		uint8_t byte = (uint8_t)(round >> i);

		lp_keccak_add(&k, &byte, 1);
	}
	lp_keccak_end(&k, hash.bytes);
	return hash;
}

/* ---- transactions ---- */

static enum lp_code end(struct work *w, enum lp_code code)
{
	enum lp_code ended = lp_shared_db_end(w->db, code == LP_OK, w->e);

	lp_scope_close(&w->scope);
	return code ? code : ended;
}

static enum lp_code begin(struct work *w, struct lp_ledger *ledger, struct lp_err *e)
{
	struct lp_db_value row[1];

	*w = (struct work){ .db = ledger->db, .e = e };
	enum lp_code code = lp_shared_db_begin(w->db, e);
	if (code)
		return code;
	w->scope = lp_scope_open(NULL, "ledger");
	code = ask(w, row, "SELECT block FROM clock", NULL, 0);
	if (code)
		return end(w, code);
	w->block = (uint64_t)row[0].i;
	w->round = w->block / LP_LEDGER_ROUND;
	return LP_OK;
}

static enum lp_code load(const struct work *w, struct account *a, struct lp_address who)
{
	const struct lp_db_value key = blob(who.bytes, LP_ADDRESS_LEN);
	struct lp_db_value row[5];

	*a = (struct account){ .address = who };
	enum lp_code code = ask(w, row, "SELECT deposit, reserve, claimed, claimed_round, withdraw_round FROM sender "
				"WHERE address = ?", &key, 1);
	if (code)
		return code == LP_NOT_FOUND ? LP_OK : code;
	a->deposit = amount_of(&row[0]);
	a->reserve = amount_of(&row[1]);
	if ((uint64_t)row[3].i == w->round)
		a->claimed = amount_of(&row[2]);
	a->withdraw_round = (uint64_t)row[4].i;
	return LP_OK;
}

static enum lp_code save(const struct work *w, const struct account *a)
{
	const struct lp_db_value values[] = {
		blob(a->address.bytes, LP_ADDRESS_LEN), amount(w, a->deposit), amount(w, a->reserve),
		amount(w, a->claimed), number(w->round), number(a->withdraw_round),
	};

	return run(w, "INSERT OR REPLACE INTO sender VALUES (?, ?, ?, ?, ?, ?)", values, 6);
}

static enum lp_code load_claim(const struct work *w, struct lp_wei *out, struct lp_address sender,
			       struct lp_address recipient)
{
	const struct lp_db_value key[] = { blob(sender.bytes, LP_ADDRESS_LEN), blob(recipient.bytes, LP_ADDRESS_LEN) };
	struct lp_db_value row[2];
	enum lp_code code = ask(w, row, "SELECT amount, round FROM claim WHERE sender = ? AND recipient = ?", key, 2);

	*out = LP_WEI_ZERO;
	if (!code && (uint64_t)row[1].i == w->round)
		*out = amount_of(&row[0]);
	return code == LP_NOT_FOUND ? LP_OK : code;
}

static enum lp_code pool_size(const struct work *w, uint64_t *out)
{
	struct lp_db_value row[1];
	enum lp_code code = ask(w, row, "SELECT count(*) FROM recipient", NULL, 0);

	*out = code ? 0 : (uint64_t)row[0].i;
	return code;
}

static enum lp_code load_fees(const struct work *w, struct lp_wei *out, bool *known, struct lp_address who)
{
	const struct lp_db_value key = blob(who.bytes, LP_ADDRESS_LEN);
	struct lp_db_value row[1];
	enum lp_code code = ask(w, row, "SELECT fees FROM recipient WHERE address = ?", &key, 1);

	*known = code == LP_OK;
	*out = code ? LP_WEI_ZERO : amount_of(&row[0]);
	return code == LP_NOT_FOUND ? LP_OK : code;
}

/* ---- the sender's ---- */

static bool has_nothing(const struct account *a)
{
	return lp_wei_is_zero(a->deposit) && lp_wei_is_zero(a->reserve);
}

enum lp_code lp_ledger_fund(struct lp_ledger *ledger, struct lp_address who, struct lp_wei deposit,
			    struct lp_wei reserve, struct lp_err *e)
{
	struct account a;
	struct work w;
	enum lp_code code = begin(&w, ledger, e);

	if (code)
		return code;
	code = load(&w, &a, who);
	if (!code && (!lp_wei_add(&a.deposit, a.deposit, deposit) || !lp_wei_add(&a.reserve, a.reserve, reserve)))
		code = lp_fail(e, LP_BAD_REQUEST, "that is more than can be counted");
	a.withdraw_round = 0;
	return end(&w, code ? code : save(&w, &a));
}

static enum lp_code set_unlock(struct lp_ledger *ledger, struct lp_address who, bool unlock, struct lp_err *e)
{
	struct account a;
	struct work w;
	enum lp_code code = begin(&w, ledger, e);

	if (code)
		return code;
	code = load(&w, &a, who);
	if (!code && unlock && has_nothing(&a))
		code = lp_fail(e, LP_BAD_REQUEST, "sender deposit and reserve are zero");
	else if (!code && unlock && a.withdraw_round)
		code = lp_fail(e, LP_BAD_REQUEST, "unlock already initiated");
	else if (!code && !unlock && !a.withdraw_round)
		code = lp_fail(e, LP_BAD_REQUEST, "no unlock request in progress");
	a.withdraw_round = unlock ? w.round + LP_LEDGER_UNLOCK : 0;
	return end(&w, code ? code : save(&w, &a));
}

enum lp_code lp_ledger_unlock(struct lp_ledger *ledger, struct lp_address who, struct lp_err *e)
{
	return set_unlock(ledger, who, true, e);
}

enum lp_code lp_ledger_cancel_unlock(struct lp_ledger *ledger, struct lp_address who, struct lp_err *e)
{
	return set_unlock(ledger, who, false, e);
}

static enum lp_code may_withdraw(const struct work *w, const struct account *a)
{
	if (has_nothing(a))
		return lp_fail(w->e, LP_BAD_REQUEST, "sender deposit and reserve are zero");
	if (!a->withdraw_round)
		return lp_fail(w->e, LP_BAD_REQUEST, "no unlock request in progress");
	if (w->round < a->withdraw_round)
		return lp_fail(w->e, LP_BAD_REQUEST, "account is locked");
	return LP_OK;
}

enum lp_code lp_ledger_withdraw(struct lp_ledger *ledger, struct lp_wei *out, struct lp_address who, struct lp_err *e)
{
	struct lp_wei sum = LP_WEI_ZERO;
	struct account a;
	struct work w;
	enum lp_code code = begin(&w, ledger, e);

	if (code)
		return code;
	code = load(&w, &a, who);
	if (!code)
		code = may_withdraw(&w, &a);
	if (!code && !lp_wei_add(&sum, a.deposit, a.reserve))
		code = lp_fail(e, LP_BAD_REQUEST, "that is more than can be counted");
	a.deposit = a.reserve = LP_WEI_ZERO;
	code = end(&w, code ? code : save(&w, &a));
	if (!code)
		*out = sum;
	return code;
}

/* ---- the recipient's ---- */

static enum lp_code save_fees(const struct work *w, struct lp_address who, struct lp_wei fees)
{
	const struct lp_db_value values[] = { blob(who.bytes, LP_ADDRESS_LEN), amount(w, fees) };

	return run(w, "INSERT OR REPLACE INTO recipient VALUES (?, ?)", values, 2);
}

enum lp_code lp_ledger_register(struct lp_ledger *ledger, struct lp_address recipient, struct lp_err *e)
{
	struct lp_wei fees;
	struct work w;
	bool known;
	enum lp_code code = begin(&w, ledger, e);

	if (code)
		return code;
	code = load_fees(&w, &fees, &known, recipient);
	return end(&w, code || known ? code : save_fees(&w, recipient, LP_WEI_ZERO));
}

enum lp_code lp_ledger_fees(struct lp_ledger *ledger, struct lp_wei *out, struct lp_address recipient,
			    struct lp_err *e)
{
	struct work w;
	bool known;
	enum lp_code code = begin(&w, ledger, e);

	return code ? code : end(&w, load_fees(&w, out, &known, recipient));
}

/* ---- redeeming ---- */

/* Requirements 3 to 8 and 11 of the contract: what the ticket says of itself. */
static enum lp_code check_ticket(const struct work *w, const struct lp_redemption *what)
{
	const struct lp_ticket *t = &what->ticket;
	const struct lp_hash of_round = round_hash(t->round);
	struct lp_hash commitment;

	if (lp_address_is_zero(t->recipient))
		return lp_fail(w->e, LP_TICKET_RECIPIENT, "ticket recipient is null address");
	if (lp_address_is_zero(t->sender))
		return lp_fail(w->e, LP_TICKET_SENDER, "ticket sender is null address");
	if (t->round == 0 || t->round > w->round)
		return lp_fail(w->e, LP_BAD_TICKET, "ticket creationRound does not have a block hash");
	if (memcmp(&of_round, &t->round_hash, sizeof of_round) != 0)
		return lp_fail(w->e, LP_BAD_TICKET, "ticket creationRoundBlockHash invalid for creationRound");
	if (t->round + LP_LEDGER_VALID <= w->round)
		return lp_fail(w->e, LP_BAD_TICKET, "ticket is expired");
	lp_rand_commit(&commitment, &what->rand);
	if (memcmp(&commitment, &t->rand_hash, sizeof commitment) != 0)
		return lp_fail(w->e, LP_BAD_TICKET, "recipientRand does not match recipientRandHash");
	return LP_OK;
}

static enum lp_code check_draw(const struct work *w, const struct lp_redemption *what, const struct lp_hash *hash)
{
	if (!lp_sig_check(&what->sig, hash, what->ticket.sender))
		return lp_fail(w->e, LP_BAD_TICKET, "invalid signature over ticket hash");
	if (!lp_ticket_wins(&what->ticket, &what->sig, &what->rand))
		return lp_fail(w->e, LP_BAD_TICKET, "ticket did not win");
	return LP_OK;
}

static enum lp_code check_unused(const struct work *w, struct lp_redeemed *out, const struct lp_hash *hash)
{
	const struct lp_db_value key = blob(hash->bytes, sizeof hash->bytes);
	struct lp_db_value row[1];
	enum lp_code code = ask(w, row, "SELECT paid FROM redemption WHERE ticket = ?", &key, 1);

	if (code == LP_NOT_FOUND)
		return LP_OK;
	if (!code)
		out->before = amount_of(&row[0]);
	return code ? code : lp_fail(w->e, LP_BAD_TICKET, "ticket is used");
}

static enum lp_code check_sender(const struct work *w, const struct account *a)
{
	if (a->withdraw_round && w->round >= a->withdraw_round)
		return lp_fail(w->e, LP_NO_FUNDS, "sender is unlocked");
	if (has_nothing(a))
		return lp_fail(w->e, LP_NO_FUNDS, "sender deposit and reserve are zero");
	return LP_OK;
}

/* Takes from the reserve what this recipient may still claim in this round, at most want. */
static enum lp_code claim(const struct work *w, struct account *a, struct lp_wei *got, struct lp_address recipient,
			  struct lp_wei want)
{
	struct lp_funds funds = { .reserve = a->reserve, .claimed = a->claimed };
	struct lp_wei ours;
	enum lp_code code = load_claim(w, &ours, a->address, recipient);

	*got = LP_WEI_ZERO;
	if (!code)
		code = pool_size(w, &funds.pool_size);
	if (code)
		return code;
	funds.claimed_by_us = ours;
	struct lp_wei take = lp_wei_min(lp_wei_min(want, lp_funds_share(&funds)), a->reserve);

	if (!lp_wei_sub(&a->reserve, a->reserve, take) || !lp_wei_add(&a->claimed, a->claimed, take) ||
	    !lp_wei_add(&ours, ours, take))
		return lp_fail(w->e, LP_INTERNAL, "the reserve cannot be counted");
	*got = take;
	const struct lp_db_value values[] = { blob(a->address.bytes, LP_ADDRESS_LEN),
					      blob(recipient.bytes, LP_ADDRESS_LEN), amount(w, ours),
					      number(w->round) };

	return run(w, "INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?)", values, 4);
}

/* From the deposit first, then from the reserve; less is paid when there is less, and the ticket is used. */
static enum lp_code transfer(const struct work *w, struct account *a, struct lp_wei *paid,
			     const struct lp_ticket *t)
{
	struct lp_wei first = lp_wei_min(t->face_value, a->deposit), rest, claimed = LP_WEI_ZERO, fees;
	enum lp_code code = LP_OK;
	bool known;

	if (!lp_wei_sub(&a->deposit, a->deposit, first) || !lp_wei_sub(&rest, t->face_value, first))
		return lp_fail(w->e, LP_INTERNAL, "the deposit cannot be counted");
	code = load_fees(w, &fees, &known, t->recipient);
	/* The reserve is for active recipients only. */
	if (!code && known && !lp_wei_is_zero(rest))
		code = claim(w, a, &claimed, t->recipient, rest);
	if (code)
		return code;
	if (!lp_wei_add(paid, first, claimed) || !lp_wei_add(&fees, fees, *paid))
		return lp_fail(w->e, LP_INTERNAL, "the fees cannot be counted");
	if (lp_wei_is_zero(*paid))
		return LP_OK;
	return known ? save_fees(w, t->recipient, fees) :
		       lp_fail(w->e, LP_TICKET_RECIPIENT, "transcoder must be registered");
}

static enum lp_code use(const struct work *w, const struct lp_hash *hash, const struct lp_ticket *t,
			struct lp_wei paid)
{
	const struct lp_db_value values[] = {
		blob(hash->bytes, sizeof hash->bytes), blob(t->sender.bytes, LP_ADDRESS_LEN),
		blob(t->recipient.bytes, LP_ADDRESS_LEN), amount(w, t->face_value), amount(w, paid), number(w->block),
	};

	return run(w, "INSERT INTO redemption VALUES (?, ?, ?, ?, ?, ?)", values, 6);
}

/* In the contract's order. */
static enum lp_code redeem_in(const struct work *w, struct lp_redeemed *out, const struct lp_redemption *what)
{
	struct lp_hash hash;
	struct account a;
	enum lp_code code = check_ticket(w, what);

	lp_ticket_hash(&hash, &what->ticket);
	if (!code)
		code = check_unused(w, out, &hash);
	if (!code)
		code = check_draw(w, what, &hash);
	out->final = code == LP_BAD_TICKET;
	if (!code)
		code = load(w, &a, what->ticket.sender);
	if (!code)
		code = check_sender(w, &a);
	if (!code)
		code = transfer(w, &a, &out->paid, &what->ticket);
	if (!code)
		code = save(w, &a);
	return code ? code : use(w, &hash, &what->ticket, out->paid);
}

static enum lp_code redeem(void *self, struct lp_redeemed *out, const struct lp_redemption *what, struct lp_err *e)
{
	struct work w;

	*out = (struct lp_redeemed){ .paid = LP_WEI_ZERO };
	enum lp_code code = begin(&w, self, e);
	if (code)
		return code;
	code = end(&w, redeem_in(&w, out, what));
	if (code)
		out->paid = LP_WEI_ZERO;
	return code;
}

/* ---- what is known ---- */

/* Whole blocks that have passed since the one that is.  A clock that was set back makes none. */
static enum lp_code let_pass(struct work *w, unsigned seconds)
{
#define NOW "CAST(strftime('%s', 'now') AS INTEGER)"
	const struct lp_db_value pace = number(seconds);
	struct lp_db_value row[1];
	enum lp_code code = run(w, "UPDATE clock SET began = " NOW " WHERE began = 0", NULL, 0);

	if (!code)
		code = run(w, "UPDATE clock SET block = block + (" NOW " - began) / ?1,"
			   " began = began + (" NOW " - began) / ?1 * ?1 WHERE " NOW " - began >= ?1", &pace, 1);
	if (!code)
		code = ask(w, row, "SELECT block FROM clock", NULL, 0);
	if (code)
		return code;
	w->block = (uint64_t)row[0].i;
	w->round = w->block / LP_LEDGER_ROUND;
	return LP_OK;
#undef NOW
}

static enum lp_code clock_of(void *self, struct lp_chain_clock *out, struct lp_err *e)
{
	struct lp_ledger *ledger = self;
	struct work w;
	enum lp_code code = begin(&w, ledger, e);

	if (code)
		return code;
	code = ledger->pace ? let_pass(&w, ledger->pace) : LP_OK;
	if (code)
		return end(&w, code);
	*out = (struct lp_chain_clock){ .block = w.block,
					.rounds = { .last = w.round,
						    .last_hash = round_hash(w.round),
						    .previous_hash = round_hash(w.round - 1) } };
	return end(&w, LP_OK);
}

static enum lp_code sender_of(void *self, struct lp_chain_sender *out, struct lp_address who,
			      struct lp_address claimant, struct lp_err *e)
{
	struct account a;
	struct work w;
	enum lp_code code = begin(&w, self, e);

	if (code)
		return code;
	*out = (struct lp_chain_sender){ 0 };
	code = load(&w, &a, who);
	if (!code)
		code = load_claim(&w, &out->funds.claimed_by_us, who, claimant);
	if (!code)
		code = pool_size(&w, &out->funds.pool_size);
	out->funds.deposit = a.deposit;
	out->funds.reserve = a.reserve;
	out->funds.claimed = a.claimed;
	out->withdraw_round = a.withdraw_round;
	return end(&w, code);
}

enum lp_code lp_ledger_advance(struct lp_ledger *ledger, uint64_t block, struct lp_err *e)
{
	const struct lp_db_value value = number(block);
	struct work w;
	enum lp_code code = begin(&w, ledger, e);

	if (code)
		return code;
	if (block > INT64_MAX)
		return end(&w, lp_fail(e, LP_BAD_REQUEST, "no chain has such a block"));
	return end(&w, block > w.block ? run(&w, "UPDATE clock SET block = ?", &value, 1) : LP_OK);
}

void lp_ledger_pace(struct lp_ledger *ledger, unsigned seconds)
{
	ledger->pace = seconds;
}

struct lp_chain lp_ledger_chain(struct lp_ledger *ledger)
{
	static const struct lp_chain_ops ops = { clock_of, sender_of, redeem };

	return (struct lp_chain){ &ops, ledger };
}

/* Whoever opens a new file first sets its clock. */
static enum lp_code start_clock(struct lp_ledger *ledger, struct lp_err *e)
{
	const struct lp_db_value first = number(LP_LEDGER_FIRST);
	enum lp_code code = lp_shared_db_begin(ledger->db, e);

	if (code)
		return code;
	code = lp_shared_db_run(ledger->db,
				&(struct lp_db_write){ "INSERT INTO clock (block) SELECT ? WHERE NOT EXISTS "
						       "(SELECT 1 FROM clock)", &first, 1 }, e);
	enum lp_code ended = lp_shared_db_end(ledger->db, code == LP_OK, e);

	return code ? code : ended;
}

enum lp_code lp_ledger_open(struct lp_scope *scope, struct lp_ledger **out, const char *path, struct lp_err *e)
{
	static const struct lp_db_schema schema = { steps, sizeof steps / sizeof *steps };
	struct lp_ledger *ledger = lp_new(scope, struct lp_ledger);
	enum lp_code code = lp_shared_db_open(scope, &ledger->db, path, &schema, e);

	if (!code)
		code = start_clock(ledger, e);
	if (!code)
		*out = ledger;
	return code;
}
