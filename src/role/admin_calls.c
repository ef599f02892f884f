/* role/admin_calls - see the header. */
#include "admin_calls.h"

#include <lpd/market/discovery.h>

#include "gateway_job.h"

#define FORM_MAX 1024

/* ---- /getAISessionPoolsInfo, /getNetworkCapabilities ---- */

static void reply_json(struct lp_exchange *ex, struct lp_buf *body)
{
	lp_buf_add_char(body, '\n');
	lp_reply(ex, 200, "application/json", lp_buf_span(body));
	lp_buf_clear(body);
}

static void on_pools(void *self, struct lp_exchange *ex)
{
	const struct lp_node *node = self;
	struct lp_buf body = { 0 };

	lp_gateway_write_pools(node->gateway, &body);
	reply_json(ex, &body);
}

/* An empty network and one that was not asked yet are different answers. */
static void on_network(void *self, struct lp_exchange *ex)
{
	const struct lp_node *node = self;
	struct lp_buf body = { 0 };
	struct lp_err e;

	if (!lp_discovery_first_round_done(node->gateway->discovery)) {
		lp_fail(&e, LP_UNAVAILABLE, "the orchestrators have not all been asked yet: try again in a moment");
		lp_reply_error(ex, &e);
		return;
	}
	lp_gateway_write_network(node->gateway, &body);
	reply_json(ex, &body);
}

/* ---- /getLogLevel, /setLogLevel ---- */

static void reply_level(const struct lp_node *node, struct lp_exchange *ex)
{
	lp_reply(ex, 200, "text/plain; charset=utf-8", lp_span(lp_level_name(node->sink->level)));
}

static void on_get_level(void *self, struct lp_exchange *ex)
{
	reply_level(self, ex);
}

/* The line about it is written while the log takes such lines. */
static void change_level(struct lp_node *node, enum lp_level level)
{
	enum lp_level before = node->sink->level;

	if (level > before)
		node->sink->level = level;
	lp_log(node->log, LP_INFO, "log level changed", "from=%s to=%s", lp_level_name(before), lp_level_name(level));
	node->sink->level = level;
}

static void set_level(struct lp_node *node, struct lp_exchange *ex, struct lp_span text)
{
	enum lp_level level;
	struct lp_err e;

	if (lp_level_parse(lp_span_trim(text), &level)) {
		change_level(node, level);
		reply_level(node, ex);
		return;
	}
	lp_fail(&e, LP_BAD_REQUEST, "loglevel must be broken, unusual, info, debug, trace, or a number from 0 to 6");
	lp_reply_error(ex, &e);
}

/* A form on its way; lives with its exchange. */
struct form {
	struct lp_node *node;
	struct lp_exchange *ex;
	struct lp_buf text;
};

static void form_clear(void *arg)
{
	struct form *form = arg;

	lp_buf_clear(&form->text);
}

static void read_form(void *self)
{
	struct form *form = self;
	struct lp_exchange *ex = form->ex;
	struct lp_span got;

	if (lp_exchange_gone(ex))
		return;
	while ((got = lp_exchange_read(ex)).len) {
		lp_buf_add_span(&form->text, got);
		lp_exchange_consume(ex, got.len);
	}
	switch (lp_exchange_body(ex)) {
	case LP_BODY_MORE:
		return;
	case LP_BODY_BROKEN:
		lp_exchange_watch(ex, NULL, NULL);
		lp_reply_error(ex, lp_exchange_err(ex));
		return;
	case LP_BODY_END:
		break;
	}
	lp_exchange_watch(ex, NULL, NULL);
	set_level(form->node, ex, lp_query_get(lp_exchange_scope(ex), lp_buf_span(&form->text), "loglevel"));
}

/* In the query or in the form.  A browser names the page that a request comes from: no page of anybody's has to change
 * a node. */
static void on_set_level(void *self, struct lp_exchange *ex)
{
	struct lp_scope *scope = lp_exchange_scope(ex);
	struct lp_span query = lp_exchange_query(ex), text = { 0 };
	struct form *form;
	struct lp_err e;

	if (lp_exchange_header(ex, "origin").len) {
		lp_fail(&e, LP_FORBIDDEN, "a page in a browser may not change this node");
		lp_reply_error(ex, &e);
		return;
	}
	if (query.len)
		text = lp_query_get(scope, query, "loglevel");
	if (text.at) {
		set_level(self, ex, text);
		return;
	}
	form = lp_new(scope, struct form);
	form->node = self;
	form->ex = ex;
	lp_defer(scope, form_clear, form);
	lp_exchange_watch(ex, read_form, form);
	read_form(form);
}

/* ---- routes ---- */

static void add(struct lp_node *node, struct lp_router *router, const char *method, const char *path,
		void (*handle)(void *self, struct lp_exchange *ex))
{
	const struct lp_route route = {
		.method = method,
		.path = path,
		.body_limit = *method == 'P' ? FORM_MAX : 0,
		.handle = handle,
		.self = node,
	};

	lp_router_add(router, &route);
}

void lp_admin_calls(struct lp_node *node, struct lp_router *router)
{
	if (node->gateway) {
		add(node, router, "GET", "/getAISessionPoolsInfo", on_pools);
		add(node, router, "GET", "/getNetworkCapabilities", on_network);
	}
	if (node->sink) {
		add(node, router, "GET", "/getLogLevel", on_get_level);
		add(node, router, "POST", "/setLogLevel", on_set_level);
	}
}
