#include <lpd/pay/recipient.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/list.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>
#include <lpd/pay/nonces.h>
#include <lpd/pay/rand.h>
#include <lpd/pay/receive.h>

#define PAID_MAX 100000		/* payments whose bytes are remembered; of one before them its tickets are "seen" */

/* Something that the store does not know yet. */
struct mark {
	struct lp_link link;
	struct lp_hash hash;		/* of an offer */
	uint64_t expiration_block;
	int64_t touched;
	size_t key_len;
	char key[LP_ADDRESS_LEN + LP_SESSION_MAX];	/* of a payer */
};

struct lp_recipient {
	struct lp_recipient_setup setup;
	struct lp_offer_terms terms;
	uint64_t block;
	struct lp_rounds rounds;
	struct lp_nonces *nonces;
	struct lp_balances *balances;
	struct lp_winners *winners;
	struct lp_list waiting;		/* receipts, for winners to be safe */
	struct lp_map *paid;		/* payments that were taken, by the hash of their bytes */
	struct lp_list paid_order;
	struct marks {
		struct lp_map *rows;
		struct lp_list list;
	} offers, payers;		/* that changed: by rand's hash; by sender and session */
	struct lp_buf row;		/* lent by next */
	struct lp_winner_change winner;
	struct mark *lent;
	struct lp_recipient_books books;
};

struct paid {
	struct lp_link link;		/* in the order in which they came */
	struct lp_hash digest;
	uint64_t expiration_block;
};

struct ticket {
	uint32_t nonce;
	bool wins;
	struct lp_sig sig;
};

struct lp_receipt {
	struct lp_link link;		/* while it waits */
	struct lp_receive with;
	struct lp_hash digest;
	struct lp_params params;
	char session[LP_SESSION_MAX];
	size_t session_len;
	bool repeat, orphan;
	enum lp_code code;		/* of the verification */
	struct lp_err why;
	size_t waiting;			/* winners that are not safe */
	struct lp_amount credit;
	struct lp_amount worth;		/* of all tickets */
	size_t n;
	struct ticket tickets[];
};

static struct lp_span hash_key(const struct lp_hash *hash)
{
	return lp_span_of(hash->bytes, sizeof hash->bytes);
}

struct lp_recipient *lp_recipient_new(const struct lp_recipient_setup *setup)
{
	struct lp_recipient *r = lp_mem_zeroed(1, sizeof *r);

	r->setup = *setup;
	r->nonces = lp_nonces_new(setup->max_offers);
	r->balances = lp_balances_new(setup->max_payers);
	r->winners = lp_winners_new(setup->max_winners);
	r->paid = lp_map_new();
	lp_list_init(&r->paid_order);
	r->offers.rows = lp_map_new();
	r->payers.rows = lp_map_new();
	lp_list_init(&r->waiting);
	lp_list_init(&r->offers.list);
	lp_list_init(&r->payers.list);
	return r;
}

void lp_recipient_free(struct lp_recipient **recipient)
{
	struct lp_recipient *r = *recipient;

	if (!r)
		return;
	/* Nobody will say that their winners are safe; the store's rows will, at the next start. */
	lp_list_each(&r->waiting, receipt, struct lp_receipt, link) {
		lp_link_out(&receipt->link);
		receipt->waiting = 0;
		if (receipt->orphan)
			lp_mem_free(receipt);
	}
	lp_nonces_free(&r->nonces);
	lp_balances_free(&r->balances);
	lp_winners_free(&r->winners);
	lp_map_free_all(&r->paid, lp_mem_free);
	lp_map_free_all(&r->offers.rows, lp_mem_free);
	lp_map_free_all(&r->payers.rows, lp_mem_free);
	lp_mem_free(r->lent);
	lp_buf_clear(&r->row);
	lp_mem_free(r);
	*recipient = NULL;
}

void lp_recipient_chain(struct lp_recipient *r, uint64_t block, const struct lp_rounds *rounds)
{
	if (block > r->block)
		r->block = block;
	if (rounds->last >= r->rounds.last)
		r->rounds = *rounds;
}

void lp_recipient_terms(struct lp_recipient *r, const struct lp_offer_terms *terms)
{
	r->terms = *terms;
}

