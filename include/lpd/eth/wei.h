/* eth/wei - money: an amount of wei, which is no other number.  Pure.
 *
 * False means that it would overflow or go below zero, and *out is untouched. */
#ifndef LPD_ETH_WEI_H
#define LPD_ETH_WEI_H

#include <lpd/eth/u256.h>

struct lp_wei {
	struct lp_u256 n;
};

/* Digits after the point of the units that people use. */
enum lp_unit { LP_IN_WEI = 0, LP_IN_GWEI = 9, LP_IN_ETH = 18 };

#define LP_WEI_ZERO ((struct lp_wei){ LP_U256_ZERO })
#define LP_WEI_TEXT (LP_U256_TEXT + 24)

struct lp_wei lp_wei_of(uint64_t wei);
bool lp_wei_is_zero(struct lp_wei a);
int lp_wei_cmp(struct lp_wei a, struct lp_wei b);
struct lp_wei lp_wei_min(struct lp_wei a, struct lp_wei b);

bool lp_wei_add(struct lp_wei *out, struct lp_wei a, struct lp_wei b);
bool lp_wei_sub(struct lp_wei *out, struct lp_wei a, struct lp_wei b);
bool lp_wei_mul(struct lp_wei *out, struct lp_wei a, uint64_t n);
bool lp_wei_div(struct lp_wei *out, struct lp_wei a, uint64_t n, enum lp_round round);	/* false: n is 0 */

/* Exact, without an exponent: "0.36" in eth.  No zeros at the end of the fraction; writing returns to. */
char *lp_wei_write(char to[LP_WEI_TEXT], struct lp_wei a, enum lp_unit in);
/* Digits, perhaps a point and digits; more places than the unit has are refused unless they are zeros. */
bool lp_wei_read(struct lp_wei *out, struct lp_span text, enum lp_unit in);

#endif
