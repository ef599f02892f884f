/* The client's side of HTTP/1.1 over real sockets.  The call above it is a stand-in that notes what it is
 * told: the real one is tested with the client that owns it. */
#include "peer.h"

#include "io/port/wires.h"

#include <lpd/base/list.h>

struct lp_call {
	struct lp_call_request request;
	const struct lp_call_wire *wire;
	void *stream;
	struct lp_buf in;
	struct lp_buf headers, trailers;	/* "name=value;" */
	char words[120];
	enum lp_code why;
	int status, heads, rooms;
	int64_t length;
	bool sent, done, ended, failed, not_received;
};

/* ---- the stand-in ---- */

const struct lp_call_request *lp_call_wire_request(const struct lp_call *call)
{
	return &call->request;
}

void lp_call_wire_bind(struct lp_call *call, const struct lp_call_wire *wire, void *stream)
{
	call->wire = wire;
	call->stream = stream;
}

void lp_call_wire_sent(struct lp_call *call)
{
	call->sent = true;
}

void lp_call_wire_request_done(struct lp_call *call)
{
	call->done = true;
}

static void note(struct lp_buf *to, struct lp_headers headers)
{
	for (int i = 0; i < headers.n; i++)
		lp_buf_fmt(to, "%.*s=%.*s;", LP_ARG(headers.at[i].name), LP_ARG(headers.at[i].value));
}

void lp_call_wire_head(struct lp_call *call, int status, struct lp_headers headers, int64_t length)
{
	call->status = status;
	call->length = length;
	call->heads++;
	note(&call->headers, headers);
}

void lp_call_wire_body(struct lp_call *call, struct lp_span bytes)
{
	lp_buf_add_span(&call->in, bytes);
}

void lp_call_wire_end(struct lp_call *call, struct lp_headers trailers)
{
	call->wire = NULL;
	call->ended = true;
	note(&call->trailers, trailers);
}

void lp_call_wire_fail(struct lp_call *call, enum lp_code why, bool not_received, const char *words)
{
	call->wire = NULL;
	call->failed = true;
	call->why = why;
	call->not_received = not_received;
	snprintf(call->words, sizeof(call->words), "%s", words ? words : "");
}

void lp_call_wire_room(struct lp_call *call)
{
	call->rooms++;
}

/* ---- set-up ---- */

struct fixture {
	struct real_loop r;
	struct lp_call call;
	struct lp_url url;
	struct peer *peer;		/* the server */
	int listener;
	void *wire;
	bool open, closed;
	int changes;
	struct lp_conn *conn;
};

static const struct lp_client_conn_ops *ops = &lp_http1_client_ops;

static void on_change(void *self)
{
	struct fixture *f = self;

	f->changes++;
}

static void on_closed(void *self)
{
	struct fixture *f = self;

	f->closed = true;
}

static void on_open(void *self)
{
	struct fixture *f = self;
	struct lp_client_conn_want want = { f->r.loop, on_change, on_closed, f };

	f->wire = lp_http1_client_open(&want, f->conn);
	f->open = true;
}

static void not_yet(void *self)
{
	(void)self;
}

static void not_yet_bytes(void *self, struct lp_span bytes)
{
	(void)self, (void)bytes;
}

static void not_yet_end(void *self, enum lp_code why, const char *words)
{
	(void)self, (void)why;
	fail_msg("%s", words);
}

static const struct lp_conn_user dialling = { on_open, not_yet_bytes, not_yet, not_yet_end, NULL, NULL };

static void connect_to_peer(struct fixture *f)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(f->listener, 5), 0);
	getsockname(f->listener, (struct sockaddr *)&addr, &len);
	struct lp_conn_dial dial = { .addr = (const struct sockaddr *)&addr, .addr_len = sizeof(addr) };
	f->conn = lp_conn_dial(f->r.loop, &dial, &dialling, f);
	real_loop_run_until(&f->r, &f->open);
	f->peer = peer_wrap(&f->r, accept(f->listener, NULL, NULL));
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	real_loop_open(&f->r);
	f->url = (struct lp_url){ .host = LP_SPAN("peer.example"), .port = 80, .path = LP_SPAN("/path?q=1") };
	connect_to_peer(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (!f->closed)
		ops->close(f->wire);
	peer_close(f->peer);
	close(f->listener);
	lp_buf_clear(&f->call.in);
	lp_buf_clear(&f->call.headers);
	lp_buf_clear(&f->call.trailers);
	lp_scope_close(&f->r.scope);
	free(f);
	return 0;
}

