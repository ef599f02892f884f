/* pay/count - how many tickets a fee takes (payments 1.10).  Pure. */
#ifndef LPD_PAY_COUNT_H
#define LPD_PAY_COUNT_H

#include <lpd/base/err.h>
#include <lpd/pay/amount.h>

#define LP_NONCES_MAX 600	/* that an orchestrator takes for one offer: also a payment's most tickets */

struct lp_count {
	struct lp_amount fee;	/* rounded up */
	struct lp_amount have;	/* credit there already; a debt is below zero */
	struct lp_amount ev;	/* what a ticket is worth, rounded down */
};

/* Tickets so that have + tickets * ev is at least the fee, and at least one ev: orchestrators want that much
 * on their books.  An ev of 0 needs none: the orchestrator wants no tickets.  TICKETS_FULL when it would take
 * more than most. */
enum lp_code lp_count_tickets(uint32_t *out, const struct lp_count *of, uint32_t most, struct lp_err *e) LP_MUST_USE;

/* The most tickets of one payment: what is left of the offer's nonces, no more than cap, and no more than
 * max_total is worth (ev rounded up). */
uint32_t lp_count_most(uint32_t nonces_used, uint32_t cap, struct lp_amount max_total, struct lp_amount ev);

#endif
