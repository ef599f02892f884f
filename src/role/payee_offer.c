/* GetOrchestrator at an orchestrator that is paid (network-protocol 4): who asks must have signed its address; what
 * it is told are prices for it, ticket parameters that its funds stand behind, and a token that is a quote. */
#include <stdlib.h>
#include <string.h>

#include <lpd/base/hex.h>
#include <lpd/base/random.h>
#include <lpd/io/timer.h>

#include "payee.h"

#define PATIENCE (2 * LP_SEC)	/* for the chain: the asker waits 2.5 s */
#define PAIRS_MAX 64		/* of one question */

/* ---- kinds of work ---- */

static int by_name(const void *a, const void *b)
{
	const struct lp_kind *x = a, *y = b;
	size_t n = x->model.len < y->model.len ? x->model.len : y->model.len;
	int order = x->capability < y->capability ? -1 : x->capability > y->capability;

	if (!order && n)
		order = memcmp(x->model.at, y->model.at, n);
	return order ? order : (x->model.len > y->model.len) - (x->model.len < y->model.len);
}

void lp_kinds_of(struct lp_scope *scope, struct lp_kinds *out, const struct lp_capabilities *caps)
{
	int n = 0;

	for (int c = 0; c < caps->n_caps; c++)
		n += caps->caps[c].n;
	*out = (struct lp_kinds){ .pairs = lp_new_array(scope, struct lp_kind, (size_t)n + 1) };
	for (int c = 0; c < caps->n_caps; c++)
		for (int m = 0; m < caps->caps[c].n; m++)
			out->pairs[out->n++] = (struct lp_kind){ caps->caps[c].capability,
								      caps->caps[c].models[m].model };
	qsort(out->pairs, (size_t)out->n, sizeof(*out->pairs), by_name);
}

bool lp_kinds_have(const struct lp_kinds *work, uint32_t capability, struct lp_span model)
{
	for (int i = 0; i < work->n; i++)
		if (work->pairs[i].capability == capability && lp_span_eq(work->pairs[i].model, model))
			return true;
	return false;
}

void lp_kinds_name(struct lp_scope *scope, const struct lp_kinds *work, struct lp_quote *quote)
{
	struct lp_buf text = { 0 };

	if (work->n == 1) {
		quote->capability = work->pairs[0].capability;
		quote->model = work->pairs[0].model;
		return;
	}
	for (int i = 0; i < work->n; i++) {
		lp_buf_fmt(&text, "%u %zu ", work->pairs[i].capability, work->pairs[i].model.len);
		lp_buf_add_span(&text, work->pairs[i].model);
	}
	quote->capability = 0;
	quote->model = lp_span_dup(scope, lp_buf_span(&text));
	lp_buf_clear(&text);
}

/* ---- prices ---- */

/* LP_OK and no price: one of the models is not offered. */
static enum lp_code price_of(const struct lp_payee *payee, const struct lp_kinds *work, struct lp_address who,
			     struct lp_price *sum, bool *offered)
{
	const struct lp_price *base = lp_prices_of(&payee->prices, who, 0, LP_SPAN(""));
	struct lp_price price = base && !work->n ? *base : LP_PRICE_FREE;
	struct lp_u256 a, b, den;

	*offered = true;
	for (int i = 0; i < work->n; i++) {
		const struct lp_price *p = lp_prices_of(&payee->prices, who, work->pairs[i].capability,
							work->pairs[i].model);

		if (!p) {
			*offered = false;
			return LP_OK;
		}
		if (!lp_u256_mul(&a, price.num, p->den) || !lp_u256_mul(&b, p->num, price.den) ||
		    !lp_u256_mul(&den, price.den, p->den) || !lp_u256_add(&a, a, b) || !lp_price_of(&price, a, den))
			return LP_PRICE;
	}
	*sum = price;
	return LP_OK;
}

/* The price on top of which stands what it costs to redeem (-autoAdjustPrice). */
static bool with_overhead(const struct lp_payee *payee, struct lp_price *price, const struct lp_payer_funds *funds)
{
	struct lp_wei cost, face;

	if (!payee->adjust || lp_price_is_free(*price) || !lp_offer_tx_cost(&cost, &payee->terms) ||
	    lp_offer_face_value(&face, &payee->terms, lp_funds_max_float(&funds->funds), NULL) != LP_OK)
		return true;
	return lp_price_overhead(price, *price, cost, face);
}

