/* io/budget - how much one node keeps of other people's bytes, on disk and in memory.
 *
 * Of the memory three quarters are for spools (uploads, results) and one for the bodies of requests, so that
 * results which wait to be fetched do not keep out jobs that need no room for any. */
#ifndef LPD_IO_BUDGET_H
#define LPD_IO_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lp_spool_budget {
	const char *dir;		/* where files go; must exist */
	size_t memory_each;		/* bytes of one spool kept in memory: 256 KiB */
	int64_t total;			/* bytes of all spools, memory and disk; more is LP_NO_ROOM */
	int64_t used;			/* bytes of all that live now: exact, 0 when the last is gone */
	int64_t used_memory;		/* of these, not (yet) on disk */
	int64_t memory;			/* bytes in memory, spools and bodies; 0: any number */
	int64_t bodies;			/* of requests, held now */
};

/* Bytes of a request's body are held from now on.  False: they may not be. */
bool lp_budget_take(struct lp_spool_budget *budget, size_t bytes);
void lp_budget_give(struct lp_spool_budget *budget, size_t bytes);
/* No new job ought to begin. */
bool lp_budget_spent(const struct lp_spool_budget *budget);

/* For spools: is it time to go to disk early?  May so many more bytes be kept in memory? */
bool lp_budget_tight(const struct lp_spool_budget *budget);
bool lp_budget_holds(const struct lp_spool_budget *budget, size_t bytes);

#endif
