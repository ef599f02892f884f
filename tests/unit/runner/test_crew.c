/* Helpers: every row once, whoever comes, and how many are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"

#define ROWS 1000

struct seen {
	int times[ROWS];		/* each row is one thread's alone */
	pthread_t caller;
	atomic_int others;		/* pieces that somebody else took */
};

static void count(void *self, int first, int end)
{
	struct seen *seen = self;

	for (int i = first; i < end; i++)
		seen->times[i]++;
	if (!pthread_equal(pthread_self(), seen->caller))
		atomic_fetch_add(&seen->others, 1);
	else if (end < ROWS)
		usleep(20);		/* helpers have time to come */
}

static void each_row_is_done_once_however_many_come(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");

	(void)state;
	for (int threads = 1; threads <= LP_CREW_MOST; threads++) {
		struct lp_crew *crew = lp_crew_open(scope, threads);

		for (int round = 0; round < 20; round++) {
			struct seen seen = { .caller = pthread_self() };

			lp_crew_run(crew, &(struct lp_loop_of){ count, &seen, ROWS, 7 });
			for (int i = 0; i < ROWS; i++)
				assert_int_equal(seen.times[i], 1);
			assert_true(threads > 1 || seen.others == 0);
		}
	}
	lp_scope_close(&scope);
}

static void helpers_do_come(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_crew *crew = lp_crew_open(scope, 2);
	int others = 0;

	(void)state;
	for (int round = 0; round < 500 && !others; round++) {
		struct seen seen = { .caller = pthread_self() };

		lp_crew_run(crew, &(struct lp_loop_of){ count, &seen, ROWS, 7 });
		others = seen.others;
	}
	assert_true(others > 0);
	lp_scope_close(&scope);
}

static void without_a_crew_or_with_one_piece_the_caller_does_it_at_once(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct seen seen = { .caller = pthread_self() };

	(void)state;
	lp_crew_run(NULL, &(struct lp_loop_of){ count, &seen, ROWS, 7 });
	lp_crew_run(lp_crew_open(scope, 4), &(struct lp_loop_of){ count, &seen, ROWS, ROWS });
	assert_int_equal(seen.others, 0);
	assert_int_equal(seen.times[0] + seen.times[ROWS - 1], 4);
	lp_scope_close(&scope);
}

/* In hundredths of a core. */
static void a_helper_is_called_for_each_core_that_others_leave(void **state)
{
	(void)state;
	assert_int_equal(lp_crew_hands(1, 0), 1);
	assert_int_equal(lp_crew_hands(2, 0), 2);
	assert_int_equal(lp_crew_hands(2, 30), 2);
	assert_int_equal(lp_crew_hands(2, 31), 1);
	assert_int_equal(lp_crew_hands(2, 200), 1);
	assert_int_equal(lp_crew_hands(8, 250), 5);
	assert_int_equal(lp_crew_hands(8, 900), 1);
}

static void looking_leaves_between_one_and_all(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_crew *crew = lp_crew_open(scope, 0);
	struct seen seen = { .caller = pthread_self() };

	(void)state;
	assert_in_range(lp_crew_threads(crew), 1, LP_CREW_MOST);
	for (int i = 0; i < 3; i++) {
		usleep(150000);
		lp_crew_look(crew);
		lp_crew_run(crew, &(struct lp_loop_of){ count, &seen, ROWS, 7 });
	}
	assert_int_equal(seen.times[ROWS / 2], 3);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_done_once_however_many_come),
		cmocka_unit_test(helpers_do_come),
		cmocka_unit_test(without_a_crew_or_with_one_piece_the_caller_does_it_at_once),
		cmocka_unit_test(a_helper_is_called_for_each_core_that_others_leave),
		cmocka_unit_test(looking_leaves_between_one_and_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
