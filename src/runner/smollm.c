#include "smollm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/base/buf.h>
#include <lpd/base/mem.h>

#include "bpe.h"
#include "gguf.h"
#include "nn.h"

#define LAYERS 32
#define HEAD 64
#define BATCH 32		/* tokens of the prompt worked out at once */
#define FLOOR 0.05f		/* of the likeliest's likelihood: rarer tokens are never drawn */

struct layer {
	const float *before_attention, *before_feed;
	const uint8_t *q, *k, *v, *o, *gate, *up, *down;
};

struct lp_smollm {
	int d, heads, kv_heads, feed, n_words, n_layers;
	float base, epsilon;		/* of the turning of places; of the normalisation */
	const uint8_t *words;
	const float *end_norm;
	struct layer layers[LAYERS];
	struct lp_bpe *bpe;
	struct lp_span *text;		/* of each token, as bytes */
	struct lp_crew *crew;		/* who may help; NULL: nobody */
	int begin, end, stop;		/* marks: <|im_start|>, <|im_end|>, <|endoftext|> */
};

/* ---- opening ---- */

struct loading {
	const struct lp_gguf *g;
	const char *missing;
	char name[64];
};

static const uint8_t *get(struct loading *l, enum lp_gguf_type type, int cols, int rows)
{
	const struct lp_gguf_want want = { l->name, type, (uint64_t)cols, (uint64_t)rows };
	const uint8_t *at = lp_gguf_tensor(l->g, &want);

	if (!at && !l->missing)
		l->missing = "a tensor";
	return at;
}

static const uint8_t *get_block(struct loading *l, int layer, const char *what, const int cols_rows[2])
{
	snprintf(l->name, sizeof l->name, "blk.%d.%s.weight", layer, what);
	return get(l, LP_GGUF_Q4_1, cols_rows[0], cols_rows[1]);
}

static const float *get_norm(struct lp_scope *scope, struct loading *l, int d)
{
	const uint8_t *at = get(l, LP_GGUF_F32, d, 1);
	float *v = lp_new_array(scope, float, (size_t)d);

	if (at)
		memcpy(v, at, (size_t)d * sizeof *v);
	return v;
}

static void get_layer(struct lp_scope *scope, struct lp_smollm *m, struct loading *l, int i)
{
	struct layer *to = &m->layers[i];
	int kv = m->kv_heads * HEAD;

	snprintf(l->name, sizeof l->name, "blk.%d.attn_norm.weight", i);
	to->before_attention = get_norm(scope, l, m->d);
	snprintf(l->name, sizeof l->name, "blk.%d.ffn_norm.weight", i);
	to->before_feed = get_norm(scope, l, m->d);
	to->q = get_block(l, i, "attn_q", (int[]){ m->d, m->d });
	to->k = get_block(l, i, "attn_k", (int[]){ m->d, kv });
	to->v = get_block(l, i, "attn_v", (int[]){ m->d, kv });
	to->o = get_block(l, i, "attn_output", (int[]){ m->d, m->d });
	to->gate = get_block(l, i, "ffn_gate", (int[]){ m->d, m->feed });
	to->up = get_block(l, i, "ffn_up", (int[]){ m->d, m->feed });
	to->down = get_block(l, i, "ffn_down", (int[]){ m->feed, m->d });
}

static bool read_sizes(struct lp_smollm *m, const struct lp_gguf *g)
{
	uint32_t d, heads, kv, feed, layers, words;

	if (!lp_gguf_whole(g, "llama.embedding_length", &d) ||
	    !lp_gguf_whole(g, "llama.attention.head_count", &heads) ||
	    !lp_gguf_whole(g, "llama.attention.head_count_kv", &kv) ||
	    !lp_gguf_whole(g, "llama.feed_forward_length", &feed) ||
	    !lp_gguf_whole(g, "llama.block_count", &layers) || !lp_gguf_whole(g, "llama.vocab_size", &words) ||
	    !lp_gguf_float(g, "llama.rope.freq_base", &m->base) ||
	    !lp_gguf_float(g, "llama.attention.layer_norm_rms_epsilon", &m->epsilon))
		return false;
	m->d = (int)d;
	m->heads = (int)heads;
	m->kv_heads = (int)kv;
	m->feed = (int)feed;
	m->n_layers = (int)layers;
	m->n_words = (int)words;
	return heads <= 32 && kv >= 1 && kv <= heads && heads % kv == 0 && d == heads * HEAD && feed <= LP_QUANT_MOST &&
	       feed % 32 == 0 && layers >= 1 && layers <= LAYERS && words >= 256 && words <= 200000 && m->base > 1.0f;
}

