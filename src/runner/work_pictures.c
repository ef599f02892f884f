#include "work.h"

#include <stdio.h>

#include <lpd/base/hex.h>
#include <lpd/base/json.h>

#include "picture.h"
#include "restyle.h"

#define WIDTH 1024		/* when the request says nothing, as ai-runner has it */
#define HEIGHT 576
#define STRENGTH 0.8

/* ---- answers ---- */

void lp_answer_image(struct lp_job *job, const struct lp_image *im, uint64_t seed, bool first)
{
	struct lp_buf png = { .len = 0 };

	lp_picture_write(&png, im);
	lp_buf_fmt(&job->json, "%s{\"nsfw\":false,\"seed\":%llu,\"url\":\"data:image/png;base64,", first ? "" : ",",
		   (unsigned long long)seed);
	lp_b64_write(&job->json, lp_buf_span(&png));
	lp_buf_add_text(&job->json, "\"}");
	lp_buf_clear(&png);
}

void lp_answer_end(struct lp_job *job, const char *warning)
{
	if (*warning) {
		lp_buf_add_text(&job->json, ",\"warning\":");
		lp_json_write_str(&job->json, lp_span(warning));
	}
	lp_buf_add_char(&job->json, '}');
}

/* Of pictures, which nobody here looks at for what they show. */
static void end_images(struct lp_job *job, const char *warning)
{
	bool unchecked = !job->ask.at[LP_ASK_SAFETY].given || job->ask.at[LP_ASK_SAFETY].b;
	struct lp_buf words = { .len = 0 };

	lp_buf_add_text(&words, warning);
	if (unchecked)
		lp_buf_fmt(&words, "%snsfw: this runner does not check pictures", *warning ? "; " : "");
	lp_buf_add_char(&job->json, ']');
	lp_answer_end(job, lp_buf_text(&words));
	lp_buf_clear(&words);
}

/* ---- what several check ---- */

static void check_images(struct lp_job *job, struct lp_denial *d)
{
	const struct lp_ask_value *v = job->ask.at;
	int64_t n = v[LP_ASK_IMAGES].given && v[LP_ASK_IMAGES].i > 1 ? v[LP_ASK_IMAGES].i : 1;
	struct lp_span loras = lp_span_trim(v[LP_ASK_LORAS].text);

	if (n > LP_JOB_IMAGES)
		lp_deny(d, 400, "num_images_per_prompt must be at most %d", LP_JOB_IMAGES);
	else if (loras.len && !lp_span_is(loras, "{}"))
		lp_deny(d, 400, "this model takes no loras");
	job->images = (int)n;
}

/* ---- text-to-image ---- */

void lp_check_sketch(struct lp_job *job, struct lp_denial *d)
{
	const struct lp_ask_value *v = job->ask.at;
	int64_t w = v[LP_ASK_WIDTH].given ? v[LP_ASK_WIDTH].i : WIDTH;
	int64_t h = v[LP_ASK_HEIGHT].given ? v[LP_ASK_HEIGHT].i : HEIGHT;

	if (w < LP_SIDE_LEAST || w > LP_SIDE_MOST || h < LP_SIDE_LEAST || h > LP_SIDE_MOST)
		lp_deny(d, 400, "width and height must be %d to %d", LP_SIDE_LEAST, LP_SIDE_MOST);
	else
		check_images(job, d);
	job->w = (int)w;
	job->h = (int)h;
}

enum lp_code lp_work_sketch(struct lp_job *job)
{
	const struct lp_ask_value *v = job->ask.at;
	struct lp_sketch_want want = {
		.prompt = v[LP_ASK_PROMPT].text, .negative = v[LP_ASK_NEGATIVE].text, .w = job->w, .h = job->h,
		.steps = v[LP_ASK_STEPS].i > 0 ? (int)(v[LP_ASK_STEPS].i < 64 ? v[LP_ASK_STEPS].i : 64) : 0,
		.guidance = v[LP_ASK_GUIDANCE].given ? (float)v[LP_ASK_GUIDANCE].f : 0.0f, .stop = &job->stop,
	};
	char warning[400] = "";
	enum lp_code code = LP_OK;

	lp_buf_add_text(&job->json, "{\"images\":[");
	for (int i = 0; i < job->images && code == LP_OK; i++) {
		struct lp_scope *scope = lp_scope_open(job->scope, "picture");
		struct lp_made made;

		want.seed = job->seed + (uint64_t)i;
		code = lp_studio_sketch(scope, &made, job->studio, &want, &job->err);
		if (code == LP_OK) {
			lp_answer_image(job, made.picture, want.seed, i == 0);
			snprintf(warning, sizeof warning, "%s", made.warning);
		}
		lp_scope_close(&scope);
	}
	end_images(job, warning);
	return code;
}

/* ---- image-to-image ---- */

void lp_check_restyle(struct lp_job *job, struct lp_denial *d)
{
	const struct lp_ask_value *strength = &job->ask.at[LP_ASK_STRENGTH];

	if (strength->given && !(strength->f >= 0.0 && strength->f <= 1.0))
		lp_deny(d, 400, "strength must be 0 to 1");
	else
		check_images(job, d);
}

enum lp_code lp_work_restyle(struct lp_job *job)
{
	const struct lp_ask_value *v = job->ask.at;
	struct lp_restyle_want want = {
		.net = job->model->net, .prompt = v[LP_ASK_PROMPT].text, .negative = v[LP_ASK_NEGATIVE].text,
		.strength = (float)(v[LP_ASK_STRENGTH].given ? v[LP_ASK_STRENGTH].f : STRENGTH),
	};
	struct lp_image *picture;
	enum lp_code code = lp_picture_read(job->scope, &picture, job->ask.file, LP_SIDE_MOST, &job->err);

	want.picture = picture;
	lp_buf_add_text(&job->json, "{\"images\":[");
	for (int i = 0; i < job->images && code == LP_OK; i++) {
		struct lp_scope *scope = lp_scope_open(job->scope, "picture");
		struct lp_image *made;

		want.seed = job->seed + (uint64_t)i;
		code = lp_restyle(scope, &made, &want, &job->err);
		if (code == LP_OK)
			lp_answer_image(job, made, want.seed, i == 0);
		lp_scope_close(&scope);
		if (code == LP_OK && lp_stopped(&job->stop))
			code = lp_fail(&job->err, LP_GONE, "stopped");
	}
	end_images(job, job->model->why);
	return code;
}

/* ---- upscale ---- */

enum lp_code lp_work_upscale(struct lp_job *job)
{
	struct lp_upscale_want want = { .model = job->model, .stop = &job->stop };
	struct lp_image *picture;
	struct lp_made made;
	enum lp_code code = lp_picture_read(job->scope, &picture, job->ask.file, LP_IMAGE_SIDE, &job->err);

	want.picture = picture;
	if (code == LP_OK)
		code = lp_studio_upscale(job->scope, &made, &want, &job->err);
	if (code == LP_OK) {
		lp_buf_add_text(&job->json, "{\"images\":[");
		lp_answer_image(job, made.picture, job->seed, true);
		end_images(job, made.warning);
	}
	return code;
}
