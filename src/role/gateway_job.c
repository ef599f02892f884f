/* role/gateway_job - see the header.  The steps follow in the order of the table. */
#include "gateway_job.h"
#include "job_context.h"

#include <stdio.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>

enum { INTAKE, ADMIT, SELECT, PAY, SEND, RELAY, FETCH, SETTLE, REPLY, DONE };

static int intake(void *self);
static int admit(void *self);
static int choose(void *self);
static int pay(void *self);
static int dispatch(void *self);
static int relay(void *self);
static int fetch(void *self);
static int settle(void *self);
static int reply(void *self);

static const struct lp_state states[] = {
	[INTAKE] = { "intake", intake,   LP_TO(INTAKE) | LP_TO(ADMIT)  | LP_TO(SETTLE) },
	[ADMIT]  = { "admit",  admit,    LP_TO(SELECT) | LP_TO(SETTLE) },
	[SELECT] = { "select", choose,   LP_TO(SELECT) | LP_TO(PAY)    | LP_TO(SETTLE) },
	[PAY]    = { "pay",    pay,      LP_TO(PAY)    | LP_TO(SEND)   | LP_TO(SETTLE) },
	[SEND]   = { "send",   dispatch, LP_TO(RELAY) },
	[RELAY]  = { "relay",  relay,    LP_TO(RELAY)  | LP_TO(FETCH)  | LP_TO(SETTLE) },
	[FETCH]  = { "fetch",  fetch,    LP_TO(FETCH)  | LP_TO(SETTLE) },
	[SETTLE] = { "settle", settle,   LP_TO(SELECT) | LP_TO(PAY)    | LP_TO(REPLY) },
	[REPLY]  = { "reply",  reply,    LP_TO(REPLY)  | LP_TO(DONE) },
	[DONE]   = { "done",   NULL,     0 },
};
const struct lp_machine lp_gateway_machine = { "gateway-job", states, DONE + 1, SETTLE };

/* A runner that fails may be ill, or the request may be poison.  Poison must not make the round of the
 * network, so a job may blame this many orchestrators. */
#define FAULTS 3

static int64_t now_of(const struct lp_gateway_job *j)
{
	return lp_mono(j->gw->node->loop);
}

static void wake(void *self)
{
	struct lp_gateway_job *j = self;

	lp_task_wake(&j->task);
}

/* ---- INTAKE, ADMIT ---- */

/* The units of a recording are its length, which is in the file: lpd-media reads it. */
static int measure(struct lp_gateway_job *j)
{
	if (!j->measured)
		j->measured = lp_clip_measure(j->scope, j->gw->node->clips, lp_intake_file(j->intake),
					      (struct lp_clip_hook){ wake, j });
	if (!lp_clip_done(j->measured))
		return LP_AWAIT(INTAKE);
	j->err = *lp_clip_err(j->measured);
	if (j->err.code == LP_OK &&
	    lp_request_measured(j->scope, lp_intake_request(j->intake), lp_clip_milliseconds(j->measured),
				LP_EDGE_GATEWAY, &j->err) == LP_OK)
		return ADMIT;
	return SETTLE;
}

static int intake(void *self)
{
	struct lp_gateway_job *j = self;

	if (j->err.code != LP_OK)
		return SETTLE;
	if (!j->intake) {
		const struct lp_intake_want want = {
			.pipeline = j->pipeline,
			.edge = LP_EDGE_GATEWAY,
			.budget = lp_media_budget(j->gw->node->media),
			.hash = lp_exchange_header(j->ex, "idempotency-key").at != NULL,
		};

		j->intake = lp_intake_start(j->scope, j->ex, &want, wake, j);
		return LP_AWAIT(INTAKE);
	}
	if (lp_intake_done(j->intake)) {
		j->request = lp_intake_request(j->intake);
		return j->pipeline->measured ? measure(j) : ADMIT;
	}
	j->err = *lp_intake_err(j->intake);
	return j->err.code == LP_OK ? LP_AWAIT(INTAKE) : SETTLE;
}

