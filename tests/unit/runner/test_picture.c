/* Pictures as files, and what they cost before they are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <lpd/base/random.h>

#include "picture.h"
#include "resize.h"

static struct lp_image *pattern(struct lp_scope *scope, int w, int h, bool clear)
{
	struct lp_image *im = lp_image_new(scope, w, h);

	for (int y = 0; y < h; y++) {
		for (int x = 0; x < w; x++) {
			float *p = lp_image_at(im, x, y), alpha = clear ? (float)(x % 5) / 4.0f : 1.0f;

			p[0] = (float)x / (float)w * alpha;
			p[1] = (float)y / (float)h * alpha;
			p[2] = (float)((x / 8 + y / 8) % 2) * alpha;
			p[3] = alpha;
		}
	}
	return im;
}

static void a_png_comes_back_as_it_was_written(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_buf file = { 0 };
	struct lp_image *back;
	struct lp_err e;

	(void)state;
	for (int clear = 0; clear < 2; clear++) {
		struct lp_image *im = pattern(scope, 67, 41, clear);

		lp_buf_reset(&file);
		lp_picture_write(&file, im);
		assert_int_equal(lp_picture_read(scope, &back, lp_buf_span(&file), 4096, &e), LP_OK);
		assert_int_equal(back->w, 67);
		assert_int_equal(back->h, 41);
		assert_true(lp_image_psnr(im, back) > 50.0);
		for (int i = 0; i < 67 * 41; i++)
			assert_int_equal(lp_byte(im->px[4 * i + 3]), lp_byte(back->px[4 * i + 3]));
	}
	lp_buf_clear(&file);
	lp_scope_close(&scope);
}

static void a_damaged_png_is_refused_wherever_it_ends(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_buf file = { 0 };
	struct lp_image *back;
	struct lp_err e;

	(void)state;
	lp_picture_write(&file, pattern(scope, 32, 32, true));
	struct lp_span whole = lp_buf_span(&file);

	for (size_t cut = 8; cut + 12 < whole.len; cut += 5) {
		enum lp_code code = lp_picture_read(scope, &back, lp_span_of(whole.at, cut), 4096, &e);

		assert_int_equal(code, LP_BAD_REQUEST);
		assert_null(back);
	}
	assert_int_equal(lp_picture_read(scope, &back, LP_SPAN("GIF89a"), 4096, &e), LP_MEDIA_TYPE);
	assert_int_equal(lp_picture_read(scope, &back, LP_SPAN(""), 4096, &e), LP_MEDIA_TYPE);
	lp_buf_clear(&file);
	lp_scope_close(&scope);
}

/* Width and height of a PNG stand at bytes 16..23; its checksum is not looked at before the size. */
static void a_png_that_says_it_is_huge_is_refused_before_it_is_decoded(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_buf file = { 0 };
	struct lp_image *back;
	struct lp_err e;

	(void)state;
	lp_picture_write(&file, pattern(scope, 300, 20, false));
	size_t before = lp_scope_bytes(scope);

	assert_int_equal(lp_picture_read(scope, &back, lp_buf_span(&file), 299, &e), LP_TOO_LARGE);
	assert_true(lp_scope_bytes(scope) - before < 4096);
	memcpy(file.mem + file.off + 16, "\x00\x01\x00\x00\x00\x01\x00\x00", 8);
	assert_int_not_equal(lp_picture_read(scope, &back, lp_buf_span(&file), 4096, &e), LP_OK);
	memcpy(file.mem + file.off + 16, "\x7f\xff\xff\xff\x7f\xff\xff\xff", 8);
	assert_int_not_equal(lp_picture_read(scope, &back, lp_buf_span(&file), 4096, &e), LP_OK);
	assert_true(lp_scope_bytes(scope) - before < 8192);
	lp_buf_clear(&file);
	lp_scope_close(&scope);
}

static struct lp_span jpeg_of(struct lp_scope *scope, const struct lp_image *im, int quality)
{
	struct jpeg_compress_struct c;
	struct jpeg_error_mgr errors;
	unsigned char *mem = NULL;
	unsigned long len = 0;
	JSAMPLE *row = lp_new_array(scope, JSAMPLE, (size_t)im->w * 3);

