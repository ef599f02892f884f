/* HTTP/2 as a server, asked by a client that is played frame by frame over loopback. */
#include "h2_fixture.h"

/* ---- requests and replies ---- */

static void a_request_is_answered_with_head_and_body(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	f->answer_bytes = 5;
	serve(f);
	ask(f, 1, "GET", END_STREAM);
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_non_null(strstr(frame.head, ":status: 200\n"));
	assert_non_null(strstr(frame.head, "content-length: 5\n"));
	assert_non_null(strstr(frame.head, "date: "));
	assert_true(h2_next_of(&f->p, &frame, F_DATA));
	assert_true(lp_span_is(frame.payload, "bbbbb"));
	assert_true(frame.flags & END_STREAM);
	assert_string_equal(f->path, "/a");
	assert_string_equal(f->host, "node:1");
}

static void a_head_request_gets_no_body(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	f->answer_bytes = 5;
	serve(f);
	ask(f, 1, "HEAD", END_STREAM);
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_true(frame.flags & END_STREAM);
	assert_non_null(strstr(frame.head, "content-length: 5\n"));
}

static void authority_takes_the_place_of_host(void **state)
{
	struct fixture *f = *state;

	serve(f);
	h2_send_head(&f->p, 1, END_STREAM, H2_HEAD(":method", "GET", ":scheme", "http", ":authority", "right", ":path",
						   "/", "accept", "x", "host", "wrong"));
	expect_status(f, 1, ":status: 200\n");
	assert_string_equal(f->host, "right");
}

static void trailers_follow_the_last_byte(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	f->trailers = true;
	serve(f);
	ask(f, 1, "POST", END_STREAM);
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_true(h2_next_of(&f->p, &frame, F_DATA));
	assert_false(frame.flags & END_STREAM);
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_true(frame.flags & END_STREAM);
	assert_non_null(strstr(frame.head, "grpc-status: 12\n"));
}

static void an_aborted_reply_resets_the_stream(void **state)
{
	struct fixture *f = *state;

	f->abort = true;
	serve(f);
	ask(f, 1, "GET", END_STREAM);
	expect_reset(f, 1, NGHTTP2_INTERNAL_ERROR);
	f->abort = false;
	ask(f, 3, "GET", END_STREAM);
	expect_status(f, 3, ":status: 200\n");
}

static void an_early_reply_stops_the_request_without_blame(void **state)
{
	struct fixture *f = *state;

	f->answer = 503;
	f->eat = false;
	serve(f);
	ask(f, 1, "POST", 0);
	h2_send_frame(&f->p, F_DATA, 0, 1, LP_SPAN("only the beginning"));
	expect_status(f, 1, ":status: 503\n");
	expect_reset(f, 1, NGHTTP2_NO_ERROR);
}

/* There are clients that lose the answer with a reset: libcurl 7.88. */
static void a_request_that_ends_soon_after_its_early_reply_is_not_reset(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	f->answer = 503;
	f->eat = false;
	serve(f);
	ask(f, 1, "POST", 0);
	h2_send_frame(&f->p, F_DATA, 0, 1, LP_SPAN("the beginning"));
	expect_status(f, 1, ":status: 503\n");
	h2_send_frame(&f->p, F_DATA, END_STREAM, 1, LP_SPAN("and the end"));
	real_loop_run_for(&f->r, 400 * LP_MSEC);
	ask(f, 3, "GET", END_STREAM);
	while (h2_next(&f->p, &frame) && !(frame.type == F_HEADERS && frame.id == 3))
		assert_int_not_equal(frame.type, F_RST);
	assert_int_equal(frame.id, 3);
}

static void a_cancelled_request_is_told_as_gone(void **state)
{
	struct fixture *f = *state;

	f->answer = 0;
	serve(f);
	ask(f, 1, "POST", 0);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_int_equal(f->handled, 1);
	h2_send_u32(&f->p, F_RST, 1, NGHTTP2_CANCEL);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_int_equal(f->gone, 1);
}

static void a_lost_connection_ends_all_of_its_exchanges(void **state)
{
	struct fixture *f = *state;

	f->answer = 0;
	serve(f);
	for (int32_t id = 1; id < 20; id += 2)
		ask(f, id, "POST", 0);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_int_equal(f->handled, 10);
	close(f->p.fd);
	f->p.fd = -1;
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	assert_int_equal(f->gone, 10);
	assert_int_equal(lp_server_connections(f->server), 0);
}

