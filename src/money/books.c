/* money/books - see the header. */
#include <lpd/money/books.h>

#include <string.h>

#include <lpd/base/assert.h>

struct lp_books {
	struct lp_scope *scope;
	struct lp_db *db;
	struct lp_loop *loop;
	bool broken;
};

struct lp_books *lp_books_open(struct lp_scope *scope, struct lp_db *db, struct lp_loop *loop)
{
	struct lp_books *books = lp_new(scope, struct lp_books);

	*books = (struct lp_books){ .scope = scope, .db = db, .loop = loop };
	return books;
}

bool lp_books_broken(const struct lp_books *books)
{
	return books->broken;
}

/* ---- values ---- */

static struct lp_db_value blob(const void *at, size_t len)
{
	return (struct lp_db_value){ .kind = LP_DB_BLOB, .bytes = lp_span_of(at, len) };
}

static struct lp_db_value span(struct lp_span bytes)
{
	return (struct lp_db_value){ .kind = LP_DB_BLOB, .bytes = bytes };
}

static struct lp_db_value text(struct lp_span words)
{
	return (struct lp_db_value){ .kind = LP_DB_TEXT, .bytes = words };
}

static struct lp_db_value number(int64_t i)
{
	return (struct lp_db_value){ .kind = LP_DB_INT, .i = i };
}

/* SQLite's numbers have a sign; blocks beyond it do not come. */
static struct lp_db_value block_value(uint64_t block)
{
	return number(block > INT64_MAX ? INT64_MAX : (int64_t)block);
}

static bool take_hash(struct lp_hash *out, const struct lp_db_value *v)
{
	if (v->bytes.len != sizeof(out->bytes))
		return false;
	memcpy(out->bytes, v->bytes.at, sizeof(out->bytes));
	return true;
}

/* ---- writing ---- */

static void on_state(void *self, enum lp_code code)
{
	struct lp_books *books = self;

	if (code != LP_OK)
		books->broken = true;
}

static void write_state(struct lp_books *books, const char *sql, const struct lp_db_value *values, int n)
{
	lp_db_write(books->scope, books->db, &(struct lp_db_write){ sql, values, n }, on_state, books);
}

void lp_books_keep_sender(struct lp_books *books, struct lp_sender *sender)
{
	struct lp_sender_change c;
	uint8_t amount[LP_AMOUNT_BYTES];

	while (lp_sender_next(sender, &c)) {
		if (c.kind == LP_SENDER_OFFER) {
			write_state(books, "INSERT OR REPLACE INTO pay_sent_offer VALUES (?, ?)",
				    (const struct lp_db_value[]){ blob(c.rand_hash.bytes, 32),
								  block_value(c.expiration_block) }, 2);
			continue;
		}
		lp_amount_write(amount, c.credit);
		write_state(books, "INSERT OR REPLACE INTO pay_credit VALUES (?, ?, ?, ?, ?)",
			    (const struct lp_db_value[]){ blob(c.key.recipient.bytes, LP_ADDRESS_LEN),
							  number(c.key.capability), span(c.key.model),
							  blob(amount, sizeof(amount)), number(c.touched) }, 5);
	}
}

/* One winner on its way to the disk. */
struct winning {
	struct lp_scope *scope;
	struct lp_books *books;
	struct lp_recipient *recipient;
	struct lp_hash ticket;
	void (*told)(void *self);
	void *self;
};

static void on_winner(void *self, enum lp_code code)
{
	struct winning *w = self;
	struct lp_scope *scope = w->scope;
	void (*told)(void *) = w->told;
	void *who = w->self;

	if (code != LP_OK)
		w->books->broken = true;
	lp_recipient_saved(w->recipient, &w->ticket, code, lp_wall(w->books->loop) / LP_SEC);
	lp_scope_close(&scope);
	if (told)
		told(who);
}

static void write_winner(struct lp_books *books, const struct lp_recipient_change *c, const struct winning *like)
{
	struct lp_scope *scope = lp_scope_open(books->scope, "winner");
	struct winning *w = lp_new(scope, struct winning);

	*w = *like;
	w->scope = scope;
	w->ticket = c->hash;
	lp_db_write(scope, books->db,
		    &(struct lp_db_write){ "INSERT OR REPLACE INTO pay_winner VALUES (?, ?)",
					   (const struct lp_db_value[]){ blob(c->hash.bytes, 32), span(c->row) }, 2 },
		    on_winner, w);
}

