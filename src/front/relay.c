#include <lpd/front/relay.h>

#include <lpd/base/buf.h>
#include <lpd/market/answer.h>

struct lp_relay {
	struct lp_relay_want want;
	struct lp_buf small;		/* what has come, until it is known to be small or not */
	bool large;
	uint64_t tokens;
};

static void clear(void *arg)
{
	struct lp_relay *r = arg;

	lp_buf_clear(&r->small);
}

struct lp_relay *lp_relay_open(struct lp_scope *scope, const struct lp_relay_want *want)
{
	struct lp_relay *r = lp_new(scope, struct lp_relay);

	r->want = *want;
	r->large = lp_call_length(want->call) > LP_RELAY_SMALL;
	lp_defer(scope, clear, r);
	return r;
}

static void write_head(struct lp_relay *r, int64_t length)
{
	struct lp_header headers[8];
	struct lp_span type = lp_headers_find(lp_call_headers(r->want.call), "content-type");
	int n = 0;

	headers[n++] = (struct lp_header){ LP_SPAN("content-type"),
					   type.at ? type : LP_SPAN("application/json"), false };
	for (int i = 0; i < r->want.n_headers && n < 8; i++)
		headers[n++] = r->want.headers[i];
	lp_reply_head(r->want.ex, 200, length, headers, n);
}

/* The whole answer is in r->small. */
static enum lp_relay_state write_small(struct lp_relay *r)
{
	struct lp_span body = lp_buf_span(&r->small);
	struct lp_buf clean = { 0 };

	r->tokens = lp_answer_tokens(body);
	if (r->want.drop_nulls && lp_span_find(body, LP_SPAN("null")) >= 0 && lp_answer_drop_nulls(&clean, body))
		body = lp_buf_span(&clean);
	write_head(r, (int64_t)body.len);
	lp_reply_write(r->want.ex, body);
	lp_buf_clear(&clean);
	lp_buf_clear(&r->small);
	return LP_RELAY_DONE;
}

static enum lp_relay_state ended(struct lp_relay *r, struct lp_err *e)
{
	if (lp_call_state(r->want.call) == LP_CALL_FAILED) {
		*e = *lp_call_err(r->want.call);
		return LP_RELAY_FAILED;
	}
	if (lp_call_state(r->want.call) != LP_CALL_DONE)
		return LP_RELAY_MORE;
	if (!r->large)
		return write_small(r);
	if (!lp_reply_started(r->want.ex))
		write_head(r, lp_call_length(r->want.call));
	return LP_RELAY_DONE;
}

static void grew_large(struct lp_relay *r)
{
	r->large = true;
	write_head(r, lp_call_length(r->want.call));
	lp_reply_write(r->want.ex, lp_buf_span(&r->small));
	lp_buf_clear(&r->small);
}

enum lp_relay_state lp_relay_pump(struct lp_relay *r, struct lp_err *e)
{
	for (;;) {
		struct lp_span got = lp_call_read(r->want.call);

		if (!got.len)
			return ended(r, e);
		if (!r->large) {
			if (r->small.len + got.len > LP_RELAY_SMALL) {
				grew_large(r);
				continue;
			}
			lp_buf_add_span(&r->small, got);
			lp_call_consume(r->want.call, got.len);
			continue;
		}
		if (!lp_reply_started(r->want.ex))
			write_head(r, lp_call_length(r->want.call));
		size_t room = lp_reply_room(r->want.ex);

		if (!room)
			return LP_RELAY_MORE;
		if (got.len > room)
			got.len = room;
		lp_reply_write(r->want.ex, got);
		lp_call_consume(r->want.call, got.len);
	}
}

uint64_t lp_relay_tokens(const struct lp_relay *r)
{
	return r->tokens;
}
