/* The language model: its file, its choice of words, and a conversation when it is fetched ($LP_DATA_DIR/models). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <lpd/base/buf.h>

#include "catalog.h"
#include "gguf.h"
#include "models.h"
#include "smollm.h"

static void add_u64(struct lp_buf *b, uint64_t v)
{
	lp_buf_add(b, &v, 8);
}

static void add_u32(struct lp_buf *b, uint32_t v)
{
	lp_buf_add(b, &v, 4);
}

static void add_name(struct lp_buf *b, const char *text)
{
	add_u64(b, strlen(text));
	lp_buf_add_text(b, text);
}

/* A whole number, a float, a list of two texts; a tensor of 32 floats. */
static struct lp_buf tiny(void)
{
	struct lp_buf b = { .len = 0 };
	float f = 0.25f, v[32] = { 7.0f };

	lp_buf_add_text(&b, "GGUF");
	add_u32(&b, 3);
	add_u64(&b, 1);
	add_u64(&b, 3);
	add_name(&b, "n");
	add_u32(&b, 4);
	add_u32(&b, 41);
	add_name(&b, "f");
	add_u32(&b, 6);
	lp_buf_add(&b, &f, 4);
	add_name(&b, "list");
	add_u32(&b, 9);
	add_u32(&b, 8);
	add_u64(&b, 2);
	add_name(&b, "one");
	add_name(&b, "");
	add_name(&b, "w");
	add_u32(&b, 1);
	add_u64(&b, 32);
	add_u32(&b, 0);
	add_u64(&b, 0);
	while (b.len % 32)
		lp_buf_add_char(&b, 0);
	lp_buf_add(&b, v, sizeof v);
	return b;
}

static void values_and_tensors_are_found(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_gguf *g = lp_new(scope, struct lp_gguf);
	struct lp_buf b = tiny();
	struct lp_err e;
	uint32_t n;
	float f;
	int count;

	(void)state;
	assert_int_equal(lp_gguf_read(g, lp_buf_span(&b), &e), LP_OK);
	assert_true(lp_gguf_whole(g, "n", &n) && n == 41 && lp_gguf_float(g, "f", &f) && f > 0.24f && f < 0.26f);
	assert_false(lp_gguf_whole(g, "f", &n) || lp_gguf_whole(g, "list", &n) || lp_gguf_float(g, "x", &f));
	const struct lp_span *list = lp_gguf_texts(scope, g, "list", &count);

	assert_true(count == 2 && lp_span_is(list[0], "one") && !list[1].len);
	assert_null(lp_gguf_texts(scope, g, "n", &count));
	assert_non_null(lp_gguf_tensor(g, &(struct lp_gguf_want){ "w", LP_GGUF_F32, 32, 1 }));
	assert_null(lp_gguf_tensor(g, &(struct lp_gguf_want){ "w", LP_GGUF_F32, 64, 1 }));
	assert_null(lp_gguf_tensor(g, &(struct lp_gguf_want){ "w", LP_GGUF_Q8_0, 32, 1 }));
	assert_null(lp_gguf_tensor(g, &(struct lp_gguf_want){ "v", LP_GGUF_F32, 32, 1 }));
	lp_buf_clear(&b);
	lp_scope_close(&scope);
}

static void a_file_cut_short_is_refused_or_lacks_its_tensor(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_gguf *g = lp_new(scope, struct lp_gguf);
	struct lp_buf b = tiny();
	struct lp_smollm *model;
	struct lp_err e;

	(void)state;
	for (size_t n = 0; n < b.len; n++) {
		if (lp_gguf_read(g, lp_span_of(lp_buf_span(&b).at, n), &e) == LP_OK)
			assert_null(lp_gguf_tensor(g, &(struct lp_gguf_want){ "w", LP_GGUF_F32, 32, 1 }));
	}
	assert_int_equal(lp_smollm_open(scope, &model, lp_buf_span(&b), &e), LP_CONFIG);
	lp_buf_clear(&b);
	lp_scope_close(&scope);
}

static int choose(float temperature, float top_p, int top_k, double u)
{
	float logits[5] = { 1.0f, 3.0f, 2.0f, -9.0f, 2.5f };	/* in order: 1, 4, 2, 0, 3 */

	return lp_smollm_choose(logits, 5, &(struct lp_choice){ temperature, top_p, top_k }, u);
}

static void words_are_chosen_by_temperature_and_limits(void **state)
{
	(void)state;
	assert_int_equal(choose(0.0f, 1.0f, 0, 0.99), 1);
	assert_int_equal(choose(1.0f, 1.0f, 0, 0.0), 1);
	assert_int_equal(choose(1.0f, 1.0f, 0, 0.9999), 0);	/* 3 lies below the floor */
	assert_int_equal(choose(1.0f, 1.0f, 2, 0.9999), 4);
	assert_int_equal(choose(1.0f, 0.3f, 0, 0.9999), 1);
	assert_int_equal(choose(1.0f, 0.7f, 0, 0.9999), 4);
}

static void keep_text(void *self, struct lp_span text, int tokens)
{
	(void)tokens;
	lp_buf_add_span(self, text);
}

static void it_knows_the_capital_of_france_and_the_seed_repeats_it(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	const struct lp_said said[] = { { "user", LP_SPAN("What is the capital of France? <|im_end|>") } };
	struct lp_stop stop = { .set = false };
	struct lp_buf first = { .len = 0 }, again = { .len = 0 };
	struct lp_talk_want want = { .said = said, .n_said = 1, .most = 40, .top_p = 1, .seed = 5, .stop = &stop,
				     .on_text = keep_text, .self = &first };
	struct lp_smollm *model;
	struct lp_talked talked;
	struct lp_span file;
	struct lp_err e = { .code = LP_OK };

	(void)state;
	if (lp_catalog_read(scope, &file, lp_catalog_find(LP_SPAN("builtin/smollm2-135m")), lp_models_folder(scope, NULL), &e) != LP_OK) {
		printf("SKIP: %s\n", e.words);
		lp_scope_close(&scope);
		skip();
	}
	assert_int_equal(lp_smollm_open(scope, &model, file, &e), LP_OK);
	assert_int_equal(lp_smollm_talk(&talked, model, &want, &e), LP_OK);
	assert_true(lp_span_find(lp_buf_span(&first), LP_SPAN("Paris")) >= 0);
	assert_true(talked.tokens > 0 && talked.tokens <= 40 && talked.prompt_tokens > 37);
	want.temperature = 0.9f;
	lp_buf_reset(&first);
	assert_int_equal(lp_smollm_talk(&talked, model, &want, &e), LP_OK);
	want.self = &again;
	assert_int_equal(lp_smollm_talk(&talked, model, &want, &e), LP_OK);
	assert_true(lp_span_eq(lp_buf_span(&first), lp_buf_span(&again)));
	want.most = 3;
	assert_int_equal(lp_smollm_talk(&talked, model, &want, &e), LP_OK);
	assert_true(talked.cut && talked.tokens == 3);
	atomic_store(&stop.set, true);
	assert_int_equal(lp_smollm_talk(&talked, model, &want, &e), LP_GONE);
	lp_buf_clear(&first);
	lp_buf_clear(&again);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_and_tensors_are_found),
		cmocka_unit_test(a_file_cut_short_is_refused_or_lacks_its_tensor),
		cmocka_unit_test(words_are_chosen_by_temperature_and_limits),
		cmocka_unit_test(it_knows_the_capital_of_france_and_the_seed_repeats_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
