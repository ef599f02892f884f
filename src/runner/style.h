/* runner/style - repainting a picture in one of 26 painters' manners (multistyle26). */
#ifndef LPD_RUNNER_STYLE_H
#define LPD_RUNNER_STYLE_H

#include "image.h"
#include "onnx.h"

#define LP_STYLES 26

struct lp_style_want {
	float weights[LP_STYLES];	/* sum to 1 */
	float strength;			/* 0: the picture as it is, 1: all the painter's */
	bool keep_tone;			/* the painter's strokes, but not his darks and lights at large */
	float colour;			/* 0: its colours stay and only light and dark change, 1: the painter's */
};

/* In place. */
enum lp_code lp_style_apply(struct lp_onnx_net *net, struct lp_image *im, const struct lp_style_want *want,
			    struct lp_err *e) LP_MUST_USE;

#endif
