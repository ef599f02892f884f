#include <lpd/run/capacity.h>

#include <lpd/base/assert.h>

static void give_back(void *arg)
{
	struct lp_slots *slots = arg;

	lp_assert(slots->used > 0);
	slots->used--;
}

bool lp_slots_take(struct lp_scope *scope, struct lp_slots *slots)
{
	if (slots->used >= slots->total)
		return false;
	slots->used++;
	lp_defer(scope, give_back, slots);
	return true;
}
