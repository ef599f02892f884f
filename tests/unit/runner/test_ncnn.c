/* Converting networks: what is known is converted, everything else is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "ncnn.h"

/* A 1 x 1 convolution of three channels into twelve, shuffled to twice the sides. */
static const char small[] = "7767517\n4 4\n"
			    "Input  in  0 1 data\n"
			    "Convolution conv 1 1 data mid 0=12 1=1 5=1 6=36 9=2 -23310=1,2.0e-01\n"
			    "Swish s 1 1 mid act\n"
			    "PixelShuffle up 1 1 act output 0=2\n";

static struct lp_span weights(void)
{
	static char bin[4 + 36 * 2 + 12 * 4];

	memcpy(bin, "\x47\x6b\x30\x01", 4);		/* the tag of half precision */
	for (int i = 0; i < 36; i++)
		memcpy(bin + 4 + 2 * i, "\x00\x3c", 2);	/* 1.0 */
	return lp_span_of(bin, sizeof bin);
}

static enum lp_code convert(const char *param, struct lp_span bin, struct lp_buf *to, struct lp_err *e)
{
	lp_buf_reset(to);
	return lp_ncnn_to_onnx(to, lp_span(param), bin, e);
}

static bool has(struct lp_buf *model, const char *text)
{
	return lp_span_find(lp_buf_span(model), lp_span(text)) >= 0;
}

static void a_small_network_is_converted(void **state)
{
	struct lp_buf model = { 0 };
	struct lp_err e;

	(void)state;
	assert_int_equal(convert(small, weights(), &model, &e), LP_OK);
	assert_true(has(&model, "Conv") && has(&model, "LeakyRelu") && has(&model, "DepthToSpace"));
	assert_true(lp_span_find(lp_buf_span(&model), lp_span_of("\x00\x00\x80\x3f", 4)) >= 0);	/* 1.0 as a float */
	lp_buf_clear(&model);
}

static void weights_of_another_length_are_refused(void **state)
{
	struct lp_buf model = { 0 };
	struct lp_err e;
	struct lp_span bin = weights();

	(void)state;
	for (size_t cut = 0; cut < bin.len; cut++) {
		assert_int_equal(convert(small, lp_span_of(bin.at, cut), &model, &e), LP_BAD_REQUEST);
		assert_int_equal(model.len, 0);
	}
	char longer[200] = { 0 };

	memcpy(longer, bin.at, bin.len);
	assert_int_equal(convert(small, lp_span_of(longer, bin.len + 4), &model, &e), LP_BAD_REQUEST);
	lp_buf_clear(&model);
}

static void what_is_not_known_is_refused_and_named(void **state)
{
	static const char *const params[] = {
		"",
		"7767516\n1 1\nInput in 0 1 data\n",
		"7767517\n1 1\nInput in 0 1 picture\n",
		"7767517\n2 2\nInput in 0 1 data\nSoftmax s 1 1 data output 0=1\n",
		"7767517\n2 2\nInput in 0 1 data\nConvolution c 1 1 data output 0=1 1=1 3=2 6=3\n",
		"7767517\n2 2\nInput in 0 1 data\nConvolution c 1 1 data output 0=0 1=0 6=0\n",
		"7767517\n2 2\nInput in 0 1 data\nConvolution c 1 1 data output 0=1 1=1 6=99999999\n",
		"7767517\n2 2\nInput in 0 1 data\nSplit s 1 99999 data output\n",
		"7767517\n2 2\nInput in 0 1 data\nSplit s 1 2 data output\n",
		"7767517\n2 2\nInput in 0 1 data\nMemoryData m 0 1 output 0=4096 1=4096 2=4096\n",
		"7767517\n2 2\nInput in 0 1 data\nBinaryOp b 1 1 data output 0=9 1=1 2=1\n",
		"7767517\n2 2\nInput in 0 1 data\nPixelShuffle p 1 1 data output 0=1e30\n",
		"7767517\n2 2\nInput in 0 1 data\nSwish p 1 1 data other\n",
		"7767517\n2 2\nInput in 0 1 data\nEltwise p 2 1 data data output 0=1 -23301=9,1,1\n",
	};
	struct lp_buf model = { 0 };
	struct lp_err e;

	(void)state;
	for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
		e.words[0] = '\0';
		assert_int_equal(convert(params[i], LP_SPAN(""), &model, &e), LP_BAD_REQUEST);
		assert_int_equal(model.len, 0);
		assert_non_null(strstr(e.words, "layer"));
	}
	lp_buf_clear(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_network_is_converted),
		cmocka_unit_test(weights_of_another_length_are_refused),
		cmocka_unit_test(what_is_not_known_is_refused_and_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
