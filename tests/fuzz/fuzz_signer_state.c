/* States as they come back to a remote signer (before their signature is looked at, in case that is forgotten one
 * day): what is read and written again reads the same. */
#include <lpd/base/assert.h>
#include <lpd/money/signer_state.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_buf first = { 0 }, second = { 0 };
	struct lp_signer_state state;

	if (lp_signer_state_read(scope, &state, lp_span_of(at, len), NULL) == LP_OK) {
		lp_signer_state_write(&first, &state);
		if (first.len <= LP_SIGNER_STATE_MAX) {
			bool same = lp_signer_state_read(scope, &state, lp_buf_span(&first), NULL) == LP_OK;

			lp_assert(same);
			lp_signer_state_write(&second, &state);
			lp_assert(lp_span_eq(lp_buf_span(&first), lp_buf_span(&second)));
		}
	}
	lp_buf_clear(&first);
	lp_buf_clear(&second);
	lp_scope_close(&scope);
	return 0;
}
