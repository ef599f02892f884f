/* io/http - the words of HTTP that server, client and everything above share: headers, URLs, addresses. */
#ifndef LPD_IO_HTTP_H
#define LPD_IO_HTTP_H

#include <lpd/base/err.h>
#include <lpd/base/scope.h>
#include <lpd/base/str.h>

/* Names are lower-case, always.  secret: not to be indexed by HPACK (payment, tokens). */
struct lp_header {
	struct lp_span name;
	struct lp_span value;
	bool secret;
};

struct lp_headers {
	const struct lp_header *at;
	int n;
};

/* The first value of that (lower-case) name; at == NULL when absent. */
struct lp_span lp_headers_find(struct lp_headers headers, const char *name);

/* A value's media type without parameters matches, no case: lp_media_is(v, "application/json"). */
bool lp_media_is(struct lp_span content_type, const char *type);
/* A parameter of a header value (boundary=...), unquoted into the scope; at == NULL when absent. */
struct lp_span lp_header_param(struct lp_scope *scope, struct lp_span value, const char *name);

/* An absolute URL, or host:port with defaults; the spans live in the scope given. */
struct lp_url {
	bool tls;			/* https */
	const char *unix_path;		/* a socket in the file system instead of host and port; else NULL */
	struct lp_span host;		/* lower-case; IPv6 without brackets */
	uint16_t port;
	struct lp_span path;		/* begins with '/', query included; "/" when empty */
	struct lp_span text;		/* the whole in one normal form: "https://[::1]:8935" + path */
	bool outside;			/* a name must not lead to this machine or its network (io/reach); not parsed */
};

/* Schemes http, https, and unix:/path.  No user info, no fragment, at most 8 KiB.  LP_BAD_REQUEST. */
enum lp_code lp_url_parse(struct lp_scope *scope, struct lp_url *out, struct lp_span text, struct lp_err *e) LP_MUST_USE;
/* "host", "host:port", "[::1]:port", ":port", or a URL: what address flags take. */
enum lp_code lp_url_parse_address(struct lp_scope *scope, struct lp_url *out, struct lp_span text,
				  uint16_t default_port, struct lp_err *e) LP_MUST_USE;
/* base with path behind it (exactly one '/' between). */
void lp_url_join(struct lp_scope *scope, struct lp_url *out, const struct lp_url *base, struct lp_span path);

/* %XX decoded into the scope; at == NULL on a bad escape or a zero byte. */
struct lp_span lp_percent_decode(struct lp_scope *scope, struct lp_span text);
/* Value of a query parameter (decoded; '+' is a blank); at == NULL when absent. */
struct lp_span lp_query_get(struct lp_scope *scope, struct lp_span query, const char *name);

const char *lp_status_text(int status);		/* "Not Found" */
/* By file name extension: "image/png"; application/octet-stream when unknown. */
const char *lp_media_type_of(struct lp_span filename);
/* ".png" of a media type; "" when unknown. */
const char *lp_media_extension(struct lp_span content_type);

#endif
