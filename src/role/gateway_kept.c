/* role/gateway_kept - what Prefer: respond-async and Idempotency-Key ask for, and the pages of kept jobs.
 *
 * A job that is kept replies to a capture (front/jobs): from ADMIT on its exchange is that, and its client has been
 * answered (202), follows the reply, or has long left. */
#include "gateway_job.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <lpd/base/json.h>
#include <lpd/eth/keccak.h>

#define LIST 20			/* jobs on one page */
#define LIST_MAX 100
#define POLL_BODY 4096		/* {"request_id":"..."} */

/* ---- what a request asks for ---- */

/* One of the preferences, whatever stands beside it (RFC 7240). */
static bool prefers_async(const struct lp_exchange *ex)
{
	struct lp_span rest = lp_exchange_header(ex, "prefer");

	while (rest.len) {
		struct lp_span one = lp_span_cut(&rest, ',');

		if (lp_span_is_icase(lp_span_trim(lp_span_cut(&one, ';')), "respond-async"))
			return true;
	}
	return false;
}

static bool key_is_plain(struct lp_span key)
{
	for (size_t i = 0; i < key.len; i++)
		if (key.at[i] <= ' ' || key.at[i] > '~')
			return false;
	return key.len > 0 && key.len <= LP_JOB_KEY_MAX;
}

static enum lp_code read_key(const struct lp_exchange *ex, struct lp_span *key, struct lp_err *e)
{
	*key = lp_span_trim(lp_exchange_header(ex, "idempotency-key"));
	if (key->at && !key_is_plain(*key))
		return lp_fail(e, LP_BAD_REQUEST, "an Idempotency-Key is 1 to %d visible ASCII characters", LP_JOB_KEY_MAX);
	return LP_OK;
}

/* Over everything that makes the request what it is: of a file all bytes, which INTAKE hashed as they came. */
static void take_print(const struct lp_gateway_job *j, uint8_t print[32])
{
	const struct lp_request_file *file = &j->request->file;
	struct lp_buf text = { 0 };
	struct lp_keccak k;

	lp_request_write_json(&text, j->request);
	lp_buf_fmt(&text, "\n%s\n%s\n%lld\n", j->pipeline->name, j->inline_media ? "inline" : "", (long long)file->size);
	lp_keccak_init(&k);
	lp_keccak_add(&k, lp_buf_span(&text).at, text.len);
	if (file->given)
		lp_keccak_add(&k, file->hash.bytes, sizeof(file->hash.bytes));
	lp_keccak_end(&k, print);
	lp_buf_clear(&text);
}

/* ---- from ADMIT ---- */

/* The client is served by the row from now on. */
static struct lp_exchange *hand_over(struct lp_gateway_job *j)
{
	struct lp_exchange *ex = j->ex;

	lp_exchange_watch(ex, NULL, NULL);
	lp_intake_detach(j->intake);
	j->ex = NULL;
	return ex;
}

/* The same again: this job has nothing to do but to end. */
static enum lp_code join(struct lp_gateway_job *j, struct lp_kept *kept, const uint8_t print[32], struct lp_err *e)
{
	struct lp_exchange *ex;

	if (!lp_kept_same(kept, print))
		return lp_fail(e, LP_KEY_REUSED, "this Idempotency-Key was used for another request");
	ex = hand_over(j);
	j->replied = true;
	j->why = "the same Idempotency-Key as an earlier job";
	if (lp_kept_is_asynchronous(kept))
		lp_kept_accept(kept, ex);
	else
		lp_kept_follow(kept, ex, true);
	return LP_OK;
}

static enum lp_code begin(struct lp_gateway_job *j, const struct lp_kept_want *want, struct lp_err *e)
{
	struct lp_exchange *ex;

	if (want->asynchronous && j->request->stream)
		return lp_fail(e, LP_INVALID, "an asynchronous job cannot be streamed: leave out \"stream\"");
	if (lp_jobs_begin(j->gw->kept, &j->kept, want, e) != LP_OK)
		return e->code;
	ex = hand_over(j);
	j->ex = lp_kept_exchange(j->kept);
	lp_exchange_watch(j->ex, lp_gateway_on_exchange, j);
	if (want->asynchronous)
		lp_kept_accept(j->kept, ex);
	else
		lp_kept_follow(j->kept, ex, false);
	return LP_OK;
}

