/* The orchestrator's job, from a gateway's request to the runner's answer:
 *
 *  CHECK ─► INTAKE ─► WEIGH ─► ADMIT ─► PAY ─► RUN ─► RELAY ─► SETTLE ─► REPLY ─► DONE
 *    │        ⟲         ⟲        │      ⟲      ⟲       ⟲        ▲          ⟲
 *    └────────┴─────────┴────────┴──────┴── any failure, gateway gone, deadline
 *
 * Checks and their order: network-protocol 5.3, but for one thing: whom we do not know is refused by the head of
 * his request, before a byte of its body is asked for.  What was taken (the slot, the runner's time, a
 * payer's credit) is given back or charged in SETTLE and nowhere else.  Off-chain nothing is paid, and PAY is passed
 * over. */
#include <stdio.h>
#include <string.h>

#include <lpd/base/buf.h>
#include <lpd/base/hex.h>
#include <lpd/front/collect.h>
#include <lpd/front/film.h>
#include <lpd/front/relay.h>
#include <lpd/front/stream.h>
#include <lpd/io/task.h>
#include <lpd/market/intake.h>
#include <lpd/market/refusal.h>

#include "charges.h"
#include "job_context.h"
#include "orchestrator_pay.h"

#define FAILED_BODY_MAX (16 * 1024)
#define MEDIA_MAX (INT64_C(1) << 30)	/* one result of a runner of ours */

struct job {
	struct lp_orchestrator *o;
	struct lp_scope *scope;		/* the job's; closed last */
	struct lp_scope *lease;		/* slot and call: closed in SETTLE */
	struct lp_scope *out;		/* what brings the answer: closed with the job */
	struct lp_task task;
	struct lp_exchange *ex;		/* weak: NULL once the gateway has left or the reply has ended */
	const struct lp_pipeline *pipeline;
	struct lp_intake *intake;
	struct lp_request *request;
	struct lp_charge *charge;	/* NULL: off-chain */
	struct lp_runner *runner;
	struct lp_call *call;
	struct lp_clip *measured;	/* WEIGH: how long the recording plays */
	struct lp_collect *collect;
	struct lp_film *film;		/* of a runner's frames */
	struct lp_stream *stream;
	struct lp_relay *relay;
	struct lp_inline *inlined;
	struct lp_buf words;		/* a runner's error body */
	struct lp_err err;
	struct lp_trace_context context;
	uint64_t tokens;		/* of the answer; 0: not told */
	bool begun;			/* its first bytes are on their way to the gateway */
	int64_t began, ran;		/* mono, when the runner was asked; how long it had the job */
	char id[9];
};

enum { CHECK, INTAKE, WEIGH, ADMIT, PAY, RUN, RELAY, SETTLE, REPLY, DONE };

static int check(void *self);
static int intake(void *self);
static int weigh(void *self);
static int admit(void *self);
static int pay(void *self);
static int run(void *self);
static int relay(void *self);
static int settle(void *self);
static int reply(void *self);

static const struct lp_state states[] = {
	[CHECK] = { "check", check, LP_TO(INTAKE) | LP_TO(SETTLE) },
	[INTAKE] = { "intake", intake, LP_TO(INTAKE) | LP_TO(WEIGH) | LP_TO(SETTLE) },
	[WEIGH] = { "weigh", weigh, LP_TO(WEIGH) | LP_TO(ADMIT) | LP_TO(SETTLE) },
	[ADMIT] = { "admit", admit, LP_TO(PAY) | LP_TO(RUN) | LP_TO(SETTLE) },
	[PAY] = { "pay", pay, LP_TO(PAY) | LP_TO(RUN) | LP_TO(SETTLE) },
	[RUN] = { "run", run, LP_TO(RUN) | LP_TO(RELAY) | LP_TO(SETTLE) },
	[RELAY] = { "relay", relay, LP_TO(RELAY) | LP_TO(SETTLE) },
	[SETTLE] = { "settle", settle, LP_TO(REPLY) },
	[REPLY] = { "reply", reply, LP_TO(REPLY) | LP_TO(DONE) },
	[DONE] = { "done", NULL, 0 },
};