static void write_balance(struct lp_books *books, const struct lp_recipient_change *c)
{
	uint8_t amount[LP_AMOUNT_BYTES];

	lp_amount_write(amount, c->credit);
	write_state(books, "INSERT OR REPLACE INTO pay_balance VALUES (?, ?, ?, ?)",
		    (const struct lp_db_value[]){ blob(c->payer.sender.bytes, LP_ADDRESS_LEN), span(c->payer.session),
						  blob(amount, sizeof(amount)), number(c->touched) }, 4);
}

void lp_books_keep_recipient(struct lp_books *books, struct lp_recipient *recipient, void (*told)(void *self),
			     void *self)
{
	const struct winning like = { .books = books, .recipient = recipient, .told = told, .self = self };
	struct lp_recipient_change c;

	while (lp_recipient_next(recipient, &c)) {
		switch (c.kind) {
		case LP_RECIPIENT_NONCES:
			write_state(books, "INSERT OR REPLACE INTO pay_nonces VALUES (?, ?, ?)",
				    (const struct lp_db_value[]){ blob(c.hash.bytes, 32),
								  block_value(c.expiration_block), span(c.row) }, 3);
			break;
		case LP_RECIPIENT_WINNER:
			write_winner(books, &c, &like);
			break;
		case LP_RECIPIENT_WINNER_GONE:
			write_state(books, "DELETE FROM pay_winner WHERE ticket = ?",
				    (const struct lp_db_value[]){ blob(c.hash.bytes, 32) }, 1);
			break;
		case LP_RECIPIENT_CREDIT:
			write_balance(books, &c);
			break;
		}
	}
}

/* Behind everything that is queued stands a write that changes nothing. */
struct barrier {
	struct lp_books *books;
	void (*safe)(void *self, enum lp_code code);
	void *self;
};

static void on_barrier(void *self, enum lp_code code)
{
	struct barrier *b = self;

	if (b->books->broken)
		code = LP_STORE;
	b->safe(b->self, code);
}

void lp_books_safe(struct lp_scope *scope, struct lp_books *books, void (*safe)(void *self, enum lp_code code),
		   void *self)
{
	struct barrier *b = lp_new(scope, struct barrier);

	*b = (struct barrier){ books, safe, self };
	lp_db_write(scope, books->db, &(struct lp_db_write){ "DELETE FROM pay_winner WHERE 0", NULL, 0 }, on_barrier,
		    b);
}

void lp_books_forget(struct lp_books *books, uint64_t block, int64_t before)
{
	const struct lp_db_value over = block_value(block), old = number(before);

	write_state(books, "DELETE FROM pay_sent_offer WHERE expiration_block < ?", &over, 1);
	write_state(books, "DELETE FROM pay_nonces WHERE expiration_block < ?", &over, 1);
	write_state(books, "DELETE FROM pay_credit WHERE touched < ?", &old, 1);
	/* An amount's first byte is its sign: a debt stays. */
	write_state(books, "DELETE FROM pay_balance WHERE touched < ? AND substr(amount, 1, 1) = x'00'", &old, 1);
}

/* ---- reading ---- */

struct loading {
	struct lp_sender *sender;
	struct lp_recipient *recipient;
	int kind;
	enum lp_code code;
	struct lp_err *e;
};

static void keep_code(struct loading *l, enum lp_code code)
{
	if (l->code == LP_OK)
		l->code = code;
}

static enum lp_code damaged(struct lp_err *e, const char *table)
{
	return lp_fail(e, LP_STORE, "a row of %s in the store is damaged", table);
}

static void on_sent_offer(void *self, const struct lp_db_value *v, int n)
{
	struct loading *l = self;
	struct lp_sender_change c = { .kind = LP_SENDER_OFFER };

	if (l->code != LP_OK)
		return;
	if (n != 2 || !take_hash(&c.rand_hash, &v[0])) {
		l->code = damaged(l->e, "pay_sent_offer");
		return;
	}
	c.expiration_block = (uint64_t)v[1].i;
	keep_code(l, lp_sender_load(l->sender, &c, l->e));
}

static void on_credit(void *self, const struct lp_db_value *v, int n)
{
	struct loading *l = self;
	struct lp_sender_change c = { .kind = LP_SENDER_CREDIT };

	if (l->code != LP_OK)
		return;
	if (n != 5 || !lp_address_of(&c.key.recipient, v[0].bytes) || v[2].bytes.len > LP_SENDER_MODEL_MAX ||
	    !lp_amount_read(&c.credit, v[3].bytes)) {
		l->code = damaged(l->e, "pay_credit");
		return;
	}
	c.key.capability = (uint32_t)v[1].i;
	c.key.model = v[2].bytes;
	c.touched = v[4].i;
	keep_code(l, lp_sender_load(l->sender, &c, l->e));
}

