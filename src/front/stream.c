#include <lpd/front/stream.h>

#include <lpd/base/buf.h>
#include <lpd/base/jsonscan.h>
#include <lpd/io/events.h>
#include <lpd/market/answer.h>

/* A Go peer reads lines of at most 65,535 bytes and loses longer ones (ai-http-api 1.5.7, A-46): its loss. */
#define EVENT_LIMIT (1024 * 1024)
#define PIECE 16384
#define FREE 131072	/* bytes that every stream may hold uncounted */

struct lp_stream {
	struct lp_stream_want want;
	struct lp_events *events;
	struct lp_buf out;
	size_t held;		/* of the budget */
	uint64_t tokens;
	int64_t first_at;
};

static void clear(void *arg)
{
	struct lp_stream *s = arg;

	lp_buf_clear(&s->out);
	lp_budget_give(s->want.budget, s->held);
}

/* What large events take is counted, and given back when they have passed. */
static enum lp_code count(struct lp_stream *s, struct lp_err *e)
{
	size_t all = lp_events_held(s->events) + s->out.cap;
	size_t need = all > FREE ? all - FREE : 0;

	if (need > s->held && !lp_budget_take(s->want.budget, need - s->held))
		return lp_fail(e, LP_UNAVAILABLE, "no memory left for an event of this size");
	if (need < s->held)
		lp_budget_give(s->want.budget, s->held - need);
	s->held = need;
	return LP_OK;
}

struct lp_stream *lp_stream_open(struct lp_scope *scope, const struct lp_stream_want *want)
{
	struct lp_stream *s = lp_new(scope, struct lp_stream);

	s->want = *want;
	s->events = lp_events_open(scope, EVENT_LIMIT);
	lp_defer(scope, clear, s);
	return s;
}

static void write_head(struct lp_stream *s)
{
	struct lp_header headers[8] = {
		{ LP_SPAN("content-type"), LP_SPAN("text/event-stream"), false },
		{ LP_SPAN("cache-control"), LP_SPAN("no-cache"), false },
	};
	int n = 2;

	for (int i = 0; i < s->want.n_headers && n < 8; i++)
		headers[n++] = s->want.headers[i];
	lp_reply_head(s->want.ex, 200, -1, headers, n);
	s->first_at = lp_mono(lp_exchange_loop(s->want.ex));
}

/* A runner that fails in mid-stream says so in an event (ai-http-api 10.3). */
static bool is_failure(struct lp_span data, struct lp_err *e)
{
	struct lp_jval error = lp_jscan_get(lp_jscan(data), "error");
	char words[160];
	size_t len = 0;

	if (error.kind == LP_J_BAD || error.kind == LP_J_NULL)
		return false;
	if (error.kind == LP_J_OBJECT)
		error = lp_jscan_get(error, "message");
	if (!lp_jscan_unescape(error, words, sizeof(words), &len))
		len = 0;
	lp_fail(e, LP_RUNNER, "the stream broke off: %.*s", len ? (int)len : 12, len ? words : "no words why");
	return true;
}

static enum lp_stream_state pass_on(struct lp_stream *s, struct lp_span data, struct lp_err *e)
{
	uint64_t tokens;

	if (lp_span_is(data, "[DONE]"))
		return LP_STREAM_LAST;
	if (is_failure(data, e))
		return LP_STREAM_FAILED;
	lp_buf_reset(&s->out);
	lp_buf_add_text(&s->out, "data: ");
	if (lp_span_find(data, LP_SPAN("null")) < 0)
		lp_buf_add_span(&s->out, data);
	else if (!lp_answer_drop_nulls(&s->out, data))
		return LP_STREAM_MORE;	/* no JSON: skipped, as every hop does */
	lp_buf_add_text(&s->out, "\n\n");
	if (!lp_reply_started(s->want.ex))
		write_head(s);
	lp_reply_write(s->want.ex, lp_buf_span(&s->out));
	if (s->out.cap > FREE)
		lp_buf_clear(&s->out);
	tokens = lp_answer_tokens(data);
	if (tokens)
		s->tokens = tokens;
	return lp_answer_is_last(data) ? LP_STREAM_LAST : LP_STREAM_MORE;
}

/* Nothing more to read now: wait, or is it over too early? */
static enum lp_stream_state dry(struct lp_stream *s, struct lp_err *e)
{
	switch (lp_call_state(s->want.call)) {
	case LP_CALL_FAILED:
		*e = *lp_call_err(s->want.call);
		return LP_STREAM_FAILED;
	case LP_CALL_DONE:
		lp_fail(e, LP_BAD_PEER, "the stream ended before its last event");
		return LP_STREAM_FAILED;
	case LP_CALL_SENDING:
	case LP_CALL_BODY:
		break;
	}
	return LP_STREAM_MORE;
}

/* OpenAI's clients wait for it, and peers of ours do without. */
static enum lp_stream_state last(struct lp_stream *s)
{
	if (s->want.done && lp_reply_started(s->want.ex))
		lp_reply_write(s->want.ex, LP_SPAN("data: [DONE]\n\n"));
	return LP_STREAM_LAST;
}

enum lp_stream_state lp_stream_pump(struct lp_stream *s, struct lp_err *e)
{
	for (;;) {
		struct lp_span name, data;

		e->code = LP_OK;
		if (lp_reply_started(s->want.ex) && !lp_reply_room(s->want.ex))
			return LP_STREAM_MORE;
		if (lp_events_pull(s->events, &name, &data, e)) {
			enum lp_stream_state state = pass_on(s, data, e);

			if (state == LP_STREAM_LAST)
				return last(s);
			if (state != LP_STREAM_MORE)
				return state;
			continue;
		}
		if (e->code != LP_OK)
			return LP_STREAM_FAILED;
		struct lp_span got = lp_call_read(s->want.call);

		if (!got.len)
			return dry(s, e);
		if (got.len > PIECE)
			got.len = PIECE;
		lp_events_push(s->events, got);
		lp_call_consume(s->want.call, got.len);
		if (count(s, e) != LP_OK)
			return LP_STREAM_FAILED;
	}
}

uint64_t lp_stream_tokens(const struct lp_stream *s)
{
	return s->tokens;
}

int64_t lp_stream_first_at(const struct lp_stream *s)
{
	return s->first_at;
}
