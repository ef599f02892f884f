/* runner/backdrop - the place that a scene is set in, painted by rule: sky, distance, ground, weather. */
#ifndef LPD_RUNNER_BACKDROP_H
#define LPD_RUNNER_BACKDROP_H

#include "image.h"
#include "scene.h"

/* How a place is lit, for whatever is put into it. */
struct lp_light {
	struct lp_rgb sky_top, sky_low;
	struct lp_rgb sun;		/* colour of the light */
	struct lp_rgb ambient;		/* things are multiplied by it */
	struct lp_rgb haze;		/* what is far fades into it */
	float x, y;			/* of sun or moon, parts of width and height */
};

struct lp_backdrop {
	struct lp_image *im;
	struct lp_light light;
	float horizon;			/* pixels from the top; beyond the height: there is no ground */
	bool water;			/* the ground is water from the horizon to `shore` */
	float shore;
};

/* The same scene and seed, the same picture. */
struct lp_backdrop *lp_backdrop_paint(struct lp_scope *scope, const struct lp_scene *scene, uint64_t seed, int w,
				      int h);
/* What falls between the viewer and everything: rain, snow, fog.  Last of all. */
void lp_backdrop_weather(struct lp_backdrop *b, const struct lp_scene *scene, uint64_t seed);

#endif
