/* runner/nn - the arithmetic of the transformers (whisper, smollm): once for every processor, once for AVX2 and FMA.
 *
 * Rows lie one after the other; a weight's row holds what one output reads. */
#ifndef LPD_RUNNER_NN_H
#define LPD_RUNNER_NN_H

#include <stddef.h>
#include <stdint.h>

#include "crew.h"

/* out[i][o] = sum over k of a[i][k] * w[o][k], + bias[o]. */
struct lp_product {
	const float *a, *w, *bias;	/* bias may be NULL */
	float *out;
	int n, m, k;			/* rows of a, rows of w, their length: a multiple of 8 */
	int out_pitch;			/* floats from one row of out to the next; 0: m */
	struct lp_crew *crew;		/* who may help; NULL: nobody */
};

void lp_nn_product(const struct lp_product *p);

/* In place. */
void lp_nn_softmax(float *x, int n);
void lp_nn_gelu(struct lp_crew *crew, float *x, size_t n);
/* to may be x. */
struct lp_norm {
	/* shift NULL: by the root of the mean square alone (RMS), else by mean and spread */
	const float *gain, *shift;
	float epsilon;
};

void lp_nn_norm(float *to, const float *x, int n, const struct lp_norm *norm);
void lp_nn_add(float *to, const float *x, size_t n);

float lp_half(uint16_t h);		/* IEEE 754 half precision */

/* Weights in blocks of 32 along a row, as GGUF has them. */
enum lp_quant { LP_Q4_1, LP_Q8_0 };
#define LP_Q4_1_BYTES 20		/* half scale, half least, 32 x 4 bits */
#define LP_Q8_0_BYTES 34		/* half scale, 32 x 8 bits */

/* out[o] = sum over k of w[o][k] * x[k]; k is a multiple of 32, at most LP_QUANT_MOST. */
#define LP_QUANT_MOST 8192

struct lp_quant_product {
	enum lp_quant kind;
	const uint8_t *w;
	const float *x;			/* n rows of k */
	float *out;			/* n rows of m */
	int n, m, k;
	struct lp_crew *crew;
};

void lp_nn_quant_product(const struct lp_quant_product *p);
void lp_nn_quant_row(float *to, const struct lp_quant_product *p, int row);	/* one row of w as floats */

#endif
