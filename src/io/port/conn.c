#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

#include "conn_priv.h"

#define READ_SIZE (64 * 1024)		/* of one read; on the stack, so that an idle conn holds no buffer */
#define READ_TURN (256 * 1024)		/* one conn's share of a turn */
#define DIRECT (16 * 1024)		/* from this size on bytes go out without being copied */
#define LINGER (2 * LP_SEC)		/* how long a finishing conn waits for the peer */

static void update_mask(struct lp_conn *conn);
static void flush_row(void *self);
static void soon_row(void *self);
static void give_up(void *self);
static void finish_step(struct lp_conn *conn);

/* ---- polling ---- */

static int wanted(const struct lp_conn *conn)
{
	int want = 0;

	switch (conn->phase) {
	case LP_CONN_CONNECTING:
		return conn->ended ? 0 : UV_WRITABLE;
	case LP_CONN_HANDSHAKE:
		if (conn->ended)
			return 0;
		return conn->write_wants_read ? UV_READABLE : UV_WRITABLE;
	case LP_CONN_OPEN:
		/* A paused conn stays polled until it becomes readable: most pauses end before, and each
		 * change of the mask costs two system calls. */
		if (!conn->ended && (!conn->paused || (!conn->nagged && (conn->mask & UV_READABLE))))
			want |= UV_READABLE;
		else if (!conn->ended && !conn->hung && conn->user->on_hangup)
			want |= UV_DISCONNECT;
		break;
	case LP_CONN_FINISHING:
		if (!conn->ended)
			want |= UV_READABLE;
		break;
	case LP_CONN_CLOSED:
		return 0;
	}
	if (conn->blocked)
		want |= conn->write_wants_read ? UV_READABLE : UV_WRITABLE;
	if (conn->read_wants_write)
		want |= UV_WRITABLE;
	return want;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void update_mask(struct lp_conn *conn)
{
	if (conn->phase == LP_CONN_CLOSED || conn->uv.any.type != UV_POLL)
		return;
	int want = wanted(conn);
	if (conn->unpolled) {
		if (want & UV_READABLE)
			lp_ready(conn->loop, &conn->soon);
		return;
	}
	if (want == conn->mask)
		return;
	conn->mask = want;
	if (want)
		uv_poll_start(&conn->uv.poll, want, on_poll);
	else
		uv_poll_stop(&conn->uv.poll);
}

/* ---- telling the user ---- */

static void tell_end(struct lp_conn *conn, enum lp_code why, const char *words)
{
	conn->ended = true;
	conn->tell_end = false;
	conn->user->on_end(conn->self, why, words ? words : "the connection ended");
}

static void tell_soon(struct lp_conn *conn)
{
	lp_ready(conn->loop, &conn->soon);
}

void lp_conn_fail_soon(struct lp_conn *conn, enum lp_code why, const char *words)
{
	conn->why = why;
	conn->words = words;
	conn->tell_end = true;
	tell_soon(conn);
}

/* ---- reading ---- */

static ssize_t plain_read(struct lp_conn *conn, char *to, size_t cap)
{
	ssize_t n;

	do
		n = read(conn->fd, to, cap);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		return LP_IO_AGAIN;
	conn->words = uv_strerror(-errno);
	return LP_IO_BROKEN;
}

static bool may_read(const struct lp_conn *conn)
{
	return conn->phase == LP_CONN_OPEN && !conn->paused && !conn->ended;
}

static void read_ended(struct lp_conn *conn, ssize_t n)
{
	/* After a failed write the kernel has told its error there, and an end that follows is no orderly one. */
	bool orderly = n == LP_IO_END && !conn->write_dead;

	if (n == LP_IO_END)
		conn->words = conn->write_dead ? "the peer reset the connection" : "the peer closed the connection";
	tell_end(conn, orderly ? LP_OK : LP_RESET, conn->words);
}

static void read_some(struct lp_conn *conn)
{
	char bytes[READ_SIZE];
	size_t short_read = conn->ssl ? READ_SIZE / 4 : READ_SIZE;
	size_t total = 0;

	while (may_read(conn)) {
		ssize_t n = conn->ssl ? lp_conn_tls_read(conn, bytes, sizeof(bytes)) :
					plain_read(conn, bytes, sizeof(bytes));
		if (n == LP_IO_AGAIN)
			return;
		if (n <= 0) {
			read_ended(conn, n);
			return;
		}
		conn->user->on_bytes(conn->self, lp_span_of(bytes, (size_t)n));
		total += (size_t)n;
		bool holds = lp_conn_tls_holds(conn);
		if (total >= READ_TURN && holds && may_read(conn)) {
			conn->read_soon = true;
			tell_soon(conn);
		}
		/* A short read has emptied the socket; epoll tells of what comes later. */
		if (total >= READ_TURN || (!holds && (size_t)n < short_read))
			return;
	}
}

/* ---- writing ---- */

static ssize_t plain_write(struct lp_conn *conn, const struct iovec *parts, int n_parts)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)n_parts };
	ssize_t n;

	do
		n = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		return LP_IO_AGAIN;
	conn->words = uv_strerror(-errno);
	return LP_IO_BROKEN;
}

