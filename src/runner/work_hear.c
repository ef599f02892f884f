#include "work.h"

#include <string.h>

#include <lpd/base/json.h>

#include "mel.h"
#include "sounds.h"
#include "whisper.h"

/* The longest that is written down within a job's time. */
#define SECONDS 1800

enum times { NONE, SENTENCES, WORDS };

static bool read_times(struct lp_span text, enum times *out)
{
	static const struct {
		const char *word;
		enum times times;
	} all[] = {
		{ "", SENTENCES }, { "true", SENTENCES }, { "1", SENTENCES }, { "sentence", SENTENCES },
		{ "false", NONE }, { "0", NONE },	  { "word", WORDS },
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (lp_span_is_icase(text, all[i].word)) {
			*out = all[i].times;
			return true;
		}
	}
	return false;
}

void lp_check_hear(struct lp_job *job, struct lp_denial *d)
{
	enum times times;

	if (!read_times(job->ask.at[LP_ASK_TIMESTAMPS].text, &times))
		lp_deny(d, 400, "return_timestamps must be true, false, sentence or word");
}

static void add_chunk(struct lp_buf *to, struct lp_span text, double from, double until)
{
	if (lp_buf_span(to).at[to->len - 1] != '[')
		lp_buf_add_char(to, ',');
	lp_buf_add_text(to, "{\"text\":");
	lp_json_write_str(to, text);
	lp_buf_fmt(to, ",\"timestamp\":[%.2f,%.2f]}", from, until);
}

/* A sentence's time is shared out among its words by their lengths: the network times sentences only. */
static void add_words(struct lp_buf *to, const struct lp_heard *h)
{
	struct lp_span rest = h->text;
	double each = h->text.len ? (h->to - h->from) / (double)h->text.len : 0.0, at = h->from;

	while (rest.len) {
		size_t n = 1;

		while (n < rest.len && rest.at[n] != ' ')
			n++;
		add_chunk(to, lp_span_of(rest.at, n), at, at + (double)n * each);
		at += (double)n * each;
		rest = lp_span_skip(rest, n);
	}
}

static void answer(struct lp_job *job, const struct lp_transcript *t)
{
	struct lp_buf *to = &job->json, all = { .len = 0 };
	enum times times = SENTENCES;

	read_times(job->ask.at[LP_ASK_TIMESTAMPS].text, &times);
	lp_buf_add_text(to, "{\"chunks\":[");
	for (int i = 0; i < t->n; i++) {
		if (times == SENTENCES)
			add_chunk(to, t->at[i].text, t->at[i].from, t->at[i].to);
		else if (times == WORDS)
			add_words(to, &t->at[i]);
		lp_buf_add_span(&all, t->at[i].text);
	}
	lp_buf_add_text(to, "],\"text\":");
	lp_json_write_str(to, lp_buf_span(&all));
	lp_answer_end(job, times == WORDS ? "the times of words are shared out by their lengths within a sentence"
		      : "");
	lp_buf_clear(&all);
}

enum lp_code lp_work_hear(struct lp_job *job)
{
	struct lp_samples raw, sound;
	struct lp_transcript transcript;
	struct lp_hear_want want = { .sound = &sound, .stop = &job->stop };
	struct lp_sounds_want file = { .file = job->ask.file, .stop = &job->stop };
	enum lp_code code = lp_sounds_read(job->scope, &raw, job->sounds, &file, &job->err);

	if (code == LP_OK && raw.n / (size_t)raw.rate > SECONDS)
		code = lp_fail(&job->err, LP_TOO_LARGE, "the recording is longer than %d s", SECONDS);
	if (code != LP_OK)
		return code;
	lp_resample(job->scope, &sound, &raw, LP_MEL_RATE);
	code = lp_whisper_hear(job->scope, &transcript, job->model->whisper, &want, &job->err);
	if (code == LP_OK)
		answer(job, &transcript);
	return code;
}
