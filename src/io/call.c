/* The facade of a call: what the user sees of it, over whatever transport.
 *
 * It owns the request until the peer has it, the answer's head, the unread body, the deadlines and the
 * event.  A call is in one of three places: waiting with the client, bound to a stream, or over. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/io/timer.h>

#include "call_wire.h"

#define CONNECT_TIME (3 * LP_SEC)
#define STALL_TIME (60 * LP_SEC)
#define WINDOW (256 * 1024)
#define EARLY_MAX (64 * 1024)	/* streamed bytes welcome before there is a stream */
#define KEPT_MAX (16 * 1024)	/* an empty buffer keeps no more than this */

struct lp_call {
	struct lp_client *client;
	struct lp_loop *loop;
	struct lp_scope *scope;
	void (*on_event)(void *self);
	void *self;
	struct lp_ready event;
	struct lp_timer timer;
	struct lp_link link;			/* client.c's */
	void *pool;				/* client.c's */
	const struct lp_call_wire *wire;	/* NULL: not bound */
	void *stream;

	struct lp_call_request request;
	struct lp_url url;
	struct lp_buf body;			/* behind request.body */
	struct lp_buf early;			/* streamed before a stream was there */

	int64_t connect_time, first_byte_time, stall_time, total_time;
	/* When: started, (re)submitted, request out, last piece in (of the answer; before it, of the request). */
	int64_t started, waiting_since, asked, piece;

	enum lp_call_state state;
	int status;
	int64_t length;
	struct lp_headers headers, trailers;
	struct lp_buf in;
	struct lp_err *err;			/* NULL: none */

	bool waiting;				/* with the client, which must be told when we leave */
	bool queued;				/* for one of many busy connections */
	bool idempotent, on_idle, fresh, retried;
	bool sent, request_done;
	bool handed;				/* streamed bytes went to a stream: they cannot be sent again */
	bool body_ended;
};

/* ---- small things ---- */

static bool over(const struct lp_call *call)
{
	return call->state == LP_CALL_DONE || call->state == LP_CALL_FAILED;
}

static void tell(struct lp_call *call)
{
	lp_ready(call->loop, &call->event);
}

static void run_event(void *self)
{
	struct lp_call *call = self;

	call->on_event(call->self);	/* may close our scope: nothing after it */
}

/* ---- deadlines ---- */

static int64_t plus(int64_t at, int64_t time)
{
	return time >= LP_NEVER - at ? LP_NEVER : at + time;
}

/* Bytes of the request wait for the peer, not for the user. */
static bool blocked(const struct lp_call *call)
{
	return !call->request.body_streamed || call->body_ended || call->wire->room(call->stream) == 0;
}

static int64_t upload_due(const struct lp_call *call)
{
	if (!call->wire->last_sent || !blocked(call))
		return LP_NEVER;
	int64_t sent = call->wire->last_sent(call->stream);
	return plus(sent > call->piece ? sent : call->piece, call->stall_time);
}

/* The wait that the call is in besides its total. */
static int64_t wait_due(const struct lp_call *call, int64_t *time, const char **words)
{
	if (!call->wire) {
		*time = call->connect_time;
		*words = "no connection within";
		return call->queued ? LP_NEVER : plus(call->waiting_since, *time);
	}
	if (call->state == LP_CALL_SENDING && !call->request_done) {
		*time = call->stall_time;
		*words = "no more of the request was taken within";
		return upload_due(call);
	}
	if (call->state == LP_CALL_SENDING) {
		*time = call->first_byte_time;
		*words = "no answer within";
		return plus(call->asked, *time);
	}
	*time = call->stall_time;
	*words = "nothing more came within";
	return call->in.len < call->request.window ? plus(call->piece, *time) : LP_NEVER;
}

static void arm(struct lp_call *call)
{
	int64_t time;
	const char *words;

	if (over(call)) {
		lp_timer_clear(&call->timer);
		return;
	}
	int64_t due = wait_due(call, &time, &words);
	int64_t end = plus(call->started, call->total_time);
	if (end < due)
		due = end;
	/* A timer that rings too early looks again: pieces that come do not touch it. */
	if (due != LP_NEVER && (!lp_timer_is_set(&call->timer) || call->timer.at > due))
		lp_timer_set(&call->timer, call->loop, due - lp_mono(call->loop));
}

static void unbind(struct lp_call *call)
{
	call->wire = NULL;
	call->stream = NULL;
	call->waiting = false;
}

static void leave(struct lp_call *call)
{
	const struct lp_call_wire *wire = call->wire;
	void *stream = call->stream;
	bool waiting = call->waiting;

	unbind(call);
	if (wire)
		wire->cancel(stream);
	else if (waiting)
		lp_client_withdraw(call->client, call);
}

