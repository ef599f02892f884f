/* Always compiled with -O3: a sentence is some thousand million multiplications. */
#include "nn.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

typedef float f8 __attribute__((vector_size(32)));

INLINE f8 load8(const float *at)
{
	f8 v;

	memcpy(&v, at, sizeof v);
	return v;
}

INLINE float sum8(const f8 *v)
{
	float s = 0.0f;

	for (int i = 0; i < 8; i++)
		s += (*v)[i];
	return s;
}

/* rows x 3 sums stay in registers; what is loaded of w is shared by the rows. */
INLINE void tile(const struct lp_product *p, int i, int o, int rows, int cols)
{
	f8 s[4][3] = { { { 0 } } };
	int pitch = p->out_pitch ? p->out_pitch : p->m;

	for (int k = 0; k < p->k; k += 8) {
		f8 w[3];

		for (int c = 0; c < cols; c++)
			w[c] = load8(p->w + (size_t)(o + c) * (size_t)p->k + k);
		for (int r = 0; r < rows; r++) {
			f8 a = load8(p->a + (size_t)(i + r) * (size_t)p->k + k);

			for (int c = 0; c < cols; c++)
				s[r][c] += a * w[c];
		}
	}
	for (int r = 0; r < rows; r++) {
		for (int c = 0; c < cols; c++)
			p->out[(size_t)(i + r) * (size_t)pitch + (size_t)(o + c)] = sum8(&s[r][c]) +
				(p->bias ? p->bias[o + c] : 0.0f);
	}
}

/* A part of a product: rows of a, and rows of w; where it begins and ends. */
struct part {
	int a, a_end, w, w_end;
};

INLINE void strip(const struct lp_product *p, const struct part *part, int i, int rows)
{
	int o = part->w;

	for (; o + 3 <= part->w_end; o += 3)
		tile(p, i, o, rows, 3);
	for (; o < part->w_end; o++)
		tile(p, i, o, rows, 1);
}

INLINE void product_body(const struct lp_product *p, const struct part *part)
{
	int i = part->a;

	for (; i + 4 <= part->a_end; i += 4)
		strip(p, part, i, 4);
	for (; i < part->a_end; i++)
		strip(p, part, i, 1);
}

/* ---- weights in blocks ---- */

static float half_at(const uint8_t *at)
{
	uint16_t h;

	memcpy(&h, at, sizeof h);
	return lp_half(h);
}

float lp_half(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, part = h & 0x3ff, bits;
	float f;

	if (exponent == 0) {
		f = (float)part * 0x1p-24f;
		return sign ? -f : f;
	}
	bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | part << 13;
	memcpy(&f, &bits, sizeof f);
	return f;
}

/* The whole numbers of a block: the first 16 are the low halves of the bytes. */
INLINE void unpack(int8_t q[32], enum lp_quant kind, const uint8_t *block)
{
	if (kind == LP_Q8_0) {
		memcpy(q, block + 2, 32);
		return;
	}
	for (int i = 0; i < 16; i++) {
		q[i] = (int8_t)(block[4 + i] & 15);
		q[16 + i] = (int8_t)(block[4 + i] >> 4);
	}
}

/* 32 of x, rounded to 8 bits too: then a block's product is one of whole numbers. */
struct rounded {
	float scale, sum;	/* sum: of the floats, which the block's least is times */
	int8_t q[32];
};

static void round_row(struct rounded *to, const float *x, int blocks)
{
	for (int b = 0; b < blocks; b++, x += 32, to++) {
		float high = 0.0f;

		to->sum = 0.0f;
		for (int i = 0; i < 32; i++) {
			high = fabsf(x[i]) > high ? fabsf(x[i]) : high;
			to->sum += x[i];
		}
		to->scale = high / 127.0f;
		float inverse = high > 0.0f ? 127.0f / high : 0.0f;

		for (int i = 0; i < 32; i++)
			to->q[i] = (int8_t)lrintf(x[i] * inverse);
	}
}

#define QUANT_ROWS 8		/* of x at once */

