/* role/admin - what an operator and his tools look at: /healthz /readyz /status /metrics, and the calls of
 * admin_calls.c, on loopback only: nobody but this machine may look. */
#include "admin_calls.h"

#include <string.h>

#include <lpd/base/json.h>
#include <lpd/io/reach.h>

struct lp_admin {
	struct lp_node *node;
	struct lp_router *router;
	struct lp_server *server;
	struct lp_url address;		/* -cliAddr */
};

static void reply_json(struct lp_exchange *ex, int status, struct lp_buf *body)
{
	lp_buf_add_char(body, '\n');
	lp_reply(ex, status, "application/json", lp_buf_span(body));
	lp_buf_clear(body);
}

/* It answers, so it lives. */
static void on_health(void *self, struct lp_exchange *ex)
{
	(void)self;
	lp_reply(ex, 200, "application/json", LP_SPAN("{\"status\":\"ok\"}\n"));
}

static void on_ready(void *self, struct lp_exchange *ex)
{
	const struct lp_admin *admin = self;
	struct lp_buf reasons = { 0 }, body = { 0 };
	struct lp_node *node = admin->node;

	if (node->draining)
		lp_buf_add_text(&reasons, "\"the node is going down\"");
	for (int i = 0; node->roles[i]; i++) {
		struct lp_buf why = { 0 };

		if (node->roles[i]->ready && !node->roles[i]->ready(node, &why)) {
			if (reasons.len)
				lp_buf_add_char(&reasons, ',');
			lp_json_write_str(&reasons, lp_buf_span(&why));
		}
		lp_buf_clear(&why);
	}
	lp_buf_fmt(&body, "{\"ready\":%s,\"reasons\":[", reasons.len ? "false" : "true");
	lp_buf_add_span(&body, lp_buf_span(&reasons));
	lp_buf_add_text(&body, "]}");
	reply_json(ex, reasons.len ? 503 : 200, &body);
	lp_buf_clear(&reasons);
}

static void on_status(void *self, struct lp_exchange *ex)
{
	const struct lp_admin *admin = self;
	struct lp_node *node = admin->node;
	const struct lp_spool_budget *media = lp_media_budget(node->media);
	struct lp_buf body = { 0 };

	lp_buf_fmt(&body, "{\"version\":\"%s\",\"uptimeSeconds\":%lld,\"jobs\":%d,\"draining\":%s,", LPD_VERSION,
		   (long long)((lp_mono(node->loop) - node->started) / LP_SEC), node->jobs,
		   node->draining ? "true" : "false");
	lp_buf_fmt(&body, "\"media\":{\"memoryBytes\":%lld,\"diskBytes\":%lld},\"roles\":[",
		   (long long)media->used_memory, (long long)(media->used - media->used_memory));
	for (int i = 0; node->roles[i]; i++)
		lp_buf_fmt(&body, "%s\"%s\"", i ? "," : "", node->roles[i]->name);
	lp_buf_add_char(&body, ']');
	for (int i = 0; node->roles[i]; i++) {
		if (!node->roles[i]->status)
			continue;
		lp_buf_fmt(&body, ",\"%s\":", node->roles[i]->name);
		node->roles[i]->status(node, &body);
	}
	lp_buf_add_char(&body, '}');
	reply_json(ex, 200, &body);
}

static void on_metrics(void *self, struct lp_exchange *ex)
{
	const struct lp_admin *admin = self;
	struct lp_node *node = admin->node;
	struct lp_metrics *m = node->metrics;
	struct lp_loop *loop = node->loop;
	struct lp_buf body = { 0 };

	lp_metric_add(m, LP_M_LOOP_STALLS, NULL,
		      (int64_t)lp_loop_stalls(loop) - lp_metric_value(m, LP_M_LOOP_STALLS, NULL));
	for (int i = 0; node->roles[i]; i++)
		if (node->roles[i]->measure)
			node->roles[i]->measure(node);
	lp_metric_set(m, LP_M_LOOP_LONGEST, NULL, lp_loop_longest_turn(loop));
	lp_metric_set(m, LP_M_LOOP_LONGEST_STEP, NULL, lp_loop_longest_step(loop));
	lp_metrics_write(m, &body);
	lp_reply(ex, 200, "text/plain; version=0.0.4; charset=utf-8", lp_buf_span(&body));
	lp_buf_clear(&body);
}

