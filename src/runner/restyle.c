#include "restyle.h"

#include "noise.h"
#include "paint.h"
#include "resize.h"

#define WORK_SIDE 1088		/* the network's memory grows with the area: larger ones are painted at this size */

/* The numbers have no names: what each looks like was found by looking. */
struct manner_row {
	struct {
		int style;
		float weight;
	} of[2];
	float strength, colour;
};

static const struct manner_row manners[] = {
	[LP_MANNER_AUTO] = { { { 12, 0.6f }, { 0, 0.4f } }, 0.55f, 0.1f },
	[LP_MANNER_PLAIN] = { { { 0, 1.0f } }, 0.0f, 0.0f },
	[LP_MANNER_OIL] = { { { 5, 0.6f }, { 0, 0.4f } }, 0.85f, 0.25f },
	[LP_MANNER_WATERCOLOUR] = { { { 14, 0.6f }, { 8, 0.4f } }, 0.85f, 0.35f },
	[LP_MANNER_SKETCH] = { { { 11, 1.0f } }, 1.0f, 1.0f },
	[LP_MANNER_IMPASTO] = { { { 19, 1.0f } }, 0.9f, 0.75f },
	[LP_MANNER_CUBIST] = { { { 22, 0.6f }, { 21, 0.4f } }, 0.95f, 0.6f },
	[LP_MANNER_MOSAIC] = { { { 15, 1.0f } }, 0.95f, 0.45f },
	[LP_MANNER_INK] = { { { 24, 1.0f } }, 0.95f, 0.8f },
	[LP_MANNER_PASTEL] = { { { 12, 1.0f } }, 0.9f, 0.5f },
	[LP_MANNER_POP] = { { { 13, 0.8f }, { 1, 0.2f } }, 0.85f, 0.6f },
};

void lp_manner_want(struct lp_style_want *want, enum lp_manner manner)
{
	const struct manner_row *row = &manners[manner];

	*want = (struct lp_style_want){ .strength = row->strength, .colour = row->colour,
					.keep_tone = row->colour < 0.3f };
	for (int i = 0; i < 2; i++)
		want->weights[row->of[i].style] += row->of[i].weight;
}

void lp_style_draw(struct lp_style_want *want, uint64_t seed)
{
	/* Those of the 26 that keep a picture readable, found by looking. */
	static const int good[] = { 1, 5, 8, 12, 13, 14, 15, 19, 21, 22, 0, 3 };
	const int n = (int)(sizeof good / sizeof good[0]);
	uint32_t s = (uint32_t)(seed ^ seed >> 32);
	int first = (int)(lp_noise_at(s, 1, 0) * (float)n) % n;
	int second = (first + 1 + (int)(lp_noise_at(s, 2, 0) * (float)(n - 1)) % (n - 1)) % n;
	float t = 0.15f + 0.3f * lp_noise_at(s, 3, 0);

	*want = (struct lp_style_want){ .strength = 1.0f, .colour = 0.6f };
	want->weights[good[first]] += 1.0f - t;
	want->weights[good[second]] += t;
}

/* ---- hour and weather ---- */

struct light {
	struct lp_rgb tint;
	float gain, contrast, grey;
};

/* Average lightness, from every 16th pixel: a dark picture need not be made a night again. */
static float lightness(const struct lp_image *im)
{
	size_t n = (size_t)im->w * (size_t)im->h, count = 0;
	float sum = 0.0f;

	for (size_t i = 0; i < n; i += 16, count++)
		sum += im->px[4 * i + 1];
	return sum / (float)count;
}

static struct light light_of(enum lp_hour hour, unsigned weather)
{
	struct light l = { .tint = { 1.0f, 1.0f, 1.0f }, .gain = 1.0f, .contrast = 1.0f };

