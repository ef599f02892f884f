/* market/select - the choice of an orchestrator, as a pure function of candidates and weights.
 *
 * Candidates of one (capability, model) stand in a field.  Allowed prices before those above the limit, warm
 * before cold, free before full; then the lowest expected cost in time: seconds per unit of work, times load,
 * failures and doubt.  A new one is tried early.  Among those that are nearly as good as the best the
 * operator's weights decide: so much of the jobs by stake, so much by price, so much by chance, as in the node
 * that we replace (network-protocol 7.6), and the rest goes to the best.
 *
 * A field is kept in order as candidates change, so that choosing takes the same few steps among ten thousand
 * as among ten. */
#ifndef LPD_MARKET_SELECT_H
#define LPD_MARKET_SELECT_H

#include <lpd/base/random.h>
#include <lpd/base/str.h>
#include <lpd/market/ranking.h>

enum lp_reject {		/* why a candidate is not eligible now */
	LP_REJECT_NONE,
	LP_REJECT_UNREACHED,	/* never answered, or its answer is too old */
	LP_REJECT_MODEL,	/* does not offer the model */
	LP_REJECT_VERSION,	/* too old, of node or runner */
	LP_REJECT_TRIED,	/* was tried for this job */
	LP_REJECT_BUSY,		/* said it is full a moment ago */
	LP_REJECT_SUSPENDED,	/* failed lately */
	LP_REJECT_EXCLUDED,	/* by the operator or the client */
	LP_REJECT_PRICE,	/* dearer than -maxPricePerUnit or -maxPricePerCapability */
	LP_REJECT_PERF,		/* below -minPerfScore, and others are not */
	LP_REJECTS
};

/* When nobody better is there; each goes behind all that are before it. */
enum lp_stand {
	LP_STAND_FAIR,
	LP_STAND_SLOW,		/* below -minPerfScore */
	LP_STAND_DEAR,		/* above the price limit, with -ignoreMaxPriceIfNeeded */
	LP_STANDS
};

#define LP_FIELD_CLASSES (4 * LP_STANDS)

struct lp_candidate {
	enum lp_reject reject;
	enum lp_stand stand;
	bool warm;
	double score;		/* seconds per unit of work, lower is better; 0: not known yet */
	double latency;		/* seconds that its GetOrchestrator took */
	int in_flight;		/* of ours, this model */
	uint32_t capacity;	/* advertised for the model; 0: unknown */
	int failures;		/* in a row */
	int refusals;		/* "full", in a row */
	double doubt;		/* share of its last jobs that failed, 0 to 1 */
	bool priced;
	double price;		/* wei per unit */
	double stake;		/* 0: none, or unknown */
	uint64_t id;		/* its own in the field */

	/* The field's. */
	struct lp_rank rank;
	struct lp_rank **tree;
	enum lp_reject counted;
};

struct lp_field {
	struct lp_rank *measured[LP_FIELD_CLASSES], *unmeasured[LP_FIELD_CLASSES];
	int count[LP_REJECTS];	/* of all in the field; LP_REJECT_NONE: eligible */
};

struct lp_select_want {
	/* -selectStakeWeight, -selectPriceWeight, -selectRandFreq; what is missing of 1 goes to the fastest. */
	double by_stake, by_price, by_chance;
	double price_factor;	/* -selectPriceExpFactor: so many wei more make one e times less likely */
	double work;		/* units of this job and of the usual one; a look at somebody unknown is taken */
	double usual_work;	/* with small ones.  0: not known */
};

struct lp_choice {
	struct lp_candidate *chosen;	/* NULL: none */
	int eligible;
	int rejected[LP_REJECTS];	/* counts by reason */
	const char *why;		/* "fastest warm", "only one", "not measured yet", ... */
};

/* In and out.  What a candidate says may change only while it is out. */
void lp_field_put(struct lp_field *field, struct lp_candidate *candidate, double price_factor);
void lp_field_drop(struct lp_field *field, struct lp_candidate *candidate);

void lp_select(struct lp_choice *out, const struct lp_field *field, const struct lp_select_want *want,
	       struct lp_dice *dice);
/* The new score after a measured one: exponentially weighted. */
double lp_score_update(double score, double measured);
double lp_doubt_update(double doubt, bool failed);
const char *lp_reject_name(enum lp_reject reject);

#endif
