/* money/own_till - see the header.
 *
 * A payment waits for two things at most: the first news of our deposit, and, once for each offer, that the store
 * has it.  Everything else is at hand, so most are made in the turn in which they are asked for; one of many tickets
 * is signed in several, for others have jobs too. */
#include <lpd/money/own_till.h>

#include <lpd/base/assert.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>
#include <lpd/base/random.h>
#include <lpd/money/account.h>
#include <lpd/money/bank.h>
#include <lpd/money/books.h>
#include <lpd/pay/allowance.h>
#include <lpd/pay/signer.h>

#define KEPT (7 * 24 * 3600)	/* seconds that credit at somebody is remembered */
#define SWEEP (10 * LP_MIN)
#define SLICE 16		/* tickets signed in one turn: a quarter of a millisecond */
#define OLD (2 * LP_MIN)	/* news of the chain on which nothing more is signed */

/* An offer that is in use since the start: from before it nothing is used. */
struct offer {
	struct own *own;
	struct lp_hash hash;
	uint64_t expiration_block;
	bool safe;
	struct lp_list waiting;		/* parts */
};

struct own {
	struct lp_till_own with;
	struct lp_scope *scope;
	struct lp_till *till;
	struct lp_sender *sender;
	struct lp_allowance allowance;
	struct lp_wei deposit;
	int64_t news_at, swept_at;	/* mono: the chain last answered; what is old was last forgotten */
	bool asked, known;		/* of our funds */
	bool empty;			/* there are none, and that was said */
	struct lp_err unknown;		/* why they are not, after they were asked for */
	struct lp_list waiting;		/* parts, for the first news of them */
	struct lp_map *offers;
};

struct part {
	struct own *own;
	struct lp_link link;		/* waiting, in own or in an offer */
	struct lp_outlay *outlay;
	struct lp_stake stake;
	bool staked;
	struct lp_ready turn;		/* to sign more */
	size_t signed_to;		/* the first ticket without a signature */
};

static int64_t now_of(const struct own *own)
{
	return lp_wall(own->with.loop) / LP_SEC;
}

/* ---- offers: safe before the first ticket leaves (R-6) ---- */

static struct lp_span hash_key(const struct lp_hash *hash)
{
	return lp_span_of(hash->bytes, sizeof(hash->bytes));
}

static void paid(struct part *part)
{
	const struct lp_stake *stake = &part->stake;
	struct lp_buf header = { 0 };

	lp_payment_write(&header, &stake->payment);
	lp_outlay_paid(part->outlay, &(struct lp_outlay_paid){
		.header = lp_span_dup(lp_outlay_scope(part->outlay), lp_buf_span(&header)),
		.fee = stake->fee,
		.value = stake->value,
		.tickets = (uint32_t)stake->payment.n,
		.face_value = stake->payment.params.face_value,
	});
	lp_buf_clear(&header);
}

/* It is not on disk: nothing that rests on it may leave, and nothing more is to be signed under it. */
static void give_back(struct part *part, const struct lp_err *why)
{
	struct own *own = part->own;

	lp_sender_refused(own->sender, &part->stake);
	lp_allowance_return(&own->allowance, now_of(own), part->stake.value);
	lp_sender_settle(own->sender, &part->stake, LP_PAID_NOT_TAKEN, LP_AMOUNT_ZERO, now_of(own));
	part->staked = false;
	lp_outlay_failed(part->outlay, why);
}

static void on_safe(void *self, enum lp_code code)
{
	struct offer *offer = self;
	struct lp_err why;

	offer->safe = code == LP_OK;
	lp_fail(&why, LP_STORE, "the store cannot keep the ticket parameters");
	lp_list_each(&offer->waiting, part, struct part, link) {
		lp_link_out(&part->link);
		if (offer->safe)
			paid(part);
		else
			give_back(part, &why);
	}
	if (!offer->safe) {
		lp_map_take(offer->own->offers, hash_key(&offer->hash));
		lp_mem_free(offer);
	}
}

/* The sender's new offer is in the queue of the store already. */
static struct offer *offer_of(struct own *own, const struct lp_params *params)
{
	struct offer *offer = lp_map_find(own->offers, hash_key(&params->rand_hash));

