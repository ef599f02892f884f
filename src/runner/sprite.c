#include "sprite.h"

#include <math.h>
#include <string.h>

#include "resize.h"

#define SPECK 0.03f		/* of the largest part: what is smaller is no part of the thing */

struct parts {
	int *label;
	int *stack;
	int *size;
	int n;
};

static void flood(struct parts *p, const struct lp_image *im, int at)
{
	int top = 0, w = im->w, all = im->w * im->h;

	p->stack[top++] = at;
	p->label[at] = p->n;
	while (top) {
		int here = p->stack[--top], around[4] = { here - 1, here + 1, here - w, here + w };

		p->size[p->n]++;
		for (int k = 0; k < 4; k++) {
			int next = around[k];

			if (next < 0 || next >= all || (k < 2 && next / w != here / w) || p->label[next] ||
			    im->px[4 * next + 3] < 0.3f)
				continue;
			p->label[next] = p->n;
			p->stack[top++] = next;
		}
	}
}

/* Parts that hang together are counted; small ones and the veil between them become clear. */
static void drop_specks(struct lp_scope *tmp, struct lp_image *im)
{
	int all = im->w * im->h, largest = 0;
	size_t n = (size_t)all;
	struct parts p = { lp_new_array(tmp, int, n), lp_new_array(tmp, int, n + 4), lp_new_array(tmp, int, n + 2), 0 };

	for (int i = 0; i < all; i++) {
		if (p.label[i] || im->px[4 * i + 3] < 0.3f)
			continue;
		p.n++;
		flood(&p, im, i);
		largest = p.size[p.n] > largest ? p.size[p.n] : largest;
	}
	for (int i = 0; i < all; i++) {
		bool near = false;

		for (int k = 0; k < 9 && !near; k++) {
			int x = i % im->w + k % 3 - 1, y = i / im->w + k / 3 - 1;

			if (x >= 0 && y >= 0 && x < im->w && y < im->h)
				near = (float)p.size[p.label[y * im->w + x]] > SPECK * (float)largest &&
				       p.label[y * im->w + x];
		}
		if (!near)
			memset(im->px + 4 * i, 0, 4 * sizeof(float));
	}
}

/* Where it is clear, the mean of the neighbours that have a colour. */
static void grow_at(struct lp_image *to, const struct lp_image *from, int x, int y)
{
	float sum[4] = { 0 };

	if (lp_image_at(from, x, y)[3] > 0.0f)
		return;
	for (int k = 0; k < 9; k++) {
		const float *q = lp_image_at(from, x + k % 3 - 1, y + k / 3 - 1);

		for (int c = 0; c < 4; c++)
			sum[c] += q[c];
	}
	for (int c = 0; c < 4 && sum[3] > 0.0f; c++)
		lp_image_at(to, x, y)[c] = sum[c] / sum[3];
}

/* Colours without alpha, grown outwards so that no edge mixes with nothing: every clear pixel takes the mean
 * of its neighbours that have a colour, many times. */
static struct lp_image *spread(struct lp_scope *tmp, const struct lp_image *im)
{
	struct lp_image *a = lp_image_copy(tmp, im), *b = lp_image_new(tmp, im->w, im->h);
	size_t n = (size_t)im->w * (size_t)im->h;

	for (float *p = a->px; p < a->px + 4 * n; p += 4) {
		bool firm = p[3] > 0.92f;

		for (int c = 0; c < 3; c++)
			p[c] = firm ? lp_unit(p[c] / p[3]) : 0.0f;
		p[3] = firm ? 1.0f : 0.0f;
	}
	for (int round = 0; round < 10; round++) {
		memcpy(b->px, a->px, n * 4 * sizeof(float));
		for (int y = 1; y + 1 < im->h; y++)
			for (int x = 1; x + 1 < im->w; x++)
				grow_at(b, a, x, y);
		struct lp_image *swap = a;

		a = b;
		b = swap;
	}
	for (float *p = a->px; p < a->px + 4 * n; p += 4)
		p[3] = 1.0f;
	return a;
}

/* The decoder draws softly: edges get some of their steepness back before they grow. */
static void sharpen(struct lp_scope *tmp, struct lp_image *im, float amount)
{
	struct lp_image *soft = lp_image_copy(tmp, im);
	size_t n = (size_t)im->w * (size_t)im->h;

	lp_image_blur(soft, 1.1f);
	for (size_t i = 0; i < n; i++) {
		for (size_t c = 0; c < 3; c++)
			im->px[4 * i + c] =
				lp_unit(im->px[4 * i + c] + (im->px[4 * i + c] - soft->px[4 * i + c]) * amount);
	}
}

