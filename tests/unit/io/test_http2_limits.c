/* HTTP/2 as a server: what a client may hold, and for how long. */
#include "h2_fixture.h"

/* ---- heads that nghttp2 refuses ---- */

/* The deadline of a head must not outlive the head, or it ends a healthy connection. */
static void the_connection_lives_on(struct fixture *f)
{
	real_loop_run_for(&f->r, 150 * LP_MSEC);
	ask(f, 101, "GET", END_STREAM);
	expect_status(f, 101, ":status: 200\n");
}

static void serve_briefly(struct fixture *f)
{
	f->limits.header_time = 60 * LP_MSEC;
	serve(f);
	settle(f);	/* no acknowledgement comes in between */
}

static void a_head_with_a_refused_field_does_not_end_the_connection_later(void **state)
{
	struct fixture *f = *state;

	serve_briefly(f);
	/* GET http / a and "X: y" by hand, since nghttp2's coder lower-cases. */
	h2_send_frame(&f->p, F_HEADERS, END_STREAM | END_HEADERS, 1, LP_SPAN("\x82\x86\x84\x41\x01" "a" "\x00\x01X\x01y"));
	expect_reset(f, 1, NGHTTP2_PROTOCOL_ERROR);
	the_connection_lives_on(f);
}

static void a_head_without_a_path_does_not_end_the_connection_later(void **state)
{
	struct fixture *f = *state;

	serve_briefly(f);
	h2_send_head(&f->p, 1, END_STREAM, H2_HEAD(":method", "GET", ":scheme", "http", ":authority", "a"));
	expect_reset(f, 1, NGHTTP2_PROTOCOL_ERROR);
	the_connection_lives_on(f);
}

static void a_refused_head_in_two_frames_does_not_end_the_connection_later(void **state)
{
	struct fixture *f = *state;

	serve_briefly(f);
	h2_send_frame(&f->p, F_HEADERS, END_STREAM, 1, LP_SPAN("\x82\x86\x84\x41\x01" "a" "\x00\x01X\x01y"));
	h2_send_frame(&f->p, F_CONTINUATION, END_HEADERS, 1, LP_SPAN("\x00\x01z\x01z"));
	the_connection_lives_on(f);
}

static void trailers_of_a_stream_that_was_reset_do_not_end_the_connection_later(void **state)
{
	struct fixture *f = *state;

	f->answer = 0;
	serve_briefly(f);
	ask(f, 1, "POST", 0);
	AWAIT(f, f->handled == 1);
	h2_send_frame(&f->p, F_HEADERS, END_STREAM, 1, LP_SPAN("\x00\x01z\x01z"));
	real_loop_run_for(&f->r, 5 * LP_MSEC);
	lp_reply_abort(f->ex, LP_INTERNAL);
	expect_reset(f, 1, NGHTTP2_INTERNAL_ERROR);
	h2_send_frame(&f->p, F_CONTINUATION, END_HEADERS, 1, LP_SPAN("\x00\x01y\x01z"));
	f->answer = 200;
	the_connection_lives_on(f);
}

static void a_refused_head_that_never_ends_is_an_idle_connection(void **state)
{
	struct fixture *f = *state;

	f->limits.idle_time = 100 * LP_MSEC;
	serve_briefly(f);
	h2_send_frame(&f->p, F_HEADERS, END_STREAM, 1, LP_SPAN("\x82\x86\x84\x41\x01" "a" "\x00\x01X\x01y"));
	AWAIT(f, lp_server_connections(f->server) == 0);
}

/* ---- the last event ---- */

static void the_peers_name_can_be_read_in_the_last_event(void **state)
{
	struct fixture *f = *state;

	f->answer = 0;
	serve(f);
	ask(f, 1, "POST", 0);
	AWAIT(f, f->handled == 1);
	close(f->p.fd);
	f->p.fd = -1;
	AWAIT(f, f->gone == 1);
	assert_memory_equal(f->peer, "127.0.0.1:", 10);
}

/* ---- bytes that nobody consumes ---- */

/* Send a body as the windows allow.  *conn: what came of the connection's window. */
static void send_within_windows(struct fixture *f, int32_t id, size_t len, size_t *conn)
{
	static const char zero[16384];
	struct h2_frame frame;
	size_t room = 256 * 1024;

	while (len > 0) {
		size_t n = len < sizeof(zero) ? len : sizeof(zero);
		while (room < n) {
			assert_true(h2_next_of(&f->p, &frame, F_WINDOW));
			*(frame.id == id ? &room : conn) += h2_u32(frame.payload, 0);
		}
		h2_send_frame(&f->p, F_DATA, 0, id, lp_span_of(zero, n));
		room -= n;
		len -= n;
		real_loop_run_for(&f->r, 0);
	}
}

static size_t await_window(struct fixture *f)
{
	struct h2_frame frame;

	do
		assert_true(h2_next_of(&f->p, &frame, F_WINDOW));
	while (frame.id != 0);
	return h2_u32(frame.payload, 0);
}

/* The window is 16 MiB, and half of it is given back at once: 12 MB of a body that is read, beside one that is not. */
static void while_much_is_held_the_connections_window_stays_shut(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *unread;
	size_t conn = 0;

	f->limits.held_bytes = 400 * 1024;
	f->answer = 0;
	f->eat = false;
	serve(f);
	settle(f);
	ask(f, 1, "POST", 0);
	send_within_windows(f, 1, 240 * 1024, &conn);
	AWAIT(f, f->handled == 1 && lp_exchange_read(f->ex).len == 240 * 1024);
	real_loop_run_for(&f->r, 5 * LP_MSEC);	/* its event is over, too */
	unread = f->ex;
	f->eat = true;
	ask(f, 3, "POST", 0);
	assert_true(await_window(f) > 15 * 1024 * 1024);	/* to begin with */
	conn = 0;
	send_within_windows(f, 3, 12 * 1024 * 1024, &conn);
	AWAIT(f, f->body == 12 * 1024 * 1024);
	assert_int_equal(conn, 0);
	lp_exchange_consume(unread, 240 * 1024);
	assert_in_range(await_window(f), 12 * 1024 * 1024, 13 * 1024 * 1024);
}