/* The room for keys, budgets and queues.  How many jobs there may be was seen to at the door, before INTAKE. */
static int admit(void *self)
{
	struct lp_gateway_job *j = self;

	return lp_gateway_keep(j, &j->err) == LP_OK && j->ex ? SELECT : SETTLE;
}

/* ---- SELECT ---- */

static struct lp_roster_ask ask_of(const struct lp_gateway_job *j)
{
	return (struct lp_roster_ask){
		.capability = j->pipeline->capability,
		.model = j->request->model,
		.tried = j->tried,
		.n_tried = j->n_tried,
		.pin = j->pin,
		.work = lp_request_work(j->request, 0),
		.now = now_of(j),
	};
}

/* -aiProcessingRetryTimeout is for those who are known.  Until everybody has been asked once there is the job's own
 * deadline. */
static void count_wait(struct lp_gateway_job *j, int64_t now)
{
	if (j->wait_began && !j->discovering)
		j->waited += now - j->wait_began;
	j->wait_began = now;
	j->discovering = !lp_discovery_first_round_done(j->gw->discovery);
}

static void stop_waiting(struct lp_gateway_job *j)
{
	if (j->wait_began)
		count_wait(j, now_of(j));
	j->wait_began = 0;
	lp_timer_clear(&j->chance);
	lp_link_out(&j->waiting);
}

static void on_news(void *self)
{
	struct lp_gateway_job *j = self;

	j->asking_news = false;
	lp_task_wake(&j->task);
}

static void on_terms(void *self)
{
	struct lp_gateway_job *j = self;

	j->asking_terms = false;
	lp_task_wake(&j->task);
}

static void ask_terms(struct lp_gateway_job *j, struct lp_orch *orch)
{
	j->refreshed = orch;
	j->asking_terms = true;
	lp_discovery_refresh(j->gw->discovery, j->scope, orch, on_terms, j);
}

/* "2 full, 1 suspended": what keeps the others from it, the commonest words first. */
static size_t count_reasons(char *to, size_t cap, const int rejected[LP_REJECTS])
{
	static const struct {
		enum lp_reject reject;
		const char *one, *many;
	} words[] = {
		{ LP_REJECT_BUSY, "full", "full" },
		{ LP_REJECT_SUSPENDED, "suspended", "suspended" },
		{ LP_REJECT_TRIED, "failed at it", "failed at it" },
		{ LP_REJECT_MODEL, "orchestrator does not offer the model", "orchestrators do not offer the model" },
		{ LP_REJECT_VERSION, "too old", "too old" },
		{ LP_REJECT_UNREACHED, "not reached", "not reached" },
		{ LP_REJECT_EXCLUDED, "excluded", "excluded" },
		{ LP_REJECT_PRICE, "above the highest price", "above the highest price" },
		{ LP_REJECT_PERF, "below -minPerfScore", "below -minPerfScore" },
	};
	size_t n = 0;

	to[0] = 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words) && n < cap; i++) {
		int count = rejected[words[i].reject];

		if (count)
			n += (size_t)snprintf(to + n, cap - n, "%s%d %s", n ? ", " : "", count,
					      count == 1 ? words[i].one : words[i].many);
	}
	return n < cap ? n : cap - 1;
}

static bool listed(const char *list, struct lp_span model)
{
	return lp_span_find(lp_span(list), model) >= 0;
}

#define LISTED 200	/* orchestrators that are looked at for that */

