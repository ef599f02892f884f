#include "mask.h"

#include <math.h>
#include <string.h>

#include <lpd/base/mem.h>

#include "resize.h"

#define SIDE 320		/* of the network */
#define OUTPUT "1959"		/* its finest answer */
#define LEAST 0.02f		/* a picture in which nothing stands out more than this is empty */

/* A part of the picture: left, top, right, bottom; right and bottom are outside. */
struct part {
	int at[4];
};

static struct part whole(const struct lp_image *im)
{
	return (struct part){ { 0, 0, im->w, im->h } };
}

static int clamp(float v, int least, int most)
{
	return v > (float)least ? (v < (float)most ? (int)v : most) : least;
}

/* Around a middle, as large as told, inside the picture. */
static struct part around(const struct lp_image *im, float x, float y, float w, float h)
{
	struct part p = { { clamp(x - w / 2, 0, im->w - 1), clamp(y - h / 2, 0, im->h - 1),
			    clamp(x + w / 2 + 1, 1, im->w), clamp(y + h / 2 + 1, 1, im->h) } };

	return p;
}

/* The network's answer for a small picture: three planes by ImageNet's means and spreads. */
static void fill_input(float *v, const struct lp_image *small)
{
	static const float mean[3] = { 0.485f, 0.456f, 0.406f }, spread[3] = { 0.229f, 0.224f, 0.225f };

	for (int i = 0; i < SIDE * SIDE; i++) {
		for (int c = 0; c < 3; c++)
			v[c * SIDE * SIDE + i] = (small->px[4 * i + c] - mean[c]) / spread[c];
	}
}

/* As a picture whose four channels are all the likelihood, stretched to 0..1. */
static struct lp_image *stretched(struct lp_scope *scope, const float *v)
{
	struct lp_image *im = lp_image_new(scope, SIDE, SIDE);
	float low = v[0], high = v[0];

	for (int i = 0; i < SIDE * SIDE; i++) {
		low = fminf(low, v[i]);
		high = fmaxf(high, v[i]);
	}
	for (int i = 0; i < SIDE * SIDE; i++) {
		float p = high - low > LEAST ? lp_unit((v[i] - low) / (high - low)) : 0.0f;

		for (int c = 0; c < 4; c++)
			im->px[4 * i + c] = p;
	}
	return im;
}

/* What stands out in a part, laid into a plane of the whole picture's size. */
static enum lp_code look_at(float *to, const struct lp_mask_want *want, struct part part, struct lp_err *e)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "look");
	const struct lp_image *im = want->picture;
	int w = part.at[2] - part.at[0], h = part.at[3] - part.at[1];
	struct lp_tensor in = { "input.1", { 1, 3, SIDE, SIDE }, 4, lp_new_array(tmp, float, 3 * SIDE * SIDE) };
	struct lp_onnx_io io = { .in = &in, .n_in = 1, .out = { .name = OUTPUT } };

	memset(to, 0, (size_t)im->w * (size_t)im->h * sizeof *to);
	fill_input(in.v, lp_image_resize(tmp, lp_image_crop(tmp, im, part.at), SIDE, SIDE));
	enum lp_code code = lp_stopped(want->stop) ? lp_fail(e, LP_GONE, "stopped")
		: lp_onnx_run(tmp, want->net, &io, e);

	if (code == LP_OK && lp_tensor_count(&io.out) != SIDE * SIDE)
		code = lp_fail(e, LP_RUNNER, "the network's answer has another size");
	if (code == LP_OK) {
		const struct lp_image *p = lp_image_resize(tmp, stretched(tmp, io.out.v), w, h);

		for (int y = 0; y < h; y++) {
			for (int x = 0; x < w; x++)
				to[(size_t)(y + part.at[1]) * (size_t)im->w +
				   (size_t)(x + part.at[0])] = lp_image_at(p, x, y)[3];
		}
	}
	lp_scope_close(&tmp);
	return code;
}

/* ---- what is done with it ---- */

