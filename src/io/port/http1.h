/* io/http1 - what both sides of HTTP/1.1 share: a head gathered from llhttp's pieces, and how a body is
 * framed.
 *
 * llhttp tells names and values in pieces, cut wherever a read ended.  They are put one behind the other in
 * one buffer and become spans when the head is whole. */
#ifndef LPD_IO_HTTP1_H
#define LPD_IO_HTTP1_H

#include <llhttp.h>

#include <lpd/base/buf.h>
#include <lpd/io/http.h>

#define LP_HTTP1_FIELDS 512		/* of one head: real ones have 20, and each costs us 40 bytes */
#define LP_HTTP1_TARGET (16 * 1024)
#define LP_HTTP1_EXTRA (16 * 1024)	/* trailers and chunk extensions of one message, which nobody reads */

enum lp_http1_part { LP_HTTP1_TARGET_PART, LP_HTTP1_NAME, LP_HTTP1_VALUE };

/* Zeroed: empty and without memory. */
struct lp_http1_head {
	struct lp_buf text;
	struct lp_header *fields;	/* until whole: only the lengths of the spans */
	int n, cap;
	size_t target_len;
	size_t bytes;			/* as counted against the limit */
	enum lp_http1_part part;
};

/* A piece of one part.  LP_HEADERS_TOO_LARGE or LP_URI_TOO_LONG: the head is beyond its limits. */
enum lp_code lp_http1_head_add(struct lp_http1_head *head, enum lp_http1_part part, struct lp_span piece,
			       size_t limit);
/* Make the spans: values trimmed, names are lower-case already.  They live until the head is cleared. */
struct lp_headers lp_http1_head_whole(struct lp_http1_head *head, struct lp_span *target);
void lp_http1_head_clear(struct lp_http1_head *head);

/* How often a field stands there, and its first value. */
int lp_http1_count(struct lp_headers headers, const char *name, struct lp_span *value);

/* The framing fields, checked beyond what llhttp does: one transfer-encoding, "chunked" and nothing else;
 * one content-length of digits; not both.  Returns NULL or what is wrong. */
const char *lp_http1_bad_framing(struct lp_headers headers, bool http10);

/* A whole reply that says what was wrong, after which the connection closes: for requests that never become
 * an exchange.  date may be empty. */
void lp_http1_write_error(struct lp_buf *out, struct lp_span date, const struct lp_err *e);

/* Is one of the comma-separated words (no case) in any of the fields of that name? */
bool lp_http1_has_word(struct lp_headers headers, const char *name, const char *word);

#endif
