#include "onnx_write.h"

#include <string.h>

enum { VARINT = 0, BYTES = 2, FIXED32 = 5 };

static void put_varint(struct lp_buf *to, uint64_t v)
{
	while (v >= 0x80) {
		lp_buf_add_char(to, (char)(v | 0x80));
		v >>= 7;
	}
	lp_buf_add_char(to, (char)v);
}

static void put_key(struct lp_buf *to, unsigned field, unsigned wire)
{
	put_varint(to, field << 3 | wire);
}

static void put_int(struct lp_buf *to, unsigned field, int64_t v)
{
	put_key(to, field, VARINT);
	put_varint(to, (uint64_t)v);
}

static void put_bytes(struct lp_buf *to, unsigned field, const void *at, size_t len)
{
	put_key(to, field, BYTES);
	put_varint(to, len);
	lp_buf_add(to, at, len);
}

static void put_text(struct lp_buf *to, unsigned field, const char *text)
{
	put_bytes(to, field, text, strlen(text));
}

/* A message inside a message; its buffer is freed. */
static void put_inner(struct lp_buf *to, unsigned field, struct lp_buf *inner)
{
	struct lp_span bytes = lp_buf_span(inner);

	put_bytes(to, field, bytes.at, bytes.len);
	lp_buf_clear(inner);
}

static void put_attribute(struct lp_buf *to, unsigned field, const struct lp_onnx_attribute *a)
{
	struct lp_buf msg = { 0 };

	put_text(&msg, 1, a->name);
	switch (a->kind) {
	case LP_ONNX_FLOAT:
		put_key(&msg, 2, FIXED32);
		lp_buf_add(&msg, &a->f, sizeof a->f);
		break;
	case LP_ONNX_INT:
		put_int(&msg, 3, a->ints[0]);
		break;
	case LP_ONNX_TEXT:
		put_text(&msg, 4, a->text);
		break;
	case LP_ONNX_INTS:
		for (int i = 0; i < a->n_ints; i++)
			put_int(&msg, 8, a->ints[i]);
		break;
	}
	put_int(&msg, 20, a->kind);	/* the kinds are numbered as in the format */
	put_inner(to, field, &msg);
}

void lp_onnx_add_node(struct lp_onnx_graph *g, const struct lp_onnx_node *node)
{
	struct lp_buf msg = { 0 };

	for (int i = 0; i < node->n_inputs; i++)
		put_text(&msg, 1, node->inputs[i]);
	put_text(&msg, 2, node->output);
	put_text(&msg, 3, node->output);	/* nodes need names that differ: outputs do */
	put_text(&msg, 4, node->op);
	for (int i = 0; i < node->n_attributes; i++)
		put_attribute(&msg, 5, &node->attributes[i]);
	put_inner(&g->nodes, 1, &msg);
}

void lp_onnx_add_tensor(struct lp_onnx_graph *g, const char *name, const int64_t *dims, int n_dims, const float *v)
{
	struct lp_buf msg = { 0 };
	size_t n = 1;

	for (int i = 0; i < n_dims; i++) {
		put_int(&msg, 1, dims[i]);
		n *= (size_t)dims[i];
	}
	put_int(&msg, 2, 1);			/* FLOAT */
	put_text(&msg, 8, name);
	put_bytes(&msg, 9, v, n * sizeof *v);	/* little endian, as this machine is */
	put_inner(&g->tensors, 5, &msg);
}

static void put_dim(struct lp_buf *shape, int64_t value, const char *name)
{
	struct lp_buf dim = { 0 };

	if (name)
		put_text(&dim, 2, name);
	else
		put_int(&dim, 1, value);
	put_inner(shape, 1, &dim);
}

struct value {
	const char *name, *h, *w;	/* h, w: names of sides that are not known */
	int64_t channels;
};

/* ValueInfoProto of floats, [1, channels, h, w]. */
static void put_value(struct lp_buf *graph, unsigned field, const struct value *v)
{
	struct lp_buf value = { 0 }, type = { 0 }, tensor = { 0 }, shape = { 0 };

	put_dim(&shape, 1, NULL);
	put_dim(&shape, v->channels, NULL);
	put_dim(&shape, 0, v->h);
	put_dim(&shape, 0, v->w);
	put_int(&tensor, 1, 1);
	put_inner(&tensor, 2, &shape);
	put_inner(&type, 1, &tensor);
	put_text(&value, 1, v->name);
	put_inner(&value, 2, &type);
	put_inner(graph, field, &value);
}

void lp_onnx_finish(struct lp_onnx_graph *g, struct lp_buf *to, const char *input, const char *output)
{
	struct lp_buf graph = { 0 }, opset = { 0 };

	lp_buf_add_span(&graph, lp_buf_span(&g->nodes));
	put_text(&graph, 2, "converted");
	lp_buf_add_span(&graph, lp_buf_span(&g->tensors));
	put_value(&graph, 11, &(struct value){ input, "h", "w", 3 });
	put_value(&graph, 12, &(struct value){ output, "out_h", "out_w", g->channels ? g->channels : 3 });
	put_int(to, 1, 8);
	put_text(to, 2, "lpd-runner");
	put_inner(to, 7, &graph);
	put_text(&opset, 1, "");
	put_int(&opset, 2, 13);
	put_inner(to, 8, &opset);
	lp_buf_clear(&g->nodes);
	lp_buf_clear(&g->tensors);
}
