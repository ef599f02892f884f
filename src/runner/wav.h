/* runner/wav - sound as WAVE files, written and read. */
#ifndef LPD_RUNNER_WAV_H
#define LPD_RUNNER_WAV_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>

#include "speak.h"

/* 16 bits, one channel. */
void lp_wav_write(struct lp_buf *to, const struct lp_sound *sound);

/* Samples of -1..1, one channel. */
struct lp_samples {
	float *at;
	size_t n;
	int rate;
};

#define LP_WAV_SECONDS 3600

/* PCM of 8, 16, 24 or 32 bits and floats; channels are mixed.  LP_MEDIA_TYPE: no WAVE file, or another coding;
 * LP_TOO_LARGE: longer than LP_WAV_SECONDS; LP_BAD_REQUEST: broken. */
enum lp_code lp_wav_read(struct lp_scope *scope, struct lp_samples *out, struct lp_span file,
			 struct lp_err *e) LP_MUST_USE;
/* At another rate, by a windowed sinc. */
void lp_resample(struct lp_scope *scope, struct lp_samples *out, const struct lp_samples *from, int rate);

#endif
