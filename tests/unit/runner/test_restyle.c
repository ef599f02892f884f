/* Image to image without a network: the rule's part, and what the network is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "restyle.h"

static struct lp_image *stripes(struct lp_scope *scope, int w, int h)
{
	struct lp_image *im = lp_image_new(scope, w, h);

	for (int i = 0; i < w * h; i++) {
		float *p = im->px + 4 * i;

		p[0] = i % 7 < 3 ? 0.9f : 0.3f;
		p[1] = 0.6f;
		p[2] = (float)(i % w) / (float)w;
		p[3] = 1.0f;
	}
	return im;
}

static double mean(const struct lp_image *im, int channel)
{
	double sum = 0;

	for (int i = 0; i < im->w * im->h; i++)
		sum += (double)im->px[4 * i + channel];
	return sum / (im->w * im->h);
}

static void the_weights_of_every_manner_sum_to_one(void **state)
{
	struct lp_style_want want, other;

	(void)state;
	for (int m = LP_MANNER_AUTO; m <= LP_MANNER_POP; m++) {
		float sum = 0;

		lp_manner_want(&want, (enum lp_manner)m);
		for (int i = 0; i < LP_STYLES; i++)
			sum += want.weights[i];
		assert_true(sum > 0.999f && sum < 1.001f);
	}
	for (uint64_t seed = 0; seed < 500; seed++) {
		float sum = 0;

		lp_style_draw(&want, seed);
		for (int i = 0; i < LP_STYLES; i++)
			sum += want.weights[i];
		assert_true(sum > 0.999f && sum < 1.001f);
	}
	lp_style_draw(&want, 1);
	lp_style_draw(&other, 1);
	assert_memory_equal(&want, &other, sizeof want);
	lp_style_draw(&other, 2);
	assert_memory_not_equal(&want, &other, sizeof want);
}

static void night_is_darker_and_bluer_and_sunset_redder(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_image *day = stripes(scope, 64, 40), *night = lp_image_copy(scope, day), *evening = lp_image_copy(scope, day);

	(void)state;
	lp_grade(night, LP_HOUR_NIGHT, 0, 1.0f);
	assert_true(mean(night, 0) < 0.7 * mean(day, 0));
	assert_true(mean(night, 2) / mean(night, 0) > mean(day, 2) / mean(day, 0));
	lp_grade(evening, LP_HOUR_SUNSET, 0, 1.0f);
	assert_true(mean(evening, 0) / mean(evening, 2) > 1.2 * mean(day, 0) / mean(day, 2));
	lp_scope_close(&scope);
}

static void strength_nought_leaves_the_picture_and_any_size_keeps_its_size(void **state)
{
	static const int sizes[][2] = { { 1, 1 }, { 3, 1200 }, { 65, 33 }, { 1300, 7 } };
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_err e;

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct lp_image *im = stripes(scope, sizes[i][0], sizes[i][1]), *out;
		struct lp_restyle_want want = { .picture = im, .prompt = LP_SPAN("ink at night in the rain"), .strength = 1.0f };

		assert_int_equal(lp_restyle(scope, &out, &want, &e), LP_OK);
		assert_int_equal(out->w, im->w);
		assert_int_equal(out->h, im->h);
	}
	struct lp_image *im = stripes(scope, 32, 32), *same = lp_image_copy(scope, im);

	lp_grade(same, LP_HOUR_NIGHT, LP_SKY_FOG, 0.0f);
	assert_true(lp_image_psnr(im, same) > 90.0);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_weights_of_every_manner_sum_to_one),
		cmocka_unit_test(night_is_darker_and_bluer_and_sunset_redder),
		cmocka_unit_test(strength_nought_leaves_the_picture_and_any_size_keeps_its_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
