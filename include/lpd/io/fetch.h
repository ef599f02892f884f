/* io/fetch - outgoing HTTP for everything that is not the job path, over libcurl: webhooks, price feeds,
 * chain RPC.  A whole answer in memory with a limit and a deadline; certificates are checked.
 *
 * HTTP/1.1 only.  When a kept connection dies before the answer, libcurl sends the request once more by
 * itself: what is asked for here must be safe to repeat.  GET and HEAD follow up to 5 redirects. */
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
	int64_t total_time;		/* 0: 30 s; at most 10 min */
};

struct lp_fetcher;
struct lp_fetcher *lp_fetcher_open(struct lp_scope *scope, struct lp_loop *loop);

/* Trust the certificates in this file (PEM) instead of the system's. */
void lp_fetcher_trust(struct lp_fetcher *fetcher, const char *ca_file);

struct lp_fetch;
struct lp_fetch *lp_fetch_start(struct lp_scope *scope, struct lp_fetcher *fetcher, const struct lp_fetch_want *want,
				void (*on_done)(void *self), void *self);
/* After on_done: LP_OK and status and body (borrowed), or why not. */
enum lp_code lp_fetch_result(const struct lp_fetch *fetch, int *status, struct lp_span *body, struct lp_err *e);

#endif
