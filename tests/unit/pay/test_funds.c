#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/pay/funds.h>

#include "payments.h"

/* What the vectors call a negative result is nothing for us. */
static struct lp_wei row_or_zero(const json_t *row, const char *key)
{
	return lp_span_starts(row_text(row, key), "-") ? LP_WEI_ZERO : row_wei(row, key);
}

static struct lp_wei optional(const json_t *row, const char *key)
{
	return json_object_get(row, key) ? row_wei(row, key) : LP_WEI_ZERO;
}

static void shares_floats_and_funds_are_those_of_the_network(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "reserve_alloc"), i, row)
	{
		struct lp_funds funds = { .deposit = optional(row, "deposit"), .pending = optional(row, "pending") };

		if (json_object_get(row, "funds_remaining")) {
			funds.reserve = row_wei(row, "funds_remaining");
			funds.claimed = row_wei(row, "claimed_in_round");
			funds.claimed_by_us = row_wei(row, "claimed_by_us");
			funds.pool_size = row_u64(row, "pool_size");
		} else {	/* only the share is given */
			funds.reserve = row_wei(row, "alloc");
			funds.pool_size = 1;
		}
		assert_int_equal(lp_wei_cmp(lp_funds_share(&funds), row_or_zero(row, "alloc")), 0);
		if (json_object_get(row, "max_float"))
			assert_int_equal(lp_wei_cmp(lp_funds_max_float(&funds), row_or_zero(row, "max_float")), 0);
		if (json_object_get(row, "available_funds"))
			assert_int_equal(lp_wei_cmp(lp_funds_available(&funds), row_or_zero(row, "available_funds")),
					 0);
	}
	lp_scope_close(&scope);
}

static void the_funds_of_every_redemption_come_out(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "redeem_decision"), i, row)
	{
		struct lp_funds funds = { .deposit = row_wei(row, "deposit"),
					  .reserve = row_wei(row, "funds_remaining"),
					  .claimed = row_wei(row, "claimed_in_round"),
					  .claimed_by_us = row_wei(row, "claimed_by_us"),
					  .pending = row_wei(row, "pending"),
					  .pool_size = row_u64(row, "pool_size") };

		assert_int_equal(lp_wei_cmp(lp_funds_available(&funds), row_or_zero(row, "available_funds")), 0);
	}
	lp_scope_close(&scope);
}

static void sums_without_room_are_the_largest_number(void **state)
{
	(void)state;
	struct lp_wei top = { LP_U256_MAX };
	struct lp_funds funds = { .deposit = top, .reserve = top, .claimed = top, .pending = top, .pool_size = 1 };

	assert_int_equal(lp_wei_cmp(lp_funds_share(&funds), top), 0);
	assert_true(lp_wei_is_zero(lp_funds_available(&funds)));
	assert_true(lp_wei_is_zero(lp_funds_max_float(&funds)));
}

static void a_sender_is_refused_from_one_round_before_it_withdraws(void **state)
{
	(void)state;
	assert_false(lp_funds_unlocking(0, 3400));
	assert_false(lp_funds_unlocking(3402, 3400));
	assert_true(lp_funds_unlocking(3401, 3400));
	assert_true(lp_funds_unlocking(10, 3400));
	assert_true(lp_funds_unlocking(1, 0));
	assert_false(lp_funds_unlocking(UINT64_MAX, 3400));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_floats_and_funds_are_those_of_the_network),
		cmocka_unit_test(the_funds_of_every_redemption_come_out),
		cmocka_unit_test(sums_without_room_are_the_largest_number),
		cmocka_unit_test(a_sender_is_refused_from_one_round_before_it_withdraws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