extern const struct lp_machine lp_machine_orchestrator_job;
const struct lp_machine lp_machine_orchestrator_job = { "orchestrator-job", states, DONE + 1, SETTLE };

static void wake(void *self)
{
	struct job *job = self;

	lp_task_wake(&job->task);
}

/* ---- CHECK: what the head says, payment, segment, token ---- */

static int check(void *self)
{
	struct job *job = self;

	if (job->o->payee)
		job->charge = lp_charge_open(job->scope, &(struct lp_charge_want){ job->o->payee, job->pipeline,
										     job->id, wake, job });
	return lp_orchestrator_check(job->o, job->ex, job->charge, &job->err) == LP_OK ? INTAKE : SETTLE;
}

/* ---- INTAKE: the whole request ---- */

static int intake(void *self)
{
	struct job *job = self;

	if (!job->intake) {
		struct lp_intake_want want = { job->pipeline, LP_EDGE_ORCHESTRATOR,
					       lp_media_budget(job->o->node->media), false };

		job->intake = lp_intake_start(job->scope, job->ex, &want, wake, job);
	}
	lp_intake_poke(job->intake);
	if (lp_intake_err(job->intake)->code != LP_OK) {
		job->err = *lp_intake_err(job->intake);
		return SETTLE;
	}
	return lp_intake_done(job->intake) ? WEIGH : LP_AWAIT(INTAKE);
}

/* ---- WEIGH: how much work it is, which the body says ---- */

/* Without lpd-media, or memory, the job is for another orchestrator. */
static void set_err(struct job *job, const struct lp_err *why)
{
	job->err = *why;
	if (why->code == LP_UNAVAILABLE)
		job->err.code = LP_NO_CAPACITY;
}

static int measure(struct job *job)
{
	if (!job->measured)
		job->measured = lp_clip_measure(job->scope, job->o->node->clips, lp_intake_file(job->intake),
						(struct lp_clip_hook){ wake, job });
	if (!lp_clip_done(job->measured))
		return LP_AWAIT(WEIGH);
	if (lp_clip_err(job->measured)->code != LP_OK)
		set_err(job, lp_clip_err(job->measured));
	else if (lp_request_measured(job->scope, lp_intake_request(job->intake), lp_clip_milliseconds(job->measured),
				     LP_EDGE_ORCHESTRATOR, &job->err) == LP_OK)
		return ADMIT;
	return SETTLE;
}

static int weigh(void *self)
{
	struct job *job = self;

	if (!job->pipeline->measured)
		return ADMIT;
	if (lp_intake_file(job->intake))
		return measure(job);
	lp_fail(&job->err, LP_BAD_REQUEST, "Unable to calculate duration");
	return SETTLE;
}

/* ---- ADMIT: a slot ---- */

/* The entry's own "deadline", where it is shorter than what is left of the node's. */
static void keep_deadline(struct job *job)
{
	int64_t own = job->runner->entry->deadline;

	if (own && own < job->o->job_time - lp_task_age(&job->task))
		lp_task_deadline(&job->task, own, LP_DEADLINE);
}

static int admit(void *self)
{
	struct job *job = self;

	job->request = lp_intake_request(job->intake);
	if (job->o->node->draining) {
		lp_fail(&job->err, LP_NO_CAPACITY, "this orchestrator is going down");
		return SETTLE;
	}
	if (job->charge && lp_charge_fits(job->charge, job->request, &job->err) != LP_OK)
		return SETTLE;
	job->lease = lp_scope_open(job->scope, "lease");
	job->runner = lp_runners_take(job->lease, job->o->runners, job->pipeline, job->request->model, &job->err);
	if (!job->runner)
		return SETTLE;
	keep_deadline(job);
	return job->charge ? PAY : RUN;
}

/* ---- PAY: the slot is ours; now the payment is taken, and what the job may cost is held ---- */

static int pay(void *self)
{
	struct job *job = self;

	switch (lp_charge_take(job->charge, &job->err)) {
	case LP_CHARGING_WAITS:
		return LP_AWAIT(PAY);
	case LP_CHARGING_FAILED:
		return SETTLE;
	case LP_CHARGING_DONE:
		break;
	}
	return RUN;
}

