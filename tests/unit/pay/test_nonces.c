#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/random.h>
#include <lpd/pay/nonces.h>

#include "payments.h"

static struct lp_offer_id offer(uint8_t id, uint64_t expiration)
{
	struct lp_offer_id of = { .rand_hash = { { id } }, .expiration_block = expiration };

	assert_true(lp_address_read(&of.sender, LP_SPAN("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A")));
	return of;
}

static enum lp_code take(struct lp_nonces *nonces, const struct lp_offer_id *of, uint32_t nonce, struct lp_err *e)
{
	return lp_nonces_take(nonces, of, &nonce, 1, e);
}

static void a_nonce_counts_once_in_its_offer_whatever_the_order(void **state)
{
	(void)state;
	struct lp_nonces *nonces = lp_nonces_new(10);
	struct lp_offer_id a = offer(1, 40), b = offer(2, 40);
	static const uint32_t some[] = { 1, 7, 5, 3, 0, UINT32_MAX };
	struct lp_err e;

	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		assert_false(lp_nonces_seen(nonces, &a.rand_hash, some[i]));
		assert_int_equal(take(nonces, &a, some[i], &e), LP_OK);
		assert_true(lp_nonces_seen(nonces, &a.rand_hash, some[i]));
		assert_int_equal(take(nonces, &a, some[i], &e), LP_NONCE_SEEN);
	}
	assert_int_equal(take(nonces, &a, 1, &e), LP_NONCE_SEEN);
	assert_string_equal(e.words, "invalid ticket senderNonce: already seen "
				     "sender=0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A nonce=1");
	assert_int_equal(take(nonces, &b, 1, &e), LP_OK);
	assert_int_equal(lp_nonces_used(nonces, &a.rand_hash), 6);
	assert_int_equal(lp_nonces_offers(nonces), 2);
	lp_nonces_free(&nonces);
	assert_null(nonces);
	lp_nonces_free(&nonces);
}

static void an_offer_takes_600_and_says_seen_before_full(void **state)
{
	(void)state;
	struct lp_nonces *nonces = lp_nonces_new(10);
	struct lp_offer_id a = offer(1, 40);
	uint32_t list[LP_NONCES_MAX + 1];
	struct lp_err e;

	for (uint32_t i = 0; i <= LP_NONCES_MAX; i++)
		list[i] = i + 1;
	assert_int_equal(lp_nonces_take(nonces, &a, list, LP_NONCES_MAX + 1, &e), LP_TICKETS_FULL);
	assert_int_equal(lp_nonces_used(nonces, &a.rand_hash), 0);
	assert_int_equal(lp_nonces_take(nonces, &a, list, LP_NONCES_MAX, &e), LP_OK);
	assert_int_equal(take(nonces, &a, 601, &e), LP_TICKETS_FULL);
	assert_string_equal(e.words, "invalid ticket senderNonce: too many values "
				     "sender=0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A nonce=601");
	assert_int_equal(take(nonces, &a, 600, &e), LP_NONCE_SEEN);
	assert_int_equal(lp_nonces_used(nonces, &a.rand_hash), 600);
	lp_nonces_free(&nonces);
}

/* */
static void a_payment_is_taken_whole_or_not_at_all(void **state)
{
	(void)state;
	struct lp_nonces *nonces = lp_nonces_new(10);
	struct lp_offer_id a = offer(1, 40);
	static const uint32_t first[] = { 1, 2 }, again[] = { 3, 2, 5 }, twice[] = { 8, 9, 8 };
	struct lp_err e;

	assert_int_equal(lp_nonces_take(nonces, &a, NULL, 0, &e), LP_OK);
	assert_int_equal(lp_nonces_offers(nonces), 0);
	assert_int_equal(lp_nonces_take(nonces, &a, twice, 3, &e), LP_NONCE_SEEN);
	assert_int_equal(lp_nonces_offers(nonces), 0);
	assert_int_equal(lp_nonces_take(nonces, &a, first, 2, &e), LP_OK);
	assert_int_equal(lp_nonces_take(nonces, &a, again, 3, &e), LP_NONCE_SEEN);
	assert_int_equal(lp_nonces_used(nonces, &a.rand_hash), 2);
	assert_false(lp_nonces_seen(nonces, &a.rand_hash, 3));
	assert_int_equal(lp_nonces_take(nonces, &a, twice, 3, &e), LP_NONCE_SEEN);
	assert_false(lp_nonces_seen(nonces, &a.rand_hash, 9));
	lp_nonces_free(&nonces);
}

