/* The pipelines: the same seed gives the same picture, with and without fetched models.
 *
 * What needs fetched models is skipped, with the reason, when they are not in $LP_DATA_DIR/models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/io/file.h>

#include "models.h"
#include "picture.h"
#include "resize.h"
#include "studio.h"

#define VECTORS LP_SOURCE_DIR "/tests/vectors/runner/"

struct fixture {
	struct lp_scope *scope;
	struct lp_studio *bare, *full;	/* without and with what was fetched */
	char why[200];			/* full is not whole: why */
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	const struct lp_offer *offers;
	struct lp_err e;

	f->scope = lp_scope_open(NULL, "test");
	assert_int_equal(lp_studio_open(f->scope, &f->bare, "/nonexistent/models", NULL, &e), LP_OK);
	assert_int_equal(lp_studio_open(f->scope, &f->full, lp_models_folder(f->scope, NULL), NULL, &e), LP_OK);
	int n = lp_studio_offers(f->full, &offers);

	for (int i = 0; i < n; i++) {
		if (offers[i].ready && offers[i].fallback)
			snprintf(f->why, sizeof f->why, "%s", offers[i].why);
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	lp_scope_close(&f->scope);
	free(f);
	return 0;
}

static void need_models(struct fixture *f)
{
	if (!f->why[0])
		return;
	fprintf(stderr, "skipped: %s\n", f->why);
	skip();
}

static struct lp_made sketch(struct fixture *f, const struct lp_studio *studio, const char *prompt, uint64_t seed)
{
	struct lp_sketch_want want = { .prompt = lp_span(prompt), .w = 128, .h = 96, .seed = seed, .steps = 8 };
	struct lp_made made;
	struct lp_err e;

	assert_int_equal(lp_studio_sketch(f->scope, &made, studio, &want, &e), LP_OK);
	assert_int_equal(made.picture->w, 128);
	assert_int_equal(made.picture->h, 96);
	return made;
}

/* Against a picture in tests/vectors; LPD_WRITE_VECTORS writes it anew. */
static void check_vector(struct fixture *f, const struct lp_image *im, const char *name, double least)
{
	const char *path = lp_fmt(f->scope, VECTORS "%s", name);
	struct lp_image *want;
	struct lp_span file;
	struct lp_err e;

	if (getenv("LPD_WRITE_VECTORS")) {
		struct lp_buf out = { 0 };

		lp_picture_write(&out, im);
		assert_int_equal(lp_file_write(path, lp_buf_span(&out), 0644, &e), LP_OK);
		lp_buf_clear(&out);
	}
	assert_int_equal(lp_file_read(f->scope, &file, path, 1 << 20, &e), LP_OK);
	assert_int_equal(lp_picture_read(f->scope, &want, file, 4096, &e), LP_OK);
	double is = lp_image_psnr(im, want);

	if (is < least)
		fail_msg("%s: %.1f dB, at least %.1f are wanted", name, is, least);
}

static void the_same_seed_gives_the_same_picture(void **state)
{
	struct fixture *f = *state;
	struct lp_made a = sketch(f, f->bare, "a fox in the forest", 5), b = sketch(f, f->bare, "a fox in the forest", 5);
	struct lp_made c = sketch(f, f->bare, "a fox in the forest", 6);

	assert_memory_equal(a.picture->px, b.picture->px, 128 * 96 * 16);
	assert_true(lp_image_psnr(a.picture, c.picture) < 30.0);
	check_vector(f, a.picture, "fox-bare.png", 35.0);
}

static void without_models_it_says_what_stands_in(void **state)
{
	struct fixture *f = *state;
	const struct lp_offer *offers;
	int n = lp_studio_offers(f->bare, &offers);

	assert_true(n >= 3);
	for (int i = 0; i < n; i++) {
		if (offers[i].row->form == LP_FORM_SYSTEM)
			continue;
		assert_true(offers[i].fallback || !offers[i].ready);
		assert_non_null(strstr(offers[i].why, "fetch"));
	}
	assert_non_null(strstr(sketch(f, f->bare, "a cat", 1).warning, "by rule"));
	assert_non_null(strstr(sketch(f, f->bare, "glorp flimb", 1).warning, "unknown"));
}

static void every_manner_and_place_can_be_painted_without_models(void **state)
{
	static const char *const prompts[] = {
		"beach, oil painting", "stormy sea, watercolor", "lake in autumn, sketch", "city at night, ink",
		"desert, mosaic", "snow, cubist", "space, pop art", "a fish, van gogh", "a chair, pastel", "an apple",
		"an airplane in the sky", "astronaut on the moon", "fireworks", "foggy forest", "aurora", "rainbow",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof prompts / sizeof prompts[0]; i++) {
		struct lp_made made = sketch(f, f->bare, prompts[i], i);

		for (int k = 0; k < 128 * 96; k++)
			assert_true(made.picture->px[4 * k + 3] > 0.99f && made.picture->px[4 * k] >= 0.0f &&
				    made.picture->px[4 * k] <= 1.0f);
	}
}

static void every_size_comes_out_as_it_was_asked(void **state)
{
	static const int sizes[][2] = { { 64, 64 }, { 64, 512 }, { 333, 77 }, { 1200, 300 }, { 1024, 64 } };
	struct fixture *f = *state;
	struct lp_err e;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct lp_scope *scope = lp_scope_open(f->scope, "size");
		struct lp_sketch_want want = { .prompt = LP_SPAN("a dog and a bird"), .w = sizes[i][0], .h = sizes[i][1], .steps = 4 };
		struct lp_made made;

		assert_int_equal(lp_studio_sketch(scope, &made, f->bare, &want, &e), LP_OK);
		assert_int_equal(made.picture->w, sizes[i][0]);
		assert_int_equal(made.picture->h, sizes[i][1]);
		lp_scope_close(&scope);
	}
}

