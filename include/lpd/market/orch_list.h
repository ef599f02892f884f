/* market/orch_list - the list of orchestrators that a webhook answers: [{"address": "https://host:port"}, ...]
 * (network-protocol 8.4).  Pure. */
#ifndef LPD_MARKET_ORCH_LIST_H
#define LPD_MARKET_ORCH_LIST_H

#include <lpd/base/err.h>
#include <lpd/base/scope.h>
#include <lpd/base/str.h>

#define LP_ORCH_LIST_MAX 100000

struct lp_orch_list {
	struct lp_span *addresses;
	int n, skipped;
};

/* Addresses in the order of the list, copied to the scope; entries without one are counted as skipped, other
 * members are not looked at.  LP_BAD_PEER: it is no such list. */
enum lp_code lp_orch_list_read(struct lp_scope *scope, struct lp_orch_list *out, struct lp_span json,
			       struct lp_err *e) LP_MUST_USE;

#endif
