/* role/pair - a certificate and key that the operator names: both or neither, and they must be there. */
#ifndef LPD_ROLE_PAIR_H
#define LPD_ROLE_PAIR_H

#include <lpd/role/node.h>

/* cert and key are paths from the options, "" when not given; flags names both for the operator, as in
 * "-tlsCert and -tlsKey".  A pair that does not exist is not made up at a place that somebody chose. */
enum lp_code lp_pair_check(struct lp_node *node, const char *cert, const char *key, const char *flags,
			   struct lp_err *e) LP_MUST_USE;

#endif