	if (offer)
		return offer;
	offer = lp_mem_zeroed(1, sizeof(*offer));
	offer->own = own;
	offer->hash = params->rand_hash;
	offer->expiration_block = params->expiration_block;
	lp_list_init(&offer->waiting);
	lp_map_put(own->offers, hash_key(&offer->hash), offer);
	lp_books_safe(own->scope, own->with.books, on_safe, offer);
	return offer;
}

static void forget_offers(struct own *own, uint64_t block)
{
	struct lp_span key;
	size_t at = 0;
	void *row;

	while (lp_map_next(own->offers, &at, &key, &row)) {
		struct offer *offer = row;

		/* One that is not safe is still waited for. */
		if (!offer->safe || offer->expiration_block > block)
			continue;
		lp_map_take(own->offers, key);
		lp_mem_free(offer);
	}
}

/* ---- paying ---- */

/* Credit that is there costs no tickets. */
static bool has_credit(const struct own *own, const struct lp_till_want *want, struct lp_amount *fee)
{
	struct lp_sender_books b;
	struct lp_amount have;

	if (want->alone)
		return false;
	lp_sender_books(&b, own->sender, &want->to);
	return lp_amount_add(&have, b.credit, b.pending) && lp_amount_sub(&have, have, b.held) &&
	       lp_amount_cmp(have, *fee) >= 0;
}

static enum lp_code within_budget(struct own *own, const struct lp_till_want *want, struct lp_err *e)
{
	struct lp_price price;
	struct lp_amount fee;

	if (lp_price_of_wire(&price, want->offer->price_per_unit, want->offer->units, e) != LP_OK)
		return e->code;
	if (!lp_price_fee(&fee, price, want->units, LP_UP))
		return lp_fail(e, LP_PRICE, "the fee is more than can be counted");
	if (has_credit(own, want, &fee) ||
	    lp_allowance_allows(&own->allowance, now_of(own), fee, own->deposit, own->with.rules.deposit_multiplier))
		return LP_OK;
	return lp_fail(e, LP_NO_FUNDS, "what was signed in the last %d minutes is as much as the deposit allows",
		       LP_ALLOWANCE_MINUTES);
}

static const char *chain_words(const struct own *own)
{
	const struct lp_err *trouble = lp_bank_trouble(own->with.bank);

	return trouble ? lp_err_words(trouble) : "no news";
}

static enum lp_code take(struct own *own, struct part *part, struct lp_err *e)
{
	const struct lp_till_want *want = lp_outlay_want(part->outlay);
	const struct lp_sender_want how = {
		.key = want->to, .units = want->units, .max = want->max, .alone = want->alone, .now = now_of(own),
	};

	if (lp_mono(own->with.loop) - own->news_at > OLD)
		return lp_fail(e, LP_UNAVAILABLE, "the chain does not answer: %s", chain_words(own));
	if (lp_books_broken(own->with.books))
		return lp_fail(e, LP_STORE, "the books are broken: nothing is paid until a restart");
	if (!own->known) {
		*e = own->unknown;
		return e->code;
	}
	if (want->offer && lp_sender_offer(own->sender, &want->to, want->offer, how.now, e) != LP_OK)
		return e->code;
	if (want->offer && within_budget(own, want, e) != LP_OK)
		return e->code;
	if (lp_sender_pay(lp_outlay_scope(part->outlay), own->sender, &part->stake, &how, e) != LP_OK)
		return e->code;
	if (want->offer) {
		part->stake.payment.capability = want->offer->capability;
		part->stake.payment.constraint = want->offer->constraint;
	}
	return LP_OK;
}

static void await_offer(struct part *part)
{
	struct offer *offer;

	if (part->stake.payment.n == 0) {
		paid(part);
		return;
	}
	offer = offer_of(part->own, &part->stake.payment.params);
	if (offer->safe)
		paid(part);
	else
		lp_list_add(&offer->waiting, &part->link);
}

static void sign_on(void *self)
{
	struct part *part = self;
	struct own *own = part->own;
	struct lp_payment *payment = &part->stake.payment;

	part->signed_to = lp_payment_sign_some(payment, lp_account_key(own->with.account), part->signed_to, SLICE);
	if (part->signed_to == payment->n)
		await_offer(part);
	else
		lp_ready(own->with.loop, &part->turn);
}

