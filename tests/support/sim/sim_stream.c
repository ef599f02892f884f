/* One request and its answer on their way: two pipes between the two facades.
 *
 * What a side writes waits in its pipe's `out` until the other's window has room, leaves in pieces of chance
 * sizes, and arrives in order.  A stream is freed when both sides have let go and nothing needs to arrive. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

#include "sim_net.h"

#define ROOM_HIGH (64 * 1024)	/* of unsent bytes: no more is welcome */
#define ROOM_LOW (16 * 1024)
#define PIECE (16 * 1024)
#define SERVER_WINDOW (64 * 1024)

/* A head or trailers, in one block of memory with its text. */
struct sim_message {
	struct lp_span method, target;
	int status;
	int64_t length;
	bool no_body;
	struct lp_headers headers;
};

struct seg {
	struct lp_link link;
	int64_t at;
	enum sim_seg_kind kind;
	bool not_received;		/* of a reset: the peer took nothing */
	struct sim_message *message;
	size_t len;
	char bytes[];
};

/* ---- messages ---- */

static struct lp_span keep(char **at, struct lp_span from)
{
	struct lp_span kept = { *at, from.len };

	if (from.len)
		memcpy(*at, from.at, from.len);
	(*at)[from.len] = '\0';
	*at += from.len + 1;
	return kept;
}

static struct sim_message *message_of(const struct sim_message *from, const struct lp_header *first)
{
	int more = first ? 1 : 0, n = from->headers.n + more;
	size_t size = sizeof(*from) + (size_t)n * sizeof(struct lp_header) + from->method.len + from->target.len + 2;

	for (int i = 0; i < n; i++) {
		const struct lp_header *h = i < more ? first : &from->headers.at[i - more];

		size += h->name.len + h->value.len + 2;
	}
	struct sim_message *m = lp_mem_get(size);
	struct lp_header *headers = (struct lp_header *)(void *)(m + 1);
	char *at = (char *)(headers + n);

	*m = *from;
	m->method = keep(&at, from->method);
	m->target = keep(&at, from->target);
	for (int i = 0; i < n; i++) {
		const struct lp_header *h = i < more ? first : &from->headers.at[i - more];

		headers[i].name = keep(&at, h->name);
		headers[i].value = keep(&at, h->value);
		headers[i].secret = h->secret;
	}
	m->headers = (struct lp_headers){ headers, n };
	return m;
}

/* ---- the end of a stream ---- */

static void seg_free(struct seg *seg)
{
	lp_link_out(&seg->link);
	lp_mem_free(seg->message);
	lp_mem_free(seg);
}

static void pipe_drop(struct sim_pipe *pipe)
{
	struct lp_link *first;

	while ((first = lp_list_first(&pipe->flight)))
		seg_free(LP_CONTAINER(first, struct seg, link));
	lp_timer_clear(&pipe->timer);
}

/* Nothing more leaves; what is in flight arrives. */
static void pipe_cut_off(struct sim_pipe *pipe)
{
	pipe->cut_off = true;
	lp_buf_clear(&pipe->out);
	lp_mem_free(pipe->last);
	pipe->last = NULL;
}

static void check(struct sim_stream *stream)
{
	struct sim_conn *conn = stream->conn;

	if (stream->in_use || stream->call || stream->ex_open || !lp_list_empty(&stream->up.flight) ||
	    !lp_list_empty(&stream->down.flight))
		return;
	pipe_cut_off(&stream->up);
	pipe_cut_off(&stream->down);
	pipe_drop(&stream->up);
	pipe_drop(&stream->down);
	lp_timer_clear(&stream->doom);
	lp_link_out(&stream->link);
	conn->net->n_streams--;
	lp_mem_free(stream);
	lp_ready(conn->net->loop, &conn->reap);
}

