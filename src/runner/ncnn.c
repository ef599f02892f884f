#include "ncnn.h"

#include <string.h>

#include <lpd/base/scope.h>

#include "nn.h"
#include "onnx_write.h"

#define MAGIC "7767517"
#define LAYERS 4096
#define BLOBS 64		/* inputs or outputs of one layer */

#define PARAMS 16
#define FLOATS 8		/* of one listed setting */
#define ARRAY_KEY (-23300)	/* a list's key is this minus the number of the setting */
#define WEIGHTS_FP16 0x01306B47u

struct param {
	int key;
	double v;
	float list[FLOATS];
	int n;			/* of the list */
};

struct layer {
	const char *type, *name;
	const char *in[BLOBS], *out[BLOBS];
	int n_in, n_out;
	struct param params[PARAMS];
	int n_params;
};

struct convert {
	struct lp_scope *scope;		/* of this layer: names and numbers */
	struct lp_onnx_graph graph;
	struct lp_span weights;		/* what is left of them */
	int at;				/* layers read */
	bool input, output;		/* seen */
	struct lp_err *e;
};

static enum lp_code bad(struct convert *c, const char *what)
{
	lp_fail(c->e, LP_BAD_REQUEST, "the ncnn model cannot be converted: layer %d: %s", c->at, what);
	return LP_BAD_REQUEST;
}

/* ---- reading ---- */

static struct lp_span next_field(struct lp_span *line)
{
	struct lp_span field = { NULL, 0 };

	while (line->at && field.len == 0) {
		field = lp_span_cut(line, ' ');
		if (field.len && field.at[field.len - 1] == '\r')
			field.len--;
	}
	return field;
}

static bool count_field(struct lp_span *line, int *out)
{
	uint64_t n;

	if (!lp_span_u64(next_field(line), &n) || n > BLOBS)
		return false;
	*out = (int)n;
	return true;
}

static bool names(struct convert *c, struct lp_span *line, const char **to, int n)
{
	for (int i = 0; i < n; i++) {
		struct lp_span name = next_field(line);

		if (!name.len || name.len > 200)
			return false;
		to[i] = lp_strdup(c->scope, name);
	}
	return true;
}

/* "n,a,b,...": the first number counts the others. */
static bool read_list(struct param *p, struct lp_span text)
{
	uint64_t n;

	if (!lp_span_u64(lp_span_cut(&text, ','), &n) || n > FLOATS)
		return false;
	for (p->n = 0; p->n < (int)n; p->n++) {
		double v;

		if (!lp_span_f64(lp_span_cut(&text, ','), &v))
			return false;
		p->list[p->n] = (float)v;
	}
	return true;
}

static bool read_param(struct param *p, struct lp_span text)
{
	int64_t key;

	if (!lp_span_i64(lp_span_cut(&text, '='), &key) || key < ARRAY_KEY - 64 || key > 64)
		return false;
	if (key <= ARRAY_KEY) {
		p->key = (int)(ARRAY_KEY - key);
		return read_list(p, text);
	}
	p->key = (int)key;
	return lp_span_f64(text, &p->v);
}

static bool read_layer(struct convert *c, struct layer *l, struct lp_span line)
{
	struct lp_span field;

	memset(l, 0, sizeof *l);
	if (!names(c, &line, &l->type, 1) || !names(c, &line, &l->name, 1) || !count_field(&line, &l->n_in) ||
	    !count_field(&line, &l->n_out) || !names(c, &line, l->in, l->n_in) || !names(c, &line, l->out, l->n_out))
		return false;
	while ((field = next_field(&line)).len) {
		if (l->n_params == PARAMS || !read_param(&l->params[l->n_params++], field))
			return false;
	}
	return true;
}

static const struct param *param(const struct layer *l, int key)
{
	for (int i = 0; i < l->n_params; i++) {
		if (l->params[i].key == key)
			return &l->params[i];
	}
	return NULL;
}

/* A setting that is a whole number in 0..most; -1: it is something else. */
static int64_t whole(const struct layer *l, int key, int64_t preset, int64_t most)
{
	const struct param *p = param(l, key);

	if (!p)
		return preset;
	if (p->v < 0.0 || p->v > (double)most || p->v != (double)(int64_t)p->v)
		return -1;
	return (int64_t)p->v;
}

/* Every setting of the layer is one of those that its converter knows ("0 1 4"). */
static bool only(const struct layer *l, uint64_t known)
{
	for (int i = 0; i < l->n_params; i++) {
		int key = l->params[i].key;

		if (key < 0 || key > 63 || !(known >> key & 1))
			return false;
	}
	return true;
}

#define KEY(n) (UINT64_C(1) << (n))

