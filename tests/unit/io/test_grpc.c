/* gRPC from both ends: ours against ours, and each against a peer played frame by frame. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/io/grpc.h>
#include <lpd/io/server.h>

#include "h2_peer.h"

struct fixture {
	struct real_loop r;
	struct lp_server *server;
	struct lp_grpc_server *grpc;
	struct lp_client *client;
	struct lp_url url;
	struct lp_grpc_want want;
	struct lp_scope *scope;
	struct lp_grpc_call *call;
	bool over;
	int events;
	struct h2_peer p;
	int listener;
	/* the server's side */
	struct lp_grpc_answer *answer;
	int called, gone;
	size_t message_len;
	char message[64];
};

static void on_gone(void *self)
{
	struct fixture *f = self;

	f->gone++;
	f->answer = NULL;
}

static void keep(struct fixture *f, struct lp_grpc_answer *answer, struct lp_span message)
{
	f->called++;
	f->answer = answer;
	f->message_len = message.len;
	lp_span_copy(f->message, sizeof(f->message), message);
	lp_grpc_on_gone(answer, on_gone, f);
}

static void echo(void *self, struct lp_grpc_answer *answer, struct lp_span message)
{
	keep(self, answer, message);
	lp_grpc_reply(answer, message);
}

static void hold(void *self, struct lp_grpc_answer *answer, struct lp_span message)
{
	keep(self, answer, message);
}

static void refuse(void *self, struct lp_grpc_answer *answer, struct lp_span message)
{
	keep(self, answer, message);
	lp_grpc_end(answer, LP_GRPC_UNKNOWN, "100% refus\xc3\xa9\n");
}

static void handle(void *self, struct lp_exchange *ex)
{
	struct fixture *f = self;

	lp_grpc_handle(f->grpc, ex);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct lp_grpc_method methods[] = {
		{ "/net.Orchestrator/Ping", echo, f, 4 * 1024 * 1024 },
		{ "/net.Orchestrator/Hold", hold, f, 0 },
		{ "/net.Orchestrator/Refuse", refuse, f, 0 },
		{ "/net.Orchestrator/Echo", echo, f, 0 },
	};
	struct lp_server_want server = { .handle = handle, .self = f };
	struct lp_client_want client = { .tls = NULL };
	struct lp_err e;
	char text[64];

	real_loop_open(&f->r);
	f->grpc = lp_grpc_server_open(f->r.scope, methods, 4);
	server.address.host = LP_SPAN("127.0.0.1");
	assert_int_equal(lp_server_open(f->r.scope, &f->server, f->r.loop, &server, &e), LP_OK);
	snprintf(text, sizeof(text), "http://127.0.0.1:%u", lp_server_port(f->server));
	assert_int_equal(lp_url_parse(f->r.scope, &f->url, lp_span(text), &e), LP_OK);
	f->client = lp_client_open(f->r.scope, f->r.loop, &client);
	f->want = (struct lp_grpc_want){ .path = "/net.Orchestrator/Ping", .message = LP_SPAN("ping") };
	f->p.fd = f->listener = -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	lp_scope_close(&f->r.scope);
	h2_peer_close(&f->p);
	if (f->listener >= 0)
		close(f->listener);
	free(f);
	return 0;
}

static void on_done(void *self)
{
	struct fixture *f = self;

	f->events++;
	f->over = lp_grpc_over(f->call);
}

static void start(struct fixture *f)
{
	f->scope = lp_scope_open(f->r.scope, "call");
	f->call = lp_grpc_start(f->scope, f->client, &f->url, &f->want, on_done, f);
	assert_int_equal(f->events, 0);
}

static enum lp_code finish(struct fixture *f, struct lp_span *message, struct lp_err *e)
{
	real_loop_run_until(&f->r, &f->over);
	assert_int_equal(f->events, 1);
	return lp_grpc_result(f->call, message, e);
}

static void expect(struct fixture *f, enum lp_code code, int status, const char *words)
{
	struct lp_span message;
	struct lp_err e = { .code = LP_OK };
	enum lp_code got = finish(f, &message, &e);

	if (got != code)
		print_error("%s\n", e.words);
	assert_int_equal(got, code);
	assert_int_equal(lp_grpc_status(f->call), status);
	if (words)
		assert_true(lp_span_is(lp_grpc_words(f->call), words));
}

/* ---- both ends ours ---- */

