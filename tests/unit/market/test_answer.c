#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/hex.h>
#include <lpd/market/answer.h>

static struct lp_scope *scope;
static struct lp_buf told; /* the events, written down */

static int open_all(void **state)
{
	(void)state;
	scope = lp_scope_open(NULL, "test");
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	lp_scope_close(&scope);
	lp_buf_clear(&told);
	return 0;
}

static void write_down(enum lp_answer_event event, const struct lp_answer_item *item)
{
	if (event == LP_ANSWER_MEDIA)
		lp_buf_fmt(&told, "media %d %.*s:", item->index, LP_ARG(item->type));
	else if (event == LP_ANSWER_SLICE)
		lp_buf_add_span(&told, item->slice);
	else if (event == LP_ANSWER_MEDIA_END)
		lp_buf_fmt(&told, ";end %d\n", item->index);
	else if (event == LP_ANSWER_URL)
		lp_buf_fmt(&told, "url %d %.*s\n", item->index, LP_ARG(item->url));
}

/* Push pieces of so many bytes, the first one shorter; what was told is in `told`, the rest of the
 * skeleton with <i> for the URLs follows. */
static enum lp_answer_event feed(struct lp_span json, size_t first, size_t piece, struct lp_err *e)
{
	struct lp_answer *a = lp_answer_open(scope);
	enum lp_answer_event event;
	bool finished = false;

	lp_buf_reset(&told);
	do {
		struct lp_answer_item item;

		event = lp_answer_pull(a, &item, e);
		write_down(event, &item);
		if (event == LP_ANSWER_NEED && json.len) {
			size_t n = first ? first : piece;

			n = n < json.len ? n : json.len;
			lp_answer_push(a, lp_span_of(json.at, n));
			json = lp_span_skip(json, n);
			first = 0;
		} else if (event == LP_ANSWER_NEED) {
			assert_false(finished);
			finished = true;
			lp_answer_finish(a);
		}
	} while (event != LP_ANSWER_DONE && event != LP_ANSWER_BAD);
	for (int i = 0; event == LP_ANSWER_DONE && i <= lp_answer_media(a); i++) {
		lp_buf_add_span(&told, lp_answer_text(a, i));
		if (i < lp_answer_media(a))
			lp_buf_fmt(&told, "<%d>", i);
	}
	return event;
}

static void assert_told(const char *json, const char *expected)
{
	struct lp_span all = lp_span(json);
	struct lp_err e = { 0 };

	/* Whole, then cut in two at every place, then byte by byte. */
	for (size_t cut = 0; cut <= all.len; cut++) {
		enum lp_answer_event event = feed(all, cut, all.len, &e);

		if (event == LP_ANSWER_BAD)
			print_message("cut at %zu: %s\n", cut, e.words);
		assert_int_equal(event, LP_ANSWER_DONE);
		assert_string_equal(lp_buf_text(&told), expected);
	}
	assert_int_equal(feed(all, 0, 1, &e), LP_ANSWER_DONE);
	assert_string_equal(lp_buf_text(&told), expected);
}

static void assert_bad(const char *json, const char *words)
{
	struct lp_span all = lp_span(json);

	for (size_t cut = 0; cut <= all.len; cut++) {
		struct lp_err e = { 0 };

		assert_int_equal(feed(all, cut, all.len, &e), LP_ANSWER_BAD);
		assert_int_equal(e.code, LP_BAD_PEER);
		if (!strstr(e.words, words))
			print_message("%s\n", json);
		assert_string_equal(e.words + strlen("the answer cannot be read: "), words);
	}
}

static void links_are_told_and_cut_out(void **state)
{
	(void)state;
	assert_told("{\"images\":[{\"nsfw\":false,\"seed\":7,\"url\":\"https://o:1/stream/a/"
		    "b.png\"}]}\n",
		    "url 0 "
		    "https://o:1/stream/a/"
		    "b.png\n{\"images\":[{\"nsfw\":false,\"seed\":7,\"url\":\"<0>\"}]}");
	assert_told("{\"audio\":{\"url\":\"http://x/y.wav\"}}",
		    "url 0 http://x/y.wav\n{\"audio\":{\"url\":\"<0>\"}}");
	assert_told("{\"frames\":[[{\"url\":\"a\",\"seed\":1}, {\"url\":\"b\"}],[]]}",
		    "url 0 a\nurl 1 "
		    "b\n{\"frames\":[[{\"url\":\"<0>\",\"seed\":1},{\"url\":\"<1>\"}],[]]}");
}

