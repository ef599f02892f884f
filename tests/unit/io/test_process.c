#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lpd/base/buf.h>
#include <lpd/io/process.h>

#include "real_loop.h"

struct fixture {
	struct real_loop r;
	struct lp_log_sink sink;
	struct lp_log *log;
	struct lp_buf logged;
	struct lp_process *process;
	struct lp_err e;
	bool exited;
	int status, signal;
};

static void on_line(void *self, const char *line, size_t len)
{
	struct fixture *f = self;

	lp_buf_add(&f->logged, line, len);
}

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .exited = false };
	real_loop_open(&f.r);
	f.sink = (struct lp_log_sink){ .level = LP_DEBUG, .write = on_line, .self = &f };
	f.log = lp_log_open(f.r.scope, &f.sink);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	real_loop_close(&f->r);
	lp_buf_clear(&f->logged);
	/* not one child is left, not even as a zombie */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return 0;
}

static void on_exit_of(void *self, int status, int sig)
{
	struct fixture *f = self;

	assert_false(f->exited);
	f->exited = true;
	f->status = status;
	f->signal = sig;
}

static enum lp_code start(struct fixture *f, struct lp_scope *scope, const char *script)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	const char *const env[] = { "LPD_TEST=yes", "LANG=xx", NULL };

	return lp_process_start(scope, &f->process, f->r.loop,
				&(struct lp_process_want){ .argv = argv, .env = env, .log = f->log,
							   .on_exit = on_exit_of, .self = f },
				&f->e);
}

static void a_child_runs_and_its_exit_is_heard_once(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f, f->r.scope, "exit 7"), LP_OK);
	assert_true(lp_process_pid(f->process) > 1);
	assert_false(f->exited);
	real_loop_run_until(&f->r, &f->exited);
	assert_int_equal(f->status, 7);
	assert_int_equal(f->signal, 0);
	lp_process_stop(f->process);		/* too late: nothing */
	real_loop_run_for(&f->r, 5 * LP_MSEC);
}

static void its_lines_are_logged_and_cut(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f, f->r.scope,
			       "echo one; echo two >&2; head -c 3000 /dev/zero | tr '\\0' x; echo; printf last"),
			 LP_OK);
	real_loop_run_until(&f->r, &f->exited);
	const char *said = lp_buf_text(&f->logged);
	assert_non_null(strstr(said, "line=one\n"));
	assert_non_null(strstr(said, "line=two\n"));
	assert_non_null(strstr(said, "line=last\n"));
	const char *xs = strstr(said, "line=xxxx");
	assert_non_null(xs);
	assert_int_equal(strspn(xs + 5, "x"), 1023);
}

static void its_environment_is_minimal(void **state)
{
	struct fixture *f = *state;

	setenv("LPD_SECRET", "mine", 1);
	assert_int_equal(start(f, f->r.scope, "echo [$LPD_TEST][$LPD_SECRET][$LANG][${PATH:+path}]; "
					      "read x; echo stdin=$?"),
			 LP_OK);
	real_loop_run_until(&f->r, &f->exited);
	unsetenv("LPD_SECRET");
	assert_non_null(strstr(lp_buf_text(&f->logged), "[yes][][xx][path]"));
	assert_non_null(strstr(lp_buf_text(&f->logged), "stdin=1"));
}

static void it_inherits_no_descriptor_and_no_ignored_signal(void **state)
{
	struct fixture *f = *state;
	int leak = dup(1);		/* not close-on-exec */

	assert_int_equal(start(f, f->r.scope, "ls /proc/self/fd | tr '\\n' ' '; echo; "
					      "grep SigIgn /proc/self/status; grep SigBlk /proc/self/status"),
			 LP_OK);
	real_loop_run_until(&f->r, &f->exited);
	close(leak);
	assert_non_null(strstr(lp_buf_text(&f->logged), "\"0 1 2 3 \""));	/* 3: the folder that ls reads */
	assert_non_null(strstr(lp_buf_text(&f->logged), "SigIgn:\\x090000000000000000"));
	assert_non_null(strstr(lp_buf_text(&f->logged), "SigBlk:\\x090000000000000000"));
}

static void what_cannot_be_started_is_said_in_words(void **state)
{
	struct fixture *f = *state;
	const char *const argv[] = { "/no/such/program", NULL };

	assert_int_equal(lp_process_start(f->r.scope, &f->process, f->r.loop,
					  &(struct lp_process_want){ .argv = argv, .log = f->log }, &f->e),
			 LP_CONFIG);
	assert_string_equal(f->e.words, "cannot start /no/such/program: No such file or directory");
}

static void a_stop_ends_it_by_sigterm(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f, f->r.scope, "trap 'echo ending; exit 3' TERM; echo up; while :; do sleep 0.01; done"),
			 LP_OK);
	real_loop_run_for(&f->r, 100 * LP_MSEC);
	lp_process_stop(f->process);
	real_loop_run_until(&f->r, &f->exited);
	assert_int_equal(f->status, 3);
	assert_non_null(strstr(lp_buf_text(&f->logged), "line=ending"));
}

