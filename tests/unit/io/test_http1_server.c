/* The server's side of HTTP/1.1 over real sockets: the bytes in, the bytes out. */
#include "peer.h"

#include <lpd/io/server.h>

struct fixture {
	struct real_loop r;
	struct lp_server *server;
	struct lp_server_want want;
	struct lp_exchange *ex;		/* of the last handler that holds on to one */
	struct lp_buf body;
	int handled, gone, ends;
	bool greedy;			/* consume the body as it comes */
	bool was_gone;
	size_t left;			/* to be written by /big */
	enum lp_code why;
};

/* ---- handlers ---- */

static void on_end_only(void *self)
{
	struct fixture *f = self;

	if (lp_exchange_gone(f->ex)) {
		f->was_gone = true;
		f->gone++;
		f->why = lp_exchange_err(f->ex)->code;
	}
}

static void on_echo(void *self)
{
	struct fixture *f = self;
	struct lp_exchange *ex = f->ex;
	struct lp_span bytes = lp_exchange_read(ex);

	if (lp_exchange_gone(ex)) {
		on_end_only(f);
		return;
	}
	if (f->greedy) {
		lp_buf_add_span(&f->body, bytes);
		lp_exchange_consume(ex, bytes.len);
	}
	if (lp_reply_started(ex))
		return;
	if (lp_exchange_body(ex) == LP_BODY_BROKEN)
		lp_reply_error(ex, lp_exchange_err(ex));
	else if (lp_exchange_body(ex) == LP_BODY_END && f->greedy)
		lp_reply(ex, 200, "text/plain", lp_buf_span(&f->body));
}

static void on_big(void *self)
{
	static const char zeros[10000];
	struct fixture *f = self;

	if (lp_exchange_gone(f->ex)) {
		on_end_only(f);
		return;
	}
	while (f->left && lp_reply_room(f->ex)) {
		size_t n = f->left < sizeof(zeros) ? f->left : sizeof(zeros);

		lp_reply_write(f->ex, lp_span_of(zeros, n));
		f->left -= n;
		if (!f->left)
			lp_reply_end(f->ex);
	}
}

static void describe(struct lp_exchange *ex)
{
	struct lp_buf text = { 0 };
	struct lp_headers headers = lp_exchange_headers(ex);

	lp_buf_fmt(&text, "%.*s|%.*s|%.*s|%d|", LP_ARG(lp_exchange_method(ex)), LP_ARG(lp_exchange_path(ex)),
		   LP_ARG(lp_exchange_query(ex)), (int)lp_exchange_length(ex));
	for (int i = 0; i < headers.n; i++)
		lp_buf_fmt(&text, "%.*s=%.*s;", LP_ARG(headers.at[i].name), LP_ARG(headers.at[i].value));
	lp_reply(ex, 200, "text/plain", lp_buf_span(&text));
	lp_buf_clear(&text);
}

static void handle(void *self, struct lp_exchange *ex)
{
	struct fixture *f = self;
	struct lp_span path = lp_exchange_path(ex);

	f->handled++;
	f->ex = ex;
	if (lp_span_is(path, "/hello")) {
		lp_reply(ex, 200, "text/plain", LP_SPAN("hello"));
	} else if (lp_span_is(path, "/echo")) {
		lp_exchange_watch(ex, on_echo, f);
	} else if (lp_span_is(path, "/hold")) {
		lp_exchange_watch(ex, on_end_only, f);
	} else if (lp_span_is(path, "/chunks")) {
		lp_reply_head(ex, 200, -1, NULL, 0);
		lp_reply_write(ex, LP_SPAN("first piece,"));
		lp_reply_write(ex, LP_SPAN("second"));
		lp_reply_end(ex);
	} else if (lp_span_is(path, "/big")) {
		lp_exchange_watch(ex, on_big, f);
		lp_reply_head(ex, 200, (int64_t)f->left, NULL, 0);
		on_big(f);
	} else if (lp_span_is(path, "/begun")) {
		lp_exchange_watch(ex, on_end_only, f);
		lp_reply_head(ex, 200, -1, NULL, 0);
		lp_reply_write(ex, LP_SPAN("begun"));
	} else if (lp_span_is(path, "/empty")) {
		lp_reply_head(ex, 204, 0, NULL, 0);
		lp_reply_end(ex);
	} else {
		describe(ex);
	}
}

/* ---- set-up ---- */

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	real_loop_open(&f->r);
	f->want.address.host = LP_SPAN("127.0.0.1");
	f->want.handle = handle;
	f->want.self = f;
	f->want.metrics = lp_metrics_open(f->r.scope);
	f->greedy = true;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	lp_scope_close(&f->r.scope);
	lp_buf_clear(&f->body);
	free(f);
	return 0;
}

