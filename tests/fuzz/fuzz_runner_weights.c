/* A weights file of any bytes: opened, and drawn with if it is taken. */
#include <stdint.h>

#include "flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_flow_ask ask = { .prompt = LP_SPAN("red cat"), .seed = 1 };
	struct lp_flow_how how = { .steps = 1 };
	struct lp_flow *flow;
	struct lp_err e;

	if (lp_flow_open(scope, &flow, lp_span_of(data, size), LP_SPAN("cat\n"), &e) == LP_OK)
		(void)!lp_flow_draw(scope, flow, &ask, 1, &how);
	lp_scope_close(&scope);
	return 0;
}
