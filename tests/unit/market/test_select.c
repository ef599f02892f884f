#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/market/select.h>

#define ROUNDS 2000

struct result {
	int index;	/* -1: none */
	int eligible;
	int rejected[LP_REJECTS];
	const char *why;
};

/* The choice among these, who are put into a field of their own. */
static struct result select_from(const struct lp_candidate *candidates, int n, const struct lp_select_want *want,
				 struct lp_dice *dice)
{
	struct lp_candidate all[16];
	struct lp_field field = { 0 };
	struct lp_choice choice;
	struct result result;

	assert_true(n <= 16);
	for (int i = 0; i < n; i++) {
		all[i] = candidates[i];
		all[i].id = (uint64_t)i;
		lp_field_put(&field, &all[i], want->price_factor);
	}
	lp_select(&choice, &field, want, dice);
	result = (struct result){
		.index = choice.chosen ? (int)(choice.chosen - all) : -1,
		.eligible = choice.eligible,
		.why = choice.why,
	};
	memcpy(result.rejected, choice.rejected, sizeof(result.rejected));
	return result;
}

/* How often each of at most 8 candidates is chosen. */
static void tally_with(int counts[8], const struct lp_candidate *candidates, int n,
		       const struct lp_select_want *want)
{
	struct lp_dice dice;

	lp_dice_init(&dice, 7);
	memset(counts, 0, 8 * sizeof counts[0]);
	for (int i = 0; i < ROUNDS; i++) {
		struct result choice = select_from(candidates, n, want, &dice);

		assert_in_range(choice.index, 0, n - 1);
		counts[choice.index]++;
	}
}

static void tally(int counts[8], const struct lp_candidate *candidates, int n)
{
	tally_with(counts, candidates, n, &(struct lp_select_want){ 0 });
}

static struct result choose(const struct lp_candidate *candidates, int n)
{
	struct lp_dice dice;

	lp_dice_init(&dice, 1); /* whose first draws do not explore */
	return select_from(candidates, n, &(struct lp_select_want){ 0 }, &dice);
}

