#include "paint.h"

#include <math.h>
#include <string.h>

#include "noise.h"

static float luminance(const float *p)
{
	return 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
}

static const float *clamped(const struct lp_image *im, int x, int y)
{
	x = x < 0 ? 0 : x >= im->w ? im->w - 1 : x;
	y = y < 0 ? 0 : y >= im->h ? im->h - 1 : y;
	return lp_image_at(im, x, y);
}

/* Of the four squares that meet in a pixel, the calmest one's mean: strokes with firm borders (Kuwahara). */
static void calmest(const struct lp_image *from, int x, int y, int r, float *to)
{
	float best = 1e9f;

	for (int q = 0; q < 4; q++) {
		int x0 = q % 2 ? x : x - r, y0 = q / 2 ? y : y - r;
		float sum[3] = { 0 }, light = 0.0f, square = 0.0f, n = (float)((r + 1) * (r + 1));

		for (int j = y0; j <= y0 + r; j++) {
			for (int i = x0; i <= x0 + r; i++) {
				const float *p = clamped(from, i, j);
				float l = luminance(p);

				for (int c = 0; c < 3; c++)
					sum[c] += p[c];
				light += l;
				square += l * l;
			}
		}
		float variance = square / n - light / n * (light / n);

		if (variance < best) {
			best = variance;
			for (int c = 0; c < 3; c++)
				to[c] = sum[c] / n;
		}
	}
}

static void strokes(struct lp_image *im, const struct lp_image *from, int r)
{
	for (int y = 0; y < im->h; y++) {
		for (int x = 0; x < im->w; x++)
			calmest(from, x, y, r, lp_image_at(im, x, y));
	}
}

/* Dark lines where light changes, on paper; `ink` keeps the colours below. */
static void lines(struct lp_image *im, const struct lp_image *from, bool ink)
{
	for (int y = 0; y < im->h; y++) {
		for (int x = 0; x < im->w; x++) {
			float gx = luminance(clamped(from, x + 1, y)) - luminance(clamped(from, x - 1, y));
			float gy = luminance(clamped(from, x, y + 1)) - luminance(clamped(from, x, y - 1));
			float edge = lp_smooth(0.02f, 0.16f, sqrtf(gx * gx + gy * gy)), *p = lp_image_at(im, x, y);
			float light = luminance(clamped(from, x, y)), grain = lp_noise_at(17, x, y);
			float hatch = (x + y) % 7 < 3 && light < 0.55f ? 0.82f : 1.0f;
			float paper = ink ? 1.0f : lp_unit(0.72f + 0.28f * light + 0.05f * (grain - 0.5f)) * hatch;

			for (int c = 0; c < 3; c++) {
				float ground = ink ? floorf(p[c] * 5.0f + 0.5f) / 5.0f
					: paper * (c == 2 ? 0.93f : 1.0f);

				p[c] = lp_mix(ground, 0.12f, edge * (ink ? 0.9f : 0.75f));
			}
		}
	}
}

static void watercolour(struct lp_image *im)
{
	for (int y = 0; y < im->h; y++) {
		for (int x = 0; x < im->w; x++) {
			float *p = lp_image_at(im, x, y);
			float wet = lp_fbm(31, (float)x * 0.02f, (float)y * 0.02f, 4), grain = lp_noise_at(33, x, y);

			for (int c = 0; c < 3; c++)
				p[c] = lp_unit(lp_mix(p[c], 1.0f, 0.22f + 0.3f * (wet - 0.4f)) +
					       0.04f * (grain - 0.5f));
		}
	}
}

/* Cells around scattered points, each of one colour, with lead between them. */
static void cells(struct lp_image *im, const struct lp_image *from, uint32_t seed, float side)
{
	for (int y = 0; y < im->h; y++) {
		for (int x = 0; x < im->w; x++) {
			int cx = (int)((float)x / side), cy = (int)((float)y / side);
			float best = 1e9f, second = 1e9f, px = 0.0f, py = 0.0f;

			for (int k = 0; k < 9; k++) {
				int i = cx + k % 3 - 1, j = cy + k / 3 - 1;
				float qx = ((float)i + lp_noise_at(seed, i, j)) * side;
				float qy = ((float)j + lp_noise_at(seed + 1, i, j)) * side;
				float dx = (float)x - qx, dy = (float)y - qy, d = sqrtf(dx * dx + dy * dy);

				if (d < best) {
					second = best;
					best = d;
					px = qx;
					py = qy;
				} else if (d < second) {
					second = d;
				}
			}
			const float *p = clamped(from, (int)px, (int)py);
			float lead = lp_smooth(0.4f, 1.8f, second - best), *to = lp_image_at(im, x, y);

			for (int c = 0; c < 3; c++)
				to[c] = p[c] * (0.15f + 0.85f * lead);
		}
	}
}

void lp_paint(struct lp_image *im, enum lp_manner manner, uint32_t seed)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "paint");
	const struct lp_image *from = lp_image_copy(tmp, im);
	int side = im->w < im->h ? im->w : im->h, r = side / 170 + 1;

	switch (manner) {
	case LP_MANNER_AUTO:
	case LP_MANNER_PLAIN:
		break;
	case LP_MANNER_OIL:
	case LP_MANNER_PASTEL:
		strokes(im, from, r);
		break;
	case LP_MANNER_IMPASTO:
		strokes(im, from, r + 2);
		break;
	case LP_MANNER_WATERCOLOUR:
		strokes(im, from, r);
		watercolour(im);
		break;
	case LP_MANNER_SKETCH:
		lines(im, from, false);
		break;
	case LP_MANNER_INK:
	case LP_MANNER_POP:
		lines(im, from, true);
		break;
	case LP_MANNER_MOSAIC:
	case LP_MANNER_CUBIST:
		cells(im, from, seed, (float)side / (manner == LP_MANNER_MOSAIC ? 48.0f : 20.0f));
		break;
	}
	lp_scope_close(&tmp);
}
