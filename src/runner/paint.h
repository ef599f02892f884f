/* runner/paint - manners of painting by rule, for when the style network is not there. */
#ifndef LPD_RUNNER_PAINT_H
#define LPD_RUNNER_PAINT_H

#include "image.h"
#include "scene.h"

/* In place.  LP_MANNER_AUTO and LP_MANNER_PLAIN change nothing. */
void lp_paint(struct lp_image *im, enum lp_manner manner, uint32_t seed);

#endif
