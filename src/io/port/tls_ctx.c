#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>

#include <lpd/base/assert.h>

#include "tls_ctx.h"

#define PEM_MAX (1 << 20)

const char *lp_tls_reason(void)
{
	unsigned long code = ERR_get_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return text ? text : "no reason given";
}

/* One length byte before each name (RFC 7301 3.1), ours in the order of liking. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *theirs,
		       unsigned int len, void *arg)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";
	unsigned char *chosen = NULL;

	(void)ssl, (void)arg;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, theirs, len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* An encrypted key must fail in words, not ask on the terminal of a daemon. */
static int no_password(char *to, int size, int writing, void *arg)
{
	(void)to, (void)size, (void)writing, (void)arg;
	return -1;
}

static SSL_CTX *new_ctx(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	lp_assert(ctx != NULL);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);		/* one read for a record's head and body; see conn.c on pauses */
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	return ctx;
}

/* OpenSSL reads until the end: a pipe that nobody writes to, or a device without an end, would hold the loop for ever.
 * What is missing it tells itself. */
static bool is_file(const char *path, struct lp_err *e)
{
	struct stat about;

	if (stat(path, &about) != 0 || (S_ISREG(about.st_mode) && about.st_size <= PEM_MAX))
		return true;
	lp_fail(e, LP_CONFIG, "%s is no file of at most %d bytes", path, PEM_MAX);
	return false;
}

static bool load_pair(SSL_CTX *ctx, const char *cert_file, const char *key_file, struct lp_err *e)
{
	ERR_clear_error();
	if (!is_file(cert_file, e) || !is_file(key_file, e))
		return false;
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1) {
		lp_fail(e, LP_CONFIG, "cannot use the certificate in %s: %s", cert_file, lp_tls_reason());
		return false;
	}
	if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1) {
		lp_fail(e, LP_CONFIG, "cannot use the key in %s with the certificate in %s: %s", key_file, cert_file,
			lp_tls_reason());
		return false;
	}
	if (SSL_CTX_check_private_key(ctx) != 1) {
		lp_fail(e, LP_CONFIG, "the key in %s is not that of the certificate in %s", key_file, cert_file);
		ERR_clear_error();
		return false;
	}
	return true;
}

SSL_CTX *lp_tls_ctx_server(const char *cert_file, const char *key_file, struct lp_err *e)
{
	SSL_CTX *ctx = new_ctx(TLS_server_method());

	if (!load_pair(ctx, cert_file, key_file, e)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
	/* Resumption by tickets alone: sessions kept by the server would be memory that clients fill. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	return ctx;
}

SSL_CTX *lp_tls_ctx_client(void)
{
	SSL_CTX *ctx = new_ctx(TLS_client_method());

	/* Peers are self-signed, and the network proves who they are by Ethereum signatures (network-protocol 2.1). */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	return ctx;
}
