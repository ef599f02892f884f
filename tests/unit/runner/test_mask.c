/* Segmentation without its network: the prompt as it comes, and what hangs together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "mask.h"

static enum lp_code read_prompt(struct lp_mask_prompt *to, const char *points, const char *labels, const char *box)
{
	struct lp_mask_text text = { .points = lp_span(points), .labels = lp_span(labels), .box = lp_span(box), .w = 100, .h = 50 };
	struct lp_err e;

	return lp_mask_prompt_read(to, &text, &e);
}

static bool is(float v, double what)
{
	return (double)v > what - 0.001 && (double)v < what + 0.001;
}

static void points_and_boxes_are_brought_into_the_picture(void **state)
{
	struct lp_mask_prompt p;

	(void)state;
	assert_int_equal(read_prompt(&p, "", "", ""), LP_OK);
	assert_true(!p.n_points && !p.has_box);
	assert_int_equal(read_prompt(&p, "[[10, 20.5], [900, -4]]", "[1, 0]", "[5, 6, 700, 40]"), LP_OK);
	assert_int_equal(p.n_points, 2);
	assert_true(p.points[0].in && !p.points[1].in && is(p.points[0].y, 20.5) && is(p.points[1].x, 99) && is(p.points[1].y, 0));
	assert_true(p.has_box && is(p.box[0], 5) && is(p.box[2], 100) && is(p.box[3], 40));
	assert_int_equal(read_prompt(&p, "[[7,8]]", "[1]", "[[1,2,3,4]]"), LP_OK);
	assert_true(p.n_points == 1 && is(p.points[0].x, 7) && is(p.box[3], 4));
	assert_int_equal(read_prompt(&p, "[[[7,8]]]", "[[1]]", ""), LP_OK);
	assert_true(p.n_points == 1 && is(p.points[0].y, 8));
}

static void fractions_are_of_the_sides(void **state)
{
	struct lp_mask_text text = { .points = LP_SPAN("[[0.5,0.5]]"), .labels = LP_SPAN("[1]"), .box = LP_SPAN("[0,0,0.5,1]"),
				     .fractions = true, .w = 100, .h = 50 };
	struct lp_mask_prompt p;
	struct lp_err e;

	(void)state;
	assert_int_equal(lp_mask_prompt_read(&p, &text, &e), LP_OK);
	assert_true(is(p.points[0].x, 50) && is(p.points[0].y, 25) && is(p.box[2], 50) && is(p.box[3], 50));
}

static void what_is_no_prompt_is_refused_with_the_field_s_name(void **state)
{
	static const struct {
		const char *points, *labels, *box, *field;
	} rows[] = {
		{ "x", "", "", "point_coords" },	{ "{}", "", "", "point_coords" },
		{ "[[1,2]]", "", "", "point_labels" },	{ "[[1,2]]", "[1,1]", "", "point_labels" },
		{ "[[1,2]]", "[true]", "", "point_labels" }, { "[[1]]", "[1]", "", "point_coords" },
		{ "[1,2]", "[1,1]", "", "point_coords" }, { "[[1,\"a\"]]", "[1]", "", "point_coords" },
		{ "", "", "[1,2,3]", "box" },		{ "", "", "[9,9,9,20]", "box" },
		{ "", "", "[300,0,400,20]", "box" },	{ "", "", "[1,2,null,4]", "box" },
	};
	struct lp_mask_prompt p;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct lp_mask_text text = { .points = lp_span(rows[i].points), .labels = lp_span(rows[i].labels),
					     .box = lp_span(rows[i].box), .w = 100, .h = 50 };
		struct lp_err e = { .code = LP_OK };

		if (lp_mask_prompt_read(&p, &text, &e) != LP_BAD_REQUEST || !strstr(e.words, rows[i].field))
			fail_msg("row %zu: %s", i, e.words);
	}
}

/* Two squares beside each other on a plane of 20 x 10. */
static void two_squares(float p[200])
{
	for (int i = 0; i < 200; i++) {
		int x = i % 20, y = i / 20;

		p[i] = y >= 2 && y < 8 && ((x >= 2 && x < 8) || (x >= 12 && x < 18)) ? 0.9f : 0.1f;
	}
}

static void a_point_keeps_what_hangs_together_with_it(void **state)
{
	struct lp_mask_prompt prompt = { .points = { { 4, 4, true } }, .n_points = 1 };
	float p[200];

	(void)state;
	two_squares(p);
	assert_true(lp_mask_keep(p, 20, 10, &prompt));
	assert_true(p[4 * 20 + 5] > 0.5f && p[4 * 20 + 14] < 0.5f);
	two_squares(p);
	prompt.points[0].x = 10;
	assert_false(lp_mask_keep(p, 20, 10, &prompt));
	assert_true(p[4 * 20 + 5] > 0.5f && p[4 * 20 + 14] > 0.5f);
}

static void a_point_that_is_out_takes_away_what_is_near_it(void **state)
{
	struct lp_mask_prompt prompt = { .points = { { 3, 4, true }, { 7, 4, false } }, .n_points = 2 };
	float p[200];

	(void)state;
	two_squares(p);
	assert_true(lp_mask_keep(p, 20, 10, &prompt));
	assert_true(p[4 * 20 + 3] > 0.5f && p[4 * 20 + 7] < 0.5f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(points_and_boxes_are_brought_into_the_picture),
		cmocka_unit_test(fractions_are_of_the_sides),
		cmocka_unit_test(what_is_no_prompt_is_refused_with_the_field_s_name),
		cmocka_unit_test(a_point_keeps_what_hangs_together_with_it),
		cmocka_unit_test(a_point_that_is_out_takes_away_what_is_near_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
