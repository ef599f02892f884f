#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/jsonscan.h>

static struct lp_jval scan(const char *text)
{
	return lp_jscan(lp_span(text));
}

static void values_are_told_apart(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum lp_jkind kind;
	} rows[] = {
		{ "null", LP_J_NULL }, { " true ", LP_J_BOOL }, { "false", LP_J_BOOL }, { "-1.5e3", LP_J_NUMBER },
		{ "\"\"", LP_J_STRING }, { "\"a\\\"b\"", LP_J_STRING }, { "\"\\\\\"", LP_J_STRING }, { "[]", LP_J_ARRAY },
		{ "[ ]", LP_J_ARRAY }, { "[1,[2],{}]", LP_J_ARRAY }, { "{}", LP_J_OBJECT }, { "{ }", LP_J_OBJECT },
		{ "\r\n\t{\"a\" : [ 1 , {\"b\":null} ] , \"c\":\"}\"}\n", LP_J_OBJECT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lp_jval value = scan(rows[i].text);
		assert_int_equal(value.kind, rows[i].kind);
		assert_true(lp_span_find(lp_span(rows[i].text), value.raw) >= 0);
	}
}

static void malformed_text_is_bad(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", " ", "nul", "tru", "nullx", "1 2", "\"", "\"\\\"", "\"a\\\\\\\"", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]",
		"{", "}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{a:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "[1}", "{\"a\":1]",
		"{1:2}", "[\"a\":1]", "{\"a\":1,2}", "+1", "'a'",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(scan(bad[i]).kind, LP_J_BAD);
	assert_int_equal(lp_jscan((struct lp_span){ NULL, 0 }).kind, LP_J_BAD);
}

static void nesting_is_bounded_at_32(void **state)
{
	(void)state;
	char text[80];

	memset(text, '[', 33);
	memset(text + 33, ']', 33);
	assert_int_equal(lp_jscan(lp_span_of(text + 1, 64)).kind, LP_J_ARRAY);
	assert_int_equal(lp_jscan(lp_span_of(text, 66)).kind, LP_J_BAD);
}

static void members_are_found_by_exact_key(void **state)
{
	(void)state;
	struct lp_jval object = scan("{\"images\":[{\"url\":\"data:x\",\"seed\":7,\"nsfw\":false}],\"x\":\"y\",\"URL\":1}");
	struct lp_jval images = lp_jscan_get(object, "images"), image = { 0 };
	struct lp_span url = { 0 };
	size_t at = 0;
	uint64_t seed = 0;
	bool nsfw = true;

	assert_int_equal(images.kind, LP_J_ARRAY);
	assert_true(lp_jscan_each(images, &at, &image));
	assert_true(lp_jscan_plain(lp_jscan_get(image, "url"), &url));
	assert_true(lp_span_is(url, "data:x"));
	assert_true(lp_jscan_u64(lp_jscan_get(image, "seed"), &seed));
	assert_int_equal(seed, 7);
	assert_true(lp_jscan_bool(lp_jscan_get(image, "nsfw"), &nsfw));
	assert_false(nsfw);
	assert_false(lp_jscan_each(images, &at, &image));
	assert_int_equal(lp_jscan_get(object, "url").kind, LP_J_BAD);
	assert_int_equal(lp_jscan_get(images, "url").kind, LP_J_BAD);
	assert_false(lp_jscan_u64(lp_jscan_get(object, "x"), &seed));
	assert_false(lp_jscan_u64(scan("-1"), &seed));
	assert_false(lp_jscan_u64(scan("1.5"), &seed));
}

static void elements_and_members_come_in_order(void **state)
{
	(void)state;
	struct lp_jval array = scan(" [ 1 , \"]\" , [ 2 ] ] "), value;
	static const char *const raws[] = { "1", "\"]\"", "[ 2 ]" };
	size_t at = 0, n = 0;

	for (; lp_jscan_each(array, &at, &value); n++)
		assert_true(lp_span_is(value.raw, raws[n]));
	assert_int_equal(n, 3);

	struct lp_jval object = scan("{ \"a\" : 1 ,\"b\\\"\":{\"a\":2}}");
	struct lp_span key;
	at = 0;
	assert_true(lp_jscan_each_member(object, &at, &key, &value));
	assert_true(lp_span_is(key, "a") && lp_span_is(value.raw, "1"));
	assert_true(lp_jscan_each_member(object, &at, &key, &value));
	assert_true(lp_span_is(key, "b\\\"") && lp_span_is(value.raw, "{\"a\":2}"));
	assert_false(lp_jscan_each_member(object, &at, &key, &value));
	at = 0;
	assert_false(lp_jscan_each(scan("[ ]"), &at, &value));
	at = 0;
	assert_false(lp_jscan_each_member(scan("{ }"), &at, &key, &value));
	at = 0;
	assert_false(lp_jscan_each(object, &at, &value));
}

static void escapes_are_resolved(void **state)
{
	(void)state;
	static const struct {
		const char *raw, *text;
	} rows[] = {
		{ "\"plain\"", "plain" }, { "\"a\\/b\\\\\\\"\\n\\t\\r\\b\\f\"", "a/b\\\"\n\t\r\b\f" }, { "\"\\u00e9\\u20AC\"", "\xc3\xa9\xe2\x82\xac" },
		{ "\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!" }, { "\"\\ud83d\"", "\xef\xbf\xbd" }, { "\"\\ude00x\"", "\xef\xbf\xbdx" },
		{ "\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A" }, { "\"\\u0041\"", "A" },
	};
	char to[64];
	size_t len;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(lp_jscan_unescape(scan(rows[i].raw), to, sizeof(to), &len));
		assert_true(lp_span_is(lp_span_of(to, len), rows[i].text));
	}
	assert_true(lp_jscan_unescape(scan("\"\\u0000\""), to, sizeof(to), &len));
	assert_int_equal(len, 1);
}

static void bad_escapes_and_small_rooms_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u\"", "7" };
	struct lp_span span;
	char to[8];
	size_t len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(lp_jscan_unescape(scan(bad[i]), to, sizeof(to), &len));
	assert_false(lp_jscan_unescape(scan("\"123456789\""), to, sizeof(to), &len));
	assert_false(lp_jscan_unescape(scan("\"1234567\\u00e9\""), to, sizeof(to), &len));
	assert_true(lp_jscan_unescape(scan("\"123456\\u00e9\""), to, sizeof(to), &len));
	assert_false(lp_jscan_plain(scan("\"a\\/b\""), &span));
	assert_false(lp_jscan_plain(scan("7"), &span));
	assert_true(lp_jscan_plain(scan("\"\""), &span));
	assert_int_equal(span.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_told_apart),
		cmocka_unit_test(malformed_text_is_bad),
		cmocka_unit_test(nesting_is_bounded_at_32),
		cmocka_unit_test(members_are_found_by_exact_key),
		cmocka_unit_test(elements_and_members_come_in_order),
		cmocka_unit_test(escapes_are_resolved),
		cmocka_unit_test(bad_escapes_and_small_rooms_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
