#include <lpd/pay/sender.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/list.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>

#define OFFERS_MAX 100000	/* known at a time, used up or not */
#define SOON 4			/* blocks before its end at which an offer is stale */
#define HOUR 3600		/* seconds in which a price may double */

struct offer {
	struct lp_link dirty;
	struct lp_hash hash;
	uint64_t expiration_block;
};

struct session {
	struct lp_link dirty;
	struct lp_address recipient;
	uint32_t capability;
	char model[LP_SENDER_MODEL_MAX];
	size_t model_len;

	bool has_params;		/* an offer to make tickets of */
	struct lp_params params;
	struct lp_amount ev;		/* rounded down */
	uint32_t used;

	bool has_price;
	int64_t price_per_unit, units;
	struct lp_price price, first;
	int64_t first_at;

	struct lp_sender_books books;
	int64_t touched;
};

struct lp_sender {
	struct lp_sender_rules rules;
	struct lp_sender_chain chain;
	struct lp_map *sessions;
	struct lp_map *offers;		/* every one ever taken up that is not over, by its rand's hash */
	struct lp_list dirty_sessions, dirty_offers;
};

struct lp_span lp_sender_key_bytes(char to[LP_SENDER_KEY_MAX], const struct lp_sender_key *key)
{
	memcpy(to, key->recipient.bytes, LP_ADDRESS_LEN);
	for (int i = 0; i < 4; i++)
		to[LP_ADDRESS_LEN + i] = (char)(key->capability >> (24 - 8 * i));
	if (key->model.len)
		memcpy(to + LP_ADDRESS_LEN + 4, key->model.at, key->model.len);
	return lp_span_of(to, LP_ADDRESS_LEN + 4 + key->model.len);
}

static struct session *find(const struct lp_sender *sender, const struct lp_sender_key *key)
{
	char bytes[LP_SENDER_KEY_MAX];

	return key->model.len > LP_SENDER_MODEL_MAX ? NULL : lp_map_find(sender->sessions, lp_sender_key_bytes(bytes, key));
}

static struct session *open_session(struct lp_sender *sender, const struct lp_sender_key *key, struct lp_err *e)
{
	struct session *s = find(sender, key);
	char bytes[LP_SENDER_KEY_MAX];

	if (s)
		return s;
	if (key->model.len > LP_SENDER_MODEL_MAX || lp_map_count(sender->sessions) >= sender->rules.max_sessions) {
		lp_fail(e, LP_UNAVAILABLE, "there is no room for another session of payments");
		return NULL;
	}
	s = lp_mem_zeroed(1, sizeof *s);
	s->recipient = key->recipient;
	s->capability = key->capability;
	s->model_len = key->model.len;
	if (key->model.len)
		memcpy(s->model, key->model.at, key->model.len);
	lp_map_put(sender->sessions, lp_sender_key_bytes(bytes, key), s);
	return s;
}

static void touch(struct lp_sender *sender, struct session *s, int64_t now)
{
	s->touched = now;
	if (!lp_link_in(&s->dirty))
		lp_list_add(&sender->dirty_sessions, &s->dirty);
}

/* Sums of money that was signed within limits: no room would be a fault of ours. */
static void add(struct lp_amount *to, struct lp_amount what)
{
	bool fits = lp_amount_add(to, *to, what);

	lp_assert(fits);
}

static void sub(struct lp_amount *from, struct lp_amount what)
{
	add(from, lp_amount_neg(what));
}

struct lp_sender *lp_sender_new(const struct lp_sender_rules *rules)
{
	struct lp_sender *sender = lp_mem_zeroed(1, sizeof *sender);

	sender->rules = *rules;
	sender->sessions = lp_map_new();
	sender->offers = lp_map_new();
	lp_list_init(&sender->dirty_sessions);
	lp_list_init(&sender->dirty_offers);
	return sender;
}

