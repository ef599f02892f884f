#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "paid.h"

#include <lpd/pay/allowance.h>

#define NOW 1800000000

static bool allows(struct lp_allowance *b, int64_t now, uint64_t more, uint64_t deposit, uint64_t multiplier)
{
	return lp_allowance_allows(b, now, paid_wei(more), lp_wei_of(deposit), multiplier);
}

static void what_was_signed_in_the_window_and_what_is_wanted_stay_within_the_deposit(void **state)
{
	struct lp_allowance b = { 0 };

	(void)state;
	assert_true(allows(&b, NOW, 100, 100, 1));
	assert_false(allows(&b, NOW, 101, 100, 1));
	lp_allowance_add(&b, NOW, paid_wei(60));
	lp_allowance_add(&b, NOW + 300, paid_wei(30));
	assert_true(allows(&b, NOW + 301, 10, 100, 1));
	assert_false(allows(&b, NOW + 301, 11, 100, 1));
}

/* Each of three gateways on one key may spend a third. */
static void a_multiplier_leaves_its_share(void **state)
{
	struct lp_allowance b = { 0 };

	(void)state;
	assert_true(allows(&b, NOW, 33, 100, 3));
	assert_false(allows(&b, NOW, 34, 100, 3));
	assert_true(allows(&b, NOW, 100, 100, 0));
	assert_false(allows(&b, NOW, 34, 100, UINT64_MAX));
	assert_false(lp_allowance_allows(&b, NOW, paid_wei(UINT64_MAX), (struct lp_wei){ LP_U256_MAX }, UINT64_MAX));
}

static void what_is_older_than_the_window_is_forgotten(void **state)
{
	struct lp_allowance b = { 0 };

	(void)state;
	lp_allowance_add(&b, NOW, paid_wei(100));
	assert_false(allows(&b, NOW + 60 * (LP_ALLOWANCE_MINUTES - 1), 1, 100, 1));
	assert_true(allows(&b, NOW + 60 * LP_ALLOWANCE_MINUTES, 100, 100, 1));
	lp_allowance_add(&b, NOW + 60 * LP_ALLOWANCE_MINUTES, paid_wei(100));
	assert_true(allows(&b, NOW + 1000 * 60 * LP_ALLOWANCE_MINUTES, 100, 100, 1));
}

static void a_clock_that_goes_back_forgives_nothing(void **state)
{
	struct lp_allowance b = { 0 };

	(void)state;
	lp_allowance_add(&b, NOW, paid_wei(100));
	assert_false(allows(&b, NOW - 100000, 1, 100, 1));
	lp_allowance_add(&b, NOW - 100000, paid_wei(5));
	assert_int_equal(lp_amount_cmp(lp_allowance_spent(&b, NOW), paid_wei(105)), 0);
}

static void what_nobody_got_may_be_spent_again(void **state)
{
	struct lp_allowance b = { 0 };

	(void)state;
	lp_allowance_add(&b, NOW, paid_wei(60));
	lp_allowance_add(&b, NOW + 60, paid_wei(40));
	lp_allowance_return(&b, NOW + 120, paid_wei(70));
	assert_int_equal(lp_amount_cmp(lp_allowance_spent(&b, NOW + 120), paid_wei(30)), 0);
	lp_allowance_return(&b, NOW + 120, paid_wei(70));
	assert_true(lp_amount_is_zero(lp_allowance_spent(&b, NOW + 120)));
}

static void without_a_deposit_nothing_is_allowed(void **state)
{
	struct lp_allowance b = { 0 };

	(void)state;
	assert_false(allows(&b, NOW, 1, 0, 1));
	assert_true(allows(&b, NOW, 0, 0, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_signed_in_the_window_and_what_is_wanted_stay_within_the_deposit),
		cmocka_unit_test(a_multiplier_leaves_its_share),
		cmocka_unit_test(what_is_older_than_the_window_is_forgotten),
		cmocka_unit_test(a_clock_that_goes_back_forgives_nothing),
		cmocka_unit_test(what_nobody_got_may_be_spent_again),
		cmocka_unit_test(without_a_deposit_nothing_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
