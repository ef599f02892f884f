/* market/roster, in three files: roster.c keeps the rows, offer.c one (capability, model) of a row and how tries
 * at it ended, pool.c all offers of one (capability, model) and the choice among them.
 *
 * A row is the node: whether it can be reached at all.  An offer has its score, its slots, whether it said that
 * it is full.  So a full or broken model does not take the other models of the same orchestrator out.
 *
 * How an offer stands is worked out when something happens to it, or when its alarm rings, never by looking at
 * all of them: that is what lets a choice among ten thousand take as long as one among ten. */
#ifndef LPD_MARKET_ROSTER_PRIV_H
#define LPD_MARKET_ROSTER_PRIV_H

#include <lpd/base/map.h>
#include <lpd/base/time.h>
#include <lpd/market/agenda.h>
#include <lpd/market/roster.h>

#define LP_OFFERS_MAX 256	/* of one row; who tells more models is believed in so many */
#define LP_MODEL_MAX 508	/* bytes of a model's name; a longer one is not looked at */

/* A time of rest after a fault, longer each time; over, but not forgotten, it is half open: one job is let
 * through to see.  It may run for minutes, and what is well need not wait for its end: after as long as the
 * rest was without a fault the next one follows. */
struct lp_spell {
	int64_t until, length;
	int step;		/* 0: none; how often in a row */
	int64_t probe_until;	/* one job is on its way to see; nobody else until it ends or this; 0: none is */
	uint64_t probe;		/* the number of that job's try */
};

/* How many jobs of ours an offer takes, as far as it has told.  "Full" says: as many as run now.  From then on
 * a new one is let in for each that ends, and beyond that from time to time some more, to see: refusals come
 * at once, so a moment without one is an answer. */
struct lp_room {
	bool limited;			/* it was full lately */
	int limit;
	int extra;			/* beyond the limit in one moment: 1, doubled while all are taken */
	bool testing;			/* some are in beyond the limit, until `until` */
	int64_t until;			/* no more before this */
	int step;			/* refusals in a row */
};

struct lp_pool {			/* of one (capability, model) */
	struct lp_field field;
	struct lp_agenda agenda;	/* of its offers that rest */
	int n;				/* offers in it */
	int in_flight;
	double usual_work;
};

struct lp_offer {
	struct lp_link link;		/* in its row */
	struct lp_orch *orch;
	struct lp_pool *pool;		/* NULL: it is not offered now, or the row is removed */
	uint32_t capability;
	struct lp_span model;		/* behind the struct */
	double score, doubt;
	int in_flight, failures;
	struct lp_room room;
	struct lp_spell suspended;
	/* Of the last answer. */
	bool told;
	enum lp_reject fits;
	bool warm;
	uint32_t capacity;
	bool priced;
	double price;
	enum lp_stand stand;

	struct lp_candidate candidate;	/* in the pool's field */
	struct lp_alarm alarm;		/* when it stands otherwise by itself */
};

struct lp_orch {
	struct lp_roster *roster;
	struct lp_span address;		/* behind the struct */
	int at;				/* in the roster's rows */
	int refs;			/* one for the roster, one for each try */
	bool removed;
	struct lp_scope *scope;		/* of info; NULL: it never answered */
	struct lp_orch_info info;
	int64_t answered_at, latency;
	int misses;
	bool reached;			/* as last counted */
	bool blocked;			/* -orchBlocklist */
	struct lp_alarm stale;		/* when its answer is too old */
	struct lp_spell suspended;
	int failures;
	struct lp_list offers;
	int n_offers;
};

struct lp_roster {
	struct lp_scope *scope;
	struct lp_roster_rules rules;
	struct lp_dice *dice;
	struct lp_map *by_address, *pools, *stakes;
	struct lp_orch **rows;
	int n, cap, n_reached;
	struct lp_agenda stale;
	const struct lp_perf *perf;
	uint64_t offers_made, probes;
	int64_t now;				/* as last handed in */
};

/* roster.c */
void lp_orch_look(struct lp_orch *orch);
bool lp_orch_reached(const struct lp_orch *orch, int64_t now);
double lp_orch_stake(const struct lp_orch *orch);
struct lp_span lp_orch_identity(const struct lp_orch *orch);	/* its 20 bytes; empty: not known */

/* offer.c */
struct lp_offer *lp_offer_find(const struct lp_orch *orch, uint32_t capability, struct lp_span model);
struct lp_offer *lp_offer_get(struct lp_orch *orch, uint32_t capability, struct lp_span model);
void lp_offers_told(struct lp_orch *orch);	/* a new answer is there: what it offers, and on which terms */
void lp_offers_rated(struct lp_orch *orch);	/* there are new scores */
void lp_offers_judge(struct lp_orch *orch);	/* something happened to the row */
void lp_offer_judge(struct lp_offer *o);	/* ... or to this one, or to time */
void lp_offers_free(struct lp_orch *orch);
bool lp_spell_rests(const struct lp_spell *s, int64_t now);
bool lp_offer_has_room(const struct lp_offer *o, int64_t now);

/* pool.c */
void lp_pool_join(struct lp_offer *o);
void lp_pool_leave(struct lp_offer *o);
void lp_pools_free(struct lp_roster *roster);

#endif
