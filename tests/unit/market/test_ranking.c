#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <lpd/base/random.h>
#include <lpd/market/ranking.h>

#define MANY 500

struct set {
	struct lp_rank nodes[MANY], *root;
	bool in[MANY];
	struct lp_dice dice;
};

static struct set *set_new(void **state)
{
	struct set *s = *state = calloc(1, sizeof(*s));

	lp_dice_init(&s->dice, 5);
	for (int i = 0; i < MANY; i++)
		s->nodes[i].id = (uint64_t)i;
	return s;
}

static int set_free(void **state)
{
	free(*state);
	return 0;
}

static void put(struct set *s, int i, double cost, double stake, double price)
{
	s->nodes[i].cost = cost;
	s->nodes[i].stake = stake;
	s->nodes[i].price = lp_scaled_price(price, 100);
	lp_rank_put(&s->root, &s->nodes[i]);
	s->in[i] = true;
}

static void take(struct set *s, int i)
{
	lp_rank_take(&s->root, &s->nodes[i]);
	s->in[i] = false;
}

/* What the tree says of itself against a walk over all. */
static void check(const struct set *s, double bound)
{
	const struct lp_rank *first = NULL;
	struct lp_rank_sum sum = lp_rank_upto(s->root, bound);
	double stake = 0;
	int n = 0;

	for (int i = 0; i < MANY; i++) {
		const struct lp_rank *c = &s->nodes[i];

		if (!s->in[i])
			continue;
		if (!first || c->cost < first->cost || (c->cost == first->cost && c->id < first->id))
			first = c;
		if (c->cost > bound)
			continue;
		n++;
		stake += c->stake;
	}
	assert_ptr_equal(lp_rank_first(s->root), first);
	assert_int_equal(sum.n, n);
	assert_true(fabs(sum.stake - stake) < 1e-6);
}

static void it_stays_in_order_whatever_comes_and_goes(void **state)
{
	struct set *s = set_new(state);

	check(s, 1);
	for (int step = 0; step < 20000; step++) {
		int i = (int)lp_dice_below(&s->dice, MANY);

		if (s->in[i])
			take(s, i);
		else	/* few different costs, so that many are equal */
			put(s, i, (double)lp_dice_below(&s->dice, 40), lp_dice_unit(&s->dice), 5);
		if (step % 50 == 0)
			check(s, (double)lp_dice_below(&s->dice, 40));
	}
}

static void tally(struct set *s, int counts[4], double bound, enum lp_rank_by by)
{
	for (int i = 0; i < 4; i++)
		counts[i] = 0;
	for (int i = 0; i < 4000; i++) {
		struct lp_rank *one = lp_rank_draw(s->root, bound, by, lp_dice_unit(&s->dice));

		assert_non_null(one);
		assert_true(one->cost <= bound);
		counts[one->id]++;
	}
}

static void one_is_drawn_as_often_as_its_stake_says(void **state)
{
	struct set *s = set_new(state);
	int counts[4];

	put(s, 0, 1, 3, 0);
	put(s, 1, 2, 1, 0);
	put(s, 2, 3, 0, 0);
	put(s, 3, 4, 1000, 0);	/* too dear */
	tally(s, counts, 3, LP_RANK_STAKE);
	assert_in_range(counts[0], 2850, 3150);
	assert_int_equal(counts[0] + counts[1], 4000);
	tally(s, counts, 3, LP_RANK_CHANCE);
	for (int i = 0; i < 3; i++)
		assert_in_range(counts[i], 1200, 1470);
}

/* exp(-price / 100): 100 wei more are e times less, also at prices whose own weights no double holds. */
static void prices_weigh_against_each_other_however_high(void **state)
{
	static const double bases[] = { 0, 5000, 3e6, 1e12 };
	struct set *s = set_new(state);
	int counts[4];

	for (size_t k = 0; k < sizeof(bases) / sizeof(*bases); k++) {
		put(s, 0, 2, 0, bases[k]);
		put(s, 1, 1, 0, bases[k] + 100);
		put(s, 2, 3, 0, bases[k] + 100000);
		put(s, 3, 9, 0, -1e13);		/* by far the cheapest, but behind the bound */
		tally(s, counts, 3, LP_RANK_PRICE);
		assert_in_range(counts[0], 2800, 3050);	/* 4000 * e / (1 + e) = 2924 */
		assert_int_equal(counts[0] + counts[1], 4000);
		for (int i = 0; i < 4; i++)
			take(s, i);
	}
}

static void what_weighs_nothing_is_not_drawn(void **state)
{
	struct set *s = set_new(state);

	assert_null(lp_rank_draw(s->root, 9, LP_RANK_CHANCE, 0.5));
	put(s, 0, 1, 0, INFINITY);
	put(s, 1, 2, 0, NAN);
	assert_null(lp_rank_draw(s->root, 9, LP_RANK_STAKE, 0.5));
	assert_null(lp_rank_draw(s->root, 9, LP_RANK_PRICE, 0.5));
	assert_null(lp_rank_draw(s->root, 0.5, LP_RANK_CHANCE, 0.5));
	put(s, 2, 3, 1, 7);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(lp_rank_draw(s->root, 9, LP_RANK_STAKE, i / 10.0)->id, 2);
		assert_int_equal(lp_rank_draw(s->root, 9, LP_RANK_PRICE, i / 10.0)->id, 2);
	}
	assert_int_equal(lp_rank_draw(s->root, 9, LP_RANK_CHANCE, 0.9999999999999999)->id, 2);
}

#define ranking_test(f) cmocka_unit_test_teardown(f, set_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ranking_test(it_stays_in_order_whatever_comes_and_goes),
		ranking_test(one_is_drawn_as_often_as_its_stake_says),
		ranking_test(prices_weigh_against_each_other_however_high),
		ranking_test(what_weighs_nothing_is_not_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
