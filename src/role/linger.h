/* role/linger - a role's port while its node goes down: jobs are refused in words, what was made last can still be
 * fetched, and then the port closes. */
#ifndef LPD_ROLE_LINGER_H
#define LPD_ROLE_LINGER_H

#include <lpd/io/server.h>
#include <lpd/io/timer.h>

/* In the role, zeroed at first. */
struct lp_linger {
	struct lp_timer look;
	struct lp_loop *loop;
	struct lp_server *server;
	const int *jobs;	/* the role's, running now */
	int64_t last_link;	/* mono, when somebody was last told where a result lies; 0: never */
};

/* The role goes down.  It must stop the linger before it ends. */
void lp_linger_begin(struct lp_linger *linger, struct lp_loop *loop, struct lp_server *server, const int *jobs);
void lp_linger_stop(struct lp_linger *linger);
/* Does the port still wait for somebody? */
bool lp_linger_waits(const struct lp_linger *linger);

#endif
