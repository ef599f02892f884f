/* One stream of an HTTP/2 server: a request that becomes an exchange, and the reply that the exchange gives. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

#include "http2_server.h"
#include "http_head.h"

#define TARGET_MAX (8 * 1024)

/* ---- streams ---- */

struct lp_h2_stream *lp_h2_stream_open(struct lp_h2_server *server, int32_t id)
{
	struct lp_h2_stream *stream = lp_mem_zeroed(1, sizeof(*stream));

	stream->server = server;
	stream->id = id;
	stream->out.stream = stream;
	lp_list_add(&server->streams, &stream->link);
	server->n_streams++;
	nghttp2_session_set_stream_user_data(server->h2.session, id, stream);
	return stream;
}

void lp_h2_stream_free(struct lp_h2_stream *stream)
{
	struct lp_h2_server *server = stream->server;

	lp_link_out(&stream->link);
	server->n_streams--;
	server->idle_since = lp_mono(server->want.loop);
	lp_h2_out_cut(&stream->out);
	lp_mem_free(stream->trailers);
	lp_mem_free(stream);
}

void lp_h2_stream_gone(struct lp_h2_stream *stream, enum lp_code why, const char *words)
{
	struct lp_exchange *ex = stream->ex;

	stream->ex = NULL;
	if (ex)
		lp_exchange_wire_gone(ex, why, words);
}

void lp_h2_stream_reset(struct lp_h2_stream *stream, uint32_t error)
{
	nghttp2_submit_rst_stream(stream->server->h2.session, NGHTTP2_FLAG_NONE, stream->id, error);
	lp_h2_dirty(&stream->server->h2);
}

/* ---- what the exchange asks of its stream ---- */

static void on_consumed(void *self, size_t n)
{
	struct lp_h2_stream *stream = self;

	if (!n)
		return;		/* "send me the body": an h2 client does so anyway */
	nghttp2_session_consume_stream(stream->server->h2.session, stream->id, n);
	lp_h2_dirty(&stream->server->h2);
}

static void send_head(struct lp_h2_stream *stream, int status, int64_t length, struct lp_headers headers)
{
	struct lp_h2_server *server = stream->server;
	const char digits[3] = { (char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10), (char)('0' + status % 10) };
	struct lp_h2_fields fields;

	lp_h2_fields_init(&fields, headers.n + 3);
	lp_h2_fields_add(&fields, LP_SPAN(":status"), lp_span_of(digits, sizeof(digits)), false);
	lp_h2_fields_add_all(&fields, headers);
	lp_h2_fields_add(&fields, LP_SPAN("date"), lp_http_date(server->want.date, lp_wall(server->want.loop)), false);
	if (length >= 0 && status != 204)
		lp_h2_fields_add_length(&fields, length);
	stream->bodyless = stream->head_request || length == 0 || status == 204 || status == 304;
	nghttp2_data_provider body = lp_h2_provider(&stream->out);
	nghttp2_submit_response(server->h2.session, stream->id, fields.at, fields.n, stream->bodyless ? NULL : &body);
	lp_h2_fields_clear(&fields);
	lp_h2_dirty(&server->h2);
}

static void on_head(void *self, int status, int64_t length, struct lp_headers headers)
{
	send_head(self, status, length, headers);
}

static void resume(struct lp_h2_stream *stream)
{
	/* Fails when the stream does not wait, which is fine. */
	nghttp2_session_resume_data(stream->server->h2.session, stream->id);
	lp_h2_dirty(&stream->server->h2);
}

static void on_data(void *self, struct lp_span bytes)
{
	struct lp_h2_stream *stream = self;

	if (stream->bodyless || stream->out.ended || !bytes.len)
		return;
	lp_progress_waits(&stream->progress, lp_mono(stream->server->want.loop), stream->sent);
	lp_h2_out_add(&stream->out, bytes);
	resume(stream);
}

/* Trailers wait until the last byte is framed. */
static void keep_trailers(struct lp_h2_stream *stream, struct lp_headers trailers)
{
	size_t size = (size_t)trailers.n * sizeof(struct lp_header);
	size_t text = size;

	for (int i = 0; i < trailers.n; i++)
		size += trailers.at[i].name.len + trailers.at[i].value.len;
	stream->trailers = lp_mem_get(size);
	char *at = (char *)stream->trailers + text;
	for (int i = 0; i < trailers.n; i++) {
		const struct lp_header *from = &trailers.at[i];
		struct lp_header *to = &stream->trailers[i];

		*to = (struct lp_header){ { at, from->name.len }, { at + from->name.len, from->value.len }, from->secret };
		memcpy(at, from->name.at, from->name.len);
		at += from->name.len;
		if (from->value.len)
			memcpy(at, from->value.at, from->value.len);
		at += from->value.len;
	}
	stream->n_trailers = trailers.n;
}