/* Rows of w against n rows of x. */
static void quant_plain(const struct lp_quant_product *p, const struct rounded *x, int first, int end)
{
	int blocks = p->k / 32, bytes = p->kind == LP_Q8_0 ? LP_Q8_0_BYTES : LP_Q4_1_BYTES;

	for (int o = first; o < end; o++) {
		const uint8_t *at = p->w + (size_t)o * (size_t)blocks * (size_t)bytes;
		float total[QUANT_ROWS] = { 0 };

		for (int b = 0; b < blocks; b++, at += bytes) {
			int8_t q[32];
			float scale = half_at(at), least = p->kind == LP_Q4_1 ? half_at(at + 2) : 0.0f;

			unpack(q, p->kind, at);
			for (int i = 0; i < p->n; i++) {
				const struct rounded *r = &x[i * blocks + b];
				int s = 0;

				for (int k = 0; k < 32; k++)
					s += q[k] * r->q[k];
				total[i] += (float)s * scale * r->scale + least * r->sum;
			}
		}
		for (int i = 0; i < p->n; i++)
			p->out[(size_t)i * (size_t)p->m + (size_t)o] = total[i];
	}
}

static void product_plain(const struct lp_product *p, const struct part *part)
{
	product_body(p, part);
}

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx2,fma,f16c")))

static WIDE void product_wide(const struct lp_product *p, const struct part *part)
{
	product_body(p, part);
}

