/* HTTP/2 as a client, against a server that is played frame by frame over loopback: what it may do to us, and
 * what we say of it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <lpd/io/client.h>

#include "h2_peer.h"

#define CALLS 4

struct one {
	struct lp_scope *scope;
	struct lp_call *call;
	int events;
	bool over;		/* done or failed */
	bool head;
	bool read;		/* consume what comes */
	size_t got;
};

struct fixture {
	struct real_loop r;
	struct lp_client *client;
	struct lp_url url;
	int listener;
	struct h2_peer p;
	struct lp_call_want want;
	struct one calls[CALLS];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct lp_client_want want = { .tls = NULL };
	uint16_t port;
	char text[64];
	struct lp_err e;

	real_loop_open(&f->r);
	f->listener = h2_listen(&port);
	fcntl(f->listener, F_SETFL, O_NONBLOCK);
	snprintf(text, sizeof(text), "http://127.0.0.1:%u/path?q=1", port);
	assert_int_equal(lp_url_parse(f->r.scope, &f->url, lp_span(text), &e), LP_OK);
	f->client = lp_client_open(f->r.scope, f->r.loop, &want);
	f->want = (struct lp_call_want){ .method = "POST", .url = &f->url, .h2_only = true, .body = LP_SPAN("question") };
	f->p.fd = -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	lp_scope_close(&f->r.scope);
	h2_peer_close(&f->p);
	close(f->listener);
	free(f);
	return 0;
}

static void on_event(void *self)
{
	struct one *c = self;

	c->events++;
	if (lp_call_state(c->call) != LP_CALL_SENDING)
		c->head = true;
	if (c->read) {
		struct lp_span bytes = lp_call_read(c->call);
		c->got += bytes.len;
		lp_call_consume(c->call, bytes.len);
	}
	c->over = lp_call_state(c->call) == LP_CALL_DONE || lp_call_state(c->call) == LP_CALL_FAILED;
}

static void start(struct fixture *f, int i)
{
	struct one *c = &f->calls[i];

	c->scope = lp_scope_open(f->r.scope, "call");
	c->read = true;
	c->call = lp_call_start(c->scope, f->client, &f->want, on_event, c);
	assert_int_equal(c->events, 0);	/* never inline */
}

/* The first call's connection and request, up to END_STREAM. */
static void take_request(struct fixture *f, struct h2_frame *head)
{
	struct h2_frame frame;

	h2_accept(&f->p, &f->r, f->listener);
	assert_true(h2_next_of(&f->p, head, F_HEADERS));
	do
		assert_true(h2_next_of(&f->p, &frame, F_DATA));
	while (!(frame.flags & END_STREAM));
}

static void finish(struct fixture *f, int i)
{
	real_loop_run_until(&f->r, &f->calls[i].over);
}

static void expect_failed(struct fixture *f, int i, enum lp_code code, bool sent)
{
	struct one *c = &f->calls[i];

	finish(f, i);
	assert_int_equal(lp_call_state(c->call), LP_CALL_FAILED);
	if (lp_call_err(c->call)->code != code)
		print_error("%s\n", lp_call_err(c->call)->words);
	assert_int_equal(lp_call_err(c->call)->code, code);
	assert_int_equal(lp_call_sent(c->call), sent);
}

static void expect_done(struct fixture *f, int i, int status, const char *body)
{
	struct one *c = &f->calls[i];

	c->read = false;
	finish(f, i);
	if (lp_call_state(c->call) != LP_CALL_DONE)
		print_error("%s\n", lp_call_err(c->call)->words);
	assert_int_equal(lp_call_state(c->call), LP_CALL_DONE);
	assert_int_equal(lp_call_status(c->call), status);
	assert_true(lp_span_is(lp_call_read(c->call), body));
}

static void answer(struct fixture *f, int32_t id, const char *status, const char *body)
{
	h2_send_head(&f->p, id, 0, H2_HEAD(":status", status, "x-a", "b"));
	h2_send_frame(&f->p, F_DATA, END_STREAM, id, lp_span(body));
}

/* ---- the plain case ---- */