struct lp_winners *lp_recipient_winners(struct lp_recipient *r)
{
	return r->winners;
}

/* ---- marks ---- */

static struct mark *mark(struct marks *marks, struct lp_span key)
{
	struct mark *m = lp_map_find(marks->rows, key);

	if (m)
		return m;
	m = lp_mem_zeroed(1, sizeof *m);
	lp_map_put(marks->rows, key, m);
	lp_list_add(&marks->list, &m->link);
	return m;
}

static void mark_offer(struct lp_recipient *r, const struct lp_offer_id *offer)
{
	struct mark *m = mark(&r->offers, hash_key(&offer->rand_hash));

	m->hash = offer->rand_hash;
	m->expiration_block = offer->expiration_block;
}

static void mark_payer(struct lp_recipient *r, const struct lp_payer *who, int64_t now)
{
	char key[LP_ADDRESS_LEN + LP_SESSION_MAX];

	lp_assert(who->session.len <= LP_SESSION_MAX);
	memcpy(key, who->sender.bytes, LP_ADDRESS_LEN);
	if (who->session.len)
		memcpy(key + LP_ADDRESS_LEN, who->session.at, who->session.len);
	size_t len = LP_ADDRESS_LEN + who->session.len;
	struct mark *m = mark(&r->payers, lp_span_of(key, len));

	memcpy(m->key, key, len);
	m->key_len = len;
	m->touched = now;
}

/* ---- offers ---- */

static void offer_of(struct lp_rand_offer *to, const struct lp_params *params, struct lp_address sender,
		     const struct lp_quote *quote)
{
	*to = (struct lp_rand_offer){ .recipient = params->recipient,
				      .sender = sender,
				      .face_value = params->face_value,
				      .win_prob = params->win_prob,
				      .expiration_block = params->expiration_block,
				      .price_per_unit = quote->price_per_unit,
				      .units = quote->units,
				      .round = params->round,
				      .round_hash = params->round_hash };
	lp_u256_write_32(to->seed.bytes, params->seed);
	lp_quote_work(&to->quote, quote->capability, quote->model);
}

/* What of the float is not spoken for by winners. */
static struct lp_wei float_of(const struct lp_recipient *r, const struct lp_recipient_ask *ask)
{
	struct lp_wei all = lp_funds_max_float(&ask->funds->funds), left;

	return lp_wei_sub(&left, all, lp_winners_open(r->winners, ask->quote->sender)) ? left : LP_WEI_ZERO;
}

static enum lp_code price_tickets(struct lp_params *out, const struct lp_recipient *r,
				  const struct lp_recipient_ask *ask, struct lp_err *e)
{
	enum lp_code code;

	if (ask->quote->price_per_unit <= 0)
		return LP_OK;		/* free: tickets of nothing */
	if (ask->funds->unknown)
		return lp_fail(e, LP_UNAVAILABLE, "could not get sender info: %s", ask->funds->unknown);
	if (lp_funds_unlocking(ask->funds->withdraw_round, r->rounds.last))
		return lp_fail(e, LP_NO_FUNDS, "insufficient sender reserve");
	code = lp_offer_face_value(&out->face_value, &r->terms, float_of(r, ask), e);
	if (code)
		return code;
	/* A ticket that wins for certain is refused by every gateway (B-22). */
	if (lp_wei_cmp(out->face_value, r->terms.ev) <= 0)
		return lp_fail(e, LP_NO_FUNDS, "insufficient sender reserve");
	if (!lp_offer_win_prob(&out->win_prob, r->terms.ev, out->face_value))
		return lp_fail(e, LP_PRICE, "a ticket's probability has no room");
	return LP_OK;
}

enum lp_code lp_recipient_offer(struct lp_params *out, const struct lp_recipient *r,
				const struct lp_recipient_ask *ask, struct lp_err *e)
{
	struct lp_params params = { .recipient = r->setup.recipient,
				    .expiration_block = r->block + LP_PARAMS_LIFE };
	struct lp_rand_offer offer;
	struct lp_hash rand;

	if (!lp_u256_read_bytes(&params.seed, lp_span_of(ask->seed.bytes, sizeof ask->seed.bytes)) ||
	    !lp_offer_round(&params.round, &params.round_hash, &r->rounds))
		return lp_fail(e, LP_UNAVAILABLE, "the chain knows no block hash of the round");
	enum lp_code code = price_tickets(&params, r, ask, e);
	if (code)
		return code;
	offer_of(&offer, &params, ask->quote->sender, ask->quote);
	lp_rand_derive(&rand, r->setup.secret, &offer);
	lp_rand_commit(&params.rand_hash, &rand);
	*out = params;
	return LP_OK;
}

