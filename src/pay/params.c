#include <lpd/pay/params.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/pay/funds.h>

#include "wire.h"

#define EV_FALLBACK 100			/* face value in tickets' worths, when gas costs next to nothing */
#define AVERAGE_GAS_PRICE 3000000000u	/* wei; the network's idea of an ordinary day */

enum lp_code lp_params_read(struct lp_params *out, struct lp_span bytes, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(NULL, "params");
	const Net__TicketParams *from =
		lp_message_read(scope, &net__ticket_params__descriptor, bytes, LP_PARAMS_MAX);
	struct lp_params params = { 0 };
	enum lp_code code;

	if (!from)
		code = lp_fail(e, LP_BAD_PEER, "ticket params: they cannot be parsed");
	else
		code = lp_paywire_to_params(&params, from, e);
	if (!code && from->expiration_params)
		code = lp_paywire_to_round(&params, from->expiration_params, e);
	if (!code)
		*out = params;
	lp_scope_close(&scope);
	return code;
}

void lp_params_write(struct lp_buf *to, const struct lp_params *params)
{
	Net__TicketExpirationParams round;
	struct lp_paywire_room room;
	Net__TicketParams message;

	lp_paywire_of_params(&message, params, &room);
	lp_paywire_of_round(&round, params);
	message.expiration_params = &round;
	lp_message_write(to, &message.base);
}

bool lp_offer_tx_cost(struct lp_wei *out, const struct lp_offer_terms *terms)
{
	return lp_wei_mul(out, terms->gas_price, terms->redeem_gas);
}

/* The face value before anything limits it. */
static bool wanted(struct lp_wei *out, const struct lp_offer_terms *terms, struct lp_wei tx_cost)
{
	if (!lp_wei_mul(out, tx_cost, terms->tx_cost_multiplier))
		return false;
	return lp_wei_cmp(*out, terms->ev) >= 0 || lp_wei_mul(out, terms->ev, EV_FALLBACK);
}

enum lp_code lp_offer_face_value(struct lp_wei *out, const struct lp_offer_terms *terms, struct lp_wei max_float,
				 struct lp_err *e)
{
	struct lp_wei value, tx_cost, ordinary;

	bool fits = lp_wei_mul(&ordinary, lp_wei_of(AVERAGE_GAS_PRICE), terms->redeem_gas);

	lp_assert(fits);	/* two numbers of 64 bits */
	if (!lp_offer_tx_cost(&tx_cost, terms) || !wanted(&value, terms, tx_cost))
		return lp_fail(e, LP_PRICE, "a redemption costs more than can be counted");
	value = lp_wei_min(value, max_float);
	if (!lp_wei_is_zero(terms->max_face_value))
		value = lp_wei_min(value, terms->max_face_value);
	/* An exact ev would win for certain, which every gateway refuses; the incumbent offers it. */
	if (lp_wei_cmp(value, terms->ev) < 0)
		return lp_fail(e, LP_NO_FUNDS, "insufficient sender reserve");
	if (lp_wei_cmp(value, tx_cost) < 0 && lp_wei_cmp(value, ordinary) < 0)
		return lp_fail(e, LP_NO_FUNDS, "insufficient sender reserve");
	*out = value;
	return LP_OK;
}

bool lp_offer_win_prob(struct lp_u256 *out, struct lp_wei ev, struct lp_wei face_value)
{
	struct lp_u256 part, rest;

	if (lp_wei_cmp(ev, face_value) > 0)
		return false;
	if (lp_wei_is_zero(face_value)) {
		*out = LP_U256_ZERO;
		return true;
	}
	if (lp_wei_cmp(ev, face_value) == 0) {
		*out = LP_U256_MAX;
		return true;
	}
	/* ev * ceil(M / face value); the whole remainder decides, not only its low 64 bits as in the
	 * incumbent.  The face value is above ev, so 2 at least, and the rounding up has room; the product may
	 * have none. */
	bool fits = lp_u256_div(&part, &rest, LP_U256_MAX, face_value.n) &&
		    (lp_u256_is_zero(rest) || lp_u256_add(&part, part, lp_u256_of(1)));

	lp_assert(fits);
	return lp_u256_mul(out, ev.n, part);
}

static bool is_zero(const struct lp_hash *hash)
{
	static const struct lp_hash zero;

	return memcmp(hash, &zero, sizeof zero) == 0;
}

bool lp_offer_round(uint64_t *round, struct lp_hash *hash, const struct lp_rounds *rounds)
{
	bool last = !is_zero(&rounds->last_hash);

	if (!last && (is_zero(&rounds->previous_hash) || rounds->last == 0))
		return false;
	*round = last ? rounds->last : rounds->last - 1;
	*hash = last ? rounds->last_hash : rounds->previous_hash;
	return true;
}

