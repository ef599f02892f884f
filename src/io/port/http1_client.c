/* HTTP/1.1 from the client's side: one connection, one call at a time.
 *
 * An answer may come before the request has left whole, and may be followed by the end of the connection:
 * it is kept whatever became of the writing.  A connection is used again only when request and answer both
 * ended where they said they would. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>
#include <lpd/io/timer.h>

#include "http1.h"
#include "http_head.h"
#include "wires.h"

#define HEAD_MAX (64 * 1024)		/* of an answer, those before it (1xx) included */
#define DROP_MAX (64 * 1024)		/* of an answer nobody wants any more, to keep the connection */
#define DROP_TIME (2 * LP_SEC)

struct wire {
	struct lp_client_conn_want want;
	struct lp_conn *conn;		/* NULL: closed */
	struct lp_call *call;		/* NULL: idle, or its answer is thrown away */
	llhttp_t parser;
	struct lp_http1_head head;	/* of the answer, then its trailers */
	struct lp_ready soon;		/* on_change and on_closed */
	struct lp_ready flushed;	/* after the flush: has something left? */
	struct lp_timer drop;
	uint64_t before;		/* bytes that had left when the call began */
	int64_t to_send;		/* of a streamed body of known length */
	size_t unread, window;
	size_t extra;			/* chunk extensions */
	size_t heads;			/* bytes of 1xx heads */
	const char *words;		/* why a callback of the parser refused */
	bool busy : 1;
	bool retiring : 1;
	bool is_head : 1;		/* the request's method */
	bool chunked : 1;		/* the request's body is */
	bool body_ended : 1;		/* all of the request is in the backlog */
	bool sent : 1, request_done : 1;	/* the call has been told */
	bool head_came : 1;		/* of the final answer */
	bool keep : 1;			/* the answer allows another */
	bool dropping : 1;		/* the call was cancelled, its short answer runs out */
};

static const struct lp_call_wire call_wire;

/* ---- the connection's end ---- */

static void drop_conn(struct wire *w)
{
	if (w->conn)
		lp_conn_close(w->conn);
	w->conn = NULL;
	w->busy = w->dropping = false;
	lp_timer_clear(&w->drop);
	lp_unready(&w->flushed);
	lp_http1_head_clear(&w->head);
}

static void close_soon(struct wire *w)
{
	drop_conn(w);
	lp_ready(w->want.loop, &w->soon);
}

/* The call may be started anew on another connection from inside: ours must be out of the way before. */
static void fail_call(struct wire *w, enum lp_code why, const char *words)
{
	struct lp_call *call = w->call;
	bool not_received = !w->sent && w->conn && lp_conn_written(w->conn) == w->before && !w->head_came;

	w->call = NULL;
	close_soon(w);
	if (call)
		lp_call_wire_fail(call, why, not_received, words);
}

static void soon(void *self)
{
	struct wire *w = self;

	if (w->conn) {
		w->want.on_change(w->want.self);
		return;
	}
	w->want.on_closed(w->want.self);
	lp_mem_free(w);
}

/* ---- the request ---- */

static void note_sent(struct wire *w)
{
	if (!w->call || w->sent || lp_conn_written(w->conn) == w->before)
		return;
	w->sent = true;
	lp_call_wire_sent(w->call);
}

static void note_done(struct wire *w)
{
	note_sent(w);
	if (!w->call || w->request_done || !w->body_ended || lp_conn_backlog(w->conn) > 0)
		return;
	w->request_done = true;
	lp_call_wire_request_done(w->call);
}

static void flushed(void *self)
{
	note_done(self);
}

/* Behind the conn's own flush, which was asked for first. */
static void look_after_flush(struct wire *w)
{
	lp_before_sleep(w->want.loop, &w->flushed);
}

/* RFC 9112 3.2: as in the URL, without a default port. */
static void write_host(struct lp_buf *out, const struct lp_url *url)
{
	bool six = url->host.len && memchr(url->host.at, ':', url->host.len);

	lp_buf_add_text(out, "host: ");
	if (url->unix_path) {
		lp_buf_add_text(out, "localhost\r\n");
		return;
	}
	if (six)
		lp_buf_add_char(out, '[');
	lp_buf_add_span(out, url->host);
	if (six)
		lp_buf_add_char(out, ']');
	if (url->port != (url->tls ? 443 : 80)) {
		lp_buf_add_char(out, ':');
		lp_buf_add_u64(out, url->port);
	}
	lp_buf_add(out, "\r\n", 2);
}

