/* runner/jobs - one job at a time off the loop, a few more wait, the rest are refused.
 *
 * A second one at the same time would need its own studio; cores that nobody uses help the one instead (runner/crew).
 * Owns each job from lp_jobs_add until its result was told or nobody wants it any more. */
#ifndef LPD_RUNNER_JOBS_H
#define LPD_RUNNER_JOBS_H

#include <lpd/base/log.h>
#include <lpd/io/timer.h>

#include "crew.h"
#include "pipes.h"
#include "studio.h"

#define LP_JOBS_WAITING 16
#define LP_JOB_IMAGES 10		/* of one request */

#define LP_JOB_SECONDS 300		/* then it is told to stop */

struct lp_job {
	struct lp_scope *scope;		/* a root of its own: a thread works in it */
	const struct lp_pipe *pipe;
	const struct lp_offer *model;
	const struct lp_studio *studio;	/* once it runs */
	const struct lp_sounds *sounds;
	struct lp_ask ask;
	int w, h, images;		/* of pictures */
	uint64_t seed;
	int64_t created;		/* seconds since 1970 */
	/* the id of the trace that it is part of, for the log; in the scope, may be empty */
	struct lp_span trace;
	struct lp_stop stop;
	/* An answer in events: one thread writes at the end, the loop reads up to `told`.  NULL: a whole answer. */
	char *events;
	size_t events_room;
	atomic_size_t told;
	/* The result, once told: */
	enum lp_code code;
	struct lp_err err;
	struct lp_buf json;
	/* Who waits; NULL: nobody any more. */
	void (*on_done)(void *self, struct lp_job *job);
	void *self;
	struct lp_jobs *jobs;
	struct lp_link link;
	int64_t started;
	struct lp_timer deadline;
	bool late;
};

struct lp_jobs_want {
	struct lp_loop *loop;
	struct lp_log *log;
	const struct lp_sounds *sounds;
	struct lp_crew *crew;		/* looked after while a job runs */
	void (*on_idle)(void *self);	/* nothing runs and nothing waits; may be NULL */
	void *self;
};

struct lp_jobs;

struct lp_jobs *lp_jobs_open(struct lp_scope *scope, const struct lp_jobs_want *want);
/* The studio used by jobs that start from now on; only when nothing runs. */
void lp_jobs_use(struct lp_jobs *jobs, const struct lp_studio *studio);
bool lp_jobs_idle(const struct lp_jobs *jobs);
int lp_jobs_count(const struct lp_jobs *jobs);		/* running and waiting */

/* The answer comes in events, of so many bytes altogether at most.  Before the job is added. */
void lp_job_streams(struct lp_job *job, size_t room);
/* In the thread that works: whole events; what has no room any more is left out. */
void lp_job_emit(struct lp_job *job, struct lp_span bytes);

struct lp_job *lp_job_new(void);
void lp_job_free(struct lp_job **job);			/* of one that was not added */
/* False: too many wait; the job stays the caller's. */
bool lp_jobs_add(struct lp_jobs *jobs, struct lp_job *job);
/* Nobody wants it: on_done is not called.  What runs is told to stop. */
void lp_job_abandon(struct lp_job *job);
/* Abandon all. */
void lp_jobs_stop(struct lp_jobs *jobs);

#endif
