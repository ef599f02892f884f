/* eth/tx - a transaction of type 2 (EIP-1559): its bytes, its signature, and what it may cost.  Pure
 * (payments 4.1, 4.2, 4.5).
 *
 * Whoever sends one writes it down before, with every hash that it ever had: a nonce is one deed, however often
 * it was sent. */
#ifndef LPD_ETH_TX_H
#define LPD_ETH_TX_H

#include <lpd/base/err.h>
#include <lpd/eth/key.h>
#include <lpd/eth/wei.h>

/* Per unit of gas. */
struct lp_fees {
	struct lp_wei tip;	/* to whoever makes the block: max_priority_fee_per_gas */
	struct lp_wei cap;	/* all of it, the block's base fee included: max_fee_per_gas */
};

struct lp_tx {
	uint64_t chain_id, nonce, gas;
	struct lp_fees fees;
	struct lp_address to;
	struct lp_wei value;
	struct lp_span data;	/* borrowed; no access list: nothing of ours needs one */
};

/* What is signed, appended: the type and the nine members. */
void lp_tx_payload(struct lp_buf *to, const struct lp_tx *tx);
/* What is sent, appended; hash is the one by which the chain knows it. */
void lp_tx_sign(struct lp_buf *to, struct lp_hash *hash, const struct lp_tx *tx, const struct lp_key *key);
/* The most that it can take from the account; false: beyond 256 bits. */
bool lp_tx_most(struct lp_wei *out, const struct lp_tx *tx);

#define LP_TX_BUMP 11	/* percent: nodes take a replacement that pays a tenth more */

/* What to offer: the tip and twice the base fee, so that it stays good while blocks fill up; all of that below
 * most (0: no limit).  The incumbent forgets the tip when there is a limit (B-21).  UNAVAILABLE: the chain asks
 * for more than most now, and waiting may help. */
enum lp_code lp_fees_of(struct lp_fees *out, struct lp_wei base, struct lp_wei tip, struct lp_wei most,
			struct lp_err *e) LP_MUST_USE;
/* Both raised by percent, rounded up: what replaces a transaction that nobody takes.  UNAVAILABLE: that would be
 * above most, and anything less would be no replacement. */
enum lp_code lp_fees_raise(struct lp_fees *out, const struct lp_fees *from, unsigned percent, struct lp_wei most,
			   struct lp_err *e) LP_MUST_USE;
/* False: no room. */
bool lp_fee_raise(struct lp_wei *out, struct lp_wei from, unsigned percent);

#endif
