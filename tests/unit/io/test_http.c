#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <malloc.h>

#include <lpd/base/buf.h>
#include <lpd/io/http.h>

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

static void check_span(struct lp_span got, const char *want)
{
	if (!want) {
		assert_null(got.at);
		return;
	}
	assert_non_null(got.at);
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.at, want, got.len);
}

static void a_url_is_read_into_its_parts(void **state)
{
	static const struct {
		const char *text;
		bool tls;
		const char *host;
		uint16_t port;
		const char *path, *normal;
	} rows[] = {
		{ "https://Orch.Example:8935/a?b=c", true, "orch.example", 8935, "/a?b=c",
		  "https://orch.example:8935/a?b=c" },
		{ "http://127.0.0.1", false, "127.0.0.1", 80, "/", "http://127.0.0.1:80/" },
		{ "HTTPS://h", true, "h", 443, "/", "https://h:443/" },
		{ "https://[::1]:8935", true, "::1", 8935, "/", "https://[::1]:8935/" },
		{ "http://[2001:DB8:0:0::1]/x", false, "2001:db8::1", 80, "/x", "http://[2001:db8::1]:80/x" },
		{ "http://h?q=1", false, "h", 80, "/?q=1", "http://h:80/?q=1" },
		{ "http://ai_runner-1:/", false, "ai_runner-1", 80, "/", "http://ai_runner-1:80/" },
		{ "http://h/a%20b", false, "h", 80, "/a%20b", "http://h:80/a%20b" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lp_url url;
		struct lp_err e;

		assert_int_equal(lp_url_parse(scope, &url, lp_span(rows[i].text), &e), LP_OK);
		assert_int_equal(url.tls, rows[i].tls);
		assert_null(url.unix_path);
		check_span(url.host, rows[i].host);
		assert_int_equal(url.port, rows[i].port);
		check_span(url.path, rows[i].path);
		check_span(url.text, rows[i].normal);

		struct lp_url twice;
		assert_int_equal(lp_url_parse(scope, &twice, url.text, &e), LP_OK);
		assert_true(lp_span_eq(url.text, twice.text));
	}
}

static void a_unix_socket_is_read_in_each_of_its_forms(void **state)
{
	static const char *const forms[] = { "unix:/run/docker.sock", "unix:///run/docker.sock" };
	struct lp_url url, joined, again;
	struct lp_err e;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(lp_url_parse(scope, &url, lp_span(forms[i]), &e), LP_OK);
		assert_string_equal(url.unix_path, "/run/docker.sock");
		check_span(url.path, "/");
		check_span(url.text, "unix:/run/docker.sock");
	}
	lp_url_join(scope, &joined, &url, LP_SPAN("/v1.41/info"));
	assert_string_equal(joined.unix_path, "/run/docker.sock");
	check_span(joined.path, "/v1.41/info");
	check_span(joined.text, "unix:/run/docker.sock:/v1.41/info");
	assert_int_equal(lp_url_parse(scope, &again, joined.text, &e), LP_OK);
	check_span(again.path, "/v1.41/info");
	assert_string_equal(again.unix_path, "/run/docker.sock");
}

static void what_is_no_url_is_refused_in_words(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "empty" },
		{ "h:80", "does not begin" },
		{ "ftp://h", "does not begin" },
		{ "https://", "names no host" },
		{ "https://:80", "names no host" },
		{ "https://u:p@h/", "user names" },
		{ "https://h/#x", "fragments" },
		{ "https://h:0/", "no port 0" },
		{ "https://h:65536/", "65535" },
		{ "https://h:8x/", "65535" },
		{ "https://h:-1/", "65535" },
		{ "https://h/a b", "escaped" },
		{ "https://h/a\r\nX: y", "escaped" },
		{ "https://h/%zz", "escaped" },
		{ "https://h/%4", "escaped" },
		{ "https://h/\xc3\xa9", "escaped" },
		{ "https://h\xc3\xa9/", "escaped" },
		{ "https://[::1/", "not closed" },
		{ "https://[::1]x/", "no IPv6" },
		{ "https://[::g]/", "no IPv6" },
		{ "https://[fe80::1%25eth0]/", "no IPv6" },
		{ "https://a,b/", "malformed" },
		{ "https://a%41/", "malformed" },
		{ "unix:relative", "absolute" },
		{ "unix:/", "absolute" },
		{ "unix://host/x", "absolute" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lp_url url = { .port = 7 };
		struct lp_err e = { LP_OK, "" };

		assert_int_equal(lp_url_parse(scope, &url, lp_span(rows[i].text), &e), LP_BAD_REQUEST);
		if (!strstr(e.words, rows[i].words))
			fail_msg("%s: %s", rows[i].text, e.words);
		assert_int_equal(url.port, 7);
	}
}

