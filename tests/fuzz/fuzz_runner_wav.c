/* A WAVE file of any bytes, read and brought to another rate. */
#include <stdint.h>

#include "wav.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_samples raw, sound;

	if (lp_wav_read(scope, &raw, lp_span_of(data, size), NULL) == LP_OK && raw.n < 4000)
		lp_resample(scope, &sound, &raw, 16000);
	lp_scope_close(&scope);
	return 0;
}
