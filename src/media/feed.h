/* media/feed - a connection of the node, read and written by the one job that it is for.  Blocks: a job has a
 * process of its own. */
#ifndef LPD_MEDIA_FEED_H
#define LPD_MEDIA_FEED_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>

#include "order.h"

struct lp_feed {
	int fd;
	char head[LP_ORDER_HEAD_MAX];
	size_t have, at;		/* bytes in head; the first one not yet read */
	int64_t left;			/* of the body */
};

/* The request's head, as far as its empty line.  LP_GONE: the node left. */
enum lp_code lp_feed_head(struct lp_feed *feed, struct lp_order *out, struct lp_err *e) LP_MUST_USE;

/* Exactly n bytes of the body.  LP_BAD_REQUEST when it holds no more so many, LP_GONE when the node left. */
enum lp_code lp_feed_read(struct lp_feed *feed, void *to, size_t n, struct lp_err *e) LP_MUST_USE;

#define LP_FEED_FRAME_MAX (UINT32_C(64) << 20)
/* One picture of several, behind its length; *frame is emptied first. */
enum lp_code lp_feed_frame(struct lp_feed *feed, struct lp_buf *frame, struct lp_err *e) LP_MUST_USE;

bool lp_feed_gone(const struct lp_feed *feed);	/* the node has closed the connection: nobody waits any more */

/* The whole answer, with its head. */
void lp_feed_answer(struct lp_feed *feed, int status, const char *type, struct lp_span body);
void lp_feed_refuse(struct lp_feed *feed, const struct lp_err *e);

#endif
