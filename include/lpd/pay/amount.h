/* pay/amount - what one owes another: wei with 64 binary places, above or below zero.  Pure.
 *
 * A ticket is worth a fraction whose denominator is 2^256 - 1 and fees have denominators of their own, so
 * their sums have no end.  Both are rounded to 2^-64 wei, and whoever makes an amount says which way: a
 * gateway rounds fees up and tickets down, an orchestrator fees down and tickets up, so that neither ever
 * finds the other short because of it (payments 1.12).
 *
 * False means that it has no room, and *out is untouched.  There is one zero, and it is not below. */
#ifndef LPD_PAY_AMOUNT_H
#define LPD_PAY_AMOUNT_H

#include <lpd/eth/wei.h>

struct lp_amount {
	struct lp_u256 n;	/* of 2^-64 wei */
	bool below;		/* below zero */
};

#define LP_AMOUNT_ZERO ((struct lp_amount){ LP_U256_ZERO, false })
#define LP_AMOUNT_BYTES 33

bool lp_amount_of(struct lp_amount *out, struct lp_wei wei);
/* a * b / c wei with the product in full; false also when c is 0. */
bool lp_amount_mul_div(struct lp_amount *out, struct lp_u256 a, struct lp_u256 b, struct lp_u256 c,
		       enum lp_round round);
/* Whole wei; false when below zero. */
bool lp_amount_wei(struct lp_wei *out, struct lp_amount a, enum lp_round round);

int lp_amount_cmp(struct lp_amount a, struct lp_amount b);
struct lp_amount lp_amount_max(struct lp_amount a, struct lp_amount b);
struct lp_amount lp_amount_neg(struct lp_amount a);
bool lp_amount_add(struct lp_amount *out, struct lp_amount a, struct lp_amount b);
bool lp_amount_sub(struct lp_amount *out, struct lp_amount a, struct lp_amount b);
bool lp_amount_mul(struct lp_amount *out, struct lp_amount a, uint64_t n);
bool lp_amount_is_zero(struct lp_amount a);

/* For the store: a sign byte (0 or 1) and 32 bytes, most significant first. */
void lp_amount_write(uint8_t to[LP_AMOUNT_BYTES], struct lp_amount a);
bool lp_amount_read(struct lp_amount *out, struct lp_span bytes);

#endif
