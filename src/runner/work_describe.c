#include "work.h"

#include <string.h>

#include <lpd/base/json.h>

#include "look.h"
#include "ocr.h"
#include "picture.h"

#define SIDE 4096
#define NOTHING 0.05f		/* a likeliest name below this names nothing */

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

static enum lp_code look(struct lp_job *job, struct lp_buf *to, const struct lp_image *im, bool has_text)
{
	struct lp_look_want want = { .net = job->model->net, .names = job->model->names, .picture = im };
	struct lp_span prompt = lp_span_trim(job->ask.at[LP_ASK_PROMPT].text);
	struct lp_seen seen[LP_LOOK_BEST];
	enum lp_code code = lp_look(seen, &want, &job->err);

	/* A page of text looks like nothing: then what it says is all there is to say. */
	if (code == LP_OK && (prompt.len || !has_text || seen[0].share >= NOTHING))
		write_seen(to, seen, prompt);
	return code;
}

enum lp_code lp_work_describe(struct lp_job *job)
{
	bool text_only = !job->model->net || (job->model->reader && only_text(job->ask.at[LP_ASK_PROMPT].text));
	struct lp_read_want want = { .reader = job->model->reader, .stop = &job->stop };
	struct lp_read read = { .text = { "", 0 } };
	struct lp_buf words = { .len = 0 };
	struct lp_image *im;
	enum lp_code code = lp_picture_read(job->scope, &im, job->ask.file, SIDE, &job->err);

	want.picture = im;
	if (code == LP_OK && want.reader)
		code = lp_reader_read(job->scope, &read, &want, &job->err);
	if (code == LP_OK && !text_only)
		code = look(job, &words, im, read.text.len > 0);
	if (code == LP_OK) {
		if (read.text.len && !text_only)
			lp_buf_fmt(&words, "%sThe text in it reads: ", words.len ? " " : "");
		lp_buf_add_span(&words, read.text);
		lp_buf_add_text(&job->json, "{\"text\":");
		lp_json_write_str(&job->json, lp_buf_span(&words));
		lp_answer_end(job, job->model->why);
	}
	lp_buf_clear(&words);
	return code;
}
