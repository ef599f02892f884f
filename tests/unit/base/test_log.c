#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include <lpd/base/log.h>

/* The lines since the last reset. */
struct page {
	char text[10000];
	size_t len;
};

static void keep(void *self, const char *line, size_t len)
{
	struct page *page = self;

	assert_int_equal(line[len - 1], '\n');
	assert_true(page->len + len < sizeof(page->text));
	memcpy(page->text + page->len, line, len);
	page->len += len;
	page->text[page->len] = 0;
}

static int64_t noon(void *self)
{
	(void)self;
	return INT64_C(1764000000123000);
}

static void a_line_has_level_event_own_keys_and_its_keys(void **state)
{
	(void)state;
	static struct page page;
	struct lp_log_sink sink = { LP_INFO, keep, NULL, &page, false };
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_log *log = lp_log_open(scope, &sink);
	struct lp_log *job = lp_log_with(scope, log, "job", "%d", 7);
	struct lp_log *try = lp_log_with(scope, job, "orch", "%s", "a b");

	lp_log(log, LP_INFO, "started", "");
	lp_log(try, LP_UNUSUAL, "try failed", "ms=%d code=%s", 12, "timeout");
	lp_log(log, LP_DEBUG, "unseen", "");
	assert_string_equal(page.text, "info \"started\"\nunusual \"try failed\" job=7 orch=\"a b\" ms=12 code=timeout\n");
	assert_true(lp_log_on(log, LP_BROKEN));
	assert_false(lp_log_on(log, LP_TRACE));
	lp_scope_close(&scope);
}

static void the_time_stands_first(void **state)
{
	(void)state;
	static struct page page;
	struct lp_log_sink sink = { LP_INFO, keep, noon, &page, false };
	struct lp_scope *scope = lp_scope_open(NULL, "test");

	lp_log(lp_log_open(scope, &sink), LP_INFO, "x", "");
	assert_string_equal(page.text, "2025-11-24T16:00:00.123Z info \"x\"\n");
	lp_scope_close(&scope);
}

static void no_value_can_forge_a_line(void **state)
{
	(void)state;
	static struct page page;
	struct lp_log_sink sink = { LP_INFO, keep, NULL, &page, false };
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_log *log = lp_log_open(scope, &sink);

	lp_log_kv(log, LP_INFO, "joined", "uri", "http://x/", "name", "a\nbroken \"fake\" k=\x1b", "empty", "", NULL);
	assert_string_equal(page.text, "info \"joined\" uri=http://x/ name=\"a\\nbroken \\\"fake\\\" k=\\x1b\" empty=\"\"\n");
	page.len = 0;
	lp_log(log, LP_INFO, "a\"b\n", "x=%s", "1\n2");
	assert_string_equal(page.text, "info \"a\\\"b\\n\" x=1?2\n");
	lp_scope_close(&scope);
}

static void a_long_line_is_cut_and_ends(void **state)
{
	(void)state;
	static struct page page;
	static char text[6000];
	struct lp_log_sink sink = { LP_INFO, keep, NULL, &page, false };
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_log *log = lp_log_open(scope, &sink);

	memset(text, 'x', sizeof(text) - 1);
	lp_log(log, LP_INFO, "long", "t=%s", text);
	assert_int_equal(page.len, 4096);
	page.len = 0;
	lp_log_kv(log, LP_INFO, "long", "t", text, "u", text, NULL);
	assert_int_equal(page.len, 4096);
	page.len = 0;
	lp_log(log, LP_INFO, text, "t=%s", text);
	assert_int_equal(page.len, 4096);
	lp_scope_close(&scope);
}

static void levels_are_read_by_name_or_verbosity(void **state)
{
	(void)state;
	enum lp_level level = LP_BROKEN;

	assert_true(lp_level_parse(LP_SPAN("Trace"), &level) && level == LP_TRACE);
	assert_true(lp_level_parse(LP_SPAN("unusual"), &level) && level == LP_UNUSUAL);
	assert_true(lp_level_parse(LP_SPAN("0"), &level) && level == LP_INFO);
	assert_true(lp_level_parse(LP_SPAN("5"), &level) && level == LP_DEBUG);
	assert_true(lp_level_parse(LP_SPAN("6"), &level) && level == LP_TRACE);
	assert_false(lp_level_parse(LP_SPAN("7"), &level));
	assert_false(lp_level_parse(LP_SPAN("loud"), &level));
}

static void a_descriptor_gets_whole_lines_with_the_time(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_log_sink sink;
	char text[200];
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	lp_log_to_fd(&sink, ends[1], LP_INFO);
	lp_log(lp_log_open(scope, &sink), LP_INFO, "here", "n=%d", 1);
	ssize_t n = read(ends[0], text, sizeof(text) - 1);
	assert_true(n > 30);
	text[n] = 0;
	assert_string_equal(text + 24, " info \"here\" n=1\n");
	assert_memory_equal(text, "20", 2);
	close(ends[0]);
	close(ends[1]);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_level_event_own_keys_and_its_keys),
		cmocka_unit_test(the_time_stands_first),
		cmocka_unit_test(no_value_can_forge_a_line),
		cmocka_unit_test(a_long_line_is_cut_and_ends),
		cmocka_unit_test(levels_are_read_by_name_or_verbosity),
		cmocka_unit_test(a_descriptor_gets_whole_lines_with_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
