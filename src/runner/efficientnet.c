#include "efficientnet.h"

#include <math.h>

#include "onnx_write.h"
#include "torch.h"

#define EPSILON 1e-3f		/* of the normalisation, as the network was trained */

struct convert {
	struct lp_scope *scope;
	struct lp_torch *torch;
	struct lp_onnx_graph graph;
	const char *at;			/* what the next layer reads */
	int count;			/* of layers, for their names */
	const char *missing;
};

struct layer {
	const char *weight, *norm;	/* names in the file; norm NULL: a bias instead */
	const char *bias;
	int in, out, kernel, stride;
	bool apart, bend;		/* one filter a channel; relu6 after it */
};

static const float *floats(struct convert *c, const char *name, size_t n)
{
	const float *v = lp_torch_floats(c->scope, c->torch, name, n);

	if (!v && !c->missing)
		c->missing = lp_strdup(c->scope, lp_span(name));
	return v;
}

/* Scales the filters and gives the bias that the normalisation after them amounts to. */
static const float *fold(struct convert *c, const struct layer *l, float *w, size_t each)
{
	size_t n = (size_t)l->out;
	const float *gain = floats(c, lp_fmt(c->scope, "%s.weight", l->norm), n);
	const float *shift = floats(c, lp_fmt(c->scope, "%s.bias", l->norm), n);
	const float *mean = floats(c, lp_fmt(c->scope, "%s.running_mean", l->norm), n);
	const float *spread = floats(c, lp_fmt(c->scope, "%s.running_var", l->norm), n);
	float *bias = lp_new_array(c->scope, float, n);

	if (c->missing)
		return NULL;
	for (size_t o = 0; o < n; o++) {
		float s = gain[o] / sqrtf(spread[o] + EPSILON);

		for (size_t i = 0; i < each; i++)
			w[o * each + i] *= s;
		bias[o] = shift[o] - mean[o] * s;
	}
	return bias;
}

static const char *name(struct convert *c, const char *what)
{
	return lp_fmt(c->scope, "%s%d", what, c->count);
}

static void add(struct convert *c, const struct lp_onnx_node *node)
{
	lp_onnx_add_node(&c->graph, node);
	c->at = node->output;
}

/* Nothing above six and nothing below nought. */
static void bend(struct convert *c)
{
	const char *in[3] = { c->at, "nought", "six" };

	add(c, &(struct lp_onnx_node){ "Clip", in, 3, name(c, "bent"), NULL, 0 });
}

/* The file's filters lie in TensorFlow's order, from which they were brought over: place, input, output. */
static float *filters(struct convert *c, const struct layer *l, size_t inner)
{
	size_t places = (size_t)l->kernel * (size_t)l->kernel, out = (size_t)l->out, n = out * inner * places;
	const float *raw = lp_torch_floats(c->scope, c->torch, l->weight, n);

	if (!raw) {
		c->missing = c->missing ? c->missing : l->weight;
		return NULL;
	}
	float *w = lp_new_array(c->scope, float, n);

	for (size_t o = 0; o < out; o++) {
		for (size_t i = 0; i < inner; i++) {
			for (size_t p = 0; p < places; p++)
				w[(o * inner + i) * places + p] = raw[(p * inner + i) * out + o];
		}
	}
	return w;
}

static void convolve(struct convert *c, const struct layer *l)
{
	int64_t k = l->kernel, inner = l->apart ? 1 : l->in, dims[4] = { l->out, inner, k, k }, out = l->out;
	size_t each = (size_t)(inner * k * k);
	float *w = filters(c, l, (size_t)inner);
	const float *b = NULL;

	c->count++;
	if (!c->missing)
		b = l->norm ? fold(c, l, w, each) : floats(c, l->bias, (size_t)l->out);
	if (c->missing)
		return;
	const char *in[3] = { c->at, name(c, "w"), name(c, "b") };
	struct lp_onnx_attribute attributes[4] = {
		{ .name = "kernel_shape", .kind = LP_ONNX_INTS, .ints = { k, k }, .n_ints = 2 },
		{ .name = "strides", .kind = LP_ONNX_INTS, .ints = { l->stride, l->stride }, .n_ints = 2 },
		{ .name = "auto_pad", .kind = LP_ONNX_TEXT, .text = "SAME_UPPER" },
		{ .name = "group", .kind = LP_ONNX_INT, .ints = { l->apart ? l->in : 1 }, .n_ints = 1 },
	};

	lp_onnx_add_tensor(&c->graph, in[1], dims, 4, w);
	lp_onnx_add_tensor(&c->graph, in[2], &out, 1, b);
	add(c, &(struct lp_onnx_node){ "Conv", in, 3, name(c, "c"), attributes, 4 });
	if (l->bend)
		bend(c);
}