/* ---- RUN: until the runner answers ---- */

/* A runner that took nothing of the job is no fault of the job's: another orchestrator may have room.  How the
 * runner is reached and what the transport saw is for our log; the network is told only that it broke off. */
static void runner_broke(struct job *job)
{
	const struct lp_err *why = lp_call_err(job->call);

	lp_log_kv(job->o->log, LP_UNUSUAL, "runner broke off", "job", job->id, "why", lp_err_words(why), NULL);
	lp_runner_suspect(job->o->runners, job->runner, why);
	if (!lp_call_sent(job->call))
		lp_fail(&job->err, LP_NO_CAPACITY, "the runner cannot be reached");
	else
		lp_fail(&job->err, LP_RUNNER, "the runner broke off");
}

static int run(void *self)
{
	struct job *job = self;

	if (!job->call) {
		struct lp_forward_want want = { .request = job->request, .file = lp_intake_file(job->intake),
						.context = &job->context };

		job->began = lp_mono(job->o->node->loop);
		job->call = lp_runner_start(job->lease, job->o->runners, job->runner, &want,
					    (struct lp_runner_hook){ wake, job });
	}
	switch (lp_call_state(job->call)) {
	case LP_CALL_SENDING:
		return LP_AWAIT(RUN);
	case LP_CALL_FAILED:
		if (lp_call_status(job->call))
			return RELAY;
		runner_broke(job);
		return SETTLE;
	case LP_CALL_BODY:
	case LP_CALL_DONE:
		break;
	}
	return RELAY;
}

/* ---- RELAY: the answer ---- */

static int relay_refusal(struct job *job)
{
	struct lp_span got;
	enum lp_call_state state;

	while ((got = lp_call_read(job->call)).len && job->words.len < FAILED_BODY_MAX) {
		lp_buf_add_span(&job->words, got);
		lp_call_consume(job->call, got.len);
	}
	state = lp_call_state(job->call);
	if (state != LP_CALL_DONE && state != LP_CALL_FAILED && job->words.len < FAILED_BODY_MAX)
		return LP_AWAIT(RELAY);
	lp_refusal_of_runner(lp_call_status(job->call), lp_buf_span(&job->words), &job->err);
	return SETTLE;
}

/* The runner has done its part and is free for the next. */
static int make_film(struct job *job)
{
	if (!job->film) {
		const struct lp_film_want want = { job->o->node->loop, job->o->node->clips, job->o->node->media,
						   job->collect, job->request, lp_span(job->id) };

		lp_scope_close(&job->lease);
		job->call = NULL;
		job->film = lp_film_start(job->out, &want, (struct lp_clip_hook){ wake, job });
	}
	if (!lp_film_done(job->film))
		return LP_AWAIT(RELAY);
	set_err(job, lp_film_err(job->film));
	return SETTLE;
}

static int relay_media(struct job *job)
{
	if (!job->collect) {
		struct lp_collect_want want = { .loop = job->o->node->loop, .call = job->call,
						.media = job->o->node->media, .id = lp_span(job->id),
						.media_limit = MEDIA_MAX };

		job->collect = lp_collect_start(job->out, &want, wake, job);
	}
	if (!lp_collect_done(job->collect)) {
		lp_collect_poke(job->collect);
		return LP_AWAIT(RELAY);
	}
	job->err = *lp_collect_err(job->collect);
	return job->err.code == LP_OK && job->pipeline->frames ? make_film(job) : SETTLE;
}

/* A gateway of another make takes what was asked for to be charged, so that is what it is charged. */
static bool is_by_tokens(const struct job *job)
{
	return job->charge && job->pipeline->result == LP_RESULT_EVENTS &&
	       lp_exchange_header(job->ex, LP_INLINE_HEADER).len;
}

static const struct lp_header by_tokens = { LP_SPAN(LP_CHARGES_HEADER), LP_SPAN(LP_CHARGES_TOKENS), false };

