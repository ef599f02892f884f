#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lpd/options/size.h>

static void sizes_are_read_with_their_units(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t bytes;
	} good[] = {
		{ "0", 0 }, { "4096", 4096 }, { "64KiB", 65536 }, { "1GiB", 1 << 30 }, { "10MB", 10000000 }, { "1.5MiB", 1572864 },
		{ "2 kb", 2000 }, { "7B", 7 }, { "1TiB", INT64_C(1) << 40 }, { "1048576TiB", INT64_C(1) << 60 }, { "0.5KiB", 512 },
		{ "1152921504606846975", (INT64_C(1) << 60) - 1 },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t bytes = -1;
		assert_true(lp_size_parse(lp_span(good[i].text), &bytes));
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void sizes_without_sense_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "KiB", "-1", "1Kib/s", "1 ", "1  KiB", "1e3", "1..5MB", ".", "2000000TiB", "1PiB",
					   "18446744073709551615", "99999999999999999999999" };
	int64_t bytes = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(lp_size_parse(lp_span(bad[i]), &bytes));
	assert_int_equal(bytes, 7);
}

static void sizes_are_written_shortest_and_read_back(void **state)
{
	(void)state;
	static const char *const rows[] = { "0", "4097", "64KiB", "1GiB", "10MB", "3kB", "1TiB", "1023" };
	char text[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t bytes = -1;
		assert_true(lp_size_parse(lp_span(rows[i]), &bytes));
		assert_string_equal(lp_size_text(bytes, text), rows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read_with_their_units),
		cmocka_unit_test(sizes_without_sense_are_refused),
		cmocka_unit_test(sizes_are_written_shortest_and_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
