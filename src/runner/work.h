/* runner/work - the pipelines' own parts: checking what was asked, and doing it.  Rows of runner/pipes. */
#ifndef LPD_RUNNER_WORK_H
#define LPD_RUNNER_WORK_H

#include "jobs.h"

void lp_check_sketch(struct lp_job *job, struct lp_denial *d);
enum lp_code lp_work_sketch(struct lp_job *job);
enum lp_code lp_work_upscale(struct lp_job *job);

void lp_check_restyle(struct lp_job *job, struct lp_denial *d);
enum lp_code lp_work_restyle(struct lp_job *job);

void lp_check_speech(struct lp_job *job, struct lp_denial *d);
enum lp_code lp_work_speech(struct lp_job *job);

enum lp_code lp_work_segment(struct lp_job *job);
enum lp_code lp_work_describe(struct lp_job *job);

void lp_check_motion(struct lp_job *job, struct lp_denial *d);
enum lp_code lp_work_motion(struct lp_job *job);

void lp_check_hear(struct lp_job *job, struct lp_denial *d);
enum lp_code lp_work_hear(struct lp_job *job);

void lp_check_chat(struct lp_job *job, struct lp_denial *d);
enum lp_code lp_work_chat(struct lp_job *job);

/* One more of a list of images: {"nsfw":false,"seed":...,"url":"data:..."}. */
void lp_answer_image(struct lp_job *job, const struct lp_image *im, uint64_t seed, bool first);
/* The member `warning` when there is something to say, and the object's end; ai-runner has no such member, and its
 * clients skip what they do not know. */
void lp_answer_end(struct lp_job *job, const char *warning);

#endif
