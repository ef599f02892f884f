/* HTTP/1.1 from the server's side: one connection, one exchange after the other.
 *
 * llhttp stops at the end of each message; what came behind it waits in `rest`, and reading pauses, until
 * the reply has been written.  While an exchange runs the connection is read all the same, so that a client
 * that leaves is noticed. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/io/timer.h>

#include "http1_request.h"
#include "http_head.h"
#include "progress.h"
#include "wires.h"

#define UNREAD_HIGH (64 * 1024)		/* of a body: stop reading, go on */
#define UNREAD_LOW (32 * 1024)
#define DROP_MAX (256 * 1024)		/* of a body nobody wants, to keep the connection */
#define DROP_TIME (5 * LP_SEC)
#define HALF_CLOSED (250 * LP_MSEC)	/* for a reply to a client that has sent its end; see on_end */
#define WATCHED (16 * 1024)		/* a backlog from which on it is watched whether the client reads */

enum state {
	HEAD,		/* of a request is waited for or has come in part */
	BODY,		/* of the request comes */
	REPLY,		/* the request is whole */
	DROP,		/* the reply has been given, the rest of the body is thrown away */
	LEAVE,		/* the last bytes go out, then the connection closes */
	CLOSED,
};

struct wire {
	struct lp_server_conn_want want;
	struct lp_conn *conn;
	struct lp_exchange *ex;		/* from the whole head on, until its stream is over */
	const char *peer;		/* in the connection's scope: exchanges may outlive the conn by a turn */
	llhttp_t parser;
	struct lp_http1_head head;
	struct lp_buf rest;		/* came behind the request that is served */
	struct lp_ready soon;		/* parse the rest; tell that we are closed */
	struct lp_timer timer;
	int64_t due;			/* the timer may be early: moving it for each request costs more */
	struct lp_progress progress;	/* of the conn's backlog, once the reply has been written */
	size_t unread;			/* of the body, by whoever serves the exchange */
	size_t dropped;
	size_t extra;			/* trailers and chunk extensions */
	const char *words;		/* why a callback of the parser refused */
	enum lp_code refused;
	enum state state;
	bool begun : 1;			/* a first byte of the head has come */
	bool keep : 1;			/* another request may follow */
	bool expects : 1;		/* the client waits for 100 Continue */
	bool http10 : 1, is_head : 1;
	bool chunked : 1;		/* the reply is */
	bool until_close : 1;		/* the reply's end is that of the connection */
	bool replied : 1;
	bool ended : 1;			/* the client will send no more */
	bool draining : 1;
};

static void parse_rest(struct wire *w);

/* ---- time ---- */

static void set_due(struct wire *w, int64_t after)
{
	int64_t now = lp_mono(w->want.loop);

	w->due = after >= LP_NEVER - now ? LP_NEVER : now + after;
	if (w->due != LP_NEVER && (!lp_timer_is_set(&w->timer) || w->due < w->timer.at))
		lp_timer_set(&w->timer, w->want.loop, after);
}

static void count_refused(const struct wire *w, const char *reason)
{
	if (w->want.metrics)
		lp_metric_add(w->want.metrics, LP_M_HTTP_REFUSED, LP_LABELS(reason), 1);
}

/* ---- the end of the connection ---- */

static void closed(struct wire *w)
{
	w->conn = NULL;
	w->state = CLOSED;
	lp_timer_clear(&w->timer);
	lp_http1_head_clear(&w->head);
	lp_buf_clear(&w->rest);
	/* Last of all: the exchange's last event comes before its scope goes. */
	lp_unready(&w->soon);
	lp_ready(w->want.loop, &w->soon);
}

static void exchange_gone(struct wire *w, enum lp_code why, const char *words)
{
	struct lp_exchange *ex = w->ex;

	w->ex = NULL;
	if (ex)
		lp_exchange_wire_gone(ex, why, words);
}

static void close_now(struct wire *w)
{
	struct lp_conn *conn = w->conn;

	closed(w);
	lp_conn_close(conn);
}

static void finish(struct wire *w)
{
	struct lp_conn *conn = w->conn;

	closed(w);
	lp_conn_finish(conn);
}

static void watch_reader(struct wire *w)
{
	lp_progress_waits(&w->progress, lp_mono(w->want.loop), lp_conn_taken(w->conn));
	set_due(w, w->progress.since + w->want.limits->write_stall - lp_mono(w->want.loop));
}

