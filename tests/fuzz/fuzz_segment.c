/* Headers as they come, and bytes put into base64 so that the parser behind it is reached. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>
#include <lpd/market/segment.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void judge(struct lp_scope *scope, struct lp_span header)
{
	static const uint8_t secret[32];
	struct lp_capabilities own;
	struct lp_segment segment;
	struct lp_buf again = { 0 };
	struct lp_err e;

	lp_capabilities_init(&own, scope, LP_SPAN("0.9.1"));
	struct lp_segment_judge by = { .secret = secret, .own = &own, .now_seconds = 1700000000 };

	if (lp_payment_check(scope, header, &e))
		lp_assert(e.code == LP_UNDERPAID);
	if (lp_segment_decode(scope, &segment, header, &e)) {
		lp_assert(e.code == LP_FORBIDDEN);
		return;
	}
	/* Nobody guesses a MAC. */
	lp_assert(lp_segment_check(&segment, &by, &e) == LP_FORBIDDEN);
	lp_segment_encode(&again, &segment);
	lp_buf_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_buf header = { 0 };

	judge(scope, lp_span_of(at, len));
	lp_b64_write(&header, lp_span_of(at, len));
	judge(scope, lp_buf_span(&header));
	lp_buf_clear(&header);
	lp_scope_close(&scope);
	return 0;
}