static void a_call_is_sent_and_answered(void **state)
{
	struct fixture *f = *state;
	struct lp_header header = { LP_SPAN("x-test"), LP_SPAN("1"), false };
	struct h2_frame head;

	f->want.headers = &header;
	f->want.n_headers = 1;
	start(f, 0);
	take_request(f, &head);
	assert_non_null(strstr(head.head, ":method: POST\n"));
	assert_non_null(strstr(head.head, ":scheme: http\n"));
	assert_non_null(strstr(head.head, ":path: /path?q=1\n"));
	assert_non_null(strstr(head.head, ":authority: 127.0.0.1:"));
	assert_non_null(strstr(head.head, "x-test: 1\n"));
	assert_non_null(strstr(head.head, "content-length: 8\n"));
	answer(f, 1, "200", "answer");
	expect_done(f, 0, 200, "answer");
	assert_true(lp_span_is(lp_headers_find(lp_call_headers(f->calls[0].call), "x-a"), "b"));
	assert_true(lp_call_sent(f->calls[0].call));
}

static void informational_heads_are_passed_over(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	take_request(f, &head);
	h2_send_head(&f->p, 1, 0, H2_HEAD(":status", "103", "link", "x"));
	answer(f, 1, "200", "ok");
	expect_done(f, 0, 200, "ok");
}

static void trailers_are_kept(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	take_request(f, &head);
	h2_send_head(&f->p, 1, 0, H2_HEAD(":status", "200"));
	h2_send_frame(&f->p, F_DATA, 0, 1, LP_SPAN("x"));
	h2_send_head(&f->p, 1, END_STREAM, H2_HEAD("grpc-status", "2"));
	expect_done(f, 0, 200, "x");
	assert_true(lp_span_is(lp_headers_find(lp_call_trailers(f->calls[0].call), "grpc-status"), "2"));
}

static void calls_share_one_connection(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	for (int i = 0; i < CALLS; i++)
		start(f, i);
	take_request(f, &head);
	for (int i = CALLS - 1; i >= 0; i--)
		f->calls[i].read = false;
	for (int i = CALLS - 1; i >= 0; i--)
		answer(f, 2 * i + 1, "200", "same");
	for (int i = 0; i < CALLS; i++)
		expect_done(f, i, 200, "same");
	assert_int_equal(accept4(f->listener, NULL, NULL, 0), -1);
}

/* ---- early answers (Go's server answers before it has read, then resets) ---- */

static void an_early_answer_before_the_body_is_whole_keeps_its_status(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;
	size_t big = 1024 * 1024;
	char *body = calloc(1, big);

	f->want.body = lp_span_of(body, big);
	start(f, 0);
	free(body);	/* it was copied */
	h2_accept(&f->p, &f->r, f->listener);
	assert_true(h2_next_of(&f->p, &frame, F_DATA));
	h2_send_head(&f->p, 1, 0, H2_HEAD(":status", "503"));
	h2_send_frame(&f->p, F_DATA, END_STREAM, 1, LP_SPAN("insufficient capacity"));
	h2_send_u32(&f->p, F_RST, 1, NGHTTP2_NO_ERROR);
	expect_done(f, 0, 503, "insufficient capacity");
	/* The connection lives and takes the next. */
	f->want.body = LP_SPAN("question");
	start(f, 1);
	do
		assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	while (frame.id != 3);
	answer(f, 3, "200", "ok");
	expect_done(f, 1, 200, "ok");
}

static void an_early_answer_without_a_reset_stops_the_upload(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;
	size_t big = 1024 * 1024;
	char *body = calloc(1, big);

	f->want.body = lp_span_of(body, big);
	start(f, 0);
	free(body);
	h2_accept(&f->p, &f->r, f->listener);
	assert_true(h2_next_of(&f->p, &frame, F_DATA));
	h2_send_head(&f->p, 1, END_STREAM, H2_HEAD(":status", "402"));
	expect_done(f, 0, 402, "");
	assert_true(h2_next_of(&f->p, &frame, F_RST));
	assert_int_equal(frame.id, 1);
	assert_int_equal(h2_u32(frame.payload, 0), NGHTTP2_NO_ERROR);
}

/* ---- what may be sent again ---- */

static void a_refused_stream_is_started_anew_once(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	take_request(f, &head);
	h2_send_u32(&f->p, F_RST, 1, NGHTTP2_REFUSED_STREAM);
	assert_true(h2_next_of(&f->p, &head, F_HEADERS));
	assert_int_equal(head.id, 3);
	h2_send_u32(&f->p, F_RST, 3, NGHTTP2_REFUSED_STREAM);
	expect_failed(f, 0, LP_NOT_SENT, false);
}

