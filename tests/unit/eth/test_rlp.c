#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/eth/rlp.h>

#include "payments.h"

static struct lp_span bytes_of(struct lp_scope *scope, json_t *value)
{
	return row_bytes(scope, lp_json_keep(scope, json_pack("{s:O}", "it", value)), "it");
}

/* The vectors' values: hexadecimal text, and lists of them. */
static void encode(struct lp_scope *scope, struct lp_buf *to, json_t *value)
{
	struct lp_buf items = { 0 };
	size_t i;
	json_t *item;

	if (json_is_string(value)) {
		lp_rlp_bytes(to, bytes_of(scope, value));
		return;
	}
	json_array_foreach(value, i, item)
	{
		encode(scope, &items, item);
	}
	lp_rlp_list(to, lp_buf_span(&items));
	lp_buf_clear(&items);
}

static void assert_decodes(struct lp_scope *scope, struct lp_span *rest, json_t *value)
{
	struct lp_rlp got;
	size_t i;
	json_t *item;

	assert_true(lp_rlp_next(&got, rest));
	assert_int_equal(got.list, json_is_array(value));
	if (!got.list) {
		assert_true(lp_span_eq(got.in, bytes_of(scope, value)));
		return;
	}
	json_array_foreach(value, i, item)
	{
		assert_decodes(scope, &got.in, item);
	}
	assert_int_equal(got.in.len, 0);
}

static void the_networks_values_come_out_both_ways(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "rlp"), i, row)
	{
		struct lp_span want = row_bytes(scope, row, "rlp"), rest = want;
		struct lp_buf made = { 0 };

		encode(scope, &made, json_object_get(row, "value"));
		assert_true(lp_span_eq(lp_buf_span(&made), want));
		assert_decodes(scope, &rest, json_object_get(row, "value"));
		assert_int_equal(rest.len, 0);
		lp_buf_clear(&made);
	}
	lp_scope_close(&scope);
}

static void what_has_another_encoding_is_refused(void **state)
{
	(void)state;
	static const struct {
		uint8_t bytes[12];
		size_t len;
	} bad[] = {
		{ { 0 }, 0 },			/* nothing */
		{ { 0x81, 0x7f }, 2 },		/* a byte that stands for itself */
		{ { 0x81 }, 1 },		/* its byte is missing */
		{ { 0x83, 1, 2 }, 3 },
		{ { 0xb8 }, 1 },		/* the length is missing */
		{ { 0xb9, 1 }, 2 },
		{ { 0xb8, 1, 7 }, 3 },		/* a length that would have fitted the prefix */
		{ { 0xb8, 55, 7 }, 3 },
		{ { 0xb9, 0, 56 }, 3 },		/* a zero in front of the length */
		{ { 0xb8, 56, 7 }, 3 },		/* fewer bytes than it says */
		{ { 0xbf, 255, 255, 255, 255, 255, 255, 255, 255, 1 }, 10 },
		{ { 0xc1 }, 1 },
		{ { 0xf8, 55 }, 2 },
		{ { 0xff, 255, 255, 255, 255, 255, 255, 255, 255 }, 9 },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct lp_span rest = lp_span_of(bad[i].bytes, bad[i].len);
		struct lp_rlp item;

		if (lp_rlp_next(&item, &rest) || rest.len != bad[i].len)
			fail_msg("row %zu", i);
	}
}

static void numbers_have_their_shortest_form(void **state)
{
	(void)state;
	static const uint8_t zero[] = { 0, 1 };
	uint8_t many[33] = { 1 };
	struct lp_rlp item = { false, lp_span_of(zero, 2) };
	struct lp_u256 n;

	assert_false(lp_rlp_read_number(&n, &item));
	item.in = lp_span_of(zero + 1, 1);
	assert_true(lp_rlp_read_number(&n, &item) && lp_u256_cmp(n, lp_u256_of(1)) == 0);
	item.in = lp_span_of(zero, 0);
	assert_true(lp_rlp_read_number(&n, &item) && lp_u256_is_zero(n));
	item.in = lp_span_of(many, 33);
	assert_false(lp_rlp_read_number(&n, &item));
	item = (struct lp_rlp){ true, lp_span_of(zero + 1, 1) };
	assert_false(lp_rlp_read_number(&n, &item));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_networks_values_come_out_both_ways),
		cmocka_unit_test(what_has_another_encoding_is_refused),
		cmocka_unit_test(numbers_have_their_shortest_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
