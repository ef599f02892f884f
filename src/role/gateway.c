/* role/gateway - the wiring of a gateway: the public port with its routes, the orchestrators it knows, the
 * jobs.  What a job does is in gateway_job.c. */
#include "gateway_job.h"
#include "pair.h"

#include <stdio.h>
#include <string.h>

#include <lpd/base/json.h>

struct route {
	struct lp_gateway *gw;
	const struct lp_pipeline *pipeline;
};

/* ---- routes ---- */

/* Before any of the body is read. */
static enum lp_code admit(const struct lp_gateway *gw, const struct lp_exchange *ex, struct lp_quota_row **share,
			  struct lp_err *e)
{
	int most = gw->jobs_per_client < gw->node->max_jobs ? gw->jobs_per_client : 0;

	if (lp_node_admit(gw->node, gw->n_jobs, e) != LP_OK)
		return e->code;
	if (!lp_quota_take(gw->shares, lp_span(lp_exchange_peer(ex)), most, share))
		return lp_fail(e, LP_TOO_MANY, "your address has %d jobs at this gateway, which is all that one may have", most);
	return LP_OK;
}

static void on_job(void *self, struct lp_exchange *ex)
{
	const struct route *route = self;
	struct lp_quota_row *share;
	struct lp_err e;

	if (route->gw->node->draining) {
		lp_fail(&e, LP_DRAINING, "this gateway is going down");
		lp_reply_error(ex, &e);
		return;
	}
	if (admit(route->gw, ex, &share, &e) != LP_OK) {
		lp_metric_add(route->gw->node->metrics, LP_M_JOBS,
			      LP_LABELS("gateway", route->pipeline->name, lp_code_name(e.code)), 1);
		lp_reply_error(ex, &e);
		return;
	}
	lp_gateway_job_start(route->gw, route->pipeline, ex, share);
}

static void on_not_served(void *self, struct lp_exchange *ex)
{
	const struct route *route = self;
	struct lp_buf names = { 0 };
	struct lp_err e;
	int n;
	const struct lp_pipeline *rows = lp_pipelines(&n);

	for (int i = 0; i < n; i++)
		if (rows[i].served)
			lp_buf_fmt(&names, "%s%s", names.len ? ", " : "", rows[i].name);
	lp_fail(&e, LP_NOT_FOUND, "%s is not served by this version of lpd; there are %s", route->pipeline->name,
		lp_buf_text(&names));
	lp_reply_error(ex, &e);
	lp_buf_clear(&names);
}

static void on_health(void *self, struct lp_exchange *ex)
{
	(void)self;
	lp_reply(ex, 200, "application/json", LP_SPAN("{\"status\":\"ok\"}\n"));
}

static void on_openapi(void *self, struct lp_exchange *ex)
{
	const struct lp_gateway *gw = self;

	lp_reply(ex, 200, "application/json", lp_buf_span(&gw->openapi));
}

/* What somebody reads who opens the address in a browser. */
static void on_root(void *self, struct lp_exchange *ex)
{
	struct lp_buf text = { 0 };
	int n;
	const struct lp_pipeline *rows = lp_pipelines(&n);

	(void)self;
	lp_buf_fmt(&text, "lpd %s: a gateway to the Livepeer AI network.\n\n", LPD_VERSION);
	for (int i = 0; i < n; i++)
		if (rows[i].served)
			lp_buf_fmt(&text, "POST /%-20s %s\n", rows[i].name, rows[i].title);
	lp_buf_add_text(&text, "GET  /stream/ID/NAME       a result, for a while\n"
			       "GET  /jobs/ID              an asynchronous job (Prefer: respond-async)\n"
			       "GET  /openapi.json         the requests, described\n"
			       "GET  /healthz              whether this answers\n");
	lp_reply(ex, 200, "text/plain; charset=utf-8", lp_buf_span(&text));
	lp_buf_clear(&text);
}

static void add_route(struct lp_gateway *gw, const char *path, void (*handle)(void *self, struct lp_exchange *ex),
		      void *self)
{
	const struct lp_route route = { .method = "GET", .path = path, .handle = handle, .self = self };

	lp_router_add(gw->router, &route);
}

