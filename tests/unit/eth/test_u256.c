#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/random.h>

#include "payments.h"

#define ROUNDS 20000

static struct lp_u256 number(const char *text)
{
	struct lp_u256 n = LP_U256_ZERO;

	assert_true(lp_span_starts(lp_span(text), "0x") ? lp_u256_read_hex(&n, lp_span(text)) :
							  lp_u256_read(&n, lp_span(text)));
	return n;
}

static void assert_same(struct lp_u256 a, struct lp_u256 b)
{
	assert_memory_equal(&a, &b, sizeof a);
}

/* Numbers of all sizes, with long runs of ones and zeros, where carries live. */
static struct lp_u256 any(struct lp_dice *dice)
{
	struct lp_u256 n = LP_U256_ZERO;
	uint64_t limbs = lp_dice_below(dice, 5);

	for (uint64_t i = 0; i < limbs; i++) {
		uint64_t kind = lp_dice_below(dice, 4);

		n.limb[i] = kind == 0 ? 0 : kind == 1 ? UINT64_MAX : lp_dice_next(dice);
	}
	return lp_u256_shr(n, (unsigned)lp_dice_below(dice, 256));
}

static void small_numbers_count_as_the_machine_does(void **state)
{
	(void)state;
	struct lp_dice dice;

	lp_dice_init(&dice, 1);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t a = lp_dice_next(&dice), b = lp_dice_next(&dice) >> lp_dice_below(&dice, 64);
		unsigned __int128 product = (unsigned __int128)a * b, sum = (unsigned __int128)a + b;
		struct lp_u256 out, rest;

		assert_true(lp_u256_mul(&out, lp_u256_of(a), lp_u256_of(b)));
		assert_same(out, (struct lp_u256){ { (uint64_t)product, (uint64_t)(product >> 64) } });
		assert_true(lp_u256_add(&out, lp_u256_of(a), lp_u256_of(b)));
		assert_same(out, (struct lp_u256){ { (uint64_t)sum, (uint64_t)(sum >> 64) } });
		assert_true(lp_u256_div(&out, &rest, lp_u256_of(a), lp_u256_of(b | 1)));
		assert_same(out, lp_u256_of(a / (b | 1)));
		assert_same(rest, lp_u256_of(a % (b | 1)));
		assert_int_equal(lp_u256_cmp(lp_u256_of(a), lp_u256_of(b)), a < b ? -1 : a > b);
	}
}

static void what_is_added_comes_off_again(void **state)
{
	(void)state;
	struct lp_dice dice;

	lp_dice_init(&dice, 2);
	for (int i = 0; i < ROUNDS; i++) {
		struct lp_u256 a = any(&dice), b = any(&dice), sum, back;

		if (!lp_u256_add(&sum, a, b)) {
			/* It overflows exactly if b is above what is left to the top. */
			assert_true(lp_u256_sub(&back, LP_U256_MAX, a));
			assert_true(lp_u256_cmp(b, back) > 0);
			continue;
		}
		assert_true(lp_u256_cmp(sum, a) >= 0);
		assert_true(lp_u256_sub(&back, sum, b));
		assert_same(back, a);
	}
}

