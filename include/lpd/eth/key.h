/* eth/key - a private key.  The only file of lpd that sees one.
 *
 * It stands in a page of its own that is locked into memory, left out of core dumps and of children, and
 * wiped when its scope closes.  No function gives it away; what leaves are addresses, signatures and files
 * enciphered with a password. */
#ifndef LPD_ETH_KEY_H
#define LPD_ETH_KEY_H

#include <lpd/base/scope.h>
#include <lpd/eth/keystore.h>
#include <lpd/eth/signature.h>

struct lp_key;

/* The caller wipes its own copy.  LP_CONFIG when these 32 bytes are no key of the curve. */
enum lp_code lp_key_open(struct lp_scope *scope, struct lp_key **out, const uint8_t secret[32],
			 struct lp_err *e) LP_MUST_USE;
/* A key that nobody had before. */
struct lp_key *lp_key_create(struct lp_scope *scope);
/* Takes the time that the file asks for (a second): not on the loop.  LP_UNAUTHORIZED: wrong password. */
enum lp_code lp_key_unlock(struct lp_scope *scope, struct lp_key **out, const struct lp_keystore *store,
			   struct lp_span password, struct lp_err *e) LP_MUST_USE;
/* The file to keep the key in, by scrypt with n = 2^log_n, r = 8, p = 1 (the network writes log_n 18). */
void lp_key_seal(struct lp_keystore *out, const struct lp_key *key, struct lp_span password, unsigned log_n);

struct lp_address lp_key_address(const struct lp_key *key);
bool lp_key_locked(const struct lp_key *key);	/* false: the system let us not keep it out of swap */

/* Deterministic (RFC 6979), low s, v 27 or 28. */
void lp_key_sign_digest(struct lp_sig *out, const struct lp_key *key, const struct lp_hash *digest);
/* Of a message of 32 bytes, the way lp_sig_check asks.  Who calls this answers for what the bytes mean: the
 * network has no separation between the uses of a signature. */
void lp_key_sign(struct lp_sig *out, const struct lp_key *key, const struct lp_hash *message);

#endif
