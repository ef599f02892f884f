/* runner/pipes - the pipelines that this runner serves, one row each: what is read, what is checked, who works,
 * what is said when it fails (ai-http-api 3.3, 3.4). */
#ifndef LPD_RUNNER_PIPES_H
#define LPD_RUNNER_PIPES_H

#include <lpd/base/err.h>

#include "ask.h"

struct lp_job;

struct lp_pipe {
	const char *name;		/* its path too, after a slash */
	const char *failed;		/* what a fault of ours is called */
	struct lp_ask_shape shape;
	int64_t body_limit;
	enum lp_ask_field model;	/* which field names the model */
	enum lp_ask_field spoken;	/* must hold more than blanks; LP_ASK_FIELDS: none */
	const char *unspoken;		/* what is said when it does not */
	bool zero_is_random;		/* a seed of 0 means that none was given */
	/* Limits of the request, and what the job needs out of it; NULL: none. */
	void (*check)(struct lp_job *job, struct lp_denial *d);
	/* In a thread: the answer goes to job->json.  LP_GONE when it was stopped. */
	enum lp_code (*work)(struct lp_job *job);
};

const struct lp_pipe *lp_pipes(int *n);

#endif
