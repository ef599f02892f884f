/* The server's side of HTTP/1.1 over real sockets: the bytes in, the bytes out. */
#include "h1_fixture.h"

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

static void a_client_that_is_gone_without_a_word_is_probed_for(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	AWAIT(f, lp_server_connections(f->server) == 1);
	expect_keepalive(other_end(p->fd));
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
	AWAIT(f, f->handled == 1);
	settle(&f->r);
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
	AWAIT(f, f->handled == 1);
	settle(&f->r);
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
	settle(&f->r);
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
	settle(&f->r);
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
	sent = peer_stuff(p, 52428800);
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

/* ---- ends ---- */

static void a_client_that_leaves_is_noticed_while_its_request_is_served(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	AWAIT(f, f->handled == 1);
	peer_close(p);
	real_loop_run_until(&f->r, &f->was_gone);
	assert_int_equal(f->why, LP_GONE);
	AWAIT(f, lp_server_connections(f->server) == 0);
	assert_int_equal(f->gone, 1);
}

static void a_client_that_resets_is_noticed_at_once(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);
	struct linger now = { .l_onoff = 1 };

	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	AWAIT(f, f->handled == 1);
	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	peer_close(p);
	AWAIT(f, f->gone == 1);
}

static void a_client_that_leaves_in_the_body_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
	AWAIT(f, f->handled == 1);
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
	for (int i = 0; i < 6; i++) {
		real_loop_run_for(&f->r, 100 * LP_MSEC);
		assert_int_equal(f->gone, 0);
		lp_reply_write(f->ex, LP_SPAN("more"));
	}
	lp_reply_write(f->ex, LP_SPAN("finished"));
	lp_reply_end(f->ex);
	assert_true(has(peer_await_end(p), "finished\r\n0\r\n\r\n"));
	peer_close(p);
}

static void a_client_that_leaves_a_streamed_reply_which_idles_is_noticed_without_a_write(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /begun HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await(p, "begun");
	peer_close(p);
	AWAIT(f, f->gone == 1);
	assert_int_equal(f->why, LP_GONE);
	AWAIT(f, lp_server_connections(f->server) == 0);
}

/* Reading rests while a pipelined request waits: leaving must be seen all the same. */
static void one_who_pipelines_and_leaves_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	AWAIT(f, f->handled == 1);
	settle(&f->r);
	peer_send(p, "GET /y HTTP/1.1\r\nHost: a\r\n\r\n");	/* behind the pause */
	settle(&f->r);
	peer_close(p);
	AWAIT(f, f->gone == 1);
	AWAIT(f, lp_server_connections(f->server) == 0);
}

static void one_who_pipelines_and_resets_is_noticed_at_once(void **state)
{
	struct fixture *f = *state;
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct peer *p = meet(f);

	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	AWAIT(f, f->handled == 1);
	settle(&f->r);
	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	peer_close(p);
	AWAIT(f, f->gone == 1);
	AWAIT(f, lp_server_connections(f->server) == 0);
}

static void pipelined_requests_and_an_end_are_all_answered(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
		     "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	shutdown(p->fd, SHUT_WR);
	AWAIT(f, f->handled == 1);
	settle(&f->r);
	lp_reply(f->ex, 200, NULL, LP_SPAN("held"));
	const char *got = peer_await_end(p);
	assert_true(has(got, "held"));
	assert_true(has(got, "hello"));
	assert_true(has(got, "GET|/x|"));
	peer_close(p);
}

static void a_client_that_left_a_streamed_reply_is_noticed_by_the_next_write(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "GET /begun HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await(p, "begun");
	peer_close(p);
	for (int i = 0; i < 1000 && !f->was_gone; i++) {
		settle(&f->r);
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
	AWAIT(f, f->handled == 1);
	lp_reply_head(f->ex, 200, 5, NULL, 0);
	lp_reply_write(f->ex, LP_SPAN("1234567"));
	lp_reply_end(f->ex);
	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	AWAIT(f, f->handled == 2);
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
	AWAIT(f, f->handled == 1);
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
	AWAIT(f, f->handled == 2);
	lp_server_drain(f->server);
	peer_await_end(idle);
	peer_await_end(fresh);
	assert_int_equal(lp_server_connections(f->server), 1);
	lp_reply(f->ex, 200, NULL, LP_SPAN("done"));
	assert_true(has(peer_await_end(busy), "connection: close\r\n\r\ndone"));
	AWAIT(f, lp_server_connections(f->server) == 0);
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
	AWAIT(f, f->handled == 2);
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
		T(a_client_that_is_gone_without_a_word_is_probed_for),
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
		T(a_client_that_leaves_is_noticed_while_its_request_is_served),
		T(a_client_that_resets_is_noticed_at_once),
		T(a_client_that_leaves_in_the_body_is_noticed),
		T(a_half_closed_client_still_gets_a_quick_reply),
		T(a_half_closed_client_gets_the_rest_of_a_reply_that_has_begun),
		T(a_client_that_leaves_a_streamed_reply_which_idles_is_noticed_without_a_write),
		T(one_who_pipelines_and_leaves_is_noticed),
		T(one_who_pipelines_and_resets_is_noticed_at_once),
		T(pipelined_requests_and_an_end_are_all_answered),
		T(a_client_that_left_a_streamed_reply_is_noticed_by_the_next_write),
		T(an_aborted_reply_does_not_look_whole),
		T(a_reply_shorter_than_announced_is_aborted_and_a_longer_one_cut),
		T(headers_of_a_reply_cannot_split_it),
		T(a_draining_server_finishes_what_runs_and_closes_what_is_idle),
		T(a_server_can_be_closed_while_requests_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
