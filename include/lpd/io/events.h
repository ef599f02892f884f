/* io/events - server-sent events, read and written as a stream (WHATWG HTML 9.2).
 *
 * Reader: push bytes, pull whole events; a line is at most the limit given. */
#ifndef LPD_IO_EVENTS_H
#define LPD_IO_EVENTS_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>
#include <lpd/base/scope.h>

struct lp_events;

struct lp_events *lp_events_open(struct lp_scope *scope, size_t limit);
void lp_events_push(struct lp_events *events, struct lp_span bytes);	/* copied */
/* True: *data is the next event's data (lines joined by \n), valid until the next pull; *name its event
 * field or empty.  False: push more.  An event or line over the limit: *e is filled, and nothing more comes. */
bool lp_events_pull(struct lp_events *events, struct lp_span *name, struct lp_span *data, struct lp_err *e);

size_t lp_events_held(const struct lp_events *events);	/* bytes of memory */

/* "data: ...\n\n"; a newline inside data starts another data line. */
void lp_events_write(struct lp_buf *to, struct lp_span data);

#endif
