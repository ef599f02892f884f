#include <lpd/eth/signature.h>

#include <secp256k1_recovery.h>
#include <string.h>

#include <lpd/eth/u256.h>

#include "point.h"

#define PREFIX "\x19" "Ethereum Signed Message:\n"

/* Half of the curve's order, rounded down: the largest s that is allowed. */
static const uint8_t half_order[32] = { 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4,
					0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0 };

bool lp_sig_of(struct lp_sig *out, struct lp_span bytes)
{
	if (bytes.len != LP_SIG_LEN)
		return false;
	memcpy(out->bytes, bytes.at, LP_SIG_LEN);
	return true;
}

struct lp_hash lp_sig_digest_bytes(struct lp_span message)
{
	char len[LP_U256_TEXT];
	struct lp_keccak k;
	struct lp_hash digest;

	lp_u256_write(len, lp_u256_of(message.len));
	lp_keccak_init(&k);
	lp_keccak_add(&k, PREFIX, sizeof PREFIX - 1);
	lp_keccak_add(&k, len, strlen(len));
	lp_keccak_add(&k, message.at, message.len);
	lp_keccak_end(&k, digest.bytes);
	return digest;
}

struct lp_hash lp_sig_digest(const struct lp_hash *message)
{
	return lp_sig_digest_bytes(lp_span_of(message->bytes, sizeof message->bytes));
}

void lp_point_address(struct lp_address *out, const secp256k1_pubkey *key)
{
	uint8_t point[65], hash[LP_KECCAK_LEN];
	size_t len = sizeof point;

	secp256k1_ec_pubkey_serialize(secp256k1_context_static, point, &len, key,
				      SECP256K1_EC_UNCOMPRESSED);
	lp_keccak256(hash, point + 1, sizeof point - 1);
	memcpy(out->bytes, hash + sizeof hash - LP_ADDRESS_LEN, LP_ADDRESS_LEN);
}

bool lp_sig_recover(struct lp_address *out, const struct lp_sig *sig, const struct lp_hash *digest)
{
	secp256k1_ecdsa_recoverable_signature parsed;
	secp256k1_pubkey key;
	uint8_t v = sig->bytes[64];

	if (v != 27 && v != 28)
		return false;
	if (memcmp(sig->bytes + 32, half_order, sizeof half_order) > 0)
		return false;
	if (!secp256k1_ecdsa_recoverable_signature_parse_compact(secp256k1_context_static, &parsed,
								 sig->bytes, v - 27))
		return false;
	if (!secp256k1_ecdsa_recover(secp256k1_context_static, &key, &parsed, digest->bytes))
		return false;
	lp_point_address(out, &key);
	return true;
}

bool lp_sig_check(const struct lp_sig *sig, const struct lp_hash *message, struct lp_address signer)
{
	struct lp_hash digest = lp_sig_digest(message);
	struct lp_address found;

	return lp_sig_recover(&found, sig, &digest) && lp_address_eq(found, signer);
}
