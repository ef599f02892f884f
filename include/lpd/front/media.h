/* front/media - results kept for a while, served under /stream/ID/NAME to whoever knows the name.
 *
 * By both sides of the network: the orchestrator until the gateway has fetched (10 min), the gateway for the
 * app developer (-mediaTTL, -mediaBudget).  Small ones in memory, larger on disk (io/spool).  The budget
 * refuses before it drops: nothing that was promised is deleted early. */
#ifndef LPD_FRONT_MEDIA_H
#define LPD_FRONT_MEDIA_H

#include <lpd/base/log.h>
#include <lpd/base/metric.h>
#include <lpd/io/exchange.h>
#include <lpd/io/spool.h>

struct lp_media;

struct lp_media_want {
	struct lp_loop *loop;
	const char *dir;		/* swept at start */
	int64_t ttl, budget;
	int64_t memory;			/* of the budget, and of requests' bodies; 0: any number */
	struct lp_metrics *metrics;
};

struct lp_media *lp_media_open(struct lp_scope *scope, const struct lp_media_want *want);
struct lp_spool_budget *lp_media_budget(struct lp_media *media);

/* Puts the (ended) spool under /stream/ID/NAME for the TTL; the media holds its own reference.  The name is
 * 16 random bytes in hex with the extension of the type.  Returns the path, in the scope. */
struct lp_media_put {
	struct lp_span id;		/* the request's id */
	struct lp_span type;		/* content type */
	struct lp_spool *spool;
};
struct lp_span lp_media_keep(struct lp_scope *scope, struct lp_media *media, const struct lp_media_put *put);
/* Forget everything kept under this id now (the job failed after all). */
void lp_media_forget(struct lp_media *media, struct lp_span id);
/* Everything kept under this id, in the order of its keeping. */
void lp_media_each(struct lp_media *media, struct lp_span id,
		   void (*row)(void *self, struct lp_span path, struct lp_span type, struct lp_spool *spool), void *self);
/* GET handler for "/stream/" and everything below: Range-less, Content-Length, CORS open, 404 in words. */
void lp_media_serve(void *media, struct lp_exchange *ex);
/* How a medium is served, for others who keep some: CORS open, nothing that a browser would run. */
void lp_media_send(struct lp_exchange *ex, struct lp_spool *spool, struct lp_span type);
/* The spool kept at a path, for answering inline as a data URL; NULL: none.  Read it with lp_spool_read. */
struct lp_media_item {
	struct lp_span type;
	int64_t size;
};
struct lp_spool *lp_media_find(struct lp_media *media, struct lp_span path, struct lp_media_item *item);

#endif