static void a_unary_call_comes_back(void **state)
{
	struct fixture *f = *state;
	struct lp_span message;

	start(f);
	assert_int_equal(finish(f, &message, NULL), LP_OK);
	assert_true(lp_span_is(message, "ping"));
	assert_int_equal(lp_grpc_status(f->call), LP_GRPC_OK);
}

static void an_empty_message_is_a_message(void **state)
{
	struct fixture *f = *state;
	struct lp_span message;

	f->want.message = (struct lp_span){ NULL, 0 };
	start(f);
	assert_int_equal(finish(f, &message, NULL), LP_OK);
	assert_int_equal(message.len, 0);
	assert_int_equal(f->called, 1);
}

static void a_message_of_3_mb_goes_there_and_back(void **state)
{
	struct fixture *f = *state;
	size_t len = 3 * 1024 * 1024;
	char *bytes = malloc(len);
	struct lp_span message;

	memset(bytes, 'm', len);
	f->want.message = lp_span_of(bytes, len);
	start(f);
	assert_int_equal(finish(f, &message, NULL), LP_OK);
	assert_true(lp_span_eq(message, lp_span_of(bytes, len)));
	free(bytes);
}

static void words_of_an_error_survive_percent_and_utf_8(void **state)
{
	struct fixture *f = *state;

	f->want.path = "/net.Orchestrator/Refuse";
	start(f);
	expect(f, LP_PEER_ERROR, LP_GRPC_UNKNOWN, "100% refus\xc3\xa9\n");
}

static void an_unknown_service_is_refused_in_the_networks_words(void **state)
{
	struct fixture *f = *state;

	f->want.path = "/net.Foo/Bar";
	start(f);
	expect(f, LP_INCOMPATIBLE, LP_GRPC_UNIMPLEMENTED, "unknown service net.Foo");
}

static void an_unknown_method_is_refused_in_the_networks_words(void **state)
{
	struct fixture *f = *state;

	f->want.path = "/net.Orchestrator/Foo";
	start(f);
	expect(f, LP_INCOMPATIBLE, LP_GRPC_UNIMPLEMENTED, "unknown method Foo for service net.Orchestrator");
}

static void a_deadline_ends_both_sides(void **state)
{
	struct fixture *f = *state;
	struct lp_span message;

	f->want.path = "/net.Orchestrator/Hold";
	f->want.timeout = 80 * LP_MSEC;
	start(f);
	assert_int_equal(finish(f, &message, NULL), LP_TIMEOUT);
	real_loop_run_for(&f->r, 30 * LP_MSEC);
	assert_int_equal(f->gone, 1);
}

static void a_cancelled_call_is_gone_for_the_server(void **state)
{
	struct fixture *f = *state;

	f->want.path = "/net.Orchestrator/Hold";
	start(f);
	while (!f->called)
		real_loop_run_for(&f->r, LP_MSEC);
	lp_scope_close(&f->scope);
	real_loop_run_for(&f->r, 30 * LP_MSEC);
	assert_int_equal(f->gone, 1);
	assert_int_equal(f->events, 0);
}

static void a_server_stream_brings_messages_one_by_one(void **state)
{
	struct fixture *f = *state;
	struct lp_span message;
	struct lp_err e;

	f->want.path = "/net.Orchestrator/Hold";
	f->scope = lp_scope_open(f->r.scope, "call");
	f->call = lp_grpc_stream(f->scope, f->client, &f->url, &f->want, on_done, f);
	while (!f->called)
		real_loop_run_for(&f->r, LP_MSEC);
	assert_false(lp_grpc_next(f->call, &message));
	lp_grpc_send(f->answer, LP_SPAN("one"));
	lp_grpc_send(f->answer, LP_SPAN(""));
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_true(lp_grpc_next(f->call, &message));
	assert_true(lp_span_is(message, "one"));
	assert_true(lp_grpc_next(f->call, &message));
	assert_int_equal(message.len, 0);
	assert_false(lp_grpc_next(f->call, &message));
	lp_grpc_send(f->answer, LP_SPAN("last"));
	lp_grpc_end(f->answer, LP_GRPC_OK, NULL);
	real_loop_run_until(&f->r, &f->over);
	assert_true(lp_grpc_next(f->call, &message));
	assert_true(lp_span_is(message, "last"));
	assert_int_equal(lp_grpc_result(f->call, NULL, &e), LP_OK);
}

