#include "sim_abort.h"

#include <string.h>

#include <lpd/base/assert.h>

void __real_lp_task_start(struct lp_task *t, struct lp_loop *loop, const struct lp_machine *m, void *self);
void __wrap_lp_task_start(struct lp_task *t, struct lp_loop *loop, const struct lp_machine *m, void *self);

#define JOBS 256

static struct {
	const struct lp_machine *of;
	struct lp_machine machine;
	struct lp_state states[32];
	int state, times;
	enum lp_code why;
	struct {
		struct lp_task *task;
		void *self;
	} jobs[JOBS];
	int n_jobs;
} hook;

static int aborting_step(void *self)
{
	for (int i = 0; i < hook.n_jobs; i++) {
		if (hook.jobs[i].self != self)
			continue;
		hook.times++;
		lp_task_abort(hook.jobs[i].task, hook.why);
	}
	return hook.of->states[hook.state].step(self);
}

void sim_abort_in(const struct lp_machine *machine, int state, enum lp_code why)
{
	memset(&hook, 0, sizeof(hook));
	if (!machine)
		return;
	hook.of = machine;
	hook.machine = *machine;
	memcpy(hook.states, machine->states, (size_t)machine->n_states * sizeof(struct lp_state));
	hook.states[state].step = aborting_step;
	hook.machine.states = hook.states;
	hook.state = state;
	hook.why = why;
}

int sim_aborted(void)
{
	return hook.times;
}

void __wrap_lp_task_start(struct lp_task *t, struct lp_loop *loop, const struct lp_machine *m, void *self)
{
	if (!hook.of || m != hook.of) {
		__real_lp_task_start(t, loop, m, self);
		return;
	}
	lp_assert(hook.n_jobs < JOBS);
	hook.jobs[hook.n_jobs].task = t;
	hook.jobs[hook.n_jobs++].self = self;
	__real_lp_task_start(t, loop, &hook.machine, self);
}
