/* market/intake - bring a job request in: an exchange's body becomes a checked lp_request and, for a form, a
 * spool with the file.  Used by the gateway and the orchestrator.  Reads with back-pressure; memory stays
 * bounded whatever the file's size, and is counted in the node's budget until the scope is closed. */
#ifndef LPD_MARKET_INTAKE_H
#define LPD_MARKET_INTAKE_H

#include <lpd/io/exchange.h>
#include <lpd/io/spool.h>
#include <lpd/market/request.h>

struct lp_intake;

struct lp_intake_want {
	const struct lp_pipeline *pipeline;
	enum lp_edge edge;
	struct lp_spool_budget *budget;		/* for files, and what is held in memory; not NULL */
	bool hash;				/* of the file's bytes, while they come */
};

/* Lives in the job's scope, which may outlive the exchange.  on_event comes when it is done or failed. */
struct lp_intake *lp_intake_start(struct lp_scope *scope, struct lp_exchange *ex, const struct lp_intake_want *want,
				  void (*on_event)(void *self), void *self);
/* The exchange said that something changed: intake does not watch it by itself, its owner does. */
void lp_intake_poke(struct lp_intake *intake);
/* The exchange is closed: forget it. */
void lp_intake_detach(struct lp_intake *intake);
bool lp_intake_done(const struct lp_intake *intake);
const struct lp_err *lp_intake_err(const struct lp_intake *intake);	/* code LP_OK: no fault */
struct lp_request *lp_intake_request(struct lp_intake *intake);	/* when done */
struct lp_spool *lp_intake_file(struct lp_intake *intake);		/* NULL: none */

#endif
