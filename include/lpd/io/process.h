/* io/process - a child process: started, watched, stopped; it dies with us (PR_SET_PDEATHSIG). */
#ifndef LPD_IO_PROCESS_H
#define LPD_IO_PROCESS_H

#include <lpd/base/log.h>
#include <lpd/io/loop.h>

struct lp_process_want {
	const char *const *argv;	/* ended by NULL; argv[0] is the file */
	const char *const *env;		/* "K=V" added to a minimal environment (PATH HOME LANG TZ), ended by NULL; may be NULL */
	int64_t memory_limit;		/* RLIMIT_AS in bytes; 0: none */
	struct lp_log *log;		/* lines of its stdout and stderr (cut at 1 KiB) go here at DEBUG; NULL: dropped */
	void (*on_exit)(void *self, int status, int signal);	/* once, from the loop */
	void *self;
};

struct lp_process;

/* Closing the scope sends SIGTERM, then SIGKILL after 2 s, and forgets it (no on_exit). */
enum lp_code lp_process_start(struct lp_scope *scope, struct lp_process **out, struct lp_loop *loop,
			      const struct lp_process_want *want, struct lp_err *e) LP_MUST_USE;
int lp_process_pid(const struct lp_process *process);
void lp_process_stop(struct lp_process *process);	/* SIGTERM, SIGKILL after 10 s; on_exit tells */

#endif
