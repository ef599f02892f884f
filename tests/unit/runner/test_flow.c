/* The text-to-image model against the numbers that its reference wrote (src/runner/emoji_flow/vectors.json). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "flow_priv.h"

struct fixture {
	struct lp_scope *scope;
	struct lp_flow *flow;
	json_t *vectors;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct lp_err e;

	f->scope = lp_scope_open(NULL, "test");
	assert_int_equal(lp_flow_open(f->scope, &f->flow, lp_flow_weights(), lp_flow_tokens(), &e), LP_OK);
	f->vectors = json_load_file(LP_SOURCE_DIR "/src/runner/emoji_flow/vectors.json", JSON_DECODE_INT_AS_REAL,
				    NULL);
	assert_non_null(f->vectors);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	json_decref(f->vectors);
	lp_scope_close(&f->scope);
	free(f);
	return 0;
}

static void check_row(const json_t *want, const float *got, double tolerance)
{
	size_t i;
	json_t *v;

	assert_true(json_array_size(want) > 0);
	json_array_foreach(want, i, v) {
		if (fabs(json_number_value(v) - (double)got[i]) > tolerance)
			fail_msg("[%zu]: want %f, got %f", i, json_number_value(v), (double)got[i]);
	}
}

static void words_become_the_vector_of_the_reference(void **state)
{
	struct fixture *f = *state;
	size_t i;
	json_t *c;

	json_array_foreach(json_object_get(f->vectors, "cases"), i, c) {
		struct lp_flow_text text;

		lp_flow_read(f->flow, &text, lp_span(json_string_value(json_object_get(c, "prompt"))));
		check_row(json_object_get(c, "text_vector_first8"), text.vector, 1e-5);
		assert_int_equal(text.colour, (int)json_number_value(json_object_get(c, "colour_slot")));
		assert_true(fabs((double)text.known - json_number_value(json_object_get(c, "known_share"))) < 1e-3);
	}
}

static uint64_t seed_of(const json_t *c)
{
	double seed = json_number_value(json_object_get(c, "seed"));

	/* 2^64 - 1 is beyond what jansson's integers hold, so all are read as reals. */
	return seed < 0x1p63 ? (uint64_t)seed : UINT64_MAX;
}

static void noise_is_that_of_the_reference(void **state)
{
	struct fixture *f = *state;
	size_t i;
	json_t *c;

	json_array_foreach(json_object_get(f->vectors, "cases"), i, c) {
		float noise[LP_FLOW_LATENT];
		double sum = 0.0;

		lp_flow_noise(noise, LP_FLOW_LATENT, seed_of(c));
		check_row(json_object_get(c, "noise_first8"), noise, 1e-5);
		for (int k = 0; k < LP_FLOW_LATENT; k++)
			sum += (double)noise[k];
		assert_true(fabs(sum - json_number_value(json_object_get(c, "noise_sum"))) < 1e-3);
	}
}

struct traced {
	const json_t *latents;
	int seen;
};

static void on_step(void *self, int step, const float *latent)
{
	struct traced *t = self;
	size_t i;
	json_t *row;

	json_array_foreach(t->latents, i, row) {
		double rms = 0.0;

		if ((int)json_number_value(json_object_get(row, "after_step")) != step)
			continue;
		check_row(json_object_get(row, "first8"), latent, 1e-3);
		for (int k = 0; k < LP_FLOW_LATENT; k++)
			rms += (double)latent[k] * (double)latent[k];
		rms = sqrt(rms / LP_FLOW_LATENT);
		assert_true(fabs(rms - json_number_value(json_object_get(row, "rms"))) < 1e-3);
		t->seen++;
	}
}

static void check_picture(const json_t *c, const struct lp_image *im)
{
	const char *place;
	json_t *want;
	float mean[4] = { 0 };

	json_object_foreach(json_object_get(c, "pixels"), place, want) {
		char *rest;
		long row = strtol(place, &rest, 10), column = strtol(rest + 1, NULL, 10);

		check_row(want, lp_image_at(im, (int)column, (int)row), 2e-3);
	}
	for (int i = 0; i < im->w * im->h; i++) {
		for (int k = 0; k < 4; k++)
			mean[k] += im->px[4 * i + k] / (float)(im->w * im->h);
	}
	check_row(json_object_get(c, "mean_rgba"), mean, 1e-3);
}

static void pictures_are_those_of_the_reference(void **state)
{
	struct fixture *f = *state;
	size_t i;
	json_t *c;

	json_array_foreach(json_object_get(f->vectors, "cases"), i, c) {
		struct lp_flow_ask ask = { .prompt = lp_span(json_string_value(json_object_get(c, "prompt"))),
					   .seed = seed_of(c) };
		struct traced t = { .latents = json_object_get(c, "latent") };
		struct lp_flow_how how = { .trace = on_step, .self = &t };

		assert_int_equal(lp_flow_draw(f->scope, f->flow, &ask, 1, &how), LP_OK);
		assert_int_equal(t.seen, json_array_size(t.latents));
		check_picture(c, ask.picture);
	}
}

