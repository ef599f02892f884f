/* The decoder: a latent of 8 planes, 8 x 8, becomes 4 planes, 96 x 96 (MODEL_CARD.md, `d.*`). */
#include <string.h>

#include "flow_priv.h"

/* Planes of side squared, one behind the other. */
struct planes {
	int n, side;
	float *v;
};

static struct planes planes_new(struct lp_scope *scope, int n, int side)
{
	size_t count = (size_t)n * (size_t)side * (size_t)side;

	return (struct planes){ n, side, lp_new_array(scope, float, count) };
}

static size_t planes_count(const struct planes *p)
{
	return (size_t)p->n * (size_t)p->side * (size_t)p->side;
}

static struct planes convolve(struct lp_scope *scope, const struct lp_flow *flow, enum flow_conv_name name,
			      struct planes x)
{
	const struct flow_conv *c = &flow->conv[name];
	int pitch = x.side + 2;
	/* The kernel reads eight floats at a time: up to six behind the last line's end. */
	float *padded = lp_new_array(scope, float, (size_t)x.n * (size_t)pitch * (size_t)pitch + 8);
	struct planes y = planes_new(scope, c->out, x.side);

	for (int p = 0; p < x.n; p++) {
		for (int i = 0; i < x.side; i++)
			memcpy(padded + ((size_t)p * (size_t)pitch + (size_t)i + 1) * (size_t)pitch + 1,
			       x.v + ((size_t)p * (size_t)x.side + (size_t)i) * (size_t)x.side,
			       (size_t)x.side * sizeof(float));
	}
	flow->run.conv(c, padded, x.side, y.v);
	return y;
}

static struct planes active(struct lp_scope *scope, const struct lp_flow *flow, struct planes x)
{
	struct planes y = planes_new(scope, x.n, x.side);

	memcpy(y.v, x.v, planes_count(&x) * sizeof(float));
	flow->run.silu(y.v, planes_count(&y));
	return y;
}

/* x + b(silu(a(silu(x)))) */
static struct planes residual(struct lp_scope *scope, const struct lp_flow *flow, enum flow_conv_name a,
			      struct planes x)
{
	struct planes y = convolve(scope, flow, a, active(scope, flow, x));

	y = convolve(scope, flow, a + 1, active(scope, flow, y));
	for (size_t i = 0; i < planes_count(&x); i++)
		y.v[i] += x.v[i];
	return y;
}

/* Depth to space: r squared planes become one of r times the side. */
static struct planes unfold(struct lp_scope *scope, struct planes x, int r)
{
	struct planes y = planes_new(scope, x.n / (r * r), x.side * r);

	for (int p = 0; p < x.n; p++) {
		int dy = p / r % r, dx = p % r;
		const float *from = x.v + (size_t)p * (size_t)x.side * (size_t)x.side;
		float *to = y.v + (size_t)(p / (r * r)) * (size_t)y.side * (size_t)y.side;

		for (int i = 0; i < x.side; i++) {
			for (int j = 0; j < x.side; j++)
				to[(i * r + dy) * y.side + j * r + dx] = from[i * x.side + j];
		}
	}
	return y;
}

static void to_image(const struct planes *p, struct lp_image *to)
{
	size_t plane = (size_t)p->side * (size_t)p->side;

	for (size_t i = 0; i < plane; i++) {
		float alpha = lp_unit((p->v[3 * plane + i] + 1.0f) / 2.0f);

		for (size_t c = 0; c < 3; c++) {
			float v = lp_unit((p->v[c * plane + i] + 1.0f) / 2.0f);

			to->px[4 * i + c] = v < alpha ? v : alpha;	/* a premultiplied colour is never above it */
		}
		to->px[4 * i + 3] = alpha;
	}
}

void flow_decode(struct lp_scope *scope, const struct lp_flow *flow, const float *latent, struct lp_image *to)
{
	struct lp_scope *tmp = lp_scope_open(scope, "decode");
	struct planes h = planes_new(tmp, 8, 8);

	for (int i = 0; i < LP_FLOW_LATENT; i++)
		h.v[i] = latent[i] * flow->sd + flow->mu[i];
	h = residual(tmp, flow, FLOW_D_R1A, convolve(tmp, flow, FLOW_D_I, h));
	h = unfold(tmp, convolve(tmp, flow, FLOW_D_U1, active(tmp, flow, h)), 2);
	h = residual(tmp, flow, FLOW_D_R2A, h);
	h = unfold(tmp, convolve(tmp, flow, FLOW_D_U2, active(tmp, flow, h)), 2);
	h = residual(tmp, flow, FLOW_D_R3A, h);
	h = unfold(tmp, convolve(tmp, flow, FLOW_D_O, active(tmp, flow, h)), 3);
	to_image(&h, to);
	lp_scope_close(&tmp);
}