static int relay_events(struct job *job)
{
	enum lp_stream_state state;

	if (!job->stream)
		job->stream = lp_stream_open(job->out, &(struct lp_stream_want){ .call = job->call, .ex = job->ex,
					     .headers = &by_tokens, .n_headers = is_by_tokens(job),
					     .budget = lp_media_budget(job->o->node->media) });
	state = lp_stream_pump(job->stream, &job->err);
	job->begun = lp_reply_started(job->ex);
	if (is_by_tokens(job))
		job->tokens = lp_stream_tokens(job->stream);
	switch (state) {
	case LP_STREAM_MORE:
		return LP_AWAIT(RELAY);
	case LP_STREAM_FAILED:
		set_err(job, &job->err);
		break;
	case LP_STREAM_LAST:
		break;
	}
	return SETTLE;
}

static int relay_json(struct job *job)
{
	enum lp_relay_state state;

	if (!job->relay)
		job->relay = lp_relay_open(job->out, &(struct lp_relay_want){ .call = job->call, .ex = job->ex,
					   .headers = &by_tokens, .n_headers = is_by_tokens(job) });
	state = lp_relay_pump(job->relay, &job->err);
	job->begun = lp_reply_started(job->ex);
	if (is_by_tokens(job))
		job->tokens = lp_relay_tokens(job->relay);
	switch (state) {
	case LP_RELAY_MORE:
		return LP_AWAIT(RELAY);
	case LP_RELAY_DONE:
	case LP_RELAY_FAILED:
		break;
	}
	return SETTLE;
}

static bool is_stream(const struct job *job)
{
	return job->request->stream &&
	       lp_media_is(lp_headers_find(lp_call_headers(job->call), "content-type"), "text/event-stream");
}

static int relay(void *self)
{
	struct job *job = self;

	if (job->film)
		return make_film(job);
	if (lp_call_status(job->call) != 200)
		return relay_refusal(job);
	if (!job->out)
		job->out = lp_scope_open(job->scope, "answer");
	if (job->pipeline->result == LP_RESULT_MEDIA)
		return relay_media(job);
	return is_stream(job) ? relay_events(job) : relay_json(job);
}

/* ---- SETTLE: give back what was taken, charge what was used ---- */

/* Work that failed costs nothing.  But whoever leaves while its answer comes has had it: a stream that is cut short
 * before its last event is not free. */
static uint64_t used(const struct job *job)
{
	uint64_t all = job->request ? job->request->units : 0;

	if (job->err.code != LP_OK)
		return job->begun && job->err.code == LP_GONE ? all : 0;
	return job->tokens && job->tokens < all ? job->tokens : all;
}

static int settle(void *self)
{
	struct job *job = self;

	if (job->task.aborted != LP_OK)
		lp_fail(&job->err, job->task.aborted, "%s", lp_code_words(job->task.aborted));
	if (job->intake)
		lp_intake_detach(job->intake);
	if (job->charge)
		lp_charge_settle(job->charge, used(job));
	if (job->err.code != LP_OK) {
		/* a broken stream or half an answer has to be seen as such: REPLY aborts it */
		lp_scope_close(&job->out);
		job->collect = NULL;
		job->film = NULL;
	}
	if (job->began)
		job->ran = lp_mono(job->o->node->loop) - job->began;
	lp_scope_close(&job->lease);
	job->call = NULL;
	return REPLY;
}

/* ---- REPLY ---- */

static void let_go(struct job *job)
{
	if (job->ex)
		lp_exchange_watch(job->ex, NULL, NULL);
	job->ex = NULL;
}

/* Errors to the network are prose (ai-http-api 2.3). */
static void refuse(struct lp_exchange *ex, const struct lp_pipeline *pipeline, const struct lp_err *why)
{
	static const struct lp_header headers[] = {
		{ LP_SPAN("content-type"), LP_SPAN("text/plain; charset=utf-8"), false },
		{ LP_SPAN("x-content-type-options"), LP_SPAN("nosniff"), false },
		{ LP_SPAN("retry-after"), LP_SPAN("1"), false },
	};
	struct lp_buf text = { 0 };
	int status;

	lp_refusal_write(why, pipeline->name, &status, &text);
	lp_reply_head(ex, status, (int64_t)text.len, headers, status == 503 ? 3 : 2);
	lp_reply_write(ex, lp_buf_span(&text));
	lp_reply_end(ex);
	lp_buf_clear(&text);
}

