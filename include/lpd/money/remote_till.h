/* money/remote_till - the till of a gateway without a key: a remote signer makes its payments (live-and-byoc 9.2).
 *
 * The state that the signer hands back is kept for each (recipient, capability, model) and brought along with the next
 * call; calls of one are made one after another, since a state may be used once. */
#ifndef LPD_MONEY_REMOTE_TILL_H
#define LPD_MONEY_REMOTE_TILL_H

#include <lpd/base/log.h>
#include <lpd/io/fetch.h>
#include <lpd/money/till.h>

struct lp_remote_till_want {
	struct lp_loop *loop;
	struct lp_fetcher *fetcher;
	struct lp_span url;		/* -remoteSignerUrl without a slash at its end; lives as long as the scope */
	const struct lp_header *headers;	/* -remoteSignerHeaders; likewise */
	int n_headers;
	struct lp_address account;	/* of the signer, as it proved it: nobody else's tickets are passed on */
	int64_t timeout;		/* of one call; 0: 10 s */
};
struct lp_remote_till;
/* PARAMS_EXPIRED for the signer's 480, PRICE for 481; 482 is a payment without tickets.  A signer that is silent, or
 * whose answer is none, is UNAVAILABLE: no orchestrator is to blame. */
struct lp_remote_till *lp_remote_till_open(struct lp_scope *scope, const struct lp_remote_till_want *want);
struct lp_till *lp_remote_till(struct lp_remote_till *remote);
/* The value of Livepeer-Segment that came last for this work; empty: none yet.  Good until the next call. */
struct lp_span lp_remote_till_segment(const struct lp_remote_till *remote, const struct lp_sender_key *key);

#endif
