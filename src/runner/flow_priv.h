/* runner/flow_priv - the model's parts, as the files of runner/flow share them. */
#ifndef LPD_RUNNER_FLOW_PRIV_H
#define LPD_RUNNER_FLOW_PRIV_H

#include "flow.h"

enum {
	FLOW_PIECES = 2048,	/* rows of letter pieces behind the words' */
	FLOW_HIDDEN = 800,
	FLOW_COND = 320,
	FLOW_COLOUR = 32,
	FLOW_COLOURS = 12,
	FLOW_TIME = 64,		/* sines and cosines of the time */
	FLOW_IN = FLOW_TIME + LP_FLOW_TEXT + FLOW_COLOUR,
	FLOW_BLOCKS = 3,
	FLOW_ROWS = 2 * LP_FLOW_ASKS,	/* each ask with its words and without */
	FLOW_WORDS = 8192,	/* more tokens than this are refused */
};

/* A matrix as the file holds it: int8 with one scale a row. */
struct flow_matrix {
	int rows, cols;
	const float *scale;
	const int8_t *q;
	const float *bias;	/* NULL: none (the words' rows) */
};

/* A convolution, repacked for the kernel: [out / 4][in][tap][4]. */
struct flow_conv {
	int out, in, taps;	/* 9 or 1 */
	float *w;
	const float *bias;
};

enum flow_conv_name {
	FLOW_D_I, FLOW_D_R1A, FLOW_D_R1B, FLOW_D_U1, FLOW_D_R2A, FLOW_D_R2B, FLOW_D_U2, FLOW_D_R3A, FLOW_D_R3B,
	FLOW_D_O, FLOW_CONVS
};

struct flow_word {
	struct lp_span text;
	int row;
};

struct flow_kernels {
	/* y[r * rows + o] = b[o] + sum x[r * cols + i] * w[o, i] for n rows (even) of x */
	void (*matrix)(const struct flow_matrix *m, const float *x, int n, float *y);
	/* x: in planes of (side + 2) squared with a border of zeros; y: out planes of side squared */
	void (*conv)(const struct flow_conv *c, const float *x, int side, float *y);
	void (*silu)(float *x, size_t n);
};

struct lp_flow {
	struct flow_word *words;	/* sorted by text */
	int n_words;
	struct flow_matrix tok;
	const float *tok_a, *null_text, *mu;
	float col[FLOW_COLOURS * FLOW_COLOUR];
	float sd;
	struct flow_matrix c, i, o, m[FLOW_BLOCKS], a[FLOW_BLOCKS], b[FLOW_BLOCKS];
	struct flow_conv conv[FLOW_CONVS];
	float frequency[FLOW_TIME / 2];
	struct flow_kernels run;
};

int flow_row(const struct lp_flow *flow, struct lp_span word);	/* of the words' table; -1: unknown */

/* The fastest this processor has. */
struct flow_kernels flow_kernels_pick(void);
/* The ones every processor has, to compare with. */
struct flow_kernels flow_kernels_plain(void);

/* latent (unscaled) to picture; scratch memory comes from a scope of its own. */
void flow_decode(struct lp_scope *scope, const struct lp_flow *flow, const float *latent, struct lp_image *to);

#endif