static void expired_offers_make_room(void **state)
{
	(void)state;
	struct lp_nonces *nonces = lp_nonces_new(2);
	struct lp_offer_id a = offer(1, 40), b = offer(2, 50), c = offer(3, 60);
	struct lp_err e;

	assert_int_equal(take(nonces, &a, 1, &e), LP_OK);
	assert_int_equal(take(nonces, &b, 1, &e), LP_OK);
	assert_int_equal(take(nonces, &c, 1, &e), LP_TOO_MANY);
	assert_int_equal(take(nonces, &a, 2, &e), LP_OK);
	assert_int_equal(lp_nonces_expire(nonces, 39), 0);
	/* At its expiration block an offer takes no more tickets. */
	assert_int_equal(lp_nonces_expire(nonces, 40), 1);
	assert_false(lp_nonces_seen(nonces, &a.rand_hash, 1));
	assert_true(lp_nonces_seen(nonces, &b.rand_hash, 1));
	assert_int_equal(take(nonces, &c, 1, &e), LP_OK);
	assert_int_equal(lp_nonces_expire(nonces, 100), 2);
	assert_int_equal(lp_nonces_offers(nonces), 0);
	lp_nonces_free(&nonces);
}

static void random_nonces_agree_with_a_plain_list(void **state)
{
	(void)state;
	struct lp_nonces *nonces = lp_nonces_new(1);
	struct lp_offer_id a = offer(1, 40);
	bool used[700] = { false };
	uint32_t count = 0;
	struct lp_dice dice;

	lp_dice_init(&dice, 6);
	for (int i = 0; i < 3000; i++) {
		uint32_t nonce = (uint32_t)lp_dice_below(&dice, 700);
		enum lp_code want = used[nonce] ? LP_NONCE_SEEN : count == 600 ? LP_TICKETS_FULL : LP_OK;

		assert_int_equal(take(nonces, &a, nonce, NULL), want);
		count += want == LP_OK;
		used[nonce] |= want == LP_OK;
	}
	assert_int_equal(lp_nonces_used(nonces, &a.rand_hash), count);
	lp_nonces_free(&nonces);
}

/* Offer number i of so many nonces, as the store gives it back. */
static void fill(struct lp_nonces *nonces, uint8_t i, uint32_t used)
{
	struct lp_offer_id of = offer(i, 1000u + i);
	uint32_t list[LP_NONCES_MAX];

	for (uint32_t k = 0; k < used; k++)
		list[k] = UINT32_MAX - 7 * k;
	assert_int_equal(lp_nonces_take(nonces, &of, list, used, NULL), LP_OK);
}

static void what_was_dumped_is_the_same_set_when_loaded(void **state)
{
	(void)state;
	struct lp_nonces *nonces = lp_nonces_new(3), *back = lp_nonces_new(3);
	struct lp_buf all = { 0 }, again = { 0 }, one = { 0 };
	struct lp_hash second = offer(2, 0).rand_hash, none = offer(9, 0).rand_hash;

	lp_nonces_dump(&all, nonces, NULL);
	assert_int_equal(all.len, 0);
	assert_int_equal(lp_nonces_load(back, lp_buf_span(&all), NULL), LP_OK);
	fill(nonces, 1, 1);
	fill(nonces, 2, LP_NONCES_MAX);
	fill(nonces, 3, 5);
	lp_nonces_dump(&all, nonces, NULL);
	assert_int_equal(lp_nonces_load(back, lp_buf_span(&all), NULL), LP_OK);
	lp_nonces_dump(&again, back, NULL);
	assert_true(lp_span_eq(lp_buf_span(&all), lp_buf_span(&again)));
	assert_int_equal(lp_nonces_used(back, &second), LP_NONCES_MAX);
	assert_true(lp_nonces_seen(back, &second, UINT32_MAX) && !lp_nonces_seen(back, &second, 0));
	/* The blocks came along: 1001 is over, 1002 not. */
	assert_int_equal(lp_nonces_expire(back, 1001), 1);
	lp_nonces_dump(&one, nonces, &none);
	assert_int_equal(one.len, 0);
	lp_nonces_dump(&one, nonces, &second);
	assert_int_equal(one.len, LP_NONCES_ROW_MAX);
	lp_buf_clear(&all);
	lp_buf_clear(&again);
	lp_buf_clear(&one);
	lp_nonces_free(&nonces);
	lp_nonces_free(&back);
}