/* The models of this pipeline that anybody offers, as many as the words of an error take. */
static void list_models(const struct lp_gateway_job *j, char *to, size_t cap)
{
	size_t n = 0, at = 0;
	struct lp_orch *orch;

	to[0] = 0;
	while (at < LISTED && lp_roster_next(j->gw->roster, &at, &orch)) {
		const struct lp_orch_info *info = lp_orch_info(orch);

		for (int c = 0; info && c < info->capabilities.n_caps; c++) {
			const struct lp_cap_models *models = &info->capabilities.caps[c];

			if (models->capability != j->pipeline->capability)
				continue;
			for (int i = 0; i < models->n; i++) {
				struct lp_span model = models->models[i].model;

				if (listed(to, model) || n + model.len + 3 > cap)
					continue;
				n += (size_t)snprintf(to + n, cap - n, "%s%.*s", n ? ", " : "", LP_ARG(model));
			}
		}
	}
}

static void count_unserved(struct lp_gateway_job *j)
{
	int most = 0;

	for (int i = 1; i < LP_REJECTS; i++)
		most = j->rejected[i] > j->rejected[most] ? i : most;
	lp_metric_add(j->gw->node->metrics, LP_M_UNSERVED,
		      LP_LABELS(j->pipeline->name, most ? lp_reject_name((enum lp_reject)most) : "nobody_known"), 1);
}

/* Nobody will: say why, in numbers, and for a model that nobody has, which there are. */
static int give_up(struct lp_gateway_job *j, int64_t chance)
{
	char reasons[120], models[120];
	int known = 0;

	stop_waiting(j);
	count_unserved(j);
	/* A fault of the last one tried says more than that there are no others. */
	if (j->err.code != LP_OK && j->err.code != LP_NO_CAPACITY)
		return SETTLE;
	if (chance != LP_NEVER)
		j->retry_after = chance - now_of(j);
	for (int i = 0; i < LP_REJECTS; i++)
		known += j->rejected[i];
	count_reasons(reasons, sizeof(reasons), j->rejected);
	list_models(j, models, sizeof(models));
	if (!known)
		lp_fail(&j->err, LP_NO_ORCHESTRATOR, "no orchestrator is known: give -orchAddr");
	else if (j->rejected[LP_REJECT_MODEL] && !listed(models, j->request->model))
		lp_fail(&j->err, LP_NO_ORCHESTRATOR, "%s; models offered for %s: %s", reasons, j->pipeline->name,
			models[0] ? models : "none");
	else
		lp_fail(&j->err, LP_NO_ORCHESTRATOR, "%s", reasons);
	return SETTLE;
}

/* Somebody cannot be reached or does not offer the model: that may have changed since it was asked.  Returns when
 * it is worth asking again, if nobody is being asked now. */
static int64_t ask_news(struct lp_gateway_job *j)
{
	bool hope = j->rejected[LP_REJECT_UNREACHED] || j->rejected[LP_REJECT_MODEL] || j->discovering;

	if (hope && !j->asking_news)
		j->asking_news = lp_discovery_news(j->gw->discovery, j->scope, j->task.started, on_news, j);
	return hope && !j->asking_news ? lp_discovery_news_again(j->gw->discovery) : LP_NEVER;
}

/* Nobody can now.  Wait when there is hope within the time that there is: somebody who is full or suspended comes
 * back, or there is news to come. */
static int nobody(struct lp_gateway_job *j, const struct lp_roster_ask *ask)
{
	int64_t chance = lp_roster_next_chance(j->gw->roster, ask), next = chance;
	int64_t left;

	count_wait(j, ask->now);
	left = j->discovering ? LP_NEVER : j->gw->wait_time - j->waited;
	if (chance == LP_NEVER || j->discovering)
		next = ask_news(j);
	if (chance < next)
		next = chance;
	if (left <= 0 || (!j->asking_news && (next == LP_NEVER || next - ask->now > left)))
		return give_up(j, chance);
	if (next != LP_NEVER && next - ask->now < left)
		left = next - ask->now;
	if (left != LP_NEVER)
		lp_timer_set(&j->chance, j->gw->node->loop, left);
	lp_gateway_row_stand(j);
	return LP_AWAIT(SELECT);
}

