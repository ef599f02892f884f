/* market/poll - asks a URL from time to time, in the background, and hands on what came when it is good and new.
 *
 * Only an answer of 2xx is good (an error page is no list); when none comes, what came before stays. */
#ifndef LPD_MARKET_POLL_H
#define LPD_MARKET_POLL_H

#include <lpd/base/log.h>
#include <lpd/io/fetch.h>

struct lp_poll_want {
	struct lp_loop *loop;
	struct lp_fetcher *fetcher;
	const char *name;		/* of the option, for the log: the URL may hold a secret */
	struct lp_span url;
	int64_t interval;		/* after a good answer; sooner after a bad one */
	int64_t timeout;
	size_t limit;			/* bytes */
	struct lp_log *log;
	/* Take it, or say what is wrong with it.  Not called for the same bytes twice. */
	enum lp_code (*on_body)(void *self, struct lp_span body, struct lp_err *e);
	void (*on_failure)(void *self);	/* may be NULL */
	void *self;
};

void lp_poll_open(struct lp_scope *scope, const struct lp_poll_want *want);

#endif
