#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/str.h>

static void spans_compare_by_their_bytes(void **state)
{
	(void)state;
	assert_true(lp_span_eq(LP_SPAN("abc"), lp_span("abc")));
	assert_false(lp_span_eq(LP_SPAN("abc"), LP_SPAN("abd")));
	assert_false(lp_span_eq(LP_SPAN("abc"), LP_SPAN("ab")));
	assert_true(lp_span_eq(lp_span(NULL), LP_SPAN("")));
	assert_true(lp_span_is_icase(LP_SPAN("Content-LENGTH"), "content-length"));
	assert_false(lp_span_is_icase(LP_SPAN("Content-LENGTH"), "content-lengt"));
	/* [ and { differ in the bit that tells the case of letters */
	assert_false(lp_span_is_icase(LP_SPAN("["), "{"));
	assert_true(lp_span_starts(LP_SPAN("http://x"), "http://"));
	assert_false(lp_span_starts(LP_SPAN("htt"), "http"));
	assert_true(lp_span_ends(LP_SPAN("a.png"), ".png"));
	assert_false(lp_span_ends(LP_SPAN("png"), ".png"));
	assert_true(lp_span_starts(lp_span(NULL), ""));
}

static void trimming_takes_blanks_at_both_ends(void **state)
{
	(void)state;
	assert_true(lp_span_is(lp_span_trim(LP_SPAN(" \t a b\t ")), "a b"));
	assert_int_equal(lp_span_trim(LP_SPAN(" \t ")).len, 0);
	assert_true(lp_span_is(lp_span_skip(LP_SPAN("abc"), 2), "c"));
	assert_int_equal(lp_span_skip(LP_SPAN("abc"), 9).len, 0);
}

static void cutting_tells_an_empty_rest_from_none(void **state)
{
	(void)state;
	struct lp_span rest = LP_SPAN("a,,b,");

	assert_true(lp_span_is(lp_span_cut(&rest, ','), "a"));
	assert_true(lp_span_is(lp_span_cut(&rest, ','), ""));
	assert_true(lp_span_is(lp_span_cut(&rest, ','), "b"));
	assert_int_equal(rest.len, 0);
	assert_non_null(rest.at);
	assert_true(lp_span_is(lp_span_cut(&rest, ','), ""));
	assert_null(rest.at);
}

static void finding_gives_the_first_offset(void **state)
{
	(void)state;
	assert_int_equal(lp_span_find(LP_SPAN("abcabc"), LP_SPAN("ca")), 2);
	assert_int_equal(lp_span_find(LP_SPAN("abc"), LP_SPAN("abcd")), -1);
	assert_int_equal(lp_span_find(LP_SPAN("abc"), LP_SPAN("")), 0);
	assert_int_equal(lp_span_find_icase(LP_SPAN("keep-alive, Upgrade"), "upgrade"), 12);
	assert_int_equal(lp_span_find_icase(LP_SPAN("upgrad"), "upgrade"), -1);
}

static void whole_numbers_are_strict(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "-", "+1", " 1", "1 ", "0x1", "18446744073709551616", "99999999999999999999" };
	uint64_t u = 7;
	int64_t i = 7;

	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++)
		assert_false(lp_span_u64(lp_span(bad[n]), &u));
	assert_false(lp_span_u64(LP_SPAN("-1"), &u));
	assert_int_equal(u, 7);
	assert_true(lp_span_u64(LP_SPAN("18446744073709551615"), &u));
	assert_true(u == UINT64_MAX);
	assert_true(lp_span_u64(LP_SPAN("007"), &u));
	assert_int_equal(u, 7);
	assert_true(lp_span_i64(LP_SPAN("-9223372036854775808"), &i));
	assert_true(i == INT64_MIN);
	assert_true(lp_span_i64(LP_SPAN("9223372036854775807"), &i));
	assert_true(i == INT64_MAX);
	assert_false(lp_span_i64(LP_SPAN("-9223372036854775809"), &i));
	assert_false(lp_span_i64(LP_SPAN("9223372036854775808"), &i));
	assert_false(lp_span_i64(LP_SPAN("--1"), &i));
	assert_true(lp_span_i64(LP_SPAN("-0"), &i));
	assert_int_equal(i, 0);
}

static void fractions_are_decimal_and_finite(void **state)
{
	(void)state;
	static const char *const bad[] = { "", ".", "-", "1e", "1e+", "e5", "nan", "inf", "0x1p3", "1,5", "1e999", "1 ", "--1" };
	double d = 7;

	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++)
		assert_false(lp_span_f64(lp_span(bad[n]), &d));
	assert_true(d == 7);
	assert_true(lp_span_f64(LP_SPAN("-1.5e2"), &d) && d == -150);
	assert_true(lp_span_f64(LP_SPAN(".25"), &d) && d == 0.25);
	assert_true(lp_span_f64(LP_SPAN("3."), &d) && d == 3);
	assert_true(lp_span_f64(LP_SPAN("1e-400"), &d) && d == 0);
}

static void bools_are_those_of_go(void **state)
{
	(void)state;
	bool b = false;

	assert_true(lp_span_bool(LP_SPAN("T"), &b) && b);
	assert_true(lp_span_bool(LP_SPAN("False"), &b) && !b);
	assert_true(lp_span_bool(LP_SPAN("1"), &b) && b);
	assert_false(lp_span_bool(LP_SPAN("yes"), &b));
	assert_false(lp_span_bool(LP_SPAN("tRUE"), &b));
	assert_false(lp_span_bool(LP_SPAN(""), &b));
}

static void copies_are_cut_to_fit_and_say_so(void **state)
{
	(void)state;
	char to[4];

	assert_true(lp_span_copy(to, sizeof(to), LP_SPAN("abc")));
	assert_string_equal(to, "abc");
	assert_false(lp_span_copy(to, sizeof(to), LP_SPAN("abcd")));
	assert_string_equal(to, "abc");
	assert_true(lp_span_copy(to, sizeof(to), lp_span(NULL)));
	assert_string_equal(to, "");
}

static void utf8_is_checked_as_rfc_3629_says(void **state)
{
	(void)state;
	static const char *const good[] = {
		"", "plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf",
		"0123456\xc3\xa9", "01234567\xe2\x82\xacghijklmn",
	};
	static const char *const bad[] = {
		"\x80", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xf0\x9f\x98", "01234567\xffghijklmn", "\xc3(",
	};

	for (size_t n = 0; n < sizeof(good) / sizeof(good[0]); n++)
		assert_true(lp_utf8_valid(lp_span(good[n])));
	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++)
		assert_false(lp_utf8_valid(lp_span(bad[n])));
	assert_int_equal(lp_utf8_count(LP_SPAN("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_compare_by_their_bytes),
		cmocka_unit_test(trimming_takes_blanks_at_both_ends),
		cmocka_unit_test(cutting_tells_an_empty_rest_from_none),
		cmocka_unit_test(finding_gives_the_first_offset),
		cmocka_unit_test(whole_numbers_are_strict),
		cmocka_unit_test(fractions_are_decimal_and_finite),
		cmocka_unit_test(bools_are_those_of_go),
		cmocka_unit_test(copies_are_cut_to_fit_and_say_so),
		cmocka_unit_test(utf8_is_checked_as_rfc_3629_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
