#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/scope.h>

/* Each deferred call adds its letter. */
struct trace {
	char text[32];
	size_t len;
};

struct mark {
	struct trace *trace;
	char letter;
};

static void leave(void *arg)
{
	struct mark *mark = arg;

	mark->trace->text[mark->trace->len++] = mark->letter;
}

static struct mark *mark_new(struct lp_scope *scope, struct trace *trace, char letter)
{
	struct mark *mark = lp_new(scope, struct mark);

	*mark = (struct mark){ trace, letter };
	return mark;
}

static void endings_run_newest_first_with_the_children_among_them(void **state)
{
	(void)state;
	struct trace trace = { { 0 }, 0 };
	struct lp_scope *root = lp_scope_open(NULL, "root");

	lp_defer(root, leave, mark_new(root, &trace, 'a'));
	struct lp_scope *child = lp_scope_open(root, "child");
	lp_defer(child, leave, mark_new(child, &trace, 'c'));
	lp_defer(child, leave, mark_new(child, &trace, 'b'));
	lp_defer(root, leave, mark_new(root, &trace, 'd'));
	lp_scope_close(&root);
	assert_null(root);
	assert_string_equal(trace.text, "dbca");
}

static void a_child_that_was_closed_is_not_closed_again(void **state)
{
	(void)state;
	struct trace trace = { { 0 }, 0 };
	struct lp_scope *root = lp_scope_open(NULL, "root");
	struct lp_scope *first = lp_scope_open(root, "first");
	struct lp_scope *second = lp_scope_open(root, "second");

	lp_defer(first, leave, mark_new(first, &trace, '1'));
	lp_defer(second, leave, mark_new(second, &trace, '2'));
	lp_scope_close(&first);
	assert_string_equal(trace.text, "1");
	lp_scope_close(&root);
	assert_string_equal(trace.text, "12");
}

static void an_ending_taken_back_does_not_run_and_its_memory_is_used_again(void **state)
{
	(void)state;
	struct trace trace = { { 0 }, 0 };
	struct lp_scope *root = lp_scope_open(NULL, "root");
	struct mark *a = mark_new(root, &trace, 'a'), *b = mark_new(root, &trace, 'b');

	lp_defer(root, leave, a);
	lp_defer(root, leave, b);
	lp_undefer(root, leave, a);
	size_t before = lp_scope_bytes(root);
	for (int i = 0; i < 10000; i++) {
		lp_defer(root, leave, a);
		lp_undefer(root, leave, a);
	}
	assert_int_equal(lp_scope_bytes(root), before);
	lp_scope_close(&root);
	assert_string_equal(trace.text, "b");
}

static void the_newest_of_equal_endings_is_taken_back(void **state)
{
	(void)state;
	struct trace trace = { { 0 }, 0 };
	struct lp_scope *root = lp_scope_open(NULL, "root");
	struct mark *a = mark_new(root, &trace, 'a'), *b = mark_new(root, &trace, 'b');

	lp_defer(root, leave, a);
	lp_defer(root, leave, b);
	lp_defer(root, leave, a);
	lp_undefer(root, leave, a);
	lp_scope_close(&root);
	assert_string_equal(trace.text, "ba");
}

/* What a job's scope does: the pointer to the scope lives in the scope. */
struct job {
	struct lp_scope *scope;
};

static void a_scope_may_hold_the_pointer_to_itself(void **state)
{
	(void)state;
	struct lp_scope *root = lp_scope_open(NULL, "root");
	struct lp_scope *scope = lp_scope_open(root, "job");
	struct job *job = lp_new(scope, struct job);

	job->scope = scope;
	lp_scope_close(&job->scope);
	lp_scope_close(&root);
}

struct late {
	struct lp_scope *scope;
	struct mark *mark;
};

static void defer_more(void *arg)
{
	struct late *late = arg;

	lp_defer(late->scope, leave, late->mark);
	memset(lp_alloc(late->scope, 100), 1, 100);
}

static void an_ending_may_allocate_and_defer(void **state)
{
	(void)state;
	struct trace trace = { { 0 }, 0 };
	struct lp_scope *root = lp_scope_open(NULL, "root");
	struct late *late = lp_new(root, struct late);

	*late = (struct late){ root, mark_new(root, &trace, 'z') };
	lp_defer(root, defer_more, late);
	lp_scope_close(&root);
	assert_string_equal(trace.text, "z");
}

static void memory_of_every_size_is_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	struct lp_scope *root = lp_scope_open(NULL, "root");
	unsigned char *blocks[400];
	size_t size = 0;

	for (int i = 0; i < 400; i++, size = (size * 7 + 13) % 9001) {
		blocks[i] = lp_alloc(root, size);
		assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(blocks[i][k], 0);
		if (size > 0)
			memset(blocks[i], i & 0xff, size);
	}
	size = 0;
	for (int i = 0; i < 400; i++, size = (size * 7 + 13) % 9001) {
		for (size_t k = 0; k < size; k++)
			assert_int_equal(blocks[i][k], i & 0xff);
	}
	lp_scope_close(&root);
}

static void a_fresh_scope_is_one_small_block(void **state)
{
	(void)state;
	struct lp_scope *root = lp_scope_open(NULL, "root");
	struct lp_scope *child = lp_scope_open(root, "child");
	size_t before = lp_scope_bytes(root);

	assert_true(lp_scope_bytes(child) <= 512);
	lp_scope_close(&child);
	assert_true(lp_scope_bytes(root) < before);
	lp_scope_close(&root);
}

static void copies_end_with_a_zero_byte(void **state)
{
	(void)state;
	struct lp_scope *root = lp_scope_open(NULL, "root");
	char long_text[1000];

	memset(long_text, 'x', sizeof(long_text));
	assert_string_equal(lp_strdup(root, LP_SPAN("abc")), "abc");
	assert_string_equal(lp_strdup(root, (struct lp_span){ NULL, 0 }), "");
	struct lp_span copy = lp_span_dup(root, lp_span_of(long_text, sizeof(long_text)));
	assert_int_equal(copy.len, 1000);
	assert_int_equal(copy.at[1000], 0);
	assert_string_equal(lp_fmt(root, "%d-%s", 7, "x"), "7-x");
	const char *text = lp_fmt(root, "%.*s!", 1000, long_text);
	assert_int_equal(strlen(text), 1001);
	assert_int_equal(text[1000], '!');
	lp_scope_close(&root);
}

static void closing_nothing_is_fine(void **state)
{
	(void)state;
	struct lp_scope *none = NULL;

	lp_scope_close(&none);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endings_run_newest_first_with_the_children_among_them),
		cmocka_unit_test(a_child_that_was_closed_is_not_closed_again),
		cmocka_unit_test(an_ending_taken_back_does_not_run_and_its_memory_is_used_again),
		cmocka_unit_test(the_newest_of_equal_endings_is_taken_back),
		cmocka_unit_test(a_scope_may_hold_the_pointer_to_itself),
		cmocka_unit_test(an_ending_may_allocate_and_defer),
		cmocka_unit_test(memory_of_every_size_is_zeroed_aligned_and_apart),
		cmocka_unit_test(a_fresh_scope_is_one_small_block),
		cmocka_unit_test(copies_end_with_a_zero_byte),
		cmocka_unit_test(closing_nothing_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
