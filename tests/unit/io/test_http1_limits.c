/* What one client may cost a server, in bytes and in time. */
#include "h1_fixture.h"

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
		settle(&f->r);
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
	AWAIT(f, lp_server_connections(f->server) == 0);
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
	AWAIT(f, f->handled == 1);
	lp_reply(f->ex, 200, NULL, lp_buf_span(&body));
	lp_buf_clear(&body);
	assert_int_equal(lp_server_connections(f->server), 1);
	AWAIT(f, lp_server_connections(f->server) == 0);
	peer_close(p);
}

/* Ask for 8 MB that are written at once, and read them in pieces of so many bytes, each after a millisecond.
 * Returns how many came before the server left. */
static size_t read_in_pieces(struct fixture *f, size_t piece)
{
	static char bytes[65536];
	int small = piece < 4096 ? 4096 : (int)piece * 4;
	struct peer *p = meet(f);
	struct lp_buf body = { 0 };
	size_t got = 0;
	ssize_t n = 1;

	setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	AWAIT(f, f->handled == 1);
	fill(&body, 8 * 1000 * 1000);
	lp_reply(f->ex, 200, NULL, lp_buf_span(&body));
	lp_buf_clear(&body);
	while (lp_server_connections(f->server) && (n > 0 || errno == EAGAIN)) {
		real_loop_run_for(&f->r, LP_MSEC);
		for (size_t left = piece; left; left -= (size_t)n) {
			n = read(p->fd, bytes, left < sizeof(bytes) ? left : sizeof(bytes));
			if (n <= 0)
				break;
			got += (size_t)n;
		}
	}
	while ((n = read(p->fd, bytes, sizeof(bytes))) > 0)
		got += (size_t)n;
	peer_close(p);
	return got;
}

static void a_client_that_reads_byte_by_byte_is_left_after_write_stall(void **state)
{
	struct fixture *f = *state;

	f->want.limits.write_stall = 100 * LP_MSEC;
	assert_true(read_in_pieces(f, 1) < 8 * 1000 * 1000);
	assert_int_equal(refusals(f, "write_stall"), 1);
}

/* What counts is what the client takes, not when the kernel has room for more. */
static void a_client_that_reads_slowly_but_steadily_gets_all(void **state)
{
	struct fixture *f = *state;

	f->want.limits.write_stall = 100 * LP_MSEC;
	assert_true(read_in_pieces(f, 16 * 1024) > 8 * 1000 * 1000);
	assert_int_equal(refusals(f, "write_stall"), 0);
}

/* The same while the handler still writes: what it hears of room comes in the kernel's steps. */
static void a_slow_but_steady_reader_is_not_taken_for_one_who_has_stopped(void **state)
{
	static char bytes[1024];
	struct fixture *f = *state;
	ssize_t got = 0;

	f->want.limits.write_stall = 500 * LP_MSEC;
	f->left = 20 * 1000 * 1000;
	struct peer *p = meet(f);
	peer_send(p, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	for (int64_t until = lp_mono(f->r.loop) + 1800 * LP_MSEC; lp_mono(f->r.loop) < until;) {
		ssize_t n = read(p->fd, bytes, sizeof(bytes));

		got += n > 0 ? n : 0;
		real_loop_run_for(&f->r, LP_MSEC);
	}
	assert_true(f->left > 0);
	assert_false(f->was_gone);
	assert_true(got > 100 * 1000);
	peer_close(p);
}

static void a_connection_whose_big_reply_was_read_may_idle(void **state)
{
	struct fixture *f = *state;

	f->want.limits.write_stall = 50 * LP_MSEC;
	f->left = 5 * 1000 * 1000;
	struct peer *p = meet(f);
	peer_send(p, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await_count(p, 5 * 1000 * 1000);
	real_loop_run_for(&f->r, 120 * LP_MSEC);
	assert_int_equal(lp_server_connections(f->server), 1);
	peer_close(p);
}

static void a_slow_reader_gets_all_of_a_big_reply(void **state)
{
	struct fixture *f = *state;

	f->left = 5 * 1000 * 1000;
	struct peer *p = meet(f);
	peer_send(p, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	AWAIT(f, f->handled == 1);
	assert_true(f->left > 0);	/* back-pressure reached the handler */
	peer_await_count(p, 5 * 1000 * 1000);
	settle(&f->r);
	assert_int_equal(lp_server_connections(f->server), 1);
	peer_close(p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
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
		T(a_client_that_reads_byte_by_byte_is_left_after_write_stall),
		T(a_client_that_reads_slowly_but_steadily_gets_all),
		T(a_slow_but_steady_reader_is_not_taken_for_one_who_has_stopped),
		T(a_connection_whose_big_reply_was_read_may_idle),
		T(a_slow_reader_gets_all_of_a_big_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
