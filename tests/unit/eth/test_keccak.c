#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/eth/keccak.h>

#include "payments.h"

static void assert_hash(const void *at, size_t len, const char *hex)
{
	uint8_t hash[LP_KECCAK_LEN];
	char text[2 * LP_KECCAK_LEN + 1];

	lp_keccak256(hash, at, len);
	assert_string_equal(lp_hex_write(text, hash, sizeof hash), hex);
}

static void known_texts_have_their_known_hashes(void **state)
{
	(void)state;
	assert_hash("", 0, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
	assert_hash("abc", 3, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
	/* The selector of ERC-20's transfer is the first four bytes. */
	assert_hash("transfer(address,uint256)", 25,
		    "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b");
}

static void the_networks_signing_steps_come_out(void **state)
{
	(void)state;
	/* network-protocol appendix A1: address text, then Ethereum's message prefix. */
	static const char text[] = "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1";
	uint8_t message[28 + 32];

	assert_hash(text, 42, "aebff4ff02689ef8481671c00aac58aef7c0efa92d80012b6309a16f9982b2fc");
	memcpy(message,
	       "\x19"
	       "Ethereum Signed Message:\n32",
	       28);
	lp_keccak256(message + 28, text, 42);
	assert_hash(message, sizeof message,
		    "bc2f501147e7814ccde44d91ef5ba05386ace922dc7e7d259e827f48166fd6c2");
}

static void the_flat_form_of_a_segment_comes_out(void **state)
{
	(void)state;
	/* A2: manifest id, sequence number 0 as 32 bytes, hash of nothing. */
	uint8_t flat[25 + 32 + 32] = "27_stabilityai/sdxl-turbo";

	lp_keccak256(flat + 25 + 32, NULL, 0);
	assert_hash(flat, sizeof flat,
		    "2c573d58a1d9cf460f70d6a90dede7cc9b16dd000b66c184eda70c70d1583f85");
}

/* Lengths around a block's 136 bytes are where padding goes wrong; the values are of an independent
 * implementation. */
static void lengths_around_a_block_are_padded_right(void **state)
{
	(void)state;
	char a[273];

	memset(a, 'a', sizeof a);
	assert_hash(a, 135, "34367dc248bbd832f4e3e69dfaac2f92638bd0bbd18f2912ba4ef454919cf446");
	assert_hash(a, 136, "a6c4d403279fe3e0af03729caada8374b5ca54d8065329a3ebcaeb4b60aa386e");
	assert_hash(a, 137, "d869f639c7046b4929fc92a4d988a8b22c55fbadb802c0c66ebcd484f1915f39");
	assert_hash(a, 272, "cf7fcd4f705ee749930d19ca84561a9bf62516bd90a471545fa2f49fdc7e63c8");
}

static void the_networks_bytes_have_their_hashes(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "keccak256"), i, row)
	{
		struct lp_span input = row_bytes(scope, row, "input");
		struct lp_hash hash, want = row_hash(row, "hash");

		lp_keccak256(hash.bytes, input.at, input.len);
		assert_memory_equal(hash.bytes, want.bytes, sizeof want.bytes);
	}
	lp_scope_close(&scope);
}

static void pieces_of_any_size_give_the_same_hash(void **state)
{
	(void)state;
	uint8_t bytes[300], whole[LP_KECCAK_LEN], pieced[LP_KECCAK_LEN];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7);
	lp_keccak256(whole, bytes, sizeof bytes);
	for (size_t cut = 0; cut <= sizeof bytes; cut++) {
		struct lp_keccak k;

		lp_keccak_init(&k);
		lp_keccak_add(&k, bytes, cut);
		lp_keccak_add(&k, bytes + cut, sizeof bytes - cut);
		lp_keccak_end(&k, pieced);
		assert_memory_equal(pieced, whole, sizeof whole);
	}
}

static void an_ended_hash_starts_anew(void **state)
{
	(void)state;
	struct lp_keccak k;
	uint8_t first[LP_KECCAK_LEN], again[LP_KECCAK_LEN];

	lp_keccak_init(&k);
	lp_keccak_add(&k, "abc", 3);
	lp_keccak_end(&k, first);
	lp_keccak_add(&k, "abc", 3);
	lp_keccak_end(&k, again);
	assert_memory_equal(first, again, sizeof first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts_have_their_known_hashes),
		cmocka_unit_test(the_networks_signing_steps_come_out),
		cmocka_unit_test(the_flat_form_of_a_segment_comes_out),
		cmocka_unit_test(lengths_around_a_block_are_padded_right),
		cmocka_unit_test(the_networks_bytes_have_their_hashes),
		cmocka_unit_test(pieces_of_any_size_give_the_same_hash),
		cmocka_unit_test(an_ended_hash_starts_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
