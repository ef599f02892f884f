/* Log lines as JSON: whatever was logged, a JSON parser reads the same values back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/json.h>
#include <lpd/base/log.h>

struct page {
	char text[8192];
	size_t len;
};

static void keep(void *self, const char *line, size_t len)
{
	struct page *page = self;

	assert_true(len < sizeof(page->text));
	memcpy(page->text, line, len);
	page->text[len] = 0;
	page->len = len;
}

static int64_t noon(void *self)
{
	(void)self;
	return INT64_C(1764000000123000);
}

struct bench {
	struct page page;
	struct lp_scope *scope;
	struct lp_log_sink sink;
	struct lp_log *log;
};

static int setup(void **state)
{
	static struct bench b;

	b = (struct bench){ .scope = lp_scope_open(NULL, "test") };
	b.sink = (struct lp_log_sink){ .level = LP_INFO, .write = keep, .self = &b.page, .json = true };
	b.log = lp_log_open(b.scope, &b.sink);
	*state = &b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	lp_scope_close(&b->scope);
	return 0;
}

static json_t *parsed(struct bench *b)
{
	struct lp_err e;
	json_t *json;

	assert_int_equal(b->page.text[b->page.len - 1], '\n');
	assert_ptr_equal(memchr(b->page.text, '\n', b->page.len), b->page.text + b->page.len - 1);
	if (lp_json_parse(b->scope, &json, lp_span_of(b->page.text, b->page.len), &e) != LP_OK)
		fail_msg("%s: %s", b->page.text, lp_err_words(&e));
	return json;
}

static void a_line_becomes_an_object(void **state)
{
	struct bench *b = *state;

	b->sink.wall = noon;
	lp_log(lp_log_with(b->scope, b->log, "role", "%s", "gateway"), LP_UNUSUAL, "try failed", "ms=%d code=%s", 12, "x");
	assert_string_equal(b->page.text, "{\"time\":\"2025-11-24T16:00:00.123Z\",\"level\":\"unusual\",\"event\":\"try failed\","
			    "\"role\":\"gateway\",\"ms\":\"12\",\"code\":\"x\"}\n");
}

static void without_keys_and_time_it_is_one_too(void **state)
{
	struct bench *b = *state;

	lp_log(b->log, LP_INFO, "started", "");
	assert_string_equal(b->page.text, "{\"level\":\"info\",\"event\":\"started\"}\n");
}

static void every_value_is_read_back(void **state)
{
	static const char *const values[] = {
		"", "plain", "two words", "a=b", "q\"uote", "back\\slash", "\\", "\"", "line\nend", "tab\tbell\a", "\x7f",
		"gr\xc3\xbc\xc3\x9f", "\xf0\x9f\xa6\x8a fox", "\\x41", "}", "{\"a\":1}",
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		lp_log_kv(b->log, LP_INFO, values[i], "one", values[i], "two", "2", NULL);
		json_t *json = parsed(b);

		assert_string_equal(json_string_value(json_object_get(json, "one")), values[i]);
		assert_string_equal(json_string_value(json_object_get(json, "event")), values[i]);
		assert_string_equal(json_string_value(json_object_get(json, "two")), "2");
	}
}

static void what_is_no_utf8_is_shown_as_question_marks(void **state)
{
	struct bench *b = *state;

	lp_log_kv(b->log, LP_INFO, "x", "one", "a\xff" "b\xc3", "two", "\xe2\x82", NULL);
	json_t *json = parsed(b);

	assert_string_equal(json_string_value(json_object_get(json, "one")), "a?b?");
	assert_string_equal(json_string_value(json_object_get(json, "two")), "??");
}

static void a_long_line_is_still_an_object(void **state)
{
	static char much[5000], quotes[3000];
	struct bench *b = *state;

	memset(much, 'x', sizeof(much) - 1);
	memset(quotes, '"', sizeof(quotes) - 1);
	lp_log_kv(b->log, LP_INFO, "x", "first", "1", "much", much, "last", "2", NULL);
	assert_string_equal(json_string_value(json_object_get(parsed(b), "first")), "1");
	lp_log_kv(b->log, LP_INFO, "x", "first", "1", "quotes", quotes, NULL);
	assert_string_equal(json_string_value(json_object_get(parsed(b), "first")), "1");
	assert_true(b->page.len <= 4096);
}

/* Wherever the end of a line falls, in an escape or behind it. */
static void a_line_cut_anywhere_is_still_an_object(void **state)
{
	static const char *const units[] = { "\"", "\\", "\x01", "\n", "a\x1b", "\xf0\x9f\xa6\x8a" };
	struct bench *b = *state;
	char text[4200];

	for (size_t u = 0; u < sizeof(units) / sizeof(*units); u++) {
		for (size_t pad = 0; pad < 8; pad++) {
			size_t n = strlen(units[u]), len = pad;

			memset(text, 'x', pad);
			for (; len + n < sizeof(text); len += n)
				memcpy(text + len, units[u], n);
			text[len] = 0;
			lp_log_kv(b->log, LP_INFO, "e", "much", text, "last", "2", NULL);
			parsed(b);
			lp_log_kv(b->log, LP_INFO, "e", "first", "1", text, text, NULL);
			parsed(b);
			lp_log(b->log, LP_INFO, "e", "n=%d much=%s", 1, text);
			parsed(b);
		}
	}
}

/* Where a format was used for what came from outside: no value may spoil the line. */
static void a_format_with_anything_in_it_is_still_an_object(void **state)
{
	static const char *const values[] = {
		"\"", "\\", "\"\\", "\"\\x", "\"\\xzz99", "\\q", "\"\\q\"", "\"a\\", "=", " = ", "\"=\"", "\"\\u12\"", "\xc3",
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		lp_log(b->log, LP_INFO, "e", "one=%s two=\"%s\" three=3", values[i], values[i]);
		parsed(b);
		lp_log(b->log, LP_INFO, "e", "%s", values[i]);
		parsed(b);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_becomes_an_object),
		TEST(without_keys_and_time_it_is_one_too),
		TEST(every_value_is_read_back),
		TEST(what_is_no_utf8_is_shown_as_question_marks),
		TEST(a_long_line_is_still_an_object),
		TEST(a_line_cut_anywhere_is_still_an_object),
		TEST(a_format_with_anything_in_it_is_still_an_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
