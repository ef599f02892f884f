/* gRPC as a client, over calls (network-protocol 2.4).
 *
 * The outcome is in the trailers, or in the head of an answer that has nothing else. */
#include <lpd/base/assert.h>

#include "grpc_frame.h"

struct lp_grpc_call {
	struct lp_scope *scope;		/* the caller's */
	struct lp_scope *call_scope;	/* closing it cancels the call; NULL: over */
	struct lp_call *call;
	void (*on_event)(void *self);
	void *self;
	struct lp_buf in;
	size_t shown;			/* bytes of it that lp_grpc_next has handed out */
	bool stream;
	bool over;
	int status;			/* -1: none came */
	struct lp_span words;
	struct lp_err err;
};

static void close_call(void *arg)
{
	struct lp_grpc_call *gc = arg;

	lp_buf_clear(&gc->in);
}

/* Which error a status is to the gateway.  Application errors are all 2 on this network, and what they
 * mean is told by their words, by whoever knows the method. */
static enum lp_code code_of_status(int status)
{
	switch (status) {
	case LP_GRPC_OK:
		return LP_OK;
	case LP_GRPC_DEADLINE:
		return LP_TIMEOUT;
	case LP_GRPC_EXHAUSTED:
	case LP_GRPC_UNAVAILABLE:
		return LP_PEER_REFUSED;
	case LP_GRPC_UNIMPLEMENTED:
		return LP_INCOMPATIBLE;
	}
	return LP_PEER_ERROR;
}

static void fail_call(struct lp_grpc_call *gc, enum lp_code code, const char *words)
{
	lp_fail(&gc->err, code, "%s", words);
}

/* In the trailers, or in the head of an answer that has nothing else. */
static struct lp_span find_status_field(const struct lp_grpc_call *gc, const char *name)
{
	struct lp_span value = lp_headers_find(lp_call_trailers(gc->call), name);

	return value.at ? value : lp_headers_find(lp_call_headers(gc->call), name);
}

static void read_status(struct lp_grpc_call *gc)
{
	struct lp_span status = find_status_field(gc, "grpc-status");
	uint64_t n;

	if (status.at && lp_span_u64(status, &n) && n < 1000)
		gc->status = (int)n;
	gc->words = lp_grpc_words_decode(gc->scope, find_status_field(gc, "grpc-message"));
}

static void judge_without_status(struct lp_grpc_call *gc)
{
	int http = lp_call_status(gc->call);

	if (lp_call_state(gc->call) == LP_CALL_FAILED)
		gc->err = *lp_call_err(gc->call);
	else if (http == 200)
		fail_call(gc, LP_BAD_PEER, "the answer ended without a gRPC status");
	else
		lp_fail(&gc->err, http == 429 || (http >= 502 && http <= 504) ? LP_PEER_REFUSED : LP_BAD_PEER,
			"HTTP status %d instead of a gRPC answer", http);
}

static void judge_message(struct lp_grpc_call *gc)
{
	struct lp_span in = lp_buf_span(&gc->in), message;

	switch (lp_grpc_frame_read(in, LP_GRPC_MESSAGE_MAX, &message)) {
	case LP_FRAME_WHOLE:
		if (!gc->stream && in.len > LP_GRPC_PREFIX + message.len)
			fail_call(gc, LP_BAD_PEER, "more than one message in a unary answer");
		break;
	case LP_FRAME_MORE:
		if (!gc->stream || in.len)
			fail_call(gc, LP_BAD_PEER, "the answer holds no whole message");
		break;
	case LP_FRAME_LARGE:
		fail_call(gc, LP_BAD_PEER, "the message is larger than 4 MiB");
		break;
	case LP_FRAME_COMPRESSED:
		fail_call(gc, LP_BAD_PEER, "the message is compressed, which was not asked for");
		break;
	}
}

static void judge(struct lp_grpc_call *gc)
{
	read_status(gc);
	if (gc->status < 0)
		judge_without_status(gc);
	else if (gc->status != LP_GRPC_OK)
		lp_fail(&gc->err, code_of_status(gc->status), "gRPC status %d: %.*s", gc->status, LP_ARG(gc->words));
	else if (!gc->stream)
		judge_message(gc);
}

static void end_call(struct lp_grpc_call *gc)
{
	gc->over = true;
	gc->call = NULL;
	lp_scope_close(&gc->call_scope);
}

static void forget_shown(struct lp_grpc_call *gc)
{
	lp_buf_eat(&gc->in, gc->shown);
	gc->shown = 0;
}

/* Takes in what has come, as long as it may still be one message: more is left to the call, which slows the
 * peer.  Once the peer has ended, all of it.  False: no message may look like that. */
