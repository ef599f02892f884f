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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_head_with_a_refused_field_does_not_end_the_connection_later),
		TEST(a_head_without_a_path_does_not_end_the_connection_later),
		TEST(a_refused_head_in_two_frames_does_not_end_the_connection_later),
		TEST(trailers_of_a_stream_that_was_reset_do_not_end_the_connection_later),
		TEST(a_refused_head_that_never_ends_is_an_idle_connection),
		TEST(the_peers_name_can_be_read_in_the_last_event),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
