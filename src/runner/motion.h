/* runner/motion - a picture set in motion: a camera goes over it, what stands out moves apart from what lies behind,
 * while a painter's manner goes over into another's.
 *
 * No video model: nothing in the picture moves by itself. */
#ifndef LPD_RUNNER_MOTION_H
#define LPD_RUNNER_MOTION_H

#include "image.h"
#include "mask.h"

#define LP_MOTION_FRAMES 25	/* of a clip, as SVD-XT makes */

struct lp_motion_want {
	const struct lp_image *picture;
	struct lp_onnx_net *style;	/* NULL: not painted */
	struct lp_onnx_net *cutter;	/* U2-Net; NULL: the picture moves as one */
	int w, h;
	float amount;			/* 0: hardly, 1: a lot */
	float paint;			/* 0: as it is, 1: all the painter's */
	uint64_t seed;
	const struct lp_stop *stop;
};

struct lp_motion;

/* Looks at the picture once.  LP_GONE: stopped. */
enum lp_code lp_motion_open(struct lp_scope *scope, struct lp_motion **out, const struct lp_motion_want *want,
			    struct lp_err *e) LP_MUST_USE;
/* Frame i of LP_MOTION_FRAMES, in any order. */
enum lp_code lp_motion_frame(struct lp_scope *scope, struct lp_image **out, const struct lp_motion *motion, int i,
			     struct lp_err *e) LP_MUST_USE;

/* How a camera goes, from where to where: pure, by the seed. */
struct lp_camera {
	float zoom[2];			/* at the beginning and at the end; 1: the whole picture */
	float at[2][2];			/* where its middle is, in parts of the room that the zoom leaves: -1..1 */
};

struct lp_camera lp_camera_draw(uint64_t seed, float amount);

#endif
