#include "compose.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/base/random.h>

#include "backdrop.h"
#include "resize.h"
#include "sprite.h"

/* A thing with its place. */
struct placed {
	const struct lp_thing *thing;
	struct lp_image *im;
	float x, base;		/* middle and foot, in pixels */
	float height;		/* in pixels */
	float depth;		/* 0 near .. 1 at the horizon; orders and fades */
	bool mirror, air, afloat;
};

struct compose {
	const struct lp_compose_want *want;
	struct lp_backdrop *b;
	struct lp_dice dice;
	struct placed at[LP_SCENE_THINGS];
	int n;
	float unit;		/* pixels: the picture's shorter side */
};

static float chance(struct compose *c, float from, float to)
{
	return from + (to - from) * (float)lp_dice_unit(&c->dice);
}

/* A red fox is a fox: saying the colour that a thing has anyway would only make it garish. */
static bool natural(const struct lp_thing *t)
{
	static const struct {
		const char *draw;
		enum lp_colour colour;
	} rows[] = {
		{ "fox", LP_COLOUR_RED }, { "fox", LP_COLOUR_ORANGE }, { "bear", LP_COLOUR_BROWN },
		{ "wolf", LP_COLOUR_GRAY },
		{ "elephant", LP_COLOUR_GRAY }, { "frog", LP_COLOUR_GREEN }, { "crocodile", LP_COLOUR_GREEN },
		{ "flamingo", LP_COLOUR_PINK }, { "automobile", LP_COLOUR_RED }, { "tiger animal", LP_COLOUR_ORANGE },
		{ "dragon", LP_COLOUR_GREEN }, { "crab", LP_COLOUR_RED }, { "lobster", LP_COLOUR_RED },
		{ "rose", LP_COLOUR_RED },
		{ "balloon", LP_COLOUR_RED }, { "sunflower", LP_COLOUR_YELLOW }, { "dolphin", LP_COLOUR_BLUE },
		{ "fish", LP_COLOUR_BLUE }, { "bird", LP_COLOUR_BLUE }, { "cat face", LP_COLOUR_YELLOW },
		{ "fire", LP_COLOUR_RED },
		{ "deciduous tree", LP_COLOUR_GREEN }, { "evergreen tree", LP_COLOUR_GREEN },
		{ "red apple", LP_COLOUR_RED },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].colour == t->colour && strcmp(rows[i].draw, t->draw) == 0)
			return true;
	}
	return false;
}

/* The flow model knows colours of living things well; made things are coloured afterwards. */
static bool model_colours(const struct lp_thing *t)
{
	return t->colour != LP_COLOUR_NONE && !natural(t) &&
	       (t->kind == LP_THING_ANIMAL || t->kind == LP_THING_BIRD || t->kind == LP_THING_SWIMMER ||
		(t->kind == LP_THING_FLYER && t->size < 1.0f));
}

static const char *colour_word(enum lp_colour colour)
{
	static const char *const words[] = { "", "red ", "orange ", "yellow ", "green ", "blue ", "purple ", "pink ",
					     "brown ",
					     "black ", "white ", "gray " };

	return words[colour];
}

/* The black cat was a picture of its own among those that the model learnt from, the only one with a body. */
static bool black_cat(struct compose *c, const struct lp_thing *t)
{
	return t->colour == LP_COLOUR_BLACK || (t->colour == LP_COLOUR_NONE && lp_dice_below(&c->dice, 3) == 0);
}

static enum lp_code draw_things(struct compose *c, struct lp_scope *scope, struct lp_scope *tmp, struct lp_err *e)
{
	const struct lp_scene *scene = c->want->scene;
	struct lp_flow_ask asks[LP_SCENE_THINGS];
	struct lp_flow_how how = { .steps = c->want->steps, .guidance = c->want->guidance, .stop = c->want->stop };

	for (int i = 0; i < scene->n_things; i++) {
		const struct lp_thing *t = &scene->things[i];

		asks[i] = (struct lp_flow_ask){ .seed = lp_dice_next(&c->dice) };
		asks[i].prompt = lp_span(lp_fmt(tmp, "%s%s", model_colours(t) ? colour_word(t->colour) : "", t->draw));
		if (strcmp(t->draw, "cat face") == 0 && black_cat(c, t))
			asks[i].prompt = LP_SPAN("black cat");
	}
	enum lp_code code = scene->n_things ? lp_flow_draw(tmp, c->want->flow, asks, scene->n_things, &how) : LP_OK;

	for (int i = 0; i < scene->n_things && code == LP_OK; i++) {
		struct placed *p = &c->at[c->n++];

		p->thing = &scene->things[i];
		code = lp_sprite_make(scope, &p->im, asks[i].picture, c->want->enlarge, e);
	}
	return code;
}

