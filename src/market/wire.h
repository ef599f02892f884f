/* market/wire - between our structs and the network's protobuf messages; inside market/ only.
 *
 * Messages to write are built in a scope that the caller closes. */
#ifndef LPD_MARKET_WIRE_H
#define LPD_MARKET_WIRE_H

#include <lpd/market/orch_info.h>
#include <lpd/proto/lp_rpc.pb-c.h>
#include <lpd/proto/message.h>

/* Bytes of the largest message of each kind that is read. */
#define LP_WIRE_INFO_MAX (1 << 20) /* every model and GPU of an orchestrator */
#define LP_WIRE_SMALL_MAX \
	(64 << 10) /* a question, or a header's content: what HTTP/2 lets through */

char *lp_wire_text(struct lp_scope *scope, struct lp_span span);

Net__Capabilities *lp_wire_of_caps(struct lp_scope *scope, const struct lp_capabilities *caps);
void lp_wire_to_caps(struct lp_scope *scope, struct lp_capabilities *caps,
		     const Net__Capabilities *from);
Net__AuthToken *lp_wire_of_token(struct lp_scope *scope,
				 const struct lp_auth_token *token); /* NULL: absent */
void lp_wire_to_token(struct lp_auth_token *token,
		      const Net__AuthToken *from); /* from may be NULL */

#endif
