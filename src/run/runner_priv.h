/* run/runner_priv - what runner.c, watch.c and builtin.c share: a set of runners and how each is watched. */
#ifndef LPD_RUN_RUNNER_PRIV_H
#define LPD_RUN_RUNNER_PRIV_H

#include <lpd/base/buf.h>
#include <lpd/io/process.h>
#include <lpd/io/task.h>
#include <lpd/run/runner.h>

/* A runner with its watch (watch.c): a task that asks /health, and once /version and /hardware/info. */
struct runner_row {
	struct lp_runner pub;
	struct lp_runners *set;
	struct lp_log *log;
	struct lp_task watch;
	struct lp_timer nap;
	struct lp_scope *ask;		/* of the question under way */
	struct lp_call *call;
	struct lp_buf body;
	struct lp_scope *facts;		/* version and hardware live here */
	int failures;			/* questions in a row that went wrong */
	bool suspected;			/* a job saw it fail: ask now */
	int64_t cooled;			/* mono: before this a suspicion changes nothing */
};

/* lpd-runner as our child (builtin.c). */
struct builtin {
	struct lp_runners *set;
	struct lp_scope *scope;		/* of the running child */
	struct lp_process *process;
	struct lp_timer again;
	const char *path, *socket;
	char *socket_folder;		/* made for it; NULL: it is in the data directory */
	struct lp_url url;
	int64_t started;
	int starts;
	int failures;			/* exits in a row soon after a start */
};

struct lp_runners {
	struct lp_runners_want want;
	struct lp_scope *scope;
	struct runner_row **rows;
	int n;
	unsigned generation;
	struct builtin *builtin;	/* NULL: no builtin/ model is named */
};

void lp_runner_watch_start(struct runner_row *row);
void lp_runner_watch_soon(struct runner_row *row);
/* Finds the executable and starts it; LP_CONFIG in words when there is none. */
enum lp_code lp_runner_builtin_open(struct lp_runners *set, struct lp_err *e) LP_MUST_USE;

#endif
