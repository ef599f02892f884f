/* runner/backdrop_priv - one backdrop while it is being painted, shared by sky, far and ground. */
#ifndef LPD_RUNNER_BACKDROP_PRIV_H
#define LPD_RUNNER_BACKDROP_PRIV_H

#include <lpd/base/random.h>

#include "backdrop.h"

struct canvas {
	struct lp_backdrop *b;
	struct lp_image *im;
	const struct lp_scene *scene;
	struct lp_dice dice;
	uint32_t seed;		/* of noise fields */
	float unit;		/* pixels of one "size": pictures of any size look alike */
};

#define RGB(hex) \
	((struct lp_rgb){ (float)((hex) >> 16 & 255) / 255.0f, (float)((hex) >> 8 & 255) / 255.0f, \
			  (float)((hex)&255) / 255.0f })

static inline float chance(struct canvas *c, float from, float to)
{
	return from + (to - from) * (float)lp_dice_unit(&c->dice);
}

static inline void put(struct canvas *c, int x, int y, struct lp_rgb colour)
{
	float *p = lp_image_at(c->im, x, y);

	p[0] = colour.r;
	p[1] = colour.g;
	p[2] = colour.b;
	p[3] = 1.0f;
}

static inline struct lp_rgb scale(struct lp_rgb a, float f)
{
	return (struct lp_rgb){ a.r * f, a.g * f, a.b * f };
}

static inline struct lp_rgb times(struct lp_rgb a, struct lp_rgb b)
{
	return (struct lp_rgb){ a.r * b.r, a.g * b.g, a.b * b.b };
}

static inline bool is_night(const struct canvas *c)
{
	return c->scene->hour == LP_HOUR_NIGHT;
}

/* A soft round spot, light on light: x, y, and the radius where it is gone. */
void canvas_glow(struct canvas *c, const float at[3], struct lp_rgb colour, float strength);
/* A filled ellipse with a soft edge of one pixel or so. */
void canvas_disc(struct canvas *c, const float at[4], struct lp_rgb colour, float alpha);
/* A thin line that bends and fades. */
void canvas_stroke(struct canvas *c, const float from_to[4], struct lp_rgb colour, float alpha);

void sky_paint(struct canvas *c);
void sky_space(struct canvas *c);
void sky_fireworks(struct canvas *c);

/* The far things that the scene asks for, from the back. */
void far_paint(struct canvas *c);
void far_trees(struct canvas *c, float base, float height, struct lp_rgb colour);

void ground_paint(struct canvas *c);

#endif
