/* io/timer_priv - what a loop carries for io/, real or simulated: its heap of timers, and its live tasks. */
#ifndef LPD_IO_TIMER_PRIV_H
#define LPD_IO_TIMER_PRIV_H

#include <lpd/base/assert.h>
#include <lpd/io/timer.h>

struct lp_timers {
	struct lp_timer **heap;		/* heap[0] is due first */
	int n, cap;
	uint64_t order;			/* counts settings: equal times fire in the order of setting */
	struct lp_list tasks;		/* of io/task: those that live on this loop, oldest first */
	struct lp_witness witness;	/* prints them; in place while told */
	bool told;
};

#endif
