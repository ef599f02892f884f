/* io/exchange_wire - between an exchange and the transport that carries it (http1_server, http2_server, or
 * the simulator's).  Private to src/io and the simulator.
 *
 * The facade (exchange.c) keeps request, unread body, limits and the event; a wire turns calls into bytes.
 * Wires call the lp_exchange_wire_* functions from inside their read callbacks; the user's on_event is always
 * deferred through the loop's ready list. */
#ifndef LPD_IO_EXCHANGE_WIRE_H
#define LPD_IO_EXCHANGE_WIRE_H

#include <lpd/base/metric.h>
#include <lpd/io/exchange.h>

struct lp_exchange_wire {
	/* n bytes of the body were consumed by the user: open the window, resume reading.  n == 0, once, before
	 * the first: somebody waits for a body of which nothing has come (100 Continue). */
	void (*consumed)(void *stream, size_t n);
	/* All of these may be called only in the order head, data*, end. The wire copies. */
	void (*head)(void *stream, int status, int64_t length, struct lp_headers headers);
	void (*data)(void *stream, struct lp_span bytes);
	void (*end)(void *stream, struct lp_headers trailers);
	/* Bytes welcome now. */
	size_t (*room)(const void *stream);
	/* RST_STREAM or close: the exchange is over; the wire forgets it. */
	void (*abort)(void *stream, enum lp_code why);
	/* Bytes of replies that the client has taken so far, by whatever measure: only the growth counts.  NULL: that
	 * there is room again is all that tells. */
	int64_t (*taken)(const void *stream);
};

/* What a wire knows when a head has come whole; spans are copied into the exchange's scope. */
struct lp_exchange_head {
	struct lp_span method, target;	/* target: path and query, checked by the wire: begins with '/', or "*" */
	struct lp_headers headers;	/* names lower-case; for h2 :authority appears as host */
	int64_t length;
	bool no_body;			/* END_STREAM with the head, or length 0 */
	bool h2, tls;
	const char *peer;		/* lives as long as the connection */
};

/* Bytes of bodies that have come and nobody has consumed, of all exchanges of a server together.  Each has a bound of
 * its own (a window, a paused connection), but ten thousand connections of 250 streams have them too. */
struct lp_exchange_held {
	size_t bytes, limit;
};

/* From half of it on a wire should ask its peers for less. */
static inline bool lp_exchange_held_much(const struct lp_exchange_held *held)
{
	return held && held->bytes > held->limit / 2;
}

struct lp_exchange_owner {		/* of a server: what each exchange of it needs */
	struct lp_loop *loop;
	void (*handle)(void *self, struct lp_exchange *ex);
	void *self;
	int64_t body_limit, body_stall, write_stall;
	int64_t write_floor;		/* taken in each write_stall: no stall */
	struct lp_metrics *metrics;
	struct lp_exchange_held *held;	/* NULL: not bounded */
};

/* Make the exchange in a new scope below parent and call handle from the loop. */
struct lp_exchange *lp_exchange_wire_open(struct lp_scope *parent, const struct lp_exchange_owner *owner,
					  const struct lp_exchange_wire *wire, void *stream,
					  const struct lp_exchange_head *head);
void lp_exchange_wire_body(struct lp_exchange *ex, struct lp_span bytes);	/* copied */
void lp_exchange_wire_body_end(struct lp_exchange *ex);
void lp_exchange_wire_room(struct lp_exchange *ex);				/* there is room again */
/* The stream is no more (client gone, connection lost): the last event is due, then the exchange closes by
 * itself from the loop.  The wire must forget the exchange, which calls it no more. */
void lp_exchange_wire_gone(struct lp_exchange *ex, enum lp_code why, const char *words);
/* The reply has left entirely (and the body was read or given up): same end, without blame. */
void lp_exchange_wire_done(struct lp_exchange *ex);
bool lp_exchange_wire_reply_ended(const struct lp_exchange *ex);

/* lp_reply_error with one more header (Allow), which may be NULL. */
void lp_reply_error_with(struct lp_exchange *ex, const struct lp_err *e, const struct lp_header *more);

#endif
