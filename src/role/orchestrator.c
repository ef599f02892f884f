/* The orchestrator's wiring: models and runners, the service port, gRPC and job routes. */
#include <string.h>

#include <lpd/base/json.h>
#include <lpd/io/file.h>

#include "address.h"
#include "pair.h"
#include "payee.h"
#include "self_check.h"
#include "store.h"

#define MODELS_MAX (4 << 20)

/* ---- what it runs ---- */

/* said: the text, which stands in the scope as the models do. */
static enum lp_code read_models(struct lp_orchestrator *o, struct lp_scope *scope, struct lp_models *models,
				struct lp_span *said, struct lp_err *e)
{
	struct lp_node *node = o->node;
	const char *where = lp_option_text(node->options, LP_OPT_AI_MODELS);
	struct lp_span text = lp_span(where), unknown;
	struct lp_err why = { .code = LP_OK };

	if (!*where)
		return lp_fail(e, LP_CONFIG, "an orchestrator needs -aiModels: a JSON file of what it runs");
	if (lp_file_read(scope, &text, where, MODELS_MAX, &why) != LP_OK && why.code != LP_NOT_FOUND)
		return lp_fail(e, LP_CONFIG, "-aiModels: %s", lp_err_words(&why));
	if (why.code == LP_NOT_FOUND && !strchr(where, ':'))
		return lp_fail(e, LP_CONFIG, "-aiModels: there is no file %s", where);
	if (lp_models_parse(scope, models, text, &unknown, e) != LP_OK)
		return e->code;
	if (unknown.len)
		lp_log_kv(o->log, LP_UNUSUAL, "aiModels has keys nobody knows", "keys",
			  lp_strdup(scope, unknown), NULL);
	*said = text;
	return LP_OK;
}

static enum lp_code load_models(struct lp_orchestrator *o, struct lp_err *e)
{
	return read_models(o, o->node->scope, &o->models, &o->models_text, e);
}

static enum lp_code open_runners(struct lp_orchestrator *o, struct lp_err *e)
{
	struct lp_node *node = o->node;
	struct lp_runners_want want = {
		.loop = node->loop,
		.client = node->client,
		.models = &o->models,
		.runner_path = lp_option_text(node->options, LP_OPT_RUNNER_PATH),
		.data_dir = node->data_dir,
		.log = o->log,
		.metrics = node->metrics,
	};

	return lp_runners_open(node->scope, &o->runners, &want, e);
}

/* ---- where it is reached ---- */

/* -serviceAddr is what gateways are told, and whether there is TLS; -httpAddr where we listen, every address at
 * that port by default. */
static enum lp_code find_addresses(struct lp_orchestrator *o, struct lp_url *listen, struct lp_err *e)
{
	struct lp_node *node = o->node;
	const char *service = lp_option_text(node->options, LP_OPT_SERVICE_ADDR);
	const char *http = lp_options_http_addr(node->options, LP_ROLE_ORCHESTRATOR);
	struct lp_url url;
	char *uri;

	if (!*service && *http)
		service = http;
	if (!*service || *service == ':')
		return lp_fail(e, LP_CONFIG, "an orchestrator needs -serviceAddr HOST:PORT: where gateways reach it");
	if (lp_peer_address(node->scope, &url, lp_span(service), e) != LP_OK)
		return lp_fail(e, LP_CONFIG, "-serviceAddr %s is no address", service);
	uri = lp_strdup(node->scope, url.text);
	while (*uri && uri[strlen(uri) - 1] == '/')
		uri[strlen(uri) - 1] = '\0';
	o->service_uri = lp_span(uri);
	*listen = url;
	listen->host = LP_SPAN("");
	if (*http && lp_url_parse_address(node->scope, listen, lp_span(http), url.port, e) != LP_OK)
		return lp_fail(e, LP_CONFIG, "-httpAddr %s is no address", http);
	listen->tls = url.tls;
	return LP_OK;
}

/* The operator's pair, or our own in the data directory, made when it is missing. */
static enum lp_code open_tls(struct lp_orchestrator *o, const struct lp_url *service, struct lp_err *e)
{
	struct lp_node *node = o->node;
	const char *cert = lp_option_text(node->options, LP_OPT_TLS_CERT);
	const char *key = lp_option_text(node->options, LP_OPT_TLS_KEY);

