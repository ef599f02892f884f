/* role/remote_signer_priv - what the files of the remote signer share. */
#ifndef LPD_ROLE_REMOTE_SIGNER_PRIV_H
#define LPD_ROLE_REMOTE_SIGNER_PRIV_H

#include <lpd/io/fetch.h>
#include <lpd/io/db.h>
#include <lpd/market/terms.h>
#include <lpd/money/signer_desk.h>
#include <lpd/pay/allowance.h>
#include <lpd/role/money.h>
#include <lpd/role/node.h>

#define LP_SIGNER_HEADERS 16

struct lp_remote_signer {
	struct lp_node *node;
	struct lp_scope *scope;
	struct lp_server *server;
	struct lp_router *router;
	struct lp_signer_desk *desk;
	struct lp_allowance allowance;	/* what was signed lately, against the deposit */
	struct lp_wei deposit;
	uint64_t multiplier;
	bool asked, known;		/* of our funds */
	int64_t news_at, swept_at;	/* mono: the chain last answered; what is old was last forgotten */
	struct lp_max_prices *max;
	struct lp_fetcher *fetcher;
	struct lp_span webhook;		/* empty: nobody is asked */
	struct lp_header headers[LP_SIGNER_HEADERS];	/* of the question to it */
	int n_headers;
	int jobs;			/* calls under way */
};

/* POST /generate-live-payment; self is the signer. */
void lp_signer_on_generate(void *self, struct lp_exchange *ex);
/* {"error":{"message":...}}, as clients of a signer read it; of 500 and 503 the words stay here. */
void lp_signer_refuse(struct lp_remote_signer *signer, struct lp_exchange *ex, const struct lp_signer_no *no,
		      struct lp_span orchestrator);

/* What the webhook said, or why it did not. */
struct lp_signer_verdict {
	int64_t expiry;
	struct lp_span auth_id;
	struct lp_signer_max max;
};
/* The question: the caller's headers under their common names, and the state as it will be. */
void lp_signer_question(struct lp_buf *to, const struct lp_exchange *ex, const struct lp_signer_state *state);
/* False: *no is what the caller is told.  Anything but a clear yes is a no. */
bool lp_signer_verdict_read(struct lp_scope *scope, struct lp_signer_verdict *out, struct lp_span body,
			    struct lp_signer_no *no) LP_MUST_USE;

#endif
