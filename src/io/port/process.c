/* Child processes.
 *
 * Not uv_spawn: it has no place for what must be done in the child itself before it becomes the other
 * program, the death signal and the limit of memory.  Exits are noticed by SIGCHLD, as libuv does it.
 *
 * A child has a process group of its own, so that what it started is ended with it, and so that Ctrl-C on
 * a terminal reaches only us, who then stop it in order. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>
#include <lpd/io/process.h>
#include <lpd/io/timer.h>

#include "loop_priv.h"

#define LINE 1024
#define GRACE_STOP (10 * LP_SEC)
#define GRACE_CLOSE (2 * LP_SEC)
#define ENV_MAX 64

/* On the heap: it may outlive the scope by the time that it takes to end. */
struct child {
	struct lp_loop *loop;
	struct lp_process *owner;	/* NULL: forgotten */
	struct lp_log *log;		/* NULL: nobody listens */
	int pid;
	uv_signal_t exits;
	uv_pipe_t output;
	int handles;			/* open ones; freed with the last */
	struct lp_timer kill;
	struct lp_ready at_close;	/* of the loop */
	int64_t term_sent;		/* mono, or 0 */
	char line[LINE];
	size_t len;			/* what is longer is dropped */
	char read[4096];
};

struct lp_process {
	struct child *child;		/* NULL once it has ended */
	int pid;
	void (*on_exit)(void *self, int status, int signal);
	void *self;
};

/* ---- its output, line by line ---- */

static void say_line(struct child *child)
{
	child->line[child->len < LINE ? child->len : LINE - 1] = '\0';
	if (child->log && child->len)
		lp_log_kv(child->log, LP_DEBUG, "child says", "line", child->line, NULL);
	child->len = 0;
}

static void take_output(struct child *child, const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (at[i] == '\n')
			say_line(child);
		else if (child->len < LINE - 1)
			child->line[child->len++] = at[i];
	}
}

static void on_room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct child *child = handle->data;

	(void)size;
	*buf = uv_buf_init(child->read, sizeof(child->read));
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct child *child = stream->data;

	lp_loop_woke(child->loop);
	if (n > 0)
		take_output(child, buf->base, (size_t)n);
	else if (n < 0)
		uv_read_stop(stream);
	lp_loop_served(child->loop);
}

/* What is left in the pipe when the child has exited; what it started may keep the pipe open longer. */
static void drain_output(struct child *child)
{
	uv_os_fd_t fd;
	ssize_t n;

	if (!child->log || uv_fileno((uv_handle_t *)&child->output, &fd) != 0)
		return;
	for (int i = 0; i < 64 && (n = read(fd, child->read, sizeof(child->read))) > 0; i++)
		take_output(child, child->read, (size_t)n);
	say_line(child);
}

/* ---- its end ---- */

static void on_closed(uv_handle_t *handle)
{
	struct child *child = handle->data;

	if (--child->handles == 0)
		lp_mem_free(child);
}

static void let_go(struct child *child)
{
	lp_timer_clear(&child->kill);
	lp_unready(&child->at_close);
	uv_close((uv_handle_t *)&child->exits, on_closed);
	if (child->handles > 1)
		uv_close((uv_handle_t *)&child->output, on_closed);
}

/* True if it has ended; then its number means nothing any more. */
static bool reap(struct child *child, int *status)
{
	pid_t pid = waitpid(child->pid, status, WNOHANG);

	if (pid == 0 || (pid < 0 && errno == EINTR))
		return false;
	if (pid < 0)
		*status = 0;
	return true;
}

static void on_child_signal(uv_signal_t *uv, int number)
{
	struct child *child = uv->data;
	struct lp_process *owner = child->owner;
	int status;

	(void)number;
	if (!reap(child, &status))
		return;
	drain_output(child);
	let_go(child);
	if (!owner)
		return;
	owner->child = NULL;
	if (owner->on_exit)
		owner->on_exit(owner->self, WIFEXITED(status) ? WEXITSTATUS(status) : -1,
			       WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void send_signal(struct child *child, int number)
{
	kill(-child->pid, number);
}

static void on_patience_lost(void *self)
{
	send_signal(self, SIGKILL);
}

static void terminate(struct child *child, int64_t grace)
{
	if (!child->term_sent) {
		child->term_sent = lp_mono(child->loop);
		send_signal(child, SIGTERM);
	}
	lp_timer_set(&child->kill, child->loop, grace);
}

/* The loop closes while a forgotten child is still ending: wait for it here, as long as it was given. */
static void end_with_loop(void *self)
{
	struct child *child = self;
	int64_t patience = child->term_sent + GRACE_CLOSE;
	int status;

	while (!reap(child, &status)) {
		if (lp_mono(child->loop) > patience) {
			send_signal(child, SIGKILL);
			patience = LP_NEVER;
		}
		usleep(2000);
	}
	let_go(child);
}

static void close_process(void *arg)
{
	struct lp_process *process = arg;
	struct child *child = process->child;

	if (!child)
		return;
	child->owner = NULL;
	child->log = NULL;
	terminate(child, GRACE_CLOSE);
}

void lp_process_stop(struct lp_process *process)
{
	if (process->child && !process->child->term_sent)
		terminate(process->child, GRACE_STOP);
}

int lp_process_pid(const struct lp_process *process)
{
	return process->pid;
}

/* ---- its beginning ---- */

/* What both sides of the fork know. */
struct start {
	const struct lp_process_want *want;
	char *env[ENV_MAX];
	int n_env;
	int output[2];		/* its stdout and stderr; -1: dropped */
	int failed[2];		/* says errno when exec fails, closes when it does not */
	pid_t parent;
};

static void add_env(struct start *start, const char *entry)
{
	char *copy;

	memcpy(&copy, &entry, sizeof(copy));	/* execve takes char *const *, and changes nothing */
	if (start->n_env < ENV_MAX - 1)
		start->env[start->n_env++] = copy;
}

static bool has_env(const struct start *start, const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < start->n_env; i++) {
		if (strncmp(start->env[i], name, len) == 0 && start->env[i][len] == '=')
			return true;
	}
	return false;
}

/* What was asked for, then of ours what every program may need; each name once. */
static void make_env(struct start *start, struct lp_scope *scope)
{
	static const char *const passed[] = { "PATH", "HOME", "LANG", "TZ" };

	for (int i = 0; start->want->env && start->want->env[i]; i++)
		add_env(start, start->want->env[i]);
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
		const char *value = getenv(passed[i]);
		if (value && !has_env(start, passed[i]))
			add_env(start, lp_fmt(scope, "%s=%s", passed[i], value));
	}
	if (!has_env(start, "PATH"))
		add_env(start, "PATH=/usr/local/bin:/usr/bin:/bin");
}

