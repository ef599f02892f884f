/* sim/sim_abort - abort a job in any state of its machine, also in those that it never waits in.
 *
 * lp_task_start is wrapped at link time: a job of the machine that is looked for runs a copy of its table in
 * which one state's step first aborts its own task, as a deadline that falls into that very moment would. */
#ifndef SIM_ABORT_H
#define SIM_ABORT_H

#include <lpd/io/task.h>

/* Every job of that machine, until told otherwise; NULL: none. */
void sim_abort_in(const struct lp_machine *machine, int state, enum lp_code why);
int sim_aborted(void);		/* how often it has happened since */

#endif