static bool read_words(struct lp_scope *scope, struct lp_smollm *m, const struct lp_gguf *g)
{
	int n, n_merges;
	struct lp_span *tokens = lp_gguf_texts(scope, g, "tokenizer.ggml.tokens", &n);
	struct lp_span *left = lp_gguf_texts(scope, g, "tokenizer.ggml.merges", &n_merges);

	if (!tokens || !left || n != m->n_words)
		return false;
	struct lp_span *right = lp_new_array(scope, struct lp_span, (size_t)n_merges + 1);

	for (int i = 0; i < n; i++)
		tokens[i] = lp_bpe_bytes(scope, tokens[i]);
	for (int i = 0; i < n_merges; i++) {
		struct lp_span rest = left[i];

		left[i] = lp_bpe_bytes(scope, lp_span_cut(&rest, ' '));
		right[i] = lp_bpe_bytes(scope, rest);
	}
	m->text = tokens;
	m->bpe = lp_bpe_open(scope, &(struct lp_bpe_want){ tokens, n, left, right, n_merges });
	m->begin = lp_bpe_find(m->bpe, LP_SPAN("<|im_start|>"));
	m->end = lp_bpe_find(m->bpe, LP_SPAN("<|im_end|>"));
	m->stop = lp_bpe_find(m->bpe, LP_SPAN("<|endoftext|>"));
	return m->begin >= 0 && m->end >= 0;
}

static enum lp_code load(struct lp_scope *scope, struct lp_smollm *m, const struct lp_gguf *g, struct lp_err *e)
{
	struct loading l = { .g = g };

	if (!read_sizes(m, g))
		return lp_fail(e, LP_CONFIG, "the model's sizes are not of a kind that is known here");
	for (int i = 0; i < m->n_layers && !l.missing; i++)
		get_layer(scope, m, &l, i);
	snprintf(l.name, sizeof l.name, "output_norm.weight");
	m->end_norm = get_norm(scope, &l, m->d);
	snprintf(l.name, sizeof l.name, "token_embd.weight");
	m->words = get(&l, LP_GGUF_Q8_0, m->d, m->n_words);
	if (l.missing)
		return lp_fail(e, LP_CONFIG, "the model's file lacks %s, or it is of another kind", l.missing);
	return read_words(scope, m, g) ? LP_OK :
		lp_fail(e, LP_CONFIG, "the model's words are not of a kind that is known here");
}

enum lp_code lp_smollm_open(struct lp_scope *scope, struct lp_smollm **out, struct lp_span file, struct lp_err *e)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "open");
	struct lp_smollm *m = lp_new(scope, struct lp_smollm);
	struct lp_gguf *g = lp_new(tmp, struct lp_gguf);
	enum lp_code code = lp_gguf_read(g, file, e);

	*out = NULL;
	if (code == LP_OK)
		code = load(scope, m, g, e);
	if (code == LP_OK)
		*out = m;
	lp_scope_close(&tmp);
	return code;
}

void lp_smollm_share(struct lp_smollm *model, struct lp_crew *crew)
{
	model->crew = crew;
}

/* ---- the network ---- */

struct talk {
	struct lp_scope *scope;
	const struct lp_smollm *m;
	const struct lp_talk_want *want;
	float *kv;			/* layer by layer, place by place: keys, then values */
	float *x, *norm, *q, *k, *v, *out, *gate, *up, *scores, *logits;
	int32_t tokens[LP_SMOLLM_PLACES];
	int n;				/* tokens so far */
	struct lp_buf text;		/* not told yet: the end of a character is missing */
};