/* More than the loop runs in one go: whoever holds an exchange has to hear of its end before it is freed. */
static void a_lost_connection_ends_two_hundred_exchanges_too(void **state)
{
	struct fixture *f = *state;

	f->answer = 0;
	serve(f);
	for (int32_t id = 1; id < 400; id += 2)
		ask(f, id, "POST", 0);
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	assert_int_equal(f->handled, 200);
	close(f->p.fd);
	f->p.fd = -1;
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	assert_int_equal(f->gone, 200);
}

/* ---- windows ---- */

static void send_body(struct fixture *f, int32_t id, size_t bytes)
{
	static const char zero[16384];

	for (size_t n; bytes > 0; bytes -= n) {
		n = bytes < sizeof(zero) ? bytes : sizeof(zero);
		h2_send_frame(&f->p, F_DATA, 0, id, lp_span_of(zero, n));
	}
}

/* Window updates that came: of the connection, and of the stream. */
static void count_windows(struct fixture *f, int32_t id, size_t *conn, size_t *stream)
{
	struct h2_frame frame;

	*conn = *stream = 0;
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	h2_send_frame(&f->p, F_PING, 0, 0, LP_SPAN("12345678"));
	while (h2_next(&f->p, &frame) && frame.type != F_PING) {
		if (frame.type != F_WINDOW)
			continue;
		*(frame.id == id ? stream : conn) += h2_u32(frame.payload, 0);
	}
}

static void an_unread_body_holds_back_the_stream_but_not_the_connection(void **state)
{
	struct fixture *f = *state;
	size_t conn, stream;

	f->answer = 0;
	f->eat = false;
	serve(f);
	settle(f);
	count_windows(f, 1, &conn, &stream);	/* the connection's first, large window */
	assert_true(conn > 15 * 1024 * 1024);
	for (int32_t id = 1; id < 80; id += 2) {
		ask(f, id, "POST", 0);
		send_body(f, id, 256 * 1024);
	}
	count_windows(f, 79, &conn, &stream);
	assert_int_equal(stream, 0);
	assert_true(conn > 4 * 1024 * 1024);
	/* The last one is read after all. */
	lp_exchange_consume(f->ex, lp_exchange_read(f->ex).len);
	count_windows(f, 79, &conn, &stream);
	assert_int_equal(stream, 256 * 1024);
}

static void a_big_body_flows_while_it_is_read(void **state)
{
	struct fixture *f = *state;
	size_t total = 1500 * 1000, room = 256 * 1024;
	struct h2_frame frame;

	f->answer = 0;
	serve(f);
	settle(f);
	ask(f, 1, "POST", 0);
	for (size_t sent = 0; sent < total;) {
		size_t n = total - sent < room ? total - sent : room;
		send_body(f, 1, n);
		sent += n;
		room -= n;
		while (room < 16384 && sent < total) {
			assert_true(h2_next_of(&f->p, &frame, F_WINDOW));
			if (frame.id == 1)
				room += h2_u32(frame.payload, 0);
		}
	}
	h2_send_frame(&f->p, F_DATA, END_STREAM, 1, (struct lp_span){ NULL, 0 });
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_int_equal(f->body, total);
	assert_int_equal(f->ended, 1);
}

static void a_big_reply_waits_for_the_clients_window(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;
	size_t got = 0, total = 400 * 1000;

	f->streamed = true;
	f->answer_bytes = total;
	serve(f);
	ask(f, 1, "GET", END_STREAM);
	while (got < 65535 && h2_next_of(&f->p, &frame, F_DATA))
		got += frame.payload.len;
	assert_int_equal(got, 65535);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	h2_pull(&f->p);
	lp_buf_eat(&f->p.in, f->p.eat);
	f->p.eat = 0;
	assert_int_equal(f->p.in.len, 0);	/* not one byte more */
	assert_true(f->answer_bytes > 0);	/* and the writer was told to wait */
	h2_send_u32(&f->p, F_WINDOW, 0, 1 << 20);
	h2_send_u32(&f->p, F_WINDOW, 1, 1 << 20);
	while (got < total && h2_next_of(&f->p, &frame, F_DATA))
		got += frame.payload.len;
	assert_int_equal(got, total);
	assert_true((frame.flags & END_STREAM) || (h2_next_of(&f->p, &frame, F_DATA) && (frame.flags & END_STREAM)));
}

