/* The walk from noise to a latent (MODEL_CARD.md, "How it works", 3), for several pictures at once. */
#include <math.h>
#include <string.h>

#include <lpd/base/assert.h>

#include "flow_priv.h"

/* Row 2k is told the words of ask k, row 2k + 1 nothing: guidance is what lies between them. */
struct draw {
	const struct lp_flow *flow;
	int n, rows;
	struct lp_flow_text text[LP_FLOW_ASKS];
	float *x;	/* [n][latent] */
	float *twice;	/* [rows][latent]: x for both rows of an ask */
	float *in, *c, *h, *m, *u, *a, *b, *out;
};

static struct draw *draw_new(struct lp_scope *scope, const struct lp_flow *flow, const struct lp_flow_ask *asks, int n)
{
	struct draw *d = lp_new(scope, struct draw);
	size_t rows = 2 * (size_t)n;

	d->flow = flow;
	d->n = n;
	d->rows = 2 * n;
	d->x = lp_new_array(scope, float, (size_t)n * LP_FLOW_LATENT);
	d->twice = lp_new_array(scope, float, rows * LP_FLOW_LATENT);
	d->in = lp_new_array(scope, float, rows * FLOW_IN);
	d->c = lp_new_array(scope, float, rows * FLOW_COND);
	d->h = lp_new_array(scope, float, rows * FLOW_HIDDEN);
	d->m = lp_new_array(scope, float, rows * FLOW_HIDDEN * 2);
	d->u = lp_new_array(scope, float, rows * FLOW_HIDDEN);
	d->a = lp_new_array(scope, float, rows * FLOW_HIDDEN);
	d->b = lp_new_array(scope, float, rows * FLOW_HIDDEN);
	d->out = lp_new_array(scope, float, rows * LP_FLOW_LATENT);
	for (int k = 0; k < n; k++) {
		lp_flow_read(flow, &d->text[k], asks[k].prompt);
		lp_flow_noise(d->x + k * LP_FLOW_LATENT, LP_FLOW_LATENT, asks[k].seed);
	}
	return d;
}

static void condition(struct draw *d, float t)
{
	const struct lp_flow *flow = d->flow;

	for (int r = 0; r < d->rows; r++) {
		const struct lp_flow_text *text = &d->text[r / 2];
		float *to = d->in + (size_t)r * FLOW_IN;
		int colour = r % 2 ? 0 : text->colour;

		for (int i = 0; i < FLOW_TIME / 2; i++) {
			to[i] = sinf(t * flow->frequency[i]);
			to[FLOW_TIME / 2 + i] = cosf(t * flow->frequency[i]);
		}
		memcpy(to + FLOW_TIME, r % 2 ? flow->null_text : text->vector, sizeof text->vector);
		memcpy(to + FLOW_TIME + LP_FLOW_TEXT, flow->col + colour * FLOW_COLOUR, FLOW_COLOUR * sizeof(float));
	}
	flow->run.matrix(&flow->c, d->in, d->rows, d->c);
	flow->run.silu(d->c, (size_t)d->rows * FLOW_COND);
}

static void normalise(const float *x, float *y, int rows)
{
	for (int r = 0; r < rows; r++, x += FLOW_HIDDEN, y += FLOW_HIDDEN) {
		float mean = 0.0f, var = 0.0f;

		for (int i = 0; i < FLOW_HIDDEN; i++)
			mean += x[i];
		mean /= (float)FLOW_HIDDEN;
		for (int i = 0; i < FLOW_HIDDEN; i++)
			var += (x[i] - mean) * (x[i] - mean);
		float scale = 1.0f / sqrtf(var / (float)FLOW_HIDDEN + 1e-5f);

		for (int i = 0; i < FLOW_HIDDEN; i++)
			y[i] = (x[i] - mean) * scale;
	}
}

static void block(struct draw *d, int k)
{
	const struct lp_flow *flow = d->flow;
	size_t n = (size_t)d->rows * FLOW_HIDDEN;

	flow->run.matrix(&flow->m[k], d->c, d->rows, d->m);
	normalise(d->h, d->u, d->rows);
	for (int r = 0; r < d->rows; r++) {
		const float *m = d->m + (size_t)r * 2 * FLOW_HIDDEN;
		float *u = d->u + (size_t)r * FLOW_HIDDEN;

		for (int i = 0; i < FLOW_HIDDEN; i++)
			u[i] = u[i] * (1.0f + m[i]) + m[FLOW_HIDDEN + i];
	}
	flow->run.matrix(&flow->a[k], d->u, d->rows, d->a);
	flow->run.silu(d->a, n);
	flow->run.matrix(&flow->b[k], d->a, d->rows, d->b);
	for (size_t i = 0; i < n; i++)
		d->h[i] += d->b[i];
}

/* One step: where the network thinks each picture ends, and a part of the way there. */
static void step(struct draw *d, int k, int steps, float guidance)
{
	const struct lp_flow *flow = d->flow;

	for (int r = 0; r < d->rows; r++)
		memcpy(d->twice + (size_t)r * LP_FLOW_LATENT, d->x + (size_t)(r / 2) * LP_FLOW_LATENT,
		       LP_FLOW_LATENT * sizeof(float));
	condition(d, (float)k / (float)steps);
	flow->run.matrix(&flow->i, d->twice, d->rows, d->h);
	for (int b = 0; b < FLOW_BLOCKS; b++)
		block(d, b);
	normalise(d->h, d->u, d->rows);
	flow->run.matrix(&flow->o, d->u, d->rows, d->out);
	for (int a = 0; a < d->n; a++) {
		const float *with = d->out + (size_t)(2 * a) * LP_FLOW_LATENT, *without = with + LP_FLOW_LATENT;
		float *x = d->x + (size_t)a * LP_FLOW_LATENT;

		for (int i = 0; i < LP_FLOW_LATENT; i++) {
			float end = without[i] + guidance * (with[i] - without[i]);

			x[i] += (end - x[i]) * (1.0f / (float)(steps - k));
		}
	}
}

static enum lp_code run(struct lp_scope *tmp, struct draw *d, struct lp_flow_ask *asks, const struct lp_flow_how *how)
{
	int steps = how->steps ? how->steps : 16;
	float guidance = how->guidance > 0.0f ? how->guidance : 2.0f;

	for (int k = 0; k < steps; k++) {
		if (lp_stopped(how->stop))
			return LP_GONE;
		step(d, k, steps, guidance);
		if (how->trace)
			how->trace(how->self, k, d->x);
	}
	for (int a = 0; a < d->n; a++) {
		if (lp_stopped(how->stop))
			return LP_GONE;
		flow_decode(tmp, d->flow, d->x + (size_t)a * LP_FLOW_LATENT, asks[a].picture);
	}
	return LP_OK;
}

enum lp_code lp_flow_draw(struct lp_scope *scope, const struct lp_flow *flow, struct lp_flow_ask *asks, int n,
			  const struct lp_flow_how *how)
{
	lp_assert(n >= 1 && n <= LP_FLOW_ASKS && how->steps >= 0 && how->steps <= LP_FLOW_STEPS);
	for (int a = 0; a < n; a++)
		asks[a].picture = lp_image_new(scope, LP_FLOW_SIDE, LP_FLOW_SIDE);
	struct lp_scope *tmp = lp_scope_open(scope, "flow");
	enum lp_code code = run(tmp, draw_new(tmp, flow, asks, n), asks, how);

	lp_scope_close(&tmp);
	return code;
}
