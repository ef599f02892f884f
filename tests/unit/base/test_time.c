#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/time.h>

static void durations_are_read_as_go_reads_them(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t usec;
	} good[] = {
		{ "0", 0 }, { "0s", 0 }, { "250ms", 250 * LP_MSEC }, { "10s", 10 * LP_SEC }, { "1.5m", 90 * LP_SEC },
		{ "2h", 2 * LP_HOUR }, { "1h30m", 90 * LP_MIN }, { "1us", 1 }, { "1\xc2\xb5s", 1 }, { "1\xce\xbcs", 1 },
		{ "1000ns", 1 }, { "1500ns", 1 }, { ".5s", 500 * LP_MSEC }, { "1.s", LP_SEC }, { "0.1s", 100 * LP_MSEC },
		{ "1m1s1ms1us", LP_MIN + LP_SEC + LP_MSEC + 1 }, { "0.3s", 300000 }, { "1.1s", 1100000 }, { "87600h", 87600 * LP_HOUR },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t usec = -1;
		assert_true(lp_duration_parse(lp_span(good[i].text), &usec));
		assert_int_equal(usec, good[i].usec);
	}
}

static void durations_without_a_unit_or_sense_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "10", "s", ".s", "-1s", "+1s", "1 s", "1s ", "1d", "1x", "87601h", "1e3s",
					   "999999999999999999h", "9999999999999999999999s", "1s2", "999ns", "." };
	int64_t usec = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(lp_duration_parse(lp_span(bad[i]), &usec));
	assert_int_equal(usec, 7);
}

static void durations_are_written_shortest_and_read_back(void **state)
{
	(void)state;
	static const struct {
		int64_t usec;
		const char *text;
	} rows[] = {
		{ 0, "0s" }, { 1, "1us" }, { 1500, "1.5ms" }, { 1001, "1.001ms" }, { 250 * LP_MSEC, "250ms" }, { LP_SEC, "1s" },
		{ 1500 * LP_MSEC, "1.5s" }, { 90 * LP_SEC, "1m30s" }, { 10 * LP_MIN, "10m" }, { 90 * LP_MIN, "1h30m" },
		{ LP_HOUR + 1, "1h0.000001s" }, { 24 * LP_HOUR, "24h" },
	};
	char text[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t back = -1;
		assert_string_equal(lp_duration_text(rows[i].usec, text), rows[i].text);
		assert_true(lp_duration_parse(lp_span(text), &back));
		assert_int_equal(back, rows[i].usec);
	}
	assert_string_equal(lp_duration_text(LP_NEVER, text), "never");
}

static void points_in_time_are_written_in_utc(void **state)
{
	(void)state;
	static const struct {
		int64_t sec;
		const char *text, *http;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT" },
		{ 784111777, "1994-11-06T08:49:37.000Z", "Sun, 06 Nov 1994 08:49:37 GMT" },
		{ 951782400, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 GMT" },
		{ 1709251199, "2024-02-29T23:59:59.000Z", "Thu, 29 Feb 2024 23:59:59 GMT" },
		{ 1709251200, "2024-03-01T00:00:00.000Z", "Fri, 01 Mar 2024 00:00:00 GMT" },
		{ 4107542400, "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 GMT" },
		{ -1, "1969-12-31T23:59:59.000Z", "Wed, 31 Dec 1969 23:59:59 GMT" },
	};
	char text[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(lp_time_text(rows[i].sec * LP_SEC, text), rows[i].text);
		assert_string_equal(lp_time_http(rows[i].sec * LP_SEC, text), rows[i].http);
	}
	assert_string_equal(lp_time_text(123456, text), "1970-01-01T00:00:00.123Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_read_as_go_reads_them),
		cmocka_unit_test(durations_without_a_unit_or_sense_are_refused),
		cmocka_unit_test(durations_are_written_shortest_and_read_back),
		cmocka_unit_test(points_in_time_are_written_in_utc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
