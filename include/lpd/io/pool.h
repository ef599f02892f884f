/* io/pool - do it off the loop and tell me when done.
 *
 * fn runs in a thread (8 of them): it sees only what arg holds, no node and no loop.  Closing the scope
 * before it is done drops the result: done is not called, and free_arg runs once fn has returned.  Work
 * that moves money belongs to a scope that outlives the job. */
#ifndef LPD_IO_POOL_H
#define LPD_IO_POOL_H

#include <lpd/io/loop.h>

struct lp_work {
	void (*fn)(void *arg);			/* in the pool */
	void (*done)(void *self, void *arg);	/* in the loop; may be NULL */
	void (*free_arg)(void *arg);		/* last, in the loop; may be NULL */
	void *arg;
	void *self;
};

void lp_pool_run(struct lp_scope *scope, struct lp_loop *loop, const struct lp_work *work);

#endif
