/* The arithmetic against itself done slowly, at sizes that do and do not fill the tiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn.h"

static uint32_t state_of_chance = 1;

static float chance(void)
{
	state_of_chance = state_of_chance * 1664525u + 1013904223u;
	return (float)(state_of_chance >> 8) / 8388608.0f - 1.0f;
}

static float *numbers(size_t n)
{
	float *v = malloc(n * sizeof *v);

	for (size_t i = 0; i < n; i++)
		v[i] = chance();
	return v;
}

static void products_are_sums_of_products(void **state)
{
	static const int sizes[][3] = { { 1, 1, 8 }, { 4, 3, 16 }, { 5, 7, 24 }, { 9, 10, 64 }, { 2, 2, 240 } };

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		int n = sizes[s][0], m = sizes[s][1], k = sizes[s][2], pitch = m + 2;
		float *a = numbers((size_t)(n * k)), *w = numbers((size_t)(m * k)), *b = numbers((size_t)m);
		float *out = numbers((size_t)(n * pitch));

		lp_nn_product(&(struct lp_product){ .a = a, .w = w, .bias = b, .out = out, .n = n, .m = m, .k = k, .out_pitch = pitch });
		for (int i = 0; i < n; i++) {
			for (int o = 0; o < m; o++) {
				double sum = (double)b[o];

				for (int j = 0; j < k; j++)
					sum += (double)a[i * k + j] * (double)w[o * k + j];
				assert_true(fabs(sum - (double)out[i * pitch + o]) < 1e-4);
			}
		}
		free(a);
		free(w);
		free(b);
		free(out);
	}
}

/* Halves of 1, 0.5 and -2 are enough for scales. */
static void fill_blocks(uint8_t *w, enum lp_quant kind, int blocks)
{
	static const uint16_t scales[] = { 0x3c00, 0x3800, 0xc000 };

	for (int b = 0; b < blocks; b++) {
		memcpy(w, &scales[b % 3], 2);
		if (kind == LP_Q4_1)
			memcpy(w + 2, &scales[(b + 1) % 3], 2);
		for (int i = kind == LP_Q4_1 ? 4 : 2; i < (kind == LP_Q4_1 ? LP_Q4_1_BYTES : LP_Q8_0_BYTES); i++)
			w[i] = (uint8_t)(int)(chance() * 127.0f);	/* never -128, which no file has */
		w += kind == LP_Q4_1 ? LP_Q4_1_BYTES : LP_Q8_0_BYTES;
	}
}

static void products_of_blocks_agree_with_their_rows(void **state)
{
	enum { K = 96, M = 5 };

	(void)state;
	for (int kind = LP_Q4_1; kind <= LP_Q8_0; kind++) {
		for (int n = 1; n <= 19; n += 3) {
			uint8_t w[M * K / 32 * LP_Q8_0_BYTES];
			float *x = numbers((size_t)n * K), *out = numbers((size_t)n * M), row[K];
			struct lp_quant_product p = { .kind = (enum lp_quant)kind, .w = w, .x = x, .out = out, .n = n, .m = M, .k = K };

			fill_blocks(w, p.kind, M * K / 32);
			lp_nn_quant_product(&p);
			for (int o = 0; o < M; o++) {
				lp_nn_quant_row(row, &p, o);
				for (int i = 0; i < n; i++) {
					double sum = 0, size = 0;

					for (int k = 0; k < K; k++) {
						sum += (double)row[k] * (double)x[i * K + k];
						size += (double)row[k] * (double)row[k];
					}
					/* x is rounded to 8 bits, so each product is a little off. */
					assert_true(fabs(sum - (double)out[i * M + o]) < 0.01 * sqrt(size) + 1e-3);
				}
			}
			free(x);
			free(out);
		}
	}
}

