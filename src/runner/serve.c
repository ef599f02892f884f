#include "serve.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <lpd/base/hex.h>
#include <lpd/base/json.h>
#include <lpd/base/random.h>
#include <lpd/io/router.h>
#include <lpd/io/server.h>

#include "ask.h"
#include "jobs.h"
#include "pipes.h"
#include "sounds.h"
#include "studio.h"

struct lp_serve {
	struct lp_scope *scope, *studio_scope;
	struct lp_serve_want want;
	struct lp_studio *studio;
	struct timespec studio_of;	/* when the models folder was last written, as the studio saw it */
	struct lp_crew *crew;
	struct lp_jobs *jobs;
	struct lp_server *server;
	bool stopping;
};

/* A request that is being read, then waits for its job; in the exchange's scope. */
struct intake {
	struct lp_serve *serve;
	struct lp_exchange *ex;
	const struct lp_pipe *pipe;
	struct lp_buf body;
	struct lp_job *job;		/* NULL: not there yet, or told */
	struct lp_timer look;		/* for events of a job that works */
	size_t passed;			/* bytes of its events */
	bool replied;
};

/* ---- answers ---- */

static void reply_json(struct lp_exchange *ex, int status, struct lp_span body)
{
	struct lp_header headers[2] = {
		{ .name = LP_SPAN("content-type"), .value = LP_SPAN("application/json") },
		{ .name = LP_SPAN("www-authenticate"), .value = LP_SPAN("Bearer") },
	};

	if (status == 503)
		headers[1] = (struct lp_header){ .name = LP_SPAN("retry-after"), .value = LP_SPAN("2") };
	lp_reply_head(ex, status, (int64_t)body.len, headers, status == 401 || status == 503 ? 2 : 1);
	lp_reply_write(ex, body);
	lp_reply_end(ex);
}

static void reply_denial(struct intake *in, struct lp_denial *d)
{
	in->replied = true;
	reply_json(in->ex, d->status, lp_buf_span(&d->json));
	lp_buf_clear(&d->json);
}

/* An error of ours in ai-runner's words. */
static void reply_err(struct intake *in, const struct lp_err *e)
{
	struct lp_denial d = { .status = 0 };
	int status = lp_code_status(e->code);
	bool ours = status >= 500 && status != 503;

	lp_deny(&d, status == 502 || status == 504 ? 500 : status, "%s",
		ours ? in->pipe->failed : lp_err_words(e));
	reply_denial(in, &d);
}

static void write_model(struct lp_buf *to, const struct lp_offer *offer)
{
	lp_buf_fmt(to, "{\"name\":\"%s\",\"pipeline\":\"%s\",\"engine\":\"%s\",\"fallback\":%s,\"why\":",
		   offer->row->name, offer->row->pipeline, offer->engine, offer->fallback ? "true" : "false");
	lp_json_write_str(to, lp_span(offer->why));
	lp_buf_add_text(to, ",\"licence\":");
	lp_json_write_str(to, lp_span(offer->row->licence));
	lp_buf_add_text(to, ",\"is_not\":");
	lp_json_write_str(to, lp_span(offer->row->is_not));
	lp_buf_add_char(to, '}');
}

static void write_models(struct lp_buf *to, const struct lp_offer *offers, int n, bool ready)
{
	bool first = true;

	for (int i = 0; i < n; i++) {
		if (offers[i].ready != ready)
			continue;
		if (!first)
			lp_buf_add_char(to, ',');
		first = false;
		write_model(to, &offers[i]);
	}
}

/* ---- the studio, opened anew when models were fetched meanwhile ---- */

static struct timespec written(const struct lp_serve *s)
{
	struct stat is;

	return stat(s->want.models, &is) == 0 ? is.st_mtim : (struct timespec){ .tv_sec = 0 };
}

static enum lp_code open_studio(struct lp_serve *s, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(s->scope, "studio");
	struct timespec of = written(s);
	struct lp_studio *studio;
	const struct lp_offer *offers;
	enum lp_code code = lp_studio_open(scope, &studio, s->want.models, s->crew, e);

	if (code != LP_OK) {
		lp_scope_close(&scope);
		return code;
	}
	lp_scope_close(&s->studio_scope);
	s->studio_scope = scope;
	s->studio = studio;
	s->studio_of = of;
	lp_jobs_use(s->jobs, studio);
	int n = lp_studio_offers(studio, &offers);

	for (int i = 0; i < n; i++)
		lp_log_kv(s->want.log, offers[i].ready && offers[i].fallback ? LP_UNUSUAL : LP_INFO,
			  offers[i].ready ? "model" : "model missing", "name", offers[i].row->name, "engine",
			  offers[i].engine, "why", offers[i].why, NULL);
	return LP_OK;
}

