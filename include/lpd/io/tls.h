/* io/tls - certificates and contexts; how a connection is secured stays inside io/port. */
#ifndef LPD_IO_TLS_H
#define LPD_IO_TLS_H

#include <lpd/base/err.h>
#include <lpd/base/scope.h>
#include <lpd/base/str.h>

struct lp_tls_server;
struct lp_tls_client;

/* A server's context from PEM files; TLS 1.2 and 1.3, ALPN h2 then http/1.1.  When neither file exists a
 * P-256 key and a self-signed certificate for `host` (DNS name or IP SAN) are made and written, key mode
 * 0600; an existing file is never overwritten; one without the other, or a pair that does not match, is
 * LP_CONFIG in words. */
enum lp_code lp_tls_server_open(struct lp_scope *scope, struct lp_tls_server **out, const char *cert_file,
				const char *key_file, struct lp_span host, struct lp_err *e) LP_MUST_USE;
/* Read the same files again for new connections; when they are bad the old pair stays and e says why. */
enum lp_code lp_tls_server_reload(struct lp_tls_server *tls, struct lp_err *e) LP_MUST_USE;

/* The network's peers are self-signed and nobody checks (network-protocol 2.1); TLS 1.2 and 1.3. */
struct lp_tls_client *lp_tls_client_open(struct lp_scope *scope);

#endif