static void on_end(void *self, struct lp_headers trailers)
{
	struct lp_h2_stream *stream = self;

	if (stream->bodyless || stream->out.ended)
		return;
	stream->out.ended = true;
	stream->out.trailers = trailers.n > 0;
	if (trailers.n > 0)
		keep_trailers(stream, trailers);
	resume(stream);
}

static void send_trailers(void *self)
{
	struct lp_h2_stream *stream = self;
	struct lp_h2_fields fields;

	lp_h2_fields_init(&fields, stream->n_trailers);
	lp_h2_fields_add_all(&fields, (struct lp_headers){ stream->trailers, stream->n_trailers });
	nghttp2_submit_trailer(stream->server->h2.session, stream->id, fields.at, fields.n);
	lp_h2_fields_clear(&fields);
}

static size_t on_room_asked(const void *self)
{
	const struct lp_h2_stream *stream = self;

	return lp_h2_out_room(&stream->out);
}

static void on_room(void *self)
{
	struct lp_h2_stream *stream = self;

	if (stream->ex)
		lp_exchange_wire_room(stream->ex);
}

static void on_abort(void *self, enum lp_code why)
{
	struct lp_h2_stream *stream = self;

	stream->ex = NULL;
	lp_h2_out_cut(&stream->out);
	lp_h2_stream_reset(stream, why == LP_TIMEOUT || why == LP_DEADLINE ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR);
}

static int64_t on_taken_asked(const void *self)
{
	const struct lp_h2_stream *stream = self;

	return stream->sent;
}

static const struct lp_exchange_wire wire = {
	.consumed = on_consumed,
	.head = on_head,
	.data = on_data,
	.end = on_end,
	.room = on_room_asked,
	.abort = on_abort,
	.taken = on_taken_asked,
};

/* ---- the request ---- */

/* An answer of the transport's own, for a request that becomes no exchange. */
static void refuse(struct lp_h2_stream *stream, int status, const char *reason)
{
	lp_h2_server_refused(stream->server, reason);
	send_head(stream, status, 0, (struct lp_headers){ NULL, 0 });
}

/* :authority takes the place of host, and of the last pseudo-header. */
static struct lp_headers with_host(struct lp_h2_head *head)
{
	struct lp_headers fields = lp_h2_head_fields(head);
	struct lp_span authority = lp_h2_head_pseudo(head, ":authority");
	struct lp_header *first = head->at + (head->n - fields.n);

	if (!authority.at)
		return fields;
	for (int i = 0; i < fields.n; i++) {
		if (lp_span_is(first[i].name, "host")) {
			first[i].value = authority;
			return fields;
		}
	}
	first--;	/* there are at least three pseudo-headers */
	*first = (struct lp_header){ LP_SPAN("host"), authority, false };
	return (struct lp_headers){ first, fields.n + 1 };
}

void lp_h2_stream_request(struct lp_h2_server *server, struct lp_h2_stream *stream)
{
	struct lp_h2_head *in = &server->h2.head;
	struct lp_exchange_head head = {
		.method = lp_h2_head_pseudo(in, ":method"),
		.target = lp_h2_head_pseudo(in, ":path"),
		.no_body = stream->received,
		.h2 = true,
		.tls = lp_conn_is_tls(server->h2.conn),
		.peer = server->peer,
	};

	if (in->too_large) {
		refuse(stream, 431, "headers");
		return;
	}
	if (!head.target.at) {		/* CONNECT */
		refuse(stream, 501, "connect");
		return;
	}
	if (head.target.len > TARGET_MAX) {
		refuse(stream, 414, "target");
		return;
	}
	stream->out.on_room = on_room;
	stream->out.on_end = send_trailers;
	stream->head_request = lp_span_is(head.method, "HEAD");
	head.headers = with_host(in);
	head.length = lp_h2_head_length(head.headers);
	if (stream->received)
		head.length = 0;
	stream->ex = lp_exchange_wire_open(server->want.scope, server->want.owner, &wire, stream, &head);
}

void lp_h2_stream_received(struct lp_h2_stream *stream)
{
	stream->received = true;
	if (stream->ex)
		lp_exchange_wire_body_end(stream->ex);
}
