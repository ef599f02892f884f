#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lpd/base/random.h>

#include "real_loop.h"

#define N 500

struct row {
	struct lp_timer timer;
	struct fixture *f;
	int64_t fired;
	int place;		/* how many had fired before */
};

struct fixture {
	struct real_loop r;
	struct row rows[N];
	int fired;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	real_loop_open(&f->r);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	real_loop_close(&f->r);
	free(f);
	return 0;
}

static void on_fire(void *self)
{
	struct row *row = self;

	row->fired = lp_mono(row->f->r.loop);
	row->place = row->f->fired++;
}

static struct lp_timer *timer(struct fixture *f, int i)
{
	struct row *row = &f->rows[i];

	row->f = f;
	row->timer.fire = on_fire;
	row->timer.self = row;
	return &row->timer;
}

static void a_timer_fires_once_and_not_early(void **state)
{
	struct fixture *f = *state;
	int64_t begun = lp_mono(f->r.loop);

	lp_timer_set(timer(f, 0), f->r.loop, 10 * LP_MSEC);
	assert_true(lp_timer_is_set(&f->rows[0].timer));
	real_loop_run_for(&f->r, 30 * LP_MSEC);
	assert_int_equal(f->fired, 1);
	assert_true(f->rows[0].fired - begun >= 10 * LP_MSEC);
	assert_false(lp_timer_is_set(&f->rows[0].timer));
}

static void timers_of_one_time_fire_in_the_order_of_setting(void **state)
{
	struct fixture *f = *state;
	struct lp_timers *timers = lp_loop_timers(f->r.loop);

	for (int i = 0; i < 20; i++)
		lp_timer_set(timer(f, i), f->r.loop, LP_MSEC);
	for (int i = 0; i < 20; i++)
		f->rows[i].timer.at = f->rows[0].timer.at;	/* as under the virtual clock */
	lp_timers_run(timers, f->rows[0].timer.at);
	for (int i = 0; i < 20; i++)
		assert_int_equal(f->rows[i].place, i);
}

static void never_is_not_set_and_less_than_nothing_is_now(void **state)
{
	struct fixture *f = *state;

	lp_timer_set(timer(f, 0), f->r.loop, LP_NEVER);
	assert_false(lp_timer_is_set(&f->rows[0].timer));
	lp_timer_set(timer(f, 1), f->r.loop, LP_HOUR);
	lp_timer_set(timer(f, 1), f->r.loop, LP_NEVER);
	assert_false(lp_timer_is_set(&f->rows[1].timer));
	lp_timer_set(timer(f, 2), f->r.loop, -5);
	real_loop_run_for(&f->r, 5 * LP_MSEC);
	assert_int_equal(f->fired, 1);
	assert_true(f->rows[2].fired > 0);
}

static void setting_a_set_timer_moves_it(void **state)
{
	struct fixture *f = *state;

	lp_timer_set(timer(f, 0), f->r.loop, LP_HOUR);
	lp_timer_set(timer(f, 1), f->r.loop, LP_MSEC);
	lp_timer_set(timer(f, 0), f->r.loop, 2 * LP_MSEC);
	lp_timer_set(timer(f, 1), f->r.loop, LP_HOUR);
	real_loop_run_for(&f->r, 10 * LP_MSEC);
	assert_int_equal(f->fired, 1);
	assert_true(f->rows[0].fired > 0);
	lp_timer_clear(&f->rows[1].timer);
	lp_timer_clear(&f->rows[1].timer);
}

