/* io/conn_priv - what a conn is made of, for conn.c, conn_tls.c and conn_open.c only. */
#ifndef LPD_IO_CONN_PRIV_H
#define LPD_IO_CONN_PRIV_H

#include <openssl/ssl.h>
#include <sys/types.h>

#include <lpd/base/buf.h>
#include <lpd/io/timer.h>

#include "conn.h"
#include "loop_priv.h"

enum lp_conn_phase {
	LP_CONN_CONNECTING,
	LP_CONN_HANDSHAKE,
	LP_CONN_OPEN,
	LP_CONN_FINISHING,	/* no user any more: flush, shut down, wait for the peer's end */
	LP_CONN_CLOSED,		/* only the memory is left, until libuv lets go of the handle */
};

/* What a read or write on the descriptor or TLS came to, beside a count above 0. */
enum { LP_IO_END = 0, LP_IO_AGAIN = -1, LP_IO_BROKEN = -2 };

struct lp_conn {
	union {
		uv_handle_t any;
		uv_poll_t poll;
		uv_idle_t none;		/* to be freed by libuv too when there never was a descriptor */
	} uv;
	struct lp_loop *loop;
	const struct lp_conn_user *user;
	void *self;
	SSL *ssl;			/* NULL: plain */
	struct lp_buf out;
	struct lp_ready flush;		/* before the loop sleeps */
	struct lp_ready soon;		/* what may not be told inline; while finishing: at the loop's end */
	struct lp_timer limit;		/* of finishing */
	int64_t last_write;
	uint64_t written;
	const char *words;		/* why it broke; lives for ever */
	enum lp_conn_phase phase;
	enum lp_code why;		/* to be told soon, with words */
	int fd;
	int mask;			/* what libuv polls for */
	bool tell_open : 1;		/* things to be told soon */
	bool tell_end : 1;
	bool tell_room : 1;
	bool tell_flushed : 1;
	bool read_soon : 1;		/* bytes wait that epoll will not tell of */
	bool paused : 1;
	bool nagged : 1;		/* it became readable while paused */
	bool hung : 1;			/* on_hangup has been told */
	bool ended : 1;			/* nothing more will be read */
	bool unpolled : 1;		/* libuv gave the descriptor up after an error on it */
	bool blocked : 1;		/* the kernel took less than there was */
	bool write_dead : 1;
	bool over_high : 1;
	bool shut : 1;			/* our end has been sent */
	bool write_wants_read : 1;	/* TLS must read before it can write, and the other way round */
	bool read_wants_write : 1;
	char peer[56];
};

/* conn.c */
void lp_conn_init(struct lp_conn *conn, struct lp_loop *loop, const struct lp_conn_user *user, void *self);
void lp_conn_start(struct lp_conn *conn, int fd, enum lp_conn_phase phase);
void lp_conn_fail_soon(struct lp_conn *conn, enum lp_code why, const char *words);

/* conn_open.c */
enum lp_code lp_conn_connected(struct lp_conn *conn);	/* the outcome of connect(), words set */

/* conn_tls.c: counts, or the enum above with conn->words set */
void lp_conn_tls_accept(struct lp_conn *conn, struct lp_tls_server *tls, int fd);
void lp_conn_tls_dial(struct lp_conn *conn, const struct lp_conn_dial *dial, int fd);
int lp_conn_tls_handshake(struct lp_conn *conn);	/* 1: done */
ssize_t lp_conn_tls_read(struct lp_conn *conn, char *to, size_t cap);
ssize_t lp_conn_tls_write(struct lp_conn *conn, const char *at, size_t len);
bool lp_conn_tls_holds(const struct lp_conn *conn);	/* bytes that OpenSSL has read already */
void lp_conn_tls_shutdown(struct lp_conn *conn);
void lp_conn_tls_free(struct lp_conn *conn);

#endif
