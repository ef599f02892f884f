#include "jobs.h"

#include <stdio.h>
#include <string.h>

#include <lpd/base/hex.h>
#include <lpd/base/json.h>
#include <lpd/base/mem.h>
#include <lpd/io/pool.h>

#include "picture.h"

struct lp_jobs {
	struct lp_scope *scope;
	struct lp_jobs_want want;
	const struct lp_studio *studio;
	struct lp_list waiting;
	int n_waiting;
	struct lp_job *running;
};

static void start_next(struct lp_jobs *jobs);

struct lp_jobs *lp_jobs_open(struct lp_scope *scope, const struct lp_jobs_want *want)
{
	struct lp_jobs *jobs = lp_new(scope, struct lp_jobs);

	jobs->scope = scope;
	jobs->want = *want;
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

/* ---- in the thread: nothing but the job and the studio is touched ---- */

static void add_image(struct lp_job *job, const struct lp_image *im, uint64_t seed, bool first)
{
	struct lp_buf png = { .len = 0 };

	lp_picture_write(&png, im);
	lp_buf_fmt(&job->json, "%s{\"nsfw\":false,\"seed\":%llu,\"url\":\"data:image/png;base64,", first ? "" : ",",
		   (unsigned long long)seed);
	lp_b64_write(&job->json, lp_buf_span(&png));
	lp_buf_add_text(&job->json, "\"}");
	lp_buf_clear(&png);
}

/* The answer's end; ai-runner has no such member, and its clients skip what they do not know. */
static void end_answer(struct lp_job *job, const char *warning)
{
	bool unchecked = !job->ask.at[LP_ASK_SAFETY].given || job->ask.at[LP_ASK_SAFETY].b;
	struct lp_buf words = { .len = 0 };

	lp_buf_add_text(&words, warning);
	if (unchecked)
		lp_buf_fmt(&words, "%snsfw: this runner does not check pictures", *warning ? "; " : "");
	lp_buf_add_char(&job->json, ']');
	if (words.len) {
		lp_buf_add_text(&job->json, ",\"warning\":");
		lp_json_write_str(&job->json, lp_buf_span(&words));
	}
	lp_buf_add_char(&job->json, '}');
	lp_buf_clear(&words);
}

static enum lp_code sketch(struct lp_job *job)
{
	const struct lp_ask_value *v = job->ask.at;
	struct lp_sketch_want want = {
		.prompt = v[LP_ASK_PROMPT].text, .negative = v[LP_ASK_NEGATIVE].text, .w = job->w, .h = job->h,
		.steps = v[LP_ASK_STEPS].i > 0 ? (int)(v[LP_ASK_STEPS].i < 64 ? v[LP_ASK_STEPS].i : 64) : 0,
		.guidance = v[LP_ASK_GUIDANCE].given ? (float)v[LP_ASK_GUIDANCE].f : 0.0f, .stop = &job->stop,
	};
	char warning[400] = "";
	enum lp_code code = LP_OK;

	for (int i = 0; i < job->images && code == LP_OK; i++) {
		struct lp_scope *scope = lp_scope_open(job->scope, "picture");
		struct lp_made made;

		want.seed = job->seed + (uint64_t)i;
		code = lp_studio_sketch(scope, &made, job->jobs->studio, &want, &job->err);
		if (code == LP_OK) {
			add_image(job, made.picture, want.seed, i == 0);
			snprintf(warning, sizeof warning, "%s", made.warning);
		}
		lp_scope_close(&scope);
	}
	end_answer(job, warning);
	return code;
}

static enum lp_code upscale(struct lp_job *job)
{
	struct lp_upscale_want want = { .model = job->model, .stop = &job->stop };
	struct lp_image *picture;
	struct lp_made made;
	enum lp_code code = lp_picture_read(job->scope, &picture, job->ask.image, LP_IMAGE_SIDE, &job->err);

	want.picture = picture;
	if (code == LP_OK)
		code = lp_studio_upscale(job->scope, &made, job->jobs->studio, &want, &job->err);
	if (code == LP_OK) {
		add_image(job, made.picture, job->seed, true);
		end_answer(job, made.warning);
	}
	return code;
}

static void work(void *arg)
{
	struct lp_job *job = arg;

	lp_buf_add_text(&job->json, "{\"images\":[");
	switch (job->kind) {
	case LP_JOB_SKETCH:
		job->code = sketch(job);
		break;
	case LP_JOB_UPSCALE:
		job->code = upscale(job);
		break;
	}
}

/* ---- in the loop ---- */

static void done(void *self, void *arg)
{
	struct lp_jobs *jobs = self;
	struct lp_job *job = arg;

	jobs->running = NULL;
	lp_log(jobs->want.log, LP_INFO, "job done", "model=%s code=%s ms=%lld bytes=%zu", job->model->row->name,
	       lp_code_name(job->code), (long long)(lp_mono(jobs->want.loop) - job->started) / 1000, job->json.len);
	if (job->on_done)
		job->on_done(job->self, job);
	start_next(jobs);
}

static void free_arg(void *arg)
{
	struct lp_job *job = arg;

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
	job->started = lp_mono(jobs->want.loop);
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
