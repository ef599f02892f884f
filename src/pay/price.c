#include <lpd/pay/price.h>

#include <lpd/base/assert.h>

#define GRAIN 1000	/* quotes with overhead are in thousandths of a wei */
#define FEW (1u << 20)
#define WEI_PER_ETH 1000000000000000000u

bool lp_price_of(struct lp_price *out, struct lp_u256 num, struct lp_u256 den)
{
	struct lp_u256 by = lp_u256_gcd(num, den), rest;

	if (lp_u256_is_zero(den))
		return false;
	bool divided = lp_u256_div(&out->num, &rest, num, by) && lp_u256_div(&out->den, &rest, den, by);

	lp_assert(divided);	/* what divides den is not 0 */
	return true;
}

bool lp_price_is_free(struct lp_price price)
{
	return lp_u256_is_zero(price.num);
}

int lp_price_cmp(struct lp_price a, struct lp_price b)
{
	return lp_u512_cmp(lp_u256_mul_wide(a.num, b.den), lp_u256_mul_wide(b.num, a.den));
}

bool lp_price_jumped(struct lp_price now, struct lp_price first)
{
	struct lp_price twice;

	/* A first price of which the double has no room is never passed. */
	if (!lp_u256_shl(&twice.num, first.num, 1))
		return false;
	twice.den = first.den;
	return lp_price_cmp(now, twice) > 0;
}

bool lp_price_mul(struct lp_price *out, struct lp_price a, struct lp_price b)
{
	struct lp_price left, right;
	struct lp_u256 num, den;

	/* Across first, so that the products stay small. */
	if (!lp_price_of(&left, a.num, b.den) || !lp_price_of(&right, b.num, a.den) ||
	    !lp_u256_mul(&num, left.num, right.num) || !lp_u256_mul(&den, left.den, right.den))
		return false;
	return lp_price_of(out, num, den);
}

bool lp_price_div(struct lp_price *out, struct lp_price a, struct lp_price b)
{
	if (lp_price_is_free(b))
		return false;
	return lp_price_mul(out, a, (struct lp_price){ b.den, b.num });
}

enum lp_code lp_price_of_wire(struct lp_price *out, int64_t per_unit, int64_t units, struct lp_err *e)
{
	if (units == 0)
		return lp_fail(e, LP_PRICE,
			       "invalid expected price sent with payment err=\"pixels per unit is 0\"");
	if (per_unit < 0 || units < 0)
		return lp_fail(e, LP_PRICE,
			       "invalid expected price sent with payment err=\"a price is negative\"");
	lp_price_of(out, lp_u256_of((uint64_t)per_unit), lp_u256_of((uint64_t)units));
	return LP_OK;
}

static bool wire_fits(struct lp_u256 n)
{
	return lp_u256_cmp(n, lp_u256_of(INT64_MAX)) <= 0;
}

bool lp_price_wire(int64_t *per_unit, int64_t *units, struct lp_price price)
{
	struct lp_u256 one = lp_u256_of(1), num = price.num, den = price.den, rest;

	/* Both lose their last bits until they fit: what is divided downwards, the divisor upwards. */
	for (unsigned bits = 1; !wire_fits(num) || !wire_fits(den); bits++) {
		num = lp_u256_shr(price.num, bits);
		den = lp_u256_shr(price.den, bits);
		bool fits = lp_u256_add(&den, den, one);

		lp_assert(fits);
	}
	/* Few bits left of the divisor: the price is so large that its whole wei say it better. */
	if (lp_u256_cmp(num, price.num) != 0 && lp_u256_cmp(den, lp_u256_of(FEW)) < 0) {
		if (!lp_u256_div(&num, &rest, price.num, price.den) || !wire_fits(num))
			return false;
		den = one;
	}
	if (lp_u256_is_zero(num) != lp_price_is_free(price))
		return false;
	*per_unit = (int64_t)num.limb[0];
	*units = (int64_t)den.limb[0];
	return true;
}

bool lp_price_fee(struct lp_amount *fee, struct lp_price price, uint64_t units, enum lp_round round)
{
	return lp_amount_mul_div(fee, price.num, lp_u256_of(units), price.den, round);
}

