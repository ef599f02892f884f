/* pay/funds - what of a sender's deposit and reserve stands behind its tickets (payments 2.2).  Pure. */
#ifndef LPD_PAY_FUNDS_H
#define LPD_PAY_FUNDS_H

#include <lpd/eth/wei.h>

struct lp_funds {
	struct lp_wei deposit;
	struct lp_wei reserve;		/* what is left of it */
	struct lp_wei claimed;		/* in this round, by everybody */
	struct lp_wei claimed_by_us;	/* in this round */
	struct lp_wei pending;		/* face values of winners on their way to the chain */
	uint64_t pool_size;		/* orchestrators among whom the reserve is shared */
};

/* Our share of the reserve in this round.  All three are zero where the formula falls below: nothing is
 * secured then, and nothing may be offered.  Sums without room count as the largest number. */
struct lp_wei lp_funds_share(const struct lp_funds *funds);
/* The largest face value that is secured: pending winners are left out of it only when the deposit is at
 * least three times as large.  The deposit is never security by itself: its owner can spend it first. */
struct lp_wei lp_funds_max_float(const struct lp_funds *funds);
/* What a redemption can expect to get. */
struct lp_wei lp_funds_available(const struct lp_funds *funds);

/* True when the sender can no longer be trusted to keep its funds: unlocked, or unlocking too soon. */
bool lp_funds_unlocking(uint64_t withdraw_round, uint64_t last_round);

#endif
