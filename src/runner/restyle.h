/* runner/restyle - a picture painted anew as the prompt says: the manner by its words or by the seed, the hour and
 * the weather by a rule of colours.  What the picture shows stays. */
#ifndef LPD_RUNNER_RESTYLE_H
#define LPD_RUNNER_RESTYLE_H

#include "scene.h"
#include "style.h"

/* What a manner asks of the style network; strength 0: nothing. */
void lp_manner_want(struct lp_style_want *want, enum lp_manner manner);

struct lp_restyle_want {
	struct lp_onnx_net *net;		/* NULL: painted by rule */
	const struct lp_image *picture;
	struct lp_span prompt, negative;
	float strength;				/* 0: as it is, 1: all the painter's */
	uint64_t seed;
};

enum lp_code lp_restyle(struct lp_scope *scope, struct lp_image **out, const struct lp_restyle_want *want,
			struct lp_err *e) LP_MUST_USE;

/* Two manners that a seed chooses, blended: for when the prompt names none. */
void lp_style_draw(struct lp_style_want *want, uint64_t seed);

/* In place: a picture's colours at that hour and in that weather (bits of enum lp_weather). */
void lp_grade(struct lp_image *im, enum lp_hour hour, unsigned weather, float strength);

#endif
