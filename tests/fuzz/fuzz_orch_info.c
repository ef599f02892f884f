/* What is read and written again reads as the same: as an answer, and as a question. */
#include <lpd/base/assert.h>
#include <lpd/market/orch_info.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void as_info(struct lp_scope *scope, struct lp_span bytes)
{
	struct lp_buf once = { 0 }, twice = { 0 };
	struct lp_orch_info info;
	struct lp_err e;

	if (lp_orch_info_decode(scope, &info, bytes, &e)) {
		lp_assert(e.code == LP_BAD_PEER);
		return;
	}
	lp_orch_info_encode(&once, &info);
	/* Capacities that were assumed make it longer than what may be read. */
	if (lp_orch_info_decode(scope, &info, lp_buf_span(&once), NULL) == LP_OK) {
		lp_orch_info_encode(&twice, &info);
		lp_assert(lp_span_eq(lp_buf_span(&once), lp_buf_span(&twice)));
	}
	lp_buf_clear(&once);
	lp_buf_clear(&twice);
}

static void as_request(struct lp_scope *scope, struct lp_span bytes)
{
	struct lp_orch_request request;
	struct lp_capabilities own;
	struct lp_buf once = { 0 };

	if (lp_orch_request_decode(scope, &request, bytes, NULL))
		return;
	lp_orch_request_encode(&once, &request);
	lp_buf_clear(&once);
	if (!request.has_capabilities)
		return;
	lp_capabilities_copy(scope, &own, &request.capabilities);
	/* Whoever makes no demands beyond what he has himself is compatible with himself. */
	own.min_version = LP_SPAN("");
	own.n_mandatories = own.n_caps = 0;
	lp_assert(lp_capabilities_check(&own, &request.capabilities, NULL) == LP_OK ||
		  request.capabilities.n_mandatories > 0);
	(void)lp_capabilities_check(&request.capabilities, &request.capabilities, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");

	as_info(scope, lp_span_of(at, len));
	as_request(scope, lp_span_of(at, len));
	lp_scope_close(&scope);
	return 0;
}