static void reply_error(struct job *job)
{
	if (lp_reply_started(job->ex))
		lp_reply_abort(job->ex, job->err.code);
	else
		refuse(job->ex, job->pipeline, &job->err);
}

/* Gateways up to 0.7.9-ai.3 do not fetch: they are known by what is not in Authorization (network-protocol 5.6).
 * Ours need not when the result is small. */
static bool wants_inline(const struct job *job)
{
	if (!job->film && lp_span_is(lp_exchange_header(job->ex, LP_INLINE_HEADER), LP_INLINE_VALUE) &&
	    lp_collect_size(job->collect) <= LP_INLINE_MAX)
		return true;
	return !lp_span_is(lp_exchange_header(job->ex, "authorization"), "Livepeer-AI-Worker-1.0") &&
	       job->pipeline->media_extension && strcmp(job->pipeline->media_extension, ".png") == 0;
}

static int reply_media(struct job *job)
{
	struct lp_buf body = { 0 };

	if (!job->inlined && wants_inline(job))
		job->inlined = lp_inline_start(job->out, &(struct lp_inline_want){ job->collect, job->ex, NULL, 0 },
						wake, job);
	if (job->inlined) {
		lp_inline_poke(job->inlined);
		return lp_inline_done(job->inlined) ? DONE : LP_AWAIT(REPLY);
	}
	if (job->film) {
		lp_film_commit(job->film);
		lp_film_write(job->film, &body, job->o->service_uri);
	} else {
		lp_collect_keep(job->collect);
		lp_collect_write(job->collect, &body, job->o->service_uri);
	}
	lp_reply(job->ex, 200, "application/json", lp_buf_span(&body));
	lp_buf_clear(&body);
	return DONE;
}

static int reply(void *self)
{
	struct job *job = self;
	int next = DONE;

	if (!job->ex)
		return DONE;
	if (job->err.code != LP_OK)
		reply_error(job);
	else if (job->collect)
		next = reply_media(job);
	else
		lp_reply_end(job->ex);
	if (next == DONE)
		let_go(job);
	return next;
}

/* ---- the job's life ---- */

/* A client's mistake and a runner's own words may quote the prompt: of those the log has the table's words. */
static const char *why_to_log(const struct lp_err *e)
{
	if (e->code == LP_OK)
		return "";
	if (e->code == LP_RUNNER || e->code == LP_BAD_REQUEST || e->code == LP_INVALID)
		return lp_code_words(e->code);
	return lp_err_words(e);
}

static void log_job(const struct job *job)
{
	struct lp_buf trail = { 0 }, paid = { 0 };
	char ms[24];

	if (job->charge)
		lp_charge_words(job->charge, &paid);
	snprintf(ms, sizeof(ms), "%lld", (long long)(lp_task_age(&job->task) / LP_MSEC));
	lp_task_trail(&job->task, &trail);
	lp_log_kv(job->o->log, LP_INFO, "job", "id", job->id, "trace", job->context.trace, "span", job->context.span,
		  "parent", job->context.parent, "pipeline", job->pipeline->name, "model",
		  job->request ? lp_strdup(job->scope, job->request->model) : "", "code",
		  lp_code_name(job->err.code), "why", why_to_log(&job->err), "paid",
		  lp_buf_text(&paid), "ms", ms, "trail", lp_buf_text(&trail), NULL);
	lp_buf_clear(&trail);
	lp_buf_clear(&paid);
}

