/* role/orchestrator_pay - how a job is paid at an orchestrator: what its head says, credit before the work, and in
 * SETTLE what it cost (network-protocol 5.3, 5.4; payments 1.11). */
#ifndef LPD_ROLE_ORCHESTRATOR_PAY_H
#define LPD_ROLE_ORCHESTRATOR_PAY_H

#include <lpd/market/request.h>

#include "payee.h"

struct lp_charge;		/* one job's; in its scope */

struct lp_charge_want {
	struct lp_payee *payee;
	const struct lp_pipeline *pipeline;
	const char *job;	/* its id */
	void (*wake)(void *self);
	void *self;
};
struct lp_charge *lp_charge_open(struct lp_scope *scope, const struct lp_charge_want *want);

/* CHECK: Livepeer-Payment is read, and the quote in the segment's token is one that we gave this payer for this kind
 * of work (orchestrator_check.c). */
enum lp_code lp_charge_read(struct lp_charge *charge, struct lp_span header, struct lp_err *e) LP_MUST_USE;
struct lp_scope *lp_charge_scope(struct lp_charge *charge);
const struct lp_address *lp_charge_sender(const struct lp_charge *charge);
enum lp_code lp_charge_quoted(struct lp_charge *charge, const struct lp_quoted *quoted, struct lp_err *e) LP_MUST_USE;
/* ADMIT: the body is of the work that was quoted, and the job carries a payment or has credit. */
enum lp_code lp_charge_fits(struct lp_charge *charge, const struct lp_request *request, struct lp_err *e) LP_MUST_USE;

enum lp_charging { LP_CHARGING_WAITS, LP_CHARGING_DONE, LP_CHARGING_FAILED };
/* PAY, until it no longer waits: the payment is judged and credited, and what the job may cost is held. */
enum lp_charging lp_charge_take(struct lp_charge *charge, struct lp_err *e);
/* SETTLE, once: so many units were used; 0: nothing is charged. */
void lp_charge_settle(struct lp_charge *charge, uint64_t used);
/* "fee 12 wei"; false: nothing was charged. */
bool lp_charge_words(const struct lp_charge *charge, struct lp_buf *to);

#endif
