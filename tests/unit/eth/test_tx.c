#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/eth/tx.h>

#include "payments.h"

static struct lp_tx tx_of(struct lp_scope *scope, const json_t *of)
{
	return (struct lp_tx){
		.chain_id = row_u64(of, "chain_id"),
		.nonce = row_u64(of, "nonce"),
		.gas = row_u64(of, "gas_limit"),
		.fees = { row_wei(of, "max_priority_fee_per_gas"), row_wei(of, "max_fee_per_gas") },
		.to = row_address(of, "to"),
		.value = row_wei(of, "value"),
		.data = row_bytes(scope, of, "data"),
	};
}

static void assert_transaction(struct lp_scope *scope, const json_t *row)
{
	struct lp_hash secret = row_hash(row, "private_key"), hash, want = row_hash(row, "tx_hash");
	struct lp_tx tx = tx_of(scope, json_object_get(row, "fields"));
	struct lp_buf bytes = { 0 };
	struct lp_key *key;

	lp_tx_payload(&bytes, &tx);
	assert_true(lp_span_eq(lp_buf_span(&bytes), row_bytes(scope, row, "unsigned_payload")));
	lp_buf_reset(&bytes);
	assert_int_equal(lp_key_open(scope, &key, secret.bytes, NULL), LP_OK);
	lp_tx_sign(&bytes, &hash, &tx, key);
	assert_true(lp_span_eq(lp_buf_span(&bytes), row_bytes(scope, row, "raw")));
	assert_memory_equal(hash.bytes, want.bytes, sizeof(want.bytes));
	lp_buf_clear(&bytes);
}

static void signed_transactions_are_those_of_the_network_to_the_byte(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i, n = 0;
	json_t *row;

	json_array_foreach(payments_list(scope, "transactions"), i, row)
	{
		json_t *fields = json_object_get(row, "fields");

		if (!json_object_get(fields, "max_fee_per_gas") || json_array_size(json_object_get(fields, "access_list")))
			continue;
		assert_transaction(scope, row);
		n++;
	}
	assert_true(n >= 5);
	lp_scope_close(&scope);
}

/* The rows without a limit are the network's; with one they lack the tip (B-21), so only those without a tip. */
static void the_fee_cap_is_the_networks_where_that_is_right(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i, n = 0;
	json_t *row;

	json_array_foreach(payments_list(scope, "fee_policy"), i, row)
	{
		struct lp_wei tip = row_wei(row, "tip");
		bool limited = json_is_string(json_object_get(row, "max_gas_price"));
		struct lp_wei most = limited ? row_wei(row, "max_gas_price") : LP_WEI_ZERO;
		struct lp_fees fees;

		if (limited && !lp_wei_is_zero(tip))
			continue;
		assert_int_equal(lp_fees_of(&fees, row_wei(row, "base_fee"), tip, most, NULL), LP_OK);
		assert_int_equal(lp_wei_cmp(fees.cap, row_wei(row, "max_fee_per_gas")), 0);
		assert_int_equal(lp_wei_cmp(fees.tip, tip), 0);
		n++;
	}
	assert_int_equal(n, 4);
	lp_scope_close(&scope);
}

static void a_limit_holds_for_tip_and_base_fee_together(void **state)
{
	(void)state;
	struct lp_wei tip = lp_wei_of(20), base = lp_wei_of(10);
	struct lp_fees fees;
	struct lp_err e;

	assert_int_equal(lp_fees_of(&fees, base, tip, lp_wei_of(35), &e), LP_OK);
	assert_int_equal(lp_wei_cmp(fees.cap, lp_wei_of(35)), 0);
	assert_int_equal(lp_fees_of(&fees, base, tip, lp_wei_of(30), &e), LP_OK);
	assert_int_equal(lp_fees_of(&fees, base, tip, lp_wei_of(29), &e), LP_UNAVAILABLE);
	assert_non_null(strstr(lp_err_words(&e), "0.00000003 gwei"));
	assert_int_equal(lp_fees_of(&fees, (struct lp_wei){ LP_U256_MAX }, tip, LP_WEI_ZERO, &e), LP_BAD_PEER);
	base.n = lp_u256_shr(LP_U256_MAX, 1);
	assert_int_equal(lp_fees_of(&fees, base, tip, LP_WEI_ZERO, &e), LP_BAD_PEER);	/* once it fits, not twice */
}

static void a_raise_is_rounded_up_as_in_the_network(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "price_bump"), i, row)
	{
		struct lp_wei got;

		assert_true(lp_fee_raise(&got, row_wei(row, "value"), (unsigned)row_u64(row, "percent")));
		assert_int_equal(lp_wei_cmp(got, row_wei(row, "result")), 0);
	}
	lp_scope_close(&scope);
}

static void a_replacement_is_not_above_the_limit(void **state)
{
	(void)state;
	const struct lp_fees from = { lp_wei_of(100), lp_wei_of(1000) };
	struct lp_fees fees;
	struct lp_err e;

	assert_int_equal(lp_fees_raise(&fees, &from, LP_TX_BUMP, lp_wei_of(1110), &e), LP_OK);
	assert_int_equal(lp_wei_cmp(fees.tip, lp_wei_of(111)), 0);
	assert_int_equal(lp_wei_cmp(fees.cap, lp_wei_of(1110)), 0);
	assert_int_equal(lp_fees_raise(&fees, &from, LP_TX_BUMP, lp_wei_of(1109), &e), LP_UNAVAILABLE);
	const struct lp_fees all = { lp_wei_of(1), { LP_U256_MAX } };

	assert_int_equal(lp_fees_raise(&fees, &all, LP_TX_BUMP, LP_WEI_ZERO, &e), LP_UNAVAILABLE);
	const struct lp_fees tip = { { LP_U256_MAX }, lp_wei_of(1) };

	assert_int_equal(lp_fees_raise(&fees, &tip, LP_TX_BUMP, LP_WEI_ZERO, &e), LP_UNAVAILABLE);
	assert_int_equal(lp_fees_raise(&fees, &from, LP_TX_BUMP, LP_WEI_ZERO, &e), LP_OK);
}

static void what_it_can_cost_is_counted_in_full(void **state)
{
	(void)state;
	struct lp_tx tx = { .gas = 21000, .fees = { lp_wei_of(1), lp_wei_of(7) }, .value = lp_wei_of(5) };
	struct lp_wei most;

	assert_true(lp_tx_most(&most, &tx));
	assert_int_equal(lp_wei_cmp(most, lp_wei_of(147005)), 0);
	tx.value = (struct lp_wei){ LP_U256_MAX };
	assert_false(lp_tx_most(&most, &tx));
	tx.fees.cap = (struct lp_wei){ LP_U256_MAX };
	assert_false(lp_tx_most(&most, &tx));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signed_transactions_are_those_of_the_network_to_the_byte),
		cmocka_unit_test(the_fee_cap_is_the_networks_where_that_is_right),
		cmocka_unit_test(a_limit_holds_for_tip_and_base_fee_together),
		cmocka_unit_test(a_raise_is_rounded_up_as_in_the_network),
		cmocka_unit_test(a_replacement_is_not_above_the_limit),
		cmocka_unit_test(what_it_can_cost_is_counted_in_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
