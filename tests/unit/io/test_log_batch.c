#include "real_loop.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void read_all(int fd, struct lp_buf *to)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		lp_buf_add(to, bytes, (size_t)n);
}

/* Everything that comes out is whole lines: none is torn where the pipe was full. */
static void assert_whole(struct lp_span text)
{
	while (text.len) {
		struct lp_span line = lp_span_cut(&text, '\n');

		assert_true(lp_span_starts(line, "info \"x\" i=") || lp_span_starts(line, "unusual \"log lines dropped\""));
	}
}

static void a_pipe_that_nobody_reads_stops_nobody_and_what_was_lost_is_counted(void **state)
{
	struct world *w = *state;
	struct lp_log_sink sink;
	struct lp_scope *scope = lp_scope_open(w->real.scope, "pipe");
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	lp_log_to_fd(&sink, ends[1], LP_INFO);
	sink.wall = NULL;
	lp_log_batch(scope, &sink, w->real.loop);
	struct lp_log *log = lp_log_open(scope, &sink);
	for (int i = 0; i < 100000; i++)
		lp_log(log, LP_INFO, "x", "i=%d", i);
	real_loop_run_for(&w->real, 50 * LP_MSEC);
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);	/* others may share it */
	for (int i = 0; i < 20; i++) {
		read_all(ends[0], &w->out);
		real_loop_run_for(&w->real, 30 * LP_MSEC);
	}
	assert_whole(lp_buf_span(&w->out));
	assert_non_null(strstr(lp_buf_text(&w->out), "x\" i=0\n"));
	assert_true(w->out.len < 400000);
	const char *said = strstr(lp_buf_text(&w->out), "unusual \"log lines dropped\" lines=");
	assert_non_null(said);
	assert_true(strtol(strrchr(said, '=') + 1, NULL, 10) > 50000);
	lp_buf_reset(&w->out);
	lp_log(log, LP_INFO, "x", "i=%d", -1);
	real_loop_run_for(&w->real, 30 * LP_MSEC);
	read_all(ends[0], &w->out);
	assert_string_equal(lp_buf_text(&w->out), "info \"x\" i=-1\n");
	lp_scope_close(&scope);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
	const struct CMUnitTest tests[] = {
		T(lines_of_one_moment_leave_together),
		T(many_do_not_wait),
		T(a_pipe_that_nobody_reads_stops_nobody_and_what_was_lost_is_counted),
		T(what_is_left_leaves_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
