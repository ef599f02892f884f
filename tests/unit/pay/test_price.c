#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/pay/price.h>

#include "bigrat.h"
#include "payments.h"

/* "101/100", or the digits alone. */
static struct lp_price ratio(struct lp_span text)
{
	struct lp_span den = text, num = lp_span_cut(&den, '/');
	struct lp_u256 n, d = lp_u256_of(1);
	struct lp_price out;

	assert_true(lp_u256_read(&n, num));
	if (den.len)
		assert_true(lp_u256_read(&d, den));
	assert_true(lp_price_of(&out, n, d));
	return out;
}

static int64_t row_i64(const json_t *row, const char *key)
{
	int64_t n = 0;

	assert_true(lp_span_i64(row_text(row, key), &n));
	return n;
}

static void prices_of_the_wire_are_in_lowest_terms_and_not_negative(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "price_rational"), i, row)
	{
		int64_t per_unit = row_i64(row, "price_per_unit"), units = row_i64(row, "pixels_per_unit"), num, den;
		struct lp_price price;
		struct lp_err e;
		enum lp_code code = lp_price_of_wire(&price, per_unit, units, &e);

		if (units == 0 || per_unit < 0 || units < 0) {
			assert_int_equal(code, LP_PRICE);
			continue;
		}
		assert_int_equal(code, LP_OK);
		assert_int_equal(lp_u256_cmp(price.num, row_u256(row, "num")), 0);
		assert_int_equal(lp_u256_cmp(price.den, row_u256(row, "den")), 0);
		assert_true(lp_price_wire(&num, &den, price));
		assert_true(num == row_i64(row, "num") && den == row_i64(row, "den"));
	}
	lp_scope_close(&scope);
}

static void a_price_too_fine_for_the_wire_is_rounded_down_and_close(void **state)
{
	(void)state;
	static const char *const fine[] = { "100000000000000000000000000000000000/3000000000000000000000000000001",
					    "9223372036854775809/2", "18446744073709551617/4294967297",
					    "1/9223372036854775808", "12345678901234567890123/100000000000000000000" };

	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
		struct lp_price exact = ratio(lp_span(fine[i])), sent, gap = exact;
		int64_t num, den;
		bool fits = lp_price_wire(&num, &den, exact);

		if (i == 3) {	/* nothing but 0 is below it, and 0 would be free */
			assert_false(fits);
			continue;
		}
		assert_true(fits);
		assert_int_equal(lp_price_of_wire(&sent, num, den, NULL), LP_OK);
		assert_true(lp_price_cmp(sent, exact) <= 0);
		/* Not a ten-thousandth below. */
		assert_true(lp_price_mul(&gap, exact, ratio(LP_SPAN("9999/10000"))));
		assert_true(lp_price_cmp(sent, gap) > 0);
	}
	struct lp_price huge = { { { 0, 1, 0, 0 } }, { { 1, 0, 0, 0 } } };
	int64_t num, den;

	assert_false(lp_price_wire(&num, &den, huge));
	huge.den = LP_U256_MAX;
	assert_false(lp_price_wire(&num, &den, huge));
	huge = (struct lp_price){ LP_U256_MAX, lp_u256_of(2) };
	assert_false(lp_price_wire(&num, &den, huge));
	assert_true(lp_price_wire(&num, &den, LP_PRICE_FREE));
	assert_true(num == 0 && den == 1);
}

static void the_fees_of_every_pipeline_come_out(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	static const char *const sides[][2] = { { "orchestrator_units", "orchestrator_fee" },
						{ "gateway_units", "gateway_fee" } };
	size_t i, checked = 0;
	json_t *row;

	json_array_foreach(payments_list(scope, "units"), i, row)
	{
		for (size_t side = 0; side < 2; side++) {
			const json_t *units = json_object_get(row, sides[side][0]);
			struct lp_price price = ratio(row_text(row, "price"));
			struct lp_amount up, down;

			/* Units below zero are refused before they reach a price. */
			if (!json_is_integer(units) || json_integer_value(units) < 0)
				continue;
			uint64_t n = (uint64_t)json_integer_value(units);

			assert_true(lp_price_fee(&up, price, n, LP_UP));
			assert_true(lp_price_fee(&down, price, n, LP_DOWN));
			assert_int_equal(lp_amount_cmp(up, big_amount(row_text(row, sides[side][1]), LP_UP)), 0);
			assert_int_equal(lp_amount_cmp(down, big_amount(row_text(row, sides[side][1]), LP_DOWN)), 0);
			checked++;
		}
	}
	assert_true(checked >= 20);
	struct lp_price top = { LP_U256_MAX, lp_u256_of(1) };
	struct lp_amount fee;

	assert_false(lp_price_fee(&fee, top, 2, LP_DOWN));
	lp_scope_close(&scope);
}