/* n floats as they are. */
static float *raw_floats(struct convert *c, size_t n)
{
	if (c->weights.len / 4 < n)
		return NULL;
	float *v = lp_new_array(c->scope, float, n);

	memcpy(v, c->weights.at, n * 4);
	c->weights = lp_span_skip(c->weights, n * 4);
	return v;
}

/* Weights with a tag before them: half precision, padded to four bytes, or floats. */
static float *tagged_floats(struct convert *c, size_t n)
{
	uint32_t tag;

	if (c->weights.len < sizeof tag)
		return NULL;
	memcpy(&tag, c->weights.at, sizeof tag);
	c->weights = lp_span_skip(c->weights, sizeof tag);
	if (tag == 0)
		return raw_floats(c, n);
	if (tag != WEIGHTS_FP16 || c->weights.len < (n * 2 + 3) / 4 * 4)
		return NULL;
	float *v = lp_new_array(c->scope, float, n);

	for (size_t i = 0; i < n; i++) {
		uint16_t h;

		memcpy(&h, c->weights.at + 2 * i, sizeof h);
		v[i] = lp_half(h);
	}
	c->weights = lp_span_skip(c->weights, (n * 2 + 3) / 4 * 4);
	return v;
}

/* ---- writing ---- */

static void node(struct convert *c, const char *op, const char *const *in, int n_in, const char *out)
{
	struct lp_onnx_node n = { .op = op, .inputs = in, .n_inputs = n_in, .output = out };

	lp_onnx_add_node(&c->graph, &n);
}

/* A constant named after the layer. */
static const char *constant(struct convert *c, const struct layer *l, const char *what, const float *v, int64_t n)
{
	const char *name = lp_fmt(c->scope, "n_%s_%s", l->name, what);

	lp_onnx_add_tensor(&c->graph, name, &n, 1, v);
	return name;
}

static enum lp_code on_input(struct convert *c, const struct layer *l)
{
	if (l->n_out != 1 || strcmp(l->out[0], "data") != 0 || c->input)
		return bad(c, "the one input must be named data");
	c->input = true;
	return LP_OK;
}

static enum lp_code on_split(struct convert *c, const struct layer *l)
{
	for (int i = 0; i < l->n_out; i++)
		node(c, "Identity", l->in, 1, l->out[i]);
	return LP_OK;
}

static enum lp_code activation(struct convert *c, const struct layer *l, int64_t kind, const char *before)
{
	const char *in[] = { before };
	const struct param *p = param(l, 10);

	if (kind == 1) {
		node(c, "Relu", in, 1, l->out[0]);
	} else if (kind == 2 && p && p->n == 1) {
		struct lp_onnx_attribute alpha = { .name = "alpha", .kind = LP_ONNX_FLOAT, .f = p->list[0] };
		struct lp_onnx_node n = { "LeakyRelu", in, 1, l->out[0], &alpha, 1 };

		lp_onnx_add_node(&c->graph, &n);
	} else {
		return bad(c, "an unknown activation");
	}
	return LP_OK;
}

static enum lp_code on_convolution(struct convert *c, const struct layer *l)
{
	int64_t out = whole(l, 0, -1, 4096), k = whole(l, 1, -1, 7), pad = whole(l, 4, 0, 3), act = whole(l, 9, 0, 2);
	int64_t bias = whole(l, 5, 0, 1), size = whole(l, 6, -1, INT64_C(1) << 26);

	if (!only(l, KEY(0) | KEY(1) | KEY(4) | KEY(5) | KEY(6) | KEY(9) | KEY(10)) || out < 1 || k < 1 || pad < 0 ||
	    bias < 0 || act < 0 || size < 1 || size % (out * k * k) != 0)
		return bad(c, "a convolution of an unknown kind");
	const float *w = tagged_floats(c, (size_t)size), *b = bias && w ? raw_floats(c, (size_t)out) : NULL;

	if (!w || (bias && !b))
		return bad(c, "weights are missing");
	int64_t dims[4] = { out, size / (out * k * k), k, k };
	const char *in[3] = { l->in[0], lp_fmt(c->scope, "n_%s_w", l->name), NULL };
	const char *to = act ? lp_fmt(c->scope, "n_%s_pre", l->name) : l->out[0];

	lp_onnx_add_tensor(&c->graph, in[1], dims, 4, w);
	if (b)
		in[2] = constant(c, l, "b", b, out);
	struct lp_onnx_attribute attributes[2] = {
		{ .name = "kernel_shape", .kind = LP_ONNX_INTS, .ints = { k, k }, .n_ints = 2 },
		{ .name = "pads", .kind = LP_ONNX_INTS, .ints = { pad, pad, pad, pad }, .n_ints = 4 },
	};
	struct lp_onnx_node n = { "Conv", in, b ? 3 : 2, to, attributes, 2 };

	lp_onnx_add_node(&c->graph, &n);
	return act ? activation(c, l, act, to) : LP_OK;
}