static void a_url_over_8_kib_is_refused(void **state)
{
	char text[8300];
	struct lp_url url;
	struct lp_err e;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "http://h/", 9);
	assert_int_equal(lp_url_parse(scope, &url, lp_span_of(text, 8192), &e), LP_OK);
	assert_int_equal(lp_url_parse(scope, &url, lp_span_of(text, 8193), &e), LP_BAD_REQUEST);
}

static void an_address_may_lack_scheme_host_or_port(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		const char *normal;
	} rows[] = {
		{ "h", "h", 8935, "http://h:8935/" },
		{ "h:1", "h", 1, "http://h:1/" },
		{ "h:0", "h", 0, "http://h:0/" },
		{ ":80", "", 80, "http://:80/" },
		{ "[::1]:80", "::1", 80, "http://[::1]:80/" },
		{ "[::1]", "::1", 8935, "http://[::1]:8935/" },
		{ "::1", "::1", 8935, "http://[::1]:8935/" },
		{ "127.0.0.1:0", "127.0.0.1", 0, "http://127.0.0.1:0/" },
		{ "https://h", "h", 443, "https://h:443/" },
		{ "https://h:1/x", "h", 1, "https://h:1/x" },
	};
	struct lp_url url;
	struct lp_err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(lp_url_parse_address(scope, &url, lp_span(rows[i].text), 8935, &e), LP_OK);
		check_span(url.host, rows[i].host);
		assert_int_equal(url.port, rows[i].port);
		check_span(url.text, rows[i].normal);
	}
	assert_int_equal(lp_url_parse_address(scope, &url, LP_SPAN("unix:/a/b"), 1, &e), LP_OK);
	assert_string_equal(url.unix_path, "/a/b");
	assert_int_equal(lp_url_parse_address(scope, &url, LP_SPAN("h:x"), 1, &e), LP_BAD_REQUEST);
	assert_int_equal(lp_url_parse_address(scope, &url, LP_SPAN("ftp://h"), 1, &e), LP_BAD_REQUEST);
	assert_int_equal(lp_url_parse_address(scope, &url, LP_SPAN(""), 1, &e), LP_BAD_REQUEST);
}