/* Forget the last call and start another. */
static void call(struct fixture *f, const char *method, const char *body)
{
	lp_buf_clear(&f->call.in);
	lp_buf_clear(&f->call.headers);
	lp_buf_clear(&f->call.trailers);
	f->call = (struct lp_call){ 0 };
	f->call.request = (struct lp_call_request){
		.method = method,
		.url = &f->url,
		.body = lp_span(body),
		.body_length = (int64_t)strlen(body ? body : ""),
		.window = 256 * 1024,
	};
	assert_int_equal(ops->free_slots(f->wire), 1);
	ops->start(f->wire, &f->call);
}

static void answer(struct fixture *f, const char *bytes)
{
	peer_send(f->peer, bytes);
	settle(&f->r);
}

/* A GET that is answered with these bytes. */
static void ask(struct fixture *f, const char *bytes)
{
	call(f, "GET", NULL);
	answer(f, bytes);
}

static void in_is(struct fixture *f, const char *body)
{
	assert_string_equal(lp_buf_text(&f->call.in), body);
}

/* ---- requests ---- */

static void a_request_is_written_in_one_piece(void **state)
{
	struct fixture *f = *state;
	struct lp_header headers[] = {
		{ .name = LP_SPAN("livepeer-payment"), .value = LP_SPAN("abc=") },
		{ .name = LP_SPAN("connection"), .value = LP_SPAN("close") },
		{ .name = LP_SPAN("host"), .value = LP_SPAN("evil") },
		{ .name = LP_SPAN("content-length"), .value = LP_SPAN("99") },
		{ .name = LP_SPAN("x-split"), .value = LP_SPAN("a\r\nb: c") },
	};

	f->url.port = 8935;
	f->call.request = (struct lp_call_request){
		.method = "POST", .url = &f->url, .headers = { headers, 5 }, .body = LP_SPAN("{}"), .body_length = 2,
	};
	ops->start(f->wire, &f->call);
	assert_string_equal(peer_await(f->peer, "{}"),
			    "POST /path?q=1 HTTP/1.1\r\nhost: peer.example:8935\r\nlivepeer-payment: abc=\r\n"
			    "content-length: 2\r\n\r\n{}");
	assert_true(f->call.sent && f->call.done);
}