static bool has_body(const struct lp_call_request *request)
{
	return request->body_length != 0 || strcmp(request->method, "POST") == 0 ||
	       strcmp(request->method, "PUT") == 0 || strcmp(request->method, "PATCH") == 0;
}

static void write_head(struct wire *w, const struct lp_call_request *request)
{
	struct lp_buf *out = lp_conn_out(w->conn);

	lp_buf_add_text(out, request->method);
	lp_buf_add_char(out, ' ');
	lp_buf_add_span(out, request->url->path);
	lp_buf_add_text(out, " HTTP/1.1\r\n");
	write_host(out, request->url);
	for (int i = 0; i < request->headers.n; i++) {
		const struct lp_header *one = &request->headers.at[i];

		if (!lp_http_is_hop_field(one->name) && !lp_span_is(one->name, "host"))
			lp_http_field(out, one->name, one->value);
	}
	if (w->chunked)
		lp_buf_add_text(out, "transfer-encoding: chunked\r\n");
	else if (has_body(request))
		lp_http_field_number(out, "content-length", (uint64_t)request->body_length);
	lp_buf_add(out, "\r\n", 2);
	lp_conn_flush_soon(w->conn);
}

/* RFC 9112 6.3: whether bytes follow the head depends on the question too, so the parser starts afresh. */
static void await_answer_head(struct wire *w);

static size_t head_room(const struct lp_call_request *request)
{
	size_t size = 256 + request->url->path.len;

	for (int i = 0; i < request->headers.n; i++)
		size += request->headers.at[i].name.len + request->headers.at[i].value.len + 4;
	return size + (request->body.len < 4096 ? request->body.len : 0);
}

static void start(void *wire, struct lp_call *call)
{
	struct wire *w = wire;
	const struct lp_call_request *request = lp_call_wire_request(call);

	lp_assert(w->conn && !w->busy);
	if (!lp_http_is_token(lp_span(request->method)) || !lp_http_is_target(request->url->path)) {
		lp_call_wire_fail(call, LP_BAD_REQUEST, false, "the request line cannot be written");
		return;
	}
	w->call = call;
	w->busy = true;
	w->before = lp_conn_written(w->conn);
	w->is_head = strcmp(request->method, "HEAD") == 0;
	w->chunked = request->body_streamed && request->body_length < 0;
	w->to_send = request->body_length;
	w->window = request->window;
	w->unread = w->heads = 0;
	w->body_ended = !request->body_streamed;
	w->sent = w->request_done = false;
	await_answer_head(w);
	lp_buf_room(lp_conn_out(w->conn), head_room(request));
	write_head(w, request);
	if (!request->body_streamed)
		lp_conn_write(w->conn, request->body);
	look_after_flush(w);
	lp_call_wire_bind(call, &call_wire, w);	/* may bring what was streamed before */
}

static void write_body(void *stream, struct lp_span bytes)
{
	struct wire *w = stream;

	if (w->chunked) {
		lp_http_chunk_size(lp_conn_out(w->conn), bytes.len);
	} else {
		/* More than was announced would be the next request to the peer. */
		if ((int64_t)bytes.len > w->to_send)
			bytes.len = (size_t)w->to_send;
		w->to_send -= (int64_t)bytes.len;
	}
	lp_conn_write(w->conn, bytes);
	if (w->chunked)
		lp_conn_write(w->conn, LP_SPAN("\r\n"));
	look_after_flush(w);
}

static void end_body(void *stream)
{
	struct wire *w = stream;

	if (!w->chunked && w->to_send > 0) {
		fail_call(w, LP_INTERNAL, "the request's body is shorter than announced");
		return;
	}
	w->body_ended = true;
	if (w->chunked)
		lp_conn_write(w->conn, LP_SPAN("0\r\n\r\n"));
	look_after_flush(w);
}

static size_t room(const void *stream)
{
	const struct wire *w = stream;
	size_t backlog = lp_conn_backlog(w->conn);

	return backlog < LP_CONN_HIGH ? LP_CONN_HIGH - backlog : 0;
}

static void consumed(void *stream, size_t n)
{
	struct wire *w = stream;

	w->unread -= n < w->unread ? n : w->unread;
	if (w->unread <= w->window / 2)
		lp_conn_pause(w->conn, false);
}

/* Closing costs the next call a handshake; a short rest of the answer is cheaper to let run out. */
static void cancel(void *stream)
{
	struct wire *w = stream;
	bool is_short = w->head_came && w->request_done && w->keep && !(w->parser.flags & F_CHUNKED) &&
			!llhttp_message_needs_eof(&w->parser) && w->parser.content_length <= DROP_MAX;

	w->call = NULL;
	if (!is_short) {
		close_soon(w);
		return;
	}
	w->dropping = true;
	lp_conn_pause(w->conn, false);
	lp_timer_set(&w->drop, w->want.loop, DROP_TIME);
}

