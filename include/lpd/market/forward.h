/* market/forward - send a job request to the next hop: the call with its body, from memory or from a spool.
 *
 * The same request can be forwarded several times (to other orchestrators): each time is one of these. */
#ifndef LPD_MARKET_FORWARD_H
#define LPD_MARKET_FORWARD_H

#include <lpd/io/client.h>
#include <lpd/io/spool.h>
#include <lpd/market/request.h>
#include <lpd/market/trace_context.h>

struct lp_forward_want {
	const struct lp_request *request;
	struct lp_spool *file;			/* NULL when the request has none */
	struct lp_call_want call;		/* url, deadlines, h1_only...; body, method, content-type are set here */
	const struct lp_header *headers;	/* further ones */
	int n_headers;
	const struct lp_trace_context *context;	/* NULL: the next hop is told of no trace */
};

/* Starts the call in the scope and feeds it; on_event is the call's.  Read the answer from the call. */
struct lp_call *lp_forward_start(struct lp_scope *scope, struct lp_client *client, const struct lp_forward_want *want,
				 void (*on_event)(void *self), void *self);

#endif
