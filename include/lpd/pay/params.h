/* pay/params - ticket parameters: what an orchestrator offers to be paid by, and whether a gateway takes it.
 * Pure (payments 1.5, 1.9). */
#ifndef LPD_PAY_PARAMS_H
#define LPD_PAY_PARAMS_H

#include <lpd/base/scope.h>
#include <lpd/pay/ticket.h>

#define LP_PARAMS_LIFE 40	/* L1 blocks that an offer lasts */
#define LP_PARAMS_MAX 1024	/* bytes of a TicketParams */

struct lp_params {
	struct lp_address recipient;
	struct lp_wei face_value;
	struct lp_u256 win_prob;
	struct lp_hash rand_hash;
	struct lp_u256 seed;
	uint64_t expiration_block;
	uint64_t round;
	struct lp_hash round_hash;	/* zero with round 0: none given */
};

/* The network's TicketParams.  Strict where the network is not: an address has 20 bytes, a hash 32, a
 * number at most 32, an expiration 64 bits, and a round is not negative.  BAD_PEER. */
enum lp_code lp_params_read(struct lp_params *out, struct lp_span bytes, struct lp_err *e) LP_MUST_USE;
void lp_params_write(struct lp_buf *to, const struct lp_params *params);

/* What an orchestrator asks for. */
struct lp_offer_terms {
	struct lp_wei ev;		/* -ticketEV */
	struct lp_wei max_face_value;	/* -maxFaceValue; 0: no limit */
	struct lp_wei gas_price;	/* 0: not known */
	uint64_t redeem_gas;
	uint64_t tx_cost_multiplier;	/* of a redemption's cost: 100 */
};

/* NO_FUNDS "insufficient sender reserve" when this sender's float covers no ticket worth redeeming. */
enum lp_code lp_offer_face_value(struct lp_wei *out, const struct lp_offer_terms *terms, struct lp_wei max_float,
				 struct lp_err *e) LP_MUST_USE;
/* So that face value * probability is at least ev and less than a unit of the probability more.  False: ev
 * is above the face value. */
bool lp_offer_win_prob(struct lp_u256 *out, struct lp_wei ev, struct lp_wei face_value);
/* A redemption's cost; false: no room. */
bool lp_offer_tx_cost(struct lp_wei *out, const struct lp_offer_terms *terms);

struct lp_rounds {
	uint64_t last;				/* last initialised round */
	struct lp_hash last_hash, previous_hash;
};
/* The round of an offer: the last, or the one before where the chain does not know its hash.  False when
 * it knows neither: such a ticket could never be redeemed. */
bool lp_offer_round(uint64_t *round, struct lp_hash *hash, const struct lp_rounds *rounds);

/* What a gateway is ready to sign (-maxTicketEV -maxTotalEV -depositMultiplier), and what it knows. */
struct lp_params_limits {
	struct lp_amount max_ticket_ev, max_total_ev;	/* rounded up */
	uint64_t deposit_multiplier;
	uint64_t block;			/* last L1 block seen */
	uint64_t last_round;
	uint64_t withdraw_round;
	struct lp_wei deposit, reserve;
};

/* For n tickets, in the network's order and words.  PARAMS_EXPIRED, PRICE or NO_FUNDS. */
enum lp_code lp_params_check(const struct lp_params *params, const struct lp_params_limits *limits, uint32_t n,
			     struct lp_err *e) LP_MUST_USE;

#endif
