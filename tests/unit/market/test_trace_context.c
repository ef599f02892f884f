#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/market/trace_context.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"
#define GOOD "00-" TRACE "-" SPAN "-01"

struct world {
	struct lp_scope *scope;
	struct lp_dice dice;
	struct lp_trace_context got;
};

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->scope = lp_scope_open(NULL, "test");
	lp_dice_init(&w->dice, 5);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;

	lp_scope_close(&w->scope);
	free(w);
	return 0;
}

static const struct lp_trace_context *begin(struct world *w, const char *parent, const char *trace_state)
{
	lp_trace_context_begin(w->scope, &w->got, lp_span(parent), lp_span(trace_state), &w->dice);
	return &w->got;
}

static const char *state_of(struct world *w, const char *trace_state)
{
	return lp_strdup(w->scope, begin(w, GOOD, trace_state)->state);
}

static void a_good_parent_is_carried_on_under_a_span_of_our_own(void **state)
{
	struct world *w = *state;
	const struct lp_trace_context *got = begin(w, GOOD, "");
	char next[LP_TRACE_PARENT + 1];

	assert_string_equal(got->trace, TRACE);
	assert_string_equal(got->parent, SPAN);
	assert_true(got->sampled);
	assert_int_equal(strlen(got->span), 16);
	assert_string_not_equal(got->span, SPAN);
	lp_trace_context_parent(got, next);
	assert_int_equal(strlen(next), LP_TRACE_PARENT);
	assert_memory_equal(next, "00-" TRACE "-", 36);
	assert_memory_equal(next + 36, got->span, 16);
	assert_string_equal(next + 52, "-01");
}

static void what_is_said_is_understood_by_the_next(void **state)
{
	struct world *w = *state;
	char next[LP_TRACE_PARENT + 1], span[17];

	begin(w, "", "");
	memcpy(span, w->got.span, sizeof(span));
	lp_trace_context_parent(&w->got, next);
	const char *trace = lp_strdup(w->scope, lp_span(w->got.trace));
	begin(w, next, "");
	assert_string_equal(w->got.trace, trace);
	assert_string_equal(w->got.parent, span);
	assert_string_not_equal(w->got.span, span);
	assert_false(w->got.sampled);
}

static void only_the_bit_that_we_know_is_passed_on(void **state)
{
	struct world *w = *state;

	assert_false(begin(w, "00-" TRACE "-" SPAN "-00", "")->sampled);
	assert_false(begin(w, "00-" TRACE "-" SPAN "-fe", "")->sampled);
	assert_true(begin(w, "00-" TRACE "-" SPAN "-ff", "")->sampled);
}

static void a_later_version_is_read_as_far_as_we_know_it(void **state)
{
	struct world *w = *state;

	assert_string_equal(begin(w, "01-" TRACE "-" SPAN "-01", "")->trace, TRACE);
	assert_string_equal(begin(w, "cc-" TRACE "-" SPAN "-01-what-comes-then", "")->trace, TRACE);
	assert_string_equal(begin(w, "  " GOOD "\t", "")->trace, TRACE);
}

/* W3C Trace Context 3.2.2.3 and 4.3. */
static void a_malformed_parent_begins_a_new_trace(void **state)
{
	static const char *const bad[] = {
		"", "-", "00", "00-" TRACE, "00-" TRACE "-" SPAN, "00-" TRACE "-" SPAN "-", "00-" TRACE "-" SPAN "-1",
		"00-" TRACE "-" SPAN "-001", "00-" TRACE "-" SPAN "-01-", "00-" TRACE "-" SPAN "-01-more",
		"00-" TRACE "-" SPAN "-01 ,", "ff-" TRACE "-" SPAN "-01", "0-" TRACE "-" SPAN "-01",
		"01-" TRACE "-" SPAN "-01x", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
		"00-" TRACE "-00F067AA0BA902B7-01", "00-" TRACE "-" SPAN "-0A",
		"00-00000000000000000000000000000000-" SPAN "-01", "00-" TRACE "-0000000000000000-01",
		"00-" TRACE "0-" SPAN "-01", "00-" SPAN "-" TRACE "-01", "0x-" TRACE "-" SPAN "-01",
		"00_" TRACE "_" SPAN "_01", "00-" TRACE "-" SPAN "-0g",
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const struct lp_trace_context *got = begin(w, bad[i], "a=1");

		assert_string_not_equal(got->trace, TRACE);
		assert_int_equal(strlen(got->trace), 32);
		assert_string_equal(got->parent, "");
		assert_false(got->sampled);
		assert_int_equal(got->state.len, 0);
	}
}

static void the_state_of_others_is_carried_on(void **state)
{
	struct world *w = *state;

	assert_string_equal(state_of(w, "congo=t61rcWkgMzE"), "congo=t61rcWkgMzE");
	assert_string_equal(state_of(w, "a=1,b=2"), "a=1,b=2");
	assert_string_equal(state_of(w, " a=1 ,\t, b=2 3 ,,"), "a=1,b=2 3");
	assert_string_equal(state_of(w, "fw529a3039@dt=FfAAAA/:;'~!"), "fw529a3039@dt=FfAAAA/:;'~!");
	assert_string_equal(state_of(w, "0_-*/z=x"), "0_-*/z=x");
	assert_string_equal(state_of(w, ""), "");
}

static void a_malformed_state_is_dropped_and_the_trace_stays(void **state)
{
	static const char *const bad[] = { "a", "a=", "=1", "A=1", "a=1=2", "a b=1", "a=1,B=2", "@a=1", "_a=1", "a=\x01",
					   "a=\xc3\xa9", "a=1;b\n=2" };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_string_equal(state_of(w, bad[i]), "");
		assert_string_equal(w->got.trace, TRACE);
	}
}

static void a_long_state_keeps_its_first_members_whole(void **state)
{
	struct world *w = *state;
	char value[257], text[900];

	memset(value, 'v', 256);
	value[256] = 0;
	snprintf(text, sizeof(text), "a=%.240s,b=%.240s,c=%.100s,d=1", value, value, value);
	const char *kept = state_of(w, text);
	assert_int_equal(strlen(kept), 242 + 1 + 242);
	assert_true(strlen(kept) <= LP_TRACE_STATE);
	assert_null(strstr(kept, "c="));
	assert_null(strstr(kept, "d="));
	snprintf(text, sizeof(text), "a=%.256s", value);
	assert_int_equal(strlen(state_of(w, text)), 258);
	snprintf(text, sizeof(text), "a=%.256sv", value);
	assert_string_equal(state_of(w, text), "");
}

static void thirty_three_members_are_too_many(void **state)
{
	struct world *w = *state;
	char text[400] = "";

	for (int i = 0; i < 32; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%sa=1", i ? "," : "");
	assert_int_equal(strlen(state_of(w, text)), 32 * 4 - 1);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), ",a=1");
	assert_string_equal(state_of(w, text), "");
}

#define test(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_good_parent_is_carried_on_under_a_span_of_our_own),
		test(what_is_said_is_understood_by_the_next),
		test(only_the_bit_that_we_know_is_passed_on),
		test(a_later_version_is_read_as_far_as_we_know_it),
		test(a_malformed_parent_begins_a_new_trace),
		test(the_state_of_others_is_carried_on),
		test(a_malformed_state_is_dropped_and_the_trace_stays),
		test(a_long_state_keeps_its_first_members_whole),
		test(thirty_three_members_are_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