static void add_pipelines(struct lp_gateway *gw)
{
	int64_t most = lp_option_size(gw->node->options, LP_OPT_MAX_BODY_BYTES);
	int n;
	const struct lp_pipeline *rows = lp_pipelines(&n);
	struct route *routes = lp_new_array(gw->scope, struct route, (size_t)n);

	for (int i = 0; i < n; i++) {
		int64_t limit = rows[i].body_limit < most ? rows[i].body_limit : most;
		const struct lp_route route = {
			.method = "POST",
			.path = lp_fmt(gw->scope, "/%s", rows[i].name),
			.body_limit = limit > 0 ? limit : 1024 * 1024,
			.handle = rows[i].served ? on_job : on_not_served,
			.self = &routes[i],
		};

		routes[i] = (struct route){ gw, &rows[i] };
		lp_router_add(gw->router, &route);
	}
}

static void add_routes(struct lp_gateway *gw)
{
	gw->router = lp_router_open(gw->scope);
	add_route(gw, "/", on_root, gw);
	add_pipelines(gw);
	lp_gateway_kept_routes(gw);
	add_route(gw, "/openapi.json", on_openapi, gw);
	add_route(gw, "/healthz", on_health, gw);
	lp_pipelines_openapi(&gw->openapi);
}

/* ---- the public port ---- */

/* HTTPS when a certificate is given; nobody wants one made up for a public address. */
static enum lp_code open_tls(struct lp_gateway *gw, struct lp_span host, struct lp_err *e)
{
	const char *cert = lp_option_text(gw->node->options, LP_OPT_PUBLIC_TLS_CERT);
	const char *key = lp_option_text(gw->node->options, LP_OPT_PUBLIC_TLS_KEY);

	if (lp_pair_check(gw->node, cert, key, "-publicTlsCert and -publicTlsKey", e) != LP_OK)
		return e->code;
	if (!*cert)
		return LP_OK;
	return lp_tls_server_open(gw->scope, &gw->tls, cert, key, host, e);
}

static enum lp_code open_server(struct lp_gateway *gw, struct lp_err *e)
{
	const struct lp_options *o = gw->node->options;
	struct lp_span address = lp_span(lp_options_http_addr(o, LP_ROLE_GATEWAY));
	struct lp_server_want want = {
		.limits = {
			.connections = (int)lp_option_int(o, LP_OPT_MAX_CONNECTIONS),
			.connections_per_client = (int)lp_option_int(o, LP_OPT_MAX_CONNECTIONS_PER_CLIENT),
			.streams = (int)lp_option_int(o, LP_OPT_MAX_STREAMS),
			.header_bytes = (size_t)lp_option_size(o, LP_OPT_MAX_HEADER_BYTES),
			.header_time = lp_option_duration(o, LP_OPT_HEADER_TIMEOUT),
			.body_stall = lp_option_duration(o, LP_OPT_BODY_TIMEOUT),
			.idle_time = lp_option_duration(o, LP_OPT_IDLE_TIMEOUT),
		},
		.handle = lp_router_handle,
		.self = gw->router,
		.log = gw->node->log,
		.metrics = gw->node->metrics,
	};

	if (lp_url_parse_address(gw->scope, &want.address, address, 9935, e) != LP_OK ||
	    open_tls(gw, want.address.host, e) != LP_OK)
		return e->code;
	want.tls = gw->tls;
	if (lp_server_open(gw->scope, &gw->server, gw->node->loop, &want, e) != LP_OK)
		return e->code;
	lp_log(gw->node->log, LP_INFO, "gateway listens", "addr=%.*s port=%u tls=%s", LP_ARG(address),
	       lp_server_port(gw->server), gw->tls ? "yes" : "no");
	return LP_OK;
}

/* It is pasted into JSON strings in front of our own paths. */
static enum lp_code read_public_url(struct lp_gateway *gw, struct lp_err *e)
{
	struct lp_span text = lp_span(lp_option_text(gw->node->options, LP_OPT_PUBLIC_URL));
	struct lp_err why;
	struct lp_url url;

	while (lp_span_ends(text, "/"))
		text.len--;
	if (text.len && (lp_url_parse(gw->scope, &url, text, &why) != LP_OK || url.unix_path ||
			 lp_span_find(text, LP_SPAN("\"")) >= 0 || lp_span_find(text, LP_SPAN("\\")) >= 0))
		return lp_fail(e, LP_CONFIG, "-publicUrl must be a URL like https://example.org");
	gw->public_url = text;
	return LP_OK;
}

