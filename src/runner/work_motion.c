#include "work.h"

#include "motion.h"
#include "picture.h"

#define WIDTH 1024
#define HEIGHT 576
#define PIXELS (3 << 19)	/* of a frame */
#define BUCKET 127		/* of motion, when the request says nothing, and what is middling */
#define NOISE 0.02		/* as ai-runner has it; here: half of the painter's hand */
#define PAINT_ALL 0.04

void lp_check_motion(struct lp_job *job, struct lp_denial *d)
{
	const struct lp_ask_value *v = job->ask.at;
	int64_t w = v[LP_ASK_WIDTH].given ? v[LP_ASK_WIDTH].i : WIDTH;
	int64_t h = v[LP_ASK_HEIGHT].given ? v[LP_ASK_HEIGHT].i : HEIGHT;

	if (w % 8 || h % 8)
		lp_deny(d, 400, "width and height must be divisible by 8");
	else if (w < LP_SIDE_LEAST || w > LP_SIDE_MOST || h < LP_SIDE_LEAST || h > LP_SIDE_MOST || w * h > PIXELS)
		lp_deny(d, 400, "width and height must be %d to %d, and not more than %d pixels together",
			LP_SIDE_LEAST, LP_SIDE_MOST, PIXELS);
	job->w = (int)w;
	job->h = (int)h;
}

static float amount_of(const struct lp_ask_value *bucket)
{
	int64_t n = bucket->given ? bucket->i : BUCKET;

	return n <= 0 ? 0.0f : n >= 2 * BUCKET ? 1.0f : (float)n / (2 * BUCKET);
}

static float paint_of(const struct lp_ask_value *noise)
{
	double v = noise->given ? noise->f : NOISE;

	return v > 0.0 ? (v < PAINT_ALL ? (float)(v / PAINT_ALL) : 1.0f) : 0.0f;
}

static enum lp_code frames(struct lp_job *job, const struct lp_motion *motion)
{
	enum lp_code code = LP_OK;

	lp_buf_add_text(&job->json, "{\"frames\":[[");
	for (int i = 0; i < LP_MOTION_FRAMES && code == LP_OK; i++) {
		struct lp_scope *scope = lp_scope_open(job->scope, "frame");
		struct lp_image *im;

		code = lp_motion_frame(scope, &im, motion, i, &job->err);
		if (code == LP_OK)
			lp_answer_image(job, im, job->seed, i == 0);
		lp_scope_close(&scope);
	}
	lp_buf_add_text(&job->json, "]]");
	lp_answer_end(job, job->model->why);
	return code;
}

enum lp_code lp_work_motion(struct lp_job *job)
{
	const struct lp_ask_value *v = job->ask.at;
	struct lp_motion_want want = {
		.style = job->model->net, .cutter = lp_studio_net(job->studio, "builtin/u2netp"), .w = job->w,
		.h = job->h,
		.amount = amount_of(&v[LP_ASK_MOTION]), .paint = paint_of(&v[LP_ASK_NOISE]), .seed = job->seed,
		.stop = &job->stop,
	};
	struct lp_motion *motion;
	struct lp_image *picture;
	enum lp_code code = lp_picture_read(job->scope, &picture, job->ask.file, LP_IMAGE_SIDE, &job->err);

	want.picture = picture;
	if (code == LP_OK)
		code = lp_motion_open(job->scope, &motion, &want, &job->err);
	return code == LP_OK ? frames(job, motion) : code;
}
