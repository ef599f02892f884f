#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/eth/abi.h>

#include "payments.h"

/* Our readers of members want a name. */
static json_t *named(struct lp_scope *scope, json_t *value)
{
	return lp_json_keep(scope, json_pack("{s:O}", "it", value));
}

static struct lp_span text_of(json_t *value)
{
	return lp_span(json_string_value(value));
}

static void put(struct lp_scope *scope, struct lp_abi *abi, struct lp_span type, json_t *value)
{
	if (lp_span_is(type, "address")) {
		lp_abi_address(abi, row_address(named(scope, value), "it"));
	} else if (lp_span_is(type, "bytes32")) {
		struct lp_hash hash = row_hash(named(scope, value), "it");

		lp_abi_hash(abi, &hash);
	} else if (lp_span_is(type, "string")) {
		lp_abi_bytes(abi, text_of(value));
	} else if (lp_span_is(type, "bytes")) {
		lp_abi_bytes(abi, row_bytes(scope, named(scope, value), "it"));
	} else {
		lp_abi_number(abi, row_u256(named(scope, value), "it"));
	}
}

/* A tuple of plain members; types without brackets. */
static void put_tuple(struct lp_scope *scope, struct lp_buf *to, struct lp_span types, json_t *values)
{
	struct lp_abi abi;
	size_t i;
	json_t *value;

	lp_abi_open(&abi, json_array_size(values));
	json_array_foreach(values, i, value)
	{
		put(scope, &abi, lp_span_cut(&types, ','), value);
	}
	lp_abi_close(to, &abi);
}

#define TICKET "address,address,uint256,uint256,uint256,bytes32,bytes"

/* A length, then the elements: tickets or bytes, which both stand behind their places. */
static void put_array(struct lp_scope *scope, struct lp_abi *to, json_t *values, bool tickets)
{
	struct lp_buf all = { 0 };
	struct lp_abi abi;
	size_t i;
	json_t *value;

	lp_abi_word(&all, lp_u256_of(json_array_size(values)));
	lp_abi_open(&abi, json_array_size(values));
	json_array_foreach(values, i, value)
	{
		struct lp_buf one = { 0 };

		if (tickets) {
			put_tuple(scope, &one, LP_SPAN(TICKET), value);
			lp_abi_inner(&abi, lp_buf_span(&one));
			lp_buf_clear(&one);
		} else {
			put(scope, &abi, LP_SPAN("bytes"), value);
		}
	}
	lp_abi_close(&all, &abi);
	lp_abi_inner(to, lp_buf_span(&all));
	lp_buf_clear(&all);
}

static void put_batch(struct lp_scope *scope, struct lp_buf *to, json_t *args)
{
	struct lp_buf rands = { 0 };
	struct lp_abi abi;
	size_t i;
	json_t *value, *list = json_array_get(args, 2);

	lp_abi_open(&abi, 3);
	put_array(scope, &abi, json_array_get(args, 0), true);
	put_array(scope, &abi, json_array_get(args, 1), false);
	lp_abi_word(&rands, lp_u256_of(json_array_size(list)));
	json_array_foreach(list, i, value)
	{
		lp_abi_word(&rands, row_u256(named(scope, value), "it"));
	}
	lp_abi_inner(&abi, lp_buf_span(&rands));
	lp_abi_close(to, &abi);
	lp_buf_clear(&rands);
}

static void put_redeem(struct lp_scope *scope, struct lp_buf *to, json_t *row)
{
	static const char *const members[] = { "recipient", "sender", "face_value", "win_prob", "sender_nonce",
					       "recipient_rand_hash", "aux_data" };
	json_t *of = json_object_get(row, "ticket"), *values = lp_json_keep(scope, json_array());
	struct lp_buf ticket = { 0 };
	struct lp_abi abi;

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		json_array_append(values, json_object_get(of, members[i]));
	put_tuple(scope, &ticket, LP_SPAN(TICKET), values);
	lp_abi_open(&abi, 3);
	lp_abi_inner(&abi, lp_buf_span(&ticket));
	lp_abi_bytes(&abi, row_bytes(scope, row, "sig"));
	lp_abi_number(&abi, row_u256(row, "recipient_rand"));
	lp_abi_close(to, &abi);
	lp_buf_clear(&ticket);
}

