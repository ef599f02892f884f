#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "incumbent_rand.h"

static void the_incumbents_rands_come_out(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "recipient_rand"), i, row)
	{
		struct lp_rand_offer offer = row_rand_offer(json_object_get(row, "inputs"));
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
	struct lp_rand_offer honest = row_rand_offer(json_object_get(first, "inputs"));
	struct lp_hash secret = row_hash(first, "secret"), ours;
	size_t i;

	lp_rand_derive(&ours, secret.bytes, &honest);
	json_array_foreach(payments_list(scope, "recipient_rand_collisions"), i, row)
	{
		json_t *inputs = json_object_get(row, "inputs");
		struct lp_rand_offer forged = honest;
		struct lp_hash rand;

		if (json_object_get(inputs, "seed"))
			forged = row_rand_offer(inputs);
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
