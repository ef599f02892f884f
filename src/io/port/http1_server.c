/* HTTP/1.1 from the server's side: one connection, one exchange after the other.
 *
 * llhttp stops at the end of each message; what came behind it waits in `rest`, and reading pauses, until
 * the reply has been written.  While an exchange runs the connection is read all the same, so that a client
 * that leaves is noticed. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/io/timer.h>

#include "http1_server.h"
#include "http_head.h"

#define UNREAD_HIGH (64 * 1024)		/* of a body: stop reading, go on */
#define HALF_CLOSED (250 * LP_MSEC)	/* for a reply to a client that has sent its end; see on_end */

static void parse_rest(struct lp_h1_server *w);

/* ---- time ---- */

void lp_h1_server_due(struct lp_h1_server *w, int64_t after)
{
	int64_t now = lp_mono(w->want.loop);

	w->due = after >= LP_NEVER - now ? LP_NEVER : now + after;
	if (w->due != LP_NEVER && (!lp_timer_is_set(&w->timer) || w->due < w->timer.at))
		lp_timer_set(&w->timer, w->want.loop, after);
}

static void count_refused(const struct lp_h1_server *w, const char *reason)
{
	if (w->want.metrics)
		lp_metric_add(w->want.metrics, LP_M_HTTP_REFUSED, LP_LABELS(reason), 1);
}

/* ---- the end of the connection ---- */

void lp_h1_server_closed(struct lp_h1_server *w)
{
	w->conn = NULL;
	w->state = LP_H1_CLOSED;
	lp_timer_clear(&w->timer);
	lp_http1_head_clear(&w->head);
	lp_buf_clear(&w->rest);
	/* Last of all: the exchange's last event comes before its scope goes. */
	lp_unready(&w->soon);
	lp_ready(w->want.loop, &w->soon);
}

static void exchange_gone(struct lp_h1_server *w, enum lp_code why, const char *words)
{
	struct lp_exchange *ex = w->ex;

	w->ex = NULL;
	if (ex)
		lp_exchange_wire_gone(ex, why, words);
}

static void close_now(struct lp_h1_server *w)
{
	struct lp_conn *conn = w->conn;

	lp_h1_server_closed(w);
	lp_conn_close(conn);
}

static void finish(struct lp_h1_server *w)
{
	struct lp_conn *conn = w->conn;

	lp_h1_server_closed(w);
	lp_conn_finish(conn);
}

static void watch_reader(struct lp_h1_server *w)
{
	lp_progress_waits(&w->progress, lp_mono(w->want.loop), lp_conn_taken(w->conn));
	lp_h1_server_due(w, w->progress.since + w->want.limits->write_stall - lp_mono(w->want.loop));
}

/* Let the backlog go out first: a finishing conn has little patience. */
void lp_h1_server_leave(struct lp_h1_server *w)
{
	w->state = LP_H1_LEAVE;
	lp_buf_clear(&w->rest);
	lp_conn_pause(w->conn, false);
	if (lp_conn_backlog(w->conn) == 0)
		finish(w);
	else
		watch_reader(w);
}

/* ---- what cannot be served ---- */

static void write_error(struct lp_h1_server *w, enum lp_code code, const char *words)
{
	struct lp_err e = { 0 };

	lp_fail(&e, code, "%s", words ? words : lp_code_words(code));
	lp_http1_write_error(lp_conn_out(w->conn), lp_http_date(w->want.date, lp_wall(w->want.loop)), &e);
	lp_conn_flush_soon(w->conn);
}

/* A request that is malformed says nothing reliable about where the next one begins: the connection ends. */
static void refuse(struct lp_h1_server *w, enum lp_code code, const char *words)
{
	bool replied = w->ex && w->replied;

	count_refused(w, lp_code_name(code));
	exchange_gone(w, code, words);
	if (replied && w->until_close) {
		struct lp_conn *conn = w->conn;

		lp_h1_server_closed(w);
		lp_conn_reset(conn);
		return;
	}
	if (!replied)
		write_error(w, code, words);
	lp_h1_server_leave(w);
}

/* ---- parsing ---- */

static int refused(struct lp_h1_server *w, enum lp_code code, const char *words)
{
	w->refused = code;
	w->words = words;
	return HPE_USER;
}

static int add(struct lp_h1_server *w, enum lp_http1_part part, const char *at, size_t len)
{
	if (w->state != LP_H1_HEAD) {		/* trailers, which nobody asked for */
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
	struct lp_h1_server *w = parser->data;

	(void)at;
	w->extra += len + 1;
	return w->extra > LP_HTTP1_EXTRA ? refused(w, LP_BAD_REQUEST, "chunk extensions without end") : 0;
}

static void open_exchange(struct lp_h1_server *w, const struct lp_http1_request *request)
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
	w->ex = lp_exchange_wire_open(w->want.scope, w->want.owner, &lp_h1_wire, w, &head);
}

