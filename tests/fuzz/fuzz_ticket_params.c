/* Ticket parameters of an orchestrator, and a gateway's judgement of them. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/pay/params.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	static const struct lp_params_limits limits = { .max_ticket_ev = { { { 0, 1000, 0, 0 } }, false },
							.max_total_ev = { { { 0, 9000, 0, 0 } }, false },
							.deposit_multiplier = 1,
							.deposit = { { { 1000000 } } },
							.reserve = { { { 1 } } } };
	struct lp_params params, back;
	struct lp_buf bytes = { 0 };
	struct lp_err e;

	if (lp_params_read(&params, lp_span_of(at, len), &e)) {
		lp_assert(e.code == LP_BAD_PEER);
		return 0;
	}
	lp_params_write(&bytes, &params);
	lp_assert(lp_params_read(&back, lp_buf_span(&bytes), &e) == LP_OK);
	lp_assert(!memcmp(&back, &params, sizeof back));
	lp_buf_clear(&bytes);
	/* What is taken is worth no more than was allowed. */
	if (!lp_params_check(&params, &limits, 3, &e) && !lp_wei_is_zero(params.face_value) &&
	    !lp_u256_is_zero(params.win_prob)) {
		struct lp_amount ev;

		lp_assert(lp_ticket_ev(&ev, params.face_value, params.win_prob, LP_DOWN));
		lp_assert(lp_amount_cmp(ev, limits.max_ticket_ev) <= 0);
		lp_assert(lp_wei_cmp(params.face_value, limits.deposit) <= 0);
	}
	return 0;
}
