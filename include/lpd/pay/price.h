/* pay/price - wei for a unit of work, as an exact ratio.  Pure.
 *
 * Nothing is rounded but where it says so: a fee the way the caller asks, a price that does not fit the
 * network's two numbers downwards (an orchestrator never charges more than it was told to). */
#ifndef LPD_PAY_PRICE_H
#define LPD_PAY_PRICE_H

#include <lpd/base/err.h>
#include <lpd/pay/amount.h>

struct lp_price {
	struct lp_u256 num, den;	/* wei / units, in lowest terms, den > 0 */
};

#define LP_PRICE_FREE ((struct lp_price){ LP_U256_ZERO, { { 1, 0, 0, 0 } } })

/* False: den is 0. */
bool lp_price_of(struct lp_price *out, struct lp_u256 num, struct lp_u256 den);
bool lp_price_is_free(struct lp_price price);
int lp_price_cmp(struct lp_price a, struct lp_price b);
/* More than doubled, where a session stops paying; exactly twice is still good. */
bool lp_price_jumped(struct lp_price now, struct lp_price first);
bool lp_price_mul(struct lp_price *out, struct lp_price a, struct lp_price b);
bool lp_price_div(struct lp_price *out, struct lp_price a, struct lp_price b);	/* false also when b is 0 */

/* The two numbers of a PriceInfo.  PRICE in the network's words; a negative one is refused. */
enum lp_code lp_price_of_wire(struct lp_price *out, int64_t per_unit, int64_t units, struct lp_err *e) LP_MUST_USE;
/* False when it does not fit even when rounded down, or would become free by that. */
bool lp_price_wire(int64_t *per_unit, int64_t *units, struct lp_price price);

/* What units of work cost; false: beyond 2^192 wei. */
bool lp_price_fee(struct lp_amount *fee, struct lp_price price, uint64_t units, enum lp_round round);

/* The price with what a redemption costs on top: price * (1 + tx_cost / face_value), down to thousandths of
 * a wei, as the network quotes; below one thousandth it stays as exact as it is, for 0 would be free.  With a
 * face value of 0 nothing is ever redeemed and the price stays. */
bool lp_price_overhead(struct lp_price *out, struct lp_price price, struct lp_wei tx_cost, struct lp_wei face_value);

/* The flags' form: digits, perhaps a point and digits, perhaps a currency.  LP_CONFIG in the network's words. */
enum lp_code lp_price_read(struct lp_price *out, struct lp_span *currency, struct lp_span text,
			   struct lp_err *e) LP_MUST_USE;
/* From a currency to wei.  wei (or none) and eth need no rate; for others rate is that currency for one
 * ETH, 0 (LP_PRICE_FREE) when it is not known: LP_UNAVAILABLE. */
enum lp_code lp_price_in_wei(struct lp_price *out, struct lp_price price, struct lp_span currency,
			     struct lp_price rate, struct lp_err *e) LP_MUST_USE;
/* answer / 10^decimals of a feed.  One that is not above 0 is no price. */
bool lp_price_of_feed(struct lp_price *out, int64_t answer, unsigned decimals);

#endif