/* Let the backlog go out first: a finishing conn has little patience. */
static void leave(struct wire *w)
{
	w->state = LEAVE;
	lp_buf_clear(&w->rest);
	lp_conn_pause(w->conn, false);
	if (lp_conn_backlog(w->conn) == 0)
		finish(w);
	else
		watch_reader(w);
}

/* ---- what cannot be served ---- */

static void write_error(struct wire *w, enum lp_code code, const char *words)
{
	struct lp_err e = { 0 };

	lp_fail(&e, code, "%s", words ? words : lp_code_words(code));
	lp_http1_write_error(lp_conn_out(w->conn), lp_http_date(w->want.date, lp_wall(w->want.loop)), &e);
	lp_conn_flush_soon(w->conn);
}

/* A request that is malformed says nothing reliable about where the next one begins: the connection ends. */
static void refuse(struct wire *w, enum lp_code code, const char *words)
{
	bool replied = w->ex && w->replied;

	count_refused(w, lp_code_name(code));
	exchange_gone(w, code, words);
	if (replied && w->until_close) {
		struct lp_conn *conn = w->conn;

		closed(w);
		lp_conn_reset(conn);
		return;
	}
	if (!replied)
		write_error(w, code, words);
	leave(w);
}

/* ---- parsing ---- */

static int refused(struct wire *w, enum lp_code code, const char *words)
{
	w->refused = code;
	w->words = words;
	return HPE_USER;
}

static int add(struct wire *w, enum lp_http1_part part, const char *at, size_t len)
{
	if (w->state != HEAD) {		/* trailers, which nobody asked for */
		w->extra += len;
		return w->extra > LP_HTTP1_EXTRA ? refused(w, LP_HEADERS_TOO_LARGE, "the trailers are too large") : 0;
	}
	enum lp_code code =
		lp_http1_head_add(&w->head, part, lp_span_of(at, len), w->want.limits->header_bytes);
	return code == LP_OK ? 0 : refused(w, code, NULL);
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
	return add(parser->data, LP_HTTP1_TARGET_PART, at, len);
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
	return add(parser->data, LP_HTTP1_NAME, at, len);
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
	return add(parser->data, LP_HTTP1_VALUE, at, len);
}

static int on_extension(llhttp_t *parser, const char *at, size_t len)
{
	struct wire *w = parser->data;

	(void)at;
	w->extra += len + 1;
	return w->extra > LP_HTTP1_EXTRA ? refused(w, LP_BAD_REQUEST, "chunk extensions without end") : 0;
}

static const struct lp_exchange_wire h1_wire;

static void open_exchange(struct wire *w, const struct lp_http1_request *request)
{
	bool chunked = w->parser.flags & F_CHUNKED;
	struct lp_exchange_head head = {
		.method = lp_span(llhttp_method_name(w->parser.method)),
		.target = request->target,
		.headers = request->headers,
		.length = chunked ? -1 : (int64_t)w->parser.content_length,
		.no_body = !chunked && w->parser.content_length == 0,
		.tls = lp_conn_is_tls(w->conn),
	};

	if (!w->peer)
		w->peer = lp_strdup(w->want.scope, lp_span(lp_conn_peer(w->conn)));
	head.peer = w->peer;
	w->ex = lp_exchange_wire_open(w->want.scope, w->want.owner, &h1_wire, w, &head);
}

static int on_head(llhttp_t *parser)
{
	struct wire *w = parser->data;
	struct lp_http1_request request = {
		.major = parser->http_major,
		.minor = parser->http_minor,
		.connect = parser->method == HTTP_CONNECT,
	};
	const char *words = NULL;

	request.headers = lp_http1_head_whole(&w->head, &request.target);
	request.fields = w->head.fields;
	enum lp_code code = lp_http1_request_check(&request, &words);

	if (code != LP_OK)
		return refused(w, code, words);
	w->keep = request.keep;
	w->expects = request.expects;
	w->http10 = request.minor == 0;
	w->is_head = parser->method == HTTP_HEAD;
	parser->upgrade = 0;		/* an Upgrade may be ignored (RFC 9110 7.8), and is */
	open_exchange(w, &request);
	lp_http1_head_clear(&w->head);
	w->state = BODY;
	w->due = LP_NEVER;
	return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct wire *w = parser->data;

	w->expects = false;		/* it did not wait */
	if (w->state == BODY) {
		w->unread += len;
		lp_exchange_wire_body(w->ex, lp_span_of(at, len));
	} else {
		w->dropped += len;
	}
	return 0;
}