static enum lp_code on_prelu(struct convert *c, const struct layer *l)
{
	int64_t n = whole(l, 0, -1, 4096);
	const float *slope = n > 0 ? raw_floats(c, (size_t)n) : NULL;

	if (!slope || !only(l, KEY(0)))
		return bad(c, "slopes are missing");
	int64_t dims[3] = { n, 1, 1 };
	const char *in[2] = { l->in[0], lp_fmt(c->scope, "n_%s_s", l->name) };

	lp_onnx_add_tensor(&c->graph, in[1], dims, 3, slope);
	node(c, "PRelu", in, 2, l->out[0]);
	return LP_OK;
}

static enum lp_code on_swish(struct convert *c, const struct layer *l)
{
	const char *in[2] = { l->in[0], lp_fmt(c->scope, "n_%s_g", l->name) };

	node(c, "Sigmoid", l->in, 1, in[1]);
	node(c, "Mul", in, 2, l->out[0]);
	return LP_OK;
}

static enum lp_code on_sigmoid(struct convert *c, const struct layer *l)
{
	node(c, "Sigmoid", l->in, 1, l->out[0]);
	return LP_OK;
}

static enum lp_code on_binary(struct convert *c, const struct layer *l)
{
	static const char *const ops[] = { "Add", "Sub", "Mul", "Div" };
	int64_t op = whole(l, 0, 0, 3), scalar = whole(l, 1, 0, 1);
	const struct param *v = param(l, 2);

	if (!only(l, KEY(0) | KEY(1) | KEY(2)) || op < 0 || scalar < 0 || l->n_in != (scalar ? 1 : 2) || (scalar && !v))
		return bad(c, "an operation of an unknown kind");
	if (!scalar) {
		node(c, ops[op], l->in, 2, l->out[0]);
		return LP_OK;
	}
	float with = (float)v->v;
	const char *in[2] = { l->in[0], constant(c, l, "c", &with, 1) };

	node(c, ops[op], in, 2, l->out[0]);
	return LP_OK;
}

/* A sum with a coefficient for each of two, or a plain sum or product. */
static enum lp_code on_eltwise(struct convert *c, const struct layer *l)
{
	int64_t op = whole(l, 0, 0, 1);
	const struct param *p = param(l, 1);
	const char *sum[2];

	if (!only(l, KEY(0) | KEY(1)) || op < 0 || l->n_in != 2 || (p && p->n != 2 && p->n != 0))
		return bad(c, "a sum of an unknown kind");
	if (op == 0 || !p || p->n == 0) {
		node(c, op ? "Add" : "Mul", l->in, 2, l->out[0]);
		return LP_OK;
	}
	for (int i = 0; i < 2; i++) {
		const char *in[2] = { l->in[i], constant(c, l, i ? "k1" : "k0", &p->list[i], 1) };

		sum[i] = lp_fmt(c->scope, "n_%s_t%d", l->name, i);
		node(c, "Mul", in, 2, sum[i]);
	}
	node(c, "Add", sum, 2, l->out[0]);
	return LP_OK;
}

static enum lp_code on_concat(struct convert *c, const struct layer *l)
{
	struct lp_onnx_attribute axis = { .name = "axis", .kind = LP_ONNX_INT, .ints = { 1 } };
	struct lp_onnx_node n = { "Concat", l->in, l->n_in, l->out[0], &axis, 1 };

	if (whole(l, 0, 0, 0) != 0)		/* 0: the channels */
		return bad(c, "a join along an unknown side");
	lp_onnx_add_node(&c->graph, &n);
	return LP_OK;
}

static enum lp_code on_shuffle(struct convert *c, const struct layer *l)
{
	int64_t r = whole(l, 0, -1, 8);
	struct lp_onnx_attribute attributes[2] = {
		{ .name = "blocksize", .kind = LP_ONNX_INT, .ints = { r } },
		{ .name = "mode", .kind = LP_ONNX_TEXT, .text = "CRD" },
	};
	struct lp_onnx_node n = { "DepthToSpace", l->in, 1, l->out[0], attributes, 2 };

	if (r < 1 || !only(l, KEY(0)))
		return bad(c, "a shuffle of an unknown kind");
	lp_onnx_add_node(&c->graph, &n);
	return LP_OK;
}

static enum lp_code on_interp(struct convert *c, const struct layer *l)
{
	static const struct lp_onnx_attribute nearest[] = {
		{ .name = "mode", .kind = LP_ONNX_TEXT, .text = "nearest" },
		{ .name = "coordinate_transformation_mode", .kind = LP_ONNX_TEXT, .text = "asymmetric" },
		{ .name = "nearest_mode", .kind = LP_ONNX_TEXT, .text = "floor" },
	}, cubic[] = {
		{ .name = "mode", .kind = LP_ONNX_TEXT, .text = "cubic" },
		{ .name = "coordinate_transformation_mode", .kind = LP_ONNX_TEXT, .text = "half_pixel" },
		{ .name = "cubic_coeff_a", .kind = LP_ONNX_FLOAT, .f = -0.75f },
	};
	int64_t kind = whole(l, 0, -1, 3);
	const struct param *h = param(l, 1), *w = param(l, 2);

