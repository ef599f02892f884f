/* Opening the network, and the rules by which a recording is written down. */
#include "whisper.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lpd/base/mem.h>

#include "bpe.h"
#include "ct2.h"
#include "mel.h"
#include "nn.h"
#include "whisper_priv.h"

#define TEXT_MOST 220		/* tokens of one half minute */
#define FIRST_LATEST 50		/* the first time is within a second */
#define QUIET 0.6f		/* likelihood of no speech, when also what was written is unlikely */
#define UNSURE -1.0f		/* mean logarithm of the tokens' likelihoods */
#define LOOP 4			/* a phrase that comes so often in a row is no speech */
#define TICK 0.02		/* seconds of a time token */

/* ---- opening ---- */

struct loading {
	struct lp_scope *scope;
	const struct lp_ct2 *ct2;
	const char *missing;
	char prefix[48];
};

static float *get(struct loading *l, const char *name, size_t n)
{
	char full[96];

	snprintf(full, sizeof full, "%s%s", l->prefix, name);
	float *v = lp_ct2_floats(l->scope, l->ct2, full, n);

	if (!v && !l->missing)
		l->missing = lp_strdup(l->scope, lp_span(full));
	return v;
}

static struct linear get_linear(struct loading *l, const char *name, size_t out, size_t in)
{
	char weight[64], bias[64];

	snprintf(weight, sizeof weight, "%s/weight", name);
	snprintf(bias, sizeof bias, "%s/bias", name);
	return (struct linear){ get(l, weight, out * in), get(l, bias, out) };
}

static struct normal get_normal(struct loading *l, const char *name, size_t d)
{
	char gain[64], shift[64];

	snprintf(gain, sizeof gain, "%s/gamma", name);
	snprintf(shift, sizeof shift, "%s/beta", name);
	return (struct normal){ get(l, gain, d), get(l, shift, d) };
}

static void get_block(struct loading *l, struct block *b, size_t d, bool decoder)
{
	b->before_self = get_normal(l, "self_attention/layer_norm", d);
	b->qkv = get_linear(l, "self_attention/linear_0", 3 * d, d);
	b->self_out = get_linear(l, "self_attention/linear_1", d, d);
	b->before_feed = get_normal(l, "ffn/layer_norm", d);
	b->up = get_linear(l, "ffn/linear_0", 4 * d, d);
	b->down = get_linear(l, "ffn/linear_1", d, 4 * d);
	if (!decoder)
		return;
	b->before_cross = get_normal(l, "attention/layer_norm", d);
	b->cross_q = get_linear(l, "attention/linear_0", d, d);
	b->cross_kv = get_linear(l, "attention/linear_1", 2 * d, d);
	b->cross_out = get_linear(l, "attention/linear_2", d, d);
}

/* As many blocks as the file has. */
static int get_blocks(struct loading *l, struct block *to, size_t d, const char *side)
{
	int n = 0;

	for (; n < WHISPER_LAYERS; n++) {
		char probe[96];

		snprintf(probe, sizeof probe, "%s/layer_%d/ffn/layer_norm/gamma", side, n);
		if (!lp_ct2_find(l->ct2, probe))
			break;
		snprintf(l->prefix, sizeof l->prefix, "%s/layer_%d/", side, n);
		get_block(l, &to[n], d, side[0] == 'd');
	}
	l->prefix[0] = 0;
	return n;
}

static enum lp_code load(struct lp_whisper *w, struct loading *l, struct lp_err *e)
{
	const struct lp_ct2_tensor *words = lp_ct2_find(l->ct2, "decoder/embeddings/weight");

	if (!words || words->n_dims != 2 || words->dims[1] < 64 || words->dims[1] > 1280 || words->dims[1] % 64 ||
	    words->dims[0] < 1000 || words->dims[0] > 60000)
		return lp_fail(e, LP_CONFIG, "the model's file is not Whisper's");
	size_t d = words->dims[1];

