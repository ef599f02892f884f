#include "jobs.h"

#include <string.h>

#include <lpd/base/mem.h>
#include <lpd/io/pool.h>

struct lp_jobs {
	struct lp_scope *scope;
	struct lp_jobs_want want;
	const struct lp_studio *studio;
	struct lp_list waiting;
	int n_waiting;
	struct lp_job *running;
	struct lp_timer look;		/* at what the machine leaves, while a job runs */
};

#define LOOK 250000		/* microseconds */

static void start_next(struct lp_jobs *jobs);

/* The first tells how it was since the last job. */
static void on_look(void *self)
{
	struct lp_jobs *jobs = self;

	lp_crew_look(jobs->want.crew);
	lp_timer_set(&jobs->look, jobs->want.loop, LOOK);
}

struct lp_jobs *lp_jobs_open(struct lp_scope *scope, const struct lp_jobs_want *want)
{
	struct lp_jobs *jobs = lp_new(scope, struct lp_jobs);

	jobs->scope = scope;
	jobs->want = *want;
	jobs->look.fire = on_look;
	jobs->look.self = jobs;
	lp_list_init(&jobs->waiting);
	return jobs;
}

void lp_jobs_use(struct lp_jobs *jobs, const struct lp_studio *studio)
{
	jobs->studio = studio;
}

bool lp_jobs_idle(const struct lp_jobs *jobs)
{
	return !jobs->running && jobs->n_waiting == 0;
}

int lp_jobs_count(const struct lp_jobs *jobs)
{
	return jobs->n_waiting + (jobs->running ? 1 : 0);
}

struct lp_job *lp_job_new(void)
{
	struct lp_scope *scope = lp_scope_open(NULL, "job");
	struct lp_job *job = lp_new(scope, struct lp_job);

	job->scope = scope;
	return job;
}

void lp_job_free(struct lp_job **job)
{
	struct lp_scope *scope = (*job)->scope;

	lp_buf_clear(&(*job)->json);
	lp_scope_close(&scope);		/* the job is in it */
	*job = NULL;
}

void lp_job_streams(struct lp_job *job, size_t room)
{
	job->events = lp_new_array(job->scope, char, room);
	job->events_room = room;
}

/* The bytes are written before the count that the loop reads says so. */
void lp_job_emit(struct lp_job *job, struct lp_span bytes)
{
	size_t at = atomic_load_explicit(&job->told, memory_order_relaxed);

	if (bytes.len > job->events_room - at)
		return;
	memcpy(job->events + at, bytes.at, bytes.len);
	atomic_store_explicit(&job->told, at + bytes.len, memory_order_release);
}

/* In the thread: nothing but the job and the studio is touched. */
static void work(void *arg)
{
	struct lp_job *job = arg;

	job->code = job->pipe->work(job);
}

/* ---- in the loop ---- */

static void done(void *self, void *arg)
{
	struct lp_jobs *jobs = self;
	struct lp_job *job = arg;

	jobs->running = NULL;
	lp_timer_clear(&jobs->look);
	lp_timer_clear(&job->deadline);
	if (job->late && job->code == LP_GONE)
		job->code = lp_fail(&job->err, LP_TIMEOUT, "it took longer than %d s", LP_JOB_SECONDS);
	lp_log(jobs->want.log, LP_INFO, "job done", "model=%s code=%s ms=%lld bytes=%zu trace=%.*s",
	       job->model->row->name,
	       lp_code_name(job->code), (long long)(lp_mono(jobs->want.loop) - job->started) / 1000, job->json.len,
	       LP_ARG(job->trace));
	if (job->on_done)
		job->on_done(job->self, job);
	start_next(jobs);
}

static void on_deadline(void *self)
{
	struct lp_job *job = self;

	job->late = true;
	atomic_store_explicit(&job->stop.set, true, memory_order_relaxed);
}

static void free_arg(void *arg)
{
	struct lp_job *job = arg;

	lp_timer_clear(&job->deadline);
	lp_job_free(&job);
}

static void start_next(struct lp_jobs *jobs)
{
	struct lp_link *first = lp_list_first(&jobs->waiting);

	if (jobs->running)
		return;
	if (!first) {
		if (jobs->want.on_idle)
			jobs->want.on_idle(jobs->want.self);
		return;
	}
	struct lp_job *job = LP_CONTAINER(first, struct lp_job, link);
	struct lp_work item = { .fn = work, .done = done, .free_arg = free_arg, .arg = job, .self = jobs };

	lp_link_out(&job->link);
	jobs->n_waiting--;
	jobs->running = job;
	on_look(jobs);
	job->started = lp_mono(jobs->want.loop);
	job->studio = jobs->studio;
	job->sounds = jobs->want.sounds;
	job->deadline.fire = on_deadline;
	job->deadline.self = job;
	lp_timer_set(&job->deadline, jobs->want.loop, (int64_t)LP_JOB_SECONDS * 1000000);
	lp_pool_run(jobs->scope, jobs->want.loop, &item);
}

bool lp_jobs_add(struct lp_jobs *jobs, struct lp_job *job)
{
	if (jobs->running && jobs->n_waiting >= LP_JOBS_WAITING)
		return false;
	job->jobs = jobs;
	lp_list_add(&jobs->waiting, &job->link);
	jobs->n_waiting++;
	start_next(jobs);
	return true;
}

void lp_job_abandon(struct lp_job *job)
{
	struct lp_jobs *jobs = job->jobs;

	job->on_done = NULL;
	atomic_store_explicit(&job->stop.set, true, memory_order_relaxed);
	if (job == jobs->running)
		return;			/* it ends soon, and is freed then */
	lp_link_out(&job->link);
	jobs->n_waiting--;
	lp_job_free(&job);
}

void lp_jobs_stop(struct lp_jobs *jobs)
{
	lp_list_each(&jobs->waiting, job, struct lp_job, link)
		lp_job_abandon(job);
	if (jobs->running)
		lp_job_abandon(jobs->running);
}
