/* role/address - an orchestrator's address as people write it, at both ends. */
#ifndef LPD_ROLE_ADDRESS_H
#define LPD_ROLE_ADDRESS_H

#include <lpd/io/http.h>

/* "host" and "host:port" mean https and port 8935 (network-protocol 8.1); a URL means itself.  LP_CONFIG in
 * words. */
enum lp_code lp_peer_address(struct lp_scope *scope, struct lp_url *out, struct lp_span text,
			     struct lp_err *e) LP_MUST_USE;

#endif
