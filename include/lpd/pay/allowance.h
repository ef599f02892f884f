/* pay/allowance - what a gateway has signed lately, held against its deposit.  Pure.
 *
 * A deposit stands behind tickets whose winners nobody has brought to the chain yet: an offer lasts 8 minutes and its
 * winners come after that.  So all that was signed in the last 20 minutes together may be worth no more than the share
 * of the deposit that this process may use (payments R-7): of N gateways on one key each gets an N-th, by
 * -depositMultiplier N, and together they stay below the deposit without knowing of each other. */
#ifndef LPD_PAY_ALLOWANCE_H
#define LPD_PAY_ALLOWANCE_H

#include <lpd/pay/amount.h>

#define LP_ALLOWANCE_MINUTES 20

/* Zeros at first. */
struct lp_allowance {
	struct lp_amount spent[LP_ALLOWANCE_MINUTES];
	int64_t minute;			/* of the newest */
};

/* Signed in the window that ends now.  Time that goes back is taken for now. */
struct lp_amount lp_allowance_spent(struct lp_allowance *allowance, int64_t now_seconds);
void lp_allowance_add(struct lp_allowance *allowance, int64_t now_seconds, struct lp_amount value);
/* Nobody has got them. */
void lp_allowance_return(struct lp_allowance *allowance, int64_t now_seconds, struct lp_amount value);
/* True when so much more is within deposit / multiplier (0 counts as 1). */
bool lp_allowance_allows(struct lp_allowance *allowance, int64_t now_seconds, struct lp_amount more,
			 struct lp_wei deposit, uint64_t multiplier);

#endif
