/* runner/wav - sound as WAVE files. */
#ifndef LPD_RUNNER_WAV_H
#define LPD_RUNNER_WAV_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>

#include "speak.h"

/* 16 bits, one channel. */
void lp_wav_write(struct lp_buf *to, const struct lp_sound *sound);

#endif
