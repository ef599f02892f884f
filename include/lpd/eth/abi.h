/* eth/abi - what contracts are called with and what they answer: words of 32 bytes, and what has no fixed length
 * behind them.  Pure.
 *
 * Answers come from a node that may be broken or lie: every place and length in them is checked, and an address or
 * a flag with other bytes than zeros before it is refused. */
#ifndef LPD_ETH_ABI_H
#define LPD_ETH_ABI_H

#include <lpd/eth/address.h>
#include <lpd/eth/u256.h>

#define LP_ABI_WORD 32

/* The first four bytes of the hash of "name(type,type)", as text of the contract's source has it, appended. */
void lp_abi_selector(struct lp_buf *to, const char *signature);
void lp_abi_topic(struct lp_hash *out, const char *signature);	/* of an event */
void lp_abi_word(struct lp_buf *to, struct lp_u256 n);		/* alone: an array's length */

/* Values one behind another: arguments, the members of a struct, the elements of an array.  In what has a length
 * of its own stands its place; it comes behind all heads.  Owns heap memory until it is closed. */
struct lp_abi {
	struct lp_buf head, tail;
	size_t words;	/* of the head, known before */
};

void lp_abi_open(struct lp_abi *abi, size_t words);
void lp_abi_number(struct lp_abi *abi, struct lp_u256 n);
void lp_abi_address(struct lp_abi *abi, struct lp_address a);
void lp_abi_hash(struct lp_abi *abi, const struct lp_hash *hash);
void lp_abi_bytes(struct lp_abi *abi, struct lp_span bytes);	/* bytes and string */
void lp_abi_inner(struct lp_abi *abi, struct lp_span encoded);	/* a struct or an array, encoded before */
/* Exactly as many words as were said; all of it is appended. */
void lp_abi_close(struct lp_buf *to, struct lp_abi *abi);

/* The i-th word of what a tuple's bytes are; false when it is not there or not of that kind. */
bool lp_abi_read_number(struct lp_u256 *out, struct lp_span tuple, size_t i);
bool lp_abi_read_address(struct lp_address *out, struct lp_span tuple, size_t i);
bool lp_abi_read_hash(struct lp_hash *out, struct lp_span tuple, size_t i);
bool lp_abi_read_flag(bool *out, struct lp_span tuple, size_t i);
bool lp_abi_read_bytes(struct lp_span *out, struct lp_span tuple, size_t i);	/* borrowed */

/* Why a call was refused: the contract's words, or the number of a panic (then words.at is NULL).  False: neither. */
bool lp_abi_read_revert(struct lp_span *words, uint64_t *panic, struct lp_span data);

#endif
