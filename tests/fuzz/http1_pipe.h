/* http1_pipe - a conn on one end of a socket pair, the fuzzer's bytes on the other. */
#ifndef HTTP1_PIPE_H
#define HTTP1_PIPE_H

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/io/timer.h>

#include "io/port/wires.h"

#define INPUT_MAX 16384		/* more would not fit into the sockets' buffers at once */

struct pipe_end {
	struct lp_loop *loop;
	int fd;			/* ours */
	struct lp_timer stop;
};

static inline void pipe_stop(void *self)
{
	struct pipe_end *p = self;

	lp_loop_stop(p->loop);
}

/* Returns the descriptor for the conn. */
static inline int pipe_open(struct pipe_end *p, struct lp_loop *loop)
{
	int fds[2];

	lp_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	*p = (struct pipe_end){ .loop = loop, .fd = fds[1] };
	p->stop = (struct lp_timer){ .fire = pipe_stop, .self = p };
	return fds[0];
}

static inline void pipe_turns(struct pipe_end *p, int n)
{
	char bytes[4096];

	for (int i = 0; i < n; i++) {
		lp_timer_set(&p->stop, p->loop, 0);
		lp_loop_run(p->loop);
		while (read(p->fd, bytes, sizeof(bytes)) > 0)
			;
	}
}

/* All of it in pieces of that size, then the end. */
static inline void pipe_feed(struct pipe_end *p, const uint8_t *at, size_t len, size_t piece)
{
	while (len) {
		size_t n = len < piece ? len : piece;

		if (send(p->fd, at, n, MSG_NOSIGNAL) != (ssize_t)n)
			break;
		at += n;
		len -= n;
		pipe_turns(p, 2);
	}
	pipe_turns(p, 4);
	shutdown(p->fd, SHUT_WR);
	pipe_turns(p, 4);
}

#endif