static void joining_puts_exactly_one_slash_between(void **state)
{
	static const char *const rows[][3] = {
		{ "http://h", "x", "/x" },	  { "http://h", "/x", "/x" },
		{ "http://h/a", "/x?q=1", "/a/x?q=1" }, { "http://h/a/", "/x", "/a/x" },
		{ "http://h/a?b", "x", "/a/x" },  { "http://h/a", "", "/a/" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lp_url url;
		struct lp_err e;

		assert_int_equal(lp_url_parse(scope, &url, lp_span(rows[i][0]), &e), LP_OK);
		lp_url_join(scope, &url, &url, lp_span(rows[i][1]));
		check_span(url.path, rows[i][2]);
	}
}

static void headers_are_found_by_name(void **state)
{
	const struct lp_header rows[] = {
		{ LP_SPAN("a"), LP_SPAN("1"), false },
		{ LP_SPAN("empty"), { NULL, 0 }, false },
		{ LP_SPAN("a"), LP_SPAN("2"), true },
	};
	struct lp_headers headers = { rows, 3 };

	(void)state;
	check_span(lp_headers_find(headers, "a"), "1");
	check_span(lp_headers_find(headers, "empty"), "");
	check_span(lp_headers_find(headers, "b"), NULL);
	check_span(lp_headers_find((struct lp_headers){ NULL, 0 }, "a"), NULL);
}

static void a_media_type_matches_without_case_and_parameters(void **state)
{
	(void)state;
	assert_true(lp_media_is(LP_SPAN("Application/JSON ; charset=utf-8"), "application/json"));
	assert_true(lp_media_is(LP_SPAN("application/json"), "application/json"));
	assert_false(lp_media_is(LP_SPAN("application/jsonp"), "application/json"));
	assert_false(lp_media_is(LP_SPAN(""), "application/json"));
}

static void a_parameter_is_found_quoted_or_not(void **state)
{
	struct lp_span value = LP_SPAN("form-data; Name=\"a\\\"b;c\"; filename = x.png ;empty=; flag ; last=1");

	(void)state;
	check_span(lp_header_param(scope, value, "name"), "a\"b;c");
	check_span(lp_header_param(scope, value, "filename"), "x.png");
	check_span(lp_header_param(scope, value, "empty"), "");
	check_span(lp_header_param(scope, value, "flag"), NULL);
	check_span(lp_header_param(scope, value, "last"), "1");
	check_span(lp_header_param(scope, value, "none"), NULL);
	check_span(lp_header_param(scope, value, "form-data"), NULL);
	check_span(lp_header_param(scope, LP_SPAN("a; b=\"unclosed"), "b"), "unclosed");
	check_span(lp_header_param(scope, LP_SPAN("a; b=\"unclosed\\"), "b"), "unclosed\\");
	check_span(lp_header_param(scope, LP_SPAN(""), "b"), NULL);
}

/* Each copy of one took all that followed: 64 KiB of header cost half a gigabyte. */
static void thousands_of_quoted_parameters_take_no_memory(void **state)
{
	struct lp_buf value = { 0 };

	(void)state;
	lp_buf_add_text(&value, "form-data");
	while (value.len < 64 * 1024)
		lp_buf_add_text(&value, "; a=\"b\"");
	lp_buf_add_text(&value, "; name=\"c\\\"d\"");
	size_t before = mallinfo2().uordblks;
	check_span(lp_header_param(scope, lp_buf_span(&value), "name"), "c\"d");
	assert_true(mallinfo2().uordblks - before < 8 * 1024);
	lp_buf_clear(&value);
}

static void percent_escapes_are_decoded_or_refused(void **state)
{
	(void)state;
	check_span(lp_percent_decode(scope, LP_SPAN("a%20b%2Fc+%c3%A9")), "a b/c+\xc3\xa9");
	check_span(lp_percent_decode(scope, LP_SPAN("")), "");
	check_span(lp_percent_decode(scope, LP_SPAN("%")), NULL);
	check_span(lp_percent_decode(scope, LP_SPAN("%4")), NULL);
	check_span(lp_percent_decode(scope, LP_SPAN("%g0")), NULL);
	check_span(lp_percent_decode(scope, LP_SPAN("a%00")), NULL);
	check_span(lp_percent_decode(scope, lp_span_of("a\0b", 3)), NULL);
}

static void a_query_parameter_is_found_by_its_decoded_name(void **state)
{
	struct lp_span query = LP_SPAN("a=1&b%20c=x+y%2B&d&e=&a=2&=z&bad=%");

	(void)state;
	check_span(lp_query_get(scope, query, "a"), "1");
	check_span(lp_query_get(scope, query, "b c"), "x y+");
	check_span(lp_query_get(scope, query, "d"), "");
	check_span(lp_query_get(scope, query, "e"), "");
	check_span(lp_query_get(scope, query, "bad"), NULL);
	check_span(lp_query_get(scope, query, "none"), NULL);
	check_span(lp_query_get(scope, (struct lp_span){ NULL, 0 }, "a"), NULL);
}

static void statuses_have_words(void **state)
{
	(void)state;
	assert_string_equal(lp_status_text(404), "Not Found");
	assert_string_equal(lp_status_text(507), "Insufficient Storage");
	assert_string_equal(lp_status_text(418), "Client Error");
	assert_string_equal(lp_status_text(599), "Server Error");
	assert_string_equal(lp_status_text(99), "Unknown");
	assert_string_equal(lp_status_text(600), "Unknown");
}

static void media_types_and_extensions_name_each_other(void **state)
{
	(void)state;
	assert_string_equal(lp_media_type_of(LP_SPAN("a.b/c.PNG")), "image/png");
	assert_string_equal(lp_media_type_of(LP_SPAN("x.jpeg")), "image/jpeg");
	assert_string_equal(lp_media_type_of(LP_SPAN("x.wav")), "audio/wav");
	assert_string_equal(lp_media_type_of(LP_SPAN("png")), "application/octet-stream");
	assert_string_equal(lp_media_type_of(LP_SPAN("x.")), "application/octet-stream");
	assert_string_equal(lp_media_type_of((struct lp_span){ NULL, 0 }), "application/octet-stream");
	assert_string_equal(lp_media_extension(LP_SPAN("image/jpeg; q=1")), ".jpg");
	assert_string_equal(lp_media_extension(LP_SPAN("audio/x-wav")), ".wav");
	assert_string_equal(lp_media_extension(LP_SPAN("x/y")), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_url_is_read_into_its_parts),
		TEST(a_unix_socket_is_read_in_each_of_its_forms),
		TEST(what_is_no_url_is_refused_in_words),
		TEST(a_url_over_8_kib_is_refused),
		TEST(an_address_may_lack_scheme_host_or_port),
		TEST(joining_puts_exactly_one_slash_between),
		TEST(headers_are_found_by_name),
		TEST(a_media_type_matches_without_case_and_parameters),
		TEST(a_parameter_is_found_quoted_or_not),
		TEST(thousands_of_quoted_parameters_take_no_memory),
		TEST(percent_escapes_are_decoded_or_refused),
		TEST(a_query_parameter_is_found_by_its_decoded_name),
		TEST(statuses_have_words),
		TEST(media_types_and_extensions_name_each_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
