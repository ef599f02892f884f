#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/pay/quote.h>

static const uint8_t secret[32] = { 1, 2, 3 };

static struct lp_quote some(void)
{
	return (struct lp_quote){ .sender = { { 1 } }, .capability = 27, .model = LP_SPAN("dear"),
				  .price_per_unit = 1000, .units = 3, .session_id = LP_SPAN("0badcafe"),
				  .expiration = 500 };
}

static enum lp_code check(struct lp_quote quote, const uint8_t *token, size_t len, int64_t now)
{
	return lp_quote_check(&quote, secret, lp_span_of(token, len), now, NULL);
}

/* */
static void a_quote_is_good_for_its_payer_its_work_and_its_session_only(void **state)
{
	(void)state;
	uint8_t token[LP_QUOTE_TOKEN];
	struct lp_quote q = some();

	lp_quote_write(token, secret, &q);
	assert_int_equal(check(some(), token, sizeof token, 500), LP_OK);
	q = some();
	q.sender.bytes[19] = 1;
	assert_int_equal(check(q, token, sizeof token, 500), LP_FORBIDDEN);
	q = some();
	q.capability = 28;
	assert_int_equal(check(q, token, sizeof token, 500), LP_FORBIDDEN);
	q = some();
	q.model = LP_SPAN("dearer");
	assert_int_equal(check(q, token, sizeof token, 500), LP_FORBIDDEN);
	q = some();
	q.session_id = LP_SPAN("0badcaff");
	assert_int_equal(check(q, token, sizeof token, 500), LP_FORBIDDEN);
	q = some();
	q.expiration = 501;
	assert_int_equal(check(q, token, sizeof token, 500), LP_FORBIDDEN);
}

static void the_price_comes_from_the_token_and_cannot_be_changed_in_it(void **state)
{
	(void)state;
	uint8_t token[LP_QUOTE_TOKEN];
	struct lp_quote q = some(), got = some();

	lp_quote_write(token, secret, &q);
	got.price_per_unit = 0;
	got.units = 0;
	assert_int_equal(lp_quote_check(&got, secret, lp_span_of(token, sizeof token), 1, NULL), LP_OK);
	assert_int_equal(got.price_per_unit, 1000);
	assert_int_equal(got.units, 3);
	for (size_t i = 0; i < sizeof token; i++) {
		token[i] ^= 1;
		assert_int_equal(check(some(), token, sizeof token, 1), LP_FORBIDDEN);
		token[i] ^= 1;
	}
}

static void tokens_that_are_over_missing_or_of_another_length_are_refused_in_the_networks_words(void **state)
{
	(void)state;
	uint8_t token[LP_QUOTE_TOKEN + 1] = { 0 };
	struct lp_quote q = some();
	struct lp_err e;

	lp_quote_write(token, secret, &q);
	assert_int_equal(lp_quote_check(&q, secret, lp_span_of(token, LP_QUOTE_TOKEN), 501, &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "expired auth token");
	assert_int_equal(lp_quote_check(&q, secret, lp_span_of(token, LP_QUOTE_TOKEN + 1), 1, &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "invalid auth token");
	assert_int_equal(lp_quote_check(&q, secret, lp_span_of(token, LP_QUOTE_TOKEN - 1), 1, &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "invalid auth token");
	assert_int_equal(lp_quote_check(&q, secret, (struct lp_span){ 0 }, 1, &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "missing auth token");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quote_is_good_for_its_payer_its_work_and_its_session_only),
		cmocka_unit_test(the_price_comes_from_the_token_and_cannot_be_changed_in_it),
		cmocka_unit_test(tokens_that_are_over_missing_or_of_another_length_are_refused_in_the_networks_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