static void fail(struct lp_call *call, enum lp_code why, const char *words)
{
	const struct lp_url *url = &call->url;

	call->err = lp_new(call->scope, struct lp_err);
	if (url->unix_path)
		lp_fail(call->err, why, "%s: %s", url->unix_path, words);
	else if (memchr(url->host.at, ':', url->host.len))
		lp_fail(call->err, why, "[%.*s]:%u: %s", LP_ARG(url->host), url->port, words);
	else
		lp_fail(call->err, why, "%.*s:%u: %s", LP_ARG(url->host), url->port, words);
	call->state = LP_CALL_FAILED;
	lp_timer_clear(&call->timer);
	lp_buf_clear(&call->body);
	lp_buf_clear(&call->early);
	tell(call);
}

static void fail_late(struct lp_call *call, enum lp_code why, const char *words, int64_t time)
{
	char text[32];
	struct lp_err e;

	lp_fail(&e, why, "%s %s", words, lp_duration_text(time, text));
	leave(call);
	fail(call, why, e.words);
}

static void fire(void *self)
{
	struct lp_call *call = self;
	int64_t now = lp_mono(call->loop);
	int64_t time;
	const char *words;

	if (plus(call->started, call->total_time) <= now)
		fail_late(call, LP_TIMEOUT, "not done within", call->total_time);
	else if (wait_due(call, &time, &words) <= now)
		fail_late(call, call->wire ? LP_TIMEOUT : LP_CONNECT, words, time);
	else
		arm(call);
}

/* ---- starting ---- */

static char *copy(char **at, struct lp_span from)
{
	char *to = *at;

	if (from.len)
		memcpy(to, from.at, from.len);
	to[from.len] = '\0';
	*at += from.len + 1;
	return to;
}

/* Eight bytes at once, since tokens and payments are long: is none of them below a blank, and none a DEL?  The high
 * bit of a byte of (x - n) & ~x is set when some byte of x is less than n. */
static bool eight_plain(const char *at)
{
	const uint64_t each = UINT64_MAX / 255;		/* 1 in every byte */
	uint64_t x;

	memcpy(&x, at, sizeof(x));
	uint64_t del = x ^ each * 0x7f;
	return ((((x - each * ' ') & ~x) | ((del - each) & ~del)) & each << 7) == 0;
}

/* A value from elsewhere must not end its header line. */
static void clean(char *value, size_t len)
{
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)value[i];

		if (len - i >= 8 && eight_plain(value + i)) {
			i += 8;
			continue;
		}
		if ((c < ' ' && c != '\t') || c == 0x7f)
			value[i] = ' ';
		i++;
	}
}

static size_t want_size(const struct lp_call_want *want)
{
	size_t size = strlen(want->method) + 1 + want->url->text.len + 1 + want->url->host.len + 1 + want->url->path.len + 1;

	if (want->url->unix_path)
		size += strlen(want->url->unix_path) + 1;
	for (int i = 0; i < want->n_headers; i++)
		size += want->headers[i].name.len + want->headers[i].value.len + 2;
	return size + (size_t)want->n_headers * sizeof(struct lp_header);
}

static void copy_url(struct lp_call *call, const struct lp_url *url, char **at)
{
	call->url = *url;
	call->url.text.at = copy(at, url->text);
	call->url.host.at = copy(at, url->host);
	call->url.path.at = copy(at, url->path);
	if (url->unix_path)
		call->url.unix_path = copy(at, lp_span(url->unix_path));
}

/* One allocation for all the small parts; a body is on the heap, to be freed before the call is. */
static void copy_want(struct lp_call *call, const struct lp_call_want *want)
{
	struct lp_header *headers = lp_alloc(call->scope, want_size(want));
	char *at = (char *)(headers + want->n_headers);

	call->request.method = copy(&at, lp_span(want->method));
	copy_url(call, want->url, &at);
	for (int i = 0; i < want->n_headers; i++) {
		const struct lp_header *from = &want->headers[i];

		headers[i] = *from;
		headers[i].name.at = copy(&at, from->name);
		char *value = copy(&at, from->value);
		clean(value, from->value.len);
		headers[i].value.at = value;
	}
	call->request.url = &call->url;
	call->request.headers = (struct lp_headers){ headers, want->n_headers };
	if (!want->body_streamed && want->body.len) {
		lp_buf_add_span(&call->body, want->body);
		call->request.body = lp_buf_span(&call->body);
	}
	call->request.body_streamed = want->body_streamed;
	call->request.body_length = want->body_streamed ? want->body_length : (int64_t)want->body.len;
	call->request.window = want->window ? want->window : WINDOW;
	call->request.h2_only = want->h2_only;
	call->request.h1_only = want->h1_only;
	call->request.idle_retire = want->idle_retire;
}

static int64_t or_default(int64_t time, int64_t fallback)
{
	return time ? time : fallback;
}

