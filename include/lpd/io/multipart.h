/* io/multipart - multipart/form-data, read and written as a stream (RFC 7578).
 *
 * Reader: push bytes, pull events.  Bounds: boundary <= 70 bytes, a part's headers <= 8 KiB, parts <= 64;
 * the caller bounds the content.  Nothing is copied but what straddles two pushes. */
#ifndef LPD_IO_MULTIPART_H
#define LPD_IO_MULTIPART_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>
#include <lpd/base/scope.h>

struct lp_multipart;

enum lp_part_event {
	LP_PART_NEED,		/* push more */
	LP_PART_BEGIN,		/* a part begins: name, filename (at == NULL: none), type */
	LP_PART_DATA,		/* bytes of it, valid until the next pull or push */
	LP_PART_END,
	LP_PART_DONE,		/* the closing boundary was seen */
	LP_PART_BAD,		/* malformed; e has the words */
};

struct lp_part {
	struct lp_span name, filename, type;	/* live until LP_PART_END */
	struct lp_span data;
};

/* content_type: the request's header.  LP_MEDIA_TYPE when it is not multipart/form-data (or mixed) with a boundary. */
enum lp_code lp_multipart_open(struct lp_scope *scope, struct lp_multipart **out, struct lp_span content_type,
			       struct lp_err *e) LP_MUST_USE;
void lp_multipart_push(struct lp_multipart *m, struct lp_span bytes);	/* borrowed until LP_PART_NEED */
void lp_multipart_finish(struct lp_multipart *m);			/* no more will come */
enum lp_part_event lp_multipart_pull(struct lp_multipart *m, struct lp_part *part, struct lp_err *e);

/* Writer.  boundary: 60 lower-case hex digits. */
void lp_multipart_boundary(char to[61]);
void lp_multipart_write_field(struct lp_buf *to, const char *boundary, struct lp_span name, struct lp_span value);
/* The head of a file part (quotes and newlines in names escaped as browsers do); its bytes and "\r\n" follow. */
void lp_multipart_write_file(struct lp_buf *to, const char *boundary, struct lp_span name, struct lp_span filename);
void lp_multipart_write_end(struct lp_buf *to, const char *boundary);

#endif
