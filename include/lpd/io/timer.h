/* io/timer - call me later.
 *
 * A heap that io/loop drives: the same code under the real clock and the virtual one. */
#ifndef LPD_IO_TIMER_H
#define LPD_IO_TIMER_H

#include <lpd/io/loop.h>

/* Owned by the caller, zeroed at first. */
struct lp_timer {
	void (*fire)(void *self);
	void *self;
	int64_t at;
	uint64_t order;
	int slot;			/* 1 + place in the heap; 0: not set */
	struct lp_timers *timers;
};

void lp_timer_set(struct lp_timer *timer, struct lp_loop *loop, int64_t after);	/* sets it anew when it was set */
void lp_timer_clear(struct lp_timer *timer);					/* fine when not set */
static inline bool lp_timer_is_set(const struct lp_timer *timer)
{
	return timer->slot != 0;
}

/* For io/port/loop and the simulator. */
struct lp_timers *lp_timers_new(void);
void lp_timers_free(struct lp_timers **timers);
int64_t lp_timers_next(const struct lp_timers *timers);			/* time of the first, or LP_NEVER */
void lp_timers_run(struct lp_timers *timers, int64_t mono);		/* fire what is due, earliest first */

#endif