static void add_routes(struct lp_admin *admin)
{
	static const struct {
		const char *path;
		void (*handle)(void *self, struct lp_exchange *ex);
	} pages[] = {
		{ "/healthz", on_health },
		{ "/readyz", on_ready },
		{ "/status", on_status },
		{ "/metrics", on_metrics },
	};

	admin->router = lp_router_open(admin->node->scope);
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		const struct lp_route route = {
			.method = "GET",
			.path = pages[i].path,
			.handle = pages[i].handle,
			.self = admin,
		};

		lp_router_add(admin->router, &route);
	}
	lp_admin_calls(admin->node, admin->router);
}

/* Every address at once is not loopback, though a client that names it reaches that. */
static bool is_loopback(const struct lp_url *address)
{
	struct lp_span host = address->host;

	return address->unix_path ||
	       (host.len && host.at[0] != '0' && !lp_span_is(host, "::") && lp_reach_of(address) == LP_REACH_OWN);
}

/* A page of somebody else's may have a browser on this machine come here under a name of its own, which leads to
 * loopback today: such a request names that name.  Tools that name no host are no browsers. */
static bool is_for_us(const struct lp_admin *admin, struct lp_exchange *ex)
{
	struct lp_span host = lp_exchange_header(ex, "host");
	struct lp_url url;

	if (!host.len || admin->address.unix_path)
		return true;
	if (lp_url_parse_address(lp_exchange_scope(ex), &url, host, 80, NULL) != LP_OK || url.unix_path)
		return false;
	return is_loopback(&url) || lp_span_eq(url.host, admin->address.host);
}

static void on_request(void *self, struct lp_exchange *ex)
{
	const struct lp_admin *admin = self;
	struct lp_err e;

	if (is_for_us(admin, ex)) {
		lp_router_handle(admin->router, ex);
		return;
	}
	lp_fail(&e, LP_FORBIDDEN, "the admin pages are for this machine: ask for them at 127.0.0.1 or localhost");
	lp_reply_error(ex, &e);
}

uint16_t lp_admin_port(const struct lp_admin *admin)
{
	return lp_server_port(admin->server);
}

enum lp_code lp_admin_open(struct lp_node *node, struct lp_err *e)
{
	struct lp_admin *admin = lp_new(node->scope, struct lp_admin);
	const char *text = lp_options_cli_addr(node->options);
	struct lp_server_want want = { .handle = on_request, .limits = { .connections = 64 } };
	struct lp_err why;

	admin->node = node;
	add_routes(admin);
	want.self = admin;
	if (lp_url_parse_address(node->scope, &want.address, lp_span(text), 5935, &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "-cliAddr: %s", lp_err_words(&why));
	admin->address = want.address;
	if (!is_loopback(&want.address))
		return lp_fail(e, LP_CONFIG, "-cliAddr %s: the admin pages are served on loopback only", text);
	if (lp_server_open(node->scope, &admin->server, node->loop, &want, &why) != LP_OK) {
		if (lp_option_given(node->options, LP_OPT_CLI_ADDR))
			return lp_fail(e, LP_CONFIG, "-cliAddr: %s", lp_err_words(&why));
		/* Nobody asked for it; a second node on this machine has its place already. */
		lp_log_kv(node->log, LP_UNUSUAL, "no admin pages", "why", lp_err_words(&why), NULL);
		return LP_OK;
	}
	node->admin = admin;
	lp_log(node->log, LP_INFO, "admin pages", "addr=%s port=%u", text, lp_server_port(admin->server));
	return LP_OK;
}