static void a_client_that_opens_no_window_is_given_up(void **state)
{
	struct fixture *f = *state;

	f->limits.write_stall = 200 * LP_MSEC;
	f->streamed = true;
	f->answer_bytes = 400 * 1000;
	serve(f);
	ask(f, 1, "GET", END_STREAM);
	expect_reset(f, 1, NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(f->gone, 1);
}

static void a_small_reply_that_nobody_reads_is_given_up_too(void **state)
{
	struct fixture *f = *state;

	f->limits.write_stall = 100 * LP_MSEC;
	f->answer_bytes = 900;
	serve(f);
	h2_send_setting(&f->p, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 10);
	ask(f, 1, "GET", END_STREAM);
	expect_reset(f, 1, NGHTTP2_CANCEL);
}

/* ---- limits ---- */

static void a_stream_above_the_limit_is_refused(void **state)
{
	struct fixture *f = *state;

	f->limits.streams = 10;
	f->answer = 0;
	serve(f);
	for (int32_t id = 1; id <= 21; id += 2)
		ask(f, id, "POST", 0);
	expect_reset(f, 21, NGHTTP2_REFUSED_STREAM);
	assert_int_equal(f->handled, 10);
}

static void one_who_knows_the_limit_and_breaks_it_is_sent_away(void **state)
{
	struct fixture *f = *state;

	f->limits.streams = 10;
	f->answer = 0;
	serve(f);
	settle(f);
	for (int32_t id = 1; id <= 21; id += 2)
		ask(f, id, "POST", 0);
	expect_goaway(f, NGHTTP2_PROTOCOL_ERROR);
}

static void two_thousand_honest_cancels_do_not_end_the_connection(void **state)
{
	struct fixture *f = *state;
	int32_t id = 1;

	f->answer = 0;
	serve(f);
	for (int batch = 0; batch < 8; batch++) {
		int32_t first = id;
		for (; id < first + 500; id += 2)
			ask(f, id, "POST", 0);
		real_loop_run_for(&f->r, 5 * LP_MSEC);
		for (int32_t at = first; at < id; at += 2)
			h2_send_u32(&f->p, F_RST, at, NGHTTP2_CANCEL);
		real_loop_run_for(&f->r, 5 * LP_MSEC);
	}
	f->answer = 200;
	ask(f, id, "GET", END_STREAM);
	expect_status(f, id, ":status: 200\n");
	assert_int_equal(f->handled, 2001);
}

static void a_flood_of_resets_ends_the_connection(void **state)
{
	struct fixture *f = *state;

	f->answer = 0;
	serve(f);
	for (int32_t id = 1; id < 40000 && !f->p.closed; id += 2) {
		ask(f, id, "POST", 0);
		h2_send_u32(&f->p, F_RST, id, NGHTTP2_CANCEL);
		if (id % 1000 == 1) {
			real_loop_run_for(&f->r, LP_MSEC);
			h2_pull(&f->p);
		}
	}
	struct h2_frame frame;
	assert_true(h2_next_of(&f->p, &frame, F_GOAWAY));
	assert_int_not_equal(h2_u32(frame.payload, 4), NGHTTP2_NO_ERROR);
	assert_true(f->handled < 10000);
}

static void flood(struct fixture *f, int type, struct lp_span payload)
{
	struct h2_frame frame;

	serve(f);
	for (int i = 0; i < 20000 && !f->p.closed; i++) {
		h2_send_frame(&f->p, type, 0, 0, payload);
		if (i % 500 == 0) {
			real_loop_run_for(&f->r, LP_MSEC);
			h2_pull(&f->p);
		}
	}
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	bool goaway = h2_next_of(&f->p, &frame, F_GOAWAY);
	assert_true(goaway || f->p.closed);
	assert_int_equal(lp_server_connections(f->server), 0);
}

static void a_flood_of_pings_ends_the_connection(void **state)
{
	flood(*state, F_PING, LP_SPAN("12345678"));
}

static void a_flood_of_settings_ends_the_connection(void **state)
{
	flood(*state, F_SETTINGS, (struct lp_span){ NULL, 0 });
}

static void a_hundred_pings_are_answered(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	serve(f);
	for (int i = 0; i < 100; i++)
		h2_send_frame(&f->p, F_PING, 0, 0, LP_SPAN("12345678"));
	for (int i = 0; i < 100; i++)
		assert_true(h2_next_of(&f->p, &frame, F_PING));
}

static char *long_value(size_t len)
{
	char *value = malloc(len + 1);

	memset(value, '~', len);	/* 13 bits in Huffman's code: as long on the wire as it can be */
	value[len] = '\0';
	return value;
}

static void a_field_of_64_000_bytes_is_taken(void **state)
{
	struct fixture *f = *state;
	char *value = long_value(64000);

	serve(f);
	h2_send_head(&f->p, 1, END_STREAM, H2_HEAD(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/",
						   "livepeer-payment", value));
	free(value);
	expect_status(f, 1, ":status: 200\n");
}

static void a_head_above_the_limit_is_answered_431_and_the_connection_lives(void **state)
{
	struct fixture *f = *state;
	char *value = long_value(30000);

	f->limits.header_bytes = 20000;
	serve(f);
	h2_send_head(&f->p, 1, END_STREAM,
		     H2_HEAD(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/", "x", value));
	free(value);
	expect_status(f, 1, ":status: 431\n");
	assert_int_equal(f->handled, 0);
	ask(f, 3, "GET", END_STREAM);
	expect_status(f, 3, ":status: 200\n");
}

static void a_head_that_never_ends_runs_into_its_deadline(void **state)
{
	struct fixture *f = *state;

	f->limits.header_time = 100 * LP_MSEC;
	serve(f);
	h2_send_frame(&f->p, F_HEADERS, 0, 1, LP_SPAN("\x82"));
	real_loop_run_for(&f->r, 400 * LP_MSEC);
	assert_int_equal(lp_server_connections(f->server), 0);
}

static void an_idle_connection_is_told_goodbye(void **state)
{
	struct fixture *f = *state;

	f->limits.idle_time = 50 * LP_MSEC;
	serve(f);
	ask(f, 1, "GET", END_STREAM);
	expect_status(f, 1, ":status: 200\n");
	expect_goaway(f, NGHTTP2_NO_ERROR);
	while (h2_next(&f->p, &(struct h2_frame){ .type = 0 }))
		;
	assert_true(f->p.closed);
}

/* ---- broken peers ---- */

static void malformed(struct fixture *f, const char *const *head)
{
	serve(f);
	h2_send_head(&f->p, 1, END_STREAM, head);
	expect_reset(f, 1, NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(f->handled, 0);
	ask(f, 3, "GET", END_STREAM);
	expect_status(f, 3, ":status: 200\n");
}

static void a_request_without_path_is_refused(void **state)
{
	malformed(*state, H2_HEAD(":method", "GET", ":scheme", "http", ":authority", "a"));
}

static void a_request_without_method_is_refused(void **state)
{
	malformed(*state, H2_HEAD(":scheme", "http", ":authority", "a", ":path", "/"));
}

static void an_upper_case_name_is_refused(void **state)
{
	struct fixture *f = *state;

	serve(f);
	/* By hand, since nghttp2's coder lower-cases: GET http / and "X: y", all literal or static. */
	h2_send_frame(&f->p, F_HEADERS, END_STREAM | END_HEADERS, 1, LP_SPAN("\x82\x86\x84\x41\x01" "a" "\x00\x01X\x01y"));
	expect_reset(f, 1, NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(f->handled, 0);
}

static void a_connection_header_is_refused(void **state)
{
	malformed(*state, H2_HEAD(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/", "connection",
				  "close"));
}

static void transfer_encoding_is_refused(void **state)
{
	malformed(*state, H2_HEAD(":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/",
				  "transfer-encoding", "chunked"));
}

static void a_value_with_a_line_end_is_refused(void **state)
{
	malformed(*state, H2_HEAD(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/", "x",
				  "a\r\nevil: b"));
}

static void a_path_that_is_no_path_is_refused(void **state)
{
	malformed(*state, H2_HEAD(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "http://b/"));
}

static void two_content_lengths_are_refused(void **state)
{
	malformed(*state, H2_HEAD(":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/",
				  "content-length", "0", "content-length", "1"));
}

static void connect_is_refused(void **state)
{
	struct fixture *f = *state;

	serve(f);
	h2_send_head(&f->p, 1, 0, H2_HEAD(":method", "CONNECT", ":authority", "a:1"));
	expect_status(f, 1, ":status: 501\n");
	assert_int_equal(f->handled, 0);
}

static void less_body_than_announced_breaks_the_exchange(void **state)
{
	struct fixture *f = *state;

	f->answer = 0;
	serve(f);
	h2_send_head(&f->p, 1, 0, H2_HEAD(":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/",
					  "content-length", "10"));
	h2_send_frame(&f->p, F_DATA, END_STREAM, 1, LP_SPAN("12345"));
	expect_reset(f, 1, NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(f->gone, 1);
}

static void garbage_behind_the_preface_ends_the_connection(void **state)
{
	struct fixture *f = *state;

	serve(f);
	h2_send(&f->p, "GARBAGE GARBAGE GARBAGE", 23);
	expect_goaway(f, NGHTTP2_FRAME_SIZE_ERROR);
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	assert_int_equal(lp_server_connections(f->server), 0);
}

/* ---- draining ---- */

static void draining_says_so_twice_and_finishes_what_runs(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	f->answer = 0;
	serve(f);
	ask(f, 1, "POST", 0);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	lp_server_drain(f->server);
	assert_true(h2_next_of(&f->p, &frame, F_PING));		/* nghttp2 sends it first, all in one flush */
	assert_true(h2_next_of(&f->p, &frame, F_GOAWAY));
	assert_int_equal(h2_u32(frame.payload, 0), INT32_MAX);
	/* One that was on its way is still taken. */
	ask(f, 3, "POST", 0);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_int_equal(f->handled, 2);
	h2_send_frame(&f->p, F_PING, ACK, 0, LP_SPAN("\0\0\0\0\0\0\0\0"));
	assert_true(h2_next_of(&f->p, &frame, F_GOAWAY));
	assert_int_equal(h2_u32(frame.payload, 0), 3);
	lp_reply(f->ex, 200, NULL, LP_SPAN("done"));
	expect_status(f, 3, ":status: 200\n");
	h2_send_u32(&f->p, F_RST, 1, NGHTTP2_CANCEL);
	while (h2_next(&f->p, &frame))
		;
	assert_true(f->p.closed);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_int_equal(lp_server_connections(f->server), 0);
}

static void closing_the_server_with_running_exchanges_is_clean(void **state)
{
	struct fixture *f = *state;

	f->answer = 0;
	serve(f);
	for (int32_t id = 1; id < 20; id += 2)
		ask(f, id, "POST", 0);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_int_equal(f->handled, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered_with_head_and_body),
		TEST(a_head_request_gets_no_body),
		TEST(authority_takes_the_place_of_host),
		TEST(trailers_follow_the_last_byte),
		TEST(an_aborted_reply_resets_the_stream),
		TEST(an_early_reply_stops_the_request_without_blame),
		TEST(a_request_that_ends_soon_after_its_early_reply_is_not_reset),
		TEST(a_cancelled_request_is_told_as_gone),
		TEST(a_lost_connection_ends_all_of_its_exchanges),
		TEST(a_lost_connection_ends_two_hundred_exchanges_too),
		TEST(an_unread_body_holds_back_the_stream_but_not_the_connection),
		TEST(a_big_body_flows_while_it_is_read),
		TEST(a_big_reply_waits_for_the_clients_window),
		TEST(a_client_that_opens_no_window_is_given_up),
		TEST(a_small_reply_that_nobody_reads_is_given_up_too),
		TEST(a_stream_above_the_limit_is_refused),
		TEST(one_who_knows_the_limit_and_breaks_it_is_sent_away),
		TEST(two_thousand_honest_cancels_do_not_end_the_connection),
		TEST(a_flood_of_resets_ends_the_connection),
		TEST(a_flood_of_pings_ends_the_connection),
		TEST(a_flood_of_settings_ends_the_connection),
		TEST(a_hundred_pings_are_answered),
		TEST(a_field_of_64_000_bytes_is_taken),
		TEST(a_head_above_the_limit_is_answered_431_and_the_connection_lives),
		TEST(a_head_that_never_ends_runs_into_its_deadline),
		TEST(an_idle_connection_is_told_goodbye),
		TEST(a_request_without_path_is_refused),
		TEST(a_request_without_method_is_refused),
		TEST(an_upper_case_name_is_refused),
		TEST(a_connection_header_is_refused),
		TEST(transfer_encoding_is_refused),
		TEST(a_value_with_a_line_end_is_refused),
		TEST(a_path_that_is_no_path_is_refused),
		TEST(two_content_lengths_are_refused),
		TEST(connect_is_refused),
		TEST(less_body_than_announced_breaks_the_exchange),
		TEST(garbage_behind_the_preface_ends_the_connection),
		TEST(draining_says_so_twice_and_finishes_what_runs),
		TEST(closing_the_server_with_running_exchanges_is_clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
