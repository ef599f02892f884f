/* runner/stop - a job that may be told to stop: whoever works looks here between two steps. */
#ifndef LPD_RUNNER_STOP_H
#define LPD_RUNNER_STOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Set from the loop's thread, read by the one that works. */
struct lp_stop {
	atomic_bool set;
};

static inline bool lp_stopped(const struct lp_stop *stop)
{
	return stop && atomic_load_explicit(&stop->set, memory_order_relaxed);
}

#endif