	w->d = (int)d;
	w->heads = w->d / WHISPER_HEAD;
	w->n_words = (int)words->dims[0];
	w->words = get(l, "decoder/embeddings/weight", (size_t)w->n_words * d);
	w->conv1 = get_linear(l, "encoder/conv1", d, LP_MEL_BANDS * 3);
	w->conv2 = get_linear(l, "encoder/conv2", d, d * 3);
	w->encoder_places = get(l, "encoder/position_encodings/encodings", WHISPER_PLACES * d);
	w->decoder_places = get(l, "decoder/position_encodings/encodings", WHISPER_TEXT * d);
	w->encoder_end = get_normal(l, "encoder/layer_norm", d);
	w->decoder_end = get_normal(l, "decoder/layer_norm", d);
	w->n_encoder = get_blocks(l, w->encoder, d, "encoder");
	w->n_decoder = get_blocks(l, w->decoder, d, "decoder");
	if (l->missing)
		return lp_fail(e, LP_CONFIG, "the model's file lacks %s, or it has another size", l->missing);
	return w->n_encoder && w->n_decoder ? LP_OK : lp_fail(e, LP_CONFIG, "the model's file has no layers");
}

/* Brackets, notes and their like are marks of subtitles, not of speech. */
static bool noise(struct lp_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if (c >= 0x80 && text.len <= 4 && (unsigned char)text.at[text.len > 2 ? 1 : 0] == 0x99)
			return true;	/* musical notes: U+2669 and on */
		if (!strchr(" \"#()*+/:;<=>@[\\]^_`{|}~", (char)c))
			return false;
	}
	return text.len > 0 && !lp_span_is(text, " ");
}

static enum lp_code read_words(struct lp_scope *scope, struct lp_whisper *w, struct lp_span words, struct lp_err *e)
{
	int n = 0;

	w->text = lp_new_array(scope, struct lp_span, (size_t)w->n_words);
	w->special = lp_new_array(scope, unsigned char, (size_t)w->n_words);
	w->start = w->end = w->no_times = w->first_time = w->no_speech = -1;
	for (; words.len && n < w->n_words; n++) {
		struct lp_span line = lp_span_cut(&words, '\n');

		w->text[n] = lp_bpe_bytes(scope, line);
		w->special[n] = noise(w->text[n]) || (lp_span_starts(line, "<|") && lp_span_ends(line, "|>"));
		if (lp_span_is(line, "<|startoftranscript|>"))
			w->start = n;
		else if (lp_span_is(line, "<|endoftext|>"))
			w->end = n;
		else if (lp_span_is(line, "<|notimestamps|>"))
			w->no_times = n;
		else if (lp_span_is(line, "<|nospeech|>") || lp_span_is(line, "<|nocaptions|>"))
			w->no_speech = n;
		else if (lp_span_is(line, "<|0.00|>"))
			w->first_time = n;
	}
	if (n != w->n_words || w->start < 0 || w->end < 0 || w->no_times < 0 || w->first_time + 1501 > n ||
	    w->first_time < 0)
		return lp_fail(e, LP_CONFIG, "the list of words does not fit the model");
	return LP_OK;
}

enum lp_code lp_whisper_open(struct lp_scope *scope, struct lp_whisper **out, struct lp_span model,
			     struct lp_span words, struct lp_err *e)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "open");
	struct lp_whisper *w = lp_new(scope, struct lp_whisper);
	struct lp_ct2 *ct2 = lp_new(tmp, struct lp_ct2);
	struct loading l = { .scope = scope, .ct2 = ct2 };
	enum lp_code code = lp_ct2_read(ct2, model, e);

	*out = NULL;
	if (code == LP_OK)
		code = load(w, &l, e);
	if (code == LP_OK)
		code = read_words(scope, w, words, e);
	if (code == LP_OK)
		*out = w;
	lp_scope_close(&tmp);
	return code;
}

void lp_whisper_share(struct lp_whisper *whisper, struct lp_crew *crew)
{
	whisper->crew = crew;
}

/* ---- writing down half a minute ---- */

