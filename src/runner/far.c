/* What stands at the horizon: mountains, hills, trees, a town. */
#include <math.h>

#include "backdrop_priv.h"
#include "noise.h"

struct ridge {
	float base, height;	/* pixels from the top; of the highest peak */
	float rough;		/* peaks over the width */
	struct lp_rgb colour;
	bool snow;
	uint32_t seed;
};

static void ridge_paint(struct canvas *c, const struct ridge *r)
{
	for (int x = 0; x < c->im->w; x++) {
		float u = (float)x / c->unit;
		float n = lp_ridge(c->seed + r->seed, u * r->rough, 1.7f, 6) * 0.6f +
			  lp_fbm(c->seed + r->seed + 5, u * r->rough * 0.7f, 4.2f, 5) * 0.4f;
		float top = r->base - r->height * lp_smooth(0.1f, 0.95f, n);

		for (int y = top > 0.0f ? (int)top : 0; (float)y < r->base + 2.0f && y < c->im->h; y++) {
			float v = (float)y / c->unit, down = ((float)y - top) / r->height;
			float slope = lp_fbm(c->seed + r->seed + 9, u * 9.0f - v * 6.0f, v * 9.0f, 4);
			float side = lp_noise(c->seed + r->seed, u * r->rough * 2.0f - v * 3.0f, 1.7f) > 0.5f ?
				     1.12f : 0.86f;
			struct lp_rgb colour = scale(r->colour, (0.78f + 0.4f * slope) * (r->snow ? side : 1.0f));
			float white = r->snow ? 1.0f - lp_smooth(0.10f, 0.34f, down + (slope - 0.5f) * 0.5f) : 0.0f;

			colour = lp_rgb_mix(colour, scale(RGB(0xf4f8ff), 0.72f + 0.28f * side), white);
			colour = lp_rgb_mix(colour, c->b->light.haze, 0.15f + 0.45f * lp_unit(down));
			lp_image_dab(c->im, x, y, colour, lp_unit((float)y - top));
		}
	}
}

static void mountains(struct canvas *c, float share)
{
	struct lp_rgb rock = times(RGB(0x7a86a0), c->b->light.ambient);
	struct ridge back = { c->b->horizon, c->unit * 0.42f * share, 1.5f, lp_rgb_mix(rock, c->b->light.haze, 0.45f),
			      true, 51 };
	struct ridge front = { c->b->horizon, c->unit * 0.24f * share, 2.4f,
			       lp_rgb_mix(rock, times(RGB(0x4a6a58), c->b->light.ambient), 0.6f), false, 61 };

	ridge_paint(c, &back);
	ridge_paint(c, &front);
}

static void hills(struct canvas *c, struct lp_rgb colour)
{
	struct lp_rgb lit = times(colour, c->b->light.ambient);
	struct ridge back = { c->b->horizon, c->unit * 0.13f, 0.9f, lp_rgb_mix(lit, c->b->light.haze, 0.5f), false,
			      71 };
	struct ridge front = { c->b->horizon, c->unit * 0.07f, 1.4f, lp_rgb_mix(lit, c->b->light.haze, 0.25f), false,
			       81 };

	ridge_paint(c, &back);
	ridge_paint(c, &front);
}

/* A conifer: boughs that grow wider downwards. */
static void conifer(struct canvas *c, const float at[3], struct lp_rgb colour, bool snow)
{
	float x = at[0], base = at[1], h = at[2];

	for (int y = (int)(base - h); (float)y < base; y++) {
		float t = ((float)y - base + h) / h, teeth = 0.62f + 0.38f * (t * 7.0f - floorf(t * 7.0f));
		float half = h * 0.19f * t * teeth + 0.6f;

		for (int i = (int)(x - half); i <= (int)(x + half); i++) {
			float side = ((float)i - x) / half, n = lp_noise_at(c->seed + 91, i, y);
			struct lp_rgb shade = scale(colour, 0.72f + 0.3f * n - 0.18f * side);

			if (snow && teeth < 0.78f && n > 0.25f)
				shade = lp_rgb_mix(shade, RGB(0xf2f6ff), 0.85f);
			lp_image_dab(c->im, i, y, shade, 1.0f);
		}
	}
}

/* A tree with leaves: a crown of many spots on a trunk. */
static void broadleaf(struct canvas *c, const float at[3], struct lp_rgb colour)
{
	float x = at[0], base = at[1], h = at[2];

	for (int k = 0; k < 3; k++)
		canvas_stroke(c, (float[]){ x + (float)k - 1.0f, base, x + (float)k - 1.0f, base - h * 0.5f },
			      times(RGB(0x5a4030), c->b->light.ambient), 1.0f);
	for (int k = 0; k < 110; k++) {
		float a = chance(c, 0.0f, 6.283f), d = sqrtf(chance(c, 0.0f, 1.0f)), r = h * chance(c, 0.025f, 0.085f);
		float px = x + cosf(a) * d * h * 0.3f, py = base - h * 0.66f + sinf(a) * d * h * 0.28f;
		float light = 0.82f - 0.34f * sinf(a) * d + chance(c, -0.13f, 0.13f) + 0.1f * (float)k / 110.0f;

		canvas_disc(c, (float[]){ px, py, r, r * 0.9f }, scale(colour, light), 0.9f);
	}
}

