/* An HTTP/1.1 server's connection as its exchange sees it: the body is consumed, the reply is framed. */
#include <lpd/base/assert.h>

#include "http1_server.h"
#include "http_head.h"

#define UNREAD_LOW (32 * 1024)
#define DROP_TIME (5 * LP_SEC)

static void consumed(void *stream, size_t n)
{
	struct lp_h1_server *w = stream;

	if (n == 0 && w->expects && w->state == LP_H1_BODY && !w->replied) {
		w->expects = false;
		lp_conn_write(w->conn, LP_SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
	}
	w->unread -= n < w->unread ? n : w->unread;
	if (w->state == LP_H1_BODY && w->unread <= UNREAD_LOW)
		lp_conn_pause(w->conn, false);
}

/* With much of the body still to come the connection is not worth keeping (RFC 9112 9.3: the client must be
 * told). */
static bool body_is_long(const struct lp_h1_server *w)
{
	return w->state == LP_H1_BODY && !(w->parser.flags & F_CHUNKED) && w->parser.content_length > LP_H1_DROP_MAX;
}

static void write_framing(struct lp_h1_server *w, struct lp_buf *out, int status, int64_t length)
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
	struct lp_h1_server *w = stream;
	struct lp_buf *out = lp_conn_out(w->conn);

	w->replied = true;
	if (!out->cap)
		lp_buf_room(out, 512 + (length > 0 && length < LP_H1_WATCHED ? (size_t)length : 0));
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
	struct lp_h1_server *w = stream;

	if (w->chunked)
		lp_http_chunk_size(lp_conn_out(w->conn), bytes.len);
	lp_conn_write(w->conn, bytes);
	if (w->chunked)
		lp_conn_write(w->conn, LP_SPAN("\r\n"));
}

static void reply_end(void *stream, struct lp_headers trailers)
{
	struct lp_h1_server *w = stream;
	struct lp_exchange *ex = w->ex;

	(void)trailers;		/* nobody asked for them: no TE is read (RFC 9110 6.5.1) */
	if (w->chunked)
		lp_conn_write(w->conn, LP_SPAN("0\r\n\r\n"));
	w->ex = NULL;
	lp_exchange_wire_done(ex);
	if (w->state == LP_H1_REPLY) {
		lp_h1_server_next(w);
	} else if (!w->keep) {
		lp_h1_server_leave(w);
	} else {
		w->state = LP_H1_DROP;
		lp_h1_server_due(w, DROP_TIME);
		lp_conn_pause(w->conn, false);
	}
}

static size_t reply_room(const void *stream)
{
	const struct lp_h1_server *w = stream;
	size_t backlog = lp_conn_backlog(w->conn);

	return backlog < LP_CONN_HIGH ? LP_CONN_HIGH - backlog : 0;
}

/* What is left of a reply that was cut must not look whole: without framing only a reset tells. */
static void reply_abort(void *stream, enum lp_code why)
{
	struct lp_h1_server *w = stream;
	struct lp_conn *conn = w->conn;

	w->ex = NULL;
	if (w->until_close || why == LP_GONE) {
		lp_h1_server_closed(w);
		lp_conn_reset(conn);
	} else {
		lp_h1_server_leave(w);
	}
}

static int64_t reply_taken(const void *stream)
{
	const struct lp_h1_server *w = stream;

	return lp_conn_taken(w->conn);
}

const struct lp_exchange_wire lp_h1_wire = {
	.consumed = consumed,
	.head = reply_head,
	.data = reply_data,
	.end = reply_end,
	.room = reply_room,
	.abort = reply_abort,
	.taken = reply_taken,
};
