/* run/capacity - slots per (pipeline, model): taken in one step, given back when a scope ends, so that a
 * lease cannot leak.  Pure. */
#ifndef LPD_RUN_CAPACITY_H
#define LPD_RUN_CAPACITY_H

#include <lpd/base/scope.h>
#include <lpd/base/str.h>

struct lp_slots {		/* owned by a runner */
	uint32_t total, used;
};

/* False when all are used.  The slot is given back when the scope closes. */
bool lp_slots_take(struct lp_scope *scope, struct lp_slots *slots);

#endif