struct writing {
	const struct lp_whisper *w;
	struct whisper_memory *m;
	int tokens[TEXT_MOST];
	int n;
	double sum;		/* of the logarithms of their likelihoods */
	float quiet;		/* likelihood of no speech at all */
};

static bool is_time(const struct lp_whisper *w, int token)
{
	return token >= w->first_time;
}

static void forbid(float *logits, int from, int to)
{
	for (int i = from; i < to; i++)
		logits[i] = -INFINITY;
}

/* Whisper's rules for times: one at the beginning, pairs between sentences, never backwards. */
static void rules_of_time(const struct writing *t)
{
	const struct lp_whisper *w = t->w;
	float *v = t->m->logits;
	int last = t->n ? t->tokens[t->n - 1] : -1, before = t->n > 1 ? t->tokens[t->n - 2] : -1;

	if (!t->n) {
		forbid(v, 0, w->first_time);
		forbid(v, w->first_time + FIRST_LATEST + 1, w->n_words);
		return;
	}
	if (is_time(w, last)) {
		if (t->n < 2 || is_time(w, before))
			forbid(v, w->first_time, w->n_words);
		else
			forbid(v, 0, w->end);
	}
	for (int i = t->n - 1; i >= 0; i--) {
		if (!is_time(w, t->tokens[i]))
			continue;
		forbid(v, w->first_time, t->tokens[i] + (is_time(w, last) && !is_time(w, before) ? 0 : 1));
		break;
	}
}

/* All times together likelier than any single word: a time it is. */
static void prefer_times(const struct writing *t)
{
	const struct lp_whisper *w = t->w;
	float *v = t->m->logits, best = -INFINITY, high = -INFINITY;
	double sum = 0;

	for (int i = 0; i < w->first_time; i++)
		best = fmaxf(best, v[i]);
	for (int i = w->first_time; i < w->n_words; i++)
		high = fmaxf(high, v[i]);
	if (!(high > -INFINITY))
		return;
	for (int i = w->first_time; i < w->n_words; i++)
		sum += exp((double)(v[i] - high));
	if ((double)high + log(sum) > (double)best)
		forbid(v, 0, w->first_time);
}

static void forbid_noise(const struct writing *t)
{
	const struct lp_whisper *w = t->w;

	for (int i = 0; i < w->first_time; i++) {
		if (w->special[i] && i != w->end)
			t->m->logits[i] = -INFINITY;
	}
}

/* The likeliest token, and the logarithm of its likelihood. */
static int choose(const float *v, int n, double *logarithm)
{
	int best = 0;
	double sum = 1;	/* the likeliest itself */

	for (int i = 1; i < n; i++)
		best = v[i] > v[best] ? i : best;
	for (int i = 0; i < n; i++)
		sum += i == best ? 0 : exp((double)(v[i] - v[best]));
	*logarithm = -log(sum);
	return best;
}

static bool loops(const struct writing *t)
{
	for (int len = 1; len <= 24 && len * LOOP <= t->n; len++) {
		bool same = true;

		for (int i = 0; i < len * (LOOP - 1) && same; i++)
			same = t->tokens[t->n - 1 - i] == t->tokens[t->n - 1 - i - len];
		if (same)
			return true;
	}
	return false;
}

static void read_quiet(struct writing *t)
{
	double sum = 0;

	if (t->w->no_speech < 0)
		return;
	for (int i = 0; i < t->w->n_words; i++)
		sum += exp((double)(t->m->logits[i] - t->m->logits[t->w->no_speech]));
	t->quiet = (float)(1.0 / sum);
}

static enum lp_code write_down(struct writing *t, const struct lp_stop *stop, struct lp_err *e)
{
	const struct lp_whisper *w = t->w;
	int token = w->start;