	if (lp_pair_check(node, cert, key, "-tlsCert and -tlsKey", e) != LP_OK)
		return e->code;
	if (!*cert) {
		cert = lp_fmt(node->scope, "%s/cert.pem", node->data_dir);
		key = lp_fmt(node->scope, "%s/key.pem", node->data_dir);
	}
	return lp_tls_server_open(node->scope, &o->tls, cert, key, service->host, e);
}

static enum lp_code open_server(struct lp_orchestrator *o, struct lp_err *e)
{
	struct lp_node *node = o->node;
	const struct lp_options *options = node->options;
	struct lp_server_want want = {
		.limits = {
			.connections = (int)lp_option_int(options, LP_OPT_MAX_CONNECTIONS),
			.streams = (int)lp_option_int(options, LP_OPT_MAX_STREAMS),
			.header_bytes = (size_t)lp_option_size(options, LP_OPT_MAX_HEADER_BYTES),
			.header_time = lp_option_duration(options, LP_OPT_HEADER_TIMEOUT),
			.body_stall = lp_option_duration(options, LP_OPT_BODY_TIMEOUT),
			.idle_time = lp_option_duration(options, LP_OPT_IDLE_TIMEOUT),
		},
		.handle = lp_router_handle,
		.self = o->router,
		.log = o->log,
		.metrics = node->metrics,
	};
	struct lp_url service;

	if (find_addresses(o, &want.address, e) != LP_OK)
		return e->code;
	if (lp_url_parse(node->scope, &service, o->service_uri, e) != LP_OK)
		return e->code;
	if (want.address.tls && open_tls(o, &service, e) != LP_OK)
		return e->code;
	want.tls = o->tls;
	return lp_server_open(node->scope, &o->server, node->loop, &want, e);
}

/* Found out now, and not by the first job. */
static enum lp_code check_clips(const struct lp_orchestrator *o, struct lp_err *e)
{
	const struct lp_err *why = lp_clips_err(o->node->clips);

	for (int i = 0; why->code != LP_OK && i < lp_runners_count(o->runners); i++) {
		const struct lp_model_entry *entry = lp_runners_at(o->runners, i)->entry;

		if (entry->pipeline->measured || entry->pipeline->frames)
			return lp_fail(e, LP_CONFIG, "%s cannot be offered: %s", entry->pipeline->name,
				       lp_err_words(why));
	}
	return LP_OK;
}

/* ---- routes ---- */

static int64_t body_limit(const struct lp_orchestrator *o, const struct lp_pipeline *pipeline)
{
	return pipeline->body_limit < o->body_limit ? pipeline->body_limit : o->body_limit;
}

static void add_routes(struct lp_orchestrator *o)
{
	struct lp_scope *scope = o->node->scope;
	int n;
	const struct lp_pipeline *rows = lp_pipelines(&n);

	for (int i = 0; i < n; i++) {
		struct orch_route *route = lp_new(scope, struct orch_route);

		if (!rows[i].served)
			continue;
		*route = (struct orch_route){ o, &rows[i] };
		lp_router_add(o->router,
			      &(struct lp_route){ "POST", lp_fmt(scope, "/%s", rows[i].name), body_limit(o, &rows[i]),
						  lp_orchestrator_job_start, route });
	}
	lp_router_add(o->router, &(struct lp_route){ "GET", "/stream/*", 0, lp_media_serve, o->node->media });
	lp_orchestrator_rpc_open(o);
}

/* ---- the role ---- */

/* What SIGHUP may change. */
static void read_limits(struct lp_orchestrator *o)
{
	o->job_time = lp_option_duration(o->node->options, LP_OPT_JOB_TIMEOUT);
}

static void read_options(struct lp_orchestrator *o)
{
	const struct lp_options *options = o->node->options;
	const struct lp_span *nodes;
	size_t n = lp_option_list(options, LP_OPT_NODES, &nodes);

	o->version = lp_span(lp_option_text(options, LP_OPT_ADVERTISE_VERSION));
	read_limits(o);
	o->body_limit = lp_option_size(options, LP_OPT_MAX_BODY_BYTES);
	o->nodes = lp_new_array(o->node->scope, struct lp_span, n + 1);
	for (size_t i = 0; i < n; i++)
		o->nodes[o->n_nodes++] = nodes[i];
}

static void forget_timer(void *arg)
{
	struct lp_orchestrator *o = arg;

	lp_linger_stop(&o->linger);
}

static enum lp_code open_role(struct lp_node *node, struct lp_err *e)
{
	struct lp_orchestrator *o = lp_new(node->scope, struct lp_orchestrator);