static void a_lost_connection_is_no_status(void **state)
{
	struct fixture *f = *state;
	uint16_t port;
	char text[64];
	struct lp_span message;
	struct lp_err e;

	close(h2_listen(&port));
	snprintf(text, sizeof(text), "http://127.0.0.1:%u", port);
	assert_int_equal(lp_url_parse(f->r.scope, &f->url, lp_span(text), &e), LP_OK);
	start(f);
	assert_int_equal(finish(f, &message, &e), LP_CONNECT);
	assert_int_equal(lp_grpc_status(f->call), -1);
}

/* ---- our server, asked by a played client ---- */

static void ask(struct fixture *f, int32_t id, const char *path, const char *timeout)
{
	if (f->p.fd < 0)
		h2_connect(&f->p, &f->r, lp_server_port(f->server));
	h2_send_head(&f->p, id, 0, H2_HEAD(":method", "POST", ":scheme", "http", ":authority", "a", ":path", path,
					   "content-type", "application/grpc+proto", "grpc-timeout", timeout));
}

static void expect_status(struct fixture *f, const char *status, const char *words)
{
	struct h2_frame frame;

	do
		assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	while (!(frame.flags & END_STREAM));
	if (!strstr(frame.head, status) || !strstr(frame.head, words))
		print_error("%s\n", frame.head);
	assert_non_null(strstr(frame.head, status));
	assert_non_null(strstr(frame.head, words));
}

static void a_message_may_come_byte_by_byte_without_te(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;
	static const char message[] = "\0\0\0\0\5hello";

	ask(f, 1, "/net.Orchestrator/Ping", "1H");
	for (size_t i = 0; i < sizeof(message) - 1; i++) {
		h2_send_frame(&f->p, F_DATA, i == sizeof(message) - 2 ? END_STREAM : 0, 1, lp_span_of(message + i, 1));
		real_loop_run_for(&f->r, LP_MSEC);
	}
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_non_null(strstr(frame.head, ":status: 200\n"));
	assert_non_null(strstr(frame.head, "content-type: application/grpc+proto\n"));
	assert_non_null(strstr(frame.head, "trailer: Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin\n"));
	assert_true(h2_next_of(&f->p, &frame, F_DATA));
	assert_true(lp_span_eq(frame.payload, lp_span_of(message, 10)));
	expect_status(f, "grpc-status: 0\n", "grpc-message: \n");
	assert_string_equal(f->message, "hello");
}

static void no_head_is_sent_before_there_is_something_to_say(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	ask(f, 1, "/net.Orchestrator/Hold", "100S");
	h2_send_frame(&f->p, F_DATA, END_STREAM, 1, LP_SPAN("\0\0\0\0\0"));
	real_loop_run_for(&f->r, 30 * LP_MSEC);
	assert_int_equal(f->called, 1);
	h2_send_frame(&f->p, F_PING, 0, 0, LP_SPAN("12345678"));
	do {
		assert_true(h2_next(&f->p, &frame));
		assert_int_not_equal(frame.type, F_HEADERS);
	} while (frame.type != F_PING);
	lp_grpc_send(f->answer, LP_SPAN("job"));
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_true(h2_next_of(&f->p, &frame, F_DATA));
	assert_int_equal(frame.payload.len, 8);
}

static void a_compressed_message_is_refused(void **state)
{
	struct fixture *f = *state;

	ask(f, 1, "/net.Orchestrator/Ping", "1H");
	h2_send_frame(&f->p, F_DATA, END_STREAM, 1, LP_SPAN("\1\0\0\0\1x"));
	expect_status(f, "grpc-status: 13\n", "compressed flag set");
	h2_send_head(&f->p, 3, 0, H2_HEAD(":method", "POST", ":scheme", "http", ":authority", "a", ":path",
					  "/net.Orchestrator/Ping", "content-type", "application/grpc", "grpc-encoding",
					  "gzip"));
	h2_send_frame(&f->p, F_DATA, END_STREAM, 3, LP_SPAN("\1\0\0\0\1x"));
	expect_status(f, "grpc-status: 12\n", "Decompressor is not installed for grpc-encoding \"gzip\"");
	assert_int_equal(f->called, 0);
}

