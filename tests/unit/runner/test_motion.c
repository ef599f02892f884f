/* Motion without networks: where the camera goes, and what frames show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "motion.h"

static void the_camera_stays_within_the_picture(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		for (int k = 0; k <= 4; k++) {
			struct lp_camera c = lp_camera_draw(seed, (float)k / 4);

			for (int i = 0; i < 2; i++) {
				assert_true(c.zoom[i] >= 1.0f && c.zoom[i] < 1.6f);
				assert_true(fabsf(c.at[i][0]) <= 1.0f && fabsf(c.at[i][1]) <= 1.0f);
			}
			assert_true(fabsf(c.zoom[0] - c.zoom[1]) > 0.01f);
		}
	}
}

static struct lp_image *board(struct lp_scope *scope)
{
	struct lp_image *im = lp_image_new(scope, 90, 70);

	for (int i = 0; i < 90 * 70; i++) {
		for (int c = 0; c < 3; c++)
			im->px[4 * i + c] = (i / 90 / 10 + i % 90 / 10) % 2 ? 0.9f : 0.1f * (float)c;
		im->px[4 * i + 3] = 1.0f;
	}
	return im;
}

static void frames_move_and_the_seed_repeats_them(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_stop stop = { .set = false };
	struct lp_motion_want want = { .picture = board(scope), .w = 128, .h = 64, .amount = 0.5f, .paint = 1.0f, .seed = 3, .stop = &stop };
	struct lp_image *first, *last, *again;
	struct lp_motion *motion, *other;
	struct lp_err e = { .code = LP_OK };

	(void)state;
	assert_int_equal(lp_motion_open(scope, &motion, &want, &e), LP_OK);
	assert_int_equal(lp_motion_frame(scope, &first, motion, 0, &e), LP_OK);
	assert_int_equal(lp_motion_frame(scope, &last, motion, LP_MOTION_FRAMES - 1, &e), LP_OK);
	assert_true(first->w == 128 && first->h == 64);
	for (int i = 0; i < 128 * 64; i++)
		assert_true(first->px[4 * i + 3] > 0.999f);
	assert_true(lp_image_psnr(first, last) < 25.0);
	assert_int_equal(lp_motion_open(scope, &other, &want, &e), LP_OK);
	assert_int_equal(lp_motion_frame(scope, &again, other, LP_MOTION_FRAMES - 1, &e), LP_OK);
	assert_true(lp_image_psnr(last, again) > 98.0);
	atomic_store(&stop.set, true);
	assert_int_equal(lp_motion_frame(scope, &again, motion, 1, &e), LP_GONE);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_camera_stays_within_the_picture),
		cmocka_unit_test(frames_move_and_the_seed_repeats_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
