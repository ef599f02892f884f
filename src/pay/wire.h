/* pay/wire - between our structs and the network's protobuf messages; inside pay/ only. */
#ifndef LPD_PAY_WIRE_H
#define LPD_PAY_WIRE_H

#include <lpd/base/scope.h>
#include <lpd/pay/params.h>
#include <lpd/proto/lp_rpc.pb-c.h>

/* The message, NULL when it is malformed or would take more memory than budget.  It lives in the scope. */
void *lp_paywire_read(struct lp_scope *scope, const ProtobufCMessageDescriptor *kind, struct lp_span bytes,
		      size_t budget);
void lp_paywire_write(struct lp_buf *to, const ProtobufCMessage *message);

struct lp_span lp_paywire_bytes(ProtobufCBinaryData bytes);
ProtobufCBinaryData lp_paywire_lend(const void *at, size_t len);	/* for writing only */

/* Between TicketParams and ours, the round apart: it stands in two places.  room keeps the numbers' bytes
 * while the message is written. */
struct lp_paywire_room {
	uint8_t number[4][32];
};
void lp_paywire_of_params(Net__TicketParams *to, const struct lp_params *params, struct lp_paywire_room *room);
void lp_paywire_of_round(Net__TicketExpirationParams *to, const struct lp_params *params);
enum lp_code lp_paywire_to_params(struct lp_params *to, const Net__TicketParams *from, struct lp_err *e) LP_MUST_USE;
enum lp_code lp_paywire_to_round(struct lp_params *to, const Net__TicketExpirationParams *from,
				 struct lp_err *e) LP_MUST_USE;

#endif