	if (!only(l, KEY(0) | KEY(1) | KEY(2)) || (kind != 1 && kind != 3) || !h || !w ||
	    !(h->v > 0.0 && h->v <= 8.0) || !(w->v > 0.0 && w->v <= 8.0))
		return bad(c, "a resize of an unknown kind");
	float scales[4] = { 1.0f, 1.0f, (float)h->v, (float)w->v };
	const char *in[3] = { l->in[0], "", constant(c, l, "s", scales, 4) };
	struct lp_onnx_node n = { "Resize", in, 3, l->out[0], kind == 1 ? nearest : cubic, 3 };

	lp_onnx_add_node(&c->graph, &n);
	return LP_OK;
}

static enum lp_code on_memory(struct convert *c, const struct layer *l)
{
	int64_t w = whole(l, 0, -1, 4096), h = whole(l, 1, 0, 4096), n = whole(l, 2, 0, 4096);

	if (!only(l, KEY(0) | KEY(1) | KEY(2)) || w < 1 || h < 0 || n < 0 || (n && !h) || (h && !n))
		return bad(c, "a constant of an unknown kind");
	int64_t dims[4] = { 1, n, h, w }, count = n ? w * h * n : w;
	const float *v = count <= INT64_C(1) << 24 ? raw_floats(c, (size_t)count) : NULL;

	if (!v)
		return bad(c, "a constant is missing");
	lp_onnx_add_tensor(&c->graph, l->out[0], n ? dims : &w, n ? 4 : 1, v);
	return LP_OK;
}

static const struct kind {
	const char *type;
	int inputs;		/* at least */
	enum lp_code (*convert)(struct convert *c, const struct layer *l);
} kinds[] = {
	{ "Input", 0, on_input },	  { "Split", 1, on_split },	  { "Convolution", 1, on_convolution },
	{ "PReLU", 1, on_prelu },	  { "Swish", 1, on_swish },	  { "Sigmoid", 1, on_sigmoid },
	{ "BinaryOp", 1, on_binary },	  { "Eltwise", 2, on_eltwise },	  { "Concat", 1, on_concat },
	{ "PixelShuffle", 1, on_shuffle }, { "Interp", 1, on_interp },	  { "MemoryData", 0, on_memory },
};

static enum lp_code convert_layer(struct convert *c, const struct layer *l)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strcmp(l->type, kinds[i].type) != 0)
			continue;
		if (l->n_in < kinds[i].inputs || l->n_out < 1)
			return bad(c, "inputs or outputs are missing");
		for (int o = 0; o < l->n_out; o++)
			c->output = c->output || strcmp(l->out[o], "output") == 0;
		return kinds[i].convert(c, l);
	}
	return bad(c, "of an unknown kind");
}

static enum lp_code convert_all(struct convert *c, struct lp_span param)
{
	struct lp_scope *whole_scope = c->scope;
	struct layer *l = lp_new(c->scope, struct layer);
	struct lp_span magic = lp_span_cut(&param, '\n');
	enum lp_code code = LP_OK;

	if (!lp_span_is(next_field(&magic), MAGIC))
		return bad(c, "this is no ncnn file");
	lp_span_cut(&param, '\n');		/* the counts, which the lines themselves tell */
	while (code == LP_OK && param.at) {
		struct lp_span line = lp_span_trim(lp_span_cut(&param, '\n'));

		if (!line.len)
			continue;
		if (++c->at > LAYERS)
			return bad(c, "there are too many");
		c->scope = lp_scope_open(whole_scope, "layer");
		code = read_layer(c, l, line) ? convert_layer(c, l) : bad(c, "its line is malformed");
		lp_scope_close(&c->scope);
		c->scope = whole_scope;
	}
	if (code == LP_OK && (!c->input || !c->output || c->weights.len))
		return bad(c, "input or output is missing, or weights are left over");
	return code;
}

enum lp_code lp_ncnn_to_onnx(struct lp_buf *to, struct lp_span param, struct lp_span weights, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(NULL, "ncnn");
	struct convert c = { .scope = scope, .weights = weights, .e = e };
	enum lp_code code = convert_all(&c, param);
	struct lp_buf model = { 0 };

	lp_onnx_finish(&c.graph, &model, "data", "output");
	if (code == LP_OK)
		lp_buf_add_span(to, lp_buf_span(&model));
	lp_buf_clear(&model);
	lp_scope_close(&scope);
	return code;
}
