/* lpd-runner as our child: found, started, started again when it dies, stopped with the node.
 *
 * It parses untrusted media and runs models, so it is its own process with a memory limit and no network but
 * one unix socket. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runner_priv.h"

#define MEMORY_LIMIT (INT64_C(4) << 30)
#define SOCKET_PATH 100			/* bytes; sockaddr_un holds 107 */
#define HEALTHY (30 * LP_SEC)		/* a child that ran so long did not fail at its start */

static void start(struct builtin *b);

static void again(void *self)
{
	start(self);
}

static void start_later(struct builtin *b)
{
	int64_t pause = 250 * LP_MSEC;

	for (int i = 0; i < b->failures && pause < 30 * LP_SEC; i++)
		pause *= 2;
	lp_timer_set(&b->again, b->set->want.loop, pause);
}

static void on_exit_of_child(void *self, int status, int signal)
{
	struct builtin *b = self;
	bool young = lp_mono(b->set->want.loop) - b->started < HEALTHY;

	b->failures = young ? b->failures + 1 : 0;
	lp_log(b->set->want.log, LP_UNUSUAL, "runner exited", "status=%d signal=%d", status, signal);
	start_later(b);
}

static void start(struct builtin *b)
{
	const char *data_dir = b->set->want.data_dir;
	const char *argv[] = { b->path, "-listen", NULL, "-dataDir", data_dir, NULL };
	struct lp_process_want want = { .argv = argv, .memory_limit = MEMORY_LIMIT, .log = b->set->want.log,
					.on_exit = on_exit_of_child, .self = b };
	struct lp_err e;

	lp_scope_close(&b->scope);
	b->scope = lp_scope_open(b->set->scope, "runner process");
	argv[2] = lp_fmt(b->scope, "unix:%s", b->socket);
	unlink(b->socket);
	b->started = lp_mono(b->set->want.loop);
	if (b->starts++ && b->set->want.metrics)
		lp_metric_add(b->set->want.metrics, LP_M_RUNNER_RESTARTS, LP_LABELS("builtin"), 1);
	if (lp_process_start(b->scope, &b->process, b->set->want.loop, &want, &e) == LP_OK)
		return;
	lp_log_kv(b->set->want.log, LP_UNUSUAL, "runner not started", "why", lp_err_words(&e), NULL);
	b->failures++;
	start_later(b);
}

/* Beside the running binary, unless -runnerPath says otherwise. */
static enum lp_code find(struct builtin *b, struct lp_err *e)
{
	char self[PATH_MAX];
	ssize_t n;
	char *slash;

	if (b->set->want.runner_path && *b->set->want.runner_path) {
		b->path = b->set->want.runner_path;
	} else {
		n = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (n < 0)
			return lp_fail(e, LP_CONFIG, "lpd-runner cannot be looked for: /proc is not there");
		self[n] = '\0';
		slash = strrchr(self, '/');
		b->path = lp_fmt(b->set->scope, "%.*s/lpd-runner", slash ? (int)(slash - self) : 0, self);
	}
	if (access(b->path, X_OK) != 0)
		return lp_fail(e, LP_CONFIG, "a builtin/ model needs lpd-runner, and %s cannot be run", b->path);
	return LP_OK;
}

static void closed(void *arg)
{
	struct builtin *b = arg;

	lp_timer_clear(&b->again);
	unlink(b->socket);
	if (b->socket_folder)
		rmdir(b->socket_folder);
}

/* A unix socket's address is an absolute path, also when -dataDir is not. */
static const char *socket_path(struct lp_runners *set)
{
	char here[PATH_MAX];

	if (set->want.data_dir[0] == '/' || !getcwd(here, sizeof(here)))
		return lp_fmt(set->scope, "%s/runner.sock", set->want.data_dir);
	return lp_fmt(set->scope, "%s/%s/runner.sock", here, set->want.data_dir);
}

/* In the data directory; when the path of that is too long for a socket, in a folder of our own under /tmp. */
static enum lp_code place_socket(struct builtin *b, struct lp_err *e)
{
	struct lp_scope *scope = b->set->scope;

	b->socket = socket_path(b->set);
	if (strlen(b->socket) <= SOCKET_PATH)
		return LP_OK;
	b->socket_folder = lp_fmt(scope, "/tmp/lpd-runner-XXXXXX");
	if (!mkdtemp(b->socket_folder))
		return lp_fail(e, LP_CONFIG, "no folder for the runner's socket can be made in /tmp: %s", strerror(errno));
	b->socket = lp_fmt(scope, "%s/runner.sock", b->socket_folder);
	return LP_OK;
}

enum lp_code lp_runner_builtin_open(struct lp_runners *set, struct lp_err *e)
{
	struct builtin *b = lp_new(set->scope, struct builtin);

	b->set = set;
	b->again = (struct lp_timer){ .fire = again, .self = b };
	if (place_socket(b, e) != LP_OK)
		return e->code;
	if (find(b, e) != LP_OK)
		return e->code;
	if (lp_url_parse(set->scope, &b->url, lp_span(lp_fmt(set->scope, "unix:%s", b->socket)), e) != LP_OK)
		return e->code;
	lp_defer(set->scope, closed, b);
	set->builtin = b;
	start(b);
	return LP_OK;
}
