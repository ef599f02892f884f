#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/json.h>
#include <lpd/io/timer.h>

#include "exchange_wire.h"

struct lp_exchange {
	struct lp_scope *scope;
	const struct lp_exchange_owner *owner;
	const struct lp_exchange_wire *wire;
	void *stream;
	struct lp_span method, path, query;
	struct lp_headers headers;
	const char *peer;
	struct lp_err *err;		/* NULL: all is well */
	void (*on_event)(void *self);
	void *self;
	struct lp_ready row;		/* first the handler, then events, at last the end */
	struct lp_timer stall;
	struct lp_buf body;		/* come and not consumed */
	int64_t length, limit, received;
	int64_t last_piece;		/* mono, of the body, or when somebody began to wait for it */
	int64_t full_since;		/* mono, when the reply ran out of room; LP_NEVER: there is room */
	int64_t full_from;		/* what the client had taken by then */
	int64_t reply_left;		/* of the announced length; -1: unknown */
	enum lp_body_state state;
	bool h2 : 1, tls : 1;
	bool handled : 1;		/* the handler has been called */
	bool over : 1;			/* no stream any more: one last event, then the end */
	bool gone : 1;
	bool news : 1;			/* something happened that no event has told */
	bool limited : 1;		/* somebody set a limit for the body */
	bool waits : 1;			/* somebody waits for the body, and the wire knows */
	bool replied : 1, reply_ended : 1;
	bool mute : 1;			/* the reply has no body, whatever is written */
};

static void run(void *self);
static void stalled(void *self);

/* ---- events ---- */

static void tell(struct lp_exchange *ex)
{
	ex->news = true;
	if (ex->on_event || ex->over)
		lp_ready(ex->owner->loop, &ex->row);
}

static void end(struct lp_exchange *ex)
{
	ex->over = true;
	ex->wire = NULL;
	ex->stream = NULL;
	lp_timer_clear(&ex->stall);
	tell(ex);
}

static void blame(struct lp_exchange *ex, enum lp_code why, const char *words)
{
	if (ex->err)
		return;		/* the first fault is the one to tell */
	ex->err = lp_new(ex->scope, struct lp_err);
	lp_fail(ex->err, why, "%s", words ? words : lp_code_words(why));
}

static void call_handler(struct lp_exchange *ex)
{
	ex->handled = true;
	ex->owner->handle(ex->owner->self, ex);
	if (!ex->limited && !ex->over)
		lp_exchange_limit_body(ex, ex->owner->body_limit);
	if (ex->news && ex->on_event)
		lp_ready(ex->owner->loop, &ex->row);
}

/* One the client left before its handler was called ends without a word. */
static void run(void *self)
{
	struct lp_exchange *ex = self;

	if (!ex->handled && !ex->over) {
		call_handler(ex);
		return;
	}
	bool over = ex->over;
	struct lp_scope *scope = ex->scope;
	ex->news = false;
	if (ex->handled && ex->on_event)
		ex->on_event(ex->self);
	if (over)
		lp_scope_close(&scope);
}

static void forget(void *self)
{
	struct lp_exchange *ex = self;

	lp_unready(&ex->row);
	lp_timer_clear(&ex->stall);
	if (ex->owner->held)
		ex->owner->held->bytes -= ex->body.len;
	lp_buf_clear(&ex->body);
}

/* ---- stalls: one timer for both directions, looked at only when it fires ---- */

static int64_t body_due(const struct lp_exchange *ex)
{
	if (ex->state != LP_BODY_MORE || !ex->waits || ex->body.len > 0 || ex->owner->body_stall <= 0)
		return LP_NEVER;
	return ex->last_piece + ex->owner->body_stall;
}

static int64_t reply_due(const struct lp_exchange *ex)
{
	if (ex->full_since == LP_NEVER || ex->owner->write_stall <= 0)
		return LP_NEVER;
	return ex->full_since + ex->owner->write_stall;
}

