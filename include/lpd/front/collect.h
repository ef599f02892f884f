/* front/collect - a media answer brought in: read from a call as it comes, each medium kept in front/media.
 *
 * Used by the orchestrator (data URLs of a runner) and the gateway (URLs of an orchestrator, fetched here,
 * or data URLs).  Nothing is held whole: slices go to spools, reading waits for their room. */
#ifndef LPD_FRONT_COLLECT_H
#define LPD_FRONT_COLLECT_H

#include <lpd/front/media.h>
#include <lpd/io/client.h>

struct lp_collect;

struct lp_collect_want {
	struct lp_loop *loop;
	struct lp_call *call;		/* status 200 was seen; its body is read here to the end */
	struct lp_media *media;
	struct lp_span id;		/* of the job: media are kept under it; forgotten again if the scope closes unless
					 * lp_collect_commit was called */
	/* How to fetch a URL in the answer; client NULL: an absolute URL is passed on as it is. */
	struct lp_client *client;
	const struct lp_url *base;	/* relative URLs resolve against it; other hosts and ports are refused */
	const struct lp_span *hosts;	/* but for these: "store.example.org", or ".example.org" with all below it */
	int n_hosts;
	int64_t fetch_time;		/* deadline of one fetch */
	int64_t media_limit;		/* bytes of one medium */
	bool unkept;			/* they stay in their spools: something else is made of them */
};

/* on_event: done or failed, or the fetching begins.  The call's own events must be handed to lp_collect_poke. */
struct lp_collect *lp_collect_start(struct lp_scope *scope, const struct lp_collect_want *want,
				    void (*on_event)(void *self), void *self);
void lp_collect_poke(struct lp_collect *c);
bool lp_collect_done(const struct lp_collect *c);
bool lp_collect_fetching(const struct lp_collect *c);	/* the answer is whole, its media are being fetched */
/* LP_OK; LP_BAD_PEER: no such answer; LP_MEDIA_LOST: a fetch failed; LP_NO_ROOM; or the call's own. */
const struct lp_err *lp_collect_err(const struct lp_collect *c);

void lp_collect_commit(struct lp_collect *c);
/* The answer with the new URLs: prefix (may be empty) before "/stream/...". */
void lp_collect_write(const struct lp_collect *c, struct lp_buf *to, struct lp_span prefix);
int lp_collect_count(const struct lp_collect *c);

/* Of an answer that is not kept: its media (NULL: it was a URL), and its text with nothing in their places. */
struct lp_spool *lp_collect_spool(const struct lp_collect *c, int i);
void lp_collect_text(const struct lp_collect *c, struct lp_buf *to);

/* The answer with data URLs, streamed into an exchange with back-pressure; head and end included. */
struct lp_inline;
struct lp_inline_want {
	struct lp_collect *collect;		/* done and well */
	struct lp_exchange *ex;
	const struct lp_header *headers;	/* further ones for the reply's head */
	int n_headers;
};
struct lp_inline *lp_inline_start(struct lp_scope *scope, const struct lp_inline_want *want,
				  void (*on_event)(void *self), void *self);
void lp_inline_poke(struct lp_inline *in);		/* the exchange said something */
bool lp_inline_done(const struct lp_inline *in);	/* the reply has ended, whole or aborted */

#endif
