/* runner/mask - cutting a thing out of a picture with a network that sees what stands out (U2-Net), told where to look
 * by a box or by points.
 *
 * It is not SAM: a box is looked at alone, points choose among what stands out at three sizes around them. */
#ifndef LPD_RUNNER_MASK_H
#define LPD_RUNNER_MASK_H

#include "image.h"
#include "onnx.h"
#include "stop.h"

#define LP_MASK_POINTS 64
#define LP_MASKS 3

struct lp_mask_prompt {
	struct {
		float x, y;		/* pixels */
		bool in;		/* of the thing, or not of it */
	} points[LP_MASK_POINTS];
	int n_points;
	float box[4];			/* left, top, right, bottom in pixels */
	bool has_box;
};

struct lp_mask_text {
	struct lp_span points, labels, box;	/* JSON as it came; empty: not given */
	bool fractions;			/* coordinates are 0..1 of the sides, not pixels */
	int w, h;
};

/* LP_BAD_REQUEST in words that name the field.  Points and boxes outside are brought in.  Pure. */
enum lp_code lp_mask_prompt_read(struct lp_mask_prompt *out, const struct lp_mask_text *text,
				 struct lp_err *e) LP_MUST_USE;

struct lp_mask {
	float *p;			/* w * h of the picture, how likely a pixel is of the thing: 0..1 */
	float score;			/* 0..1 */
};

struct lp_mask_want {
	struct lp_onnx_net *net;
	const struct lp_image *picture;
	const struct lp_mask_prompt *prompt;
	const struct lp_stop *stop;
};

/* LP_MASKS of them, the best first. */
enum lp_code lp_mask_cut(struct lp_scope *scope, struct lp_mask out[LP_MASKS], const struct lp_mask_want *want,
			 struct lp_err *e) LP_MUST_USE;

/* Keep of p what hangs together with a point that is in; take away what hangs together with one that is not, and
 * lies nearer to it than to any other.  False: no point that is in lies on the mask.  Pure. */
bool lp_mask_keep(float *p, int w, int h, const struct lp_mask_prompt *prompt);

#endif
