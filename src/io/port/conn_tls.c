/* The TLS half of a conn: OpenSSL on the descriptor itself (memory BIOs cost 4 KB a connection). */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <openssl/err.h>

#include <lpd/base/assert.h>

#include "conn_priv.h"
#include "tls_ctx.h"

#define RECORD 16384	/* the largest piece that one record holds */

static void attach(struct lp_conn *conn, SSL_CTX *ctx, int fd)
{
	conn->ssl = SSL_new(ctx);
	lp_assert(conn->ssl && SSL_set_fd(conn->ssl, fd) == 1);
}

void lp_conn_tls_accept(struct lp_conn *conn, struct lp_tls_server *tls, int fd)
{
	attach(conn, lp_tls_server_ctx(tls), fd);
	SSL_set_accept_state(conn->ssl);
}

static bool is_address(const char *name)
{
	unsigned char any[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, any) == 1 || inet_pton(AF_INET6, name, any) == 1;
}

void lp_conn_tls_dial(struct lp_conn *conn, const struct lp_conn_dial *dial, int fd)
{
	static const unsigned char both[] = "\x02h2\x08http/1.1";
	static const unsigned char h1[] = "\x08http/1.1";
	char name[256];

	attach(conn, lp_tls_client_ctx(dial->tls), fd);
	SSL_set_connect_state(conn->ssl);
	if (dial->h1_only)
		SSL_set_alpn_protos(conn->ssl, h1, sizeof(h1) - 1);
	else
		SSL_set_alpn_protos(conn->ssl, both, sizeof(both) - 1);
	/* RFC 6066 3: no IP literals in SNI. */
	if (dial->server_name.len && lp_span_copy(name, sizeof(name), dial->server_name) && !is_address(name))
		SSL_set_tlsext_host_name(conn->ssl, name);
	if (dial->session)
		SSL_set_session(conn->ssl, dial->session);
}

/* What SSL_get_error says of a call that did not succeed, in our words. */
static int outcome(struct lp_conn *conn, int result, int system_error)
{
	switch (SSL_get_error(conn->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return LP_IO_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		return LP_IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return LP_IO_END;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		conn->words = system_error ? uv_strerror(-system_error) : "the peer closed without a word";
		return LP_IO_BROKEN;
	}
	conn->words = lp_tls_reason();
	return LP_IO_BROKEN;
}

int lp_conn_tls_handshake(struct lp_conn *conn)
{
	ERR_clear_error();
	int result = SSL_do_handshake(conn->ssl);
	int system_error = errno;

	if (result == 1)
		return 1;
	int n = outcome(conn, result, system_error);
	conn->write_wants_read = n == LP_IO_AGAIN && SSL_want_read(conn->ssl);
	if (n == LP_IO_END)
		conn->words = "the peer closed during the handshake";
	return n == LP_IO_END ? LP_IO_BROKEN : n;
}

/* Several records at once when they have come: a big body is then handed on in 64 KB pieces. */
ssize_t lp_conn_tls_read(struct lp_conn *conn, char *to, size_t cap)
{
	size_t total = 0, n = 0;
	int result, system_error;

	ERR_clear_error();
	do {
		result = SSL_read_ex(conn->ssl, to + total, cap - total, &n);
		system_error = errno;
		if (result == 1)
			total += n;
	} while (result == 1 && cap - total >= RECORD && SSL_has_pending(conn->ssl));
	conn->read_wants_write = false;
	if (total)
		return (ssize_t)total;	/* what stopped the reading is told by the next call */
	int why = outcome(conn, result, system_error);
	conn->read_wants_write = why == LP_IO_AGAIN && SSL_want_write(conn->ssl);
	/* A ticket read by itself leaves 16 KB behind in spite of SSL_MODE_RELEASE_BUFFERS. */
	if (why == LP_IO_AGAIN)
		SSL_free_buffers(conn->ssl);
	return why;
}

/* The caller repeats a piece that did not go whole from its first byte, and never with fewer bytes. */
ssize_t lp_conn_tls_write(struct lp_conn *conn, const char *at, size_t len)
{
	size_t n = 0;

	ERR_clear_error();
	int result = SSL_write_ex(conn->ssl, at, len < RECORD ? len : RECORD, &n);
	int system_error = errno;

	conn->write_wants_read = false;
	if (result == 1)
		return (ssize_t)n;
	int why = outcome(conn, result, system_error);
	conn->write_wants_read = why == LP_IO_AGAIN && SSL_want_read(conn->ssl);
	return why == LP_IO_END ? LP_IO_BROKEN : why;
}

bool lp_conn_tls_holds(const struct lp_conn *conn)
{
	return conn->ssl && conn->phase == LP_CONN_OPEN && SSL_has_pending(conn->ssl);
}

void lp_conn_tls_shutdown(struct lp_conn *conn)
{
	ERR_clear_error();
	SSL_shutdown(conn->ssl);	/* one try: the end of the stream itself follows */
	ERR_clear_error();
}

void lp_conn_tls_free(struct lp_conn *conn)
{
	if (!conn->ssl)
		return;
	/* OpenSSL makes the session of a connection that was not shut down unfit for resumption. */
	SSL_set_shutdown(conn->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(conn->ssl);
	conn->ssl = NULL;
}

bool lp_conn_is_tls(const struct lp_conn *conn)
{
	return conn->ssl != NULL;
}

enum lp_alpn lp_conn_alpn(const struct lp_conn *conn)
{
	const unsigned char *name = NULL;
	unsigned len = 0;

	if (conn->ssl)
		SSL_get0_alpn_selected(conn->ssl, &name, &len);
	if (len == 2 && memcmp(name, "h2", 2) == 0)
		return LP_ALPN_H2;
	if (len == 8 && memcmp(name, "http/1.1", 8) == 0)
		return LP_ALPN_H1;
	return LP_ALPN_NONE;
}

void *lp_conn_session(struct lp_conn *conn)
{
	SSL_SESSION *session = conn->ssl ? SSL_get1_session(conn->ssl) : NULL;

	if (session && !SSL_SESSION_is_resumable(session)) {
		SSL_SESSION_free(session);
		return NULL;
	}
	return session;
}
