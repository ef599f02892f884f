#include "enlarge.h"

#include "resize.h"

#define TILE 256		/* memory grows with the area: about 200 MiB at this side */
#define EDGE 16			/* of each tile is thrown away where another tile goes on */

/* One side of one tile: what is read, and which part of the answer is kept. */
struct strip {
	int at, n;		/* read */
	int keep, kept;		/* from where in the picture, how much */
};

static struct strip strip_at(int index, int side)
{
	int step = TILE - 2 * EDGE, keep = index * step, kept = side - keep < step ? side - keep : step;
	int at = keep - EDGE < 0 ? 0 : keep - EDGE;
	int end = keep + kept + EDGE > side ? side : keep + kept + EDGE;

	return (struct strip){ at, end - at, keep, kept };
}

static int strips(int side)
{
	int step = TILE - 2 * EDGE;

	return (side + step - 1) / step;
}

/* Colours without their alpha; where nothing is seen, black. */
static float *planes(struct lp_scope *scope, const struct lp_image *im, const struct strip *sx, const struct strip *sy)
{
	size_t n = (size_t)sx->n * (size_t)sy->n, i = 0;
	float *v = lp_new_array(scope, float, 3 * n);

	for (int y = 0; y < sy->n; y++) {
		for (int x = 0; x < sx->n; x++, i++) {
			const float *p = lp_image_at(im, sx->at + x, sy->at + y);

			for (size_t c = 0; c < 3; c++)
				v[c * n + i] = p[3] > 0.0f ? lp_unit(p[c] / p[3]) : 0.0f;
		}
	}
	return v;
}

static void put(struct lp_image *to, const struct lp_tensor *t, const struct strip *sx, const struct strip *sy,
		int factor)
{
	size_t w = (size_t)t->dims[3], plane = w * (size_t)t->dims[2];
	int dx = (sx->keep - sx->at) * factor, dy = (sy->keep - sy->at) * factor;

	for (int y = 0; y < sy->kept * factor; y++) {
		for (int x = 0; x < sx->kept * factor; x++) {
			float *p = lp_image_at(to, sx->keep * factor + x, sy->keep * factor + y);

			for (size_t c = 0; c < 3; c++)
				p[c] = lp_unit(t->v[c * plane + (size_t)(y + dy) * w + (size_t)(x + dx)]) * p[3];
		}
	}
}

static enum lp_code tile(struct lp_image *to, const struct lp_image *from, const struct lp_enlarge_want *want,
			 const struct strip s[2], struct lp_err *e)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "tile");
	struct lp_tensor in = { "data", { 1, 3, s[1].n, s[0].n }, 4, planes(tmp, from, &s[0], &s[1]) };
	struct lp_onnx_io io = { .in = &in, .n_in = 1, .out = { .name = "output" } };
	enum lp_code code = lp_onnx_run(tmp, want->net, &io, e);
	const struct lp_tensor *t = &io.out;

	if (code == LP_OK && (t->n_dims != 4 || t->dims[1] != 3 || t->dims[2] != (int64_t)s[1].n * want->factor ||
			      t->dims[3] != (int64_t)s[0].n * want->factor))
		code = lp_fail(e, LP_RUNNER, "the network's answer is not %d times the picture", want->factor);
	if (code == LP_OK)
		put(to, t, &s[0], &s[1], want->factor);
	lp_scope_close(&tmp);
	return code;
}

static bool opaque(const struct lp_image *im)
{
	size_t n = (size_t)im->w * (size_t)im->h;

	for (size_t i = 0; i < n; i++) {
		if (im->px[4 * i + 3] < 1.0f)
			return false;
	}
	return true;
}

/* The result with its alpha in place and no colours yet. */
static struct lp_image *canvas(struct lp_scope *scope, const struct lp_image *from, int factor)
{
	if (!opaque(from))
		return lp_image_resize(scope, from, from->w * factor, from->h * factor);
	struct lp_image *im = lp_image_new(scope, from->w * factor, from->h * factor);
	size_t n = (size_t)im->w * (size_t)im->h;

	for (size_t i = 0; i < n; i++)
		im->px[4 * i + 3] = 1.0f;
	return im;
}

enum lp_code lp_enlarge(struct lp_scope *scope, struct lp_image **out, const struct lp_image *from,
			const struct lp_enlarge_want *want, struct lp_err *e)
{
	*out = NULL;
	if (from->w > LP_IMAGE_SIDE / want->factor || from->h > LP_IMAGE_SIDE / want->factor)
		return lp_fail(e, LP_TOO_LARGE, "%d times the picture is larger than %d pixels a side", want->factor,
			       LP_IMAGE_SIDE);
	struct lp_image *to = canvas(scope, from, want->factor);

	for (int y = 0; y < strips(from->h); y++) {
		for (int x = 0; x < strips(from->w); x++) {
			struct strip s[2] = { strip_at(x, from->w), strip_at(y, from->h) };

			if (lp_stopped(want->stop))
				return lp_fail(e, LP_GONE, "stopped");
			enum lp_code code = tile(to, from, want, s, e);

			if (code != LP_OK)
				return code;
		}
	}
	*out = to;
	return LP_OK;
}
