#include <lpd/eth/key.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <secp256k1_recovery.h>
#include <string.h>
#include <sys/mman.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>
#include <lpd/base/random.h>

#include "point.h"

#define PAGE 4096

struct lp_key {
	uint8_t *secret;	/* 32 bytes at the start of a page that holds nothing else */
	bool locked;
	secp256k1_context *curve;	/* blinded at random against side channels */
	struct lp_address address;
};

static void wipe(void *arg)
{
	struct lp_key *key = arg;

	OPENSSL_cleanse(key->secret, PAGE);
	munmap(key->secret, PAGE);
	secp256k1_context_destroy(key->curve);
}

/* A key without a secret yet, and everything that guards one. */
static struct lp_key *prepare(struct lp_scope *scope)
{
	struct lp_key *key = lp_new(scope, struct lp_key);
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t blind[32];

	lp_assert(page != MAP_FAILED);
	key->secret = page;
	key->locked = mlock(page, PAGE) == 0;
	/* What an old kernel does not know it cannot do; the key works all the same. */
	(void)madvise(page, PAGE, MADV_DONTDUMP);
	(void)madvise(page, PAGE, MADV_WIPEONFORK);
	key->curve = secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
	lp_assert(key->curve);
	lp_random(blind, sizeof blind);
	int blinded = secp256k1_context_randomize(key->curve, blind);

	OPENSSL_cleanse(blind, sizeof blind);
	lp_assert(blinded);
	lp_defer(scope, wipe, key);
	return key;
}

/* The secret stands; false when it is none. */
static bool complete(struct lp_key *key)
{
	secp256k1_pubkey point;

	if (!secp256k1_ec_pubkey_create(key->curve, &point, key->secret))
		return false;
	lp_point_address(&key->address, &point);
	return true;
}

enum lp_code lp_key_open(struct lp_scope *scope, struct lp_key **out, const uint8_t secret[32],
			 struct lp_err *e)
{
	struct lp_key *key = prepare(scope);

	memcpy(key->secret, secret, 32);
	if (!complete(key)) {
		OPENSSL_cleanse(key->secret, PAGE);
		return lp_fail(e, LP_CONFIG, "this is no private key of the curve");
	}
	*out = key;
	return LP_OK;
}

struct lp_key *lp_key_create(struct lp_scope *scope)
{
	struct lp_key *key = prepare(scope);

	/* All but one in 2^127 strings of 32 bytes are keys. */
	do {
		lp_random(key->secret, 32);
	} while (!complete(key));
	return key;
}

/* The password as a key: its first half enciphers, its second half goes into the mac. */
static void derive(uint8_t out[32], const struct lp_keystore *store, struct lp_span password)
{
	const char *word = password.len ? password.at : "";
	int made;

	if (store->kdf == LP_KDF_SCRYPT) {
		/* OpenSSL's own limit is 32 MiB; the file's limits were checked when it was read. */
		uint64_t memory = 128 * store->r * (store->n + store->p + 2) + (1 << 20);

		made = EVP_PBE_scrypt(word, password.len, store->salt, store->salt_len, store->n,
				      store->r, store->p, memory, out, 32);
	} else {
		made = PKCS5_PBKDF2_HMAC(word, (int)password.len, store->salt, (int)store->salt_len,
					 (int)store->rounds, EVP_sha256(), 32, out);
	}
	lp_assert(made == 1);
}

static void mac_of(uint8_t out[32], const uint8_t derived[32], const uint8_t ciphertext[32])
{
	uint8_t both[16 + 32];

	memcpy(both, derived + 16, 16);
	memcpy(both + 16, ciphertext, 32);
	lp_keccak256(out, both, sizeof both);
	OPENSSL_cleanse(both, sizeof both);
}

