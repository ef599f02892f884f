/* Speech: what is said at once, how, and the file it becomes; the voice itself when the system has Flite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "wav.h"

static void a_text_is_said_sentence_by_sentence(void **state)
{
	struct lp_span rest = LP_SPAN("  One two. Three 3.5 four! Five\n\nsix");

	(void)state;
	assert_true(lp_span_is(lp_speech_piece(&rest), "One two."));
	assert_true(lp_span_is(lp_speech_piece(&rest), "Three 3.5 four!"));
	assert_true(lp_span_is(lp_speech_piece(&rest), "Five\n"));
	assert_true(lp_span_is(lp_speech_piece(&rest), "six"));
	assert_null(lp_speech_piece(&rest).at);
}

static void a_sentence_without_end_is_cut_between_words(void **state)
{
	char long_words[2000] = "", no_blank[2000] = "";
	struct lp_span rest = lp_span_of(long_words, sizeof long_words);
	size_t total = 0, n;

	(void)state;
	for (size_t i = 0; i < sizeof long_words; i++)
		long_words[i] = i % 9 == 8 ? ' ' : 'a';
	while ((n = lp_speech_piece(&rest).len)) {
		assert_true(n <= 400 && (n % 9 == 8 || !rest.len));
		total++;
	}
	assert_true(total >= 5);
	memset(no_blank, 'b', sizeof no_blank);
	rest = lp_span_of(no_blank, sizeof no_blank);
	assert_int_equal(lp_speech_piece(&rest).len, 400);
}

static void a_description_sets_pace_and_pitch(void **state)
{
	struct lp_manner_of_speech plain = lp_speech_read(LP_SPAN("a woman"));
	struct lp_manner_of_speech m = lp_speech_read(LP_SPAN("A DEEP voice that speaks slowly"));

	(void)state;
	assert_true(plain.pace >= 1.0f && plain.pace <= 1.0f && plain.pitch >= 1.0f && plain.pitch <= 1.0f);
	assert_true(m.pace < 1.0f && m.pitch < 1.0f);
	assert_true(lp_speech_read(LP_SPAN("very slow")).pace < m.pace);
	assert_true(lp_speech_read(LP_SPAN("fast and high-pitched")).pitch > 1.0f);
}

static void a_wave_file_says_its_own_lengths(void **state)
{
	int16_t at[3] = { 1, -2, 300 };
	struct lp_sound sound = { .rate = 16000, .at = at, .n = 3 };
	struct lp_buf wav = { .len = 0 };

	(void)state;
	lp_wav_write(&wav, &sound);
	struct lp_span file = lp_buf_span(&wav);

	assert_int_equal(file.len, 44 + 6);
	assert_memory_equal(file.at, "RIFF\x2a\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0data\6\0\0\0", 44);
	assert_memory_equal(file.at + 44, "\1\0\xfe\xff\x2c\1", 6);
	lp_buf_clear(&wav);
}

static void the_voice_says_more_in_more_time_and_stops_when_told(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_stop stop = { .set = false };
	struct lp_speech_want want = { .text = LP_SPAN("Hello. This is a test."), .manner = { 1, 1 }, .stop = &stop };
	struct lp_sound plain, slow, again;
	struct lp_voice *voice;
	struct lp_err e;

	(void)state;
	assert_int_equal(lp_voice_open(scope, &voice, "libflite_cmu_us_nobody.so.1", &e), LP_UNAVAILABLE);
	if (lp_voice_open(scope, &voice, "libflite_cmu_us_slt.so.1", &e) != LP_OK) {
		printf("SKIP: %s (package libflite1)\n", e.words);
		lp_scope_close(&scope);
		skip();
	}
	assert_int_equal(lp_voice_say(scope, &plain, voice, &want, &e), LP_OK);
	assert_true(plain.n > (size_t)plain.rate);
	want.manner.pace = 0.5f;
	assert_int_equal(lp_voice_say(scope, &slow, voice, &want, &e), LP_OK);
	assert_true(slow.n > plain.n * 3 / 2);
	want.manner.pace = 1.0f;
	assert_int_equal(lp_voice_say(scope, &again, voice, &want, &e), LP_OK);
	assert_int_equal(again.n, plain.n);
	assert_memory_equal(again.at, plain.at, plain.n * 2);
	want.text = LP_SPAN("\xf0\x9f\x98\x80 ... --");
	assert_int_equal(lp_voice_say(scope, &again, voice, &want, &e), LP_OK);
	assert_int_equal(again.n, 0);
	atomic_store(&stop.set, true);
	assert_int_equal(lp_voice_say(scope, &again, voice, &want, &e), LP_GONE);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_said_sentence_by_sentence),
		cmocka_unit_test(a_sentence_without_end_is_cut_between_words),
		cmocka_unit_test(a_description_sets_pace_and_pitch),
		cmocka_unit_test(a_wave_file_says_its_own_lengths),
		cmocka_unit_test(the_voice_says_more_in_more_time_and_stops_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
