#include <lpd/money/signer_desk.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <lpd/base/hex.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>

#define NS ((int64_t)1000000000)
#define LV2V_PER_SECOND 27648000	/* 1280 * 720 * 30 */
#define LV2V_FIRST 60			/* seconds paid ahead */
#define LIVE_FIRST 10
#define TOKEN_MARGIN 180		/* the last tenth of an auth token's life */

struct offer {
	uint64_t expiration_block;
	uint32_t used;
};

/* The state that counts, with what was answered last; its texts are in the scope, which changes with it. */
struct session {
	struct lp_scope *scope;
	struct lp_signer_state state;
	bool busy;
	uint64_t asked;			/* as in a plan: what the answer was for */
	struct lp_hash asked_rand;
	struct lp_buf answer;
};

struct lp_signer_desk {
	struct lp_signer_rules rules;
	struct lp_sender_chain chain;
	struct lp_map *sessions;	/* by id */
	struct lp_map *offers;		/* by rand's hash */
};

static bool refuse(struct lp_signer_no *no, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static bool refuse(struct lp_signer_no *no, int status, const char *fmt, ...)
{
	va_list args;

	no->status = status;
	va_start(args, fmt);
	vsnprintf(no->words, sizeof no->words, fmt, args);
	va_end(args);
	return false;
}

struct lp_signer_desk *lp_signer_desk_new(const struct lp_signer_rules *rules)
{
	struct lp_signer_desk *desk = lp_mem_zeroed(1, sizeof *desk);

	desk->rules = *rules;
	desk->sessions = lp_map_new();
	desk->offers = lp_map_new();
	return desk;
}

static void session_free(void *arg)
{
	struct session *s = arg;

	lp_scope_close(&s->scope);
	lp_buf_clear(&s->answer);
	lp_mem_free(s);
}

void lp_signer_desk_free(struct lp_signer_desk **desk)
{
	if (!*desk)
		return;
	lp_map_free_all(&(*desk)->sessions, session_free);
	lp_map_free_all(&(*desk)->offers, lp_mem_free);
	lp_mem_free(*desk);
	*desk = NULL;
}

/* A chain does not go back. */
void lp_signer_desk_chain(struct lp_signer_desk *desk, const struct lp_sender_chain *chain)
{
	uint64_t block = desk->chain.block, round = desk->chain.last_round;

	desk->chain = *chain;
	if (chain->block < block)
		desk->chain.block = block;
	if (chain->last_round < round)
		desk->chain.last_round = round;
}

static struct lp_span hash_key(const struct lp_hash *hash)
{
	return lp_span_of(hash->bytes, sizeof hash->bytes);
}

static struct offer *find_offer(const struct lp_signer_desk *desk, const struct lp_hash *hash)
{
	return lp_map_find(desk->offers, hash_key(hash));
}

static struct offer *add_offer(struct lp_signer_desk *desk, const struct lp_hash *hash, uint64_t expiration_block)
{
	struct offer *offer = lp_mem_zeroed(1, sizeof *offer);

	offer->expiration_block = expiration_block;
	lp_map_put(desk->offers, hash_key(hash), offer);
	return offer;
}

void lp_signer_desk_know(struct lp_signer_desk *desk, const struct lp_hash *rand_hash, uint64_t expiration_block)
{
	if (!find_offer(desk, rand_hash))
		add_offer(desk, rand_hash, expiration_block)->used = LP_NONCES_MAX;
}

void lp_signer_desk_expire(struct lp_signer_desk *desk, int64_t before)
{
	struct lp_span key;
	size_t at = 0;
	void *value;

	while (lp_map_next(desk->offers, &at, &key, &value)) {
		struct offer *offer = value;

		if (offer->expiration_block < desk->chain.block) {
			lp_map_take(desk->offers, key);
			lp_mem_free(offer);
		}
	}
	at = 0;
	while (lp_map_next(desk->sessions, &at, &key, &value)) {
		struct session *s = value;

		if (!s->busy && s->state.last_update < before) {
			lp_map_take(desk->sessions, key);
			session_free(s);
		}
	}
}

size_t lp_signer_desk_sessions(const struct lp_signer_desk *desk)
{
	return lp_map_count(desk->sessions);
}

size_t lp_signer_desk_offers(const struct lp_signer_desk *desk)
{
	return lp_map_count(desk->offers);
}

/* ---- what a call costs ---- */

uint64_t lp_signer_units(enum lp_signer_type type, int64_t since, int64_t in_pixels)
{
	uint64_t s = since > 0 ? (uint64_t)(since / NS) : 0, rest = since > 0 ? (uint64_t)(since % NS) : 0;

	switch (type) {
	case LP_SIGNER_LV2V:
		if (since <= 0)
			return (uint64_t)LV2V_FIRST * LV2V_PER_SECOND;
		return s * LV2V_PER_SECOND + rest * LV2V_PER_SECOND / (uint64_t)NS;
	case LP_SIGNER_LIVE:
		return since <= 0 ? LIVE_FIRST : s + (rest > 0);
	case LP_SIGNER_FIXED:
		return 1;
	case LP_SIGNER_UNITS:
	case LP_SIGNER_TYPES:
		break;
	}
	return in_pixels > 0 ? (uint64_t)in_pixels : 0;
}

/* As the network writes prices here: three places, the last one rounded. */
static const char *price_text(char to[LP_U256_TEXT + 8], struct lp_price price)
{
	struct lp_u256 whole, rest;
	char digits[LP_U256_TEXT];
	uint64_t places = 0;

	if (!lp_u256_div(&whole, &rest, price.num, price.den))
		whole = rest = LP_U256_ZERO;
	if (lp_u256_mul_div(&rest, rest, lp_u256_of(2000), price.den, LP_DOWN))
		lp_u256_to_u64(&places, rest);
	places = (places + 1) / 2;
	if (places == 1000) {
		places = 0;
		if (!lp_u256_add(&whole, whole, lp_u256_of(1)))
			whole = LP_U256_MAX;
	}
	snprintf(to, LP_U256_TEXT + 8, "%s.%03u", lp_u256_write(digits, whole), (unsigned)places);
	return to;
}

static bool below(struct lp_price quoted, struct lp_price ceiling, const char *whose, struct lp_signer_no *no)
{
	char is[LP_U256_TEXT + 8], most[LP_U256_TEXT + 8];

	if (lp_price_cmp(quoted, ceiling) <= 0)
		return true;
	return refuse(no, LP_SIGNER_PRICE, "orchestrator price %s exceeds %s ceiling %s", price_text(is, quoted), whose,
		      price_text(most, ceiling));
}

bool lp_signer_max_check(const struct lp_signer_max *max, enum lp_signer_type type, struct lp_signer_no *no)
{
	static const char *const units[LP_SIGNER_TYPES] = { NULL, "720p-pixel-seconds", "seconds", "fixed" };

	if (!max->present)
		return true;
	if (!units[type])
		return refuse(no, 400, "maxPrice requires payment type live, lv2v, or fixed");
	if (!lp_span_is(max->currency, "wei"))
		return refuse(no, 400, "maxPrice.currency must be wei");
	if (!lp_span_is(max->unit, units[type]))
		return refuse(no, 400, "maxPrice.unit must be %s for payment type %s", units[type],
			      lp_signer_type_name(type));
	if (lp_price_is_free(max->price))
		return refuse(no, 400, "maxPrice.price must be positive");
	return true;
}

bool lp_signer_ceiling(const struct lp_signer_plan *plan, const struct lp_signer_max *max, const char *whose,
		       struct lp_signer_no *no)
{
	return !max->present || below(plan->quoted, max->price, whose, no);
}

/* ---- weighing: the order of payments 8.3 ---- */

/* Who is behind gets the state that counts; whose session we forgot is believed, as he brings our signature. */
static bool take_state(struct lp_scope *scope, struct lp_signer_desk *desk, struct lp_signer_plan *out,
		       const struct lp_signer_ask *ask, struct lp_signer_no *no)
{
	struct session *s;
	struct lp_err e;

	if (!lp_signer_state_check(ask->state, ask->sig, desk->rules.account))
		return refuse(no, 400, "invalid sig");
	if (lp_signer_state_read(scope, &out->state, ask->state, &e))
		return refuse(no, 400, "%s", lp_err_words(&e));
	if (!lp_address_eq(out->state.orchestrator, ask->orchestrator))
		return refuse(no, 400, "orchestratorAddress mismatch");
	if (!lp_span_eq(out->state.app, ask->app))
		return refuse(no, 400, "app mismatch");
	if (out->state.type != LP_SIGNER_UNITS && !lp_span_is(ask->type, lp_signer_type_name(out->state.type)))
		return refuse(no, 400, "job type mismatch");
	out->asked = out->state.sequence + 1;
	s = lp_map_find(desk->sessions, out->state.id);
	if (!s || out->state.sequence > s->state.sequence)
		return true;
	if (s->busy)
		return refuse(no, 400, "another payment of this session is being made");
	if (s->asked == out->asked && !memcmp(&s->asked_rand, &ask->params.rand_hash, sizeof s->asked_rand))
		out->again = lp_span_dup(scope, lp_buf_span(&s->answer));
	out->state = s->state;
	out->state.id = lp_span_dup(scope, s->state.id);
	out->state.app = lp_span_dup(scope, s->state.app);
	out->state.auth_id = lp_span_dup(scope, s->state.auth_id);
	return true;
}

static bool begin_state(struct lp_scope *scope, struct lp_signer_desk *desk, struct lp_signer_plan *out,
			const struct lp_signer_ask *ask, struct lp_signer_no *no)
{
	char *hex = lp_alloc(scope, 2 * sizeof ask->id + 1);

	out->state = (struct lp_signer_state){ .id = lp_span(lp_hex_write(hex, ask->id, sizeof ask->id)),
					       .orchestrator = ask->orchestrator,
					       .app = ask->app,
					       .price_per_unit = ask->price_per_unit,
					       .units = ask->units };
	if (lp_map_find(desk->sessions, out->state.id))
		return refuse(no, 500, "a session of this name is there");
	return true;
}

static bool weigh_manifest(struct lp_scope *scope, struct lp_signer_plan *out, const struct lp_signer_ask *ask,
			   struct lp_signer_no *no)
{
	char *hex;

	out->manifest = ask->manifest;
	if (ask->manifest.len)
		return true;
	if (out->asked)
		return refuse(no, 400, "missing manifestID");
	hex = lp_alloc(scope, 2 * sizeof ask->manifest_id + 1);
	out->manifest = lp_span(lp_hex_write(hex, ask->manifest_id, sizeof ask->manifest_id));
	return true;
}

static struct lp_params_limits limits_of(const struct lp_signer_desk *desk)
{
	const struct lp_sender_chain *chain = &desk->chain;

	return (struct lp_params_limits){ .max_ticket_ev = desk->rules.max_ticket_ev,
					  .max_total_ev = desk->rules.max_total_ev,
					  .deposit_multiplier = desk->rules.deposit_multiplier,
					  .block = chain->block,
					  .last_round = chain->last_round,
					  .withdraw_round = chain->withdraw_round,
					  .deposit = chain->deposit,
					  .reserve = chain->reserve };
}

/* Is there still something to be made of this offer?  One that is full or from another life is as good as over. */
static bool weigh_offer(const struct lp_signer_desk *desk, const struct lp_signer_ask *ask, struct lp_signer_no *no)
{
	const struct lp_params_limits limits = limits_of(desk);
	const struct offer *offer = find_offer(desk, &ask->params.rand_hash);
	struct lp_err e;
	enum lp_code code = lp_params_check(&ask->params, &limits, 1, &e);

	if (code && code != LP_PARAMS_EXPIRED)
		return refuse(no, 400, "%s", lp_err_words(&e));
	if (code || ask->token_left < TOKEN_MARGIN || (offer && offer->used >= LP_NONCES_MAX))
		return refuse(no, LP_SIGNER_REFRESH, "refresh session for remote signer");
	return true;
}

static bool weigh_units(struct lp_signer_plan *out, const struct lp_signer_ask *ask, struct lp_signer_no *no)
{
	int64_t last = out->state.last_update;

	if (!ask->type.len && ask->in_pixels <= 0)
		return refuse(no, 400, "missing billable unit or job type");
	if (!lp_signer_type_find(ask->type, &out->state.type))
		return refuse(no, 400, "invalid job type");
	out->billed = lp_signer_units(out->state.type, last ? ask->now - last : 0, ask->in_pixels);
	if (!out->billed)
		return refuse(no, 400, "missing billable unit or job type");
	return true;
}

static bool weigh_price(struct lp_signer_plan *out, const struct lp_signer_ask *ask, struct lp_price *initial,
			struct lp_signer_no *no)
{
	struct lp_err e;

	if (lp_price_of_wire(&out->quoted, ask->price_per_unit, ask->units, &e) || lp_price_is_free(out->quoted))
		return refuse(no, 400, "missing or zero priceInfo");
	if (lp_price_of_wire(initial, out->state.price_per_unit, out->state.units, &e))
		return refuse(no, 400, "invalid state");
	if (!lp_signer_max_check(&ask->max, out->state.type, no))
		return false;
	if (ask->configured && !below(out->quoted, *ask->configured, "configured maxPrice", no))
		return false;
	return lp_signer_ceiling(out, &ask->max, "request maxPrice", no) &&
	       below(out->quoted, *initial, "initial session price", no);
}

/* How many tickets, of the price that the session began with. */
static bool weigh_tickets(const struct lp_signer_desk *desk, struct lp_signer_plan *out, struct lp_price initial,
			  struct lp_signer_no *no)
{
	const struct lp_params_limits limits = limits_of(desk);
	struct lp_count of = { .have = out->state.balance };
	struct lp_err e;

	if (!lp_price_fee(&of.fee, initial, out->billed, LP_UP))
		return refuse(no, 400, "the fee is more than can be counted");
	if (!lp_ticket_ev(&of.ev, out->params.face_value, out->params.win_prob, LP_DOWN) || lp_amount_is_zero(of.ev))
		return refuse(no, 400, "tickets of these ticketParams are worth nothing");
	if (lp_count_tickets(&out->tickets, &of, UINT32_MAX, &e))
		return refuse(no, 400, "numTickets exceeds maximum of %d", LP_SIGNER_TICKETS);
	if (out->tickets > LP_SIGNER_TICKETS)
		return refuse(no, 400, "numTickets %u exceeds maximum of %d", out->tickets, LP_SIGNER_TICKETS);
	if (out->tickets && lp_params_check(&out->params, &limits, out->tickets, &e))
		return refuse(no, 500, "%s", lp_err_words(&e));
	out->fee = of.fee;
	if (!lp_amount_mul(&out->value, of.ev, out->tickets))
		return refuse(no, 400, "the tickets are worth more than can be counted");
	return true;
}

/* What the state will be.  Where no ticket is needed time goes on unpaid until one is; what was counted is spent. */
static bool weigh_state(struct lp_signer_desk *desk, struct lp_signer_plan *out, const struct lp_signer_ask *ask,
			struct lp_signer_no *no)
{
	struct lp_signer_state *s = &out->state;
	struct lp_amount balance;
	const struct offer *offer = find_offer(desk, &ask->params.rand_hash);

	if (!out->tickets && (s->type == LP_SIGNER_LV2V || s->type == LP_SIGNER_LIVE))
		return refuse(no, LP_SIGNER_COVERED, "no tickets");
	if (!lp_amount_add(&balance, s->balance, out->value) || !lp_amount_sub(&balance, balance, out->fee))
		return refuse(no, 400, "the balance is more than can be counted");
	s->balance = balance;
	s->last_update = ask->now;
	out->covered = !out->tickets;
	if (out->covered)
		return true;
	if (offer && offer->used + out->tickets > LP_NONCES_MAX)
		return refuse(no, LP_SIGNER_REFRESH, "refresh session for remote signer");
	s->rand_hash = ask->params.rand_hash;
	s->nonce = (desk->rules.first_nonce & INT32_MAX) + (offer ? offer->used : 0) + out->tickets;
	if (out->asked)
		s->sequence++;
	return true;
}

bool lp_signer_weigh(struct lp_scope *scope, struct lp_signer_desk *desk, struct lp_signer_plan *out,
		     const struct lp_signer_ask *ask, struct lp_signer_no *no)
{
	bool known = ask->state.len || ask->sig.len;
	struct lp_price initial;
	struct session *s;

	*no = (struct lp_signer_no){ 0 };
	*out = (struct lp_signer_plan){ .params = ask->params };
	if (ask->app.len > LP_SIGNER_TEXT_MAX || ask->manifest.len > 512)
		return refuse(no, 400, "app or manifestID is too long");
	if (!(known ? take_state(scope, desk, out, ask, no) : begin_state(scope, desk, out, ask, no)) ||
	    !weigh_manifest(scope, out, ask, no))
		return false;
	if (!out->again.at && (!weigh_offer(desk, ask, no) || !weigh_units(out, ask, no) ||
			       !weigh_price(out, ask, &initial, no) || !weigh_tickets(desk, out, initial, no) ||
			       !weigh_state(desk, out, ask, no)))
		return false;
	if (!lp_map_find(desk->offers, hash_key(&ask->params.rand_hash)) &&
	    lp_map_count(desk->offers) >= desk->rules.max_offers)
		return refuse(no, 503, "too many ticket params are known");
	s = lp_map_find(desk->sessions, out->state.id);
	if (!s && lp_map_count(desk->sessions) >= desk->rules.max_sessions)
		return refuse(no, 503, "there is no room for another session");
	if (s)
		s->busy = true;
	out->session = s;
	return true;
}

void lp_signer_drop(struct lp_signer_desk *desk, struct lp_signer_plan *plan)
{
	struct session *s = plan->session;

	(void)desk;
	if (s)
		s->busy = false;
	plan->session = NULL;
}

/* ---- committing ---- */

static void write_payment(struct lp_scope *scope, struct lp_signer_desk *desk, struct offer *offer,
			  const struct lp_signer_plan *plan, struct lp_payment *p)
{
	p->has_params = true;
	p->params = plan->params;
	p->n = plan->tickets;
	p->tickets = lp_new_array(scope, struct lp_payment_ticket, p->n);
	for (size_t i = 0; i < p->n; i++)
		p->tickets[i].nonce = (desk->rules.first_nonce & INT32_MAX) + ++offer->used;
}

/* The session as it is from now on. */
static void keep(struct lp_signer_desk *desk, struct lp_signer_plan *plan)
{
	struct session *s = lp_map_find(desk->sessions, plan->state.id);
	struct lp_scope *scope = lp_scope_open(NULL, "session of a signer");
	struct lp_signer_state *state = &plan->state;

	if (!s) {
		s = lp_mem_zeroed(1, sizeof *s);
		lp_map_put(desk->sessions, state->id, s);
	}
	lp_scope_close(&s->scope);
	s->scope = scope;
	s->busy = false;
	s->state = *state;
	s->state.id = lp_span_dup(scope, state->id);
	s->state.app = lp_span_dup(scope, state->app);
	s->state.auth_id = lp_span_dup(scope, state->auth_id);
	plan->session = NULL;
}

bool lp_signer_commit(struct lp_scope *scope, struct lp_signer_desk *desk, struct lp_signer_plan *plan,
		      struct lp_payment *out, struct lp_signer_no *no)
{
	struct offer *offer = find_offer(desk, &plan->params.rand_hash);

	*no = (struct lp_signer_no){ 0 };
	*out = (struct lp_payment){ .sender = desk->rules.account };
	if (!plan->covered) {
		/* Others may have drawn on it while somebody was asked about this. */
		if (offer && offer->used + plan->tickets > LP_NONCES_MAX) {
			lp_signer_drop(desk, plan);
			return refuse(no, LP_SIGNER_REFRESH, "refresh session for remote signer");
		}
		if (!offer)
			offer = add_offer(desk, &plan->params.rand_hash, plan->params.expiration_block);
		write_payment(scope, desk, offer, plan, out);
		plan->state.nonce = (desk->rules.first_nonce & INT32_MAX) + offer->used;
	}
	keep(desk, plan);
	return true;
}

void lp_signer_answered(struct lp_signer_desk *desk, const struct lp_signer_plan *plan, struct lp_span answer)
{
	struct session *s = lp_map_find(desk->sessions, plan->state.id);

	if (!s || !plan->asked || s->state.sequence != plan->state.sequence)
		return;
	s->asked = plan->asked;
	s->asked_rand = plan->params.rand_hash;
	lp_buf_reset(&s->answer);
	lp_buf_add_span(&s->answer, answer);
	lp_buf_fit(&s->answer);
}