/* Terms that end soon are asked for anew, once for an orchestrator.  Who pays has terms of his own (gateway_pay). */
static bool terms_end(const struct lp_gateway_job *j, const struct lp_orch *orch)
{
	return !j->gw->purse && !lp_orch_token_fresh(orch, lp_wall(j->gw->node->loop), now_of(j)) && j->refreshed != orch;
}

static void open_try(struct lp_gateway_job *j, struct lp_orch *orch, const struct lp_choice *choice)
{
	bool waited = j->wait_began != 0;

	stop_waiting(j);
	j->attempt = lp_scope_open(j->scope, "try");
	/* A copy: when the node is closed under the job, the request is gone before the try is taken back. */
	j->at = (struct lp_orch_try){ orch, j->pipeline->capability, lp_span_dup(j->scope, j->request->model), 0 };
	lp_orch_begin(j->gw->roster, &j->at);
	if (waited)
		lp_gateway_row_go(j);
	j->tries++;
	j->err = (struct lp_err){ 0 };
	j->orch = lp_orch_address(orch);
	j->why = choice->why;
	j->eligible = choice->eligible;
	j->sent_at = now_of(j);
	j->answered_at = 0;
	j->tokens = 0;
}

static int choose(void *self)
{
	struct lp_gateway_job *j = self;
	struct lp_roster_ask ask = ask_of(j);
	struct lp_choice choice;
	struct lp_orch *orch;

	if (j->asking_terms)
		return LP_AWAIT(SELECT);
	orch = lp_roster_choose(j->gw->roster, &ask, &choice);
	memcpy(j->rejected, choice.rejected, sizeof(j->rejected));
	if (!orch || lp_gateway_row_before(j, &(struct lp_orch_try){ orch, ask.capability, ask.model, 0 }))
		return nobody(j, &ask);
	if (terms_end(j, orch)) {
		stop_waiting(j);
		ask_terms(j, orch);
		return LP_AWAIT(SELECT);
	}
	open_try(j, orch, &choice);
	return PAY;
}

/* ---- PAY to FETCH ---- */

static int pay(void *self)
{
	struct lp_gateway_job *j = self;

	const struct lp_orch_info *info;

	switch (lp_gateway_job_pay(j, &info, &j->err)) {
	case LP_PAYING_WAITS:
		return LP_AWAIT(PAY);
	case LP_PAYING_DONE:
		return lp_gateway_credentials(j, info, &j->err) == LP_OK ? SEND : SETTLE;
	case LP_PAYING_FAILED:
		break;
	}
	return SETTLE;
}

static int dispatch(void *self)
{
	lp_gateway_send(self);
	return LP_AWAIT(RELAY);
}

static int after(enum lp_gateway_result result, int here)
{
	switch (result) {
	case LP_RESULT_MORE:
		return LP_AWAIT(here);
	case LP_RESULT_FETCH:
		return LP_AWAIT(FETCH);
	case LP_RESULT_WHOLE:
	case LP_RESULT_FAILED:
		break;
	}
	return SETTLE;
}

static int relay(void *self)
{
	struct lp_gateway_job *j = self;

	return after(lp_gateway_read(j, &j->err), RELAY);
}

static int fetch(void *self)
{
	struct lp_gateway_job *j = self;

	return after(lp_gateway_read(j, &j->err), FETCH);
}

/* ---- SETTLE ---- */

/* How the job stands: aborted, failed, or well. */
static enum lp_code outcome(struct lp_gateway_job *j)
{
	if (j->replied)
		return j->err.code;
	if (j->task.aborted == LP_DEADLINE && j->err.code != LP_DEADLINE)
		lp_fail(&j->err, LP_DEADLINE, "the job did not end within %lld s",
			(long long)(lp_gateway_job_time(j->gw, j->pipeline) / LP_SEC));
	else if (j->task.aborted != LP_OK && j->err.code != j->task.aborted)
		lp_fail(&j->err, j->task.aborted, "%s", lp_code_words(j->task.aborted));
	return j->err.code;
}