static void multiply(float *out, const struct lp_smollm *m, const uint8_t *w, const float *x, const int nmk[3])
{
	lp_nn_quant_product(&(struct lp_quant_product){ .kind = LP_Q4_1, .w = w, .x = x, .out = out, .n = nmk[0],
							.m = nmk[1], .k = nmk[2], .crew = m->crew });
}

/* Pairs of neighbours are turned by an angle that grows with the place. */
static void turn(float *x, int heads, int place, float base)
{
	for (int i = 0; i < HEAD; i += 2) {
		float angle = (float)place * powf(base, -(float)i / HEAD), c = cosf(angle), s = sinf(angle);

		for (int h = 0; h < heads; h++) {
			float *p = x + h * HEAD + i, a = p[0], b = p[1];

			p[0] = a * c - b * s;
			p[1] = a * s + b * c;
		}
	}
}

static void normalise(float *to, const float *x, const float *gain, const struct lp_smollm *m, int n)
{
	for (int i = 0; i < n; i++)
		lp_nn_norm(to + (size_t)i * (size_t)m->d, x + (size_t)i * (size_t)m->d, m->d,
			   &(struct lp_norm){ .gain = gain, .epsilon = m->epsilon });
}

static float *place_of(const struct talk *t, int layer, int place)
{
	size_t row = 2 * (size_t)(t->m->kv_heads * HEAD);

	return t->kv + ((size_t)layer * LP_SMOLLM_PLACES + (size_t)place) * row;
}

/* One token looks back over all places up to its own. */
static void look_back(const struct talk *t, int layer, int place, const float *q, float *out)
{
	int kv = t->m->kv_heads * HEAD, group = t->m->heads / t->m->kv_heads;

	for (int h = 0; h < t->m->heads; h++) {
		const float *mine = q + h * HEAD;
		float *to = out + h * HEAD;
		size_t at = (size_t)(h / group) * HEAD;

		for (int p = 0; p <= place; p++) {
			const float *k = place_of(t, layer, p) + at;
			float s = 0.0f;

			for (int i = 0; i < HEAD; i++)
				s += mine[i] * k[i];
			t->scores[p] = s * 0.125f;
		}
		lp_nn_softmax(t->scores, place + 1);
		memset(to, 0, HEAD * sizeof *to);
		for (int p = 0; p <= place; p++) {
			const float *v = place_of(t, layer, p) + kv + at;

			for (int i = 0; i < HEAD; i++)
				to[i] += t->scores[p] * v[i];
		}
	}
}

static void attend(struct talk *t, int layer, int first, int n)
{
	const struct lp_smollm *m = t->m;
	const struct layer *l = &m->layers[layer];
	int kv = m->kv_heads * HEAD;

	normalise(t->norm, t->x, l->before_attention, m, n);
	multiply(t->q, m, l->q, t->norm, (int[]){ n, m->d, m->d });
	multiply(t->k, m, l->k, t->norm, (int[]){ n, kv, m->d });
	multiply(t->v, m, l->v, t->norm, (int[]){ n, kv, m->d });
	for (int i = 0; i < n; i++) {
		float *to = place_of(t, layer, first + i);

		turn(t->q + (size_t)i * (size_t)m->d, m->heads, first + i, m->base);
		turn(t->k + (size_t)i * (size_t)kv, m->kv_heads, first + i, m->base);
		memcpy(to, t->k + (size_t)i * (size_t)kv, (size_t)kv * sizeof *to);
		memcpy(to + kv, t->v + (size_t)i * (size_t)kv, (size_t)kv * sizeof *to);
	}
	for (int i = 0; i < n; i++)
		look_back(t, layer, first + i, t->q + (size_t)i * (size_t)m->d, t->out + (size_t)i * (size_t)m->d);
	multiply(t->norm, m, l->o, t->out, (int[]){ n, m->d, m->d });
	lp_nn_add(t->x, t->norm, (size_t)n * (size_t)m->d);
}

