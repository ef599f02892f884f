#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/io/events.h>

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

/* The events of a stream that comes in pieces, as [name|data]..., and "bad: words" if it breaks. */
static void read_in_pieces(struct lp_buf *said, struct lp_span in, size_t piece, size_t limit)
{
	struct lp_events *events = lp_events_open(scope, limit);
	struct lp_span name, data;
	struct lp_err e = { LP_INTERNAL, "" };

	while (in.len) {
		size_t n = in.len < piece ? in.len : piece;

		lp_events_push(events, lp_span_of(in.at, n));
		in = lp_span_skip(in, n);
		while (lp_events_pull(events, &name, &data, &e))
			lp_buf_fmt(said, "[%.*s|%.*s]", LP_ARG(name), LP_ARG(data));
		if (e.code != LP_OK) {
			lp_buf_fmt(said, "bad: %s", e.words);
			return;
		}
	}
}

static void check(struct lp_span in, const char *want)
{
	for (size_t piece = 1; piece <= in.len + 1; piece++) {
		struct lp_buf said = { .len = 0 };

		read_in_pieces(&said, in, piece, 1000);
		if (strcmp(lp_buf_text(&said), want) != 0)
			fail_msg("in pieces of %zu: %s", piece, lp_buf_text(&said));
		lp_buf_clear(&said);
	}
}

static void events_are_read_however_they_are_cut(void **state)
{
	(void)state;
	check(LP_SPAN("data: {\"a\":1}\n\ndata:b\n\n"), "[|{\"a\":1}][|b]");
	check(LP_SPAN("event: error\ndata: x\nid: 7\nretry: 5\n: comment\n\ndata: y\n\n"), "[error|x][|y]");
	check(LP_SPAN("data: one\ndata:  two\n\n"), "[|one\n two]");
}

static void all_three_line_ends_are_taken(void **state)
{
	(void)state;
	check(LP_SPAN("data: a\r\ndata: b\r\n\r\ndata: c\r\rdata: d\n\n"), "[|a\nb][|c][|d]");
	check(LP_SPAN("data: a\r\n\r\n\r\ndata: b\r\n\r\n"), "[|a][|b]");
}

static void only_data_makes_an_event(void **state)
{
	(void)state;
	check(LP_SPAN("event: x\n\n: keep-alive\n\n\n\ndata: a\n\n"), "[|a]");
	check(LP_SPAN("data\n\ndata:\n\ndata: \n\n"), "[|][|][|]");
	check(LP_SPAN("data: never ended"), "");
	check(LP_SPAN("data: never ended\n"), "");
	check(LP_SPAN("database: x\n\n"), "");
}

static void a_byte_order_mark_at_the_start_is_skipped(void **state)
{
	(void)state;
	check(LP_SPAN("\xef\xbb\xbf" "data: a\n\n"), "[|a]");
	check(LP_SPAN("\xef\xbb" "data: a\n\n"), "");
	check(LP_SPAN("data: a\n\n\xef\xbb\xbf" "data: a\n\n"), "[|a]");
}

static void what_is_over_the_limit_ends_the_stream(void **state)
{
	struct lp_buf said = { .len = 0 };

	(void)state;
	read_in_pieces(&said, LP_SPAN("data: a\n\ndata: 0123456789"), 3, 10);
	assert_string_equal(lp_buf_text(&said), "[|a]bad: an event is longer than 10 bytes");
	lp_buf_reset(&said);
	read_in_pieces(&said, LP_SPAN("data: a\n\ndata: 0123456789\n\n"), 100, 10);
	assert_string_equal(lp_buf_text(&said), "[|a]bad: an event is longer than 10 bytes");
	lp_buf_reset(&said);
	read_in_pieces(&said, LP_SPAN("data: 0\ndata: 1\ndata: 2\ndata: 3\ndata: 4\ndata: 5\n\n"), 100, 10);
	assert_string_equal(lp_buf_text(&said), "bad: an event is longer than 10 bytes");
	lp_buf_clear(&said);

	struct lp_events *events = lp_events_open(scope, 4);
	struct lp_span name, data;
	struct lp_err e;
	lp_events_push(events, LP_SPAN("data: 01234"));
	assert_false(lp_events_pull(events, &name, &data, &e));
	assert_int_equal(e.code, LP_BAD_PEER);
	lp_events_push(events, LP_SPAN("\n\ndata\n\n"));
	assert_false(lp_events_pull(events, &name, &data, &e));
	assert_int_equal(e.code, LP_BAD_PEER);
}

static void what_is_written_is_read_back(void **state)
{
	struct lp_buf out = { .len = 0 }, said = { .len = 0 };

	(void)state;
	lp_events_write(&out, LP_SPAN("{}"));
	assert_string_equal(lp_buf_text(&out), "data: {}\n\n");
	lp_events_write(&out, LP_SPAN("a\nb\r\nc\rd\n"));
	lp_events_write(&out, LP_SPAN(""));
	read_in_pieces(&said, lp_buf_span(&out), 5, 100);
	assert_string_equal(lp_buf_text(&said), "[|{}][|a\nb\nc\nd\n][|]");
	lp_buf_clear(&out);
	lp_buf_clear(&said);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void one_large_event_leaves_its_memory_to_nobody(void **state)
{
	struct lp_events *events = lp_events_open(scope, 1 << 20);
	struct lp_span name, data;
	struct lp_buf text = { 0 };
	struct lp_err e;

	(void)state;
	lp_buf_add_text(&text, "data: ");
	memset(lp_buf_room(&text, 500000), 'x', 500000);
	lp_buf_grew(&text, 500000);
	lp_buf_add_text(&text, "\n\ndata: y\n\ndata: ");
	lp_events_push(events, lp_buf_span(&text));
	lp_buf_clear(&text);
	assert_true(lp_events_pull(events, &name, &data, &e));
	assert_int_equal(data.len, 500000);
	assert_true(lp_events_held(events) > 1000000);
	assert_true(lp_events_pull(events, &name, &data, &e));
	assert_true(lp_span_is(data, "y"));
	assert_true(lp_events_held(events) < 70000);
	lp_events_push(events, LP_SPAN("z\n\n"));
	assert_true(lp_events_pull(events, &name, &data, &e));
	assert_true(lp_span_is(data, "z"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_large_event_leaves_its_memory_to_nobody),
		TEST(events_are_read_however_they_are_cut),
		TEST(all_three_line_ends_are_taken),
		TEST(only_data_makes_an_event),
		TEST(a_byte_order_mark_at_the_start_is_skipped),
		TEST(what_is_over_the_limit_ends_the_stream),
		TEST(what_is_written_is_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