/* What the orchestrator is told to have done.  The deadline is nobody's fault in general; but a model that held
 * the job for most of its time and never answered is as good as dead - that model only: whether the
 * orchestrator itself is, the connection's own probe finds out.  And who refuses the terms that he has just
 * given means none of it. */
static enum lp_code verdict(const struct lp_gateway_job *j, enum lp_code code)
{
	bool silent = j->call && lp_call_state(j->call) == LP_CALL_SENDING;

	if (lp_code_next(code) == LP_NEXT_REFRESH && j->refreshed == j->at.orch)
		return LP_BAD_PEER;
	/* It was just paid in full, and still has nothing: each further job would cost as much. */
	if (j->pay.is_short && j->pay.short_at == j->at.orch)
		return LP_BAD_PEER;
	if (code == LP_DEADLINE && silent && now_of(j) - j->sent_at > lp_gateway_job_time(j->gw, j->pipeline) / 2)
		return LP_PEER_ERROR;
	return code;
}

/* Is this orchestrator out of the question for this job?  Who was full, or took nothing because it could not be
 * reached, may be asked again when the roster has let it rest; whose terms had ended, with new ones. */
static bool is_final(const struct lp_gateway_job *j, const struct lp_orch *orch, enum lp_code code)
{
	if (code == LP_NO_CAPACITY || code == LP_CONNECT)
		return false;
	return lp_code_next(code) != LP_NEXT_REFRESH || j->refreshed == orch;
}

/* Refused terms: news of them is fetched at once, while the row is still at hand. */
static void renew_terms(struct lp_gateway_job *j, struct lp_orch *orch, enum lp_code code)
{
	if (lp_code_next(code) != LP_NEXT_REFRESH || j->refreshed == orch)
		return;
	if (j->gw->purse)
		j->refreshed = orch;	/* PAY asks */
	else
		ask_terms(j, orch);
}

static bool may_try_again(const struct lp_gateway_job *j, enum lp_code code)
{
	if (j->task.aborted != LP_OK || !j->ex || lp_reply_started(j->ex) || j->tries >= LP_GATEWAY_TRIES)
		return false;
	switch (lp_code_next(code)) {
	case LP_NEXT_TRY_OTHER:
	case LP_NEXT_REFRESH:
		/* Another's tickets may win less than our deposit has. */
		return lp_code_fault(code) == LP_FAULT_PEER || code == LP_NO_FUNDS;
	case LP_NEXT_SUSPEND:
		return j->faults < FAULTS;
	case LP_NEXT_GO_ON:
	case LP_NEXT_GIVE_UP:
		break;
	}
	return false;
}

/* It had no credit of ours, whatever our books said: it is paid once more, for this job alone. */
static bool pays_again(struct lp_gateway_job *j, struct lp_orch *orch, enum lp_code code)
{
	if (!j->pay.is_short || j->pay.short_at == orch || !may_try_again(j, code))
		return false;
	lp_orch_hold(orch);
	if (j->pay.short_at)
		lp_orch_let_go(j->pay.short_at);
	j->pay.short_at = orch;
	return true;
}

/* The one place where scores and money move; then the try is closed.  True: the same orchestrator is paid again. */
static bool book(struct lp_gateway_job *j, enum lp_code code)
{
	struct lp_orch_outcome out = { .now = now_of(j) };
	struct lp_orch_try t = j->at;
	bool again;

	if (!t.orch)
		return false;
	lp_gateway_job_settle(j, code);
	out.code = verdict(j, code);
	again = pays_again(j, t.orch, code);
	if (code == LP_OK) {
		out.took = (j->answered_at ? j->answered_at : out.now) - j->sent_at;
		out.work = lp_request_work(j->request, j->tokens);
	} else if (!again && is_final(j, t.orch, code) && j->n_tried < LP_GATEWAY_TRIES) {
		lp_orch_hold(t.orch);
		j->tried[j->n_tried++] = t.orch;
	}
	j->faults += lp_code_next(out.code) == LP_NEXT_SUSPEND && out.code == LP_PEER_ERROR;
	lp_gateway_count_try(j, t.orch, code, &out);
	j->orch = lp_span_dup(j->scope, j->orch);	/* the row may go, the log line still names it */
	j->at.orch = NULL;
	if (may_try_again(j, code))
		renew_terms(j, t.orch, code);
	lp_orch_end(j->gw->roster, &t, &out);
	j->call = NULL;
	lp_scope_close(&j->attempt);
	lp_gateway_row_wake(j->gw, &t);
	return again;
}