/* The ways of dividing that are quicker than bit by bit: for each quotient and rest there are, the product comes apart. */
static void quick_divisions_are_exact(void **state)
{
	(void)state;
	struct lp_dice dice;

	lp_dice_init(&dice, 9);
	for (int i = 0; i < 3 * ROUNDS; i++) {
		struct lp_u256 b = i % 3 == 0 ? LP_U256_MAX : lp_u256_of(lp_dice_next(&dice) >> (i % 64) | 1);
		struct lp_u256 a = i % 7 == 0 ? LP_U256_MAX : any(&dice), left = any(&dice), most;
		struct lp_u256 quotient = LP_U256_ZERO, rest = LP_U256_ZERO;
		bool whole = true;

		/* a rest below b */
		assert_true(lp_u256_sub(&most, b, lp_u256_of(1)));
		if (lp_u256_cmp(left, b) >= 0)
			left = i % 2 ? most : lp_u256_of(0);
		struct lp_u512 n = lp_u256_mul_wide(a, b);
		for (int limb = 0, carry = 0; limb < 8; limb++) {
			unsigned __int128 sum = (unsigned __int128)n.limb[limb] + (limb < 4 ? left.limb[limb] : 0) +
						(unsigned)carry;

			n.limb[limb] = (uint64_t)sum;
			carry = (int)(sum >> 64);
			whole = limb < 7 || !carry;
		}
		assert_true(whole);
		assert_true(lp_u512_div(&quotient, &rest, n, b));
		assert_same(quotient, a);
		assert_same(rest, left);
	}
}

static void a_product_divides_into_its_factors(void **state)
{
	(void)state;
	struct lp_dice dice;

	lp_dice_init(&dice, 3);
	for (int i = 0; i < ROUNDS; i++) {
		struct lp_u256 a = any(&dice), b = any(&dice), c = any(&dice), quotient, rest;
		struct lp_u512 product = lp_u256_mul_wide(a, b), other = lp_u256_mul_wide(b, a);

		assert_memory_equal(&product, &other, sizeof product);
		if (lp_u256_is_zero(b)) {
			assert_false(lp_u512_div(&quotient, &rest, product, b));
			continue;
		}
		assert_true(lp_u512_div(&quotient, &rest, product, b));
		assert_same(quotient, a);
		assert_true(lp_u256_is_zero(rest));
		if (lp_u256_is_zero(c) || !lp_u512_div(&quotient, &rest, product, c))
			continue;
		/* quotient * c + rest is the product again, and the rest is below c. */
		assert_true(lp_u256_cmp(rest, c) < 0);
		other = lp_u256_mul_wide(quotient, c);
		for (int limb = 0, carry = 0; limb < 8; limb++) {
			unsigned __int128 n = (unsigned __int128)other.limb[limb] +
					      (limb < 4 ? rest.limb[limb] : 0) + (unsigned)carry;

			other.limb[limb] = (uint64_t)n;
			carry = (int)(n >> 64);
		}
		assert_int_equal(lp_u512_cmp(other, product), 0);
	}
}

static void a_result_without_room_is_refused_and_nothing_is_touched(void **state)
{
	(void)state;
	struct lp_u256 out = lp_u256_of(77), rest = lp_u256_of(78), one = lp_u256_of(1), half;

	assert_false(lp_u256_add(&out, LP_U256_MAX, one));
	assert_false(lp_u256_sub(&out, LP_U256_ZERO, one));
	assert_false(lp_u256_mul(&out, LP_U256_MAX, lp_u256_of(2)));
	assert_false(lp_u256_div(&out, &rest, one, LP_U256_ZERO));
	assert_false(lp_u256_mul_div(&out, LP_U256_MAX, LP_U256_MAX, one, LP_DOWN));
	assert_false(lp_u256_mul_div(&out, one, one, LP_U256_ZERO, LP_DOWN));
	assert_true(lp_u256_shl(&half, one, 255));
	assert_false(lp_u256_shl(&out, half, 1));
	assert_false(lp_u512_div(&out, &rest, lp_u256_mul_wide(half, lp_u256_of(2)), one));
	assert_same(out, lp_u256_of(77));
	assert_same(rest, lp_u256_of(78));
	/* (2^256 - 2) * (2^255 + 6) / (2^255 + 5) is 2^256 - 1 and a rest: there is no room upwards. */
	struct lp_u256 most = LP_U256_MAX, five, six;

	most.limb[0]--;
	assert_true(lp_u256_add(&five, half, lp_u256_of(5)));
	assert_true(lp_u256_add(&six, half, lp_u256_of(6)));
	assert_false(lp_u256_mul_div(&out, most, six, five, LP_UP));
	assert_same(out, lp_u256_of(77));
	assert_true(lp_u256_mul_div(&out, most, six, five, LP_DOWN));
	assert_same(out, LP_U256_MAX);
	assert_true(lp_u256_mul_div(&out, LP_U256_MAX, five, five, LP_UP));
	assert_same(out, LP_U256_MAX);
}

