/* role/money - what a node has when it pays or is paid: an account, a bank, books.  On -network offchain it has
 * none of them, and node->money is NULL: who looks at that knows that work is free. */
#ifndef LPD_ROLE_MONEY_H
#define LPD_ROLE_MONEY_H

#include <lpd/money/account.h>
#include <lpd/money/bank.h>
#include <lpd/money/books.h>

struct lp_node;

struct lp_money {
	struct lp_account *account;
	struct lp_bank *bank;
	struct lp_books *books;
};

/* By -network.  Leaves node->money NULL for offchain.  The data directory is locked and the store open before
 * (node->db). */
enum lp_code lp_money_open(struct lp_node *node, struct lp_err *e) LP_MUST_USE;
/* The same as far as options and files say; adds lines on what it would do. */
enum lp_code lp_money_check(const struct lp_node *node, struct lp_buf *told, struct lp_err *e) LP_MUST_USE;

#endif
