#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/io/multipart.h>

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

/* Everything pulled from a body that comes in pieces of n bytes, as text:
 * [name|filename|type|content] ... and "done", "need" or "bad: words". */
static void pull_all(struct lp_multipart *m, struct lp_buf *said, bool *ended)
{
	struct lp_part part;
	struct lp_err e;

	for (;;) {
		switch (lp_multipart_pull(m, &part, &e)) {
		case LP_PART_NEED:
			return;
		case LP_PART_BEGIN:
			lp_buf_fmt(said, "[%.*s|%.*s|%.*s|", LP_ARG(part.name), LP_ARG(part.filename),
				   LP_ARG(part.type));
			break;
		case LP_PART_DATA:
			assert_true(part.data.len > 0);
			lp_buf_add_span(said, part.data);
			break;
		case LP_PART_END:
			lp_buf_add_text(said, "]");
			break;
		case LP_PART_DONE:
			lp_buf_add_text(said, "done");
			*ended = true;
			return;
		case LP_PART_BAD:
			lp_buf_fmt(said, "bad: %s", e.words);
			*ended = true;
			return;
		}
	}
}

static void read_in_pieces(struct lp_buf *said, const char *type, struct lp_span body, size_t piece)
{
	struct lp_multipart *m;
	struct lp_err e;
	bool ended = false;

	assert_int_equal(lp_multipart_open(scope, &m, lp_span(type), &e), LP_OK);
	while (body.len && !ended) {
		size_t n = body.len < piece ? body.len : piece;
		char *copy = malloc(n);	/* an address of its own, so that asan sees what is kept too long */

		memcpy(copy, body.at, n);
		body = lp_span_skip(body, n);
		lp_multipart_push(m, lp_span_of(copy, n));
		pull_all(m, said, &ended);
		free(copy);
	}
	if (!ended) {
		lp_multipart_finish(m);
		pull_all(m, said, &ended);
	}
	assert_true(ended);
}

#define TYPE "multipart/form-data; boundary=xyz"

static void check(struct lp_span body, const char *want)
{
	for (size_t piece = 1; piece <= body.len + 1; piece++) {
		struct lp_buf said = { .len = 0 };

		read_in_pieces(&said, TYPE, body, piece);
		if (strcmp(lp_buf_text(&said), want) != 0)
			fail_msg("in pieces of %zu: %s", piece, lp_buf_text(&said));
		lp_buf_clear(&said);
	}
}

/* Refused, however it is cut, in words that end with these. */
static void check_bad(struct lp_span body, const char *words)
{
	for (size_t piece = 1; piece <= body.len + 1; piece++) {
		struct lp_buf said = { .len = 0 };

		read_in_pieces(&said, TYPE, body, piece);
		if (!strstr(lp_buf_text(&said), "bad: the multipart body is malformed: ") ||
		    !lp_span_ends(lp_buf_span(&said), words))
			fail_msg("in pieces of %zu: %s", piece, lp_buf_text(&said));
		lp_buf_clear(&said);
	}
}

static void a_form_is_read_however_it_is_cut(void **state)
{
	(void)state;
	check(LP_SPAN("--xyz\r\n"
		      "Content-Disposition: form-data; name=\"image\"; filename=\"a b.png\"\r\n"
		      "Content-Type: image/png\r\n"
		      "\r\n"
		      "\r\n\r\n--xy\r\n--xy!\r\n-\r\r\n"
		      "\r\n--xyz\r\n"
		      "content-disposition:form-data;name=prompt\r\n"
		      "\r\n"
		      "a cat\r\n"
		      "--xyz--\r\n"),
	      "[image|a b.png|image/png|\r\n\r\n--xy\r\n--xy!\r\n-\r\r\n][prompt|||a cat]done");
}

static void preamble_epilogue_and_padding_are_skipped(void **state)
{
	(void)state;
	check(LP_SPAN("ignore\r\n--xy\r\nthis\r\n--xyz \t \r\n"
		      "Content-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--xyz--\r\nand --xyz this"),
	      "[a|||1]done");
}