/* ---- a payment ---- */

static enum lp_code check_price(const struct lp_recipient_job *job, struct lp_err *e)
{
	const struct lp_payment *p = job->payment;

	if (!p->has_price && p->n == 0)
		return LP_OK;		/* the quote's is charged */
	if (!p->has_price)
		return lp_fail(e, LP_PRICE, "invalid expected price sent with payment err=\"expected price is nil\"");
	if (p->units == 0)
		return lp_fail(e, LP_PRICE, "invalid expected price sent with payment err=\"pixels per unit is 0\"");
	if (p->price_per_unit != job->quote->price_per_unit || p->units != job->quote->units)
		return lp_fail(e, LP_PRICE, "invalid expected price sent with payment err=\"it was not quoted\"");
	return LP_OK;
}

static struct lp_receipt *copy_payment(const struct lp_recipient *r, const struct lp_recipient_job *job)
{
	const struct lp_payment *p = job->payment;
	struct lp_receipt *receipt = lp_mem_zeroed(1, sizeof *receipt + p->n * sizeof *receipt->tickets);
	struct lp_rand_offer offer;

	lp_keccak256(receipt->digest.bytes, job->header.at, job->header.len);
	receipt->params = p->params;
	receipt->n = p->n;
	receipt->session_len = job->session.len;
	if (job->session.len)
		memcpy(receipt->session, job->session.at, job->session.len);
	for (size_t i = 0; i < p->n; i++)
		receipt->tickets[i] = (struct ticket){ .nonce = p->tickets[i].nonce, .sig = p->tickets[i].sig };
	/* The limits of now are not asked again: the rand answers for every field, and they may have been
	 * reloaded since the offer was made. */
	receipt->with = (struct lp_receive){ .recipient = r->setup.recipient,
					     .offer = { p->params.rand_hash, p->params.expiration_block, p->sender },
					     .block = r->block,
					     .last_round = r->rounds.last,
					     .unknown = job->funds->unknown,
					     .withdraw_round = job->funds->withdraw_round,
					     .least_ev = LP_AMOUNT_ZERO };
	offer_of(&offer, &p->params, p->sender, job->quote);
	lp_rand_derive(&receipt->with.rand, r->setup.secret, &offer);
	return receipt;
}

static void ticket_of(struct lp_ticket *to, const struct lp_receipt *receipt, size_t i)
{
	const struct lp_params *params = &receipt->params;

	*to = (struct lp_ticket){ .recipient = params->recipient,
				  .sender = receipt->with.offer.sender,
				  .face_value = params->face_value,
				  .win_prob = params->win_prob,
				  .nonce = receipt->tickets[i].nonce,
				  .rand_hash = params->rand_hash,
				  .round = params->round,
				  .round_hash = params->round_hash };
}

static enum lp_code take_nonces(struct lp_recipient *r, const struct lp_receipt *receipt, bool take, struct lp_err *e)
{
	uint32_t list[LP_NONCES_MAX];

	for (size_t i = 0; i < receipt->n; i++)
		list[i] = receipt->tickets[i].nonce;
	enum lp_code code = lp_receive_nonces(&receipt->with, r->nonces, list, receipt->n, e);

	return code || !take ? code : lp_nonces_take(r->nonces, &receipt->with.offer, list, receipt->n, e);
}

static enum lp_code begin_tickets(struct lp_recipient *r, struct lp_receipt *receipt, struct lp_err *e)
{
	struct lp_amount ev;
	struct lp_ticket first;

