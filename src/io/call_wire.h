/* io/call_wire - between a call and the transport that carries it (http1_client, http2_client, or the
 * simulator's).  Private to src/io and the simulator.
 *
 * The facade (call.c) keeps the request until a stream takes it, the answer's head, the unread body, the
 * deadlines and the event.  client.c finds or opens a connection and binds the call to a stream. */
#ifndef LPD_IO_CALL_WIRE_H
#define LPD_IO_CALL_WIRE_H

#include <lpd/io/client.h>

struct lp_call_wire {
	void (*write)(void *stream, struct lp_span bytes);	/* streamed request body */
	void (*end_body)(void *stream);
	size_t (*room)(const void *stream);
	void (*consumed)(void *stream, size_t n);		/* of the answer's body */
	void (*cancel)(void *stream);				/* the call is closed: forget it, reset the stream */
	int64_t (*last_sent)(const void *stream);		/* mono, when request bytes last moved; may be NULL */
};

struct lp_call_request {	/* what a wire reads of a call when it takes it */
	const char *method;
	const struct lp_url *url;
	struct lp_headers headers;
	struct lp_span body;
	bool body_streamed;
	int64_t body_length;
	size_t window;
	/* What client.c chooses a connection by. */
	bool h2_only, h1_only;
	int64_t idle_retire;		/* 0: the client's */
};

/* call.c, used by client.c and the wires */
const struct lp_call_request *lp_call_wire_request(const struct lp_call *call);
void lp_call_wire_bind(struct lp_call *call, const struct lp_call_wire *wire, void *stream);
void lp_call_wire_sent(struct lp_call *call);		/* a first byte has been handed to the kernel or TLS */
void lp_call_wire_request_done(struct lp_call *call);	/* the request has left whole: first_byte_time runs */
void lp_call_wire_head(struct lp_call *call, int status, struct lp_headers headers, int64_t length);	/* copied */
void lp_call_wire_body(struct lp_call *call, struct lp_span bytes);					/* copied */
void lp_call_wire_end(struct lp_call *call, struct lp_headers trailers);
/* The stream broke.  not_received: the peer certainly took nothing (REFUSED_STREAM, above GOAWAY's last id,
 * no byte left us): client.c may start it anew once on another connection. */
void lp_call_wire_fail(struct lp_call *call, enum lp_code why, bool not_received, const char *words);
void lp_call_wire_room(struct lp_call *call);

/* client.c, used by call.c */
void lp_client_submit(struct lp_client *client, struct lp_call *call);	/* find a connection, bind, send */
void lp_client_withdraw(struct lp_client *client, struct lp_call *call);	/* not bound yet: forget it */
struct lp_loop *lp_client_loop(struct lp_client *client);

/* The client's own row inside a call: its place in a waiting list. */
struct lp_link *lp_call_wire_link(struct lp_call *call);
struct lp_call *lp_call_wire_of_link(struct lp_link *link);
bool lp_call_wire_retried(struct lp_call *call);	/* marks and tells: was it started anew before? */

/* More that client.c says of a call, and the simulator need not:
 * it waits for one of many busy connections, not for one to open: connect_time does not run; */
void lp_call_wire_queued(struct lp_call *call, bool queued);
/* it is bound to a connection that has carried others and idled since (that may have died unseen); */
void lp_call_wire_on_idle(struct lp_call *call);
/* and asks: it is started anew since such a connection died, so that only a fresh one will do. */
bool lp_call_wire_wants_fresh(const struct lp_call *call);
/* What client.c notes of a waiting call: its pool. */
void **lp_call_wire_pool(struct lp_call *call);

#endif
