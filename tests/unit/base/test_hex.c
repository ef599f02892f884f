#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/hex.h>
#include <lpd/base/random.h>

static void hexadecimal_goes_both_ways(void **state)
{
	(void)state;
	unsigned char bytes[4] = { 0 };
	char text[9];

	assert_string_equal(lp_hex_write(text, "\x00\x9f\xA0\xff", 4), "009fa0ff");
	assert_true(lp_hex_read(bytes, 4, LP_SPAN("0x009fA0Ff")));
	assert_memory_equal(bytes, "\x00\x9f\xa0\xff", 4);
	assert_true(lp_hex_read(bytes, 4, LP_SPAN("01020304")));
	assert_false(lp_hex_read(bytes, 4, LP_SPAN("0102030")));
	assert_false(lp_hex_read(bytes, 4, LP_SPAN("0102030405")));
	assert_false(lp_hex_read(bytes, 4, LP_SPAN("010203g4")));
	assert_false(lp_hex_read(bytes, 4, LP_SPAN("0x0x0102")));
	assert_true(lp_hex_read(bytes, 0, LP_SPAN("0x")));
}

/* RFC 4648 section 10. */
static void base64_has_the_vectors_of_the_rfc(void **state)
{
	(void)state;
	static const char *const rows[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lp_buf buf = { 0 };
		char bytes[8];
		size_t len;
		lp_b64_write(&buf, lp_span(rows[i][0]));
		assert_string_equal(lp_buf_text(&buf), rows[i][1]);
		assert_true(lp_b64_read(bytes, &len, lp_span(rows[i][1])));
		assert_true(lp_span_is(lp_span_of(bytes, len), rows[i][0]));
		lp_buf_clear(&buf);
	}
}

static void base64_is_strict(void **state)
{
	(void)state;
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Z===", "====", "=g==", "Zm 9", "Zm9v\n",
		"Zm-_", "Zg=a", "Zm9vYm!yZm9vYmFyZm9vYmFyZm9v", "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmF\xc3", "Zm=vZm9v" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char bytes[64];
		size_t len;
		assert_false(lp_b64_read(bytes, &len, lp_span(bad[i])));
	}
}

/* Every length near the unrolled loops, into memory of exactly the promised size (ASan watches). */
static void base64_of_random_bytes_comes_back(void **state)
{
	(void)state;
	for (size_t n = 0; n < 200; n++) {
		struct lp_scope *scope = lp_scope_open(NULL, "test");
		char *bytes = lp_alloc(scope, n), *back = lp_alloc(scope, LP_B64_LEN(n) * 3 / 4);
		struct lp_span copy;
		struct lp_buf buf = { 0 };
		size_t len;

		lp_random(bytes, n);
		lp_b64_write(&buf, lp_span_of(bytes, n));
		assert_int_equal(buf.len, LP_B64_LEN(n));
		assert_true(lp_b64_read(back, &len, lp_buf_span(&buf)));
		assert_true(lp_span_eq(lp_span_of(back, len), lp_span_of(bytes, n)));
		assert_true(lp_b64_read_dup(scope, &copy, lp_buf_span(&buf)));
		assert_true(lp_span_eq(copy, lp_span_of(bytes, n)));
		assert_int_equal(copy.at[n], 0);
		lp_buf_clear(&buf);
		lp_scope_close(&scope);
	}
}

/* No byte outside the alphabet is taken, at any place of a quad. */
static void base64_knows_exactly_its_alphabet(void **state)
{
	(void)state;
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (int place = 0; place < 4; place++) {
		for (int c = 0; c < 256; c++) {
			char text[24] = "AAAAAAAAAAAAAAAAAAAAAAA", bytes[24];
			size_t len;
			text[23] = 'A';
			text[4 + place] = (char)c;
			bool known = c != 0 && strchr(alphabet, c) != NULL;
			assert_int_equal(lp_b64_read(bytes, &len, lp_span_of(text, 24)), known);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hexadecimal_goes_both_ways),
		cmocka_unit_test(base64_has_the_vectors_of_the_rfc),
		cmocka_unit_test(base64_is_strict),
		cmocka_unit_test(base64_of_random_bytes_comes_back),
		cmocka_unit_test(base64_knows_exactly_its_alphabet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
