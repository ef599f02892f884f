/* A network's two files of any bytes: the first says where the second begins. */
#include <stdint.h>

#include "ncnn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_buf to = { 0 };
	struct lp_span weights = lp_span_of(data, size), param = lp_span_cut(&weights, '\0');
	struct lp_err e;

	(void)!lp_ncnn_to_onnx(&to, param, weights, &e);
	lp_buf_clear(&to);
	return 0;
}
