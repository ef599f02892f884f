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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nonce_counts_once_in_its_offer_whatever_the_order),
		cmocka_unit_test(an_offer_takes_600_and_says_seen_before_full),
		cmocka_unit_test(a_payment_is_taken_whole_or_not_at_all),
		cmocka_unit_test(expired_offers_make_room),
		cmocka_unit_test(random_nonces_agree_with_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
