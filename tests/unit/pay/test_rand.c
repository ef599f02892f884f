#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <lpd/pay/rand.h>

#include "payments.h"

/* How the incumbent makes its rand (payments 1.6), only to know that our reading of the vectors is right and
 * to see its collisions: numbers without their lengths, signs dropped. */
struct incumbent {
	uint8_t message[512];
	size_t len;
};

static void put(struct incumbent *to, const void *at, size_t len)
{
	assert_true(to->len + len <= sizeof to->message);
	memcpy(to->message + to->len, at, len);
	to->len += len;
}

static void put_number(struct incumbent *to, struct lp_u256 n)
{
	uint8_t bytes[32];

	put(to, bytes, lp_u256_write_min(bytes, n));
}

static uint64_t without_sign(int64_t n)
{
	return n < 0 ? ~(uint64_t)n + 1 : (uint64_t)n;
}

static struct incumbent incumbent_message(const struct lp_rand_offer *offer)
{
	struct incumbent to = { .len = 0 };
	struct lp_u256 seed, num = lp_u256_of(without_sign(offer->price_per_unit));
	struct lp_u256 den = lp_u256_of(without_sign(offer->units)), by = lp_u256_gcd(num, den), rest;
	struct lp_ticket t = { .round = offer->round, .round_hash = offer->round_hash };
	uint8_t aux[LP_TICKET_AUX];

	assert_true(lp_u256_read_bytes(&seed, lp_span_of(offer->seed.bytes, 32)));
	assert_true(lp_u256_div(&num, &rest, num, by) && lp_u256_div(&den, &rest, den, by));
	put_number(&to, seed);
	put(&to, offer->sender.bytes, LP_ADDRESS_LEN);
	put_number(&to, offer->face_value.n);
	put_number(&to, offer->win_prob);
	put_number(&to, lp_u256_of(offer->expiration_block));
	put_number(&to, num);
	put_number(&to, den);
	put(&to, aux, lp_ticket_aux(aux, &t));
	return to;
}

static struct lp_hash incumbent_rand(const struct lp_hash *secret, const struct lp_rand_offer *offer)
{
	struct incumbent message = incumbent_message(offer);
	struct lp_hash out;
	unsigned len;

	assert_non_null(HMAC(EVP_sha256(), secret->bytes, 32, message.message, message.len, out.bytes, &len));
	return out;
}

static int64_t row_i64(const json_t *row, const char *key)
{
	int64_t n = 0;

	assert_true(lp_span_i64(row_text(row, key), &n));
	return n;
}

static struct lp_rand_offer offer_of(const json_t *row)
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

static void the_incumbents_rands_come_out(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "recipient_rand"), i, row)
	{
		struct lp_rand_offer offer = offer_of(json_object_get(row, "inputs"));
		struct incumbent message = incumbent_message(&offer);
		struct lp_span want = row_bytes(scope, row, "hmac_message");
		struct lp_hash secret = row_hash(row, "secret"), rand = incumbent_rand(&secret, &offer), hash;
		struct lp_hash right = row_hash(row, "recipient_rand"), commit = row_hash(row, "recipient_rand_hash");

		assert_int_equal(message.len, want.len);
		assert_memory_equal(message.message, want.at, want.len);
		assert_memory_equal(rand.bytes, right.bytes, 32);
		lp_rand_commit(&hash, &rand);
		assert_memory_equal(hash.bytes, commit.bytes, 32);
	}
	lp_scope_close(&scope);
}

/* where the incumbent takes one offer for another, we do not. */
static void offers_that_collide_at_the_incumbent_do_not_here(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	json_t *first = json_array_get(payments_list(scope, "recipient_rand"), 0), *row;
	struct lp_rand_offer honest = offer_of(json_object_get(first, "inputs"));
	struct lp_hash secret = row_hash(first, "secret"), ours;
	size_t i;

	lp_rand_derive(&ours, secret.bytes, &honest);
	json_array_foreach(payments_list(scope, "recipient_rand_collisions"), i, row)
	{
		json_t *inputs = json_object_get(row, "inputs");
		struct lp_rand_offer forged = honest;
		struct lp_hash rand;

		if (json_object_get(inputs, "seed"))
			forged = offer_of(inputs);
		else if (json_object_get(inputs, "creation_round"))
			forged.round = (uint64_t)row_i64(inputs, "creation_round");
		else
			forged.price_per_unit = row_i64(inputs, "price_num");
		/* A negative round cannot even be told to us (pay/payment refuses it); its bits differ. */
		if ((int64_t)forged.round >= 0) {
			rand = incumbent_rand(&secret, &forged);
			assert_memory_equal(rand.bytes, row_hash(row, "recipient_rand").bytes, 32);
		}
		lp_rand_derive(&rand, secret.bytes, &forged);
		assert_memory_not_equal(rand.bytes, ours.bytes, 32);
	}
	assert_int_equal(i, 5);
	lp_scope_close(&scope);
}

static void every_field_and_the_secret_lead_to_another_rand(void **state)
{
	(void)state;
	struct lp_rand_offer offer = { .expiration_block = 40, .price_per_unit = 1, .units = 1 };
	uint8_t secret[32] = { 3 }, other[32] = { 4 };
	struct lp_hash rand, again, commitment, out;
	uint8_t *bytes = (uint8_t *)&offer;
	size_t changed = 0;

	lp_rand_derive(&rand, secret, &offer);
	lp_rand_commit(&commitment, &rand);
	assert_true(lp_rand_check(&out, secret, &offer, &commitment));
	assert_memory_equal(out.bytes, rand.bytes, 32);
	assert_false(lp_rand_check(&out, other, &offer, &commitment));
	for (size_t i = 0; i < sizeof offer; i++) {
		bytes[i] ^= 1;
		lp_rand_derive(&again, secret, &offer);
		changed += memcmp(again.bytes, rand.bytes, 32) != 0;
		assert_int_equal(lp_rand_check(&out, secret, &offer, &commitment),
				 memcmp(again.bytes, rand.bytes, 32) == 0);
		bytes[i] ^= 1;
	}
	/* All bytes but padding count: two addresses, five times 32, four times 8. */
	assert_int_equal(changed, 2 * 20 + 5 * 32 + 4 * 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_incumbents_rands_come_out),
		cmocka_unit_test(offers_that_collide_at_the_incumbent_do_not_here),
		cmocka_unit_test(every_field_and_the_secret_lead_to_another_rand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