	o->node = node;
	lp_defer(node->scope, forget_timer, o);
	o->log = lp_log_with(node->scope, node->log, "role", "orchestrator");
	read_options(o);
	o->router = lp_router_open(node->scope);
	if (lp_store_open(node, e) != LP_OK ||
	    lp_store_secret(node, "auth-token", o->secret, e) != LP_OK || load_models(o, e) != LP_OK ||
	    lp_payee_open(o, e) != LP_OK || open_runners(o, e) != LP_OK || check_clips(o, e) != LP_OK)
		return e->code;
	add_routes(o);
	if (open_server(o, e) != LP_OK)
		return e->code;
	node->orchestrator = o;
	if (lp_option_bool(node->options, LP_OPT_STARTUP_CHECK))
		lp_self_check(o);
	lp_log(o->log, LP_INFO, "orchestrator listens", "uri=%.*s port=%d models=%d", LP_ARG(o->service_uri),
	       lp_server_port(o->server), lp_runners_count(o->runners));
	return LP_OK;
}

static void tell_model(struct lp_buf *told, const struct lp_model_entry *entry)
{
	static const char *const kinds[] = { "external runner", "built-in runner", "container",
					     "price for one gateway" };

	lp_buf_fmt(told, "  %-20s %-40.*s %s", entry->pipeline->name, LP_ARG(entry->model_id), kinds[entry->kind]);
	if (entry->kind == LP_MODEL_EXTERNAL)
		lp_buf_fmt(told, " at %.*s", LP_ARG(entry->url.text));
	if (entry->kind != LP_MODEL_PRICE)
		lp_buf_fmt(told, ", %u at once", entry->capacity);
	lp_buf_add_text(told, entry->pipeline->served ? "\n" : ", not served by this version: left out\n");
}

/* What open_role reads of options and files. */
static enum lp_code check_role(struct lp_node *node, struct lp_buf *told, struct lp_err *e)
{
	const struct lp_options *options = node->options;
	struct lp_orchestrator *o = lp_new(node->scope, struct lp_orchestrator);
	struct lp_url listen;

	o->node = node;
	o->log = node->log;
	if (find_addresses(o, &listen, e) != LP_OK || load_models(o, e) != LP_OK || lp_payee_check(o, e) != LP_OK ||
	    lp_pair_check(node, lp_option_text(options, LP_OPT_TLS_CERT), lp_option_text(options, LP_OPT_TLS_KEY),
			  "-tlsCert and -tlsKey", e) != LP_OK)
		return e->code;
	lp_buf_fmt(told, "orchestrator: reached at %.*s, %d models:\n", LP_ARG(o->service_uri), o->models.n);
	for (int i = 0; i < o->models.n; i++) {
		if (lp_runner_possible(&o->models.at[i], e) != LP_OK)
			return e->code;
		tell_model(told, &o->models.at[i]);
	}
	return LP_OK;
}

/* Results are fetched after their job has ended (network-protocol 5.6): the port stays open for that.  Jobs that
 * come meanwhile are refused in ADMIT, and nothing is offered. */
static void drain(struct lp_node *node)
{
	struct lp_orchestrator *o = node->orchestrator;

	lp_linger_begin(&o->linger, node->loop, o->server, &o->jobs);
}

static int connections(const struct lp_node *node)
{
	return lp_server_connections(node->orchestrator->server) + lp_linger_waits(&node->orchestrator->linger);
}

/* What an earlier file said stays in memory until the node ends: jobs that run still look at it.  What was not taken,
 * or says the same again, goes. */
static void reload_models(struct lp_orchestrator *o)
{
	struct lp_scope *scope = lp_scope_open(o->node->scope, "models");
	struct lp_models models;
	struct lp_span text;
	struct lp_err e;
	bool read = read_models(o, scope, &models, &text, &e) == LP_OK, same = read && lp_span_eq(text, o->models_text);

	if (read && lp_runners_reload(o->runners, same ? &o->models : &models, &e) == LP_OK) {
		if (!same) {
			o->models = models;
			o->models_text = text;
			return;
		}
	} else {
		lp_log_kv(o->log, LP_UNUSUAL, "aiModels not read again, the old ones stay", "why", lp_err_words(&e), NULL);
	}
	lp_scope_close(&scope);
}

