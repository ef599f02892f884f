#include "mel.h"

#include <math.h>
#include <string.h>

#include <lpd/base/mem.h>

#include "nn.h"

#define WINDOW 400
#define HOP 160
#define BINS 201
#define BINS_ROOM 208		/* a multiple of eight */
#define SLICE 500		/* frames at once */

/* Slaney's scale: even below 1 kHz, by ratio above. */
static double mel_of(double hz)
{
	return hz < 1000.0 ? hz * 3.0 / 200.0 : 15.0 + log(hz / 1000.0) * 27.0 / log(6.4);
}

static double hz_of(double mel)
{
	return mel < 15.0 ? mel * 200.0 / 3.0 : 1000.0 * exp((mel - 15.0) * log(6.4) / 27.0);
}

/* Triangles over the bins, each of the same area: LP_MEL_BANDS rows of BINS_ROOM. */
static void fill_bands(float *w)
{
	double edge[LP_MEL_BANDS + 2];

	for (int i = 0; i < LP_MEL_BANDS + 2; i++)
		edge[i] = hz_of(mel_of(8000.0) * i / (LP_MEL_BANDS + 1));
	for (int b = 0; b < LP_MEL_BANDS; b++) {
		for (int k = 0; k < BINS; k++) {
			double hz = 8000.0 * k / (BINS - 1);
			double up = (hz - edge[b]) / (edge[b + 1] - edge[b]);
			double down = (edge[b + 2] - hz) / (edge[b + 2] - edge[b + 1]);
			double v = fmax(0.0, fmin(up, down)) * 2.0 / (edge[b + 2] - edge[b]);

			w[b * BINS_ROOM + k] = (float)v;
		}
	}
}

/* Cosines, then sines, of every bin under the window: 2 * BINS rows of WINDOW. */
static void fill_waves(float *w)
{
	for (int k = 0; k < BINS; k++) {
		for (int i = 0; i < WINDOW; i++) {
			double bend = 0.5 - 0.5 * cos(2.0 * M_PI * i / WINDOW);
			double turn = 2.0 * M_PI * (double)(k * i % WINDOW) / WINDOW;

			w[k * WINDOW + i] = (float)(bend * cos(turn));
			w[(BINS + k) * WINDOW + i] = (float)(bend * sin(turn));
		}
	}
}

/* Sound before its beginning and after its end is mirrored, as Whisper was trained. */
static float at(const float *samples, size_t n, long i)
{
	i = i < 0 ? -i : i;
	i = i >= LP_MEL_SAMPLES ? 2 * (LP_MEL_SAMPLES - 1) - i : i;
	return (size_t)i < n ? samples[i] : 0.0f;
}

struct work {
	float *waves, *bands, *frames, *spectrum, *power;
};

static void slice(float *to, const struct work *w, const float *samples, size_t n, int first)
{
	for (int f = 0; f < SLICE; f++) {
		for (int i = 0; i < WINDOW; i++)
			w->frames[f * WINDOW + i] = at(samples, n, (long)(first + f) * HOP + i - WINDOW / 2);
	}
	lp_nn_product(&(struct lp_product){ .a = w->frames, .w = w->waves, .out = w->spectrum, .n = SLICE,
					    .m = 2 * BINS, .k = WINDOW });
	for (int f = 0; f < SLICE; f++) {
		const float *s = w->spectrum + f * 2 * BINS;

		for (int k = 0; k < BINS; k++)
			w->power[f * BINS_ROOM + k] = s[k] * s[k] + s[BINS + k] * s[BINS + k];
	}
	lp_nn_product(&(struct lp_product){ .a = w->power, .w = w->bands, .out = to + (size_t)first * LP_MEL_BANDS,
					    .n = SLICE, .m = LP_MEL_BANDS, .k = BINS_ROOM });
}

/* Logarithms within eight decades below the loudest. */
static void compress(float *to)
{
	float high = -1e9f;

	for (int i = 0; i < LP_MEL_FRAMES * LP_MEL_BANDS; i++) {
		to[i] = log10f(to[i] > 1e-10f ? to[i] : 1e-10f);
		high = to[i] > high ? to[i] : high;
	}
	for (int i = 0; i < LP_MEL_FRAMES * LP_MEL_BANDS; i++)
		to[i] = ((to[i] > high - 8.0f ? to[i] : high - 8.0f) + 4.0f) / 4.0f;
}

void lp_mel(float *to, const float *samples, size_t n)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "mel");
	struct work w = {
		.waves = lp_new_array(tmp, float, 2 * BINS * WINDOW),
		.bands = lp_new_array(tmp, float, LP_MEL_BANDS * BINS_ROOM),
		.frames = lp_new_array(tmp, float, SLICE * WINDOW),
		.spectrum = lp_new_array(tmp, float, SLICE * 2 * BINS),
		.power = lp_new_array(tmp, float, SLICE * BINS_ROOM),
	};

	fill_waves(w.waves);
	fill_bands(w.bands);
	for (int first = 0; first < LP_MEL_FRAMES; first += SLICE)
		slice(to, &w, samples, n, first);
	compress(to);
	lp_scope_close(&tmp);
}
