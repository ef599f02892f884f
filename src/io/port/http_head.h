/* io/http_head - writing the heads of HTTP/1.1, and what may stand in them (for HTTP/2 too).
 *
 * No printf: a head is written for every job, and its 2 KB of payment headers cost 90 instructions a byte
 * that way. */
#ifndef LPD_IO_HTTP_HEAD_H
#define LPD_IO_HTTP_HEAD_H

#include <lpd/base/buf.h>
#include <lpd/io/http.h>

/* RFC 9110 5.6.2 and 5.5: what a name may hold, and a value (no control characters but the tab). */
bool lp_http_is_token(struct lp_span text);
bool lp_http_is_value(struct lp_span text);
/* A path with query or "*": printable, no blank, no '#'. */
bool lp_http_is_target(struct lp_span text);
/* A host with an optional port, as Host and :authority carry it; empty is fine. */
bool lp_http_is_authority(struct lp_span text);

/* "HTTP/1.1 200 OK" with its line end. */
void lp_http_status_line(struct lp_buf *to, int status);
/* One field.  One whose name or value cannot be is left out, so that nothing a peer said splits a head. */
void lp_http_field(struct lp_buf *to, struct lp_span name, struct lp_span value);
void lp_http_field_number(struct lp_buf *to, const char *name, uint64_t value);
void lp_http_chunk_size(struct lp_buf *to, size_t n);	/* with its line end */

/* Fields that are the transport's own on HTTP/1.1 (and forbidden on HTTP/2): never passed on. */
bool lp_http_is_hop_field(struct lp_span name);

/* The text of Date, made anew when the second changes: one per server. */
struct lp_http_date {
	int64_t second;
	char text[32];
};
struct lp_span lp_http_date(struct lp_http_date *date, int64_t wall);

#endif