static void a_picture_is_the_same_alone_and_among_others(void **state)
{
	struct fixture *f = *state;
	struct lp_flow_ask alone = { .prompt = LP_SPAN("fox"), .seed = 7 };
	struct lp_flow_ask many[3] = { { .prompt = LP_SPAN("pizza"), .seed = 1 }, { .prompt = LP_SPAN("fox"), .seed = 7 },
				       { .prompt = LP_SPAN("robot"), .seed = 3 } };
	struct lp_flow_how how = { .steps = 8 };

	assert_int_equal(lp_flow_draw(f->scope, f->flow, &alone, 1, &how), LP_OK);
	assert_int_equal(lp_flow_draw(f->scope, f->flow, many, 3, &how), LP_OK);
	assert_memory_equal(alone.picture->px, many[1].picture->px, 96 * 96 * 16);
	assert_true(lp_image_psnr(alone.picture, many[0].picture) < 20.0);
}

static void the_plain_and_the_fast_arithmetic_agree(void **state)
{
	struct fixture *f = *state;
	struct flow_kernels fast = f->flow->run;
	struct lp_flow_ask a = { .prompt = LP_SPAN("blue house"), .seed = 5 }, b = a;
	struct lp_flow_how how = { .steps = 6 };

	assert_int_equal(lp_flow_draw(f->scope, f->flow, &a, 1, &how), LP_OK);
	f->flow->run = flow_kernels_plain();
	assert_int_equal(lp_flow_draw(f->scope, f->flow, &b, 1, &how), LP_OK);
	f->flow->run = fast;
	assert_true(lp_image_psnr(a.picture, b.picture) > 60.0);
}

static void a_stopped_job_ends_between_steps(void **state)
{
	struct fixture *f = *state;
	struct lp_stop stop = { .set = true };
	struct lp_flow_ask ask = { .prompt = LP_SPAN("cat"), .seed = 1 };
	struct lp_flow_how how = { .stop = &stop };

	assert_int_equal(lp_flow_draw(f->scope, f->flow, &ask, 1, &how), LP_GONE);
}

static void prompts_of_any_bytes_are_read(void **state)
{
	struct fixture *f = *state;
	struct lp_flow_text text, empty;
	char wild[4096];

	for (size_t i = 0; i < sizeof wild; i++)
		wild[i] = (char)(i * 131 % 251);
	lp_flow_read(f->flow, &text, lp_span_of(wild, sizeof wild));
	memset(wild, 'x', sizeof wild);
	lp_flow_read(f->flow, &text, lp_span_of(wild, sizeof wild));
	assert_true(isfinite(text.vector[0]));
	lp_flow_read(f->flow, &empty, LP_SPAN(""));
	lp_flow_read(f->flow, &text, LP_SPAN("the of a"));
	assert_memory_equal(text.vector, empty.vector, sizeof text.vector);
	lp_flow_read(f->flow, &text, LP_SPAN("Robot\xe2\x80\x99s"));
	lp_flow_read(f->flow, &empty, LP_SPAN("robots"));
	assert_memory_equal(text.vector, empty.vector, sizeof text.vector);
}

static void damaged_weights_are_refused(void **state)
{
	struct fixture *f = *state;
	struct lp_span good = lp_flow_weights();
	char *copy = malloc(good.len);
	struct lp_flow *flow;
	struct lp_err e;

	memcpy(copy, good.at, good.len);
	for (size_t cut = 0; cut < good.len; cut += good.len / 37)
		assert_int_equal(lp_flow_open(f->scope, &flow, lp_span_of(copy, cut), lp_flow_tokens(), &e), LP_CONFIG);
	assert_int_equal(lp_flow_open(f->scope, &flow, lp_span_of(copy, good.len), LP_SPAN("one\ntwo\n"), &e), LP_CONFIG);
	memcpy(copy + 12 + 20, "\xff\xff\xff\x7f", 4);	/* rows of the first record */
	assert_int_equal(lp_flow_open(f->scope, &flow, lp_span_of(copy, good.len), lp_flow_tokens(), &e), LP_CONFIG);
	assert_null(flow);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_become_the_vector_of_the_reference),
		cmocka_unit_test(noise_is_that_of_the_reference),
		cmocka_unit_test(pictures_are_those_of_the_reference),
		cmocka_unit_test(a_picture_is_the_same_alone_and_among_others),
		cmocka_unit_test(the_plain_and_the_fast_arithmetic_agree),
		cmocka_unit_test(a_stopped_job_ends_between_steps),
		cmocka_unit_test(prompts_of_any_bytes_are_read),
		cmocka_unit_test(damaged_weights_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
