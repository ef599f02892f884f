/* sim/sim_outside - what lies outside of the network of nodes: child processes and fetched pages, scripted. */
#ifndef SIM_OUTSIDE_H
#define SIM_OUTSIDE_H

#include <lpd/io/fetch.h>
#include <lpd/io/process.h>

/* Without a script no child can be started (LP_CONFIG) and no page is found (LP_CONNECT). */
struct sim_children {
	/* True: it runs, until sim_child_exit or its owner stops it. */
	bool (*start)(void *self, struct lp_process *child, const struct lp_process_want *want);
	void (*stopped)(void *self, struct lp_process *child);	/* by its owner; may be NULL */
	void *self;
};
void sim_children(struct lp_loop *loop, const struct sim_children *script);
void sim_child_exit(struct lp_process *child, int status, int signal);

struct sim_page {
	enum lp_code code;		/* LP_OK: status and body */
	int status;
	struct lp_span body;
	int64_t delay;
};
struct sim_pages {
	void (*find)(void *self, const struct lp_fetch_want *want, struct sim_page *page);
	void *self;
};
void sim_pages(struct lp_loop *loop, const struct sim_pages *script);

#endif
