/* The pool of a simulation: work is done at a later instant, one item at a time, in an order that the dice
 * make.  Nothing runs beside the loop, so a run can be repeated. */
#include <lpd/base/mem.h>
#include <lpd/io/pool.h>

#include "sim_loop.h"

#define SOONEST (20 * LP_USEC)
#define SPREAD 480			/* microseconds */

struct item {
	struct lp_link link;
	struct lp_work work;
	struct lp_scope *scope;		/* NULL once it has closed */
	struct lp_timer timer;
};

static void drop(void *arg)
{
	struct item *item = arg;

	item->scope = NULL;
}

static void finish(struct item *item)
{
	const struct lp_work *work = &item->work;

	lp_timer_clear(&item->timer);
	lp_link_out(&item->link);
	if (item->scope) {
		lp_undefer(item->scope, drop, item);
		if (work->done)
			work->done(work->self, work->arg);	/* may close the scope */
	}
	if (work->free_arg)
		work->free_arg(work->arg);
	lp_mem_free(item);
}

static void on_time(void *self)
{
	struct item *item = self;

	item->work.fn(item->work.arg);
	finish(item);
}

void lp_pool_run(struct lp_scope *scope, struct lp_loop *loop, const struct lp_work *work)
{
	struct item *item = lp_mem_zeroed(1, sizeof(*item));

	item->work = *work;
	item->scope = scope;
	item->timer = (struct lp_timer){ .fire = on_time, .self = item };
	lp_list_add(sim_loop_works(loop), &item->link);
	lp_defer(scope, drop, item);
	lp_timer_set(&item->timer, loop, SOONEST + (int64_t)lp_dice_below(sim_loop_dice(loop), SPREAD));
}

void sim_pool_finish(struct lp_loop *loop)
{
	struct lp_link *first;

	while ((first = lp_list_first(sim_loop_works(loop)))) {
		struct item *item = LP_CONTAINER(first, struct item, link);

		item->work.fn(item->work.arg);
		finish(item);
	}
}
