/* What is answered out of a row. */
#include <lpd/base/json.h>
#include <lpd/front/send.h>

#include "jobs_priv.h"

#define MAX_HEADERS 4

/* ---- the reply ---- */

/* In the exchange's scope: the row may be dropped while it is read. */
static struct lp_spool *body_of(struct lp_kept *kept, struct lp_scope *scope)
{
	struct lp_jobs *jobs = kept->jobs;
	const struct lp_spool_place place = { kept->path, kept->body_at, kept->body_size };

	if (kept->on_disk)
		return lp_spool_of_file(scope, jobs->want.loop, &jobs->files, &place);
	return lp_spool_share(scope, kept->body ? kept->body : lp_capture_body(kept->capture));
}

static int headers_of(struct lp_header *to, const struct lp_kept *kept, struct lp_span type, bool again)
{
	int n = 0;

	to[n++] = (struct lp_header){ .name = LP_SPAN("content-type"), .value = type };
	if (kept->request_id.len)
		to[n++] = (struct lp_header){ .name = LP_SPAN("x-request-id"), .value = kept->request_id };
	if (again)
		to[n++] = (struct lp_header){ .name = LP_SPAN("idempotency-replayed"), .value = LP_SPAN("true") };
	if (kept->status == 429 || kept->status == 503)
		to[n++] = (struct lp_header){ .name = LP_SPAN("retry-after"), .value = LP_SPAN("1") };
	return n;
}

void lp_kept_send(struct lp_kept *kept, struct lp_exchange *ex, int status, struct lp_span before, struct lp_span after)
{
	struct lp_header headers[MAX_HEADERS];
	struct lp_send what = {
		.ex = ex,
		.spool = body_of(kept, lp_exchange_scope(ex)),
		.status = status ? status : kept->status,
		.headers = headers,
		.before = before,
		.after = after,
	};

	what.n_headers = headers_of(headers, kept, kept->type, false);
	lp_send(&what);
}

/* As it stands: while it comes, or whole. */
static void send_reply(struct lp_kept *kept, const struct kept_asker *asker)
{
	struct lp_header headers[MAX_HEADERS];
	struct lp_send what = { .ex = asker->ex, .status = kept->status, .headers = headers };
	struct lp_span type = kept->type;

	if (!kept->body && !kept->on_disk) {
		what.status = lp_capture_status(kept->capture);
		type = lp_capture_header(kept->capture, "content-type");
	}
	what.spool = body_of(kept, lp_exchange_scope(asker->ex));
	what.n_headers = headers_of(headers, kept, type, asker->again);
	lp_send(&what);
}

/* ---- askers ---- */

static void accept(struct lp_kept *kept, struct lp_exchange *ex)
{
	struct lp_scope *scope = lp_exchange_scope(ex);
	const struct lp_header headers[] = {
		{ .name = LP_SPAN("content-type"), .value = LP_SPAN("application/json") },
		{ .name = LP_SPAN("location"), .value = lp_span(lp_fmt(scope, "/jobs/%.*s", LP_ARG(kept->id))) },
		{ .name = LP_SPAN("preference-applied"), .value = LP_SPAN("respond-async") },
		{ .name = LP_SPAN("retry-after"), .value = LP_SPAN("1") },
		{ .name = LP_SPAN("x-request-id"), .value = kept->request_id },
	};
	struct lp_buf body = { 0 };

	lp_kept_write(kept, &body);
	lp_buf_add_char(&body, '\n');
	lp_reply_head(ex, 202, (int64_t)body.len, headers, (int)(sizeof(headers) / sizeof(*headers)));
	lp_reply_write(ex, lp_buf_span(&body));
	lp_reply_end(ex);
	lp_buf_clear(&body);
}

static bool is_ready(const struct lp_kept *kept, const struct kept_asker *asker)
{
	if (asker->for_mark)
		return kept->marked;
	return kept->body || kept->on_disk || lp_capture_state(kept->capture) == LP_CAPTURE_BODY ||
	       lp_capture_state(kept->capture) == LP_CAPTURE_WHOLE;
}

static void serve(struct lp_kept *kept, struct kept_asker *asker)
{
	lp_link_out(&asker->link);
	if (asker->for_mark)
		accept(kept, asker->ex);
	else
		send_reply(kept, asker);
}

void lp_kept_tell_askers(struct lp_kept *kept)
{
	lp_list_each(&kept->askers, asker, struct kept_asker, link)
		if (is_ready(kept, asker))
			serve(kept, asker);
}

static void leave(void *arg)
{
	struct kept_asker *asker = arg;

	lp_link_out(&asker->link);
}

static void ask(struct lp_kept *kept, struct lp_exchange *ex, bool for_mark, bool again)
{
	struct lp_scope *scope = lp_exchange_scope(ex);
	struct kept_asker *asker = lp_new(scope, struct kept_asker);

	asker->ex = ex;
	asker->for_mark = for_mark;
	asker->again = again;
	lp_list_add(&kept->askers, &asker->link);
	lp_defer(scope, leave, asker);
	if (is_ready(kept, asker))
		serve(kept, asker);
}

void lp_kept_accept(struct lp_kept *kept, struct lp_exchange *ex)
{
	ask(kept, ex, true, false);
}

void lp_kept_follow(struct lp_kept *kept, struct lp_exchange *ex, bool again)
{
	ask(kept, ex, false, again);
}

/* ---- what it is ---- */

static void add_time(struct lp_buf *to, const char *name, int64_t wall)
{
	char text[32];

	if (wall)
		lp_buf_fmt(to, ",\"%s\":\"%s\"", name, lp_time_text(wall, text));
}

void lp_kept_write(const struct lp_kept *kept, struct lp_buf *to)
{
	lp_buf_fmt(to, "{\"id\":\"%.*s\",\"request_id\":\"%.*s\",\"pipeline\":", LP_ARG(kept->id), LP_ARG(kept->id));
	lp_json_write_str(to, kept->pipeline);
	lp_buf_add_text(to, ",\"model\":");
	lp_json_write_str(to, kept->model);
	lp_buf_fmt(to, ",\"status\":\"%s\"", lp_kept_state_name(kept->state));
	if (kept->state != LP_KEPT_PROCESSING)
		lp_buf_fmt(to, ",\"code\":\"%s\"", lp_code_name(kept->code));
	add_time(to, "created", kept->created);
	add_time(to, "ended", kept->finished);
	add_time(to, "expires", kept->until);
	lp_buf_add_char(to, '}');
}

/* ---- media ---- */

bool lp_jobs_serve_media(struct lp_jobs *jobs, struct lp_exchange *ex)
{
	struct kept_medium *medium = lp_map_find(jobs->by_media, lp_exchange_path(ex));
	struct lp_scope *scope = lp_exchange_scope(ex);

	if (!medium)
		return false;
	const struct lp_spool_place place = { medium->kept->path, medium->at, medium->size };

	lp_media_send(ex, medium->kept->on_disk ? lp_spool_of_file(scope, jobs->want.loop, &jobs->files, &place) :
		      lp_spool_share(scope, medium->spool), medium->type);
	return true;
}
