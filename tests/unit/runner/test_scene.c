/* What the word tables make of prompts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "scene.h"

static struct lp_scene read_scene(const char *prompt, const char *negative)
{
	struct lp_scene scene;

	lp_scene_read(&scene, lp_span(prompt), lp_span(negative));
	return scene;
}

static void a_thing_and_a_place_are_found(void **state)
{
	struct lp_scene s = read_scene("A cool cat on the Beach", "");

	(void)state;
	assert_int_equal(s.n_things, 1);
	assert_string_equal(s.things[0].draw, "cat face");
	assert_int_equal(s.setting, LP_PLACE_BEACH);
	assert_int_equal(s.hour, LP_HOUR_DAY);
}

static void numbers_and_plurals_count(void **state)
{
	(void)state;
	assert_int_equal(read_scene("three penguins", "").n_things, 3);
	assert_int_equal(read_scene("two wolves", "").n_things, 2);
	assert_int_equal(read_scene("horses", "").n_things, 2);
	assert_int_equal(read_scene("a pair of mice", "").n_things, 2);
	assert_int_equal(read_scene("a house, a dog", "").n_things, 2);
	assert_int_equal(read_scene("ten thousand cats and dogs and birds and fish and cows", "").n_things, LP_SCENE_THINGS);
}

static void a_colour_belongs_to_the_next_thing(void **state)
{
	struct lp_scene s = read_scene("a big red car and a small house", "");

	(void)state;
	assert_int_equal(s.n_things, 2);
	assert_int_equal(s.things[0].colour, LP_COLOUR_RED);
	assert_true(s.things[0].large && !s.things[0].small);
	assert_int_equal(s.things[1].colour, LP_COLOUR_NONE);
	assert_true(s.things[1].small);
	assert_string_equal(read_scene("an orange", "").things[0].draw, "tangerine");
}

static void the_longest_phrase_wins(void **state)
{
	(void)state;
	assert_string_equal(read_scene("hot air balloon", "").things[0].draw, "balloon");
	assert_string_equal(read_scene("polar bears", "").things[0].draw, "polar bear");
	assert_int_equal(read_scene("hot dog", "").n_things, 1);
	assert_int_equal(read_scene("northern lights", "").hour, LP_HOUR_NIGHT);
}

static void the_subject_chooses_a_place_when_none_is_said(void **state)
{
	(void)state;
	assert_int_equal(read_scene("a whale", "").setting, LP_PLACE_UNDERWATER);
	assert_int_equal(read_scene("pizza", "").setting, LP_PLACE_TABLE);
	assert_int_equal(read_scene("camel", "").setting, LP_PLACE_DESERT);
	assert_int_equal(read_scene("rocket", "").setting, LP_PLACE_SPACE);
	assert_int_equal(read_scene("dog", "").setting, LP_PLACE_MEADOW);
}

static void weather_hour_and_manner_are_found(void **state)
{
	struct lp_scene s = read_scene("stormy sea at night, oil painting", "");

	(void)state;
	assert_true(s.weather & LP_SKY_LIGHTNING);
	assert_int_equal(s.hour, LP_HOUR_NIGHT);
	assert_int_equal(s.setting, LP_PLACE_SEA);
	assert_int_equal(s.manner, LP_MANNER_OIL);
	assert_int_equal(read_scene("van gogh house", "").manner, LP_MANNER_IMPASTO);
}

static void what_the_negative_prompt_names_is_left_out(void **state)
{
	struct lp_scene s = read_scene("a cat and a dog in the rain, sketch", "dogs, rain, sketch");

	(void)state;
	assert_int_equal(s.n_things, 1);
	assert_string_equal(s.things[0].draw, "cat face");
	assert_false(s.weather & LP_SKY_RAIN);
	assert_int_equal(s.manner, LP_MANNER_AUTO);
}

static void an_unknown_noun_is_drawn_and_said_to_be_unknown(void **state)
{
	struct lp_scene s = read_scene("a zyzzyva in the garden", "");

	(void)state;
	assert_int_equal(s.n_things, 1);
	assert_string_equal(s.things[0].draw, "zyzzyva");
	assert_int_equal(s.words, 2);
	assert_int_equal(s.understood, 1);
	assert_int_equal(read_scene("a gloomy cat dancing in the rain", "").n_things, 1);
}

static void any_bytes_are_read(void **state)
{
	char wild[3000];
	struct lp_scene s;

	(void)state;
	for (size_t i = 0; i < sizeof wild; i++)
		wild[i] = (char)(i * 7919 % 253);
	lp_scene_read(&s, lp_span_of(wild, sizeof wild), lp_span_of(wild, 100));
	memset(wild, 'a', sizeof wild);
	lp_scene_read(&s, lp_span_of(wild, sizeof wild), LP_SPAN(""));
	lp_scene_read(&s, LP_SPAN(",,,|||...;;"), LP_SPAN(","));
	assert_int_equal(s.n_things, 0);
	lp_scene_read(&s, LP_SPAN(""), LP_SPAN(""));
	assert_int_equal(s.setting, LP_PLACE_MEADOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thing_and_a_place_are_found),
		cmocka_unit_test(numbers_and_plurals_count),
		cmocka_unit_test(a_colour_belongs_to_the_next_thing),
		cmocka_unit_test(the_longest_phrase_wins),
		cmocka_unit_test(the_subject_chooses_a_place_when_none_is_said),
		cmocka_unit_test(weather_hour_and_manner_are_found),
		cmocka_unit_test(what_the_negative_prompt_names_is_left_out),
		cmocka_unit_test(an_unknown_noun_is_drawn_and_said_to_be_unknown),
		cmocka_unit_test(any_bytes_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
