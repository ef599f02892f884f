/* A recording of any bytes for lpd-sound.so, whose source is built in here; libav* itself is the system's, so what is
 * watched is what we do with what it says: rates, channels, samples.  Whoever asks gives up after so many questions. */
#include <stdint.h>
#include <stdlib.h>

#include "sound/lpd_sound.h"

#define QUESTIONS 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct patience {
	int *left;
};

static int stopped(const void *self)
{
	const struct patience *p = self;

	return *p->left == 0 || --*p->left == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int left = QUESTIONS;
	struct patience patience = { &left };
	struct lpd_sound_want want = { data, size, 2, stopped, &patience };
	struct lpd_sound out;
	enum lpd_sound_result result = lpd_sound_read_1(&want, &out);

	if ((result == LPD_SOUND_READ) != (out.samples && out.n) || (result == LPD_SOUND_READ && out.rate < 1000))
		abort();
	for (size_t i = 0; i < out.n; i++)
		if (!(out.samples[i] >= -1.0f && out.samples[i] <= 1.0f))
			abort();
	free(out.samples);
	return 0;
}
