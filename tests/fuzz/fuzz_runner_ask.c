/* A request's body of any bytes, as every pipeline reads it. */
#include <stdint.h>

#include "pipes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_denial d = { .status = 0 };
	struct lp_ask ask;
	int n;
	const struct lp_pipe *pipes = lp_pipes(&n);

	for (int i = 0; i < n; i++) {
		const struct lp_span of[2] = {
			[LP_ASK_TYPE] = pipes[i].shape.form ? LP_SPAN("multipart/form-data; boundary=b") : LP_SPAN("application/json"),
			[LP_ASK_BODY] = lp_span_of(data, size),
		};

		d.status = 0;
		lp_buf_reset(&d.json);
		lp_ask_read(scope, &ask, &pipes[i].shape, of, &d);
	}
	lp_buf_clear(&d.json);
	lp_scope_close(&scope);
	return 0;
}
