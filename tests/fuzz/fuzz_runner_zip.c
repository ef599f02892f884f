/* An archive of any bytes, asked for the entry "a". */
#include <stdint.h>

#include "zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_zip_want want = { .archive = lp_span_of(data, size), .name = "a", .limit = 1 << 20 };
	struct lp_span out;
	struct lp_err e;

	(void)!lp_zip_read(scope, &out, &want, &e);
	lp_scope_close(&scope);
	return 0;
}
