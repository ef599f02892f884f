#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "payments.h"

static void the_networks_addresses_get_their_case(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "keys"), i, row)
	{
		char text[LP_ADDRESS_TEXT];
		struct lp_address a = row_address(row, "address_lower");

		lp_address_write(text, a);
		assert_true(lp_span_is(row_text(row, "address"), text));
		assert_true(lp_address_eq(a, row_address(row, "address")));
	}
	lp_scope_close(&scope);
}

static void every_checksum_vector_comes_out(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i;
	json_t *row;

	json_array_foreach(payments_list(scope, "eip55"), i, row)
	{
		char text[LP_ADDRESS_TEXT];
		const char *right = lp_strdup(scope, row_text(row, "checksum"));
		struct lp_address a = row_address(row, "lower");

		assert_string_equal(lp_address_write(text, a), right);
		assert_true(lp_address_checksum(lp_span(right)));
	}
	lp_scope_close(&scope);
}

static void a_letter_in_the_wrong_case_breaks_the_checksum(void **state)
{
	(void)state;
	/* The first letter, an E, is small. */
	assert_false(lp_address_checksum(LP_SPAN("0x19e7E376E7C213B7E7e7e46cc70A5dD086DAff2A")));
	assert_true(lp_address_checksum(LP_SPAN("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A")));
	assert_true(lp_address_checksum(LP_SPAN("19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A")));
	assert_true(lp_address_checksum(LP_SPAN("0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a")));
	assert_true(lp_address_checksum(LP_SPAN("0x19E7E376E7C213B7E7E7E46CC70A5DD086DAFF2A")));
	assert_false(lp_address_checksum(LP_SPAN("0x19E7")));
}

static void only_twenty_bytes_are_an_address(void **state)
{
	(void)state;
	struct lp_address a = { { 7 } };
	const char bytes[21] = { 1, 2, 3 };

	assert_false(lp_address_of(&a, lp_span_of(bytes, 19)));
	assert_false(lp_address_of(&a, lp_span_of(bytes, 21)));
	assert_false(lp_address_of(&a, lp_span_of(NULL, 0)));
	assert_false(lp_address_read(&a, LP_SPAN("0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2")));
	assert_false(lp_address_read(&a, LP_SPAN("0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2g")));
	assert_int_equal(a.bytes[0], 7);
	assert_true(lp_address_of(&a, lp_span_of(bytes, 20)));
	assert_memory_equal(a.bytes, bytes, 20);
	assert_false(lp_address_is_zero(a));
	assert_true(lp_address_is_zero((struct lp_address){ { 0 } }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_networks_addresses_get_their_case),
		cmocka_unit_test(every_checksum_vector_comes_out),
		cmocka_unit_test(a_letter_in_the_wrong_case_breaks_the_checksum),
		cmocka_unit_test(only_twenty_bytes_are_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