static void begin(struct part *part)
{
	struct own *own = part->own;
	struct lp_err e = { 0 };

	if (take(own, part, &e) != LP_OK) {
		lp_books_keep_sender(own->with.books, own->sender);
		lp_outlay_failed(part->outlay, &e);
		return;
	}
	part->staked = true;
	lp_allowance_add(&own->allowance, now_of(own), part->stake.value);
	lp_books_keep_sender(own->with.books, own->sender);
	sign_on(part);
}

static void own_pay(void *self, struct lp_outlay *outlay, const struct lp_till_want *want)
{
	struct own *own = self;
	struct part *part = lp_new(lp_outlay_scope(outlay), struct part);

	(void)want;
	part->own = own;
	part->outlay = outlay;
	part->turn = (struct lp_ready){ .run = sign_on, .self = part };
	lp_outlay_keep(outlay, part);
	if (own->known || own->unknown.code != LP_OK)
		begin(part);
	else
		lp_list_add(&own->waiting, &part->link);
}

/* ---- what the chain says of us ---- */

static void ask_funds(struct own *own);

static void begin_waiting(struct own *own)
{
	lp_list_each(&own->waiting, part, struct part, link) {
		lp_link_out(&part->link);
		begin(part);
	}
}

static void on_funds(void *self)
{
	struct own *own = self;

	own->asked = false;
	ask_funds(own);
	if (own->known || own->unknown.code != LP_OK)
		begin_waiting(own);
}

static void say_empty(struct own *own, const struct lp_funds *funds)
{
	bool empty = lp_wei_is_zero(funds->deposit) || lp_wei_is_zero(funds->reserve);
	char text[LP_ADDRESS_TEXT];

	if (empty && !own->empty && own->with.log)
		lp_log_kv(own->with.log, LP_UNUSUAL, "no job can be paid", "why",
			  lp_wei_is_zero(funds->deposit) ? "the account has no deposit" : "the account has no reserve",
			  "account", lp_address_write(text, own->with.rules.account), NULL);
	own->empty = empty;
}

static void take_chain(struct own *own, const struct lp_bank_sender *we)
{
	const struct lp_chain_clock *clock = lp_bank_clock(own->with.bank);

	say_empty(own, &we->is.funds);
	own->known = true;
	own->deposit = we->is.funds.deposit;
	lp_sender_chain(own->sender, &(struct lp_sender_chain){
		.block = clock->block,
		.last_round = clock->rounds.last,
		.withdraw_round = we->is.withdraw_round,
		.deposit = we->is.funds.deposit,
		.reserve = we->is.funds.reserve,
	});
}

/* The bank answers what it has, and asks behind when that is old. */
static void ask_funds(struct own *own)
{
	const struct lp_bank_who who = { .sender = lp_account_address(own->with.account) };
	const struct lp_bank_sender *we;

	if (own->asked)
		return;
	we = lp_bank_sender(own->scope, own->with.bank, &who, on_funds, own);
	if (!we)
		own->asked = true;
	else if (!we->unknown)
		take_chain(own, we);
	else
		lp_fail(&own->unknown, LP_UNAVAILABLE, "the chain says nothing of our deposit: %s", we->unknown);
}

static void on_tick(void *self)
{
	struct own *own = self;
	uint64_t block = lp_bank_clock(own->with.bank)->block;

	if (!lp_bank_trouble(own->with.bank))
		own->news_at = lp_mono(own->with.loop);
	ask_funds(own);
	forget_offers(own, block);
	if (lp_mono(own->with.loop) - own->swept_at < SWEEP)
		return;
	own->swept_at = lp_mono(own->with.loop);
	lp_sender_expire(own->sender, now_of(own) - KEPT);
	lp_books_forget(own->with.books, block, now_of(own) - KEPT);
}

/* ---- settling ---- */

/* What the job cost: by the price that was paid, for what was used of it. */
static struct lp_amount cost_of(const struct lp_stake *stake, const struct lp_outlay_end *end,
				const struct lp_till_want *want)
{
	struct lp_price price;
	struct lp_amount cost;

	if (end->how != LP_PAID_DONE || end->used == 0 || end->used >= want->units)
		return stake->fee;
	if (lp_price_of_wire(&price, stake->payment.price_per_unit, stake->payment.units, NULL) != LP_OK ||
	    !lp_price_fee(&cost, price, end->used, LP_UP))
		return stake->fee;
	return cost;
}

static struct lp_span model_name(struct lp_span model)
{
	return lp_span_cut(&model, 0);
}