/* Everything made takes the colour that was said. */
static void colour_thing(const struct placed *p)
{
	if (p->thing->colour != LP_COLOUR_NONE && !natural(p->thing) && !model_colours(p->thing))
		lp_sprite_colour(p->im, p->thing->colour);
}

static bool in_air(const struct compose *c, const struct lp_thing *t)
{
	enum lp_setting s = c->want->scene->setting;

	if (s == LP_PLACE_SKY || s == LP_PLACE_SPACE || s == LP_PLACE_UNDERWATER)
		return t->kind != LP_THING_BUILDING || s != LP_PLACE_UNDERWATER;
	return t->kind == LP_THING_FLYER || (t->kind == LP_THING_SPACE && s != LP_PLACE_MOON);
}

static bool afloat(const struct compose *c, const struct lp_thing *t)
{
	enum lp_setting s = c->want->scene->setting;
	bool swims = t->kind == LP_THING_FLOATER || t->kind == LP_THING_SWIMMER ||
		     (t->kind == LP_THING_BIRD && s == LP_PLACE_LAKE);

	return c->b->water && (swims || s == LP_PLACE_SEA);
}

/* How tall: the subject fills about half, the others stand to it as in nature, but less so. */
static float height_of(const struct compose *c, const struct placed *p, const struct lp_thing *subject)
{
	const struct lp_thing *t = p->thing;
	int alike = 0;

	for (int i = 0; i < c->n; i++)
		alike += strcmp(c->at[i].thing->draw, subject->draw) == 0;
	float ratio = powf(t->size / subject->size, t->size < subject->size ? 1.0f : 0.75f);
	float whole = c->unit * (c->n == 1 ? 0.51f : alike > 2 ? 0.3f : 0.42f);

	if (t->kind == LP_THING_FOOD || subject->kind == LP_THING_FOOD)
		whole *= 0.9f;
	ratio = ratio < 0.25f ? 0.25f : ratio > 1.5f ? 1.5f : ratio;
	return whole * ratio * (t->large ? 1.35f : t->small ? 0.6f : 1.0f);
}

static void place_in_air(struct compose *c, struct placed *p, int i)
{
	float top = p->height * 0.5f + c->unit * 0.05f, h = (float)c->b->im->h;
	float low = c->b->horizon < h ? c->b->horizon * 0.72f : h * 0.72f;
	enum lp_setting s = c->want->scene->setting;

	p->air = true;
	if (low < top)
		low = top;
	float middle = s == LP_PLACE_SKY || s == LP_PLACE_SPACE || s == LP_PLACE_UNDERWATER
			       ? h * (0.42f + 0.12f * (float)(i % 3 - 1)) + chance(c, -0.04f, 0.04f) * h
			       : chance(c, top, low);

	p->base = middle + p->height * 0.5f;
	p->depth = 0.2f;
}

static void place_on_ground(struct compose *c, struct placed *p, const struct lp_thing *subject, int i)
{
	float h = (float)c->b->im->h, ground = h - c->b->horizon;
	bool back = p->thing->size > subject->size * 1.25f;	/* a house behind a cat */
	float near = back ? chance(c, 0.16f, 0.26f) : i == 0 ? chance(c, 0.68f, 0.78f) : chance(c, 0.42f, 0.82f);

	p->afloat = afloat(c, p->thing);
	if (c->b->water && !p->afloat && c->b->shore < h)
		near = lp_mix((c->b->shore - c->b->horizon) / ground + 0.12f, 0.9f, near);
	if (p->afloat) {
		float end = c->b->shore < h ? (c->b->shore - c->b->horizon) / ground * 0.72f : 0.55f;

		near = end * (i == 0 ? 0.85f : chance(c, 0.35f, 0.9f));
	}
	if (c->want->scene->setting == LP_PLACE_TABLE)
		near = 0.42f + 0.2f * near + (i == 0 ? 0.15f : 0.0f);
	p->base = c->b->horizon + ground * near;
	p->depth = 1.0f - near;
	if (back)
		p->height *= 0.9f;
}

/* All of them together are no wider than the picture: else all shrink. */
static void make_room(struct compose *c)
{
	float w = (float)c->b->im->w, sum = 0.0f;

	for (int i = 0; i < c->n; i++)
		sum += c->at[i].height * (float)c->at[i].im->w / (float)c->at[i].im->h;
	float fit = sum > w * 0.95f ? w * 0.95f / sum : 1.0f;

	fit = fit < 0.6f ? 0.6f : fit;
	for (int i = 0; i < c->n; i++)
		c->at[i].height *= fit;
}