/* The client's side is over: its slot is free, and nothing more needs to arrive there. */
static void client_done(struct sim_stream *stream)
{
	struct sim_conn *conn = stream->conn;

	stream->call = NULL;
	lp_timer_clear(&stream->doom);
	pipe_drop(&stream->down);
	if (stream->client_counts) {
		stream->client_counts = false;
		sim_client_slot_free(conn);
	}
}

/* On HTTP/1.1 what was broken off ends its connection. */
static void spoil(struct sim_conn *conn)
{
	if (!conn->h2)
		conn->retired = true;
}

/* ---- leaving ---- */

static void schedule(struct sim_pipe *pipe, struct seg *seg)
{
	struct sim_conn *conn = pipe->stream->conn;
	struct sim_net *net = conn->net;
	struct sim_host *from = pipe->up ? conn->from : conn->to, *to = pipe->up ? conn->to : conn->from;
	int64_t now = lp_mono(net->loop);
	int64_t leaves = from->bandwidth && from->busy_until > now ? from->busy_until : now;

	if (from->bandwidth) {
		leaves += ((int64_t)seg->len + 100) * LP_SEC / from->bandwidth;
		from->busy_until = leaves;
	}
	seg->at = leaves + sim_delay(net, from, to);
	if (seg->at <= pipe->last_at)
		seg->at = pipe->last_at + 1;
	pipe->last_at = seg->at;
	bool first = lp_list_empty(&pipe->flight);
	lp_list_add(&pipe->flight, &seg->link);
	if (first)
		lp_timer_set(&pipe->timer, net->loop, seg->at - now);
}

static struct seg *seg_new(enum sim_seg_kind kind, struct lp_span bytes)
{
	struct seg *seg = lp_mem_zeroed(1, sizeof(*seg) + bytes.len);

	seg->kind = kind;
	seg->len = bytes.len;
	if (bytes.len)
		memcpy(seg->bytes, bytes.at, bytes.len);
	return seg;
}

static void send_message(struct sim_pipe *pipe, enum sim_seg_kind kind, struct sim_message *message)
{
	struct seg *seg = seg_new(kind, (struct lp_span){ NULL, 0 });

	seg->message = message;
	schedule(pipe, seg);
}

/* Mostly as much as may go, now and then a small piece: readers meet every way of being cut. */
static size_t piece_of(struct sim_pipe *pipe)
{
	struct lp_dice *dice = sim_loop_dice(pipe->stream->conn->net->loop);
	size_t n = pipe->out.len < pipe->credit ? pipe->out.len : pipe->credit;

	n = n < PIECE ? n : PIECE;
	if (n > 1 && lp_dice_below(dice, 8) == 0)
		n = 1 + (size_t)lp_dice_below(dice, n);
	return n;
}

static void on_end_sent(struct sim_pipe *pipe)
{
	struct sim_stream *stream = pipe->stream;
	struct lp_exchange *ex = stream->ex;

	if (pipe->up) {
		if (stream->call)
			lp_call_wire_request_done(stream->call);
		return;
	}
	stream->ex = NULL;
	if (ex)
		lp_exchange_wire_done(ex);
}

static void pump(struct sim_pipe *pipe)
{
	struct sim_stream *stream = pipe->stream;

	if (pipe->cut_off || !pipe->headed)
		return;
	while (pipe->out.len && pipe->credit) {
		size_t n = piece_of(pipe);

		schedule(pipe, seg_new(SIM_DATA, lp_span_of(lp_buf_span(&pipe->out).at, n)));
		lp_buf_eat(&pipe->out, n);
		pipe->credit -= n;
	}
	if (pipe->full && pipe->out.len < ROOM_LOW) {
		pipe->full = false;
		if (pipe->up && stream->call)
			lp_call_wire_room(stream->call);
		else if (!pipe->up && stream->ex)
			lp_exchange_wire_room(stream->ex);
	}
	if (!pipe->ended || pipe->out.len || pipe->end_sent)
		return;
	pipe->end_sent = true;
	send_message(pipe, SIM_END, pipe->last);
	pipe->last = NULL;
	on_end_sent(pipe);
}

