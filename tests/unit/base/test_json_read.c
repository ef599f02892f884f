#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_read.h"

/* What is written as usual is read here, to the same tree. */
static void usual_text_gives_the_tree_that_jansson_makes(void **state)
{
	static const char *const texts[] = {
		"{}", "[]", " [ ] ", "0", "-0", "-17", "123456789012345678", "1.5", "-2.5e3", "1e-7", "true", "false", "null",
		"\"\"", "\"plain\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x8d\x81\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\x7f\"",
		"{\"a\":1,\"b\":[true,null,{\"c\":\"d\"}],\"a\":2}", "\t{\r\n\"k\" : [ 1 , 2.25 , \"\\n\" ] }\n",
		"[[[[[[]]]]]]", "{\"\xc3\xa9\":1}", "{\"\":0}", "1234567890123456789", "9223372036854775807", "-9223372036854775808",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		json_t *ours = lp_json_read(lp_span(texts[i]), 64);
		json_t *theirs = json_loads(texts[i], JSON_DECODE_ANY, NULL);

		if (!ours || !theirs || !json_equal(ours, theirs))
			fail_msg("%s", texts[i]);
		assert_int_equal(json_typeof(ours), json_typeof(theirs));
		json_decref(ours);
		json_decref(theirs);
	}
}

static void what_is_wrong_or_unusual_is_left_to_jansson(void **state)
{
	static const char *const texts[] = {
		"", " ", "{", "}", "[1,]", "[1 2]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "{\"a\":1}x", "01", "-", "1.", ".5", "+1", "1e",
		"1e999", "12345678901234567890", "tru", "truex", "nul", "\"", "\"\\", "\"\\x\"", "\"\\u0041\"", "\"\t\"",
		"\"\xff\"", "\"\xed\xa0\x80\"", "{\"\\n\":1}", "{\"\xff\":1}", "[[1]", "\"a\"\"b\"", "1 2", "--1", "'a'",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (lp_json_read(lp_span(texts[i]), 64))
			fail_msg("%s", texts[i]);
	}
	assert_null(lp_json_read(lp_span_of("3\0", 2), 64));
	assert_null(lp_json_read(lp_span_of("[3\0]", 4), 64));
	assert_null(lp_json_read(lp_span_of("\"\0\"", 3), 64));
}

static void it_goes_as_deep_as_it_is_told(void **state)
{
	json_t *json = lp_json_read(LP_SPAN("[[{\"a\":[]},[]]]"), 4);

	(void)state;
	assert_non_null(json);
	json_decref(json);
	assert_null(lp_json_read(LP_SPAN("[[{\"a\":[]},[]]]"), 3));
}

/* A copy without a byte behind it, so that a sanitizer sees whoever reads further. */
static void it_reads_no_further_than_the_text(void **state)
{
	static const char text[] = "{\"a\":[-12.5,true,\"b\\n\"],\"c\":null}";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *copy = malloc(len ? len : 1);

		memcpy(copy, text, len);
		assert_null(lp_json_read(lp_span_of(copy, len), 64));
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual_text_gives_the_tree_that_jansson_makes),
		cmocka_unit_test(what_is_wrong_or_unusual_is_left_to_jansson),
		cmocka_unit_test(it_goes_as_deep_as_it_is_told),
		cmocka_unit_test(it_reads_no_further_than_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
