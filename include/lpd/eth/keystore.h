/* eth/keystore - an account's file: Web3 Secret Storage, version 3 (payments 4.7).  Pure.
 *
 * What is secret in it stays enciphered here; eth/key opens and makes it.  A file is read with limits, as
 * it may come from anybody: the work and the memory that it asks for are bounded before any is done. */
#ifndef LPD_ETH_KEYSTORE_H
#define LPD_ETH_KEYSTORE_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>
#include <lpd/eth/address.h>

enum lp_kdf { LP_KDF_SCRYPT, LP_KDF_PBKDF2 };

#define LP_KEYSTORE_MAX (16 << 10)	/* bytes of a file */

struct lp_keystore {
	bool has_address;
	struct lp_address address;
	char id[37];			/* a UUID; empty when the file has none */
	enum lp_kdf kdf;
	uint64_t n, r, p;		/* scrypt */
	uint64_t rounds;		/* PBKDF2 with HMAC-SHA256 */
	uint8_t salt[64];
	size_t salt_len;
	uint8_t iv[16];
	uint8_t ciphertext[32];
	uint8_t mac[32];
};

/* LP_CONFIG, with what is wrong with the file. */
enum lp_code lp_keystore_read(struct lp_keystore *out, struct lp_span text, struct lp_err *e) LP_MUST_USE;
void lp_keystore_write(struct lp_buf *to, const struct lp_keystore *store);

#endif
