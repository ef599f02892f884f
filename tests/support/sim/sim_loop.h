/* sim/sim_loop - what the files of the simulator see of its loop: a virtual clock that jumps to the next
 * timer when nothing is left to do.  Never sleeps, never looks at a real clock. */
#ifndef SIM_LOOP_H
#define SIM_LOOP_H

#include <lpd/base/random.h>
#include <lpd/io/loop.h>
#include <lpd/io/timer.h>

struct sim_net;

/* One turn: to the next moment, then what is due, then what is ready.  False: nothing happens up to `until`,
 * which it is now. */
bool sim_loop_turn(struct lp_loop *loop, int64_t until);
bool sim_loop_stopped(struct lp_loop *loop);	/* lp_loop_stop was called since the last question */
void sim_loop_signal(struct lp_loop *loop, enum lp_signal signal);

struct sim_net *sim_loop_net(struct lp_loop *loop);
/* The one source of chance: everything that is left to it is drawn here. */
struct lp_dice *sim_loop_dice(struct lp_loop *loop);
void sim_loop_seed(struct lp_loop *loop, uint64_t seed);

/* A mark in the run's fingerprint: two runs of one seed have the same. */
void sim_loop_mark(struct lp_loop *loop, uint64_t fact);
uint64_t sim_loop_fingerprint(const struct lp_loop *loop);

/* sim_pool: work under way is finished before the loop ends, as libuv does it. */
struct lp_list *sim_loop_works(struct lp_loop *loop);
void sim_pool_finish(struct lp_loop *loop);

#endif