/* A peer of a server that is opened with what f->want says by now. */
static struct peer *meet(struct fixture *f)
{
	struct lp_err e = { 0 };

	if (!f->server)
		assert_int_equal(lp_server_open(f->r.scope, &f->server, f->r.loop, &f->want, &e), LP_OK);
	return peer_connect(&f->r, lp_server_port(f->server));
}

static int64_t refusals(struct fixture *f, const char *reason)
{
	return lp_metric_value(f->want.metrics, LP_M_HTTP_REFUSED, LP_LABELS(reason));
}

static bool has(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

/* ---- requests and replies ---- */

static void a_request_gets_its_reply(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	const char *got = peer_await(p, "\r\n\r\nhello");
	assert_int_equal(strncmp(got, "HTTP/1.1 200 OK\r\ndate: ", 23), 0);
	assert_true(has(got, "\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello"));
	assert_false(has(got, "connection:"));
	assert_int_equal(lp_metric_value(f->want.metrics, LP_M_HTTP_REQUESTS, LP_LABELS("200")), 1);
	peer_close(p);
}

static void the_head_reaches_the_handler_with_lower_case_names(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "PUT /a/b%20c?x=1&y=/2 HTTP/1.1\r\nHOST: example.org:80\r\nX-Mixed:  \t one two \t\r\n"
		     "Empty:\r\nX-Mixed: again\r\n\r\n");
	const char *got = peer_await(p, "again;");
	assert_true(has(got, "\r\n\r\nPUT|/a/b%20c|x=1&y=/2|0|host=example.org:80;x-mixed=one two;empty=;"
			     "x-mixed=again;"));
	peer_close(p);
}

static void a_head_may_come_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);
	const char *request = "POST /x?q HTTP/1.1\r\nHost: h\r\nName: value\r\nContent-Length: 0\r\n\r\n";

	for (const char *at = request; *at; at++) {
		peer_send_span(p, lp_span_of(at, 1));
		real_loop_run_for(&f->r, 200);
	}
	const char *got = peer_await(p, "\r\n\r\nPOST|/x|q|0|host=h;name=value;content-length=0;");
	assert_true(has(got, "200 OK"));
	peer_close(p);
}

static void a_connection_serves_one_request_after_the_other(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	for (int i = 0; i < 3; i++) {
		peer_send(p, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
		peer_await(p, "hello");
		lp_buf_reset(&p->got);
	}
	assert_int_equal(f->handled, 3);
	assert_int_equal(lp_server_connections(f->server), 1);
	peer_close(p);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
		     "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
		     "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"
		     "GET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /5 HTTP/1.1\r\nHost: a\r\n\r\n");
	const char *got = peer_await_end(p);
	const char *one = strstr(got, "GET|/1|"), *two = strstr(got, "\r\n\r\nabc");
	const char *three = strstr(got, "\r\n\r\nabcde"), *four = strstr(got, "GET|/4|");
	assert_true(one && two && three && four && one < two && two < three && three < four);
	assert_int_equal(f->handled, 4);	/* nothing is served after "close" */
	peer_close(p);
}

static void a_pipelined_request_waits_for_the_reply_before_it(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_int_equal(f->handled, 1);
	lp_reply(f->ex, 200, NULL, LP_SPAN("held"));
	const char *got = peer_await(p, "hello");
	assert_true(strstr(got, "held") < strstr(got, "hello"));
	peer_close(p);
}

/* More than one read's worth of pipelined requests: what is not served yet must not be lost or read on. */
static void many_pipelined_requests_are_all_served(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);
	struct lp_buf all = { 0 };

	for (int i = 0; i < 3000; i++)
		lp_buf_add_text(&all, "GET /hello HTTP/1.1\r\nHost: a\r\nPadding: 0123456789\r\n\r\n");
	lp_buf_add_text(&all, "GET /last HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_send_span(p, lp_buf_span(&all));
	peer_await(p, "GET|/last|");
	assert_int_equal(f->handled, 3001);
	lp_buf_clear(&all);
	peer_close(p);
}

