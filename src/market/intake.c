/* market/intake - see the header.
 *
 * One function, pump(), does all the reading.  It runs from the ready list: whoever pokes has returned by
 * then, and the owner hears of the end as late as of anything else. */
#include <lpd/market/intake.h>

#include <lpd/base/json.h>
#include <lpd/io/multipart.h>

#define NUMBER_MAX 64	/* bytes of a form's field that is no text */

struct lp_intake {
	struct lp_scope *scope;
	struct lp_exchange *ex;		/* NULL: it is closed */
	struct lp_intake_want want;
	struct lp_request *request;
	struct lp_ready ready;
	void (*on_event)(void *self);
	void *self;
	struct lp_err err;
	bool done;
	struct lp_buf text;		/* a JSON body, or the text field that is being read */
	size_t held;			/* bytes of the budget, until the scope is closed */
	/* of a form */
	struct lp_multipart *parts;
	bool whole;			/* its end was seen: only the disk is waited for */
	struct lp_spool *file;
	struct lp_jpeg_scan jpeg;
	struct lp_keccak keccak;
	struct lp_span field;		/* name of the text field, in the scope */
	size_t field_max;
	enum { SKIP, TEXT, FILE_PART } part;
};

static enum lp_code hold(struct lp_intake *in, size_t bytes, struct lp_err *e)
{
	bool gateway = in->want.edge == LP_EDGE_GATEWAY;

	if (!lp_budget_take(in->want.budget, bytes))
		return lp_fail(e, gateway ? LP_UNAVAILABLE : LP_NO_CAPACITY,
			       "no room for more requests: %lld bytes of them are in memory",
			       (long long)in->want.budget->bodies);
	in->held += bytes;
	return LP_OK;
}

static void let_go(struct lp_intake *in, size_t bytes)
{
	lp_budget_give(in->want.budget, bytes);
	in->held -= bytes;
}

/* From here on the body for the next hop is kept, instead of what came.  It may be longer by what was filled in; for
 * that little nobody is refused. */
static void pack(struct lp_intake *in)
{
	size_t packed;

	lp_request_pack(in->scope, in->request);
	packed = in->request->packed.len;
	if (packed < in->held)
		let_go(in, in->held - packed);
}

/* Said once: the request is there, or why it is not. */
static void finish(struct lp_intake *in, const struct lp_err *why)
{
	if (why)
		in->err = *why;
	else if (lp_request_finish(in->scope, in->request, in->want.edge, &in->err) == LP_OK)
		in->done = true;
	if (in->done && in->want.pipeline->body == LP_BODY_JSON)
		pack(in);
	lp_buf_clear(&in->text);
	in->on_event(in->self);
}

/* The body broke: too large, too slow, malformed framing, or the client has left. */
static bool broken(struct lp_intake *in)
{
	struct lp_err gone = { .code = LP_GONE };
	const struct lp_err *why = lp_exchange_err(in->ex);

	if (lp_exchange_body(in->ex) != LP_BODY_BROKEN)
		return false;
	finish(in, why && why->code != LP_OK ? why : &gone);
	return true;
}

static void parse_json(struct lp_intake *in, struct lp_span body)
{
	struct lp_err why = { 0 };

	if (lp_request_read_json(in->scope, in->request, body, &why) != LP_OK)
		finish(in, &why);
	else
		finish(in, NULL);
}

/* A body that is there whole is parsed where it lies; else its pieces are brought together. */
static void pump_json(struct lp_intake *in)
{
	struct lp_span bytes = lp_exchange_read(in->ex);
	bool end = lp_exchange_body(in->ex) == LP_BODY_END;
	struct lp_err why = { 0 };

	if (hold(in, bytes.len, &why) != LP_OK) {
		finish(in, &why);
		return;
	}
	if (end && !in->text.len) {
		parse_json(in, bytes);
		lp_exchange_consume(in->ex, bytes.len);
		return;
	}
	lp_buf_add_span(&in->text, bytes);	/* the route's body limit bounds it */
	lp_exchange_consume(in->ex, bytes.len);
	if (end)
		parse_json(in, lp_buf_span(&in->text));
}

/* ---- forms ---- */

static const struct lp_param *param_of(const struct lp_intake *in, struct lp_span name)
{
	int i = lp_pipeline_param(in->want.pipeline, name);

	return i >= 0 ? &in->want.pipeline->params[i] : NULL;
}

