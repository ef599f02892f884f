#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/random.h>
#include <lpd/base/time.h>
#include <lpd/market/agenda.h>

#define MANY 300

struct world {
	struct lp_agenda agenda;
	struct lp_alarm alarms[MANY];
	struct lp_dice dice;
};

static int world_open(void **state)
{
	struct world *w = *state = calloc(1, sizeof(*w));

	lp_dice_init(&w->dice, 4);
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	lp_agenda_clear(&w->agenda);
	free(w);
	return 0;
}

static int64_t least(const struct world *w)
{
	int64_t first = LP_NEVER;

	for (int i = 0; i < MANY; i++)
		if (w->alarms[i].place && w->alarms[i].at < first)
			first = w->alarms[i].at;
	return first;
}

static void alarms_ring_in_order_however_they_are_set(void **state)
{
	struct world *w = *state;
	int64_t last = 0;
	int rang = 0;

	for (int step = 0; step < 20000; step++) {
		struct lp_alarm *alarm = &w->alarms[lp_dice_below(&w->dice, MANY)];
		int64_t at = (int64_t)lp_dice_below(&w->dice, 1000);

		lp_agenda_set(&w->agenda, alarm, at < 100 ? LP_NEVER : at);
		assert_int_equal(alarm->place != 0, at >= 100);
		if (step % 20 == 0)
			assert_true(lp_agenda_first(&w->agenda, NULL, NULL) == least(w));
	}
	int set = w->agenda.n;

	for (struct lp_alarm *a; (a = lp_agenda_due(&w->agenda, 500)); rang++) {
		assert_true(a->at >= last && a->at <= 500);
		assert_int_equal(a->place, 0);
		last = a->at;
	}
	assert_true(rang > 0 && rang < set);
	assert_int_equal(w->agenda.n, set - rang);
	assert_true(lp_agenda_first(&w->agenda, NULL, NULL) > 500);
}

static void nothing_rings_when_nothing_is_set(void **state)
{
	struct world *w = *state;

	assert_null(lp_agenda_due(&w->agenda, LP_NEVER));
	assert_true(lp_agenda_first(&w->agenda, NULL, NULL) == LP_NEVER);
	lp_agenda_set(&w->agenda, &w->alarms[0], LP_NEVER);
	lp_agenda_set(&w->agenda, &w->alarms[0], 5);
	assert_null(lp_agenda_due(&w->agenda, 4));
	assert_ptr_equal(lp_agenda_due(&w->agenda, 5), &w->alarms[0]);
	assert_null(lp_agenda_due(&w->agenda, 5));
}

static bool is_early(const void *self, const struct lp_alarm *alarm)
{
	(void)self;
	return alarm->at < 10;
}

static void some_are_passed_over(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 20; i++)
		lp_agenda_set(&w->agenda, &w->alarms[i], 19 - i);
	assert_true(lp_agenda_first(&w->agenda, is_early, NULL) == 10);
	assert_true(lp_agenda_first(&w->agenda, NULL, NULL) == 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
	const struct CMUnitTest tests[] = {
		T(alarms_ring_in_order_however_they_are_set),
		T(nothing_rings_when_nothing_is_set),
		T(some_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
