/* base/quota - how much each client holds at once, told apart by its address: so that one of them cannot have it all.
 *
 * A client is an IPv4 address, or 64 bits of an IPv6 one: whoever has one of those has 2^64 of them, so more bits
 * tell nothing.  Only bookkeeping: no clock, no socket. */
#ifndef LPD_BASE_QUOTA_H
#define LPD_BASE_QUOTA_H

#include <stdbool.h>
#include <stddef.h>

#include <lpd/base/scope.h>
#include <lpd/base/str.h>

struct lp_quota;
struct lp_quota_row;	/* of one client that holds something */

/* The table has a row for each client that holds something now, and no more of them than `rows`. */
struct lp_quota *lp_quota_open(struct lp_scope *scope, size_t rows);
/* One more for the client at "1.2.3.4:5", "[2001:db8::1]:5" or "name:5".  False: it has `most` of them, or there is
 * no row left.  *row is for giving it back, and NULL when nothing was counted: most is 0, or the peer has no address
 * ("unix"), since whoever reaches such a socket is the operator's. */
bool lp_quota_take(struct lp_quota *quota, struct lp_span peer, int most, struct lp_quota_row **row);
void lp_quota_give(struct lp_quota *quota, struct lp_quota_row **row);	/* NULL is fine; sets *row NULL */
int lp_quota_held(const struct lp_quota *quota, struct lp_span peer);
size_t lp_quota_rows(const struct lp_quota *quota);

#endif
