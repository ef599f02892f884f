/* role/node - see the header. */
#include <lpd/role/node.h>
#include <lpd/role/money.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/base/random.h>
#include <lpd/io/file.h>

#define NO_ROLE "say what this node is to be: -mode gateway or -mode orchestrator"
#define NO_WORKER "this version of lpd cannot be a worker yet"
#define LOOK (20 * LP_MSEC)	/* how often a draining node looks whether it is done */

static const struct {
	enum lp_role_bit bit;
	const struct lp_role *role;
} rows[] = {
	{ LP_ROLE_ORCHESTRATOR, &lp_role_orchestrator },
	{ LP_ROLE_GATEWAY, &lp_role_gateway },
	{ LP_ROLE_SIGNER, &lp_role_remote_signer },
};

/* An orchestrator runs models itself, which the node that we replace calls -orchestrator -aiWorker. */
static enum lp_code read_roles(const struct lp_node *node, unsigned *roles, struct lp_err *e)
{
	bool no_worker = lp_option_given(node->options, LP_OPT_AI_WORKER) &&
			 !lp_option_bool(node->options, LP_OPT_AI_WORKER);

	*roles = lp_options_roles(node->options);
	if (!(*roles & LP_ROLE_ORCHESTRATOR))
		return LP_OK;
	*roles &= ~(unsigned)LP_ROLE_WORKER;
	if (no_worker)
		return lp_fail(e, LP_CONFIG, "-aiWorker=false leaves all work to remote workers, which cannot join this "
			       "version of lpd yet");
	return LP_OK;
}

static enum lp_code open_roles(struct lp_node *node, struct lp_err *e)
{
	unsigned roles;
	int n = 0;

	if (read_roles(node, &roles, e) != LP_OK || lp_money_open(node, e) != LP_OK)
		return e->code;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!(roles & (unsigned)rows[i].bit))
			continue;
		roles &= ~(unsigned)rows[i].bit;
		if (rows[i].role->open(node, e) != LP_OK)
			return e->code;
		node->roles[n++] = rows[i].role;
	}
	if (roles)
		return lp_fail(e, LP_CONFIG, NO_WORKER);
	return LP_OK;
}

/* Options that an operator brought along and that do nothing here. */
static void say_notes(const struct lp_node *node)
{
	int n;
	const struct lp_option_note *notes = lp_options_notes(node->options, &n);

	for (int i = 0; i < n; i++)
		lp_log_kv(node->log, LP_UNUSUAL, "this option does nothing here", "option", notes[i].flag, "why",
			  notes[i].words, NULL);
}

enum lp_code lp_node_check(struct lp_scope *scope, const struct lp_options *options, struct lp_log *log,
			   struct lp_buf *told, struct lp_err *e)
{
	struct lp_node *node = lp_new(scope, struct lp_node);
	unsigned roles;

	node->scope = scope;
	node->options = options;
	node->log = log;
	node->data_dir = lp_option_text(options, LP_OPT_DATA_DIR);
	say_notes(node);
	if (!lp_options_roles(options))
		return lp_fail(e, LP_CONFIG, NO_ROLE);
	if (read_roles(node, &roles, e) != LP_OK || lp_money_check(node, told, e) != LP_OK)
		return e->code;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!(roles & (unsigned)rows[i].bit))
			continue;
		roles &= ~(unsigned)rows[i].bit;
		if (rows[i].role->check(node, told, e) != LP_OK)
			return e->code;
	}
	return roles ? lp_fail(e, LP_CONFIG, NO_WORKER) : LP_OK;
}

/* Made when missing; from here on an absolute path, since it also names a socket and is told to children. */
static enum lp_code open_folder(struct lp_node *node, struct lp_err *e)
{
	char *real;

	if (lp_folder_make(node->data_dir, e) != LP_OK)
		return e->code;
	real = realpath(node->data_dir, NULL);
	if (!real)
		return lp_fail(e, LP_CONFIG, "the data directory %s cannot be used: %s", node->data_dir, strerror(errno));
	node->data_dir = lp_strdup(node->scope, lp_span(real));
	free(real);
	return LP_OK;
}

static enum lp_code open_media(struct lp_node *node, struct lp_err *e)
{
	const struct lp_media_want want = {
		.loop = node->loop,
		.dir = lp_fmt(node->scope, "%s/media", node->data_dir),
		.ttl = lp_option_duration(node->options, LP_OPT_MEDIA_TTL),
		.budget = lp_option_size(node->options, LP_OPT_MEDIA_BUDGET),
		.memory = lp_option_size(node->options, LP_OPT_MEMORY_BUDGET),
		.metrics = node->metrics,
	};

	if (lp_folder_make(want.dir, e) != LP_OK)
		return e->code;
	node->media = lp_media_open(node->scope, &want);
	return LP_OK;
}

static void open_client(struct lp_node *node)
{
	const struct lp_client_want want = {
		.tls = lp_tls_client_open(node->scope),
		/* A runner speaks HTTP/1.1: each job needs a connection.  What bounds them is jobs and slots. */
		.connections_per_peer = (int)lp_option_int(node->options, LP_OPT_MAX_JOBS),
		.log = node->log,
		.metrics = node->metrics,
	};

	node->client = lp_client_open(node->scope, node->loop, &want);
}

static enum lp_code open_clips(struct lp_node *node, struct lp_err *e)
{
	const struct lp_clips_want want = {
		.loop = node->loop,
		.client = node->client,
		.log = node->log,
		.metrics = node->metrics,
		.path = lp_option_text(node->options, LP_OPT_MEDIA_PATH),
		.data_dir = node->data_dir,
	};

	return lp_clips_open(node->scope, &node->clips, &want, e);
}