static void a_refusal_after_an_answer_began_is_no_refusal(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	take_request(f, &head);
	h2_send_head(&f->p, 1, 0, H2_HEAD(":status", "200"));
	h2_send_u32(&f->p, F_RST, 1, NGHTTP2_REFUSED_STREAM);
	expect_failed(f, 0, LP_PEER_ERROR, true);
}

static void a_stream_above_goaways_last_id_goes_to_another_connection(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	take_request(f, &head);
	h2_send_frame(&f->p, F_GOAWAY, 0, 0, LP_SPAN("\0\0\0\0\0\0\0\0"));
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	h2_peer_close(&f->p);
	take_request(f, &head);
	answer(f, 1, "200", "second");
	expect_done(f, 0, 200, "second");
}

static void a_stream_below_goaways_last_id_is_still_answered(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	take_request(f, &head);
	h2_send_frame(&f->p, F_GOAWAY, 0, 0, LP_SPAN("\0\0\0\1\0\0\0\0"));
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	answer(f, 1, "200", "late");
	expect_done(f, 0, 200, "late");
}

/* The one connection that there may be finishes a long call, and takes no other. */
static void say_goodbye(struct fixture *f, struct h2_peer *old)
{
	struct h2_frame head;

	h2_send_frame(&f->p, F_GOAWAY, 0, 0, LP_SPAN("\0\0\0\1\0\0\0\0"));
	*old = f->p;
	f->p.fd = -1;
	take_request(f, &head);
	answer(f, 1, "200", "new");
	expect_done(f, 1, 200, "new");
	assert_false(f->calls[0].over);
	h2_peer_close(&f->p);
	f->p = *old;
	answer(f, 1, "200", "old");
	expect_done(f, 0, 200, "old");
}

static void a_call_does_not_wait_for_a_connection_that_was_told_goodbye(void **state)
{
	struct fixture *f = *state;
	struct lp_client_want want = { .connections_per_peer = 1 };
	struct h2_frame head;
	struct h2_peer old;

	f->client = lp_client_open(f->r.scope, f->r.loop, &want);
	start(f, 0);
	take_request(f, &head);
	h2_send_frame(&f->p, F_GOAWAY, 0, 0, LP_SPAN("\0\0\0\1\0\0\0\0"));
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	start(f, 1);
	say_goodbye(f, &old);
}