static void one_who_pipelines_and_does_not_read_gets_no_further(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);
	struct lp_buf all = { 0 };
	int small = 4096;

	/* The reply is far longer than the request, so that the backlog grows. */
	setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	p->deaf = true;
	lp_buf_add_text(&all, "GET /x HTTP/1.1\r\nHost: a\r\nPad: ");
	for (int i = 0; i < 30000; i++)
		lp_buf_add_char(&all, 'x');
	lp_buf_add_text(&all, "\r\n\r\n");
	for (int i = 0; i < 1000 && send(p->fd, all.mem + all.off, all.len, MSG_NOSIGNAL) == (ssize_t)all.len; i++)
		real_loop_run_for(&f->r, 200);
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	int served = f->handled;
	assert_true(served < 900);
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	assert_int_equal(f->handled, served);
	lp_buf_clear(&all);
	peer_close(p);
}

static void a_reply_of_unknown_length_is_chunked(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /chunks HTTP/1.1\r\nHost: a\r\n\r\n");
	const char *got = peer_await(p, "0\r\n\r\n");
	assert_true(has(got, "\r\ntransfer-encoding: chunked\r\n\r\nc\r\nfirst piece,\r\n6\r\nsecond\r\n0\r\n\r\n"));
	assert_false(has(got, "content-length"));
	peer_close(p);
}

static void a_client_of_1_0_gets_a_reply_that_ends_with_the_connection(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	const char *got = peer_await_end(p);
	assert_true(has(got, "connection: close\r\n\r\nfirst piece,second"));
	assert_false(has(got, "chunked"));
	assert_false(p->reset);
	peer_close(p);
}

static void a_client_of_1_0_may_keep_the_connection(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /hello HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
	assert_true(has(peer_await(p, "hello"), "connection: keep-alive\r\n"));
	lp_buf_reset(&p->got);
	peer_send(p, "GET /hello HTTP/1.0\r\n\r\n");
	assert_true(has(peer_await_end(p), "connection: close\r\n"));
	peer_close(p);
}

static void head_is_answered_without_a_body(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\nHEAD /chunks HTTP/1.1\r\nHost: a\r\n\r\n"
		     "GET /empty HTTP/1.1\r\nHost: a\r\n\r\nGET /end HTTP/1.1\r\nHost: a\r\n\r\n");
	const char *got = peer_await(p, "GET|/end|");
	assert_true(has(got, "content-length: 5\r\n\r\nHTTP/1.1 200 OK\r\n"));
	assert_true(has(got, "transfer-encoding: chunked\r\n\r\nHTTP/1.1 204 No Content\r\n"));
	const char *no_content = strstr(got, "HTTP/1.1 204");
	const char *after = strstr(no_content, "\r\n\r\n");
	assert_int_equal(strncmp(after + 4, "HTTP/1.1 200", 12), 0);
	assert_false(memmem(no_content, (size_t)(after - no_content), "content-length", 14) != NULL);
	peer_close(p);
}

static void a_small_reply_leaves_in_one_piece(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);
	char bytes[4096];

	peer_send(p, "GET /chunks HTTP/1.1\r\nHost: a\r\n\r\n");
	p->deaf = true;
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	/* Loopback keeps the borders of writes in the queue only as long as nobody reads: ask for one read. */
	ssize_t n = read(p->fd, bytes, sizeof(bytes));
	assert_true(n > 0 && memmem(bytes, (size_t)n, "0\r\n\r\n", 5));
	peer_close(p);
}

