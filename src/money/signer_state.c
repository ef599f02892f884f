#include <lpd/money/signer_state.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>
#include <lpd/base/json.h>
#include <lpd/base/time.h>

#define NS ((int64_t)1000000000)
#define DAY ((int64_t)86400)
#define DIGITS 77		/* of any of them a u256 has room */
#define ZERO_TIME "0001-01-01T00:00:00Z"	/* how Go writes a time that was never set */

static const char *const types[LP_SIGNER_TYPES] = { "", "lv2v", "live", "fixed" };

const char *lp_signer_type_name(enum lp_signer_type type)
{
	return types[type];
}

bool lp_signer_type_find(struct lp_span name, enum lp_signer_type *out)
{
	for (int i = 0; i < LP_SIGNER_TYPES; i++)
		if (lp_span_is(name, types[i])) {
			*out = (enum lp_signer_type)i;
			return true;
		}
	return false;
}

/* ---- fractions ---- */

void lp_signer_fraction_write(struct lp_buf *to, struct lp_amount amount)
{
	struct lp_u256 n = amount.n, den = LP_U256_ZERO;
	char text[LP_U256_TEXT];
	unsigned places = 64;

	while (places > 0 && !(n.limb[0] & 1)) {
		n = lp_u256_shr(n, 1);
		places--;
	}
	if (amount.below)
		lp_buf_add_char(to, '-');
	lp_buf_add_text(to, lp_u256_write(text, n));
	if (!places)
		return;
	den.limb[places / 64] = (uint64_t)1 << (places % 64);
	lp_buf_add_char(to, '/');
	lp_buf_add_text(to, lp_u256_write(text, den));
}

/* Digits beyond our room are left off both numbers; the lower one is made a little larger, so that nothing gains. */
static bool read_ratio(struct lp_u256 *num, struct lp_u256 *den, struct lp_span up, struct lp_span down)
{
	size_t longest = up.len > down.len ? up.len : down.len;
	size_t cut = longest > DIGITS ? longest - DIGITS : 0;

	for (size_t i = 0; i < up.len; i++)
		if (up.at[i] < '0' || up.at[i] > '9')
			return false;
	for (size_t i = 0; i < down.len; i++)
		if (down.at[i] < '0' || down.at[i] > '9')
			return false;
	if (!up.len || cut >= down.len)
		return false;
	*num = LP_U256_ZERO;
	if (cut < up.len && !lp_u256_read(num, lp_span_of(up.at, up.len - cut)))
		return false;
	if (!lp_u256_read(den, lp_span_of(down.at, down.len - cut)))
		return false;
	return cut == 0 || lp_u256_add(den, *den, lp_u256_of(1));
}

bool lp_signer_fraction_read(struct lp_amount *out, struct lp_span text)
{
	struct lp_span down, up;
	struct lp_u256 num, den;
	bool below = text.len > 0 && text.at[0] == '-';

	down = lp_span_skip(text, below ? 1 : 0);
	up = lp_span_cut(&down, '/');
	if (!down.at)
		down = LP_SPAN("1");
	if (!read_ratio(&num, &den, up, down) || !lp_amount_mul_div(out, num, lp_u256_of(1), den, LP_DOWN))
		return false;
	if (below)
		*out = lp_amount_neg(*out);
	return true;
}

/* ---- times ---- */

/* Days since 1970 of a date of the Gregorian calendar, and back. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void lp_signer_time_write(struct lp_buf *to, int64_t ns)
{
	char text[32], *dot;
	unsigned rest = (unsigned)(ns % NS);

	if (ns <= 0) {
		lp_buf_add_text(to, ZERO_TIME);
		return;
	}
	lp_time_text(ns / 1000, text);
	dot = strchr(text, '.');
	lp_assert(dot);
	lp_buf_add(to, text, (size_t)(dot - text));
	if (rest) {
		unsigned places = 9;

		for (; rest % 10 == 0; places--)
			rest /= 10;
		lp_buf_fmt(to, ".%0*u", (int)places, rest);
	}
	lp_buf_add_char(to, 'Z');
}

static bool number(struct lp_span text, size_t at, size_t len, int64_t *out)
{
	*out = 0;
	for (size_t i = at; i < at + len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		*out = *out * 10 + (text.at[i] - '0');
	}
	return true;
}

/* "2006-01-02T15:04:05", then perhaps a fraction, then Z: the only zone that signers write. */
bool lp_signer_time_read(int64_t *ns, struct lp_span text)
{
	int64_t y, mo, d, h, mi, s, part = 0;
	size_t places;

	*ns = 0;
	if (!text.len || lp_span_is(text, ZERO_TIME))
		return true;
	if (text.len < 20 || text.len > 30 || text.at[text.len - 1] != 'Z' || text.at[4] != '-' ||
	    text.at[7] != '-' || text.at[10] != 'T' || text.at[13] != ':' || text.at[16] != ':')
		return false;
	if (!number(text, 0, 4, &y) || !number(text, 5, 2, &mo) || !number(text, 8, 2, &d) ||
	    !number(text, 11, 2, &h) || !number(text, 14, 2, &mi) || !number(text, 17, 2, &s))
		return false;
	places = text.len > 20 ? text.len - 21 : 0;
	if (text.len > 20 && (text.at[19] != '.' || !places || !number(text, 20, places, &part)))
		return false;
	if (y < 1970 || y > 2200 || mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || s > 60)
		return false;
	for (; places < 9; places++)
		part *= 10;
	*ns = (days_of(y, mo, d) * DAY + h * 3600 + mi * 60 + s) * NS + part;
	return true;
}