enum lp_code lp_gateway_keep(struct lp_gateway_job *j, struct lp_err *e)
{
	uint8_t print[32];
	struct lp_kept_want want = {
		.job = lp_span(j->id),
		.pipeline = lp_span(j->pipeline->name),
		.model = j->request->model,
		.request_id = lp_span(j->request_id),
		.fingerprint = print,
		.asynchronous = prefers_async(j->ex),
		.like = j->ex,
	};
	struct lp_kept *earlier = NULL;

	if (read_key(j->ex, &want.key, e) != LP_OK)
		return e->code;
	if (!want.asynchronous && !want.key.len)
		return LP_OK;
	take_print(j, print);
	if (want.key.len)
		earlier = lp_jobs_by_key(j->gw->kept, want.pipeline, want.key);
	return earlier ? join(j, earlier, print, e) : begin(j, &want, e);
}

/* ---- pages ---- */

static void not_found(struct lp_exchange *ex)
{
	struct lp_err e;

	lp_fail(&e, LP_NOT_FOUND, "no job is kept under this id (any more)");
	lp_reply_error(ex, &e);
}

/* "/jobs/ID" or "/jobs/ID/result": the row, and what stands behind its id. */
static struct lp_kept *find(struct lp_gateway *gw, struct lp_exchange *ex, struct lp_span *rest)
{
	*rest = lp_span_skip(lp_exchange_path(ex), sizeof("/jobs/") - 1);
	return lp_jobs_find(gw->kept, lp_span_cut(rest, '/'));
}

static void reply_json(struct lp_exchange *ex, struct lp_buf *body)
{
	lp_buf_add_char(body, '\n');
	lp_reply(ex, 200, "application/json", lp_buf_span(body));
	lp_buf_clear(body);
}

/* Its object with the reply inside. */
static void show(struct lp_kept *kept, struct lp_exchange *ex)
{
	struct lp_buf text = { 0 };

	lp_kept_write(kept, &text);
	if (lp_kept_state(kept) == LP_KEPT_PROCESSING) {
		reply_json(ex, &text);
		return;
	}
	struct lp_span before = lp_buf_span(&text);

	before.len--;		/* its closing brace */
	before = lp_span(lp_fmt(lp_exchange_scope(ex), "%.*s,\"result\":", LP_ARG(before)));
	lp_kept_send(kept, ex, 200, before, LP_SPAN("}\n"));
	lp_buf_clear(&text);
}

static void processing(struct lp_exchange *ex)
{
	const struct lp_header headers[] = {
		{ .name = LP_SPAN("content-type"), .value = LP_SPAN("application/json") },
		{ .name = LP_SPAN("retry-after"), .value = LP_SPAN("1") },
	};
	const struct lp_span body = LP_SPAN("{\"status\":\"processing\"}\n");

	lp_reply_head(ex, 202, (int64_t)body.len, headers, 2);
	lp_reply_write(ex, body);
	lp_reply_end(ex);
}

static void on_job(void *self, struct lp_exchange *ex)
{
	struct lp_span rest;
	struct lp_kept *kept = find(self, ex, &rest);

	if (!kept || (rest.at && !lp_span_is(rest, "result")))
		not_found(ex);
	else if (!rest.at)
		show(kept, ex);
	else if (lp_kept_state(kept) == LP_KEPT_PROCESSING)
		processing(ex);
	else
		lp_kept_send(kept, ex, 0, LP_SPAN(""), LP_SPAN(""));
}

static void on_cancel(void *self, struct lp_exchange *ex)
{
	struct lp_span rest;
	struct lp_kept *kept = find(self, ex, &rest);

	if (!kept || rest.at) {
		not_found(ex);
		return;
	}
	lp_kept_cancel(kept);
	lp_reply(ex, 204, NULL, LP_SPAN(""));
}