static void pipe_write(struct sim_pipe *pipe, struct lp_span bytes)
{
	if (pipe->cut_off)
		return;
	lp_assert(!pipe->ended);
	lp_buf_add_span(&pipe->out, bytes);
	pump(pipe);
	if (pipe->out.len >= ROOM_HIGH)
		pipe->full = true;
}

static size_t pipe_room(const struct sim_pipe *pipe)
{
	if (pipe->cut_off || pipe->full || pipe->out.len >= ROOM_HIGH)
		return 0;
	return ROOM_HIGH - pipe->out.len;
}

static void pipe_end(struct sim_pipe *pipe, struct lp_headers trailers)
{
	const struct sim_message last = { .headers = trailers };

	if (pipe->cut_off || pipe->ended)
		return;
	pipe->ended = true;
	pipe->last = message_of(&last, NULL);
	pump(pipe);
}

static void pipe_consumed(struct sim_pipe *pipe, size_t n)
{
	pipe->credit += n;
	pump(pipe);
}

static void send_reset(struct sim_pipe *pipe, bool not_received)
{
	struct seg *seg = seg_new(SIM_RESET, (struct lp_span){ NULL, 0 });

	pipe_cut_off(pipe);
	seg->not_received = not_received;
	schedule(pipe, seg);
	spoil(pipe->stream->conn);
}

/* ---- what the server's facade does ---- */

static void server_consumed(void *self, size_t n)
{
	struct sim_stream *stream = self;

	pipe_consumed(&stream->up, n);
}

static void server_head(void *self, int status, int64_t length, struct lp_headers headers)
{
	struct sim_stream *stream = self;
	const struct sim_message head = { .status = status, .length = length, .headers = headers };

	if (stream->down.cut_off)
		return;
	stream->down.headed = true;
	send_message(&stream->down, SIM_HEAD, message_of(&head, NULL));
}

static void server_data(void *self, struct lp_span bytes)
{
	struct sim_stream *stream = self;

	pipe_write(&stream->down, bytes);
}

static void server_end(void *self, struct lp_headers trailers)
{
	struct sim_stream *stream = self;

	pipe_end(&stream->down, trailers);
}

static size_t server_room(const void *self)
{
	const struct sim_stream *stream = self;

	return pipe_room(&stream->down);
}

static void server_abort(void *self, enum lp_code why)
{
	struct sim_stream *stream = self;

	(void)why;
	stream->ex = NULL;
	send_reset(&stream->down, false);
}

static const struct lp_exchange_wire server_wire = {
	server_consumed, server_head, server_data, server_end, server_room, server_abort, NULL,
};

/* ---- what the client's facade does ---- */

static void client_write(void *self, struct lp_span bytes)
{
	struct sim_stream *stream = self;

	pipe_write(&stream->up, bytes);
}

static void client_end_body(void *self)
{
	struct sim_stream *stream = self;

	pipe_end(&stream->up, (struct lp_headers){ NULL, 0 });
}

static size_t client_room(const void *self)
{
	const struct sim_stream *stream = self;

	return pipe_room(&stream->up);
}

static void client_consumed(void *self, size_t n)
{
	struct sim_stream *stream = self;

	pipe_consumed(&stream->down, n);
}

static void client_cancel(void *self)
{
	struct sim_stream *stream = self;

	stream->in_use = true;
	send_reset(&stream->up, false);
	client_done(stream);
	stream->in_use = false;
	check(stream);
}

static const struct lp_call_wire client_wire = {
	.write = client_write,
	.end_body = client_end_body,
	.room = client_room,
	.consumed = client_consumed,
	.cancel = client_cancel,
};

/* ---- arriving at the server ---- */

static void on_exchange_closed(void *arg)
{
	struct sim_stream *stream = arg;
	struct sim_conn *conn = stream->conn;

	stream->ex = NULL;
	stream->ex_open = false;
	conn->n_exchanges--;
	lp_ready(conn->net->loop, &conn->reap);
	check(stream);
}