static void cut_to_box(float *p, int w, int h, const float box[4])
{
	for (int y = 0; y < h; y++) {
		for (int x = 0; x < w; x++) {
			if ((float)x + 1.0f < box[0] || (float)x > box[2] || (float)y + 1.0f < box[1] ||
			    (float)y > box[3])
				p[(size_t)y * (size_t)w + (size_t)x] = 0.0f;
		}
	}
}

static void invert(float *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = 1.0f - p[i];
}

/* How sure the network is of what it took; nothing taken: nought. */
static float sureness(const float *p, size_t n)
{
	double sum = 0, doubt = 0;
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] > 0.5f) {
			sum += (double)p[i];
			count++;
		} else {
			doubt += (double)p[i];
		}
	}
	return count ? (float)(sum / (double)count * (1.0 - 0.5 * doubt / (doubt + sum))) : 0.0f;
}

/* The share of a part's edge that is taken, where the picture goes on beyond it: a thing is cut off there. */
static float cut_off(const float *p, const struct lp_image *im, const struct part *part)
{
	int inner = 0, taken = 0;

	for (int y = part->at[1]; y < part->at[3]; y++) {
		for (int x = part->at[0]; x < part->at[2]; x++) {
			bool edge = (x == part->at[0] && x > 0) || (x == part->at[2] - 1 && x < im->w - 1) ||
				    (y == part->at[1] && y > 0) || (y == part->at[3] - 1 && y < im->h - 1);

			inner += edge;
			taken += edge && p[(size_t)y * (size_t)im->w + (size_t)x] > 0.5f;
		}
	}
	return inner ? (float)taken / (float)inner : 0.0f;
}

/* The middle of the points that are in, and how far they reach. */
static bool middle(const struct lp_mask_prompt *prompt, float at[2], float reach[2])
{
	float low[2] = { 1e9f, 1e9f }, high[2] = { -1e9f, -1e9f };
	int n = 0;

	for (int i = 0; i < prompt->n_points; i++) {
		float v[2] = { prompt->points[i].x, prompt->points[i].y };

		if (!prompt->points[i].in)
			continue;
		n++;
		for (int k = 0; k < 2; k++) {
			low[k] = fminf(low[k], v[k]);
			high[k] = fmaxf(high[k], v[k]);
		}
	}
	for (int k = 0; k < 2; k++) {
		at[k] = (low[k] + high[k]) / 2;
		reach[k] = high[k] - low[k];
	}
	return n > 0;
}

/* Where to look for the i-th mask. */
static struct part part_of(const struct lp_mask_want *want, int i)
{
	static const float by_box[LP_MASKS] = { 1.15f, 1.4f, 2.0f }, by_point[LP_MASKS] = { 1.0f, 0.66f, 0.4f };
	const struct lp_mask_prompt *prompt = want->prompt;
	const struct lp_image *im = want->picture;
	float at[2], reach[2];

	if (prompt->has_box) {
		const float *b = prompt->box;

		return around(im, (b[0] + b[2]) / 2, (b[1] + b[3]) / 2, (b[2] - b[0]) * by_box[i],
			      (b[3] - b[1]) * by_box[i]);
	}
	if (!middle(prompt, at, reach))
		return i == 1 ? around(im, (float)im->w / 2, (float)im->h / 2, 0.8f * (float)im->w,
				       0.8f * (float)im->h) : whole(im);
	if (i == 0)
		return whole(im);
	return around(im, at[0], at[1], fmaxf(by_point[i] * (float)im->w, 1.5f * reach[0]),
		      fmaxf(by_point[i] * (float)im->h, 1.5f * reach[1]));
}

/* A point beside all that stands out asks for what does not. */
static void heed_points(struct lp_mask *m, const struct lp_mask_want *want)
{
	int w = want->picture->w, h = want->picture->h;
	size_t n = (size_t)w * (size_t)h;

	m->score = sureness(m->p, n);
	if (!want->prompt->n_points || lp_mask_keep(m->p, w, h, want->prompt))
		return;
	invert(m->p, n);
	lp_mask_keep(m->p, w, h, want->prompt);
	m->score *= 0.5f;
}

