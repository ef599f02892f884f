/* pay/chain - what the money asks of a chain, whichever it is: the ledger in a file, later the real one.
 *
 * Every function may take its time (a file that another process has locked, a network): they are called from
 * the pool, one at a time for each chain, and what they answer is kept by the loop until the next time.  Words
 * of refused redemptions are the contract's (payments 1.17). */
#ifndef LPD_PAY_CHAIN_H
#define LPD_PAY_CHAIN_H

#include <lpd/base/err.h>
#include <lpd/pay/funds.h>
#include <lpd/pay/params.h>
#include <lpd/pay/ticket.h>

struct lp_chain_clock {
	uint64_t block;			/* L1 */
	struct lp_rounds rounds;
	struct lp_wei gas_price;
};

struct lp_chain_sender {
	struct lp_funds funds;		/* for this claimant; pending is the caller's to fill in */
	uint64_t withdraw_round;
};

struct lp_redemption {
	struct lp_ticket ticket;
	struct lp_sig sig;
	struct lp_hash rand;
};

/* What became of it. */
struct lp_redeemed {
	struct lp_wei paid;		/* less than the face value: the funds gave no more */
	bool final;			/* with an error: it will never do better */
	struct lp_wei before;		/* with an error: what an earlier redemption of this ticket has brought, which a
					 * kill may have kept us from writing down */
};

struct lp_chain_ops {
	enum lp_code (*clock)(void *self, struct lp_chain_clock *out, struct lp_err *e);
	/* Of a sender, and what this claimant may expect of its reserve. */
	enum lp_code (*sender)(void *self, struct lp_chain_sender *out, struct lp_address who,
			       struct lp_address claimant, struct lp_err *e);
	/* Once: a ticket that was used, by this process or another, is refused as final. */
	enum lp_code (*redeem)(void *self, struct lp_redeemed *out, const struct lp_redemption *what, struct lp_err *e);
};

struct lp_chain {
	const struct lp_chain_ops *ops;
	void *self;
};

#endif
