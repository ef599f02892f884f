/* HTTP/2 as a server: each stream is an exchange.
 *
 * What the peer may make us do for nothing is bounded: streams by SETTINGS, resets, pings, settings and
 * broken frames by a bucket, heads by bytes, everything by a deadline. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>
#include <lpd/io/timer.h>

#include "http2_server.h"

#define STOP_TIME (300 * LP_MSEC)
#define WITHHELD_TIME (50 * LP_MSEC)	/* how often it is looked whether the connection's window may be opened again */
#define DRAIN_TIME LP_SEC	/* from the first GOAWAY to the final one, when the peer answers no ping */

/* How often a peer may do what costs us and brings nothing.  An honest one cancels whole batches at once, so
 * the burst is a multiple of the stream limit. */
#define BURST_PER_STREAM 16
#define RATE_PER_STREAM 4

/* ---- limits ---- */

void lp_h2_server_refused(struct lp_h2_server *server, const char *reason)
{
	if (server->want.metrics)
		lp_metric_add(server->want.metrics, LP_M_HTTP_REFUSED, LP_LABELS(reason), 1);
}

/* One more frame that an attacker sends cheaply. */
static void charge(struct lp_h2_server *server)
{
	if (lp_bucket_take(&server->bucket, lp_mono(server->want.loop)))
		return;
	if (!server->h2.dead)
		lp_h2_server_refused(server, "flood");
	server->h2.dead = true;
	nghttp2_session_terminate_session(server->h2.session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void take_limits(struct lp_h2_server *server)
{
	int64_t streams = server->want.limits->streams;

	server->limits = *server->want.limits;
	lp_bucket_init(&server->bucket, lp_mono(server->want.loop), streams * BURST_PER_STREAM, streams * RATE_PER_STREAM);
}

/* ---- what comes from the peer ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct lp_h2_server *server = user;

	(void)session;
	lp_h2_head_clear(&server->h2.head);
	server->head_since = lp_mono(server->want.loop);
	server->head_id = frame->hd.stream_id;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		lp_h2_stream_open(server, frame->hd.stream_id);
	return 0;
}

static void on_headers(struct lp_h2_server *server, const nghttp2_frame *frame)
{
	struct lp_h2_stream *stream = nghttp2_session_get_stream_user_data(server->h2.session, frame->hd.stream_id);
	bool last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	server->head_since = 0;
	server->head_id = 0;
	if (stream && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		stream->received = last;
		lp_h2_stream_request(server, stream);
	} else if (stream && last) {
		lp_h2_stream_received(stream);		/* a request's trailers mean nothing to us */
	}
	lp_h2_head_clear(&server->h2.head);
}

static void send_final(struct lp_h2_server *server)
{
	if (server->final_sent)
		return;
	server->final_sent = true;
	nghttp2_submit_goaway(server->h2.session, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(server->h2.session), NGHTTP2_NO_ERROR, NULL, 0);
	lp_h2_dirty(&server->h2);
}

static void on_data_frame(struct lp_h2_server *server, const nghttp2_frame *frame)
{
	struct lp_h2_stream *stream = nghttp2_session_get_stream_user_data(server->h2.session, frame->hd.stream_id);

	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
		if (stream)
			lp_h2_stream_received(stream);
	} else if (frame->hd.length == 0) {
		charge(server);
	}
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct lp_h2_server *server = user;

	(void)session;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		on_headers(server, frame);
		break;
	case NGHTTP2_DATA:
		on_data_frame(server, frame);
		break;
	case NGHTTP2_SETTINGS:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			charge(server);
		server->head_since = 0;
		break;
	case NGHTTP2_PING:
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && server->draining)
			send_final(server);
		else
			charge(server);
		break;
	case NGHTTP2_RST_STREAM:
	case NGHTTP2_PRIORITY:
		charge(server);
		break;
	}
	return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user)
{
	struct lp_h2_server *server = user;

	(void)session;
	(void)error;
	if (frame->hd.type == NGHTTP2_HEADERS)
		server->h2.head.refused = true;
	charge(server);
	return 0;
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len, void *user)
{
	struct lp_h2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
	struct lp_h2_server *server = user;

	(void)flags;
	if (lp_exchange_held_much(server->want.owner->held))
		server->withheld += len;
	else
		nghttp2_session_consume_connection(session, len);
	if (stream && stream->ex)
		lp_exchange_wire_body(stream->ex, lp_span_of(bytes, len));
	else
		nghttp2_session_consume_stream(session, id, len);
	return 0;
}

/* ---- what leaves ---- */