enum lp_code lp_mask_cut(struct lp_scope *scope, struct lp_mask out[LP_MASKS], const struct lp_mask_want *want,
			 struct lp_err *e)
{
	const struct lp_mask_prompt *prompt = want->prompt;
	int w = want->picture->w, h = want->picture->h;
	size_t n = (size_t)w * (size_t)h;

	for (int i = 0; i < LP_MASKS; i++) {
		bool bare = !prompt->has_box && !prompt->n_points;
		struct part part = part_of(want, i);
		enum lp_code code;

		out[i].p = lp_new_array(scope, float, n);
		code = look_at(out[i].p, want, part, e);
		if (code != LP_OK)
			return code;
		float lost = fminf(2.5f * cut_off(out[i].p, want->picture, &part), 0.9f);

		if (prompt->has_box)
			cut_to_box(out[i].p, w, h, prompt->box);
		heed_points(&out[i], want);
		out[i].score *= 1.0f - lost;
		if (bare && i == 2) {		/* nothing was asked: also all that does not stand out */
			invert(out[i].p, n);
			out[i].score *= 0.5f;
		}
	}
	for (int i = 1; i < LP_MASKS; i++) {
		for (int k = i; k > 0 && out[k].score > out[k - 1].score; k--) {
			struct lp_mask m = out[k];

			out[k] = out[k - 1];
			out[k - 1] = m;
		}
	}
	return LP_OK;
}

/* ---- what hangs together ---- */

struct flood {
	int w, h;
	const float *p;
	unsigned char *mark;	/* 0: not reached */
	int *queue;
};

/* Marks everything over one half that hangs together with (x, y); false: that pixel itself is not. */
static bool flood_from(struct flood *f, int x, int y, unsigned char mark)
{
	static const int steps[4][2] = { { 1, 0 }, { -1, 0 }, { 0, 1 }, { 0, -1 } };
	int first = 0, last = 0, start = y * f->w + x;

	if (!(f->p[start] > 0.5f))
		return false;
	if (f->mark[start] == mark)
		return true;
	f->mark[start] = mark;
	f->queue[last++] = start;
	while (first < last) {
		int at = f->queue[first++], ax = at % f->w, ay = at / f->w;

		for (int i = 0; i < 4; i++) {
			int nx = ax + steps[i][0], ny = ay + steps[i][1], to = ny * f->w + nx;

			if (nx < 0 || ny < 0 || nx >= f->w || ny >= f->h || !(f->p[to] > 0.5f) || f->mark[to] == mark)
				continue;
			f->mark[to] = mark;
			f->queue[last++] = to;
		}
	}
	return true;
}

/* The nearest point is one that is not of the thing. */
static bool nearer_to_out(const struct lp_mask_prompt *prompt, int x, int y)
{
	float best = 1e12f;
	bool out = false;

	for (int i = 0; i < prompt->n_points; i++) {
		float dx = prompt->points[i].x - (float)x, dy = prompt->points[i].y - (float)y, d = dx * dx + dy * dy;

		if (d < best) {
			best = d;
			out = !prompt->points[i].in;
		}
	}
	return out;
}

bool lp_mask_keep(float *p, int w, int h, const struct lp_mask_prompt *prompt)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "flood");
	size_t n = (size_t)w * (size_t)h;
	struct flood f = { w, h, p, lp_new_array(tmp, unsigned char, n), lp_new_array(tmp, int, n) };
	bool hit = false, any = false;

	for (int i = 0; i < prompt->n_points; i++) {
		any |= prompt->points[i].in;
		if (prompt->points[i].in)
			hit |= flood_from(&f, (int)prompt->points[i].x, (int)prompt->points[i].y, 1);
	}
	for (size_t i = 0; i < n && (hit || !any); i++) {
		int x = (int)(i % (size_t)w), y = (int)(i / (size_t)w);

		/* Without a point that is in, everything is kept but what is near those that are out. */
		if ((any && p[i] > 0.5f && !f.mark[i]) || (p[i] > 0.5f && nearer_to_out(prompt, x, y) && any))
			p[i] = 0.0f;
	}
	lp_scope_close(&tmp);
	return hit || !any;
}
