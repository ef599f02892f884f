#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "payments.h"

static void assert_amount(struct lp_wei a, enum lp_unit in, const char *text)
{
	char written[LP_WEI_TEXT];
	struct lp_wei back;

	assert_string_equal(lp_wei_write(written, a, in), text);
	assert_true(lp_wei_read(&back, lp_span(text), in));
	assert_int_equal(lp_wei_cmp(back, a), 0);
}

static void the_networks_amounts_come_out_in_eth(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "base_units"), i, row)
		assert_amount(row_wei(row, "wei"), LP_IN_ETH,
			      lp_strdup(scope, row_text(row, "text")));
	lp_scope_close(&scope);
}

static void every_unit_is_exact_both_ways(void **state)
{
	(void)state;
	assert_amount(lp_wei_of(0), LP_IN_GWEI, "0");
	assert_amount(lp_wei_of(1), LP_IN_GWEI, "0.000000001");
	assert_amount(lp_wei_of(10000000), LP_IN_GWEI, "0.01");
	assert_amount(lp_wei_of(3000000000), LP_IN_GWEI, "3");
	assert_amount(lp_wei_of(1234567890123), LP_IN_WEI, "1234567890123");
	assert_amount((struct lp_wei){ LP_U256_MAX }, LP_IN_ETH,
		      "115792089237316195423570985008687907853269984665640564039457."
		      "584007913129639935");
	assert_amount((struct lp_wei){ LP_U256_MAX }, LP_IN_WEI,
		      "11579208923731619542357098500868790785326998466564056403945758400791312963"
		      "9935");
}

static void an_amount_that_is_not_exact_or_not_one_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "", ".", "1.", ".5", "-1", "1e18", "1,5", "1.2.3", "0x1", " 1",
		"0.0000000000000000001", "1.x", "115792089237316195423570985008687907853269984665640564039458",
		"115792089237316195423570985008687907853269984665640564039457.584007913129639936" };
	struct lp_wei a = lp_wei_of(9);

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(lp_wei_read(&a, lp_span(bad[i]), LP_IN_ETH));
	assert_false(lp_wei_read(&a, LP_SPAN("0.5"), LP_IN_WEI));
	assert_int_equal(lp_wei_cmp(a, lp_wei_of(9)), 0);
	/* Zeros beyond the last place change nothing. */
	assert_true(lp_wei_read(&a, LP_SPAN("1.5000000000000000000000"), LP_IN_ETH));
	assert_int_equal(lp_wei_cmp(a, lp_wei_of(1500000000000000000)), 0);
	assert_true(lp_wei_read(&a, LP_SPAN("7.00"), LP_IN_WEI));
	assert_int_equal(lp_wei_cmp(a, lp_wei_of(7)), 0);
}

static void sums_are_checked(void **state)
{
	(void)state;
	struct lp_wei a = lp_wei_of(10), out = lp_wei_of(1), top = { LP_U256_MAX };

	assert_false(lp_wei_add(&out, top, lp_wei_of(1)));
	assert_false(lp_wei_sub(&out, a, lp_wei_of(11)));
	assert_false(lp_wei_mul(&out, top, 2));
	assert_false(lp_wei_div(&out, a, 0, LP_UP));
	assert_int_equal(lp_wei_cmp(out, lp_wei_of(1)), 0);
	assert_true(lp_wei_add(&out, a, a));
	assert_int_equal(lp_wei_cmp(out, lp_wei_of(20)), 0);
	assert_true(lp_wei_sub(&out, out, a));
	assert_true(lp_wei_mul(&out, out, 7));
	assert_int_equal(lp_wei_cmp(out, lp_wei_of(70)), 0);
	assert_true(lp_wei_div(&out, out, 3, LP_DOWN));
	assert_int_equal(lp_wei_cmp(out, lp_wei_of(23)), 0);
	assert_true(lp_wei_div(&out, lp_wei_of(70), 3, LP_UP));
	assert_int_equal(lp_wei_cmp(out, lp_wei_of(24)), 0);
	assert_int_equal(lp_wei_cmp(lp_wei_min(a, out), a), 0);
	assert_int_equal(lp_wei_cmp(lp_wei_min(out, a), a), 0);
	assert_true(lp_wei_is_zero(LP_WEI_ZERO));
	assert_false(lp_wei_is_zero(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_networks_amounts_come_out_in_eth),
		cmocka_unit_test(every_unit_is_exact_both_ways),
		cmocka_unit_test(an_amount_that_is_not_exact_or_not_one_is_refused),
		cmocka_unit_test(sums_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