/* A failed write is not the end: an answer that came before it is still to be read (a peer that refuses a
 * body answers and closes).  Only when reading has ended already is there nothing else to wait for. */
static void write_failed(struct lp_conn *conn)
{
	lp_buf_clear(&conn->out);
	conn->write_dead = true;
	conn->blocked = false;
	conn->write_wants_read = false;
	if (conn->ended && conn->phase == LP_CONN_OPEN)
		lp_conn_fail_soon(conn, LP_RESET, conn->words);
}

static void took(struct lp_conn *conn, size_t n)
{
	conn->written += n;
	conn->last_write = lp_mono(conn->loop);
}

/* Both kinds: true when all of it went. */
static bool put(struct lp_conn *conn)
{
	while (conn->out.len > 0) {
		struct lp_span all = lp_buf_span(&conn->out);
		struct iovec part = { .iov_base = (void *)(uintptr_t)all.at, .iov_len = all.len };
		ssize_t n = conn->ssl ? lp_conn_tls_write(conn, all.at, all.len) : plain_write(conn, &part, 1);

		if (n <= 0) {
			if (n == LP_IO_AGAIN)
				conn->blocked = true;
			else
				write_failed(conn);
			return false;
		}
		took(conn, (size_t)n);
		lp_buf_eat(&conn->out, (size_t)n);
	}
	lp_buf_clear(&conn->out);	/* a conn that waits for its peer holds no memory for output */
	conn->blocked = false;
	return true;
}

/* Put and take note of what the user has to hear of it. */
static void flush(struct lp_conn *conn)
{
	if (conn->out.len > 0 && put(conn) && conn->user && conn->user->on_flushed)
		conn->tell_flushed = true;
	if (conn->over_high && conn->out.len < LP_CONN_LOW) {
		conn->over_high = false;
		conn->tell_room = true;
	}
}

static void tell_written(struct lp_conn *conn)
{
	if (conn->phase == LP_CONN_OPEN && conn->tell_flushed) {
		conn->tell_flushed = false;
		conn->user->on_flushed(conn->self);
	}
	if (conn->phase == LP_CONN_OPEN && conn->tell_room) {
		conn->tell_room = false;
		conn->user->on_room(conn->self);
	}
}

static void flush_row(void *self)
{
	struct lp_conn *conn = self;

	if (conn->blocked)
		return;		/* the poll goes on with it */
	flush(conn);
	if (conn->phase == LP_CONN_FINISHING)
		finish_step(conn);
	else
		tell_written(conn);
	update_mask(conn);
}

void lp_conn_flush_soon(struct lp_conn *conn)
{
	if (conn->write_dead) {
		lp_buf_clear(&conn->out);
		return;
	}
	if (conn->out.len >= LP_CONN_HIGH)	/* who fills it exactly to the brim waits as well */
		conn->over_high = true;
	if (conn->phase == LP_CONN_OPEN && !conn->blocked)
		lp_before_sleep(conn->loop, &conn->flush);
}

