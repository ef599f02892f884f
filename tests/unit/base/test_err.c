#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/err.h>

static void a_failure_carries_its_code_and_words(void **state)
{
	(void)state;
	struct lp_err e = { 0 };

	assert_int_equal(lp_fail(&e, LP_TIMEOUT, "%s did not answer in %d ms", "orch-1", 500), LP_TIMEOUT);
	assert_int_equal(e.code, LP_TIMEOUT);
	assert_string_equal(lp_err_words(&e), "orch-1 did not answer in 500 ms");
	assert_int_equal(lp_fail(NULL, LP_GONE, "x"), LP_GONE);
}

static void words_from_a_peer_cannot_forge_a_line(void **state)
{
	(void)state;
	struct lp_err e = { 0 };
	char long_words[1000];

	assert_int_equal(lp_fail(&e, LP_BAD_PEER, "it said: %s", "a\nb\x1b[31m\x7f"), LP_BAD_PEER);
	assert_string_equal(e.words, "it said: a?b?[31m?");
	memset(long_words, 'x', sizeof(long_words));
	long_words[999] = 0;
	assert_int_equal(lp_fail(&e, LP_BAD_PEER, "%s", long_words), LP_BAD_PEER);
	assert_int_equal(strlen(e.words), sizeof(e.words) - 1);
}

static void without_words_the_table_speaks(void **state)
{
	(void)state;
	struct lp_err e = { .code = LP_NO_CAPACITY };

	assert_string_equal(lp_err_words(&e), "the orchestrator is full");
}

static void the_table_answers_for_every_code(void **state)
{
	(void)state;
	assert_string_equal(lp_code_name(LP_NO_CAPACITY), "no_capacity");
	assert_int_equal(lp_code_status(LP_GONE), 499);
	assert_int_equal(lp_code_fault(LP_TIMEOUT), LP_FAULT_PEER);
	assert_int_equal(lp_code_next(LP_NO_CAPACITY), LP_NEXT_TRY_OTHER);
	for (int c = 0; c < LP_CODES; c++) {
		assert_non_null(lp_code_words((enum lp_code)c));
		/* A fault that is not the peer's never counts against an orchestrator. */
		if (lp_code_next((enum lp_code)c) == LP_NEXT_SUSPEND)
			assert_int_equal(lp_code_fault((enum lp_code)c), LP_FAULT_PEER);
		for (int other = 0; other < c; other++)
			assert_string_not_equal(lp_code_name((enum lp_code)c), lp_code_name((enum lp_code)other));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_carries_its_code_and_words),
		cmocka_unit_test(words_from_a_peer_cannot_forge_a_line),
		cmocka_unit_test(without_words_the_table_speaks),
		cmocka_unit_test(the_table_answers_for_every_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
