/* A remote signer's state: forms, signature, and what is no state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/hex.h>
#include <lpd/money/signer_state.h>

/* As the node that we replace signed one. */
static const char recorded[] =
	"{\"StateID\":\"84884106\",\"PMSessionID\":"
	"\"0x1d9dda4132ceabd569a1f65d8d080d433e1d33830497c98c57096f5627d4c4c7\",\"LastUpdate\":"
	"\"2026-11-24T11:21:29.11822094Z\",\"OrchestratorAddress\":\"0x70997970c51812dc3a010c7d01b50e0d17dc79c8\","
	"\"App\":\"demo/hour\",\"AuthExpiry\":0,\"SenderNonce\":1,\"Balance\":"
	"\"229011020936051095857559796171721322417580344762678731096852923591832921026669869584364430/"
	"7719472615821079694904732333912527190217998977709370935963838933860875309329\","
	"\"InitialPricePerUnit\":33333333333,\"InitialPixelsPerUnit\":1,\"Type\":\"live\",\"SequenceNumber\":0,"
	"\"AuthID\":\"\"}";

static struct lp_key *key_of_ones(struct lp_scope *scope)
{
	uint8_t secret[32];
	struct lp_key *key;

	memset(secret, 0x11, sizeof secret);
	assert_int_equal(lp_key_open(scope, &key, secret, NULL), LP_OK);
	return key;
}

static void the_signature_is_the_networks(void **state)
{
	static const char json[] = "{\"StateID\":\"abc\",\"SequenceNumber\":1}";
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_key *key = key_of_ones(scope);
	uint8_t want[LP_SIG_LEN];
	struct lp_sig sig;

	(void)state;
	assert_true(lp_hex_read(want, sizeof want,
				LP_SPAN("4e84af06c80309f41507069a2953b659ec22aa0d75f43921d512d3dfa567e974693bc18e516c1e8ac210a"
					"f45f5f63d9e24358d8b8571070d14c2c88d16cf57791c")));
	lp_signer_state_sign(&sig, lp_span(json), key);
	assert_memory_equal(sig.bytes, want, sizeof want);
	assert_true(lp_signer_state_check(lp_span(json), lp_span_of(sig.bytes, LP_SIG_LEN), lp_key_address(key)));
	lp_scope_close(&scope);
}

static void a_changed_byte_or_another_signer_is_refused(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_key *key = key_of_ones(scope), *other = lp_key_create(scope);
	char json[] = "{\"StateID\":\"abc\"}";
	struct lp_sig sig;

	(void)state;
	lp_signer_state_sign(&sig, lp_span(json), key);
	struct lp_span bytes = lp_span_of(sig.bytes, LP_SIG_LEN);

	assert_false(lp_signer_state_check(lp_span(json), bytes, lp_key_address(other)));
	assert_false(lp_signer_state_check(lp_span(json), lp_span_of(sig.bytes, 64), lp_key_address(key)));
	assert_false(lp_signer_state_check(lp_span(json), lp_span(""), lp_key_address(key)));
	json[13] = 'z';
	assert_false(lp_signer_state_check(lp_span(json), bytes, lp_key_address(key)));
	lp_scope_close(&scope);
}

static void a_recorded_state_is_read(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_signer_state s;
	struct lp_wei wei;
	char text[LP_WEI_TEXT];

	(void)state;
	assert_int_equal(lp_signer_state_read(scope, &s, lp_span(recorded), NULL), LP_OK);
	assert_true(lp_span_is(s.id, "84884106"));
	assert_true(lp_span_is(s.app, "demo/hour"));
	assert_int_equal(s.last_update, 1795519289118220940);
	assert_int_equal(s.type, LP_SIGNER_LIVE);
	assert_int_equal(s.nonce, 1);
	assert_int_equal(s.price_per_unit, 33333333333);
	assert_int_equal(s.rand_hash.bytes[0], 0x1d);
	assert_int_equal(s.orchestrator.bytes[0], 0x70);
	assert_true(lp_amount_wei(&wei, s.balance, LP_DOWN));
	assert_string_equal(lp_wei_write(text, wei, LP_IN_WEI), "29666666666670");
	lp_scope_close(&scope);
}