static void a_message_above_4_mib_is_refused_before_it_comes(void **state)
{
	struct fixture *f = *state;

	ask(f, 1, "/net.Orchestrator/Ping", "1H");
	h2_send_frame(&f->p, F_DATA, 0, 1, LP_SPAN("\0\0\x40\0\1x"));
	expect_status(f, "grpc-status: 8\n", "received message larger than max (4194305 vs. 4194304)");
	assert_int_equal(f->called, 0);
}

static void a_method_refuses_what_is_larger_than_it_needs(void **state)
{
	struct fixture *f = *state;

	ask(f, 1, "/net.Orchestrator/Echo", "1H");
	h2_send_frame(&f->p, F_DATA, 0, 1, LP_SPAN("\0\0\1\0\1x"));
	expect_status(f, "grpc-status: 8\n", "received message larger than max (65537 vs. 65536)");
	assert_int_equal(f->called, 0);
}

static void a_message_as_large_as_its_method_needs_is_taken(void **state)
{
	struct fixture *f = *state;
	static const char bytes[LP_GRPC_REQUEST_MAX];
	struct lp_span message;

	f->want.path = "/net.Orchestrator/Echo";
	f->want.message = lp_span_of(bytes, sizeof(bytes));
	start(f);
	assert_int_equal(finish(f, &message, NULL), LP_OK);
	assert_int_equal(message.len, sizeof(bytes));
}

static void send_much(struct fixture *f, int32_t id, size_t len)
{
	static const char bytes[16384];

	for (; len; len -= len < sizeof(bytes) ? len : sizeof(bytes))
		h2_send_frame(&f->p, F_DATA, 0, id, lp_span_of(bytes, len < sizeof(bytes) ? len : sizeof(bytes)));
}

/* Six times 3 MiB are more than is gathered for all; 3 MiB are what one may send. */
static void requests_that_come_slowly_share_one_bound(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	for (int32_t id = 1; id < 13; id += 2) {
		ask(f, id, "/net.Orchestrator/Ping", "1H");
		h2_send_frame(&f->p, F_DATA, 0, id, LP_SPAN("\0\0\x30\0\1"));
		if (id == 1)
			assert_true(h2_next_of(&f->p, &frame, F_SETTINGS));
		for (int i = 0; i < 24; i++) {
			real_loop_run_for(&f->r, 2 * LP_MSEC);
			send_much(f, id, 128 * 1024);
		}
	}
	expect_status(f, "grpc-status: 8\n", "too many requests come slowly");
	assert_int_equal(f->called, 0);
	/* The first goes on, and when it is through there is room again. */
	h2_send_frame(&f->p, F_DATA, END_STREAM, 1, LP_SPAN("x"));
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_int_equal(frame.id, 1);
	assert_int_equal(f->called, 1);
	ask(f, 21, "/net.Orchestrator/Ping", "1H");
	send_much(f, 21, 5);
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_int_equal(frame.id, 21);
}

/* The bound of the whole server, of which gRPC is only told that the body is broken. */
static void a_server_that_holds_all_it_may_says_so(void **state)
{
	struct fixture *f = *state;
	struct lp_server_want want = { .handle = handle, .self = f, .limits = { .held_bytes = 1000 } };
	struct lp_server *small;
	struct lp_err e;

	want.address.host = LP_SPAN("127.0.0.1");
	assert_int_equal(lp_server_open(f->r.scope, &small, f->r.loop, &want, &e), LP_OK);
	h2_connect(&f->p, &f->r, lp_server_port(small));
	ask(f, 1, "/net.Orchestrator/Ping", "1H");
	h2_send_frame(&f->p, F_DATA, 0, 1, LP_SPAN("\0\0\x30\0\1"));
	send_much(f, 1, 2000);
	expect_status(f, "grpc-status: 8\n", "as many bytes of requests as it can");
}

static void a_request_without_a_whole_message_is_refused(void **state)
{
	struct fixture *f = *state;

	ask(f, 1, "/net.Orchestrator/Ping", "1H");
	h2_send_frame(&f->p, F_DATA, END_STREAM, 1, LP_SPAN("\0\0\0\0\5he"));
	expect_status(f, "grpc-status: 13\n", "");
	h2_send_head(&f->p, 3, END_STREAM, H2_HEAD(":method", "POST", ":scheme", "http", ":authority", "a", ":path",
						   "/net.Orchestrator/Ping", "content-type", "application/grpc"));
	expect_status(f, "grpc-status: 13\n", "");
	assert_int_equal(f->called, 0);
}

