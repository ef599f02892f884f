/* pay/ticket - a lottery ticket: its bytes, its hash, whether it is valid, whether it wins.  Pure.
 *
 * The layouts are the contract's (payments 1.7, 1.8, 1.13): a byte that differs is money lost. */
#ifndef LPD_PAY_TICKET_H
#define LPD_PAY_TICKET_H

#include <lpd/base/err.h>
#include <lpd/eth/signature.h>
#include <lpd/pay/amount.h>

#define LP_TICKET_AUX 64	/* creation round and its block hash */
#define LP_TICKET_MAX 232	/* packed, with both */

struct lp_ticket {
	struct lp_address recipient, sender;
	struct lp_wei face_value;
	struct lp_u256 win_prob;	/* of 2^256 - 1 */
	uint32_t nonce;
	struct lp_hash rand_hash;	/* the recipient's commitment */
	uint64_t round;			/* the round of the offer */
	struct lp_hash round_hash;
};

/* Returns how many bytes: 168, or 232 when there is a round or its hash. */
size_t lp_ticket_pack(uint8_t to[LP_TICKET_MAX], const struct lp_ticket *ticket);
/* The last part of it alone: 0 or 64 bytes. */
size_t lp_ticket_aux(uint8_t to[LP_TICKET_AUX], const struct lp_ticket *ticket);
void lp_ticket_hash(struct lp_hash *out, const struct lp_ticket *ticket);

/* The order of payments 1.11, in the network's words: TICKET_RECIPIENT, TICKET_SENDER, then BAD_TICKET for
 * a rand that is not what the hash was made of, and for a signature that is not the sender's. */
enum lp_code lp_ticket_check(const struct lp_ticket *ticket, const struct lp_sig *sig, const struct lp_hash *rand,
			     struct lp_address recipient, struct lp_err *e) LP_MUST_USE;
/* The two halves of it: what costs little and is the same for all tickets of an offer, and the signature. */
enum lp_code lp_ticket_check_offer(const struct lp_ticket *ticket, const struct lp_hash *rand,
				   struct lp_address recipient, struct lp_err *e) LP_MUST_USE;
enum lp_code lp_ticket_check_sig(const struct lp_ticket *ticket, const struct lp_sig *sig,
				 struct lp_err *e) LP_MUST_USE;
/* Strictly below its probability; drawn over the signature's 65 bytes as they came. */
bool lp_ticket_wins(const struct lp_ticket *ticket, const struct lp_sig *sig, const struct lp_hash *rand);

/* What a ticket is worth: face value * probability.  False: no room (beyond 2^192 wei). */
bool lp_ticket_ev(struct lp_amount *out, struct lp_wei face_value, struct lp_u256 win_prob, enum lp_round round);

#endif