static void a_call_that_waits_goes_to_another_connection_at_goodbye(void **state)
{
	struct fixture *f = *state;
	struct lp_client_want want = { .connections_per_peer = 1 };
	struct h2_frame head;
	struct h2_peer old;

	f->client = lp_client_open(f->r.scope, f->r.loop, &want);
	start(f, 0);
	take_request(f, &head);
	h2_send_setting(&f->p, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	start(f, 1);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	say_goodbye(f, &old);
}

static void a_connection_that_dies_after_the_request_is_not_repeated(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	take_request(f, &head);
	h2_peer_close(&f->p);
	expect_failed(f, 0, LP_RESET, true);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_int_equal(accept4(f->listener, NULL, NULL, 0), -1);	/* nobody came again */
}

/* nghttp2 does not call back for the streams of a connection that ends. */
static void a_dead_connection_fails_each_of_its_calls(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	for (int i = 0; i < 3; i++)
		start(f, i);
	take_request(f, &head);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	h2_peer_close(&f->p);
	for (int i = 0; i < 3; i++)
		expect_failed(f, i, LP_RESET, true);
}

/* The connection's window is not lost with the streams: 100 answers of 192 KB that nobody
 * reads are more than its 16 MiB. */
static void what_cancelled_calls_have_not_read_does_not_cost_the_connections_window(void **state)
{
	static const char bytes[16000];
	struct fixture *f = *state;
	struct h2_frame frame;

	start(f, 0);
	f->calls[0].read = false;
	take_request(f, &frame);
	for (int32_t id = 1; id < 200; id += 2) {
		h2_send_head(&f->p, id, 0, H2_HEAD(":status", "200"));
		for (int i = 0; i < 12; i++)
			h2_send_frame(&f->p, F_DATA, 0, id, lp_span_of(bytes, sizeof(bytes)));
		real_loop_run_for(&f->r, 2 * LP_MSEC);
		lp_scope_close(&f->calls[0].scope);
		memset(&f->calls[0], 0, sizeof(f->calls[0]));
		start(f, 0);
		f->calls[0].read = false;
		assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	}
	answer(f, 201, "200", "last");
	expect_done(f, 0, 200, "last");
}

static void a_reset_with_an_error_is_not_repeated(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	take_request(f, &head);
	h2_send_u32(&f->p, F_RST, 1, NGHTTP2_INTERNAL_ERROR);
	expect_failed(f, 0, LP_PEER_ERROR, true);
}

static void an_idempotent_call_whose_idle_connection_died_is_repeated_on_a_fresh_one(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	take_request(f, &head);
	answer(f, 1, "200", "one");
	expect_done(f, 0, 200, "one");
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	f->want.idempotent = true;
	start(f, 1);
	assert_true(h2_next_of(&f->p, &head, F_HEADERS));
	h2_peer_close(&f->p);
	take_request(f, &head);
	answer(f, 1, "200", "two");
	expect_done(f, 1, 200, "two");
}

static void an_answer_that_breaks_off_fails_but_keeps_what_came(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	f->calls[0].read = false;
	take_request(f, &head);
	h2_send_head(&f->p, 1, 0, H2_HEAD(":status", "200"));
	h2_send_frame(&f->p, F_DATA, 0, 1, LP_SPAN("half"));
	h2_send_u32(&f->p, F_RST, 1, NGHTTP2_CANCEL);
	expect_failed(f, 0, LP_PEER_ERROR, true);
	assert_int_equal(lp_call_status(f->calls[0].call), 200);
	assert_true(lp_span_is(lp_call_read(f->calls[0].call), "half"));
}

/* ---- cancelling ---- */

static void closing_the_scope_resets_the_stream(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	start(f, 0);
	take_request(f, &frame);
	lp_scope_close(&f->calls[0].scope);
	assert_true(h2_next_of(&f->p, &frame, F_RST));
	assert_int_equal(h2_u32(frame.payload, 0), NGHTTP2_CANCEL);
	answer(f, 1, "200", "too late");
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_int_equal(f->calls[0].events, 0);
}

static void closing_the_scope_before_anything_is_sent_sends_nothing(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	take_request(f, &head);
	answer(f, 1, "200", "warm");
	expect_done(f, 0, 200, "warm");
	start(f, 1);
	lp_scope_close(&f->calls[1].scope);
	start(f, 2);
	assert_true(h2_next_of(&f->p, &head, F_HEADERS));
	assert_true(head.id > 1);
	answer(f, head.id, "200", "third");
	expect_done(f, 2, 200, "third");
}

/* ---- windows ---- */

static void an_unread_answer_holds_back_its_stream_and_no_other(void **state)
{
	struct fixture *f = *state;
	static const char zero[16384];
	struct h2_frame frame;
	size_t conn = 0, stream = 0;

	start(f, 0);
	f->calls[0].read = false;
	take_request(f, &frame);
	h2_send_head(&f->p, 1, 0, H2_HEAD(":status", "200"));
	for (int i = 0; i < 16; i++)
		h2_send_frame(&f->p, F_DATA, 0, 1, lp_span_of(zero, sizeof(zero)));
	start(f, 1);
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	answer(f, 3, "200", "quick");
	expect_done(f, 1, 200, "quick");
	assert_int_equal(lp_call_read(f->calls[0].call).len, 256 * 1024);
	lp_call_consume(f->calls[0].call, 256 * 1024);
	while (stream < 256 * 1024 && h2_next_of(&f->p, &frame, F_WINDOW))
		*(frame.id == 1 ? &stream : &conn) += h2_u32(frame.payload, 0);
	assert_int_equal(stream, 256 * 1024);
}

static void a_wider_window_is_announced_for_its_stream(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	f->want.window = 1024 * 1024;
	start(f, 0);
	take_request(f, &frame);
	h2_send_head(&f->p, 1, 0, H2_HEAD(":status", "200"));
	do
		assert_true(h2_next_of(&f->p, &frame, F_WINDOW));
	while (frame.id != 1);
	assert_int_equal(h2_u32(frame.payload, 0), 768 * 1024);
}

static void a_streamed_body_waits_for_the_peers_window(void **state)
{
	struct fixture *f = *state;
	static const char zero[16384];
	struct h2_frame frame;
	size_t sent = 0, got = 0;

	f->want.body_streamed = true;
	f->want.body_length = -1;
	start(f, 0);
	h2_accept(&f->p, &f->r, f->listener);
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_null(strstr(frame.head, "content-length"));
	for (int i = 0; i < 100 && lp_call_room(f->calls[0].call) > 0; i++) {
		lp_call_write(f->calls[0].call, lp_span_of(zero, sizeof(zero)));
		sent += sizeof(zero);
		real_loop_run_for(&f->r, LP_MSEC);
	}
	assert_true(sent >= 65535 + 128 * 1024 && sent < 65535 + 192 * 1024);
	while (got < 65535 && h2_next_of(&f->p, &frame, F_DATA))
		got += frame.payload.len;
	int events = f->calls[0].events;
	h2_send_u32(&f->p, F_WINDOW, 0, 1 << 20);
	h2_send_u32(&f->p, F_WINDOW, 1, 1 << 20);
	while (got < sent && h2_next_of(&f->p, &frame, F_DATA))
		got += frame.payload.len;
	assert_int_equal(got, sent);
	assert_true(f->calls[0].events > events);	/* room again */
	lp_call_end_body(f->calls[0].call);
	assert_true(h2_next_of(&f->p, &frame, F_DATA));
	assert_true(frame.flags & END_STREAM);
	answer(f, 1, "200", "all");
	expect_done(f, 0, 200, "all");
}

static void a_body_written_before_there_is_a_connection_is_sent(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	f->want.body_streamed = true;
	f->want.body_length = 5;
	start(f, 0);
	lp_call_write(f->calls[0].call, LP_SPAN("early"));
	lp_call_end_body(f->calls[0].call);
	h2_accept(&f->p, &f->r, f->listener);
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_non_null(strstr(frame.head, "content-length: 5\n"));
	assert_true(h2_next_of(&f->p, &frame, F_DATA));
	assert_true(lp_span_is(frame.payload, "early"));
}

/* ---- limits and broken peers ---- */

static void the_peers_stream_limit_is_kept(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;
	struct h2_peer second;

	start(f, 0);
	take_request(f, &frame);
	h2_send_setting(&f->p, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	start(f, 1);
	h2_accept(&second, &f->r, f->listener);		/* so that the second call got its own connection */
	assert_true(h2_next_of(&second, &frame, F_HEADERS));
	h2_send_head(&second, 1, END_STREAM, H2_HEAD(":status", "204"));
	expect_done(f, 1, 204, "");
	h2_peer_close(&second);
	answer(f, 1, "200", "first");
	expect_done(f, 0, 200, "first");
}

static void a_payment_of_60_kb_is_sent_and_never_indexed(void **state)
{
	struct fixture *f = *state;
	char *value = malloc(60001);
	struct lp_header header = { LP_SPAN("livepeer-payment"), { value, 60000 }, true };
	struct h2_frame frame;
	size_t block = 0;

	memset(value, '~', 60000);	/* 13 bits in Huffman's code: literal is shorter */
	f->want.headers = &header;
	f->want.n_headers = 1;
	start(f, 0);
	free(value);
	h2_accept(&f->p, &f->r, f->listener);
	do {
		assert_true(h2_next(&f->p, &frame));
		if (frame.type == F_HEADERS || frame.type == F_CONTINUATION)
			block += frame.payload.len;
	} while (!(frame.type == F_CONTINUATION && (frame.flags & END_HEADERS)));
	assert_true(block > 60000);
	answer(f, 1, "200", "paid");
	expect_done(f, 0, 200, "paid");
}

static void secret_headers_are_sent_as_never_indexed(void **state)
{
	struct fixture *f = *state;
	struct lp_header header = { LP_SPAN("x-secret"), LP_SPAN("{}"), true };
	struct h2_frame frame;

	f->want.headers = &header;
	f->want.n_headers = 1;
	start(f, 0);
	h2_accept(&f->p, &f->r, f->listener);
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	/* 0x10: literal, never indexed, new name (RFC 7541, 6.2.3). */
	assert_true(lp_span_find(frame.payload, LP_SPAN("\x10\x86")) >= 0);
}

static void an_answer_head_above_the_limit_is_refused(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;
	char *value = malloc(60001);

	memset(value, 'a', 60000);
	value[60000] = '\0';
	start(f, 0);
	take_request(f, &head);
	h2_send_head(&f->p, 1, END_STREAM, H2_HEAD(":status", "200", "a", value, "b", value, "c", value));
	free(value);
	expect_failed(f, 0, LP_BAD_PEER, true);
}

static void garbage_from_the_peer_fails_the_calls(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	start(f, 1);
	take_request(f, &head);
	h2_send(&f->p, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	expect_failed(f, 0, LP_BAD_PEER, true);
	expect_failed(f, 1, LP_BAD_PEER, true);
}

static void an_answer_without_status_is_refused(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	take_request(f, &head);
	h2_send_head(&f->p, 1, END_STREAM, H2_HEAD("x", "y"));
	expect_failed(f, 0, LP_BAD_PEER, true);
}

static void a_status_that_is_none_is_refused(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	take_request(f, &head);
	h2_send_head(&f->p, 1, END_STREAM, H2_HEAD(":status", "006"));
	expect_failed(f, 0, LP_BAD_PEER, true);
}

static void a_shorter_body_than_announced_is_refused(void **state)
{
	struct fixture *f = *state;
	struct h2_frame head;

	start(f, 0);
	take_request(f, &head);
	h2_send_head(&f->p, 1, 0, H2_HEAD(":status", "200", "content-length", "10"));
	h2_send_frame(&f->p, F_DATA, END_STREAM, 1, LP_SPAN("short"));
	expect_failed(f, 0, LP_BAD_PEER, true);
}

static void a_line_end_in_a_header_value_never_reaches_the_wire(void **state)
{
	struct fixture *f = *state;
	struct lp_header header = { LP_SPAN("x-a"), LP_SPAN("b\r\nevil: c"), false };
	struct h2_frame frame;

	f->want.headers = &header;
	f->want.n_headers = 1;
	start(f, 0);
	h2_accept(&f->p, &f->r, f->listener);
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_non_null(strstr(frame.head, "x-a: b  evil: c\n"));
}

static void headers_of_a_connection_are_left_out(void **state)
{
	struct fixture *f = *state;
	struct lp_header headers[] = {
		{ LP_SPAN("connection"), LP_SPAN("keep-alive"), false },
		{ LP_SPAN("host"), LP_SPAN("other"), false },
		{ LP_SPAN("transfer-encoding"), LP_SPAN("chunked"), false },
		{ LP_SPAN("accept"), LP_SPAN("*/*"), false },
	};
	struct h2_frame frame;

	f->want.headers = headers;
	f->want.n_headers = 4;
	start(f, 0);
	h2_accept(&f->p, &f->r, f->listener);
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_null(strstr(frame.head, "connection"));
	assert_null(strstr(frame.head, "host: "));
	assert_null(strstr(frame.head, "transfer-encoding"));
	assert_non_null(strstr(frame.head, "accept: */*\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_call_is_sent_and_answered),
		TEST(informational_heads_are_passed_over),
		TEST(trailers_are_kept),
		TEST(calls_share_one_connection),
		TEST(an_early_answer_before_the_body_is_whole_keeps_its_status),
		TEST(an_early_answer_without_a_reset_stops_the_upload),
		TEST(a_refused_stream_is_started_anew_once),
		TEST(a_refusal_after_an_answer_began_is_no_refusal),
		TEST(a_stream_above_goaways_last_id_goes_to_another_connection),
		TEST(a_call_does_not_wait_for_a_connection_that_was_told_goodbye),
		TEST(a_call_that_waits_goes_to_another_connection_at_goodbye),
		TEST(a_stream_below_goaways_last_id_is_still_answered),
		TEST(a_connection_that_dies_after_the_request_is_not_repeated),
		TEST(a_dead_connection_fails_each_of_its_calls),
		TEST(what_cancelled_calls_have_not_read_does_not_cost_the_connections_window),
		TEST(a_reset_with_an_error_is_not_repeated),
		TEST(an_idempotent_call_whose_idle_connection_died_is_repeated_on_a_fresh_one),
		TEST(an_answer_that_breaks_off_fails_but_keeps_what_came),
		TEST(closing_the_scope_resets_the_stream),
		TEST(closing_the_scope_before_anything_is_sent_sends_nothing),
		TEST(an_unread_answer_holds_back_its_stream_and_no_other),
		TEST(a_wider_window_is_announced_for_its_stream),
		TEST(a_streamed_body_waits_for_the_peers_window),
		TEST(a_body_written_before_there_is_a_connection_is_sent),
		TEST(the_peers_stream_limit_is_kept),
		TEST(a_payment_of_60_kb_is_sent_and_never_indexed),
		TEST(secret_headers_are_sent_as_never_indexed),
		TEST(an_answer_head_above_the_limit_is_refused),
		TEST(garbage_from_the_peer_fails_the_calls),
		TEST(an_answer_without_status_is_refused),
		TEST(a_status_that_is_none_is_refused),
		TEST(a_shorter_body_than_announced_is_refused),
		TEST(a_line_end_in_a_header_value_never_reaches_the_wire),
		TEST(headers_of_a_connection_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
