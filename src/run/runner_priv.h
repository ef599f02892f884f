/* run/runner_priv - what runner.c and watch.c share: a set of runners and how each is watched. */
#ifndef LPD_RUN_RUNNER_PRIV_H
#define LPD_RUN_RUNNER_PRIV_H

#include <lpd/base/buf.h>
#include <lpd/io/task.h>
#include <lpd/run/child.h>
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

struct lp_runners {
	struct lp_runners_want want;
	struct lp_scope *scope;
	struct runner_row **rows;
	int n;
	unsigned generation;
	struct lp_child *builtin;	/* lpd-runner; NULL: no builtin/ model is named */
};

enum lp_code lp_runner_builtin_open(struct lp_runners *set, struct lp_err *e) LP_MUST_USE;
/* A row at the end of the set, which has room; not yet watched.  The built-in runner is there if it is needed. */
struct runner_row *lp_runner_row_add(struct lp_runners *set, const struct lp_model_entry *entry);
bool lp_runner_is_run(const struct lp_runners *set, const struct lp_model_entry *entry);
void lp_runner_watch_start(struct runner_row *row);
void lp_runner_watch_soon(struct runner_row *row);

#endif