/* The whole reply has been framed.  A request that still comes is read and dropped for a moment, since there
 * are clients that lose the answer with a reset (libcurl 7.88); then stopped with NO_ERROR (RFC 9113, 8.1). */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR)
		charge(user);	/* our own resets too: a peer may provoke them */
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	struct lp_h2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (!stream)
		return 0;
	if (frame->hd.type == NGHTTP2_DATA)
		stream->sent += (int64_t)frame->hd.length;
	if (!lp_h2_out_left(&stream->out))
		lp_progress_rests(&stream->progress);
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	stream->replied = true;
	if (!stream->received) {
		stream->stop_at = lp_mono(stream->server->want.loop) + STOP_TIME;
		stream->server->stop_at = stream->server->stop_at ? stream->server->stop_at : stream->stop_at;
		if (stream->ex)
			lp_exchange_wire_done(stream->ex);
		stream->ex = NULL;
	}
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
	struct lp_h2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
	struct lp_h2_server *server = user;

	if (id == server->head_id)
		server->h2.head.refused = true;		/* its trailers were on their way */
	if (!stream)
		return 0;
	if (stream->replied && stream->ex)
		lp_exchange_wire_done(stream->ex);
	else
		lp_h2_stream_gone(stream, LP_GONE, lp_h2_error_words(error));
	nghttp2_session_set_stream_user_data(session, id, NULL);
	lp_h2_stream_free(stream);
	return 0;
}

/* ---- the connection's life ---- */

static void run_closed(void *self)
{
	struct lp_h2_server *server = self;
	void (*on_closed)(void *) = server->want.on_closed;
	void *owner = server->want.self;

	lp_mem_free(server);
	on_closed(owner);
}

/* All streams end, the conn goes: nghttp2 would not call back for them (research: trap 4). */
static void end_all(struct lp_h2_server *server, enum lp_code why, const char *words)
{
	server->ended = true;
	lp_timer_clear(&server->timer);
	lp_list_each(&server->streams, stream, struct lp_h2_stream, link) {
		lp_h2_stream_gone(stream, why, words);
		lp_h2_stream_free(stream);
	}
	lp_h2_close(&server->h2);
}

