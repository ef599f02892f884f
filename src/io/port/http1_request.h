/* io/http1_request - is this head a request that may be served, and what does it ask of the connection?
 *
 * Pure.  Stricter than llhttp, since two parsers that disagree about a request's end are how requests are
 * smuggled past a proxy (RFC 9112 11.2): what is doubtful is refused and the connection closed. */
#ifndef LPD_IO_HTTP1_REQUEST_H
#define LPD_IO_HTTP1_REQUEST_H

#include "http1.h"

struct lp_http1_request {
	struct lp_headers headers;
	struct lp_header *fields;	/* the same, to set Host from an absolute target */
	struct lp_span target;		/* in: as sent; out: path and query, or "*" */
	int major, minor;
	bool connect;			/* the method is CONNECT */
	bool keep;			/* out: the client will take another reply on this connection */
	bool expects;			/* out: it waits for 100 Continue */
};

/* LP_OK, or the code to refuse with and what is wrong. */
enum lp_code lp_http1_request_check(struct lp_http1_request *request, const char **words);

#endif
