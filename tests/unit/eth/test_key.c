#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include <lpd/eth/key.h>

#include "payments.h"

static struct lp_key *key_of(struct lp_scope *scope, const json_t *row)
{
	struct lp_hash secret = row_hash(row, "private_key");
	struct lp_key *key;

	assert_int_equal(lp_key_open(scope, &key, secret.bytes, NULL), LP_OK);
	return key;
}

static struct lp_keystore keystore_of(const json_t *row)
{
	char *text = json_dumps(json_object_get(row, "keystore"), 0);
	struct lp_keystore store;
	struct lp_err e;

	assert_int_equal(lp_keystore_read(&store, lp_span(text), &e), LP_OK);
	free(text);
	return store;
}

static void keys_have_the_addresses_of_the_network(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "keys"), i, row)
		assert_true(lp_address_eq(lp_key_address(key_of(scope, row)), row_address(row, "address")));
	lp_scope_close(&scope);
}

static void signatures_are_those_of_the_network_to_the_byte(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "ticket_signature"), i, row)
	{
		struct lp_key *key = key_of(scope, row);
		struct lp_hash hash = row_hash(row, "ticket_hash"), digest = lp_sig_digest(&hash);
		struct lp_hash want = row_hash(row, "eth_message_digest");
		struct lp_sig sig, raw;

		assert_memory_equal(digest.bytes, want.bytes, 32);
		lp_key_sign(&sig, key, &hash);
		lp_key_sign_digest(&raw, key, &digest);
		assert_memory_equal(sig.bytes, row_bytes(scope, row, "sig").at, LP_SIG_LEN);
		assert_memory_equal(raw.bytes, sig.bytes, LP_SIG_LEN);
		assert_true(lp_sig_check(&sig, &hash, lp_key_address(key)));
	}
	json_array_foreach(payments_list(scope, "orchestrator_request_sig"), i, row)
	{
		struct lp_span text = row_text(row, "message_ascii");
		struct lp_hash inner;
		struct lp_sig sig;

		lp_keccak256(inner.bytes, text.at, text.len);
		lp_key_sign(&sig, key_of(scope, row), &inner);
		assert_memory_equal(sig.bytes, row_bytes(scope, row, "sig").at, LP_SIG_LEN);
	}
	lp_scope_close(&scope);
}

/* Not hashed before it is signed, and its length stands in the words (payments 8.2). */
static void a_remote_signers_state_is_signed_as_it_stands(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	json_t *row = json_array_get(payments_list(scope, "remote_state_sig"), 0);
	struct lp_hash want = row_hash(row, "eth_message_digest");
	struct lp_hash digest = lp_sig_digest_bytes(row_text(row, "state_utf8"));
	struct lp_key *key = key_of(scope, row);
	struct lp_address signer;
	struct lp_sig sig;

	assert_memory_equal(digest.bytes, want.bytes, 32);
	lp_key_sign_digest(&sig, key, &digest);
	assert_memory_equal(sig.bytes, row_bytes(scope, row, "sig").at, LP_SIG_LEN);
	assert_true(lp_sig_recover(&signer, &sig, &digest));
	assert_true(lp_address_eq(signer, lp_key_address(key)));
	digest = lp_sig_digest_bytes(LP_SPAN(""));
	lp_key_sign_digest(&sig, key, &digest);
	assert_true(lp_sig_recover(&signer, &sig, &digest) && lp_address_eq(signer, lp_key_address(key)));
	lp_scope_close(&scope);
}

/* T-9: what Ping signs at the incumbent is a ticket, if the peer wants.  This is why nothing of lpd signs the
 * hash of bytes that a peer chose. */
static void a_pinged_value_can_be_a_ticket(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	json_t *row = json_array_get(payments_list(scope, "ping_oracle"), 0);
	struct lp_span value = row_bytes(scope, row, "value");
	struct lp_hash hash, want = row_hash(row, "inner_hash");

	lp_keccak256(hash.bytes, value.at, value.len);
	assert_memory_equal(hash.bytes, want.bytes, 32);
	assert_int_equal(value.len, 232);
	lp_scope_close(&scope);
}

