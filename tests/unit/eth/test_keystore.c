#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/eth/keystore.h>

#include "payments.h"

#define BYTES_13 "0123456789abcdef0123456789"
#define BYTES_65 BYTES_13 BYTES_13 BYTES_13 BYTES_13 BYTES_13

/* A file of the network with one member of it replaced; path is "crypto.kdfparams.n". */
static enum lp_code with(const char *path, const char *json, size_t which)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	json_t *row = json_array_get(payments_list(scope, "keystore"), which);
	json_t *at = json_object_get(row, "keystore"), *top = at;
	struct lp_span rest = lp_span(path), name = lp_span_cut(&rest, '.');
	struct lp_keystore store;
	struct lp_err e;

	for (; rest.at; name = lp_span_cut(&rest, '.'))
		at = json_object_get(at, lp_strdup(scope, name));
	assert_int_equal(json_object_set_new(at, lp_strdup(scope, name),
					     json_loads(json, JSON_DECODE_ANY, NULL)),
			 0);
	char *text = json_dumps(top, 0);
	enum lp_code code = lp_keystore_read(&store, lp_span(text), &e);

	if (code)
		assert_true(lp_span_starts(lp_span(e.words), "keystore: "));
	free(text);
	lp_scope_close(&scope);
	return code;
}

static void a_file_that_breaks_a_rule_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *path, *json;
		size_t which;	/* 0 scrypt, 2 pbkdf2 */
	} bad[] = {
		{ "version", "1", 0 },
		{ "version", "\"3\"", 0 },
		{ "address", "\"12\"", 0 },
		{ "id", "\"11111111-2222-4333-8444-5555555555555\"", 0 },
		{ "crypto", "{}", 0 },
		{ "crypto.cipher", "\"aes-256-ctr\"", 0 },
		{ "crypto.ciphertext", "\"00\"", 0 },
		{ "crypto.ciphertext", "\"0x54a68108a57c6721b3eb7c9928c0ab3025aef6336c1458b68869b9dc7abc63c7\"", 0 },
		{ "crypto.mac", "\"\"", 0 },
		{ "crypto.cipherparams.iv", "\"00112233445566778899aabbccddee\"", 0 },
		{ "crypto.kdf", "\"argon2\"", 0 },
		{ "crypto.kdfparams.dklen", "31", 0 },
		{ "crypto.kdfparams.salt", "\"\"", 0 },
		{ "crypto.kdfparams.salt", "\"abc\"", 0 },
		{ "crypto.kdfparams.salt", "\"" BYTES_65 "\"", 0 },
		{ "crypto.kdfparams.dklen", "\"32\"", 0 },
		{ "crypto.kdfparams.p", "0", 0 },
		{ "crypto.kdfparams.p", "64", 1 },
		{ "crypto.kdfparams.r", "1", 1 },
		{ "crypto.kdfparams.n", "0", 0 },
		{ "crypto.kdfparams.n", "1", 0 },
		{ "crypto.kdfparams.n", "4095", 0 },
		{ "crypto.kdfparams.n", "4611686018427387904", 0 },
		{ "crypto.kdfparams.n", "16777216", 0 },
		{ "crypto.kdfparams.r", "-8", 0 },
		{ "crypto.kdfparams.r", "4611686018427387904", 0 },
		{ "crypto.kdfparams.r", "\"8\"", 0 },
		{ "crypto.kdfparams.p", "65", 0 },
		{ "crypto.kdfparams.p", "4611686018427387904", 0 },
		{ "crypto.kdfparams.c", "0", 2 },
		{ "crypto.kdfparams.c", "10000001", 2 },
		{ "crypto.kdfparams.prf", "\"hmac-sha1\"", 2 },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (with(bad[i].path, bad[i].json, bad[i].which) != LP_CONFIG)
			fail_msg("%s %s", bad[i].path, bad[i].json);
	}
	assert_int_equal(with("other", "[1,2]", 0), LP_OK);
	assert_int_equal(with("id", "null", 2), LP_OK);
	assert_int_equal(with("crypto.kdfparams.r", "3", 1), LP_OK);
	assert_int_equal(with("address", "null", 2), LP_OK);
}

static void what_is_no_json_or_too_long_is_refused(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	char *text = lp_alloc(scope, LP_KEYSTORE_MAX + 1);
	struct lp_keystore store;
	struct lp_err e;

	memset(text, ' ', LP_KEYSTORE_MAX + 1);
	assert_int_equal(lp_keystore_read(&store, lp_span_of(text, LP_KEYSTORE_MAX + 1), &e), LP_CONFIG);
	assert_string_equal(e.words, "keystore: the file is too long");
	assert_int_equal(lp_keystore_read(&store, LP_SPAN("not json"), &e), LP_CONFIG);
	assert_int_equal(lp_keystore_read(&store, LP_SPAN("[]"), &e), LP_CONFIG);
	lp_scope_close(&scope);
}

static void what_is_written_reads_back(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	json_t *list = payments_list(scope, "keystore");

	/* scrypt, then pbkdf2, then a file without an address. */
	for (size_t which = 0; which <= 4; which += 2) {
		char *text = json_dumps(json_object_get(json_array_get(list, which), "keystore"), 0);
		struct lp_keystore store, again;
		struct lp_buf buf = { 0 };
		struct lp_err e;

		assert_int_equal(lp_keystore_read(&store, lp_span(text), &e), LP_OK);
		lp_keystore_write(&buf, &store);
		assert_int_equal(lp_keystore_read(&again, lp_buf_span(&buf), &e), LP_OK);
		assert_memory_equal(&again, &store, sizeof store);
		lp_buf_clear(&buf);
		free(text);
	}
	lp_scope_close(&scope);
}

static void old_files_spell_crypto_with_a_capital(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	json_t *row = json_array_get(payments_list(scope, "keystore"), 2);
	json_t *file = json_object_get(row, "keystore");
	struct lp_keystore store;
	struct lp_err e;
	char *text;

	json_object_set(file, "Crypto", json_object_get(file, "crypto"));
	json_object_del(file, "crypto");
	text = json_dumps(file, 0);
	assert_int_equal(lp_keystore_read(&store, lp_span(text), &e), LP_OK);
	assert_int_equal(store.rounds, 10240);
	free(text);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_breaks_a_rule_is_refused),
		cmocka_unit_test(what_is_no_json_or_too_long_is_refused),
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(old_files_spell_crypto_with_a_capital),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