/* Big bytes go past the backlog while the kernel takes them.  Returns how many went. */
static size_t write_direct(struct lp_conn *conn, struct lp_span bytes)
{
	size_t before = conn->out.len, done = 0;

	if (!conn->ssl) {
		struct lp_span first = lp_buf_span(&conn->out);
		struct iovec parts[2] = { { .iov_base = (void *)(uintptr_t)first.at, .iov_len = first.len },
					  { .iov_base = (void *)(uintptr_t)bytes.at, .iov_len = bytes.len } };
		ssize_t n = before ? plain_write(conn, parts, 2) : plain_write(conn, parts + 1, 1);

		if (n <= 0) {
			if (n == LP_IO_BROKEN)
				write_failed(conn);
			return 0;
		}
		took(conn, (size_t)n);
		done = (size_t)n < before ? (size_t)n : before;
		lp_buf_eat(&conn->out, done);
		return (size_t)n - done;
	}
	if (!put(conn))
		return 0;
	while (done < bytes.len) {
		ssize_t n = lp_conn_tls_write(conn, bytes.at + done, bytes.len - done);

		if (n <= 0) {
			if (n == LP_IO_AGAIN)
				conn->blocked = true;	/* the rest is repeated from the backlog */
			else
				write_failed(conn);
			break;
		}
		took(conn, (size_t)n);
		done += (size_t)n;
	}
	return done;
}

void lp_conn_write(struct lp_conn *conn, struct lp_span bytes)
{
	if (conn->write_dead || !bytes.len)
		return;
	if (bytes.len >= DIRECT && conn->phase == LP_CONN_OPEN && !conn->blocked) {
		bytes = lp_span_skip(bytes, write_direct(conn, bytes));
		if (!bytes.len && !conn->out.len) {
			lp_buf_clear(&conn->out);
			if (conn->user->on_flushed) {
				conn->tell_flushed = true;
				tell_soon(conn);
			}
			return;
		}
		if (conn->write_dead)
			return;
	}
	lp_buf_add_span(&conn->out, bytes);
	lp_conn_flush_soon(conn);
	update_mask(conn);
}

struct lp_buf *lp_conn_out(struct lp_conn *conn)
{
	return &conn->out;
}

size_t lp_conn_backlog(const struct lp_conn *conn)
{
	return conn->out.len;
}

int64_t lp_conn_last_write(const struct lp_conn *conn)
{
	return conn->last_write;
}

uint64_t lp_conn_written(const struct lp_conn *conn)
{
	return conn->written;
}

/* The kernel takes bytes in steps of megabytes, and would make a slow reader look like one who does not read. */
int64_t lp_conn_taken(const struct lp_conn *conn)
{
	int queued = 0;

	if (conn->fd < 0 || ioctl(conn->fd, TIOCOUTQ, &queued) != 0)
		queued = 0;
	return (int64_t)conn->written - queued;
}

/* ---- what the poll brings, by phase ---- */

static void opened(struct lp_conn *conn)
{
	conn->phase = LP_CONN_OPEN;
	conn->write_wants_read = false;
	conn->user->on_open(conn->self);
	if (conn->phase == LP_CONN_OPEN)
		lp_conn_flush_soon(conn);	/* what was written ahead */
	/* With read_ahead the first request may have come with the end of the handshake. */
	if (conn->phase == LP_CONN_OPEN && lp_conn_tls_holds(conn))
		read_some(conn);
}

static void shake_hands(struct lp_conn *conn)
{
	lp_loop_excuse(conn->loop);
	int n = lp_conn_tls_handshake(conn);

	if (n == 1)
		opened(conn);
	else if (n == LP_IO_BROKEN)
		tell_end(conn, LP_RESET, conn->words);
}

static void connected(struct lp_conn *conn)
{
	if (lp_conn_connected(conn) != LP_OK) {
		tell_end(conn, LP_CONNECT, conn->words);
		return;
	}
	conn->phase = conn->ssl ? LP_CONN_HANDSHAKE : LP_CONN_OPEN;
	if (conn->ssl)
		shake_hands(conn);
	else
		opened(conn);
}

static void hung_up(struct lp_conn *conn)
{
	if (conn->hung)
		return;
	conn->hung = true;
	if (conn->user->on_hangup)
		conn->user->on_hangup(conn->self, conn->unpolled);
}

