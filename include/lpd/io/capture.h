/* io/capture - a reply kept rather than sent: an exchange without a connection.
 *
 * For jobs whose client does not wait for them.  Who writes the reply cannot tell it from any other; its body goes
 * to a spool, which may be read while it is written. */
#ifndef LPD_IO_CAPTURE_H
#define LPD_IO_CAPTURE_H

#include <lpd/io/exchange.h>
#include <lpd/io/spool.h>

struct lp_capture;

struct lp_capture_want {
	struct lp_loop *loop;
	struct lp_spool_budget *budget;
	struct lp_exchange *like;		/* whose method, path and headers the exchange has; copied */
	void (*on_event)(void *self);		/* the state changed; from the loop, never inline */
	void *self;
};

/* The exchange begins with its body read (LP_BODY_END) and lives in the scope, which must not close before whoever
 * writes the reply has let go of it. */
struct lp_capture *lp_capture_open(struct lp_scope *scope, const struct lp_capture_want *want);
struct lp_exchange *lp_capture_exchange(struct lp_capture *c);	/* NULL after its end */

enum lp_capture_state {
	LP_CAPTURE_EMPTY,	/* no head yet */
	LP_CAPTURE_BODY,	/* status and headers are there, the body grows */
	LP_CAPTURE_WHOLE,	/* the body has ended and is safe on its medium */
	LP_CAPTURE_BROKEN,	/* it will never be whole: lp_capture_err says why */
};
enum lp_capture_state lp_capture_state(const struct lp_capture *c);
const struct lp_err *lp_capture_err(const struct lp_capture *c);	/* never NULL */
int lp_capture_status(const struct lp_capture *c);			/* 0: no head yet */
struct lp_span lp_capture_header(const struct lp_capture *c, const char *name);	/* of the reply; empty: absent */
struct lp_spool *lp_capture_body(struct lp_capture *c);

/* To the writer it looks as if its client had left. */
void lp_capture_cancel(struct lp_capture *c, const char *words);

#endif
