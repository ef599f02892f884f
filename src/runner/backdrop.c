#include "backdrop.h"

#include <math.h>

#include "backdrop_priv.h"
#include "noise.h"

void canvas_glow(struct canvas *c, const float at[3], struct lp_rgb colour, float strength)
{
	float r = at[2] > 1.0f ? at[2] : 1.0f;

	for (int y = (int)(at[1] - r); y <= (int)(at[1] + r); y++) {
		for (int x = (int)(at[0] - r); x <= (int)(at[0] + r); x++) {
			float dx = ((float)x - at[0]) / r, dy = ((float)y - at[1]) / r, d = dx * dx + dy * dy;

			if (d < 1.0f)
				lp_image_dab(c->im, x, y, colour, (1.0f - d) * (1.0f - d) * strength);
		}
	}
}

void canvas_disc(struct canvas *c, const float at[4], struct lp_rgb colour, float alpha)
{
	float rx = at[2] > 0.6f ? at[2] : 0.6f, ry = at[3] > 0.6f ? at[3] : 0.6f;

	for (int y = (int)(at[1] - ry - 1.0f); y <= (int)(at[1] + ry + 1.0f); y++) {
		for (int x = (int)(at[0] - rx - 1.0f); x <= (int)(at[0] + rx + 1.0f); x++) {
			float dx = ((float)x - at[0]) / rx, dy = ((float)y - at[1]) / ry;
			float inside = (1.0f - sqrtf(dx * dx + dy * dy)) * (rx < ry ? rx : ry) + 0.5f;

			if (inside > 0.0f)
				lp_image_dab(c->im, x, y, colour, alpha * lp_unit(inside));
		}
	}
}

void canvas_stroke(struct canvas *c, const float from_to[4], struct lp_rgb colour, float alpha)
{
	float dx = from_to[2] - from_to[0], dy = from_to[3] - from_to[1];
	float len = fabsf(dx) > fabsf(dy) ? fabsf(dx) : fabsf(dy);
	int n = (int)len + 1;

	for (int i = 0; i <= n; i++) {
		float s = (float)i / (float)n;

		lp_image_dab(c->im, (int)(from_to[0] + dx * s * (0.5f + 0.5f * s)), (int)(from_to[1] + dy * s), colour,
			     alpha * (1.0f - 0.4f * s));
	}
}

static void light_day(struct lp_light *l)
{
	l->sky_top = RGB(0x3f86d8);
	l->sky_low = RGB(0xcfe8f8);
	l->sun = RGB(0xffe9a0);
	l->ambient = RGB(0xffffff);
	l->haze = RGB(0xd5e6f2);
}

static void light_sunset(struct lp_light *l)
{
	l->sky_top = RGB(0x3a3f80);
	l->sky_low = RGB(0xffa45c);
	l->sun = RGB(0xffd08a);
	l->ambient = RGB(0xf0b898);
	l->haze = RGB(0xf2a070);
	l->y = 0.86f;
}

static void light_night(struct lp_light *l)
{
	l->sky_top = RGB(0x070b26);
	l->sky_low = RGB(0x27407a);
	l->sun = RGB(0xc4d0ff);
	l->ambient = RGB(0x8494c6);
	l->haze = RGB(0x2a3c70);
}

static void light_grey(struct lp_light *l, float dark)
{
	struct lp_rgb grey = scale(RGB(0x8f9aa6), dark);

	l->sky_top = lp_rgb_mix(l->sky_top, scale(grey, 0.8f), 0.75f);
	l->sky_low = lp_rgb_mix(l->sky_low, scale(grey, 1.2f), 0.75f);
	l->ambient = times(l->ambient, RGB(0xccd4dc));
	l->haze = lp_rgb_mix(l->haze, grey, 0.6f);
}

static void set_light(struct canvas *c)
{
	struct lp_light *l = &c->b->light;
	enum lp_setting s = c->scene->setting;

	l->x = lp_dice_below(&c->dice, 2) ? chance(c, 0.7f, 0.88f) : chance(c, 0.12f, 0.3f);
	l->y = chance(c, 0.14f, 0.26f);
	if (c->scene->hour == LP_HOUR_SUNSET)
		light_sunset(l);
	else if (is_night(c))
		light_night(l);
	else
		light_day(l);
	l->y = l->y * c->b->horizon / (float)c->im->h;
	if (s == LP_PLACE_SPACE || s == LP_PLACE_MOON) {
		l->sky_top = RGB(0x05060f);
		l->sky_low = RGB(0x0d0a26);
		l->ambient = RGB(0xe8ecff);
		l->haze = RGB(0x6a6a78);
	}
	if (s == LP_PLACE_UNDERWATER) {
		l->ambient = is_night(c) ? RGB(0x5a80b0) : RGB(0xb8e0f0);
		l->haze = RGB(0x1f7aa8);
	}
	if ((s == LP_PLACE_ROOM || s == LP_PLACE_TABLE) && is_night(c))
		l->ambient = RGB(0xc9a680);	/* lamp light */
	if (c->scene->weather & (LP_SKY_RAIN | LP_SKY_FOG | LP_SKY_LIGHTNING))
		light_grey(l, is_night(c) ? 0.35f : c->scene->weather & LP_SKY_LIGHTNING ? 0.55f : 1.0f);
}

