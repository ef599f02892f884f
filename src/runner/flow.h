/* runner/flow - our own text-to-image model: a few words and a seed become a 96 x 96 picture with alpha.
 *
 * A rectified flow over a latent of 512 numbers, then a small convolutional decoder; plain arithmetic, no
 * engine.  The layout of the file and the recipe are in emoji_flow/MODEL_CARD.md. */
#ifndef LPD_RUNNER_FLOW_H
#define LPD_RUNNER_FLOW_H

#include <lpd/base/err.h>
#include <lpd/base/scope.h>
#include <lpd/base/str.h>

#include "image.h"
#include "stop.h"

#define LP_FLOW_SIDE 96
#define LP_FLOW_LATENT 512
#define LP_FLOW_TEXT 96
#define LP_FLOW_ASKS 8		/* pictures made side by side at most */
#define LP_FLOW_STEPS 64

struct lp_flow;

/* The model that is built into this executable. */
struct lp_span lp_flow_weights(void);
struct lp_span lp_flow_tokens(void);

/* The weights are borrowed and must stay; LP_CONFIG when they are not what the model needs: every length
 * and every number is checked, so that nothing after this has to. */
enum lp_code lp_flow_open(struct lp_scope *scope, struct lp_flow **out, struct lp_span weights,
			  struct lp_span tokens, struct lp_err *e) LP_MUST_USE;

/* What the model makes of words. */
struct lp_flow_text {
	float vector[LP_FLOW_TEXT];
	int colour;		/* 0: none said */
	float known;		/* share of the content words that the model was trained on */
};

void lp_flow_read(const struct lp_flow *flow, struct lp_flow_text *out, struct lp_span prompt);
bool lp_flow_knows(const struct lp_flow *flow, struct lp_span word);
/* The noise that a picture starts from: the same seed, the same numbers. */
void lp_flow_noise(float *to, int n, uint64_t seed);

struct lp_flow_ask {
	struct lp_span prompt;
	uint64_t seed;
	struct lp_image *picture;	/* out: LP_FLOW_SIDE squared */
};

struct lp_flow_how {
	int steps;			/* 1 .. LP_FLOW_STEPS; 0: 16 */
	float guidance;			/* 0: 2.0 */
	const struct lp_stop *stop;	/* may be NULL */
	/* For tests: the latent of the first ask after each step. */
	void (*trace)(void *self, int step, const float *latent);
	void *self;
};

/* All asks at once (n <= LP_FLOW_ASKS): the weights are walked over once a step for all of them.
 * LP_GONE when it was stopped. */
enum lp_code lp_flow_draw(struct lp_scope *scope, const struct lp_flow *flow, struct lp_flow_ask *asks, int n,
			  const struct lp_flow_how *how) LP_MUST_USE;

#endif
