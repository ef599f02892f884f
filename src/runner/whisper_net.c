/* The network of runner/whisper: encoder and decoder are stacks of attention and feed-forward, normalised before
 * each. */
#include <math.h>
#include <string.h>

#include <lpd/base/mem.h>

#include "mel.h"
#include "nn.h"
#include "whisper_priv.h"

#define EPSILON 1e-5f
#define KEYS_ROOM 1504		/* WHISPER_PLACES, up to a multiple of eight */
#define SLICE 100		/* places whose attention is worked out at once */

static void apply(float *out, const struct lp_whisper *w, const struct linear *l, const float *x, const int nmk[3])
{
	lp_nn_product(&(struct lp_product){ .a = x, .w = l->w, .bias = l->b, .out = out, .n = nmk[0], .m = nmk[1],
					    .k = nmk[2], .crew = w->crew });
}

static void normalise(float *to, const float *x, const struct normal *n, const int rows_d[2])
{
	const struct lp_norm norm = { n->gain, n->shift, EPSILON };

	for (int i = 0; i < rows_d[0]; i++)
		lp_nn_norm(to + (size_t)i * (size_t)rows_d[1], x + (size_t)i * (size_t)rows_d[1], rows_d[1], &norm);
}

/* ---- encoder ---- */

/* A convolution of three taps as a product: each row holds, input by input, what the taps see. */
static void taps(float *to, const float *x, int rows, int channels, int stride)
{
	for (int i = 0; i < rows / stride; i++) {
		for (int c = 0; c < channels; c++) {
			for (int t = 0; t < 3; t++) {
				int at = i * stride + t - 1;

				to[((size_t)i * (size_t)channels + (size_t)c) * 3 + (size_t)t] =
					at >= 0 && at < rows ? x[(size_t)at * (size_t)channels + (size_t)c] : 0.0f;
			}
		}
	}
}

static void begin(float *x, struct lp_scope *tmp, const struct lp_whisper *w, const float *mel)
{
	size_t d = (size_t)w->d;
	float *seen = lp_new_array(tmp, float, (size_t)LP_MEL_FRAMES * LP_MEL_BANDS * 3);
	float *first = lp_new_array(tmp, float, LP_MEL_FRAMES * d);
	float *again = lp_new_array(tmp, float, WHISPER_PLACES * d * 3);

	taps(seen, mel, LP_MEL_FRAMES, LP_MEL_BANDS, 1);
	apply(first, w, &w->conv1, seen, (int[]){ LP_MEL_FRAMES, w->d, LP_MEL_BANDS * 3 });
	lp_nn_gelu(w->crew, first, LP_MEL_FRAMES * d);
	taps(again, first, LP_MEL_FRAMES, w->d, 2);
	apply(x, w, &w->conv2, again, (int[]){ WHISPER_PLACES, w->d, w->d * 3 });
	lp_nn_gelu(w->crew, x, WHISPER_PLACES * d);
	lp_nn_add(x, w->encoder_places, WHISPER_PLACES * d);
}

struct heads {
	float *q, *k, *v;	/* of one head: rows of HEAD; v the other way round, HEAD rows of KEYS_ROOM */
	float *scores;		/* SLICE rows of KEYS_ROOM */
};

static void split(struct heads *h, const float *qkv, int d, int head)
{
	for (int i = 0; i < WHISPER_PLACES; i++) {
		const float *row = qkv + (size_t)i * 3 * (size_t)d + (size_t)(head * WHISPER_HEAD);

		for (int c = 0; c < WHISPER_HEAD; c++) {
			h->q[i * WHISPER_HEAD + c] = row[c] * 0.125f;	/* one over the root of HEAD */
			h->k[i * WHISPER_HEAD + c] = row[d + c];
			h->v[(size_t)c * KEYS_ROOM + (size_t)i] = row[2 * d + c];
		}
	}
}

static void soften(void *self, int first, int end)
{
	float *scores = self;

	for (int i = first; i < end; i++)
		lp_nn_softmax(scores + (size_t)i * KEYS_ROOM, WHISPER_PLACES);
}

static void attend(float *out, struct heads *h, const float *qkv, const struct lp_whisper *w)
{
	for (int head = 0; head < w->heads; head++) {
		split(h, qkv, w->d, head);
		for (int first = 0; first < WHISPER_PLACES; first += SLICE) {
			lp_nn_product(&(struct lp_product){ .a = h->q + first * WHISPER_HEAD, .w = h->k,
							    .out = h->scores, .n = SLICE,
							    .m = WHISPER_PLACES, .k = WHISPER_HEAD,
							    .out_pitch = KEYS_ROOM, .crew = w->crew });
			lp_crew_run(w->crew, &(struct lp_loop_of){ soften, h->scores, SLICE, 10 });
			lp_nn_product(&(struct lp_product){ .a = h->scores, .w = h->v,
							    .out = out + (size_t)first * (size_t)w->d +
								   (size_t)(head * WHISPER_HEAD),
							    .n = SLICE,
							    .m = WHISPER_HEAD, .k = KEYS_ROOM, .out_pitch = w->d,
							    .crew = w->crew });
		}
	}
}

