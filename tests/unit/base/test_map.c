#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include <lpd/base/map.h>
#include <lpd/base/random.h>

static int values[4096];

static struct lp_span key_for(int i, char text[16])
{
	snprintf(text, 16, "k%d", i);
	return lp_span(text);
}

static void what_was_put_is_found_until_it_is_taken(void **state)
{
	(void)state;
	struct lp_map *map = lp_map_new();
	char text[16];

	assert_null(lp_map_find(map, LP_SPAN("x")));
	assert_null(lp_map_take(map, LP_SPAN("x")));
	for (int i = 0; i < 1000; i++)
		assert_null(lp_map_put(map, key_for(i, text), &values[i]));
	assert_int_equal(lp_map_count(map), 1000);
	for (int i = 0; i < 1000; i++)
		assert_ptr_equal(lp_map_find(map, key_for(i, text)), &values[i]);
	for (int i = 0; i < 1000; i += 2)
		assert_ptr_equal(lp_map_take(map, key_for(i, text)), &values[i]);
	for (int i = 0; i < 1000; i++)
		assert_ptr_equal(lp_map_find(map, key_for(i, text)), i % 2 ? &values[i] : NULL);
	assert_int_equal(lp_map_count(map), 500);
	lp_map_free(&map);
	assert_null(map);
	lp_map_free(&map);
}

static void putting_again_returns_what_stood_there(void **state)
{
	(void)state;
	struct lp_map *map = lp_map_new();

	lp_map_put(map, LP_SPAN("k"), &values[1]);
	assert_ptr_equal(lp_map_put(map, LP_SPAN("k"), &values[2]), &values[1]);
	assert_int_equal(lp_map_count(map), 1);
	assert_ptr_equal(lp_map_find(map, LP_SPAN("k")), &values[2]);
	lp_map_free(&map);
}

static void keys_are_bytes_and_may_be_empty(void **state)
{
	(void)state;
	struct lp_map *map = lp_map_new();

	lp_map_put(map, lp_span_of("a\0b", 3), &values[1]);
	lp_map_put(map, lp_span_of("a\0c", 3), &values[2]);
	lp_map_put(map, (struct lp_span){ NULL, 0 }, &values[3]);
	assert_ptr_equal(lp_map_find(map, lp_span_of("a\0c", 3)), &values[2]);
	assert_ptr_equal(lp_map_find(map, LP_SPAN("")), &values[3]);
	assert_null(lp_map_find(map, LP_SPAN("a")));
	lp_map_free(&map);
}

static void walking_follows_the_order_of_insertion_and_bears_removal(void **state)
{
	(void)state;
	struct lp_map *map = lp_map_new();
	char text[16];
	struct lp_span key;
	void *value;
	size_t at = 0;
	int expected = 0;

	for (int i = 0; i < 100; i++)
		lp_map_put(map, key_for(i, text), &values[i]);
	while (lp_map_next(map, &at, &key, &value)) {
		assert_ptr_equal(value, &values[expected]);
		if (expected++ % 3 == 0)
			assert_ptr_equal(lp_map_take(map, key), value);
	}
	assert_int_equal(expected, 100);
	lp_map_put(map, LP_SPAN("last"), &values[200]);
	expected = 0;
	at = 0;
	while (lp_map_next(map, &at, &key, &value)) {
		expected += expected % 3 == 0;
		assert_ptr_equal(value, expected < 100 ? &values[expected] : &values[200]);
		expected++;
	}
	assert_int_equal(lp_map_count(map), 67);
	lp_map_free(&map);
}

/* Against a plain array, with rows coming and going, as a table of connections would see. */
static int freed;

static void count_freed(void *value)
{
	freed += *(int *)value;
}

static void it_is_freed_with_its_values(void **state)
{
	struct lp_map *map = lp_map_new();
	int one = 1, two = 2;

	(void)state;
	lp_map_put(map, LP_SPAN("a"), &one);
	lp_map_put(map, LP_SPAN("b"), &two);
	lp_map_free_all(&map, count_freed);
	assert_int_equal(freed, 3);
	assert_null(map);
	lp_map_free_all(&map, count_freed);	/* there is none: fine */
	assert_int_equal(freed, 3);
}

static void a_long_life_of_random_changes_keeps_it_right(void **state)
{
	(void)state;
	struct lp_map *map = lp_map_new();
	static bool there[256];
	struct lp_dice dice;
	size_t count = 0;
	char text[16];

	lp_dice_init(&dice, 42);
	for (int round = 0; round < 100000; round++) {
		int i = (int)lp_dice_below(&dice, 256);
		if (there[i]) {
			assert_ptr_equal(lp_map_take(map, key_for(i, text)), &values[i]);
			count--;
		} else {
			assert_null(lp_map_find(map, key_for(i, text)));
			assert_null(lp_map_put(map, key_for(i, text), &values[i]));
			count++;
		}
		there[i] = !there[i];
		assert_int_equal(lp_map_count(map), count);
	}
	for (int i = 0; i < 256; i++)
		assert_ptr_equal(lp_map_find(map, key_for(i, text)), there[i] ? &values[i] : NULL);
	lp_map_free(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_found_until_it_is_taken),
		cmocka_unit_test(putting_again_returns_what_stood_there),
		cmocka_unit_test(keys_are_bytes_and_may_be_empty),
		cmocka_unit_test(walking_follows_the_order_of_insertion_and_bears_removal),
		cmocka_unit_test(it_is_freed_with_its_values),
		cmocka_unit_test(a_long_life_of_random_changes_keeps_it_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
