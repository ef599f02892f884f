/* pay/price: ratios and their roundings, for small numbers; refusals for all. */
#include "../../src/eth/u256.c"
#include "../../src/eth/wei.c"
#include "../../src/pay/amount.c"
#include "../../src/pay/price.c"
#include "proof.h"

void prove_prices_compare_as_fractions(void)
{
	uint64_t a = nondet_u8() & 15, b = nondet_u8() & 15, c = nondet_u8() & 15, d = nondet_u8() & 15;
	struct lp_price left = { lp_u256_of(a), lp_u256_of(b) }, right = { lp_u256_of(c), lp_u256_of(d) };
	int order = lp_price_cmp(left, right);

	GIVEN(b != 0 && d != 0);
	CLAIM((order < 0) == (a * d < c * b) && (order == 0) == (a * d == c * b));
	CLAIM(lp_price_jumped(left, right) == (a * d > 2 * c * b));
}

/* whatever the two numbers are, one below zero and units of none are no price. */
void prove_negative_prices_are_refused(void)	/* unwind 5 */
{
	int64_t per_unit = nondet_i64(), units = nondet_i64();
	struct lp_price price;

	GIVEN(per_unit < 0 || units <= 0);
	CLAIM(lp_price_of_wire(&price, per_unit, units, NULL) == LP_PRICE);
}

/* A payer's fee, rounded up, covers what an orchestrator charges, rounded down. */
void prove_a_fee_rounded_up_covers_one_rounded_down(void)
{
	uint64_t wei = nondet_u8() & 3, units = nondet_u8() & 3;

	for (uint64_t per = 3; per < 4; per++) {
		struct lp_price price = { lp_u256_of(wei), lp_u256_of(per) };
		struct lp_amount up, down;

		CLAIM(lp_price_fee(&up, price, units, LP_UP) && lp_price_fee(&down, price, units, LP_DOWN));
		CLAIM(lp_amount_cmp(up, down) >= 0 && !up.below && !down.below);
	}
}

/* What fits is sent as it is. */
void prove_a_price_that_fits_is_sent_as_it_is(void)	/* unwind 9 */
{
	struct lp_price price = { lp_u256_of(nondet_u64()), lp_u256_of(nondet_u64()) };
	int64_t per_unit, units;

	GIVEN(price.num.limb[0] <= INT64_MAX && price.den.limb[0] <= INT64_MAX && price.den.limb[0] > 0);
	CLAIM(lp_price_wire(&per_unit, &units, price));
	CLAIM((uint64_t)per_unit == price.num.limb[0] && (uint64_t)units == price.den.limb[0]);
}
