#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/eth/key.h>
#include <lpd/pay/ticket.h>

#include "bigrat.h"
#include "payments.h"

/* The vectors spell fields in two ways. */
static const char *name_of(const json_t *row, const char *snake, const char *camel)
{
	return json_object_get(row, snake) ? snake : camel;
}

static struct lp_ticket ticket_of(const json_t *row)
{
	struct lp_ticket t = { .recipient = row_address(row, "recipient"), .sender = row_address(row, "sender") };

	t.face_value = row_wei(row, name_of(row, "face_value", "faceValue"));
	t.win_prob = row_u256(row, name_of(row, "win_prob", "winProb"));
	t.nonce = (uint32_t)row_u64(row, name_of(row, "sender_nonce", "senderNonce"));
	t.rand_hash = row_hash(row, name_of(row, "recipient_rand_hash", "recipientRandHash"));
	const char *round = name_of(row, "creation_round", "creationRound");

	if (json_object_get(row, round)) {
		t.round = row_u64(row, round);
		t.round_hash = row_hash(row, name_of(row, "creation_round_block_hash", "creationRoundBlockHash"));
	}
	return t;
}

static void assert_bytes(struct lp_span want, const void *at, size_t len)
{
	assert_int_equal(len, want.len);
	assert_memory_equal(at, want.at, len);
}

static void the_round_is_packed_as_the_contract_wants_it(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "aux_data"), i, row)
	{
		struct lp_ticket t = { .round = row_u64(row, "creation_round"),
				       .round_hash = row_hash(row, "creation_round_block_hash") };
		uint8_t aux[LP_TICKET_AUX];

		assert_bytes(row_bytes(scope, row, "aux_data"), aux, lp_ticket_aux(aux, &t));
	}
	lp_scope_close(&scope);
}

static void tickets_are_packed_and_hashed_to_the_byte(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "ticket_hash"), i, row)
	{
		struct lp_ticket t = ticket_of(json_object_get(row, "ticket"));
		struct lp_hash hash, want = row_hash(row, "hash");
		uint8_t packed[LP_TICKET_MAX];

		assert_bytes(row_bytes(scope, row, "packed"), packed, lp_ticket_pack(packed, &t));
		lp_ticket_hash(&hash, &t);
		assert_memory_equal(hash.bytes, want.bytes, sizeof want.bytes);
	}
	lp_scope_close(&scope);
}

static void signed_tickets_come_out_and_pass_the_check(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "ticket_signature"), i, row)
	{
		struct lp_ticket t = ticket_of(json_object_get(row, "ticket"));
		struct lp_hash hash, want = row_hash(row, "ticket_hash"), secret = row_hash(row, "private_key");
		uint8_t packed[LP_TICKET_MAX];
		struct lp_key *key;
		struct lp_sig sig;

		assert_bytes(row_bytes(scope, row, "packed"), packed, lp_ticket_pack(packed, &t));
		lp_ticket_hash(&hash, &t);
		assert_memory_equal(hash.bytes, want.bytes, sizeof want.bytes);
		assert_int_equal(lp_key_open(scope, &key, secret.bytes, NULL), LP_OK);
		lp_key_sign(&sig, key, &hash);
		assert_bytes(row_bytes(scope, row, "sig"), sig.bytes, sizeof sig.bytes);
		assert_true(lp_sig_check(&sig, &hash, t.sender));
	}
	lp_scope_close(&scope);
}

/* An offer of payments 1.5 whose rand is known, and its ticket with a nonce, signed. */
struct known {
	struct lp_ticket ticket;
	struct lp_hash rand;
	struct lp_sig sig;
};

static struct known known(struct lp_scope *scope, size_t which)
{
	json_t *all = vectors_open(scope, "payments");
	json_t *scan = json_object_get(all, "winning_scan");
	json_t *signed_row = json_array_get(json_object_get(all, "ticket_signature"), 0);
	json_t *row = json_array_get(json_object_get(scan, "tickets"), which);
	struct known k = { .ticket = ticket_of(json_object_get(signed_row, "ticket")),
			   .rand = row_hash(scan, "recipient_rand") };

	k.ticket.face_value = row_wei(scan, "face_value");
	k.ticket.win_prob = row_u256(scan, "win_prob");
	k.ticket.rand_hash = row_hash(scan, "recipient_rand_hash");
	k.ticket.nonce = (uint32_t)row_u64(row, "sender_nonce");
	assert_true(lp_sig_of(&k.sig, row_bytes(scope, row, "sig")));
	return k;
}

static void the_twelve_tickets_of_one_offer_win_and_lose_as_on_chain(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	json_t *scan = json_object_get(vectors_open(scope, "payments"), "winning_scan");
	size_t i;
	json_t *row;

	json_array_foreach(json_object_get(scan, "tickets"), i, row)
	{
		struct known k = known(scope, i);
		struct lp_hash hash, want = row_hash(row, "ticket_hash");
		struct lp_err e;

		lp_ticket_hash(&hash, &k.ticket);
		assert_memory_equal(hash.bytes, want.bytes, 32);
		assert_int_equal(lp_ticket_check(&k.ticket, &k.sig, &k.rand, k.ticket.recipient, &e), LP_OK);
		assert_int_equal(lp_ticket_wins(&k.ticket, &k.sig, &k.rand),
				 json_is_true(json_object_get(row, "wins")));
	}
	assert_int_equal(i, 12);
	lp_scope_close(&scope);
}

