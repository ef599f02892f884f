/* Real nodes on simulated hosts: opened from a command line, killed, drained, filled. */
#include <stdio.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/io/file.h>
#include <lpd/io/task.h>
#include <lpd/market/pipeline.h>
#include <io/timer_priv.h>
#include <role/gateway_job.h>
#include <role/orchestrator_priv.h>

#include "sim.h"

#define SERVICE_PORT 8935
#define ARGS_MAX 64
#define SETTLE (20 * LP_SEC)

/* ---- command lines ---- */

static void add_arg(struct sim_node *n, const char *flag, const char *value)
{
	lp_assert(n->argc + 2 < ARGS_MAX);
	n->argv[n->argc++] = flag;
	if (value)
		n->argv[n->argc++] = value;
	n->argv[n->argc] = NULL;
}

static struct sim_node *node_new(struct sim *s, const char *name, const char *mode)
{
	struct sim_node *n = lp_new(s->scope, struct sim_node);
	struct lp_err e;

	n->s = s;
	n->name = lp_strdup(s->scope, lp_span(name));
	n->host = sim_host_get(s->net, name);
	n->dir = lp_fmt(s->scope, "%s/%s", s->dir, name);
	n->argv = lp_new_array(s->scope, const char *, ARGS_MAX);
	lp_assert(lp_folder_make(n->dir, &e) == LP_OK);
	add_arg(n, "lpd", NULL);
	add_arg(n, "-mode", mode);
	add_arg(n, "-dataDir", n->dir);
	lp_list_add(&s->nodes, &n->link);
	return n;
}

static void add_args(struct sim_node *n, const char *const *args)
{
	for (int i = 0; args && args[i]; i++)
		add_arg(n, args[i], NULL);
}

/* ---- life ---- */

static void open_node(struct sim_node *n)
{
	struct lp_node_want want = { .loop = n->s->loop, .sink = &n->s->sink, .options = n->options };
	struct lp_err e;

	want.log = lp_log_with(n->scope, lp_log_open(n->scope, &n->s->sink), "node", "%s", n->name);
	want.seed = lp_dice_next(n->s->dice) | 1;
	sim_net_enter(n->s->net, n->host);
	if (lp_node_open(n->scope, &n->node, &want, &e) != LP_OK) {
		n->node = NULL;
		fprintf(stderr, "%s does not start: %s\n", n->name, e.words);
		fail_msg("a node does not start");
	}
}

void sim_start(struct sim_node *n)
{
	struct lp_err e;

	lp_assert(!n->scope);
	n->scope = lp_scope_open(n->s->scope, "node");
	n->options = lp_options_open(n->scope);
	n->drained = false;
	char *const *argv = (char *const *)(void *)n->argv;
	if (lp_options_read(n->options, n->argc, argv, NULL, &e) != LP_OK) {
		fprintf(stderr, "%s: %s\n", n->name, e.words);
		fail_msg("a node does not take its options");
	}
	open_node(n);
}

void sim_kill(struct sim_node *n)
{
	n->filled = NULL;
	n->node = NULL;
	lp_scope_close(&n->scope);
}

void sim_drain(struct sim_node *n)
{
	lp_node_drain(n->node);
}

/* ---- an orchestrator ---- */

static const char *models_of(struct sim_node *n, const struct sim_node_want *want)
{
	static const char *const rows[] = { "text-to-image", "upscale", "llm" };
	const char *text = "[";

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct lp_pipeline *row = lp_pipeline_find(lp_span(rows[i]));

		text = lp_fmt(n->s->scope,
			      "%s%s{\"pipeline\":\"%s\",\"model_id\":\"%s\",\"url\":\"%s\",\"warm\":true,"
			      "\"capacity\":%d}", text, i ? "," : "", rows[i], row->default_model, n->runner->url,
			      want->capacity ? want->capacity : 1);
	}
	return lp_fmt(n->s->scope, "%s]", text);
}

static void write_models(struct sim_node *n, const char *text)
{
	const char *path = lp_fmt(n->s->scope, "%s/aiModels.json", n->dir);
	FILE *file = fopen(path, "w");		/* not lp_file_write, which waits for the disk */

	lp_assert(file && fputs(text, file) >= 0);
	fclose(file);
	add_arg(n, "-aiModels", path);
}