	if (lp_map_find(r->paid, hash_key(&receipt->digest))) {
		receipt->repeat = true;
		return LP_OK;
	}
	ticket_of(&first, receipt, 0);
	enum lp_code code = lp_receive_offer(&receipt->with, &first, e);
	if (!code)
		code = take_nonces(r, receipt, false, e);
	if (code)
		return code;
	if (!lp_ticket_ev(&ev, first.face_value, first.win_prob, LP_UP) ||
	    !lp_amount_mul(&receipt->worth, ev, receipt->n))
		return lp_fail(e, LP_PRICE, "the tickets are worth more than can be counted");
	return LP_OK;
}

enum lp_code lp_recipient_begin(struct lp_recipient *r, struct lp_receipt **out, const struct lp_recipient_job *job,
				struct lp_err *e)
{
	enum lp_code code = check_price(job, e);

	*out = NULL;
	if (code)
		return code;
	if (job->session.len > LP_SESSION_MAX)
		return lp_fail(e, LP_BAD_REQUEST, "the session's name is too long");
	if (!lp_address_eq(job->payment->sender, job->quote->sender))
		return lp_fail(e, LP_TICKET_SENDER, "invalid ticket sender");
	struct lp_receipt *receipt = copy_payment(r, job);
	if (receipt->n)
		code = begin_tickets(r, receipt, e);
	if (code)
		lp_receipt_free(&receipt);
	*out = receipt;
	return code;
}

void lp_receipt_verify(struct lp_receipt *receipt)
{
	for (size_t i = 0; i < receipt->n && !receipt->repeat && !receipt->code; i++) {
		struct ticket *t = &receipt->tickets[i];
		struct lp_ticket ticket;

		ticket_of(&ticket, receipt, i);
		receipt->code = lp_receive_draw(&t->wins, &ticket, &t->sig, &receipt->with.rand, &receipt->why);
	}
}

static void credit(struct lp_recipient *r, struct lp_receipt *receipt, int64_t now)
{
	const struct lp_payer who = { receipt->with.offer.sender,
				      lp_span_of(receipt->session, receipt->session_len) };
	bool fits = lp_amount_add(&r->books.credited, r->books.credited, receipt->worth);

	/* The row was opened before the nonces were taken; it is gone only if a winner took the time of a credit
	 * to be safe and the table has filled meanwhile. */
	if (lp_balance_credit(r->balances, &who, receipt->worth, now, NULL) == LP_OK)
		receipt->credit = receipt->worth;
	else
		fits = fits && lp_amount_add(&r->books.given_up, r->books.given_up, receipt->worth);
	lp_assert(fits);
	mark_payer(r, &who, now);
}

static size_t count_winners(const struct lp_receipt *receipt)
{
	size_t n = 0;

	for (size_t i = 0; i < receipt->n; i++)
		n += receipt->tickets[i].wins;
	return n;
}

static void keep_winners(struct lp_recipient *r, struct lp_receipt *receipt)
{
	for (size_t i = 0; i < receipt->n; i++) {
		struct lp_winner winner = { .sig = receipt->tickets[i].sig,
					    .rand = receipt->with.rand,
					    .expiration_block = receipt->params.expiration_block };
		struct lp_winner_row *row;

		if (!receipt->tickets[i].wins)
			continue;
		ticket_of(&winner.ticket, receipt, i);
		enum lp_code code = lp_winners_add(r->winners, &row, &winner, receipt, NULL);

		/* There was room. */
		lp_assert(code == LP_OK);
		receipt->waiting += row != NULL;
		r->books.won += row != NULL;
	}
}

/* All that could refuse it, before anything is changed. */
static enum lp_code open_books(struct lp_recipient *r, struct lp_receipt *receipt, int64_t now, struct lp_err *e)
{
	const struct lp_payer who = { receipt->with.offer.sender,
				      lp_span_of(receipt->session, receipt->session_len) };

	if (receipt->code) {
		if (e)
			*e = receipt->why;
		return receipt->code;
	}
	if (lp_winners_count(r->winners) + count_winners(receipt) > r->setup.max_winners)
		return lp_fail(e, LP_NO_ROOM, "too many winners are open");
	return lp_balance_credit(r->balances, &who, LP_AMOUNT_ZERO, now, e);
}

static void forget_paid(struct lp_recipient *r, struct paid *paid)
{
	lp_link_out(&paid->link);
	lp_map_take(r->paid, hash_key(&paid->digest));
	lp_mem_free(paid);
}

