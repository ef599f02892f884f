/* A GGUF file of any bytes, opened as a language model. */
#include <stdint.h>

#include "smollm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_smollm *model;

	if (lp_smollm_open(scope, &model, lp_span_of(data, size), NULL) == LP_OK && !model)
		__builtin_trap();
	lp_scope_close(&scope);
	return 0;
}
