/* role/signer_ask - the body of generate-live-payment, read (live-and-byoc 9.2).  No I/O. */
#ifndef LPD_ROLE_SIGNER_ASK_H
#define LPD_ROLE_SIGNER_ASK_H

#include <lpd/base/json.h>
#include <lpd/market/orch_info.h>
#include <lpd/money/signer_desk.h>

struct lp_signer_body {
	struct lp_signer_ask ask;	/* but for what is random, the time and the operator's own price */
	struct lp_orch_info info;
	bool has_capabilities;
	struct lp_capabilities capabilities;
};
/* Spans live as long as the scope and the text.  BAD_REQUEST in the network's words, in its order. */
enum lp_code lp_signer_body_read(struct lp_scope *scope, struct lp_signer_body *out, struct lp_span text,
				 int64_t now_seconds, struct lp_err *e) LP_MUST_USE;

/* A "maxPrice" as requests and webhooks have it; json may be NULL: none. */
void lp_signer_max_read(struct lp_signer_max *out, const json_t *json);

#endif
