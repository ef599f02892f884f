/* run/child - see the header. */
#include <lpd/run/child.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lpd/io/process.h>
#include <lpd/io/timer.h>

#define SOCKET_PATH 100			/* bytes; sockaddr_un holds 107 */
#define HEALTHY (30 * LP_SEC)		/* a child that ran so long did not fail at its start */

struct lp_child {
	struct lp_child_want want;
	struct lp_scope *scope;		/* that it was opened in */
	struct lp_scope *run;		/* of the running process */
	struct lp_process *process;
	struct lp_timer again;
	const char *path, *socket;
	char *socket_folder;		/* made for it; NULL: it is in the data directory */
	struct lp_url url;
	int64_t started;
	int starts;
	int failures;			/* exits in a row soon after a start */
};

static void start(struct lp_child *c);

static void again(void *self)
{
	start(self);
}

static void start_later(struct lp_child *c)
{
	int64_t pause = 250 * LP_MSEC;

	for (int i = 0; i < c->failures && pause < 30 * LP_SEC; i++)
		pause *= 2;
	lp_timer_set(&c->again, c->want.loop, pause);
}

static void on_exit_of_child(void *self, int status, int signal)
{
	struct lp_child *c = self;
	bool young = lp_mono(c->want.loop) - c->started < HEALTHY;

	c->failures = young ? c->failures + 1 : 0;
	lp_log(c->want.log, LP_UNUSUAL, "child exited", "program=%s status=%d signal=%d", c->want.program, status, signal);
	start_later(c);
}

static void start(struct lp_child *c)
{
	const char *argv[] = { c->path, "-listen", NULL, c->want.data_dir_option, c->want.data_dir, NULL };
	struct lp_process_want want = { .argv = argv, .memory_limit = c->want.memory_limit, .log = c->want.log,
					.on_exit = on_exit_of_child, .self = c };
	struct lp_err e;

	lp_scope_close(&c->run);
	c->run = lp_scope_open(c->scope, "child");
	argv[2] = lp_fmt(c->run, "unix:%s", c->socket);
	unlink(c->socket);
	c->started = lp_mono(c->want.loop);
	if (c->starts++ && c->want.metrics)
		lp_metric_add(c->want.metrics, LP_M_RUNNER_RESTARTS, LP_LABELS(c->want.label), 1);
	if (lp_process_start(c->run, &c->process, c->want.loop, &want, &e) == LP_OK)
		return;
	lp_log_kv(c->want.log, LP_UNUSUAL, "child not started", "why", lp_err_words(&e), NULL);
	c->failures++;
	start_later(c);
}

/* Beside the running binary, unless its option says otherwise. */
static enum lp_code find(struct lp_child *c, struct lp_err *e)
{
	char self[PATH_MAX];
	ssize_t n;
	char *slash;

	if (c->want.path && *c->want.path) {
		c->path = c->want.path;
	} else {
		n = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (n < 0)
			return lp_fail(e, LP_CONFIG, "%s cannot be looked for: /proc is not there", c->want.program);
		self[n] = '\0';
		slash = strrchr(self, '/');
		c->path = lp_fmt(c->scope, "%.*s/%s", slash ? (int)(slash - self) : 0, self, c->want.program);
	}
	if (access(c->path, X_OK) != 0)
		return lp_fail(e, LP_CONFIG, "%s needs %s, and %s cannot be run", c->want.need, c->want.program, c->path);
	return LP_OK;
}

static void closed(void *arg)
{
	struct lp_child *c = arg;

	lp_timer_clear(&c->again);
	unlink(c->socket);
	if (c->socket_folder)
		rmdir(c->socket_folder);
}

/* A unix socket's address is an absolute path, also when -dataDir is not. */
static const char *socket_path(const struct lp_child *c)
{
	char here[PATH_MAX];

	if (c->want.data_dir[0] == '/' || !getcwd(here, sizeof(here)))
		return lp_fmt(c->scope, "%s/%s", c->want.data_dir, c->want.socket);
	return lp_fmt(c->scope, "%s/%s/%s", here, c->want.data_dir, c->want.socket);
}

/* In the data directory; when the path of that is too long for a socket, in a folder of our own under /tmp. */
static enum lp_code place_socket(struct lp_child *c, struct lp_err *e)
{
	c->socket = socket_path(c);
	if (strlen(c->socket) <= SOCKET_PATH)
		return LP_OK;
	c->socket_folder = lp_fmt(c->scope, "/tmp/lpd-XXXXXX");
	if (!mkdtemp(c->socket_folder))
		return lp_fail(e, LP_CONFIG, "no folder for the socket of %s can be made in /tmp: %s", c->want.program,
			       strerror(errno));
	c->socket = lp_fmt(c->scope, "%s/%s", c->socket_folder, c->want.socket);
	return LP_OK;
}

enum lp_code lp_child_open(struct lp_scope *scope, struct lp_child **out, const struct lp_child_want *want,
			   struct lp_err *e)
{
	struct lp_child *c = lp_new(scope, struct lp_child);

	c->want = *want;
	c->scope = scope;
	c->again = (struct lp_timer){ .fire = again, .self = c };
	if (find(c, e) != LP_OK || place_socket(c, e) != LP_OK)
		return e->code;
	if (lp_url_parse(scope, &c->url, lp_span(lp_fmt(scope, "unix:%s", c->socket)), e) != LP_OK)
		return e->code;
	lp_defer(scope, closed, c);
	*out = c;
	return LP_OK;
}

void lp_child_start(struct lp_child *c)
{
	if (!c->starts)
		start(c);
}

const struct lp_url *lp_child_url(const struct lp_child *c)
{
	return &c->url;
}

int64_t lp_child_started(const struct lp_child *c)
{
	return c->started;
}
