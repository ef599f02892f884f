/* runner/resize - another size of a picture, by a Lanczos window of three lobes in each direction. */
#ifndef LPD_RUNNER_RESIZE_H
#define LPD_RUNNER_RESIZE_H

#include "image.h"

/* Colours stay within 0..1 and below their alpha. */
struct lp_image *lp_image_resize(struct lp_scope *scope, const struct lp_image *from, int w, int h);

#endif
