/* io/reach - from how far away a host can be reached, and whether an orchestrator may send our jobs there.
 *
 * An orchestrator names the address for its jobs.  One that we know by a public address must not make us knock at
 * doors of our own machine or network, which are open to nobody but us (docs/decisions). */
#ifndef LPD_IO_REACH_H
#define LPD_IO_REACH_H

#include <lpd/io/http.h>

enum lp_reach {
	LP_REACH_OWN,		/* this machine: loopback, "localhost", unix sockets, 0.0.0.0 */
	LP_REACH_LINK,		/* link-local, where clouds keep their secrets */
	LP_REACH_PRIVATE,	/* RFC 1918 and its like; names that only a local resolver knows */
	LP_REACH_PUBLIC,	/* all else; a name may be more than it seems */
};

enum lp_reach lp_reach_of(const struct lp_url *url);
enum lp_reach lp_reach_of_bytes(const void *address, size_t len);	/* 4 or 16 bytes */
/* asked: where the orchestrator was asked, which the operator chose. */
bool lp_reach_may_name(const struct lp_url *asked, const struct lp_url *named);

#endif