/* ---- the whole ---- */

static void add_text(struct lp_buf *to, const char *name, struct lp_span value)
{
	lp_buf_fmt(to, ",\"%s\":", name);
	lp_json_write_str(to, value);
}

void lp_signer_state_write(struct lp_buf *to, const struct lp_signer_state *state)
{
	char hex[2 * 32 + 1];

	lp_buf_add_text(to, "{\"StateID\":");
	lp_json_write_str(to, state->id);
	lp_buf_fmt(to, ",\"PMSessionID\":\"0x%s\",\"LastUpdate\":\"",
		   lp_hex_write(hex, state->rand_hash.bytes, sizeof state->rand_hash.bytes));
	lp_signer_time_write(to, state->last_update);
	lp_buf_fmt(to, "\",\"OrchestratorAddress\":\"0x%s\"",
		   lp_hex_write(hex, state->orchestrator.bytes, LP_ADDRESS_LEN));
	add_text(to, "App", state->app);
	lp_buf_fmt(to, ",\"AuthExpiry\":%lld,\"SenderNonce\":%u,\"Balance\":\"", (long long)state->auth_expiry,
		   state->nonce);
	lp_signer_fraction_write(to, state->balance);
	lp_buf_fmt(to, "\",\"InitialPricePerUnit\":%lld,\"InitialPixelsPerUnit\":%lld",
		   (long long)state->price_per_unit, (long long)state->units);
	add_text(to, "Type", lp_span(lp_signer_type_name(state->type)));
	lp_buf_fmt(to, ",\"SequenceNumber\":%llu", (unsigned long long)state->sequence);
	add_text(to, "AuthID", state->auth_id);
	lp_buf_add_char(to, '}');
}

/* A whole number that is there, or 0. */
static bool get_number(const json_t *json, const char *name, int64_t *out)
{
	const json_t *value = lp_json_get(json, name);

	*out = 0;
	if (!value)
		return true;
	if (!json_is_integer(value))
		return false;
	*out = json_integer_value(value);
	return true;
}

static bool read_numbers(struct lp_signer_state *out, const json_t *json)
{
	int64_t nonce, sequence;

	if (!get_number(json, "SenderNonce", &nonce) || nonce < 0 || nonce > UINT32_MAX)
		return false;
	if (!get_number(json, "SequenceNumber", &sequence) || sequence < 0)
		return false;
	out->nonce = (uint32_t)nonce;
	out->sequence = (uint64_t)sequence;
	return get_number(json, "AuthExpiry", &out->auth_expiry) &&
	       get_number(json, "InitialPricePerUnit", &out->price_per_unit) &&
	       get_number(json, "InitialPixelsPerUnit", &out->units);
}

static bool read_texts(struct lp_signer_state *out, const json_t *json)
{
	struct lp_span rand = lp_json_str(json, "PMSessionID"), balance = lp_json_str(json, "Balance");
	struct lp_span address = lp_json_str(json, "OrchestratorAddress");

	out->id = lp_json_str(json, "StateID");
	out->app = lp_json_str(json, "App");
	out->auth_id = lp_json_str(json, "AuthID");
	if (!out->id.len || out->id.len > 64 || out->app.len > LP_SIGNER_TEXT_MAX ||
	    out->auth_id.len > LP_SIGNER_TEXT_MAX)
		return false;
	if (rand.len && !lp_hex_read(out->rand_hash.bytes, sizeof out->rand_hash.bytes, rand))
		return false;
	if (address.len && !lp_address_read(&out->orchestrator, address))
		return false;
	if (balance.len && !lp_signer_fraction_read(&out->balance, balance))
		return false;
	return lp_signer_time_read(&out->last_update, lp_json_str(json, "LastUpdate")) &&
	       lp_signer_type_find(lp_json_str(json, "Type"), &out->type);
}

enum lp_code lp_signer_state_read(struct lp_scope *scope, struct lp_signer_state *out, struct lp_span json,
				  struct lp_err *e)
{
	json_t *root;

	*out = (struct lp_signer_state){ 0 };
	if (json.len > LP_SIGNER_STATE_MAX || lp_json_parse(scope, &root, json, NULL) != LP_OK ||
	    !json_is_object(root) || !read_numbers(out, root) || !read_texts(out, root))
		return lp_fail(e, LP_BAD_REQUEST, "invalid state");
	return LP_OK;
}

void lp_signer_state_sign(struct lp_sig *out, struct lp_span json, const struct lp_key *key)
{
	struct lp_hash digest = lp_sig_digest_bytes(json);

	lp_key_sign_digest(out, key, &digest);
}

bool lp_signer_state_check(struct lp_span json, struct lp_span sig, struct lp_address signer)
{
	struct lp_hash digest = lp_sig_digest_bytes(json);
	struct lp_address who;
	struct lp_sig of;

	return lp_sig_of(&of, sig) && lp_sig_recover(&who, &of, &digest) && lp_address_eq(who, signer);
}