static void rounding_up_differs_exactly_when_there_is_a_rest(void **state)
{
	(void)state;
	struct lp_u256 down, up;

	assert_true(lp_u256_mul_div(&down, lp_u256_of(7), lp_u256_of(3), lp_u256_of(2), LP_DOWN));
	assert_true(lp_u256_mul_div(&up, lp_u256_of(7), lp_u256_of(3), lp_u256_of(2), LP_UP));
	assert_same(down, lp_u256_of(10));
	assert_same(up, lp_u256_of(11));
	assert_true(lp_u256_mul_div(&up, lp_u256_of(8), lp_u256_of(3), lp_u256_of(2), LP_UP));
	assert_same(up, lp_u256_of(12));
}

static void shifts_are_powers_of_two(void **state)
{
	(void)state;
	struct lp_u256 out, product, power = lp_u256_of(1);

	for (unsigned bits = 0; bits < 256; bits++) {
		assert_true(lp_u256_shl(&out, lp_u256_of(1), bits));
		assert_same(out, power);
		assert_same(lp_u256_shr(power, bits), lp_u256_of(1));
		if (bits < 250) {
			assert_true(lp_u256_shl(&out, lp_u256_of(0x2d), bits));
			assert_true(lp_u256_mul(&product, power, lp_u256_of(0x2d)));
			assert_same(out, product);
		}
		if (bits < 255)
			assert_true(lp_u256_add(&power, power, power));
	}
	assert_same(lp_u256_shr(LP_U256_MAX, 256), LP_U256_ZERO);
}

static void the_greatest_common_divisor_divides_both(void **state)
{
	(void)state;
	struct lp_u256 a, b;

	assert_same(lp_u256_gcd(lp_u256_of(12), lp_u256_of(18)), lp_u256_of(6));
	assert_same(lp_u256_gcd(lp_u256_of(0), lp_u256_of(5)), lp_u256_of(5));
	assert_same(lp_u256_gcd(lp_u256_of(5), lp_u256_of(0)), lp_u256_of(5));
	a = number("1000000000000000000000000000000000000000");
	b = number("15000000000000000000000000000");
	assert_same(lp_u256_gcd(a, b), number("5000000000000000000000000000"));
}

static void decimal_and_hexadecimal_text_come_back(void **state)
{
	(void)state;
	struct lp_dice dice;
	char text[LP_U256_TEXT];

	lp_dice_init(&dice, 4);
	for (int i = 0; i < ROUNDS; i++) {
		struct lp_u256 n = any(&dice);

		assert_same(number(lp_u256_write(text, n)), n);
		assert_true(text[0] != '0' || text[1] == 0);
		assert_same(number(lp_u256_write_hex(text, n)), n);
	}
	assert_string_equal(lp_u256_write(text, LP_U256_ZERO), "0");
	assert_string_equal(lp_u256_write_hex(text, LP_U256_ZERO), "0x0");
	assert_string_equal(lp_u256_write(text, LP_U256_MAX),
			    "115792089237316195423570985008687907853269984665640564039457584007913129639935");
	/* Groups of 19 digits keep their zeros. */
	assert_string_equal(lp_u256_write(text, number("10000000000000000000")), "10000000000000000000");
	assert_string_equal(lp_u256_write(text, number("100000000000000000000000000000000000007")),
			    "100000000000000000000000000000000000007");
	assert_same(number("0xDeadBeef"), lp_u256_of(0xdeadbeef));
}

