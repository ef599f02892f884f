/* What may stand in a head, and how it is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/time.h>

#include "io/port/http1.h"
#include "io/port/http_head.h"

/* Eight bytes are looked at together: each byte value must be judged alike at each place among others. */
static void a_value_is_judged_alike_wherever_the_byte_stands(void **state)
{
	char text[41];

	(void)state;
	for (int c = 0; c < 256; c++) {
		bool fine = c == '\t' || (c >= 0x20 && c != 0x7f);

		for (size_t at = 0; at < sizeof(text); at++) {
			static const char around[] = { 'a', '\t', (char)0x80, (char)0xff, ' ', '~' };

			memset(text, around[at % sizeof(around)], sizeof(text));
			text[at] = (char)c;
			if (lp_http_is_value(lp_span_of(text, sizeof(text))) != fine)
				fail_msg("byte %d at %zu", c, at);
		}
	}
	assert_true(lp_http_is_value((struct lp_span){ 0 }));
}

static void names_are_tokens(void **state)
{
	(void)state;
	assert_true(lp_http_is_token(LP_SPAN("livepeer-payment")));
	assert_true(lp_http_is_token(LP_SPAN("X!#$%&'*+.^_`|~9")));
	assert_false(lp_http_is_token(LP_SPAN("")));
	for (const char *bad = "\"(),/:;<=>?@[\\]{} \t\r\n\x7f\x80"; *bad; bad++)
		assert_false(lp_http_is_token(lp_span_of(bad, 1)));
	assert_false(lp_http_is_token(lp_span_of("a\0b", 3)));
}

static void targets_are_paths_or_a_star(void **state)
{
	(void)state;
	assert_true(lp_http_is_target(LP_SPAN("/a/b?c=%20&d=[]{}|")));
	assert_true(lp_http_is_target(LP_SPAN("*")));
	assert_false(lp_http_is_target(LP_SPAN("")));
	assert_false(lp_http_is_target(LP_SPAN("**")));
	assert_false(lp_http_is_target(LP_SPAN("a")));
	assert_false(lp_http_is_target(LP_SPAN("/a b")));
	assert_false(lp_http_is_target(LP_SPAN("/a\r\nb")));
	assert_false(lp_http_is_target(LP_SPAN("/a#b")));
}

static void hosts_may_have_a_port_or_be_literals(void **state)
{
	(void)state;
	assert_true(lp_http_is_authority(LP_SPAN("")));
	assert_true(lp_http_is_authority(LP_SPAN("node.example.org:8935")));
	assert_true(lp_http_is_authority(LP_SPAN("[2001:db8::1]:80")));
	assert_false(lp_http_is_authority(LP_SPAN("user@host")));
	assert_false(lp_http_is_authority(LP_SPAN("a/b")));
	assert_false(lp_http_is_authority(LP_SPAN("a b")));
}

static void a_head_is_written(void **state)
{
	struct lp_buf to = { 0 };

	(void)state;
	lp_http_status_line(&to, 404);
	lp_http_field(&to, LP_SPAN("empty"), (struct lp_span){ 0 });
	lp_http_field(&to, LP_SPAN("a"), LP_SPAN("b\r\nc: d"));
	lp_http_field(&to, LP_SPAN("a b"), LP_SPAN("c"));
	lp_http_field_number(&to, "content-length", UINT64_MAX);
	lp_http_chunk_size(&to, 0);
	lp_http_chunk_size(&to, 0x1234abcd);
	assert_string_equal(lp_buf_text(&to), "HTTP/1.1 404 Not Found\r\nempty: \r\n"
					      "content-length: 18446744073709551615\r\n0\r\n1234abcd\r\n");
	lp_buf_clear(&to);
}

static void the_date_changes_with_the_second(void **state)
{
	struct lp_http_date date = { 0 };

	(void)state;
	assert_true(lp_span_is(lp_http_date(&date, 0), "Thu, 01 Jan 1970 00:00:00 GMT"));
	assert_true(lp_span_is(lp_http_date(&date, LP_SEC - 1), "Thu, 01 Jan 1970 00:00:00 GMT"));
	assert_true(lp_span_is(lp_http_date(&date, LP_SEC), "Thu, 01 Jan 1970 00:00:01 GMT"));
}

static void add(struct lp_http1_head *head, enum lp_http1_part part, const char *piece)
{
	assert_int_equal(lp_http1_head_add(head, part, lp_span(piece), 1000), LP_OK);
}

static void a_head_is_gathered_from_pieces(void **state)
{
	struct lp_http1_head head = { 0 };
	struct lp_span target;

	(void)state;
	add(&head, LP_HTTP1_TARGET_PART, "/tar");
	add(&head, LP_HTTP1_TARGET_PART, "get");
	add(&head, LP_HTTP1_NAME, "Na");
	add(&head, LP_HTTP1_NAME, "ME");
	add(&head, LP_HTTP1_VALUE, "va");
	add(&head, LP_HTTP1_VALUE, "lue \t");
	add(&head, LP_HTTP1_NAME, "Empty");
	add(&head, LP_HTTP1_VALUE, "");
	add(&head, LP_HTTP1_NAME, "last");
	add(&head, LP_HTTP1_VALUE, "x");
	struct lp_headers headers = lp_http1_head_whole(&head, &target);
	assert_true(lp_span_is(target, "/target"));
	assert_int_equal(headers.n, 3);
	assert_true(lp_span_is(headers.at[0].name, "name") && lp_span_is(headers.at[0].value, "value"));
	assert_true(lp_span_is(headers.at[1].name, "empty") && lp_span_is(headers.at[1].value, ""));
	assert_true(lp_span_is(headers.at[2].name, "last") && lp_span_is(headers.at[2].value, "x"));
	lp_http1_head_clear(&head);
	headers = lp_http1_head_whole(&head, &target);
	assert_int_equal(headers.n, 0);
	assert_int_equal(target.len, 0);
}

static void words_of_a_list_are_found_in_any_of_its_fields(void **state)
{
	struct lp_header fields[] = {
		{ .name = LP_SPAN("connection"), .value = LP_SPAN("te, Keep-Alive") },
		{ .name = LP_SPAN("connection"), .value = LP_SPAN(" , CLOSE") },
		{ .name = LP_SPAN("other"), .value = LP_SPAN("upgrade") },
	};
	struct lp_headers headers = { fields, 3 };

	(void)state;
	assert_true(lp_http1_has_word(headers, "connection", "keep-alive"));
	assert_true(lp_http1_has_word(headers, "connection", "close"));
	assert_false(lp_http1_has_word(headers, "connection", "upgrade"));
	assert_false(lp_http1_has_word(headers, "connection", "keep"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_judged_alike_wherever_the_byte_stands),
		cmocka_unit_test(names_are_tokens),
		cmocka_unit_test(targets_are_paths_or_a_star),
		cmocka_unit_test(hosts_may_have_a_port_or_be_literals),
		cmocka_unit_test(a_head_is_written),
		cmocka_unit_test(the_date_changes_with_the_second),
		cmocka_unit_test(a_head_is_gathered_from_pieces),
		cmocka_unit_test(words_of_a_list_are_found_in_any_of_its_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
