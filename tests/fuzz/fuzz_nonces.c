/* Rows of nonces as a store may give them back: what is taken is written as the same bytes, what is not leaves
 * the set as it was. */
#include <lpd/base/assert.h>
#include <lpd/pay/nonces.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_nonces *nonces = lp_nonces_new(8);
	struct lp_span rows = lp_span_of(at, len);
	struct lp_buf again = { 0 };
	struct lp_err e;

	if (lp_nonces_load(nonces, rows, &e)) {
		lp_assert(e.code == LP_STORE || e.code == LP_TOO_MANY);
		lp_assert(lp_nonces_offers(nonces) == 0);
	} else {
		lp_nonces_dump(&again, nonces, NULL);
		lp_assert(lp_span_eq(rows, lp_buf_span(&again)));
		lp_assert(len == 0 || lp_nonces_load(nonces, rows, &e) != LP_OK);
	}
	lp_buf_clear(&again);
	lp_nonces_free(&nonces);
	return 0;
}
