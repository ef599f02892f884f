/* front/stream - events of an answer passed on one by one, as they come, with back-pressure.
 *
 * Both roles: runner to gateway, orchestrator to app developer.  Rules of ai-http-api 1.5.7: null members
 * dropped, "[DONE]" not needed, the event with a finish_reason is the last, an {"error":...} event is a failure.
 * An event is held whole, at most 1 MiB of it; what large ones take is counted in the node's budget.
 * The reply's head is written with the first event, so that a failure before it can still be a status. */
#ifndef LPD_FRONT_STREAM_H
#define LPD_FRONT_STREAM_H

#include <lpd/io/client.h>
#include <lpd/io/exchange.h>
#include <lpd/io/spool.h>

struct lp_stream;

struct lp_stream_want {
	struct lp_call *call;			/* status 200, text/event-stream */
	struct lp_exchange *ex;
	const struct lp_header *headers;	/* further ones for the reply's head */
	int n_headers;
	struct lp_spool_budget *budget;		/* not NULL */
	bool done;				/* the last event is followed by "[DONE]": for clients */
};

struct lp_stream *lp_stream_open(struct lp_scope *scope, const struct lp_stream_want *want);

enum lp_stream_state {
	LP_STREAM_MORE,		/* wait for the call or for room in the exchange, then pump again */
	LP_STREAM_LAST,		/* the last event was written; the caller ends the reply */
	LP_STREAM_FAILED,	/* *e says why; committed or not: lp_reply_started(ex) */
};
enum lp_stream_state lp_stream_pump(struct lp_stream *s, struct lp_err *e);
uint64_t lp_stream_tokens(const struct lp_stream *s);	/* usage.total_tokens of the last event that had it */
int64_t lp_stream_first_at(const struct lp_stream *s);	/* mono of the first event; 0: none yet */

#endif
