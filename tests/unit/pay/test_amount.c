#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/random.h>
#include <lpd/pay/amount.h>

#include "bigrat.h"

static struct lp_amount wei(int64_t n)
{
	struct lp_amount out;

	assert_true(lp_amount_of(&out, lp_wei_of((uint64_t)llabs(n))));
	return n < 0 ? lp_amount_neg(out) : out;
}

static void assert_same(struct lp_amount a, struct lp_amount b)
{
	assert_int_equal(lp_amount_cmp(a, b), 0);
	assert_memory_equal(&a.n, &b.n, sizeof a.n);
	assert_int_equal(a.below, b.below);
}

static void sums_follow_the_sign(void **state)
{
	(void)state;
	static const int64_t some[] = { 0, 1, -1, 5, -5, 7, -7, 1000000, -999999 };

	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		for (size_t j = 0; j < sizeof some / sizeof *some; j++) {
			int64_t a = some[i], b = some[j];
			struct lp_amount out;

			assert_true(lp_amount_add(&out, wei(a), wei(b)));
			assert_same(out, wei(a + b));
			assert_true(lp_amount_sub(&out, wei(a), wei(b)));
			assert_same(out, wei(a - b));
			assert_int_equal(lp_amount_cmp(wei(a), wei(b)), a < b ? -1 : a > b);
			assert_same(lp_amount_max(wei(a), wei(b)), wei(a > b ? a : b));
		}
		assert_true(lp_amount_is_zero(wei(some[i])) == (some[i] == 0));
	}
}

static void a_fraction_is_rounded_as_told(void **state)
{
	(void)state;
	struct lp_amount up, down, gap;
	struct lp_wei whole;

	assert_true(lp_amount_mul_div(&down, lp_u256_of(10), lp_u256_of(1), lp_u256_of(3), LP_DOWN));
	assert_true(lp_amount_mul_div(&up, lp_u256_of(10), lp_u256_of(1), lp_u256_of(3), LP_UP));
	assert_same(down, big_amount(LP_SPAN("10/3"), LP_DOWN));
	assert_same(up, big_amount(LP_SPAN("10/3"), LP_UP));
	assert_true(lp_amount_sub(&gap, up, down));
	assert_true(lp_u256_cmp(gap.n, lp_u256_of(1)) == 0);
	assert_true(lp_amount_wei(&whole, up, LP_DOWN));
	assert_int_equal(lp_wei_cmp(whole, lp_wei_of(3)), 0);
	assert_true(lp_amount_wei(&whole, up, LP_UP));
	assert_int_equal(lp_wei_cmp(whole, lp_wei_of(4)), 0);
	assert_true(lp_amount_wei(&whole, wei(4), LP_UP));
	assert_int_equal(lp_wei_cmp(whole, lp_wei_of(4)), 0);
	assert_false(lp_amount_wei(&whole, wei(-4), LP_UP));
	/* What rounds up to one: 2^64 - 1 of 2^64 parts and a bit. */
	assert_true(lp_amount_mul_div(&up, LP_U256_MAX, lp_u256_of(1), LP_U256_MAX, LP_UP));
	assert_same(up, wei(1));
	struct lp_u256 almost = LP_U256_MAX;

	almost.limb[0]--;
	assert_true(lp_amount_mul_div(&up, almost, lp_u256_of(1), LP_U256_MAX, LP_UP));
	assert_same(up, wei(1));
}

static void random_fractions_agree_with_long_division(void **state)
{
	(void)state;
	struct lp_dice dice;

	lp_dice_init(&dice, 11);
	for (int i = 0; i < 200; i++) {
		uint64_t a = lp_dice_next(&dice), c = lp_dice_next(&dice) >> lp_dice_below(&dice, 60) | 1;
		char text[60];
		struct lp_amount out;
		enum lp_round round = i % 2 ? LP_UP : LP_DOWN;

		snprintf(text, sizeof text, "%llu/%llu", (unsigned long long)a, (unsigned long long)c);
		assert_true(lp_amount_mul_div(&out, lp_u256_of(a), lp_u256_of(1), lp_u256_of(c), round));
		assert_same(out, big_amount(lp_span(text), round));
	}
}

static void what_has_no_room_is_refused(void **state)
{
	(void)state;
	struct lp_amount top = { LP_U256_MAX, false }, out = wei(5);
	struct lp_u256 limit;

	assert_true(lp_u256_shl(&limit, lp_u256_of(1), 192));
	assert_false(lp_amount_of(&out, (struct lp_wei){ limit }));
	assert_false(lp_amount_add(&out, top, wei(1)));
	assert_false(lp_amount_sub(&out, lp_amount_neg(top), wei(1)));
	assert_false(lp_amount_mul(&out, top, 2));
	assert_false(lp_amount_mul_div(&out, limit, lp_u256_of(1), lp_u256_of(1), LP_DOWN));
	assert_false(lp_amount_mul_div(&out, limit, limit, lp_u256_of(1), LP_DOWN));
	assert_false(lp_amount_mul_div(&out, limit, limit, LP_U256_ZERO, LP_DOWN));
	assert_same(out, wei(5));
	assert_true(lp_amount_add(&out, top, lp_amount_neg(top)));
	assert_same(out, LP_AMOUNT_ZERO);
	assert_true(lp_amount_mul(&out, wei(-3), 4));
	assert_same(out, wei(-12));
	assert_true(lp_amount_mul(&out, wei(-3), 0));
	assert_same(out, LP_AMOUNT_ZERO);
}

static void the_stores_form_comes_back(void **state)
{
	(void)state;
	uint8_t bytes[LP_AMOUNT_BYTES];
	struct lp_amount out = wei(9);
	static const int64_t some[] = { 0, 1, -1, 123456789, -987654321 };

	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		lp_amount_write(bytes, wei(some[i]));
		assert_true(lp_amount_read(&out, lp_span_of(bytes, sizeof bytes)));
		assert_same(out, wei(some[i]));
	}
	assert_false(lp_amount_read(&out, lp_span_of(bytes, 32)));
	bytes[0] = 2;
	assert_false(lp_amount_read(&out, lp_span_of(bytes, sizeof bytes)));
	memset(bytes, 0, sizeof bytes);
	bytes[0] = 1;	/* minus zero */
	assert_false(lp_amount_read(&out, lp_span_of(bytes, sizeof bytes)));
}

/* (2^258 - 1) / 2^66 is less than a grain below what has no room: up it goes there. */
static void rounding_up_may_leave_the_room(void **state)
{
	(void)state;
	struct lp_u256 a, b, c;
	struct lp_amount out = LP_AMOUNT_ZERO;

	assert_true(lp_u256_shl(&c, lp_u256_of(1), 66));
	assert_true(lp_u256_shl(&b, lp_u256_of(1), 129));
	assert_true(lp_u256_sub(&a, b, lp_u256_of(1)));
	assert_true(lp_u256_add(&b, b, lp_u256_of(1)));
	assert_false(lp_amount_mul_div(&out, a, b, c, LP_UP));
	assert_true(lp_amount_is_zero(out));
	assert_true(lp_amount_mul_div(&out, a, b, c, LP_DOWN));
	assert_int_equal(lp_u256_cmp(out.n, LP_U256_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_follow_the_sign),
		cmocka_unit_test(a_fraction_is_rounded_as_told),
		cmocka_unit_test(random_fractions_agree_with_long_division),
		cmocka_unit_test(what_has_no_room_is_refused),
		cmocka_unit_test(the_stores_form_comes_back),
		cmocka_unit_test(rounding_up_may_leave_the_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