static void nobody_is_chosen_from_nobody(void **state)
{
	(void)state;
	struct lp_candidate busy[] = { { .reject = LP_REJECT_BUSY },
				       { .reject = LP_REJECT_TRIED },
				       { .reject = LP_REJECT_BUSY } };
	struct result choice = choose(NULL, 0);

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
	struct result choice = choose(two, 2);

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
		struct result choice = select_from(two, 3, &(struct lp_select_want){ 0 }, &dice);

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

/* ---- the operator's weights ---- */

static void stake_price_and_chance_get_their_shares_of_those_that_are_good(void **state)
{
	(void)state;
	struct lp_candidate four[] = {
		{ .score = 1, .stake = 3, .priced = true, .price = 500 },
		{ .score = 1.1, .stake = 1, .priced = true, .price = 100 },
		{ .score = 1.15, .priced = true, .price = 200 },
		{ .score = 1.3, .stake = 1000, .priced = true, .price = 1 }, /* too slow */
	};
	int counts[8];

	tally_with(counts, four, 4, &(struct lp_select_want){ .by_stake = 1, .price_factor = 100 });
	assert_in_range(counts[0], 1350, 1550);
	assert_in_range(counts[1], 430, 560);
	assert_in_range(counts[2] + counts[3], 1, 60); /* looks elsewhere */
	tally_with(counts, four, 4, &(struct lp_select_want){ .by_price = 1, .price_factor = 100 });
	assert_in_range(counts[1], 1340, 1520); /* 1 : e^-1 : e^-4 of 97 % */
	assert_in_range(counts[2], 460, 610);
	assert_true(counts[0] < 80 && counts[3] < 40);
	tally_with(counts, four, 4, &(struct lp_select_want){ .by_chance = 1, .price_factor = 100 });
	for (int i = 0; i < 3; i++)
		assert_in_range(counts[i], 580, 730);
	tally_with(counts, four, 4,
		   &(struct lp_select_want){ .by_stake = 0.5, .by_price = 0.3, .by_chance = 0.2,
					     .price_factor = 1 });
	assert_in_range(counts[0], 770, 950);  /* 3/4 of 0.5, a third of 0.2 */
	assert_in_range(counts[1], 880, 1060); /* 1/4 of 0.5, 0.3, a third of 0.2 */
}

static void without_stakes_and_prices_the_fastest_goes_first(void **state)
{
	(void)state;
	struct lp_candidate two[] = { { .score = 1 }, { .score = 1.19 } };
	int counts[8];

	tally_with(counts, two, 2, &(struct lp_select_want){ .by_stake = 0.7, .by_price = 0.3, .price_factor = 100 });
	assert_true(counts[0] > ROUNDS * 95 / 100);
}

static void who_tells_no_price_is_not_drawn_by_price(void **state)
{
	(void)state;
	struct lp_candidate two[] = { { .score = 1 }, { .score = 1.1, .priced = true, .price = 1e9 } };
	int counts[8];

	tally_with(counts, two, 2, &(struct lp_select_want){ .by_price = 1, .price_factor = 100 });
	assert_true(counts[1] > ROUNDS * 95 / 100);
}

static void the_dear_and_the_badly_spoken_of_come_last(void **state)
{
	(void)state;
	struct lp_candidate three[] = {
		{ .stand = LP_STAND_DEAR, .warm = true, .score = 0.1 },
		{ .stand = LP_STAND_SLOW, .warm = true, .score = 0.1 },
		{ .score = 9 },
	};
	struct result choice = choose(three, 3);

	assert_int_equal(choice.index, 2);
	assert_int_equal(choice.eligible, 1);
	assert_int_equal(choice.rejected[LP_REJECT_PRICE], 1);
	assert_int_equal(choice.rejected[LP_REJECT_PERF], 1);
	three[2].reject = LP_REJECT_BUSY;
	choice = choose(three, 3);
	assert_int_equal(choice.index, 1);
	assert_int_equal(choice.rejected[LP_REJECT_PERF], 0);
	three[1].reject = LP_REJECT_BUSY;
	assert_int_equal(choose(three, 3).index, 0);
}

static void one_that_often_fails_is_dearer_than_it_looks(void **state)
{
	(void)state;
	struct lp_candidate two[] = { { .score = 1, .doubt = 0.3 }, { .score = 1.5 } };
	double doubt = 0;

	assert_int_equal(choose(two, 2).index, 1);
	two[0].doubt = 0.05;
	assert_int_equal(choose(two, 2).index, 0);
	for (int i = 0; i < 1000; i++)
		doubt = lp_doubt_update(doubt, i % 4 == 0);
	assert_true(fabs(doubt - 0.25) < 0.1);
}

static void slots_that_are_free_are_used_before_somebody_slower(void **state)
{
	(void)state;
	struct lp_candidate two[] = { { .score = 1, .in_flight = 3, .capacity = 4 }, { .score = 1.5, .capacity = 4 } };

	assert_int_equal(choose(two, 2).index, 0);
	two[0].in_flight = 4;
	assert_int_equal(choose(two, 2).index, 1);
}

/* ---- many ---- */

#define MANY 10000

struct crowd {
	struct lp_field field;
	struct lp_candidate all[MANY];
	struct lp_dice dice;
};

static struct crowd *crowd_new(int known)
{
	struct crowd *c = calloc(1, sizeof(*c));

	lp_dice_init(&c->dice, 11);
	for (int i = 0; i < MANY; i++) {
		c->all[i] = (struct lp_candidate){ .warm = true, .capacity = 2, .id = (uint64_t)i };
		c->all[i].score = i < known ? 1 + lp_dice_unit(&c->dice) * 9 : 0;
		lp_field_put(&c->field, &c->all[i], 100);
	}
	return c;
}

static void strangers_are_met_a_few_at_a_time_and_with_small_jobs(void **state)
{
	struct crowd *c = crowd_new(100);
	struct lp_select_want want = { .work = 2, .usual_work = 1 };
	struct lp_choice choice;
	int met = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		lp_select(&choice, &c->field, &want, &c->dice);
		assert_true(choice.chosen->score > 0);
	}
	want.work = 0.5;
	for (int i = 0; i < ROUNDS; i++) {
		lp_select(&choice, &c->field, &want, &c->dice);
		met += choice.chosen->score == 0;
	}
	assert_in_range(met, ROUNDS * 16 / 100, ROUNDS * 24 / 100);
	want.work = 0; /* nobody knows how large it is */
	met = 0;
	for (int i = 0; i < ROUNDS; i++) {
		lp_select(&choice, &c->field, &want, &c->dice);
		met += choice.chosen->score == 0;
	}
	assert_in_range(met, ROUNDS / 100, ROUNDS * 4 / 100);
	assert_int_equal(choice.eligible, MANY);
	free(c);
}

/* All jobs under way at once: each finds a free slot, and none of the slow is used before the fast are full. */
static void ten_thousand_fill_up_from_the_fastest(void **state)
{
	struct crowd *c = crowd_new(MANY);
	const struct lp_select_want want = { .work = 2, .usual_work = 1 }; /* no looks elsewhere */
	struct lp_choice choice;
	double slowest = 0;

	(void)state;
	for (int i = 0; i < MANY / 2; i++) {
		lp_select(&choice, &c->field, &want, &c->dice);
		slowest = choice.chosen->score > slowest ? choice.chosen->score : slowest;
		lp_field_drop(&c->field, choice.chosen);
		choice.chosen->in_flight++;
		assert_true(choice.chosen->in_flight <= 2);
		lp_field_put(&c->field, choice.chosen, 100);
	}
	/* A quarter of the slots' speeds, 1 to 3.25, and what the second slot of a faster one is held to cost. */
	assert_true(slowest < 4);
	for (int i = 0; i < MANY; i++)
		lp_field_drop(&c->field, &c->all[i]);
	lp_select(&choice, &c->field, &want, &c->dice);
	assert_null(choice.chosen);
	assert_int_equal(choice.eligible, 0);
	free(c);
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
		cmocka_unit_test(stake_price_and_chance_get_their_shares_of_those_that_are_good),
		cmocka_unit_test(without_stakes_and_prices_the_fastest_goes_first),
		cmocka_unit_test(who_tells_no_price_is_not_drawn_by_price),
		cmocka_unit_test(the_dear_and_the_badly_spoken_of_come_last),
		cmocka_unit_test(one_that_often_fails_is_dearer_than_it_looks),
		cmocka_unit_test(slots_that_are_free_are_used_before_somebody_slower),
		cmocka_unit_test(strangers_are_met_a_few_at_a_time_and_with_small_jobs),
		cmocka_unit_test(ten_thousand_fill_up_from_the_fastest),
		cmocka_unit_test(every_reason_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
