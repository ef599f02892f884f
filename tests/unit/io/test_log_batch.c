#include "real_loop.h"

#include <string.h>

#include <lpd/base/buf.h>
#include <lpd/io/log_batch.h>

struct world {
	struct real_loop real;
	struct lp_scope *scope;
	struct lp_log_sink sink;
	struct lp_log *log;
	struct lp_buf out;
	int writes;
};

static void take(void *self, const char *line, size_t len)
{
	struct world *w = self;

	lp_buf_add(&w->out, line, len);
	w->writes++;
}

static int world_open(void **state)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	real_loop_open(&w.real);
	w.scope = lp_scope_open(w.real.scope, "log");
	w.sink = (struct lp_log_sink){ .level = LP_INFO, .write = take, .self = &w };
	lp_log_batch(w.scope, &w.sink, w.real.loop);
	w.log = lp_log_open(w.real.scope, &w.sink);
	*state = &w;
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	real_loop_close(&w->real);
	lp_buf_clear(&w->out);
	return 0;
}

static void lines_of_one_moment_leave_together(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++)
		lp_log(w->log, LP_INFO, "x", "i=%d", i);
	assert_int_equal(w->writes, 0);
	real_loop_run_for(&w->real, 30 * LP_MSEC);
	assert_int_equal(w->writes, 1);
	assert_string_equal(lp_buf_text(&w->out), "info \"x\" i=0\ninfo \"x\" i=1\ninfo \"x\" i=2\n");
	lp_log(w->log, LP_INFO, "y", "");
	real_loop_run_for(&w->real, 30 * LP_MSEC);
	assert_int_equal(w->writes, 2);
}

static void many_do_not_wait(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 10000; i++)
		lp_log(w->log, LP_INFO, "x", "i=%d", i);
	assert_true(w->writes >= 1);
}

static void what_is_left_leaves_at_the_end(void **state)
{
	struct world *w = *state;

	lp_log(w->log, LP_INFO, "last words", "");
	lp_scope_close(&w->scope);
	assert_string_equal(lp_buf_text(&w->out), "info \"last words\"\n");
	lp_log(w->log, LP_INFO, "after", "");	/* as before there was a batch */
	assert_int_equal(w->writes, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
	const struct CMUnitTest tests[] = {
		T(lines_of_one_moment_leave_together),
		T(many_do_not_wait),
		T(what_is_left_leaves_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
