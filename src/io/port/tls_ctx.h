/* io/tls_ctx - what both sides of TLS are set to, and the certificate that is made when there is none. */
#ifndef LPD_IO_TLS_CTX_H
#define LPD_IO_TLS_CTX_H

#include <openssl/ssl.h>

#include <lpd/base/buf.h>
#include <lpd/io/tls.h>

/* The context for new connections; a connection keeps a reference to its own. */
SSL_CTX *lp_tls_server_ctx(const struct lp_tls_server *tls);
SSL_CTX *lp_tls_client_ctx(const struct lp_tls_client *tls);

/* NULL, with words that name the file, when the pair cannot be used. */
SSL_CTX *lp_tls_ctx_server(const char *cert_file, const char *key_file, struct lp_err *e);
SSL_CTX *lp_tls_ctx_client(void);

/* A P-256 key and a certificate for host signed with it, both as PEM. */
void lp_tls_make_pair(struct lp_span host, struct lp_buf *cert, struct lp_buf *key);

/* The oldest reason in OpenSSL's queue, which is emptied: for words. */
const char *lp_tls_reason(void);

#endif
