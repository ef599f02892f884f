/* HTTP/2 as a client: each call is a stream.
 *
 * What may be sent again is decided here, by fact: a stream that the peer refused, one above GOAWAY's last
 * id, and one of whose request not one byte left this process were not received.  Everything else may
 * have been (research: trap 2). */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>
#include <lpd/io/timer.h>

#include "http2.h"
#include "wires.h"

#define HEAD_LIMIT (128 * 1024)
#define STREAMS_BEFORE_SETTINGS 100	/* RFC 9113 advises a peer to allow no fewer */
#define STREAMS_MAX 1000
#define SILENCE (2 * LP_SEC)		/* after it a call that gives up has the peer probed */
#define PROBE_TIME (5 * LP_SEC)		/* how long a silent peer may take to answer a ping */

struct client {
	struct lp_h2 h2;		/* first: nghttp2's callbacks get it */
	struct lp_client_conn_want want;
	struct lp_list streams;
	int n_streams;
	bool settled;			/* the peer's SETTINGS have come */
	bool retired, ended;
	bool broken;			/* we told the peer so in a GOAWAY */
	bool doubted;			/* a call gave up on it: no new ones until the peer says something */
	int64_t heard;			/* when bytes came last */
	struct lp_ready closed;
	struct lp_timer probe;
};

struct stream {
	struct lp_link link;
	struct client *client;
	struct lp_call *call;		/* NULL: cancelled, or it has all it wanted */
	struct lp_h2_out out;
	int32_t id;
	bool framed;			/* the head was given to the conn, at this place among its bytes: */
	uint64_t place;
	bool request_done;
	bool head;			/* the final answer's head has come */
	int64_t last_sent;
};

/* ---- streams ---- */

static struct stream *stream_open(struct client *client, struct lp_call *call)
{
	struct stream *stream = lp_mem_zeroed(1, sizeof(*stream));

	stream->client = client;
	stream->call = call;
	lp_list_add(&client->streams, &stream->link);
	client->n_streams++;
	return stream;
}

static void stream_free(struct stream *stream)
{
	lp_link_out(&stream->link);
	stream->client->n_streams--;
	lp_h2_out_cut(&stream->out);
	lp_mem_free(stream);
}

static struct stream *stream_of(struct client *client, int32_t id)
{
	return nghttp2_session_get_stream_user_data(client->h2.session, id);
}

/* The call may be freed at any time from here on, and the request's body with it. */
static struct lp_call *let_go(struct stream *stream)
{
	struct lp_call *call = stream->call;

	stream->call = NULL;
	lp_h2_out_cut(&stream->out);
	return call;
}

static void stream_fail(struct stream *stream, enum lp_code why, bool not_received, const char *words)
{
	struct lp_call *call = let_go(stream);

	if (call)
		lp_call_wire_fail(call, why, not_received, words);
}

static void stream_reset(struct stream *stream, uint32_t error)
{
	nghttp2_submit_rst_stream(stream->client->h2.session, NGHTTP2_FLAG_NONE, stream->id, error);
	lp_h2_dirty(&stream->client->h2);
}

/* Not one byte of the request has left this process. */
static bool unsent(const struct stream *stream)
{
	return !stream->framed || lp_conn_written(stream->client->h2.conn) <= stream->place;
}

/* ---- what the call asks of its stream ---- */

static void resume(struct stream *stream)
{
	nghttp2_session_resume_data(stream->client->h2.session, stream->id);
	lp_h2_dirty(&stream->client->h2);
}

static void on_write(void *self, struct lp_span bytes)
{
	struct stream *stream = self;

	if (stream->out.ended || !bytes.len)
		return;
	lp_h2_out_add(&stream->out, bytes);
	resume(stream);
}

static void on_end_body(void *self)
{
	struct stream *stream = self;

	stream->out.ended = true;
	resume(stream);
}

static size_t on_room_asked(const void *self)
{
	const struct stream *stream = self;

	return lp_h2_out_room(&stream->out);
}

static void on_room(void *self)
{
	struct stream *stream = self;

	if (stream->call)
		lp_call_wire_room(stream->call);
}

static void on_consumed(void *self, size_t n)
{
	struct stream *stream = self;

	nghttp2_session_consume_stream(stream->client->h2.session, stream->id, n);
	lp_h2_dirty(&stream->client->h2);
}

/* A call that gives up unanswered casts doubt on the connection: has the peer died without a word? */
static void doubt(struct client *client)
{
	if (client->doubted || lp_mono(client->want.loop) - client->heard < SILENCE)
		return;
	client->doubted = true;
	nghttp2_submit_ping(client->h2.session, NGHTTP2_FLAG_NONE, NULL);
	lp_timer_set(&client->probe, client->want.loop, PROBE_TIME);
	client->want.on_change(client->want.self);
}