/* getTicketHash takes a ticket and nothing else. */
static void put_ticket(struct lp_scope *scope, struct lp_buf *to, json_t *ticket)
{
	struct lp_buf inner = { 0 };
	struct lp_abi abi;

	put_tuple(scope, &inner, LP_SPAN(TICKET), ticket);
	lp_abi_open(&abi, 1);
	lp_abi_inner(&abi, lp_buf_span(&inner));
	lp_abi_close(to, &abi);
	lp_buf_clear(&inner);
}

static void calls_are_those_of_the_network_to_the_byte(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "abi_calls"), i, row)
	{
		struct lp_span types = row_text(row, "function");
		json_t *args = json_object_get(row, "args");
		struct lp_buf made = { 0 };

		lp_abi_selector(&made, json_string_value(json_object_get(row, "function")));
		lp_span_cut(&types, '(');
		types.len--;
		if (json_object_get(row, "ticket"))
			put_redeem(scope, &made, row);
		else if (lp_span_starts(row_text(row, "function"), "batch"))
			put_batch(scope, &made, args);
		else if (lp_span_starts(types, "("))
			put_ticket(scope, &made, json_array_get(args, 0));
		else
			put_tuple(scope, &made, types, args);
		if (!lp_span_eq(lp_buf_span(&made), row_bytes(scope, row, "calldata")))
			fail_msg("%s", json_string_value(json_object_get(row, "description")));
		lp_buf_clear(&made);
	}
	lp_scope_close(&scope);
}

/* What kind a value is, is seen by how the vectors write it. */
static void assert_value(struct lp_scope *scope, struct lp_span tuple, size_t at, json_t *value)
{
	struct lp_address address;
	struct lp_hash hash, want;
	struct lp_u256 n, number;
	struct lp_span bytes;
	bool flag;

	if (json_is_boolean(value)) {
		assert_true(lp_abi_read_flag(&flag, tuple, at) && flag == json_is_true(value));
		return;
	}
	struct lp_span text = text_of(value);

	if (lp_span_starts(text, "0x") && text.len == 42) {
		assert_true(lp_abi_read_address(&address, tuple, at));
		assert_true(lp_address_eq(address, row_address(named(scope, value), "it")));
	} else if (lp_span_starts(text, "0x") && text.len == 66) {
		want = row_hash(named(scope, value), "it");
		assert_true(lp_abi_read_hash(&hash, tuple, at));
		assert_memory_equal(hash.bytes, want.bytes, 32);
	} else if (lp_u256_read(&n, text)) {
		assert_true(lp_abi_read_number(&number, tuple, at) && lp_u256_cmp(n, number) == 0);
	} else {
		assert_true(lp_abi_read_bytes(&bytes, tuple, at));
		assert_true(lp_span_eq(bytes, lp_span_starts(text, "0x") ? row_bytes(scope, named(scope, value), "it") :
									   text));
	}
}

static void answers_of_contracts_are_read(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i, k, m;
	json_t *row, *value, *member;

	json_array_foreach(payments_list(scope, "abi_returns"), i, row)
	{
		struct lp_span data = row_bytes(scope, row, "return_data");
		size_t at = 0;

		json_array_foreach(json_object_get(row, "values"), k, value)
		{
			/* Structs of plain members stand there without a place of their own. */
			json_array_foreach(value, m, member)
			{
				assert_value(scope, data, at++, member);
			}
			if (!json_is_array(value))
				assert_value(scope, data, at++, value);
		}
	}
	lp_scope_close(&scope);
}

static void selectors_and_topics_are_hashes_of_their_words(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "selectors"), i, row)
	{
		struct lp_buf made = { 0 };

		lp_abi_selector(&made, json_string_value(json_object_get(row, "signature")));
		assert_true(lp_span_eq(lp_buf_span(&made), row_bytes(scope, row, "selector")));
		lp_buf_clear(&made);
	}
	json_array_foreach(payments_list(scope, "topics"), i, row)
	{
		struct lp_hash made, want = row_hash(row, "topic0");

		lp_abi_topic(&made, json_string_value(json_object_get(row, "signature")));
		assert_memory_equal(made.bytes, want.bytes, 32);
	}
	lp_scope_close(&scope);
}

