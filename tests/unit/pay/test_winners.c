#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/pay/winners.h>

/* Wins for certain, so that it needs no signature. */
static struct lp_winner winner(uint32_t nonce, uint64_t round)
{
	return (struct lp_winner){ .ticket = { .recipient = { { 9 } }, .sender = { { 1 } },
					       .face_value = lp_wei_of(100), .win_prob = LP_U256_MAX, .nonce = nonce,
					       .round = round },
				   .expiration_block = 40 };
}

/* Safe at once. */
static enum lp_code add(struct lp_winners *winners, struct lp_winner w)
{
	struct lp_winner_row *row;
	enum lp_code code = lp_winners_add(winners, &row, &w, NULL, NULL);
	struct lp_winner_change change;
	void *owner;

	while (lp_winners_next(winners, &change))
		assert_false(lp_winners_saved(winners, &change.hash, true, &owner));
	return code;
}

static void R16_the_one_whose_time_ends_first_goes_first_and_none_delays_another(void **state)
{
	(void)state;
	struct lp_winners *winners = lp_winners_new(10);
	struct lp_winner out;

	assert_int_equal(add(winners, winner(1, 8)), LP_OK);
	assert_int_equal(add(winners, winner(2, 7)), LP_OK);
	assert_int_equal(add(winners, winner(3, 8)), LP_OK);
	assert_true(lp_winners_ripe(winners, &out, 40, 0));
	assert_int_equal(out.ticket.nonce, 2);
	lp_winners_later(winners, &out.hash, 100);
	assert_true(lp_winners_ripe(winners, &out, 40, 0));
	assert_int_equal(out.ticket.nonce, 1);
	assert_true(lp_winners_ripe(winners, &out, 40, 0));
	assert_int_equal(out.ticket.nonce, 3);
	assert_false(lp_winners_ripe(winners, &out, 40, 0));
	assert_true(lp_winners_ripe(winners, &out, 40, 100));
	lp_winners_free(&winners);
}

static void a_ticket_is_kept_once_and_beyond_the_limit_none(void **state)
{
	(void)state;
	struct lp_winners *winners = lp_winners_new(2);
	struct lp_winner_change change;

	assert_int_equal(add(winners, winner(1, 8)), LP_OK);
	assert_int_equal(add(winners, winner(1, 8)), LP_OK);
	assert_int_equal(lp_winners_count(winners), 1);
	assert_int_equal(add(winners, winner(2, 8)), LP_OK);
	assert_int_equal(add(winners, winner(3, 8)), LP_NO_ROOM);
	assert_int_equal(lp_wei_cmp(lp_winners_open(winners, (struct lp_address){ { 1 } }), lp_wei_of(200)), 0);
	assert_true(lp_wei_is_zero(lp_winners_open(winners, (struct lp_address){ { 2 } })));
	/* one that is gone is told to the store, then forgotten */
	struct lp_winner out;
	assert_true(lp_winners_ripe(winners, &out, 40, 0));
	lp_winners_gone(winners, &out.hash);
	assert_int_equal(lp_wei_cmp(lp_winners_open(winners, (struct lp_address){ { 1 } }), lp_wei_of(100)), 0);
	assert_true(lp_winners_next(winners, &change) && change.gone);
	assert_int_equal(lp_winners_count(winners), 1);
	lp_winners_free(&winners);
}

static void a_row_of_the_store_comes_back_as_it_was_and_a_damaged_one_is_refused(void **state)
{
	(void)state;
	struct lp_winners *winners = lp_winners_new(2), *fresh = lp_winners_new(2);
	struct lp_winner w = winner(7, 8), out;
	struct lp_winner_change change;
	struct lp_winner_row *row;

	memset(w.sig.bytes, 3, sizeof w.sig.bytes);
	memset(w.rand.bytes, 4, sizeof w.rand.bytes);
	assert_int_equal(lp_winners_add(winners, &row, &w, NULL, NULL), LP_OK);
	assert_true(lp_winners_next(winners, &change) && !change.gone);
	assert_int_equal(lp_winners_load(fresh, lp_span_of(change.row, LP_WINNER_ROW - 1), NULL), LP_STORE);
	change.row[0]++;
	assert_int_equal(lp_winners_load(fresh, lp_span_of(change.row, LP_WINNER_ROW), NULL), LP_STORE);
	change.row[0]--;
	assert_int_equal(lp_winners_load(fresh, lp_span_of(change.row, LP_WINNER_ROW), NULL), LP_OK);
	assert_true(lp_winners_ripe(fresh, &out, 40, 0));
	assert_memory_equal(&out.hash, &change.hash, sizeof out.hash);
	assert_memory_equal(&out.sig, &w.sig, sizeof out.sig);
	assert_memory_equal(&out.rand, &w.rand, sizeof out.rand);
	assert_int_equal(out.ticket.nonce, 7);
	assert_int_equal(out.expiration_block, 40);
	assert_false(lp_winners_next(fresh, &change));
	/* no longer a winner: a probability of 0 */
	memset(change.row, 0, sizeof change.row);
	change.row[0] = 1;
	assert_int_equal(lp_winners_load(fresh, lp_span_of(change.row, LP_WINNER_ROW), NULL), LP_STORE);
	lp_winners_free(&winners);
	lp_winners_free(&fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(R16_the_one_whose_time_ends_first_goes_first_and_none_delays_another),
		cmocka_unit_test(a_ticket_is_kept_once_and_beyond_the_limit_none),
		cmocka_unit_test(a_row_of_the_store_comes_back_as_it_was_and_a_damaged_one_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
