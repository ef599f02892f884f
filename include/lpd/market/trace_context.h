/* market/trace_context - W3C Trace Context (level 1): a request's place in somebody's trace, carried from the client
 * to the runner, so that all that happened for one request can be found by one id.
 *
 * Each node is a span of its own under the one that asked it.  What is malformed counts as absent: then the trace
 * begins here, and is not sampled.  Peers that know nothing of it leave two headers unread.  Pure. */
#ifndef LPD_MARKET_TRACE_CONTEXT_H
#define LPD_MARKET_TRACE_CONTEXT_H

#include <lpd/base/random.h>
#include <lpd/base/scope.h>
#include <lpd/base/str.h>

#define LP_TRACE_PARENT 55	/* characters of a traceparent of version 00 */
#define LP_TRACE_STATE 512	/* bytes of a tracestate that are carried on */

struct lp_trace_context {
	char trace[33], parent[17], span[17];	/* hexadecimal; parent: who asked us, empty: nobody said */
	bool sampled;
	struct lp_span state;		/* tracestate for the next; in the scope */
};

/* From both headers, which may be empty.  Several traceparents are none: hand in an empty one. */
void lp_trace_context_begin(struct lp_scope *scope, struct lp_trace_context *out, struct lp_span traceparent,
			    struct lp_span tracestate, struct lp_dice *dice);
/* What the next is told: LP_TRACE_PARENT characters and a zero byte.  Returns to. */
char *lp_trace_context_parent(const struct lp_trace_context *context, char to[LP_TRACE_PARENT + 1]);

#endif
