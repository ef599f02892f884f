/* The arithmetic of runner/flow, once for every processor and once for those with AVX2 and FMA.
 *
 * This file alone is always compiled with -O3: a picture is 350 million multiplications. */
#include <math.h>
#include <string.h>

#include "flow_priv.h"

#define INLINE static inline __attribute__((always_inline))

/* Eight floats; the compiler makes two or four instructions of one where registers are narrower. */
typedef float f8 __attribute__((vector_size(32)));
typedef int8_t b8 __attribute__((vector_size(8)));

INLINE float sum8(const f8 *v)
{
	float s = 0.0f;

	for (int i = 0; i < 8; i++)
		s += (*v)[i];
	return s;
}

/* Two rows of x at a time share what is loaded of w.  n is a multiple of 16. */
INLINE void dot2(const float *w, const float *x0, const float *x1, int n, float out[2])
{
	f8 a0 = { 0 }, a1 = { 0 }, c0 = { 0 }, c1 = { 0 };

	for (int i = 0; i < n; i += 16) {
		f8 w0, w1, v;

		memcpy(&w0, w + i, sizeof w0);
		memcpy(&w1, w + i + 8, sizeof w1);
		memcpy(&v, x0 + i, sizeof v);
		a0 += w0 * v;
		memcpy(&v, x0 + i + 8, sizeof v);
		a1 += w1 * v;
		memcpy(&v, x1 + i, sizeof v);
		c0 += w0 * v;
		memcpy(&v, x1 + i + 8, sizeof v);
		c1 += w1 * v;
	}
	a0 += a1;
	c0 += c1;
	out[0] = sum8(&a0);
	out[1] = sum8(&c0);
}

INLINE void matrix_body(const struct flow_matrix *m, const float *x, int n, float *y)
{
	float w[FLOW_HIDDEN];

	for (int o = 0; o < m->rows; o++) {
		const int8_t *q = m->q + (size_t)o * (size_t)m->cols;

		for (int i = 0; i < m->cols; i += 8) {
			b8 raw;

			memcpy(&raw, q + i, sizeof raw);
			f8 wide = __builtin_convertvector(raw, f8);
			memcpy(w + i, &wide, sizeof wide);
		}
		for (int r = 0; r < n; r += 2) {
			float s[2];

			dot2(w, x + (size_t)r * (size_t)m->cols, x + (size_t)(r + 1) * (size_t)m->cols, m->cols, s);
			y[(size_t)r * (size_t)m->rows + (size_t)o] = s[0] * m->scale[o] + m->bias[o];
			y[(size_t)(r + 1) * (size_t)m->rows + (size_t)o] = s[1] * m->scale[o] + m->bias[o];
		}
	}
}

/* Four planes of y, eight pixels of one line: the sums stay in registers over all inputs and taps. */
INLINE void conv_strip(const struct flow_conv *c, const float *w, const float *x, int side, f8 sum[4])
{
	int pitch = side + 2;
	size_t plane = (size_t)pitch * (size_t)pitch;

	for (int in = 0; in < c->in; in++, x += plane) {
		for (int t = 0; t < c->taps; t++, w += 4) {
			int dy = c->taps == 1 ? 1 : t / 3, dx = c->taps == 1 ? 1 : t % 3;
			f8 v;

			memcpy(&v, x + dy * pitch + dx, sizeof v);
			sum[0] += v * w[0];
			sum[1] += v * w[1];
			sum[2] += v * w[2];
			sum[3] += v * w[3];
		}
	}
}

INLINE void conv_body(const struct flow_conv *c, const float *x, int side, float *y)
{
	size_t plane = (size_t)side * (size_t)side;
	size_t block = (size_t)c->in * (size_t)c->taps * 4;

	for (int o = 0; o < c->out; o += 4) {
		const float *w = c->w + (size_t)o / 4 * block;

		for (int i = 0; i < side; i++) {
			for (int j = 0; j < side; j += 8) {
				f8 sum[4] = { { 0 }, { 0 }, { 0 }, { 0 } };

				conv_strip(c, w, x + i * (side + 2) + j, side, sum);
				for (int k = 0; k < 4; k++) {
					sum[k] += c->bias[o + k];
					memcpy(y + (size_t)(o + k) * plane + (size_t)(i * side + j), &sum[k],
					       sizeof sum[k]);
				}
			}
		}
	}
}

INLINE void silu_body(float *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		float v = x[i];

		x[i] = v / (1.0f + expf(v < -80.0f ? 80.0f : -v));	/* the clamp keeps exp finite */
	}
}

static void matrix_plain(const struct flow_matrix *m, const float *x, int n, float *y)
{
	matrix_body(m, x, n, y);
}

static void conv_plain(const struct flow_conv *c, const float *x, int side, float *y)
{
	conv_body(c, x, side, y);
}

static void silu_plain(float *x, size_t n)
{
	silu_body(x, n);
}

struct flow_kernels flow_kernels_plain(void)
{
	return (struct flow_kernels){ matrix_plain, conv_plain, silu_plain };
}

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx2,fma")))

static WIDE void matrix_wide(const struct flow_matrix *m, const float *x, int n, float *y)
{
	matrix_body(m, x, n, y);
}

static WIDE void conv_wide(const struct flow_conv *c, const float *x, int side, float *y)
{
	conv_body(c, x, side, y);
}

struct flow_kernels flow_kernels_pick(void)
{
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return (struct flow_kernels){ matrix_wide, conv_wide, silu_plain };
	return flow_kernels_plain();
}
#else
struct flow_kernels flow_kernels_pick(void)
{
	return flow_kernels_plain();	/* arm64: its 128-bit registers are always there */
}
#endif
