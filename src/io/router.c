#include <string.h>

#include <lpd/base/buf.h>
#include <lpd/io/router.h>

#include "exchange_wire.h"

struct route {
	struct lp_link link;
	struct lp_route want;
	size_t len;		/* of the path, or of what stands before the star */
	bool below;		/* takes everything that begins so */
};

struct lp_router {
	struct lp_scope *scope;
	struct lp_list routes;
	void (*grpc)(void *self, struct lp_exchange *ex);
	void *grpc_self;
};

struct lp_router *lp_router_open(struct lp_scope *scope)
{
	struct lp_router *router = lp_new(scope, struct lp_router);

	router->scope = scope;
	lp_list_init(&router->routes);
	return router;
}

void lp_router_add(struct lp_router *router, const struct lp_route *want)
{
	struct route *route = lp_new(router->scope, struct route);
	struct lp_span path = lp_span(want->path);

	route->want = *want;
	route->want.path = lp_strdup(router->scope, path);
	if (want->method)
		route->want.method = lp_strdup(router->scope, lp_span(want->method));
	route->below = lp_span_ends(path, "/*");
	route->len = path.len - (route->below ? 1 : 0);
	lp_list_add(&router->routes, &route->link);
}

void lp_router_grpc(struct lp_router *router, void (*handle)(void *self, struct lp_exchange *ex), void *self)
{
	router->grpc = handle;
	router->grpc_self = self;
}

void lp_router_paths(const struct lp_router *router, struct lp_buf *to)
{
	const char *last = "";

	lp_list_each(&router->routes, route, struct route, link) {
		if (strcmp(last, route->want.path) == 0)
			continue;	/* the same with another method */
		if (*last)
			lp_buf_add_text(to, ", ");
		lp_buf_add_text(to, route->want.path);
		last = route->want.path;
	}
}

/* How well a route fits: -1 not at all; the length of what it names, and an exact one before all others. */
static ptrdiff_t fits(const struct route *route, struct lp_span path)
{
	if (path.len < route->len || memcmp(path.at, route->want.path, route->len) != 0)
		return -1;
	if (route->below)
		return (ptrdiff_t)route->len;
	return path.len == route->len ? PTRDIFF_MAX : -1;
}

static bool takes(const struct route *route, struct lp_span method)
{
	const char *own = route->want.method;

	return !own || lp_span_is(method, own) || (lp_span_is(method, "HEAD") && strcmp(own, "GET") == 0);
}

/* The best place for the path, and there the route for the method: NULL when the place has none. */
static const struct route *find(const struct lp_router *router, struct lp_span path, struct lp_span method,
				ptrdiff_t *best)
{
	const struct route *found = NULL;

	*best = -1;
	lp_list_each(&router->routes, route, struct route, link) {
		ptrdiff_t fit = fits(route, path);

		if (fit < 0 || fit < *best)
			continue;
		if (fit > *best)
			found = NULL;
		*best = fit;
		if (!found && takes(route, method))
			found = route;
	}
	return found;
}

static void add_word(struct lp_buf *to, const char *word)
{
	if (to->len)
		lp_buf_add_text(to, ", ");
	lp_buf_add_text(to, word);
}

static void write_allow(const struct lp_router *router, struct lp_span path, ptrdiff_t best, struct lp_buf *to)
{
	lp_list_each(&router->routes, route, struct route, link) {
		if (best < 0 || fits(route, path) != best || !route->want.method)
			continue;
		add_word(to, route->want.method);
		if (strcmp(route->want.method, "GET") == 0)
			add_word(to, "HEAD");
	}
	add_word(to, "OPTIONS");
}

static void not_allowed(const struct lp_router *router, struct lp_exchange *ex, ptrdiff_t best)
{
	struct lp_span method = lp_exchange_method(ex), path = lp_exchange_path(ex);
	struct lp_buf allow = { 0 };
	struct lp_err e = { 0 };

	write_allow(router, path, best, &allow);
	struct lp_header header = { .name = LP_SPAN("allow"), .value = lp_buf_span(&allow) };
	if (lp_span_is(method, "OPTIONS")) {
		lp_reply_head(ex, 204, 0, &header, 1);
		lp_reply_end(ex);
	} else {
		lp_fail(&e, LP_METHOD, "%.*s takes %s, not %.*s", LP_ARG(path), lp_buf_text(&allow),
			LP_ARG(method));
		lp_reply_error_with(ex, &e, &header);
	}
	lp_buf_clear(&allow);
}

static void not_found(const struct lp_router *router, struct lp_exchange *ex)
{
	struct lp_buf paths = { 0 };
	struct lp_err e = { 0 };
	struct lp_span path = lp_exchange_path(ex);

	if (path.len > 60)
		path.len = 60;
	lp_router_paths(router, &paths);
	lp_fail(&e, LP_NOT_FOUND, "there is nothing at %.*s; here are: %s", LP_ARG(path), lp_buf_text(&paths));
	lp_reply_error(ex, &e);
	lp_buf_clear(&paths);
}

/* What is already known to be too large is refused before anybody reads it. */
static void serve(const struct route *route, struct lp_exchange *ex)
{
	lp_exchange_limit_body(ex, route->want.body_limit);
	if (lp_exchange_body(ex) == LP_BODY_BROKEN) {
		lp_reply_error(ex, lp_exchange_err(ex));
		return;
	}
	route->want.handle(route->want.self, ex);
}

/* gRPC is what comes over HTTP/2 with its content type (network-protocol 2.2). */
static bool is_grpc(const struct lp_exchange *ex)
{
	return lp_exchange_is_h2(ex) && lp_span_starts(lp_exchange_header(ex, "content-type"), "application/grpc");
}

void lp_router_handle(void *self, struct lp_exchange *ex)
{
	const struct lp_router *router = self;
	struct lp_span method = lp_exchange_method(ex), path = lp_exchange_path(ex);
	ptrdiff_t best;

	if (router->grpc && is_grpc(ex)) {
		router->grpc(router->grpc_self, ex);
		return;
	}
	const struct route *route = find(router, path, method, &best);

	if (route)
		serve(route, ex);
	else if (best >= 0 || (lp_span_is(method, "OPTIONS") && lp_span_is(path, "*")))
		not_allowed(router, ex, best);
	else
		not_found(router, ex);
}
