#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/buf.h>

static void bytes_come_out_as_they_went_in(void **state)
{
	(void)state;
	struct lp_buf buf = { 0 };

	assert_int_equal(lp_buf_span(&buf).len, 0);
	lp_buf_add(&buf, NULL, 0);
	lp_buf_add_text(&buf, "abc");
	lp_buf_add_char(&buf, '-');
	lp_buf_add_u64(&buf, 0);
	lp_buf_add_u64(&buf, UINT64_MAX);
	lp_buf_fmt(&buf, "%s%d", "x", -5);
	lp_buf_add_span(&buf, LP_SPAN("end"));
	assert_string_equal(lp_buf_text(&buf), "abc-018446744073709551615x-5end");
	assert_int_equal(buf.len, 31);
	lp_buf_clear(&buf);
	assert_string_equal(lp_buf_text(&buf), "");
	lp_buf_clear(&buf);
}

static void a_buffer_that_fits_keeps_its_bytes_and_can_grow_again(void **state)
{
	(void)state;
	struct lp_buf buf = { 0 };

	lp_buf_fit(&buf);
	lp_buf_add_text(&buf, "hello world");
	lp_buf_eat(&buf, 6);
	lp_buf_fit(&buf);
	assert_int_equal(buf.cap, 11);
	assert_string_equal(lp_buf_text(&buf), "world");
	lp_buf_add_text(&buf, "s");
	assert_string_equal(lp_buf_text(&buf), "worlds");
	lp_buf_eat(&buf, 6);
	lp_buf_fit(&buf);
	assert_int_equal(buf.cap, 0);
	lp_buf_clear(&buf);
}

static void a_long_format_grows_the_buffer(void **state)
{
	(void)state;
	struct lp_buf buf = { 0 };

	for (int i = 0; i < 50; i++)
		lp_buf_fmt(&buf, "%0*d", 997, i);
	assert_int_equal(buf.len, 50 * 997);
	assert_memory_equal(lp_buf_text(&buf) + 49 * 997 + 994, "049", 4);
	lp_buf_clear(&buf);
}

static void what_is_eaten_makes_room_again(void **state)
{
	(void)state;
	struct lp_buf buf = { 0 };
	unsigned char in = 0, out = 0;

	/* A queue that never holds more than some hundred bytes must not grow for ever. */
	for (int round = 0; round < 20000; round++) {
		int n = 1 + round % 97;
		for (int i = 0; i < n; i++)
			lp_buf_add_char(&buf, (char)in++);
		size_t eat = buf.len > 300 ? buf.len : (size_t)n / 2;
		for (size_t i = 0; i < eat; i++)
			assert_int_equal((unsigned char)lp_buf_span(&buf).at[i], out++);
		lp_buf_eat(&buf, eat);
	}
	assert_true(buf.cap <= 4096);
	lp_buf_clear(&buf);
}

static void room_is_written_and_then_counted(void **state)
{
	(void)state;
	struct lp_buf buf = { 0 };

	lp_buf_add_text(&buf, "ab");
	lp_buf_eat(&buf, 1);
	memcpy(lp_buf_room(&buf, 5000), "cd", 2);
	lp_buf_grew(&buf, 2);
	assert_string_equal(lp_buf_text(&buf), "bcd");
	lp_buf_reset(&buf);
	assert_int_equal(buf.len, 0);
	assert_true(buf.cap >= 5000);
	lp_buf_clear(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_as_they_went_in),
		cmocka_unit_test(a_long_format_grows_the_buffer),
		cmocka_unit_test(a_buffer_that_fits_keeps_its_bytes_and_can_grow_again),
		cmocka_unit_test(what_is_eaten_makes_room_again),
		cmocka_unit_test(room_is_written_and_then_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