/* Indexed arguments come first and are topics, the others are the data. */
static void logs_of_events_are_read(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i, k;
	json_t *row, *value;

	json_array_foreach(payments_list(scope, "logs"), i, row)
	{
		json_t *topics = json_object_get(row, "topics");
		size_t indexed = json_array_size(topics) - 1;
		struct lp_span data = row_bytes(scope, row, "data");
		struct lp_hash made, want = row_hash(named(scope, json_array_get(topics, 0)), "it");

		lp_abi_topic(&made, json_string_value(json_object_get(row, "event")));
		assert_memory_equal(made.bytes, want.bytes, 32);
		json_array_foreach(json_object_get(row, "args"), k, value)
		{
			if (k < indexed)
				assert_value(scope, row_bytes(scope, named(scope, json_array_get(topics, k + 1)), "it"),
					     0, value);
			else
				assert_value(scope, data, k - indexed, value);
		}
	}
	lp_scope_close(&scope);
}

static void refusals_are_told_in_the_contracts_words(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i, panics = 0;
	json_t *row;

	json_array_foreach(payments_list(scope, "abi_reverts"), i, row)
	{
		struct lp_span data = row_bytes(scope, row, "data"), words = { 0 };
		uint64_t panic = 0;

		assert_true(lp_abi_read_revert(&words, &panic, data));
		if (json_object_get(row, "panic_code")) {
			assert_null(words.at);
			assert_int_equal(panic, row_u64(row, "panic_code"));
			panics++;
		} else {
			assert_true(lp_span_eq(words, row_text(row, "reason")));
		}
		for (size_t len = 0; len < 4 + 64; len++)
			assert_false(lp_abi_read_revert(&words, &panic, lp_span_of(data.at, len < data.len ? len : 0)) &&
				     len < 36);
	}
	assert_int_equal(panics, 1);
	assert_false(lp_abi_read_revert(&(struct lp_span){ 0 }, &(uint64_t){ 0 }, LP_SPAN("abcdefgh")));
	lp_scope_close(&scope);
}

static void places_and_lengths_that_lie_are_refused(void **state)
{
	(void)state;
	uint8_t data[96] = { 0 };
	struct lp_span all = lp_span_of(data, sizeof data), got;
	struct lp_address address;
	struct lp_u256 n;
	bool flag;

	data[31] = 32;
	data[63] = 32;
	assert_true(lp_abi_read_bytes(&got, all, 0) && got.len == 32);
	data[63] = 33;
	assert_false(lp_abi_read_bytes(&got, all, 0));
	data[32] = 1;	/* a length of 2^248 and some */
	assert_false(lp_abi_read_bytes(&got, all, 0));
	data[32] = 0;
	data[31] = 64;	/* the last word is a length of 0 */
	assert_true(lp_abi_read_bytes(&got, all, 0) && got.len == 0);
	data[31] = 65;	/* it would end outside */
	assert_false(lp_abi_read_bytes(&got, all, 0));
	data[31] = 97;
	assert_false(lp_abi_read_bytes(&got, all, 0));
	data[0] = 255;
	assert_false(lp_abi_read_bytes(&got, all, 0));
	assert_false(lp_abi_read_flag(&flag, all, 0) || lp_abi_read_address(&address, all, 0));
	assert_true(lp_abi_read_number(&n, all, 2));
	assert_false(lp_abi_read_number(&n, all, 3) || lp_abi_read_flag(&flag, all, 3) ||
		     lp_abi_read_address(&address, all, SIZE_MAX));
	assert_false(lp_abi_read_number(&n, lp_span_of(data, 31), 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_those_of_the_network_to_the_byte),
		cmocka_unit_test(answers_of_contracts_are_read),
		cmocka_unit_test(selectors_and_topics_are_hashes_of_their_words),
		cmocka_unit_test(logs_of_events_are_read),
		cmocka_unit_test(refusals_are_told_in_the_contracts_words),
		cmocka_unit_test(places_and_lengths_that_lie_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