/* network-protocol appendix A: the key of 32 ones. */
static void the_signature_of_a_segment_comes_out(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	uint8_t secret[32], want[LP_SIG_LEN];
	struct lp_key *key;
	struct lp_hash inner;
	struct lp_sig sig;

	memset(secret, 1, sizeof secret);
	assert_int_equal(lp_key_open(scope, &key, secret, NULL), LP_OK);
	assert_true(lp_hex_read(inner.bytes, 32,
				LP_SPAN("2c573d58a1d9cf460f70d6a90dede7cc9b16dd000b66c184eda70c70d1583f85")));
	assert_true(lp_hex_read(want, LP_SIG_LEN,
				LP_SPAN("79219756a63ebea23e834eb56f902cc9b161197ac9ca1ee1589a65677e381606"
					"76c28c5bf9fbc3d792da8b1f43e4e6656795f83dcd7179b8edb2bcad87ad6c011c")));
	lp_key_sign(&sig, key, &inner);
	assert_memory_equal(sig.bytes, want, LP_SIG_LEN);
	lp_scope_close(&scope);
}

static void what_is_no_key_is_refused(void **state)
{
	(void)state;
	static const char *const order =
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	uint8_t secret[32] = { 0 };
	struct lp_key *key = NULL;
	struct lp_err e;

	assert_int_equal(lp_key_open(scope, &key, secret, &e), LP_CONFIG);
	assert_true(lp_hex_read(secret, 32, lp_span(order)));
	assert_int_equal(lp_key_open(scope, &key, secret, &e), LP_CONFIG);
	assert_null(key);
	secret[31]--;
	assert_int_equal(lp_key_open(scope, &key, secret, &e), LP_OK);
	lp_scope_close(&scope);
}

static void every_file_of_the_network_opens_or_says_why(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	json_t *list = payments_list(scope, "keystore"), *row;
	size_t i, opened = 0, weak = 0;

	json_array_foreach(list, i, row)
	{
		struct lp_key *key = NULL;
		struct lp_keystore store;
		struct lp_err e;
		char *text;

		if (json_object_get(row, "expect"))
			continue;
		text = json_dumps(json_object_get(row, "keystore"), 0);
		if (lp_keystore_read(&store, lp_span(text), &e)) {
			assert_string_equal(e.words, "keystore: scrypt with n = 262144 and r = 1 is not supported");
			weak++;
		} else {
			assert_int_equal(lp_key_unlock(scope, &key, &store, row_text(row, "password"), &e),
					 LP_OK);
			if (json_object_get(row, "private_key"))
				assert_true(lp_address_eq(lp_key_address(key),
							  row_address(row, "address")));
			opened++;
		}
		free(text);
	}
	assert_int_equal(opened, 6);
	assert_int_equal(weak, 1);
	lp_scope_close(&scope);
}

static void a_wrong_password_opens_nothing(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	json_t *list = payments_list(scope, "keystore"), *row;
	size_t i;

	json_array_foreach(list, i, row)
	{
		struct lp_keystore store;
		struct lp_key *key = NULL;
		struct lp_err e;

		if (!json_object_get(row, "keystore_index"))
			continue;
		store = keystore_of(json_array_get(
			list, (size_t)json_integer_value(json_object_get(row, "keystore_index"))));
		assert_int_equal(lp_key_unlock(scope, &key, &store, row_text(row, "password"), &e),
				 LP_UNAUTHORIZED);
		assert_null(key);
	}
	lp_scope_close(&scope);
}

static void a_file_with_another_address_or_cipher_text_is_refused(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	json_t *row = json_array_get(payments_list(scope, "keystore"), 0);
	struct lp_keystore store = keystore_of(row);
	struct lp_key *key = NULL;
	struct lp_err e;

	store.address.bytes[0] ^= 1;
	assert_int_equal(lp_key_unlock(scope, &key, &store, row_text(row, "password"), &e), LP_CONFIG);
	store.ciphertext[0] ^= 1;
	assert_int_equal(lp_key_unlock(scope, &key, &store, row_text(row, "password"), &e),
			 LP_UNAUTHORIZED);
	assert_null(key);
	/* Of this one nothing is read: it ends before any work is done. */
	assert_int_equal(lp_key_unlock(scope, &key, &store, lp_span_of("", (size_t)INT32_MAX + 1), &e), LP_CONFIG);
	store = keystore_of(row);
	store.has_address = false;
	memset(&store.address, 0, sizeof store.address);
	assert_int_equal(lp_key_unlock(scope, &key, &store, row_text(row, "password"), &e), LP_OK);
	assert_false(lp_address_is_zero(lp_key_address(key)));
	lp_scope_close(&scope);
}