static int on_message(llhttp_t *parser)
{
	struct wire *w = parser->data;

	if (w->state == BODY) {
		w->state = REPLY;
		lp_exchange_wire_body_end(w->ex);
	}
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_headers_complete = on_head,
	.on_chunk_extension_name = on_extension,
	.on_chunk_extension_value = on_extension,
	.on_body = on_body,
	.on_message_complete = on_message,
};

static void await_request(struct wire *w)
{
	llhttp_init(&w->parser, HTTP_REQUEST, &settings);
	w->parser.data = w;
	w->state = HEAD;
	w->begun = w->replied = w->chunked = w->until_close = w->expects = false;
	w->unread = w->dropped = w->extra = 0;
}

static void refuse_parsed(struct wire *w, llhttp_errno_t err)
{
	bool known = w->parser.http_major == 1 && w->parser.http_minor <= 1;

	if (w->refused != LP_OK)
		refuse(w, w->refused, w->words);
	else if (err == HPE_INVALID_VERSION && !known)
		refuse(w, LP_VERSION, NULL);
	else
		refuse(w, LP_BAD_REQUEST, llhttp_get_error_reason(&w->parser));
}

/* The request has been answered and has come whole, or will be taken no more of. */
static void next_request(struct wire *w)
{
	if (!w->keep || w->draining || w->ended) {
		leave(w);
		return;
	}
	await_request(w);
	if (lp_conn_backlog(w->conn) > WATCHED)
		watch_reader(w);
	else
		set_due(w, w->want.limits->idle_time);
	lp_conn_pause(w->conn, false);
	if (w->rest.len)
		lp_ready(w->want.loop, &w->soon);
}

/* Returns how much was eaten; what is left belongs to the next request. */
static size_t parse(struct wire *w, struct lp_span bytes)
{
	if (w->state == HEAD && !w->begun) {
		w->begun = true;
		set_due(w, w->want.limits->header_time);
	}
	llhttp_errno_t err = llhttp_execute(&w->parser, bytes.at, bytes.len);
	size_t eaten = bytes.len;

	if (err == HPE_PAUSED) {
		eaten = (size_t)(llhttp_get_error_pos(&w->parser) - bytes.at);
		if (w->state == DROP)
			next_request(w);
	} else if (err != HPE_OK) {
		refuse_parsed(w, err);
	} else if (w->state == DROP && w->dropped > DROP_MAX) {
		leave(w);
	}
	return eaten;
}

/* One who asks and asks and does not read the replies gets no further. */
static bool takes_bytes(const struct wire *w)
{
	if (w->state == HEAD)
		return lp_conn_backlog(w->conn) < LP_CONN_HIGH;
	return w->state == BODY || w->state == DROP;
}

static void update_pause(struct wire *w)
{
	if (w->state == BODY)
		lp_conn_pause(w->conn, w->unread >= UNREAD_HIGH);
	else if (w->state != CLOSED && w->state != LEAVE)
		lp_conn_pause(w->conn, w->rest.len > 0);
}

static void on_bytes(void *self, struct lp_span bytes)
{
	struct wire *w = self;

	if (takes_bytes(w) && !w->rest.len)
		bytes = lp_span_skip(bytes, parse(w, bytes));
	if (w->state == LEAVE || w->state == CLOSED)
		return;
	if (bytes.len)
		lp_buf_add_span(&w->rest, bytes);	/* bounded: reading pauses now */
	if (w->state == HEAD && w->rest.len)
		lp_ready(w->want.loop, &w->soon);
	update_pause(w);
}

static void parse_rest(struct wire *w)
{
	if (!w->rest.len || !takes_bytes(w))
		return;
	struct lp_buf rest = w->rest;

	w->rest = (struct lp_buf){ 0 };		/* parsing may end the connection and its buffers */
	lp_buf_eat(&rest, parse(w, lp_buf_span(&rest)));
	if (w->state == LEAVE || w->state == CLOSED || !rest.len) {
		lp_buf_clear(&rest);
	} else {
		w->rest = rest;
		if (w->state == HEAD)
			lp_ready(w->want.loop, &w->soon);
	}
	update_pause(w);
}