bool whisper_encode(float *x, const struct lp_whisper *w, const float *mel, const struct lp_stop *stop)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "encode");
	size_t d = (size_t)w->d, n = WHISPER_PLACES * d;
	float *norm = lp_new_array(tmp, float, n), *wide = lp_new_array(tmp, float, n * 4);
	float *out = lp_new_array(tmp, float, n);
	struct heads h = {
		.q = lp_new_array(tmp, float, WHISPER_PLACES * WHISPER_HEAD),
		.k = lp_new_array(tmp, float, WHISPER_PLACES * WHISPER_HEAD),
		.v = lp_new_array(tmp, float, WHISPER_HEAD * KEYS_ROOM),
		.scores = lp_new_array(tmp, float, SLICE * KEYS_ROOM),
	};
	const int rows_d[2] = { WHISPER_PLACES, w->d };

	begin(x, tmp, w, mel);
	for (int l = 0; l < w->n_encoder && !lp_stopped(stop); l++) {
		const struct block *b = &w->encoder[l];

		normalise(norm, x, &b->before_self, rows_d);
		apply(wide, w, &b->qkv, norm, (int[]){ WHISPER_PLACES, 3 * w->d, w->d });
		attend(out, &h, wide, w);
		apply(norm, w, &b->self_out, out, (int[]){ WHISPER_PLACES, w->d, w->d });
		lp_nn_add(x, norm, n);
		normalise(norm, x, &b->before_feed, rows_d);
		apply(wide, w, &b->up, norm, (int[]){ WHISPER_PLACES, 4 * w->d, w->d });
		lp_nn_gelu(w->crew, wide, 4 * n);
		apply(norm, w, &b->down, wide, (int[]){ WHISPER_PLACES, w->d, 4 * w->d });
		lp_nn_add(x, norm, n);
	}
	normalise(x, x, &w->encoder_end, rows_d);
	lp_scope_close(&tmp);
	return !lp_stopped(stop);
}

/* ---- decoder ---- */

struct whisper_memory *whisper_memory_new(struct lp_scope *scope, const struct lp_whisper *w)
{
	struct whisper_memory *m = lp_new(scope, struct whisper_memory);
	size_t d = (size_t)w->d;

	for (int l = 0; l < w->n_decoder; l++) {
		m->cross[l] = lp_new_array(scope, float, WHISPER_PLACES * 2 * d);
		m->self[l] = lp_new_array(scope, float, WHISPER_TEXT * 2 * d);
	}
	m->scratch = lp_new_array(scope, float, 12 * d + KEYS_ROOM);
	m->logits = lp_new_array(scope, float, (size_t)w->n_words);
	return m;
}

void whisper_remember(struct whisper_memory *m, const struct lp_whisper *w, const float *encoded)
{
	for (int l = 0; l < w->n_decoder; l++)
		apply(m->cross[l], w, &w->decoder[l].cross_kv, encoded, (int[]){ WHISPER_PLACES, 2 * w->d, w->d });
}

struct glance {
	const float *q;		/* d */
	const float *kv;	/* n rows of 2 d */
	int n;
	float *scores;		/* n */
};

static float dot(const float *a, const float *b)
{
	float s = 0.0f;

	for (int i = 0; i < WHISPER_HEAD; i++)
		s += a[i] * b[i];
	return s;
}

static void look(float *out, const struct glance *g, const struct lp_whisper *w)
{
	for (int head = 0; head < w->heads; head++) {
		size_t at = (size_t)head * WHISPER_HEAD, pitch = 2 * (size_t)w->d;

		for (int i = 0; i < g->n; i++)
			g->scores[i] = dot(g->q + at, g->kv + (size_t)i * pitch + at) * 0.125f;
		lp_nn_softmax(g->scores, g->n);
		for (int c = 0; c < WHISPER_HEAD; c++)
			out[at + (size_t)c] = 0.0f;
		for (int i = 0; i < g->n; i++) {
			const float *v = g->kv + (size_t)i * pitch + (size_t)w->d + at;

			for (int c = 0; c < WHISPER_HEAD; c++)
				out[at + (size_t)c] += g->scores[i] * v[c];
		}
	}
}

void whisper_step(struct whisper_memory *m, const struct lp_whisper *w, int token, int place)
{
	size_t d = (size_t)w->d;
	float *x = m->scratch, *norm = x + d, *wide = norm + d, *out = wide + 4 * d, *scores = out + d;
	const int one[2] = { 1, w->d };

	for (size_t i = 0; i < d; i++)
		x[i] = w->words[(size_t)token * d + i] + w->decoder_places[(size_t)place * d + i];
	for (int l = 0; l < w->n_decoder; l++) {
		const struct block *b = &w->decoder[l];

		normalise(norm, x, &b->before_self, one);
		apply(wide, w, &b->qkv, norm, (int[]){ 1, 3 * w->d, w->d });
		memcpy(m->self[l] + (size_t)place * 2 * d, wide + d, 2 * d * sizeof(float));
		look(out, &(struct glance){ wide, m->self[l], place + 1, scores }, w);
		apply(norm, w, &b->self_out, out, (int[]){ 1, w->d, w->d });
		lp_nn_add(x, norm, d);
		normalise(norm, x, &b->before_cross, one);
		apply(wide, w, &b->cross_q, norm, (int[]){ 1, w->d, w->d });
		look(out, &(struct glance){ wide, m->cross[l], WHISPER_PLACES, scores }, w);
		apply(norm, w, &b->cross_out, out, (int[]){ 1, w->d, w->d });
		lp_nn_add(x, norm, d);
		normalise(norm, x, &b->before_feed, one);
		apply(wide, w, &b->up, norm, (int[]){ 1, 4 * w->d, w->d });
		lp_nn_gelu(w->crew, wide, 4 * d);
		apply(norm, w, &b->down, wide, (int[]){ 1, w->d, 4 * w->d });
		lp_nn_add(x, norm, d);
	}
	normalise(x, x, &w->decoder_end, one);
	lp_nn_product(&(struct lp_product){ .a = x, .w = w->words, .out = m->logits, .n = 1, .m = w->n_words, .k = w->d,
					    .crew = w->crew });
}