/* ---- the role ---- */

static void gateway_close(void *arg)
{
	struct lp_gateway *gw = arg;

	lp_linger_stop(&gw->linger);
	lp_buf_clear(&gw->openapi);
	lp_perf_clear(&gw->perf);
	if (gw->credentials)
		lp_gateway_credentials_close(gw);
	gw->node->gateway = NULL;
}

/* What SIGHUP may change. */
static void read_limits(struct lp_gateway *gw)
{
	const struct lp_options *options = gw->node->options;

	gw->job_time = lp_option_duration(options, LP_OPT_JOB_TIMEOUT);
	gw->wait_time = lp_option_duration(options, LP_OPT_AI_PROCESSING_RETRY_TIMEOUT);
	gw->jobs_per_client = (int)lp_option_int(options, LP_OPT_MAX_JOBS_PER_CLIENT);
	gw->priorities = lp_option_bool(options, LP_OPT_ALLOW_PRIORITIES);
}

static enum lp_code gateway_open(struct lp_node *node, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(node->scope, "gateway");
	struct lp_gateway *gw = lp_new(scope, struct lp_gateway);

	gw->node = node;
	gw->scope = scope;
	read_limits(gw);
	gw->version = lp_span(lp_option_text(node->options, LP_OPT_ADVERTISE_VERSION));
	gw->n_media_hosts = (int)lp_option_list(node->options, LP_OPT_MEDIA_HOSTS, &gw->media_hosts);
	lp_list_init(&gw->jobs);
	lp_list_init(&gw->waiting);
	gw->shares = lp_quota_open(scope, SIZE_MAX);	/* -maxJobs bounds it */
	lp_defer(scope, gateway_close, gw);
	node->gateway = gw;
	if (read_public_url(gw, e) != LP_OK)
		return e->code;
	if (lp_purse_open(gw, e) != LP_OK || lp_gateway_market_open(gw, e) != LP_OK || lp_gateway_kept_open(gw, e) != LP_OK)
		return e->code;
	add_routes(gw);
	return open_server(gw, e);
}

/* What gateway_open reads of options and files. */
static enum lp_code gateway_check(struct lp_node *node, struct lp_buf *told, struct lp_err *e)
{
	const struct lp_options *o = node->options;
	struct lp_gateway *gw = lp_new(node->scope, struct lp_gateway);
	struct lp_url address;

	gw->node = node;
	gw->scope = node->scope;
	if (read_public_url(gw, e) != LP_OK || lp_purse_check(node, e) != LP_OK ||
	    lp_gateway_market_check(gw, told, e) != LP_OK ||
	    lp_url_parse_address(gw->scope, &address, lp_span(lp_options_http_addr(o, LP_ROLE_GATEWAY)), 9935, e) != LP_OK)
		return e->code;
	if (lp_pair_check(node, lp_option_text(o, LP_OPT_PUBLIC_TLS_CERT), lp_option_text(o, LP_OPT_PUBLIC_TLS_KEY),
			  "-publicTlsCert and -publicTlsKey", e) != LP_OK)
		return e->code;
	lp_buf_fmt(told, "gateway: listens at %s\n", lp_options_http_addr(o, LP_ROLE_GATEWAY));
	return LP_OK;
}

uint16_t lp_gateway_port(const struct lp_gateway *gw)
{
	return lp_server_port(gw->server);
}

static void gateway_drain(struct lp_node *node)
{
	struct lp_gateway *gw = node->gateway;

	lp_linger_begin(&gw->linger, node->loop, gw->server, &gw->n_jobs);
}

static void gateway_reload(struct lp_node *node)
{
	struct lp_err e;

	read_limits(node->gateway);
	if (lp_gateway_read_timeouts(node->gateway, &e) != LP_OK)
		lp_log_kv(node->log, LP_UNUSUAL, "deadlines of pipelines kept", "why", lp_err_words(&e), NULL);
	if (node->gateway->tls && lp_tls_server_reload(node->gateway->tls, &e) != LP_OK)
		lp_log_kv(node->log, LP_UNUSUAL, "certificate kept", "why", lp_err_words(&e), NULL);
}

