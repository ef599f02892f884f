/* role/upkeep - what a node does for itself while there is little to do: memory that jobs have left free is
 * given back to the system, which the allocator does not do by itself. */
#ifndef LPD_ROLE_UPKEEP_H
#define LPD_ROLE_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>

#include <lpd/io/timer.h>

struct lp_node;

/* In the node, zeroed at first. */
struct lp_upkeep {
	struct lp_timer look;
	int most;		/* jobs at once since the last look */
	int64_t kept;		/* bytes of media in memory at the last look */
	bool grown;		/* many jobs ran since the last trim */
	int trims;
};

/* Every job of every role says both; they count node->jobs. */
void lp_upkeep_job_began(struct lp_node *node);
void lp_upkeep_job_ended(struct lp_node *node);
void lp_upkeep_stop(struct lp_node *node);

#endif