static void data_is_decoded(void **state)
{
	(void)state;
	assert_told(
		"{\"images\":[{\"url\":\"data:image/png;base64,aGVsbG8gd29ybGQ=\",\"seed\":1},"
		"{\"url\":\"data:image/jpeg;base64,eA==\"},{\"url\":\"data:image/"
		"svg+xml;base64,YWJj\"}]}",
		"media 0 image/png:hello world;end 0\nmedia 1 image/jpeg:x;end 1\nmedia 2 "
		"image/svg+xml:abc;end 2\n"
		"{\"images\":[{\"url\":\"<0>\",\"seed\":1},{\"url\":\"<1>\"},{\"url\":\"<2>\"}]}");
}

static void escapes_inside_urls_are_taken_off(void **state)
{
	(void)state;
	assert_told("{\"images\":[{\"url\":\"https:\\/\\/o\\/a?x=1\\u0026y=\\u002F\"},"
		    "{\"url\":\"data:image\\/png;base64,\\/\\/\\u002f\\u002B\"}]}",
		    "url 0 https://o/a?x=1&y=/\nmedia 1 image/png:\xff\xff\xfe;end 1\n"
		    "{\"images\":[{\"url\":\"<0>\"},{\"url\":\"<1>\"}]}");
}

static void other_urls_and_other_members_stay(void **state)
{
	(void)state;
	assert_told("{\"url\":\"a\",\"images\":[\"url\",{\"u\":\"url\",\"\\u0075rl\":\"x\","
		    "\"curl\":\"y\",\"ur\":1}],"
		    "\"more\":{\"images\":[{\"url\":\"kept\"}]},\"text\":\"a \\\"q\\\" \\\\\"}",
		    "{\"url\":\"a\",\"images\":[\"url\",{\"u\":\"url\",\"\\u0075rl\":\"x\","
		    "\"curl\":\"y\",\"ur\":1}],"
		    "\"more\":{\"images\":[{\"url\":\"kept\"}]},\"text\":\"a \\\"q\\\" \\\\\"}");
	assert_told("{\"images\":[{\"url\":null,\"seed\":-1.5e3,\"ok\":true}]}",
		    "{\"images\":[{\"url\":null,\"seed\":-1.5e3,\"ok\":true}]}");
	assert_told(" [ 1 , { } , [ ] , \"\" ] ", "[1,{},[],\"\"]");
	assert_told("\"alone\" ", "\"alone\"");
	assert_told("{\"images_with_a_long_name\":[{\"url\":\"kept\"}]}",
		    "{\"images_with_a_long_name\":[{\"url\":\"kept\"}]}");
}

static void malformed_answers_are_refused_wherever_they_are_cut(void **state)
{
	(void)state;
	static const char *const malformed[] = {
		"{\"a\" 1}", "{\"a\":1,}",  "{,}",     "[1,]x", "{1:2}", "[1 2]",
		"[}",        "{\"a\":tru}", "[1..2]x", "[nul]", "[1x]",
	};

	for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
		struct lp_err e;

		for (size_t cut = 0; cut <= strlen(malformed[i]); cut++)
			assert_int_equal(feed(lp_span(malformed[i]), cut, 99, &e), LP_ANSWER_BAD);
	}
	assert_bad("", "it was cut short");
	assert_bad("{\"images\":[", "it was cut short");
	assert_bad("{\"images\":[{\"url\":\"data:image/png;base64,YWJj", "it was cut short");
	assert_bad("{} {}", "something follows it");
	assert_bad("\"alone\",1", "something follows it");
	assert_bad("<html>", "a value is missing");
}

#define IN_IMAGES(url) "{\"images\":[{\"url\":\"" url "\"}]}"

static void malformed_media_are_refused_wherever_they_are_cut(void **state)
{
	(void)state;
	assert_bad(IN_IMAGES(""), "a medium has no URL");
	assert_bad(IN_IMAGES("http://x y"), "a medium's URL is malformed");
	assert_bad(IN_IMAGES("http://x\\n"), "a medium's URL is malformed");
	assert_bad(IN_IMAGES("http://x\\u00e9"), "a medium's URL is malformed");
	assert_bad(IN_IMAGES("http://x\\u00g9"), "a medium's URL is malformed");
	assert_bad(IN_IMAGES("http://\xc3\xa9"), "a medium's URL is malformed");
	assert_bad(IN_IMAGES("data:image/png;base64"), "a medium's URL is malformed");
	assert_bad(IN_IMAGES("data:image/png,abc"), "its data URL is not base64");
	assert_bad(IN_IMAGES("data:image/png;charset=x;base64,YWJj"), "its data URL has no type");
	assert_bad(IN_IMAGES("data:;base64,YWJj"), "its data URL has no type");
	assert_bad(IN_IMAGES("data:image;base64,YWJj"), "its data URL has no type");
	assert_bad(IN_IMAGES("data:image/;base64,YWJj"), "its data URL has no type");
	assert_bad(IN_IMAGES("data:/png;base64,YWJj"), "its data URL has no type");
	assert_bad(IN_IMAGES("data:a/b/c;base64,YWJj"), "its data URL has no type");
	assert_bad(IN_IMAGES("data:image/png;base64,"), "a medium's base64 is cut short");
	assert_bad(IN_IMAGES("data:image/png;base64,YWJjY"), "a medium's base64 is cut short");
	assert_bad(IN_IMAGES("data:image/png;base64,YWJj\\"), "a medium's base64 is cut short");
	assert_bad(IN_IMAGES("data:image/png;base64,YW-j"), "a medium's base64 is malformed");
	assert_bad(IN_IMAGES("data:image/png;base64,YQ==YWJj"), "a medium's base64 is malformed");
	assert_bad(IN_IMAGES("data:image/png;base64,YR=="), "a medium's base64 is malformed");
	assert_bad(IN_IMAGES("data:image/png;base64,YW\\nj"), "a medium's base64 is malformed");
	assert_bad(IN_IMAGES("data:image/png;base64,YW\\u00zz"), "a medium's base64 is malformed");
}