/* A model that we do not run is one that the gateway made up, and not told apart from others. */
static void count_job(const struct job *job)
{
	struct lp_metrics *m = job->o->node->metrics;
	const char *pipeline = job->pipeline->name, *code = lp_code_name(job->err.code);
	double work = job->ran ? lp_request_work(job->request, 0) : 0;
	char model[128] = "other";

	if (job->runner)	/* which may be gone by now */
		lp_span_copy(model, sizeof(model), job->request->model);
	lp_metric_add(m, LP_M_JOBS, LP_LABELS("orchestrator", pipeline, code), 1);
	lp_metric_time(m, LP_M_JOB_SECONDS, LP_LABELS("orchestrator", pipeline), lp_task_age(&job->task));
	if (job->err.code == LP_OK)
		lp_metric_add(m, LP_M_AI_REQUESTED, LP_LABELS("orch", pipeline, model), 1);
	else
		lp_metric_add(m, LP_M_AI_ERRORS, LP_LABELS("orch", pipeline, model, code), 1);
	if (job->err.code == LP_OK && work > 0)
		lp_metric_number(m, LP_M_AI_SCORE, LP_LABELS("orch", pipeline, model, "", "", ""),
				 (double)job->ran / (double)LP_SEC / work);
}

static void on_done(void *self)
{
	struct job *job = self;
	struct lp_orchestrator *o = job->o;
	struct lp_scope *scope = job->scope;

	if (lp_log_on(o->log, LP_INFO))
		log_job(job);
	count_job(job);
	lp_metric_add(o->node->metrics, LP_M_JOBS_ACTIVE, LP_LABELS("orchestrator"), -1);
	o->jobs--;
	o->linger.last_link = lp_mono(o->node->loop);
	lp_upkeep_job_ended(o->node);
	lp_scope_close(&scope);
}

/* The exchange said something: bytes, room, or its end. */
static void on_exchange(void *self)
{
	struct job *job = self;

	if (job->inlined && lp_inline_done(job->inlined)) {
		let_go(job);	/* this may be its last event: REPLY must not touch it any more */
	} else if (lp_exchange_gone(job->ex)) {
		if (job->intake)
			lp_intake_detach(job->intake);
		lp_scope_close(&job->out);	/* it may hold the exchange, which ends after this */
		job->collect = NULL;
		job->film = NULL;
		job->inlined = NULL;
		job->ex = NULL;
		lp_task_abort(&job->task, LP_GONE);
	}
	lp_task_wake(&job->task);
}

/* Last in the job's scope, also when the node is closed under it. */
static void leave(void *arg)
{
	struct job *job = arg;

	lp_task_drop(&job->task);
	lp_buf_clear(&job->words);
}

/* Peers ask elsewhere, at once, for "insufficient capacity" and for nothing else (ai-http-api 2.4, 7.7). */
static bool refused_at_the_door(const struct orch_route *route, struct lp_exchange *ex)
{
	struct lp_err why;

	if (lp_node_admit(route->o->node, route->o->jobs, &why) == LP_OK)
		return false;
	why.code = LP_NO_CAPACITY;
	lp_metric_add(route->o->node->metrics, LP_M_JOBS,
		      LP_LABELS("orchestrator", route->pipeline->name, lp_code_name(why.code)), 1);
	refuse(ex, route->pipeline, &why);
	return true;
}

static void start(const struct orch_route *route, struct lp_exchange *ex)
{
	struct lp_orchestrator *o = route->o;
	struct lp_scope *scope = lp_scope_open(o->node->scope, "orchestrator job");
	struct job *job = lp_new(scope, struct job);
	uint64_t random = lp_dice_next(&o->node->dice);		/* the id is a name, no secret */

	job->o = o;
	job->scope = scope;
	job->ex = ex;
	job->pipeline = route->pipeline;
	lp_hex_write(job->id, &random, sizeof(job->id) / 2);
	lp_job_context(scope, &job->context, o->node, ex);
	job->task.on_done = on_done;
	job->task.metrics = o->node->metrics;
	o->jobs++;
	lp_upkeep_job_began(o->node);
	lp_metric_add(o->node->metrics, LP_M_JOBS_ACTIVE, LP_LABELS("orchestrator"), 1);
	lp_defer(scope, leave, job);
	lp_exchange_attend(ex, on_exchange, job);
	lp_task_start(&job->task, o->node->loop, &lp_machine_orchestrator_job, job);
	lp_task_deadline(&job->task, o->job_time, LP_DEADLINE);
}

void lp_orchestrator_job_start(void *self, struct lp_exchange *ex)
{
	const struct orch_route *route = self;

	if (!refused_at_the_door(route, ex))
		start(route, ex);
}