bool lp_price_overhead(struct lp_price *out, struct lp_price price, struct lp_wei tx_cost, struct lp_wei face_value)
{
	struct lp_price factor, exact;
	struct lp_u256 grains;
	struct lp_wei both;

	if (lp_wei_is_zero(face_value)) {
		*out = price;
		return true;
	}
	if (!lp_wei_add(&both, face_value, tx_cost) || !lp_price_of(&factor, both.n, face_value.n) ||
	    !lp_price_mul(&exact, price, factor) ||
	    !lp_u256_mul_div(&grains, exact.num, lp_u256_of(GRAIN), exact.den, LP_DOWN))
		return false;
	if (lp_u256_is_zero(grains)) {
		*out = exact;
		return true;
	}
	return lp_price_of(out, grains, lp_u256_of(GRAIN));
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The network's [A-z]: the six signs between the alphabets of ASCII as well. */
static bool is_letter(char c)
{
	return c >= 'A' && c <= 'z';
}

static size_t digits_at(struct lp_span text, size_t at)
{
	size_t n = 0;

	while (at + n < text.len && is_digit(text.at[at + n]))
		n++;
	return n;
}

/* whole.part as a ratio; false when it has too many digits. */
static bool decimal(struct lp_price *out, struct lp_span whole, struct lp_span part)
{
	struct lp_u256 num, den = lp_u256_of(1), ten = lp_u256_of(10), digit;

	if (!lp_u256_read(&num, whole))
		return false;
	for (size_t i = 0; i < part.len; i++) {
		digit = lp_u256_of((uint64_t)(part.at[i] - '0'));
		if (!lp_u256_mul(&num, num, ten) || !lp_u256_add(&num, num, digit) ||
		    !lp_u256_mul(&den, den, ten))
			return false;
	}
	return lp_price_of(out, num, den);
}

enum lp_code lp_price_read(struct lp_price *out, struct lp_span *currency, struct lp_span text, struct lp_err *e)
{
	size_t whole = digits_at(text, 0), part = 0, at = whole;
	bool good = whole > 0;

	if (good && at < text.len && text.at[at] == '.') {
		part = digits_at(text, at + 1);
		good = part > 0;
		at += 1 + part;
	}
	for (size_t i = at; good && i < text.len; i++)
		good = is_letter(text.at[i]) || (i > at && is_digit(text.at[i]));
	if (!good)
		return lp_fail(e, LP_CONFIG, "price must be in the format of <price><currency>, provided %.*s",
			       LP_ARG(text));
	if (!decimal(out, lp_span_of(text.at, whole), lp_span_of(text.at + at - part, part)))
		return lp_fail(e, LP_CONFIG, "the price has too many digits");
	*currency = lp_span_skip(text, at);
	return LP_OK;
}

enum lp_code lp_price_in_wei(struct lp_price *out, struct lp_price price, struct lp_span currency,
			     struct lp_price rate, struct lp_err *e)
{
	struct lp_price eth = { lp_u256_of(WEI_PER_ETH), lp_u256_of(1) };

	if (!currency.len || lp_span_is_icase(currency, "wei")) {
		*out = price;
		return LP_OK;
	}
	if (lp_span_is_icase(currency, "eth"))
		rate = (struct lp_price){ lp_u256_of(1), lp_u256_of(1) };
	else if (lp_price_is_free(rate))
		return lp_fail(e, LP_UNAVAILABLE, "there is no rate for a price in %.*s", LP_ARG(currency));
	if (!lp_price_mul(&price, price, eth) || !lp_price_div(&price, price, rate))
		return lp_fail(e, LP_PRICE, "the price has too many digits");
	*out = price;
	return LP_OK;
}

bool lp_price_of_feed(struct lp_price *out, int64_t answer, unsigned decimals)
{
	struct lp_u256 den = lp_u256_of(1);

	if (answer <= 0)
		return false;
	for (unsigned i = 0; i < decimals; i++) {
		if (!lp_u256_mul(&den, den, lp_u256_of(10)))
			return false;
	}
	return lp_price_of(out, lp_u256_of((uint64_t)answer), den);
}
