/* eth/signature - a signature of 65 bytes, and who made it.  Pure; nothing secret is in here.
 *
 * r (32), s (32), v (1): s in the lower half of the curve's order, v 27 or 28.  No other form of the same
 * signature is valid anywhere in lpd: the win of a ticket is drawn over these bytes (payments 1.8, 1.13). */
#ifndef LPD_ETH_SIGNATURE_H
#define LPD_ETH_SIGNATURE_H

#include <lpd/eth/address.h>

#define LP_SIG_LEN 65

struct lp_sig {
	uint8_t bytes[LP_SIG_LEN];
};

/* Exactly 65 bytes. */
bool lp_sig_of(struct lp_sig *out, struct lp_span bytes);

/* What is signed for a message of 32 bytes: its hash behind Ethereum's words, as wallets do. */
struct lp_hash lp_sig_digest(const struct lp_hash *message);
/* The same for bytes of any number, which are not hashed before: a remote signer's state (payments 8.2). */
struct lp_hash lp_sig_digest_bytes(struct lp_span message);

/* Who signed this digest; false when the signature is not valid at all. */
bool lp_sig_recover(struct lp_address *out, const struct lp_sig *sig, const struct lp_hash *digest);
/* True when signer has signed the message of 32 bytes. */
bool lp_sig_check(const struct lp_sig *sig, const struct lp_hash *message, struct lp_address signer);

#endif
