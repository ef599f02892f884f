#include "bpe.h"

#include <string.h>

#include <lpd/base/mem.h>

/* ---- the alphabet: printable Latin-1 stands for itself, the rest is shifted to U+0100 and on ---- */

static bool itself(unsigned c)
{
	return (c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255);
}

/* The byte that a character stands for; -1: none. */
static int byte_of(unsigned code)
{
	unsigned n = 256;

	if (code < 256)
		return itself(code) ? (int)code : -1;
	for (unsigned b = 0; b < 256; b++) {
		if (itself(b))
			continue;
		if (n++ == code)
			return (int)b;
	}
	return -1;
}

struct lp_span lp_bpe_bytes(struct lp_scope *scope, struct lp_span token)
{
	char *to = lp_new_array(scope, char, token.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < token.len;) {
		unsigned char a = (unsigned char)token.at[i];
		unsigned char b = i + 1 < token.len ? (unsigned char)token.at[i + 1] : 0;
		bool two = (a & 0xe0) == 0xc0 && (b & 0xc0) == 0x80;
		int byte = two ? byte_of((a & 31u) << 6 | (b & 63u)) : byte_of(a);

		if (byte >= 0) {
			to[n++] = (char)byte;
			i += two ? 2 : 1;
		} else {
			to[n++] = token.at[i++];
		}
	}
	return lp_span_of(to, n);
}

size_t lp_utf8_tail(struct lp_span text)
{
	for (size_t back = 1; back <= 3 && back <= text.len; back++) {
		unsigned char c = (unsigned char)text.at[text.len - back];

		if ((c & 0xc0) == 0x80)
			continue;
		size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

		return want > back ? back : 0;
	}
	return 0;
}

/* ---- tables: bytes to a number, by open addressing ---- */

struct row {
	struct lp_span left, right;	/* right empty: a token */
	int value;			/* 1 and more; 0: free */
};

struct table {
	struct row *rows;
	uint32_t mask;
};

struct lp_bpe {
	struct table tokens, merges;
	const struct lp_span *text;
};

static uint32_t hash(struct lp_span left, struct lp_span right)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < left.len; i++)
		h = (h ^ (unsigned char)left.at[i]) * 16777619u;
	h = (h ^ 256u) * 16777619u;
	for (size_t i = 0; i < right.len; i++)
		h = (h ^ (unsigned char)right.at[i]) * 16777619u;
	return h ^ h >> 15;
}

static struct row *place(const struct table *t, struct lp_span left, struct lp_span right)
{
	uint32_t i = hash(left, right) & t->mask;

	while (t->rows[i].value && !(lp_span_eq(t->rows[i].left, left) && lp_span_eq(t->rows[i].right, right)))
		i = (i + 1) & t->mask;
	return &t->rows[i];
}

static void open_table(struct lp_scope *scope, struct table *t, int n)
{
	uint32_t size = 16;

	while (size < 2u * (uint32_t)n)
		size *= 2;
	t->rows = lp_new_array(scope, struct row, size);
	t->mask = size - 1;
}

static void put(struct table *t, struct lp_span left, struct lp_span right, int value)
{
	struct row *row = place(t, left, right);

	if (!row->value)
		*row = (struct row){ left, right, value };
}

struct lp_bpe *lp_bpe_open(struct lp_scope *scope, const struct lp_bpe_want *want)
{
	struct lp_bpe *bpe = lp_new(scope, struct lp_bpe);
	const struct lp_span none = { "", 0 };

	bpe->text = want->tokens;
	open_table(scope, &bpe->tokens, want->n_tokens);
	open_table(scope, &bpe->merges, want->n_merges);
	for (int i = 0; i < want->n_tokens; i++)
		put(&bpe->tokens, want->tokens[i], none, i + 1);
	for (int i = 0; i < want->n_merges; i++)
		put(&bpe->merges, want->left[i], want->right[i], i + 1);
	return bpe;
}

int lp_bpe_find(const struct lp_bpe *bpe, struct lp_span bytes)
{
	return place(&bpe->tokens, bytes, (struct lp_span){ "", 0 })->value - 1;
}

/* ---- splitting ---- */

enum sort { BLANK, LETTER, DIGIT, OTHER };

static enum sort sort_of(char c)
{
	if (c == ' ' || (c >= '\t' && c <= '\r'))
		return BLANK;
	if (c >= '0' && c <= '9')
		return DIGIT;
	/* Whatever is beyond ASCII is taken for letters: most of it is. */
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 128 ? LETTER : OTHER;
}

/* "'s", "'re" and their like: how many bytes. */
static size_t ending(struct lp_span s)
{
	static const char *const all[] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (lp_span_starts(s, all[i]))
			return strlen(all[i]);
	}
	return 0;
}

/* The next piece that merges stay within: a word or a run of signs with one blank before it, one digit, blanks. */
static size_t piece(struct lp_span s)
{
	size_t n = 0;
	enum sort sort = sort_of(s.at[0]);

	if (sort == DIGIT)
		return 1;
	if ((n = ending(s)))
		return n;
	if (sort == BLANK) {
		while (n < s.len && sort_of(s.at[n]) == BLANK)
			n++;
		if (n == s.len)
			return n;
		if (n > 1)
			return n - 1;	/* the last one goes with what follows */
		sort = sort_of(s.at[1]);
		if (s.at[0] != ' ' || sort == DIGIT)
			return 1;
	}
	do
		n++;
	while (n < s.len && sort_of(s.at[n]) == sort);
	return n;
}

#define PIECE 512		/* bytes; a longer one is cut */

static int merge(const struct lp_bpe *bpe, struct lp_span *parts, int n)
{
	for (;;) {
		int best = 0, at = -1;

		for (int i = 0; i + 1 < n; i++) {
			int rank = place(&bpe->merges, parts[i], parts[i + 1])->value;

			if (rank && (at < 0 || rank < best)) {
				best = rank;
				at = i;
			}
		}
		if (at < 0)
			return n;
		parts[at].len += parts[at + 1].len;
		memmove(&parts[at + 1], &parts[at + 2], (size_t)(n - at - 2) * sizeof *parts);
		n--;
	}
}

int lp_bpe_encode(const struct lp_bpe *bpe, int32_t *to, int room, struct lp_span text)
{
	struct lp_span parts[PIECE];
	int count = 0;

	while (text.len && count < room) {
		size_t len = piece(text);
		int n = 0;

		len = len < PIECE ? len : PIECE;
		for (; n < (int)len; n++)
			parts[n] = lp_span_of(text.at + n, 1);
		n = merge(bpe, parts, n);
		for (int i = 0; i < n && count < room; i++) {
			int token = lp_bpe_find(bpe, parts[i]);

			if (token >= 0)
				to[count++] = token;
		}
		text = lp_span_skip(text, len);
	}
	return count;
}
