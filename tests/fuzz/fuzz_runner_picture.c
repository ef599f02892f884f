/* A PNG or JPEG file of any bytes. */
#include <stdint.h>

#include "picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_image *im;
	struct lp_err e;

	(void)!lp_picture_read(scope, &im, lp_span_of(data, size), 256, &e);
	lp_scope_close(&scope);
	return 0;
}