static void a_part_may_be_empty(void **state)
{
	(void)state;
	check(LP_SPAN("--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--xyz--"), "[a|||]done");
	check(LP_SPAN("--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--xyz--"), "[a|||]done");
	check(LP_SPAN("--xyz\r\n\r\nx\r\n--xyz--"), "[|||x]done");
	check(LP_SPAN("--xyz\r\n\r\n-x\r\n--xyz--"), "[|||-x]done");
	check(LP_SPAN("--xyz--"), "done");
	check(LP_SPAN("\r\n--xyz--"), "done");
}

static void names_and_values_hold_until_the_part_ends(void **state)
{
	struct lp_multipart *m;
	struct lp_part part;
	struct lp_err e;
	char *head = strdup("--xyz\r\nContent-Disposition: form-data; name=\"abc\"; filename=\"f\"\r\n\r\n");

	(void)state;
	assert_int_equal(lp_multipart_open(scope, &m, LP_SPAN(TYPE), &e), LP_OK);
	lp_multipart_push(m, lp_span(head));
	assert_int_equal(lp_multipart_pull(m, &part, &e), LP_PART_BEGIN);
	struct lp_span name = part.name, filename = part.filename;
	assert_int_equal(lp_multipart_pull(m, &part, &e), LP_PART_NEED);
	free(head);
	lp_multipart_push(m, LP_SPAN("data\r\n--xyz\r\n"));
	assert_int_equal(lp_multipart_pull(m, &part, &e), LP_PART_DATA);
	assert_true(lp_span_is(part.data, "data"));
	assert_int_equal(lp_multipart_pull(m, &part, &e), LP_PART_END);
	assert_true(lp_span_is(name, "abc"));
	assert_true(lp_span_is(filename, "f"));
	assert_null(part.type.at);
}

static void whole_pieces_of_data_are_not_copied(void **state)
{
	struct lp_multipart *m;
	struct lp_part part;
	struct lp_err e;
	struct lp_span body = LP_SPAN("--xyz\r\n\r\n0123456789");

	(void)state;
	assert_int_equal(lp_multipart_open(scope, &m, LP_SPAN(TYPE), &e), LP_OK);
	lp_multipart_push(m, body);
	assert_int_equal(lp_multipart_pull(m, &part, &e), LP_PART_BEGIN);
	assert_int_equal(lp_multipart_pull(m, &part, &e), LP_PART_DATA);
	assert_ptr_equal(part.data.at, body.at + 9);
	assert_int_equal(part.data.len, 10);
}

static void a_malformed_body_is_refused_in_words(void **state)
{
	(void)state;
	check_bad(LP_SPAN(""), "it ends before its last boundary");
	check_bad(LP_SPAN("no boundary"), "it ends before its last boundary");
	check_bad(LP_SPAN("--xyz\r\n\r\ncut"), "it ends before its last boundary");
	check_bad(LP_SPAN("--xyz\r\n\r\ncut\r\n--xyz"), "it ends before its last boundary");
	check_bad(LP_SPAN("--xyz\r\n\r\ncut\r\n--xyz-"), "it ends before its last boundary");
	check_bad(LP_SPAN("--xyz\r\nContent-"), "it ends before its last boundary");
	check_bad(LP_SPAN("--xyzz\r\n"), "a boundary is followed by other text");
	check_bad(LP_SPAN("--xyz-z\r\n"), "a boundary is followed by other text");
	check_bad(LP_SPAN("--xyz\rz\r\n"), "a boundary is followed by other text");
	check_bad(LP_SPAN("--xyz\r\nno colon\r\n\r\n"), "without a colon");
	check_bad(LP_SPAN("--xyz\r\na: b\r\n folded: c\r\n\r\n"), "without a colon");
	check_bad(LP_SPAN("--xyz\r\na: b\nc: d\r\n\r\n"), "a part's header line does not end in CRLF");
	check_bad(LP_SPAN("--xyz\r\na: \0\r\n\r\n"), "zero byte in its headers");
}

