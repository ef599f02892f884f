/* market/select - the choice of an orchestrator, as a pure function of candidates and weights.
 *
 * Warm before cold; then the lowest expected cost in time: latency score times (1 + jobs in flight), a new one
 * is tried early; failures and recent refusals weigh.  The dice breaks ties and explores. */
#ifndef LPD_MARKET_SELECT_H
#define LPD_MARKET_SELECT_H

#include <lpd/base/random.h>
#include <lpd/base/str.h>

enum lp_reject {		/* why a candidate is not eligible now */
	LP_REJECT_NONE,
	LP_REJECT_UNREACHED,	/* never answered, or its answer is too old */
	LP_REJECT_MODEL,	/* does not offer the model */
	LP_REJECT_VERSION,	/* too old, of node or runner */
	LP_REJECT_TRIED,	/* was tried for this job */
	LP_REJECT_BUSY,		/* said it is full a moment ago */
	LP_REJECT_SUSPENDED,	/* failed lately */
	LP_REJECT_EXCLUDED,	/* by the operator or the client */
	LP_REJECTS
};

struct lp_candidate {
	enum lp_reject reject;
	bool warm;
	double score;		/* seconds per unit of work, lower is better; 0: not known yet */
	double latency;		/* seconds that its GetOrchestrator took */
	int in_flight;		/* of ours, this model */
	uint32_t capacity;	/* advertised for the model; 0: unknown */
	int failures;		/* in a row */
};

struct lp_choice {
	int index;			/* -1: none */
	int eligible;
	int rejected[LP_REJECTS];	/* counts by reason */
	const char *why;		/* "fastest warm", "only one", "not measured yet", ... */
};

void lp_select(struct lp_choice *out, const struct lp_candidate *candidates, int n, struct lp_dice *dice);
/* The new score after a measured one: exponentially weighted. */
double lp_score_update(double score, double measured);
const char *lp_reject_name(enum lp_reject reject);

#endif
