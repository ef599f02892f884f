/* support/real_loop - a loop of io/port for one test, with a deadline: a test that waits for what never
 * comes fails instead of hanging. */
#ifndef REAL_LOOP_H
#define REAL_LOOP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lpd/io/loop.h>
#include <lpd/io/timer.h>

struct real_loop {
	struct lp_scope *scope;
	struct lp_loop *loop;
	struct lp_timer watchdog;
	bool expired;
	const bool *until;		/* run_until: stop when it is true */
	struct lp_timer poll;
};

static inline void real_loop_expired(void *self)
{
	struct real_loop *r = self;

	r->expired = true;
	lp_loop_stop(r->loop);
}

static inline void real_loop_open(struct real_loop *r)
{
	*r = (struct real_loop){ .scope = lp_scope_open(NULL, "test") };
	r->loop = lp_loop_open(r->scope);
	r->watchdog = (struct lp_timer){ .fire = real_loop_expired, .self = r };
}

/* Run until somebody stops the loop; fails after 10 s. */
static inline void real_loop_run(struct real_loop *r)
{
	lp_timer_set(&r->watchdog, r->loop, 10 * LP_SEC);
	lp_loop_run(r->loop);
	lp_timer_clear(&r->watchdog);
	assert_false(r->expired);
}

static inline void real_loop_look(void *self)
{
	struct real_loop *r = self;

	if (*r->until)
		lp_loop_stop(r->loop);
	else
		lp_timer_set(&r->poll, r->loop, LP_MSEC);
}

/* Run until *flag, looked at every millisecond. */
static inline void real_loop_run_until(struct real_loop *r, const bool *flag)
{
	r->until = flag;
	r->poll = (struct lp_timer){ .fire = real_loop_look, .self = r };
	lp_timer_set(&r->poll, r->loop, 0);
	real_loop_run(r);
	lp_timer_clear(&r->poll);
}

static inline void real_loop_stop_now(void *self)
{
	struct real_loop *r = self;

	lp_loop_stop(r->loop);
}

/* Run for so long, whatever happens. */
static inline void real_loop_run_for(struct real_loop *r, int64_t time)
{
	struct lp_timer end = { .fire = real_loop_stop_now, .self = r };

	lp_timer_set(&end, r->loop, time);
	real_loop_run(r);
	lp_timer_clear(&end);
}

static inline void real_loop_close(struct real_loop *r)
{
	lp_timer_clear(&r->watchdog);
	lp_timer_clear(&r->poll);
	lp_scope_close(&r->scope);
}

#endif