static void serve(struct lp_conn *conn, int events)
{
	if (conn->blocked && (events & (conn->write_wants_read ? UV_READABLE : UV_WRITABLE))) {
		conn->blocked = false;
		flush(conn);
		tell_written(conn);
	}
	if (conn->phase != LP_CONN_OPEN)
		return;
	if (conn->paused && ((events & UV_DISCONNECT) || conn->unpolled))
		hung_up(conn);
	else if (conn->paused && (events & UV_READABLE))
		conn->nagged = true;
	else if ((events & UV_READABLE) || conn->read_wants_write)
		read_some(conn);
}

static void step(struct lp_conn *conn, int events)
{
	switch (conn->phase) {
	case LP_CONN_CONNECTING:
		connected(conn);
		break;
	case LP_CONN_HANDSHAKE:
		shake_hands(conn);
		break;
	case LP_CONN_OPEN:
		serve(conn, events);
		break;
	case LP_CONN_FINISHING:
		conn->blocked = false;
		flush(conn);
		finish_step(conn);
		break;
	case LP_CONN_CLOSED:
		break;
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct lp_conn *conn = LP_CONTAINER(poll, struct lp_conn, uv.poll);

	lp_loop_woke(conn->loop);
	if (status < 0) {
		/* libuv stops polling a descriptor with an error on it.  What came before the error can still be
		 * read, so reading goes on from the ready list until it says how it ended. */
		conn->unpolled = true;
		conn->mask = 0;
		events = UV_READABLE | UV_WRITABLE;
	}
	step(conn, events);
	update_mask(conn);
	lp_loop_served(conn->loop);
}

static void soon_row(void *self)
{
	struct lp_conn *conn = self;

	if (conn->tell_open) {
		conn->tell_open = false;
		conn->user->on_open(conn->self);
	}
	tell_written(conn);
	if (conn->phase != LP_CONN_CLOSED && conn->phase != LP_CONN_FINISHING && conn->tell_end) {
		tell_end(conn, conn->why, conn->words);
	} else if (conn->phase == LP_CONN_OPEN && (conn->read_soon || conn->unpolled)) {
		conn->read_soon = false;
		read_some(conn);
	} else if (conn->unpolled) {
		step(conn, UV_READABLE | UV_WRITABLE);
	}
	update_mask(conn);
}

void lp_conn_pause(struct lp_conn *conn, bool paused)
{
	if (conn->paused == paused)
		return;
	conn->paused = paused;
	if (paused)
		return;
	conn->nagged = false;
	/* Bytes that OpenSSL has read already never wake epoll. */
	if (lp_conn_tls_holds(conn)) {
		conn->read_soon = true;
		tell_soon(conn);
	}
	update_mask(conn);
}

/* ---- the beginning ---- */

void lp_conn_init(struct lp_conn *conn, struct lp_loop *loop, const struct lp_conn_user *user, void *self)
{
	conn->loop = loop;
	conn->user = user;
	conn->self = self;
	conn->fd = -1;
	conn->flush = (struct lp_ready){ .run = flush_row, .self = conn };
	conn->soon = (struct lp_ready){ .run = soon_row, .self = conn };
	conn->limit = (struct lp_timer){ .fire = give_up, .self = conn };
	conn->last_write = lp_mono(loop);
}

void lp_conn_start(struct lp_conn *conn, int fd, enum lp_conn_phase phase)
{
	conn->fd = fd;
	conn->phase = phase;
	conn->write_wants_read = phase == LP_CONN_HANDSHAKE;	/* a server hears first */
	int failed = uv_poll_init(lp_loop_uv(conn->loop), &conn->uv.poll, fd);
	lp_assert(!failed);
	conn->tell_open = phase == LP_CONN_OPEN;
	if (conn->tell_open)
		tell_soon(conn);
	update_mask(conn);
}

void lp_conn_use(struct lp_conn *conn, const struct lp_conn_user *user, void *self)
{
	conn->user = user;
	conn->self = self;
}

static void write_peer(char *to, size_t cap, const struct sockaddr *addr)
{
	const struct sockaddr_in *in = (const void *)addr;
	const struct sockaddr_in6 *in6 = (const void *)addr;
	char text[INET6_ADDRSTRLEN] = "";

	if (addr->sa_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		snprintf(to, cap, "%s:%u", text, ntohs(in->sin_port));
	} else if (addr->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], text, sizeof(text));
		snprintf(to, cap, "%s:%u", text, ntohs(in6->sin6_port));
	} else if (addr->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
		snprintf(to, cap, "[%s]:%u", text, ntohs(in6->sin6_port));
	} else {
		snprintf(to, cap, "%s", addr->sa_family == AF_UNIX ? "unix" : "unknown");
	}
}

