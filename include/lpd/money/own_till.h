/* money/own_till - the till of a gateway that has its own account: pay/sender chooses the tickets, they are signed
 * here, and the books keep what a restart must know. */
#ifndef LPD_MONEY_OWN_TILL_H
#define LPD_MONEY_OWN_TILL_H

#include <lpd/base/log.h>
#include <lpd/money/till.h>

struct lp_account;
struct lp_bank;
struct lp_books;

struct lp_till_own {
	struct lp_loop *loop;
	struct lp_log *log;
	struct lp_account *account;
	struct lp_bank *bank;
	struct lp_books *books;
	struct lp_sender_rules rules;	/* account and first_nonce are filled in here */
};
/* Loads what the books have; before the loop runs. */
enum lp_code lp_till_open(struct lp_scope *scope, struct lp_till **out, const struct lp_till_own *own,
			  struct lp_err *e) LP_MUST_USE;

#endif
