/* front/collect - a media answer brought in: read from a call as it comes, each medium kept in front/media.
 *
 * Used by the orchestrator (data URLs of a runner) and the gateway (URLs of an orchestrator, fetched here, or
 * the data URLs in which one of ours writes small media).  Nothing is held whole: slices go to spools, reading
 * waits for their room. */
#ifndef LPD_FRONT_COLLECT_H
#define LPD_FRONT_COLLECT_H

#include <lpd/front/media.h>
#include <lpd/io/client.h>

struct lp_collect;

struct lp_collect_want {
	struct lp_loop *loop;
	struct lp_call *call;		/* status 200 was seen; its body is read here to the end */
	struct lp_media *media;
	struct lp_span id;		/* of the job: media are kept under it */
	/* How to fetch a URL in the answer; client NULL: an absolute URL is passed on as it is. */
	struct lp_client *client;
	const struct lp_url *base;	/* relative URLs resolve against it; other hosts and ports are refused */
	const struct lp_span *hosts;	/* but for these: "store.example.org", or ".example.org" with all below it */
	int n_hosts;
	int64_t fetch_time;		/* deadline of one fetch */
	int64_t media_limit;		/* bytes of one medium */
};

/* on_event: done or failed, or the fetching begins.  The call's own events must be handed to lp_collect_poke. */
struct lp_collect *lp_collect_start(struct lp_scope *scope, const struct lp_collect_want *want,
				    void (*on_event)(void *self), void *self);
void lp_collect_poke(struct lp_collect *c);
bool lp_collect_done(const struct lp_collect *c);
bool lp_collect_fetching(const struct lp_collect *c);	/* the answer is whole, its media are being fetched */
/* LP_OK; LP_BAD_PEER: no such answer; LP_MEDIA_LOST: a fetch failed; LP_NO_ROOM; or the call's own. */
const struct lp_err *lp_collect_err(const struct lp_collect *c);

/* When done and well: the media outlive the scope and are served from now on. */
void lp_collect_keep(struct lp_collect *c);
/* The answer with the URLs of what was kept: prefix (may be empty) before "/stream/...". */
void lp_collect_write(const struct lp_collect *c, struct lp_buf *to, struct lp_span prefix);
int lp_collect_count(const struct lp_collect *c);
int64_t lp_collect_size(const struct lp_collect *c);	/* bytes of all media, when done */

/* By this header of its request a gateway of ours says that a small result may stand in the answer itself, as data
 * URLs: what it saves is the second request.  Other nodes do not know it and answer as ever (decision 41). */
#define LP_INLINE_HEADER "lpd-media"
#define LP_INLINE_VALUE "inline"
#define LP_INLINE_MAX (256 * 1024)	/* bytes of all media: what spools hold in memory */

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
