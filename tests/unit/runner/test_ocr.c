/* Reading a picture of text, when the system has Tesseract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include <lpd/io/file.h>

#include "ocr.h"
#include "picture.h"

static void printed_text_is_read_and_a_plain_picture_has_none(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_stop stop = { .set = false };
	struct lp_reader *reader;
	struct lp_image *im;
	struct lp_read read;
	struct lp_span png;
	struct lp_err e;

	(void)state;
	assert_int_equal(lp_reader_open(scope, &reader, "libtesseract.so.0", &e), LP_UNAVAILABLE);
	if (lp_reader_open(scope, &reader, "libtesseract.so.5", &e) != LP_OK) {
		printf("SKIP: %s (packages libtesseract5, tesseract-ocr-eng)\n", e.words);
		lp_scope_close(&scope);
		skip();
	}
	assert_int_equal(lp_file_read(scope, &png, LP_SOURCE_DIR "/tests/vectors/runner/text.png", 1 << 20, &e), LP_OK);
	assert_int_equal(lp_picture_read(scope, &im, png, 4096, &e), LP_OK);
	struct lp_read_want want = { .reader = reader, .picture = im, .stop = &stop };

	assert_int_equal(lp_reader_read(scope, &read, &want, &e), LP_OK);
	assert_true(lp_span_find(read.text, LP_SPAN("quick brown fox")) >= 0);
	assert_true(lp_span_find(read.text, LP_SPAN("13 lazy dogs")) >= 0);
	want.picture = lp_image_new(scope, 64, 64);
	assert_int_equal(lp_reader_read(scope, &read, &want, &e), LP_OK);
	assert_int_equal(read.text.len, 0);
	atomic_store(&stop.set, true);
	assert_int_equal(lp_reader_read(scope, &read, &want, &e), LP_GONE);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(printed_text_is_read_and_a_plain_picture_has_none) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
