/* Auth tokens: bytes that are no token of ours are refused; one bit of a real one changed is refused as well; and the
 * fields of a quote, whatever they are, come back from the token they were written into, for their own job alone. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/pay/quote.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static const uint8_t secret[32] = { 7, 1, 8 };

static void foreign(struct lp_span token)
{
	struct lp_quote quote = { .session_id = LP_SPAN("s"), .expiration = INT64_MAX };
	struct lp_err e;

	lp_assert(lp_quote_check(&quote, secret, token, 1, &e) == LP_FORBIDDEN && e.code == LP_FORBIDDEN);
}

/* sender | capability | price | units | expiration | flip (2) | the rest is cut into session and model */
static struct lp_span read_quote(struct lp_quote *q, struct lp_span in)
{
	const char *at = in.at;

	memcpy(q->sender.bytes, at, LP_ADDRESS_LEN);
	memcpy(&q->capability, at + 20, 4);
	memcpy(&q->price_per_unit, at + 24, 8);
	memcpy(&q->units, at + 32, 8);
	memcpy(&q->expiration, at + 40, 8);
	q->session_id = lp_span_of(at + 50, (in.len - 50) / 2);
	q->model = lp_span_of(at + 50 + q->session_id.len, in.len - 50 - q->session_id.len);
	return lp_span_of(at + 48, 2);
}

static void ours(struct lp_span in)
{
	struct lp_quote wrote, back;
	uint8_t token[LP_QUOTE_TOKEN];
	struct lp_err e;

	if (in.len < 50)
		return;
	const struct lp_span flip = read_quote(&wrote, in);

	lp_quote_write(token, secret, &wrote);
	back = wrote;
	back.price_per_unit = back.units = 0;
	enum lp_code code = lp_quote_check(&back, secret, lp_span_of(token, sizeof token), wrote.expiration - 1, &e);

	/* A time without a second before it, prices below zero: what is refused is refused in all. */
	if (code) {
		lp_assert(code == LP_FORBIDDEN);
		return;
	}
	lp_assert(back.price_per_unit == wrote.price_per_unit && back.units == wrote.units);
	token[(uint8_t)flip.at[0] % sizeof token] ^= (uint8_t)(1 << ((uint8_t)flip.at[1] % 8));
	lp_assert(lp_quote_check(&back, secret, lp_span_of(token, sizeof token), wrote.expiration - 1, &e));
	lp_quote_write(token, secret, &wrote);
	back = wrote;
	back.capability ^= 1U << ((uint8_t)flip.at[1] % 32);
	lp_assert(lp_quote_check(&back, secret, lp_span_of(token, sizeof token), wrote.expiration - 1, &e));
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	const struct lp_span in = lp_span_of(at, len);

	foreign(in);
	if (len < 4096 && !(len >= 48 && !memcmp(at + 40, "\0\0\0\0\0\0\0\x80", 8)))	/* INT64_MIN has no second before */
		ours(in);
	return 0;
}
