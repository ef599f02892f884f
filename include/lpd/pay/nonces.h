/* pay/nonces - which nonces of an offer were used: no ticket counts twice.  Pure.
 *
 * Owns its rows.  An offer is known by its rand's hash, holds at most 600 nonces and is forgotten when it
 * has expired; tickets of it are then refused for that. */
#ifndef LPD_PAY_NONCES_H
#define LPD_PAY_NONCES_H

#include <lpd/base/buf.h>
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
/* What taking them would answer, but for TOO_MANY; nothing is taken. */
enum lp_code lp_nonces_check(const struct lp_nonces *nonces, const struct lp_offer_id *offer, const uint32_t *list,
			     size_t n, struct lp_err *e) LP_MUST_USE;
bool lp_nonces_seen(const struct lp_nonces *nonces, const struct lp_hash *rand_hash, uint32_t nonce);
uint32_t lp_nonces_used(const struct lp_nonces *nonces, const struct lp_hash *rand_hash);

/* Forget the offers that no longer take tickets at this block; returns how many. */
size_t lp_nonces_expire(struct lp_nonces *nonces, uint64_t block);

/* For the store (R-3b): rows one behind another, appended; only is the offer that changed, NULL for all.  An
 * offer that is not there adds nothing.  A row is
 *
 *     version 1 (1 byte) | rand's hash (32) | expiration block (8) | how many, 1 to 600 (2) | nonces, rising (4 each)
 *
 * with the most significant byte first. */
void lp_nonces_dump(struct lp_buf *to, const struct lp_nonces *nonces, const struct lp_hash *only);
/* Any number of such rows, all of them or none.  STORE: damaged, of another version, or an offer that is there
 * already; TOO_MANY beyond max_offers. */
enum lp_code lp_nonces_load(struct lp_nonces *nonces, struct lp_span rows, struct lp_err *e) LP_MUST_USE;

#define LP_NONCES_ROW_MAX (1 + 32 + 8 + 2 + 4 * LP_NONCES_MAX)

#endif