/* Widen, filter each channel, narrow; the input is added where it has the same shape. */
static void block(struct convert *c, int i, const struct layer *l, int widen)
{
	int wide = l->in * widen;
	const char *before = c->at, *p = lp_fmt(c->scope, "_blocks.%d.", i);

	if (widen > 1)
		convolve(c, &(struct layer){ .weight = lp_fmt(c->scope, "%s_expand_conv.weight", p),
					     .norm = lp_fmt(c->scope, "%s_bn0", p), .in = l->in, .out = wide,
					     .kernel = 1, .stride = 1, .bend = true });
	convolve(c, &(struct layer){ .weight = lp_fmt(c->scope, "%s_depthwise_conv.weight", p),
				     .norm = lp_fmt(c->scope, "%s_bn1", p), .in = wide, .out = wide,
				     .kernel = l->kernel, .stride = l->stride, .apart = true, .bend = true });
	convolve(c, &(struct layer){ .weight = lp_fmt(c->scope, "%s_project_conv.weight", p),
				     .norm = lp_fmt(c->scope, "%s_bn2", p), .in = wide, .out = l->out, .kernel = 1,
				     .stride = 1 });
	if (l->stride == 1 && l->in == l->out && !c->missing) {
		const char *in[2] = { c->at, before };

		add(c, &(struct lp_onnx_node){ "Add", in, 2, name(c, "sum"), NULL, 0 });
	}
}

static void blocks(struct convert *c)
{
	static const struct {
		int repeat, kernel, stride, widen, in, out;
	} groups[] = {
		{ 1, 3, 1, 1, 32, 16 },	 { 2, 3, 2, 6, 16, 24 },   { 2, 5, 2, 6, 24, 40 },   { 3, 3, 2, 6, 40, 80 },
		{ 3, 5, 1, 6, 80, 112 }, { 4, 5, 2, 6, 112, 192 }, { 1, 3, 1, 6, 192, 320 },
	};
	int i = 0;

	for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
		for (int r = 0; r < groups[g].repeat; r++, i++) {
			struct layer l = { .in = r ? groups[g].out : groups[g].in, .out = groups[g].out,
					   .kernel = groups[g].kernel, .stride = r ? 1 : groups[g].stride };

			block(c, i, &l, groups[g].widen);
		}
	}
}

static void build(struct convert *c)
{
	static const float six = 6.0f, nought = 0.0f;
	const char *in[1];

	lp_onnx_add_tensor(&c->graph, "six", NULL, 0, &six);
	lp_onnx_add_tensor(&c->graph, "nought", NULL, 0, &nought);
	c->at = "data";
	convolve(c, &(struct layer){ .weight = "_conv_stem.weight", .norm = "_bn0", .in = 3, .out = 32, .kernel = 3,
				     .stride = 2, .bend = true });
	blocks(c);
	convolve(c, &(struct layer){ .weight = "_conv_head.weight", .norm = "_bn1", .in = 320, .out = 1280, .kernel = 1,
				     .stride = 1, .bend = true });
	in[0] = c->at;
	add(c, &(struct lp_onnx_node){ "GlobalAveragePool", in, 1, "pooled", NULL, 0 });
	convolve(c, &(struct layer){ .weight = "_fc.weight", .bias = "_fc.bias", .in = 1280, .out = 1000, .kernel = 1,
				     .stride = 1 });
	in[0] = c->at;
	add(c, &(struct lp_onnx_node){ "Identity", in, 1, "output", NULL, 0 });
}

enum lp_code lp_efficientnet_to_onnx(struct lp_buf *to, struct lp_span file, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(NULL, "convert");
	struct convert c = { .scope = scope, .torch = lp_new(scope, struct lp_torch), .graph = { .channels = 1000 } };
	enum lp_code code = lp_torch_read(c.torch, file, e);

	if (code == LP_OK)
		build(&c);
	if (code == LP_OK && c.missing)
		code = lp_fail(e, LP_BAD_REQUEST, "%s is missing or has another size", c.missing);
	if (code == LP_OK)
		lp_onnx_finish(&c.graph, to, "data", "output");
	lp_buf_clear(&c.graph.nodes);
	lp_buf_clear(&c.graph.tensors);
	lp_scope_close(&scope);
	return code;
}
