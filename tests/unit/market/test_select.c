#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/market/select.h>

#define ROUNDS 2000

/* How often each of at most 8 candidates is chosen. */
static void tally(int counts[8], const struct lp_candidate *candidates, int n)
{
	struct lp_dice dice;

	lp_dice_init(&dice, 7);
	memset(counts, 0, 8 * sizeof counts[0]);
	for (int i = 0; i < ROUNDS; i++) {
		struct lp_choice choice;

		lp_select(&choice, candidates, n, &dice);
		assert_in_range(choice.index, 0, n - 1);
		counts[choice.index]++;
	}
}

static struct lp_choice choose(const struct lp_candidate *candidates, int n)
{
	struct lp_choice choice;
	struct lp_dice dice;

	lp_dice_init(&dice, 1); /* whose first draws do not explore */
	lp_select(&choice, candidates, n, &dice);
	return choice;
}

static void nobody_is_chosen_from_nobody(void **state)
{
	(void)state;
	struct lp_candidate busy[] = { { .reject = LP_REJECT_BUSY },
				       { .reject = LP_REJECT_TRIED },
				       { .reject = LP_REJECT_BUSY } };
	struct lp_choice choice = choose(NULL, 0);

	assert_int_equal(choice.index, -1);
	assert_int_equal(choice.eligible, 0);
	choice = choose(busy, 3);
	assert_int_equal(choice.index, -1);
	assert_int_equal(choice.rejected[LP_REJECT_BUSY], 2);
	assert_int_equal(choice.rejected[LP_REJECT_TRIED], 1);
	assert_string_equal(choice.why, "none is eligible");
}

static void the_only_one_is_chosen_for_that(void **state)
{
	(void)state;
	struct lp_candidate two[] = { { .reject = LP_REJECT_MODEL, .warm = true }, { .score = 9 } };
	struct lp_choice choice = choose(two, 2);

	assert_int_equal(choice.index, 1);
	assert_int_equal(choice.eligible, 1);
	assert_string_equal(choice.why, "only one");
}

static void warm_goes_before_cold_however_fast(void **state)
{
	(void)state;
	struct lp_candidate two[] = { { .score = 0.001 },
				      { .warm = true, .score = 5 },
				      { .warm = true, .score = 6 } };
	int counts[8];

	tally(counts, two, 3);
	assert_int_equal(counts[0], 0);
	assert_string_equal(choose(two, 3).why, "fastest warm");
	two[1].warm = two[2].warm = false;
	assert_string_equal(choose(two, 3).why, "fastest cold");
	assert_int_equal(choose(two, 3).index, 0);
}

static void a_full_warm_one_goes_behind_a_free_cold_one(void **state)
{
	(void)state;
	struct lp_candidate some[] = {
		{ .warm = true, .score = 1, .capacity = 2, .in_flight = 2 },
		{ .warm = false, .score = 9 },
		{ .warm = false, .score = 1, .capacity = 1, .in_flight = 3 },
	};

	assert_int_equal(choose(some, 3).index, 1);
	some[1].reject = LP_REJECT_SUSPENDED;
	assert_int_equal(choose(some, 3).index, 0);
	some[2].warm = true;
	assert_string_equal(choose(some, 3).why, "shortest queue");
}

static void the_fastest_gets_nearly_all_and_the_others_a_look(void **state)
{
	(void)state;
	struct lp_candidate three[] = { { .score = 3 }, { .score = 1 }, { .score = 2 } };
	int counts[8];

	tally(counts, three, 3);
	assert_true(counts[1] > ROUNDS * 95 / 100);
	assert_true(counts[0] > 0 && counts[2] > 0);
}

static void jobs_in_flight_and_failures_make_one_dearer(void **state)
{
	(void)state;
	struct lp_candidate two[] = { { .score = 1, .in_flight = 3 }, { .score = 2 } };

	assert_int_equal(choose(two, 2).index, 1);
	two[0] = (struct lp_candidate){ .score = 1, .failures = 2 };
	assert_int_equal(choose(two, 2).index, 1);
	two[0].failures = 0;
	assert_int_equal(choose(two, 2).index, 0);
}

