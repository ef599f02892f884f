/* How a conn begins: a descriptor that was accepted, or a connection of our own. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

#include "conn_priv.h"

static struct lp_conn *new_conn(struct lp_loop *loop, const struct lp_conn_user *user, void *self)
{
	struct lp_conn *conn = lp_mem_zeroed(1, sizeof(*conn));

	lp_conn_init(conn, loop, user, self);
	return conn;
}

/* The listener's socket options (no delay, keep-alive) came with the descriptor. */
struct lp_conn *lp_conn_accept(struct lp_loop *loop, int fd, struct lp_tls_server *tls,
			       const struct lp_conn_user *user, void *self)
{
	struct lp_conn *conn = new_conn(loop, user, self);

	if (tls)
		lp_conn_tls_accept(conn, tls, fd);
	lp_conn_start(conn, fd, tls ? LP_CONN_HANDSHAKE : LP_CONN_OPEN);
	return conn;
}

/* Probes after 15 s of silence, as Go's dialer does: nothing else finds a peer that is gone without a word
 * (network-protocol 2.4). */
static void set_options(int fd)
{
	int on = 1, seconds = 15;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
}

struct lp_conn *lp_conn_dial(struct lp_loop *loop, const struct lp_conn_dial *dial, const struct lp_conn_user *user,
			     void *self)
{
	struct lp_conn *conn = new_conn(loop, user, self);
	int fd = socket(dial->addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		lp_conn_fail_soon(conn, LP_CONNECT, uv_strerror(-errno));
		return conn;
	}
	if (dial->addr->sa_family != AF_UNIX)
		set_options(fd);
	if (connect(fd, dial->addr, dial->addr_len) != 0 && errno != EINPROGRESS) {
		lp_conn_fail_soon(conn, LP_CONNECT, uv_strerror(-errno));
		close(fd);
		return conn;
	}
	if (dial->tls)
		lp_conn_tls_dial(conn, dial, fd);
	lp_conn_start(conn, fd, LP_CONN_CONNECTING);
	return conn;
}

enum lp_code lp_conn_connected(struct lp_conn *conn)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (!error)
		return LP_OK;
	conn->words = uv_strerror(-error);
	return LP_CONNECT;
}