static void on_cancel(void *self)
{
	struct stream *stream = self;

	let_go(stream);
	if (stream->framed && !stream->head)
		doubt(stream->client);
	stream_reset(stream, NGHTTP2_CANCEL);
}

static int64_t last_sent(const void *self)
{
	const struct stream *stream = self;

	return stream->last_sent;
}

static const struct lp_call_wire wire = {
	.write = on_write,
	.end_body = on_end_body,
	.room = on_room_asked,
	.consumed = on_consumed,
	.cancel = on_cancel,
	.last_sent = last_sent,
};

/* ---- requests ---- */

/* host:port as :authority; the default port is left out, IPv6 gets its brackets. */
static void add_authority(struct lp_buf *to, const struct lp_url *url)
{
	bool six = memchr(url->host.at, ':', url->host.len) != NULL;

	if (six)
		lp_buf_add_char(to, '[');
	lp_buf_add_span(to, url->host);
	if (six)
		lp_buf_add_char(to, ']');
	if (url->port != (url->tls ? 443 : 80)) {
		lp_buf_add_char(to, ':');
		lp_buf_add_u64(to, url->port);
	}
}

static void submit(struct stream *stream, const struct lp_call_request *request)
{
	struct client *client = stream->client;
	int64_t length = request->body_streamed ? request->body_length : (int64_t)request->body.len;
	struct lp_span method = lp_span(request->method);
	bool bodyless = !request->body_streamed && !request->body.len;
	nghttp2_data_provider body = lp_h2_provider(&stream->out);
	struct lp_h2_fields fields;
	struct lp_buf authority = { .mem = NULL };

	if (request->url->unix_path)
		lp_buf_add_text(&authority, "localhost");
	else
		add_authority(&authority, request->url);
	lp_h2_fields_init(&fields, request->headers.n + 5);
	lp_h2_fields_add(&fields, LP_SPAN(":method"), method, false);
	lp_h2_fields_add(&fields, LP_SPAN(":scheme"), lp_span(request->url->tls ? "https" : "http"), false);
	lp_h2_fields_add(&fields, LP_SPAN(":authority"), lp_buf_span(&authority), false);
	lp_h2_fields_add(&fields, LP_SPAN(":path"), request->url->path, false);
	lp_h2_fields_add_all(&fields, request->headers);
	if (length >= 0 && (!bodyless || !(lp_span_is(method, "GET") || lp_span_is(method, "HEAD"))))
		lp_h2_fields_add_length(&fields, length);
	stream->id = nghttp2_submit_request(client->h2.session, NULL, fields.at, fields.n, bodyless ? NULL : &body, stream);
	lp_h2_fields_clear(&fields);
	lp_buf_clear(&authority);
}

static void start(void *self, struct lp_call *call)
{
	struct client *client = self;
	struct stream *stream = stream_open(client, call);
	const struct lp_call_request *request = lp_call_wire_request(call);

	stream->out.stream = stream;
	stream->out.on_room = on_room;
	if (!request->body_streamed) {
		stream->out.fixed = request->body;
		stream->out.ended = true;
	}
	submit(stream, request);
	lp_call_wire_bind(call, &wire, stream);
	lp_h2_dirty(&client->h2);
	if (stream->id < 0) {		/* no ids left */
		client->retired = true;
		stream_fail(stream, LP_NOT_SENT, true, "the connection takes no more requests");
		stream_free(stream);
	}
}

/* ---- what leaves ---- */

static int on_before_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct client *client = user;

	(void)session;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	struct stream *stream = stream_of(client, frame->hd.stream_id);
	if (stream && !stream->framed) {
		stream->framed = true;
		stream->place = lp_conn_written(client->h2.conn) + lp_conn_backlog(client->h2.conn);
	}
	return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct client *client = user;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
		client->broken = true;		/* nghttp2 has had enough of the peer */
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	struct stream *stream = stream_of(client, frame->hd.stream_id);
	if (!stream || !stream->call)
		return 0;
	stream->last_sent = lp_mono(client->want.loop);
	if (frame->hd.type == NGHTTP2_HEADERS)
		lp_call_wire_sent(stream->call);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
		stream->request_done = true;
		lp_call_wire_request_done(stream->call);
	}
	return 0;
}

