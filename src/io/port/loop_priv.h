/* io/port/loop_priv - the libuv loop behind lp_loop, for the other files of io/port only.
 *
 * Handles live on the heap of the file that made them and are freed in their uv_close callback: closing
 * the loop waits for those, and asserts that nobody left a handle open. */
#ifndef LPD_IO_LOOP_PRIV_H
#define LPD_IO_LOOP_PRIV_H

#include <uv.h>

#include <lpd/io/loop.h>

uv_loop_t *lp_loop_uv(struct lp_loop *loop);

/* What libuv calls with something to do says so first, and last of all that it is done: turns and steps are
 * measured so.  lp_loop_served may run what is ready, so nothing is touched behind it. */
void lp_loop_woke(struct lp_loop *loop);
void lp_loop_served(struct lp_loop *loop);

/* The step that runs is a handshake, whose arithmetic takes as long as it takes: it does not count as a long one. */
void lp_loop_excuse(struct lp_loop *loop);

/* Run once, when the loop closes, unless taken out before with lp_unready(): for handles that nobody owns
 * any more and that end by themselves a little later. */
void lp_loop_at_close(struct lp_loop *loop, struct lp_ready *row);

#endif
