/* Sky: gradient, sun or moon, stars, clouds, and the sky without an earth below. */
#include <math.h>

#include "backdrop_priv.h"
#include "noise.h"

static void gradient(struct canvas *c)
{
	const struct lp_light *l = &c->b->light;
	float end = c->b->horizon < (float)c->im->h ? c->b->horizon : (float)c->im->h;

	for (int y = 0; y < c->im->h; y++) {
		float t = lp_unit((float)y / end);
		struct lp_rgb row = lp_rgb_mix(l->sky_top, l->sky_low, powf(t, 1.3f));

		for (int x = 0; x < c->im->w; x++)
			put(c, x, y, row);
	}
}

static void stars(struct canvas *c, float share)
{
	int n = (int)((float)c->im->w * (float)c->im->h / 420.0f * share);

	for (int i = 0; i < n; i++) {
		float x = chance(c, 0.0f, (float)c->im->w), y = chance(c, 0.0f, (float)c->im->h);
		float bright = powf(chance(c, 0.0f, 1.0f), 3.0f), low = 1.0f - lp_smooth(0.5f, 1.0f, y / c->b->horizon);
		struct lp_rgb colour = lp_rgb_mix(RGB(0xbcd4ff), RGB(0xfff1d0), chance(c, 0.0f, 1.0f));

		lp_image_dab(c->im, (int)x, (int)y, colour, (0.25f + 0.75f * bright) * low);
		if (bright > 0.8f)
			canvas_glow(c, (float[]){ x, y, c->unit * 0.007f * bright }, colour, 0.9f * low);
	}
}

static void milky_way(struct canvas *c)
{
	float tilt = chance(c, -0.6f, 0.6f), middle = chance(c, 0.3f, 0.6f);

	for (int y = 0; y < c->im->h; y++) {
		for (int x = 0; x < c->im->w; x++) {
			float u = (float)x / c->unit, v = (float)y / c->unit;
			float away = fabsf(v - middle - tilt * (u - 0.5f)) * 4.0f;
			float n = lp_fbm(c->seed + 7, u * 5.0f, v * 5.0f, 5);
			float a = lp_unit(1.0f - away) * lp_smooth(0.3f, 0.8f, n) * 0.5f;

			if (a > 0.01f)
				lp_image_dab(c->im, x, y, RGB(0xa9b4e8), a);
		}
	}
}

static void sun(struct canvas *c)
{
	const struct lp_light *l = &c->b->light;
	float x = l->x * (float)c->im->w, y = l->y * (float)c->im->h, u = c->unit;
	float r = c->scene->hour == LP_HOUR_SUNSET ? 0.075f : 0.05f;

	canvas_glow(c, (float[]){ x, y, u * 0.75f }, l->sun, 0.35f);
	canvas_glow(c, (float[]){ x, y, u * 0.25f }, l->sun, 0.5f);
	canvas_disc(c, (float[]){ x, y, u * r, u * r }, lp_rgb_mix(l->sun, RGB(0xffffff), 0.35f), 1.0f);
}

static void moon(struct canvas *c)
{
	const struct lp_light *l = &c->b->light;
	float x = l->x * (float)c->im->w, y = l->y * (float)c->im->h, r = c->unit * 0.075f;

	canvas_glow(c, (float[]){ x, y, c->unit * 0.6f }, RGB(0xaebfff), 0.28f);
	canvas_glow(c, (float[]){ x, y, c->unit * 0.2f }, RGB(0xe8ecff), 0.4f);
	canvas_disc(c, (float[]){ x, y, r, r }, RGB(0xf6f1dc), 1.0f);
	for (int j = (int)(y - r); j <= (int)(y + r); j++) {
		for (int i = (int)(x - r); i <= (int)(x + r); i++) {
			float dx = ((float)i - x) / r, dy = ((float)j - y) / r, d = dx * dx + dy * dy;
			float n = lp_fbm(c->seed + 3, dx * 2.2f + 9.0f, dy * 2.2f, 4);

			if (d < 0.92f)
				lp_image_dab(c->im, i, j, RGB(0xb9b6a8), lp_smooth(0.52f, 0.68f, n) * 0.55f);
		}
	}
}