static void take_head(struct sim_stream *stream, const struct sim_message *m)
{
	struct sim_conn *conn = stream->conn;
	const struct lp_exchange_head head = {
		.method = m->method, .target = m->target, .headers = m->headers, .length = m->length,
		.no_body = m->no_body, .h2 = conn->h2, .tls = conn->tls, .peer = conn->peer,
	};

	stream->taken = true;
	if (!conn->server || sim_server_draining(conn->server)) {
		send_reset(&stream->down, conn->server && conn->h2);
		return;
	}
	conn->net->requests++;
	stream->ex = lp_exchange_wire_open(conn->scope, sim_server_owner(conn->server), &server_wire, stream, &head);
	stream->ex_open = true;
	conn->n_exchanges++;
	lp_defer(lp_exchange_scope(stream->ex), on_exchange_closed, stream);
}

static void arrive_up(struct sim_stream *stream, const struct seg *seg)
{
	struct lp_exchange *ex = stream->ex;

	switch (seg->kind) {
	case SIM_HEAD:
		take_head(stream, seg->message);
		break;
	case SIM_DATA:
		if (ex)
			lp_exchange_wire_body(ex, lp_span_of(seg->bytes, seg->len));
		break;
	case SIM_END:
		if (ex)
			lp_exchange_wire_body_end(ex);
		break;
	case SIM_RESET:
		stream->ex = NULL;
		pipe_cut_off(&stream->down);
		if (ex)
			lp_exchange_wire_gone(ex, LP_GONE, "the client went away");
		break;
	}
}

/* ---- arriving at the client ---- */

static void arrive_down(struct sim_stream *stream, const struct seg *seg)
{
	struct lp_call *call = stream->call;

	if (!call)
		return;
	switch (seg->kind) {
	case SIM_HEAD:
		lp_call_wire_head(call, seg->message->status, seg->message->headers, seg->message->length);
		break;
	case SIM_DATA:
		lp_call_wire_body(call, lp_span_of(seg->bytes, seg->len));
		break;
	case SIM_END:
		/* An early answer: what is left of the request is kept back. */
		if (!stream->up.end_sent)
			spoil(stream->conn);
		pipe_cut_off(&stream->up);
		client_done(stream);
		lp_call_wire_end(call, seg->message->headers);
		break;
	case SIM_RESET:
		pipe_cut_off(&stream->up);
		client_done(stream);
		lp_call_wire_fail(call, stream->conn->h2 ? LP_PEER_ERROR : LP_RESET, seg->not_received,
				  "the peer reset the stream");
		break;
	}
}

static void on_arrival(void *self)
{
	struct sim_pipe *pipe = self;
	struct sim_stream *stream = pipe->stream;
	struct sim_net *net = stream->conn->net;
	struct lp_link *first;

	if (sim_net_is_cut(net, stream->conn->from, stream->conn->to))
		return;			/* held: sim_stream_wake goes on */
	stream->in_use = true;
	while ((first = lp_list_first(&pipe->flight))) {
		struct seg *seg = LP_CONTAINER(first, struct seg, link);

		if (seg->at > lp_mono(net->loop)) {
			lp_timer_set(&pipe->timer, net->loop, seg->at - lp_mono(net->loop));
			break;
		}
		lp_link_out(&seg->link);
		sim_loop_mark(net->loop, (uint64_t)seg->kind << 32 | (pipe->up ? 1U << 31 : 0) | seg->len);
		if (pipe->up)
			arrive_up(stream, seg);
		else
			arrive_down(stream, seg);
		seg_free(seg);
	}
	stream->in_use = false;
	check(stream);
}

/* ---- from outside ---- */

void sim_stream_wake(struct sim_stream *stream)
{
	struct lp_loop *loop = stream->conn->net->loop;

	if (!lp_list_empty(&stream->up.flight) && !lp_timer_is_set(&stream->up.timer))
		lp_timer_set(&stream->up.timer, loop, 0);
	if (!lp_list_empty(&stream->down.flight) && !lp_timer_is_set(&stream->down.timer))
		lp_timer_set(&stream->down.timer, loop, 0);
}

