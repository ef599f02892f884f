#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/pay/params.h>

#include "bigrat.h"
#include "payments.h"

static struct lp_offer_terms terms_of(const json_t *row)
{
	return (struct lp_offer_terms){ .ev = row_wei(row, "ev"),
					.max_face_value = row_wei(row, "max_face_value"),
					.gas_price = row_wei(row, "gas_price"),
					.redeem_gas = row_u64(row, "redeem_gas"),
					.tx_cost_multiplier = row_u64(row, "tx_cost_multiplier") };
}

static void offers_are_those_of_the_network(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "face_value"), i, row)
	{
		const json_t *result = json_object_get(row, "result");
		struct lp_offer_terms terms = terms_of(row);
		/* pay/funds never gives a float below zero. */
		struct lp_wei most = lp_span_starts(row_text(row, "max_float"), "-") ? LP_WEI_ZERO :
											 row_wei(row, "max_float");
		struct lp_wei value = lp_wei_of(77);
		struct lp_u256 prob;
		struct lp_err e;
		enum lp_code code = lp_offer_face_value(&value, &terms, most, &e);

		if (json_object_get(result, "error")) {
			assert_int_equal(code, LP_NO_FUNDS);
			assert_true(lp_span_is(row_text(result, "error"), e.words));
			assert_int_equal(lp_wei_cmp(value, lp_wei_of(77)), 0);
			continue;
		}
		assert_int_equal(code, LP_OK);
		assert_int_equal(lp_wei_cmp(value, row_wei(result, "faceValue")), 0);
		assert_true(lp_offer_win_prob(&prob, terms.ev, value));
		assert_int_equal(lp_u256_cmp(prob, row_u256(result, "winProb")), 0);
	}
	lp_scope_close(&scope);
}

static void probabilities_are_those_of_the_network_and_never_below(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "win_prob"), i, row)
	{
		/* Where the incumbent looks at 64 bits of the remainder only, we look at all. */
		const char *key = json_object_get(row, "win_prob_if_rounded_up") ? "win_prob_if_rounded_up" :
										   "win_prob";
		struct lp_wei value = row_wei(row, "face_value"), ev = row_wei(row, "ev");
		struct lp_amount worth, wanted;
		struct lp_u256 prob;

		assert_true(lp_offer_win_prob(&prob, lp_wei_is_zero(value) ? LP_WEI_ZERO : ev, value));
		assert_int_equal(lp_u256_cmp(prob, row_u256(row, key)), 0);
		if (lp_wei_is_zero(value) || !lp_ticket_ev(&worth, value, prob, LP_UP))
			continue;
		assert_true(lp_amount_of(&wanted, ev));
		assert_true(lp_amount_cmp(worth, wanted) >= 0);
	}
	struct lp_u256 none;

	assert_false(lp_offer_win_prob(&none, lp_wei_of(2), lp_wei_of(1)));
	lp_scope_close(&scope);
}

static void what_cannot_be_counted_is_not_offered(void **state)
{
	(void)state;
	struct lp_wei top = { LP_U256_MAX }, value;
	struct lp_offer_terms terms = { .ev = lp_wei_of(1), .gas_price = top, .redeem_gas = 2, .tx_cost_multiplier = 1 };
	struct lp_err e;

	assert_int_equal(lp_offer_face_value(&value, &terms, top, &e), LP_PRICE);
	terms.redeem_gas = 1;
	terms.tx_cost_multiplier = 100;
	assert_int_equal(lp_offer_face_value(&value, &terms, top, &e), LP_PRICE);
	terms.gas_price = LP_WEI_ZERO;
	terms.ev = top;
	assert_int_equal(lp_offer_face_value(&value, &terms, top, &e), LP_PRICE);
}

static void an_offers_round_has_a_hash_or_there_is_no_offer(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i, offered = 0;
	json_t *row;

	json_array_foreach(payments_list(scope, "offer_params"), i, row)
	{
		struct lp_rounds rounds = { row_u64(row, "last_initialized_round"), row_hash(row, "last_hash"),
					    row_hash(row, "previous_hash") };
		struct lp_hash hash, want = row_hash(row, "creation_round_block_hash"), zero = { { 0 } };
		uint64_t round;

		assert_true(row_u64(row, "last_seen_l1_block") + LP_PARAMS_LIFE == row_u64(row, "expiration_block"));
		/* Without any hash the incumbent makes an offer that can never be redeemed. */
		if (memcmp(&want, &zero, sizeof zero) == 0) {
			assert_false(lp_offer_round(&round, &hash, &rounds));
			continue;
		}
		assert_true(lp_offer_round(&round, &hash, &rounds));
		assert_true(round == row_u64(row, "creation_round"));
		assert_memory_equal(hash.bytes, want.bytes, 32);
		offered++;
	}
	assert_int_equal(offered, 2);
	struct lp_rounds first = { 0, { { 0 } }, { { 1 } } };
	struct lp_hash hash;
	uint64_t round;

	assert_false(lp_offer_round(&round, &hash, &first));
	lp_scope_close(&scope);
}

