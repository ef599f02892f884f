#include "work.h"

#include <math.h>
#include <string.h>

#include <lpd/base/json.h>

#include "mask.h"
#include "picture.h"

#define PIXELS (3 << 19)	/* each costs about 20 bytes of text in the answer */
#define COARSE 256		/* sides of the logits, as SAM has them */
#define MOST 20.0f		/* of a logit */

static float logit(float p)
{
	float v = p < 1e-6f ? -MOST : p > 1.0f - 1e-6f ? MOST : logf(p / (1.0f - p));

	return v < -MOST ? -MOST : v > MOST ? MOST : v;
}

/* With two decimals at most, without printf: there are millions. */
static void add_number(struct lp_buf *to, float v)
{
	int hundredths = (int)lrintf(v * 100.0f), part = hundredths < 0 ? -hundredths : hundredths;

	if (hundredths < 0)
		lp_buf_add_char(to, '-');
	lp_buf_add_u64(to, (uint64_t)part / 100);
	part %= 100;
	if (!part)
		return;
	lp_buf_add_char(to, '.');
	lp_buf_add_char(to, (char)('0' + part / 10));
	if (part % 10)
		lp_buf_add_char(to, (char)('0' + part % 10));
}

struct plane {
	const float *p;
	int w, h;		/* of p */
	int cols, rows;		/* of the list, by the nearest pixel */
	bool logits;
};

static void add_plane(struct lp_buf *to, const struct plane *m)
{
	lp_buf_add_char(to, '[');
	for (int y = 0; y < m->rows; y++) {
		const float *row = m->p + (size_t)(y * m->h / m->rows) * (size_t)m->w;

		lp_buf_add_text(to, y ? ", [" : "[");
		for (int x = 0; x < m->cols; x++) {
			float p = row[x * m->w / m->cols];

			if (x)
				lp_buf_add_char(to, ',');
			if (m->logits)
				add_number(to, logit(p));
			else
				lp_buf_add_char(to, p > 0.5f ? '1' : '0');
		}
		lp_buf_add_char(to, ']');
	}
	lp_buf_add_char(to, ']');
}

/* ai-runner's members are texts that hold lists; the scores stand with four decimals. */
static void answer(struct lp_job *job, const struct lp_mask *masks, int n, const struct lp_image *im)
{
	const struct lp_ask_value *v = job->ask.at;
	struct plane full = { .w = im->w, .h = im->h, .cols = im->w, .rows = im->h,
			      .logits = !v[LP_ASK_LOGITS].given || v[LP_ASK_LOGITS].b };
	struct plane coarse = { .w = im->w, .h = im->h, .cols = COARSE, .rows = COARSE, .logits = true };
	struct lp_buf *to = &job->json;

	lp_buf_add_text(to, "{\"logits\":\"[");
	for (int i = 0; i < n; i++) {
		coarse.p = masks[i].p;
		lp_buf_add_text(to, i ? ", " : "");
		add_plane(to, &coarse);
	}
	lp_buf_add_text(to, "]\",\"masks\":\"[");
	for (int i = 0; i < n; i++) {
		full.p = masks[i].p;
		lp_buf_add_text(to, i ? ", " : "");
		add_plane(to, &full);
	}
	lp_buf_add_text(to, "]\",\"scores\":\"[");
	for (int i = 0; i < n; i++)
		lp_buf_fmt(to, "%s%.4f", i ? ", " : "", (double)masks[i].score);
	lp_buf_add_text(to, "]\"");
	lp_answer_end(job, v[LP_ASK_MASK].text.len ? "mask_input is not used by this model" : "");
}

enum lp_code lp_work_segment(struct lp_job *job)
{
	const struct lp_ask_value *v = job->ask.at;
	struct lp_mask_text text = { .points = v[LP_ASK_POINTS].text, .labels = v[LP_ASK_LABELS].text,
				     .box = v[LP_ASK_BOX].text,
				     .fractions = v[LP_ASK_NORMALIZE].given && !v[LP_ASK_NORMALIZE].b };
	struct lp_mask_prompt prompt;
	struct lp_mask_want want = { .net = job->model->net, .prompt = &prompt, .stop = &job->stop };
	struct lp_mask masks[LP_MASKS];
	struct lp_image *im;
	enum lp_code code = lp_picture_read(job->scope, &im, job->ask.file, LP_SIDE_MOST, &job->err);

	if (code == LP_OK && im->w * im->h > PIXELS)
		code = lp_fail(&job->err, LP_TOO_LARGE, "the picture has more than %d pixels", PIXELS);
	if (code != LP_OK)
		return code;
	text.w = im->w;
	text.h = im->h;
	want.picture = im;
	code = lp_mask_prompt_read(&prompt, &text, &job->err);
	if (code == LP_OK)
		code = lp_mask_cut(job->scope, masks, &want, &job->err);
	if (code == LP_OK)
		answer(job, masks, v[LP_ASK_MULTIMASK].given && !v[LP_ASK_MULTIMASK].b ? 1 : LP_MASKS, im);
	return code;
}
