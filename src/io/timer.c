/* A binary heap of borrowed timers; each knows its place, so that clearing one is O(log n). */
#include <lpd/base/mem.h>

#include "timer_priv.h"

struct lp_timers *lp_timers_new(void)
{
	struct lp_timers *timers = lp_mem_zeroed(1, sizeof(*timers));

	lp_list_init(&timers->tasks);
	return timers;
}

/* Timers and tasks whose owner lives on must not point here. */
void lp_timers_free(struct lp_timers **where)
{
	struct lp_timers *timers = *where;

	if (!timers)
		return;
	for (int i = 0; i < timers->n; i++) {
		timers->heap[i]->slot = 0;
		timers->heap[i]->timers = NULL;
	}
	while (!lp_list_empty(&timers->tasks))
		lp_link_out(lp_list_first(&timers->tasks));
	if (timers->told)
		lp_witness_remove(&timers->witness);
	lp_mem_free(timers->heap);
	lp_mem_free(timers);
	*where = NULL;
}

static bool before(const struct lp_timer *a, const struct lp_timer *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(struct lp_timers *timers, int i, struct lp_timer *timer)
{
	timers->heap[i] = timer;
	timer->slot = i + 1;
}

static void sift_up(struct lp_timers *timers, int i, struct lp_timer *timer)
{
	while (i > 0 && before(timer, timers->heap[(i - 1) / 2])) {
		put(timers, i, timers->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(timers, i, timer);
}

static void sift_down(struct lp_timers *timers, int i, struct lp_timer *timer)
{
	for (int child = 2 * i + 1; child < timers->n; child = 2 * i + 1) {
		if (child + 1 < timers->n && before(timers->heap[child + 1], timers->heap[child]))
			child++;
		if (!before(timers->heap[child], timer))
			break;
		put(timers, i, timers->heap[child]);
		i = child;
	}
	put(timers, i, timer);
}

static void grow(struct lp_timers *timers)
{
	if (timers->n < timers->cap)
		return;
	timers->cap = timers->cap ? 2 * timers->cap : 64;
	timers->heap = lp_mem_grow(timers->heap, (size_t)timers->cap * sizeof(struct lp_timer *));
}

void lp_timer_set(struct lp_timer *timer, struct lp_loop *loop, int64_t after)
{
	struct lp_timers *timers = lp_loop_timers(loop);
	int64_t now = lp_mono(loop);

	lp_timer_clear(timer);
	if (after >= LP_NEVER - now)
		return;
	grow(timers);
	timer->timers = timers;
	timer->at = now + (after > 0 ? after : 0);
	timer->order = timers->order++;
	timers->n++;
	sift_up(timers, timers->n - 1, timer);
}

void lp_timer_clear(struct lp_timer *timer)
{
	struct lp_timers *timers = timer->timers;

	if (!timer->slot)
		return;
	int i = timer->slot - 1;
	struct lp_timer *last = timers->heap[--timers->n];
	timer->slot = 0;
	if (last == timer)
		return;
	/* The last takes the hole, then moves whichever way order asks. */
	if (i > 0 && before(last, timers->heap[(i - 1) / 2]))
		sift_up(timers, i, last);
	else
		sift_down(timers, i, last);
}

int64_t lp_timers_next(const struct lp_timers *timers)
{
	return timers->n ? timers->heap[0]->at : LP_NEVER;
}

/* Timers set meanwhile wait for the next run, even those due at once: each run ends. */
void lp_timers_run(struct lp_timers *timers, int64_t mono)
{
	uint64_t first_new = timers->order;

	while (timers->n && timers->heap[0]->at <= mono && timers->heap[0]->order < first_new) {
		struct lp_timer *timer = timers->heap[0];

		lp_timer_clear(timer);
		timer->fire(timer->self);
	}
}