/* "5000000000.5", or a fraction. */
static struct lp_amount limit_of(struct lp_scope *scope, const json_t *row, const char *key)
{
	struct lp_span rest = row_text(row, key), whole = lp_span_cut(&rest, '.');

	if (!rest.at)
		return big_amount(whole, LP_UP);
	return big_amount(lp_span(lp_fmt(scope, "%.*s%.*s/1%0*d", LP_ARG(whole), LP_ARG(rest), (int)rest.len, 0)),
			  LP_UP);
}

static void a_gateway_refuses_in_the_networks_order_and_words(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "gateway_ticket_checks"), i, row)
	{
		struct lp_params params = { .face_value = row_wei(row, "face_value"),
					    .win_prob = row_u256(row, "win_prob"),
					    .expiration_block = row_u64(row, "expiration_block") };
		struct lp_params_limits limits = { .max_ticket_ev = limit_of(scope, row, "max_ticket_ev"),
						   .max_total_ev = limit_of(scope, row, "max_total_ev"),
						   .deposit_multiplier = row_u64(row, "deposit_multiplier"),
						   .block = row_u64(row, "last_seen_l1_block"),
						   .last_round = row_u64(row, "last_initialized_round"),
						   .withdraw_round = row_u64(row, "withdraw_round"),
						   .deposit = row_wei(row, "deposit"),
						   .reserve = row_wei(row, "reserve") };
		struct lp_err e = { .code = LP_OK };
		enum lp_code code = lp_params_check(&params, &limits, (uint32_t)row_u64(row, "num_tickets"), &e);

		assert_int_equal(code != LP_OK, row_text(row, "error").len > 0);
		assert_string_equal(e.words, lp_strdup(scope, row_text(row, "error")));
		if (lp_span_is(row_text(row, "error"), "TicketParams expired"))
			assert_int_equal(code, LP_PARAMS_EXPIRED);
	}
	lp_scope_close(&scope);
}

static void limits_that_make_no_sense_are_said(void **state)
{
	(void)state;
	struct lp_params params = { .face_value = { LP_U256_MAX }, .win_prob = LP_U256_MAX, .expiration_block = 100 };
	struct lp_amount some = { { { 0, 1000, 0, 0 } }, false };
	struct lp_params_limits limits = { .max_ticket_ev = some,
					   .max_total_ev = some,
					   .deposit = lp_wei_of(1),
					   .reserve = lp_wei_of(1) };
	struct lp_err e;

	params.win_prob.limb[0]--;
	assert_int_equal(lp_params_check(&params, &limits, 1, &e), LP_PRICE);
	assert_string_equal(e.words, "a ticket is worth more than can be counted");
	params.face_value = lp_wei_of(1000);
	assert_int_equal(lp_params_check(&params, &limits, 1, &e), LP_CONFIG);
	/* 999.999999 rounds up over the point in the words. */
	limits.max_ticket_ev = LP_AMOUNT_ZERO;
	assert_int_equal(lp_params_check(&params, &limits, 1, &e), LP_PRICE);
	assert_string_equal(e.words, "ticket EV 1000.00000 > max ticket EV 0.00000");
	limits.max_ticket_ev = big_amount(LP_SPAN("9999999/10000"), LP_DOWN);
	assert_int_equal(lp_params_check(&params, &limits, 1, &e), LP_PRICE);
	assert_string_equal(e.words, "ticket EV 1000.00000 > max ticket EV 999.99990");
	limits.max_ticket_ev = big_amount(LP_SPAN("999999999/1000000"), LP_DOWN);
	assert_int_equal(lp_params_check(&params, &limits, 1, &e), LP_PRICE);
	assert_string_equal(e.words, "ticket EV 1000.00000 > max ticket EV 1000.00000");
}

static void the_networks_params_read_and_write_alike(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_span bytes = row_bytes(scope, json_array_get(payments_list(scope, "protobuf"), 0), "bytes");
	struct lp_buf again = { 0 };
	struct lp_params params;
	struct lp_err e;

	assert_int_equal(lp_params_read(&params, bytes, &e), LP_OK);
	assert_int_equal(params.round, 3400);
	assert_int_equal(params.expiration_block, 21000040);
	assert_int_equal(lp_wei_cmp(params.face_value, lp_wei_of(1200000000000000)), 0);
	lp_params_write(&again, &params);
	assert_true(lp_span_eq(lp_buf_span(&again), bytes));
	lp_buf_clear(&again);
	lp_scope_close(&scope);
}

