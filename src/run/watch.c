/* How a runner is watched: /health again and again, /version and /hardware/info once it is up.
 *
 * A runner is busy for the whole of a picture and cannot answer then (ai-http-api 3.3, A-17): it is not asked
 * while a job runs there, and silence never counts against it - only a refused connection or a bad answer. */
#include <stdio.h>
#include <string.h>

#include <lpd/base/json.h>

#include "runner_priv.h"

#define ANSWER_LIMIT (256 * 1024)
#define ASK_TIME (5 * LP_SEC)
#define YOUNG (10 * LP_SEC)		/* a child of ours starts meanwhile */
#define NAME_MAX_LEN 128		/* of a GPU: what a runner says goes on to every gateway that asks */
#define CALM (10 * LP_SEC)		/* between two questions of one that is ready */

enum { NAP, HEALTH, VERSION, HARDWARE, OVER };

static int nap(void *self);
static int health(void *self);
static int version(void *self);
static int hardware(void *self);

static const struct lp_state states[] = {
	[NAP] = { "nap", nap, LP_TO(NAP) | LP_TO(HEALTH) },
	[HEALTH] = { "health", health, LP_TO(NAP) | LP_TO(HEALTH) | LP_TO(VERSION) },
	[VERSION] = { "version", version, LP_TO(VERSION) | LP_TO(HARDWARE) },
	[HARDWARE] = { "hardware", hardware, LP_TO(HARDWARE) | LP_TO(NAP) },
	[OVER] = { "over", NULL, 0 },
};

extern const struct lp_machine lp_machine_runner_watch;
const struct lp_machine lp_machine_runner_watch = { "runner-watch", states, OVER + 1, OVER };

/* ---- asking ---- */

static void on_call(void *self)
{
	struct runner_row *row = self;

	lp_task_wake(&row->watch);
}

static void ask(struct runner_row *row, const char *path)
{
	struct lp_call_want want = { .method = "GET", .h1_only = true, .idempotent = true,
				     .idle_retire = 4 * LP_SEC, .total_time = ASK_TIME };
	struct lp_url url;

	lp_scope_close(&row->ask);
	row->ask = lp_scope_open(row->set->scope, "runner question");
	lp_buf_reset(&row->body);
	lp_url_join(row->ask, &url, &row->pub.url, lp_span(path));
	want.url = &url;
	row->call = lp_call_start(row->ask, row->set->want.client, &want, on_call, row);
}

/* False: still waiting.  Else the call is over; row->body has its answer when it went well. */
static bool answered(struct runner_row *row)
{
	enum lp_call_state state;
	struct lp_span got;

	while ((got = lp_call_read(row->call)).len) {
		if (row->body.len + got.len > ANSWER_LIMIT)
			return true;
		lp_buf_add_span(&row->body, got);
		lp_call_consume(row->call, got.len);
	}
	state = lp_call_state(row->call);
	return state == LP_CALL_DONE || state == LP_CALL_FAILED;
}

static json_t *answer_json(struct runner_row *row)
{
	struct lp_err ignored;
	json_t *json;

	if (lp_call_state(row->call) != LP_CALL_DONE || lp_call_status(row->call) != 200)
		return NULL;
	if (lp_json_parse(row->ask, &json, lp_buf_span(&row->body), &ignored) != LP_OK)
		return NULL;
	return json;
}

/* ---- what is learnt ---- */

static void became(struct runner_row *row, enum lp_runner_state state, const char *why)
{
	static const char *const words[] = { "runner starting", "runner ready", "runner down" };
	bool changed = row->pub.state != state || strcmp(row->pub.why, why) != 0;

	row->failures = state == LP_RUNNER_DOWN ? row->failures + 1 : 0;
	snprintf(row->pub.why, sizeof(row->pub.why), "%s", why);
	row->pub.state = state;
	row->set->generation += changed;
	if (changed)
		lp_log_kv(row->log, state == LP_RUNNER_DOWN ? LP_UNUSUAL : LP_INFO, words[state], "why",
			  *why ? why : "it answers", NULL);
}

/* lpd-runner names its models and where one is only a stand-in.  False: ours names others, not this one. */
static bool learn_note(struct runner_row *row, const json_t *health_answer)
{
	const json_t *models = lp_json_get(health_answer, "models");
	const json_t *model;
	bool found = false;
	size_t i;

	json_array_foreach(models, i, model) {
		struct lp_span why = lp_json_str(model, "why");

		if (!lp_span_eq(lp_json_str(model, "name"), row->pub.entry->model_id) ||
		    !lp_span_is(lp_json_str(model, "pipeline"), row->pub.entry->pipeline->name))
			continue;
		found = true;
		if (!json_is_true(lp_json_get(model, "fallback")))
			row->pub.note = LP_SPAN("");
		else if (!row->pub.note.len)
			row->pub.note = lp_span_dup(row->set->scope, why.len ? why : LP_SPAN("a stand-in is used"));
	}
	return found || row->pub.entry->kind != LP_MODEL_BUILTIN || !json_is_array(models);
}

/* Our own child was started a moment ago: that its socket is not there yet is nobody's concern. */
static bool is_young(const struct runner_row *row)
{
	return row->pub.entry->kind == LP_MODEL_BUILTIN && row->pub.state == LP_RUNNER_STARTING &&
	       lp_mono(row->set->want.loop) - lp_child_started(row->set->builtin) < YOUNG;
}

