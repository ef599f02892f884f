/* io/listen - the listening sockets of one address, and when a connection waits at one. */
#ifndef LPD_IO_LISTEN_H
#define LPD_IO_LISTEN_H

#include <lpd/io/http.h>
#include <lpd/io/loop.h>

struct lp_listen;

struct lp_listen_want {
	struct lp_loop *loop;
	const struct lp_url *address;
	bool share_port;
	void (*on_accept)(void *self, int fd);	/* accept from fd; it does not block */
	void *self;
};

/* Accepted sockets inherit no-delay and keep-alive. */
enum lp_code lp_listen_open(struct lp_scope *scope, struct lp_listen **out, const struct lp_listen_want *want,
			    struct lp_err *e) LP_MUST_USE;
uint16_t lp_listen_port(const struct lp_listen *listen);	/* stays known after the stop */
void lp_listen_pause(struct lp_listen *listen, bool paused);
void lp_listen_stop(struct lp_listen *listen);		/* close the sockets, remove a socket file; the memory is the scope's */

#endif