static int on_head(llhttp_t *parser)
{
	struct lp_h1_server *w = parser->data;
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
	w->state = LP_H1_BODY;
	w->due = LP_NEVER;
	return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct lp_h1_server *w = parser->data;

	w->expects = false;		/* it did not wait */
	if (w->state == LP_H1_BODY) {
		w->unread += len;
		lp_exchange_wire_body(w->ex, lp_span_of(at, len));
	} else {
		w->dropped += len;
	}
	return 0;
}

static int on_message(llhttp_t *parser)
{
	struct lp_h1_server *w = parser->data;

	if (w->state == LP_H1_BODY) {
		w->state = LP_H1_REPLY;
		lp_exchange_wire_body_end(w->ex);
		if (w->hung)
			lp_h1_server_due(w, HALF_CLOSED);
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

static void await_request(struct lp_h1_server *w)
{
	llhttp_init(&w->parser, HTTP_REQUEST, &settings);
	w->parser.data = w;
	w->state = LP_H1_HEAD;
	w->begun = w->replied = w->chunked = w->until_close = w->expects = false;
	w->unread = w->dropped = w->extra = 0;
}

static void refuse_parsed(struct lp_h1_server *w, llhttp_errno_t err)
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
void lp_h1_server_next(struct lp_h1_server *w)
{
	if (!w->keep || w->draining || w->ended) {
		lp_h1_server_leave(w);
		return;
	}
	await_request(w);
	if (lp_conn_backlog(w->conn) > LP_H1_WATCHED)
		watch_reader(w);
	else
		lp_h1_server_due(w, w->want.limits->idle_time);
	lp_conn_pause(w->conn, false);
	if (w->rest.len)
		lp_ready(w->want.loop, &w->soon);
}

/* Returns how much was eaten; what is left belongs to the next request. */
static size_t parse(struct lp_h1_server *w, struct lp_span bytes)
{
	if (w->state == LP_H1_HEAD && !w->begun) {
		w->begun = true;
		lp_h1_server_due(w, w->want.limits->header_time);
	}
	llhttp_errno_t err = llhttp_execute(&w->parser, bytes.at, bytes.len);
	size_t eaten = bytes.len;

	if (err == HPE_PAUSED) {
		eaten = (size_t)(llhttp_get_error_pos(&w->parser) - bytes.at);
		if (w->state == LP_H1_DROP)
			lp_h1_server_next(w);
	} else if (err != HPE_OK) {
		refuse_parsed(w, err);
	} else if (w->state == LP_H1_DROP && w->dropped > LP_H1_DROP_MAX) {
		lp_h1_server_leave(w);
	}
	return eaten;
}

/* One who asks and asks and does not read the replies gets no further. */
static bool takes_bytes(const struct lp_h1_server *w)
{
	if (w->state == LP_H1_HEAD)
		return lp_conn_backlog(w->conn) < LP_CONN_HIGH;
	return w->state == LP_H1_BODY || w->state == LP_H1_DROP;
}

static void update_pause(struct lp_h1_server *w)
{
	if (w->state == LP_H1_BODY)
		lp_conn_pause(w->conn, w->unread >= UNREAD_HIGH);
	else if (w->state != LP_H1_CLOSED && w->state != LP_H1_LEAVE)
		lp_conn_pause(w->conn, w->rest.len > 0);
}

static void on_bytes(void *self, struct lp_span bytes)
{
	struct lp_h1_server *w = self;

	if (takes_bytes(w) && !w->rest.len)
		bytes = lp_span_skip(bytes, parse(w, bytes));
	if (w->state == LP_H1_LEAVE || w->state == LP_H1_CLOSED)
		return;
	if (bytes.len)
		lp_buf_add_span(&w->rest, bytes);	/* bounded: reading pauses now */
	if (w->state == LP_H1_HEAD && w->rest.len)
		lp_ready(w->want.loop, &w->soon);
	update_pause(w);
}

static void parse_rest(struct lp_h1_server *w)
{
	if (!w->rest.len || !takes_bytes(w))
		return;
	struct lp_buf rest = w->rest;

	w->rest = (struct lp_buf){ 0 };		/* parsing may end the connection and its buffers */
	lp_buf_eat(&rest, parse(w, lp_buf_span(&rest)));
	if (w->state == LP_H1_LEAVE || w->state == LP_H1_CLOSED || !rest.len) {
		lp_buf_clear(&rest);
	} else {
		w->rest = rest;
		if (w->state == LP_H1_HEAD)
			lp_ready(w->want.loop, &w->soon);
	}
	update_pause(w);
}

static void soon(void *self)
{
	struct lp_h1_server *w = self;

	if (w->state != LP_H1_CLOSED)
		parse_rest(w);
	else
		w->want.on_closed(w->want.self);	/* frees us */
}

/* ---- the conn's side ---- */

static void on_open(void *self)
{
	(void)self;
}

static void on_room(void *self)
{
	struct lp_h1_server *w = self;

	if (w->ex)
		lp_exchange_wire_room(w->ex);
	else if (w->state == LP_H1_HEAD && w->rest.len)
		lp_ready(w->want.loop, &w->soon);
}

static void on_flushed(void *self)
{
	struct lp_h1_server *w = self;

	lp_progress_rests(&w->progress);
	if (w->state == LP_H1_LEAVE)
		finish(w);
	else if (w->state == LP_H1_HEAD && !w->begun)
		lp_h1_server_due(w, w->want.limits->idle_time);
}

/* A client that has closed and one that has only sent its end (a pipe into netcat) look the same.  A reply
 * that is ready in a moment, or that goes on moving, still goes out; a job that brings nothing for as long is
 * nobody's any more (docs/decisions/0005). */
static void half_closed(struct lp_h1_server *w)
{
	w->ended = true;
	w->keep = false;
	if (w->state == LP_H1_REPLY) {
		lp_h1_server_due(w, HALF_CLOSED);
	} else if (w->state == LP_H1_BODY) {
		exchange_gone(w, LP_GONE, "the client left in the middle of the body");
		close_now(w);
	} else if (w->state == LP_H1_HEAD || w->state == LP_H1_DROP) {
		lp_h1_server_leave(w);
	}
}

/* Reading rests because of a pipelined request, which is no reason not to see that the client has left. */
static void on_hangup(void *self, bool broken)
{
	struct lp_h1_server *w = self;

	if (broken) {
		exchange_gone(w, LP_GONE, "the client reset the connection");
		close_now(w);
		return;
	}
	w->hung = true;
	if (w->state == LP_H1_REPLY)
		lp_h1_server_due(w, HALF_CLOSED);
}

static void on_end(void *self, enum lp_code why, const char *words)
{
	struct lp_h1_server *w = self;

	if (why == LP_OK) {
		half_closed(w);
		return;
	}
	exchange_gone(w, LP_GONE, words);
	close_now(w);
}

/* ---- time is up ---- */

static void write_late(struct lp_h1_server *w)
{
	if (!lp_progress_failed(&w->progress, lp_mono(w->want.loop), lp_conn_taken(w->conn), w->want.limits)) {
		watch_reader(w);
		return;
	}
	count_refused(w, "write_stall");
	close_now(w);
}

static void head_late(struct lp_h1_server *w)
{
	if (w->begun) {
		count_refused(w, "header_time");
		write_error(w, LP_SLOW_REQUEST, NULL);
	} else if (lp_conn_backlog(w->conn) > 0) {
		write_late(w);
		return;
	}
	lp_h1_server_leave(w);
}

/* As long as bytes go to a client that has closed, a reset will tell; without any, nothing ever would. */
static void look_for_client(struct lp_h1_server *w)
{
	int64_t given = (int64_t)(lp_conn_written(w->conn) + lp_conn_backlog(w->conn));
	bool moves = w->replied && (given != w->given || lp_conn_backlog(w->conn));
	struct lp_conn *conn = w->conn;

	w->given = given;
	if (moves) {
		lp_h1_server_due(w, HALF_CLOSED);
		return;
	}
	exchange_gone(w, LP_GONE, "the client left");
	lp_h1_server_closed(w);
	if (w->until_close)
		lp_conn_reset(conn);	/* a reply that was cut must not look whole */
	else
		lp_conn_close(conn);
}

static void time_is_up(struct lp_h1_server *w)
{
	switch (w->state) {
	case LP_H1_HEAD:
		head_late(w);
		break;
	case LP_H1_BODY:
	case LP_H1_REPLY:
		if (w->ended || w->hung)
			look_for_client(w);
		break;
	case LP_H1_DROP:
		lp_h1_server_leave(w);
		break;
	case LP_H1_LEAVE:
		write_late(w);
		break;
	case LP_H1_CLOSED:
		break;
	}
}

static void on_timer(void *self)
{
	struct lp_h1_server *w = self;
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
	.on_hangup = on_hangup,
};

void *lp_http1_server_open(const struct lp_server_conn_want *want, struct lp_conn *conn, struct lp_span first)
{
	struct lp_h1_server *w = lp_new(want->scope, struct lp_h1_server);

	w->want = *want;
	w->conn = conn;
	w->keep = true;
	w->soon = (struct lp_ready){ .run = soon, .self = w };
	w->timer = (struct lp_timer){ .fire = on_timer, .self = w };
	lp_conn_use(conn, &conn_user, w);
	await_request(w);
	lp_h1_server_due(w, want->limits->header_time);
	if (first.len)
		on_bytes(w, first);
	return w;
}

static void drain(void *wire)
{
	struct lp_h1_server *w = wire;

	w->draining = true;
	if (w->state == LP_H1_HEAD && !w->begun && !w->rest.len)
		lp_h1_server_leave(w);
}

static void close_wire(void *wire)
{
	struct lp_h1_server *w = wire;

	lp_unready(&w->soon);
	if (w->state == LP_H1_CLOSED)
		return;
	close_now(w);
	lp_unready(&w->soon);
	w->ex = NULL;		/* its scope closes with the connection's */
}

const struct lp_server_conn_ops lp_http1_server_ops = { .drain = drain, .close = close_wire };
