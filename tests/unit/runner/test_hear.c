/* Sound as files, and Whisper over what Flite says when both are there ($LP_DATA_DIR/models, package libflite1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "catalog.h"
#include "mel.h"
#include "models.h"
#include "sounds.h"
#include "wav.h"
#include "whisper.h"

static struct lp_buf wave(unsigned kind, unsigned bits, unsigned channels, const void *data, size_t n)
{
	struct lp_buf b = { .len = 0 };
	uint32_t words[2] = { 16, 16000 }, bytes = (uint32_t)n;
	uint16_t at[2] = { (uint16_t)kind, (uint16_t)channels }, end[2] = { 0, (uint16_t)bits };

	lp_buf_add_text(&b, "RIFF....WAVELIST");
	bytes = 3;
	lp_buf_add(&b, &bytes, 4);
	lp_buf_add(&b, "odd\0", 4);
	lp_buf_add_text(&b, "fmt ");
	lp_buf_add(&b, &words[0], 4);
	lp_buf_add(&b, at, 4);
	lp_buf_add(&b, &words[1], 4);
	lp_buf_add(&b, &words[1], 4);
	lp_buf_add(&b, end, 4);
	lp_buf_add_text(&b, "data");
	bytes = (uint32_t)n;
	lp_buf_add(&b, &bytes, 4);
	lp_buf_add(&b, data, n);
	return b;
}

static void every_coding_of_samples_is_read(void **state)
{
	static const struct {
		unsigned kind, bits;
		const char *data;
		size_t n;
	} rows[] = {
		{ 1, 8, "\xc0\x40", 2 },
		{ 1, 16, "\0\x40\0\xc0", 4 },
		{ 1, 24, "\0\0\x40\0\0\xc0", 6 },
		{ 1, 32, "\0\0\0\x40\0\0\0\xc0", 8 },
		{ 3, 32, "\0\0\0\x3f\0\0\0\xbf", 8 },
	};
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_samples s;
	struct lp_err e;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct lp_buf b = wave(rows[i].kind, rows[i].bits, 1, rows[i].data, rows[i].n), two;

		assert_int_equal(lp_wav_read(scope, &s, lp_buf_span(&b), &e), LP_OK);
		assert_int_equal(s.n, 2);
		assert_true(fabsf(s.at[0] - 0.5f) < 1e-6f && fabsf(s.at[1] + 0.5f) < 1e-6f);
		two = wave(rows[i].kind, rows[i].bits, 2, rows[i].data, rows[i].n);
		assert_int_equal(lp_wav_read(scope, &s, lp_buf_span(&two), &e), LP_OK);
		assert_true(s.n == 1 && fabsf(s.at[0]) < 1e-6f);
		lp_buf_clear(&b);
		lp_buf_clear(&two);
	}
	lp_scope_close(&scope);
}

static void what_is_no_wave_is_refused(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_buf coded = wave(85, 16, 1, "abcd", 4);
	struct lp_samples s;
	struct lp_err e;

	(void)state;
	assert_int_equal(lp_wav_read(scope, &s, LP_SPAN("ID3\4mp3 or so, surely"), &e), LP_MEDIA_TYPE);
	assert_int_equal(lp_wav_read(scope, &s, lp_buf_span(&coded), &e), LP_MEDIA_TYPE);
	assert_int_equal(lp_wav_read(scope, &s, LP_SPAN("RIFF\0\0\0\0WAVE"), &e), LP_BAD_REQUEST);
	assert_int_equal(lp_wav_read(scope, &s, LP_SPAN("RIFF\0\0\0\0WAVEdata\xff\xff\xff\xff" "x"), &e), LP_BAD_REQUEST);
	lp_buf_clear(&coded);
	lp_scope_close(&scope);
}

/* Sun's files are none of ours: they come through libav*, when lpd-sound.so was built. */
static void other_files_are_read_by_the_part_with_libav(void **state)
{
	static const char tone[] = ".snd\0\0\0\x18\xff\xff\xff\xff\0\0\0\3\0\0\x1f\x40\0\0\0\1";
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_stop stop = { .set = false };
	struct lp_sounds *none = lp_sounds_open(scope, "/nonexistent.so"), *part = lp_sounds_open(scope, LP_SOUND_PART);
	struct lp_buf file = { .len = 0 };
	struct lp_samples s;
	struct lp_err e = { .code = LP_OK };

	(void)state;
	lp_buf_add(&file, tone, sizeof tone - 1);
	for (int i = 0; i < 4000; i++)
		lp_buf_add(&file, i % 2 ? "\x20\0" : "\xe0\0", 2);
	struct lp_sounds_want want = { lp_buf_span(&file), &stop };

	assert_false(lp_sounds_all(none));
	assert_int_equal(lp_sounds_read(scope, &s, none, &want, &e), LP_MEDIA_TYPE);
	assert_true(lp_sounds_all(part));
	assert_int_equal(lp_sounds_read(scope, &s, part, &want, &e), LP_OK);
	assert_true(s.n == 4000 && s.rate == 8000 && s.at[1] > 0.24f && s.at[1] < 0.26f && s.at[2] < -0.24f);
	want.file = LP_SPAN("no sound at all, only words that are long enough to be looked at by every demuxer there is");
	assert_int_equal(lp_sounds_read(scope, &s, part, &want, &e), LP_MEDIA_TYPE);
	want.file = lp_buf_span(&file);
	atomic_store(&stop.set, true);
	assert_int_equal(lp_sounds_read(scope, &s, part, &want, &e), LP_GONE);
	lp_buf_clear(&file);
	lp_scope_close(&scope);
}