/* ---- what comes ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct client *client = user;

	(void)session;
	(void)frame;
	lp_h2_head_clear(&client->h2.head);
	return 0;
}

static void answer_head(struct stream *stream, const struct lp_h2_head *in)
{
	struct lp_headers fields = lp_h2_head_fields(in);
	struct lp_span status = lp_h2_head_pseudo(in, ":status");
	uint64_t code = 0;

	if (!lp_span_u64(status, &code) || code < 100) {
		stream_fail(stream, LP_BAD_PEER, false, "the answer's status is none");
		stream_reset(stream, NGHTTP2_PROTOCOL_ERROR);
		return;
	}
	if (code < 200)
		return;		/* 103 and the like */
	stream->head = true;
	if (!stream->call)
		return;
	size_t window = lp_call_wire_request(stream->call)->window;
	if (window > LP_H2_STREAM_WINDOW)
		nghttp2_session_set_local_window_size(stream->client->h2.session, NGHTTP2_FLAG_NONE, stream->id,
						      window < INT32_MAX ? (int32_t)window : INT32_MAX);
	lp_call_wire_head(stream->call, (int)code, fields, lp_h2_head_length(fields));
}

static void answer_end(struct stream *stream, struct lp_headers trailers)
{
	struct lp_call *call = let_go(stream);

	if (call)
		lp_call_wire_end(call, trailers);
	/* The answer is whole; whatever of the request has not gone is not wanted (early answer). */
	if (!stream->request_done)
		stream_reset(stream, NGHTTP2_NO_ERROR);
}

static void on_headers(struct client *client, const nghttp2_frame *frame)
{
	struct stream *stream = stream_of(client, frame->hd.stream_id);
	struct lp_h2_head *in = &client->h2.head;

	if (!stream)
		return;
	if (in->too_large) {
		stream_fail(stream, LP_BAD_PEER, false, "the answer's headers are too large");
		stream_reset(stream, NGHTTP2_CANCEL);
		return;
	}
	bool trailers = stream->head;
	if (!trailers)
		answer_head(stream, in);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		answer_end(stream, trailers ? lp_h2_head_fields(in) : (struct lp_headers){ NULL, 0 });
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct client *client = user;

	(void)session;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		on_headers(client, frame);
		lp_h2_head_clear(&client->h2.head);
		break;
	case NGHTTP2_DATA: {
		struct stream *stream = stream_of(client, frame->hd.stream_id);
		if (stream && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
			answer_end(stream, (struct lp_headers){ NULL, 0 });
		break;
	}
	case NGHTTP2_SETTINGS:
		client->settled = true;
		client->want.on_change(client->want.self);
		break;
	case NGHTTP2_GOAWAY:
		client->want.on_change(client->want.self);
		break;
	}
	return 0;
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len, void *user)
{
	struct stream *stream = stream_of(user, id);

	(void)flags;
	nghttp2_session_consume_connection(session, len);
	if (stream && stream->call)
		lp_call_wire_body(stream->call, lp_span_of(bytes, len));
	else
		nghttp2_session_consume_stream(session, id, len);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
	struct client *client = user;
	struct stream *stream = stream_of(client, id);

	if (!stream)
		return 0;
	if (error == NGHTTP2_REFUSED_STREAM && !stream->head)
		stream_fail(stream, LP_NOT_SENT, true, "the peer took none of the request");
	else if (error == NGHTTP2_PROTOCOL_ERROR)
		stream_fail(stream, LP_BAD_PEER, false, "the peer broke the rules of HTTP/2");
	else		/* its word about this request; the connection, and whatever else it carries, lives */
		stream_fail(stream, LP_PEER_ERROR, false, lp_h2_error_words(error));
	nghttp2_session_set_stream_user_data(session, id, NULL);
	stream_free(stream);
	client->want.on_change(client->want.self);
	return 0;
}

/* ---- the connection's life ---- */

static void run_closed(void *self)
{
	struct client *client = self;
	void (*on_closed)(void *) = client->want.on_closed;
	void *owner = client->want.self;

	lp_mem_free(client);
	on_closed(owner);
}

/* Every stream ends, in one turn: nghttp2 would not call back for them (research: trap 4). */
static void end_all(struct client *client, enum lp_code why, const char *words)
{
	client->ended = true;
	lp_timer_clear(&client->probe);
	lp_list_each(&client->streams, stream, struct stream, link)
		stream_fail(stream, unsent(stream) ? LP_NOT_SENT : why, unsent(stream), words);
	lp_list_each(&client->streams, stream, struct stream, link)
		stream_free(stream);
	lp_h2_close(&client->h2);
}

static void end(struct client *client, enum lp_code why, const char *words, bool orderly)
{
	if (client->ended)
		return;
	end_all(client, why, words);
	if (orderly)
		lp_conn_finish(client->h2.conn);
	else
		lp_conn_close(client->h2.conn);
	lp_ready(client->want.loop, &client->closed);
}

static bool takes_more(const struct client *client)
{
	return !client->ended && !client->retired && !client->doubted && !client->h2.dead &&
	       nghttp2_session_check_request_allowed(client->h2.session);
}