/* Left to right so that nobody hides another; the subject near the middle, or in it when alone. */
static void spread_out(struct compose *c)
{
	float w = (float)c->b->im->w, side = lp_dice_below(&c->dice, 2) ? 1.0f : -1.0f, used[LP_SCENE_THINGS];

	make_room(c);
	for (int i = 0; i < c->n; i++) {
		struct placed *p = &c->at[i];
		float wide = p->height * (float)p->im->w / (float)p->im->h, best = -1e9f, best_x = w * 0.5f;

		if (wide > w * 0.9f) {
			p->height *= w * 0.9f / wide;
			wide = w * 0.9f;
		}
		for (int k = 0; k < 48; k++) {
			float x = chance(c, wide * 0.5f, w - wide * 0.5f), score = 0.0f;

			if (i == 0 && c->n > 1)
				x = w * (0.5f - side * chance(c, 0.08f, 0.2f));
			else if (i == 0)
				x = w * chance(c, 0.42f, 0.58f);
			for (int j = 0; j < i; j++) {
				float gap = fabsf(x - c->at[j].x) - 0.5f * (wide + used[j]);
				float level = fabsf(p->base - c->at[j].base) / c->unit;

				score += gap < 0.0f ? gap * (level > 0.3f ? 0.6f : 1.0f) : 0.0f;
			}
			score -= 0.08f * fabsf(x - w * 0.5f);
			if (score > best) {
				best = score;
				best_x = x;
			}
		}
		p->x = best_x;
		used[i] = wide;
	}
}

static void place(struct compose *c)
{
	const struct lp_thing *subject = c->n ? c->at[0].thing : NULL;
	float h = (float)c->b->im->h;

	for (int i = 0; i < c->n; i++) {
		struct placed *p = &c->at[i];

		p->height = height_of(c, p, subject);
		if (in_air(c, p->thing))
			place_in_air(c, p, i);
		else
			place_on_ground(c, p, subject, i);
		p->mirror = lp_dice_below(&c->dice, 2);
		/* A bust is cut by the picture's edge, not by the grass. */
		if (p->thing->kind == LP_THING_PERSON && !p->air && lp_sprite_is_cut(p->im) && i == 0) {
			p->height *= 1.05f;
			p->base = h + p->height * 0.02f;
			p->depth = 0.0f;
		}
		if (!p->air && p->base - p->height < h * 0.04f)
			p->height = p->base - h * 0.04f;
	}
	spread_out(c);
}

/* What stands in a light takes its colour; what is far fades. */
static void light_thing(const struct compose *c, const struct placed *p, struct lp_image *im)
{
	const struct lp_light *l = &c->b->light;
	float side = l->x * (float)c->b->im->w < p->x ? -1.0f : 1.0f;
	bool fire = strcmp(p->thing->draw, "fire") == 0 || strcmp(p->thing->draw, "candle") == 0;
	float haze = p->air ? 0.04f : lp_smooth(0.6f, 1.0f, p->depth) * 0.4f;

	for (int y = 0; y < im->h && !fire; y++) {
		for (int x = 0; x < im->w; x++) {
			float *q = lp_image_at(im, x, y), u = ((float)x / (float)im->w - 0.5f) * side;
			float v = (float)y / (float)im->h, rim = 1.0f + 0.22f * u - 0.16f * (v - 0.4f);
			struct lp_rgb a = lp_rgb_mix(l->ambient, l->sun, lp_unit(u * 0.5f));

			q[0] = lp_mix(lp_unit(q[0] * a.r * rim), l->haze.r * q[3], haze);
			q[1] = lp_mix(lp_unit(q[1] * a.g * rim), l->haze.g * q[3], haze);
			q[2] = lp_mix(lp_unit(q[2] * a.b * rim), l->haze.b * q[3], haze);
			for (int k = 0; k < 3; k++)
				q[k] = q[k] > q[3] ? q[3] : q[k];
		}
	}
}

