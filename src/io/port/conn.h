/* io/conn - a byte stream with or without TLS, the same to its user.
 *
 * uv_poll with our own read/SSL_read on the descriptor; output gathers in one buffer and is flushed once
 * for several sockets or rows (lp_before_sleep), so that small answers share a record and a system call.
 * Callbacks run from the loop's poll; a user may call anything but lp_loop_run inside them, lp_conn_close included.
 * Traps kept here: a paused TLS reader that resumes reads what OpenSSL already holds first; descriptors are
 * un-polled before they are closed; EMFILE; half-closed peers. */
#ifndef LPD_IO_CONN_H
#define LPD_IO_CONN_H

#include <lpd/base/err.h>
#include <lpd/io/http.h>
#include <lpd/io/loop.h>
#include <lpd/io/tls.h>

struct sockaddr;
struct lp_conn;

enum lp_alpn { LP_ALPN_NONE, LP_ALPN_H1, LP_ALPN_H2 };

struct lp_conn_user {
	void (*on_open)(void *self);				/* connected, handshake done: lp_conn_alpn is known */
	void (*on_bytes)(void *self, struct lp_span bytes);	/* what was read; not kept */
	void (*on_room)(void *self);				/* backlog fell below LP_CONN_LOW after it had reached LP_CONN_HIGH */
	void (*on_end)(void *self, enum lp_code why, const char *words);	/* LP_OK: orderly end by the peer.
					 * Comes once, unless closed before (after LP_OK once more if a write
					 * fails then); the conn is still ours to close. */
	void (*on_flushed)(void *self);				/* a flush left nothing in the backlog; may be NULL */
	/* While reading is paused: the peer has sent its end behind bytes that are still unread, or (broken) the
	 * connection was reset.  Once; may be NULL. */
	void (*on_hangup)(void *self, bool broken);
};

#define LP_CONN_HIGH (256 * 1024)
#define LP_CONN_LOW (64 * 1024)

/* fd is taken over.  tls NULL: plain. */
struct lp_conn *lp_conn_accept(struct lp_loop *loop, int fd, struct lp_tls_server *tls,
			       const struct lp_conn_user *user, void *self);

struct lp_conn_dial {
	const struct sockaddr *addr;	/* AF_INET, AF_INET6, AF_UNIX */
	unsigned addr_len;
	struct lp_tls_client *tls;	/* NULL: plain */
	struct lp_span server_name;	/* SNI, when it is no IP literal */
	bool h1_only;			/* offer only http/1.1 by ALPN */
	void *session;			/* a TLS session to resume (SSL_SESSION *), or NULL */
};
struct lp_conn *lp_conn_dial(struct lp_loop *loop, const struct lp_conn_dial *dial, const struct lp_conn_user *user,
			     void *self);

void lp_conn_use(struct lp_conn *conn, const struct lp_conn_user *user, void *self);	/* hand over to another user */
enum lp_alpn lp_conn_alpn(const struct lp_conn *conn);
bool lp_conn_is_tls(const struct lp_conn *conn);
void lp_conn_peer_of(int fd, char *to, size_t cap);		/* "1.2.3.4:5", "[::1]:5", "unix" */
const char *lp_conn_peer(const struct lp_conn *conn);		/* "127.0.0.1:4242" */
void *lp_conn_session(struct lp_conn *conn);			/* SSL_SESSION * with a reference for the caller, or NULL */

void lp_conn_write(struct lp_conn *conn, struct lp_span bytes);	/* copied to the backlog */
struct lp_buf *lp_conn_out(struct lp_conn *conn);		/* write in place, then lp_conn_flush_soon() */
void lp_conn_flush_soon(struct lp_conn *conn);
size_t lp_conn_backlog(const struct lp_conn *conn);
int64_t lp_conn_last_write(const struct lp_conn *conn);		/* mono: when the kernel last took bytes */
uint64_t lp_conn_written(const struct lp_conn *conn);		/* bytes that the kernel (or TLS) has taken so far */
int64_t lp_conn_taken(const struct lp_conn *conn);		/* of these, bytes that the peer has (TLS: about) */
void lp_conn_pause(struct lp_conn *conn, bool paused);		/* stop and resume reading */
/* A handshake has failed: drop TLS, so that the peer can be told in plain bytes. */
void lp_conn_forget_tls(struct lp_conn *conn);
/* Flush what is queued, shut down in order, then close by itself (2 s at most); no more callbacks. */
void lp_conn_finish(struct lp_conn *conn);
void lp_conn_close(struct lp_conn *conn);			/* at once; no more callbacks; frees */
/* The same, but the peer gets a reset: what was cut short must not look like an end. */
void lp_conn_reset(struct lp_conn *conn);

#endif