static int settle(void *self)
{
	struct lp_gateway_job *j = self;
	enum lp_code code = outcome(j);
	struct lp_orch *orch = j->at.orch;
	bool again;

	stop_waiting(j);
	again = book(j, code);
	if (code == LP_OK)
		return REPLY;
	j->collect = NULL;
	j->relay = NULL;
	j->stream = NULL;
	lp_scope_close(&j->result);
	/* Without a try this is SELECT's or INTAKE's own verdict. */
	if (!orch || !may_try_again(j, code))
		return REPLY;
	if (!again)
		return SELECT;
	open_try(j, orch, &(struct lp_choice){ .why = "paid once more", .eligible = 1 });
	return PAY;
}

/* ---- REPLY, DONE ---- */

static int reply(void *self)
{
	return lp_gateway_reply(self) ? DONE : LP_AWAIT(REPLY);
}

/* Words of a client's fault or of a runner may quote the prompt, which is not ours to write down. */
static const char *words_for_log(const struct lp_gateway_job *j)
{
	if (j->err.code == LP_OK)
		return j->why ? j->why : "";
	if (lp_code_fault(j->err.code) == LP_FAULT_CLIENT || j->err.code == LP_PEER_ERROR ||
	    j->err.code == LP_PEER_REFUSED || j->err.code == LP_BAD_PEER)
		return lp_code_words(j->err.code);
	return lp_err_words(&j->err);
}

static void log_line(struct lp_gateway_job *j)
{
	struct lp_log *log = j->gw->node->log;
	struct lp_buf trail = { 0 }, passed = { 0 }, paid = { 0 };
	char tries[12], ms[24], wanted[96] = "";

	if (!lp_log_on(log, LP_INFO))
		return;
	if (j->request)
		lp_span_copy(wanted, sizeof(wanted), j->request->model);
	snprintf(tries, sizeof(tries), "%d", j->tries);
	snprintf(ms, sizeof(ms), "%.1f", (double)lp_task_age(&j->task) / (double)LP_MSEC);
	lp_task_trail(&j->task, &trail);
	lp_gateway_passed_over(j, &passed, "");
	lp_gateway_job_paid_words(j, &paid);
	lp_log_kv(log, LP_INFO, "job", "id", j->id, "request", j->request_id, "trace", j->context.trace, "span",
		  j->context.span, "parent", j->context.parent, "pipeline", j->pipeline->name, "model", wanted,
		  "code", lp_code_name(j->err.code), "orch", j->orch.len ? j->orch.at : "", "why", words_for_log(j),
		  "passed_over", lp_buf_text(&passed), "paid", lp_buf_text(&paid), "tries", tries, "ms", ms, "trail",
		  lp_buf_text(&trail), NULL);
	lp_buf_clear(&trail);
	lp_buf_clear(&passed);
	lp_buf_clear(&paid);
}