/* The scope closes: whatever state the call is in, it ends here and silently. */
static void close_call(void *arg)
{
	struct lp_call *call = arg;

	lp_unready(&call->event);
	lp_timer_clear(&call->timer);
	leave(call);
	lp_buf_clear(&call->body);
	lp_buf_clear(&call->early);
	lp_buf_clear(&call->in);
}

static void submit(struct lp_call *call)
{
	call->waiting = true;
	call->queued = false;
	call->waiting_since = lp_mono(call->loop);
	lp_client_submit(call->client, call);
	arm(call);
}

struct lp_call *lp_call_start(struct lp_scope *scope, struct lp_client *client, const struct lp_call_want *want,
			      void (*on_event)(void *self), void *self)
{
	struct lp_call *call = lp_new(scope, struct lp_call);

	call->scope = scope;
	call->client = client;
	call->loop = lp_client_loop(client);
	call->on_event = on_event;
	call->self = self;
	call->event = (struct lp_ready){ .run = run_event, .self = call };
	call->timer = (struct lp_timer){ .fire = fire, .self = call };
	call->length = -1;
	call->idempotent = want->idempotent;
	call->connect_time = or_default(want->connect_time, CONNECT_TIME);
	call->first_byte_time = or_default(want->first_byte_time, LP_NEVER);
	call->stall_time = or_default(want->stall_time, STALL_TIME);
	call->total_time = or_default(want->total_time, LP_NEVER);
	call->started = lp_mono(call->loop);
	copy_want(call, want);
	lp_defer(scope, close_call, call);
	submit(call);
	return call;
}

/* ---- what the user asks ---- */

enum lp_call_state lp_call_state(const struct lp_call *call)
{
	return call->state;
}

int lp_call_status(const struct lp_call *call)
{
	return call->status;
}

struct lp_headers lp_call_headers(const struct lp_call *call)
{
	return call->headers;
}

struct lp_headers lp_call_trailers(const struct lp_call *call)
{
	return call->trailers;
}

int64_t lp_call_length(const struct lp_call *call)
{
	return call->length;
}

const struct lp_err *lp_call_err(const struct lp_call *call)
{
	static const struct lp_err none = { .code = LP_OK };

	return call->err ? call->err : &none;
}

bool lp_call_sent(const struct lp_call *call)
{
	return call->sent;
}

struct lp_span lp_call_read(struct lp_call *call)
{
	return lp_buf_span(&call->in);
}

void lp_call_consume(struct lp_call *call, size_t n)
{
	bool held = call->in.len >= call->request.window;

	lp_assert(n <= call->in.len);
	if (!n)
		return;
	lp_buf_eat(&call->in, n);
	if (!call->in.len && call->in.cap > KEPT_MAX)
		lp_buf_clear(&call->in);
	if (held && call->in.len < call->request.window) {
		call->piece = lp_mono(call->loop);	/* from now on the peer is to blame again */
		arm(call);
	}
	if (call->wire)
		call->wire->consumed(call->stream, n);
}

void lp_call_write(struct lp_call *call, struct lp_span bytes)
{
	lp_assert(call->request.body_streamed && !call->body_ended);
	if (over(call) || !bytes.len)
		return;
	if (!call->wire) {
		lp_buf_add_span(&call->early, bytes);
		return;
	}
	if (!blocked(call))
		call->piece = lp_mono(call->loop);	/* until now it was the user who kept the peer waiting */
	call->handed = true;
	call->wire->write(call->stream, bytes);
	arm(call);
}

size_t lp_call_room(const struct lp_call *call)
{
	if (over(call))
		return 0;
	if (call->wire)
		return call->wire->room(call->stream);
	return call->early.len < EARLY_MAX ? EARLY_MAX - call->early.len : 0;
}

void lp_call_end_body(struct lp_call *call)
{
	lp_assert(call->request.body_streamed);
	if (over(call) || call->body_ended)
		return;
	if (!call->wire) {
		call->body_ended = true;
		return;
	}
	if (!blocked(call))
		call->piece = lp_mono(call->loop);
	call->body_ended = true;
	call->handed = true;
	call->wire->end_body(call->stream);
	arm(call);
}

/* ---- what client.c and the wires tell ---- */

const struct lp_call_request *lp_call_wire_request(const struct lp_call *call)
{
	return &call->request;
}

static void hand_over_early(struct lp_call *call)
{
	bool was_full = call->early.len >= EARLY_MAX;

	if (call->early.len) {
		call->handed = true;
		call->wire->write(call->stream, lp_buf_span(&call->early));
		lp_buf_clear(&call->early);
	}
	if (!call->wire)	/* it broke at once */
		return;
	if (call->body_ended) {
		call->handed = true;
		call->wire->end_body(call->stream);
	} else if (was_full && call->wire->room(call->stream)) {
		tell(call);
	}
}