static void on_spool(void *self)
{
	lp_intake_poke(self);
}

/* The first part of a file's name is the file, also without a filename (the network's peers would drop such a
 * one silently; it is certainly what the client meant).  Further ones are skipped. */
static void part_begin(struct lp_intake *in, const struct lp_part *part)
{
	struct lp_request_file *file = &in->request->file;
	const struct lp_param *param = param_of(in, part->name);

	in->part = SKIP;
	if (!param)
		return;
	if (param->kind == LP_PARAM_FILE) {
		if (file->given)
			return;
		file->given = true;
		file->filename = lp_span_dup(in->scope, part->filename.len ? part->filename : part->name);
		file->type = lp_span_dup(in->scope, part->type);
		in->file = lp_spool_open(in->scope, lp_exchange_loop(in->ex), in->want.budget);
		lp_spool_watch(in->file, on_spool, in);
		lp_keccak_init(&in->keccak);
		in->part = FILE_PART;
	} else {
		in->field = lp_span(param->name);
		in->field_max = param->kind == LP_PARAM_STRING ? lp_request_text_max(param) : NUMBER_MAX;
		lp_buf_reset(&in->text);
		in->part = TEXT;
	}
}

static enum lp_code part_data(struct lp_intake *in, struct lp_span data, struct lp_err *e)
{
	switch (in->part) {
	case SKIP:
		break;
	case FILE_PART:
		lp_jpeg_scan(&in->jpeg, data);
		if (in->want.hash)
			lp_keccak_add(&in->keccak, data.at, data.len);
		return lp_spool_write(in->file, data, e);
	case TEXT:
		if (in->text.len + data.len > in->field_max)
			return lp_fail(e, LP_TOO_LARGE, "%.*s is longer than %zu bytes", LP_ARG(in->field),
				       in->field_max);
		if (hold(in, data.len, e) != LP_OK)
			return e->code;
		lp_buf_add_span(&in->text, data);
		break;
	}
	return LP_OK;
}

static enum lp_code part_end(struct lp_intake *in, struct lp_err *e)
{
	if (in->part == TEXT) {
		in->part = SKIP;
		return lp_request_read_field(in->scope, in->request, in->field, lp_buf_span(&in->text), e);
	}
	if (in->part == FILE_PART)
		lp_spool_end(in->file);
	in->part = SKIP;
	return LP_OK;
}

static enum lp_code part_step(struct lp_intake *in, enum lp_part_event event, const struct lp_part *part,
			      struct lp_err *e)
{
	switch (event) {
	case LP_PART_BEGIN:
		part_begin(in, part);
		return LP_OK;
	case LP_PART_DATA:
		return part_data(in, part->data, e);
	case LP_PART_END:
		return part_end(in, e);
	case LP_PART_BAD:
		return e->code;
	case LP_PART_NEED:
	case LP_PART_DONE:
		return LP_OK;
	}
	return LP_OK;
}

/* Everything that the last push holds.  True: the closing boundary was seen. */
static enum lp_code pull_parts(struct lp_intake *in, struct lp_err *e)
{
	for (;;) {
		struct lp_part part = { 0 };
		enum lp_part_event event = lp_multipart_pull(in->parts, &part, e);
		enum lp_code code;

		in->whole = event == LP_PART_DONE;
		if (event == LP_PART_NEED || event == LP_PART_DONE)
			return LP_OK;
		code = part_step(in, event, &part, e);
		if (code != LP_OK)
			return code;
	}
}

/* All parts are there: the file may still be on its way to the disk. */
static void form_done(struct lp_intake *in)
{
	struct lp_request_file *file = &in->request->file;

	if (in->file) {
		const struct lp_err *why = lp_spool_err(in->file);

		if (why && why->code != LP_OK) {
			finish(in, why);
			return;
		}
		if (!lp_spool_ready(in->file))
			return;
		file->size = lp_spool_size(in->file);
		file->head = lp_spool_head(in->file);
		if (in->want.hash)
			lp_keccak_end(&in->keccak, file->hash.bytes);
		in->request->width = in->jpeg.width;
		in->request->height = in->jpeg.height;
	}
	finish(in, NULL);
}

/* No more is pushed at once than the file's spool welcomes: a client faster than our disk is slowed. */
static size_t welcome(const struct lp_intake *in)
{
	return in->part == FILE_PART ? lp_spool_room(in->file) : SIZE_MAX;
}