static void the_clients_deadline_ends_a_call(void **state)
{
	struct fixture *f = *state;

	ask(f, 1, "/net.Orchestrator/Hold", "50m");
	h2_send_frame(&f->p, F_DATA, END_STREAM, 1, LP_SPAN("\0\0\0\0\0"));
	expect_status(f, "grpc-status: 4\n", "context deadline exceeded");
	assert_int_equal(f->gone, 1);
}

static void a_get_is_no_grpc_call(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	h2_connect(&f->p, &f->r, lp_server_port(f->server));
	h2_send_head(&f->p, 1, END_STREAM, H2_HEAD(":method", "GET", ":scheme", "http", ":authority", "a", ":path",
						   "/net.Orchestrator/Ping", "content-type", "application/grpc"));
	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_non_null(strstr(frame.head, ":status: 405\n"));
}

/* ---- our client, answered by a played server ---- */

static int32_t take_request(struct fixture *f, struct h2_frame *frame)
{
	char text[64];
	struct lp_err e;
	uint16_t port;

	f->listener = h2_listen(&port);
	fcntl(f->listener, F_SETFL, O_NONBLOCK);
	snprintf(text, sizeof(text), "http://127.0.0.1:%u", port);
	assert_int_equal(lp_url_parse(f->r.scope, &f->url, lp_span(text), &e), LP_OK);
	start(f);
	h2_accept(&f->p, &f->r, f->listener);
	assert_true(h2_next_of(&f->p, frame, F_HEADERS));
	return frame->id;
}

static void the_request_is_what_grpc_servers_expect(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	f->want.timeout = 2499937;
	take_request(f, &frame);
	assert_non_null(strstr(frame.head, ":method: POST\n"));
	assert_non_null(strstr(frame.head, ":path: /net.Orchestrator/Ping\n"));
	assert_non_null(strstr(frame.head, "content-type: application/grpc\n"));
	assert_non_null(strstr(frame.head, "te: trailers\n"));
	assert_non_null(strstr(frame.head, "grpc-timeout: 2499937u\n"));
	assert_true(h2_next_of(&f->p, &frame, F_DATA));
	assert_true(lp_span_eq(frame.payload, lp_span_of("\0\0\0\0\4ping", 9)));
}

static void a_long_timeout_takes_a_coarser_unit(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;

	f->want.timeout = 15 * LP_MIN;
	take_request(f, &frame);
	assert_non_null(strstr(frame.head, "grpc-timeout: 900000m\n"));
}

static void a_trailers_only_error_is_understood(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;
	int32_t id = take_request(f, &frame);

	h2_send_head(&f->p, id, END_STREAM, H2_HEAD(":status", "200", "content-type", "application/grpc", "grpc-status",
						    "2", "grpc-message", "no %c3%A9 100%"));
	expect(f, LP_PEER_ERROR, 2, "no \xc3\xa9 100%");
}

static void an_answer_of_another_kind_is_told(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;
	int32_t id = take_request(f, &frame);

	h2_send_head(&f->p, id, END_STREAM, H2_HEAD(":status", "503"));
	expect(f, LP_PEER_REFUSED, -1, NULL);
}

static void an_answer_without_status_is_a_bad_peer(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;
	int32_t id = take_request(f, &frame);

	h2_send_head(&f->p, id, 0, H2_HEAD(":status", "200"));
	h2_send_frame(&f->p, F_DATA, END_STREAM, id, LP_SPAN("\0\0\0\0\1x"));
	expect(f, LP_BAD_PEER, -1, NULL);
}

static void an_ok_without_a_message_is_a_bad_peer(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;
	int32_t id = take_request(f, &frame);

	h2_send_head(&f->p, id, END_STREAM, H2_HEAD(":status", "200", "grpc-status", "0"));
	expect(f, LP_BAD_PEER, 0, NULL);
}

static void two_messages_in_a_unary_answer_are_a_bad_peer(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;
	int32_t id = take_request(f, &frame);

	h2_send_head(&f->p, id, 0, H2_HEAD(":status", "200"));
	h2_send_frame(&f->p, F_DATA, 0, id, LP_SPAN("\0\0\0\0\1x\0\0\0\0\1y"));
	h2_send_head(&f->p, id, END_STREAM, H2_HEAD("grpc-status", "0"));
	expect(f, LP_BAD_PEER, 0, NULL);
}

