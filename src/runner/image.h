/* runner/image - a picture in memory, and laying one over another.
 *
 * Four floats a pixel: red, green, blue multiplied by alpha, then alpha, all 0..1 in the coding of the
 * screen (sRGB).  No operation here keeps a pointer. */
#ifndef LPD_RUNNER_IMAGE_H
#define LPD_RUNNER_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <lpd/base/scope.h>

#define LP_IMAGE_SIDE 4096	/* the longest side taken in or made */

struct lp_image {
	int w, h;
	float *px;		/* w * h * 4 */
};

struct lp_rgb {
	float r, g, b;
};

/* Clear (transparent black); asserts 1 <= w, h <= LP_IMAGE_SIDE. */
struct lp_image *lp_image_new(struct lp_scope *scope, int w, int h);
struct lp_image *lp_image_copy(struct lp_scope *scope, const struct lp_image *from);

static inline float *lp_image_at(const struct lp_image *im, int x, int y)
{
	return im->px + 4 * ((size_t)y * (size_t)im->w + (size_t)x);
}

/* Into 0..1; what is no number becomes 0, so that no wrong float reaches a cast to an integer. */
static inline float lp_unit(float v)
{
	return v > 0.0f ? (v < 1.0f ? v : 1.0f) : 0.0f;
}

static inline uint8_t lp_byte(float v)
{
	return (uint8_t)(lp_unit(v) * 255.0f + 0.5f);
}

static inline float lp_mix(float a, float b, float t)
{
	return a + (b - a) * t;
}

struct lp_rgb lp_rgb_mix(struct lp_rgb a, struct lp_rgb b, float t);
/* 0 at or below a, 1 at or above b, smooth between. */
float lp_smooth(float a, float b, float x);

/* Lay `over` with its left upper corner at (x, y), wholly or partly outside too. */
void lp_image_lay(struct lp_image *under, const struct lp_image *over, int x, int y);
/* One pixel of a colour with a weight, over what is there; outside: nothing. */
void lp_image_dab(struct lp_image *im, int x, int y, struct lp_rgb colour, float alpha);
/* to = to * (1 - t) + from * t; same size. */
void lp_image_blend(struct lp_image *to, const struct lp_image *from, float t);
void lp_image_mirror(struct lp_image *im);
/* Soften by three box passes (close to a Gauss curve of that sigma). */
void lp_image_blur(struct lp_image *im, float sigma);
/* The smallest rectangle that holds every pixel with alpha above `least`; false: there is none. */
bool lp_image_bounds(const struct lp_image *im, float least, int box[4]);
struct lp_image *lp_image_crop(struct lp_scope *scope, const struct lp_image *from, const int box[4]);

/* Peak signal to noise in dB over red, green, blue; 99 when equal. Same size. */
double lp_image_psnr(const struct lp_image *a, const struct lp_image *b);

#endif