/* The disk under the file gave up: no room will ever come. */
static bool lost_file(struct lp_intake *in)
{
	const struct lp_err *why = in->part == FILE_PART ? lp_spool_err(in->file) : NULL;

	if (!why || why->code == LP_OK)
		return false;
	finish(in, why);
	return true;
}

static void pump_form(struct lp_intake *in)
{
	struct lp_err why = { 0 };

	while (!in->whole) {
		struct lp_span bytes = lp_exchange_read(in->ex);
		size_t room = welcome(in);

		if (!room && lost_file(in))
			return;
		bytes.len = bytes.len < room ? bytes.len : room;
		if (bytes.len)
			lp_multipart_push(in->parts, bytes);
		else if (room && lp_exchange_body(in->ex) == LP_BODY_END)
			lp_multipart_finish(in->parts);
		else
			return;
		if (pull_parts(in, &why) != LP_OK) {
			finish(in, &why);
			return;
		}
		lp_exchange_consume(in->ex, bytes.len);
		if (!bytes.len && !in->whole) {
			lp_fail(&why, LP_BAD_REQUEST, "the form ends before its closing boundary");
			finish(in, &why);
			return;
		}
	}
	form_done(in);
}

static void pump(void *self)
{
	struct lp_intake *in = self;

	if (!in->ex || in->done || in->err.code != LP_OK || broken(in))
		return;
	if (in->want.pipeline->body == LP_BODY_JSON)
		pump_json(in);
	else
		pump_form(in);
}

/* ---- the header's functions ---- */

static void intake_close(void *arg)
{
	struct lp_intake *in = arg;

	lp_unready(&in->ready);
	lp_buf_clear(&in->text);
	let_go(in, in->held);
}

static void refuse(void *self)
{
	struct lp_intake *in = self;

	in->on_event(in->self);
}

/* What the head alone already refuses. */
static enum lp_code check_head(struct lp_intake *in, struct lp_err *e)
{
	const struct lp_pipeline *pipeline = in->want.pipeline;
	struct lp_span type = lp_exchange_header(in->ex, "content-type");
	struct lp_span coding = lp_exchange_header(in->ex, "content-encoding");

	if (coding.len && !lp_media_is(coding, "identity"))
		return lp_fail(e, LP_MEDIA_TYPE, "%s takes a body without a Content-Encoding", pipeline->name);
	/* A JSON body may come under any name, as with the network's own servers (curl says "form"); but a form
	 * is told what is wrong with it. */
	if (pipeline->body == LP_BODY_MULTIPART)
		return lp_multipart_open(in->scope, &in->parts, type, e);
	if (lp_media_is(type, "multipart/form-data"))
		return lp_fail(e, LP_MEDIA_TYPE, "%s takes a JSON body, not a form", pipeline->name);
	return LP_OK;
}

struct lp_intake *lp_intake_start(struct lp_scope *scope, struct lp_exchange *ex, const struct lp_intake_want *want,
				  void (*on_event)(void *self), void *self)
{
	struct lp_intake *in = lp_new(scope, struct lp_intake);

	in->scope = scope;
	in->ex = ex;
	in->want = *want;
	in->on_event = on_event;
	in->self = self;
	in->ready.run = pump;
	in->ready.self = in;
	in->request = lp_request_new(scope, want->pipeline);
	lp_defer(scope, intake_close, in);
	lp_exchange_limit_body(ex, want->pipeline->body_limit);
	if (check_head(in, &in->err) != LP_OK)
		in->ready.run = refuse;
	lp_ready(lp_exchange_loop(ex), &in->ready);
	return in;
}

void lp_intake_poke(struct lp_intake *in)
{
	if (in->ex && !in->done && in->err.code == LP_OK)
		lp_ready(lp_exchange_loop(in->ex), &in->ready);
}

void lp_intake_detach(struct lp_intake *in)
{
	in->ex = NULL;
}

bool lp_intake_done(const struct lp_intake *in)
{
	return in->done;
}

const struct lp_err *lp_intake_err(const struct lp_intake *in)
{
	return &in->err;
}

struct lp_request *lp_intake_request(struct lp_intake *in)
{
	return in->request;
}

struct lp_spool *lp_intake_file(struct lp_intake *in)
{
	return in->file;
}
