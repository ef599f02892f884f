#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

#include <lpd/base/assert.h>
#include <lpd/io/file.h>

#include "tls_ctx.h"

struct lp_tls_server {
	const char *cert_file, *key_file;
	SSL_CTX *ctx;
};

struct lp_tls_client {
	SSL_CTX *ctx;
};

SSL_CTX *lp_tls_server_ctx(const struct lp_tls_server *tls)
{
	return tls->ctx;
}

SSL_CTX *lp_tls_client_ctx(const struct lp_tls_client *tls)
{
	return tls->ctx;
}

/* Anything that stands in the way counts: a folder, or a link that leads nowhere, is never written over. */
static bool exists(const char *path)
{
	struct stat about;

	return lstat(path, &about) == 0 || errno != ENOENT;
}

/* The key first: a certificate without its key could never be used, and says less about what is wrong. */
static enum lp_code write_pair(const struct lp_tls_server *tls, struct lp_span host, struct lp_err *e)
{
	struct lp_buf cert = { 0 }, key = { 0 };

	lp_tls_make_pair(host, &cert, &key);
	enum lp_code code = lp_file_write(tls->key_file, lp_buf_span(&key), 0600, e);
	if (code == LP_OK)
		code = lp_file_write(tls->cert_file, lp_buf_span(&cert), 0644, e);
	OPENSSL_cleanse(key.mem, key.cap);
	lp_buf_clear(&cert);
	lp_buf_clear(&key);
	if (code != LP_OK && e)
		e->code = LP_CONFIG;
	return code == LP_OK ? LP_OK : LP_CONFIG;
}

static enum lp_code make_missing(const struct lp_tls_server *tls, struct lp_span host, struct lp_err *e)
{
	bool cert = exists(tls->cert_file), key = exists(tls->key_file);

	if (cert && key)
		return LP_OK;
	if (cert || key)
		return lp_fail(e, LP_CONFIG, "%s is there but %s is not: put both or neither",
			       cert ? tls->cert_file : tls->key_file, cert ? tls->key_file : tls->cert_file);
	return write_pair(tls, host, e);
}

static void close_server(void *arg)
{
	struct lp_tls_server *tls = arg;

	SSL_CTX_free(tls->ctx);
}

enum lp_code lp_tls_server_open(struct lp_scope *scope, struct lp_tls_server **out, const char *cert_file,
				const char *key_file, struct lp_span host, struct lp_err *e)
{
	struct lp_tls_server *tls = lp_new(scope, struct lp_tls_server);

	tls->cert_file = lp_strdup(scope, lp_span(cert_file));
	tls->key_file = lp_strdup(scope, lp_span(key_file));
	enum lp_code code = make_missing(tls, host, e);
	if (code != LP_OK)
		return code;
	tls->ctx = lp_tls_ctx_server(tls->cert_file, tls->key_file, e);
	if (!tls->ctx)
		return LP_CONFIG;
	lp_defer(scope, close_server, tls);
	*out = tls;
	return LP_OK;
}

enum lp_code lp_tls_server_reload(struct lp_tls_server *tls, struct lp_err *e)
{
	SSL_CTX *fresh = lp_tls_ctx_server(tls->cert_file, tls->key_file, e);

	if (!fresh)
		return LP_CONFIG;
	SSL_CTX_free(tls->ctx);		/* connections hold references of their own */
	tls->ctx = fresh;
	return LP_OK;
}

static void close_client(void *arg)
{
	struct lp_tls_client *tls = arg;

	SSL_CTX_free(tls->ctx);
}

struct lp_tls_client *lp_tls_client_open(struct lp_scope *scope)
{
	struct lp_tls_client *tls = lp_new(scope, struct lp_tls_client);

	tls->ctx = lp_tls_ctx_client();
	lp_defer(scope, close_client, tls);
	return tls;
}