/* AES-128 in counter mode is its own inverse. */
static void cipher(uint8_t out[32], const uint8_t in[32], const uint8_t derived[32], const uint8_t iv[16])
{
	EVP_CIPHER_CTX *aes = EVP_CIPHER_CTX_new();
	int len = 0;

	lp_assert(aes);
	int begun = EVP_EncryptInit_ex(aes, EVP_aes_128_ctr(), NULL, derived, iv);

	lp_assert(begun == 1);
	int done = EVP_EncryptUpdate(aes, out, &len, in, 32);

	EVP_CIPHER_CTX_free(aes);
	lp_assert(done == 1 && len == 32);
}

enum lp_code lp_key_unlock(struct lp_scope *scope, struct lp_key **out, const struct lp_keystore *store,
			   struct lp_span password, struct lp_err *e)
{
	uint8_t derived[32], mac[32];
	struct lp_key *key;
	bool good;

	if (password.len > INT32_MAX)
		return lp_fail(e, LP_CONFIG, "the password is too long");
	derive(derived, store, password);
	mac_of(mac, derived, store->ciphertext);
	if (CRYPTO_memcmp(mac, store->mac, sizeof mac) != 0) {
		OPENSSL_cleanse(derived, sizeof derived);
		return lp_fail(e, LP_UNAUTHORIZED, "keystore: the password is wrong");
	}
	key = prepare(scope);
	cipher(key->secret, store->ciphertext, derived, store->iv);
	OPENSSL_cleanse(derived, sizeof derived);
	good = complete(key);
	if (!good || (store->has_address && !lp_address_eq(key->address, store->address))) {
		OPENSSL_cleanse(key->secret, PAGE);
		return lp_fail(e, LP_CONFIG, "keystore: the key is not that of its address");
	}
	*out = key;
	return LP_OK;
}

/* A random UUID of version 4. */
static void make_id(char id[37])
{
	uint8_t bytes[16];
	char hex[33];

	lp_random(bytes, sizeof bytes);
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	lp_hex_write(hex, bytes, sizeof bytes);
	for (size_t i = 0, at = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			id[at++] = '-';
		id[at++] = hex[i];
	}
	id[36] = 0;
}

void lp_key_seal(struct lp_keystore *out, const struct lp_key *key, struct lp_span password, unsigned log_n)
{
	uint8_t derived[32];

	lp_assert(log_n >= 1 && log_n <= 20 && password.len <= INT32_MAX);
	*out = (struct lp_keystore){ .has_address = true,
				     .address = key->address,
				     .kdf = LP_KDF_SCRYPT,
				     .n = (uint64_t)1 << log_n,
				     .r = 8,
				     .p = 1,
				     .salt_len = 32 };
	make_id(out->id);
	lp_random(out->salt, out->salt_len);
	lp_random(out->iv, sizeof out->iv);
	derive(derived, out, password);
	cipher(out->ciphertext, key->secret, derived, out->iv);
	mac_of(out->mac, derived, out->ciphertext);
	OPENSSL_cleanse(derived, sizeof derived);
}

struct lp_address lp_key_address(const struct lp_key *key)
{
	return key->address;
}

bool lp_key_locked(const struct lp_key *key)
{
	return key->locked;
}

void lp_key_sign_digest(struct lp_sig *out, const struct lp_key *key, const struct lp_hash *digest)
{
	secp256k1_ecdsa_recoverable_signature made;
	int recovery = 0;
	int signed_it = secp256k1_ecdsa_sign_recoverable(key->curve, &made, digest->bytes, key->secret,
							 NULL, NULL);

	lp_assert(signed_it);
	secp256k1_ecdsa_recoverable_signature_serialize_compact(key->curve, out->bytes, &recovery, &made);
	/* Ids 2 and 3 mean an r beyond the order: as likely as guessing the key. */
	lp_assert(recovery < 2);
	out->bytes[64] = (uint8_t)(27 + recovery);
}

void lp_key_sign(struct lp_sig *out, const struct lp_key *key, const struct lp_hash *message)
{
	struct lp_hash digest = lp_sig_digest(message);

	lp_key_sign_digest(out, key, &digest);
}
