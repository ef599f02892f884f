/* pay/nonces - which nonces of an offer were used: no ticket counts twice.  Pure.
 *
 * Owns its rows.  An offer is known by its rand's hash, holds at most 600 nonces and is forgotten when it
 * has expired; tickets of it are then refused for that. */
#ifndef LPD_PAY_NONCES_H
#define LPD_PAY_NONCES_H

#include <lpd/base/err.h>
#include <lpd/eth/address.h>
#include <lpd/pay/count.h>

struct lp_nonces;

struct lp_nonces *lp_nonces_new(size_t max_offers);
void lp_nonces_free(struct lp_nonces **nonces);
size_t lp_nonces_offers(const struct lp_nonces *nonces);

struct lp_offer_id {
	struct lp_hash rand_hash;
	uint64_t expiration_block;
	struct lp_address sender;	/* for the network's words only */
};

/* All of a payment's nonces or none: NONCE_SEEN, also when the payment names one twice, TICKETS_FULL beyond
 * 600 of an offer, TOO_MANY when max_offers are open.  0 and 2^32 - 1 are nonces like others. */
enum lp_code lp_nonces_take(struct lp_nonces *nonces, const struct lp_offer_id *offer, const uint32_t *list,
			    size_t n, struct lp_err *e) LP_MUST_USE;
bool lp_nonces_seen(const struct lp_nonces *nonces, const struct lp_hash *rand_hash, uint32_t nonce);
uint32_t lp_nonces_used(const struct lp_nonces *nonces, const struct lp_hash *rand_hash);

/* Forget the offers that no longer take tickets at this block; returns how many. */
size_t lp_nonces_expire(struct lp_nonces *nonces, uint64_t block);

#endif
