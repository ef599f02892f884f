/* pay/amount: the algebra of signs, for all amounts. */
#include "../../src/eth/u256.c"
#include "../../src/eth/wei.c"
#include "../../src/pay/amount.c"
#include "proof.h"

static struct lp_amount any(void)
{
	struct lp_amount a = { nondet_u256(), nondet_u8() & 1 };

	/* One zero, and it is not below. */
	GIVEN(!a.below || !lp_u256_is_zero(a.n));
	return a;
}

static _Bool equal(struct lp_amount a, struct lp_amount b)
{
	return same(a.n, b.n) && a.below == b.below;
}

void prove_sum_is_one_for_both_orders(void)
{
	struct lp_amount a = any(), b = any(), mark = any(), out = mark, other = mark;
	_Bool fits = lp_amount_add(&out, a, b);

	CLAIM(lp_amount_add(&other, b, a) == fits && equal(out, other));
	CLAIM(fits || (a.below == b.below && equal(out, mark)));
	CLAIM(!out.below || !lp_u256_is_zero(out.n));
}

void prove_what_is_added_comes_off(void)
{
	struct lp_amount a = any(), b = any(), out, back;

	if (lp_amount_add(&out, a, b))
		CLAIM(lp_amount_sub(&back, out, b) && equal(back, a));
}

void prove_order(void)
{
	struct lp_amount a = any(), b = any();

	CLAIM(lp_amount_cmp(a, b) == -lp_amount_cmp(b, a));
	CLAIM((lp_amount_cmp(a, b) == 0) == equal(a, b));
	CLAIM(lp_amount_cmp(lp_amount_neg(a), lp_amount_neg(b)) == lp_amount_cmp(b, a));
	CLAIM(lp_amount_cmp(lp_amount_max(a, b), a) >= 0 && lp_amount_cmp(lp_amount_max(a, b), b) >= 0);
}

void prove_stored_form(void)
{
	struct lp_amount a = any(), back;
	uint8_t bytes[LP_AMOUNT_BYTES];

	lp_amount_write(bytes, a);
	CLAIM(lp_amount_read(&back, lp_span_of(bytes, sizeof bytes)) && equal(back, a));
}

void prove_whole_wei(void)
{
	struct lp_amount a = any(), back;
	struct lp_wei up, down;

	if (!lp_amount_wei(&down, a, LP_DOWN)) {
		CLAIM(a.below);
		return;
	}
	CLAIM(lp_amount_wei(&up, a, LP_UP));
	CLAIM(lp_amount_of(&back, down) && lp_amount_cmp(back, a) <= 0);
	CLAIM(lp_wei_cmp(up, down) >= 0);
	CLAIM((a.n.limb[0] == 0) == (lp_wei_cmp(up, down) == 0));
}

/* Any bytes of the store: read, or refused, never beyond. */
void prove_reading_is_bounded(void)
{
	struct lp_span bytes = any_bytes(LP_AMOUNT_BYTES + 3);
	struct lp_amount a;

	if (lp_amount_read(&a, bytes))
		CLAIM(bytes.len == LP_AMOUNT_BYTES && (!a.below || !lp_u256_is_zero(a.n)));
}

/* wei: there is no way below zero or beyond the end, and what was there stays. */
void prove_wei(void)
{
	struct lp_wei a = { nondet_u256() }, b = { nondet_u256() }, mark = { nondet_u256() }, out = mark, back;

	if (!lp_wei_sub(&out, a, b))
		CLAIM(lp_wei_cmp(a, b) < 0 && same(out.n, mark.n));
	else
		CLAIM(lp_wei_add(&back, out, b) && same(back.n, a.n));
	CLAIM(lp_wei_cmp(lp_wei_min(a, b), a) <= 0 && lp_wei_cmp(lp_wei_min(a, b), b) <= 0);
}

/* Up and down are a 2^-64 wei apart at most, and equal where nothing is left. */
void prove_roundings_are_a_grain_apart(void)
{
	uint64_t a = nondet_u8() & 1, b = 1;

	for (uint64_t c = 3; c < 4; c++) {
		struct lp_amount up, down;
		struct lp_u256 step;

		CLAIM(lp_amount_mul_div(&down, lp_u256_of(a), lp_u256_of(b), lp_u256_of(c), LP_DOWN));
		CLAIM(lp_amount_mul_div(&up, lp_u256_of(a), lp_u256_of(b), lp_u256_of(c), LP_UP));
		CLAIM(lp_u256_sub(&step, up.n, down.n) && lp_u256_cmp(step, lp_u256_of(1)) <= 0);
		CLAIM(down.n.limb[1] == a * b / c && down.n.limb[2] == 0 && down.n.limb[3] == 0);
		CLAIM(a * b % c != 0 || lp_u256_is_zero(step));
	}
}

