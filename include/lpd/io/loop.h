/* io/loop - owns the event loop, the two clocks, the ready list and the timers.
 *
 * Nothing outside src/io/ sees libuv.  In the simulator the same header stands before a virtual clock.
 * Rule: no operation calls back before the function that started it has returned to the loop. */
#ifndef LPD_IO_LOOP_H
#define LPD_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <lpd/base/err.h>
#include <lpd/base/list.h>
#include <lpd/base/scope.h>
#include <lpd/base/time.h>

struct lp_loop;
struct lp_timers;

/* The loop lives as long as the scope.  Also raises RLIMIT_NOFILE, ignores SIGPIPE. */
struct lp_loop *lp_loop_open(struct lp_scope *scope);
void lp_loop_run(struct lp_loop *loop);			/* until lp_loop_stop() */
void lp_loop_stop(struct lp_loop *loop);

int64_t lp_mono(const struct lp_loop *loop);		/* microseconds, for waits; cached per turn */
int64_t lp_wall(const struct lp_loop *loop);		/* microseconds since 1970, for expiries */

/* Something to be called once, soon, from the loop: never inline.  Owned by the caller, zeroed at first.
 * Rows run in the order in which they were made ready; one that is ready already stays where it is. */
struct lp_ready {
	void (*run)(void *self);
	void *self;
	struct lp_link link;
};

void lp_ready(struct lp_loop *loop, struct lp_ready *row);
void lp_unready(struct lp_ready *row);			/* fine when it is not ready */

/* Run behind what is ready and before the loop sleeps, at the latest when a few more rows have run: where dirty
 * connections are flushed. */
void lp_before_sleep(struct lp_loop *loop, struct lp_ready *row);

struct lp_timers *lp_loop_timers(struct lp_loop *loop);	/* for io/timer */

/* SIGTERM and SIGINT, SIGHUP: at most one handler each; NULL takes it away. */
enum lp_signal { LP_SIGNAL_STOP, LP_SIGNAL_RELOAD };
void lp_loop_on_signal(struct lp_loop *loop, enum lp_signal signal, void (*fn)(void *self), void *self);

/* The longest turn of the loop so far in microseconds (handshakes included), reset by reading. */
int64_t lp_loop_longest_turn(struct lp_loop *loop);
/* The same of one step: a socket's callback, a row, or the timers that were due together; handshakes excepted. */
int64_t lp_loop_longest_step(struct lp_loop *loop);
uint64_t lp_loop_stalls(const struct lp_loop *loop);	/* turns of over 50 ms since the start */

#endif