static void the_overhead_is_that_of_the_network(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "price_overhead"), i, row)
	{
		struct lp_price base = ratio(row_text(row, "base")), out;
		struct lp_price multiplier = ratio(row_text(row, "tx_cost_multiplier"));
		struct lp_wei face_value = { multiplier.num }, tx_cost = { multiplier.den };
		int64_t num, den;

		assert_true(lp_price_overhead(&out, base, tx_cost, face_value));
		assert_true(lp_price_wire(&num, &den, out));
		if (row_i64(row, "price_per_unit") == 0) {	/* the incumbent gives it away */
			assert_true(num == 101 && den == 500000);
			continue;
		}
		assert_true(num == row_i64(row, "price_per_unit") && den == row_i64(row, "pixels_per_unit"));
	}
	struct lp_price out, price = ratio(LP_SPAN("3/7"));

	assert_true(lp_price_overhead(&out, price, lp_wei_of(5), LP_WEI_ZERO));
	assert_int_equal(lp_price_cmp(out, price), 0);
	assert_false(lp_price_overhead(&out, price, (struct lp_wei){ LP_U256_MAX }, lp_wei_of(1)));
	lp_scope_close(&scope);
}

static void thousandths_are_cut(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "price_fixed"), i, row)
	{
		struct lp_price out, want;

		/* A redemption that costs nothing: only the cutting is left. */
		assert_true(lp_price_overhead(&out, ratio(row_text(row, "rat")), LP_WEI_ZERO, lp_wei_of(1)));
		assert_true(lp_price_of(&want, row_u256(row, "fixed"), lp_u256_of(1000)));
		if (!lp_price_is_free(want))
			assert_int_equal(lp_price_cmp(out, want), 0);
	}
	lp_scope_close(&scope);
}

static void the_flags_form_is_that_of_the_network(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "price_flag"), i, row)
	{
		struct lp_span currency;
		struct lp_price price;
		struct lp_err e;
		enum lp_code code = lp_price_read(&price, &currency, row_text(row, "input"), &e);

		if (json_object_get(row, "error")) {
			assert_int_equal(code, LP_CONFIG);
			assert_true(lp_span_is(row_text(row, "error"), e.words));
			continue;
		}
		assert_int_equal(code, LP_OK);
		assert_int_equal(lp_price_cmp(price, ratio(row_text(row, "price"))), 0);
		assert_true(lp_span_eq(currency, row_text(row, "currency")));
	}
	struct lp_span currency;
	struct lp_price price;
	struct lp_err e;
	char digits[100];

	memset(digits, '9', sizeof digits);
	assert_int_equal(lp_price_read(&price, &currency, lp_span_of(digits, sizeof digits), &e), LP_CONFIG);
	digits[1] = '.';
	assert_int_equal(lp_price_read(&price, &currency, lp_span_of(digits, sizeof digits), &e), LP_CONFIG);
	lp_scope_close(&scope);
}

static void currencies_become_wei(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_price out, one = ratio(LP_SPAN("1")), rate;
	size_t i;
	json_t *row;
	struct lp_err e;

	json_array_foreach(payments_list(scope, "price_feed"), i, row)
	{
		if (json_object_get(row, "answer")) {
			assert_true(lp_price_of_feed(&out, row_i64(row, "answer"), (unsigned)row_u64(row, "decimals")));
			assert_int_equal(lp_price_cmp(out, ratio(row_text(row, "price"))), 0);
			continue;
		}
		rate = ratio(row_text(row, "feed_price"));
		if (!lp_span_starts(row_text(row, "feed"), "ETH"))
			assert_true(lp_price_div(&rate, one, rate));	/* the feed is the other way round */
		assert_int_equal(lp_price_in_wei(&out, ratio(row_text(row, "base_price")), row_text(row, "currency"),
						 rate, &e),
				 LP_OK);
		assert_int_equal(lp_price_cmp(out, ratio(row_text(row, "wei"))), 0);
	}
	assert_int_equal(lp_price_in_wei(&out, ratio(LP_SPAN("3/2")), LP_SPAN("WEI"), LP_PRICE_FREE, &e), LP_OK);
	assert_int_equal(lp_price_cmp(out, ratio(LP_SPAN("3/2"))), 0);
	assert_int_equal(lp_price_in_wei(&out, ratio(LP_SPAN("1/10")), LP_SPAN("eth"), LP_PRICE_FREE, &e), LP_OK);
	assert_int_equal(lp_price_cmp(out, ratio(LP_SPAN("100000000000000000"))), 0);
	assert_int_equal(lp_price_in_wei(&out, one, LP_SPAN("USD"), LP_PRICE_FREE, &e), LP_UNAVAILABLE);
	assert_int_equal(lp_price_in_wei(&out, (struct lp_price){ LP_U256_MAX, lp_u256_of(1) }, LP_SPAN("eth"), one, &e),
			 LP_PRICE);
	assert_false(lp_price_of_feed(&out, 0, 8));
	assert_false(lp_price_of_feed(&out, -5, 8));
	assert_false(lp_price_of_feed(&out, 5, 78));
	lp_scope_close(&scope);
}

