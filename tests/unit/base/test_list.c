#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/list.h>

struct row {
	int n;
	struct lp_link link;
};

static void rows_stand_in_the_order_they_were_added(void **state)
{
	(void)state;
	struct lp_list list;
	struct row rows[4] = { { .n = 0 }, { .n = 1 }, { .n = 2 }, { .n = 3 } };
	int expected = 0;

	lp_list_init(&list);
	assert_true(lp_list_empty(&list));
	assert_null(lp_list_first(&list));
	for (int i = 1; i < 4; i++)
		lp_list_add(&list, &rows[i].link);
	lp_list_add_front(&list, &rows[0].link);
	lp_list_each(&list, row, struct row, link)
		assert_int_equal(row->n, expected++);
	assert_int_equal(expected, 4);
}

static void a_row_may_leave_while_the_list_is_walked(void **state)
{
	(void)state;
	struct lp_list list;
	struct row rows[4] = { { .n = 0 }, { .n = 1 }, { .n = 2 }, { .n = 3 } };

	lp_list_init(&list);
	for (int i = 0; i < 4; i++)
		lp_list_add(&list, &rows[i].link);
	lp_list_each(&list, row, struct row, link) {
		if (row->n != 2)
			lp_link_out(&row->link);
	}
	assert_ptr_equal(lp_list_first(&list), &rows[2].link);
	assert_false(lp_link_in(&rows[0].link));
	assert_true(lp_link_in(&rows[2].link));
	lp_link_out(&rows[0].link);
	lp_link_out(&rows[2].link);
	assert_true(lp_list_empty(&list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_stand_in_the_order_they_were_added),
		cmocka_unit_test(a_row_may_leave_while_the_list_is_walked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
