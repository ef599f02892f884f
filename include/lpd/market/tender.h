/* market/tender - the terms of one orchestrator for one kind of work: price, ticket parameters and token, asked for
 * by GetOrchestrator with our name and the capability (network-protocol 3, 4.3), and kept until others are asked for.
 *
 * Off-chain one answer names everything and discovery's is enough; who pays needs the price of just this model, and
 * tickets and token that the orchestrator has bound to it. */
#ifndef LPD_MARKET_TENDER_H
#define LPD_MARKET_TENDER_H

#include <lpd/io/client.h>
#include <lpd/io/grpc.h>
#include <lpd/market/orch_info.h>

struct lp_tenders;
struct lp_tenders_want {
	struct lp_loop *loop;
	struct lp_client *client;
	struct lp_span address, sig;	/* who asks; live as long as the scope */
	int64_t timeout;		/* of a question: 2.5 s */
	size_t most;			/* kept; 0: 4096.  Those longest known go */
};
struct lp_tenders *lp_tenders_open(struct lp_scope *scope, const struct lp_tenders_want *want);

struct lp_tender_work {
	struct lp_span orch;		/* where it is asked: its row's address */
	uint32_t capability;
	struct lp_span model;
};

/* An answer as it came and as it was read.  Counted: who remembers it longer than until it returns to the loop holds
 * it. */
struct lp_tender {
	struct lp_orch_info info;
	struct lp_span bytes;
	int64_t came;			/* mono */
	struct lp_scope *scope;
	int refs;
};
void lp_tender_hold(struct lp_tender *tender);
void lp_tender_let_go(void *tender);

struct lp_tender *lp_tender_find(const struct lp_tenders *tenders, const struct lp_tender_work *work);	/* or NULL */
/* Why the last question was not answered; LP_OK: it was, or none was asked. */
const struct lp_err *lp_tender_err(const struct lp_tenders *tenders, const struct lp_tender_work *work);
/* It is good for nothing any more. */
void lp_tender_drop(struct lp_tenders *tenders, const struct lp_tender_work *work);
/* Ask; joined to a question under way, and to an answer of the last 200 ms.  need: what a job needs of it.  on_done
 * (NULL: nobody waits) comes once, later, unless the scope closes; the question itself goes on. */
struct lp_tender_ask {
	struct lp_tender_work work;
	const struct lp_capabilities *need;
	void (*on_done)(void *self);
	void *self;
};
void lp_tender_ask(struct lp_scope *scope, struct lp_tenders *tenders, const struct lp_tender_ask *ask);

/* What came of a GetOrchestrator that was asked at this address: also for market/discovery. */
enum lp_code lp_tender_read(struct lp_scope *scope, struct lp_orch_info *info, struct lp_grpc_call *call,
			    const struct lp_url *asked, struct lp_err *e) LP_MUST_USE;

#endif