static void judge_health(struct runner_row *row)
{
	json_t *json = answer_json(row);
	struct lp_span status = lp_json_str(json, "status");
	char words[160];

	if (lp_span_is(status, "OK") || lp_span_is(status, "IDLE")) {
		if (learn_note(row, json))
			became(row, LP_RUNNER_READY, "");
		else
			became(row, LP_RUNNER_DOWN, "lpd-runner has no such model for this pipeline: lpd models list");
	} else if (lp_span_is(status, "LOADING")) {
		became(row, LP_RUNNER_STARTING, "it loads its model");
	} else if (lp_call_state(row->call) == LP_CALL_FAILED) {
		const struct lp_err *e = lp_call_err(row->call);

		/* Silence: it may be busy with somebody else's job. */
		if ((e->code == LP_TIMEOUT && row->pub.state == LP_RUNNER_READY) || is_young(row))
			return;
		became(row, LP_RUNNER_DOWN, lp_err_words(e));
	} else {
		snprintf(words, sizeof(words), "/health answers %d%s%.*s", lp_call_status(row->call),
			 status.len ? " " : "", (int)(status.len < 40 ? status.len : 40), status.at);
		became(row, LP_RUNNER_DOWN, words);
	}
}

static struct lp_span short_name(struct runner_row *row, struct lp_span name)
{
	return lp_span_dup(row->facts, name.len <= NAME_MAX_LEN ? name : LP_SPAN(""));
}

static void learn_gpu(struct runner_row *row, const char *key, const json_t *gpu)
{
	struct lp_hardware *hw = &row->pub.hardware;
	struct lp_gpu_info *to = &hw->gpus[hw->n_gpus++];

	to->key = short_name(row, lp_span(key));
	to->id = short_name(row, lp_json_str(gpu, "id"));
	to->name = short_name(row, lp_json_str(gpu, "name"));
	to->major = (uint32_t)json_integer_value(lp_json_get(gpu, "major"));
	to->minor = (uint32_t)json_integer_value(lp_json_get(gpu, "minor"));
	to->memory_free = json_integer_value(lp_json_get(gpu, "memory_free"));
	to->memory_total = json_integer_value(lp_json_get(gpu, "memory_total"));
}

static void learn_hardware(struct runner_row *row, const json_t *json)
{
	json_t *gpus = lp_json_get(json, "gpu_info");
	const char *key;
	json_t *gpu;

	if (!json_is_object(gpus) || json_object_size(gpus) > 64)
		return;
	row->pub.hardware = (struct lp_hardware){
		.pipeline = lp_span(row->pub.entry->pipeline->name), .model = row->pub.entry->model_id,
		.gpus = lp_new_array(row->facts, struct lp_gpu_info, json_object_size(gpus) + 1),
	};
	json_object_foreach(gpus, key, gpu)
		learn_gpu(row, key, gpu);
	row->pub.has_hardware = true;
}

/* ---- the steps ---- */

static void on_nap(void *self)
{
	struct runner_row *row = self;

	lp_task_wake(&row->watch);
}

static int64_t pause_before_next(const struct runner_row *row)
{
	int64_t pause = 200 * LP_MSEC;

	if (row->pub.state == LP_RUNNER_READY)
		return CALM;
	for (int i = 0; i < row->failures && pause < 5 * LP_SEC; i++)
		pause *= 2;
	return pause;
}

static int nap(void *self)
{
	struct runner_row *row = self;

	if (row->suspected || !lp_timer_is_set(&row->nap)) {
		row->suspected = false;
		lp_timer_clear(&row->nap);
		if (row->pub.state == LP_RUNNER_READY && row->pub.slots.used) {
			lp_timer_set(&row->nap, row->set->want.loop, CALM);	/* busy: let it work */
			return LP_AWAIT(NAP);
		}
		ask(row, "health");
		return HEALTH;
	}
	return LP_AWAIT(NAP);
}

static int rest(struct runner_row *row)
{
	lp_scope_close(&row->ask);
	row->call = NULL;
	lp_timer_set(&row->nap, row->set->want.loop, pause_before_next(row));
	return LP_AWAIT(NAP);
}

static int health(void *self)
{
	struct runner_row *row = self;
	bool was_up = row->pub.state == LP_RUNNER_READY && row->facts;

	if (!answered(row))
		return LP_AWAIT(HEALTH);
	judge_health(row);
	if (row->pub.state != LP_RUNNER_READY || was_up)
		return rest(row);
	ask(row, "version");
	return VERSION;
}

static int version(void *self)
{
	struct runner_row *row = self;
	struct lp_span text;

	if (!answered(row))
		return LP_AWAIT(VERSION);
	lp_scope_close(&row->facts);
	row->facts = lp_scope_open(row->set->scope, "runner facts");
	row->pub.has_hardware = false;
	text = lp_json_str(answer_json(row), "version");
	row->pub.version = lp_span_dup(row->facts, text.len < 64 ? text : LP_SPAN(""));
	row->set->generation++;
	ask(row, "hardware/info");
	return HARDWARE;
}

static int hardware(void *self)
{
	struct runner_row *row = self;

	if (!answered(row))
		return LP_AWAIT(HARDWARE);
	learn_hardware(row, answer_json(row));
	return rest(row);
}

void lp_runner_watch_start(struct runner_row *row)
{
	row->nap = (struct lp_timer){ .fire = on_nap, .self = row };
	lp_task_start(&row->watch, row->set->want.loop, &lp_machine_runner_watch, row);
}

/* At most one question a second out of suspicion. */
void lp_runner_watch_soon(struct runner_row *row)
{
	int64_t now = lp_mono(row->set->want.loop);

	if (now < row->cooled)
		return;
	row->cooled = now + LP_SEC;
	row->suspected = true;
	lp_task_wake(&row->watch);
}