static void feed(struct talk *t, int layer, int n)
{
	const struct lp_smollm *m = t->m;
	const struct layer *l = &m->layers[layer];
	size_t count = (size_t)n * (size_t)m->feed;

	normalise(t->norm, t->x, l->before_feed, m, n);
	multiply(t->gate, m, l->gate, t->norm, (int[]){ n, m->feed, m->d });
	multiply(t->up, m, l->up, t->norm, (int[]){ n, m->feed, m->d });
	for (size_t i = 0; i < count; i++)
		t->gate[i] = t->gate[i] / (1.0f + expf(-t->gate[i])) * t->up[i];
	multiply(t->norm, m, l->down, t->gate, (int[]){ n, m->d, m->feed });
	lp_nn_add(t->x, t->norm, (size_t)n * (size_t)m->d);
}

/* Tokens first .. first + n - 1; with `tell` the logits of what follows the last. */
static void forward(struct talk *t, int first, int n, bool tell)
{
	const struct lp_smollm *m = t->m;
	struct lp_quant_product words = { .kind = LP_Q8_0, .w = m->words, .x = t->norm, .out = t->logits, .n = 1,
					  .m = m->n_words, .k = m->d, .crew = m->crew };

	for (int i = 0; i < n; i++)
		lp_nn_quant_row(t->x + (size_t)i * (size_t)m->d, &words, t->tokens[first + i]);
	for (int l = 0; l < m->n_layers; l++) {
		attend(t, l, first, n);
		feed(t, l, n);
	}
	if (!tell)
		return;
	normalise(t->norm, t->x + (size_t)(n - 1) * (size_t)m->d, m->end_norm, m, 1);
	lp_nn_quant_product(&words);
}

/* ---- choosing ---- */

struct candidate {
	float logit;
	int token;
};

static int likelier(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->logit != y->logit)
		return x->logit > y->logit ? -1 : 1;
	return x->token - y->token;
}

/* How many of the sorted candidates, whose likelihoods are in logit by now, are kept. */
static int keep(const struct candidate *c, int n, const struct lp_choice *how)
{
	float sum = 0.0f;
	int kept = 0;

	if (how->top_k > 0 && n > how->top_k)
		n = how->top_k;
	for (; kept < n; kept++) {
		if (kept && (c[kept].logit < FLOOR * c[0].logit || sum >= how->top_p))
			break;
		sum += c[kept].logit;
	}
	return kept;
}

int lp_smollm_choose(float *logits, int n, const struct lp_choice *how, double u)
{
	struct candidate best[256];
	int count = 0, top = 0;
	double sum = 0, all = 0;

	for (int i = 1; i < n; i++)
		top = logits[i] > logits[top] ? i : top;
	if (!(how->temperature > 0.0f))
		return top;
	/* Only those above the floor can be drawn; there are never more than 1 / FLOOR likely ones of them that
	 * matter. */
	for (int i = 0; i < n; i++) {
		float p = expf((logits[i] - logits[top]) / how->temperature);

		all += (double)p;
		if (p >= FLOOR && count < 256)
			best[count++] = (struct candidate){ p, i };
	}
	for (int i = 0; i < count; i++)
		best[i].logit = (float)((double)best[i].logit / all);
	qsort(best, (size_t)count, sizeof best[0], likelier);
	count = keep(best, count, how);
	for (int i = 0; i < count; i++)
		sum += (double)best[i].logit;
	for (int i = 0; i < count; i++) {
		u -= (double)best[i].logit / sum;
		if (u < 0)
			return best[i].token;
	}
	return top;
}