static void add_many(struct lp_buf *json, const char *text, int n)
{
	for (int i = 0; i < n; i++)
		lp_buf_add_text(json, text);
}

static void bounds_hold(void **state)
{
	(void)state;
	struct lp_buf json = { 0 };
	struct lp_err e;

	add_many(&json, "[", 33);
	assert_int_equal(feed(lp_buf_span(&json), 0, 7, &e), LP_ANSWER_BAD);
	assert_string_equal(e.words, "the answer cannot be read: it is nested too deep");

	lp_buf_reset(&json);
	lp_buf_add_text(&json, "{\"images\":[");
	add_many(&json, "{\"url\":\"x\"},", LP_ANSWER_MEDIA_MAX);
	lp_buf_add_text(&json, "{\"url\":\"x\"}]}");
	assert_int_equal(feed(lp_buf_span(&json), 0, 1000, &e), LP_ANSWER_BAD);
	assert_string_equal(e.words, "the answer cannot be read: it holds too many media");

	lp_buf_reset(&json);
	lp_buf_add_text(&json, "{\"images\":[{\"url\":\"");
	add_many(&json, "x", 8193);
	assert_int_equal(feed(lp_buf_span(&json), 0, 1000, &e), LP_ANSWER_BAD);
	assert_string_equal(e.words, "the answer cannot be read: a medium's URL is too long");

	lp_buf_reset(&json);
	lp_buf_add_text(&json, "{\"images\":[{\"url\":\"data:");
	add_many(&json, "x", 200);
	assert_int_equal(feed(lp_buf_span(&json), 0, 1000, &e), LP_ANSWER_BAD);
	assert_string_equal(e.words, "the answer cannot be read: a medium's URL is too long");

	lp_buf_reset(&json);
	lp_buf_add_text(&json, "{\"text\":\"");
	add_many(&json, "0123456789abcdef", 1 << 16);
	assert_int_equal(feed(lp_buf_span(&json), 0, 100000, &e), LP_ANSWER_BAD);
	assert_string_equal(e.words, "the answer cannot be read: it is too long");
	lp_buf_clear(&json);
}

static void a_bad_answer_stays_bad(void **state)
{
	(void)state;
	struct lp_answer *a = lp_answer_open(scope);
	struct lp_answer_item item;
	struct lp_err e = { 0 };

	lp_answer_push(a, LP_SPAN("x!"));
	assert_int_equal(lp_answer_pull(a, &item, NULL), LP_ANSWER_BAD);
	assert_int_equal(lp_answer_pull(a, &item, &e), LP_ANSWER_BAD);
	assert_int_equal(e.code, LP_BAD_PEER);
	lp_answer_finish(a);
	assert_int_equal(lp_answer_pull(a, &item, &e), LP_ANSWER_BAD);
}

/* A large picture with every byte value, escaped slashes among its base64, in pieces of many
 * sizes. */
