#include <lpd/pay/allowance.h>

#include <lpd/base/assert.h>

static void move_on(struct lp_allowance *b, int64_t now_seconds)
{
	int64_t minute = now_seconds / 60;

	if (minute - b->minute > LP_ALLOWANCE_MINUTES)
		b->minute = minute - LP_ALLOWANCE_MINUTES;
	while (b->minute < minute)
		b->spent[++b->minute % LP_ALLOWANCE_MINUTES] = LP_AMOUNT_ZERO;
}

struct lp_amount lp_allowance_spent(struct lp_allowance *b, int64_t now_seconds)
{
	struct lp_amount sum = LP_AMOUNT_ZERO;

	move_on(b, now_seconds);
	for (int i = 0; i < LP_ALLOWANCE_MINUTES; i++) {
		bool fits = lp_amount_add(&sum, sum, b->spent[i]);

		lp_assert(fits);
	}
	return sum;
}

void lp_allowance_add(struct lp_allowance *b, int64_t now_seconds, struct lp_amount value)
{
	struct lp_amount *spent;

	move_on(b, now_seconds);
	spent = &b->spent[b->minute % LP_ALLOWANCE_MINUTES];
	bool fits = lp_amount_add(spent, *spent, value);

	lp_assert(fits);
}

/* From the newest minute backwards: what is older than the window has left it by itself. */
void lp_allowance_return(struct lp_allowance *b, int64_t now_seconds, struct lp_amount value)
{
	move_on(b, now_seconds);
	for (int64_t i = 0; i < LP_ALLOWANCE_MINUTES; i++) {
		struct lp_amount *spent = &b->spent[(b->minute + LP_ALLOWANCE_MINUTES - i) % LP_ALLOWANCE_MINUTES];
		struct lp_amount part = lp_amount_cmp(*spent, value) < 0 ? *spent : value;
		bool fits = lp_amount_sub(spent, *spent, part) && lp_amount_sub(&value, value, part);

		lp_assert(fits);
	}
}

bool lp_allowance_allows(struct lp_allowance *b, int64_t now_seconds, struct lp_amount more,
			 struct lp_wei deposit, uint64_t multiplier)
{
	struct lp_amount sum = lp_allowance_spent(b, now_seconds), limit;

	/* sum * multiplier <= deposit loses nothing to a division. */
	return lp_amount_add(&sum, sum, more) && lp_amount_mul(&sum, sum, multiplier ? multiplier : 1) &&
	       lp_amount_of(&limit, deposit) && lp_amount_cmp(sum, limit) <= 0;
}
