/* traceparent and tracestate: whatever comes in, what goes out is good, and the next reads the same trace. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/market/trace_context.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_trace_context one, two;
	struct lp_span state = lp_span_of(at, len), parent = lp_span_cut(&state, '\n');
	char text[LP_TRACE_PARENT + 1];
	struct lp_dice dice;

	lp_dice_init(&dice, 1);
	lp_trace_context_begin(scope, &one, parent, state, &dice);
	lp_assert(strlen(one.trace) == 32 && strlen(one.span) == 16 && one.state.len <= LP_TRACE_STATE);
	lp_trace_context_parent(&one, text);
	lp_trace_context_begin(scope, &two, lp_span(text), one.state, &dice);
	lp_assert(strcmp(one.trace, two.trace) == 0 && strcmp(one.span, two.parent) == 0);
	lp_assert(one.sampled == two.sampled && lp_span_eq(one.state, two.state));
	lp_scope_close(&scope);
	return 0;
}
