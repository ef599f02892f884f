#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "real_loop.h"

struct fixture {
	struct real_loop r;
	char said[64];
	struct lp_ready rows[48];
	struct lp_timer timer;
	int count;
};

static void say(struct fixture *f, char c)
{
	size_t n = strlen(f->said);

	assert_true(n < sizeof(f->said) - 1);
	f->said[n] = c;
}

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	real_loop_open(&f.r);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	real_loop_close(&f->r);
	return 0;
}

static void say_a(void *self)
{
	say(self, 'a');
}

static void say_b(void *self)
{
	say(self, 'b');
}

static void say_f(void *self)
{
	say(self, 'f');
}

static void say_stop(void *self)
{
	struct fixture *f = self;

	say(f, '.');
	lp_loop_stop(f->r.loop);
}

static struct lp_ready *row(struct fixture *f, int i, void (*run)(void *self))
{
	f->rows[i].run = run;
	f->rows[i].self = f;
	return &f->rows[i];
}

static void rows_run_in_the_order_in_which_they_were_made_ready(void **state)
{
	struct fixture *f = *state;

	lp_ready(f->r.loop, row(f, 0, say_b));
	lp_ready(f->r.loop, row(f, 1, say_a));
	lp_ready(f->r.loop, row(f, 0, say_b));	/* stays where it is */
	lp_ready(f->r.loop, row(f, 2, say_stop));
	assert_string_equal(f->said, "");
	real_loop_run(&f->r);
	assert_string_equal(f->said, "ba.");
}

static void a_row_taken_out_does_not_run(void **state)
{
	struct fixture *f = *state;

	lp_ready(f->r.loop, row(f, 0, say_a));
	lp_ready(f->r.loop, row(f, 1, say_b));
	lp_ready(f->r.loop, row(f, 2, say_stop));
	lp_unready(&f->rows[0]);
	lp_unready(&f->rows[0]);
	real_loop_run(&f->r);
	assert_string_equal(f->said, "b.");
}

static void take_out_the_next(void *self)
{
	struct fixture *f = self;

	say(f, 'x');
	lp_unready(&f->rows[1]);
}

static void a_row_may_take_out_another_that_would_run_now(void **state)
{
	struct fixture *f = *state;

	lp_ready(f->r.loop, row(f, 0, take_out_the_next));
	lp_ready(f->r.loop, row(f, 1, say_b));
	lp_ready(f->r.loop, row(f, 2, say_stop));
	real_loop_run(&f->r);
	assert_string_equal(f->said, "x.");
}

static void make_another_ready(void *self)
{
	struct fixture *f = self;

	say(f, 'x');
	lp_ready(f->r.loop, row(f, 3, say_a));
}

static void flushing_comes_behind_all_that_is_ready(void **state)
{
	struct fixture *f = *state;

	lp_before_sleep(f->r.loop, row(f, 4, say_f));
	lp_ready(f->r.loop, row(f, 0, make_another_ready));
	lp_ready(f->r.loop, row(f, 1, say_b));
	lp_timer_set(&f->timer, f->r.loop, 0);
	lp_timer_clear(&f->timer);
	f->timer = (struct lp_timer){ .fire = say_stop, .self = f };
	lp_timer_set(&f->timer, f->r.loop, 5 * LP_MSEC);
	real_loop_run(&f->r);
	assert_string_equal(f->said, "xbaf.");
}

/* Forty jobs that write to one connection do not keep its peer waiting for the last of them. */
static void what_some_rows_wrote_goes_out_before_all_of_them_have_run(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 40; i++)
		lp_ready(f->r.loop, row(f, i, say_a));
	lp_ready(f->r.loop, row(f, 40, say_stop));
	lp_before_sleep(f->r.loop, row(f, 41, say_f));
	real_loop_run(&f->r);
	const char *flushed = strchr(f->said, 'f');
	assert_non_null(flushed);
	assert_int_equal(flushed - f->said, 16);
	assert_int_equal(strlen(f->said), 42);
}

static void ready_from_flush(void *self)
{
	struct fixture *f = self;

	say(f, 'f');
	lp_ready(f->r.loop, row(f, 2, say_stop));
}

static void a_row_made_ready_by_a_flush_runs_without_a_sleep(void **state)
{
	struct fixture *f = *state;

	lp_before_sleep(f->r.loop, row(f, 4, ready_from_flush));
	int64_t begun = lp_mono(f->r.loop);
	real_loop_run(&f->r);
	assert_string_equal(f->said, "f.");
	assert_true(lp_mono(f->r.loop) - begun < 2 * LP_SEC);
}

static void again(void *self)
{
	struct fixture *f = self;

	f->count++;
	lp_ready(f->r.loop, &f->rows[0]);
}

static void a_row_that_is_always_ready_does_not_keep_timers_from_firing(void **state)
{
	struct fixture *f = *state;

	lp_ready(f->r.loop, row(f, 0, again));
	f->timer = (struct lp_timer){ .fire = say_stop, .self = f };
	lp_timer_set(&f->timer, f->r.loop, 3 * LP_MSEC);
	real_loop_run(&f->r);
	assert_string_equal(f->said, ".");
	assert_true(f->count > 16);
	lp_unready(&f->rows[0]);
}

