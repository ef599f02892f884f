/* market/discovery - keeps the roster true: asks every configured orchestrator by GetOrchestrator, in the
 * background, with deadlines and at a bounded rate; again when a job wants fresher news.  Who is configured may
 * change, and orchestrators may name further addresses of theirs. */
#ifndef LPD_MARKET_DISCOVERY_H
#define LPD_MARKET_DISCOVERY_H

#include <lpd/base/log.h>
#include <lpd/base/metric.h>
#include <lpd/io/client.h>
#include <lpd/market/roster.h>

struct lp_discovery_want {
	struct lp_loop *loop;
	struct lp_client *client;
	struct lp_roster *roster;
	const struct lp_url *addresses;	/* -orchAddr */
	int n_addresses;
	bool list_comes;		/* lp_discovery_set() or lp_discovery_no_list() will be called soon */
	int extra_nodes;		/* -extraNodes: further addresses of each that are asked too */
	struct lp_span version;		/* what we say we are */
	struct lp_span address, sig;	/* who asks, and the proof; empty: nobody */
	int64_t interval;		/* between rounds: 1 min (a round also renews tokens in time) */
	int64_t timeout;		/* of one question: 3 s */
	int at_once;			/* questions under way: 64 */
	struct lp_dice *dice;		/* spreads the times of asking */
	struct lp_log *log;
	struct lp_metrics *metrics;
};

struct lp_discovery;
struct lp_discovery *lp_discovery_open(struct lp_scope *scope, const struct lp_discovery_want *want);
/* Whom to ask from now on: rows that are not in the list leave the roster, those that stay keep what is known of
 * them.  At most 100,000 are taken. */
void lp_discovery_set(struct lp_discovery *discovery, const struct lp_url *addresses, int n);
/* The list did not come; who waits for it need not. */
void lp_discovery_no_list(struct lp_discovery *discovery);
/* Ask this one now; joined to a question under way.  on_done comes when it is answered or failed.  Questions
 * to one row are at least 200 ms apart. */
void lp_discovery_refresh(struct lp_discovery *discovery, struct lp_scope *scope, struct lp_orch *orch,
			  void (*on_done)(void *self), void *self);
/* Whoever may say something new: rows that cannot be reached and were not asked since then, rows whose
 * answer was old by then (2 s; longer when there are many), and in their first 10 s all of them, whose runners may
 * be starting (after 500 ms, or longer).  False: nobody is being asked, on_done will not
 * come.  It comes with the first good answer, or with the last bad one: look again, then ask again. */
bool lp_discovery_news(struct lp_discovery *discovery, struct lp_scope *scope, int64_t since,
		       void (*on_done)(void *self), void *self) LP_MUST_USE;
/* After a "false" of that: when there may be news that there was not yet; LP_NEVER: ask no more. */
int64_t lp_discovery_news_again(const struct lp_discovery *discovery);
bool lp_discovery_first_round_done(const struct lp_discovery *discovery);

#endif