static void after(void *self)
{
	struct client *client = self;
	nghttp2_session *session = client->h2.session;

	if (client->ended)
		return;
	if (client->h2.dead) {
		end(client, LP_BAD_PEER, "the peer broke the rules of HTTP/2", true);
		return;
	}
	if (!nghttp2_session_want_read(session) && !nghttp2_session_want_write(session)) {
		if (client->broken)
			end(client, LP_BAD_PEER, "the peer broke the rules of HTTP/2", true);
		else
			end(client, LP_RESET, "the connection ended", true);
		return;
	}
	if (!client->n_streams && client->retired && !nghttp2_session_want_write(session))
		end(client, LP_RESET, "the connection was retired", true);
}

static void probe_failed(void *self)
{
	end(self, LP_TIMEOUT, "the peer fell silent", false);
}

/* ---- the conn's callbacks ---- */

/* It was open before it came here, or is from its first bytes on. */
static void on_open(void *self)
{
	(void)self;
}

static void on_bytes(void *self, struct lp_span bytes)
{
	struct client *client = self;

	if (client->ended)
		return;
	client->heard = lp_mono(client->want.loop);
	lp_timer_clear(&client->probe);
	if (client->doubted) {
		client->doubted = false;
		client->want.on_change(client->want.self);
	}
	lp_h2_receive(&client->h2, bytes);
}

static void on_conn_room(void *self)
{
	struct client *client = self;

	lp_h2_dirty(&client->h2);
}

static void on_conn_end(void *self, enum lp_code why, const char *words)
{
	end(self, why == LP_OK ? LP_RESET : why, why == LP_OK ? "the peer closed the connection" : words, false);
}

static const struct lp_conn_user conn_user = {
	.on_open = on_open,
	.on_bytes = on_bytes,
	.on_room = on_conn_room,
	.on_end = on_conn_end,
};

/* ---- what client.c asks ---- */

static int free_slots(const void *self)
{
	const struct client *client = self;
	uint32_t limit = STREAMS_BEFORE_SETTINGS;

	if (!takes_more(client))
		return 0;
	if (client->settled)
		limit = nghttp2_session_get_remote_settings(client->h2.session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	if (limit > STREAMS_MAX)
		limit = STREAMS_MAX;
	return (int)limit > client->n_streams ? (int)limit - client->n_streams : 0;
}

static int active(const void *self)
{
	const struct client *client = self;

	return client->n_streams;
}

static bool leaving(const void *self)
{
	const struct client *client = self;

	return client->ended || client->retired || client->h2.dead ||
	       !nghttp2_session_check_request_allowed(client->h2.session);
}

static void retire(void *self)
{
	struct client *client = self;

	if (client->retired || client->ended)
		return;
	client->retired = true;
	if (!client->n_streams)
		nghttp2_session_terminate_session(client->h2.session, NGHTTP2_NO_ERROR);
	lp_h2_dirty(&client->h2);
}

static void close_now(void *self)
{
	struct client *client = self;

	lp_unready(&client->closed);
	if (!client->ended) {
		end_all(client, LP_RESET, "the client is closed");
		lp_conn_close(client->h2.conn);
	}
	lp_mem_free(client);
}

const struct lp_client_conn_ops lp_http2_client_ops = {
	.free_slots = free_slots,
	.active = active,
	.leaving = leaving,
	.start = start,
	.retire = retire,
	.close = close_now,
};

static void session_open(struct client *client)
{
	nghttp2_session_callbacks *callbacks = lp_h2_callbacks();
	nghttp2_option *option = lp_h2_options();

	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_chunk);
	nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, on_before_send);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_option_set_peer_max_concurrent_streams(option, STREAMS_MAX);	/* the limit is kept in free_slots */
	int failed = nghttp2_session_client_new2(&client->h2.session, callbacks, client, option);
	lp_assert(failed == 0);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
}

void *lp_http2_client_open(const struct lp_client_conn_want *want, struct lp_conn *conn)
{
	struct client *client = lp_mem_zeroed(1, sizeof(*client));

	client->want = *want;
	lp_list_init(&client->streams);
	client->closed = (struct lp_ready){ .run = run_closed, .self = client };
	client->probe = (struct lp_timer){ .fire = probe_failed, .self = client };
	client->heard = lp_mono(want->loop);
	client->h2.after = after;
	client->h2.self = client;
	lp_h2_open(&client->h2, want->loop, conn);
	session_open(client);
	lp_h2_settings(&client->h2, 0, LP_H2_STREAM_WINDOW, HEAD_LIMIT);
	lp_conn_use(conn, &conn_user, client);
	return client;
}