/* Heaps of noise, white on the side of the light and grey below. */
static void clouds(struct canvas *c, float cover)
{
	const struct lp_light *l = &c->b->light;
	struct lp_rgb lit = lp_rgb_mix(RGB(0xffffff), l->sun, 0.35f), dark = lp_rgb_mix(l->sky_low, l->sky_top, 0.55f);
	float edge = 0.66f - 0.26f * cover, shift = chance(c, 0.0f, 50.0f);

	if (is_night(c)) {
		lit = scale(lit, 0.34f);
		dark = scale(dark, 0.8f);
	}
	for (int y = 0; y < c->im->h && (float)y < c->b->horizon; y++) {
		float v = (float)y / c->unit, t = (float)y / c->b->horizon;

		for (int x = 0; x < c->im->w; x++) {
			float u = (float)x / c->unit + shift, flat = 1.6f + 2.6f * t;
			float n = lp_fbm(c->seed + 11, u * 2.3f, v * flat * 1.5f, 6);
			float up = lp_fbm(c->seed + 11, u * 2.3f, (v - 0.035f) * flat * 1.5f, 6);
			float a = lp_smooth(edge, edge + 0.16f, n) * (1.0f - 0.55f * t);

			if (a < 0.01f)
				continue;
			float light = lp_unit(0.55f + (n - up) * 5.0f);

			lp_image_dab(c->im, x, y, lp_rgb_mix(dark, lit, light), a * 0.95f);
		}
	}
}

static void aurora(struct canvas *c)
{
	for (int y = 0; y < c->im->h && (float)y < c->b->horizon; y++) {
		for (int x = 0; x < c->im->w; x++) {
			float u = (float)x / c->unit, v = (float)y / c->b->horizon;
			float fold = 0.62f + 0.22f * (lp_noise(c->seed + 21, u * 2.0f, 3.0f) - 0.5f) * 2.0f;
			float up = (fold - v) / 0.5f, ray = lp_noise(c->seed + 22, u * 28.0f, v * 0.6f);
			float a = up > 0.0f && up < 1.0f ? (1.0f - up) * lp_smooth(0.0f, 0.06f, up) : 0.0f;

			if (a > 0.01f)
				lp_image_dab(c->im, x, y, lp_rgb_mix(RGB(0x3cf2a0), RGB(0xa44ae0), up),
					     a * (0.35f + 0.5f * ray));
		}
	}
}

static void rainbow(struct canvas *c)
{
	static const unsigned bands[] = { 0xe8413c, 0xf2913d, 0xf6dd4a, 0x58c05a, 0x4a8fe0, 0x6a4fc4 };
	float cx = (float)c->im->w * 0.5f, cy = c->b->horizon + c->unit * 0.1f, r = c->unit * 0.56f;

	for (int y = 0; y < c->im->h && (float)y < c->b->horizon; y++) {
		for (int x = 0; x < c->im->w; x++) {
			float dx = ((float)x - cx) * 0.92f, dy = (float)y - cy;
			float t = (r - sqrtf(dx * dx + dy * dy)) / (c->unit * 0.085f);

			if (t < 0.0f || t >= 1.0f)
				continue;
			float edge = lp_smooth(0.0f, 0.12f, t) * (1.0f - lp_smooth(0.88f, 1.0f, t));

			lp_image_dab(c->im, x, y, RGB(bands[(int)(t * 6.0f)]), 0.5f * edge);
		}
	}
}

static void lightning(struct canvas *c)
{
	float x = chance(c, 0.2f, 0.8f) * (float)c->im->w, y = 0.0f, step = c->unit * 0.035f;

	while (y < c->b->horizon) {
		float nx = x + chance(c, -1.0f, 1.0f) * step, ny = y + chance(c, 0.5f, 1.2f) * step;

		for (int k = -1; k <= 1; k++)
			canvas_stroke(c, (float[]){ x + (float)k, y, nx + (float)k, ny }, RGB(0xf4f0ff), 0.9f);
		canvas_glow(c, (float[]){ nx, ny, c->unit * 0.07f }, RGB(0xb9a8ff), 0.12f);
		x = nx;
		y = ny;
	}
}

void sky_fireworks(struct canvas *c)
{
	static const unsigned colours[] = { 0xff5a4a, 0xffd84a, 0x5ad0ff, 0xff7ae0, 0x7aff8a };

	for (int i = 0; i < 8; i++) {
		float x = chance(c, 0.08f, 0.92f) * (float)c->im->w, y = chance(c, 0.06f, 0.42f) * (float)c->im->h;
		float r = chance(c, 0.12f, 0.24f) * c->unit;
		struct lp_rgb colour = RGB(colours[i % 5]);

		canvas_glow(c, (float[]){ x, y, r * 1.3f }, colour, 0.25f);
		for (int k = 0; k < 40; k++) {
			float angle = chance(c, 0.0f, 6.283f), len = r * chance(c, 0.6f, 1.0f);
			float ex = x + cosf(angle) * len, ey = y + sinf(angle) * len + len * 0.15f;

			canvas_stroke(c, (float[]){ x, y, ex, ey }, colour, 0.5f);
			canvas_glow(c, (float[]){ ex, ey, c->unit * 0.014f }, lp_rgb_mix(colour, RGB(0xffffff), 0.5f),
				    0.9f);
		}
	}
}