static void a_stopped_sketch_ends(void **state)
{
	struct fixture *f = *state;
	struct lp_stop stop = { .set = true };
	struct lp_sketch_want want = { .prompt = LP_SPAN("cat"), .w = 64, .h = 64, .stop = &stop };
	struct lp_made made;
	struct lp_err e = { .code = LP_OK };

	assert_int_equal(lp_studio_sketch(f->scope, &made, f->bare, &want, &e), LP_GONE);
}

static struct lp_image *photo(struct fixture *f)
{
	return lp_image_resize(f->scope, sketch(f, f->bare, "a house in the mountains", 3).picture, 64, 64);
}

static void upscaling_gives_the_factor_with_and_without_models(void **state)
{
	struct fixture *f = *state;
	struct lp_image *small = photo(f);
	struct lp_made made;
	struct lp_err e;

	for (int full = 0; full < 2; full++) {
		const struct lp_studio *studio = full ? f->full : f->bare;
		struct lp_upscale_want want = { .model = lp_studio_find(studio, LP_SPAN("builtin/span-x4")), .picture = small };

		assert_int_equal(lp_studio_upscale(f->scope, &made, &want, &e), LP_OK);
		assert_int_equal(made.picture->w, 256);
		assert_true(lp_image_psnr(lp_image_resize(f->scope, made.picture, 64, 64), small) > 25.0);
	}
}

static void a_picture_too_large_to_enlarge_is_refused(void **state)
{
	struct fixture *f = *state;
	struct lp_upscale_want want = { .model = lp_studio_find(f->bare, LP_SPAN("builtin/span-x4")),
					.picture = lp_image_new(f->scope, LP_UPSCALE_SIDE + 1, 8) };
	struct lp_made made;
	struct lp_err e;

	assert_int_equal(lp_studio_upscale(f->scope, &made, &want, &e), LP_TOO_LARGE);
}

/* Networks whose steps several threads share, and the motif enlarged by one, against those of one thread. */
static void a_picture_that_several_threads_painted_is_the_same_to_the_bit(void **state)
{
	struct fixture *f = *state;
	struct lp_studio *shared;
	struct lp_err e;

	need_models(f);
	assert_int_equal(lp_studio_open(f->scope, &shared, lp_models_folder(f->scope, NULL), lp_crew_open(f->scope, 3), &e), LP_OK);
	struct lp_made a = sketch(f, f->full, "a fox in the forest, oil painting", 5);
	struct lp_made b = sketch(f, shared, "a fox in the forest, oil painting", 5);

	assert_memory_equal(a.picture->px, b.picture->px, 128 * 96 * 16);
	struct lp_upscale_want want = { .model = lp_studio_find(f->full, LP_SPAN("builtin/span-x2")), .picture = a.picture };
	struct lp_made c, d;

	assert_int_equal(lp_studio_upscale(f->scope, &c, &want, &e), LP_OK);
	want.model = lp_studio_find(shared, LP_SPAN("builtin/span-x2"));
	assert_int_equal(lp_studio_upscale(f->scope, &d, &want, &e), LP_OK);
	assert_memory_equal(c.picture->px, d.picture->px, 256 * 192 * 16);
}

static void the_networks_paint_and_enlarge_as_before(void **state)
{
	struct fixture *f = *state;
	struct lp_made made;
	struct lp_err e;

	need_models(f);
	struct lp_upscale_want want = { .model = lp_studio_find(f->full, LP_SPAN("builtin/span-x2")), .picture = photo(f) };

	check_vector(f, sketch(f, f->full, "a castle at sunset, van gogh", 11).picture, "castle-full.png", 35.0);
	assert_int_equal(lp_studio_upscale(f->scope, &made, &want, &e), LP_OK);
	check_vector(f, made.picture, "house-span-x2.png", 35.0);
}

/* Tiles meet without a seam: one network over a picture of several tiles, and over a part of it alone. */
static void tiles_meet_without_a_seam(void **state)
{
	struct fixture *f = *state;
	struct lp_made whole, part;
	struct lp_err e;

	need_models(f);
	struct lp_image *large = lp_image_resize(f->scope, photo(f), 300, 40);
	struct lp_image *cut = lp_image_crop(f->scope, large, (int[]){ 150, 0, 300, 40 });
	struct lp_upscale_want want = { .model = lp_studio_find(f->full, LP_SPAN("builtin/span-x2")), .picture = large };

	assert_int_equal(lp_studio_upscale(f->scope, &whole, &want, &e), LP_OK);
	want.picture = cut;
	assert_int_equal(lp_studio_upscale(f->scope, &part, &want, &e), LP_OK);
	struct lp_image *a = lp_image_crop(f->scope, whole.picture, (int[]){ 400, 0, 600, 80 });
	struct lp_image *b = lp_image_crop(f->scope, part.picture, (int[]){ 100, 0, 300, 80 });

	assert_true(lp_image_psnr(a, b) > 40.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_picture),
		cmocka_unit_test(without_models_it_says_what_stands_in),
		cmocka_unit_test(every_manner_and_place_can_be_painted_without_models),
		cmocka_unit_test(every_size_comes_out_as_it_was_asked),
		cmocka_unit_test(a_stopped_sketch_ends),
		cmocka_unit_test(upscaling_gives_the_factor_with_and_without_models),
		cmocka_unit_test(a_picture_too_large_to_enlarge_is_refused),
		cmocka_unit_test(a_picture_that_several_threads_painted_is_the_same_to_the_bit),
		cmocka_unit_test(the_networks_paint_and_enlarge_as_before),
		cmocka_unit_test(tiles_meet_without_a_seam),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
