/* Requests that must not be served: each of them has made two parsers disagree somewhere. */
#include "h1_fixture.h"

#define GET "GET /x HTTP/1.1\r\nHost: a\r\n"
#define POST "POST /echo HTTP/1.1\r\nHost: a\r\n"

/* ---- refused requests ---- */

struct bad {
	const char *what;
	const char *request;
	const char *status;
};

static const struct bad bads[] = {
	{ "both framings", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "400" },
	{ "both, other order", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "400" },
	{ "two lengths", POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", "400" },
	{ "the same length twice", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", "400" },
	{ "a list of lengths", POST "Content-Length: 3, 3\r\n\r\n", "400" },
	{ "a length with a sign", POST "Content-Length: +3\r\n\r\n", "400" },
	{ "a negative length", POST "Content-Length: -3\r\n\r\n", "400" },
	{ "a length in hex", POST "Content-Length: 0x3\r\n\r\n", "400" },
	{ "an empty length", POST "Content-Length: \r\n\r\n", "400" },
	{ "a length with a blank", POST "Content-Length: 1 2\r\n\r\n", "400" },
	{ "a length beyond 64 bits", POST "Content-Length: 18446744073709551617\r\n\r\n", "400" },
	{ "a length beyond 63 bits", POST "Content-Length: 9223372036854775808\r\n\r\n", "400" },
	{ "an unknown coding", POST "Transfer-Encoding: gzip\r\n\r\n", "400" },
	{ "a coding before chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "400" },
	{ "chunked not last", POST "Transfer-Encoding: chunked, identity\r\n\r\n", "400" },
	{ "chunked twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "400" },
	{ "chunked with something", POST "Transfer-Encoding: chunked;q=1\r\n\r\n", "400" },
	{ "xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n", "400" },
	{ "an empty coding", POST "Transfer-Encoding:\r\n\r\n", "400" },
	{ "chunked in 1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400" },
	{ "a coding in a folded line", POST "Transfer-Encoding:\r\n chunked\r\n\r\n", "400" },
	{ "a folded line", GET "X: one\r\n two\r\n\r\n", "400" },
	{ "a folded first line", "GET /x HTTP/1.1\r\n X: one\r\nHost: a\r\n\r\n", "400" },
	{ "a bare LF after a field", "GET /x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", "400" },
	{ "a bare LF after the target", "GET /x HTTP/1.1\nHost: a\r\n\r\n", "400" },
	{ "a bare LF at the end", GET "\n", "400" },
	{ "a bare CR in a value", GET "X: a\rb\r\n\r\n", "400" },
	{ "a bare CR at the line's end", "GET /x HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", "400" },
	{ "a blank before the colon", GET "X : y\r\n\r\n", "400" },
	{ "a blank in a name", GET "X Y: y\r\n\r\n", "400" },
	{ "a length with a blank before the colon", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\n", "400" },
	{ "a field without a name", GET ": y\r\n\r\n", "400" },
	{ "a field without a colon", GET "XY\r\n\r\n", "400" },
	{ "a control character in a value", GET "X: a\x01" "b\r\n\r\n", "400" },
	{ "a DEL in a value", GET "X: a\x7f" "b\r\n\r\n", "400" },
	{ "a byte over 127 in a name", GET "X\xc3\xa9: y\r\n\r\n", "400" },
	{ "no host", "GET /x HTTP/1.1\r\nX: y\r\n\r\n", "400" },
	{ "two hosts", GET "Host: a\r\n\r\n", "400" },
	{ "a host with a path", "GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n", "400" },
	{ "a host list", "GET /x HTTP/1.1\r\nHost: a,b\r\n\r\n", "400" },
	{ "a host with a user", "GET /x HTTP/1.1\r\nHost: u@b\r\n\r\n", "400" },
	{ "an absolute target without host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
	{ "an absolute target of another scheme", "GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
	{ "an absolute target with a user", "GET http://u@a/x HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
	{ "a target with a fragment", "GET /x#y HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
	{ "a target that is no path", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
	{ "a tab in the target", "GET /x\ty HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
	{ "CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
	{ "an unknown method", "FROBNICATE /x HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
	{ "a method in small letters", "get /x HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
	{ "0.9", "GET /x\r\n\r\n", "400" },
	{ "0.9 spelled out", "GET /x HTTP/0.9\r\nHost: a\r\n\r\n", "400" },
	{ "2.0", "GET /x HTTP/2.0\r\nHost: a\r\n\r\n", "505" },
	{ "1.2", "GET /x HTTP/1.2\r\nHost: a\r\n\r\n", "505" },
	{ "a version with a blank behind", "GET /x HTTP/1.1 \r\nHost: a\r\n\r\n", "400" },
	{ "TLS", "\x16\x03\x01\x02\x05\x01\x00\x01\xfc\x03\x03", "400" },
	{ "nonsense", "hello there\r\n\r\n", "400" },
};

static void what_could_smuggle_is_refused_and_the_connection_closed(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		struct peer *p = meet(f);
		char line[32];

		peer_send(p, bads[i].request);
		peer_send(p, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");	/* the smuggled one */
		const char *got = peer_await_end(p);
		snprintf(line, sizeof(line), "HTTP/1.1 %s ", bads[i].status);
		if (strncmp(got, line, strlen(line)) != 0)
			fail_msg("%s: %s", bads[i].what, got);
		if (!has(got, "\"error\":{\"message\":") || !has(got, "\"detail\":{\"msg\":"))
			fail_msg("%s: no words: %s", bads[i].what, got);
		if (has(got, "\r\n\r\nhello") || !has(got, "connection: close\r\n") || p->reset)
			fail_msg("%s: %s", bads[i].what, got);
		peer_close(p);
	}
	assert_int_equal(f->handled, 0);
}

static void a_zero_byte_anywhere_in_a_head_is_refused(void **state)
{
	struct fixture *f = *state;
	const char request[] = GET "X: ab\r\n\r\n";

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		struct peer *p = meet(f);
		char copy[sizeof(request)];

		memcpy(copy, request, sizeof(request));
		copy[i] = 0;
		peer_send_span(p, lp_span_of(copy, sizeof(request) - 1));
		const char *got = peer_await_end(p);
		if (!has(got, "HTTP/1.1 400 ") && !has(got, "HTTP/1.1 505 "))
			fail_msg("at %zu: %s", i, got);
		peer_close(p);
	}
	assert_int_equal(f->handled, 0);
}

struct bad_body {
	const char *what;
	const char *bytes;
};

static const struct bad_body bad_bodies[] = {
	{ "a size that is no number", "xyz\r\n" },
	{ "an empty size", "\r\nabc" },
	{ "a size with a sign", "+3\r\nabc\r\n" },
	{ "a size in 0x form", "0x3\r\nabc\r\n" },
	{ "a size beyond 64 bits", "10000000000000003\r\nabc\r\n" },
	{ "a bare LF after the size", "3\nabc\r\n0\r\n\r\n" },
	{ "a bare CR after the size", "3\rabc\r\n" },
	{ "a blank after the size", "3 \r\nabc\r\n" },
	{ "a chunk that is longer than it says", "3\r\nabcd\r\n0\r\n\r\n" },
	{ "a bare LF after a chunk", "3\r\nabc\n0\r\n\r\n" },
	{ "no line end after a chunk", "3\r\nabc0\r\n\r\n" },
	{ "a length in the trailers", "0\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nX : y\r\n\r\n" },
};

static void a_malformed_chunked_body_is_refused(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad_bodies) / sizeof(bad_bodies[0]); i++) {
		struct peer *p = meet(f);

		f->was_gone = false;
		f->handled = 0;
		peer_send(p, POST "Transfer-Encoding: chunked\r\n\r\n");
		real_loop_run_for(&f->r, LP_MSEC);
		peer_send(p, bad_bodies[i].bytes);
		const char *got = peer_await_end(p);
		if (!has(got, "HTTP/1.1 400 ") || has(got, "200 OK"))
			fail_msg("%s: %s", bad_bodies[i].what, got);
		assert_true(f->was_gone);
		assert_int_equal(f->why, LP_BAD_REQUEST);
		peer_close(p);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(what_could_smuggle_is_refused_and_the_connection_closed),
		T(a_zero_byte_anywhere_in_a_head_is_refused),
		T(a_malformed_chunked_body_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
