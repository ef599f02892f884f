/* io/router - a table from method and path to handler.
 *
 * Paths are exact, or end in a slash and a star to take everything below.  An unknown path is 404, a known
 * one with another method 405 with Allow; HEAD is served by GET's handler; OPTIONS answers with Allow. */
#ifndef LPD_IO_ROUTER_H
#define LPD_IO_ROUTER_H

#include <lpd/io/exchange.h>

struct lp_route {
	const char *method;		/* "GET", "POST"; NULL: any */
	const char *path;
	int64_t body_limit;		/* bytes; 0: no body at all (413) */
	void (*handle)(void *self, struct lp_exchange *ex);
	void *self;
};

struct lp_router;

struct lp_router *lp_router_open(struct lp_scope *scope);
void lp_router_add(struct lp_router *router, const struct lp_route *route);	/* copied */
/* Called first for gRPC requests (content-type application/grpc*) if set. */
void lp_router_grpc(struct lp_router *router, void (*handle)(void *self, struct lp_exchange *ex), void *self);
/* Fits lp_server_want.handle with self = the router. */
void lp_router_handle(void *router, struct lp_exchange *ex);
/* What a 404 names: the paths there are, for humans. */
void lp_router_paths(const struct lp_router *router, struct lp_buf *to);

#endif
