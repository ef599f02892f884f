/* eth/rlp - Ethereum's encoding of bytes and lists of them, as transactions have it.  Pure.
 *
 * There is one encoding for each value, and what has another is refused: who signs a transaction signs these
 * bytes. */
#ifndef LPD_ETH_RLP_H
#define LPD_ETH_RLP_H

#include <lpd/eth/u256.h>

/* All append. */
void lp_rlp_bytes(struct lp_buf *to, struct lp_span bytes);
void lp_rlp_number(struct lp_buf *to, struct lp_u256 n);	/* shortest form; 0 has no bytes */
void lp_rlp_list(struct lp_buf *to, struct lp_span items);	/* items: what was appended for each of them */

struct lp_rlp {
	bool list;
	struct lp_span in;	/* the bytes, or the items of the list: borrowed */
};

/* The next item, cut off; false when none is left or it is no item, and then nothing is touched.  Lists are
 * not looked into: one asks for the items in turn, as deep as one expects them. */
bool lp_rlp_next(struct lp_rlp *out, struct lp_span *rest);
/* False: a list, more than 32 bytes, or a zero in front. */
bool lp_rlp_read_number(struct lp_u256 *out, const struct lp_rlp *item);

#endif
