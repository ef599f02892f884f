/* peer - the other end of a connection, spoken byte by byte: what a test sends is what goes out.
 *
 * A plain socket (or TLS on it) that is looked at every millisecond from the loop under test. */
#ifndef PEER_H
#define PEER_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include <lpd/base/buf.h>

#include "real_loop.h"

struct peer {
	struct real_loop *r;
	int fd;
	SSL *ssl;		/* NULL: plain */
	struct lp_buf got;
	bool ended;		/* it sent its end, or an error came */
	bool reset;
	bool deaf;		/* do not read */
	/* run until one of these */
	const char *text;
	size_t count;
	bool until_end;
	bool reached;
	struct lp_timer look;
};

/* Run until it is so: a test that runs for a time instead fails on a busy machine. */
#define AWAIT(f, truth)                                                  \
	do {                                                             \
		for (int turn_ = 0; turn_ < 5000 && !(truth); turn_++)   \
			real_loop_run_for(&(f)->r, LP_MSEC);             \
		assert_true(truth);                                      \
	} while (0)

/* The descriptor of this process whose connection leads to that one; -1: none. */
static inline int other_end(int fd)
{
	struct sockaddr_in mine, theirs;
	socklen_t len = sizeof(mine);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&mine, &len), 0);
	for (int other = 3; other < 200; other++) {
		len = sizeof(theirs);
		if (other != fd && getpeername(other, (struct sockaddr *)&theirs, &len) == 0 &&
		    theirs.sin_port == mine.sin_port && theirs.sin_family == mine.sin_family)
			return other;
	}
	return -1;
}

/* A peer that is gone without a word is found by probes after 15 s, as Go's dialer and server do. */
static inline void expect_keepalive(int fd)
{
	int on = 0, idle = 0, interval = 0;
	socklen_t len = sizeof(int);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len), 0);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &len), 0);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, &len), 0);
	assert_int_equal(on, 1);
	assert_int_equal(idle, 15);
	assert_int_equal(interval, 15);
}

/* Let what is under way between the two ends of a loopback connection come to rest: so many turns of the
 * loop, however slow the machine is. */
static inline void settle(struct real_loop *r)
{
	for (int turn = 0; turn < 20; turn++)
		real_loop_run_for(r, 250);
}

static inline struct peer *peer_wrap(struct real_loop *r, int fd)
{
	struct peer *p = lp_new(r->scope, struct peer);

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	p->r = r;
	p->fd = fd;
	return p;
}

static inline struct peer *peer_connect(struct real_loop *r, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return peer_wrap(r, fd);
}

static inline void peer_close(struct peer *p)
{
	if (p->ssl)
		SSL_free(p->ssl);
	p->ssl = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	lp_buf_clear(&p->got);
}

static inline void peer_read(struct peer *p)
{
	char bytes[65536];

	while (!p->ended && !p->deaf) {
		int n = p->ssl ? SSL_read(p->ssl, bytes, sizeof(bytes)) : (int)read(p->fd, bytes, sizeof(bytes));

		if (n > 0) {
			lp_buf_add(&p->got, bytes, (size_t)n);
			continue;
		}
		if (p->ssl) {
			int why = SSL_get_error(p->ssl, n);

			if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
				return;
		} else if (n < 0 && errno == EAGAIN) {
			return;
		}
		p->ended = true;
		p->reset = n < 0;
	}
}

static inline void peer_look(void *self)
{
	struct peer *p = self;

	peer_read(p);
	p->reached = (p->until_end && p->ended) || (p->count && p->got.len >= p->count) ||
		     (p->text && lp_span_find(lp_buf_span(&p->got), lp_span(p->text)) >= 0);
	if (p->reached || (p->ended && !p->until_end))
		lp_loop_stop(p->r->loop);
	else
		lp_timer_set(&p->look, p->r->loop, LP_MSEC);
}

static inline void peer_run(struct peer *p)
{
	p->look = (struct lp_timer){ .fire = peer_look, .self = p };
	lp_timer_set(&p->look, p->r->loop, 0);
	real_loop_run(p->r);
	lp_timer_clear(&p->look);
	if (!p->reached)
		fprintf(stderr, "got instead: %.*s\n", LP_ARG(lp_buf_span(&p->got)));
	assert_true(p->reached);
	p->text = NULL;
	p->count = 0;
	p->until_end = false;
}

/* All at once while it fits into the socket's buffers; the loop runs while it does not. */
static inline void peer_send_span(struct peer *p, struct lp_span bytes)
{
	while (bytes.len) {
		int n = p->ssl ? SSL_write(p->ssl, bytes.at, (int)bytes.len) :
				 (int)send(p->fd, bytes.at, bytes.len, MSG_NOSIGNAL);

		if (n > 0)
			bytes = lp_span_skip(bytes, (size_t)n);
		else if (!p->ssl && errno != EAGAIN)
			return;
		else
			real_loop_run_for(p->r, LP_MSEC);
	}
}

static inline void peer_send(struct peer *p, const char *text)
{
	peer_send_span(p, lp_span(text));
}

/* Send zeros, as many as that or until the other end takes no more.  Returns how many went. */
static inline size_t peer_stuff(struct peer *p, size_t most)
{
	static const char zeros[65536];
	size_t sent = 0;

	for (int refused = 0; refused < 40 && sent < most;) {
		size_t piece = most - sent < sizeof(zeros) ? most - sent : sizeof(zeros);
		ssize_t n = send(p->fd, zeros, piece, MSG_NOSIGNAL | MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		refused = n > 0 ? 0 : refused + 1;
		real_loop_run_for(p->r, 250);
	}
	return sent;
}

/* Run the loop until that text has come; what came is in p->got as a C string. */
static inline const char *peer_await(struct peer *p, const char *text)
{
	p->text = text;
	peer_run(p);
	return lp_buf_text(&p->got);
}

static inline const char *peer_await_count(struct peer *p, size_t count)
{
	p->count = count;
	peer_run(p);
	return lp_buf_text(&p->got);
}

static inline const char *peer_await_end(struct peer *p)
{
	p->until_end = true;
	peer_run(p);
	return lp_buf_text(&p->got);
}

/* TLS as a client; alpn in wire form ("\x02h2"), or NULL. */
static inline void peer_secure(struct peer *p, SSL_CTX *ctx, const char *alpn, SSL_SESSION *session)
{
	p->ssl = SSL_new(ctx);
	SSL_set_fd(p->ssl, p->fd);
	SSL_set_connect_state(p->ssl);
	if (session)
		SSL_set_session(p->ssl, session);
	if (alpn)
		SSL_set_alpn_protos(p->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	for (int i = 0; i < 2000; i++) {
		if (SSL_do_handshake(p->ssl) == 1)
			return;
		real_loop_run_for(p->r, LP_MSEC);
	}
	fail();
}

#endif
