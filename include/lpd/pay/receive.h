/* pay/receive - a ticket as its recipient judges it: the whole order of checks (payments 1.11).  Pure.
 *
 * Nothing is changed by asking: what is to be recorded and to be credited stands in the answer, and whoever
 * holds the books does it.  Each of the three steps may be asked for alone, for they belong to different
 * places: the first is cheap and answers for a payment as a whole, the second recovers a key and is done off
 * the loop, the third looks at what other payments have changed meanwhile.
 *
 * Words are those by which the network's gateways tell what to do next. */
#ifndef LPD_PAY_RECEIVE_H
#define LPD_PAY_RECEIVE_H

#include <lpd/pay/nonces.h>
#include <lpd/pay/params.h>

#define LP_RECEIVE_SLACK 10	/* L1 blocks that our clock may be behind the one which made the offer */

/* What the recipient knows when a payment comes. */
struct lp_receive {
	struct lp_address recipient;	/* us */
	struct lp_offer_id offer;	/* of the payment: its rand's hash, its expiration, its sender */
	struct lp_hash rand;		/* made again from the offer's fields and the price: lp_rand_derive() */
	uint64_t block;			/* last L1 block seen */
	uint64_t last_round;		/* last initialised round */
	const char *unknown;		/* why the sender's funds are not known; NULL: they are */
	uint64_t withdraw_round;	/* of the sender; 0: it does not unlock */
	/* T-3: what we offered was within these, and they are looked at once more.  0: no limit. */
	struct lp_wei most_face_value;
	struct lp_amount least_ev;
};

/* Checks 2 to 5, and that the offer is one that we make: UNAVAILABLE, NO_FUNDS, TICKET_RECIPIENT,
 * TICKET_SENDER, BAD_TICKET, PRICE.  All of them are fatal: no ticket of this payment is looked at. */
enum lp_code lp_receive_offer(const struct lp_receive *with, const struct lp_ticket *ticket,
			      struct lp_err *e) LP_MUST_USE;
/* Checks 6 and 7, of any thread: BAD_TICKET for the signature, else whether it wins. */
enum lp_code lp_receive_draw(bool *wins, const struct lp_ticket *ticket, const struct lp_sig *sig,
			     const struct lp_hash *rand, struct lp_err *e) LP_MUST_USE;
/* Checks 8 to 10 for all nonces of a payment: NONCE_SEEN, TICKETS_FULL, PARAMS_EXPIRED. */
enum lp_code lp_receive_nonces(const struct lp_receive *with, const struct lp_nonces *nonces, const uint32_t *list,
			       size_t n, struct lp_err *e) LP_MUST_USE;

struct lp_received {
	enum lp_code code;
	bool fatal;			/* the payment ends here; else its other tickets are looked at */
	bool wins;			/* drawn as soon as the signature is good, whatever the nonce and the time */
	bool uses_nonce;		/* to be recorded, also for a ticket that came too late */
	struct lp_amount credit;	/* what it is worth, rounded up; 0 unless the code is OK */
};

/* All of it, for one ticket. */
struct lp_received lp_receive_ticket(const struct lp_receive *with, const struct lp_nonces *nonces,
				     const struct lp_ticket *ticket, const struct lp_sig *sig, struct lp_err *e);

#endif
