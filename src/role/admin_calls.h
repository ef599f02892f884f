/* role/admin_calls - the calls of the admin port that operators' tools know from the node that we replace
 * (network-protocol 8.6, 10.3). */
#ifndef LPD_ROLE_ADMIN_CALLS_H
#define LPD_ROLE_ADMIN_CALLS_H

#include <lpd/role/node.h>

/* Adds the routes; those of a gateway only where there is one. */
void lp_admin_calls(struct lp_node *node, struct lp_router *router);

/* gateway_network.c: whom the gateway could ask, by capability and model; and what everybody says of himself. */
void lp_gateway_write_pools(const struct lp_gateway *gw, struct lp_buf *to);
void lp_gateway_write_network(const struct lp_gateway *gw, struct lp_buf *to);

#endif
