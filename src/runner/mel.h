/* runner/mel - half a minute of sound as Whisper sees it: 80 bands on the mel scale, a hundred times a second. */
#ifndef LPD_RUNNER_MEL_H
#define LPD_RUNNER_MEL_H

#include <stddef.h>

#include <lpd/base/scope.h>

#define LP_MEL_RATE 16000
#define LP_MEL_SAMPLES (30 * LP_MEL_RATE)
#define LP_MEL_FRAMES 3000
#define LP_MEL_BANDS 80

/* to: LP_MEL_FRAMES rows of LP_MEL_BANDS.  Fewer than LP_MEL_SAMPLES are followed by silence. */
void lp_mel(float *to, const float *samples, size_t n);

#endif