/* A file of few bytes may hold hours of silence; so this one's samples are brought to a rate that fits. */
static void a_fast_recording_is_thinned_out_while_it_is_read(void **state)
{
	static const char head[] = ".snd\0\0\0\x18\xff\xff\xff\xff\0\0\0\3\0\2\xee\0\0\0\0\1";	/* 192000 */
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_stop stop = { .set = false };
	struct lp_sounds *part = lp_sounds_open(scope, LP_SOUND_PART);
	struct lp_buf file = { .len = 0 };
	struct lp_samples s;
	struct lp_err e = { .code = LP_OK };

	(void)state;
	lp_buf_add(&file, head, sizeof head - 1);
	for (int i = 0; i < 19200; i++)
		lp_buf_add(&file, "\x40\0", 2);
	struct lp_sounds_want want = { lp_buf_span(&file), &stop };

	assert_int_equal(lp_sounds_read(scope, &s, part, &want, &e), LP_OK);
	assert_int_equal(s.rate, 48000);
	assert_int_equal(s.n, 4800);
	assert_true(fabsf(s.at[2400] - 0.5f) < 1e-6f);
	lp_buf_clear(&file);
	lp_scope_close(&scope);
}

static void another_rate_keeps_the_tone(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	float at[4410];
	struct lp_samples from = { at, 4410, 44100 }, to;

	(void)state;
	for (int i = 0; i < 4410; i++)
		at[i] = sinf((float)i * 440.0f * 6.2831853f / 44100.0f);
	lp_resample(scope, &to, &from, 16000);
	assert_int_equal(to.n, 1600);
	for (int i = 100; i < 1500; i++)
		assert_true(fabsf(to.at[i] - sinf((float)i * 440.0f * 6.2831853f / 16000.0f)) < 0.01f);
	lp_scope_close(&scope);
}

/* A tone lies in the bands of its height and nowhere else. */
static void a_tone_is_seen_in_its_band(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	float *tone = lp_new_array(scope, float, LP_MEL_RATE), *mel = lp_new_array(scope, float, LP_MEL_FRAMES * LP_MEL_BANDS);
	int best = 0;

	(void)state;
	for (int i = 0; i < LP_MEL_RATE; i++)
		tone[i] = sinf((float)i * 1000.0f * 6.2831853f / LP_MEL_RATE);
	lp_mel(mel, tone, LP_MEL_RATE);
	for (int b = 1; b < LP_MEL_BANDS; b++)
		best = mel[50 * LP_MEL_BANDS + b] > mel[50 * LP_MEL_BANDS + best] ? b : best;
	assert_true(best >= 24 && best <= 28);	/* 1 kHz is mel 15 of 45, so about a third of 80 */
	assert_true(mel[2000 * LP_MEL_BANDS + best] < mel[50 * LP_MEL_BANDS + best] - 1.5f);
	lp_scope_close(&scope);
}

