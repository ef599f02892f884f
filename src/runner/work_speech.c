#include "work.h"

#include <lpd/base/hex.h>

#include "speak.h"
#include "wav.h"

#define TEXT_BYTES 16384

void lp_check_speech(struct lp_job *job, struct lp_denial *d)
{
	if (job->ask.at[LP_ASK_TEXT].text.len > TEXT_BYTES)
		lp_deny(d, 400, "the text is longer than %d bytes", TEXT_BYTES);
}

enum lp_code lp_work_speech(struct lp_job *job)
{
	struct lp_speech_want want = { .text = job->ask.at[LP_ASK_TEXT].text, .stop = &job->stop };
	struct lp_buf wav = { .len = 0 };
	struct lp_sound sound;

	want.manner = lp_speech_read(job->ask.at[LP_ASK_DESCRIPTION].text);
	enum lp_code code = lp_voice_say(job->scope, &sound, job->model->voice, &want, &job->err);

	if (code == LP_OK && sound.n == 0)
		code = lp_fail(&job->err, LP_BAD_REQUEST, "the text has nothing that this voice can say");
	if (code != LP_OK)
		return code;
	lp_wav_write(&wav, &sound);
	lp_buf_add_text(&job->json, "{\"audio\":{\"url\":\"data:audio/wav;base64,");
	lp_b64_write(&job->json, lp_buf_span(&wav));
	lp_buf_add_text(&job->json, "\"}");
	lp_answer_end(job, "");
	lp_buf_clear(&wav);
	return LP_OK;
}