	c.err = jpeg_std_error(&errors);
	jpeg_create_compress(&c);
	jpeg_mem_dest(&c, &mem, &len);
	c.image_width = (JDIMENSION)im->w;
	c.image_height = (JDIMENSION)im->h;
	c.input_components = 3;
	c.in_color_space = JCS_RGB;
	jpeg_set_defaults(&c);
	jpeg_set_quality(&c, quality, TRUE);
	jpeg_start_compress(&c, TRUE);
	for (int y = 0; y < im->h; y++) {
		for (int i = 0; i < im->w * 3; i++)
			row[i] = lp_byte(lp_image_at(im, i / 3, y)[i % 3]);
		jpeg_write_scanlines(&c, &row, 1);
	}
	jpeg_finish_compress(&c);
	jpeg_destroy_compress(&c);
	struct lp_span file = lp_span_dup(scope, lp_span_of(mem, len));

	free(mem);
	return file;
}

static void a_jpeg_is_read_and_a_cut_one_harms_nobody(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_image *im = lp_image_new(scope, 40, 24), *back;
	struct lp_err e;

	(void)state;
	for (int i = 0; i < 40 * 24; i++) {
		im->px[4 * i] = (float)(i % 40) / 40.0f;
		im->px[4 * i + 1] = (float)(i / 40) / 24.0f;
		im->px[4 * i + 3] = 1.0f;
	}
	struct lp_span file = jpeg_of(scope, im, 95);

	assert_int_equal(lp_picture_read(scope, &back, file, 4096, &e), LP_OK);
	assert_true(lp_image_psnr(im, back) > 30.0);
	assert_int_equal(lp_picture_read(scope, &back, file, 39, &e), LP_TOO_LARGE);
	for (size_t cut = 3; cut < file.len; cut += 7)	/* libjpeg fills in what is missing of the scan: both are fine */
		(void)!lp_picture_read(scope, &back, lp_span_of(file.at, cut), 4096, &e);
	assert_int_equal(lp_picture_read(scope, &back, lp_span_of(file.at, 20), 4096, &e), LP_BAD_REQUEST);
	lp_scope_close(&scope);
}

static void noise_for_a_file_is_refused(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_dice dice;
	char bytes[600];
	struct lp_image *back;
	struct lp_err e;

	(void)state;
	lp_dice_init(&dice, 4);
	for (int round = 0; round < 300; round++) {
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (char)lp_dice_next(&dice);
		memcpy(bytes, round % 2 ? "\x89PNG\r\n\x1a\n" : "\xff\xd8\xff\xe0\0\0\0\0", 8);
		assert_int_not_equal(lp_picture_read(scope, &back, lp_span_of(bytes, sizeof bytes), 4096, &e), LP_OK);
	}
	lp_scope_close(&scope);
}

static void resizing_there_and_back_keeps_the_picture(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_image *im = lp_image_new(scope, 60, 50);

	(void)state;
	for (int y = 0; y < 50; y++) {
		for (int x = 0; x < 60; x++) {
			float *p = lp_image_at(im, x, y);

			p[0] = (float)(x + y) / 110.0f;
			p[1] = (float)x / 60.0f;
			p[2] = (float)y / 50.0f;
			p[3] = 1.0f;
		}
	}
	struct lp_image *large = lp_image_resize(scope, im, 180, 150);
	struct lp_image *back = lp_image_resize(scope, large, 60, 50);

	assert_int_equal(large->w, 180);
	assert_true(lp_image_psnr(im, back) > 35.0);
	assert_true(lp_image_psnr(im, lp_image_resize(scope, im, 60, 50)) > 90.0);
	struct lp_image *dot = lp_image_resize(scope, im, 1, 1);

	assert_true(dot->px[1] > 0.4f && dot->px[1] < 0.6f);
	lp_scope_close(&scope);
}

static void a_picture_laid_half_outside_stays_within(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_image *under = lp_image_new(scope, 10, 10), *over = pattern(scope, 8, 8, false);

	(void)state;
	lp_image_lay(under, over, -4, -4);
	lp_image_lay(under, over, 6, 6);
	lp_image_lay(under, over, 40, 2);
	lp_image_lay(under, over, -40, 2);
	assert_true(lp_image_at(under, 0, 0)[3] > 0.99f);
	assert_true(lp_image_at(under, 5, 5)[3] == 0.0f);
	assert_true(lp_image_at(under, 9, 9)[3] > 0.99f);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_png_comes_back_as_it_was_written),
		cmocka_unit_test(a_damaged_png_is_refused_wherever_it_ends),
		cmocka_unit_test(a_png_that_says_it_is_huge_is_refused_before_it_is_decoded),
		cmocka_unit_test(a_jpeg_is_read_and_a_cut_one_harms_nobody),
		cmocka_unit_test(noise_for_a_file_is_refused),
		cmocka_unit_test(resizing_there_and_back_keeps_the_picture),
		cmocka_unit_test(a_picture_laid_half_outside_stays_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
