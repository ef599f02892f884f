#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/eth/signature.h>

#include "payments.h"

static void the_network_agrees_which_signatures_are_valid(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;
	int valid = 0;

	json_array_foreach(payments_list(scope, "signature_verify"), i, row)
	{
		struct lp_span message = row_bytes(scope, row, "message");
		struct lp_hash hash = { { 0 } }, digest;
		struct lp_address signer = { { 0 } };
		struct lp_sig sig;
		bool good;

		/* One row names no address: nobody may come out of it. */
		if (json_is_string(json_object_get(row, "address")))
			signer = row_address(row, "address");

		memcpy(hash.bytes, message.at, message.len < 32 ? message.len : 32);
		good = lp_sig_of(&sig, row_bytes(scope, row, "sig"));
		digest = lp_sig_digest(&hash);
		if (lp_address_is_zero(signer))
			assert_false(good && lp_sig_recover(&signer, &sig, &digest));
		good = good && lp_sig_check(&sig, &hash, signer);
		if (good != json_is_true(json_object_get(row, "valid")))
			fail_msg("%s", json_string_value(json_object_get(row, "description")));
		valid += good;
	}
	assert_true(valid >= 3);
	lp_scope_close(&scope);
}

static void other_bytes_recover_to_others_or_to_nobody(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	json_t *row = json_array_get(payments_list(scope, "ticket_signature"), 0);
	struct lp_hash hash = row_hash(row, "ticket_hash"), digest = lp_sig_digest(&hash);
	struct lp_address signer, other;
	struct lp_sig sig;

	assert_true(lp_sig_of(&sig, row_bytes(scope, row, "sig")));
	assert_true(lp_sig_recover(&signer, &sig, &digest));
	for (size_t i = 0; i < LP_SIG_LEN; i++) {
		sig.bytes[i] ^= 1;
		assert_false(lp_sig_recover(&other, &sig, &digest) && lp_address_eq(other, signer));
		sig.bytes[i] ^= 1;
	}
	digest.bytes[31] ^= 1;
	assert_true(lp_sig_recover(&other, &sig, &digest));
	assert_false(lp_address_eq(other, signer));
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_network_agrees_which_signatures_are_valid),
		cmocka_unit_test(other_bytes_recover_to_others_or_to_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
