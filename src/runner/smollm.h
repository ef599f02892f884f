/* runner/smollm - a small language model of Llama's kind in plain C, over a GGUF file: SmolLM2-135M-Instruct.
 *
 * A conversation goes in by the model's own template; what a user writes can never become one of its marks. */
#ifndef LPD_RUNNER_SMOLLM_H
#define LPD_RUNNER_SMOLLM_H

#include <lpd/base/err.h>
#include <lpd/base/scope.h>
#include <lpd/base/str.h>

#include "crew.h"
#include "stop.h"

struct lp_smollm;

#define LP_SMOLLM_PLACES 2048	/* tokens of a conversation with its answer */

/* file: must live as long as the model.  LP_CONFIG in words. */
enum lp_code lp_smollm_open(struct lp_scope *scope, struct lp_smollm **out, struct lp_span file,
			    struct lp_err *e) LP_MUST_USE;
/* Let these help from now on; before it is used. */
void lp_smollm_share(struct lp_smollm *model, struct lp_crew *crew);

struct lp_said {
	const char *role;		/* system, user, assistant */
	struct lp_span text;
};

struct lp_talk_want {
	const struct lp_said *said;
	int n_said;
	int most;			/* tokens of the answer */
	float temperature;		/* 0: always the likeliest */
	float top_p;			/* 1: all */
	int top_k;			/* 0: all */
	uint64_t seed;
	const struct lp_stop *stop;
	/* Whole characters of the answer, as they come; called in the thread that works. */
	void (*on_text)(void *self, struct lp_span text, int tokens);
	void *self;
	int *prompt_tokens;		/* told before the first text; may be NULL */
};

struct lp_talked {
	int prompt_tokens, tokens;
	bool cut;			/* there was no room for more, or `most` was reached */
};

/* LP_BAD_REQUEST: the conversation is too long; LP_GONE: stopped. */
enum lp_code lp_smollm_talk(struct lp_talked *out, const struct lp_smollm *model, const struct lp_talk_want *want,
			    struct lp_err *e) LP_MUST_USE;

/* The n likeliest are kept, then the likeliest that make up top_p, then one is drawn by u in 0..1.  Pure. */
struct lp_choice {
	float temperature, top_p;
	int top_k;
};

int lp_smollm_choose(float *logits, int n, const struct lp_choice *how, double u);

#endif
