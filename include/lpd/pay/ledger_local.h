/* pay/ledger_local - the money of a machine without a chain (-network local -ledger FILE): deposits, reserves,
 * rounds and redemptions by the rules and in the words of the network's contract (payments 1.17, 1.18, 2.1), in
 * a file that all nodes of the machine share.
 *
 * Here ether comes from nothing, signatures of transactions are not asked for, and a redemption costs no gas:
 * whoever can write the file is the bank.  Blocks pass when somebody says so, or by the clock of the machine: all
 * nodes see the same ones.  Blocking, as pay/chain. */
#ifndef LPD_PAY_LEDGER_LOCAL_H
#define LPD_PAY_LEDGER_LOCAL_H

#include <lpd/base/scope.h>
#include <lpd/pay/chain.h>

#define LP_LEDGER_ROUND 5760		/* blocks of a round */
#define LP_LEDGER_FIRST (10 * LP_LEDGER_ROUND)	/* the block of a new file */
#define LP_LEDGER_VALID 2		/* rounds that a ticket lasts */
#define LP_LEDGER_UNLOCK 2		/* rounds from unlocking to withdrawing */

struct lp_ledger;

enum lp_code lp_ledger_open(struct lp_scope *scope, struct lp_ledger **out, const char *path,
			    struct lp_err *e) LP_MUST_USE;
struct lp_chain lp_ledger_chain(struct lp_ledger *ledger);

/* From now on a block lasts so many seconds whenever this handle is asked for the chain's clock; 0: for ever. */
void lp_ledger_pace(struct lp_ledger *ledger, unsigned seconds);
/* It is at least this block now; blocks never go back. */
enum lp_code lp_ledger_advance(struct lp_ledger *ledger, uint64_t block, struct lp_err *e) LP_MUST_USE;
/* A recipient is active, and one more shares the reserves, from now on.  A second time is fine. */
enum lp_code lp_ledger_register(struct lp_ledger *ledger, struct lp_address recipient, struct lp_err *e) LP_MUST_USE;
/* What its redemptions have brought. */
enum lp_code lp_ledger_fees(struct lp_ledger *ledger, struct lp_wei *out, struct lp_address recipient,
			    struct lp_err *e) LP_MUST_USE;

/* Adds to both, and cancels an unlock. */
enum lp_code lp_ledger_fund(struct lp_ledger *ledger, struct lp_address who, struct lp_wei deposit,
			    struct lp_wei reserve, struct lp_err *e) LP_MUST_USE;
/* BAD_REQUEST in the contract's words. */
enum lp_code lp_ledger_unlock(struct lp_ledger *ledger, struct lp_address who, struct lp_err *e) LP_MUST_USE;
enum lp_code lp_ledger_cancel_unlock(struct lp_ledger *ledger, struct lp_address who, struct lp_err *e) LP_MUST_USE;
enum lp_code lp_ledger_withdraw(struct lp_ledger *ledger, struct lp_wei *out, struct lp_address who,
				struct lp_err *e) LP_MUST_USE;

#endif
