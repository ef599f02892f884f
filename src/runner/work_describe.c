#include "work.h"

#include <string.h>

#include <lpd/base/json.h>

#include "look.h"
#include "ocr.h"
#include "picture.h"

#define SIDE 4096

/* Some of the names bring their own. */
static const char *article(const char *name)
{
	return strncmp(name, "a ", 2) == 0 ? "" : strchr("aeiouAEIOU", name[0]) ? "an " : "a ";
}

static bool names(struct lp_span text, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= text.len; i++) {
		if (lp_span_is_icase(lp_span_of(text.at + i, n), word))
			return true;
	}
	return false;
}

/* "A prompt begins the answer" (as captioners take it), unless it is a question or asks for the text only. */
static bool only_text(struct lp_span prompt)
{
	return names(prompt, "read") || names(prompt, "text") || names(prompt, "ocr") || names(prompt, "written") ||
	       names(prompt, " say");
}

static void write_seen(struct lp_buf *to, const struct lp_seen seen[LP_LOOK_BEST], struct lp_span prompt)
{
	bool begins = prompt.len && !lp_span_ends(prompt, "?");

	if (begins)
		lp_buf_add_span(to, prompt);
	else
		lp_buf_add_text(to, seen[0].share > 0.15f ? "This looks like" : "This is hard to name; perhaps it is");
	for (int i = 0; i < LP_LOOK_BEST; i++) {
		if (i && seen[i].share < 0.05f)
			break;
		lp_buf_fmt(to, "%s %s%s (%d %%)", !i ? "" : " or", article(seen[i].name), seen[i].name,
			   (int)(seen[i].share * 100.0f + 0.5f));
	}
	lp_buf_add_char(to, '.');
}

static enum lp_code look(struct lp_job *job, struct lp_buf *to, const struct lp_image *im)
{
	struct lp_look_want want = { .net = job->model->net, .names = job->model->names, .picture = im };
	struct lp_seen seen[LP_LOOK_BEST];
	enum lp_code code = lp_look(seen, &want, &job->err);

	if (code == LP_OK)
		write_seen(to, seen, lp_span_trim(job->ask.at[LP_ASK_PROMPT].text));
	return code;
}

static enum lp_code read_text(struct lp_job *job, struct lp_buf *to, const struct lp_image *im)
{
	struct lp_read_want want = { .reader = job->model->reader, .picture = im, .stop = &job->stop };
	struct lp_read read;
	enum lp_code code = lp_reader_read(job->scope, &read, &want, &job->err);

	if (code != LP_OK || !read.text.len)
		return code;
	if (to->len)
		lp_buf_add_text(to, " The text in it reads: ");
	lp_buf_add_span(to, read.text);
	return LP_OK;
}

enum lp_code lp_work_describe(struct lp_job *job)
{
	bool text_only = !job->model->net || only_text(job->ask.at[LP_ASK_PROMPT].text);
	struct lp_buf words = { .len = 0 };
	struct lp_image *im;
	enum lp_code code = lp_picture_read(job->scope, &im, job->ask.file, SIDE, &job->err);

	if (code == LP_OK && (!text_only || !job->model->reader))
		code = look(job, &words, im);
	if (code == LP_OK && job->model->reader)
		code = read_text(job, &words, im);
	if (code == LP_OK) {
		lp_buf_add_text(&job->json, "{\"text\":");
		lp_json_write_str(&job->json, lp_buf_span(&words));
		lp_answer_end(job, job->model->why);
	}
	lp_buf_clear(&words);
	return code;
}