static void on_term(void *self)
{
	say(self, 't');
	say_stop(self);
}

static void on_hangup(void *self)
{
	say(self, 'h');
	raise(SIGINT);
}

static void raise_hangup(void *self)
{
	(void)self;
	raise(SIGHUP);
}

static void signals_reach_their_handlers(void **state)
{
	struct fixture *f = *state;

	lp_loop_on_signal(f->r.loop, LP_SIGNAL_STOP, on_term, f);
	lp_loop_on_signal(f->r.loop, LP_SIGNAL_RELOAD, on_hangup, f);
	lp_ready(f->r.loop, row(f, 0, raise_hangup));
	real_loop_run(&f->r);
	assert_string_equal(f->said, "ht.");
	lp_loop_on_signal(f->r.loop, LP_SIGNAL_RELOAD, NULL, NULL);
	lp_loop_on_signal(f->r.loop, LP_SIGNAL_STOP, NULL, NULL);
}

static void the_clocks_move_and_agree_with_the_world(void **state)
{
	struct fixture *f = *state;
	int64_t mono = lp_mono(f->r.loop), wall = lp_wall(f->r.loop);

	assert_true(wall > 1700000000 * LP_SEC);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_true(lp_mono(f->r.loop) - mono >= 20 * LP_MSEC);
	assert_true(lp_wall(f->r.loop) - wall >= 15 * LP_MSEC);
}

static void note_time(void *self)
{
	struct fixture *f = self;

	f->count = (int)lp_mono(f->r.loop);
	usleep(3000);
	assert_int_equal((int)lp_mono(f->r.loop), f->count);
	say_stop(f);
}

static void mono_stands_still_within_a_turn(void **state)
{
	struct fixture *f = *state;

	lp_ready(f->r.loop, row(f, 0, note_time));
	real_loop_run(&f->r);
}

static void sleep_long(void *self)
{
	usleep(60000);
	say_stop(self);
}

static void a_long_turn_is_noticed_and_sleeping_is_none(void **state)
{
	struct fixture *f = *state;

	real_loop_run_for(&f->r, 100 * LP_MSEC);
	assert_true(lp_loop_longest_turn(f->r.loop) < 50 * LP_MSEC);
	uint64_t stalls = lp_loop_stalls(f->r.loop);
	lp_ready(f->r.loop, row(f, 0, sleep_long));
	real_loop_run(&f->r);
	int64_t longest = lp_loop_longest_turn(f->r.loop);
	assert_true(longest >= 60 * LP_MSEC && longest < LP_SEC);
	assert_int_equal(lp_loop_longest_turn(f->r.loop), 0);
	assert_true(lp_loop_stalls(f->r.loop) > stalls);
}

static void a_short_sleep(void *self)
{
	(void)self;
	usleep(20000);
}

static void a_turn_is_as_long_as_its_steps_together_and_a_step_is_one_of_them(void **state)
{
	struct fixture *f = *state;

	lp_ready(f->r.loop, row(f, 0, a_short_sleep));
	lp_ready(f->r.loop, row(f, 1, a_short_sleep));
	lp_ready(f->r.loop, row(f, 2, say_stop));
	real_loop_run(&f->r);
	int64_t step = lp_loop_longest_step(f->r.loop), turn = lp_loop_longest_turn(f->r.loop);
	assert_true(step >= 20 * LP_MSEC);
	assert_true(turn >= step + 20 * LP_MSEC);
	assert_int_equal(lp_loop_longest_step(f->r.loop), 0);
}

static void opening_a_loop_raises_the_limit_of_descriptors_and_ignores_sigpipe(void **state)
{
	struct rlimit files;
	int fds[2];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	assert_int_equal(files.rlim_cur, files.rlim_max);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(write(fds[1], "x", 1), -1);	/* and we live */
	close(fds[1]);
}

static void a_stop_before_the_run_counts_once(void **state)
{
	struct fixture *f = *state;

	lp_loop_stop(f->r.loop);
	lp_loop_run(f->r.loop);
	real_loop_run_for(&f->r, LP_MSEC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_run_in_the_order_in_which_they_were_made_ready),
		TEST(a_row_taken_out_does_not_run),
		TEST(a_row_may_take_out_another_that_would_run_now),
		TEST(flushing_comes_behind_all_that_is_ready),
		TEST(what_some_rows_wrote_goes_out_before_all_of_them_have_run),
		TEST(a_row_made_ready_by_a_flush_runs_without_a_sleep),
		TEST(a_row_that_is_always_ready_does_not_keep_timers_from_firing),
		TEST(signals_reach_their_handlers),
		TEST(the_clocks_move_and_agree_with_the_world),
		TEST(mono_stands_still_within_a_turn),
		TEST(a_long_turn_is_noticed_and_sleeping_is_none),
		TEST(a_turn_is_as_long_as_its_steps_together_and_a_step_is_one_of_them),
		TEST(opening_a_loop_raises_the_limit_of_descriptors_and_ignores_sigpipe),
		TEST(a_stop_before_the_run_counts_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