static void a_signal_is_told_as_such(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f, f->r.scope, "kill -9 $$"), LP_OK);
	real_loop_run_until(&f->r, &f->exited);
	assert_int_equal(f->status, -1);
	assert_int_equal(f->signal, SIGKILL);
}

static bool alive(int pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

static void closing_the_scope_ends_it_without_a_call(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *scope = lp_scope_open(f->r.scope, "process");

	assert_int_equal(start(f, scope, "sleep 100 & sleep 100"), LP_OK);
	int pid = lp_process_pid(f->process);
	lp_scope_close(&scope);
	real_loop_run_for(&f->r, 100 * LP_MSEC);
	assert_false(f->exited);
	assert_false(alive(pid));
}

static void one_that_ignores_sigterm_is_killed(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *scope = lp_scope_open(f->r.scope, "process");

	assert_int_equal(start(f, scope, "trap '' TERM; while :; do sleep 0.05; done"), LP_OK);
	int pid = lp_process_pid(f->process);
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	lp_scope_close(&scope);
	real_loop_run_for(&f->r, 1500 * LP_MSEC);
	assert_true(alive(pid));
	real_loop_run_for(&f->r, 700 * LP_MSEC);
	assert_false(alive(pid));
}

static void closing_the_loop_waits_for_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f, f->r.scope, "trap 'sleep 0.1; exit 0' TERM; while :; do sleep 0.01; done"), LP_OK);
	int pid = lp_process_pid(f->process);
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	real_loop_close(&f->r);
	assert_false(alive(pid));
	real_loop_open(&f->r);
}

static struct lp_scope *closes;

static void close_on_exit(void *self, int status, int sig)
{
	on_exit_of(self, status, sig);
	lp_scope_close(&closes);
}

static void the_scope_may_close_in_on_exit(void **state)
{
	struct fixture *f = *state;
	const char *const argv[] = { "true", NULL };

	closes = lp_scope_open(f->r.scope, "process");
	assert_int_equal(lp_process_start(closes, &f->process, f->r.loop,
					  &(struct lp_process_want){ .argv = argv, .on_exit = close_on_exit,
								     .self = f },
					  &f->e),
			 LP_OK);
	real_loop_run_until(&f->r, &f->exited);
	assert_null(closes);
}

static void its_memory_is_limited(void **state)
{
	struct fixture *f = *state;
	const char *const argv[] = { "sh", "-c", "ulimit -v", NULL };

	assert_int_equal(lp_process_start(f->r.scope, &f->process, f->r.loop,
					  &(struct lp_process_want){ .argv = argv, .memory_limit = 1 << 30,
								     .log = f->log, .on_exit = on_exit_of, .self = f },
					  &f->e),
			 LP_OK);
	real_loop_run_until(&f->r, &f->exited);
	assert_non_null(strstr(lp_buf_text(&f->logged), "line=1048576"));
}

/* A process in between starts a child by the module and is killed: the child must not outlive it. */
static void it_dies_with_us(void **state)
{
	struct fixture *f = *state;
	int fds[2], pid = 0;

	(void)f;
	assert_int_equal(pipe(fds), 0);
	pid_t between = fork();
	if (between == 0) {
		struct fixture mine = { .exited = false };
		real_loop_open(&mine.r);
		if (start(&mine, mine.r.scope, "sleep 100") != LP_OK)
			_exit(1);
		pid = lp_process_pid(mine.process);
		if (write(fds[1], &pid, sizeof(pid)) < 0)
			_exit(1);
		pause();
	}
	assert_int_equal(read(fds[0], &pid, sizeof(pid)), sizeof(pid));
	assert_true(alive(pid));
	kill(between, SIGKILL);
	assert_int_equal(waitpid(between, NULL, 0), between);
	for (int i = 0; i < 200 && kill(pid, 0) == 0; i++) {
		char path[64], stat[256] = "";
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		FILE *file = fopen(path, "r");
		if (!file || !fgets(stat, sizeof(stat), file) || strstr(stat, ") Z "))
			i = 1000;	/* gone, or waiting for an init that may never reap it */
		if (file)
			fclose(file);
		usleep(i < 1000 ? 10000 : 0);
		if (i < 1000)
			assert_true(i < 199);
	}
	close(fds[0]);
	close(fds[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_child_runs_and_its_exit_is_heard_once),
		TEST(its_lines_are_logged_and_cut),
		TEST(its_environment_is_minimal),
		TEST(it_inherits_no_descriptor_and_no_ignored_signal),
		TEST(what_cannot_be_started_is_said_in_words),
		TEST(a_stop_ends_it_by_sigterm),
		TEST(a_signal_is_told_as_such),
		TEST(closing_the_scope_ends_it_without_a_call),
		TEST(one_that_ignores_sigterm_is_killed),
		TEST(closing_the_loop_waits_for_it),
		TEST(the_scope_may_close_in_on_exit),
		TEST(its_memory_is_limited),
		TEST(it_dies_with_us),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
