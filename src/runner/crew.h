/* runner/crew - threads that help the one that works, while the machine has cores that nobody uses.
 *
 * A loop of independent rows is cut into pieces, and whoever comes takes the next.  No row's sum is cut, so the
 * result is the same to the bit however many came.  The one that works takes pieces too and waits only for helpers
 * that have begun one: on a busy machine it does all of it alone. */
#ifndef LPD_RUNNER_CREW_H
#define LPD_RUNNER_CREW_H

#include <lpd/base/scope.h>

#define LP_CREW_MOST 8

struct lp_crew;

/* threads: with the one that works, at most LP_CREW_MOST; 0: as many as this process may have cores.  Helpers are
 * started when they are first needed, so that they are in the sandbox. */
struct lp_crew *lp_crew_open(struct lp_scope *scope, int threads);
int lp_crew_threads(const struct lp_crew *crew);

/* How many may work from now on, by what others had of this process's cores since the last look.  Of the loop's
 * thread. */
void lp_crew_look(struct lp_crew *crew);
int lp_crew_may_work(struct lp_crew *crew);		/* that many; 1 when crew is NULL */
/* Others had so many hundredths of one of `cores`: the hands that are left. */
int lp_crew_hands(int cores, long others);

struct lp_loop_of {
	void (*fn)(void *self, int first, int end);	/* any thread */
	void *self;
	int n, piece;			/* rows; how many at a time */
};

/* Back when all is done.  One caller at a time; crew NULL: alone. */
void lp_crew_run(struct lp_crew *crew, const struct lp_loop_of *loop);

#endif