void sim_stream_break_client(struct sim_stream *stream, const char *words)
{
	struct lp_call *call = stream->call;

	stream->in_use = true;
	pipe_cut_off(&stream->up);
	pipe_drop(&stream->up);
	client_done(stream);
	if (call)
		lp_call_wire_fail(call, LP_RESET, false, words);
	stream->in_use = false;
	check(stream);
}

void sim_stream_break_server(struct sim_stream *stream, const char *words)
{
	struct lp_exchange *ex = stream->ex;

	stream->in_use = true;
	stream->ex = NULL;
	pipe_cut_off(&stream->down);
	pipe_drop(&stream->down);
	if (ex)
		lp_exchange_wire_gone(ex, LP_GONE, words);
	stream->in_use = false;
	check(stream);
}

void sim_stream_reset_client(struct sim_stream *stream)
{
	stream->ex = NULL;
	if (!stream->down.end_sent && stream->call)
		send_reset(&stream->down, false);
	check(stream);
}

void sim_stream_reset_server(struct sim_stream *stream)
{
	stream->in_use = true;
	if (!stream->up.cut_off)
		send_reset(&stream->up, false);
	client_done(stream);
	stream->in_use = false;
	check(stream);
}

static void on_doom(void *self)
{
	struct sim_stream *stream = self;

	sim_conn_lose(stream->conn, "the connection was lost");
}

static void pipe_init(struct sim_pipe *pipe, struct sim_stream *stream, bool up, size_t window)
{
	pipe->stream = stream;
	pipe->up = up;
	pipe->credit = window;
	lp_list_init(&pipe->flight);
	pipe->timer = (struct lp_timer){ .fire = on_arrival, .self = pipe };
}

static void send_head(struct sim_stream *stream, const struct lp_call_request *request)
{
	const struct lp_header host = { .name = LP_SPAN("host"), .value = request->url->host };
	bool streamed = request->body_streamed;
	const struct sim_message head = {
		.method = lp_span(request->method), .target = request->url->path, .headers = request->headers,
		.length = streamed ? request->body_length : (int64_t)request->body.len,
		.no_body = streamed ? request->body_length == 0 : request->body.len == 0,
	};

	send_message(&stream->up, SIM_HEAD, message_of(&head, &host));
	stream->up.headed = true;
}

static void draw_doom(struct sim_stream *stream)
{
	struct sim_net *net = stream->conn->net;
	struct lp_dice *dice = sim_loop_dice(net->loop);

	if (!net->faults.resets || lp_dice_below(dice, 1000000) >= net->faults.resets)
		return;
	lp_timer_set(&stream->doom, net->loop, (int64_t)lp_dice_below(dice, (uint64_t)net->faults.reset_within + 1));
}

void sim_stream_start(struct sim_conn *conn, struct lp_call *call)
{
	struct sim_stream *stream = lp_mem_zeroed(1, sizeof(*stream));
	const struct lp_call_request *request = lp_call_wire_request(call);

	stream->conn = conn;
	stream->call = call;
	stream->client_counts = true;
	stream->doom = (struct lp_timer){ .fire = on_doom, .self = stream };
	pipe_init(&stream->up, stream, true, SERVER_WINDOW);
	pipe_init(&stream->down, stream, false, request->window);
	lp_list_add(&conn->streams, &stream->link);
	conn->net->n_streams++;
	lp_call_wire_sent(call);
	send_head(stream, request);
	draw_doom(stream);
	if (!request->body_streamed) {
		lp_buf_add_span(&stream->up.out, request->body);
		stream->up.ended = true;
		stream->up.last = message_of(&(struct sim_message){ 0 }, NULL);
	}
	lp_call_wire_bind(call, &client_wire, stream);
	pump(&stream->up);
}
