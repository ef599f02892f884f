#include <lpd/pay/count.h>

#include <lpd/base/assert.h>

enum lp_code lp_count_tickets(uint32_t *out, const struct lp_count *of, uint32_t most, struct lp_err *e)
{
	struct lp_amount lacking;
	struct lp_u256 n;
	uint64_t count;

	*out = 0;
	if (of->fee.below || of->ev.below)
		return lp_fail(e, LP_PRICE, "a fee or a ticket is worth less than nothing");
	if (!lp_amount_sub(&lacking, lp_amount_max(of->fee, of->ev), of->have))
		return lp_fail(e, LP_PRICE, "the fee is too large to be counted");
	if (lacking.below || lp_amount_is_zero(lacking) || lp_amount_is_zero(of->ev))
		return LP_OK;
	bool divided = lp_u256_mul_div(&n, lacking.n, lp_u256_of(1), of->ev.n, LP_UP);

	lp_assert(divided);	/* by one ev at least */
	if (!lp_u256_to_u64(&count, n) || count > most)
		return lp_fail(e, LP_TICKETS_FULL, "the fee takes more than %u tickets", most);
	*out = (uint32_t)count;
	return LP_OK;
}

uint32_t lp_count_most(uint32_t nonces_used, uint32_t cap, struct lp_amount max_total, struct lp_amount ev)
{
	uint32_t most = nonces_used < LP_NONCES_MAX ? LP_NONCES_MAX - nonces_used : 0;
	struct lp_u256 n, rest;
	uint64_t count;

	if (most > cap)
		most = cap;
	if (max_total.below)
		return 0;
	if (lp_u256_div(&n, &rest, max_total.n, ev.n) && lp_u256_to_u64(&count, n) && count < most)
		most = (uint32_t)count;
	return most;
}