static void refresh(struct lp_serve *s)
{
	struct timespec now = written(s);
	struct lp_err e;

	if (!lp_jobs_idle(s->jobs) || (now.tv_sec == s->studio_of.tv_sec && now.tv_nsec == s->studio_of.tv_nsec))
		return;
	if (open_studio(s, &e) != LP_OK)
		lp_log_kv(s->want.log, LP_UNUSUAL, "models not opened", "why", lp_err_words(&e), NULL);
}

/* ---- GET ---- */

static void on_health(void *self, struct lp_exchange *ex)
{
	struct lp_serve *s = self;
	const struct lp_offer *offers;
	struct lp_buf body = { .len = 0 };

	refresh(s);
	int n = lp_studio_offers(s->studio, &offers);

	lp_buf_add_text(&body, "{\"status\":\"OK\",\"models\":[");
	write_models(&body, offers, n, true);
	lp_buf_add_text(&body, "],\"missing\":[");
	write_models(&body, offers, n, false);
	lp_buf_fmt(&body, "],\"jobs\":%d}", lp_jobs_count(s->jobs));
	reply_json(ex, 200, lp_buf_span(&body));
	lp_buf_clear(&body);
}

/* Which pipeline and model this is; with several, what the environment says, else the first. */
static void write_identity(const struct lp_serve *s, struct lp_buf *to)
{
	const struct lp_offer *offers;
	int n = lp_studio_offers(s->studio, &offers);
	const char *pipeline = s->want.pipeline ? s->want.pipeline : n ? offers[0].row->pipeline : "";
	const char *model = s->want.model_id ? s->want.model_id : n ? offers[0].row->name : "";

	lp_buf_add_text(to, "{\"pipeline\":");
	lp_json_write_str(to, lp_span(pipeline));
	lp_buf_add_text(to, ",\"model_id\":");
	lp_json_write_str(to, lp_span(model));
}

static void on_version(void *self, struct lp_exchange *ex)
{
	struct lp_buf body = { .len = 0 };

	write_identity(self, &body);
	lp_buf_add_text(&body, ",\"version\":\"" LPD_VERSION "\"}");
	reply_json(ex, 200, lp_buf_span(&body));
	lp_buf_clear(&body);
}

static void reply_hardware(struct lp_serve *s, struct lp_exchange *ex, const char *key)
{
	struct lp_buf body = { .len = 0 };

	write_identity(s, &body);
	lp_buf_fmt(&body, ",\"%s\":{}}", key);	/* no GPU is used, so none is told */
	reply_json(ex, 200, lp_buf_span(&body));
	lp_buf_clear(&body);
}

static void on_hardware(void *self, struct lp_exchange *ex)
{
	reply_hardware(self, ex, "gpu_info");
}

static void on_stats(void *self, struct lp_exchange *ex)
{
	reply_hardware(self, ex, "gpu_stats");
}

/* ---- POST ---- */

/* Compared whole, so that the time tells nothing of where it differs. */
static bool same_secret(struct lp_span a, struct lp_span b)
{
	unsigned char differs = a.len != b.len;

	for (size_t i = 0; i < a.len; i++)
		differs |= (unsigned char)(a.at[i] ^ b.at[b.len ? i % b.len : 0]);
	return !differs && b.len;
}

static bool authorised(const struct intake *in)
{
	const char *token = in->serve->want.token;
	struct lp_span value = lp_exchange_header(in->ex, "authorization");

	if (!token || !*token)
		return true;
	if (!lp_span_starts(value, "Bearer ") && !lp_span_starts(value, "bearer "))
		return false;
	return same_secret(lp_span_trim(lp_span_skip(value, 7)), lp_span(token));
}

static bool blank(struct lp_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!strchr(" \t\r\n", text.at[i]))
			return false;
	}
	return true;
}

/* What was asked for, of this pipeline, and able to work. */
static void check_model(struct intake *in, struct lp_job *job, struct lp_denial *d)
{
	const struct lp_studio *studio = in->serve->studio;
	const char *pipeline = in->pipe->name;
	struct lp_span asked = job->ask.at[in->pipe->model].text;
	const struct lp_offer *offer = asked.len ? lp_studio_find(studio, asked) : lp_studio_default(studio, pipeline);

	if (!offer || strcmp(offer->row->pipeline, pipeline) != 0)
		lp_deny(d, 400, "pipeline %s: no model %.*s is loaded here", pipeline,
			(int)(asked.len < 80 ? asked.len : 80), asked.at);
	else if (!offer->ready)
		lp_deny(d, 503, "%s", offer->why);
	else
		job->model = offer;
}

static void check_seed(struct lp_job *job, struct lp_denial *d)
{
	const struct lp_ask_value *seed = &job->ask.at[LP_ASK_SEED];
	uint32_t drawn;

	lp_random(&drawn, sizeof drawn);
	if (seed->given && seed->i < 0)
		lp_deny(d, 400, "seed must not be negative");
	bool given = seed->given && !(job->pipe->zero_is_random && seed->i == 0);

	job->seed = given ? (uint64_t)seed->i : drawn;
}

