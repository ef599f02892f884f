/* run/child - an executable of ours beside lpd (lpd-runner, lpd-media), as a child with one unix socket: found,
 * started, started again when it dies, stopped with its scope.
 *
 * What parses strangers' media or runs a model is its own process, so that a crash there is one failed job. */
#ifndef LPD_RUN_CHILD_H
#define LPD_RUN_CHILD_H

#include <lpd/base/log.h>
#include <lpd/base/metric.h>
#include <lpd/io/http.h>
#include <lpd/io/loop.h>

struct lp_child;

struct lp_child_want {
	struct lp_loop *loop;
	struct lp_log *log;
	struct lp_metrics *metrics;	/* may be NULL */
	const char *program;		/* "lpd-runner" */
	const char *need;		/* what it is for, in words: "a builtin/ model" */
	const char *path;		/* of the program; NULL or "": beside the running binary */
	const char *label;		/* in metrics: "builtin" */
	const char *data_dir;		/* for the socket */
	const char *socket;		/* its name there: "runner.sock" */
	const char *data_dir_option;	/* "-dataDir": tell it the folder too; NULL: it need not know */
	int64_t memory_limit;		/* 0: none from outside */
};

/* Finds the program and a place for its socket; LP_CONFIG in words.  It does not run yet. */
enum lp_code lp_child_open(struct lp_scope *scope, struct lp_child **out, const struct lp_child_want *want,
			   struct lp_err *e) LP_MUST_USE;
/* From now on it is to run; again is nothing. */
void lp_child_start(struct lp_child *child);
const struct lp_url *lp_child_url(const struct lp_child *child);
int64_t lp_child_started(const struct lp_child *child);	/* mono of its last start; 0: never */

#endif
