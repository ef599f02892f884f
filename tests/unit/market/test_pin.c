#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/market/pin.h>

static const char twenty[20] = { 0x12, 0x34, [19] = (char)0xff };

#define ADDRESS "0x12340000000000000000000000000000000000fF"

static bool allows(const char *text, const char *uri)
{
	struct lp_err e = { 0 };
	struct lp_pin pin;

	assert_int_equal(lp_pin_parse(&pin, lp_span(text), &e), LP_OK);
	return lp_pin_allows(&pin, lp_span(uri), lp_span_of(twenty, sizeof(twenty)));
}

static void a_word_names_by_address_place_or_host(void **state)
{
	(void)state;
	assert_true(allows("https://o.example:8935", "https://o.example:8935"));
	assert_true(allows("https://o.example:8935/", "https://o.example:8935"));
	assert_true(allows("o.example:8935", "https://o.example:8935"));
	assert_true(allows("o.example", "https://o.example:8935"));
	assert_true(allows("[::1]", "https://[::1]:8935"));
	assert_false(allows("[:", "https://[::1]:8935"));
	assert_false(allows("example", "https://o.example:8935"));
	assert_false(allows("o.example:89", "https://o.example:8935"));
}

static void an_ethereum_address_names_too(void **state)
{
	struct lp_pin pin;

	(void)state;
	assert_true(allows(ADDRESS, "https://o:1"));
	assert_false(allows("!" ADDRESS, "https://o:1"));
	assert_false(allows("0x1234000000000000000000000000000000000000", "https://o:1"));
	assert_int_equal(lp_pin_parse(&pin, LP_SPAN(ADDRESS), NULL), LP_OK);
	assert_false(lp_pin_allows(&pin, LP_SPAN("https://o:1"), LP_SPAN("")));
}

static void who_is_shut_out_stays_out_even_when_wanted(void **state)
{
	(void)state;
	assert_true(allows("a, b", "https://b:1"));
	assert_false(allows("a, b", "https://c:1"));
	assert_true(allows("!a, !b", "https://c:1"));
	assert_false(allows("!a, ! b", "https://b:1"));
	assert_false(allows("a,!a", "https://a:1"));
	assert_true(allows("", "https://c:1"));
	assert_true(allows(" , ,", "https://c:1"));
}

static void what_names_nobody_or_too_many_is_refused(void **state)
{
	static const char *const bad[] = { "!", "a,!", "https://", "!/", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17" };
	struct lp_pin pin;
	struct lp_err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(lp_pin_parse(&pin, lp_span(bad[i]), &e), LP_BAD_REQUEST);
	assert_non_null(strstr(lp_err_words(&e), "more than 16"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_names_by_address_place_or_host),
		cmocka_unit_test(an_ethereum_address_names_too),
		cmocka_unit_test(who_is_shut_out_stays_out_even_when_wanted),
		cmocka_unit_test(what_names_nobody_or_too_many_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