static bool take_in(struct lp_grpc_call *gc)
{
	struct lp_span piece = lp_call_read(gc->call), message;
	bool all = lp_call_state(gc->call) == LP_CALL_DONE;
	enum lp_frame frame;

	forget_shown(gc);
	if (piece.len && (all || gc->in.len <= LP_GRPC_PREFIX + LP_GRPC_MESSAGE_MAX)) {
		lp_buf_add_span(&gc->in, piece);
		lp_call_consume(gc->call, piece.len);
	}
	frame = lp_grpc_frame_read(lp_buf_span(&gc->in), LP_GRPC_MESSAGE_MAX, &message);
	return frame != LP_FRAME_LARGE && frame != LP_FRAME_COMPRESSED;
}

static void on_call(void *self)
{
	struct lp_grpc_call *gc = self;
	bool good = take_in(gc);
	enum lp_call_state state = lp_call_state(gc->call);

	if (!good) {
		judge_message(gc);
		end_call(gc);
	} else if (state == LP_CALL_DONE || state == LP_CALL_FAILED) {
		judge(gc);
		end_call(gc);
	}
	if (gc->over || gc->stream)
		gc->on_event(gc->self);
}

static struct lp_grpc_call *start(struct lp_scope *scope, struct lp_client *client, const struct lp_url *base,
				  const struct lp_grpc_want *want, bool stream)
{
	struct lp_grpc_call *gc = lp_new(scope, struct lp_grpc_call);
	struct lp_buf body = { .mem = NULL }, timeout = { .mem = NULL };
	struct lp_header headers[4] = {
		{ LP_SPAN("content-type"), LP_SPAN("application/grpc"), false },
		{ LP_SPAN("te"), LP_SPAN("trailers"), false },
		{ LP_SPAN("user-agent"), LP_SPAN("lpd/" LPD_VERSION), false },
	};
	bool bounded = want->timeout > 0 && want->timeout < LP_NEVER;
	char prefix[LP_GRPC_PREFIX];
	struct lp_url url;

	gc->scope = scope;
	gc->stream = stream;
	gc->status = -1;
	lp_defer(scope, close_call, gc);
	gc->call_scope = lp_scope_open(scope, "grpc");
	lp_url_join(gc->call_scope, &url, base, lp_span(want->path));
	lp_grpc_frame_prefix(prefix, want->message.len);
	lp_buf_add(&body, prefix, LP_GRPC_PREFIX);
	lp_buf_add_span(&body, want->message);
	if (bounded) {
		lp_grpc_timeout_write(&timeout, want->timeout);
		headers[3] = (struct lp_header){ LP_SPAN("grpc-timeout"), lp_buf_span(&timeout), false };
	}
	struct lp_call_want how = {
		.method = "POST",
		.url = &url,
		.headers = headers,
		.n_headers = bounded ? 4 : 3,
		.body = lp_buf_span(&body),
		.h2_only = true,
		.idempotent = want->idempotent,
		.stall_time = LP_NEVER,
		.total_time = bounded ? want->timeout : LP_NEVER,
	};
	gc->call = lp_call_start(gc->call_scope, client, &how, on_call, gc);
	lp_buf_clear(&body);
	lp_buf_clear(&timeout);
	return gc;
}

struct lp_grpc_call *lp_grpc_start(struct lp_scope *scope, struct lp_client *client, const struct lp_url *base,
				   const struct lp_grpc_want *want, void (*on_done)(void *self), void *self)
{
	struct lp_grpc_call *gc = start(scope, client, base, want, false);

	gc->on_event = on_done;
	gc->self = self;
	return gc;
}

struct lp_grpc_call *lp_grpc_stream(struct lp_scope *scope, struct lp_client *client, const struct lp_url *base,
				    const struct lp_grpc_want *want, void (*on_event)(void *self), void *self)
{
	struct lp_grpc_call *gc = start(scope, client, base, want, true);

	gc->on_event = on_event;
	gc->self = self;
	return gc;
}

bool lp_grpc_next(struct lp_grpc_call *gc, struct lp_span *message)
{
	forget_shown(gc);
	if (!gc->over)
		take_in(gc);	/* what is wrong with it comes as an event */
	if (lp_grpc_frame_read(lp_buf_span(&gc->in), LP_GRPC_MESSAGE_MAX, message) != LP_FRAME_WHOLE)
		return false;
	gc->shown = LP_GRPC_PREFIX + message->len;
	return true;
}

bool lp_grpc_over(const struct lp_grpc_call *gc)
{
	return gc->over;
}

enum lp_code lp_grpc_result(struct lp_grpc_call *gc, struct lp_span *message, struct lp_err *e)
{
	lp_assert(gc->over);
	if (gc->err.code != LP_OK)
		return lp_fail(e, gc->err.code, "%s", gc->err.words);
	if (message && lp_grpc_frame_read(lp_buf_span(&gc->in), LP_GRPC_MESSAGE_MAX, message) != LP_FRAME_WHOLE)
		return lp_fail(e, LP_BAD_PEER, "the answer holds no whole message");
	return LP_OK;
}

int lp_grpc_status(const struct lp_grpc_call *gc)
{
	return gc->status;
}

struct lp_span lp_grpc_words(const struct lp_grpc_call *gc)
{
	return gc->words;
}
