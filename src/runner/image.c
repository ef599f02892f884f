#include "image.h"

#include <math.h>
#include <string.h>

#include <lpd/base/assert.h>

struct lp_image *lp_image_new(struct lp_scope *scope, int w, int h)
{
	lp_assert(w >= 1 && h >= 1 && w <= LP_IMAGE_SIDE && h <= LP_IMAGE_SIDE);
	struct lp_image *im = lp_new(scope, struct lp_image);

	im->w = w;
	im->h = h;
	im->px = lp_new_array(scope, float, (size_t)w * (size_t)h * 4);
	return im;
}

struct lp_image *lp_image_copy(struct lp_scope *scope, const struct lp_image *from)
{
	struct lp_image *im = lp_image_new(scope, from->w, from->h);

	memcpy(im->px, from->px, (size_t)im->w * (size_t)im->h * 4 * sizeof(float));
	return im;
}

struct lp_rgb lp_rgb_mix(struct lp_rgb a, struct lp_rgb b, float t)
{
	return (struct lp_rgb){ lp_mix(a.r, b.r, t), lp_mix(a.g, b.g, t), lp_mix(a.b, b.b, t) };
}

float lp_smooth(float a, float b, float x)
{
	float t = lp_unit((x - a) / (b - a));

	return t * t * (3.0f - 2.0f * t);
}

void lp_image_lay(struct lp_image *under, const struct lp_image *over, int x, int y)
{
	int x0 = x < 0 ? -x : 0, y0 = y < 0 ? -y : 0;
	int x1 = x + over->w > under->w ? under->w - x : over->w;
	int y1 = y + over->h > under->h ? under->h - y : over->h;

	for (int j = y0; j < y1; j++) {
		for (int i = x0; i < x1; i++) {
			const float *from = lp_image_at(over, i, j);
			float *to = lp_image_at(under, x + i, y + j), rest = 1.0f - from[3];

			for (int c = 0; c < 4; c++)
				to[c] = from[c] + to[c] * rest;
		}
	}
}

void lp_image_dab(struct lp_image *im, int x, int y, struct lp_rgb colour, float alpha)
{
	if (x < 0 || y < 0 || x >= im->w || y >= im->h)
		return;
	float *to = lp_image_at(im, x, y);

	to[0] = lp_mix(to[0], colour.r, alpha);
	to[1] = lp_mix(to[1], colour.g, alpha);
	to[2] = lp_mix(to[2], colour.b, alpha);
	to[3] = lp_mix(to[3], 1.0f, alpha);
}

void lp_image_blend(struct lp_image *to, const struct lp_image *from, float t)
{
	lp_assert(to->w == from->w && to->h == from->h);
	size_t n = (size_t)to->w * (size_t)to->h * 4;

	for (size_t i = 0; i < n; i++)
		to->px[i] = lp_mix(to->px[i], from->px[i], t);
}

void lp_image_mirror(struct lp_image *im)
{
	for (int y = 0; y < im->h; y++) {
		for (int a = 0, b = im->w - 1; a < b; a++, b--) {
			float *p = lp_image_at(im, a, y), *q = lp_image_at(im, b, y), keep[4];

			memcpy(keep, p, sizeof keep);
			memcpy(p, q, sizeof keep);
			memcpy(q, keep, sizeof keep);
		}
	}
}

/* A running mean over 2r + 1 pixels of one line; what lies outside repeats the edge. */
static void box_line(const float *from, float *to, int n, size_t stride, int r)
{
	float sum[4] = { 0 }, scale = 1.0f / (float)(2 * r + 1);

	for (int c = 0; c < 4; c++) {
		sum[c] = from[c] * (float)(r + 1);
		for (int i = 1; i <= r; i++)
			sum[c] += from[(size_t)(i < n ? i : n - 1) * stride + (size_t)c];
	}
	for (int i = 0; i < n; i++) {
		int in = i + r + 1 < n ? i + r + 1 : n - 1, out = i - r > 0 ? i - r : 0;

		for (int c = 0; c < 4; c++) {
			to[(size_t)i * stride + (size_t)c] = sum[c] * scale;
			sum[c] += from[(size_t)in * stride + (size_t)c] - from[(size_t)out * stride + (size_t)c];
		}
	}
}

static void box(struct lp_image *im, float *spare, int r)
{
	size_t line = (size_t)im->w * 4;

	for (int y = 0; y < im->h; y++)
		box_line(im->px + (size_t)y * line, spare + (size_t)y * line, im->w, 4, r);
	for (int x = 0; x < im->w; x++)
		box_line(spare + (size_t)x * 4, im->px + (size_t)x * 4, im->h, line, r);
}

void lp_image_blur(struct lp_image *im, float sigma)
{
	int r = (int)(sigma * 0.97f + 0.5f);	/* three boxes of 2r + 1 have a variance of r (r + 1) */

	if (r < 1)
		return;
	struct lp_scope *tmp = lp_scope_open(NULL, "blur");
	float *spare = lp_new_array(tmp, float, (size_t)im->w * (size_t)im->h * 4);

	for (int pass = 0; pass < 3; pass++)
		box(im, spare, r);
	lp_scope_close(&tmp);
}

bool lp_image_bounds(const struct lp_image *im, float least, int box[4])
{
	box[0] = im->w;
	box[1] = im->h;
	box[2] = box[3] = 0;
	for (int y = 0; y < im->h; y++) {
		for (int x = 0; x < im->w; x++) {
			if (lp_image_at(im, x, y)[3] <= least)
				continue;
			if (x < box[0])
				box[0] = x;
			if (y < box[1])
				box[1] = y;
			if (x + 1 > box[2])
				box[2] = x + 1;
			if (y + 1 > box[3])
				box[3] = y + 1;
		}
	}
	return box[2] > 0;
}

struct lp_image *lp_image_crop(struct lp_scope *scope, const struct lp_image *from, const int box[4])
{
	struct lp_image *im = lp_image_new(scope, box[2] - box[0], box[3] - box[1]);

	for (int y = 0; y < im->h; y++)
		memcpy(lp_image_at(im, 0, y), lp_image_at(from, box[0], box[1] + y), (size_t)im->w * 4 * sizeof(float));
	return im;
}

double lp_image_psnr(const struct lp_image *a, const struct lp_image *b)
{
	lp_assert(a->w == b->w && a->h == b->h);
	size_t n = (size_t)a->w * (size_t)a->h;
	double sum = 0.0;

	for (size_t i = 0; i < n; i++) {
		for (size_t c = 0; c < 3; c++) {
			double d = (double)a->px[4 * i + c] - (double)b->px[4 * i + c];

			sum += d * d;
		}
	}
	double mean = sum / ((double)n * 3.0);

	return mean < 1.3e-10 ? 99.0 : -10.0 * log10(mean);
}
