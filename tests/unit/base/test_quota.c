#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <lpd/base/quota.h>

struct fixture {
	struct lp_scope *scope;
	struct lp_quota *quota;
	struct lp_quota_row *row;	/* of the last that was taken */
};

static int setup(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct fixture *f = lp_new(scope, struct fixture);

	f->scope = scope;
	f->quota = lp_quota_open(scope, 4);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *scope = f->scope;

	lp_scope_close(&scope);
	return 0;
}

static bool take(struct fixture *f, const char *peer, int most)
{
	return lp_quota_take(f->quota, lp_span(peer), most, &f->row);
}

static void one_address_holds_so_many_whatever_its_ports(void **state)
{
	struct fixture *f = *state;
	struct lp_quota_row *first;

	assert_true(take(f, "192.0.2.1:1", 2));
	first = f->row;
	assert_true(take(f, "192.0.2.1:2", 2));
	assert_false(take(f, "192.0.2.1:3", 2));
	assert_null(f->row);
	assert_true(take(f, "192.0.2.2:1", 2));		/* another */
	lp_quota_give(f->quota, &first);
	assert_null(first);
	assert_int_equal(lp_quota_held(f->quota, lp_span("192.0.2.1:9")), 1);
	assert_true(take(f, "192.0.2.1:3", 2));
	assert_false(take(f, "192.0.2.1:4", 2));
}

static void sixty_four_bits_of_ipv6_are_one_client(void **state)
{
	struct fixture *f = *state;

	assert_true(take(f, "[2001:db8:1:2::1]:1", 2));
	assert_true(take(f, "[2001:db8:1:2:ffff:ffff:ffff:ffff]:1", 2));
	assert_false(take(f, "[2001:db8:1:2::3]:1", 2));
	assert_true(take(f, "[2001:db8:1:3::1]:1", 2));
	assert_int_equal(lp_quota_rows(f->quota), 2);
}

static void an_ipv4_address_inside_ipv6_is_that_address(void **state)
{
	struct fixture *f = *state;

	assert_true(take(f, "[::ffff:192.0.2.1]:1", 1));
	assert_false(take(f, "192.0.2.1:1", 1));
	assert_true(take(f, "[::ffff:192.0.2.2]:1", 1));
}

static void who_has_no_address_is_not_counted(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 10; i++) {
		assert_true(take(f, "unix", 1));
		assert_null(f->row);
		assert_true(take(f, "unknown", 1));
		assert_true(take(f, "", 1));
	}
	assert_int_equal(lp_quota_rows(f->quota), 0);
	lp_quota_give(f->quota, &f->row);
}

static void without_a_bound_nothing_is_counted(void **state)
{
	struct fixture *f = *state;

	assert_true(take(f, "192.0.2.1:1", 0));
	assert_null(f->row);
	assert_int_equal(lp_quota_rows(f->quota), 0);
}

/* Who walks through addresses finds the table no larger than what it holds. */
static void the_table_is_bounded_and_holds_only_who_holds_something(void **state)
{
	struct fixture *f = *state;
	struct lp_quota_row *rows[4];
	char peer[32];

	for (int i = 0; i < 4; i++) {
		snprintf(peer, sizeof(peer), "10.0.0.%d:1", i);
		assert_true(take(f, peer, 3));
		rows[i] = f->row;
	}
	assert_false(take(f, "10.0.1.0:1", 3));
	assert_true(take(f, "10.0.0.3:2", 3));		/* who has a row may have more */
	lp_quota_give(f->quota, &f->row);
	for (int i = 0; i < 4; i++)
		lp_quota_give(f->quota, &rows[i]);
	assert_int_equal(lp_quota_rows(f->quota), 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(peer, sizeof(peer), "10.1.%d.%d:1", i / 256, i % 256);
		assert_true(take(f, peer, 1));
		lp_quota_give(f->quota, &f->row);
	}
	assert_int_equal(lp_quota_rows(f->quota), 0);
}

static void a_name_is_no_address(void **state)
{
	struct fixture *f = *state;

	assert_true(take(f, "app:1", 1));
	assert_false(take(f, "app:2", 1));
	assert_true(take(f, "4app:1", 1));
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		test(one_address_holds_so_many_whatever_its_ports),
		test(sixty_four_bits_of_ipv6_are_one_client),
		test(an_ipv4_address_inside_ipv6_is_that_address),
		test(who_has_no_address_is_not_counted),
		test(without_a_bound_nothing_is_counted),
		test(the_table_is_bounded_and_holds_only_who_holds_something),
		test(a_name_is_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
