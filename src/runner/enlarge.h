/* runner/enlarge - a picture two or four times as large by a network (SPAN and its kind), tile by tile. */
#ifndef LPD_RUNNER_ENLARGE_H
#define LPD_RUNNER_ENLARGE_H

#include "image.h"
#include "onnx.h"
#include "stop.h"

struct lp_enlarge_want {
	struct lp_onnx_net *net;	/* "data" [1, 3, h, w] to "output", factor times the sides */
	int factor;
	const struct lp_stop *stop;	/* may be NULL */
};

/* Alpha grows by Lanczos.  LP_GONE when it was stopped between two tiles; LP_TOO_LARGE when a side would be
 * above LP_IMAGE_SIDE. */
enum lp_code lp_enlarge(struct lp_scope *scope, struct lp_image **out, const struct lp_image *from,
			const struct lp_enlarge_want *want, struct lp_err *e) LP_MUST_USE;

#endif