static void end(struct lp_h2_server *server, enum lp_code why, const char *words, bool orderly)
{
	if (server->ended)
		return;
	end_all(server, why, words);
	if (orderly)
		lp_conn_finish(server->h2.conn);
	else
		lp_conn_close(server->h2.conn);
	/* Behind the rows of its exchanges, which are ready by now: each has had its last event, and is gone, before
	 * the scope of all closes.  Rows run in their order; those before a sleep may come in between. */
	lp_ready(server->want.loop, &server->closed);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void arm(struct lp_h2_server *server)
{
	const struct lp_server_limits *l = &server->limits;
	int64_t now = lp_mono(server->want.loop);
	int64_t due = LP_NEVER;

	if (server->head_since)
		due = server->head_since + l->header_time;
	if (server->n_streams || lp_conn_backlog(server->h2.conn))
		due = earlier(due, now + l->write_stall / 4 + 1);
	else
		due = earlier(due, server->idle_since + l->idle_time);
	if (server->draining && !server->final_sent)
		due = earlier(due, now + DRAIN_TIME);
	if (server->stop_at)
		due = earlier(due, server->stop_at);
	if (server->withheld)
		due = earlier(due, now + WITHHELD_TIME);
	if (!lp_timer_is_set(&server->timer) || server->timer.at > due)
		lp_timer_set(&server->timer, server->want.loop, due - now);
}

/* nghttp2 tells of a head's end only when it liked the head: the deadline would end a healthy connection.  One
 * who draws a refused head out for ever has no more than an idle connection, which ends as such. */
static void forget_refused_head(struct lp_h2_server *server)
{
	if (!server->head_id || !server->h2.head.refused)
		return;
	server->head_since = 0;
	server->head_id = 0;
}

/* Others have consumed what they held: this connection's clients may go on. */
static void give_withheld(struct lp_h2_server *server)
{
	if (!server->withheld || lp_exchange_held_much(server->want.owner->held))
		return;
	nghttp2_session_consume_connection(server->h2.session, server->withheld);
	server->withheld = 0;
	lp_h2_dirty(&server->h2);
}

static void after(void *self)
{
	struct lp_h2_server *server = self;

	if (server->ended)
		return;
	forget_refused_head(server);
	if (lp_conn_backlog(server->h2.conn))
		lp_progress_waits(&server->progress, lp_mono(server->want.loop), lp_conn_taken(server->h2.conn));
	bool over = !nghttp2_session_want_read(server->h2.session) && !nghttp2_session_want_write(server->h2.session);
	if (over || (server->h2.dead && !nghttp2_session_want_write(server->h2.session)))
		end(server, LP_GONE, "the connection ended", true);
	else
		arm(server);
}

/* A stream whose client opens no window, or one byte at a time, holds its exchange for nothing; one that was answered early ends. */
static void end_stalled(struct lp_h2_server *server, int64_t now)
{
	server->stop_at = 0;
	lp_list_each(&server->streams, stream, struct lp_h2_stream, link) {
		if (stream->stop_at && stream->stop_at <= now)
			lp_h2_stream_reset(stream, NGHTTP2_NO_ERROR);
		else if (stream->stop_at)
			server->stop_at = server->stop_at ? earlier(server->stop_at, stream->stop_at) : stream->stop_at;
		if (lp_progress_failed(&stream->progress, now, stream->sent, &server->limits)) {
			lp_h2_server_refused(server, "write_stall");
			lp_progress_rests(&stream->progress);
			lp_h2_stream_gone(stream, LP_GONE, "the client does not read");
			lp_h2_out_cut(&stream->out);
			lp_h2_stream_reset(stream, NGHTTP2_CANCEL);
		}
	}
}

static void drain(void *self)
{
	struct lp_h2_server *server = self;

	if (server->draining || server->ended)
		return;
	server->draining = true;
	/* Requests that are on their way are still taken; the ping's answer tells that no more are. */
	nghttp2_submit_shutdown_notice(server->h2.session);
	nghttp2_submit_ping(server->h2.session, NGHTTP2_FLAG_NONE, NULL);
	lp_timer_clear(&server->timer);
	lp_h2_dirty(&server->h2);
	arm(server);
}

static void fire(void *self)
{
	struct lp_h2_server *server = self;
	const struct lp_server_limits *l = &server->limits;
	struct lp_conn *conn = server->h2.conn;
	int64_t now = lp_mono(server->want.loop);

	if (server->head_since && now - server->head_since >= l->header_time) {
		lp_h2_server_refused(server, "slow");
		end(server, LP_SLOW_REQUEST, "the head did not come in time", true);
		return;
	}
	if (lp_conn_backlog(conn) && lp_progress_failed(&server->progress, now, lp_conn_taken(conn), l)) {
		lp_h2_server_refused(server, "write_stall");
		end(server, LP_GONE, "the client does not read", false);
		return;
	}
	end_stalled(server, now);
	give_withheld(server);
	if (server->draining)
		send_final(server);
	else if (!server->n_streams && now - server->idle_since >= l->idle_time)
		drain(server);
	arm(server);
}

/* ---- the conn's callbacks ---- */

/* It was open before it came here, or is from its first bytes on. */
static void on_open(void *self)
{
	(void)self;
}

static void on_bytes(void *self, struct lp_span bytes)
{
	struct lp_h2_server *server = self;

	if (!server->ended)
		lp_h2_receive(&server->h2, bytes);
}

static void on_conn_room(void *self)
{
	struct lp_h2_server *server = self;

	lp_h2_dirty(&server->h2);
}

static void on_flushed(void *self)
{
	struct lp_h2_server *server = self;

	lp_progress_rests(&server->progress);
}

static void on_conn_end(void *self, enum lp_code why, const char *words)
{
	end(self, why == LP_OK ? LP_GONE : why, why == LP_OK ? "the client closed the connection" : words, why == LP_OK);
}

static const struct lp_conn_user conn_user = {
	.on_open = on_open,
	.on_bytes = on_bytes,
	.on_room = on_conn_room,
	.on_end = on_conn_end,
	.on_flushed = on_flushed,
};

/* ---- what server.c asks ---- */

static void session_open(struct lp_h2_server *server)
{
	nghttp2_session_callbacks *callbacks = lp_h2_callbacks();
	nghttp2_option *option = lp_h2_options();

	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_chunk);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_option_set_stream_reset_rate_limit(option, (uint64_t)server->bucket.burst, (uint64_t)server->bucket.rate);
	int failed = nghttp2_session_server_new2(&server->h2.session, callbacks, server, option);
	lp_assert(failed == 0);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
}

void *lp_http2_server_open(const struct lp_server_conn_want *want, struct lp_conn *conn, struct lp_span first)
{
	struct lp_h2_server *server = lp_mem_zeroed(1, sizeof(*server));

	server->want = *want;
	lp_list_init(&server->streams);
	take_limits(server);
	server->closed = (struct lp_ready){ .run = run_closed, .self = server };
	server->timer = (struct lp_timer){ .fire = fire, .self = server };
	server->head_since = server->idle_since = lp_mono(want->loop);
	server->h2.after = after;
	server->h2.self = server;
	server->peer = lp_strdup(want->scope, lp_span(lp_conn_peer(conn)));
	lp_h2_open(&server->h2, want->loop, conn);
	session_open(server);
	lp_h2_settings(&server->h2, server->limits.streams, LP_H2_STREAM_WINDOW, server->limits.header_bytes);
	lp_conn_use(conn, &conn_user, server);
	if (first.len)
		lp_h2_receive(&server->h2, first);
	else
		arm(server);
	return server;
}

static void close_now(void *self)
{
	struct lp_h2_server *server = self;

	lp_unready(&server->closed);
	if (!server->ended) {
		end_all(server, LP_DRAINING, "the server is closed");
		lp_conn_close(server->h2.conn);
	}
	lp_mem_free(server);
}

const struct lp_server_conn_ops lp_http2_server_ops = {
	.drain = drain,
	.close = close_now,
};
