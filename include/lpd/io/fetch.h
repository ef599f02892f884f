/* io/fetch - outgoing HTTP for everything that is not the job path, over libcurl: webhooks, price feeds,
 * chain RPC.  A whole answer in memory with a limit and a deadline; certificates are checked. */
#ifndef LPD_IO_FETCH_H
#define LPD_IO_FETCH_H

#include <lpd/io/http.h>
#include <lpd/io/loop.h>

struct lp_fetch_want {
	const char *method;
	struct lp_span url;
	const struct lp_header *headers;
	int n_headers;
	struct lp_span body;
	size_t limit;			/* bytes of answer; more fails: LP_TOO_LARGE */
	int64_t total_time;
};

struct lp_fetcher;
struct lp_fetcher *lp_fetcher_open(struct lp_scope *scope, struct lp_loop *loop);

struct lp_fetch;
struct lp_fetch *lp_fetch_start(struct lp_scope *scope, struct lp_fetcher *fetcher, const struct lp_fetch_want *want,
				void (*on_done)(void *self), void *self);
/* After on_done: LP_OK and status and body (borrowed), or why not. */
enum lp_code lp_fetch_result(const struct lp_fetch *fetch, int *status, struct lp_span *body, struct lp_err *e);

#endif