static enum lp_code open_whisper(struct lp_scope *scope, struct lp_whisper **out, struct lp_err *e)
{
	const struct lp_model_row *row = lp_catalog_find(LP_SPAN("builtin/whisper-tiny.en"));
	const char *folder = lp_models_folder(scope, NULL);
	struct lp_span model, words;
	enum lp_code code = lp_catalog_read(scope, &model, row, folder, e);

	if (code == LP_OK)
		code = lp_catalog_read(scope, &words, lp_catalog_find(lp_span(row->needs[0])), folder, e);
	if (code == LP_OK)
		code = lp_whisper_open(scope, out, model, words, e);
	return code;
}

static void a_spoken_sentence_is_written_down(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_speech_want say = { .text = LP_SPAN("Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."),
				      .manner = { 1, 1 } };
	struct lp_stop stop = { .set = false };
	struct lp_whisper *whisper;
	struct lp_voice *voice;
	struct lp_sound sound;
	struct lp_err e = { .code = LP_OK };

	(void)state;
	if (lp_voice_open(scope, &voice, "libflite_cmu_us_rms.so.1", &e) != LP_OK || open_whisper(scope, &whisper, &e) != LP_OK) {
		printf("SKIP: %s\n", e.words);
		lp_scope_close(&scope);
		skip();
	}
	assert_int_equal(lp_voice_say(scope, &sound, voice, &say, &e), LP_OK);
	struct lp_samples s = { lp_new_array(scope, float, sound.n + 1), sound.n, sound.rate };
	struct lp_hear_want want = { &s, &stop };
	struct lp_transcript t;

	for (size_t i = 0; i < sound.n; i++)
		s.at[i] = (float)sound.at[i] / 32768.0f;
	assert_int_equal(lp_whisper_hear(scope, &t, whisper, &want, &e), LP_OK);
	assert_true(t.n >= 1);
	assert_true(lp_span_find(t.at[0].text, LP_SPAN("ver tried")) >= 0);
	assert_true(lp_span_find(t.at[t.n - 1].text, LP_SPAN("ail better")) >= 0);
	assert_true(t.at[t.n - 1].to > 3.0 && t.at[t.n - 1].to <= (double)s.n / s.rate + 0.01);
	memset(s.at, 0, s.n * sizeof(float));
	assert_int_equal(lp_whisper_hear(scope, &t, whisper, &want, &e), LP_OK);
	assert_true(t.n <= 1);
	atomic_store(&stop.set, true);
	assert_int_equal(lp_whisper_hear(scope, &t, whisper, &want, &e), LP_GONE);
	lp_scope_close(&scope);
}

static void files_that_are_no_model_are_refused_in_words(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_whisper *whisper;
	struct lp_err e;

	(void)state;
	assert_int_equal(lp_whisper_open(scope, &whisper, LP_SPAN("no model"), LP_SPAN("a\nb"), &e), LP_BAD_REQUEST);
	assert_int_equal(lp_whisper_open(scope, &whisper, LP_SPAN("\6\0\0\0\2\0W\0\3\0\0\0\0\0\0\0"), LP_SPAN("a"), &e), LP_CONFIG);
	assert_non_null(strstr(e.words, "not Whisper's"));
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_coding_of_samples_is_read),
		cmocka_unit_test(what_is_no_wave_is_refused),
		cmocka_unit_test(other_files_are_read_by_the_part_with_libav),
		cmocka_unit_test(a_fast_recording_is_thinned_out_while_it_is_read),
		cmocka_unit_test(another_rate_keeps_the_tone),
		cmocka_unit_test(a_tone_is_seen_in_its_band),
		cmocka_unit_test(a_spoken_sentence_is_written_down),
		cmocka_unit_test(files_that_are_no_model_are_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
