#include <lpd/pay/funds.h>

#define SAFE_RATIO 3	/* deposit to pending winners */

static struct lp_wei sum(struct lp_wei a, struct lp_wei b)
{
	struct lp_wei out;

	return lp_wei_add(&out, a, b) ? out : (struct lp_wei){ LP_U256_MAX };
}

static struct lp_wei less(struct lp_wei a, struct lp_wei b)
{
	struct lp_wei out;

	return lp_wei_sub(&out, a, b) ? out : LP_WEI_ZERO;
}

struct lp_wei lp_funds_share(const struct lp_funds *funds)
{
	struct lp_wei slice;

	/* What others claimed in the round is added back: it does not make our share smaller. */
	if (!lp_wei_div(&slice, sum(funds->reserve, funds->claimed), funds->pool_size, LP_DOWN))
		return LP_WEI_ZERO;
	return less(slice, funds->claimed_by_us);
}

struct lp_wei lp_funds_max_float(const struct lp_funds *funds)
{
	struct lp_wei share = lp_funds_share(funds), wanted;

	/* The incumbent compares a ratio in floating point; this is the same but within 10^-16 of it. */
	if (lp_wei_is_zero(funds->pending) || (lp_wei_mul(&wanted, funds->pending, SAFE_RATIO) &&
					       lp_wei_cmp(funds->deposit, wanted) >= 0))
		return share;
	return less(share, funds->pending);
}

struct lp_wei lp_funds_available(const struct lp_funds *funds)
{
	return less(sum(lp_funds_share(funds), funds->deposit), funds->pending);
}

bool lp_funds_unlocking(uint64_t withdraw_round, uint64_t last_round)
{
	/* From one round before the withdrawal on; a withdrawal long past keeps its round (payments 1.18). */
	return withdraw_round != 0 && withdraw_round - 1 <= last_round;
}
