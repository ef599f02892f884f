/* io/client - outgoing calls of the job path, pooled per peer: HTTP/1.1, h2 (ALPN), TLS or not, unix sockets.
 *
 * A call belongs to its scope: closing the scope cancels it (RST_STREAM on h2, close on HTTP/1.1).  Nothing
 * that a peer may have received is sent twice: a call that fails says by lp_call_sent() whether the peer
 * may have seen it.  An early answer is kept even if the request could not be sent whole. */
#ifndef LPD_IO_CLIENT_H
#define LPD_IO_CLIENT_H

#include <lpd/base/log.h>
#include <lpd/base/metric.h>
#include <lpd/io/http.h>
#include <lpd/io/loop.h>
#include <lpd/io/tls.h>

struct lp_client_want {
	struct lp_tls_client *tls;		/* NULL: https URLs fail */
	int connections_per_peer;		/* h1: 64; h2 uses as few as streams allow.  0: default */
	int handshakes_per_turn;		/* 4 */
	int64_t idle_time;			/* idle connections are retired after: 60 s */
	struct lp_log *log;
	struct lp_metrics *metrics;
};

struct lp_client;
struct lp_client *lp_client_open(struct lp_scope *scope, struct lp_loop *loop, const struct lp_client_want *want);
/* Look the host up and open a connection ahead of need. */
void lp_client_warm(struct lp_client *client, const struct lp_url *url);

struct lp_call_want {
	const char *method;
	const struct lp_url *url;		/* copied */
	const struct lp_header *headers;	/* copied; lower-case; host, content-length etc. are ours */
	int n_headers;
	struct lp_span body;			/* copied; when body_streamed is false */
	bool body_streamed;			/* the body comes by lp_call_write */
	int64_t body_length;			/* of a streamed body; -1 unknown */
	bool h2_only;				/* gRPC; prior knowledge on plain connections */
	bool h1_only;				/* runners, Docker */
	bool idempotent;			/* may be sent again once on a fresh connection if an idle one died */
	int64_t idle_retire;			/* do not use connections that idled longer; 0: the client's */
	/* Deadlines; 0: the default. */
	int64_t connect_time;			/* 3 s, look-up and handshake included */
	int64_t first_byte_time;		/* from the request's end to the answer's head: LP_NEVER (the job's deadline) */
	int64_t stall_time;			/* between two pieces, while we are willing to read: 60 s */
	int64_t total_time;			/* LP_NEVER */
	size_t window;				/* unread answer bytes before the peer is slowed: 256 KiB */
};

enum lp_call_state {
	LP_CALL_SENDING,	/* no answer yet */
	LP_CALL_BODY,		/* status and headers are there, the body comes */
	LP_CALL_DONE,		/* all has come (some may be unread); trailers are there */
	LP_CALL_FAILED,		/* lp_call_err says why; what came before can still be read */
};

struct lp_call;

/* Never fails inline: what goes wrong comes as an event. */
struct lp_call *lp_call_start(struct lp_scope *scope, struct lp_client *client, const struct lp_call_want *want,
			      void (*on_event)(void *self), void *self);
enum lp_call_state lp_call_state(const struct lp_call *call);
int lp_call_status(const struct lp_call *call);				/* 0 before the head */
struct lp_headers lp_call_headers(const struct lp_call *call);
struct lp_headers lp_call_trailers(const struct lp_call *call);
int64_t lp_call_length(const struct lp_call *call);			/* announced body length; -1 unknown */
const struct lp_err *lp_call_err(const struct lp_call *call);
bool lp_call_sent(const struct lp_call *call);	/* the peer may have received some of it */

struct lp_span lp_call_read(struct lp_call *call);	/* unread bytes; not consuming slows the peer */
void lp_call_consume(struct lp_call *call, size_t n);

/* A streamed request body. */
void lp_call_write(struct lp_call *call, struct lp_span bytes);
size_t lp_call_room(const struct lp_call *call);	/* bytes welcome now; an event comes when there is room again */
void lp_call_end_body(struct lp_call *call);

#endif
