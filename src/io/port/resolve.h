/* io/resolve - names to addresses, off the loop, kept for a minute.  Private to io/port.
 *
 * The threads are shared with payments and the store, so that only a few look-ups run at once; two askers
 * of one name share one.  IP literals are not for it: lp_addr_of_literal reads those. */
#ifndef LPD_IO_RESOLVE_H
#define LPD_IO_RESOLVE_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <lpd/io/loop.h>

#define LP_ADDRS_MAX 8

struct lp_addr {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} sock;
	socklen_t len;
};

/* In the order in which to try them: the families take turns, the resolver's favourite first. */
struct lp_addrs {
	int n;
	struct lp_addr at[LP_ADDRS_MAX];
};

bool lp_addrs_outside(const struct lp_addrs *addrs);	/* all of them are public */

struct lp_resolver;

/* One who waits for a name; the caller's, zeroed at first. */
struct lp_ask {
	void (*done)(void *self);	/* from the loop; lp_resolver_find tells then */
	void *self;
	struct lp_link link;
};

/* kept: how long an answer is good for; 0: a minute, for a peer that moves must be found again. */
struct lp_resolver *lp_resolver_open(struct lp_scope *scope, struct lp_loop *loop, int64_t kept);
/* NULL: not known (any more), or unknown to the resolver: *words then says why, else it is NULL. */
const struct lp_addrs *lp_resolver_find(struct lp_resolver *resolver, struct lp_span host, const char **words);
void lp_resolver_ask(struct lp_resolver *resolver, struct lp_span host, struct lp_ask *ask);
void lp_ask_cancel(struct lp_ask *ask);
/* The addresses did not serve: look the name up anew when it is next needed. */
void lp_resolver_forget(struct lp_resolver *resolver, struct lp_span host);

/* An IPv4 or IPv6 literal; false: it is none. */
bool lp_addr_of_literal(struct lp_addr *to, struct lp_span host);

#endif
