#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/io/pool.h>

#include "real_loop.h"

struct sum {
	struct real_loop *r;
	pthread_t loop_thread;
	int from, to;
	bool off_loop;
	long total;
	int nap_ms;
	bool done, freed;
	int *left;
};

static void add_up(void *arg)
{
	struct sum *sum = arg;

	usleep((useconds_t)sum->nap_ms * 1000);
	for (int i = sum->from; i <= sum->to; i++)
		sum->total += i;
	sum->off_loop = !pthread_equal(pthread_self(), sum->loop_thread);
}

static void on_done(void *self, void *arg)
{
	struct sum *sum = arg;

	assert_ptr_equal(self, sum->r);
	assert_true(pthread_equal(pthread_self(), sum->loop_thread));
	assert_false(sum->freed);
	sum->done = true;
}

static void on_free(void *arg)
{
	struct sum *sum = arg;

	assert_true(pthread_equal(pthread_self(), sum->loop_thread));
	sum->freed = true;
	if (sum->left && --*sum->left == 0)
		lp_loop_stop(sum->r->loop);
}

static int setup(void **state)
{
	static struct real_loop r;

	real_loop_open(&r);
	*state = &r;
	return 0;
}

static int teardown(void **state)
{
	real_loop_close(*state);
	return 0;
}

static void start(struct lp_scope *scope, struct real_loop *r, struct sum *sum, int *left)
{
	sum->r = r;
	sum->loop_thread = pthread_self();
	sum->left = left;
	lp_pool_run(scope, r->loop, &(struct lp_work){ add_up, on_done, on_free, sum, r });
}

static void work_runs_in_a_thread_and_returns_to_the_loop(void **state)
{
	struct real_loop *r = *state;
	struct sum sum = { .from = 1, .to = 100 };
	int left = 1;

	start(r->scope, r, &sum, &left);
	assert_false(sum.done);
	real_loop_run(r);
	assert_true(sum.done && sum.freed && sum.off_loop);
	assert_int_equal(sum.total, 5050);
}

static void many_items_all_return(void **state)
{
	enum { N = 2000 };
	struct real_loop *r = *state;
	struct sum *sums = calloc(N, sizeof(*sums));
	int left = N;

	for (int i = 0; i < N; i++) {
		sums[i].from = i;
		sums[i].to = i + 1;
		start(r->scope, r, &sums[i], &left);
	}
	real_loop_run(r);
	for (int i = 0; i < N; i++)
		assert_int_equal(sums[i].total, 2 * i + 1);
	free(sums);
}

static void eight_items_run_at_once(void **state)
{
	struct real_loop *r = *state;
	struct sum sums[8];
	int left = 8;

	memset(sums, 0, sizeof(sums));
	int64_t begun = lp_mono(r->loop);
	for (int i = 0; i < 8; i++) {
		sums[i].nap_ms = 300;
		start(r->scope, r, &sums[i], &left);
	}
	real_loop_run(r);
	assert_true(lp_mono(r->loop) - begun < 590 * LP_MSEC);	/* with libuv's own 4 threads: 600 */
}

static void closing_the_scope_drops_the_result_but_not_the_work(void **state)
{
	struct real_loop *r = *state;
	struct sum sum = { .from = 1, .to = 2, .nap_ms = 20 };
	struct lp_scope *scope = lp_scope_open(r->scope, "short");
	int left = 1;

	start(scope, r, &sum, &left);
	lp_scope_close(&scope);
	assert_false(sum.freed);
	real_loop_run(r);
	assert_false(sum.done);
	assert_true(sum.freed);
	assert_int_equal(sum.total, 3);
}

static void closing_the_loop_waits_for_the_work(void **state)
{
	struct real_loop *r = *state;
	struct sum sum = { .from = 1, .to = 2, .nap_ms = 20 };

	start(r->scope, r, &sum, NULL);
	real_loop_close(r);
	assert_false(sum.done);
	assert_true(sum.freed);
	assert_int_equal(sum.total, 3);
	real_loop_open(r);
}

static struct lp_scope *to_close;

static void close_in_done(void *self, void *arg)
{
	on_done(self, arg);
	lp_scope_close(&to_close);
}

static void the_scope_may_close_in_done(void **state)
{
	struct real_loop *r = *state;
	struct sum sum = { .r = r, .loop_thread = pthread_self(), .to = 1 };
	int left = 1;

	sum.left = &left;
	to_close = lp_scope_open(r->scope, "short");
	lp_pool_run(to_close, r->loop, &(struct lp_work){ add_up, close_in_done, on_free, &sum, r });
	real_loop_run(r);
	assert_true(sum.done && sum.freed);
	assert_null(to_close);
}

static void done_and_free_are_optional(void **state)
{
	struct real_loop *r = *state;
	struct sum sum = { .r = r, .loop_thread = pthread_self(), .from = 3, .to = 3 };

	lp_pool_run(r->scope, r->loop, &(struct lp_work){ .fn = add_up, .arg = &sum });
	real_loop_close(r);
	assert_int_equal(sum.total, 3);
	real_loop_open(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(work_runs_in_a_thread_and_returns_to_the_loop),
		TEST(many_items_all_return),
		TEST(eight_items_run_at_once),
		TEST(closing_the_scope_drops_the_result_but_not_the_work),
		TEST(closing_the_loop_waits_for_the_work),
		TEST(the_scope_may_close_in_done),
		TEST(done_and_free_are_optional),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
