#include <lpd/run/runner.h>

#include <stdio.h>
#include <string.h>

#include <lpd/base/sanitizer.h>

#include "runner_priv.h"

#ifdef LP_SANITIZED
#define BUILTIN_MEMORY 0	/* its shadow alone is larger than any limit */
#else
#define BUILTIN_MEMORY (INT64_C(4) << 30)
#endif

/* One lpd-runner serves all builtin/ models. */
enum lp_code lp_runner_builtin_open(struct lp_runners *set, struct lp_err *e)
{
	const struct lp_child_want want = {
		.loop = set->want.loop, .log = set->want.log, .metrics = set->want.metrics, .program = "lpd-runner",
		.need = "a builtin/ model", .path = set->want.runner_path, .label = "builtin",
		.data_dir = set->want.data_dir, .socket = "runner.sock", .data_dir_option = "-dataDir",
		.memory_limit = BUILTIN_MEMORY,
	};

	if (lp_child_open(set->scope, &set->builtin, &want, e) != LP_OK)
		return e->code;
	lp_child_start(set->builtin);
	return LP_OK;
}

struct runner_row *lp_runner_row_add(struct lp_runners *set, const struct lp_model_entry *entry)
{
	struct runner_row *row = lp_new(set->scope, struct runner_row);
	struct lp_scope *scope = set->scope;

	row->set = set;
	row->pub.entry = entry;
	row->pub.url = entry->kind == LP_MODEL_BUILTIN ? *lp_child_url(set->builtin) : entry->url;
	row->pub.slots.total = entry->capacity;
	row->log = lp_log_with(scope, set->want.log, "runner", "%s/%.*s", entry->pipeline->name,
			       LP_ARG(entry->model_id));
	set->rows[set->n++] = row;
	return row;
}

static enum lp_code add_row(struct lp_runners *set, const struct lp_model_entry *entry, struct lp_err *e)
{
	if (entry->kind == LP_MODEL_BUILTIN && !set->builtin && lp_runner_builtin_open(set, e) != LP_OK)
		return e->code;
	lp_runner_row_add(set, entry);
	return LP_OK;
}

enum lp_code lp_runner_possible(const struct lp_model_entry *entry, struct lp_err *e)
{
	if (entry->kind == LP_MODEL_CONTAINER && entry->pipeline->served)
		return lp_fail(e, LP_CONFIG, "%s %.*s needs a container, which lpd cannot start yet: give it a "
			       "\"url\" of a running ai-runner, or a model_id that begins with builtin/",
			       entry->pipeline->name, LP_ARG(entry->model_id));
	return LP_OK;
}

/* A file that moves over from the incumbent may name more than lpd serves: the rest of it still runs. */
bool lp_runner_is_run(const struct lp_runners *set, const struct lp_model_entry *entry)
{
	if (entry->kind == LP_MODEL_PRICE)
		return false;
	if (!entry->pipeline->served)
		lp_log(set->want.log, LP_UNUSUAL, "entry left out: lpd does not serve its pipeline yet",
		       "pipeline=%s", entry->pipeline->name);
	return entry->pipeline->served;
}

static void stop_watching(void *arg)
{
	struct lp_runners *set = arg;

	for (int i = 0; i < set->n; i++) {
		lp_task_drop(&set->rows[i]->watch);
		lp_timer_clear(&set->rows[i]->nap);
		lp_buf_clear(&set->rows[i]->body);
	}
}

enum lp_code lp_runners_open(struct lp_scope *scope, struct lp_runners **out, const struct lp_runners_want *want,
			     struct lp_err *e)
{
	struct lp_runners *set = lp_new(scope, struct lp_runners);

	set->want = *want;
	set->scope = scope;
	set->rows = lp_new_array(scope, struct runner_row *, (size_t)want->models->n + 1);
	for (int i = 0; i < want->models->n; i++)
		if (lp_runner_possible(&want->models->at[i], e) != LP_OK)
			return e->code;
	lp_defer(scope, stop_watching, set);
	for (int i = 0; i < want->models->n; i++)
		if (lp_runner_is_run(set, &want->models->at[i]) && add_row(set, &want->models->at[i], e) != LP_OK)
			return e->code;
	for (int i = 0; i < set->n; i++)
		lp_runner_watch_start(set->rows[i]);
	*out = set;
	return LP_OK;
}

int lp_runners_count(const struct lp_runners *set)
{
	return set->n;
}

struct lp_runner *lp_runners_at(struct lp_runners *set, int i)
{
	return &set->rows[i]->pub;
}

static bool serves(const struct lp_runner *runner, const struct lp_pipeline *pipeline, struct lp_span model)
{
	return runner->entry->pipeline == pipeline && lp_span_eq(runner->entry->model_id, model);
}

static struct lp_runner *least_used(struct lp_runners *set, const struct lp_pipeline *pipeline,
				    struct lp_span model, bool *known)
{
	struct lp_runner *best = NULL;