/* Against a plain list: whatever is set, moved and cleared, what is due fires in order and nothing else. */
static void any_mix_of_settings_fires_in_order(void **state)
{
	struct fixture *f = *state;
	struct lp_dice dice;

	lp_dice_init(&dice, 7);
	for (int step = 0; step < 5000; step++) {
		int i = (int)lp_dice_below(&dice, N);
		if (lp_dice_below(&dice, 3))
			lp_timer_set(timer(f, i), f->r.loop, (int64_t)lp_dice_below(&dice, 1000000) * LP_MSEC);
		else
			lp_timer_clear(timer(f, i));
	}
	int set = 0;
	for (int i = 0; i < N; i++)
		set += lp_timer_is_set(&f->rows[i].timer);
	struct lp_timers *timers = lp_loop_timers(f->r.loop);
	int64_t at = 0;
	while (lp_timers_next(timers) != LP_NEVER) {
		int64_t next = lp_timers_next(timers);
		int before = f->fired;

		assert_true(next >= at);
		at = next;
		lp_timers_run(timers, at);
		assert_true(f->fired > before);
	}
	assert_int_equal(f->fired, set);
	for (int i = 0; i < N; i++)
		assert_false(lp_timer_is_set(&f->rows[i].timer));
}

static void set_again_at_once(void *self)
{
	struct row *row = self;

	row->f->fired++;
	lp_timer_set(&row->timer, row->f->r.loop, 0);
}

static void a_timer_that_sets_itself_for_now_does_not_hold_up_the_run(void **state)
{
	struct fixture *f = *state;

	timer(f, 0)->fire = set_again_at_once;
	lp_timer_set(&f->rows[0].timer, f->r.loop, 0);
	lp_timers_run(lp_loop_timers(f->r.loop), LP_NEVER - 1);
	assert_int_equal(f->fired, 1);
	lp_timer_clear(&f->rows[0].timer);
}

static void set_again_200_times(void *self)
{
	struct row *row = self;

	if (++row->f->fired < 200)
		lp_timer_set(&row->timer, row->f->r.loop, 0);
	else
		lp_loop_stop(row->f->r.loop);
}

static void a_timer_for_now_does_not_wait_for_the_next_millisecond(void **state)
{
	struct fixture *f = *state;
	int64_t begun = lp_mono(f->r.loop);

	timer(f, 0)->fire = set_again_200_times;
	lp_timer_set(&f->rows[0].timer, f->r.loop, 0);
	real_loop_run(&f->r);
	assert_true(lp_mono(f->r.loop) - begun < 150 * LP_MSEC);
}

static void clear_the_other(void *self)
{
	struct row *row = self;

	row->f->fired++;
	lp_timer_clear(&row->f->rows[1].timer);
}

static void a_timer_may_clear_another_that_is_due(void **state)
{
	struct fixture *f = *state;

	timer(f, 0)->fire = clear_the_other;
	lp_timer_set(&f->rows[0].timer, f->r.loop, 0);
	lp_timer_set(timer(f, 1), f->r.loop, 0);
	real_loop_run_for(&f->r, 2 * LP_MSEC);
	assert_int_equal(f->fired, 1);
}

static void a_timer_set_before_a_slow_start_still_waits_its_time(void **state)
{
	struct fixture *f = *state;
	struct timespec start_up = { .tv_nsec = 30000000 };

	nanosleep(&start_up, NULL);
	int64_t begun = lp_mono(f->r.loop);
	lp_timer_set(timer(f, 0), f->r.loop, 20 * LP_MSEC);
	real_loop_run_for(&f->r, 40 * LP_MSEC);
	assert_true(f->rows[0].fired - begun >= 20 * LP_MSEC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_timer_fires_once_and_not_early),
		TEST(timers_of_one_time_fire_in_the_order_of_setting),
		TEST(never_is_not_set_and_less_than_nothing_is_now),
		TEST(setting_a_set_timer_moves_it),
		TEST(any_mix_of_settings_fires_in_order),
		TEST(a_timer_that_sets_itself_for_now_does_not_hold_up_the_run),
		TEST(a_timer_for_now_does_not_wait_for_the_next_millisecond),
		TEST(a_timer_may_clear_another_that_is_due),
		TEST(a_timer_set_before_a_slow_start_still_waits_its_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