/* 100 bodies of 200 KB are more than the window of 16 MiB. */
static void what_cancelled_requests_left_unread_does_not_cost_the_connections_window(void **state)
{
	struct fixture *f = *state;
	size_t conn = 0;

	f->answer = 0;
	f->eat = false;
	serve(f);
	settle(f);
	for (int32_t id = 1; id < 200; id += 2) {
		ask(f, id, "POST", 0);
		send_within_windows(f, id, 200 * 1000, &conn);
		h2_send_u32(&f->p, F_RST, id, NGHTTP2_CANCEL);
		real_loop_run_for(&f->r, 0);
	}
	AWAIT(f, f->gone == 100);
	f->answer = 200;
	ask(f, 201, "GET", END_STREAM);
	expect_status(f, 201, ":status: 200\n");
}

static void beyond_what_may_be_held_bodies_are_refused(void **state)
{
	struct fixture *f = *state;
	size_t conn = 0;

	f->limits.held_bytes = 300 * 1024;
	f->answer = 0;
	f->eat = false;
	serve(f);
	settle(f);
	ask(f, 1, "POST", 0);
	send_within_windows(f, 1, 200 * 1024, &conn);
	ask(f, 3, "POST", 0);
	send_within_windows(f, 3, 200 * 1024, &conn);
	AWAIT(f, f->handled == 2 && lp_exchange_body(f->ex) == LP_BODY_BROKEN);
	assert_int_equal(lp_exchange_err(f->ex)->code, LP_UNAVAILABLE);
	lp_reply_error(f->ex, lp_exchange_err(f->ex));
	expect_status(f, 3, ":status: 503\n");
}

/* ---- clients that read too slowly ---- */

/* The tail of a reply: its handler has long said all. */
static void a_client_that_opens_its_window_byte_by_byte_is_given_up(void **state)
{
	struct fixture *f = *state;

	f->limits.write_stall = 200 * LP_MSEC;
	f->streamed = true;
	f->answer_bytes = 100 * 1000;
	serve(f);
	ask(f, 1, "GET", END_STREAM);
	for (int i = 0; i < 2000 && !f->gone; i++) {
		h2_send_u32(&f->p, F_WINDOW, 0, 1);
		h2_send_u32(&f->p, F_WINDOW, 1, 1);
		real_loop_run_for(&f->r, LP_MSEC);
	}
	assert_int_equal(f->gone, 1);
	expect_reset(f, 1, NGHTTP2_CANCEL);
	ask(f, 3, "GET", END_STREAM);		/* the connection is as good as before */
	expect_status(f, 3, ":status: 200\n");
}

static void a_client_that_opens_its_window_slowly_but_steadily_gets_all(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;
	size_t got = 0;

	f->limits.write_stall = 400 * LP_MSEC;
	f->limits.write_floor = 1000;
	f->streamed = true;
	f->answer_bytes = 100 * 1000;
	serve(f);
	ask(f, 1, "GET", END_STREAM);
	h2_send_u32(&f->p, F_WINDOW, 0, 1 << 20);
	while (got < 100 * 1000 && h2_next_of(&f->p, &frame, F_DATA)) {
		got += frame.payload.len;
		if (got < 65535)
			continue;
		real_loop_run_for(&f->r, 50 * LP_MSEC);
		h2_send_u32(&f->p, F_WINDOW, 1, 2000);
	}
	assert_int_equal(got, 100 * 1000);
	assert_int_equal(f->gone, 0);
}

/* Nothing waits for the client: however little a job brings, its reader is not to blame. */
static void a_reply_that_is_made_slowly_is_not_held_against_its_reader(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	f->limits.write_stall = 40 * LP_MSEC;
	f->answer = 0;
	serve(f);
	ask(f, 1, "GET", END_STREAM);
	AWAIT(f, f->handled == 1);
	lp_reply_head(f->ex, 200, -1, NULL, 0);
	for (int i = 0; i < 20; i++) {
		lp_reply_write(f->ex, LP_SPAN("x"));
		real_loop_run_for(&f->r, 10 * LP_MSEC);
	}
	lp_reply_end(f->ex);
	do
		assert_true(h2_next_of(&f->p, &frame, F_DATA));
	while (!(frame.flags & END_STREAM));
	assert_int_equal(f->gone, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_head_with_a_refused_field_does_not_end_the_connection_later),
		TEST(a_head_without_a_path_does_not_end_the_connection_later),
		TEST(a_refused_head_in_two_frames_does_not_end_the_connection_later),
		TEST(trailers_of_a_stream_that_was_reset_do_not_end_the_connection_later),
		TEST(a_refused_head_that_never_ends_is_an_idle_connection),
		TEST(while_much_is_held_the_connections_window_stays_shut),
		TEST(what_cancelled_requests_left_unread_does_not_cost_the_connections_window),
		TEST(beyond_what_may_be_held_bodies_are_refused),
		TEST(a_client_that_opens_its_window_byte_by_byte_is_given_up),
		TEST(a_client_that_opens_its_window_slowly_but_steadily_gets_all),
		TEST(a_reply_that_is_made_slowly_is_not_held_against_its_reader),
		TEST(the_peers_name_can_be_read_in_the_last_event),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