/* Room is made by forgetting the oldest: that a repeat is taken as done is a service, its nonces alone are
 * what keeps it from counting twice. */
static void remember_paid(struct lp_recipient *r, const struct lp_receipt *receipt)
{
	struct paid *paid;

	if (lp_map_count(r->paid) >= PAID_MAX)
		forget_paid(r, LP_CONTAINER(lp_list_first(&r->paid_order), struct paid, link));
	paid = lp_mem_zeroed(1, sizeof *paid);
	paid->expiration_block = receipt->params.expiration_block;
	paid->digest = receipt->digest;
	lp_map_put(r->paid, hash_key(&paid->digest), paid);
	lp_list_add(&r->paid_order, &paid->link);
}

enum lp_code lp_recipient_apply(struct lp_recipient *r, struct lp_receipt *receipt, int64_t now, struct lp_err *e)
{
	/* A repeat was not verified, so it must not go on, whatever is remembered by now. */
	if (receipt->n == 0 || receipt->repeat || lp_map_find(r->paid, hash_key(&receipt->digest)))
		return LP_OK;
	receipt->with.block = r->block;		/* time went on while it was verified */
	enum lp_code code = open_books(r, receipt, now, e);
	if (!code)
		code = take_nonces(r, receipt, true, e);
	if (code)
		return code;
	remember_paid(r, receipt);
	mark_offer(r, &receipt->with.offer);
	r->books.tickets += receipt->n;
	keep_winners(r, receipt);
	if (!receipt->waiting) {
		credit(r, receipt, now);
		return LP_OK;
	}
	bool fits = lp_amount_add(&r->books.waiting, r->books.waiting, receipt->worth);

	lp_assert(fits);
	lp_list_add(&r->waiting, &receipt->link);
	return LP_OK;
}

bool lp_receipt_waits(const struct lp_receipt *receipt)
{
	return receipt->waiting > 0;
}

struct lp_amount lp_receipt_credit(const struct lp_receipt *receipt)
{
	return receipt->credit;
}

void lp_receipt_free(struct lp_receipt **receipt)
{
	if (!*receipt)
		return;
	if ((*receipt)->waiting)
		(*receipt)->orphan = true;
	else
		lp_mem_free(*receipt);
	*receipt = NULL;
}

void lp_recipient_saved(struct lp_recipient *r, const struct lp_hash *ticket, enum lp_code code, int64_t now)
{
	struct lp_receipt *receipt;
	void *owner;

	if (!lp_winners_saved(r->winners, ticket, code == LP_OK, &owner))
		return;
	receipt = owner;
	if (--receipt->waiting)
		return;
	lp_link_out(&receipt->link);
	bool fits = lp_amount_sub(&r->books.waiting, r->books.waiting, receipt->worth);

	lp_assert(fits);
	credit(r, receipt, now);
	if (receipt->orphan)
		lp_mem_free(receipt);
}

/* ---- a job ---- */

enum lp_code lp_recipient_hold(struct lp_recipient *r, const struct lp_payer *who, struct lp_amount fee, int64_t now,
			       struct lp_err *e)
{
	return lp_balance_hold(r->balances, who, fee, now, e);
}

void lp_recipient_settle(struct lp_recipient *r, const struct lp_payer *who, struct lp_settle what, int64_t now)
{
	bool fits = lp_amount_add(&r->books.debited, r->books.debited, what.cost);

	lp_assert(fits);
	lp_balance_settle(r->balances, who, what, now);
	if (!lp_amount_is_zero(what.cost))
		mark_payer(r, who, now);
}

struct lp_amount lp_recipient_balance(const struct lp_recipient *r, const struct lp_payer *who)
{
	return lp_balance_all(r->balances, who);
}

void lp_recipient_books(struct lp_recipient_books *out, const struct lp_recipient *r)
{
	*out = r->books;
}

/* ---- forgetting, and the store ---- */

struct expiring {
	struct lp_recipient *r;
	void (*told)(void *self, const struct lp_payer *who, struct lp_amount credit);
	void *self;
};

