/* runner/sandbox - what this process gives up before it reads anything from strangers.
 *
 * It keeps what it has open.  A hole in a decoder then finds no keys to read, nothing to run, no way out. */
#ifndef LPD_RUNNER_SANDBOX_H
#define LPD_RUNNER_SANDBOX_H

#include <stdbool.h>

struct lp_sandbox {
	bool files, calls;		/* Landlock and seccomp took hold */
};

/* Limits of memory, no core files, no new privileges; files can be read below `models` and the system's
 * folders only; no program can be run and no connection opened.  Before any thread is started. */
void lp_sandbox_enter(struct lp_sandbox *out, const char *models);

#endif
