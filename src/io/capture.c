/* io/capture - a wire (exchange_wire.h) whose far end is a spool. */
#include <lpd/io/capture.h>

#include "exchange_wire.h"

struct lp_capture {
	struct lp_capture_want want;
	struct lp_scope *scope;
	struct lp_exchange_owner owner;
	struct lp_exchange *ex;		/* NULL: it is over */
	struct lp_spool *body;
	struct lp_headers headers;
	struct lp_ready row;
	struct lp_err err;
	int status;
	bool ended;
};

static void tell(struct lp_capture *c)
{
	lp_ready(c->want.loop, &c->row);
}

static void run(void *self)
{
	struct lp_capture *c = self;

	c->want.on_event(c->want.self);
}

/* The exchange ends by itself from the loop; nobody may write to it any more. */
static void break_off(struct lp_capture *c, enum lp_code why, const char *words)
{
	struct lp_exchange *ex = c->ex;

	if (c->err.code == LP_OK)
		lp_fail(&c->err, why, "%s", words);
	c->ex = NULL;
	if (ex)
		lp_exchange_wire_gone(ex, why, words);
	lp_spool_break(c->body, c->err.code, lp_err_words(&c->err));	/* somebody may be reading it */
	tell(c);
}

/* ---- the wire ---- */

static void consumed(void *stream, size_t n)
{
	(void)stream;
	(void)n;
}

static void head(void *stream, int status, int64_t length, struct lp_headers headers)
{
	struct lp_capture *c = stream;
	struct lp_header *copy = lp_new_array(c->scope, struct lp_header, (size_t)headers.n);

	for (int i = 0; i < headers.n; i++)
		copy[i] = (struct lp_header){
			.name = lp_span_dup(c->scope, headers.at[i].name),
			.value = lp_span_dup(c->scope, headers.at[i].value),
		};
	c->headers = (struct lp_headers){ copy, headers.n };
	c->status = status;
	lp_spool_expect(c->body, length);
	tell(c);
}

static void data(void *stream, struct lp_span bytes)
{
	struct lp_capture *c = stream;
	struct lp_err e;

	if (lp_spool_write(c->body, bytes, &e) != LP_OK)
		break_off(c, e.code, lp_err_words(&e));
}

static void end(void *stream, struct lp_headers trailers)
{
	struct lp_capture *c = stream;
	struct lp_exchange *ex = c->ex;

	(void)trailers;
	c->ended = true;
	c->ex = NULL;
	lp_spool_end(c->body);
	lp_exchange_wire_done(ex);
	tell(c);
}

static size_t room(const void *stream)
{
	const struct lp_capture *c = stream;

	return lp_spool_room(c->body);
}

static void aborted(void *stream, enum lp_code why)
{
	struct lp_capture *c = stream;

	c->ex = NULL;
	if (c->err.code == LP_OK)
		lp_fail(&c->err, why, "%s", lp_code_words(why));
	lp_spool_break(c->body, c->err.code, lp_err_words(&c->err));
	tell(c);
}

static const struct lp_exchange_wire wire = { consumed, head, data, end, room, aborted, NULL };

/* ---- the spool ---- */

static void on_spool(void *self)
{
	struct lp_capture *c = self;
	const struct lp_err *why = lp_spool_err(c->body);

	if (why->code != LP_OK && c->err.code == LP_OK) {
		break_off(c, why->code, lp_err_words(why));
		return;
	}
	if (c->ex)
		lp_exchange_wire_room(c->ex);
	else
		tell(c);
}

/* ---- the header's functions ---- */

static void nobody_handles(void *self, struct lp_exchange *ex)
{
	(void)self;
	(void)ex;
}

static void close_capture(void *arg)
{
	struct lp_capture *c = arg;

	lp_unready(&c->row);
}

struct lp_capture *lp_capture_open(struct lp_scope *scope, const struct lp_capture_want *want)
{
	struct lp_capture *c = lp_new(scope, struct lp_capture);
	struct lp_exchange *like = want->like;
	const struct lp_exchange_head request = {
		.method = lp_exchange_method(like),
		.target = lp_exchange_path(like),
		.headers = lp_exchange_headers(like),
		.no_body = true,
		.peer = "",
	};

	c->want = *want;
	c->want.like = NULL;
	c->scope = scope;
	c->row = (struct lp_ready){ .run = run, .self = c };
	c->owner = (struct lp_exchange_owner){ .loop = want->loop, .handle = nobody_handles };
	c->body = lp_spool_open(scope, want->loop, want->budget);
	lp_spool_watch(c->body, on_spool, c);
	lp_defer(scope, close_capture, c);
	c->ex = lp_exchange_wire_open(scope, &c->owner, &wire, c, &request);
	return c;
}

struct lp_exchange *lp_capture_exchange(struct lp_capture *c)
{
	return c->ex;
}

enum lp_capture_state lp_capture_state(const struct lp_capture *c)
{
	if (c->err.code != LP_OK)
		return LP_CAPTURE_BROKEN;
	if (c->ended && lp_spool_ready(c->body))
		return LP_CAPTURE_WHOLE;
	return c->status ? LP_CAPTURE_BODY : LP_CAPTURE_EMPTY;
}

const struct lp_err *lp_capture_err(const struct lp_capture *c)
{
	return &c->err;
}

int lp_capture_status(const struct lp_capture *c)
{
	return c->status;
}

struct lp_span lp_capture_header(const struct lp_capture *c, const char *name)
{
	return lp_headers_find(c->headers, name);
}

struct lp_spool *lp_capture_body(struct lp_capture *c)
{
	return c->body;
}

void lp_capture_cancel(struct lp_capture *c, const char *words)
{
	if (c->ex)
		break_off(c, LP_GONE, words);
}
