/* io/exchange - one request and its reply, as a server sees them, over whatever transport.
 *
 * An exchange belongs to its connection and is closed by it.  After the reply has ended or the client has
 * gone, on_event comes a last time; then the exchange is closed, and its scope with it: whoever holds a
 * pointer lets go in that last event.  All calls are made from the loop.
 *
 * Reading: lp_exchange_read gives what has come of the body; what is not consumed slows the client down.
 * Writing: lp_reply_write takes everything it is given, and lp_reply_room says how much is welcome; a
 * LP_EX_WRITABLE event comes when there is room again after there was none. */
#ifndef LPD_IO_EXCHANGE_H
#define LPD_IO_EXCHANGE_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>
#include <lpd/base/scope.h>
#include <lpd/io/http.h>
#include <lpd/io/loop.h>

struct lp_exchange;

struct lp_loop *lp_exchange_loop(const struct lp_exchange *ex);
struct lp_scope *lp_exchange_scope(struct lp_exchange *ex);	/* ends with the exchange */

struct lp_span lp_exchange_method(const struct lp_exchange *ex);
struct lp_span lp_exchange_path(const struct lp_exchange *ex);	/* as sent, without the query */
struct lp_span lp_exchange_query(const struct lp_exchange *ex);	/* behind '?'; at == NULL: none */
struct lp_headers lp_exchange_headers(const struct lp_exchange *ex);
struct lp_span lp_exchange_header(const struct lp_exchange *ex, const char *name);	/* at == NULL: absent */
int64_t lp_exchange_length(const struct lp_exchange *ex);	/* of the body, as announced; -1 unknown */
const char *lp_exchange_peer(const struct lp_exchange *ex);	/* "127.0.0.1:4242" */
bool lp_exchange_is_h2(const struct lp_exchange *ex);
bool lp_exchange_is_tls(const struct lp_exchange *ex);

/* Something changed: look at the states below.  Called from the loop, never inline. */
void lp_exchange_watch(struct lp_exchange *ex, void (*on_event)(void *self), void *self);
/* The same for who may refuse the request by its head: the client is not asked for its body (100 Continue) before
 * somebody reads it. */
void lp_exchange_attend(struct lp_exchange *ex, void (*on_event)(void *self), void *self);

/* The body. */
enum lp_body_state {
	LP_BODY_MORE,		/* more may come */
	LP_BODY_END,		/* all of it has come (some may still be unread) */
	LP_BODY_BROKEN,		/* it will never be whole: lp_exchange_err says why */
};
/* Beyond: LP_TOO_LARGE, BROKEN.  The first limit replaces the server's own, later ones only lower it. */
void lp_exchange_limit_body(struct lp_exchange *ex, int64_t bytes);
struct lp_span lp_exchange_read(struct lp_exchange *ex);	/* unread bytes; valid until consumed or the next event */
void lp_exchange_consume(struct lp_exchange *ex, size_t n);
enum lp_body_state lp_exchange_body(const struct lp_exchange *ex);
bool lp_exchange_gone(const struct lp_exchange *ex);		/* the client left, or the reply broke */
const struct lp_err *lp_exchange_err(const struct lp_exchange *ex);

/* The reply: head once, any number of writes, end once.  length -1: unknown (chunked on HTTP/1.1).
 * Names of headers are lower-case; the spans are copied.  date, connection, transfer-encoding and
 * content-length are the transport's own.  On a HEAD request body bytes are dropped.  On a gone exchange
 * every call is a no-op. */
void lp_reply_head(struct lp_exchange *ex, int status, int64_t length, const struct lp_header *headers, int n);
void lp_reply_write(struct lp_exchange *ex, struct lp_span bytes);
size_t lp_reply_room(const struct lp_exchange *ex);		/* bytes welcome now; 0: wait for an event */
void lp_reply_end(struct lp_exchange *ex);
void lp_reply_end_trailers(struct lp_exchange *ex, const struct lp_header *trailers, int n);	/* HTTP/2 */
/* The reply cannot be finished: reset the stream (or close the connection), so that the client sees it. */
void lp_reply_abort(struct lp_exchange *ex, enum lp_code why);
bool lp_reply_started(const struct lp_exchange *ex);

/* Whole replies. */
void lp_reply(struct lp_exchange *ex, int status, const char *content_type, struct lp_span body);
/* {"error":{"message":...,"code":...},"detail":{"msg":...}} (for 422 detail is a list), with the status of
 * the table, Retry-After on 429 and 503.  Clients of the Livepeer SDKs read `detail`, others `error`. */
void lp_reply_error(struct lp_exchange *ex, const struct lp_err *e);
/* The body of it, for others who need the text. */
void lp_error_json(struct lp_buf *to, const struct lp_err *e);

#endif
