/* pay/payment - the header Livepeer-Payment: tickets on their way.  Pure. */
#ifndef LPD_PAY_PAYMENT_H
#define LPD_PAY_PAYMENT_H

#include <lpd/pay/count.h>
#include <lpd/pay/params.h>

/* A full payment of 600 tickets has 57,708 characters. */
#define LP_PAYMENT_MAX (64 << 10)

struct lp_payment_ticket {
	uint32_t nonce;
	struct lp_sig sig;
};

struct lp_payment {
	struct lp_address sender;	/* zero: none named */
	bool has_params;		/* without them there are no tickets: the credit was enough */
	struct lp_params params;
	bool has_price;
	int64_t price_per_unit, units;	/* as sent; lp_price_of_wire() judges them */
	uint32_t capability;
	struct lp_span constraint;
	size_t n;			/* at most LP_NONCES_MAX */
	struct lp_payment_ticket *tickets;
};

/* base64, appended; the round goes into the payment, not into its params, as everywhere in the network. */
void lp_payment_write(struct lp_buf *to, const struct lp_payment *payment);

/* An empty header is an empty payment.  UNDERPAID (base64 or protobuf, in the network's words),
 * TICKETS_FULL above 600, BAD_TICKET, TICKET_SENDER, PRICE for what no ticket of the network has: numbers
 * that are negative or too long, addresses, hashes, signatures of another length.  The constraint and the
 * tickets live in the scope. */
enum lp_code lp_payment_read(struct lp_scope *scope, struct lp_payment *out, struct lp_span header,
			     struct lp_err *e) LP_MUST_USE;

/* The i-th ticket in full, to be hashed. */
void lp_payment_ticket(struct lp_ticket *out, const struct lp_payment *payment, size_t i);

#endif
