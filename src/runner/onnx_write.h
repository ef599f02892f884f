/* runner/onnx_write - an ONNX model as bytes: the few messages of its protobuf format that a converter needs.
 *
 * Field numbers are those of onnx.proto3, IR version 8, operator set 13. */
#ifndef LPD_RUNNER_ONNX_WRITE_H
#define LPD_RUNNER_ONNX_WRITE_H

#include <lpd/base/buf.h>

/* A zeroed struct is an empty graph. */
struct lp_onnx_graph {
	struct lp_buf nodes, tensors;
	int64_t channels;	/* of the output; 0: 3 */
};

enum lp_onnx_kind { LP_ONNX_FLOAT = 1, LP_ONNX_INT = 2, LP_ONNX_TEXT = 3, LP_ONNX_INTS = 7 };

struct lp_onnx_attribute {
	const char *name;
	enum lp_onnx_kind kind;
	float f;
	const char *text;
	int64_t ints[4];
	int n_ints;		/* LP_ONNX_INT: ints[0] */
};

struct lp_onnx_node {
	const char *op;
	const char *const *inputs;	/* "" is one left out */
	int n_inputs;
	const char *output;
	const struct lp_onnx_attribute *attributes;
	int n_attributes;
};

void lp_onnx_add_node(struct lp_onnx_graph *g, const struct lp_onnx_node *node);
/* A constant: n_dims (0: a single number) <= 4 numbers of `dims`, as many floats as their product. */
void lp_onnx_add_tensor(struct lp_onnx_graph *g, const char *name, const int64_t *dims, int n_dims, const float *v);
/* The whole: one input [1, 3, h, w] and one output.  The graph's buffers are freed. */
void lp_onnx_finish(struct lp_onnx_graph *g, struct lp_buf *to, const char *input, const char *output);

#endif