static void watch_stalls(struct lp_exchange *ex)
{
	int64_t body = body_due(ex), reply = reply_due(ex);
	int64_t due = body < reply ? body : reply;

	if (ex->over || due == LP_NEVER)
		return;
	if (!lp_timer_is_set(&ex->stall) || due < ex->stall.at)
		lp_timer_set(&ex->stall, ex->owner->loop, due - lp_mono(ex->owner->loop));
}

static void body_broken(struct lp_exchange *ex, enum lp_code why, const char *words)
{
	if (ex->state != LP_BODY_MORE)
		return;
	ex->state = LP_BODY_BROKEN;
	blame(ex, why, words);
	tell(ex);
}

static void count_refused(const struct lp_exchange *ex, const char *reason)
{
	if (ex->owner->metrics)
		lp_metric_add(ex->owner->metrics, LP_M_HTTP_REFUSED, LP_LABELS(reason), 1);
}

static int64_t taken(const struct lp_exchange *ex)
{
	return ex->wire->taken ? ex->wire->taken(ex->stream) : 0;
}

static void now_full(struct lp_exchange *ex)
{
	ex->full_since = lp_mono(ex->owner->loop);
	ex->full_from = taken(ex);
}

static void stalled(void *self)
{
	struct lp_exchange *ex = self;
	int64_t now = lp_mono(ex->owner->loop);

	if (body_due(ex) <= now) {
		count_refused(ex, "body_stall");
		body_broken(ex, LP_SLOW_REQUEST, "the body stopped coming");
	}
	/* Room comes in steps, a kernel's are of megabytes: a slow reader may take long from one to the next. */
	if (reply_due(ex) <= now && ex->wire->taken && taken(ex) - ex->full_from >= ex->owner->write_floor)
		now_full(ex);
	if (reply_due(ex) <= now) {
		count_refused(ex, "write_stall");
		blame(ex, LP_GONE, "the client stopped reading");
		lp_reply_abort(ex, LP_GONE);
		return;
	}
	watch_stalls(ex);
}

/* ---- for the wire ---- */

static struct lp_span keep(char **at, struct lp_span span)
{
	struct lp_span kept = { *at, span.len };

	if (span.len)
		memcpy(*at, span.at, span.len);
	*at += span.len;
	return kept;
}

/* One allocation for the whole head. */
static void copy_head(struct lp_exchange *ex, const struct lp_exchange_head *head)
{
	size_t n = (size_t)head->headers.n, bytes = head->method.len + head->target.len;

	for (size_t i = 0; i < n; i++)
		bytes += head->headers.at[i].name.len + head->headers.at[i].value.len;
	struct lp_header *headers = lp_alloc(ex->scope, n * sizeof(*headers) + bytes + 1);
	char *at = (char *)(headers + n);

	for (size_t i = 0; i < n; i++) {
		headers[i].name = keep(&at, head->headers.at[i].name);
		headers[i].value = keep(&at, head->headers.at[i].value);
		headers[i].secret = head->headers.at[i].secret;
	}
	ex->headers = (struct lp_headers){ headers, head->headers.n };
	ex->method = keep(&at, head->method);
	struct lp_span rest = keep(&at, head->target);
	ex->path = lp_span_cut(&rest, '?');
	ex->query = rest;
}

struct lp_exchange *lp_exchange_wire_open(struct lp_scope *parent, const struct lp_exchange_owner *owner,
					  const struct lp_exchange_wire *wire, void *stream,
					  const struct lp_exchange_head *head)
{
	struct lp_scope *scope = lp_scope_open(parent, "exchange");
	struct lp_exchange *ex = lp_new(scope, struct lp_exchange);

	ex->scope = scope;
	ex->owner = owner;
	ex->wire = wire;
	ex->stream = stream;
	copy_head(ex, head);
	ex->peer = head->peer;
	ex->h2 = head->h2;
	ex->tls = head->tls;
	ex->length = head->no_body ? 0 : head->length;
	ex->state = head->no_body ? LP_BODY_END : LP_BODY_MORE;
	ex->limit = owner->body_limit;
	ex->full_since = LP_NEVER;
	ex->mute = lp_span_is(ex->method, "HEAD");
	ex->news = true;
	ex->row = (struct lp_ready){ .run = run, .self = ex };
	ex->stall = (struct lp_timer){ .fire = stalled, .self = ex };
	lp_defer(scope, forget, ex);
	lp_ready(owner->loop, &ex->row);
	return ex;
}