static void on_row_of_recipient(void *self, const struct lp_db_value *v, int n)
{
	struct loading *l = self;
	struct lp_recipient_change c = { 0 };

	if (l->code != LP_OK)
		return;
	if (n != 1) {
		l->code = damaged(l->e, "nonces or winners");
		return;
	}
	if (l->kind == LP_RECIPIENT_WINNER)
		c.kind = LP_RECIPIENT_WINNER;
	else
		c.kind = LP_RECIPIENT_NONCES;
	c.row = v[0].bytes;
	keep_code(l, lp_recipient_load(l->recipient, &c, l->e));
}

static void on_balance(void *self, const struct lp_db_value *v, int n)
{
	struct loading *l = self;
	struct lp_recipient_change c = { .kind = LP_RECIPIENT_CREDIT };

	if (l->code != LP_OK)
		return;
	if (n != 4 || !lp_address_of(&c.payer.sender, v[0].bytes) || v[1].bytes.len > LP_SESSION_MAX ||
	    !lp_amount_read(&c.credit, v[2].bytes)) {
		l->code = damaged(l->e, "pay_balance");
		return;
	}
	c.payer.session = v[1].bytes;
	c.touched = v[3].i;
	keep_code(l, lp_recipient_load(l->recipient, &c, l->e));
}

static enum lp_code load(struct lp_books *books, struct loading *l, const char *sql,
			 void (*row)(void *self, const struct lp_db_value *v, int n))
{
	enum lp_code code = lp_db_load(books->db, sql, row, l, l->e);

	return code == LP_OK ? l->code : code;
}

enum lp_code lp_books_load_sender(struct lp_books *books, struct lp_sender *sender, struct lp_err *e)
{
	struct loading l = { .sender = sender, .e = e };
	enum lp_code code = load(books, &l, "SELECT rand_hash, expiration_block FROM pay_sent_offer", on_sent_offer);

	if (code != LP_OK)
		return code;
	return load(books, &l, "SELECT recipient, capability, model, amount, touched FROM pay_credit", on_credit);
}

enum lp_code lp_books_load_recipient(struct lp_books *books, struct lp_recipient *recipient, struct lp_err *e)
{
	struct loading l = { .recipient = recipient, .kind = LP_RECIPIENT_NONCES, .e = e };
	enum lp_code code = load(books, &l, "SELECT nonces FROM pay_nonces", on_row_of_recipient);

	if (code != LP_OK)
		return code;
	l.kind = LP_RECIPIENT_WINNER;
	code = load(books, &l, "SELECT winner FROM pay_winner", on_row_of_recipient);
	if (code != LP_OK)
		return code;
	return load(books, &l, "SELECT sender, session, amount, touched FROM pay_balance", on_balance);
}

/* ---- the ledger ---- */

const char *lp_entry_name(enum lp_entry_kind kind)
{
	static const char *const names[LP_ENTRY_KINDS] = {
		[LP_ENTRY_PAID] = "paid",	  [LP_ENTRY_SPENT] = "spent",	    [LP_ENTRY_RETURNED] = "returned",
		[LP_ENTRY_GIVEN_UP] = "given_up", [LP_ENTRY_CREDITED] = "credited", [LP_ENTRY_EARNED] = "earned",
		[LP_ENTRY_WON] = "won",		  [LP_ENTRY_REDEEMED] = "redeemed", [LP_ENTRY_LOST] = "lost",
	};

	lp_assert(kind < LP_ENTRY_KINDS);
	return names[kind];
}

void lp_books_enter(struct lp_books *books, const struct lp_entry *entry)
{
	uint8_t amount[LP_AMOUNT_BYTES];

	lp_amount_write(amount, entry->amount);
	const struct lp_db_value values[] = {
		number(entry->at),
		text(lp_span(lp_entry_name(entry->kind))),
		blob(entry->peer.bytes, LP_ADDRESS_LEN),
		number(entry->capability),
		text(entry->model),
		text(lp_span(entry->job ? entry->job : "")),
		blob(amount, sizeof(amount)),
		number(entry->tickets),
		number((int64_t)(entry->units > INT64_MAX ? INT64_MAX : entry->units)),
	};

	write_state(books,
		    "INSERT INTO ledger (at, kind, peer, capability, model, job, amount, tickets, units)"
		    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		    values, sizeof(values) / sizeof(*values));
}