/* Sizes above the one from which helpers are called, by rows of a and by rows of w, with rows left over. */
static void products_shared_out_are_the_same_to_the_bit(void **state)
{
	static const int sizes[][3] = { { 257, 101, 240 }, { 1, 5003, 640 }, { 5, 3001, 384 } };
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_crew *crew = lp_crew_open(scope, 4);

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		int n = sizes[s][0], m = sizes[s][1], k = sizes[s][2];
		size_t bytes = (size_t)(n * m) * sizeof(float);
		float *a = numbers((size_t)(n * k)), *w = numbers((size_t)(m * k)), *alone = malloc(bytes), *shared = malloc(bytes);
		struct lp_product p = { .a = a, .w = w, .out = alone, .n = n, .m = m, .k = k };

		lp_nn_product(&p);
		p.out = shared;
		p.crew = crew;
		for (int i = 0; i < 5; i++) {
			memset(shared, 0xff, bytes);
			lp_nn_product(&p);
			assert_memory_equal(alone, shared, bytes);
		}
		lp_nn_gelu(NULL, alone, (size_t)(n * m));
		lp_nn_gelu(crew, shared, (size_t)(n * m));
		assert_memory_equal(alone, shared, bytes);
		free(a);
		free(w);
		free(alone);
		free(shared);
	}
	lp_scope_close(&scope);
}

static void products_of_blocks_shared_out_are_the_same_to_the_bit(void **state)
{
	enum { K = 640, M = 4001, N = 11 };
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_crew *crew = lp_crew_open(scope, 3);

	(void)state;
	for (int kind = LP_Q4_1; kind <= LP_Q8_0; kind++) {
		uint8_t *w = malloc(M * K / 32 * LP_Q8_0_BYTES);
		float *x = numbers(N * K), *alone = malloc(N * M * sizeof *alone), *shared = malloc(N * M * sizeof *shared);
		struct lp_quant_product p = { .kind = (enum lp_quant)kind, .w = w, .x = x, .out = alone, .n = N, .m = M, .k = K };

		fill_blocks(w, p.kind, M * K / 32);
		lp_nn_quant_product(&p);
		p.out = shared;
		p.crew = crew;
		lp_nn_quant_product(&p);
		assert_memory_equal(alone, shared, N * M * sizeof *alone);
		free(w);
		free(x);
		free(alone);
		free(shared);
	}
	lp_scope_close(&scope);
}

static void halves_are_read(void **state)
{
	(void)state;
	assert_true(lp_half(0x3c00) == 1.0f && lp_half(0xc000) == -2.0f && lp_half(0x0001) == 0x1p-24f && lp_half(0x7bff) == 65504.0f);
	assert_true(isinf(lp_half(0x7c00)) && lp_half(0x8000) == 0.0f);
}

static void normalising_and_softmax_do_what_their_names_say(void **state)
{
	float x[8] = { 1, 2, 3, 4, 5, 6, 7, 800 }, y[8], gain[8] = { 1, 1, 1, 1, 1, 1, 1, 1 }, shift[8] = { 0 };
	double sum = 0, squares = 0;

	(void)state;
	lp_nn_norm(y, x, 8, &(struct lp_norm){ gain, shift, 1e-5f });
	for (int i = 0; i < 8; i++) {
		sum += (double)y[i];
		squares += (double)y[i] * (double)y[i];
	}
	assert_true(fabs(sum) < 1e-4 && fabs(squares - 8) < 1e-3);
	lp_nn_norm(y, x, 8, &(struct lp_norm){ .gain = gain, .epsilon = 1e-5f });
	assert_true(y[0] > 0.0f && y[0] < y[7]);
	lp_nn_softmax(x, 8);
	assert_true(x[7] > 0.999f && x[0] >= 0.0f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(products_are_sums_of_products),
		cmocka_unit_test(products_of_blocks_agree_with_their_rows),
		cmocka_unit_test(products_shared_out_are_the_same_to_the_bit),
		cmocka_unit_test(products_of_blocks_shared_out_are_the_same_to_the_bit),
		cmocka_unit_test(halves_are_read),
		cmocka_unit_test(normalising_and_softmax_do_what_their_names_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
