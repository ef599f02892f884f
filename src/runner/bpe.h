/* runner/bpe - byte-level words: tokens that spell bytes in printable characters (GPT-2's way), and splitting a text
 * into them by merges. */
#ifndef LPD_RUNNER_BPE_H
#define LPD_RUNNER_BPE_H

#include <stdint.h>

#include <lpd/base/scope.h>
#include <lpd/base/str.h>

/* The bytes that a token spells; a character outside of the alphabet stands for itself. */
struct lp_span lp_bpe_bytes(struct lp_scope *scope, struct lp_span token);

/* How many bytes at the end of a text begin a character of UTF-8 that is not whole yet. */
size_t lp_utf8_tail(struct lp_span text);

struct lp_bpe;

struct lp_bpe_want {
	const struct lp_span *tokens;	/* as bytes; in the scope */
	int n_tokens;
	const struct lp_span *left, *right;	/* merges in their order, as bytes */
	int n_merges;
};

struct lp_bpe *lp_bpe_open(struct lp_scope *scope, const struct lp_bpe_want *want);
/* A text's tokens; at most `room` are written, the rest is left out.  How many. */
int lp_bpe_encode(const struct lp_bpe *bpe, int32_t *to, int room, struct lp_span text);
/* The token that spells exactly this; -1: none. */
int lp_bpe_find(const struct lp_bpe *bpe, struct lp_span bytes);

#endif
