#include "resize.h"

#include <math.h>

#define LOBES 3.0

/* For one place of the result: where its sources begin, how many, and their weights. */
struct taps {
	int first, n;
	float *weight;
};

static double lanczos(double x)
{
	const double pi = 3.141592653589793;

	if (fabs(x) < 1e-9)
		return 1.0;
	if (fabs(x) >= LOBES)
		return 0.0;
	return LOBES * sin(pi * x) * sin(pi * x / LOBES) / (pi * pi * x * x);
}

static struct taps *taps_new(struct lp_scope *scope, int from, int to)
{
	double scale = (double)from / to, wide = scale > 1.0 ? scale : 1.0;
	int most = (int)ceil(2.0 * LOBES * wide) + 2;
	struct taps *taps = lp_new_array(scope, struct taps, (size_t)to);

	for (int i = 0; i < to; i++) {
		double centre = ((double)i + 0.5) * scale - 0.5, sum = 0.0;
		int first = (int)floor(centre - LOBES * wide) + 1, last = (int)ceil(centre + LOBES * wide) - 1;

		first = first < 0 ? 0 : first;
		last = last > from - 1 ? from - 1 : last;
		taps[i] = (struct taps){ first, last - first + 1, lp_new_array(scope, float, (size_t)most) };
		for (int k = 0; k < taps[i].n; k++)
			sum += lanczos(((double)(first + k) - centre) / wide);
		for (int k = 0; k < taps[i].n; k++)
			taps[i].weight[k] = (float)(lanczos(((double)(first + k) - centre) / wide) / sum);
	}
	return taps;
}

static void tap(float *to, const float *from, size_t stride, const struct taps *t)
{
	float sum[4] = { 0 };

	from += (size_t)t->first * stride;
	for (int k = 0; k < t->n; k++, from += stride) {
		for (int c = 0; c < 4; c++)
			sum[c] += from[c] * t->weight[k];
	}
	for (int c = 0; c < 4; c++)
		to[c] = sum[c];
}

/* The lobes swing over: bring every pixel back to what a picture may hold. */
static void settle(struct lp_image *im)
{
	size_t n = (size_t)im->w * (size_t)im->h;

	for (float *p = im->px; n; n--, p += 4) {
		p[3] = lp_unit(p[3]);
		for (int c = 0; c < 3; c++) {
			p[c] = lp_unit(p[c]);
			p[c] = p[c] < p[3] ? p[c] : p[3];
		}
	}
}

struct lp_image *lp_image_resize(struct lp_scope *scope, const struct lp_image *from, int w, int h)
{
	struct lp_image *out = lp_image_new(scope, w, h);
	struct lp_scope *tmp = lp_scope_open(NULL, "resize");
	struct lp_image *half = lp_image_new(tmp, w, from->h);
	const struct taps *across = taps_new(tmp, from->w, w), *down = taps_new(tmp, from->h, h);

	for (int y = 0; y < from->h; y++) {
		for (int x = 0; x < w; x++)
			tap(lp_image_at(half, x, y), lp_image_at(from, 0, y), 4, &across[x]);
	}
	for (int y = 0; y < h; y++) {
		for (int x = 0; x < w; x++)
			tap(lp_image_at(out, x, y), lp_image_at(half, x, 0), (size_t)w * 4, &down[y]);
	}
	lp_scope_close(&tmp);
	settle(out);
	return out;
}