static void headers_and_parts_are_bounded(void **state)
{
	struct lp_buf body = { .len = 0 }, said = { .len = 0 };

	(void)state;
	lp_buf_add_text(&body, "--xyz\r\nX: ");
	for (int i = 0; i < 8192; i++)
		lp_buf_add_char(&body, 'x');
	read_in_pieces(&said, TYPE, lp_buf_span(&body), 100);
	assert_non_null(strstr(lp_buf_text(&said), "over 8 KiB"));

	lp_buf_reset(&body);
	lp_buf_reset(&said);
	for (int i = 0; i < 65; i++)
		lp_buf_add_text(&body, "--xyz\r\n\r\n1\r\n");
	read_in_pieces(&said, TYPE, lp_buf_span(&body), 1000);
	assert_non_null(strstr(lp_buf_text(&said), "[|||1]bad: the multipart body is malformed: there are more than 64"));
	lp_buf_clear(&body);
	lp_buf_clear(&said);
}

static void a_content_type_without_a_usable_boundary_is_refused(void **state)
{
	static const char *const rows[] = {
		"application/json", "multipart/form-data", "multipart/form-data; boundary=",
		"multipart/form-data; boundary=\"a\tb\"", "multipart/byteranges; boundary=x", "",
		"multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890123456789x",
	};
	struct lp_multipart *m;
	struct lp_err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(lp_multipart_open(scope, &m, lp_span(rows[i]), &e), LP_MEDIA_TYPE);
	assert_int_equal(lp_multipart_open(scope, &m, LP_SPAN("Multipart/Mixed; boundary=\"a b\""), &e), LP_OK);
}

static void a_workers_result_is_read(void **state)
{
	struct lp_buf said = { .len = 0 };

	(void)state;
	read_in_pieces(&said, "multipart/mixed; boundary=b",
		       LP_SPAN("--b\r\nContent-Disposition: attachment; filename=0a.png\r\nContent-Length: 3\r\n"
			       "Content-Type: image/png\r\n\r\nPNG\r\n"
			       "--b\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}\r\n--b--\r\n"),
		       7);
	assert_string_equal(lp_buf_text(&said), "[|0a.png|image/png|PNG][||application/json|{}]done");
	lp_buf_clear(&said);
}

static void what_is_written_is_read_back(void **state)
{
	struct lp_buf body = { .len = 0 }, said = { .len = 0 };
	char boundary[61];

	(void)state;
	lp_multipart_boundary(boundary);
	assert_int_equal(strspn(boundary, "0123456789abcdef"), 60);
	assert_int_equal(boundary[60], '\0');
	lp_multipart_write_file(&body, boundary, LP_SPAN("image"), LP_SPAN("a\"\r\nb.png"));
	lp_buf_add_text(&body, "PNG\r\n");
	lp_multipart_write_field(&body, boundary, LP_SPAN("prompt"), LP_SPAN("a\r\ncat"));
	lp_multipart_write_end(&body, boundary);
	read_in_pieces(&said, lp_fmt(scope, "multipart/form-data; boundary=%s", boundary), lp_buf_span(&body), 11);
	assert_string_equal(lp_buf_text(&said), "[image|a%22%0D%0Ab.png|application/octet-stream|PNG]"
						"[prompt|||a\r\ncat]done");
	lp_buf_clear(&body);
	lp_buf_clear(&said);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_form_is_read_however_it_is_cut),
		TEST(preamble_epilogue_and_padding_are_skipped),
		TEST(a_part_may_be_empty),
		TEST(names_and_values_hold_until_the_part_ends),
		TEST(whole_pieces_of_data_are_not_copied),
		TEST(a_malformed_body_is_refused_in_words),
		TEST(headers_and_parts_are_bounded),
		TEST(a_content_type_without_a_usable_boundary_is_refused),
		TEST(a_workers_result_is_read),
		TEST(what_is_written_is_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
