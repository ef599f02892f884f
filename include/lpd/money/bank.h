/* money/bank - what the chain says, kept at hand for the loop: it is asked from the pool, in turn, and everybody
 * else reads the last answer.  Nothing of a job ever waits for a chain, but for a payer's funds the first time. */
#ifndef LPD_MONEY_BANK_H
#define LPD_MONEY_BANK_H

#include <lpd/base/log.h>
#include <lpd/io/loop.h>
#include <lpd/pay/chain.h>

struct lp_bank;

#define LP_BANK_PAYERS 10000	/* kept at most; those not asked for longest are forgotten */

struct lp_bank_want {
	struct lp_loop *loop;
	struct lp_log *log;
	struct lp_chain chain;
	struct lp_scope *owner;		/* a root that the chain lives in: taken over, and closed when the last
					 * question has come back from the pool; NULL: it outlives them all */
	int64_t clock_every;		/* how often the chain's clock is asked for */
	int64_t payers_every;		/* how old a payer's funds may be before they are asked for again */
};
/* Asks for the clock once, blocking: a node does not start with a chain that says nothing. */
enum lp_code lp_bank_open(struct lp_scope *scope, struct lp_bank **out, const struct lp_bank_want *want,
			  struct lp_err *e) LP_MUST_USE;

const struct lp_chain_clock *lp_bank_clock(const struct lp_bank *bank);
/* Why the chain has not answered about its clock when it was last asked; NULL: it has. */
const struct lp_err *lp_bank_trouble(const struct lp_bank *bank);
/* tick(self) from the loop after each answer about the clock, until the scope closes. */
void lp_bank_watch(struct lp_scope *scope, struct lp_bank *bank, void (*tick)(void *self), void *self);

/* A payer's funds, for a claimant (a zero address: none).  NULL: not known yet; they are being asked for, and
 * known(self) comes once, later, whatever the answer.  What is old is answered and asked for again behind.  What is
 * returned is good until the caller returns to the loop. */
struct lp_bank_sender {
	const char *unknown;		/* why the chain says nothing; NULL: it does */
	struct lp_chain_sender is;
};
struct lp_bank_who {
	struct lp_address sender, claimant;
};
const struct lp_bank_sender *lp_bank_sender(struct lp_scope *scope, struct lp_bank *bank, const struct lp_bank_who *who,
					    void (*known)(void *self), void *self);
/* Something changed that of him: the next question is asked of the chain. */
void lp_bank_forget(struct lp_bank *bank, struct lp_address sender);

/* In the pool; done once, from the loop, unless the scope closes: redemption is the chain's matter then, and a
 * second one of the same ticket is refused there as used. */
struct lp_bank_redeem {
	struct lp_redemption what;
	void (*done)(void *self, const struct lp_redemption *what, const struct lp_redeemed *became,
		     const struct lp_err *err);
	void *self;
};
void lp_bank_redeem(struct lp_scope *scope, struct lp_bank *bank, const struct lp_bank_redeem *redeem);

#endif
