#include "motion.h"

#include <math.h>

#include <lpd/base/mem.h>

#include "noise.h"
#include "resize.h"
#include "restyle.h"

#define DEPTH 0.45f		/* how much more the foreground moves */
#define LEAST_SHARE 0.02f	/* of the picture that stands out, for it to move apart */
#define MOST_SHARE 0.6f

struct lp_motion {
	struct lp_motion_want want;
	struct lp_camera camera;
	struct lp_image *behind, *front;	/* front NULL: all moves as one */
	struct lp_style_want from, to;
};

struct lp_camera lp_camera_draw(uint64_t seed, float amount)
{
	uint32_t s = (uint32_t)(seed ^ seed >> 32);
	float near = 1.08f + 0.32f * amount, angle = 6.2831853f * lp_noise_at(s, 11, 0), reach = 0.3f + 0.7f * amount;
	struct lp_camera c = { .zoom = { 1.04f, near } };

	if (lp_noise_at(s, 12, 0) < 0.35f)
		c = (struct lp_camera){ .zoom = { near, 1.04f } };
	c.at[0][0] = -reach * cosf(angle);
	c.at[0][1] = -reach * sinf(angle) * 0.4f;
	c.at[1][0] = -c.at[0][0];
	c.at[1][1] = -c.at[0][1];
	return c;
}

/* The middle of the picture, cut to the wanted sides' ratio, at that size. */
static struct lp_image *fit(struct lp_scope *scope, const struct lp_image *from, int w, int h)
{
	double wide = (double)w / h;
	int cut_w = (int)fmin((double)from->w, from->h * wide + 0.5);
	int cut_h = (int)fmin((double)from->h, from->w / wide + 0.5);

	cut_w = cut_w > 0 ? cut_w : 1;
	cut_h = cut_h > 0 ? cut_h : 1;
	int x = (from->w - cut_w) / 2, y = (from->h - cut_h) / 2;

	return lp_image_resize(scope, lp_image_crop(scope, from, (int[]){ x, y, x + cut_w, y + cut_h }), w, h);
}

/* ---- front and behind ---- */

static void opaque(struct lp_image *im)
{
	size_t n = (size_t)im->w * (size_t)im->h;

	for (size_t i = 0; i < n; i++) {
		float *p = im->px + 4 * i;

		for (int c = 0; c < 4 && p[3] > 0.01f && p[3] < 1.0f; c++)
			p[c] /= c < 3 ? p[3] : 1.0f;
		p[3] = p[3] > 0.01f ? 1.0f : 0.0f;
		for (int c = 0; c < 3; c++)
			p[c] = p[3] > 0.0f ? lp_unit(p[c]) : 0.0f;
	}
}

/* What may lie behind: the surroundings, drawn into the gap ever more softly. */
static struct lp_image *behind(struct lp_scope *scope, const struct lp_image *im, const float *mask)
{
	static const float softness[] = { 0.01f, 0.04f, 0.16f, 0.5f };
	size_t n = (size_t)im->w * (size_t)im->h;
	struct lp_image *gap = lp_image_copy(scope, im), *wide = lp_image_new(scope, im->w, im->h), *out = NULL;

	for (size_t i = 0; i < n; i++)
		wide->px[4 * i + 3] = mask[i] > 0.1f ? 1.0f : 0.0f;
	lp_image_blur(wide, 0.006f * (float)(im->w + im->h));	/* the thing's edge is not its surroundings */
	for (size_t i = 0; i < n; i++) {
		float keep = 1.0f - lp_smooth(0.0f, 0.25f, wide->px[4 * i + 3]);

		for (size_t c = 0; c < 4; c++)
			gap->px[4 * i + c] *= keep;
	}
	for (size_t k = sizeof softness / sizeof softness[0]; k-- > 0;) {
		struct lp_image *soft = lp_image_copy(scope, gap);

		lp_image_blur(soft, softness[k] * (float)(im->w < im->h ? im->w : im->h));
		opaque(soft);
		if (out)
			lp_image_lay(out, soft, 0, 0);
		else
			out = soft;
	}
	lp_image_lay(out, gap, 0, 0);
	opaque(out);
	return out;
}

static struct lp_image *front(struct lp_scope *scope, const struct lp_image *im, const float *mask)
{
	struct lp_image *out = lp_image_copy(scope, im);
	size_t n = (size_t)im->w * (size_t)im->h;

	for (size_t i = 0; i < n; i++) {
		float t = lp_smooth(0.25f, 0.75f, mask[i]);

		for (size_t c = 0; c < 4; c++)
			out->px[4 * i + c] *= t;
	}
	return out;
}

static enum lp_code take_apart(struct lp_scope *scope, struct lp_motion *m, const struct lp_image *im, struct lp_err *e)
{
	struct lp_mask_prompt all = { .n_points = 0 };
	struct lp_mask_want want = { .net = m->want.cutter, .picture = im, .prompt = &all, .stop = m->want.stop };
	struct lp_mask masks[LP_MASKS];
	size_t n = (size_t)im->w * (size_t)im->h;
	double share = 0;
	enum lp_code code = lp_mask_cut(scope, masks, &want, e);

