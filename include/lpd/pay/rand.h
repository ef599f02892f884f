/* pay/rand - recipientRand: an orchestrator's secret half of a ticket's draw.  Pure.
 *
 * It is made from the offer itself under a secret, so that the orchestrator need not remember its offers,
 * and it answers for every field of them: a ticket whose fields were changed leads to another rand.  The
 * encoding is of fixed width behind a name and a version, so no two offers have the same bytes (R-1;
 * the incumbent's has that fault).  It is private to the recipient, nobody else can tell. */
#ifndef LPD_PAY_RAND_H
#define LPD_PAY_RAND_H

#include <lpd/pay/ticket.h>

struct lp_rand_offer {
	struct lp_address recipient, sender;
	struct lp_wei face_value;
	struct lp_u256 win_prob;
	struct lp_hash seed;
	uint64_t expiration_block;
	int64_t price_per_unit, units;	/* as sent: payers hand the price back as it came */
	uint64_t round;
	struct lp_hash round_hash;
	struct lp_hash quote;		/* binds the capability and model that were quoted; zero: nothing bound */
};

void lp_rand_derive(struct lp_hash *out, const uint8_t secret[32], const struct lp_rand_offer *offer);
/* The commitment that goes into the offer. */
void lp_rand_commit(struct lp_hash *out, const struct lp_hash *rand);
/* True when this offer is one of ours, unchanged; *out is its rand.  In constant time. */
bool lp_rand_check(struct lp_hash *out, const uint8_t secret[32], const struct lp_rand_offer *offer,
		   const struct lp_hash *commitment);

#endif