static void reload(struct lp_node *node)
{
	struct lp_orchestrator *o = node->orchestrator;
	struct lp_err e;

	read_limits(o);
	reload_models(o);
	lp_payee_reload(o);
	if (o->tls && lp_tls_server_reload(o->tls, &e) != LP_OK)
		lp_log_kv(o->log, LP_UNUSUAL, "certificate not reloaded", "why", lp_err_words(&e), NULL);
}

/* Ready when there is something to offer. */
static bool ready(struct lp_node *node, struct lp_buf *why)
{
	struct lp_runners *runners = node->orchestrator->runners;
	int up = 0;

	for (int i = 0; i < lp_runners_count(runners); i++)
		up += lp_runners_at(runners, i)->state == LP_RUNNER_READY;
	if (!up)
		lp_buf_add_text(why, "no runner is ready");
	return up > 0;
}

static void status_runner(struct lp_buf *json, const struct lp_runner *runner)
{
	static const char *const state_names[] = { "starting", "ready", "down" };

	lp_buf_add_text(json, "{\"pipeline\":");
	lp_json_write_str(json, lp_span(runner->entry->pipeline->name));
	lp_buf_add_text(json, ",\"model\":");
	lp_json_write_str(json, runner->entry->model_id);
	lp_buf_add_text(json, ",\"version\":");
	lp_json_write_str(json, runner->version);
	lp_buf_fmt(json, ",\"state\":\"%s\",\"capacity\":%u,\"in_use\":%u,\"why\":", state_names[runner->state],
		   runner->slots.total, runner->slots.used);
	lp_json_write_str(json, lp_span(runner->why));
	lp_buf_add_text(json, ",\"note\":");
	lp_json_write_str(json, runner->note);
	lp_buf_add_char(json, '}');
}

static void status(struct lp_node *node, struct lp_buf *json)
{
	struct lp_orchestrator *o = node->orchestrator;

	lp_buf_add_text(json, "{\"service_uri\":");
	lp_json_write_str(json, o->service_uri);
	lp_buf_fmt(json, ",\"jobs\":%d,\"connections\":%d,\"runners\":[", o->jobs, lp_server_connections(o->server));
	for (int i = 0; i < lp_runners_count(o->runners); i++) {
		if (i)
			lp_buf_add_char(json, ',');
		status_runner(json, lp_runners_at(o->runners, i));
	}
	lp_buf_add_char(json, ']');
	if (o->payee) {
		lp_buf_add_text(json, ",\"money\":");
		lp_payee_status(o->payee, json);
	}
	lp_buf_add_char(json, '}');
}

static void tell_slots(const struct lp_orchestrator *o, const struct lp_runner *r)
{
	struct lp_metrics *m = o->node->metrics;
	int64_t total = r->state == LP_RUNNER_READY ? r->slots.total : 0, used = r->slots.used;
	struct lp_scope *scope = lp_scope_open(NULL, "labels");
	const char *pipeline = r->entry->pipeline->name, *model = lp_strdup(scope, r->entry->model_id);
	const char *uri = lp_strdup(scope, o->service_uri);

	lp_metric_add(m, LP_M_CAPACITY, LP_LABELS(pipeline, model, "total"), total);
	lp_metric_add(m, LP_M_CAPACITY, LP_LABELS(pipeline, model, "used"), used);
	lp_metric_add(m, LP_M_AI_IN_USE, LP_LABELS("orch", pipeline, model, uri), used);
	lp_metric_add(m, LP_M_AI_IDLE, LP_LABELS("orch", pipeline, model, uri), total > used ? total - used : 0);
	lp_scope_close(&scope);
}

/* Rows of one model are one offer: they are added up, from nothing; one that aiModels.json names no more is nothing. */
static void measure(struct lp_node *node)
{
	const struct lp_orchestrator *o = node->orchestrator;

	lp_metric_zero(node->metrics, LP_M_CAPACITY);
	lp_metric_zero(node->metrics, LP_M_AI_IN_USE);
	lp_metric_zero(node->metrics, LP_M_AI_IDLE);
	for (int i = 0; i < lp_runners_count(o->runners); i++)
		tell_slots(o, lp_runners_at(o->runners, i));
	if (o->payee)
		lp_payee_measure(o->payee);
	lp_metric_set(node->metrics, LP_M_VERSIONS, LP_LABELS("orch", "lpd " LPD_VERSION), 1);
}

const struct lp_role lp_role_orchestrator = {
	.name = "orchestrator",
	.open = open_role,
	.check = check_role,
	.drain = drain,
	.connections = connections,
	.reload = reload,
	.ready = ready,
	.status = status,
	.measure = measure,
};
