#include "style.h"

/* Three planes of 0..1; a picture with alpha is taken as it lies over black. */
static float *planes(struct lp_scope *scope, const struct lp_image *im)
{
	size_t n = (size_t)im->w * (size_t)im->h;
	float *v = lp_new_array(scope, float, 3 * n);

	for (size_t i = 0; i < n; i++) {
		for (size_t c = 0; c < 3; c++)
			v[c * n + i] = im->px[4 * i + c];
	}
	return v;
}

static float luminance(const float *p)
{
	return 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
}

/* The answer's pixel; its sides are rounded up to a multiple of four, what is beyond the picture is not asked. */
static void painted_at(const struct lp_tensor *t, int x, int y, float to[3])
{
	size_t w = (size_t)t->dims[3], plane = w * (size_t)t->dims[2];

	for (size_t c = 0; c < 3; c++)
		to[c] = lp_unit(t->v[c * plane + (size_t)y * w + (size_t)x]);
}

/* How much lighter the painter made each region, as a soft picture (in its first channel). */
static struct lp_image *tone(struct lp_scope *tmp, const struct lp_image *im, const struct lp_tensor *t)
{
	struct lp_image *d = lp_image_new(tmp, im->w, im->h);

	for (int y = 0; y < im->h; y++) {
		for (int x = 0; x < im->w; x++) {
			float painted[3];

			painted_at(t, x, y, painted);
			lp_image_at(d, x, y)[0] = luminance(painted) - luminance(lp_image_at(im, x, y));
		}
	}
	lp_image_blur(d, (float)(im->w < im->h ? im->w : im->h) * 0.03f);
	return d;
}

/* Light and dark are taken over by `strength`, colours by as much of that as `colour` says. */
static void mix_pixel(float *p, const float painted[3], float tone_kept, const struct lp_style_want *want)
{
	float shift = luminance(painted) - luminance(p) - tone_kept;

	for (int c = 0; c < 3; c++) {
		float kept = lp_unit(p[c] + shift), all = lp_mix(kept, painted[c], want->colour);

		p[c] = lp_mix(p[c], all, want->strength);
		p[c] = p[c] > p[3] ? p[3] : p[c];
	}
}

static void mix(struct lp_scope *tmp, struct lp_image *im, const struct lp_tensor *t, const struct lp_style_want *want)
{
	const struct lp_image *d = want->keep_tone ? tone(tmp, im, t) : NULL;

	for (int y = 0; y < im->h; y++) {
		for (int x = 0; x < im->w; x++) {
			float painted[3];

			painted_at(t, x, y, painted);
			mix_pixel(lp_image_at(im, x, y), painted, d ? lp_image_at(d, x, y)[0] : 0.0f, want);
		}
	}
}

enum lp_code lp_style_apply(struct lp_onnx_net *net, struct lp_image *im, const struct lp_style_want *want,
			    struct lp_err *e)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "style");
	float weights[LP_STYLES];
	struct lp_tensor in[2] = {
		{ "image", { 1, 3, im->h, im->w }, 4, planes(tmp, im) },
		{ "style_weights", { LP_STYLES }, 1, weights },
	};
	struct lp_onnx_io io = { .in = in, .n_in = 2, .out = { .name = "stylized" } };

	for (int i = 0; i < LP_STYLES; i++)
		weights[i] = want->weights[i];
	enum lp_code code = lp_onnx_run(tmp, net, &io, e);
	const struct lp_tensor *t = &io.out;

	if (code == LP_OK && (t->n_dims != 4 || t->dims[1] != 3 || t->dims[2] < im->h || t->dims[3] < im->w))
		code = lp_fail(e, LP_RUNNER, "the style network's answer has another size than the picture");
	if (code == LP_OK)
		mix(tmp, im, t, want);
	lp_scope_close(&tmp);
	return code;
}
