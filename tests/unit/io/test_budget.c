#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lpd/io/budget.h>

#define MIB (1 << 20)

static void a_quarter_of_the_memory_is_for_bodies(void **state)
{
	struct lp_spool_budget b = { .memory = 4 * MIB };

	(void)state;
	assert_true(lp_budget_take(&b, MIB));
	assert_false(lp_budget_take(&b, 1));
	assert_int_equal(b.bodies, MIB);
	lp_budget_give(&b, MIB);
	assert_false(lp_budget_take(&b, MIB + 1));
	assert_int_equal(b.bodies, 0);
}

static void without_a_bound_anything_goes(void **state)
{
	struct lp_spool_budget b = { .used_memory = INT64_MAX / 2 };

	(void)state;
	assert_true(lp_budget_take(&b, (size_t)1 << 40));
	assert_true(lp_budget_holds(&b, (size_t)1 << 40));
	assert_false(lp_budget_tight(&b));
	assert_false(lp_budget_spent(&b));
}

static void the_door_is_closed_before_the_last_byte_is_taken(void **state)
{
	struct lp_spool_budget b = { .memory = 4 * MIB };

	(void)state;
	assert_false(lp_budget_spent(&b));
	assert_true(lp_budget_take(&b, MIB - 65536));
	assert_false(lp_budget_spent(&b));
	assert_true(lp_budget_take(&b, 1));
	assert_true(lp_budget_spent(&b));
}

static void spools_do_not_keep_bodies_out(void **state)
{
	struct lp_spool_budget b = { .memory = 4 * MIB, .used_memory = 3 * MIB };

	(void)state;
	assert_false(lp_budget_holds(&b, 1));
	assert_false(lp_budget_spent(&b));
	assert_true(lp_budget_take(&b, 1000));
	b.used_memory = 4 * MIB;		/* on its way to the disk */
	assert_true(lp_budget_spent(&b));
}

static void spools_go_to_disk_early_when_half_is_used(void **state)
{
	struct lp_spool_budget b = { .memory = 4 * MIB, .used_memory = 2 * MIB };

	(void)state;
	assert_false(lp_budget_tight(&b));
	b.used_memory++;
	assert_true(lp_budget_tight(&b));
	assert_true(lp_budget_holds(&b, MIB - 1));
	assert_false(lp_budget_holds(&b, MIB));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quarter_of_the_memory_is_for_bodies),
		cmocka_unit_test(without_a_bound_anything_goes),
		cmocka_unit_test(the_door_is_closed_before_the_last_byte_is_taken),
		cmocka_unit_test(spools_do_not_keep_bodies_out),
		cmocka_unit_test(spools_go_to_disk_early_when_half_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