static void night(struct canvas *c, unsigned weather, bool veiled)
{
	stars(c, veiled ? 0.2f : weather & LP_SKY_STARS ? 1.6f : 1.0f);
	if (weather & LP_SKY_STARS)
		milky_way(c);
	if (weather & LP_SKY_AURORA)
		aurora(c);
	if (!veiled)
		moon(c);
}

void sky_paint(struct canvas *c)
{
	unsigned w = c->scene->weather;
	bool veiled = w & (LP_SKY_RAIN | LP_SKY_LIGHTNING | LP_SKY_FOG);

	gradient(c);
	if (is_night(c))
		night(c, w, veiled);
	else if (!veiled)
		sun(c);
	if (w & LP_SKY_MOON && !is_night(c))
		moon(c);
	if (w & LP_SKY_RAINBOW)
		rainbow(c);
	if (!(w & (LP_SKY_CLEAR | LP_SKY_STARS | LP_SKY_AURORA | LP_SKY_FIREWORKS)) || w & LP_SKY_CLOUDS)
		clouds(c, w & LP_SKY_CLOUDS ? 0.9f : is_night(c) ? 0.15f : 0.45f);
	if (w & LP_SKY_LIGHTNING)
		lightning(c);
	if (w & LP_SKY_FIREWORKS)
		sky_fireworks(c);
}

static void nebula(struct canvas *c)
{
	static const unsigned pairs[][2] = { { 0x6a2fa0, 0x1f7fb0 }, { 0xb03a6a, 0x3a4fc0 }, { 0x1f9a8a, 0x5a3ab0 } };
	const unsigned *pair = pairs[lp_dice_below(&c->dice, 3)];
	float shift = chance(c, 0.0f, 80.0f);

	for (int y = 0; y < c->im->h; y++) {
		for (int x = 0; x < c->im->w; x++) {
			float u = (float)x / c->unit + shift, v = (float)y / c->unit;
			float bend = lp_fbm(c->seed + 31, u * 1.6f, v * 1.6f, 4);
			float n = lp_fbm(c->seed + 32, u * 2.0f + bend * 1.8f, v * 2.0f + bend, 6);
			float a = lp_smooth(0.42f, 0.78f, n), core = lp_smooth(0.6f, 0.85f, n);

			lp_image_dab(c->im, x, y, lp_rgb_mix(RGB(pair[0]), RGB(pair[1]), bend * 1.6f - 0.3f),
				     a * 0.75f);
			lp_image_dab(c->im, x, y, RGB(0xffd9e8), core * 0.35f);
		}
	}
}

/* A lit ball with bands or lands. */
static void planet(struct canvas *c, const float at[3], struct lp_rgb a, struct lp_rgb b)
{
	float r = at[2];

	canvas_glow(c, (float[]){ at[0], at[1], r * 1.35f }, lp_rgb_mix(a, RGB(0xffffff), 0.3f), 0.35f);
	for (int y = (int)(at[1] - r); y <= (int)(at[1] + r); y++) {
		for (int x = (int)(at[0] - r); x <= (int)(at[0] + r); x++) {
			float dx = ((float)x - at[0]) / r, dy = ((float)y - at[1]) / r, d = dx * dx + dy * dy;

			if (d >= 1.0f)
				continue;
			float z = sqrtf(1.0f - d), light = lp_unit(-0.55f * dx - 0.45f * dy + 0.7f * z);
			float n = lp_fbm(c->seed + 41, dx / (z + 0.6f) * 2.0f + 5.0f, dy * 3.2f, 5);
			struct lp_rgb colour =
				scale(lp_rgb_mix(a, b, lp_smooth(0.4f, 0.62f, n)), 0.12f + 0.95f * light);

			lp_image_dab(c->im, x, y, colour, lp_unit((1.0f - d) * r * 0.5f));
		}
	}
}

void sky_space(struct canvas *c)
{
	float side = lp_dice_below(&c->dice, 2) ? 0.86f : 0.14f;
	bool moon = c->scene->setting == LP_PLACE_MOON;

	gradient(c);
	nebula(c);
	stars(c, 1.6f);
	if (moon)
		planet(c, (float[]){ side * (float)c->im->w, 0.2f * (float)c->im->h, c->unit * 0.13f }, RGB(0x2f6fd0),
		       RGB(0xd8e8d8));
	else
		planet(c, (float[]){ side * (float)c->im->w, 0.9f * (float)c->im->h, c->unit * 0.34f },
		       lp_dice_below(&c->dice, 2) ? RGB(0xd08a4a) : RGB(0x4a8ac0), RGB(0xe8d0a8));
}