/* Models that this gateway has no price for are not offered to it. */
static void keep_priced(struct lp_scope *scope, const struct lp_payee *payee, struct lp_address who,
			struct lp_capabilities *caps)
{
	struct lp_capabilities kept;

	lp_capabilities_init(&kept, scope, caps->version);
	kept.has_constraints = true;
	for (int c = 0; c < caps->n_caps; c++)
		for (int m = 0; m < caps->caps[c].n; m++)
			if (lp_prices_of(&payee->prices, who, caps->caps[c].capability, caps->caps[c].models[m].model))
				lp_capabilities_add_model(scope, &kept, caps->caps[c].capability,
							  &caps->caps[c].models[m]);
	*caps = kept;
}

/* Whole prices, not rounded as the incumbent's are: a gateway of ours reads both numbers. */
static void list_prices(struct lp_scope *scope, const struct lp_payee *payee, struct lp_address who,
			struct lp_orch_info *info)
{
	const struct lp_capabilities *caps = &info->capabilities;
	struct lp_kinds all;

	lp_kinds_of(scope, &all, caps);
	info->prices = lp_new_array(scope, struct lp_price_info, (size_t)all.n + 1);
	for (int i = 0; i < all.n; i++) {
		struct lp_price_info *to = &info->prices[info->n_prices];
		const struct lp_price *price = lp_prices_of(&payee->prices, who, all.pairs[i].capability,
							    all.pairs[i].model);

		*to = (struct lp_price_info){ true, 0, 1, all.pairs[i].capability, all.pairs[i].model };
		info->n_prices += price && lp_price_wire(&to->price_per_unit, &to->pixels_per_unit, *price);
	}
}

/* ---- the answer ---- */

struct question {
	struct lp_payee *payee;
	struct lp_payee_ask ask;
	struct lp_scope *scope;		/* the exchange's */
	struct lp_address who;
	struct lp_timer timer;
	bool over;
};

static void refuse(struct question *q, const char *words)
{
	q->over = true;
	lp_timer_clear(&q->timer);
	lp_grpc_end(q->ask.answer, LP_GRPC_UNKNOWN, words);
}

static void make_token(struct question *q, struct lp_quote *quote, struct lp_auth_token *token)
{
	uint8_t id[4], *bytes = lp_alloc(q->scope, LP_QUOTE_TOKEN);
	char *text = lp_alloc(q->scope, 2 * sizeof(id) + 1);

	lp_random(id, sizeof(id));
	lp_hex_write(text, id, sizeof(id));
	quote->session_id = lp_span(text);
	quote->expiration = lp_payee_now(q->payee) + LP_TOKEN_LIFE;
	lp_quote_write(bytes, q->payee->o->secret, quote);
	*token = (struct lp_auth_token){ true, lp_span_of(bytes, LP_QUOTE_TOKEN), quote->session_id,
					 quote->expiration };
}

static enum lp_code make_params(struct question *q, const struct lp_quote *quote, const struct lp_payer_funds *funds,
				struct lp_orch_info *info, struct lp_err *e)
{
	struct lp_recipient_ask ask = { .quote = quote, .funds = funds };
	const char *trouble = lp_payee_trouble(q->payee);
	struct lp_buf bytes = { 0 };
	struct lp_params params;

	if (trouble)
		return lp_fail(e, LP_UNAVAILABLE, "no payments can be taken now: %s", trouble);
	lp_random(ask.seed.bytes, sizeof(ask.seed.bytes));
	if (lp_recipient_offer(&params, q->payee->recipient, &ask, e) != LP_OK)
		return e->code;
	lp_params_write(&bytes, &params);
	info->has_ticket_params = true;
	info->ticket_params = lp_span_dup(q->scope, lp_buf_span(&bytes));
	lp_buf_clear(&bytes);
	return LP_OK;
}

/* A quote that is bound to no work (a question without capabilities) buys none. */
static enum lp_code make_terms(struct question *q, const struct lp_payer_funds *funds, const struct lp_kinds *work,
			       struct lp_orch_info *info, struct lp_err *e)
{
	struct lp_quote quote = { .sender = q->who };
	struct lp_price price;
	bool offered;