static void on_expired(void *self, const struct lp_payer *who, struct lp_amount amount)
{
	struct expiring *x = self;
	bool fits = lp_amount_add(&x->r->books.given_up, x->r->books.given_up, amount);

	lp_assert(fits);
	mark_payer(x->r, who, 0);
	if (x->told)
		x->told(x->self, who, amount);
}

size_t lp_recipient_expire(struct lp_recipient *r, int64_t before,
			   void (*told)(void *self, const struct lp_payer *who, struct lp_amount credit), void *self)
{
	struct expiring x = { r, told, self };

	lp_nonces_expire(r->nonces, r->block);
	lp_list_each(&r->paid_order, paid, struct paid, link)
		if (paid->expiration_block <= r->block)
			forget_paid(r, paid);
	return lp_balances_expire(r->balances, before, on_expired, &x);
}

/* The first that changed, which is lent until the next call; NULL: none. */
static const struct mark *take_mark(struct lp_recipient *r, struct marks *marks)
{
	struct lp_link *link = lp_list_first(&marks->list);

	if (!link)
		return NULL;
	struct mark *m = LP_CONTAINER(link, struct mark, link);
	struct lp_span key = m->key_len ? lp_span_of(m->key, m->key_len) : hash_key(&m->hash);

	lp_map_take(marks->rows, key);
	lp_link_out(link);
	lp_mem_free(r->lent);
	r->lent = m;
	return m;
}

static bool next_offer(struct lp_recipient *r, struct lp_recipient_change *out)
{
	const struct mark *m = take_mark(r, &r->offers);

	if (!m)
		return false;
	lp_buf_reset(&r->row);
	lp_nonces_dump(&r->row, r->nonces, &m->hash);
	*out = (struct lp_recipient_change){ .kind = LP_RECIPIENT_NONCES,
					     .hash = m->hash,
					     .expiration_block = m->expiration_block,
					     .row = lp_buf_span(&r->row) };
	return true;
}

static bool next_payer(struct lp_recipient *r, struct lp_recipient_change *out)
{
	const struct mark *m = take_mark(r, &r->payers);

	if (!m)
		return false;
	*out = (struct lp_recipient_change){ .kind = LP_RECIPIENT_CREDIT, .touched = m->touched };
	memcpy(out->payer.sender.bytes, m->key, LP_ADDRESS_LEN);
	out->payer.session = lp_span_of(m->key + LP_ADDRESS_LEN, m->key_len - LP_ADDRESS_LEN);
	out->credit = lp_balance_all(r->balances, &out->payer);
	return true;
}

bool lp_recipient_next(struct lp_recipient *r, struct lp_recipient_change *out)
{
	if (next_offer(r, out))
		return true;
	if (!lp_winners_next(r->winners, &r->winner))
		return next_payer(r, out);
	*out = (struct lp_recipient_change){ .kind = r->winner.gone ? LP_RECIPIENT_WINNER_GONE : LP_RECIPIENT_WINNER,
					     .hash = r->winner.hash,
					     .row = lp_span_of(r->winner.row, r->winner.gone ? 0 : LP_WINNER_ROW) };
	return true;
}

static enum lp_code load_credit(struct lp_recipient *r, const struct lp_recipient_change *row, struct lp_err *e)
{
	const bool debt = row->credit.below;
	enum lp_code code = lp_balance_credit(r->balances, &row->payer, debt ? LP_AMOUNT_ZERO : row->credit,
					      row->touched, e);

	if (!code && debt)
		lp_balance_settle(r->balances, &row->payer,
				  (struct lp_settle){ LP_AMOUNT_ZERO, lp_amount_neg(row->credit) }, row->touched);
	return code;
}

enum lp_code lp_recipient_load(struct lp_recipient *r, const struct lp_recipient_change *row, struct lp_err *e)
{
	switch (row->kind) {
	case LP_RECIPIENT_NONCES:
		return lp_nonces_load(r->nonces, row->row, e);
	case LP_RECIPIENT_WINNER:
		return lp_winners_load(r->winners, row->row, e);
	case LP_RECIPIENT_CREDIT:
		return load_credit(r, row, e);
	case LP_RECIPIENT_WINNER_GONE:
		break;
	}
	return LP_OK;
}