/* False: the server holds all that it may; whoever waits for the body can say so. */
static bool may_hold(struct lp_exchange *ex, size_t n)
{
	struct lp_exchange_held *held = ex->owner->held;

	if (!held)
		return true;
	if (n > held->limit - held->bytes) {
		count_refused(ex, "held");
		body_broken(ex, LP_UNAVAILABLE, "this node holds as many bytes of requests as it can");
		return false;
	}
	held->bytes += n;
	return true;
}

void lp_exchange_wire_body(struct lp_exchange *ex, struct lp_span bytes)
{
	if (ex->over || ex->state != LP_BODY_MORE)
		return;
	ex->received += (int64_t)bytes.len;
	ex->last_piece = lp_mono(ex->owner->loop);
	if (ex->received > ex->limit) {
		body_broken(ex, LP_TOO_LARGE, NULL);
		return;
	}
	if (!may_hold(ex, bytes.len))
		return;
	lp_buf_add_span(&ex->body, bytes);
	tell(ex);
}

void lp_exchange_wire_body_end(struct lp_exchange *ex)
{
	if (ex->over || ex->state != LP_BODY_MORE)
		return;
	ex->state = LP_BODY_END;
	tell(ex);
}

void lp_exchange_wire_room(struct lp_exchange *ex)
{
	if (ex->full_since == LP_NEVER)
		return;		/* nobody was told that there is none */
	ex->full_since = LP_NEVER;
	tell(ex);
}

void lp_exchange_wire_gone(struct lp_exchange *ex, enum lp_code why, const char *words)
{
	if (ex->over)
		return;
	blame(ex, why, words);
	ex->gone = true;
	if (ex->state == LP_BODY_MORE)
		ex->state = LP_BODY_BROKEN;
	end(ex);
}

void lp_exchange_wire_done(struct lp_exchange *ex)
{
	if (!ex->over)
		end(ex);
}

bool lp_exchange_wire_reply_ended(const struct lp_exchange *ex)
{
	return ex->reply_ended;
}

/* ---- the request ---- */

struct lp_loop *lp_exchange_loop(const struct lp_exchange *ex)
{
	return ex->owner->loop;
}

struct lp_scope *lp_exchange_scope(struct lp_exchange *ex)
{
	return ex->scope;
}

struct lp_span lp_exchange_method(const struct lp_exchange *ex)
{
	return ex->method;
}

struct lp_span lp_exchange_path(const struct lp_exchange *ex)
{
	return ex->path;
}

struct lp_span lp_exchange_query(const struct lp_exchange *ex)
{
	return ex->query;
}

struct lp_headers lp_exchange_headers(const struct lp_exchange *ex)
{
	return ex->headers;
}

struct lp_span lp_exchange_header(const struct lp_exchange *ex, const char *name)
{
	return lp_headers_find(ex->headers, name);
}

int64_t lp_exchange_length(const struct lp_exchange *ex)
{
	return ex->length;
}

const char *lp_exchange_peer(const struct lp_exchange *ex)
{
	return ex->peer;
}

bool lp_exchange_is_h2(const struct lp_exchange *ex)
{
	return ex->h2;
}

bool lp_exchange_is_tls(const struct lp_exchange *ex)
{
	return ex->tls;
}