void lp_call_wire_bind(struct lp_call *call, const struct lp_call_wire *wire, void *stream)
{
	lp_assert(!call->wire && !over(call));
	call->waiting = false;
	call->wire = wire;
	call->stream = stream;
	call->piece = lp_mono(call->loop);
	if (call->request.body_streamed)
		hand_over_early(call);
	arm(call);
}

void lp_call_wire_sent(struct lp_call *call)
{
	call->sent = true;
}

/* The request is out and an answer is there: nobody will ask for the body again. */
static void release_body(struct lp_call *call)
{
	if (!call->request_done || call->state == LP_CALL_SENDING)
		return;
	lp_buf_clear(&call->body);
	call->request.body = (struct lp_span){ NULL, 0 };
}

void lp_call_wire_request_done(struct lp_call *call)
{
	if (call->request_done)
		return;
	call->sent = true;
	call->request_done = true;
	call->asked = lp_mono(call->loop);
	release_body(call);
	arm(call);
}

static struct lp_headers copy_headers(struct lp_scope *scope, struct lp_headers from)
{
	size_t size = (size_t)from.n * sizeof(struct lp_header);

	if (!from.n)
		return (struct lp_headers){ NULL, 0 };
	for (int i = 0; i < from.n; i++)
		size += from.at[i].name.len + from.at[i].value.len + 2;
	struct lp_header *to = lp_alloc(scope, size);
	char *at = (char *)(to + from.n);
	for (int i = 0; i < from.n; i++) {
		to[i] = from.at[i];
		to[i].name.at = copy(&at, from.at[i].name);
		to[i].value.at = copy(&at, from.at[i].value);
	}
	return (struct lp_headers){ to, from.n };
}

void lp_call_wire_head(struct lp_call *call, int status, struct lp_headers headers, int64_t length)
{
	if (call->state != LP_CALL_SENDING)
		return;
	call->state = LP_CALL_BODY;
	call->status = status;
	call->length = length;
	call->headers = copy_headers(call->scope, headers);
	call->piece = lp_mono(call->loop);
	release_body(call);
	arm(call);
	tell(call);
}

void lp_call_wire_body(struct lp_call *call, struct lp_span bytes)
{
	if (call->state != LP_CALL_BODY)
		return;
	lp_buf_add_span(&call->in, bytes);
	call->piece = lp_mono(call->loop);
	tell(call);
}

void lp_call_wire_end(struct lp_call *call, struct lp_headers trailers)
{
	unbind(call);
	if (call->state == LP_CALL_SENDING)
		fail(call, LP_BAD_PEER, "the answer has no head");
	if (call->state != LP_CALL_BODY)
		return;
	call->trailers = copy_headers(call->scope, trailers);
	call->state = LP_CALL_DONE;
	lp_timer_clear(&call->timer);
	lp_buf_clear(&call->body);
	lp_buf_clear(&call->early);
	tell(call);
}

/* Nothing that a peer may have received is sent twice, but for a call that its user called idempotent and
 * that died with a connection which had idled. */
static bool may_start_anew(const struct lp_call *call, enum lp_code why, bool not_received)
{
	if (call->state != LP_CALL_SENDING || call->retried || call->handed)
		return false;
	return not_received || (call->idempotent && call->on_idle && why == LP_RESET);
}

void lp_call_wire_fail(struct lp_call *call, enum lp_code why, bool not_received, const char *words)
{
	bool was_bound = call->wire != NULL;

	unbind(call);
	if (over(call))
		return;
	if (not_received && call->state == LP_CALL_SENDING)
		call->sent = false;
	if (was_bound && may_start_anew(call, why, not_received)) {
		call->retried = true;
		call->fresh = !not_received;
		call->request_done = false;
		submit(call);
		return;
	}
	fail(call, why, words);
}

void lp_call_wire_room(struct lp_call *call)
{
	if (!over(call))
		tell(call);
}

struct lp_link *lp_call_wire_link(struct lp_call *call)
{
	return &call->link;
}

struct lp_call *lp_call_wire_of_link(struct lp_link *link)
{
	return LP_CONTAINER(link, struct lp_call, link);
}

bool lp_call_wire_retried(struct lp_call *call)
{
	bool was = call->retried;

	call->retried = true;
	return was;
}

void lp_call_wire_queued(struct lp_call *call, bool queued)
{
	if (call->queued == queued)
		return;
	call->queued = queued;
	call->waiting_since = lp_mono(call->loop);
	arm(call);
}

void lp_call_wire_on_idle(struct lp_call *call)
{
	call->on_idle = true;
}

bool lp_call_wire_wants_fresh(const struct lp_call *call)
{
	return call->fresh;
}

void **lp_call_wire_pool(struct lp_call *call)
{
	return &call->pool;
}
