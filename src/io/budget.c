#include <lpd/io/budget.h>

#include <lpd/base/assert.h>

#define BODY (64 * 1024)	/* that a new job may well need */

static int64_t for_bodies(const struct lp_spool_budget *b)
{
	return b->memory / 4;
}

bool lp_budget_take(struct lp_spool_budget *b, size_t bytes)
{
	if (b->memory && (b->bodies > for_bodies(b) || bytes > (uint64_t)(for_bodies(b) - b->bodies)))
		return false;
	b->bodies += (int64_t)bytes;
	return true;
}

void lp_budget_give(struct lp_spool_budget *b, size_t bytes)
{
	lp_assert(b->bodies >= (int64_t)bytes);
	b->bodies -= (int64_t)bytes;
}

/* Spools may be over their part by what is on its way to the disk. */
bool lp_budget_spent(const struct lp_spool_budget *b)
{
	if (!b->memory)
		return false;
	return b->bodies + (for_bodies(b) < BODY ? 0 : BODY) > for_bodies(b) || b->bodies + b->used_memory > b->memory;
}

bool lp_budget_tight(const struct lp_spool_budget *b)
{
	return b->memory && b->used_memory > b->memory / 2;
}

bool lp_budget_holds(const struct lp_spool_budget *b, size_t bytes)
{
	int64_t most = b->memory - for_bodies(b);

	return !b->memory || (b->used_memory <= most && bytes <= (uint64_t)(most - b->used_memory));
}
