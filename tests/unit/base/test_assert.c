#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lpd/base/assert.h>

static void tell(void *self, int fd)
{
	const char *words = self;

	if (write(fd, words, strlen(words)) < 0)
		_exit(9);
}

/* Run fn in a child whose standard error is read here; returns its wait status. */
static int die_in_child(void (*fn)(void), char *said, size_t cap)
{
	int ends[2], status;
	size_t len = 0;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* cmocka and the sanitizers catch deadly signals; here they must do what they do in production. */
		static const int deadly[] = { SIGSEGV, SIGABRT };
		for (int i = 0; i < 2; i++)
			signal(deadly[i], SIG_DFL);
		dup2(ends[1], 2);
		fn();
		_exit(0);
	}
	close(ends[1]);
	for (ssize_t n = 1; n > 0 && len < cap - 1; len += n > 0 ? (size_t)n : 0)
		n = read(ends[0], said + len, cap - 1 - len);
	said[len] = 0;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void break_a_rule(void)
{
	struct lp_witness first = { tell, (void *)(uintptr_t)"first speaks\n", NULL };
	struct lp_witness second = { tell, (void *)(uintptr_t)"second speaks\n", NULL };

	lp_assert_catch_signals();
	lp_witness_add(&first);
	lp_witness_add(&second);
	lp_witness_remove(&first);
	lp_assert(1 + 1 == 2);
	lp_assert(1 + 1 == 3);
}

static void a_failed_check_says_where_asks_once_and_aborts(void **state)
{
	(void)state;
	char said[1000];
	int status = die_in_child(break_a_rule, said, sizeof(said));

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(said, "1 + 1 == 3"));
	assert_non_null(strstr(said, "test_assert.c:"));
	const char *spoke = strstr(said, "second speaks\n");
	assert_non_null(spoke);
	assert_null(strstr(spoke + 1, "second speaks"));
	assert_null(strstr(said, "first speaks"));
}

static void fault(void)
{
	struct lp_witness one = { tell, (void *)(uintptr_t)"one speaks\n", NULL };

	lp_assert_catch_signals();
	lp_witness_add(&one);
	raise(SIGSEGV);
}

static void a_deadly_signal_asks_the_witnesses_and_kills(void **state)
{
	(void)state;
	char said[1000];
	int status = die_in_child(fault, said, sizeof(said));

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	assert_non_null(strstr(said, "one speaks"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_check_says_where_asks_once_and_aborts),
		cmocka_unit_test(a_deadly_signal_asks_the_witnesses_and_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