static void absolute_targets_are_served_by_path_and_their_host_counts(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET http://other.example:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await(p, "GET|/p|q|0|host=other.example:81;");
	peer_send(p, "GET http://other.example HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await(p, "GET|/||0|host=other.example;");
	peer_send(p, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await(p, "OPTIONS|*||0|host=a;");
	peer_close(p);
}

static void an_upgrade_is_ignored(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
		     "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(has(peer_await(p, "GET|/next|"), "HTTP/1.1 200 OK"));
	peer_close(p);
}

/* ---- bodies ---- */

static void a_body_of_known_length_arrives_whole(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
	real_loop_run_for(&f->r, 10 * LP_MSEC);
	peer_send(p, "56789");
	peer_await(p, "\r\n\r\n0123456789");
	peer_close(p);
}

static void a_chunked_body_arrives_whole(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
		     "5;ext=\"v\"\r\n01234\r\n5\r\n567");
	real_loop_run_for(&f->r, 10 * LP_MSEC);
	peer_send(p, "89\r\n0\r\nTrailer: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await(p, "\r\n\r\n0123456789");
	peer_await(p, "hello");
	peer_close(p);
}

static void a_body_nobody_reads_slows_the_client_down(void **state)
{
	struct fixture *f = *state;
	struct peer *p;
	static const char zeros[8192];
	size_t sent = 0;

	f->want.limits.body_bytes = 100 * 1024 * 1024;
	p = meet(f);
	f->greedy = false;
	peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 52428800\r\n\r\n");
	for (int i = 0; i < 3000; i++) {
		ssize_t n = send(p->fd, zeros, sizeof(zeros), MSG_NOSIGNAL | MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		real_loop_run_for(&f->r, 50);
	}
	assert_true(sent < 20 * 1024 * 1024);
	size_t held = lp_exchange_read(f->ex).len;
	assert_in_range(held, 64 * 1024, 256 * 1024);
	/* Somebody reads again: all of it comes. */
	f->greedy = true;
	on_echo(f);
	while (sent < 52428800) {
		size_t n = 52428800 - sent < sizeof(zeros) ? 52428800 - sent : sizeof(zeros);

		peer_send_span(p, lp_span_of(zeros, n));
		sent += n;
	}
	peer_await(p, "200 OK");
	assert_int_equal(f->body.len, 52428800);
	peer_close(p);
}

static void the_client_is_told_to_continue_when_somebody_wants_the_body(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n");
	assert_true(has(peer_await(p, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n"));
	peer_send(p, "abc");
	assert_true(has(peer_await(p, "\r\n\r\nabc"), "HTTP/1.1 200 OK"));
	peer_close(p);
}

static void one_who_expects_and_is_refused_is_not_told_to_continue(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	const char *got = peer_await_end(p);
	assert_false(has(got, "100 Continue"));
	assert_true(has(got, "connection: close\r\n"));
	peer_close(p);
}

static void another_expectation_is_refused_with_417(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: miracles\r\n\r\n");
	assert_true(has(peer_await_end(p), "HTTP/1.1 417 "));
	assert_int_equal(f->handled, 0);
	peer_close(p);
}

static void after_an_early_reply_a_short_rest_is_dropped_and_the_connection_kept(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n0");
	assert_false(has(peer_await(p, "hello"), "connection: close"));
	for (int i = 0; i < 99999 / 9; i++)
		peer_send(p, "012345678");
	peer_send(p, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await(p, "GET|/next|");
	peer_close(p);
}

static void after_an_early_reply_a_long_rest_ends_the_connection_in_order(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);
	static const char zeros[100000];

	f->want.limits.body_bytes = 0;
	peer_send(p, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
	/* Much of it is on its way before the answer is read: it must not cost the client the answer. */
	for (int i = 0; i < 10; i++)
		peer_send_span(p, lp_span_of(zeros, sizeof(zeros)));
	const char *got = peer_await_end(p);
	assert_true(has(got, "connection: close\r\n\r\nhello"));
	assert_false(p->reset);
	peer_close(p);
}

static void a_chunked_rest_is_dropped_only_up_to_a_bound(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "POST /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	peer_await(p, "hello");
	for (int i = 0; i < 3000 && !p->ended; i++) {
		peer_send(p, "fa\r\n"
			     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
			     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
			     "01234567890123456789012345678901234567890123456789012345678901234567890123\r\n");
		if (i % 50 == 0) {
			real_loop_run_for(&f->r, LP_MSEC);
			peer_read(p);
		}
	}
	peer_await_end(p);
	peer_close(p);
}

static void a_body_beyond_the_limit_is_413(void **state)
{
	struct fixture *f = *state;

	f->want.limits.body_bytes = 10;
	struct peer *p = meet(f);
	peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
	assert_true(has(peer_await(p, "}}\n"), "HTTP/1.1 413 "));
	peer_send(p, "01234567890");
	lp_buf_reset(&p->got);
	peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n0123456\r\n7\r\n0123456\r\n");
	assert_true(has(peer_await(p, "}}\n"), "HTTP/1.1 413 "));
	peer_close(p);
}

/* ---- refused requests ---- */

struct bad {
	const char *what;
	const char *request;
	const char *status;
};

static const struct bad bads[] = {
	{ "both framings", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "400" },
	{ "both, other order", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "400" },
	{ "two lengths", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", "400" },
	{ "the same length twice", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", "400" },
	{ "a list of lengths", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n", "400" },
	{ "a length with a sign", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", "400" },
	{ "a negative length", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n", "400" },
	{ "a length in hex", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n", "400" },
	{ "an empty length", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n", "400" },
	{ "a length with a blank", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1 2\r\n\r\n", "400" },
	{ "a length beyond 64 bits", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\n", "400" },
	{ "a length beyond 63 bits", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n", "400" },
	{ "an unknown coding", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "400" },
	{ "a coding before chunked", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "400" },
	{ "chunked not last", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", "400" },
	{ "chunked twice", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "400" },
	{ "chunked with something", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", "400" },
	{ "xchunked", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "400" },
	{ "an empty coding", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", "400" },
	{ "chunked in 1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400" },
	{ "a coding in a folded line", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n", "400" },
	{ "a folded line", "GET /x HTTP/1.1\r\nHost: a\r\nX: one\r\n two\r\n\r\n", "400" },
	{ "a folded first line", "GET /x HTTP/1.1\r\n X: one\r\nHost: a\r\n\r\n", "400" },
	{ "a bare LF after a field", "GET /x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", "400" },
	{ "a bare LF after the target", "GET /x HTTP/1.1\nHost: a\r\n\r\n", "400" },
	{ "a bare LF at the end", "GET /x HTTP/1.1\r\nHost: a\r\n\n", "400" },
	{ "a bare CR in a value", "GET /x HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", "400" },
	{ "a bare CR at the line's end", "GET /x HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", "400" },
	{ "a blank before the colon", "GET /x HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", "400" },
	{ "a blank in a name", "GET /x HTTP/1.1\r\nHost: a\r\nX Y: y\r\n\r\n", "400" },
	{ "a length with a blank before the colon", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\n", "400" },
	{ "a field without a name", "GET /x HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", "400" },
	{ "a field without a colon", "GET /x HTTP/1.1\r\nHost: a\r\nXY\r\n\r\n", "400" },
	{ "a control character in a value", "GET /x HTTP/1.1\r\nHost: a\r\nX: a\x01" "b\r\n\r\n", "400" },
	{ "a DEL in a value", "GET /x HTTP/1.1\r\nHost: a\r\nX: a\x7f" "b\r\n\r\n", "400" },
	{ "a byte over 127 in a name", "GET /x HTTP/1.1\r\nHost: a\r\nX\xc3\xa9: y\r\n\r\n", "400" },
	{ "no host", "GET /x HTTP/1.1\r\nX: y\r\n\r\n", "400" },
	{ "two hosts", "GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400" },
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
	const char request[] = "GET /x HTTP/1.1\r\nHost: a\r\nX: ab\r\n\r\n";

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
		peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
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

/* ---- limits ---- */

static void fill(struct lp_buf *to, size_t n)
{
	memset(lp_buf_room(to, n), 'x', n);
	lp_buf_grew(to, n);
}

static void a_field_of_64_kib_passes_and_a_head_of_more_than_the_limit_is_431(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);
	struct lp_buf request = { 0 };

	lp_buf_add_text(&request, "GET /x HTTP/1.1\r\nHost: a\r\nLivepeer-Payment: ");
	fill(&request, 64 * 1024);
	lp_buf_add_text(&request, "\r\n\r\n");
	peer_send_span(p, lp_buf_span(&request));
	peer_await(p, "xxx;");
	lp_buf_reset(&p->got);
	lp_buf_reset(&request);
	lp_buf_add_text(&request, "GET /x HTTP/1.1\r\nHost: a\r\nLivepeer-Payment: ");
	fill(&request, 129 * 1024);
	peer_send_span(p, lp_buf_span(&request));
	assert_true(has(peer_await_end(p), "HTTP/1.1 431 "));
	assert_int_equal(refusals(f, "headers_too_large"), 1);
	lp_buf_clear(&request);
	peer_close(p);
}

static void too_many_fields_are_431(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /x HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 600; i++)
		peer_send(p, "A: b\r\n");
	peer_send(p, "\r\n");
	assert_true(has(peer_await_end(p), "HTTP/1.1 431 "));
	peer_close(p);
}

static void a_target_beyond_16_kib_is_414(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);
	struct lp_buf request = { 0 };

	lp_buf_add_text(&request, "GET /");
	fill(&request, 17 * 1024);
	lp_buf_add_text(&request, " HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_send_span(p, lp_buf_span(&request));
	assert_true(has(peer_await_end(p), "HTTP/1.1 414 "));
	lp_buf_clear(&request);
	peer_close(p);
}

static void chunk_extensions_without_end_are_refused(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);
	struct lp_buf bytes = { 0 };

	peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;");
	fill(&bytes, 20 * 1024);
	peer_send_span(p, lp_buf_span(&bytes));
	assert_true(has(peer_await_end(p), "HTTP/1.1 400 "));
	lp_buf_clear(&bytes);
	peer_close(p);
}

static void trailers_without_end_are_refused(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
	for (int i = 0; i < 300; i++)
		peer_send(p, "Trailer: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
	assert_true(has(peer_await_end(p), "HTTP/1.1 431 "));
	peer_close(p);
}

static void a_head_that_trickles_in_is_408_after_header_time(void **state)
{
	struct fixture *f = *state;

	f->want.limits.header_time = 60 * LP_MSEC;
	struct peer *p = meet(f);
	peer_send(p, "GET /x HTTP/1.1\r\n");
	for (int i = 0; i < 5; i++) {
		real_loop_run_for(&f->r, 10 * LP_MSEC);
		peer_send(p, "X: y\r\n");	/* signs of life do not buy more time */
	}
	assert_true(has(peer_await_end(p), "HTTP/1.1 408 "));
	assert_int_equal(refusals(f, "header_time"), 1);
	assert_int_equal(lp_server_connections(f->server), 0);
	peer_close(p);
}

static void one_who_says_nothing_loses_the_connection_after_header_time(void **state)
{
	struct fixture *f = *state;

	f->want.limits.header_time = 30 * LP_MSEC;
	struct peer *p = meet(f);
	assert_string_equal(peer_await_end(p), "");
	assert_int_equal(lp_server_connections(f->server), 0);
	peer_close(p);
}

static void an_idle_connection_is_closed_after_idle_time(void **state)
{
	struct fixture *f = *state;

	f->want.limits.idle_time = 40 * LP_MSEC;
	struct peer *p = meet(f);
	peer_send(p, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	const char *got = peer_await_end(p);
	assert_true(has(got, "hello"));
	assert_false(has(got, "408"));
	assert_int_equal(lp_server_connections(f->server), 0);
	peer_close(p);
}

static void a_body_that_stops_coming_is_408_after_body_stall(void **state)
{
	struct fixture *f = *state;

	f->want.limits.body_stall = 50 * LP_MSEC;
	struct peer *p = meet(f);
	peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
	for (int i = 0; i < 4; i++) {
		real_loop_run_for(&f->r, 30 * LP_MSEC);
		peer_send(p, "x");		/* longer than the limit in all, but never between two pieces */
	}
	assert_true(has(peer_await(p, "}}\n"), "HTTP/1.1 408 "));
	assert_int_equal(refusals(f, "body_stall"), 1);
	peer_close(p);
}

static void a_client_that_does_not_read_the_reply_is_left_after_write_stall(void **state)
{
	struct fixture *f = *state;
	int small = 4096;

	f->want.limits.write_stall = 60 * LP_MSEC;
	f->left = 50 * 1000 * 1000;
	struct peer *p = meet(f);
	setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	p->deaf = true;
	peer_send(p, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	real_loop_run_until(&f->r, &f->was_gone);
	assert_int_equal(f->why, LP_GONE);
	assert_int_equal(refusals(f, "write_stall"), 1);
	real_loop_run_for(&f->r, 5 * LP_MSEC);
	assert_int_equal(lp_server_connections(f->server), 0);
	peer_close(p);
}

/* The handler is done, the rest is the connection's: its slot is still limited in time. */
static void a_client_that_does_not_read_the_end_of_the_reply_is_left_too(void **state)
{
	struct fixture *f = *state;
	int small = 4096;

	f->want.limits.write_stall = 60 * LP_MSEC;
	f->left = 0;
	struct peer *p = meet(f);
	setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	p->deaf = true;
	struct lp_buf body = { 0 };
	fill(&body, 20 * 1000 * 1000);
	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	real_loop_run_for(&f->r, 10 * LP_MSEC);
	lp_reply(f->ex, 200, NULL, lp_buf_span(&body));
	lp_buf_clear(&body);
	assert_int_equal(lp_server_connections(f->server), 1);
	real_loop_run_for(&f->r, 300 * LP_MSEC);
	assert_int_equal(lp_server_connections(f->server), 0);
	peer_close(p);
}

static void a_slow_reader_gets_all_of_a_big_reply(void **state)
{
	struct fixture *f = *state;

	f->left = 5 * 1000 * 1000;
	struct peer *p = meet(f);
	peer_send(p, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_true(f->left > 0);	/* back-pressure reached the handler */
	peer_await_count(p, 5 * 1000 * 1000);
	real_loop_run_for(&f->r, 5 * LP_MSEC);
	assert_int_equal(lp_server_connections(f->server), 1);
	peer_close(p);
}

/* ---- ends ---- */

static void a_client_that_leaves_is_noticed_while_its_request_is_served(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	real_loop_run_for(&f->r, 10 * LP_MSEC);
	assert_int_equal(f->handled, 1);
	peer_close(p);
	real_loop_run_until(&f->r, &f->was_gone);
	assert_int_equal(f->why, LP_GONE);
	real_loop_run_for(&f->r, 5 * LP_MSEC);
	assert_int_equal(f->gone, 1);
	assert_int_equal(lp_server_connections(f->server), 0);
}

static void a_client_that_resets_is_noticed_at_once(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);
	struct linger now = { .l_onoff = 1 };

	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	real_loop_run_for(&f->r, 10 * LP_MSEC);
	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	peer_close(p);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_int_equal(f->gone, 1);
}

static void a_client_that_leaves_in_the_body_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
	real_loop_run_for(&f->r, 10 * LP_MSEC);
	peer_close(p);
	real_loop_run_until(&f->r, &f->was_gone);
	assert_int_equal(f->why, LP_GONE);
}

static void a_half_closed_client_still_gets_a_quick_reply(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	shutdown(p->fd, SHUT_WR);
	assert_true(has(peer_await_end(p), "\r\n\r\nhello"));
	peer_close(p);
}

static void a_half_closed_client_gets_the_rest_of_a_reply_that_has_begun(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /begun HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await(p, "begun");
	shutdown(p->fd, SHUT_WR);
	real_loop_run_for(&f->r, 400 * LP_MSEC);
	assert_int_equal(f->gone, 0);
	lp_reply_write(f->ex, LP_SPAN("finished"));
	lp_reply_end(f->ex);
	assert_true(has(peer_await_end(p), "finished\r\n0\r\n\r\n"));
	peer_close(p);
}

static void a_client_that_left_a_streamed_reply_is_noticed_by_the_next_write(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /begun HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await(p, "begun");
	peer_close(p);
	for (int i = 0; i < 50 && !f->was_gone; i++) {
		real_loop_run_for(&f->r, 5 * LP_MSEC);
		if (!f->was_gone)
			lp_reply_write(f->ex, LP_SPAN("more"));
	}
	assert_true(f->was_gone);
}

static void an_aborted_reply_does_not_look_whole(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /begun HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await(p, "begun");
	lp_reply_abort(f->ex, LP_RESET);
	const char *got = peer_await_end(p);
	assert_false(has(got, "0\r\n\r\n"));
	assert_int_equal(f->gone, 1);
	peer_close(p);
	/* Without framing only a reset tells. */
	p = meet(f);
	peer_send(p, "GET /begun HTTP/1.0\r\n\r\n");
	peer_await(p, "begun");
	lp_reply_abort(f->ex, LP_RESET);
	peer_await_end(p);
	assert_true(p->reset);
	peer_close(p);
}

static void a_reply_shorter_than_announced_is_aborted_and_a_longer_one_cut(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	real_loop_run_for(&f->r, 10 * LP_MSEC);
	lp_reply_head(f->ex, 200, 5, NULL, 0);
	lp_reply_write(f->ex, LP_SPAN("1234567"));
	lp_reply_end(f->ex);
	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	real_loop_run_for(&f->r, 10 * LP_MSEC);
	lp_reply_head(f->ex, 200, 5, NULL, 0);
	lp_reply_write(f->ex, LP_SPAN("123"));
	lp_reply_end(f->ex);
	const char *got = peer_await_end(p);
	assert_true(has(got, "\r\n\r\n12345HTTP/1.1 200 OK"));
	assert_string_equal(got + strlen(got) - 3, "123");
	peer_close(p);
}

static void headers_of_a_reply_cannot_split_it(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);
	struct lp_header headers[] = {
		{ .name = LP_SPAN("x-evil"), .value = LP_SPAN("a\r\nset-cookie: b") },
		{ .name = LP_SPAN("x evil"), .value = LP_SPAN("a") },
		{ .name = LP_SPAN("connection"), .value = LP_SPAN("x-good") },
		{ .name = LP_SPAN("transfer-encoding"), .value = LP_SPAN("gzip") },
		{ .name = LP_SPAN("content-length"), .value = LP_SPAN("77") },
		{ .name = LP_SPAN("x-good"), .value = LP_SPAN("caf\xc3\xa9") },
	};

	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	real_loop_run_for(&f->r, 10 * LP_MSEC);
	lp_reply_head(f->ex, 200, 2, headers, 6);
	lp_reply_write(f->ex, LP_SPAN("ok"));
	lp_reply_end(f->ex);
	const char *got = peer_await(p, "\r\n\r\nok");
	assert_true(has(got, "\r\nx-good: caf\xc3\xa9\r\ncontent-length: 2\r\n\r\n"));
	assert_false(has(got, "evil") || has(got, "cookie") || has(got, "gzip") || has(got, "77"));
	peer_close(p);
}

static void a_draining_server_finishes_what_runs_and_closes_what_is_idle(void **state)
{
	struct fixture *f = *state;
	struct peer *idle = meet(f), *busy = meet(f), *fresh = meet(f);

	peer_send(idle, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await(idle, "hello");
	peer_send(busy, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	real_loop_run_for(&f->r, 10 * LP_MSEC);
	lp_server_drain(f->server);
	peer_await_end(idle);
	peer_await_end(fresh);
	assert_int_equal(lp_server_connections(f->server), 1);
	lp_reply(f->ex, 200, NULL, LP_SPAN("done"));
	assert_true(has(peer_await_end(busy), "connection: close\r\n\r\ndone"));
	real_loop_run_for(&f->r, 5 * LP_MSEC);
	assert_int_equal(lp_server_connections(f->server), 0);
	peer_close(idle);
	peer_close(busy);
	peer_close(fresh);
}

static void a_server_can_be_closed_while_requests_run(void **state)
{
	struct fixture *f = *state;
	struct peer *hold = meet(f), *body = meet(f), *head = meet(f);

	peer_send(hold, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\n");
	peer_send(body, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
	peer_send(head, "GET /");
	real_loop_run_for(&f->r, 10 * LP_MSEC);
	assert_int_equal(f->handled, 2);
	/* tear_down closes it all; the sanitizer sees what is left */
	peer_close(hold);
	peer_close(body);
	peer_close(head);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_request_gets_its_reply),
		T(the_head_reaches_the_handler_with_lower_case_names),
		T(a_head_may_come_byte_by_byte),
		T(a_connection_serves_one_request_after_the_other),
		T(pipelined_requests_are_answered_in_order),
		T(a_pipelined_request_waits_for_the_reply_before_it),
		T(many_pipelined_requests_are_all_served),
		T(one_who_pipelines_and_does_not_read_gets_no_further),
		T(a_reply_of_unknown_length_is_chunked),
		T(a_client_of_1_0_gets_a_reply_that_ends_with_the_connection),
		T(a_client_of_1_0_may_keep_the_connection),
		T(head_is_answered_without_a_body),
		T(a_small_reply_leaves_in_one_piece),
		T(absolute_targets_are_served_by_path_and_their_host_counts),
		T(an_upgrade_is_ignored),
		T(a_body_of_known_length_arrives_whole),
		T(a_chunked_body_arrives_whole),
		T(a_body_nobody_reads_slows_the_client_down),
		T(the_client_is_told_to_continue_when_somebody_wants_the_body),
		T(one_who_expects_and_is_refused_is_not_told_to_continue),
		T(another_expectation_is_refused_with_417),
		T(after_an_early_reply_a_short_rest_is_dropped_and_the_connection_kept),
		T(after_an_early_reply_a_long_rest_ends_the_connection_in_order),
		T(a_chunked_rest_is_dropped_only_up_to_a_bound),
		T(a_body_beyond_the_limit_is_413),
		T(what_could_smuggle_is_refused_and_the_connection_closed),
		T(a_zero_byte_anywhere_in_a_head_is_refused),
		T(a_malformed_chunked_body_is_refused),
		T(a_field_of_64_kib_passes_and_a_head_of_more_than_the_limit_is_431),
		T(too_many_fields_are_431),
		T(a_target_beyond_16_kib_is_414),
		T(chunk_extensions_without_end_are_refused),
		T(trailers_without_end_are_refused),
		T(a_head_that_trickles_in_is_408_after_header_time),
		T(one_who_says_nothing_loses_the_connection_after_header_time),
		T(an_idle_connection_is_closed_after_idle_time),
		T(a_body_that_stops_coming_is_408_after_body_stall),
		T(a_client_that_does_not_read_the_reply_is_left_after_write_stall),
		T(a_client_that_does_not_read_the_end_of_the_reply_is_left_too),
		T(a_slow_reader_gets_all_of_a_big_reply),
		T(a_client_that_leaves_is_noticed_while_its_request_is_served),
		T(a_client_that_resets_is_noticed_at_once),
		T(a_client_that_leaves_in_the_body_is_noticed),
		T(a_half_closed_client_still_gets_a_quick_reply),
		T(a_half_closed_client_gets_the_rest_of_a_reply_that_has_begun),
		T(a_client_that_left_a_streamed_reply_is_noticed_by_the_next_write),
		T(an_aborted_reply_does_not_look_whole),
		T(a_reply_shorter_than_announced_is_aborted_and_a_longer_one_cut),
		T(headers_of_a_reply_cannot_split_it),
		T(a_draining_server_finishes_what_runs_and_closes_what_is_idle),
		T(a_server_can_be_closed_while_requests_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