void lp_conn_peer_of(int fd, char *to, size_t cap)
{
	struct sockaddr_storage any = { 0 };
	struct sockaddr *addr = (struct sockaddr *)&any;
	socklen_t len = sizeof(any);

	if (fd < 0 || getpeername(fd, addr, &len) != 0)
		addr->sa_family = AF_UNSPEC;
	write_peer(to, cap, addr);
}

/* Asked for by each exchange, so made once and kept. */
const char *lp_conn_peer(const struct lp_conn *conn)
{
	char *to = ((struct lp_conn *)(uintptr_t)conn)->peer;

	if (!*to)
		lp_conn_peer_of(conn->fd, to, sizeof(conn->peer));
	return to;
}

/* ---- the end ---- */

static void give_up(void *self)
{
	lp_conn_close(self);
}

/* What the peer still sends is thrown away: closing on unread bytes would reset the connection, and the
 * peer might lose our last words. */
static void drop_input(struct lp_conn *conn)
{
	char bytes[READ_SIZE];

	for (int i = 0; i < READ_TURN / READ_SIZE; i++) {
		ssize_t n = plain_read(conn, bytes, sizeof(bytes));

		if (n == LP_IO_AGAIN)
			return;
		if (n <= 0) {
			conn->ended = true;
			return;
		}
	}
}

static void finish_step(struct lp_conn *conn)
{
	if (!conn->ended)
		drop_input(conn);
	if (conn->out.len == 0 && !conn->shut) {
		conn->shut = true;
		if (conn->ssl && !conn->write_dead)
			lp_conn_tls_shutdown(conn);
		shutdown(conn->fd, SHUT_WR);
		lp_timer_set(&conn->limit, conn->loop, LINGER);
	}
	if (conn->unpolled || (conn->shut && (conn->ended || conn->write_dead)))
		lp_conn_close(conn);
}

void lp_conn_forget_tls(struct lp_conn *conn)
{
	lp_assert(conn->phase == LP_CONN_HANDSHAKE);
	lp_conn_tls_free(conn);
	lp_buf_reset(&conn->out);
	conn->write_wants_read = conn->read_wants_write = conn->ended = false;
	conn->phase = LP_CONN_OPEN;
}

void lp_conn_finish(struct lp_conn *conn)
{
	if (conn->phase != LP_CONN_OPEN) {
		lp_conn_close(conn);
		return;
	}
	conn->phase = LP_CONN_FINISHING;
	conn->user = NULL;
	lp_unready(&conn->soon);
	conn->soon.run = give_up;
	lp_loop_at_close(conn->loop, &conn->soon);
	lp_timer_set(&conn->limit, conn->loop, LINGER);
	if (conn->out.len > 0 && !conn->blocked)
		lp_before_sleep(conn->loop, &conn->flush);
	if (conn->out.len == 0 || conn->unpolled)
		finish_step(conn);
	update_mask(conn);
}

static void on_uv_closed(uv_handle_t *handle)
{
	lp_mem_free(LP_CONTAINER(handle, struct lp_conn, uv.any));
}

/* The memory stays until libuv lets go, so that a callback that closed its conn may return through here. */
void lp_conn_close(struct lp_conn *conn)
{
	lp_assert(conn->phase != LP_CONN_CLOSED);
	conn->phase = LP_CONN_CLOSED;
	lp_unready(&conn->flush);
	lp_unready(&conn->soon);
	lp_timer_clear(&conn->limit);
	lp_conn_tls_free(conn);
	lp_buf_clear(&conn->out);
	if (conn->uv.any.type == UV_UNKNOWN_HANDLE)
		uv_idle_init(lp_loop_uv(conn->loop), &conn->uv.none);	/* there never was a descriptor */
	uv_close(&conn->uv.any, on_uv_closed);
	if (conn->fd >= 0)
		close(conn->fd);	/* after uv_close, which has taken it out of epoll */
	conn->fd = -1;
}

void lp_conn_reset(struct lp_conn *conn)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (conn->fd >= 0)
		setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	lp_conn_close(conn);
}