	for (int place = 0; t->n < TEXT_MOST; place++) {
		double logarithm;

		if (lp_stopped(stop))
			return lp_fail(e, LP_GONE, "stopped");
		whisper_step(t->m, w, token, place);
		if (place == 0)
			read_quiet(t);
		forbid_noise(t);
		rules_of_time(t);
		prefer_times(t);
		token = choose(t->m->logits, w->n_words, &logarithm);
		if (token == w->end || loops(t))
			break;
		t->tokens[t->n++] = token;
		t->sum += logarithm;
	}
	return LP_OK;
}

/* ---- half minutes to a transcript ---- */

struct hearing {
	struct lp_scope *scope;
	struct lp_transcript *out;
	struct lp_buf text;	/* of the sentence that is being read */
};

static void end_sentence(struct hearing *h, double from, double to)
{
	bool blank = true;

	for (size_t i = 0; i < h->text.len; i++)
		blank &= lp_buf_span(&h->text).at[i] == ' ';
	if (!blank && h->out->n < LP_HEARD_MOST)
		h->out->at[h->out->n++] = (struct lp_heard){ from, to, lp_span_dup(h->scope, lp_buf_span(&h->text)) };
	lp_buf_reset(&h->text);
}

/* Sentences between times; returns how many seconds are done: up to the last pair of times, else all. */
static double read_tokens(struct hearing *h, const struct writing *t, double at, double length)
{
	const struct lp_whisper *w = t->w;
	double from = 0, done = 0;
	bool pair = t->n > 1 && is_time(w, t->tokens[t->n - 1]) && is_time(w, t->tokens[t->n - 2]);

	for (int i = 0; i < t->n; i++) {
		double time = (t->tokens[i] - w->first_time) * TICK;

		if (!is_time(w, t->tokens[i])) {
			lp_buf_add_span(&h->text, w->text[t->tokens[i]]);
		} else if (h->text.len) {
			end_sentence(h, at + from, at + fmin(time, length));
			done = time;
			from = time;
		} else {
			from = time;
		}
	}
	if (h->text.len) {
		end_sentence(h, at + from, at + length);
		return length;
	}
	/* "One ended, the next began": what began is heard again from there. */
	return pair && done > 1.0 ? done : length;
}

static enum lp_code hear_all(struct hearing *h, struct writing *t, float *mel, const struct lp_hear_want *want,
			     struct lp_err *e)
{
	float *encoded = lp_new_array(h->scope, float, WHISPER_PLACES * (size_t)t->w->d);
	size_t at = 0, n = want->sound->n;

	while (at + LP_MEL_RATE / 10 < n) {
		size_t left = n - at < LP_MEL_SAMPLES ? n - at : LP_MEL_SAMPLES;

		lp_mel(mel, want->sound->at + at, left);
		if (!whisper_encode(encoded, t->w, mel, want->stop))
			return lp_fail(e, LP_GONE, "stopped");
		whisper_remember(t->m, t->w, encoded);
		t->n = 0;
		t->sum = 0;
		enum lp_code code = write_down(t, want->stop, e);

		if (code != LP_OK)
			return code;
		if (t->quiet > QUIET && t->sum < (double)UNSURE * (t->n + 1))
			t->n = 0;
		double seconds = (double)left / LP_MEL_RATE;
		double done = t->n ? read_tokens(h, t, (double)at / LP_MEL_RATE, seconds) : seconds;

		at += left < LP_MEL_SAMPLES ? left : (size_t)(done * LP_MEL_RATE);
	}
	return LP_OK;
}

enum lp_code lp_whisper_hear(struct lp_scope *scope, struct lp_transcript *out, const struct lp_whisper *whisper,
			     const struct lp_hear_want *want, struct lp_err *e)
{
	struct hearing h = { .scope = scope, .out = out };
	struct writing *t = lp_new(scope, struct writing);

	t->w = whisper;
	t->m = whisper_memory_new(scope, whisper);
	out->n = 0;
	out->at = lp_new_array(scope, struct lp_heard, LP_HEARD_MOST);
	enum lp_code code = hear_all(&h, t, lp_new_array(scope, float, LP_MEL_FRAMES * LP_MEL_BANDS), want, e);

	lp_buf_clear(&h.text);
	return code;
}