	for (int i = 0; i < set->n; i++) {
		struct lp_runner *r = &set->rows[i]->pub;

		if (!serves(r, pipeline, model))
			continue;
		*known = true;
		if (r->state != LP_RUNNER_READY || r->slots.used >= r->slots.total)
			continue;
		/* used/total compared without division */
		if (!best || (uint64_t)r->slots.used * best->slots.total < (uint64_t)best->slots.used * r->slots.total)
			best = r;
	}
	return best;
}

struct lp_runner *lp_runners_take(struct lp_scope *scope, struct lp_runners *set,
				  const struct lp_pipeline *pipeline, struct lp_span model, struct lp_err *e)
{
	bool known = false;
	struct lp_runner *runner = least_used(set, pipeline, model, &known);

	if (runner && lp_slots_take(scope, &runner->slots))
		return runner;
	if (known)
		lp_fail(e, LP_NO_CAPACITY, "every slot of %s %.*s is taken or its runner is down", pipeline->name,
			LP_ARG(model));
	else
		lp_fail(e, LP_NO_CAPACITY, "%s %.*s is not offered here", pipeline->name, LP_ARG(model));
	return NULL;
}

/* Rows of one model are one offer: its capacity is the sum of what is free in them (network-protocol 1.3). */
static bool offered_before(struct lp_runners *set, int upto)
{
	const struct lp_model_entry *entry = set->rows[upto]->pub.entry;

	for (int i = 0; i < upto; i++)
		if (set->rows[i]->pub.state == LP_RUNNER_READY &&
		    serves(&set->rows[i]->pub, entry->pipeline, entry->model_id))
			return true;
	return false;
}

static void offer_model(struct lp_scope *scope, struct lp_runners *set, int first, struct lp_capabilities *caps)
{
	const struct lp_model_entry *entry = set->rows[first]->pub.entry;
	struct lp_model_terms terms = { .model = entry->model_id, .warm = true,
					.runner_version = set->rows[first]->pub.version };

	for (int i = first; i < set->n; i++) {
		const struct lp_runner *r = &set->rows[i]->pub;

		if (r->state == LP_RUNNER_READY && serves(r, entry->pipeline, entry->model_id))
			terms.capacity += r->slots.total - r->slots.used;
	}
	lp_capabilities_add_model(scope, caps, entry->pipeline->capability, &terms);
}

void lp_runners_offer(struct lp_scope *scope, struct lp_runners *set, struct lp_capabilities *caps)
{
	for (int i = 0; i < set->n; i++)
		if (set->rows[i]->pub.state == LP_RUNNER_READY && !offered_before(set, i))
			offer_model(scope, set, i, caps);
}

void lp_runners_known(struct lp_scope *scope, struct lp_runners *set, struct lp_capabilities *caps)
{
	for (int i = 0; i < set->n; i++) {
		const struct lp_runner *r = &set->rows[i]->pub;
		struct lp_model_terms terms = { .model = r->entry->model_id, .warm = true,
						.capacity = r->slots.total, .runner_version = r->version };

		if (!lp_capabilities_model(caps, r->entry->pipeline->capability, terms.model))
			lp_capabilities_add_model(scope, caps, r->entry->pipeline->capability, &terms);
	}
}

unsigned lp_runners_generation(const struct lp_runners *set)
{
	return set->generation;
}

struct lp_call *lp_runner_start(struct lp_scope *scope, struct lp_runners *set, struct lp_runner *runner,
				const struct lp_forward_want *want, struct lp_runner_hook hook)
{
	struct lp_forward_want forward = *want;
	struct lp_header headers[4];
	struct lp_url url;
	int n = 0;

	for (; n < want->n_headers && n < 3; n++)
		headers[n] = want->headers[n];
	if (runner->entry->token.len) {
		struct lp_span bearer = lp_span(lp_fmt(scope, "Bearer %.*s", LP_ARG(runner->entry->token)));

		headers[n++] = (struct lp_header){ LP_SPAN("authorization"), bearer, true };
	}
	forward.headers = headers;
	forward.n_headers = n;
	forward.call.h1_only = true;
	/* It closes idle connections after exactly 5 s (ai-http-api 10.3); running a job again there moves no money. */
	forward.call.idle_retire = 4 * LP_SEC;
	forward.call.idempotent = true;
	forward.call.first_byte_time = LP_NEVER;
	forward.call.stall_time = LP_NEVER;
	lp_url_join(scope, &url, &runner->url, lp_span(want->request->pipeline->name));
	forward.call.url = &url;
	return lp_forward_start(scope, set->want.client, &forward, hook.on_event, hook.self);
}

void lp_runner_suspect(struct lp_runners *set, struct lp_runner *runner, const struct lp_err *why)
{
	for (int i = 0; i < set->n; i++) {
		struct runner_row *row = set->rows[i];

		if (&row->pub != runner)
			continue;
		if (why->code == LP_CONNECT && runner->state == LP_RUNNER_READY) {
			runner->state = LP_RUNNER_DOWN;
			set->generation++;
			snprintf(runner->why, sizeof(runner->why), "%s", lp_err_words(why));
			lp_log_kv(row->log, LP_UNUSUAL, "runner down", "why", runner->why, NULL);
		}
		lp_runner_watch_soon(row);
	}
}
