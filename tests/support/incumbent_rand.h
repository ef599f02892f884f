/* tests/support/incumbent_rand - recipientRand as the incumbent makes it (payments 1.6): to read its vectors, and
 * to see its collisions.  Numbers stand without their lengths, and signs are dropped. */
#ifndef LPD_TESTS_INCUMBENT_RAND_H
#define LPD_TESTS_INCUMBENT_RAND_H

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <lpd/pay/rand.h>

#include "payments.h"

struct incumbent {
	uint8_t message[512];
	size_t len;
};

static inline void incumbent_put(struct incumbent *to, const void *at, size_t len)
{
	lp_assert(to->len + len <= sizeof to->message);
	memcpy(to->message + to->len, at, len);
	to->len += len;
}

static inline void incumbent_put_number(struct incumbent *to, struct lp_u256 n)
{
	uint8_t bytes[32];

	incumbent_put(to, bytes, lp_u256_write_min(bytes, n));
}

static inline uint64_t without_sign(int64_t n)
{
	return n < 0 ? ~(uint64_t)n + 1 : (uint64_t)n;
}

static inline struct incumbent incumbent_message(const struct lp_rand_offer *offer)
{
	struct incumbent to = { .len = 0 };
	struct lp_u256 seed, num = lp_u256_of(without_sign(offer->price_per_unit));
	struct lp_u256 den = lp_u256_of(without_sign(offer->units)), by = lp_u256_gcd(num, den), rest;
	struct lp_ticket t = { .round = offer->round, .round_hash = offer->round_hash };
	uint8_t aux[LP_TICKET_AUX];

	lp_assert(lp_u256_read_bytes(&seed, lp_span_of(offer->seed.bytes, 32)));
	lp_assert(lp_u256_div(&num, &rest, num, by) && lp_u256_div(&den, &rest, den, by));
	incumbent_put_number(&to, seed);
	incumbent_put(&to, offer->sender.bytes, LP_ADDRESS_LEN);
	incumbent_put_number(&to, offer->face_value.n);
	incumbent_put_number(&to, offer->win_prob);
	incumbent_put_number(&to, lp_u256_of(offer->expiration_block));
	incumbent_put_number(&to, num);
	incumbent_put_number(&to, den);
	incumbent_put(&to, aux, lp_ticket_aux(aux, &t));
	return to;
}

static inline struct lp_hash incumbent_rand(const struct lp_hash *secret, const struct lp_rand_offer *offer)
{
	struct incumbent message = incumbent_message(offer);
	struct lp_hash out;
	unsigned len;

	lp_assert(HMAC(EVP_sha256(), secret->bytes, 32, message.message, message.len, out.bytes, &len));
	return out;
}

static inline int64_t row_i64(const json_t *row, const char *key)
{
	int64_t n = 0;

	lp_assert(lp_span_i64(row_text(row, key), &n));
	return n;
}

static inline struct lp_rand_offer row_rand_offer(const json_t *row)
{
	return (struct lp_rand_offer){ .sender = row_address(row, "sender"),
				       .face_value = row_wei(row, "face_value"),
				       .win_prob = row_u256(row, "win_prob"),
				       .seed = row_hash(row, "seed"),
				       .expiration_block = row_u64(row, "expiration_block"),
				       .price_per_unit = row_i64(row, "price_num"),
				       .units = row_i64(row, "price_den"),
				       .round = row_u64(row, "creation_round"),
				       .round_hash = row_hash(row, "creation_round_block_hash") };
}

#endif
