#include <lpd/role/upkeep.h>

#include <lpd/base/mem.h>
#include <lpd/role/node.h>

#define LOOK (5 * LP_SEC)
#define FEW 4		/* jobs at once that do not count as load */

/* Never under load: trimming stops the loop for a while, and what it gives back would be needed again.  Media
 * are let go long after their jobs, so that looking goes on until they have. */
static void look(void *self)
{
	struct lp_node *node = self;
	struct lp_upkeep *up = &node->upkeep;
	int64_t kept = lp_media_budget(node->media)->used_memory;

	if (up->most > FEW) {
		up->grown = true;
	} else if (up->grown || kept < up->kept) {
		lp_mem_trim();
		up->trims++;
		up->grown = false;
	}
	up->kept = kept;
	up->most = node->jobs;
	if (up->grown || node->jobs > 0 || kept > 0)
		lp_timer_set(&up->look, node->loop, LOOK);
}

void lp_upkeep_job_began(struct lp_node *node)
{
	struct lp_upkeep *up = &node->upkeep;

	node->jobs++;
	if (node->jobs > up->most)
		up->most = node->jobs;
	if (lp_timer_is_set(&up->look))
		return;
	up->look.fire = look;
	up->look.self = node;
	lp_timer_set(&up->look, node->loop, LOOK);
}

void lp_upkeep_job_ended(struct lp_node *node)
{
	node->jobs--;
}

void lp_upkeep_stop(struct lp_node *node)
{
	lp_timer_clear(&node->upkeep.look);
}