struct sim_node *sim_orchestrator_with(struct sim *s, const char *name, const struct sim_node_want *want)
{
	struct sim_node *n = node_new(s, name, want->mode ? want->mode : "orchestrator");

	n->runner = want->runner;
	if (!n->runner)
		n->runner = sim_runner(s, lp_fmt(s->scope, "runner-of-%s", name));
	add_arg(n, "-serviceAddr", lp_fmt(s->scope, "%s%s:%d", want->plain ? "http://" : "", name, SERVICE_PORT));
	write_models(n, want->models ? want->models : models_of(n, want));
	add_arg(n, "-startupAvailabilityCheck=false", NULL);
	add_args(n, want->args);
	sim_start(n);
	if (n->node->gateway && !s->gateway)
		s->gateway = n;
	sim_run_for(s, LP_SEC);		/* its runner has answered */
	n->idle = lp_scope_bytes(n->scope);
	return n;
}

/* ---- a gateway ---- */

static const char *all_orchestrators(struct sim *s)
{
	const char *list = "";

	lp_list_each(&s->nodes, n, struct sim_node, link) {
		if (n->runner)
			list = lp_fmt(s->scope, "%s%s%s", list, *list ? "," : "", n->argv[6]);
	}
	return list;
}

struct sim_node *sim_gateway_with(struct sim *s, const char *name, const struct sim_node_want *want)
{
	const char *orchestrators = all_orchestrators(s);
	struct sim_node *n = node_new(s, name, "gateway");

	add_arg(n, "-httpAddr", lp_fmt(s->scope, "%s:9935", name));
	if (*orchestrators)
		add_arg(n, "-orchAddr", orchestrators);
	add_args(n, want->args);
	sim_start(n);
	if (!s->gateway)
		s->gateway = n;
	sim_run_for(s, LP_SEC);		/* it has asked the orchestrators */
	n->idle = lp_scope_bytes(n->scope);
	return n;
}

/* ---- looking in, and filling up ---- */

static struct lp_runners *runners_of(const struct sim_node *n)
{
	return n->node && n->node->orchestrator ? n->node->orchestrator->runners : NULL;
}

void sim_fill(struct sim_node *n)
{
	struct lp_runners *runners = runners_of(n);

	lp_assert(!n->filled);
	n->filled = lp_scope_open(n->scope, "taken by others");
	for (int i = 0; i < lp_runners_count(runners); i++)
		while (lp_slots_take(n->filled, &lp_runners_at(runners, i)->slots))
			;
}

void sim_unfill(struct sim_node *n)
{
	lp_scope_close(&n->filled);
}

void sim_replace_route(struct sim_node *n, const char *path, void (*handle)(void *self, struct lp_exchange *ex),
		       void *self)
{
	struct lp_server *server = n->node->gateway ? n->node->gateway->server : n->node->orchestrator->server;

	sim_server_replace(server, path, handle, self);
}

int sim_slots_used(const struct sim_node *n)
{
	struct lp_runners *runners = runners_of(n);
	int used = 0;

	for (int i = 0; runners && i < lp_runners_count(runners); i++)
		used += (int)lp_runners_at(runners, i)->slots.used;
	return n->filled ? 0 : used;
}

const struct lp_runner *sim_runner_row(const struct sim_node *n, int i)
{
	return lp_runners_at(runners_of(n), i);
}

int64_t sim_metric(const struct sim_node *n, enum lp_metric which, const char *const *labels)
{
	return lp_metric_value(n->node->metrics, which, labels);
}

int64_t sim_jobs(const struct sim_node *n, enum lp_code code)
{
	const char *role = n->node->gateway ? "gateway" : "orchestrator";
	int64_t sum = 0;
	int rows;
	const struct lp_pipeline *all = lp_pipelines(&rows);

	for (int i = 0; i < rows; i++)
		sum += sim_metric(n, LP_M_JOBS, LP_LABELS(role, all[i].name, lp_code_name(code)));
	return sum;
}

struct lp_task *sim_task(const struct sim_node *n, const struct lp_machine *machine)
{
	struct lp_timers *timers = lp_loop_timers(n->s->loop);

	lp_list_each(&timers->tasks, t, struct lp_task, live) {
		if (strcmp(t->machine->name, machine->name) == 0 && t->metrics == n->node->metrics)
			return t;
	}
	return NULL;
}