/* 0..1 from a seed and a count (splitmix64). */
static double draw(uint64_t seed, int count)
{
	uint64_t z = seed + (uint64_t)(count + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* ---- a conversation ---- */

static bool add_token(struct talk *t, int token)
{
	if (t->n == LP_SMOLLM_PLACES)
		return false;
	t->tokens[t->n++] = token;
	return true;
}

static bool add_text(struct talk *t, struct lp_span text)
{
	t->n += lp_bpe_encode(t->m->bpe, t->tokens + t->n, LP_SMOLLM_PLACES - t->n, text);
	return t->n < LP_SMOLLM_PLACES;
}

static bool add_said(struct talk *t, const char *role, struct lp_span text)
{
	struct lp_buf all = { .len = 0 };

	lp_buf_fmt(&all, "%s\n", role);
	lp_buf_add_span(&all, text);
	bool fits = add_token(t, t->m->begin) && add_text(t, lp_buf_span(&all)) && add_token(t, t->m->end) &&
		add_text(t, LP_SPAN("\n"));

	lp_buf_clear(&all);
	return fits;
}

/* The model's template: a system message of its own when there is none, the messages, the answer's beginning. */
static bool add_conversation(struct talk *t)
{
	const struct lp_talk_want *want = t->want;
	bool fits = true;

	if (!want->n_said || strcmp(want->said[0].role, "system") != 0)
		fits = add_said(t, "system",
				LP_SPAN("You are a helpful AI assistant named SmolLM, trained by Hugging Face"));
	for (int i = 0; i < want->n_said && fits; i++)
		fits = add_said(t, want->said[i].role, want->said[i].text);
	return fits && add_token(t, t->m->begin) && add_text(t, LP_SPAN("assistant\n"));
}

static void tell(struct talk *t, int token, int count)
{
	lp_buf_add_span(&t->text, t->m->text[token]);
	size_t whole = t->text.len - lp_utf8_tail(lp_buf_span(&t->text));

	if (!whole)
		return;
	t->want->on_text(t->want->self, lp_span_of(lp_buf_span(&t->text).at, whole), count);
	lp_buf_eat(&t->text, whole);
}

static enum lp_code answer(struct talk *t, struct lp_talked *out, struct lp_err *e)
{
	const struct lp_talk_want *want = t->want;
	const struct lp_choice how = { want->temperature, want->top_p, want->top_k };

	for (;;) {
		int token = lp_smollm_choose(t->logits, t->m->n_words, &how, draw(want->seed, out->tokens));

		if (token == t->m->end || token == t->m->stop)
			return LP_OK;
		out->tokens++;
		tell(t, token, out->tokens);
		out->cut = out->tokens >= want->most || !add_token(t, token);
		if (out->cut)
			return LP_OK;
		if (lp_stopped(want->stop))
			return lp_fail(e, LP_GONE, "stopped");
		forward(t, t->n - 1, 1, true);
	}
}

static void make_room(struct talk *t)
{
	const struct lp_smollm *m = t->m;
	size_t d = (size_t)m->d, kv = (size_t)m->kv_heads * HEAD, n = BATCH;

	t->kv = lp_new_array(t->scope, float, (size_t)m->n_layers * LP_SMOLLM_PLACES * 2 * kv);
	t->x = lp_new_array(t->scope, float, n * d);
	t->norm = lp_new_array(t->scope, float, n * d);
	t->q = lp_new_array(t->scope, float, n * d);
	t->k = lp_new_array(t->scope, float, n * kv);
	t->v = lp_new_array(t->scope, float, n * kv);
	t->out = lp_new_array(t->scope, float, n * d);
	t->gate = lp_new_array(t->scope, float, n * (size_t)m->feed);
	t->up = lp_new_array(t->scope, float, n * (size_t)m->feed);
	t->scores = lp_new_array(t->scope, float, LP_SMOLLM_PLACES);
	t->logits = lp_new_array(t->scope, float, (size_t)m->n_words);
}

enum lp_code lp_smollm_talk(struct lp_talked *out, const struct lp_smollm *model, const struct lp_talk_want *want,
			    struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(NULL, "talk");
	struct talk *t = lp_new(scope, struct talk);
	enum lp_code code = LP_OK;

	*out = (struct lp_talked){ .tokens = 0 };
	t->scope = scope;
	t->m = model;
	t->want = want;
	make_room(t);
	if (!add_conversation(t))
		code = lp_fail(e, LP_BAD_REQUEST, "the messages have more than %d tokens", LP_SMOLLM_PLACES);
	out->prompt_tokens = t->n;
	if (want->prompt_tokens)
		*want->prompt_tokens = t->n;
	for (int first = 0; first < t->n && code == LP_OK; first += BATCH) {
		int n = t->n - first < BATCH ? t->n - first : BATCH;

		forward(t, first, n, first + n == t->n);
		if (lp_stopped(want->stop))
			code = lp_fail(e, LP_GONE, "stopped");
	}
	if (code == LP_OK)
		code = answer(t, out, e);
	lp_buf_clear(&t->text);
	lp_scope_close(&scope);
	return code;
}