static void what_was_written_reads_the_same(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_buf first = { 0 }, second = { 0 };
	struct lp_signer_state s;

	(void)state;
	assert_int_equal(lp_signer_state_read(scope, &s, lp_span(recorded), NULL), LP_OK);
	lp_signer_state_write(&first, &s);
	assert_int_equal(lp_signer_state_read(scope, &s, lp_buf_span(&first), NULL), LP_OK);
	lp_signer_state_write(&second, &s);
	assert_string_equal(lp_buf_text(&first), lp_buf_text(&second));
	/* All but the balance, which is rounded to our places. */
	assert_memory_equal(lp_buf_text(&first), recorded, strstr(recorded, "229011") - recorded);
	assert_non_null(strstr(lp_buf_text(&first), ",\"InitialPricePerUnit\":33333333333,\"InitialPixelsPerUnit\":1,"
						    "\"Type\":\"live\",\"SequenceNumber\":0,\"AuthID\":\"\"}"));
	lp_buf_clear(&first);
	lp_buf_clear(&second);
	lp_scope_close(&scope);
}

static void a_balance_is_a_fraction_in_lowest_terms(void **state)
{
	static const struct {
		const char *text, *again;
	} rows[] = {
		{ "0", "0" },	    { "7", "7" },	   { "1/2", "1/2" },
		{ "-3/4", "-3/4" }, { "6/4", "3/2" },	   { "1/18446744073709551616", "1/18446744073709551616" },
		{ "10/5", "2" },    { "000/001", "0" },	   { "-0", "0" },
	};
	struct lp_amount a;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct lp_buf out = { 0 };

		assert_true(lp_signer_fraction_read(&a, lp_span(rows[i].text)));
		lp_signer_fraction_write(&out, a);
		assert_string_equal(lp_buf_text(&out), rows[i].again);
		lp_buf_clear(&out);
	}
}

static void what_is_no_fraction_is_refused(void **state)
{
	static const char *const bad[] = { "", "-", "/", "1/", "/2", "1/0", "1/-2", "+1", "1.5", "1e3", "a", " 1", "1/2/3",
		"1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	};
	struct lp_amount a;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(lp_signer_fraction_read(&a, lp_span(bad[i])));
}

static void times_are_as_go_writes_them(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{ 0, "0001-01-01T00:00:00Z" },
		{ 1795519289000000000, "2026-11-24T11:21:29Z" },
		{ 1795519289100000000, "2026-11-24T11:21:29.1Z" },
		{ 1795519289118220940, "2026-11-24T11:21:29.11822094Z" },
		{ 1795519289000000001, "2026-11-24T11:21:29.000000001Z" },
		{ 951782400000000000, "2000-02-29T00:00:00Z" },
	};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct lp_buf out = { 0 };

		lp_signer_time_write(&out, rows[i].ns);
		assert_string_equal(lp_buf_text(&out), rows[i].text);
		assert_true(lp_signer_time_read(&ns, lp_span(rows[i].text)));
		assert_int_equal(ns, rows[i].ns);
		lp_buf_clear(&out);
	}
}

static void what_is_no_state_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "[]", "{}", "{\"StateID\":\"\"}", "{\"StateID\":\"a\",\"SenderNonce\":-1}",
		"{\"StateID\":\"a\",\"SenderNonce\":4294967296}", "{\"StateID\":\"a\",\"SequenceNumber\":-1}",
		"{\"StateID\":\"a\",\"Balance\":\"x\"}", "{\"StateID\":\"a\",\"LastUpdate\":\"today\"}",
		"{\"StateID\":\"a\",\"LastUpdate\":\"2026-13-24T11:21:29Z\"}",
		"{\"StateID\":\"a\",\"PMSessionID\":\"0x12\"}", "{\"StateID\":\"a\",\"Type\":\"hourly\"}",
		"{\"StateID\":\"a\",\"InitialPricePerUnit\":\"1\"}",
	};
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_signer_state s;
	struct lp_err e;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(lp_signer_state_read(scope, &s, lp_span(bad[i]), &e), LP_BAD_REQUEST);
		assert_string_equal(e.words, "invalid state");
	}
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_signature_is_the_networks),
		cmocka_unit_test(a_changed_byte_or_another_signer_is_refused),
		cmocka_unit_test(a_recorded_state_is_read),
		cmocka_unit_test(what_was_written_reads_the_same),
		cmocka_unit_test(a_balance_is_a_fraction_in_lowest_terms),
		cmocka_unit_test(what_is_no_fraction_is_refused),
		cmocka_unit_test(times_are_as_go_writes_them),
		cmocka_unit_test(what_is_no_state_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