static void a_new_one_is_tried_early_but_not_by_everyone_at_once(void **state)
{
	(void)state;
	struct lp_candidate two[] = { { .score = 1 }, { .latency = 0.5 } };

	assert_int_equal(choose(two, 2).index, 1);
	assert_string_equal(choose(two, 2).why, "not measured yet");
	two[1].in_flight = 1; /* its first job runs: it is taken for as fast as the best */
	assert_int_equal(choose(two, 2).index, 0);
	two[1].in_flight = 0;
	two[1].failures = 1; /* its first job failed */
	assert_int_equal(choose(two, 2).index, 0);
}

static void among_new_ones_the_nearest_goes_first(void **state)
{
	(void)state;
	struct lp_candidate three[] = { { .latency = 0.3 },
					{ .latency = 0.02 },
					{ .latency = 0.1 } };

	assert_int_equal(choose(three, 3).index, 1);
	three[1].in_flight = 20;
	assert_int_equal(choose(three, 3).index, 2);
}

static void the_dice_breaks_ties_evenly(void **state)
{
	(void)state;
	struct lp_candidate four[] = {
		{ .score = 1 }, { .score = 1.02 }, { .score = 1.04 }, { .score = 1.2 }
	};
	int counts[8];

	tally(counts, four, 4);
	for (int i = 0; i < 3; i++)
		assert_in_range(counts[i], ROUNDS / 4, ROUNDS * 2 / 5);
	assert_in_range(counts[3], 1, ROUNDS / 20);
}

static void a_look_elsewhere_says_so(void **state)
{
	(void)state;
	struct lp_candidate two[] = { { .score = 1 },
				      { .reject = LP_REJECT_BUSY },
				      { .score = 100 } };
	struct lp_dice dice;
	int looks = 0;

	lp_dice_init(&dice, 3);
	for (int i = 0; i < ROUNDS; i++) {
		struct lp_choice choice;

		lp_select(&choice, two, 3, &dice);
		looks += strcmp(choice.why, "a look elsewhere") == 0;
		assert_true(choice.index != 1);
	}
	assert_in_range(looks, ROUNDS / 100, ROUNDS / 20);
}

static void scores_follow_measurements(void **state)
{
	(void)state;
	assert_true(lp_score_update(0, 4) == 4);
	assert_true(fabs(lp_score_update(4, 2) - 3.4) < 1e-9);
	assert_true(lp_score_update(4, 0) == 4);
	assert_true(lp_score_update(4, -1) == 4);
	assert_true(lp_score_update(4, NAN) == 4);
	assert_true(lp_score_update(4, INFINITY) == 4);
}

static void every_reason_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < LP_REJECTS; i++)
		assert_true(lp_reject_name((enum lp_reject)i)[0] != 0);
	assert_string_equal(lp_reject_name(LP_REJECT_BUSY), "busy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_chosen_from_nobody),
		cmocka_unit_test(the_only_one_is_chosen_for_that),
		cmocka_unit_test(warm_goes_before_cold_however_fast),
		cmocka_unit_test(a_full_warm_one_goes_behind_a_free_cold_one),
		cmocka_unit_test(the_fastest_gets_nearly_all_and_the_others_a_look),
		cmocka_unit_test(jobs_in_flight_and_failures_make_one_dearer),
		cmocka_unit_test(a_new_one_is_tried_early_but_not_by_everyone_at_once),
		cmocka_unit_test(among_new_ones_the_nearest_goes_first),
		cmocka_unit_test(the_dice_breaks_ties_evenly),
		cmocka_unit_test(a_look_elsewhere_says_so),
		cmocka_unit_test(scores_follow_measurements),
		cmocka_unit_test(every_reason_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