static void a_draw_equal_to_the_probability_loses(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i, drawn = 0;
	json_t *row;

	json_array_foreach(payments_list(scope, "winning"), i, row)
	{
		struct lp_ticket t = { .win_prob = row_u256(row, "win_prob") };
		struct lp_u256 n = row_u256(row, "recipient_rand");
		struct lp_hash rand;
		struct lp_sig sig;

		/* Signatures of another length have no draw here. */
		if (!lp_sig_of(&sig, row_bytes(scope, row, "sig")))
			continue;
		lp_u256_write_32(rand.bytes, n);
		assert_int_equal(lp_ticket_wins(&t, &sig, &rand), json_is_true(json_object_get(row, "wins")));
		drawn++;
	}
	assert_int_equal(drawn, 8);
	lp_scope_close(&scope);
}

static void each_check_has_its_code_and_the_networks_words(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct known k = known(scope, 0), bad;
	struct lp_address us = k.ticket.recipient, other = { { 1 } };
	struct lp_err e;

	/* In the order of the network: each fault hides those after it. */
	bad = k;
	bad.sig.bytes[10] ^= 1;
	assert_int_equal(lp_ticket_check(&bad.ticket, &bad.sig, &bad.rand, us, &e), LP_BAD_TICKET);
	assert_string_equal(e.words, "invalid ticket signature");
	bad.rand.bytes[31] ^= 1;
	assert_int_equal(lp_ticket_check(&bad.ticket, &bad.sig, &bad.rand, us, &e), LP_BAD_TICKET);
	assert_string_equal(e.words, "invalid recipientRand for ticket recipientRandHash");
	memset(&bad.ticket.sender, 0, sizeof bad.ticket.sender);
	assert_int_equal(lp_ticket_check(&bad.ticket, &bad.sig, &bad.rand, us, &e), LP_TICKET_SENDER);
	assert_string_equal(e.words, "invalid ticket sender");
	assert_int_equal(lp_ticket_check(&bad.ticket, &bad.sig, &bad.rand, other, &e), LP_TICKET_RECIPIENT);
	assert_string_equal(e.words, "invalid ticket recipient");
	/* Another nonce, value or round than the signed ones. */
	bad = k;
	bad.ticket.nonce++;
	assert_int_equal(lp_ticket_check(&bad.ticket, &bad.sig, &bad.rand, us, &e), LP_BAD_TICKET);
	bad = k;
	bad.ticket.round++;
	assert_int_equal(lp_ticket_check(&bad.ticket, &bad.sig, &bad.rand, us, &e), LP_BAD_TICKET);
	lp_scope_close(&scope);
}

static void a_ticket_is_worth_its_exact_part_rounded_as_told(void **state)
{
	(void)state;
	static const char *const lists[] = { "ticket_ev", "win_prob" };
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i, checked = 0;
	json_t *row;

	for (size_t list = 0; list < 2; list++) {
		json_array_foreach(payments_list(scope, lists[list]), i, row)
		{
			const json_t *ev = json_object_get(row, list ? "ticket_ev" : "ev");
			struct lp_amount up, down;
			char *text;

			if (!json_is_object(ev))
				continue;
			text = lp_fmt(scope, "%s/%s", json_string_value(json_object_get(ev, "num")),
				      json_string_value(json_object_get(ev, "den")));
			assert_true(lp_ticket_ev(&up, row_wei(row, "face_value"), row_u256(row, "win_prob"), LP_UP));
			assert_true(lp_ticket_ev(&down, row_wei(row, "face_value"), row_u256(row, "win_prob"),
						 LP_DOWN));
			assert_int_equal(lp_amount_cmp(up, big_amount(lp_span(text), LP_UP)), 0);
			assert_int_equal(lp_amount_cmp(down, big_amount(lp_span(text), LP_DOWN)), 0);
			checked++;
		}
	}
	assert_true(checked >= 9);
	struct lp_amount none;

	assert_false(lp_ticket_ev(&none, (struct lp_wei){ LP_U256_MAX }, LP_U256_MAX, LP_UP));
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_round_is_packed_as_the_contract_wants_it),
		cmocka_unit_test(tickets_are_packed_and_hashed_to_the_byte),
		cmocka_unit_test(signed_tickets_come_out_and_pass_the_check),
		cmocka_unit_test(the_twelve_tickets_of_one_offer_win_and_lose_as_on_chain),
		cmocka_unit_test(a_draw_equal_to_the_probability_loses),
		cmocka_unit_test(each_check_has_its_code_and_the_networks_words),
		cmocka_unit_test(a_ticket_is_worth_its_exact_part_rounded_as_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