static void enter(struct part *part, enum lp_entry_kind kind, struct lp_amount amount, uint64_t units)
{
	const struct lp_till_want *want = lp_outlay_want(part->outlay);

	if (lp_amount_is_zero(amount))
		return;
	lp_books_enter(part->own->with.books, &(struct lp_entry){
		.kind = kind,
		.at = now_of(part->own),
		.peer = want->to.recipient,
		.capability = want->to.capability,
		.model = model_name(want->to.model),
		.job = want->job ? want->job : "",
		.amount = amount,
		.tickets = kind == LP_ENTRY_PAID || kind == LP_ENTRY_RETURNED ? (uint32_t)part->stake.payment.n : 0,
		.units = units,
	});
}

static struct lp_amount grown(struct lp_amount after, struct lp_amount before)
{
	struct lp_amount by;
	bool fits = lp_amount_sub(&by, after, before);

	lp_assert(fits);
	return by;
}

/* The lines of the ledger are what the books moved by: paid = spent + returned + given up + what is left as credit. */
static void enter_all(struct part *part, const struct lp_outlay_end *end, const struct lp_sender_books *before)
{
	const struct lp_till_want *want = lp_outlay_want(part->outlay);
	uint64_t units = end->used && end->used < want->units ? end->used : want->units;
	struct lp_sender_books after;
	bool unknown = end->how == LP_PAID_UNKNOWN;

	lp_sender_books(&after, part->own->sender, &want->to);
	if (!lp_outlay_left(part->outlay))
		return;
	enter(part, LP_ENTRY_PAID, part->stake.value, want->units);
	enter(part, unknown ? LP_ENTRY_GIVEN_UP : LP_ENTRY_SPENT, grown(after.spent, before->spent), units);
	enter(part, LP_ENTRY_RETURNED, grown(after.returned, before->returned), 0);
	enter(part, LP_ENTRY_GIVEN_UP, grown(after.given_up, before->given_up), 0);
}

static void own_settle(void *self, struct lp_outlay *outlay, const struct lp_outlay_end *end)
{
	struct own *own = self;
	struct part *part = lp_outlay_part(outlay);
	const struct lp_till_want *want = lp_outlay_want(outlay);
	struct lp_sender_books before;

	lp_unready(&part->turn);
	lp_link_out(&part->link);
	if (!part->staked)
		return;
	lp_sender_books(&before, own->sender, &want->to);
	if (end->refused)
		lp_sender_refused(own->sender, &part->stake);
	if (end->how == LP_PAID_NOT_TAKEN && !end->seen)
		lp_allowance_return(&own->allowance, now_of(own), part->stake.value);
	lp_sender_settle(own->sender, &part->stake, end->how, cost_of(&part->stake, end, want), now_of(own));
	part->staked = false;
	lp_books_keep_sender(own->with.books, own->sender);
	enter_all(part, end, &before);
}

static bool own_stale(const void *self, const struct lp_sender_key *to)
{
	const struct own *own = self;

	return lp_sender_stale(own->sender, to);
}

/* ---- the header's function ---- */

static const struct lp_till_ops ops = { own_pay, own_settle, own_stale };

static void own_close(void *arg)
{
	struct own *own = arg;

	lp_map_free_all(&own->offers, lp_mem_free);
	lp_sender_free(&own->sender);
}

enum lp_code lp_till_open(struct lp_scope *scope, struct lp_till **out, const struct lp_till_own *with,
			  struct lp_err *e)
{
	struct own *own = lp_new(scope, struct own);

	own->with = *with;
	own->with.rules.account = lp_account_address(with->account);
	/* Drawn for each process: even one offer handed to two of them gives no number twice. */
	lp_random(&own->with.rules.first_nonce, sizeof(own->with.rules.first_nonce));
	own->sender = lp_sender_new(&own->with.rules);
	own->offers = lp_map_new();
	lp_list_init(&own->waiting);
	lp_defer(scope, own_close, own);
	own->scope = lp_scope_open(scope, "till");
	own->news_at = own->swept_at = lp_mono(with->loop);
	if (lp_books_load_sender(with->books, own->sender, e) != LP_OK)
		return e->code;
	lp_bank_watch(own->scope, with->bank, on_tick, own);
	ask_funds(own);
	own->till = lp_till_new(scope, with->loop, &ops, own);
	*out = own->till;
	return LP_OK;
}
