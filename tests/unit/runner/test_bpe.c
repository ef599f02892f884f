/* Byte-level words: spelling, splitting, merging. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "bpe.h"

static void tokens_spell_bytes(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");

	(void)state;
	assert_true(lp_span_is(lp_bpe_bytes(scope, LP_SPAN("\xc4\xa0the")), " the"));
	assert_true(lp_span_is(lp_bpe_bytes(scope, LP_SPAN("\xc4\x8a")), "\n"));
	assert_true(lp_span_is(lp_bpe_bytes(scope, LP_SPAN("\xc3\xa2\xc4\xa2\xc2\xac")), "\xe2\x80\xac"));
	assert_true(lp_span_is(lp_bpe_bytes(scope, LP_SPAN("plain")), "plain"));
	assert_true(lp_span_is(lp_bpe_bytes(scope, LP_SPAN("\xc4")), "\xc4"));
	lp_scope_close(&scope);
}

static void a_character_that_is_not_whole_yet_is_seen(void **state)
{
	(void)state;
	assert_int_equal(lp_utf8_tail(LP_SPAN("abc")), 0);
	assert_int_equal(lp_utf8_tail(LP_SPAN("a\xc3\xa4")), 0);
	assert_int_equal(lp_utf8_tail(LP_SPAN("a\xc3")), 1);
	assert_int_equal(lp_utf8_tail(LP_SPAN("a\xe2\x82")), 2);
	assert_int_equal(lp_utf8_tail(LP_SPAN("a\xf0\x9f\x98")), 3);
	assert_int_equal(lp_utf8_tail(LP_SPAN("a\xf0\x9f\x98\x80")), 0);
	assert_int_equal(lp_utf8_tail(LP_SPAN("")), 0);
}

static struct lp_bpe *small(struct lp_scope *scope)
{
	static const struct lp_span tokens[] = {
		LP_SPAN("l"), LP_SPAN("o"), LP_SPAN("w"), LP_SPAN("e"), LP_SPAN("r"), LP_SPAN(" "), LP_SPAN("lo"), LP_SPAN("low"),
		LP_SPAN("er"), LP_SPAN("1"), LP_SPAN(" l"), LP_SPAN(" low"),
	};
	static const struct lp_span left[] = { LP_SPAN("l"), LP_SPAN("lo"), LP_SPAN("e"), LP_SPAN(" ") };
	static const struct lp_span right[] = { LP_SPAN("o"), LP_SPAN("w"), LP_SPAN("r"), LP_SPAN("low") };

	return lp_bpe_open(scope, &(struct lp_bpe_want){ tokens, 12, left, right, 4 });
}

static void merges_are_made_in_their_order(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_bpe *bpe = small(scope);
	int32_t to[8];

	(void)state;
	assert_int_equal(lp_bpe_encode(bpe, to, 8, LP_SPAN("lower low")), 3);
	assert_true(to[0] == 7 && to[1] == 8 && to[2] == 11);
	assert_int_equal(lp_bpe_encode(bpe, to, 8, LP_SPAN("11 1")), 4);
	assert_true(to[0] == 9 && to[1] == 9 && to[2] == 5 && to[3] == 9);
	assert_int_equal(lp_bpe_encode(bpe, to, 2, LP_SPAN("wwwww")), 2);
	assert_int_equal(lp_bpe_find(bpe, LP_SPAN("er")), 8);
	assert_int_equal(lp_bpe_find(bpe, LP_SPAN("re")), -1);
	assert_int_equal(lp_bpe_encode(bpe, to, 8, LP_SPAN("")), 0);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_spell_bytes),
		cmocka_unit_test(a_character_that_is_not_whole_yet_is_seen),
		cmocka_unit_test(merges_are_made_in_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