/* Part of the height at which the earth begins. */
static float horizon_of(enum lp_setting s)
{
	static const float at[] = {
		[LP_PLACE_ANY] = 0.58f, [LP_PLACE_MEADOW] = 0.58f, [LP_PLACE_BEACH] = 0.46f, [LP_PLACE_SEA] = 0.5f,
		[LP_PLACE_LAKE] = 0.48f, [LP_PLACE_FOREST] = 0.6f, [LP_PLACE_MOUNTAINS] = 0.64f,
		[LP_PLACE_CITY] = 0.62f,
		[LP_PLACE_DESERT] = 0.56f, [LP_PLACE_SNOW] = 0.56f, [LP_PLACE_SPACE] = 2.0f,
		[LP_PLACE_UNDERWATER] = 0.8f,
		[LP_PLACE_ROOM] = 0.6f, [LP_PLACE_TABLE] = 0.5f, [LP_PLACE_SKY] = 1.4f, [LP_PLACE_MOON] = 0.6f,
	};

	return at[s];
}

struct lp_backdrop *lp_backdrop_paint(struct lp_scope *scope, const struct lp_scene *scene, uint64_t seed, int w, int h)
{
	struct lp_backdrop *b = lp_new(scope, struct lp_backdrop);
	struct canvas c = { .b = b, .scene = scene };

	b->im = lp_image_new(scope, w, h);
	b->horizon = horizon_of(scene->setting) * (float)h;
	c.im = b->im;
	c.unit = (float)(w < h ? w : h);
	lp_dice_init(&c.dice, seed);
	c.seed = (uint32_t)lp_dice_next(&c.dice);
	set_light(&c);
	switch (scene->setting) {
	case LP_PLACE_SPACE:
		sky_space(&c);
		break;
	case LP_PLACE_MOON:
		sky_space(&c);
		far_paint(&c);
		break;
	case LP_PLACE_ROOM:
	case LP_PLACE_TABLE:
	case LP_PLACE_UNDERWATER:
		break;
	case LP_PLACE_ANY:
	case LP_PLACE_MEADOW:
	case LP_PLACE_BEACH:
	case LP_PLACE_SEA:
	case LP_PLACE_LAKE:
	case LP_PLACE_FOREST:
	case LP_PLACE_MOUNTAINS:
	case LP_PLACE_CITY:
	case LP_PLACE_DESERT:
	case LP_PLACE_SNOW:
	case LP_PLACE_SKY:
		sky_paint(&c);
		far_paint(&c);
		break;
	}
	ground_paint(&c);
	return b;
}

static void rain(struct canvas *c)
{
	int n = c->im->w * c->im->h / 320;

	for (int i = 0; i < n; i++) {
		float x = chance(c, 0.0f, (float)c->im->w), y = chance(c, 0.0f, (float)c->im->h);
		float len = c->unit * chance(c, 0.02f, 0.06f);

		canvas_stroke(c, (float[]){ x, y, x - len * 0.22f, y + len }, RGB(0xd8e4f0), chance(c, 0.12f, 0.4f));
	}
}

static void snow(struct canvas *c)
{
	int n = c->im->w * c->im->h / 900;

	for (int i = 0; i < n; i++) {
		float near = chance(c, 0.0f, 1.0f), r = c->unit * (0.0014f + 0.005f * near * near);

		canvas_disc(c, (float[]){ chance(c, 0.0f, (float)c->im->w), chance(c, 0.0f, (float)c->im->h), r, r },
			    RGB(0xffffff), 0.5f + 0.4f * near);
	}
}

static void fog(struct canvas *c)
{
	for (int y = 0; y < c->im->h; y++) {
		for (int x = 0; x < c->im->w; x++) {
			float n = lp_fbm(c->seed + 221, (float)x / c->unit * 1.4f, (float)y / c->unit * 4.0f, 4);
			float low = 1.0f - fabsf((float)y - c->b->horizon) / (float)c->im->h * 1.6f;

			lp_image_dab(c->im, x, y, c->b->light.haze, lp_unit(low * 0.5f + (n - 0.4f) * 0.6f));
		}
	}
}

void lp_backdrop_weather(struct lp_backdrop *b, const struct lp_scene *scene, uint64_t seed)
{
	struct canvas c = { .b = b, .im = b->im, .scene = scene,
			    .unit = (float)(b->im->w < b->im->h ? b->im->w : b->im->h) };

	lp_dice_init(&c.dice, seed ^ 0x77ea);
	c.seed = (uint32_t)lp_dice_next(&c.dice);
	if (scene->setting == LP_PLACE_ROOM || scene->setting == LP_PLACE_TABLE ||
	    scene->setting == LP_PLACE_UNDERWATER)
		return;
	if (scene->weather & LP_SKY_FOG)
		fog(&c);
	if (scene->weather & LP_SKY_RAIN)
		rain(&c);
	if (scene->weather & LP_SKY_SNOW)
		snow(&c);
}