/* Five decimal places, half away from zero, as the network prints amounts. */
static const char *five_places(char to[LP_U256_TEXT + 8], struct lp_amount a)
{
	char whole[LP_U256_TEXT];
	struct lp_wei wei;
	uint64_t part = (uint64_t)(((unsigned __int128)a.n.limb[0] * 100000 + ((uint64_t)1 << 63)) >> 64);
	struct lp_amount positive = { a.n, false };

	lp_amount_wei(&wei, positive, part == 100000 ? LP_UP : LP_DOWN);
	lp_u256_write(whole, wei.n);
	size_t len = strlen(whole);

	memcpy(to, whole, len);
	to[len] = '.';
	part %= 100000;
	for (size_t i = 5; i > 0; i--) {
		to[len + i] = (char)('0' + part % 10);
		part /= 10;
	}
	to[len + 6] = 0;
	return to;
}

static enum lp_code check_one(struct lp_amount ev, const struct lp_params_limits *limits, struct lp_err *e)
{
	char worth[LP_U256_TEXT + 8], most[LP_U256_TEXT + 8];

	if (lp_amount_cmp(ev, limits->max_ticket_ev) <= 0)
		return LP_OK;
	return lp_fail(e, LP_PRICE, "ticket EV %s > max ticket EV %s", five_places(worth, ev),
		       five_places(most, limits->max_ticket_ev));
}

static enum lp_code check_all(struct lp_amount all, uint32_t n, const struct lp_params_limits *limits,
			      struct lp_err *e)
{
	char worth[LP_U256_TEXT + 8], most[LP_U256_TEXT + 8];

	if (lp_amount_cmp(all, limits->max_total_ev) <= 0)
		return LP_OK;
	return lp_fail(e, LP_PRICE, "total ticket EV %s for %u tickets > max total ticket EV %s",
		       five_places(worth, all), n, five_places(most, limits->max_total_ev));
}

static enum lp_code check_sender(const struct lp_params_limits *limits, struct lp_err *e)
{
	if (lp_funds_unlocking(limits->withdraw_round, limits->last_round))
		return lp_fail(e, LP_NO_FUNDS,
			       "unable to validate sender: deposit and reserve is set to unlock soon");
	if (lp_wei_is_zero(limits->reserve))
		return lp_fail(e, LP_NO_FUNDS, "no sender reserve");
	if (lp_wei_is_zero(limits->deposit))
		return lp_fail(e, LP_NO_FUNDS, "no sender deposit");
	return LP_OK;
}

static enum lp_code check_face_value(const struct lp_params *params, const struct lp_params_limits *limits,
				     struct lp_err *e)
{
	char value[LP_U256_TEXT], most[LP_U256_TEXT];
	struct lp_wei max;

	if (!lp_wei_div(&max, limits->deposit, limits->deposit_multiplier, LP_DOWN))
		return lp_fail(e, LP_CONFIG, "the deposit multiplier is 0");
	if (lp_wei_cmp(params->face_value, max) > 0)
		return lp_fail(e, LP_NO_FUNDS, "ticket faceValue %s > max faceValue %s",
			       lp_u256_write(value, params->face_value.n), lp_u256_write(most, max.n));
	return LP_OK;
}

enum lp_code lp_params_check(const struct lp_params *params, const struct lp_params_limits *limits, uint32_t n,
			     struct lp_err *e)
{
	char value[LP_U256_TEXT];
	struct lp_amount ev, all;
	enum lp_code code;

	if (params->expiration_block == 0)
		return lp_fail(e, LP_BAD_PEER, "ticketParams expiration block is 0");
	if (params->expiration_block <= limits->block || params->expiration_block - limits->block <= 1)
		return lp_fail(e, LP_PARAMS_EXPIRED, "TicketParams expired");
	if (lp_wei_is_zero(params->face_value) || lp_u256_is_zero(params->win_prob))
		return LP_OK;
	/* Worth its face value only if it wins for certain. */
	if (lp_u256_cmp(params->win_prob, LP_U256_MAX) == 0)
		return lp_fail(e, LP_PRICE, "ticket faceValue too low faceValue=%s",
			       lp_u256_write(value, params->face_value.n));
	if (!lp_ticket_ev(&ev, params->face_value, params->win_prob, LP_UP) || !lp_amount_mul(&all, ev, n))
		return lp_fail(e, LP_PRICE, "a ticket is worth more than can be counted");
	code = check_one(ev, limits, e);
	if (!code)
		code = check_sender(limits, e);
	if (!code)
		code = check_all(all, n, limits, e);
	return code ? code : check_face_value(params, limits, e);
}
