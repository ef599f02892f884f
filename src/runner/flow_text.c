/* Words to the vector that the network is told: MODEL_CARD.md, "How it works", 1. */
#include <math.h>
#include <string.h>

#include "flow_priv.h"

#define WORDS 64	/* of a prompt; what follows is not read */
#define WORD 48		/* letters of one */
#define ROWS 64		/* pooled at most */

struct word {
	char text[WORD];
	size_t len;
	int colour;	/* 1 + index, 0: none */
};

struct pool {
	double sum[LP_FLOW_TEXT];
	double weight;
	int rows;
};

static const char *const stop_words[] = {
	"a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "her", "his", "in", "is", "it", "its", "my",
	"no", "of", "on", "one", "or", "some", "that", "the", "their", "this", "to", "very", "with", "your",
};

static const struct {
	const char *word;
	int colour;
} colours[] = {
	{ "red", 1 }, { "orange", 2 }, { "yellow", 3 }, { "green", 4 }, { "blue", 5 }, { "purple", 6 },
	{ "pink", 7 }, { "brown", 8 }, { "black", 9 }, { "white", 10 }, { "gray", 11 },
	{ "grey", 11 }, { "violet", 6 }, { "lilac", 6 }, { "magenta", 7 }, { "crimson", 1 }, { "scarlet", 1 },
	{ "gold", 3 }, { "golden", 3 }, { "silver", 11 }, { "navy", 5 }, { "azure", 5 }, { "cyan", 5 },
	{ "turquoise", 5 }, { "lime", 4 }, { "beige", 8 },
};

static int colour_of(struct lp_span word)
{
	for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++) {
		if (lp_span_is(word, colours[i].word))
			return colours[i].colour;
	}
	return 0;
}

static bool is_stop(struct lp_span word)
{
	for (size_t i = 0; i < sizeof stop_words / sizeof stop_words[0]; i++) {
		if (lp_span_is(word, stop_words[i]))
			return true;
	}
	return false;
}

/* Apostrophes, straight and curly, are as if they were not there. */
static size_t apostrophe(struct lp_span at)
{
	if (at.at[0] == '\'')
		return 1;
	return lp_span_starts(at, "\xe2\x80\x99") ? 3 : 0;
}

/* The next run of letters and digits, lower-case, cut to fit; false at the end. */
static bool next_word(struct lp_span *rest, struct word *word)
{
	word->len = 0;
	while (rest->len) {
		size_t skip = apostrophe(*rest);
		char c = rest->at[0];

		if (skip) {
			*rest = lp_span_skip(*rest, skip);
			continue;
		}
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (!letter && word->len)
			return true;
		if (letter && word->len < WORD)
			word->text[word->len++] = c;
		*rest = lp_span_skip(*rest, 1);
	}
	return word->len > 0;
}

static int read_words(struct lp_span prompt, struct word *words)
{
	int n = 0;

	while (n < WORDS && next_word(&prompt, &words[n])) {
		struct lp_span text = { words[n].text, words[n].len };

		if (is_stop(text))
			continue;
		words[n].colour = colour_of(text);
		n++;
	}
	return n;
}

/* Take the colour words out when something else is named too; returns the colour. */
static int split_colour(struct word *words, int *n)
{
	int colour = 0, others = 0;

	for (int i = 0; i < *n; i++) {
		if (!words[i].colour)
			others++;
		else if (!colour)
			colour = words[i].colour;
	}
	if (!others || !colour)
		return 0;
	int kept = 0;

	for (int i = 0; i < *n; i++) {
		if (!words[i].colour)
			words[kept++] = words[i];
	}
	*n = kept;
	return colour;
}

static void pool_row(const struct lp_flow *flow, struct pool *p, int row, double share)
{
	if (p->rows == ROWS)
		return;
	p->rows++;
	float a = flow->tok_a[row];
	double weight = exp(a < -8.0f ? -8.0 : a > 8.0f ? 8.0 : (double)a) * share;
	const int8_t *q = flow->tok.q + (size_t)row * LP_FLOW_TEXT;

	for (int i = 0; i < LP_FLOW_TEXT; i++)
		p->sum[i] += (double)q[i] * (double)flow->tok.scale[row] * weight;
	p->weight += weight;
}

/* FNV-1a of a piece of <word>. */
static int piece_row(const struct lp_flow *flow, const char *at, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)at[i]) * 16777619u;
	return flow->n_words + (int)(h % FLOW_PIECES);
}

static void pool_pieces(const struct lp_flow *flow, struct pool *p, const struct word *word)
{
	char framed[WORD + 2];
	size_t len = word->len + 2, n = 0;

	framed[0] = '<';
	memcpy(framed + 1, word->text, word->len);
	framed[len - 1] = '>';
	for (size_t size = 3; size <= 4; size++)
		n += len >= size ? len - size + 1 : 0;
	for (size_t size = 3; size <= 4; size++) {
		for (size_t i = 0; i + size <= len; i++)
			pool_row(flow, p, piece_row(flow, framed + i, size), 1.0 / (double)n);
	}
}

bool lp_flow_knows(const struct lp_flow *flow, struct lp_span word)
{
	return flow_row(flow, word) >= 0;
}

void lp_flow_read(const struct lp_flow *flow, struct lp_flow_text *out, struct lp_span prompt)
{
	struct word words[WORDS];
	struct pool pool = { .rows = 0 };
	int n = read_words(prompt, words), known = 0;

	*out = (struct lp_flow_text){ .colour = split_colour(words, &n) };
	for (int i = 0; i < n; i++) {
		int row = flow_row(flow, (struct lp_span){ words[i].text, words[i].len });

		if (row >= 0) {
			known++;
			pool_row(flow, &pool, row, 1.0);
		}
		pool_pieces(flow, &pool, &words[i]);
	}
	for (int i = 0; i < LP_FLOW_TEXT; i++)
		out->vector[i] = pool.rows ? (float)(pool.sum[i] / (pool.weight + 1e-6)) : flow->null_text[i];
	out->known = n ? (float)known / (float)n : 0.0f;
}

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

void lp_flow_noise(float *to, int n, uint64_t seed)
{
	const double pi2 = 6.283185307179586;

	for (int i = 0; i < n; i += 2) {
		double u = (double)((splitmix(&seed) >> 11) + 1) * 0x1p-53;
		double angle = pi2 * ((double)(splitmix(&seed) >> 11) * 0x1p-53);
		double radius = sqrt(-2.0 * log(u));

		to[i] = (float)(radius * cos(angle));
		if (i + 1 < n)
			to[i + 1] = (float)(radius * sin(angle));
	}
}
