/* pay/wire - between our structs and the network's protobuf messages; inside pay/ only. */
#ifndef LPD_PAY_WIRE_H
#define LPD_PAY_WIRE_H

#include <lpd/pay/params.h>
#include <lpd/proto/lp_rpc.pb-c.h>
#include <lpd/proto/message.h>

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