static void a_compressed_answer_is_a_bad_peer_and_cancelled(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;
	int32_t id = take_request(f, &frame);

	h2_send_head(&f->p, id, 0, H2_HEAD(":status", "200"));
	h2_send_frame(&f->p, F_DATA, 0, id, LP_SPAN("\1\0\0\0\1x"));
	expect(f, LP_BAD_PEER, -1, NULL);
	assert_true(h2_next_of(&f->p, &frame, F_RST));
	assert_int_equal(h2_u32(frame.payload, 0), NGHTTP2_CANCEL);
}

static void an_answer_above_4_mib_is_cancelled_at_its_prefix(void **state)
{
	struct fixture *f = *state;
	struct h2_frame frame;
	int32_t id = take_request(f, &frame);

	h2_send_head(&f->p, id, 0, H2_HEAD(":status", "200"));
	h2_send_frame(&f->p, F_DATA, 0, id, LP_SPAN("\0\0\x40\0\1"));
	expect(f, LP_BAD_PEER, -1, NULL);
	assert_true(h2_next_of(&f->p, &frame, F_RST));
}

/* ---- grpc-timeout ---- */

static void all_six_units_are_read_and_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(lp_grpc_timeout(LP_SPAN("2H")), 2 * LP_HOUR);
	assert_int_equal(lp_grpc_timeout(LP_SPAN("3M")), 3 * LP_MIN);
	assert_int_equal(lp_grpc_timeout(LP_SPAN("4S")), 4 * LP_SEC);
	assert_int_equal(lp_grpc_timeout(LP_SPAN("500m")), 500 * LP_MSEC);
	assert_int_equal(lp_grpc_timeout(LP_SPAN("2499937u")), 2499937);
	assert_int_equal(lp_grpc_timeout(LP_SPAN("1500n")), 2);
	assert_int_equal(lp_grpc_timeout(LP_SPAN("1n")), 1);
	assert_int_equal(lp_grpc_timeout(LP_SPAN("99999999H")), INT64_C(99999999) * LP_HOUR);
	const char *const bad[] = { "", "5", "S", "5s", "123456789S", "-1S", "1.5S", " 1S", "1S ", "1x" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(lp_grpc_timeout(lp_span(bad[i])), LP_NEVER);
	assert_int_equal(lp_grpc_timeout((struct lp_span){ NULL, 0 }), LP_NEVER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_unary_call_comes_back),
		TEST(an_empty_message_is_a_message),
		TEST(a_message_of_3_mb_goes_there_and_back),
		TEST(words_of_an_error_survive_percent_and_utf_8),
		TEST(an_unknown_service_is_refused_in_the_networks_words),
		TEST(an_unknown_method_is_refused_in_the_networks_words),
		TEST(a_deadline_ends_both_sides),
		TEST(a_cancelled_call_is_gone_for_the_server),
		TEST(a_server_stream_brings_messages_one_by_one),
		TEST(a_lost_connection_is_no_status),
		TEST(a_message_may_come_byte_by_byte_without_te),
		TEST(no_head_is_sent_before_there_is_something_to_say),
		TEST(a_compressed_message_is_refused),
		TEST(a_message_above_4_mib_is_refused_before_it_comes),
		TEST(a_method_refuses_what_is_larger_than_it_needs),
		TEST(a_message_as_large_as_its_method_needs_is_taken),
		TEST(requests_that_come_slowly_share_one_bound),
		TEST(a_server_that_holds_all_it_may_says_so),
		TEST(a_request_without_a_whole_message_is_refused),
		TEST(the_clients_deadline_ends_a_call),
		TEST(a_get_is_no_grpc_call),
		TEST(the_request_is_what_grpc_servers_expect),
		TEST(a_long_timeout_takes_a_coarser_unit),
		TEST(a_trailers_only_error_is_understood),
		TEST(an_answer_of_another_kind_is_told),
		TEST(an_answer_without_status_is_a_bad_peer),
		TEST(an_ok_without_a_message_is_a_bad_peer),
		TEST(two_messages_in_a_unary_answer_are_a_bad_peer),
		TEST(a_compressed_answer_is_a_bad_peer_and_cancelled),
		TEST(an_answer_above_4_mib_is_cancelled_at_its_prefix),
		cmocka_unit_test(all_six_units_are_read_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