static void node_close(void *arg)
{
	struct lp_node *node = arg;

	lp_timer_clear(&node->drain_timer);
	lp_upkeep_stop(node);
}

static struct lp_node *node_new(struct lp_scope *scope, const struct lp_node_want *want)
{
	struct lp_node *node = lp_new(scope, struct lp_node);
	uint64_t seed = want->seed;

	node->scope = scope;
	node->loop = want->loop;
	node->log = want->log;
	node->sink = want->sink;
	node->options = want->options;
	node->started = lp_mono(want->loop);
	node->metrics = lp_metrics_open(scope);
	node->max_jobs = (int)lp_option_int(want->options, LP_OPT_MAX_JOBS);
	node->data_dir = lp_option_text(want->options, LP_OPT_DATA_DIR);
	if (!seed)
		lp_random(&seed, sizeof(seed));
	lp_dice_init(&node->dice, seed);
	lp_dice_init(&node->ids, ~seed);
	lp_defer(scope, node_close, node);
	return node;
}

enum lp_code lp_node_open(struct lp_scope *parent, struct lp_node **out, const struct lp_node_want *want,
			  struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(parent, "node");
	struct lp_node *node = node_new(scope, want);
	enum lp_code code = LP_OK;

	if (!lp_options_roles(want->options))
		code = lp_fail(e, LP_CONFIG, NO_ROLE);
	say_notes(node);
	if (code == LP_OK)
		code = open_folder(node, e);
	if (code == LP_OK)
		code = open_media(node, e);
	if (code == LP_OK) {
		open_client(node);
		code = open_clips(node, e);
	}
	if (code == LP_OK)
		code = open_roles(node, e);
	if (code == LP_OK)
		code = lp_admin_open(node, e);
	if (code != LP_OK) {
		lp_scope_close(&scope);
		return code;
	}
	*out = node;
	return LP_OK;
}

enum lp_code lp_node_admit(const struct lp_node *node, int jobs, struct lp_err *e)
{
	if (jobs >= node->max_jobs)
		return lp_fail(e, LP_UNAVAILABLE, "this node carries %d jobs already, which is all that it takes", jobs);
	if (lp_budget_spent(lp_media_budget(node->media)))
		return lp_fail(e, LP_UNAVAILABLE, "this node has no memory left for another request");
	return LP_OK;
}

/* ---- going down ---- */

static int connections(const struct lp_node *node)
{
	int n = 0;

	for (int i = 0; node->roles[i]; i++)
		if (node->roles[i]->connections)
			n += node->roles[i]->connections(node);
	return n;
}

/* Jobs first; then whoever still reads an answer.  The timer counts in steps of LOOK. */
static void look(void *self)
{
	struct lp_node *node = self;
	bool late = lp_mono(node->loop) >= node->drain_until;

	if (!late && (node->jobs > 0 || connections(node) > 0)) {
		lp_timer_set(&node->drain_timer, node->loop, LOOK);
		return;
	}
	if (node->jobs > 0)
		lp_log(node->log, LP_UNUSUAL, "going down with jobs under way", "jobs=%d", node->jobs);
	lp_loop_stop(node->loop);
}

void lp_node_drain(struct lp_node *node)
{
	if (node->draining) {		/* asked twice: now */
		lp_loop_stop(node->loop);
		return;
	}
	node->draining = true;
	node->drain_until = lp_mono(node->loop) + lp_option_duration(node->options, LP_OPT_DRAIN_TIMEOUT);
	lp_log(node->log, LP_INFO, "going down", "jobs=%d", node->jobs);
	for (int i = 0; node->roles[i]; i++)
		if (node->roles[i]->drain)
			node->roles[i]->drain(node);
	node->drain_timer.fire = look;
	node->drain_timer.self = node;
	lp_timer_set(&node->drain_timer, node->loop, 0);
}

/* What a node takes up again on SIGHUP; everything else waits for the next start. */
static bool is_reloaded(enum lp_option which)
{
	static const enum lp_option reloaded[] = {
		LP_OPT_LOG_LEVEL, LP_OPT_V, LP_OPT_DRAIN_TIMEOUT, LP_OPT_MAX_JOBS, LP_OPT_JOB_TIMEOUT,
		LP_OPT_MAX_JOBS_PER_CLIENT, LP_OPT_ALLOW_PRIORITIES,
		LP_OPT_AI_PROCESSING_RETRY_TIMEOUT, LP_OPT_AI_MODELS, LP_OPT_PIPELINE_TIMEOUTS,
		LP_OPT_PRICE_PER_UNIT, LP_OPT_PRICE_PER_GATEWAY, LP_OPT_AUTO_ADJUST_PRICE, LP_OPT_TICKET_EV,
		LP_OPT_MAX_FACE_VALUE,
	};

	for (size_t i = 0; i < sizeof(reloaded) / sizeof(*reloaded); i++)
		if (reloaded[i] == which)
			return true;
	return false;
}

static void take_options(struct lp_node *node, const struct lp_options *options)
{
	for (int i = 0; i < LP_OPTIONS; i++) {
		enum lp_option which = (enum lp_option)i;

		if (lp_option_differs(options, node->options, which) && !is_reloaded(which))
			lp_log_kv(node->log, LP_UNUSUAL, "this takes a restart", "option", lp_option_flag(which), NULL);
	}
	if (node->sink)
		node->sink->level = lp_options_level(options);
	node->options = options;
	node->max_jobs = (int)lp_option_int(options, LP_OPT_MAX_JOBS);
}

void lp_node_reload(struct lp_node *node, const struct lp_options *options)
{
	lp_log(node->log, LP_INFO, "reading again", "");
	if (options)
		take_options(node, options);
	for (int i = 0; node->roles[i]; i++)
		if (node->roles[i]->reload)
			node->roles[i]->reload(node);
}