static enum lp_code grow(struct lp_scope *tmp, struct lp_image **out, const struct lp_image *colours,
			 const struct lp_enlarge_want *net, struct lp_err *e)
{
	if (net)
		return lp_enlarge(tmp, out, colours, net, e);
	*out = lp_image_resize(tmp, colours, colours->w * 4, colours->h * 4);
	return LP_OK;
}

enum lp_code lp_sprite_make(struct lp_scope *scope, struct lp_image **out, const struct lp_image *from,
			    const struct lp_enlarge_want *net, struct lp_err *e)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "sprite");
	struct lp_image *clean = lp_image_copy(tmp, from), *colours;
	int box[4];

	*out = NULL;
	drop_specks(tmp, clean);
	struct lp_image *inner = spread(tmp, clean);

	sharpen(tmp, inner, 0.3f);
	enum lp_code code = grow(tmp, &colours, inner, net, e);

	if (code == LP_OK) {
		struct lp_image *shape = lp_image_resize(tmp, clean, colours->w, colours->h);
		size_t n = (size_t)colours->w * (size_t)colours->h;

		for (size_t i = 0; i < n; i++) {
			float alpha = lp_smooth(0.3f, 0.62f, shape->px[4 * i + 3]);

			for (size_t c = 0; c < 3; c++)
				colours->px[4 * i + c] *= alpha;
			colours->px[4 * i + 3] = alpha;
		}
		if (lp_image_bounds(colours, 0.2f, box))
			*out = lp_image_crop(scope, colours, box);
		else
			*out = lp_image_new(scope, 4, 4);	/* the model drew nothing: clear */
	}
	lp_scope_close(&tmp);
	return code;
}

static float luminance(const float *p)
{
	return 0.3f * p[0] + 0.59f * p[1] + 0.11f * p[2];
}

void lp_sprite_colour(struct lp_image *im, enum lp_colour colour)
{
	static const struct lp_rgb to[] = {
		[LP_COLOUR_NONE] = { 0.5f, 0.5f, 0.5f },   [LP_COLOUR_RED] = { 0.80f, 0.13f, 0.12f },
		[LP_COLOUR_ORANGE] = { 0.93f, 0.52f, 0.12f }, [LP_COLOUR_YELLOW] = { 0.97f, 0.82f, 0.20f },
		[LP_COLOUR_GREEN] = { 0.22f, 0.62f, 0.24f }, [LP_COLOUR_BLUE] = { 0.16f, 0.40f, 0.85f },
		[LP_COLOUR_PURPLE] = { 0.50f, 0.24f, 0.70f }, [LP_COLOUR_PINK] = { 0.96f, 0.52f, 0.68f },
		[LP_COLOUR_BROWN] = { 0.48f, 0.30f, 0.17f }, [LP_COLOUR_BLACK] = { 0.16f, 0.16f, 0.18f },
		[LP_COLOUR_WHITE] = { 0.90f, 0.90f, 0.92f }, [LP_COLOUR_GRAY] = { 0.55f, 0.57f, 0.60f },
	};
	size_t n = (size_t)im->w * (size_t)im->h;
	float sum = 0.0f, weight = 0.0f;

	for (size_t i = 0; i < n; i++) {
		sum += luminance(im->px + 4 * i);
		weight += im->px[4 * i + 3];
	}
	float mean = weight > 0.0f ? sum / weight : 0.5f;

	for (size_t i = 0; i < n; i++) {
		float *p = im->px + 4 * i, light = p[3] > 0.0f ? luminance(p) / p[3] : 0.0f;
		float gain = powf(light / (mean + 0.02f), 0.8f), white = lp_smooth(1.3f, 2.4f, gain);
		struct lp_rgb c = to[colour];

		p[0] = lp_unit(lp_mix(c.r * gain, 1.0f, white)) * p[3];
		p[1] = lp_unit(lp_mix(c.g * gain, 1.0f, white)) * p[3];
		p[2] = lp_unit(lp_mix(c.b * gain, 1.0f, white)) * p[3];
	}
}

bool lp_sprite_is_cut(const struct lp_image *im)
{
	int full = 0, y = im->h - 3 > 0 ? im->h - 3 : 0;

	for (int x = 0; x < im->w; x++)
		full += lp_image_at(im, x, y)[3] > 0.8f;
	return full * 10 > im->w * 6;
}