/* Field, length: what the network lets pass and we do not. */
static void params_with_a_wrong_length_or_sign_are_refused(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_span bytes = row_bytes(scope, json_array_get(payments_list(scope, "protobuf"), 0), "bytes");
	static const struct {
		const char *add;	/* the last field wins */
		size_t len;
	} bad[] = { { "\x0a\x02zz", 4 },		/* recipient of 2 bytes */
		    { "\x22\x01z", 3 },			/* rand's hash of 1 */
		    { "\x12\x21zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", 35 },	/* face value of 33 */
		    { "\x1a\x21zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", 35 },
		    { "\x2a\x21zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", 35 },
		    { "\x32\x09\x01zzzzzzzz", 11 },	/* expiration of 9 */
		    { "\x3a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13 },	/* round -1 */
		    { "\x3a\x03\x12\x01z", 5 },		/* round's hash of 1 */
		    { "\x3a\x7f", 2 } };		/* cut off */

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct lp_buf buf = { 0 };
		struct lp_params params;
		struct lp_err e;

		lp_buf_add_span(&buf, bytes);
		lp_buf_add(&buf, bad[i].add, bad[i].len);
		assert_int_equal(lp_params_read(&params, lp_buf_span(&buf), &e), LP_BAD_PEER);
		assert_true(lp_span_starts(lp_span(e.words), "ticket params: "));
		lp_buf_clear(&buf);
	}
	struct lp_params params;
	char *long_one = lp_alloc(scope, LP_PARAMS_MAX + 1);

	assert_int_equal(lp_params_read(&params, lp_span_of(long_one, LP_PARAMS_MAX + 1), NULL), LP_BAD_PEER);
	assert_int_equal(lp_params_read(&params, lp_span_of(NULL, 0), NULL), LP_BAD_PEER);
	lp_scope_close(&scope);
}

/* As some orchestrators send them: without a round, with a round alone; and with blocks that are none. */
static void a_round_may_be_missing_and_a_block_has_64_bits(void **state)
{
	(void)state;
	const size_t round_field = 2 + 2 + 32;	/* of round 0: its hash alone */
	struct lp_params params = { .face_value = lp_wei_of(1), .expiration_block = 40 }, back;
	uint8_t long_block[2 + 33] = { 0x32, 33 }, no_block[2 + 9] = { 0x32, 9, 1 };
	static const uint8_t round_alone[] = { 0x3a, 2, 8, 5 };
	struct lp_buf bytes = { 0 };
	struct lp_err e;

	lp_params_write(&bytes, &params);
	struct lp_span bare = lp_span_of(bytes.mem + bytes.off, bytes.len - round_field);

	assert_int_equal(lp_params_read(&back, bare, &e), LP_OK);
	assert_int_equal(back.round, 0);
	assert_int_equal(back.expiration_block, 40);
	bytes.len = bare.len;
	lp_buf_add(&bytes, round_alone, sizeof round_alone);
	assert_int_equal(lp_params_read(&back, lp_buf_span(&bytes), &e), LP_OK);
	assert_int_equal(back.round, 5);
	bytes.len = bare.len;
	lp_buf_add(&bytes, long_block, sizeof long_block);
	assert_int_equal(lp_params_read(&back, lp_buf_span(&bytes), &e), LP_BAD_PEER);
	bytes.len = bare.len;
	lp_buf_add(&bytes, no_block, sizeof no_block);
	assert_int_equal(lp_params_read(&back, lp_buf_span(&bytes), &e), LP_BAD_PEER);
	lp_buf_clear(&bytes);
}

static void tickets_worth_nothing_pass_and_those_beyond_counting_do_not(void **state)
{
	(void)state;
	struct lp_params_limits limits = { .deposit_multiplier = 1 };
	struct lp_params params = { .expiration_block = 40, .win_prob = lp_u256_of(1) };
	struct lp_err e;

	assert_int_equal(lp_params_check(&params, &limits, 1, &e), LP_OK);
	params.face_value = lp_wei_of(1);
	params.win_prob = LP_U256_ZERO;
	assert_int_equal(lp_params_check(&params, &limits, 1, &e), LP_OK);
	assert_true(lp_u256_sub(&params.win_prob, LP_U256_MAX, lp_u256_of(1)));
	params.face_value.n = LP_U256_MAX;
	assert_int_equal(lp_params_check(&params, &limits, 1, &e), LP_PRICE);
	assert_true(lp_u256_shl(&params.face_value.n, lp_u256_of(1), 191));
	assert_int_equal(lp_params_check(&params, &limits, 4, &e), LP_PRICE);
	assert_string_equal(e.words, "a ticket is worth more than can be counted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offers_are_those_of_the_network),
		cmocka_unit_test(probabilities_are_those_of_the_network_and_never_below),
		cmocka_unit_test(what_cannot_be_counted_is_not_offered),
		cmocka_unit_test(an_offers_round_has_a_hash_or_there_is_no_offer),
		cmocka_unit_test(a_gateway_refuses_in_the_networks_order_and_words),
		cmocka_unit_test(limits_that_make_no_sense_are_said),
		cmocka_unit_test(the_networks_params_read_and_write_alike),
		cmocka_unit_test(params_with_a_wrong_length_or_sign_are_refused),
		cmocka_unit_test(a_round_may_be_missing_and_a_block_has_64_bits),
		cmocka_unit_test(tickets_worth_nothing_pass_and_those_beyond_counting_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