/* In the child, which shares nothing with us but descriptors: only system calls from here on. */
_Noreturn static void become(const struct start *start)
{
	const struct lp_process_want *want = start->want;
	char *const *argv;
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != start->parent)
		_exit(127);		/* we died in between */
	if (want->memory_limit > 0) {
		struct rlimit limit = { (rlim_t)want->memory_limit, (rlim_t)want->memory_limit };
		setrlimit(RLIMIT_AS, &limit);
	}
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, STDIN_FILENO);
	dup2(start->output[1] >= 0 ? start->output[1] : null, STDOUT_FILENO);
	dup2(start->output[1] >= 0 ? start->output[1] : null, STDERR_FILENO);
#ifdef SYS_close_range
	syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);	/* if a library forgot to */
#endif
	memcpy(&argv, &want->argv, sizeof(argv));
	execvpe(argv[0], argv, start->env);
	int why = errno;
	ssize_t said = write(start->failed[1], &why, sizeof(why));
	(void)said;
	_exit(127);
}

/* All signals wait while the child is not yet itself: libuv's handlers would write to pipes that we share. */
static pid_t fork_quietly(const struct start *start)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid == 0)
		become(start);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static void close_pair(int pair[2])
{
	for (int i = 0; i < 2; i++) {
		if (pair[i] >= 0)
			close(pair[i]);
		pair[i] = -1;
	}
}

/* Forks, and waits until the program runs (milliseconds) or could not be started. */
static enum lp_code launch(struct start *start, pid_t *out, struct lp_err *e)
{
	const char *file = start->want->argv[0];
	int why = 0;

	if (pipe2(start->failed, O_CLOEXEC) < 0 || (start->want->log && pipe2(start->output, O_CLOEXEC) < 0))
		return lp_fail(e, LP_CONFIG, "cannot start %s: %s", file, strerror(errno));
	start->parent = getpid();
	pid_t pid = fork_quietly(start);
	if (pid < 0)
		return lp_fail(e, LP_CONFIG, "cannot start %s: %s", file, strerror(errno));
	close(start->failed[1]);
	start->failed[1] = -1;
	ssize_t n;
	do {
		n = read(start->failed[0], &why, sizeof(why));
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		waitpid(pid, NULL, 0);
		return lp_fail(e, LP_CONFIG, "cannot start %s: %s", file, strerror(why));
	}
	*out = pid;
	return LP_OK;
}

static void watch_output(struct child *child, int *fd)
{
	if (*fd < 0)
		return;
	uv_pipe_init(lp_loop_uv(child->loop), &child->output, 0);
	child->output.data = child;
	child->handles++;
	uv_pipe_open(&child->output, *fd);	/* makes it non-blocking, and owns it now */
	*fd = -1;
	uv_read_start((uv_stream_t *)&child->output, on_room, on_output);
}

static struct child *open_child(struct lp_loop *loop, const struct lp_process_want *want)
{
	struct child *child = lp_mem_zeroed(1, sizeof(*child));

	child->loop = loop;
	child->log = want->log;
	child->kill = (struct lp_timer){ .fire = on_patience_lost, .self = child };
	child->at_close = (struct lp_ready){ .run = end_with_loop, .self = child };
	uv_signal_init(lp_loop_uv(loop), &child->exits);
	child->exits.data = child;
	child->handles = 1;
	/* before the fork: an exit is seen however soon it comes */
	uv_signal_start(&child->exits, on_child_signal, SIGCHLD);
	return child;
}

enum lp_code lp_process_start(struct lp_scope *scope, struct lp_process **out, struct lp_loop *loop,
			      const struct lp_process_want *want, struct lp_err *e)
{
	struct start start = { .want = want, .output = { -1, -1 }, .failed = { -1, -1 } };
	struct child *child = open_child(loop, want);
	pid_t pid = 0;

	make_env(&start, scope);
	enum lp_code code = launch(&start, &pid, e);
	if (code == LP_OK)
		watch_output(child, &start.output[0]);
	close_pair(start.output);
	close_pair(start.failed);
	if (code != LP_OK) {
		let_go(child);
		return code;
	}
	struct lp_process *process = lp_new(scope, struct lp_process);
	*process = (struct lp_process){ child, pid, want->on_exit, want->self };
	child->owner = process;
	child->pid = pid;
	lp_loop_at_close(loop, &child->at_close);
	lp_defer(scope, close_process, process);
	*out = process;
	return LP_OK;
}
