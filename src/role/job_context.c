/* role/job_context - see the header. */
#include "job_context.h"

#include <lpd/base/buf.h>

/* A traceparent that stands twice says nothing (W3C Trace Context 3.2.1); a tracestate may come in pieces. */
void lp_job_context(struct lp_scope *scope, struct lp_trace_context *out, struct lp_node *node,
		    const struct lp_exchange *ex)
{
	struct lp_headers headers = lp_exchange_headers(ex);
	struct lp_span parent = { 0 };
	struct lp_buf state = { 0 };
	int parents = 0;

	for (int i = 0; i < headers.n; i++) {
		const struct lp_header *h = &headers.at[i];

		if (lp_span_is(h->name, "traceparent") && parents++ == 0)
			parent = h->value;
		if (!lp_span_is(h->name, "tracestate"))
			continue;
		if (state.len)
			lp_buf_add_char(&state, ',');
		lp_buf_add_span(&state, h->value);
	}
	lp_trace_context_begin(scope, out, parents == 1 ? parent : (struct lp_span){ 0 }, lp_buf_span(&state),
			       &node->ids);
	lp_buf_clear(&state);
}