/* From now on the time between two pieces counts, and the wire may ask the client for the body. */
static void wait_for_body(struct lp_exchange *ex)
{
	if (ex->over || ex->state != LP_BODY_MORE || ex->body.len > 0)
		return;
	if (!ex->waits) {
		ex->waits = true;
		ex->last_piece = lp_mono(ex->owner->loop);
		ex->wire->consumed(ex->stream, 0);
	}
	watch_stalls(ex);
}

void lp_exchange_attend(struct lp_exchange *ex, void (*on_event)(void *self), void *self)
{
	ex->on_event = on_event;
	ex->self = self;
	if (ex->news && on_event)
		lp_ready(ex->owner->loop, &ex->row);
}

void lp_exchange_watch(struct lp_exchange *ex, void (*on_event)(void *self), void *self)
{
	wait_for_body(ex);
	lp_exchange_attend(ex, on_event, self);
}

void lp_exchange_limit_body(struct lp_exchange *ex, int64_t bytes)
{
	/* The route's limit is the operator's: who handles it may only be stricter. */
	ex->limit = ex->limited && ex->limit < bytes ? ex->limit : bytes;
	ex->limited = true;
	bytes = ex->limit;
	if (ex->length <= bytes && ex->received <= bytes)
		return;
	/* It may have come whole with the head, before there was a limit to hold it against. */
	if (ex->state == LP_BODY_END)
		ex->state = LP_BODY_MORE;
	body_broken(ex, LP_TOO_LARGE, NULL);
}

struct lp_span lp_exchange_read(struct lp_exchange *ex)
{
	wait_for_body(ex);
	return lp_buf_span(&ex->body);
}

void lp_exchange_consume(struct lp_exchange *ex, size_t n)
{
	lp_assert(n <= ex->body.len);
	lp_buf_eat(&ex->body, n);
	if (ex->owner->held)
		ex->owner->held->bytes -= n;
	if (ex->body.len == 0) {
		lp_buf_clear(&ex->body);
		ex->last_piece = lp_mono(ex->owner->loop);	/* the client is waited for from now on */
	}
	if (n > 0 && !ex->over)
		ex->wire->consumed(ex->stream, n);
	wait_for_body(ex);
}

enum lp_body_state lp_exchange_body(const struct lp_exchange *ex)
{
	return ex->state;
}

bool lp_exchange_gone(const struct lp_exchange *ex)
{
	return ex->gone;
}

const struct lp_err *lp_exchange_err(const struct lp_exchange *ex)
{
	static const struct lp_err none;

	return ex->err ? ex->err : &none;
}

/* ---- the reply ---- */

static void count_reply(const struct lp_exchange *ex, int status)
{
	char text[4] = { (char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10), (char)('0' + status % 10) };

	if (ex->owner->metrics)
		lp_metric_add(ex->owner->metrics, LP_M_HTTP_REQUESTS, LP_LABELS(text), 1);
}

void lp_reply_head(struct lp_exchange *ex, int status, int64_t length, const struct lp_header *headers, int n)
{
	if (ex->over)
		return;
	lp_assert(!ex->replied);
	ex->replied = true;
	ex->reply_left = length;
	if (status == 204 || status == 304)
		ex->mute = true;	/* RFC 9110 6.4.1 */
	count_reply(ex, status);
	ex->wire->head(ex->stream, status, length, (struct lp_headers){ headers, n });
}

void lp_reply_write(struct lp_exchange *ex, struct lp_span bytes)
{
	if (ex->over)
		return;
	lp_assert(ex->replied && !ex->reply_ended);
	if (ex->reply_left >= 0) {
		/* More than was announced would be read as the next reply's head. */
		if ((int64_t)bytes.len > ex->reply_left)
			bytes.len = (size_t)ex->reply_left;
		ex->reply_left -= (int64_t)bytes.len;
	}
	if (ex->mute || !bytes.len)
		return;
	ex->wire->data(ex->stream, bytes);
	if (!ex->over && ex->full_since == LP_NEVER && ex->wire->room(ex->stream) == 0) {
		now_full(ex);
		watch_stalls(ex);
	}
}

