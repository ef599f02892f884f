/* A CTranslate2 file of any bytes, and a list of words of any bytes after its first zero line. */
#include <stdint.h>

#include "whisper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_whisper *whisper;

	if (lp_whisper_open(scope, &whisper, lp_span_of(data, size), lp_span_of(data, size), NULL) == LP_OK && !whisper)
		__builtin_trap();
	lp_scope_close(&scope);
	return 0;
}