/* In ai-runner's order: the body, the prompt, who asks, the model, the limits. */
static void check(struct intake *in, struct lp_job *job, struct lp_denial *d)
{
	const struct lp_pipe *pipe = in->pipe;

	if (d->status == 0 && pipe->spoken != LP_ASK_FIELDS && blank(job->ask.at[pipe->spoken].text))
		lp_deny(d, 400, "%s", pipe->unspoken);
	if (d->status == 0 && !authorised(in))
		lp_deny(d, 401, "Invalid bearer token.");
	if (d->status == 0)
		check_model(in, job, d);
	if (d->status == 0)
		check_seed(job, d);
	if (d->status == 0 && pipe->check)
		pipe->check(job, d);
	if (d->status == 0 && in->serve->stopping)
		lp_deny(d, 503, "the runner is going down");
}

/* ---- an answer in events ---- */

#define LOOK 15000		/* microseconds between two looks for events */

static void begin_events(struct intake *in)
{
	const struct lp_header headers[2] = {
		{ .name = LP_SPAN("content-type"), .value = LP_SPAN("text/event-stream") },
		{ .name = LP_SPAN("cache-control"), .value = LP_SPAN("no-cache") },
	};

	in->replied = true;
	lp_reply_head(in->ex, 200, -1, headers, 2);
}

static void pass_events(struct intake *in, struct lp_job *job)
{
	size_t told = atomic_load_explicit(&job->told, memory_order_acquire);

	if (told == in->passed)
		return;
	if (!in->replied)
		begin_events(in);
	lp_reply_write(in->ex, lp_span_of(job->events + in->passed, told - in->passed));
	in->passed = told;
}

static void on_look(void *self)
{
	struct intake *in = self;

	if (!in->job || in->serve->stopping)
		return;
	pass_events(in, in->job);
	lp_timer_set(&in->look, in->serve->want.loop, LOOK);
}

/* A fault after the first event can only be told as one more event, and by [DONE] not coming. */
static void end_events(struct intake *in, struct lp_job *job)
{
	pass_events(in, job);
	if (job->code != LP_OK)
		lp_reply_write(in->ex,
			       LP_SPAN("data: {\"error\":\"Internal server error during LLM processing.\"}\n\n"));
	lp_reply_end(in->ex);
}

static void on_job_done(void *self, struct lp_job *job)
{
	struct intake *in = self;

	in->job = NULL;
	lp_timer_clear(&in->look);
	if (job->events && (job->code == LP_OK || in->passed)) {
		end_events(in, job);
		return;
	}
	if (job->code != LP_OK) {
		reply_err(in, &job->err);
		return;
	}
	in->replied = true;
	reply_json(in->ex, 200, lp_buf_span(&job->json));
}

/* Of a traceparent, "00-<32 digits>-...": the node that sends it has made it itself. */
static struct lp_span trace_of(const struct lp_exchange *ex)
{
	struct lp_span rest = lp_exchange_header(ex, "traceparent");
	struct lp_span trace;
	uint8_t bytes[16];

	lp_span_cut(&rest, '-');
	trace = lp_span_cut(&rest, '-');
	return trace.len == 32 && lp_hex_read(bytes, sizeof(bytes), trace) ? trace : (struct lp_span){ 0 };
}

/* The body is borrowed from the intake, so it is copied to where the thread works. */
static void take(struct intake *in)
{
	struct lp_job *job = lp_job_new();
	struct lp_denial d = { .status = 0 };
	struct lp_span of[2] = {
		[LP_ASK_TYPE] = lp_exchange_header(in->ex, "content-type"),
		[LP_ASK_BODY] = lp_span_dup(job->scope, lp_buf_span(&in->body)),
	};

	lp_buf_clear(&in->body);
	job->pipe = in->pipe;
	job->created = lp_wall(in->serve->want.loop) / 1000000;
	job->trace = lp_span_dup(job->scope, trace_of(in->ex));
	lp_ask_read(job->scope, &job->ask, &in->pipe->shape, of, &d);
	check(in, job, &d);
	job->on_done = on_job_done;
	job->self = in;
	if (d.status == 0 && lp_jobs_add(in->serve->jobs, job)) {
		in->job = job;
		if (job->events)
			lp_timer_set(&in->look, in->serve->want.loop, LOOK);
		return;
	}
	if (d.status == 0)
		lp_deny(&d, 503, "%d jobs wait already", LP_JOBS_WAITING);
	lp_job_free(&job);
	reply_denial(in, &d);
}

