/* A request's body of any bytes, as JSON and as a form. */
#include <stdint.h>

#include "ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_denial d = { .status = 0 };
	struct lp_ask ask;

	lp_ask_read_json(scope, &ask, lp_span_of(data, size), &d);
	d.status = 0;
	lp_buf_reset(&d.json);
	lp_ask_read_form(scope, &ask, LP_SPAN("multipart/form-data; boundary=b"), lp_span_of(data, size), &d);
	lp_buf_clear(&d.json);
	lp_scope_close(&scope);
	return 0;
}