static void a_get_has_no_length_and_an_empty_post_has_one(void **state)
{
	struct fixture *f = *state;

	f->url.host = LP_SPAN("::1");
	ask(f, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_string_equal(peer_await(f->peer, "\r\n\r\n"), "GET /path?q=1 HTTP/1.1\r\nhost: [::1]\r\n\r\n");
	lp_buf_reset(&f->peer->got);
	call(f, "POST", NULL);
	peer_await(f->peer, "content-length: 0\r\n\r\n");
}

static void a_streamed_body_of_unknown_length_is_chunked(void **state)
{
	struct fixture *f = *state;

	f->call.request = (struct lp_call_request){
		.method = "POST", .url = &f->url, .body_streamed = true, .body_length = -1 };
	ops->start(f->wire, &f->call);
	peer_await(f->peer, "transfer-encoding: chunked\r\n\r\n");
	assert_true(f->call.sent);
	assert_false(f->call.done);
	f->call.wire->write(f->call.stream, LP_SPAN("first piece,"));
	f->call.wire->write(f->call.stream, LP_SPAN("second"));
	f->call.wire->end_body(f->call.stream);
	peer_await(f->peer, "\r\n\r\nc\r\nfirst piece,\r\n6\r\nsecond\r\n0\r\n\r\n");
	assert_true(f->call.done);
	answer(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_true(f->call.ended);
	assert_int_equal(ops->free_slots(f->wire), 1);
}

static void a_streamed_body_stays_within_what_was_announced(void **state)
{
	struct fixture *f = *state;

	f->call.request = (struct lp_call_request){
		.method = "POST", .url = &f->url, .body_streamed = true, .body_length = 5 };
	ops->start(f->wire, &f->call);
	f->call.wire->write(f->call.stream, LP_SPAN("1234567"));
	f->call.wire->end_body(f->call.stream);
	answer(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	peer_read(f->peer);
	assert_true(lp_span_ends(lp_buf_span(&f->peer->got), "\r\n\r\n12345"));
	f->call.wire = NULL;
	f->call.request.body_length = 5;
	ops->start(f->wire, &f->call);
	f->call.wire->write(f->call.stream, LP_SPAN("1234"));
	f->call.wire->end_body(f->call.stream);
	assert_true(f->call.failed);
	assert_int_equal(f->call.why, LP_INTERNAL);
}

static void a_big_body_meets_back_pressure(void **state)
{
	struct fixture *f = *state;
	static const char zeros[10000];
	size_t written = 0;

	f->call.request = (struct lp_call_request){
		.method = "POST", .url = &f->url, .body_streamed = true, .body_length = 50 * 1000 * 1000 };
	f->peer->deaf = true;
	ops->start(f->wire, &f->call);
	for (int i = 0; i < 1000; i++) {
		while (f->call.wire->room(f->call.stream) && written < 50 * 1000 * 1000) {
			f->call.wire->write(f->call.stream, lp_span_of(zeros, sizeof(zeros)));
			written += sizeof(zeros);
		}
		real_loop_run_for(&f->r, 50);
	}
	assert_true(written < 20 * 1000 * 1000);
	assert_false(f->call.done);
	f->peer->deaf = false;
	peer_await_count(f->peer, written);
	settle(&f->r);
	assert_true(f->call.rooms > 0);
}

static void a_request_that_cannot_be_written_fails(void **state)
{
	struct fixture *f = *state;

	f->url.path = LP_SPAN("/a b");
	call(f, "GET", NULL);
	assert_int_equal(f->call.why, LP_BAD_REQUEST);
	f->url.path = LP_SPAN("/");
	call(f, "GET /", NULL);
	assert_int_equal(f->call.why, LP_BAD_REQUEST);
	assert_int_equal(ops->free_slots(f->wire), 1);
}

/* ---- answers ---- */

static void a_peer_that_is_gone_without_a_word_is_probed_for(void **state)
{
	struct fixture *f = *state;

	ask(f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	expect_keepalive(other_end(f->peer->fd));
}

static void an_answer_is_told_and_the_connection_used_again(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		ask(f, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Empty:\r\nContent-Length: 5\r\n\r\nhello");
		assert_int_equal(f->call.status, 200);
		assert_int_equal(f->call.length, 5);
		assert_string_equal(lp_buf_text(&f->call.headers),
				    "content-type=text/plain;x-empty=;content-length=5;");
		in_is(f, "hello");
		assert_true(f->call.ended);
		assert_int_equal(f->changes, i + 1);
	}
}

static void an_answer_may_come_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	const char *bytes = "HTTP/1.1 404 Not Found\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n"
			    "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\n\r\n";

	call(f, "GET", NULL);
	for (const char *at = bytes; *at; at++) {
		assert_false(f->call.ended);
		peer_send_span(f->peer, lp_span_of(at, 1));
		real_loop_run_for(&f->r, 300);
	}
	settle(&f->r);
	assert_int_equal(f->call.status, 404);
	assert_int_equal(f->call.length, -1);
	in_is(f, "abcde");
	assert_true(f->call.ended);
	assert_string_equal(lp_buf_text(&f->call.trailers), "t=u;");
	assert_int_equal(ops->free_slots(f->wire), 1);
}

static void interim_answers_are_passed_over(void **state)
{
	struct fixture *f = *state;

	ask(f, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
	       "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok");
	assert_int_equal(f->call.status, 201);
	assert_int_equal(f->call.heads, 1);
	in_is(f, "ok");
	assert_string_equal(lp_buf_text(&f->call.headers), "content-length=2;");
	assert_int_equal(ops->free_slots(f->wire), 1);
}

static void interim_answers_without_end_are_refused(void **state)
{
	struct fixture *f = *state;

	call(f, "GET", NULL);
	for (int i = 0; i < 3000 && !f->call.failed; i++) {
		peer_send(f->peer, "HTTP/1.1 102 Processing\r\nA: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n\r\n");
		if (i % 100 == 0)
			settle(&f->r);
	}
	settle(&f->r);
	assert_int_equal(f->call.why, LP_BAD_PEER);
}

static void answers_that_have_no_body_end_with_their_head(void **state)
{
	struct fixture *f = *state;

	ask(f, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n");
	assert_true(f->call.ended);
	assert_int_equal(f->call.length, 0);
	ask(f, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
	assert_true(f->call.ended);
	call(f, "HEAD", NULL);
	answer(f, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	assert_true(f->call.ended);
	assert_int_equal(f->call.length, 5);
	call(f, "HEAD", NULL);
	answer(f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_true(f->call.ended);
	call(f, "HEAD", NULL);
	answer(f, "HTTP/1.1 200 OK\r\n\r\n");
	assert_true(f->call.ended);
	assert_int_equal(ops->free_slots(f->wire), 1);
}

static void an_answer_without_length_ends_with_the_connection(void **state)
{
	struct fixture *f = *state;

	ask(f, "HTTP/1.1 200 OK\r\n\r\nall of ");
	assert_int_equal(f->call.length, -1);
	answer(f, "this");
	assert_false(f->call.ended);
	shutdown(f->peer->fd, SHUT_WR);
	settle(&f->r);
	assert_true(f->call.ended);
	in_is(f, "all of this");
	assert_true(f->closed);
}

static void an_answer_cut_short_fails(void **state)
{
	struct fixture *f = *state;

	ask(f, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
	shutdown(f->peer->fd, SHUT_WR);
	settle(&f->r);
	assert_true(f->call.failed);
	assert_int_equal(f->call.why, LP_RESET);
	in_is(f, "hel");
	assert_true(f->closed);
}

static void a_chunked_answer_cut_short_fails(void **state)
{
	struct fixture *f = *state;

	ask(f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	shutdown(f->peer->fd, SHUT_WR);
	settle(&f->r);
	assert_int_equal(f->call.why, LP_RESET);
}

/* A reset is no orderly end: what came may be a part. */
static void an_answer_without_length_that_ends_in_a_reset_fails(void **state)
{
	struct fixture *f = *state;
	struct linger now = { .l_onoff = 1 };

	ask(f, "HTTP/1.1 200 OK\r\n\r\nall of ");
	setsockopt(f->peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	peer_close(f->peer);
	settle(&f->r);
	assert_int_equal(f->call.why, LP_RESET);
}

static void back_pressure_reaches_the_peer(void **state)
{
	struct fixture *f = *state;

	ask(f, "HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n");
	assert_true(peer_stuff(f->peer, 50000000) < 20 * 1000 * 1000);
	assert_in_range(f->call.in.len, 256 * 1024, 512 * 1024);
	size_t held = f->call.in.len;
	lp_buf_reset(&f->call.in);
	f->call.wire->consumed(f->call.stream, held);
	settle(&f->r);
	assert_true(f->call.in.len > 0);
}

/* ---- the connection afterwards ---- */

static void a_peer_that_says_close_is_not_asked_again(void **state)
{
	struct fixture *f = *state;

	ask(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
	assert_true(f->call.ended);
	assert_true(f->closed);
}

static void a_peer_of_1_0_is_asked_again_only_if_it_says_so(void **state)
{
	struct fixture *f = *state;

	ask(f, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok");
	assert_int_equal(ops->free_slots(f->wire), 1);
	ask(f, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_true(f->call.ended);
	assert_true(f->closed);
}

static void bytes_behind_the_answer_end_the_connection(void **state)
{
	struct fixture *f = *state;

	ask(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
	assert_true(f->call.ended);
	in_is(f, "ok");
	assert_true(f->closed);
}

static void bytes_that_nobody_asked_for_end_an_idle_connection(void **state)
{
	struct fixture *f = *state;

	ask(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_int_equal(ops->free_slots(f->wire), 1);
	answer(f, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
	assert_true(f->closed);
}

static void an_idle_connection_that_the_peer_closes_is_told(void **state)
{
	struct fixture *f = *state;

	peer_close(f->peer);
	settle(&f->r);
	assert_true(f->closed);
}

/* A peer that is full answers before it has read the body, and closes: the refusal must not get lost. */
static void an_early_answer_is_kept_though_writing_fails(void **state)
{
	struct fixture *f = *state;
	static char body[5 * 1000 * 1000];

	memset(body, 'x', sizeof(body) - 1);
	call(f, "POST", body);
	f->peer->deaf = true;
	settle(&f->r);
	peer_send(f->peer, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull");
	peer_close(f->peer);		/* with unread bytes: a reset */
	settle(&f->r);
	assert_true(f->call.ended);
	assert_int_equal(f->call.status, 503);
	in_is(f, "full");
	assert_false(f->call.done);
	assert_true(f->closed);
}

static void an_early_answer_ends_the_call_and_the_connection(void **state)
{
	struct fixture *f = *state;

	f->call.request = (struct lp_call_request){
		.method = "POST", .url = &f->url, .body_streamed = true, .body_length = -1 };
	ops->start(f->wire, &f->call);
	f->call.wire->write(f->call.stream, LP_SPAN("some"));
	answer(f, "HTTP/1.1 402 Payment Required\r\nContent-Length: 4\r\n\r\npay!");
	assert_true(f->call.ended);
	assert_int_equal(f->call.status, 402);
	assert_true(f->closed);
}

/* The one case in which the same request may go out again: what decides whether a ticket is paid twice. */
static void it_is_told_whether_the_peer_may_have_received_something(void **state)
{
	struct fixture *f = *state;

	call(f, "POST", "x");
	peer_close(f->peer);		/* before our bytes have left: they leave at the turn's end */
	settle(&f->r);
	assert_true(f->call.failed);
	assert_false(f->call.not_received);	/* they did leave, and the peer's kernel had them */
	assert_int_equal(f->call.why, LP_RESET);
	assert_true(f->closed);
}

static void a_call_on_a_connection_that_is_already_dead_was_not_received(void **state)
{
	struct fixture *f = *state;
	struct linger now = { .l_onoff = 1 };

	/* The reset has come, but the loop has not seen it. */
	setsockopt(f->peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	peer_close(f->peer);
	usleep(2000);
	call(f, "POST", "x");
	settle(&f->r);
	assert_true(f->call.failed);
	assert_true(f->call.not_received);
	assert_false(f->call.sent);
}

static void a_cancelled_call_closes_the_connection(void **state)
{
	struct fixture *f = *state;

	call(f, "GET", NULL);
	settle(&f->r);
	f->call.wire->cancel(f->call.stream);
	assert_int_equal(ops->free_slots(f->wire), 0);
	settle(&f->r);
	assert_true(f->closed);
	peer_await_end(f->peer);
}

static void a_cancelled_call_with_a_short_answer_keeps_the_connection(void **state)
{
	struct fixture *f = *state;

	ask(f, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
	f->call.wire->cancel(f->call.stream);
	settle(&f->r);
	assert_int_equal(ops->free_slots(f->wire), 0);
	answer(f, "world");
	assert_false(f->call.ended);
	in_is(f, "hello");
	assert_int_equal(ops->free_slots(f->wire), 1);
	assert_false(f->closed);
}

static void a_retired_connection_finishes_its_call_and_closes(void **state)
{
	struct fixture *f = *state;

	call(f, "GET", NULL);
	ops->retire(f->wire);
	settle(&f->r);
	assert_false(f->closed);
	answer(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_true(f->call.ended);
	assert_true(f->closed);
}

static void a_connection_closed_by_its_owner_fails_its_call(void **state)
{
	struct fixture *f = *state;

	call(f, "GET", NULL);
	ops->close(f->wire);
	assert_true(f->call.failed);
	assert_true(f->call.not_received);
	real_loop_run_for(&f->r, 2 * LP_MSEC);
	assert_false(f->closed);	/* whoever closes is not told */
	f->closed = true;		/* for tear_down */
}

/* ---- refused answers ---- */

static const char *const bads[] = {
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
	"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc",
	"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
	"HTTP/1.1 200 OK\r\nContent-Length: 0x3\r\n\r\nabc",
	"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\nabc",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
	"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc",
	"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 3\r\n\r\nabc",
	"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
	"HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 3\r\n\r\nabc",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
	"HTTP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
	"HTTP/1.1 20 OK\r\nContent-Length: 3\r\n\r\nabc",
	"HTTP/1.1 099 No\r\nContent-Length: 3\r\n\r\nabc",
	"ICY 200 OK\r\nContent-Length: 3\r\n\r\nabc",
	"hello\r\n",
	"\x15\x03\x03\x00\x02\x02\x46",
};

static void an_answer_that_two_could_read_differently_is_refused(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		ask(f, bads[i]);
		if (!f->call.failed || f->call.why != LP_BAD_PEER || !f->closed)
			fail_msg("%s: %d %s", bads[i], f->call.status, f->call.words);
		assert_false(f->call.ended);
		assert_true(f->call.words[0] != 0);
		peer_close(f->peer);
		close(f->listener);
		f->open = f->closed = false;
		connect_to_peer(f);
	}
}

static void a_head_beyond_64_kib_is_refused(void **state)
{
	struct fixture *f = *state;
	struct lp_buf bytes = { 0 };

	lp_buf_add_text(&bytes, "HTTP/1.1 200 OK\r\nA: ");
	memset(lp_buf_room(&bytes, 70000), 'x', 70000);
	lp_buf_grew(&bytes, 70000);
	call(f, "GET", NULL);
	peer_send_span(f->peer, lp_buf_span(&bytes));
	settle(&f->r);
	assert_int_equal(f->call.why, LP_BAD_PEER);
	lp_buf_clear(&bytes);
}

static void trailers_and_extensions_without_end_are_refused(void **state)
{
	struct fixture *f = *state;
	struct lp_buf bytes = { 0 };

	for (int i = 0; i < 2; i++) {
		lp_buf_reset(&bytes);
		lp_buf_add_text(&bytes, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		lp_buf_add_text(&bytes, i ? "0\r\nA: " : "1;");
		memset(lp_buf_room(&bytes, 20000), 'x', 20000);
		lp_buf_grew(&bytes, 20000);
		call(f, "GET", NULL);
		peer_send_span(f->peer, lp_buf_span(&bytes));
		settle(&f->r);
		assert_int_equal(f->call.why, LP_BAD_PEER);
		peer_close(f->peer);
		close(f->listener);
		f->open = f->closed = false;
		connect_to_peer(f);
	}
	lp_buf_clear(&bytes);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_request_is_written_in_one_piece),
		T(a_get_has_no_length_and_an_empty_post_has_one),
		T(a_streamed_body_of_unknown_length_is_chunked),
		T(a_streamed_body_stays_within_what_was_announced),
		T(a_big_body_meets_back_pressure),
		T(a_request_that_cannot_be_written_fails),
		T(a_peer_that_is_gone_without_a_word_is_probed_for),
		T(an_answer_is_told_and_the_connection_used_again),
		T(an_answer_may_come_byte_by_byte),
		T(interim_answers_are_passed_over),
		T(interim_answers_without_end_are_refused),
		T(answers_that_have_no_body_end_with_their_head),
		T(an_answer_without_length_ends_with_the_connection),
		T(an_answer_cut_short_fails),
		T(a_chunked_answer_cut_short_fails),
		T(an_answer_without_length_that_ends_in_a_reset_fails),
		T(back_pressure_reaches_the_peer),
		T(a_peer_that_says_close_is_not_asked_again),
		T(a_peer_of_1_0_is_asked_again_only_if_it_says_so),
		T(bytes_behind_the_answer_end_the_connection),
		T(bytes_that_nobody_asked_for_end_an_idle_connection),
		T(an_idle_connection_that_the_peer_closes_is_told),
		T(an_early_answer_is_kept_though_writing_fails),
		T(an_early_answer_ends_the_call_and_the_connection),
		T(it_is_told_whether_the_peer_may_have_received_something),
		T(a_call_on_a_connection_that_is_already_dead_was_not_received),
		T(a_cancelled_call_closes_the_connection),
		T(a_cancelled_call_with_a_short_answer_keeps_the_connection),
		T(a_retired_connection_finishes_its_call_and_closes),
		T(a_connection_closed_by_its_owner_fails_its_call),
		T(an_answer_that_two_could_read_differently_is_refused),
		T(a_head_beyond_64_kib_is_refused),
		T(trailers_and_extensions_without_end_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
