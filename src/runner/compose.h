/* runner/compose - a scene painted: backdrop, things drawn by the flow model, light and shadow. */
#ifndef LPD_RUNNER_COMPOSE_H
#define LPD_RUNNER_COMPOSE_H

#include "enlarge.h"
#include "flow.h"
#include "scene.h"

struct lp_compose_want {
	const struct lp_flow *flow;
	const struct lp_scene *scene;
	uint64_t seed;
	int w, h;
	int steps;			/* of the flow model; 0: its default */
	float guidance;
	const struct lp_enlarge_want *enlarge;	/* times 4, for the things; NULL: by Lanczos */
	const struct lp_stop *stop;
};

/* The same want, the same picture.  LP_GONE when it was stopped. */
enum lp_code lp_compose(struct lp_scope *scope, struct lp_image **out, const struct lp_compose_want *want,
			struct lp_err *e) LP_MUST_USE;

#endif
