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

/* The answer's sides are rounded up to a multiple of four: what is beyond the picture is cut. */
static void mix(struct lp_image *im, const struct lp_tensor *t, float strength)
{
	size_t w = (size_t)t->dims[3], plane = w * (size_t)t->dims[2];

	for (int y = 0; y < im->h; y++) {
		for (int x = 0; x < im->w; x++) {
			float *p = lp_image_at(im, x, y);

			for (size_t c = 0; c < 3; c++) {
				float v = lp_unit(t->v[c * plane + (size_t)y * w + (size_t)x]) * p[3];

				p[c] = lp_mix(p[c], v, strength);
			}
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
		mix(im, t, want->strength);
	lp_scope_close(&tmp);
	return code;
}
