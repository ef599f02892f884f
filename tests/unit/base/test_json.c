#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/json.h>

static struct lp_scope *scope;

static int setup(void **state)
{
	(void)state;
	scope = lp_scope_open(NULL, "test");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lp_scope_close(&scope);
	return 0;
}

static json_t *parse(const char *text)
{
	struct lp_err e;
	json_t *json;

	if (lp_json_parse(scope, &json, lp_span(text), &e) != LP_OK)
		fail_msg("%s: %s", text, e.words);
	return json;
}

static void any_value_is_taken_and_a_later_key_wins(void **state)
{
	(void)state;
	assert_int_equal(json_integer_value(parse(" 7 ")), 7);
	assert_true(json_is_null(parse("null")));
	assert_int_equal(json_integer_value(lp_json_get(parse("{\"a\":1,\"a\":2}"), "a")), 2);
}

static void malformed_text_is_a_bad_request_that_says_where(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "{", "{\"a\":1}x", "[1,]", "\"\xff\"", "{a:1}" };
	struct lp_err e;
	json_t *json;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(lp_json_parse(scope, &json, lp_span(bad[i]), &e), LP_BAD_REQUEST);
		assert_null(json);
		assert_non_null(strstr(e.words, "line 1"));
	}
	assert_int_equal(lp_json_parse(scope, &json, (struct lp_span){ NULL, 0 }, &e), LP_BAD_REQUEST);
	assert_int_equal(lp_json_parse(scope, &json, lp_span_of("3\0", 2), &e), LP_BAD_REQUEST);
}

static void depth_is_bounded_at_64(void **state)
{
	(void)state;
	char text[200];
	struct lp_err e;
	json_t *json;

	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	assert_int_equal(lp_json_parse(scope, &json, lp_span_of(text + 1, 128), &e), LP_OK);
	assert_int_equal(lp_json_parse(scope, &json, lp_span_of(text, 130), &e), LP_BAD_REQUEST);
	assert_non_null(strstr(e.words, "64"));
	/* brackets inside a string do not count, even behind an escaped quote */
	memcpy(text, "\"\\\"", 3);
	memset(text + 3, '[', 100);
	text[103] = '"';
	assert_int_equal(lp_json_parse(scope, &json, lp_span_of(text, 104), &e), LP_OK);
}

/* n values in an array, the array itself being one of them. */
static enum lp_code parse_many(const char *value, int n, struct lp_err *e)
{
	struct lp_buf text = { 0 };
	json_t *json;

	lp_buf_add_char(&text, '[');
	for (int i = 1; i < n; i++) {
		if (i > 1)
			lp_buf_add_char(&text, ',');
		lp_buf_add_text(&text, value);
	}
	lp_buf_add_char(&text, ']');
	enum lp_code code = lp_json_parse(scope, &json, lp_buf_span(&text), e);
	lp_buf_clear(&text);
	return code;
}

static void values_are_bounded_at_a_hundred_thousand(void **state)
{
	struct lp_err e;

	(void)state;
	assert_int_equal(parse_many("1", 100000, &e), LP_OK);
	assert_int_equal(parse_many("1", 100001, &e), LP_BAD_REQUEST);
	assert_string_equal(lp_err_words(&e), "the JSON holds more than 100000 values");
	assert_int_equal(parse_many("{}", 100000, &e), LP_OK);
	assert_int_equal(parse_many("{}", 100001, &e), LP_BAD_REQUEST);
	assert_int_equal(parse_many("{\"a\":[1]}", 33334, &e), LP_OK);
	assert_int_equal(parse_many("{\"a\":[1]}", 33335, &e), LP_BAD_REQUEST);
	/* What stands in a string is no value. */
	assert_int_equal(parse_many("\"[,,,,,,,,,,,,\\\",,,,{\"", 90000, &e), LP_OK);
}

static void members_are_found_without_case_but_an_exact_match_wins(void **state)
{
	(void)state;
	json_t *json = parse("{\"Model_ID\":\"x\",\"PROMPT\":\"loud\",\"prompt\":\"soft\",\"n\":null}");

	assert_true(lp_span_is(lp_json_str(json, "model_id"), "x"));
	assert_true(lp_span_is(lp_json_str(json, "prompt"), "soft"));
	assert_null(lp_json_get(json, "n"));
	assert_null(lp_json_get(json, "absent"));
	assert_int_equal(lp_json_str(json, "n").len, 0);
	assert_null(lp_json_get(parse("[1]"), "a"));
}

static const char *rewritten(struct lp_buf *buf, const char *text)
{
	lp_buf_reset(buf);
	lp_json_write(buf, parse(text));
	return lp_buf_text(buf);
}

static void writing_is_that_of_gos_encoder(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "{ \"b\" : 1, \"a\" : [ true, null, {} ] }", "{\"a\":[true,null,{}],\"b\":1}" },
		{ "\"<a href='x'>&\"", "\"\\u003ca href='x'\\u003e\\u0026\"" },
		{ "\"\\u2028\\u2029\\u2027\"", "\"\\u2028\\u2029\xe2\x80\xa7\"" },
		{ "\"\\n\\t\\r\\b\\f\\u0001\\u001f\\\\\\\"\\/\"", "\"\\n\\t\\r\\b\\f\\u0001\\u001f\\\\\\\"/\"" },
		{ "\"\xc3\xa9\xf0\x9f\x98\x80\x7f\"", "\"\xc3\xa9\xf0\x9f\x98\x80\x7f\"" },
		{ "-9223372036854775808", "-9223372036854775808" },
	};
	struct lp_buf buf = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(rewritten(&buf, rows[i][0]), rows[i][1]);
	lp_buf_clear(&buf);
}

static void fractions_are_written_shortest(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "0.1", "0.1" }, { "7.0", "7" }, { "-7.50", "-7.5" }, { "100.0", "100" }, { "1e20", "100000000000000000000" },
		{ "1e21", "1e+21" }, { "1.5e300", "1.5e+300" }, { "0.000001", "0.000001" }, { "0.0000001", "1e-7" },
		{ "1.25e-9", "1.25e-9" }, { "0.30000000000000004", "0.30000000000000004" }, { "123456.789", "123456.789" },
		{ "0.0", "0" }, { "-0.0", "-0" }, { "5e-324", "5e-324" }, { "1.7976931348623157e308", "1.7976931348623157e+308" },
		{ "0.005", "0.005" },
	};
	struct lp_buf buf = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(rewritten(&buf, rows[i][0]), rows[i][1]);
	lp_buf_clear(&buf);
}

static void bytes_that_are_no_utf8_become_the_replacement(void **state)
{
	(void)state;
	struct lp_buf buf = { 0 };

	lp_json_write_str(&buf, LP_SPAN("a\xff\xc3(\xe2\x80"));
	assert_string_equal(lp_buf_text(&buf), "\"a\\ufffd\\ufffd(\\ufffd\\ufffd\"");
	lp_buf_clear(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_value_is_taken_and_a_later_key_wins),
		cmocka_unit_test(malformed_text_is_a_bad_request_that_says_where),
		cmocka_unit_test(depth_is_bounded_at_64),
		cmocka_unit_test(values_are_bounded_at_a_hundred_thousand),
		cmocka_unit_test(members_are_found_without_case_but_an_exact_match_wins),
		cmocka_unit_test(writing_is_that_of_gos_encoder),
		cmocka_unit_test(fractions_are_written_shortest),
		cmocka_unit_test(bytes_that_are_no_utf8_become_the_replacement),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