static int64_t last_sent(const void *stream)
{
	const struct wire *w = stream;

	return lp_conn_last_write(w->conn);
}

static const struct lp_call_wire call_wire = {
	.write = write_body,
	.end_body = end_body,
	.room = room,
	.consumed = consumed,
	.cancel = cancel,
	.last_sent = last_sent,
};

/* ---- the answer ---- */

static int refused(struct wire *w, const char *words)
{
	w->words = words;
	return -1;
}

static int add(struct wire *w, enum lp_http1_part part, const char *at, size_t len)
{
	size_t limit = w->head_came ? LP_HTTP1_EXTRA : HEAD_MAX - w->heads;

	if (lp_http1_head_add(&w->head, part, lp_span_of(at, len), limit) != LP_OK)
		return refused(w, "its head is too large");
	return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
	return add(parser->data, LP_HTTP1_NAME, at, len);
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
	return add(parser->data, LP_HTTP1_VALUE, at, len);
}

/* Kept nowhere, but it counts. */
static int on_status(llhttp_t *parser, const char *at, size_t len)
{
	struct wire *w = parser->data;

	(void)at;
	w->heads += len;
	return w->heads > HEAD_MAX ? refused(w, "its head is too large") : 0;
}

static int on_extension(llhttp_t *parser, const char *at, size_t len)
{
	struct wire *w = parser->data;

	(void)at;
	w->extra += len + 1;
	return w->extra > LP_HTTP1_EXTRA ? refused(w, "chunk extensions without end") : 0;
}

static bool is_interim(const llhttp_t *parser)
{
	return parser->status_code / 100 == 1;
}

/* Statuses whose answers have no body, whatever their fields say (RFC 9112 6.3). */
static bool is_bodiless(const struct wire *w)
{
	return is_interim(&w->parser) || w->parser.status_code == 204 || w->parser.status_code == 304;
}

static int64_t announced(const struct wire *w)
{
	if (is_bodiless(w))
		return 0;
	return w->parser.flags & F_CONTENT_LENGTH ? (int64_t)w->parser.content_length : -1;
}

static int on_head(llhttp_t *parser)
{
	struct wire *w = parser->data;
	struct lp_span none;
	struct lp_headers headers = lp_http1_head_whole(&w->head, &none);

	if (parser->http_major != 1 || parser->http_minor > 1)
		return refused(w, "it is not HTTP/1.1");
	const char *framing = lp_http1_bad_framing(headers, parser->http_minor == 0);

	if (framing)
		return refused(w, framing);
	if (parser->status_code == 101)
		return refused(w, "it switches protocols unasked");
	if (parser->status_code < 100)
		return refused(w, "its status is none");
	parser->upgrade = 0;
	if (is_interim(parser)) {
		w->heads += w->head.bytes + 16;
		return w->heads < HEAD_MAX ? 1 : refused(w, "its heads have no end");
	}
	bool bodiless = w->is_head || is_bodiless(w);

	if (bodiless)
		parser->flags |= F_SKIPBODY;	/* as our return value does, but the next line asks for it */
	w->head_came = true;
	w->keep = llhttp_should_keep_alive(parser);
	note_sent(w);
	if (w->call)
		lp_call_wire_head(w->call, parser->status_code, headers, announced(w));
	lp_http1_head_clear(&w->head);
	return bodiless ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct wire *w = parser->data;

	if (!w->call)
		return 0;
	w->unread += len;
	lp_call_wire_body(w->call, lp_span_of(at, len));
	return 0;
}

static int on_message(llhttp_t *parser)
{
	(void)parser;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_status = on_status,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_headers_complete = on_head,
	.on_chunk_extension_name = on_extension,
	.on_chunk_extension_value = on_extension,
	.on_body = on_body,
	.on_message_complete = on_message,
};

static void await_answer_head(struct wire *w)
{
	llhttp_init(&w->parser, HTTP_RESPONSE, &settings);
	w->parser.data = w;
	w->head_came = w->keep = false;
	w->extra = 0;
	w->words = NULL;
	lp_http1_head_clear(&w->head);
}