static void a_large_picture_comes_in_bounded_slices(void **state)
{
	(void)state;
	static const size_t pieces[] = { 1, 3, 61, 4096, 65535, 65536, 65537, 10000000 };
	struct lp_buf bytes = { 0 }, text = { 0 }, json = { 0 };

	for (unsigned i = 0; i < 300001; i++)
		lp_buf_add_char(&bytes, (char)(i * 2654435761u >> 13));
	lp_b64_write(&text, lp_buf_span(&bytes));
	lp_buf_add_text(&json, "{\"images\":[{\"url\":\"data:image/png;base64,");
	for (size_t i = 0; i < text.len; i++) {
		char c = text.mem[text.off + i];

		if (c == '/' && i % 2)
			lp_buf_add_char(&json, '\\');
		lp_buf_add_char(&json, c);
	}
	lp_buf_add_text(&json, "\"}]}");
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct lp_answer *a = lp_answer_open(scope);
		struct lp_answer_item item;
		struct lp_span rest = lp_buf_span(&json), wanted = lp_buf_span(&bytes);
		enum lp_answer_event event;
		int slices = 0;

		while ((event = lp_answer_pull(a, &item, NULL)) != LP_ANSWER_DONE) {
			assert_int_not_equal(event, LP_ANSWER_BAD);
			size_t n = rest.len < pieces[i] ? rest.len : pieces[i];

			if (event == LP_ANSWER_NEED && n)
				lp_answer_push(a, lp_span_of(rest.at, n));
			else if (event == LP_ANSWER_NEED)
				lp_answer_finish(a);
			if (event == LP_ANSWER_NEED)
				rest = lp_span_skip(rest, n);
			if (event != LP_ANSWER_SLICE)
				continue;
			slices++;
			assert_in_range(item.slice.len, 1, 48 * 1024);
			assert_true(item.slice.len <= wanted.len);
			assert_memory_equal(item.slice.at, wanted.at, item.slice.len);
			wanted = lp_span_skip(wanted, item.slice.len);
		}
		assert_int_equal(wanted.len, 0);
		/* Whole pieces give whole slices, not one for each escape. */
		if (pieces[i] == 10000000)
			assert_in_range(slices, 7, 8);
	}
	lp_buf_clear(&bytes);
	lp_buf_clear(&text);
	lp_buf_clear(&json);
}

static void tokens_are_read_from_usage(void **state)
{
	(void)state;
	assert_int_equal(
		lp_answer_tokens(LP_SPAN(
			"{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"total_tokens\":5}}\n")),
		5);
	assert_int_equal(lp_answer_tokens(LP_SPAN("{\"usage\":{\"total_tokens\":1.0}}")), 0);
	assert_int_equal(lp_answer_tokens(LP_SPAN("{\"usage\":null}")), 0);
	assert_int_equal(lp_answer_tokens(LP_SPAN("{\"usage\":{\"total_tokens\":5}")), 0);
	assert_int_equal(lp_answer_tokens(LP_SPAN("")), 0);
}

static void the_last_event_has_a_reason(void **state)
{
	(void)state;
	assert_true(lp_answer_is_last(
		LP_SPAN("{\"choices\":[{\"finish_reason\":\"stop\",\"index\":0}]}")));
	assert_false(
		lp_answer_is_last(LP_SPAN("{\"choices\":[{\"finish_reason\":\"\",\"index\":0}]}")));
	assert_false(lp_answer_is_last(LP_SPAN("{\"choices\":[{\"finish_reason\":null}]}")));
	assert_false(lp_answer_is_last(LP_SPAN("{\"choices\":[{}]}")));
	assert_false(lp_answer_is_last(LP_SPAN("{\"choices\":[]}")));
	assert_false(lp_answer_is_last(LP_SPAN("{\"error\":\"x\"}")));
	assert_false(lp_answer_is_last(LP_SPAN("[DONE]")));
}

static void nulls_are_dropped_from_objects_only(void **state)
{
	(void)state;
	struct lp_buf to = { 0 };

	assert_true(lp_answer_drop_nulls(
		&to,
		LP_SPAN("{\"a\": null, \"choices\" :[{\"delta\":null,\"i\":0,\"m\":{\"x\":null}},"
			" null ],\"s\":\"a null\",\"z\":null}\n")));
	assert_string_equal(lp_buf_text(&to),
			    "{\"choices\":[{\"i\":0,\"m\":{}},null],\"s\":\"a null\"}");
	lp_buf_reset(&to);
	assert_false(lp_answer_drop_nulls(&to, LP_SPAN("{\"a\":1} x")));
	assert_false(lp_answer_drop_nulls(&to, LP_SPAN("{\"a\":1")));
	assert_int_equal(to.len, 0);
	lp_buf_clear(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_are_told_and_cut_out),
		cmocka_unit_test(data_is_decoded),
		cmocka_unit_test(escapes_inside_urls_are_taken_off),
		cmocka_unit_test(other_urls_and_other_members_stay),
		cmocka_unit_test(malformed_answers_are_refused_wherever_they_are_cut),
		cmocka_unit_test(malformed_media_are_refused_wherever_they_are_cut),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(a_bad_answer_stays_bad),
		cmocka_unit_test(a_large_picture_comes_in_bounded_slices),
		cmocka_unit_test(tokens_are_read_from_usage),
		cmocka_unit_test(the_last_event_has_a_reason),
		cmocka_unit_test(nulls_are_dropped_from_objects_only),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
