#include <lpd/pay/rand.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include <lpd/base/assert.h>

#define TAG "lpd/recipientRand/1"	/* a new layout takes a new number */
#define MESSAGE (sizeof TAG + 2 * LP_ADDRESS_LEN + 32 + 32 + 32 + 4 * 8 + 32 + 32)

static uint8_t *put(uint8_t *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	return to + len;
}

static uint8_t *put_u64(uint8_t *to, uint64_t n)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(n >> (56 - 8 * i));
	return to + 8;
}

static uint8_t *put_number(uint8_t *to, struct lp_u256 n)
{
	lp_u256_write_32(to, n);
	return to + 32;
}

/* Every field at its own place: the bytes tell the offer again, so two offers never share them. */
static void encode(uint8_t to[MESSAGE], const struct lp_rand_offer *offer)
{
	uint8_t *at = put(to, TAG, sizeof TAG);

	at = put(at, offer->recipient.bytes, LP_ADDRESS_LEN);
	at = put(at, offer->sender.bytes, LP_ADDRESS_LEN);
	at = put_number(at, offer->face_value.n);
	at = put_number(at, offer->win_prob);
	at = put(at, offer->seed.bytes, sizeof offer->seed.bytes);
	at = put_u64(at, offer->expiration_block);
	at = put_u64(at, (uint64_t)offer->price_per_unit);
	at = put_u64(at, (uint64_t)offer->units);
	at = put_u64(at, offer->round);
	at = put(at, offer->round_hash.bytes, sizeof offer->round_hash.bytes);
	at = put(at, offer->quote.bytes, sizeof offer->quote.bytes);
	lp_assert(at == to + MESSAGE);
}

void lp_rand_derive(struct lp_hash *out, const uint8_t secret[32], const struct lp_rand_offer *offer)
{
	uint8_t message[MESSAGE];
	unsigned len = 0;

	encode(message, offer);
	const uint8_t *made = HMAC(EVP_sha256(), secret, 32, message, sizeof message, out->bytes, &len);

	lp_assert(made && len == sizeof out->bytes);
}

void lp_rand_commit(struct lp_hash *out, const struct lp_hash *rand)
{
	lp_keccak256(out->bytes, rand->bytes, sizeof rand->bytes);
}

bool lp_rand_check(struct lp_hash *out, const uint8_t secret[32], const struct lp_rand_offer *offer,
		   const struct lp_hash *commitment)
{
	struct lp_hash rand, hash;

	lp_rand_derive(&rand, secret, offer);
	lp_rand_commit(&hash, &rand);
	if (CRYPTO_memcmp(hash.bytes, commitment->bytes, sizeof hash.bytes) != 0)
		return false;
	*out = rand;
	return true;
}