/* A proxy on this machine makes everybody look local, but says so. */
static bool came_by_proxy(const struct lp_exchange *ex)
{
	static const char *const names[] = { "forwarded", "x-forwarded-for", "x-real-ip", "via" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (lp_exchange_header(ex, names[i]).at)
			return true;
	return false;
}

/* Who sees a list sees the jobs of all, so it is for this machine only; a single job is for who knows its id. */
static bool may_list(const struct lp_exchange *ex)
{
	struct lp_span peer = lp_span(lp_exchange_peer(ex));

	if (came_by_proxy(ex))
		return false;
	return lp_span_starts(peer, "127.") || lp_span_starts(peer, "[::1]") || lp_span_starts(peer, "[::ffff:127.");
}

static void on_list(void *self, struct lp_exchange *ex)
{
	struct lp_gateway *gw = self;
	struct lp_scope *scope = lp_exchange_scope(ex);
	struct lp_span query = lp_exchange_query(ex);
	struct lp_kept *rows[LIST_MAX];
	struct lp_buf body = { 0 };
	uint64_t most = LIST;
	struct lp_err e;
	int n;

	if (!may_list(ex)) {
		lp_fail(&e, LP_FORBIDDEN, "the list of jobs is shown on this machine only; ask for /jobs/ID");
		lp_reply_error(ex, &e);
		return;
	}
	lp_span_u64(lp_query_get(scope, query, "limit"), &most);
	most = most < 1 ? 1 : most < LIST_MAX ? most : LIST_MAX;
	n = lp_jobs_list(gw->kept, rows, (int)most, lp_query_get(scope, query, "after"));
	lp_buf_add_text(&body, "{\"jobs\":[");
	for (int i = 0; i < n; i++) {
		if (i)
			lp_buf_add_char(&body, ',');
		lp_kept_write(rows[i], &body);
	}
	lp_buf_add_text(&body, "]}");
	reply_json(ex, &body);
}

/* ---- the incumbent's way to poll: the id stands in the body ---- */

struct poll {
	struct lp_gateway *gw;
	struct lp_exchange *ex;
};

static void answer_poll(struct poll *p, struct lp_span body)
{
	struct lp_scope *scope = lp_exchange_scope(p->ex);
	struct lp_kept *kept;
	struct lp_err e;
	json_t *json;

	if (lp_json_parse(scope, &json, body, &e) != LP_OK) {
		lp_reply_error(p->ex, &e);
		return;
	}
	kept = lp_jobs_find(p->gw->kept, lp_json_str(json, "request_id"));
	if (!kept) {
		lp_fail(&e, LP_BAD_REQUEST, "invalid request ID");
		lp_reply_error(p->ex, &e);
	} else if (lp_kept_state(kept) == LP_KEPT_PROCESSING) {
		processing(p->ex);
	} else {
		lp_kept_send(kept, p->ex, 200, LP_SPAN("{\"result\":"), LP_SPAN(",\"status\":\"complete\"}\n"));
	}
}

static void on_poll_body(void *self)
{
	struct poll *p = self;

	if (lp_exchange_gone(p->ex) || lp_reply_started(p->ex))
		return;
	switch (lp_exchange_body(p->ex)) {
	case LP_BODY_MORE:
		break;
	case LP_BODY_BROKEN:
		lp_reply_error(p->ex, lp_exchange_err(p->ex));
		break;
	case LP_BODY_END:
		answer_poll(p, lp_exchange_read(p->ex));
		break;
	}
}

static void on_poll(void *self, struct lp_exchange *ex)
{
	struct poll *p = lp_new(lp_exchange_scope(ex), struct poll);

	*p = (struct poll){ self, ex };
	lp_exchange_watch(ex, on_poll_body, p);
}

/* ---- wiring ---- */

static void on_stream(void *self, struct lp_exchange *ex)
{
	struct lp_gateway *gw = self;

	if (!lp_jobs_serve_media(gw->kept, ex))
		lp_media_serve(gw->node->media, ex);
}

enum lp_code lp_gateway_kept_open(struct lp_gateway *gw, struct lp_err *e)
{
	struct lp_node *node = gw->node;
	const struct lp_jobs_want want = {
		.loop = node->loop,
		.dir = lp_fmt(gw->scope, "%s/jobs", node->data_dir),
		.ttl = lp_option_duration(node->options, LP_OPT_JOBS_TTL),
		.media = node->media,
		.log = node->log,
		.metrics = node->metrics,
	};

	return lp_jobs_open(gw->scope, &gw->kept, &want, e);
}

void lp_gateway_kept_routes(struct lp_gateway *gw)
{
	const struct lp_route routes[] = {
		{ "GET", "/jobs", 0, on_list, gw },
		{ "GET", "/jobs/*", 0, on_job, gw },
		{ "DELETE", "/jobs/*", 0, on_cancel, gw },
		{ NULL, "/image-to-video/result", POLL_BODY, on_poll, gw },
		{ "GET", "/stream/*", 0, on_stream, gw },
	};

	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
		lp_router_add(gw->router, &routes[i]);
}