	if (hour == LP_HOUR_NIGHT)
		l = (struct light){ .tint = { 0.45f, 0.6f, 1.05f }, .gain = 0.62f, .contrast = 1.1f, .grey = 0.35f };
	else if (hour == LP_HOUR_SUNSET)
		l = (struct light){ .tint = { 1.22f, 0.92f, 0.68f }, .gain = 0.95f, .contrast = 1.05f };
	if (weather & (LP_SKY_FOG | LP_SKY_RAIN | LP_SKY_SNOW)) {
		l.grey = l.grey > 0.5f ? l.grey : 0.5f;
		l.contrast *= 0.75f;
		l.gain *= weather & LP_SKY_RAIN ? 0.85f : 1.08f;
	}
	if (weather & LP_SEASON_AUTUMN) {
		l.tint.r *= 1.12f;
		l.tint.b *= 0.78f;
	}
	return l;
}

void lp_grade(struct lp_image *im, enum lp_hour hour, unsigned weather, float strength)
{
	struct light l = light_of(hour, weather);
	const float tint[3] = { l.tint.r, l.tint.g, l.tint.b };
	size_t n = (size_t)im->w * (size_t)im->h;

	if (l.gain < 1.0f)
		l.gain = lp_mix(1.0f, l.gain, lp_smooth(0.15f, 0.45f, lightness(im)));
	for (size_t i = 0; i < n; i++) {
		float *p = im->px + 4 * i, y = 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];

		for (int c = 0; c < 3; c++) {
			float v = lp_mix(p[c], y, l.grey) * tint[c] * l.gain;

			v = lp_unit(0.5f * l.gain + (v - 0.5f * l.gain) * l.contrast);
			p[c] = lp_mix(p[c], v > p[3] ? p[3] : v, strength);
		}
	}
}

/* ---- the whole ---- */

/* The network's weights sum to one: the manner's, a fifth of the seed's own, so that seeds differ. */
static void choose(struct lp_style_want *style, const struct lp_scene *scene, const struct lp_restyle_want *want)
{
	struct lp_style_want drawn;

	lp_style_draw(&drawn, want->seed);
	if (scene->manner == LP_MANNER_AUTO) {
		*style = drawn;
	} else {
		lp_manner_want(style, scene->manner);
		for (int i = 0; i < LP_STYLES; i++)
			style->weights[i] = 0.82f * style->weights[i] + 0.18f * drawn.weights[i];
	}
	style->strength = want->strength;
	style->colour = style->colour < 0.5f ? 0.5f : style->colour;
	style->keep_tone = false;
}

static enum lp_code paint(struct lp_image *im, const struct lp_scene *scene, const struct lp_restyle_want *want,
			  struct lp_err *e)
{
	struct lp_style_want style;

	if (!want->net) {
		lp_paint(im, scene->manner == LP_MANNER_AUTO ? LP_MANNER_OIL : scene->manner, (uint32_t)want->seed);
		return LP_OK;
	}
	if (scene->manner == LP_MANNER_PLAIN)
		return LP_OK;		/* "a photograph": only hour and weather */
	choose(&style, scene, want);
	return lp_style_apply(want->net, im, &style, e);
}

enum lp_code lp_restyle(struct lp_scope *scope, struct lp_image **out, const struct lp_restyle_want *want,
			struct lp_err *e)
{
	const struct lp_image *from = want->picture;
	int longest = from->w > from->h ? from->w : from->h;
	struct lp_scene scene;
	struct lp_image *im;

	lp_scene_read(&scene, want->prompt, want->negative);
	if (longest > WORK_SIDE) {
		int w = from->w * WORK_SIDE / longest, h = from->h * WORK_SIDE / longest;

		im = lp_image_resize(scope, from, w > 4 ? w : 4, h > 4 ? h : 4);
	} else {
		im = lp_image_copy(scope, from);
	}
	lp_grade(im, scene.hour, scene.weather, want->strength);
	enum lp_code code = paint(im, &scene, want, e);

	if (code == LP_OK && (im->w != from->w || im->h != from->h))
		im = lp_image_resize(scope, im, from->w, from->h);
	*out = im;
	return code;
}