/* 32 products of whole numbers as eight sums; w is 0..15, or signed: then its sign goes over to x. */
static inline __attribute__((always_inline, target("avx2,fma,f16c"))) __m256 block_sums(__m256i w, __m256i x, bool sign)
{
	__m256i pairs = sign ? _mm256_maddubs_epi16(_mm256_sign_epi8(w, w), _mm256_sign_epi8(x, w)) :
			       _mm256_maddubs_epi16(w, x);

	return _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

static inline __attribute__((always_inline, target("avx2,fma,f16c")))
__m256i block_wholes(enum lp_quant kind, const uint8_t *at)
{
	if (kind == LP_Q8_0)
		return _mm256_loadu_si256((const __m256i_u *)(const void *)(at + 2));
	__m128i raw = _mm_loadu_si128((const __m128i_u *)(const void *)(at + 4));
	__m256i both = _mm256_set_m128i(_mm_srli_epi16(raw, 4), raw);

	return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

static inline __attribute__((always_inline, target("avx2,fma,f16c"))) float half_wide(const uint8_t *at)
{
	uint16_t h;

	memcpy(&h, at, sizeof h);
	return _cvtsh_ss(h);
}

static inline __attribute__((always_inline, target("avx2,fma,f16c"))) void quant_rows(const struct lp_quant_product *p,
										     const struct rounded *x, int n,
										     int first, int end)
{
	int blocks = p->k / 32, bytes = p->kind == LP_Q8_0 ? LP_Q8_0_BYTES : LP_Q4_1_BYTES;

	for (int o = first; o < end; o++) {
		const uint8_t *at = p->w + (size_t)o * (size_t)blocks * (size_t)bytes;
		__m256 total[QUANT_ROWS];
		float rest[QUANT_ROWS] = { 0 };

		for (int i = 0; i < n; i++)
			total[i] = _mm256_setzero_ps();
		for (int b = 0; b < blocks; b++, at += bytes) {
			__m256i w = block_wholes(p->kind, at);
			float scale = half_wide(at), least = p->kind == LP_Q4_1 ? half_wide(at + 2) : 0.0f;

			for (int i = 0; i < n; i++) {
				const struct rounded *r = &x[i * blocks + b];
				__m256i q = _mm256_loadu_si256((const __m256i_u *)(const void *)r->q);

				total[i] = _mm256_fmadd_ps(block_sums(w, q, p->kind == LP_Q8_0),
							   _mm256_set1_ps(scale * r->scale), total[i]);
				rest[i] += least * r->sum;
			}
		}
		for (int i = 0; i < n; i++) {
			f8 v = (f8)total[i];

			p->out[(size_t)i * (size_t)p->m + (size_t)o] = sum8(&v) + rest[i];
		}
	}
}

static WIDE void quant_wide(const struct lp_quant_product *p, const struct rounded *x, int first, int end)
{
	if (p->n == 1)
		quant_rows(p, x, 1, first, end);
	else if (p->n == QUANT_ROWS)
		quant_rows(p, x, QUANT_ROWS, first, end);
	else
		quant_rows(p, x, p->n, first, end);
}

/* Every processor with AVX2 has F16C too; clang 14 does not know how to ask for it. */
static int wide(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#else
#define product_wide product_plain
#define quant_wide quant_plain

static int wide(void)
{
	return 0;
}
#endif

/* ---- shared out ---- */

/* Multiplications: a tenth of a millisecond.  Of fewer no helper is called, who takes as long to come. */
#define LEAST 2000000
#define PIECES 16

/* A loop of n rows in pieces of whole tiles; each row costs so many multiplications. */
static struct lp_loop_of pieces(int n, int tile_rows, long row)
{
	int piece = (n / PIECES / tile_rows + 1) * tile_rows;

	return (struct lp_loop_of){ .n = n, .piece = row * n < LEAST ? n : piece };
}

static void product_part(const struct lp_product *p, const struct part *part)
{
	if (wide())
		product_wide(p, part);
	else
		product_plain(p, part);
}

static void product_of_a(void *self, int first, int end)
{
	const struct lp_product *p = self;

	product_part(p, &(struct part){ first, end, 0, p->m });
}

static void product_of_w(void *self, int first, int end)
{
	const struct lp_product *p = self;

	product_part(p, &(struct part){ 0, p->n, first, end });
}

/* By the rows that are more; each number of out is made by one thread. */
void lp_nn_product(const struct lp_product *p)
{
	struct lp_product own = *p;
	bool by_a = p->n >= p->m;
	struct lp_loop_of loop = by_a ? pieces(p->n, 4, (long)p->m * p->k) : pieces(p->m, 3, (long)p->n * p->k);

	loop.fn = by_a ? product_of_a : product_of_w;
	loop.self = &own;
	lp_crew_run(p->crew, &loop);
}

struct quant_part {
	struct lp_quant_product p;
	const struct rounded *x;
};

static void quant_part(void *self, int first, int end)
{
	const struct quant_part *part = self;

	if (wide())
		quant_wide(&part->p, part->x, first, end);
	else
		quant_plain(&part->p, part->x, first, end);
}

void lp_nn_quant_product(const struct lp_quant_product *p)
{
	struct rounded x[QUANT_ROWS * LP_QUANT_MOST / 32];
	int blocks = p->k / 32;

	for (int first = 0; first < p->n; first += QUANT_ROWS) {
		struct quant_part part = { *p, x };
		int n = p->n - first < QUANT_ROWS ? p->n - first : QUANT_ROWS;
		struct lp_loop_of loop = pieces(p->m, 1, (long)n * p->k);

		part.p.n = n;
		part.p.out += (size_t)first * (size_t)p->m;
		for (int i = 0; i < n; i++)
			round_row(x + i * blocks, p->x + (size_t)(first + i) * (size_t)p->k, blocks);
		loop.fn = quant_part;
		loop.self = &part;
		lp_crew_run(p->crew, &loop);
	}
}

void lp_nn_quant_row(float *to, const struct lp_quant_product *p, int row)
{
	int blocks = p->k / 32, bytes = p->kind == LP_Q8_0 ? LP_Q8_0_BYTES : LP_Q4_1_BYTES;
	const uint8_t *at = p->w + (size_t)row * (size_t)blocks * (size_t)bytes;

	for (int b = 0; b < blocks; b++, at += bytes) {
		float scale = half_at(at), least = p->kind == LP_Q4_1 ? half_at(at + 2) : 0.0f;
		int8_t q[32];

		unpack(q, p->kind, at);
		for (int i = 0; i < 32; i++)
			to[32 * b + i] = (float)q[i] * scale + least;
	}
}

/* ---- small things ---- */

void lp_nn_softmax(float *x, int n)
{
	float high = x[0], sum = 0.0f;

	for (int i = 1; i < n; i++)
		high = x[i] > high ? x[i] : high;
	for (int i = 0; i < n; i++) {
		x[i] = expf(x[i] - high);
		sum += x[i];
	}
	for (int i = 0; i < n; i++)
		x[i] /= sum;
}

static void gelu(void *self, int first, int end)
{
	float *x = self;

	for (int i = first; i < end; i++)
		x[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678f));
}

void lp_nn_gelu(struct lp_crew *crew, float *x, size_t n)
{
	struct lp_loop_of loop = pieces((int)n, 8, 10);

	loop.fn = gelu;
	loop.self = x;
	lp_crew_run(crew, &loop);
}

void lp_nn_norm(float *to, const float *x, int n, const struct lp_norm *norm)
{
	float mean = 0.0f, spread = 0.0f;

	for (int i = 0; i < n && norm->shift; i++)
		mean += x[i];
	mean /= (float)n;
	for (int i = 0; i < n; i++)
		spread += (x[i] - mean) * (x[i] - mean);
	float scale = 1.0f / sqrtf(spread / (float)n + norm->epsilon);

	for (int i = 0; i < n; i++)
		to[i] = (x[i] - mean) * scale * norm->gain[i] + (norm->shift ? norm->shift[i] : 0.0f);
}

void lp_nn_add(float *to, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] += x[i];
}