/* The outline laid down on the ground, away from the light, and a dark spot where it touches. */
static void shadow(struct compose *c, struct lp_scope *tmp, const struct placed *p, const struct lp_image *im)
{
	const struct lp_light *l = &c->b->light;
	float lean = (p->x / (float)c->b->im->w - l->x) * 0.9f, flat = 0.26f;
	int h = (int)((float)im->h * flat) + 2, pad = (int)(c->unit * 0.05f) + 2;
	int w = im->w + (int)(fabsf(lean) * (float)h * 2.0f) + 2;
	struct lp_image *s = lp_image_new(tmp, w + 2 * pad, h + 2 * pad);
	float shift = lean < 0.0f ? -lean * (float)h * 2.0f : 0.0f;
	float dark = c->want->scene->hour == LP_HOUR_NIGHT ? 0.4f : 0.5f;

	for (int y = 0; y < h; y++) {
		for (int x = 0; x < im->w; x++) {
			float up = 1.0f - (float)y / (float)h;
			int to = (int)((float)x + shift + lean * up * (float)h * 2.0f);
			float a = lp_image_at(im, x, (int)((float)y / (float)h * (float)(im->h - 1)))[3];

			if (to >= 0 && to < w && a > lp_image_at(s, to + pad, y + pad)[3])
				lp_image_at(s, to + pad, y + pad)[3] = a;
		}
	}
	for (int x = 0; x < im->w; x++) {	/* where it stands */
		for (int y = h - 3 - h / 5; y < h; y++) {
			float u = (float)x / (float)im->w * 2.0f - 1.0f, a = lp_unit(1.4f * (1.0f - u * u));

			if (a > lp_image_at(s, (int)((float)x + shift) + pad, y + pad)[3])
				lp_image_at(s, (int)((float)x + shift) + pad, y + pad)[3] = a * 0.8f;
		}
	}
	lp_image_blur(s, c->unit * 0.006f + 0.5f);
	for (int i = 0; i < s->w * s->h; i++)
		s->px[4 * i + 3] *= dark;
	lp_image_lay(c->b->im, s, (int)(p->x - (float)im->w * 0.5f - shift) - pad, (int)p->base - h - pad + h / 8);
}

/* On water: the lowest part is under it, and the rest comes back upside down. */
static void reflect(struct compose *c, struct lp_scope *tmp, const struct placed *p, struct lp_image *im)
{
	int sunk = im->h / 14;
	struct lp_image *down = lp_image_new(tmp, im->w, (im->h - sunk) / 2 + 1);

	for (int y = 0; y < down->h; y++) {
		float fade = 0.42f * (1.0f - (float)y / (float)down->h);
		int bend = (int)(sinf((float)y * 0.55f) * 1.6f + 0.5f);

		for (int x = 0; x < im->w; x++) {
			int from = x + bend, line = im->h - sunk - 1 - y * 2;

			if (from < 0 || from >= im->w || line < 0)
				continue;
			for (int k = 0; k < 4; k++)
				lp_image_at(down, x, y)[k] = lp_image_at(im, from, line)[k] * fade;
		}
	}
	for (int y = im->h - sunk; y < im->h; y++)
		memset(lp_image_at(im, 0, y), 0, (size_t)im->w * 4 * sizeof(float));
	lp_image_lay(c->b->im, down, (int)(p->x - (float)im->w * 0.5f), (int)p->base - sunk);
}

static void put_thing(struct compose *c, struct placed *p)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "thing");
	int h = (int)p->height > 8 ? (int)p->height : 8, w = (int)(p->height * (float)p->im->w / (float)p->im->h);
	struct lp_image *im = lp_image_resize(tmp, p->im, w > 4 ? w : 4, h);

	if (p->mirror)
		lp_image_mirror(im);
	light_thing(c, p, im);
	if (p->afloat)
		reflect(c, tmp, p, im);
	else if (!p->air && p->base < (float)c->b->im->h)
		shadow(c, tmp, p, im);
	lp_image_lay(c->b->im, im, (int)(p->x - (float)im->w * 0.5f), (int)p->base - im->h);
	lp_scope_close(&tmp);
}

static int by_depth(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->air != y->air)
		return x->air - y->air;		/* what flies is in front of what stands */
	return (x->base > y->base) - (x->base < y->base);
}

static enum lp_code compose(struct compose *c, struct lp_scope *scope, struct lp_scope *tmp, struct lp_err *e)
{
	enum lp_code code = draw_things(c, tmp, tmp, e);

	if (code != LP_OK)
		return code;
	c->b = lp_backdrop_paint(scope, c->want->scene, lp_dice_next(&c->dice), c->want->w, c->want->h);
	for (int i = 0; i < c->n; i++)
		colour_thing(&c->at[i]);
	place(c);
	qsort(c->at, (size_t)c->n, sizeof c->at[0], by_depth);
	for (int i = 0; i < c->n; i++) {
		if (lp_stopped(c->want->stop))
			return lp_fail(e, LP_GONE, "stopped");
		put_thing(c, &c->at[i]);
	}
	lp_backdrop_weather(c->b, c->want->scene, c->want->seed);
	return LP_OK;
}

enum lp_code lp_compose(struct lp_scope *scope, struct lp_image **out, const struct lp_compose_want *want,
			struct lp_err *e)
{
	struct lp_scope *tmp = lp_scope_open(scope, "compose");
	struct compose c = { .want = want, .unit = (float)(want->w < want->h ? want->w : want->h) };

	lp_dice_init(&c.dice, want->seed);
	enum lp_code code = compose(&c, scope, tmp, e);

	*out = code == LP_OK ? c.b->im : NULL;
	lp_scope_close(&tmp);
	return code;
}