/* The answer is whole.  Bytes behind it, or a request that has not left, make the connection unfit. */
static void end_answer(struct wire *w, bool more)
{
	struct lp_call *call = w->call;
	bool whole = w->body_ended && lp_conn_backlog(w->conn) == 0;
	struct lp_span none;
	struct lp_headers trailers = lp_http1_head_whole(&w->head, &none);

	w->call = NULL;
	note_done(w);
	if (call)
		lp_call_wire_end(call, trailers);
	lp_http1_head_clear(&w->head);
	lp_timer_clear(&w->drop);
	w->busy = w->dropping = false;
	if (!w->keep || !whole || more || w->retiring) {
		close_soon(w);
		return;
	}
	lp_conn_pause(w->conn, false);
	lp_ready(w->want.loop, &w->soon);
}

/* Returns what is left behind the message, or nothing when more is to come or the connection has ended. */
static struct lp_span parse(struct wire *w, struct lp_span bytes)
{
	llhttp_errno_t err = llhttp_execute(&w->parser, bytes.at, bytes.len);

	if (err == HPE_PAUSED) {
		bytes = lp_span_skip(bytes, (size_t)(llhttp_get_error_pos(&w->parser) - bytes.at));
		if (w->head_came)
			end_answer(w, bytes.len > 0);
		else
			await_answer_head(w);	/* that was 1xx */
		return w->conn && w->busy ? bytes : (struct lp_span){ 0 };
	}
	if (err != HPE_OK)
		fail_call(w, LP_BAD_PEER, w->words ? w->words : llhttp_get_error_reason(&w->parser));
	return (struct lp_span){ 0 };
}

/* What an idle peer says is no answer to anything: the two sides would disagree from there on. */
static void on_bytes(void *self, struct lp_span bytes)
{
	struct wire *w = self;

	if (!w->busy) {
		close_soon(w);
		return;
	}
	while (bytes.len)
		bytes = parse(w, bytes);
	if (w->conn && w->busy && !w->dropping && w->unread >= w->window)
		lp_conn_pause(w->conn, true);
}

static void on_open(void *self)
{
	(void)self;
}

static void on_room(void *self)
{
	struct wire *w = self;

	if (w->call)
		lp_call_wire_room(w->call);
}

static void on_flushed(void *self)
{
	note_done(self);
}

/* An answer without length ends with the connection, if that ends in order. */
static void on_end(void *self, enum lp_code why, const char *words)
{
	struct wire *w = self;

	if (why == LP_OK && w->busy && w->head_came && llhttp_message_needs_eof(&w->parser)) {
		w->keep = false;
		llhttp_finish(&w->parser);
		end_answer(w, false);
		return;
	}
	if (w->head_came)
		fail_call(w, LP_RESET, "the connection ended in the middle of the answer");
	else
		fail_call(w, LP_RESET, words);
}

static void drop_late(void *self)
{
	close_soon(self);
}

/* ---- for client.c ---- */

static const struct lp_conn_user conn_user = {
	.on_open = on_open,
	.on_bytes = on_bytes,
	.on_room = on_room,
	.on_end = on_end,
	.on_flushed = on_flushed,
};

void *lp_http1_client_open(const struct lp_client_conn_want *want, struct lp_conn *conn)
{
	struct wire *w = lp_mem_zeroed(1, sizeof(*w));

	w->want = *want;
	w->conn = conn;
	w->soon = (struct lp_ready){ .run = soon, .self = w };
	w->flushed = (struct lp_ready){ .run = flushed, .self = w };
	w->drop = (struct lp_timer){ .fire = drop_late, .self = w };
	lp_conn_use(conn, &conn_user, w);
	return w;
}

static int free_slots(const void *wire)
{
	const struct wire *w = wire;

	return w->conn && !w->busy && !w->retiring ? 1 : 0;
}

static int active(const void *wire)
{
	const struct wire *w = wire;

	return w->busy ? 1 : 0;
}

static bool leaving(const void *wire)
{
	const struct wire *w = wire;

	return !w->conn || w->retiring;
}

static void retire(void *wire)
{
	struct wire *w = wire;

	w->retiring = true;
	if (w->conn && !w->busy)
		close_soon(w);
}

static void close_wire(void *wire)
{
	struct wire *w = wire;
	struct lp_call *call = w->call;
	bool not_received = w->conn && lp_conn_written(w->conn) == w->before;

	w->call = NULL;
	drop_conn(w);
	lp_unready(&w->soon);
	lp_mem_free(w);
	if (call)
		lp_call_wire_fail(call, LP_RESET, not_received, "the client is closed");
}

const struct lp_client_conn_ops lp_http1_client_ops = {
	.free_slots = free_slots,
	.active = active,
	.leaving = leaving,
	.start = start,
	.retire = retire,
	.close = close_wire,
};
