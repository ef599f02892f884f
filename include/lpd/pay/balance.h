/* pay/balance - credit of the payers at an orchestrator, by sender and session.  Pure.
 *
 * Owns its rows.  What a job may cost is held before it runs and debited when it has run, so that jobs at
 * the same time never spend the same credit.  Credit that nobody touches expires by the time handed
 * in; a debt and what is held stay. */
#ifndef LPD_PAY_BALANCE_H
#define LPD_PAY_BALANCE_H

#include <lpd/base/err.h>
#include <lpd/eth/address.h>
#include <lpd/pay/amount.h>

struct lp_balances;

/* Who pays: on the wire the session is "<capability>_<model>" or a stream's id. */
struct lp_payer {
	struct lp_address sender;
	struct lp_span session;		/* at most 512 bytes; BAD_REQUEST beyond */
};

#define LP_SESSION_MAX 512

struct lp_balances *lp_balances_new(size_t max_rows);
void lp_balances_free(struct lp_balances **balances);
size_t lp_balances_count(const struct lp_balances *balances);

/* What is there and not held; zero for one we do not know. */
struct lp_amount lp_balance_free(const struct lp_balances *balances, const struct lp_payer *who);
/* What is there, held or not; below zero is a debt. */
struct lp_amount lp_balance_all(const struct lp_balances *balances, const struct lp_payer *who);

/* TOO_MANY when there is no room for another row, PRICE when the sum has none. */
enum lp_code lp_balance_credit(struct lp_balances *balances, const struct lp_payer *who, struct lp_amount amount,
			       int64_t now, struct lp_err *e) LP_MUST_USE;
/* Hold this much for a job.  UNDERPAID when less is free. */
enum lp_code lp_balance_hold(struct lp_balances *balances, const struct lp_payer *who, struct lp_amount amount,
			     int64_t now, struct lp_err *e) LP_MUST_USE;
/* The job is over: it no longer holds what it held, and this is what it cost: 0 when it failed, more than
 * was held makes a debt.  Neither is ever below zero. */
struct lp_settle {
	struct lp_amount held, cost;
};
void lp_balance_settle(struct lp_balances *balances, const struct lp_payer *who, struct lp_settle what, int64_t now);

/* Forget credit that was not touched since before; returns how many rows went.  told, when not NULL, is
 * shown each one first: it is money given up. */
size_t lp_balances_expire(struct lp_balances *balances, int64_t before,
			  void (*told)(void *self, const struct lp_payer *who, struct lp_amount credit), void *self);

#endif
