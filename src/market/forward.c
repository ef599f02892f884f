/* market/forward - see the header. */
#include <lpd/market/forward.h>

#include <lpd/io/multipart.h>

/* A form on its way: what stands before the file, the file out of the spool, what stands behind it. */
struct forward {
	struct lp_call *call;
	struct lp_spool_reader *reader;	/* NULL: the request has no file */
	struct lp_buf before, after;
	bool ended;
	void (*on_event)(void *self);
	void *self;
};

static void forward_clear(void *arg)
{
	struct forward *f = arg;

	lp_buf_clear(&f->before);
	lp_buf_clear(&f->after);
}

/* As much of a buffer as is welcome; true when it is empty.  A call tells of room only after there was none, and what
 * it could hand on at once is room again. */
static bool drain(struct lp_call *call, struct lp_buf *buf)
{
	size_t room;

	while (buf->len && (room = lp_call_room(call)) > 0) {
		struct lp_span bytes = lp_buf_span(buf);

		bytes.len = bytes.len < room ? bytes.len : room;
		lp_call_write(call, bytes);
		lp_buf_eat(buf, bytes.len);
	}
	return buf->len == 0;
}

/* True when the whole file has been handed over.  When the disk fails under it the body ends early: the
 * length announced is then not reached, and the call fails as one that was not sent whole. */
static bool drain_file(struct forward *f)
{
	if (!f->reader)
		return true;
	for (;;) {
		struct lp_span bytes = lp_spool_peek(f->reader);
		size_t room = lp_call_room(f->call);

		if (!bytes.len)
			break;
		if (!room)
			return false;
		bytes.len = bytes.len < room ? bytes.len : room;
		lp_call_write(f->call, bytes);
		lp_spool_consume(f->reader, bytes.len);
	}
	return lp_spool_at_end(f->reader) || lp_spool_reader_err(f->reader)->code != LP_OK;
}

static void pump(struct forward *f)
{
	enum lp_call_state state = lp_call_state(f->call);

	/* An early answer may come while we still send: go on, the peer may be reading. */
	if (f->ended || state == LP_CALL_DONE || state == LP_CALL_FAILED)
		return;
	if (!drain(f->call, &f->before) || !drain_file(f))
		return;
	if (f->reader && lp_spool_reader_err(f->reader)->code == LP_OK && !drain(f->call, &f->after))
		return;
	if (!f->reader && !drain(f->call, &f->after))
		return;
	f->ended = true;
	lp_call_end_body(f->call);
}

static void on_call(void *self)
{
	struct forward *f = self;

	pump(f);
	f->on_event(f->self);
}

static void on_spool(void *self)
{
	pump(self);
}

#define OWN_HEADERS 3

/* Returns how many. */
static int add_context(struct lp_scope *scope, struct lp_header *to, const struct lp_trace_context *context)
{
	char parent[LP_TRACE_PARENT + 1];

	if (!context)
		return 0;
	to[0] = (struct lp_header){
		.name = LP_SPAN("traceparent"),
		.value = lp_span(lp_strdup(scope, lp_span(lp_trace_context_parent(context, parent)))),
	};
	if (!context->state.len)
		return 1;
	to[1] = (struct lp_header){ .name = LP_SPAN("tracestate"), .value = context->state };
	return 2;
}

static void add_headers(struct lp_scope *scope, struct lp_call_want *call, const struct lp_forward_want *want,
			struct lp_span content_type)
{
	struct lp_header *all = lp_new_array(scope, struct lp_header, (size_t)want->n_headers + OWN_HEADERS);

	all[0] = (struct lp_header){ .name = LP_SPAN("content-type"), .value = content_type };
	for (int i = 0; i < want->n_headers; i++)
		all[i + 1] = want->headers[i];
	call->method = "POST";
	call->headers = all;
	call->n_headers = want->n_headers + 1;
	call->n_headers += add_context(scope, all + call->n_headers, want->context);
}

static struct lp_call *start_json(struct lp_scope *scope, struct lp_client *client,
				  const struct lp_forward_want *want, void (*on_event)(void *self), void *self)
{
	struct lp_call_want call = want->call;
	struct lp_buf body = { 0 };
	struct lp_call *started;

	add_headers(scope, &call, want, LP_SPAN("application/json"));
	lp_request_write_json(&body, want->request);
	call.body = lp_buf_span(&body);
	call.body_streamed = false;
	started = lp_call_start(scope, client, &call, on_event, self);
	lp_buf_clear(&body);
	return started;
}

static struct lp_call *start_form(struct lp_scope *scope, struct lp_client *client,
				  const struct lp_forward_want *want, void (*on_event)(void *self), void *self)
{
	struct lp_call_want call = want->call;
	struct forward *f = lp_new(scope, struct forward);
	char boundary[61];
	int64_t length;

	f->on_event = on_event;
	f->self = self;
	lp_defer(scope, forward_clear, f);
	lp_multipart_boundary(boundary);
	lp_request_write_form(&f->before, &f->after, boundary, want->request);
	length = (int64_t)f->before.len + (int64_t)f->after.len;
	if (want->file) {
		f->reader = lp_spool_read(scope, want->file, on_spool, f);
		length += lp_spool_size(want->file);
	}
	add_headers(scope, &call, want,
		    lp_span(lp_fmt(scope, "multipart/form-data; boundary=%s", boundary)));
	call.body_streamed = true;
	call.body_length = length;
	f->call = lp_call_start(scope, client, &call, on_call, f);
	pump(f);
	return f->call;
}

struct lp_call *lp_forward_start(struct lp_scope *scope, struct lp_client *client, const struct lp_forward_want *want,
				 void (*on_event)(void *self), void *self)
{
	if (want->request->pipeline->body == LP_BODY_MULTIPART)
		return start_form(scope, client, want, on_event, self);
	return start_json(scope, client, want, on_event, self);
}