void lp_sender_free(struct lp_sender **sender)
{
	if (!*sender)
		return;
	lp_map_free_all(&(*sender)->sessions, lp_mem_free);
	lp_map_free_all(&(*sender)->offers, lp_mem_free);
	lp_mem_free(*sender);
	*sender = NULL;
}

void lp_sender_chain(struct lp_sender *sender, const struct lp_sender_chain *chain)
{
	uint64_t block = sender->chain.block, round = sender->chain.last_round;

	sender->chain = *chain;
	if (chain->block < block)
		sender->chain.block = block;
	if (chain->last_round < round)
		sender->chain.last_round = round;
}

/* ---- offers ---- */

static struct lp_params_limits limits_of(const struct lp_sender *sender)
{
	const struct lp_sender_chain *chain = &sender->chain;

	return (struct lp_params_limits){ .max_ticket_ev = sender->rules.max_ticket_ev,
					  .max_total_ev = sender->rules.max_total_ev,
					  .deposit_multiplier = sender->rules.deposit_multiplier,
					  .block = chain->block,
					  .last_round = chain->last_round,
					  .withdraw_round = chain->withdraw_round,
					  .deposit = chain->deposit,
					  .reserve = chain->reserve };
}

static struct lp_span hash_key(const struct lp_hash *hash)
{
	return lp_span_of(hash->bytes, sizeof hash->bytes);
}

static bool is_current(const struct session *s, const struct lp_hash *hash)
{
	return s->has_params && memcmp(&s->params.rand_hash, hash, sizeof *hash) == 0;
}

static struct offer *know(struct lp_sender *sender, const struct lp_hash *hash, uint64_t expiration_block)
{
	struct offer *offer;

	if (lp_map_count(sender->offers) >= OFFERS_MAX)
		return NULL;
	offer = lp_mem_zeroed(1, sizeof *offer);
	offer->hash = *hash;
	offer->expiration_block = expiration_block;
	lp_map_put(sender->offers, hash_key(hash), offer);
	return offer;
}

static enum lp_code take_params(struct lp_sender *sender, struct session *s, const struct lp_params *params,
				struct lp_err *e)
{
	const struct lp_params_limits limits = limits_of(sender);
	struct offer *offer;
	struct lp_amount ev;

	if (!lp_address_eq(params->recipient, s->recipient))
		return lp_fail(e, LP_BAD_PEER, "ticket params of another recipient");
	enum lp_code code = lp_params_check(params, &limits, 1, e);
	if (code)
		return code;
	if (lp_map_find(sender->offers, hash_key(&params->rand_hash)))
		return lp_fail(e, LP_PARAMS_EXPIRED, "ticket params that were used before");
	if (!lp_ticket_ev(&ev, params->face_value, params->win_prob, LP_DOWN))
		return lp_fail(e, LP_PRICE, "a ticket is worth more than can be counted");
	offer = know(sender, &params->rand_hash, params->expiration_block);
	if (!offer)
		return lp_fail(e, LP_UNAVAILABLE, "too many ticket params are known");
	lp_list_add(&sender->dirty_offers, &offer->dirty);
	s->params = *params;
	s->has_params = true;
	s->ev = ev;
	s->used = 0;
	return LP_OK;
}

static void take_price(struct session *s, const struct lp_sender_offer *offer, struct lp_price price, int64_t now)
{
	s->price = price;
	s->price_per_unit = offer->price_per_unit;
	s->units = offer->units;
	if (s->has_price && now - s->first_at < HOUR)
		return;
	/* The first of its hour; a later one may become it only if it would have been paid now. */
	if (s->has_price && lp_price_jumped(price, s->first))
		return;
	s->first = price;
	s->first_at = now;
	s->has_price = true;
}