	if (code != LP_OK)
		return code;
	for (size_t i = 0; i < n; i++)
		share += (double)masks[0].p[i] / (double)n;
	if (share < (double)LEAST_SHARE || share > (double)MOST_SHARE)
		return LP_OK;
	m->behind = behind(scope, im, masks[0].p);
	m->front = front(scope, im, masks[0].p);
	return LP_OK;
}

enum lp_code lp_motion_open(struct lp_scope *scope, struct lp_motion **out, const struct lp_motion_want *want,
			    struct lp_err *e)
{
	struct lp_motion *m = lp_new(scope, struct lp_motion);

	*out = m;
	m->want = *want;
	m->camera = lp_camera_draw(want->seed, want->amount);
	m->behind = fit(scope, want->picture, want->w, want->h);
	opaque(m->behind);
	lp_style_draw(&m->from, want->seed);
	lp_style_draw(&m->to, want->seed + 1);
	return want->cutter ? take_apart(scope, m, m->behind, e) : LP_OK;
}

/* ---- a frame ---- */

/* Between four pixels; outside: the nearest one. */
static void sample(float to[4], const struct lp_image *im, float x, float y)
{
	x = fminf(fmaxf(x, 0.0f), (float)im->w - 1.001f);
	y = fminf(fmaxf(y, 0.0f), (float)im->h - 1.001f);
	int x0 = (int)x, y0 = (int)y, x1 = x0 + 1 < im->w ? x0 + 1 : x0, y1 = y0 + 1 < im->h ? y0 + 1 : y0;
	float fx = x - (float)x0, fy = y - (float)y0;
	const float *a = lp_image_at(im, x0, y0), *b = lp_image_at(im, x1, y0);
	const float *c = lp_image_at(im, x0, y1), *d = lp_image_at(im, x1, y1);

	for (int k = 0; k < 4; k++)
		to[k] = lp_mix(lp_mix(a[k], b[k], fx), lp_mix(c[k], d[k], fx), fy);
}

/* Where a layer is seen from: a window of the picture. */
struct view {
	float zoom, x, y;		/* the window's middle */
};

static struct view view_at(const struct lp_motion *m, float t, float depth)
{
	const struct lp_camera *c = &m->camera;
	float zoom = lp_mix(c->zoom[0], c->zoom[1], t), middle = (c->zoom[0] + c->zoom[1]) / 2, w = (float)m->want.w;
	float h = (float)m->want.h;
	float room_x = 0.5f * w * (1.0f - 1.0f / zoom), room_y = 0.5f * h * (1.0f - 1.0f / zoom);
	float x = lp_mix(c->at[0][0], c->at[1][0], t) * room_x, y = lp_mix(c->at[0][1], c->at[1][1], t) * room_y;

	return (struct view){ zoom * (1.0f + depth * (zoom / middle - 1.0f)), w / 2 + x * (1.0f + depth),
			      h / 2 + y * (1.0f + depth) };
}

static void lay_view(struct lp_image *to, const struct lp_image *layer, struct view v)
{
	for (int y = 0; y < to->h; y++) {
		for (int x = 0; x < to->w; x++) {
			float p[4], *under = lp_image_at(to, x, y);

			sample(p, layer, v.x + ((float)x + 0.5f - (float)to->w / 2) / v.zoom - 0.5f,
			       v.y + ((float)y + 0.5f - (float)to->h / 2) / v.zoom - 0.5f);
			for (int k = 0; k < 4; k++)
				under[k] = p[k] + under[k] * (1.0f - p[3]);
		}
	}
}

static enum lp_code paint(const struct lp_motion *m, struct lp_image *im, float t, struct lp_err *e)
{
	struct lp_style_want style = { .strength = m->want.paint * lp_smooth(0.0f, 0.5f, t), .colour = 0.55f };

	if (!m->want.style || !(style.strength > 0.0f))
		return LP_OK;
	for (int i = 0; i < LP_STYLES; i++)
		style.weights[i] = lp_mix(m->from.weights[i], m->to.weights[i], lp_smooth(0.35f, 1.0f, t));
	return lp_style_apply(m->want.style, im, &style, e);
}

enum lp_code lp_motion_frame(struct lp_scope *scope, struct lp_image **out, const struct lp_motion *m, int i,
			     struct lp_err *e)
{
	float t = (float)i / (LP_MOTION_FRAMES - 1), smooth = lp_mix(t, lp_smooth(0.0f, 1.0f, t), 0.5f);

	if (lp_stopped(m->want.stop))
		return lp_fail(e, LP_GONE, "stopped");
	*out = lp_image_new(scope, m->want.w, m->want.h);
	lay_view(*out, m->behind, view_at(m, smooth, 0.0f));
	if (m->front)
		lay_view(*out, m->front, view_at(m, smooth, DEPTH));
	return paint(m, *out, t, e);
}