static void prices_compare_exactly(void **state)
{
	(void)state;
	struct lp_price a = ratio(LP_SPAN("1/3")), b = ratio(LP_SPAN("333333333333/1000000000000")), out;

	assert_true(lp_price_cmp(a, b) > 0);
	assert_true(lp_price_cmp(b, a) < 0);
	assert_int_equal(lp_price_cmp(a, ratio(LP_SPAN("2/6"))), 0);
	assert_false(lp_price_jumped(ratio(LP_SPAN("2/3")), a));
	assert_true(lp_price_jumped(ratio(LP_SPAN("667/1000")), a));
	assert_false(lp_price_jumped(LP_PRICE_FREE, LP_PRICE_FREE));
	assert_false(lp_price_jumped(a, (struct lp_price){ LP_U256_MAX, lp_u256_of(1) }));
	assert_false(lp_price_div(&out, a, LP_PRICE_FREE));
	assert_false(lp_price_of(&out, lp_u256_of(1), LP_U256_ZERO));
	assert_false(lp_price_of(&out, LP_U256_ZERO, LP_U256_ZERO));
	assert_true(lp_price_is_free(ratio(LP_SPAN("0/7"))));
	struct lp_price top = { LP_U256_MAX, lp_u256_of(1) }, tiny = { lp_u256_of(1), LP_U256_MAX };

	assert_false(lp_price_mul(&out, top, top));
	assert_false(lp_price_mul(&out, tiny, tiny));
	assert_true(lp_price_mul(&out, top, tiny));
	assert_int_equal(lp_price_cmp(out, ratio(LP_SPAN("1"))), 0);
}

static struct lp_u256 two_to(unsigned bits)
{
	struct lp_u256 n;

	assert_true(lp_u256_shl(&n, lp_u256_of(1), bits));
	return n;
}

static void prices_that_have_no_room_are_refused(void **state)
{
	(void)state;
	struct lp_price one = { lp_u256_of(1), lp_u256_of(1) }, large = { two_to(250), lp_u256_of(1) };
	struct lp_price fine = { lp_u256_of(1), two_to(200) }, out;
	int64_t per_unit, units;
	struct lp_err e;

	assert_false(lp_price_mul(&out, large, large));
	assert_false(lp_price_mul(&out, fine, fine));
	assert_false(lp_price_mul(&out, one, (struct lp_price){ lp_u256_of(1), LP_U256_ZERO }));
	assert_false(lp_price_mul(&out, (struct lp_price){ lp_u256_of(1), LP_U256_ZERO }, one));
	assert_false(lp_price_div(&out, one, LP_PRICE_FREE));
	assert_false(lp_price_wire(&per_unit, &units, large));
	assert_false(lp_price_wire(&per_unit, &units, fine));
	assert_false(lp_price_jumped(large, (struct lp_price){ two_to(255), lp_u256_of(1) }));
	assert_false(lp_price_overhead(&out, one, (struct lp_wei){ LP_U256_MAX }, lp_wei_of(1)));
	assert_false(lp_price_overhead(&out, (struct lp_price){ two_to(255), lp_u256_of(1) }, lp_wei_of(2), lp_wei_of(1)));
	assert_false(lp_price_overhead(&out, large, lp_wei_of(1), lp_wei_of(1)));
	assert_int_equal(lp_price_in_wei(&out, large, LP_SPAN("eth"), one, &e), LP_PRICE);
	assert_int_equal(lp_price_in_wei(&out, one, LP_SPAN("USD"), (struct lp_price){ lp_u256_of(1), two_to(250) }, &e),
			 LP_PRICE);
	assert_int_equal(lp_price_in_wei(&out, one, LP_SPAN("Wei"), LP_PRICE_FREE, &e), LP_OK);
	assert_int_equal(lp_price_cmp(out, one), 0);
}

static void digits_without_room_and_signs_that_are_no_letters_are_refused(void **state)
{
	(void)state;
#define MOST "115792089237316195423570985008687907853269984665640564039457584007913129639935"
#define TENTH "11579208923731619542357098500868790785326998466564056403945758400791312963993"
#define ZEROS "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
	static const char *const bad[] = { MOST ".1", TENTH ".6", "0." ZEROS, MOST "1", "1~", "1 ", "1.", ".1", "", "1e~",
					   "1.5.5" };
	struct lp_span currency;
	struct lp_price price;
	struct lp_err e;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(lp_price_read(&price, &currency, lp_span(bad[i]), &e), LP_CONFIG);
	assert_int_equal(lp_price_read(&price, &currency, LP_SPAN(TENTH ".5"), &e), LP_OK);
	assert_false(lp_price_of_feed(&price, 1, 78));
	assert_false(lp_price_of_feed(&price, 0, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prices_of_the_wire_are_in_lowest_terms_and_not_negative),
		cmocka_unit_test(a_price_too_fine_for_the_wire_is_rounded_down_and_close),
		cmocka_unit_test(the_fees_of_every_pipeline_come_out),
		cmocka_unit_test(the_overhead_is_that_of_the_network),
		cmocka_unit_test(thousandths_are_cut),
		cmocka_unit_test(the_flags_form_is_that_of_the_network),
		cmocka_unit_test(currencies_become_wei),
		cmocka_unit_test(prices_compare_exactly),
		cmocka_unit_test(prices_that_have_no_room_are_refused),
		cmocka_unit_test(digits_without_room_and_signs_that_are_no_letters_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