static void what_is_no_number_is_refused(void **state)
{
	(void)state;
	static const char *const decimal[] = { "", "-1", "+1", " 1", "1 ", "1e3", "0x10", "1.0",
		"115792089237316195423570985008687907853269984665640564039457584007913129639936",
		"999999999999999999999999999999999999999999999999999999999999999999999999999999" };
	static const char *const hexadecimal[] = { "", "0x", "10", "0xg", "0X1", "x12", "0x-1",
		"0x10000000000000000000000000000000000000000000000000000000000000000" };
	struct lp_u256 n = lp_u256_of(5);

	for (size_t i = 0; i < sizeof decimal / sizeof *decimal; i++)
		assert_false(lp_u256_read(&n, lp_span(decimal[i])));
	for (size_t i = 0; i < sizeof hexadecimal / sizeof *hexadecimal; i++)
		assert_false(lp_u256_read_hex(&n, lp_span(hexadecimal[i])));
	assert_same(n, lp_u256_of(5));
}

static void bytes_are_big_endian_and_may_be_short(void **state)
{
	(void)state;
	struct lp_dice dice;
	uint8_t bytes[33] = { 0 };
	struct lp_u256 n;

	lp_dice_init(&dice, 5);
	for (int i = 0; i < ROUNDS; i++) {
		struct lp_u256 a = any(&dice);
		size_t len = lp_u256_write_min(bytes, a);

		assert_true(len == 0 || bytes[0] != 0);
		assert_true(lp_u256_read_bytes(&n, lp_span_of(bytes, len)));
		assert_same(n, a);
		lp_u256_write_32(bytes, a);
		assert_true(lp_u256_read_bytes(&n, lp_span_of(bytes, 32)));
		assert_same(n, a);
	}
	assert_int_equal(lp_u256_write_min(bytes, LP_U256_ZERO), 0);
	assert_int_equal(lp_u256_write_min(bytes, lp_u256_of(0x102)), 2);
	assert_memory_equal(bytes, "\x01\x02", 2);
	/* 33 bytes are refused even if the first is zero. */
	memset(bytes, 0, sizeof bytes);
	assert_false(lp_u256_read_bytes(&n, lp_span_of(bytes, 33)));
	assert_true(lp_u256_read_bytes(&n, lp_span_of(NULL, 0)));
	assert_true(lp_u256_is_zero(n));
}

static void the_networks_numbers_read_alike_in_both_forms(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "win_prob"), i, row)
	{
		char text[LP_U256_TEXT];
		struct lp_u256 n = row_u256(row, "win_prob");

		if (!json_object_get(row, "win_prob_hex"))
			continue;
		assert_same(n, row_u256(row, "win_prob_hex"));
		assert_true(lp_span_is(row_text(row, "win_prob"), lp_u256_write(text, n)));
	}
	lp_scope_close(&scope);
}

static void only_what_fits_becomes_64_bits(void **state)
{
	(void)state;
	uint64_t out = 5;

	assert_false(lp_u256_to_u64(&out, number("18446744073709551616")));
	assert_int_equal(out, 5);
	assert_true(lp_u256_to_u64(&out, number("18446744073709551615")));
	assert_true(out == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_numbers_count_as_the_machine_does),
		cmocka_unit_test(what_is_added_comes_off_again),
		cmocka_unit_test(a_product_divides_into_its_factors),
		cmocka_unit_test(quick_divisions_are_exact),
		cmocka_unit_test(a_result_without_room_is_refused_and_nothing_is_touched),
		cmocka_unit_test(rounding_up_differs_exactly_when_there_is_a_rest),
		cmocka_unit_test(shifts_are_powers_of_two),
		cmocka_unit_test(the_greatest_common_divisor_divides_both),
		cmocka_unit_test(decimal_and_hexadecimal_text_come_back),
		cmocka_unit_test(what_is_no_number_is_refused),
		cmocka_unit_test(bytes_are_big_endian_and_may_be_short),
		cmocka_unit_test(the_networks_numbers_read_alike_in_both_forms),
		cmocka_unit_test(only_what_fits_becomes_64_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
