/* A file of PyTorch's old kind, of any bytes. */
#include <stdint.h>

#include "efficientnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_buf model = { .len = 0 };

	if (lp_efficientnet_to_onnx(&model, lp_span_of(data, size), NULL) == LP_OK && !model.len)
		__builtin_trap();
	lp_buf_clear(&model);
	return 0;
}