static int gateway_connections(const struct lp_node *node)
{
	const struct lp_gateway *gw = node->gateway;

	return lp_server_connections(gw->server) + lp_jobs_writing(gw->kept) + lp_linger_waits(&gw->linger);
}

static bool gateway_ready(struct lp_node *node, struct lp_buf *why)
{
	struct lp_roster_count c;

	lp_roster_count(node->gateway->roster, &c, lp_mono(node->loop));
	if (c.ready > 0 || c.busy > 0)
		return true;
	if (!c.known)
		lp_buf_add_text(why, "no orchestrator is configured");
	else
		lp_buf_fmt(why, "none of %d orchestrators is ready: %d suspended, %d not reached", c.known,
			   c.suspended, c.unreached);
	return false;
}

/* ---- /status ---- */

static void write_models(const struct lp_gateway *gw, struct lp_buf *to, const struct lp_orch *orch)
{
	const struct lp_capabilities *caps = &lp_orch_info(orch)->capabilities;
	const char *sep = "";

	for (int i = 0; i < caps->n_caps; i++) {
		const struct lp_pipeline *pipeline = lp_pipeline_of_capability(caps->caps[i].capability);

		for (int m = 0; m < caps->caps[i].n; m++) {
			const struct lp_model_terms *terms = &caps->caps[i].models[m];
			struct lp_orch_offer offer;

			lp_orch_offer(orch, &offer, caps->caps[i].capability, terms->model, lp_mono(gw->node->loop));
			lp_buf_fmt(to, "%s{\"capability\":%u,\"pipeline\":\"%s\",\"model\":", sep,
				   caps->caps[i].capability, pipeline ? pipeline->name : "");
			lp_json_write_str(to, terms->model);
			lp_buf_fmt(to, ",\"warm\":%s,\"capacity\":%u,\"inFlight\":%d,\"score\":%g,\"busy\":%s,"
				   "\"suspended\":%s}", terms->warm ? "true" : "false", terms->capacity,
				   offer.in_flight, offer.score, offer.busy ? "true" : "false",
				   offer.suspended ? "true" : "false");
			sep = ",";
		}
	}
}

static void write_orch(const struct lp_gateway *gw, struct lp_buf *to, const struct lp_orch *orch)
{
	const struct lp_orch_info *info = lp_orch_info(orch);

	lp_buf_add_text(to, "{\"address\":");
	lp_json_write_str(to, lp_orch_address(orch));
	lp_buf_fmt(to, ",\"state\":\"%s\"", lp_orch_state(orch, lp_mono(gw->node->loop)));
	if (info) {
		lp_buf_add_text(to, ",\"transcoder\":");
		lp_json_write_str(to, info->transcoder);
		lp_buf_add_text(to, ",\"version\":");
		lp_json_write_str(to, info->capabilities.version);
		lp_buf_add_text(to, ",\"models\":[");
		write_models(gw, to, orch);
		lp_buf_add_text(to, "]");
	}
	lp_buf_add_text(to, "}");
}

static void gateway_status(struct lp_node *node, struct lp_buf *to)
{
	const struct lp_gateway *gw = node->gateway;
	struct lp_orch *orch;
	int waiting = 0;
	size_t at = 0;

	lp_list_each(&gw->waiting, j, struct lp_gateway_job, waiting)
		waiting++;
	lp_buf_fmt(to, "{\"port\":%u,\"jobs\":%d,\"waiting\":%d,\"connections\":%d,",
		   lp_server_port(gw->server), gw->n_jobs, waiting, lp_server_connections(gw->server));
	if (gw->purse) {
		lp_buf_add_text(to, "\"pays\":");
		lp_purse_status(gw->purse, to);
		lp_buf_add_text(to, ",");
	}
	lp_buf_add_text(to, "\"orchestrators\":[");
	while (lp_roster_next(gw->roster, &at, &orch)) {
		if (at > 1)
			lp_buf_add_text(to, ",");
		write_orch(gw, to, orch);
	}
	lp_buf_add_text(to, "]}");
}

const struct lp_role lp_role_gateway = {
	.name = "gateway",
	.open = gateway_open,
	.check = gateway_check,
	.drain = gateway_drain,
	.reload = gateway_reload,
	.connections = gateway_connections,
	.ready = gateway_ready,
	.status = gateway_status,
	.measure = lp_gateway_measure,
};
