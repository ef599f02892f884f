/* io/task - runs state machines: step, wait, wake, abort, trail.
 *
 * A step does one thing and names the state to go to.  When it has to wait it says where to go on,
 * LP_AWAIT(state), and the task sleeps until lp_task_wake().  Waking only marks the task: the loop runs
 * the step later, never inside the caller, and never two steps of one task at once.  A step that wakes its
 * own task before it awaits is run again: a wake is never lost. */
#ifndef LPD_IO_TASK_H
#define LPD_IO_TASK_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>
#include <lpd/base/metric.h>
#include <lpd/io/loop.h>
#include <lpd/io/timer.h>

#define LP_TO(state) (UINT32_C(1) << (state))
#define LP_AWAIT(state) (-1 - (state))

struct lp_state {
	const char *name;
	int (*step)(void *self);	/* returns a state or LP_AWAIT(state); NULL: the task ends here */
	uint32_t to;			/* LP_TO() of the states that it may name; others are a bug */
};

struct lp_machine {
	const char *name;
	const struct lp_state *states;
	int n_states;
	int on_abort;			/* where lp_task_abort() leads */
};

#define LP_TRAIL 24

struct lp_task {
	const struct lp_machine *machine;
	struct lp_loop *loop;
	void *self;
	void (*on_done)(void *self);	/* after the last state; the task may be freed in it */
	struct lp_metrics *metrics;	/* state times are counted here; may be NULL */
	int state;
	enum lp_code aborted;		/* LP_OK, or why */
	enum lp_code late;		/* an abort that came while settled, or LP_OK */
	bool woken, sleeping, aborting, in_step, done;
	bool settled;			/* on_abort was entered and not gone back on */
	struct lp_ready ready;
	struct lp_timer deadline;
	enum lp_code deadline_code;
	struct lp_link live;		/* in the list of all live tasks, for reports */
	int64_t started;		/* mono */
	int64_t entered;		/* mono, when the state was entered */
	struct {
		int8_t state;
		int64_t at;
	} trail[LP_TRAIL];		/* ring of the last states */
	unsigned trailed;
};

/* Starts in state 0, from the loop.  The struct is the caller's, zeroed at first, and must stay until on_done;
 * on_done and metrics are set by the caller. */
void lp_task_start(struct lp_task *t, struct lp_loop *loop, const struct lp_machine *m, void *self);
void lp_task_wake(struct lp_task *t);

/* Go to on_abort as soon as the running step returns; only the first one counts, and one that comes when
 * on_abort was already entered by itself or by an abort changes nothing.  But when the machine, having entered
 * on_abort by itself, goes back to a state before it (another try), it can be aborted again, and an abort that
 * came meanwhile counts then: on_abort is entered once more instead. */
void lp_task_abort(struct lp_task *t, enum lp_code why);
void lp_task_deadline(struct lp_task *t, int64_t after, enum lp_code why);	/* LP_NEVER takes it away */

/* Take a task out without running it further (its owner is being closed).  Fine on a zeroed or finished one;
 * never from inside its own step. */
void lp_task_drop(struct lp_task *t);

/* "intake 0ms > select 2ms > send 103ms": the states walked through and the time in each. */
void lp_task_trail(const struct lp_task *t, struct lp_buf *to);
/* Microseconds since the task started. */
int64_t lp_task_age(const struct lp_task *t);

/* The machine as Markdown (a table of states, where each leads, the drawing is left to the reader). */
void lp_machine_doc(const struct lp_machine *m, struct lp_buf *to);

#endif