static void on_event(void *self)
{
	struct intake *in = self;

	if (lp_exchange_gone(in->ex)) {
		lp_timer_clear(&in->look);
		if (in->job && !in->serve->stopping)	/* lp_jobs_stop has let go of all */
			lp_job_abandon(in->job);
		in->job = NULL;
		in->replied = true;
	}
	if (in->replied || in->job)
		return;
	for (struct lp_span got; (got = lp_exchange_read(in->ex)).len;) {
		lp_buf_add_span(&in->body, got);
		lp_exchange_consume(in->ex, got.len);
	}
	switch (lp_exchange_body(in->ex)) {
	case LP_BODY_MORE:
		break;
	case LP_BODY_BROKEN:
		reply_err(in, lp_exchange_err(in->ex));
		break;
	case LP_BODY_END:
		take(in);
		break;
	}
}

static void end_intake(void *arg)
{
	struct intake *in = arg;

	lp_timer_clear(&in->look);
	lp_buf_clear(&in->body);
}

/* A route's self: which server, which pipeline. */
struct door {
	struct lp_serve *serve;
	const struct lp_pipe *pipe;
};

static void on_post(void *self, struct lp_exchange *ex)
{
	const struct door *door = self;
	struct intake *in = lp_new(lp_exchange_scope(ex), struct intake);

	in->serve = door->serve;
	in->ex = ex;
	in->pipe = door->pipe;
	in->look.fire = on_look;
	in->look.self = in;
	lp_defer(lp_exchange_scope(ex), end_intake, in);
	lp_exchange_watch(ex, on_event, in);
}

/* ---- opening ---- */

/* Every route exists with a slash at its end too. */
static void add_route(struct lp_scope *scope, struct lp_router *router, struct lp_route *route)
{
	lp_router_add(router, route);
	route->path = lp_fmt(scope, "%s/", route->path);
	lp_router_add(router, route);
}

static struct lp_router *routes(struct lp_serve *s)
{
	static const struct {
		const char *path;
		void (*handle)(void *self, struct lp_exchange *ex);
	} all[] = {
		{ "/health", on_health },
		{ "/version", on_version },
		{ "/hardware/info", on_hardware },
		{ "/hardware/stats", on_stats },
	};
	struct lp_router *router = lp_router_open(s->scope);
	int n;
	const struct lp_pipe *pipes = lp_pipes(&n);

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct lp_route route = { .method = "GET", .path = all[i].path, .handle = all[i].handle, .self = s };

		add_route(s->scope, router, &route);
	}
	for (int i = 0; i < n; i++) {
		struct door *door = lp_new(s->scope, struct door);
		struct lp_route route = { .method = "POST", .path = lp_fmt(s->scope, "/%s", pipes[i].name),
					  .handle = on_post, .body_limit = pipes[i].body_limit, .self = door };

		door->serve = s;
		door->pipe = &pipes[i];
		add_route(s->scope, router, &route);
	}
	return router;
}

static void on_idle(void *self)
{
	struct lp_serve *s = self;

	if (s->stopping)
		lp_loop_stop(s->want.loop);
}

enum lp_code lp_serve_open(struct lp_scope *scope, struct lp_serve **out, const struct lp_serve_want *want,
			   struct lp_err *e)
{
	struct lp_serve *s = lp_new(scope, struct lp_serve);
	const struct lp_sounds *sounds = lp_sounds_open(scope, NULL);
	struct lp_jobs_want jobs = { .loop = want->loop, .log = want->log, .sounds = sounds, .on_idle = on_idle,
				     .self = s };
	struct lp_server_want server = { .handle = lp_router_handle, .log = want->log };

	*out = NULL;
	s->scope = scope;
	s->want = *want;
	if (!lp_sounds_all(sounds))
		lp_log_kv(want->log, LP_INFO, "only WAVE files are heard", "why",
			  "lpd-sound.so is not beside the program", NULL);
	s->crew = jobs.crew = lp_crew_open(scope, want->threads);
	s->jobs = lp_jobs_open(scope, &jobs);
	enum lp_code code = lp_url_parse_address(scope, &server.address, lp_span(want->listen), 8000, e);

	server.self = routes(s);
	if (code == LP_OK)
		code = lp_server_open(scope, &s->server, want->loop, &server, e);
	if (code == LP_OK && want->confine)
		want->confine(want->self);
	if (code == LP_OK)
		code = open_studio(s, e);
	if (code == LP_OK)
		*out = s;
	return code;
}

int lp_serve_port(const struct lp_serve *serve)
{
	return lp_server_port(serve->server);
}

void lp_serve_stop(void *serve)
{
	struct lp_serve *s = serve;

	s->stopping = true;
	lp_server_drain(s->server);
	lp_jobs_stop(s->jobs);
	if (lp_jobs_idle(s->jobs))
		lp_loop_stop(s->want.loop);
}