	lp_kinds_name(q->scope, work, &quote);
	if (price_of(q->payee, work, q->who, &price, &offered) != LP_OK)
		return lp_fail(e, LP_PRICE, "price cannot be converted to int64");
	info->auth_token.present = false;
	if (!offered) {
		lp_token_make(q->scope, &info->auth_token, q->payee->o->secret, lp_payee_now(q->payee));
		return LP_OK;
	}
	if (!with_overhead(q->payee, &price, funds) ||
	    !lp_price_wire(&quote.price_per_unit, &quote.units, price))
		return lp_fail(e, LP_PRICE, "price cannot be converted to int64");
	info->price = (struct lp_price_info){ true, quote.price_per_unit, quote.units, 0, LP_SPAN("") };
	make_token(q, &quote, &info->auth_token);
	return make_params(q, &quote, funds, info, e);
}

static void answer(struct question *q, const struct lp_bank_sender *sender)
{
	const struct lp_orch_request *request = q->ask.request;
	struct lp_payer_funds funds = { sender->unknown, sender->is.withdraw_round, sender->is.funds };
	struct lp_orch_info info;
	struct lp_kinds work = { 0 };
	struct lp_buf out = { 0 };
	struct lp_err e;

	q->ask.fill(q->scope, q->payee->o, &info, !request->has_capabilities);
	info.address = lp_span_of(q->payee->address.bytes, LP_ADDRESS_LEN);
	keep_priced(q->scope, q->payee, q->who, &info.capabilities);
	if (request->has_capabilities)
		lp_kinds_of(q->scope, &work, &request->capabilities);
	else
		list_prices(q->scope, q->payee, q->who, &info);
	if (work.n > PAIRS_MAX) {
		refuse(q, "Invalid orchestrator request: too many models are asked for");
		return;
	}
	if (make_terms(q, &funds, &work, &info, &e) != LP_OK) {
		refuse(q, lp_err_words(&e));
		return;
	}
	q->over = true;
	lp_timer_clear(&q->timer);
	lp_orch_info_encode(&out, &info);
	lp_grpc_reply(q->ask.answer, lp_buf_span(&out));
	lp_buf_clear(&out);
}

static void look(void *self)
{
	struct question *q = self;
	const struct lp_bank_who who = { q->who, q->payee->address };
	const struct lp_bank_sender *sender;

	if (q->over)
		return;
	sender = lp_bank_sender(q->scope, q->payee->money->bank, &who, look, q);
	if (sender)
		answer(q, sender);
	else if (!lp_timer_is_set(&q->timer))
		lp_timer_set(&q->timer, q->payee->o->node->loop, PATIENCE);
}

static void on_late(void *self)
{
	struct question *q = self;

	if (!q->over)
		refuse(q, "could not get sender info: the chain did not answer in time");
}

static void question_end(void *arg)
{
	struct question *q = arg;

	q->over = true;
	lp_timer_clear(&q->timer);
}

/* Over the address's text with its checksum (network-protocol 4.1). */
static bool is_signed(struct lp_address who, struct lp_span sig)
{
	char text[LP_ADDRESS_TEXT];
	struct lp_hash message;
	struct lp_sig given;

	if (!lp_sig_of(&given, sig) || lp_address_is_zero(who))
		return false;
	lp_address_write(text, who);
	lp_keccak256(message.bytes, text, LP_ADDRESS_TEXT - 1);
	return lp_sig_check(&given, &message, who);
}

void lp_payee_answer(struct lp_payee *payee, const struct lp_payee_ask *ask)
{
	struct lp_scope *scope = lp_exchange_scope(lp_grpc_exchange(ask->answer));
	struct question *q = lp_new(scope, struct question);

	q->payee = payee;
	q->ask = *ask;
	q->scope = scope;
	q->timer.fire = on_late;
	q->timer.self = q;
	lp_defer(scope, question_end, q);
	if (!lp_address_of(&q->who, ask->request->address) || !is_signed(q->who, ask->request->sig))
		refuse(q, "Invalid orchestrator request: orchestrator req sig check failed");
	else
		look(q);
}
