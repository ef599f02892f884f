/* eth/u256 - whole numbers of 256 bits without sign, as Ethereum counts.  Pure.
 *
 * Nothing wraps and nothing is cut: a result that has no room is false, and *out is untouched. */
#ifndef LPD_ETH_U256_H
#define LPD_ETH_U256_H

#include <lpd/base/buf.h>

struct lp_u256 {
	uint64_t limb[4];	/* the least significant first */
};

/* A product before it is divided. */
struct lp_u512 {
	uint64_t limb[8];
};

/* Where a quotient goes that is not whole. */
enum lp_round { LP_DOWN, LP_UP };

#define LP_U256_ZERO ((struct lp_u256){ { 0, 0, 0, 0 } })
#define LP_U256_MAX ((struct lp_u256){ { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } })
#define LP_U256_TEXT 80	/* 78 digits and a zero byte, rounded up */

struct lp_u256 lp_u256_of(uint64_t n);
bool lp_u256_to_u64(uint64_t *out, struct lp_u256 a);
bool lp_u256_is_zero(struct lp_u256 a);
int lp_u256_cmp(struct lp_u256 a, struct lp_u256 b);	/* below, equal, above 0 */
int lp_u512_cmp(struct lp_u512 a, struct lp_u512 b);

bool lp_u256_add(struct lp_u256 *out, struct lp_u256 a, struct lp_u256 b);
bool lp_u256_sub(struct lp_u256 *out, struct lp_u256 a, struct lp_u256 b);
bool lp_u256_mul(struct lp_u256 *out, struct lp_u256 a, struct lp_u256 b);
bool lp_u256_shl(struct lp_u256 *out, struct lp_u256 a, unsigned bits);	/* times 2^bits, bits below 256 */
struct lp_u256 lp_u256_shr(struct lp_u256 a, unsigned bits);
struct lp_u512 lp_u256_mul_wide(struct lp_u256 a, struct lp_u256 b);	/* always fits */

/* a = quotient * b + rest; false when b is 0. */
bool lp_u256_div(struct lp_u256 *quotient, struct lp_u256 *rest, struct lp_u256 a, struct lp_u256 b);
/* The same of a product: false also when the quotient has no room. */
bool lp_u512_div(struct lp_u256 *quotient, struct lp_u256 *rest, struct lp_u512 a, struct lp_u256 b);
/* a * b / c with the product in full, rounded as told. */
bool lp_u256_mul_div(struct lp_u256 *out, struct lp_u256 a, struct lp_u256 b, struct lp_u256 c, enum lp_round round);
struct lp_u256 lp_u256_gcd(struct lp_u256 a, struct lp_u256 b);

/* Decimal: digits only, at least one, no sign; writing returns to. */
bool lp_u256_read(struct lp_u256 *out, struct lp_span text);
char *lp_u256_write(char to[LP_U256_TEXT], struct lp_u256 a);
/* Hexadecimal after 0x, 1 to 64 digits of either case; written without leading zeros, as JSON-RPC's quantities. */
bool lp_u256_read_hex(struct lp_u256 *out, struct lp_span text);
char *lp_u256_write_hex(char to[LP_U256_TEXT], struct lp_u256 a);

/* Big-endian bytes.  Reading takes 0 to 32 bytes, leading zeros are no fault.  The shortest form writes
 * none for zero and returns how many. */
bool lp_u256_read_bytes(struct lp_u256 *out, struct lp_span bytes);
void lp_u256_write_32(uint8_t to[32], struct lp_u256 a);
size_t lp_u256_write_min(uint8_t to[32], struct lp_u256 a);

#endif
