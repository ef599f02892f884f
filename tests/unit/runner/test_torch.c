/* PyTorch's old file: names out of its pickles, numbers after them; and the network that is built of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <lpd/base/buf.h>

#include "efficientnet.h"
#include "torch.h"

static void add_text(struct lp_buf *to, const char *text)
{
	uint32_t n = (uint32_t)strlen(text);

	lp_buf_add_char(to, 'X');
	lp_buf_add(to, &n, 4);
	lp_buf_add_text(to, text);
}

/* Two tensors: "w" of two floats under key 12, "n" of one whole number under key 7, whose numbers come first. */
static struct lp_buf tiny(void)
{
	static const float w[2] = { 1.5f, -2.0f };
	struct lp_buf b = { .len = 0 };
	uint64_t n = 1, whole = 99;

	for (int i = 0; i < 3; i++)
		lp_buf_add(&b, "\x80\2K\1.", 5);
	lp_buf_add(&b, "\x80\2}q\0(", 6);
	add_text(&b, "w");
	lp_buf_add_text(&b, "ctorch._utils\n_rebuild_tensor_v2\nq\1((");
	add_text(&b, "storage");
	lp_buf_add_text(&b, "ctorch\nFloatStorage\nq\2");
	add_text(&b, "12");
	add_text(&b, "cpu");
	lp_buf_add_text(&b, "K\2NtQK");
	lp_buf_add(&b, "\0K\2\x85K\1\x85\x89R", 9);
	add_text(&b, "n");
	lp_buf_add_text(&b, "h\1((ctorch\nLongStorage\nq\3");
	add_text(&b, "7");
	lp_buf_add_text(&b, "tQRu.");
	lp_buf_add(&b, "\x80\2](", 4);
	add_text(&b, "7");
	add_text(&b, "12");
	lp_buf_add_text(&b, "e.");
	lp_buf_add(&b, &n, 8);
	lp_buf_add(&b, &whole, 8);
	n = 2;
	lp_buf_add(&b, &n, 8);
	lp_buf_add(&b, w, sizeof w);
	return b;
}

static void tensors_are_found_by_name(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_torch *torch = lp_new(scope, struct lp_torch);
	struct lp_buf b = tiny();
	struct lp_err e;

	(void)state;
	assert_int_equal(lp_torch_read(torch, lp_buf_span(&b), &e), LP_OK);
	assert_int_equal(torch->n, 2);
	const float *w = lp_torch_floats(scope, torch, "w", 2);

	assert_non_null(w);
	assert_true(w[0] > 1.4f && w[1] < -1.9f);
	assert_null(lp_torch_floats(scope, torch, "w", 3));
	assert_null(lp_torch_floats(scope, torch, "n", 2));
	assert_null(lp_torch_floats(scope, torch, "v", 2));
	lp_buf_clear(&b);
	lp_scope_close(&scope);
}

static void a_file_cut_short_anywhere_is_refused(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_torch *torch = lp_new(scope, struct lp_torch);
	struct lp_buf b = tiny(), model = { .len = 0 };
	struct lp_err e;

	(void)state;
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(lp_torch_read(torch, lp_span_of(lp_buf_span(&b).at, n), &e), LP_BAD_REQUEST);
	assert_int_equal(lp_efficientnet_to_onnx(&model, lp_buf_span(&b), &e), LP_BAD_REQUEST);
	assert_non_null(strstr(e.words, "_conv_stem.weight"));
	assert_int_equal(model.len, 0);
	lp_buf_clear(&b);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tensors_are_found_by_name),
		cmocka_unit_test(a_file_cut_short_anywhere_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