enum lp_code lp_sender_offer(struct lp_sender *sender, const struct lp_sender_key *key,
			     const struct lp_sender_offer *offer, int64_t now, struct lp_err *e)
{
	struct lp_price price;
	enum lp_code code = lp_price_of_wire(&price, offer->price_per_unit, offer->units, e);
	struct session *s = code ? NULL : open_session(sender, key, e);

	if (!s)
		return code ? code : LP_UNAVAILABLE;
	/* Tickets and price belong together: an orchestrator binds the one to the other. */
	if (offer->has_params && !is_current(s, &offer->params.rand_hash))
		code = take_params(sender, s, &offer->params, e);
	if (code)
		return code;
	if (!offer->has_params)
		s->has_params = false;
	take_price(s, offer, price, now);
	touch(sender, s, now);
	return LP_OK;
}

static bool is_over(const struct lp_sender *sender, const struct session *s, uint64_t margin)
{
	return s->params.expiration_block <= sender->chain.block ||
	       s->params.expiration_block - sender->chain.block <= margin;
}

bool lp_sender_stale(const struct lp_sender *sender, const struct lp_sender_key *key)
{
	const struct session *s = find(sender, key);

	if (!s || !s->has_price)
		return true;
	if (lp_price_is_free(s->price))
		return false;
	return !s->has_params || is_over(sender, s, SOON) || s->used >= LP_SENDER_FRESH;
}

void lp_sender_refused(struct lp_sender *sender, const struct lp_stake *stake)
{
	struct session *s = stake->session;

	(void)sender;
	if (s && is_current(s, &stake->rand_hash))
		s->has_params = false;
}

/* ---- paying ---- */

static enum lp_code check_price(const struct session *s, const struct lp_sender_want *want, struct lp_err *e)
{
	if (want->max && lp_price_cmp(s->price, *want->max) > 0)
		return lp_fail(e, LP_PRICE, "the orchestrator's price is above the highest that is allowed");
	if (!lp_price_is_free(s->first) && lp_price_jumped(s->price, s->first))
		return lp_fail(e, LP_PRICE, "Orchestrator price has more than doubled");
	return LP_OK;
}

/* What others leave: confirmed and on its way, less what jobs hold. */
static struct lp_amount free_of(const struct session *s)
{
	struct lp_amount have = s->books.credit;

	add(&have, s->books.pending);
	sub(&have, s->books.held);
	return have;
}

static enum lp_code count(const struct lp_sender *sender, const struct session *s, struct lp_count *of, uint32_t *n,
			  struct lp_err *e)
{
	const struct lp_sender_rules *rules = &sender->rules;
	uint32_t most = lp_count_most(s->used, rules->max_tickets, rules->max_total_ev, of->ev);
	enum lp_code code;

	*n = 0;
	if (lp_amount_cmp(of->have, lp_amount_max(of->fee, of->ev)) >= 0)
		return LP_OK;
	if (!s->has_params)
		return lp_fail(e, LP_PARAMS_EXPIRED, "there are no ticket params to pay with");
	code = lp_count_tickets(n, of, most, e);
	/* Too many for what is left of this offer are not too many for the next. */
	if (code == LP_TICKETS_FULL && s->used > 0) {
		most = lp_count_most(0, rules->max_tickets, rules->max_total_ev, of->ev);
		if (lp_count_tickets(n, of, most, NULL) == LP_OK)
			code = lp_fail(e, LP_PARAMS_EXPIRED, "the ticket params are used up");
	}
	return code;
}

static enum lp_code check_tickets(const struct lp_sender *sender, const struct session *s, struct lp_amount *value,
				  uint32_t n, struct lp_err *e)
{
	const struct lp_params_limits limits = limits_of(sender);
	struct lp_amount prepaid = free_of(s);
	enum lp_code code;

	*value = LP_AMOUNT_ZERO;
	if (n == 0)
		return LP_OK;
	code = lp_params_check(&s->params, &limits, n, e);
	if (code)
		return code;
	if (!lp_amount_mul(value, s->ev, n) || !lp_amount_add(&prepaid, prepaid, *value))
		return lp_fail(e, LP_PRICE, "the tickets are worth more than can be counted");
	if (!lp_amount_is_zero(sender->rules.max_prepaid) && lp_amount_cmp(prepaid, sender->rules.max_prepaid) > 0)
		return lp_fail(e, LP_NO_FUNDS, "too much is prepaid at this orchestrator");
	return LP_OK;
}

