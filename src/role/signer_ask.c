#include "signer_ask.h"

#include <string.h>

#include <lpd/base/hex.h>

#define PRICE_MOST 9e15		/* of a price with places: as many as a double counts exactly */

void lp_signer_max_read(struct lp_signer_max *out, const json_t *json)
{
	const json_t *price;

	*out = (struct lp_signer_max){ .price = LP_PRICE_FREE };
	if (!json_is_object(json))
		return;
	price = lp_json_get(json, "price");
	out->present = true;
	out->currency = lp_json_str(json, "currency");
	out->unit = lp_json_str(json, "unit");
	if (json_is_integer(price) && json_integer_value(price) > 0)
		lp_price_of(&out->price, lp_u256_of((uint64_t)json_integer_value(price)), lp_u256_of(1));
	else if (json_is_real(price) && json_real_value(price) > 0 && json_real_value(price) < PRICE_MOST)
		lp_price_of(&out->price, lp_u256_of((uint64_t)(json_real_value(price) * 1000)), lp_u256_of(1000));
}

/* Absent and null are empty. */
static bool get_bytes(struct lp_scope *scope, struct lp_span *out, const json_t *json, const char *name)
{
	struct lp_span text = json_is_object(json) ? lp_json_str(json, name) : (struct lp_span){ NULL, 0 };

	*out = (struct lp_span){ NULL, 0 };
	return !text.len || lp_b64_read_dup(scope, out, text);
}

static enum lp_code read_info(struct lp_scope *scope, struct lp_signer_body *out, const json_t *json,
			      struct lp_err *e)
{
	struct lp_orch_info *info = &out->info;
	struct lp_span bytes;

	if (!lp_json_str(json, "orchestrator").len)
		return lp_fail(e, LP_BAD_REQUEST, "missing orchestrator");
	if (!get_bytes(scope, &bytes, json, "orchestrator"))
		return lp_fail(e, LP_BAD_REQUEST, "illegal base64 data at input byte 0");
	if (lp_orch_info_decode(scope, info, bytes, NULL) != LP_OK)
		return lp_fail(e, LP_BAD_REQUEST, "proto: cannot parse invalid wire-format data");
	if (!info->price.present || info->price.price_per_unit <= 0 || info->price.pixels_per_unit <= 0)
		return lp_fail(e, LP_BAD_REQUEST, "missing or zero priceInfo");
	if (!info->has_ticket_params)
		return lp_fail(e, LP_BAD_REQUEST, "missing ticketParams in OrchestratorInfo");
	out->ask.price_per_unit = info->price.price_per_unit;
	out->ask.units = info->price.pixels_per_unit;
	if (info->address.len && !lp_address_of(&out->ask.orchestrator, info->address))
		return lp_fail(e, LP_BAD_REQUEST, "an address in OrchestratorInfo has 20 bytes");
	return lp_params_read(&out->ask.params, info->ticket_params, e) ? LP_BAD_REQUEST : LP_OK;
}

static enum lp_code read_rest(struct lp_scope *scope, struct lp_signer_body *out, const json_t *json,
			      struct lp_err *e)
{
	const json_t *state = lp_json_get(json, "state"), *pixels = lp_json_get(json, "inPixels");
	struct lp_signer_ask *ask = &out->ask;
	struct lp_span bytes;

	if (!get_bytes(scope, &ask->state, state, "State") || !get_bytes(scope, &ask->sig, state, "Sig"))
		return lp_fail(e, LP_BAD_REQUEST, "illegal base64 data in state");
	if (pixels && !json_is_integer(pixels))
		return lp_fail(e, LP_BAD_REQUEST, "inPixels must be a whole number");
	ask->in_pixels = pixels ? json_integer_value(pixels) : 0;
	ask->manifest = lp_json_str(json, "ManifestID");
	ask->app = lp_json_str(json, "app");
	ask->type = lp_json_str(json, "type");
	lp_signer_max_read(&ask->max, lp_json_get(json, "maxPrice"));
	if (!get_bytes(scope, &bytes, json, "capabilities"))
		return lp_fail(e, LP_BAD_REQUEST, "illegal base64 data in capabilities");
	out->has_capabilities = bytes.len > 0;
	if (!bytes.len)
		return LP_OK;
	if (lp_capabilities_decode(scope, &out->capabilities, bytes, NULL) != LP_OK)
		return lp_fail(e, LP_BAD_REQUEST, "capabilities cannot be read");
	return LP_OK;
}

enum lp_code lp_signer_body_read(struct lp_scope *scope, struct lp_signer_body *out, struct lp_span text,
				 int64_t now_seconds, struct lp_err *e)
{
	json_t *json;

	*out = (struct lp_signer_body){ 0 };
	if (lp_json_parse(scope, &json, text, e) != LP_OK)
		return lp_fail(e, LP_BAD_REQUEST, "unexpected EOF");
	if (!json_is_object(json))
		return lp_fail(e, LP_BAD_REQUEST, "the request must be a JSON object");
	if (read_info(scope, out, json, e) != LP_OK || read_rest(scope, out, json, e) != LP_OK)
		return LP_BAD_REQUEST;
	out->ask.token_left = out->info.auth_token.present ? lp_auth_token_left(&out->info.auth_token, now_seconds) :
							     INT64_MAX;
	return LP_OK;
}