size_t lp_reply_room(const struct lp_exchange *ex)
{
	if (ex->over)
		return 0;
	return ex->mute ? SIZE_MAX / 2 : ex->wire->room(ex->stream);
}

void lp_reply_end(struct lp_exchange *ex)
{
	lp_reply_end_trailers(ex, NULL, 0);
}

void lp_reply_end_trailers(struct lp_exchange *ex, const struct lp_header *trailers, int n)
{
	if (ex->over)
		return;
	lp_assert(ex->replied && !ex->reply_ended);
	if (ex->reply_left > 0 && !ex->mute) {
		lp_reply_abort(ex, LP_INTERNAL);	/* less than was announced */
		return;
	}
	ex->reply_ended = true;
	ex->full_since = LP_NEVER;
	ex->wire->end(ex->stream, (struct lp_headers){ trailers, n });
}

void lp_reply_abort(struct lp_exchange *ex, enum lp_code why)
{
	if (ex->over)
		return;
	const struct lp_exchange_wire *wire = ex->wire;
	void *stream = ex->stream;

	/* First the last event is made ready: the wire may end the connection, and its scope with us in it,
	 * right behind it. */
	lp_exchange_wire_gone(ex, why, NULL);
	wire->abort(stream, why);
}

bool lp_reply_started(const struct lp_exchange *ex)
{
	return ex->replied;
}

static void reply_whole(struct lp_exchange *ex, int status, struct lp_headers headers, struct lp_span body)
{
	lp_reply_head(ex, status, (int64_t)body.len, headers.at, headers.n);
	lp_reply_write(ex, body);
	lp_reply_end(ex);
}

void lp_reply(struct lp_exchange *ex, int status, const char *content_type, struct lp_span body)
{
	struct lp_header type = { .name = LP_SPAN("content-type"), .value = lp_span(content_type) };

	reply_whole(ex, status, (struct lp_headers){ &type, content_type ? 1 : 0 }, body);
}

void lp_error_json(struct lp_buf *to, const struct lp_err *e)
{
	struct lp_span words = lp_span(lp_err_words(e)), code = lp_span(lp_code_name(e->code));

	lp_buf_add_text(to, "{\"error\":{\"message\":");
	lp_json_write_str(to, words);
	lp_buf_add_text(to, ",\"code\":");
	lp_json_write_str(to, code);
	/* The Livepeer SDKs decode 422 as a list, all others as one object (ai-http-api 10.1). */
	bool list = lp_code_status(e->code) == 422;
	lp_buf_add_text(to, list ? "},\"detail\":[{\"loc\":[\"body\"],\"msg\":" : "},\"detail\":{\"msg\":");
	lp_json_write_str(to, words);
	if (list) {
		lp_buf_add_text(to, ",\"type\":");
		lp_json_write_str(to, code);
	}
	lp_buf_add_text(to, list ? "}]}\n" : "}}\n");
}

void lp_reply_error_with(struct lp_exchange *ex, const struct lp_err *e, const struct lp_header *more)
{
	struct lp_header headers[3] = { { .name = LP_SPAN("content-type"), .value = LP_SPAN("application/json") } };
	struct lp_buf body = { 0 };
	int status = lp_code_status(e->code), n = 1;

	if (ex->over)
		return;
	if (ex->replied) {
		lp_reply_abort(ex, e->code);	/* too late for words */
		return;
	}
	if (status == 429 || status == 503)
		headers[n++] = (struct lp_header){ .name = LP_SPAN("retry-after"), .value = LP_SPAN("1") };
	if (more)
		headers[n++] = *more;
	lp_error_json(&body, e);
	reply_whole(ex, status, (struct lp_headers){ headers, n }, lp_buf_span(&body));
	lp_buf_clear(&body);
}

void lp_reply_error(struct lp_exchange *ex, const struct lp_err *e)
{
	lp_reply_error_with(ex, e, NULL);
}