static void write_payment(struct lp_scope *scope, const struct lp_sender *sender, struct session *s,
			  struct lp_stake *stake, uint32_t n)
{
	struct lp_payment *p = &stake->payment;

	p->sender = sender->rules.account;
	/* As it was offered, and nothing added: an OrchestratorInfo's price names no work (payments 1.4). */
	p->has_price = true;
	p->price_per_unit = s->price_per_unit;
	p->units = s->units;
	if (n == 0)
		return;
	p->has_params = true;
	p->params = s->params;
	p->n = n;
	p->tickets = lp_new_array(scope, struct lp_payment_ticket, n);
	for (uint32_t i = 0; i < n; i++)
		p->tickets[i].nonce = (sender->rules.first_nonce & INT32_MAX) + ++s->used;
}

enum lp_code lp_sender_pay(struct lp_scope *scope, struct lp_sender *sender, struct lp_stake *out,
			   const struct lp_sender_want *want, struct lp_err *e)
{
	struct session *s = find(sender, &want->key);
	struct lp_count of;
	uint32_t n;

	*out = (struct lp_stake){ 0 };
	if (!s || !s->has_price)
		return lp_fail(e, LP_PARAMS_EXPIRED, "nothing is known of this orchestrator's terms");
	enum lp_code code = check_price(s, want, e);
	if (code)
		return code;
	if (!lp_price_fee(&of.fee, s->price, want->units, LP_UP))
		return lp_fail(e, LP_PRICE, "the fee is more than can be counted");
	of.have = want->alone ? LP_AMOUNT_ZERO : free_of(s);
	of.ev = lp_price_is_free(s->price) || !s->has_params ? LP_AMOUNT_ZERO : s->ev;
	code = count(sender, s, &of, &n, e);
	if (!code)
		code = check_tickets(sender, s, &out->value, n, e);
	if (code)
		return code;
	write_payment(scope, sender, s, out, n);
	out->fee = of.fee;
	out->session = s;
	out->rand_hash = s->params.rand_hash;
	add(&s->books.held, of.fee);
	add(&s->books.pending, out->value);
	add(&s->books.signed_, out->value);
	s->books.tickets += n;
	s->books.in_flight++;
	touch(sender, s, want->now);
	return LP_OK;
}

/* What is there beyond these tickets was not there for the orchestrator: perhaps it restarted, perhaps it let
 * our credit lapse.  The books take its word, as money is at stake for it and only trust for us. */
static void correct(struct session *s, struct lp_amount value)
{
	struct lp_amount wrong = s->books.credit;

	/* Others' tickets are on their way: this job was only faster than they. */
	if (!wrong.below && lp_amount_is_zero(s->books.pending)) {
		add(&s->books.given_up, wrong);
		sub(&s->books.credit, wrong);
	}
	add(&s->books.credit, value);
}

/* Either the tickets came, and perhaps the fee was taken of them, or neither.  The least that there can be is counted:
 * what the tickets leave when the fee was taken is given up, what they do not cover may be gone. */
static void give_up(struct lp_sender_books *b, const struct lp_stake *stake)
{
	struct lp_amount rest = stake->value;

	sub(&rest, stake->fee);
	add(&b->spent, stake->fee);
	add(rest.below ? &b->credit : &b->given_up, rest);
}