static void a_row_is_the_bytes_that_its_header_says(void **state)
{
	(void)state;
	static const uint8_t want[] = { 1,  7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
					0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* hash */
					0,  0, 0, 0, 1, 0x40, 0x6f, 0x68, /* block */
					0,  2, 0, 0, 0, 3, 1, 0, 0, 0 };
	static const uint32_t list[] = { 1u << 24, 3 };
	struct lp_nonces *nonces = lp_nonces_new(1);
	struct lp_offer_id of = offer(7, 21000040);
	struct lp_buf row = { 0 };

	assert_int_equal(lp_nonces_take(nonces, &of, list, 2, NULL), LP_OK);
	lp_nonces_dump(&row, nonces, NULL);
	assert_int_equal(row.len, sizeof want);
	assert_memory_equal(lp_buf_span(&row).at, want, sizeof want);
	lp_buf_clear(&row);
	lp_nonces_free(&nonces);
}

/* The set holds what it held, whatever came. */
static void assert_refused(const char *at, size_t len, enum lp_code code)
{
	struct lp_nonces *nonces = lp_nonces_new(3);
	struct lp_hash mine = offer(5, 0).rand_hash;
	struct lp_err e;

	fill(nonces, 5, 2);
	assert_int_equal(lp_nonces_load(nonces, lp_span_of(at, len), &e), code);
	assert_int_equal(lp_nonces_offers(nonces), 1);
	assert_int_equal(lp_nonces_used(nonces, &mine), 2);
	lp_nonces_free(&nonces);
}

static void damaged_rows_are_refused_and_nothing_of_them_is_kept(void **state)
{
	(void)state;
	struct lp_nonces *nonces = lp_nonces_new(9);
	struct lp_buf rows = { 0 };

	fill(nonces, 1, 2);
	fill(nonces, 2, 2);
	lp_nonces_dump(&rows, nonces, NULL);
	char *at = rows.mem + rows.off;
	const size_t row = rows.len / 2;	/* version, hash, 8, how many, nonces */

	for (size_t len = 1; len < rows.len; len++) {
		if (len != row)
			assert_refused(at, len, LP_STORE);
	}
	at[row] = 2;
	assert_refused(at, rows.len, LP_STORE);	/* of a newer version */
	at[row] = 1;
	at[row + 42] = 0;
	assert_refused(at, rows.len, LP_STORE);	/* an offer without nonces */
	at[row + 41] = 2;
	at[row + 42] = 89;
	assert_refused(at, rows.len, LP_STORE);	/* 601 of them */
	at[row + 41] = 0;
	at[row + 42] = 2;
	char last[4];

	memcpy(last, at + row + 47, 4);
	memcpy(at + row + 47, at + row + 43, 4);
	assert_refused(at, rows.len, LP_STORE);	/* the same nonce twice */
	memcpy(at + row + 43, last, 4);
	assert_refused(at, rows.len, LP_STORE);	/* out of order */
	memcpy(at + row + 47, last, 4);
	at[row + 46]--;
	at[row + 1] = 1;
	assert_refused(at, rows.len, LP_STORE);	/* the offer of the first row */
	at[row + 1] = 5;
	assert_refused(at, rows.len, LP_STORE);	/* one that is there */
	lp_buf_clear(&rows);
	fill(nonces, 3, 1);
	lp_nonces_dump(&rows, nonces, NULL);
	assert_refused(rows.mem + rows.off, rows.len, LP_TOO_MANY);
	lp_buf_clear(&rows);
	lp_nonces_free(&nonces);
}

static void asking_takes_no_nonce(void **state)
{
	(void)state;
	struct lp_nonces *nonces = lp_nonces_new(1);
	struct lp_offer_id a = offer(1, 40);
	uint32_t nonce = 1;

	assert_int_equal(lp_nonces_check(nonces, &a, &nonce, 1, NULL), LP_OK);
	assert_int_equal(lp_nonces_offers(nonces), 0);
	assert_int_equal(take(nonces, &a, nonce, NULL), LP_OK);
	assert_int_equal(lp_nonces_check(nonces, &a, &nonce, 1, NULL), LP_NONCE_SEEN);
	lp_nonces_free(&nonces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nonce_counts_once_in_its_offer_whatever_the_order),
		cmocka_unit_test(an_offer_takes_600_and_says_seen_before_full),
		cmocka_unit_test(a_payment_is_taken_whole_or_not_at_all),
		cmocka_unit_test(expired_offers_make_room),
		cmocka_unit_test(random_nonces_agree_with_a_plain_list),
		cmocka_unit_test(what_was_dumped_is_the_same_set_when_loaded),
		cmocka_unit_test(a_row_is_the_bytes_that_its_header_says),
		cmocka_unit_test(damaged_rows_are_refused_and_nothing_of_them_is_kept),
		cmocka_unit_test(asking_takes_no_nonce),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