static void soon(void *self)
{
	struct wire *w = self;

	if (w->state != CLOSED)
		parse_rest(w);
	else
		w->want.on_closed(w->want.self);	/* frees us */
}

/* ---- the exchange's side ---- */

static void consumed(void *stream, size_t n)
{
	struct wire *w = stream;

	if (n == 0 && w->expects && w->state == BODY && !w->replied) {
		w->expects = false;
		lp_conn_write(w->conn, LP_SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
	}
	w->unread -= n < w->unread ? n : w->unread;
	if (w->state == BODY && w->unread <= UNREAD_LOW)
		lp_conn_pause(w->conn, false);
}

/* With much of the body still to come the connection is not worth keeping (RFC 9112 9.3: the client must be
 * told). */
static bool body_is_long(const struct wire *w)
{
	return w->state == BODY && !(w->parser.flags & F_CHUNKED) && w->parser.content_length > DROP_MAX;
}

static void write_framing(struct wire *w, struct lp_buf *out, int status, int64_t length)
{
	bool bodiless = status < 200 || status == 204 || status == 304;

	w->chunked = w->until_close = false;
	if (length >= 0 && !bodiless) {
		lp_http_field_number(out, "content-length", (uint64_t)length);
	} else if (!bodiless && !w->http10) {
		lp_buf_add_text(out, "transfer-encoding: chunked\r\n");
		w->chunked = !w->is_head;
	} else if (!bodiless) {
		w->keep = false;
		w->until_close = !w->is_head;
	}
}

static void reply_head(void *stream, int status, int64_t length, struct lp_headers headers)
{
	struct wire *w = stream;
	struct lp_buf *out = lp_conn_out(w->conn);

	w->replied = true;
	if (!out->cap)
		lp_buf_room(out, 512 + (length > 0 && length < WATCHED ? (size_t)length : 0));
	lp_http_status_line(out, status);
	lp_http_field(out, LP_SPAN("date"), lp_http_date(w->want.date, lp_wall(w->want.loop)));
	for (int i = 0; i < headers.n; i++) {
		if (!lp_http_is_hop_field(headers.at[i].name))
			lp_http_field(out, headers.at[i].name, headers.at[i].value);
	}
	write_framing(w, out, status, length);
	if (w->draining || w->ended || w->expects || body_is_long(w))
		w->keep = false;
	if (!w->keep)
		lp_buf_add_text(out, "connection: close\r\n");
	else if (w->http10)
		lp_buf_add_text(out, "connection: keep-alive\r\n");
	lp_buf_add(out, "\r\n", 2);
	lp_conn_flush_soon(w->conn);
}

static void reply_data(void *stream, struct lp_span bytes)
{
	struct wire *w = stream;

	if (w->chunked)
		lp_http_chunk_size(lp_conn_out(w->conn), bytes.len);
	lp_conn_write(w->conn, bytes);
	if (w->chunked)
		lp_conn_write(w->conn, LP_SPAN("\r\n"));
}

static void reply_end(void *stream, struct lp_headers trailers)
{
	struct wire *w = stream;
	struct lp_exchange *ex = w->ex;

	(void)trailers;		/* nobody asked for them: no TE is read (RFC 9110 6.5.1) */
	if (w->chunked)
		lp_conn_write(w->conn, LP_SPAN("0\r\n\r\n"));
	w->ex = NULL;
	lp_exchange_wire_done(ex);
	if (w->state == REPLY) {
		next_request(w);
	} else if (!w->keep) {
		leave(w);
	} else {
		w->state = DROP;
		set_due(w, DROP_TIME);
		lp_conn_pause(w->conn, false);
	}
}

static size_t reply_room(const void *stream)
{
	const struct wire *w = stream;
	size_t backlog = lp_conn_backlog(w->conn);

	return backlog < LP_CONN_HIGH ? LP_CONN_HIGH - backlog : 0;
}

/* What is left of a reply that was cut must not look whole: without framing only a reset tells. */
static void reply_abort(void *stream, enum lp_code why)
{
	struct wire *w = stream;
	struct lp_conn *conn = w->conn;

	w->ex = NULL;
	if (w->until_close || why == LP_GONE) {
		closed(w);
		lp_conn_reset(conn);
	} else {
		leave(w);
	}
}

static const struct lp_exchange_wire h1_wire = {
	.consumed = consumed,
	.head = reply_head,
	.data = reply_data,
	.end = reply_end,
	.room = reply_room,
	.abort = reply_abort,
};

/* ---- the conn's side ---- */

static void on_open(void *self)
{
	(void)self;
}

static void on_room(void *self)
{
	struct wire *w = self;

	if (w->ex)
		lp_exchange_wire_room(w->ex);
	else if (w->state == HEAD && w->rest.len)
		lp_ready(w->want.loop, &w->soon);
}

static void on_flushed(void *self)
{
	struct wire *w = self;

	lp_progress_rests(&w->progress);
	if (w->state == LEAVE)
		finish(w);
	else if (w->state == HEAD && !w->begun)
		set_due(w, w->want.limits->idle_time);
}

/* A client that has closed and one that has only sent its end (a pipe into netcat) look the same.  A reply
 * that is ready in a moment still goes out; a job that takes longer is nobody's any more. */
static void half_closed(struct wire *w)
{
	w->ended = true;
	w->keep = false;
	if (w->state == REPLY && !w->replied) {
		set_due(w, HALF_CLOSED);
	} else if (w->state == BODY) {
		exchange_gone(w, LP_GONE, "the client left in the middle of the body");
		close_now(w);
	} else if (w->state == HEAD || w->state == DROP) {
		leave(w);
	}
}

static void on_end(void *self, enum lp_code why, const char *words)
{
	struct wire *w = self;

	if (why == LP_OK) {
		half_closed(w);
		return;
	}
	exchange_gone(w, LP_GONE, words);
	close_now(w);
}

/* ---- time is up ---- */

static void write_late(struct wire *w)
{
	if (!lp_progress_failed(&w->progress, lp_mono(w->want.loop), lp_conn_taken(w->conn), w->want.limits)) {
		watch_reader(w);
		return;
	}
	count_refused(w, "write_stall");
	close_now(w);
}

static void head_late(struct wire *w)
{
	if (w->begun) {
		count_refused(w, "header_time");
		write_error(w, LP_SLOW_REQUEST, NULL);
	} else if (lp_conn_backlog(w->conn) > 0) {
		write_late(w);
		return;
	}
	leave(w);
}

static void time_is_up(struct wire *w)
{
	switch (w->state) {
	case HEAD:
		head_late(w);
		break;
	case BODY:
	case REPLY:
		if (w->ended && !w->replied) {
			exchange_gone(w, LP_GONE, "the client left");
			close_now(w);
		}
		break;
	case DROP:
		leave(w);
		break;
	case LEAVE:
		write_late(w);
		break;
	case CLOSED:
		break;
	}
}

static void on_timer(void *self)
{
	struct wire *w = self;
	int64_t due = w->due, now = lp_mono(w->want.loop);

	if (due > now) {
		if (due != LP_NEVER)
			lp_timer_set(&w->timer, w->want.loop, due - now);
		return;
	}
	w->due = LP_NEVER;
	time_is_up(w);
}

/* ---- for server.c ---- */

static const struct lp_conn_user conn_user = {
	.on_open = on_open,
	.on_bytes = on_bytes,
	.on_room = on_room,
	.on_end = on_end,
	.on_flushed = on_flushed,
};

void *lp_http1_server_open(const struct lp_server_conn_want *want, struct lp_conn *conn, struct lp_span first)
{
	struct wire *w = lp_new(want->scope, struct wire);

	w->want = *want;
	w->conn = conn;
	w->keep = true;
	w->soon = (struct lp_ready){ .run = soon, .self = w };
	w->timer = (struct lp_timer){ .fire = on_timer, .self = w };
	lp_conn_use(conn, &conn_user, w);
	await_request(w);
	set_due(w, want->limits->header_time);
	if (first.len)
		on_bytes(w, first);
	return w;
}

static void drain(void *wire)
{
	struct wire *w = wire;

	w->draining = true;
	if (w->state == HEAD && !w->begun && !w->rest.len)
		leave(w);
}

static void close_wire(void *wire)
{
	struct wire *w = wire;

	lp_unready(&w->soon);
	if (w->state == CLOSED)
		return;
	close_now(w);
	lp_unready(&w->soon);
	w->ex = NULL;		/* its scope closes with the connection's */
}

const struct lp_server_conn_ops lp_http1_server_ops = { .drain = drain, .close = close_wire };