/* Last in the job's scope, also when the whole gateway is closed under it. */
static void leave(void *arg)
{
	struct lp_gateway_job *j = arg;
	struct lp_gateway *gw = j->gw;

	lp_task_drop(&j->task);
	lp_timer_clear(&j->chance);
	lp_link_out(&j->waiting);
	lp_link_out(&j->link);
	if (j->at.orch)
		lp_orch_end(gw->roster, &j->at, &(struct lp_orch_outcome){ .code = LP_GONE, .now = now_of(j) });
	for (int i = 0; i < j->n_tried; i++)
		lp_orch_let_go(j->tried[i]);
	if (j->pay.short_at)
		lp_orch_let_go(j->pay.short_at);
	if (j->ex)
		lp_exchange_watch(j->ex, NULL, NULL);
	lp_quota_give(gw->shares, &j->share);
	gw->n_jobs--;
	lp_upkeep_job_ended(gw->node);
	lp_metric_set(gw->node->metrics, LP_M_JOBS_ACTIVE, LP_LABELS("gateway"), gw->n_jobs);
}

static void on_done(void *self)
{
	struct lp_gateway_job *j = self;

	lp_gateway_count_job(j);
	log_line(j);
	if (j->kept)
		lp_kept_end(j->kept, j->err.code);

	struct lp_scope *scope = j->scope;

	lp_scope_close(&scope);
}

/* ---- the beginning ---- */

/* A client's own id is echoed and logged when it is plain; our own id names the media. */
static void name_job(struct lp_gateway_job *j)
{
	uint64_t random = lp_dice_next(&j->gw->node->dice);
	struct lp_span theirs = lp_exchange_header(j->ex, "x-request-id");
	bool plain = theirs.len > 0 && theirs.len < sizeof(j->request_id);

	lp_hex_write(j->id, &random, sizeof(random));
	for (size_t i = 0; plain && i < theirs.len; i++)
		plain = theirs.at[i] > ' ' && theirs.at[i] < 127 && theirs.at[i] != '"';
	lp_span_copy(j->request_id, sizeof(j->request_id), plain ? theirs : lp_span(j->id));
}

static void read_wishes(struct lp_gateway_job *j)
{
	struct lp_span query = lp_exchange_query(j->ex), pin = lp_exchange_header(j->ex, "lp-orchestrator");

	j->trace = lp_span_is(lp_exchange_header(j->ex, "lp-trace"), "1");
	if (pin.len) {
		j->pin = lp_new(j->scope, struct lp_pin);
		if (lp_pin_parse(j->pin, lp_span_dup(j->scope, pin), &j->err) != LP_OK)
			return;	/* INTAKE sees to it */
	}
	if (lp_gateway_row_turn(j, &j->err) != LP_OK)
		return;
	if (query.len)
		j->inline_media = lp_span_is(lp_query_get(j->scope, query, "media"), "inline");
}

void lp_gateway_job_start(struct lp_gateway *gw, const struct lp_pipeline *pipeline, struct lp_exchange *ex,
			  struct lp_quota_row *share)
{
	struct lp_scope *scope = lp_scope_open(gw->scope, "job");
	struct lp_gateway_job *j = lp_new(scope, struct lp_gateway_job);

	j->gw = gw;
	j->scope = scope;
	j->pipeline = pipeline;
	j->ex = ex;
	j->share = share;
	j->chance.fire = lp_gateway_row_on_chance;
	j->chance.self = j;
	lp_defer(scope, leave, j);
	name_job(j);
	lp_job_context(scope, &j->context, gw->node, ex);
	read_wishes(j);
	j->number = gw->came++;
	lp_list_add(&gw->jobs, &j->link);
	gw->n_jobs++;
	lp_upkeep_job_began(gw->node);
	lp_metric_set(gw->node->metrics, LP_M_JOBS_ACTIVE, LP_LABELS("gateway"), gw->n_jobs);
	lp_exchange_watch(ex, lp_gateway_on_exchange, j);
	j->task.on_done = on_done;
	j->task.metrics = gw->node->metrics;
	lp_task_start(&j->task, gw->node->loop, &lp_gateway_machine, j);
	lp_task_deadline(&j->task, lp_gateway_job_time(gw, pipeline), LP_DEADLINE);
}
