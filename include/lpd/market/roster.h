/* market/roster - orchestrators as the gateway knows them: what each last said, how it did, who is suspended.
 *
 * Rows are kept by service URI.  Candidates for (capability, model) are drawn up for market/select; the
 * outcome of a try is booked here and nowhere else.  No I/O: time is handed in.  Pure. */
#ifndef LPD_MARKET_ROSTER_H
#define LPD_MARKET_ROSTER_H

#include <lpd/base/list.h>
#include <lpd/market/orch_info.h>
#include <lpd/market/pin.h>
#include <lpd/market/select.h>
#include <lpd/market/terms.h>

struct lp_roster;
struct lp_orch;				/* one orchestrator; counted: rows in use outlive their removal */

struct lp_roster_minimum {		/* -aiMinRunnerVersion */
	uint32_t capability;
	struct lp_span model, version;
};

struct lp_roster_rules {
	struct lp_span min_version;	/* of the node; empty: any */
	const struct lp_roster_minimum *minimums;	/* of runners; live as long as the roster */
	int n_minimums;
	int64_t stale;			/* an info older than this is not used: 5 min */
	int64_t busy_base, busy_max;	/* after "full": 0.25 s, doubling, jittered, to 10 s; then one more than ran is tried */
	int64_t suspend_base, suspend_max;	/* after a fault: 2 s, doubling, to 2 min; one probe job when half open */
	const struct lp_max_prices *max_prices;	/* live as long as the roster; NULL: any price */
	bool dear_if_needed;		/* -ignoreMaxPriceIfNeeded */
	double min_perf;		/* -minPerfScore */
	const struct lp_address *blocked;	/* -orchBlocklist; live as long as the roster */
	int n_blocked;
	struct lp_select_want weights;	/* of the choice; work is filled in */
};

struct lp_roster *lp_roster_open(struct lp_scope *scope, const struct lp_roster_rules *rules, struct lp_dice *dice);

/* The row of an address to ask, made when missing.  address: normalised "https://host:port". */
struct lp_orch *lp_roster_row(struct lp_roster *roster, struct lp_span address);
/* What it answered (copied), and how long that took.  Infos are kept per (capability, model) asked? No: one
 * answer names every model that it offers (network-protocol 4.3), so one per row suffices. */
void lp_orch_answered(struct lp_orch *orch, const struct lp_orch_info *info, int64_t took, int64_t now);
void lp_orch_unreached(struct lp_orch *orch, const struct lp_err *why, int64_t now);
void lp_roster_remove(struct lp_roster *roster, struct lp_span address);	/* discovery no longer names it */

/* What others say, by the orchestrator's 20 bytes.  perf: lives until the next one is given; NULL: none is
 * loaded, and everybody is good enough.  stake: in whatever unit, the same for all; it counts from the next time
 * that the row is looked at, or from lp_roster_staked(), after which all do. */
void lp_roster_perf(struct lp_roster *roster, const struct lp_perf *perf);
void lp_roster_stake(struct lp_roster *roster, struct lp_span address, double stake);
void lp_roster_staked(struct lp_roster *roster);

/* Who remembers a row longer than until it returns to the loop holds it: it may be removed meanwhile. */
void lp_orch_hold(struct lp_orch *orch);
void lp_orch_let_go(struct lp_orch *orch);

struct lp_span lp_orch_address(const struct lp_orch *orch);
const struct lp_orch_info *lp_orch_info(const struct lp_orch *orch);		/* NULL: none yet */
int64_t lp_orch_answered_at(const struct lp_orch *orch);	/* mono */
/* Not in its last 3 minutes by the wall clock, or just come. */
bool lp_orch_token_fresh(const struct lp_orch *orch, int64_t wall_now, int64_t now);

/* Choose for a job; tried: rows that this job used already.  *out says why, also when NULL is returned.  Takes a
 * few steps for each of `tried`, however many rows there are; with a pin it looks at all of them. */
#define LP_ROSTER_TRIED 32
struct lp_roster_ask {
	uint32_t capability;
	struct lp_span model;
	struct lp_orch *const *tried;	/* held by the caller */
	int n_tried;			/* at most LP_ROSTER_TRIED */
	const struct lp_pin *pin;	/* Lp-Orchestrator; NULL: any */
	double work;			/* units of this job, as of a score; 0: not known */
	int64_t now;
};
struct lp_orch *lp_roster_choose(struct lp_roster *roster, const struct lp_roster_ask *ask, struct lp_choice *out);
/* When a busy or suspended one that fits comes back: mono time, LP_NEVER when none will. */
int64_t lp_roster_next_chance(struct lp_roster *roster, const struct lp_roster_ask *ask);

/* One try: in flight from begin to end.  code: how it ended; took and work for the score when LP_OK. */
struct lp_orch_try {
	struct lp_orch *orch;
	uint32_t capability;
	struct lp_span model;
	uint64_t probe;			/* set by begin: it is the one let through to see; 0: it is not */
};
void lp_orch_begin(struct lp_roster *roster, struct lp_orch_try *t);
struct lp_orch_outcome {
	enum lp_code code;
	int64_t took;			/* microseconds */
	double work;			/* 0: do not score */
	int64_t now;
};
void lp_orch_end(struct lp_roster *roster, const struct lp_orch_try *t, const struct lp_orch_outcome *outcome);

/* For /status and metrics. */
struct lp_roster_count {
	int known, ready, busy, suspended, unreached, in_flight;
};
void lp_roster_count(const struct lp_roster *roster, struct lp_roster_count *out, int64_t now);
bool lp_roster_next(const struct lp_roster *roster, size_t *at, struct lp_orch **orch);	/* walk all rows */
const char *lp_orch_state(const struct lp_orch *orch, int64_t now);	/* "ready", "busy", "suspended", "unreached" */

/* How one offer of it does, as jobs met it. */
struct lp_orch_offer {
	double score;			/* seconds per unit of work; 0: not known */
	int in_flight, failures;
	bool busy, suspended;
};
void lp_orch_offer(const struct lp_orch *orch, struct lp_orch_offer *out, uint32_t capability, struct lp_span model,
		   int64_t now);
/* The oldest runner that may serve it; empty: any. */
struct lp_span lp_roster_min_runner(const struct lp_roster *roster, uint32_t capability, struct lp_span model);

#endif