/* A file in order whose key is 0, made of one whose key is known: in counter mode what is added to the cipher text is
 * added to the key. */
static void a_good_password_may_open_what_is_no_key(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_key *key, *none = NULL;
	uint8_t secret[32], derived[32], both[48];
	struct lp_keystore store;
	struct lp_err e;

	memset(secret, 7, sizeof secret);
	assert_int_equal(lp_key_open(scope, &key, secret, NULL), LP_OK);
	lp_key_seal(&store, key, LP_SPAN("word"), 1);
	assert_int_equal(EVP_PBE_scrypt("word", 4, store.salt, store.salt_len, 2, 8, 1, 1 << 20, derived, 32), 1);
	for (size_t i = 0; i < 32; i++)
		store.ciphertext[i] ^= secret[i];
	memcpy(both, derived + 16, 16);
	memcpy(both + 16, store.ciphertext, 32);
	lp_keccak256(store.mac, both, sizeof both);
	store.has_address = false;
	assert_int_equal(lp_key_unlock(scope, &none, &store, LP_SPAN("word"), &e), LP_CONFIG);
	assert_null(none);
	lp_scope_close(&scope);
}

static void a_sealed_key_opens_again(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_key *key = lp_key_create(scope), *back, *other = lp_key_create(scope);
	struct lp_keystore store, read;
	struct lp_buf text = { 0 };
	struct lp_err e;

	assert_false(lp_address_eq(lp_key_address(key), lp_key_address(other)));
	lp_key_seal(&store, key, LP_SPAN("a word"), 4);
	lp_keystore_write(&text, &store);
	assert_int_equal(lp_keystore_read(&read, lp_buf_span(&text), &e), LP_OK);
	assert_memory_equal(&read, &store, sizeof read);
	assert_int_equal(strlen(read.id), 36);
	assert_int_equal(read.id[14], '4');
	assert_int_equal(lp_key_unlock(scope, &back, &read, LP_SPAN("a word"), &e), LP_OK);
	assert_true(lp_address_eq(lp_key_address(back), lp_key_address(key)));
	assert_int_equal(lp_key_unlock(scope, &back, &read, LP_SPAN(""), &e), LP_UNAUTHORIZED);
	lp_buf_clear(&text);
	lp_scope_close(&scope);
}

/* As secrets go: no bytes of it are left in what a program can still reach.  The page itself is unmapped. */
static void a_closed_scope_takes_the_key_along(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test"), *inner = lp_scope_open(scope, "inner");
	struct lp_key *key = lp_key_create(inner);

	assert_non_null(key);
	(void)lp_key_locked(key);	/* whether it may be locked is the machine's business */
	lp_scope_close(&inner);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_have_the_addresses_of_the_network),
		cmocka_unit_test(signatures_are_those_of_the_network_to_the_byte),
		cmocka_unit_test(a_remote_signers_state_is_signed_as_it_stands),
		cmocka_unit_test(a_pinged_value_can_be_a_ticket),
		cmocka_unit_test(the_signature_of_a_segment_comes_out),
		cmocka_unit_test(what_is_no_key_is_refused),
		cmocka_unit_test(every_file_of_the_network_opens_or_says_why),
		cmocka_unit_test(a_wrong_password_opens_nothing),
		cmocka_unit_test(a_file_with_another_address_or_cipher_text_is_refused),
		cmocka_unit_test(a_good_password_may_open_what_is_no_key),
		cmocka_unit_test(a_sealed_key_opens_again),
		cmocka_unit_test(a_closed_scope_takes_the_key_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