void far_trees(struct canvas *c, float base, float height, struct lp_rgb colour)
{
	bool snow = c->scene->setting == LP_PLACE_SNOW, autumn = c->scene->weather & LP_SEASON_AUTUMN;
	bool spring = c->scene->weather & LP_SEASON_SPRING;
	float x = -height * 0.2f;

	while (x < (float)c->im->w + height * 0.2f) {
		float h = height * chance(c, 0.65f, 1.1f), at[3] = { x, base + chance(c, 0.0f, height * 0.08f), h };
		struct lp_rgb tree = scale(colour, chance(c, 0.85f, 1.15f));

		if (autumn)
			tree = times(lp_rgb_mix(RGB(0xc8561e), RGB(0xe0a832), chance(c, 0.0f, 1.0f)),
				     c->b->light.ambient);
		if (spring && chance(c, 0.0f, 1.0f) > 0.5f)
			tree = times(RGB(0xf2b6cc), c->b->light.ambient);
		if (snow || (!autumn && !spring && chance(c, 0.0f, 1.0f) > 0.35f))
			conifer(c, at, tree, snow);
		else
			broadleaf(c, at, tree);
		x += height * chance(c, 0.16f, 0.42f);
	}
}

static void forest(struct canvas *c)
{
	struct lp_rgb green = times(RGB(0x2f6b3f), c->b->light.ambient);

	for (int k = 0; k < 4; k++) {
		float t = (float)k / 3.0f, h = c->unit * (0.26f + 0.2f * t);

		far_trees(c, c->b->horizon + c->unit * 0.05f * t, h,
			  lp_rgb_mix(scale(green, 1.15f - 0.35f * t), c->b->light.haze, 0.55f * (1.0f - t)));
	}
}

static void house_block(struct canvas *c, const float box[4], struct lp_rgb wall, float lit)
{
	struct lp_rgb glass = is_night(c) ? RGB(0xffdf8a) : lp_rgb_mix(c->b->light.sky_low, wall, 0.35f);
	float pane = c->unit * 0.018f;
	bool roof = box[2] > c->unit * 0.1f;

	for (int y = (int)box[1]; y < (int)(box[1] + box[3]) && y < c->im->h; y++) {
		for (int x = (int)box[0]; x < (int)(box[0] + box[2]); x++) {
			float u = ((float)x - box[0]) / pane, v = ((float)y - box[1]) / (pane * 1.35f);
			bool in_pane = u - floorf(u) > 0.35f && v - floorf(v) > 0.4f && v > 1.0f &&
				u < box[2] / pane - 0.4f;
			bool on = lp_noise_at(c->seed + (uint32_t)(int)box[0], (int)u, (int)v) < lit;
			float light = 1.08f - 0.3f * ((float)x - box[0]) / box[2];

			if (x < 0 || y < 0 || x >= c->im->w)
				continue;
			put(c, x, y, in_pane && on ? glass :
				     scale(wall, light * (roof && y == (int)box[1] ? 0.7f : 1.0f)));
		}
	}
}

static void town(struct canvas *c)
{
	static const unsigned walls[] = { 0x8f9bb0, 0xb09a8c, 0x7f8c9c, 0xa8a59c, 0x9c8272, 0x6f7f95 };

	for (int k = 0; k < 3; k++) {
		float t = (float)k / 2.0f, x = -c->unit * 0.05f;

		while (x < (float)c->im->w) {
			float w = c->unit * chance(c, 0.07f, 0.14f), h = c->unit * chance(c, 0.14f, 0.44f - 0.16f * t);
			struct lp_rgb wall = times(RGB(walls[lp_dice_below(&c->dice, 6)]), c->b->light.ambient);

			wall = lp_rgb_mix(wall, c->b->light.haze, 0.6f * (1.0f - t));
			house_block(c, (float[]){ x, c->b->horizon - h, w, h + 3.0f }, wall,
				    is_night(c) ? 0.45f : 0.85f);
			x += w * chance(c, 0.9f, 1.15f);
		}
	}
}

void far_paint(struct canvas *c)
{
	enum lp_setting s = c->scene->setting;
	unsigned w = c->scene->weather;

	if (w & LP_FAR_MOUNTAINS)
		mountains(c, 1.0f);
	else if (s == LP_PLACE_LAKE || s == LP_PLACE_SNOW)
		mountains(c, 0.6f);
	else if (s == LP_PLACE_MEADOW || s == LP_PLACE_FOREST)
		hills(c, RGB(0x5f8f56));
	else if (s == LP_PLACE_DESERT)
		hills(c, RGB(0xd0a060));
	else if (s == LP_PLACE_MOON)
		hills(c, RGB(0x8a8a92));
	if (w & LP_FAR_CITY || s == LP_PLACE_CITY)
		town(c);
	if (w & LP_FAR_TREES || s == LP_PLACE_FOREST)
		forest(c);
	else if (s == LP_PLACE_LAKE || s == LP_PLACE_SNOW)
		far_trees(c, c->b->horizon + c->unit * 0.01f, c->unit * 0.1f,
			  lp_rgb_mix(times(RGB(0x2f5f45), c->b->light.ambient), c->b->light.haze, 0.25f));
	else if (s == LP_PLACE_MEADOW)
		far_trees(c, c->b->horizon + c->unit * 0.004f, c->unit * 0.055f,
			  lp_rgb_mix(times(RGB(0x3f7a45), c->b->light.ambient), c->b->light.haze, 0.3f));
}
