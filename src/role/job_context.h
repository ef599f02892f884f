/* role/job_context - a job's place in its client's trace, from the headers of its request. */
#ifndef LPD_ROLE_JOB_CONTEXT_H
#define LPD_ROLE_JOB_CONTEXT_H

#include <lpd/market/trace_context.h>
#include <lpd/role/node.h>

void lp_job_context(struct lp_scope *scope, struct lp_trace_context *out, struct lp_node *node,
		    const struct lp_exchange *ex);

#endif
