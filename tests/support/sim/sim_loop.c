/* The loop of a simulation: lp_loop over a virtual clock.  The order is the real loop's (io/port/loop.c):
 * timers, rows that are ready, then the rows that flush; only the sleep is a jump. */
#include "sim_loop.h"

#include <lpd/base/assert.h>

#include "sim_net.h"

#define ROWS_MAX 2000000		/* in one instant: more is a livelock */
#define START (1000 * LP_SEC)		/* of the monotonic clock: never 0, as a real one never is */
#define WALL INT64_C(1767225600)	/* 2026-01-01, seconds */

struct lp_loop {
	struct lp_scope *scope;
	struct lp_timers *timers;
	struct sim_net *net;
	struct lp_list ready, before_sleep, works;
	struct lp_dice dice;
	int64_t mono;
	uint64_t rows;			/* run since the clock last moved */
	uint64_t fingerprint;
	bool stopped;
	struct {
		void (*fn)(void *self);
		void *self;
	} signals[2];
};

struct lp_timers *lp_loop_timers(struct lp_loop *loop)
{
	return loop->timers;
}

int64_t lp_mono(const struct lp_loop *loop)
{
	return loop->mono;
}

int64_t lp_wall(const struct lp_loop *loop)
{
	return WALL * LP_SEC + loop->mono - START;
}

void lp_ready(struct lp_loop *loop, struct lp_ready *row)
{
	if (!lp_link_in(&row->link))
		lp_list_add(&loop->ready, &row->link);
}

void lp_before_sleep(struct lp_loop *loop, struct lp_ready *row)
{
	if (!lp_link_in(&row->link))
		lp_list_add(&loop->before_sleep, &row->link);
}

void lp_unready(struct lp_ready *row)
{
	lp_link_out(&row->link);
}

void lp_loop_on_signal(struct lp_loop *loop, enum lp_signal signal, void (*fn)(void *self), void *self)
{
	loop->signals[signal].fn = fn;
	loop->signals[signal].self = self;
}

int64_t lp_loop_longest_turn(struct lp_loop *loop)
{
	(void)loop;
	return 0;		/* turns take no virtual time */
}

int64_t lp_loop_longest_step(struct lp_loop *loop)
{
	(void)loop;
	return 0;
}

uint64_t lp_loop_stalls(const struct lp_loop *loop)
{
	(void)loop;
	return 0;
}

void lp_loop_stop(struct lp_loop *loop)
{
	loop->stopped = true;
}

/* ---- turns ---- */

static void run_first(struct lp_loop *loop, struct lp_list *list)
{
	struct lp_link *link = lp_list_first(list);
	struct lp_ready *row = LP_CONTAINER(link, struct lp_ready, link);

	lp_link_out(link);
	row->run(row->self);
	lp_assert(loop->rows++ < ROWS_MAX);
}

static void run_ready(struct lp_loop *loop)
{
	while (!lp_list_empty(&loop->ready) || !lp_list_empty(&loop->before_sleep)) {
		while (!lp_list_empty(&loop->ready))
			run_first(loop, &loop->ready);
		while (!lp_list_empty(&loop->before_sleep) && lp_list_empty(&loop->ready))
			run_first(loop, &loop->before_sleep);
	}
}

/* To the next timer, unless something waits already.  False: nothing comes before `until`. */
static bool jump(struct lp_loop *loop, int64_t until)
{
	int64_t next = lp_timers_next(loop->timers);

	if (!lp_list_empty(&loop->ready) || !lp_list_empty(&loop->before_sleep) || next <= loop->mono)
		return true;
	bool comes = next <= until && next != LP_NEVER;
	int64_t to = comes ? next : until;
	if (to != LP_NEVER && to > loop->mono) {
		loop->mono = to;
		loop->rows = 0;
	}
	return comes;
}

bool sim_loop_turn(struct lp_loop *loop, int64_t until)
{
	if (!jump(loop, until))
		return false;
	lp_timers_run(loop->timers, loop->mono);
	run_ready(loop);
	return true;
}

bool sim_loop_stopped(struct lp_loop *loop)
{
	bool was = loop->stopped;

	loop->stopped = false;
	return was;
}

void lp_loop_run(struct lp_loop *loop)
{
	while (!loop->stopped && sim_loop_turn(loop, LP_NEVER))
		;
	loop->stopped = false;
}

void sim_loop_signal(struct lp_loop *loop, enum lp_signal signal)
{
	if (loop->signals[signal].fn)
		loop->signals[signal].fn(loop->signals[signal].self);
}

/* ---- the simulator's own ---- */

struct sim_net *sim_loop_net(struct lp_loop *loop)
{
	return loop->net;
}

struct lp_dice *sim_loop_dice(struct lp_loop *loop)
{
	return &loop->dice;
}

struct lp_list *sim_loop_works(struct lp_loop *loop)
{
	return &loop->works;
}

void sim_loop_seed(struct lp_loop *loop, uint64_t seed)
{
	lp_dice_init(&loop->dice, seed);
}

void sim_loop_mark(struct lp_loop *loop, uint64_t fact)
{
	uint64_t h = loop->fingerprint ^ (uint64_t)loop->mono;

	h = (h ^ fact) * UINT64_C(0x9e3779b97f4a7c15);
	loop->fingerprint = h ^ (h >> 29);
}

uint64_t sim_loop_fingerprint(const struct lp_loop *loop)
{
	return loop->fingerprint;
}

static void forget_rows(struct lp_list *list)
{
	lp_list_each(list, row, struct lp_ready, link)
		lp_link_out(&row->link);
}

static void close_loop(void *arg)
{
	struct lp_loop *loop = arg;

	sim_net_close(loop->net);
	sim_pool_finish(loop);
	forget_rows(&loop->ready);
	forget_rows(&loop->before_sleep);
	lp_timers_free(&loop->timers);
}

struct lp_loop *lp_loop_open(struct lp_scope *scope)
{
	struct lp_loop *loop = lp_new(scope, struct lp_loop);

	loop->scope = scope;
	loop->mono = START;
	loop->timers = lp_timers_new();
	lp_list_init(&loop->ready);
	lp_list_init(&loop->before_sleep);
	lp_list_init(&loop->works);
	lp_dice_init(&loop->dice, 1);
	loop->net = sim_net_open(scope, loop);
	lp_defer(scope, close_loop, loop);
	return loop;
}
