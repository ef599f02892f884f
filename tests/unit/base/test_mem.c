#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/mem.h>

static void memory_is_given_grown_and_zeroed(void **state)
{
	(void)state;
	char *at = lp_mem_get(3);

	memcpy(at, "abc", 3);
	at = lp_mem_grow(at, 30000);
	assert_memory_equal(at, "abc", 3);
	lp_mem_free(at);
	lp_mem_free(NULL);
	at = lp_mem_zeroed(7, 100);
	for (int i = 0; i < 700; i++)
		assert_int_equal(at[i], 0);
	lp_mem_free(at);
	at = lp_mem_get(0);
	assert_non_null(at);
	lp_mem_free(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_given_grown_and_zeroed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