void lp_sender_settle(struct lp_sender *sender, struct lp_stake *stake, enum lp_paid how, struct lp_amount cost,
		      int64_t now)
{
	struct session *s = stake->session;
	struct lp_sender_books *b;

	if (!s)
		return;
	b = &s->books;
	lp_assert(b->in_flight > 0 && !cost.below);
	b->in_flight--;
	sub(&b->held, stake->fee);
	sub(&b->pending, stake->value);
	switch (how) {
	case LP_PAID_NOT_TAKEN:
		add(&b->returned, stake->value);
		break;
	case LP_PAID_SHORT:
		correct(s, stake->value);
		break;
	case LP_PAID_FAILED:
		add(&b->credit, stake->value);
		break;
	case LP_PAID_DONE:
		add(&b->credit, stake->value);
		sub(&b->credit, cost);
		add(&b->spent, cost);
		break;
	case LP_PAID_UNKNOWN:
		give_up(b, stake);
		break;
	}
	stake->session = NULL;
	touch(sender, s, now);
}

void lp_sender_books(struct lp_sender_books *out, const struct lp_sender *sender, const struct lp_sender_key *key)
{
	const struct session *s = find(sender, key);

	*out = s ? s->books : (struct lp_sender_books){ 0 };
}

/* ---- forgetting, and the store ---- */

static void forget_offers(struct lp_sender *sender)
{
	struct lp_span key;
	size_t at = 0;
	void *row;

	while (lp_map_next(sender->offers, &at, &key, &row)) {
		struct offer *offer = row;

		/* One that is over is refused for that. */
		if (offer->expiration_block > sender->chain.block)
			continue;
		lp_map_take(sender->offers, key);
		lp_link_out(&offer->dirty);
		lp_mem_free(offer);
	}
}

size_t lp_sender_expire(struct lp_sender *sender, int64_t before)
{
	struct lp_span key;
	size_t at = 0, gone = 0;
	void *row;

	forget_offers(sender);
	while (lp_map_next(sender->sessions, &at, &key, &row)) {
		struct session *s = row;

		if (s->touched >= before || s->books.in_flight > 0 || lp_link_in(&s->dirty))
			continue;
		lp_map_take(sender->sessions, key);
		lp_mem_free(s);
		gone++;
	}
	return gone;
}

bool lp_sender_next(struct lp_sender *sender, struct lp_sender_change *out)
{
	struct lp_link *link = lp_list_first(&sender->dirty_offers);

	if (link) {
		const struct offer *offer = LP_CONTAINER(link, struct offer, dirty);

		*out = (struct lp_sender_change){ .kind = LP_SENDER_OFFER,
						  .rand_hash = offer->hash,
						  .expiration_block = offer->expiration_block };
		lp_link_out(link);
		return true;
	}
	link = lp_list_first(&sender->dirty_sessions);
	if (!link)
		return false;
	const struct session *s = LP_CONTAINER(link, struct session, dirty);

	*out = (struct lp_sender_change){ .kind = LP_SENDER_CREDIT,
					  .key = { s->recipient, s->capability, lp_span_of(s->model, s->model_len) },
					  .credit = s->books.credit,
					  .touched = s->touched };
	/* After a crash what is held now counts as spent: our books never say more than the orchestrator's. */
	sub(&out->credit, s->books.held);
	lp_link_out(link);
	return true;
}

enum lp_code lp_sender_load(struct lp_sender *sender, const struct lp_sender_change *row, struct lp_err *e)
{
	struct session *s;

	if (row->kind == LP_SENDER_OFFER) {
		if (lp_map_find(sender->offers, hash_key(&row->rand_hash)) ||
		    know(sender, &row->rand_hash, row->expiration_block))
			return LP_OK;
		return lp_fail(e, LP_STORE, "too many ticket params are kept in the store");
	}
	s = open_session(sender, &row->key, e);
	if (!s)
		return LP_UNAVAILABLE;
	s->books.credit = row->credit;
	s->books.signed_ = row->credit;
	s->touched = row->touched;
	return LP_OK;
}
