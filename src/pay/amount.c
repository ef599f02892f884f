#include <lpd/pay/amount.h>

#include <lpd/base/assert.h>

#define PLACES 64

static struct lp_amount signed_of(struct lp_u256 n, bool below)
{
	return (struct lp_amount){ n, below && !lp_u256_is_zero(n) };
}

bool lp_amount_of(struct lp_amount *out, struct lp_wei wei)
{
	struct lp_u256 n;

	if (!lp_u256_shl(&n, wei.n, PLACES))
		return false;
	*out = signed_of(n, false);
	return true;
}

bool lp_amount_mul_div(struct lp_amount *out, struct lp_u256 a, struct lp_u256 b, struct lp_u256 c,
		       enum lp_round round)
{
	const struct lp_u256 one = { { 0, 1, 0, 0 } };
	struct lp_u256 whole, rest, part;

	if (!lp_u512_div(&whole, &rest, lp_u256_mul_wide(a, b), c) || !lp_u256_shl(&whole, whole, PLACES))
		return false;
	/* The places are those of the rest, which is below c: they are 2^64 at most, when rounded up. */
	bool fits = lp_u256_mul_div(&part, rest, one, c, round);

	lp_assert(fits);
	if (!lp_u256_add(&whole, whole, part))
		return false;
	*out = signed_of(whole, false);
	return true;
}

bool lp_amount_wei(struct lp_wei *out, struct lp_amount a, enum lp_round round)
{
	struct lp_u256 whole = lp_u256_shr(a.n, PLACES);

	if (a.below)
		return false;
	if (round == LP_UP && a.n.limb[0]) {
		bool fits = lp_u256_add(&whole, whole, lp_u256_of(1));

		lp_assert(fits);	/* at most 2^192 */
	}
	out->n = whole;
	return true;
}

int lp_amount_cmp(struct lp_amount a, struct lp_amount b)
{
	if (a.below != b.below)
		return a.below ? -1 : 1;
	return a.below ? lp_u256_cmp(b.n, a.n) : lp_u256_cmp(a.n, b.n);
}

struct lp_amount lp_amount_max(struct lp_amount a, struct lp_amount b)
{
	return lp_amount_cmp(a, b) < 0 ? b : a;
}

struct lp_amount lp_amount_neg(struct lp_amount a)
{
	return signed_of(a.n, !a.below);
}

bool lp_amount_add(struct lp_amount *out, struct lp_amount a, struct lp_amount b)
{
	struct lp_u256 n;
	bool below = a.below;

	if (a.below == b.below) {
		if (!lp_u256_add(&n, a.n, b.n))
			return false;
	} else if (!lp_u256_sub(&n, a.n, b.n)) {
		/* The other one is the larger and gives the sign. */
		bool larger = lp_u256_sub(&n, b.n, a.n);

		lp_assert(larger);
		below = b.below;
	}
	*out = signed_of(n, below);
	return true;
}

bool lp_amount_sub(struct lp_amount *out, struct lp_amount a, struct lp_amount b)
{
	return lp_amount_add(out, a, lp_amount_neg(b));
}

bool lp_amount_mul(struct lp_amount *out, struct lp_amount a, uint64_t n)
{
	struct lp_u256 product;

	if (!lp_u256_mul(&product, a.n, lp_u256_of(n)))
		return false;
	*out = signed_of(product, a.below);
	return true;
}

bool lp_amount_is_zero(struct lp_amount a)
{
	return lp_u256_is_zero(a.n);
}

void lp_amount_write(uint8_t to[LP_AMOUNT_BYTES], struct lp_amount a)
{
	to[0] = a.below;
	lp_u256_write_32(to + 1, a.n);
}

bool lp_amount_read(struct lp_amount *out, struct lp_span bytes)
{
	struct lp_u256 n;

	if (bytes.len != LP_AMOUNT_BYTES || (uint8_t)bytes.at[0] > 1)
		return false;
	bool fits = lp_u256_read_bytes(&n, lp_span_skip(bytes, 1));

	lp_assert(fits);
	if (bytes.at[0] && lp_u256_is_zero(n))
		return false;
	*out = signed_of(n, bytes.at[0]);
	return true;
}
