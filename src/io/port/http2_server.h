/* io/http2_server - what an HTTP/2 connection of a server and its streams are made of.  For http2_server.c (the
 * connection: frames, limits, floods, deadlines) and http2_stream.c (one request and its reply) only. */
#ifndef LPD_IO_HTTP2_SERVER_H
#define LPD_IO_HTTP2_SERVER_H

#include <lpd/io/timer.h>

#include "bucket.h"
#include "http2.h"
#include "progress.h"
#include "wires.h"

struct lp_h2_server {
	struct lp_h2 h2;		/* first: nghttp2's callbacks get it */
	struct lp_server_conn_want want;
	struct lp_server_limits limits;
	struct lp_list streams;
	int n_streams;
	bool draining, final_sent, ended;
	struct lp_ready closed;
	struct lp_timer timer;
	struct lp_bucket bucket;
	struct lp_progress progress;	/* of the conn's backlog */
	size_t withheld;		/* of the connection's window, while the server holds much */
	int64_t head_since;		/* a head, or the preface, is awaited since then; 0: neither */
	int32_t head_id;		/* whose head it is; 0: none is under way */
	const char *peer;		/* in the connection's scope: exchanges may outlive the conn by a turn */
	int64_t idle_since, stop_at;	/* stop_at: the first stream's; 0: none */
};

struct lp_h2_stream {
	struct lp_link link;
	struct lp_h2_server *server;
	struct lp_exchange *ex;		/* NULL: refused, or the exchange let go */
	struct lp_h2_out out;
	struct lp_header *trailers;	/* one block with their text */
	int n_trailers;
	int32_t id;
	bool head_request, bodyless;	/* no DATA may follow our HEADERS */
	bool replied;			/* END_STREAM has been framed */
	bool received;			/* END_STREAM has come */
	int64_t stop_at;		/* replied early, its request is read so long; 0: not so */
	int64_t sent;			/* bytes of body */
	struct lp_progress progress;	/* of `out` */
};

/* http2_server.c */
void lp_h2_server_refused(struct lp_h2_server *server, const char *reason);	/* counts it */

/* http2_stream.c */
struct lp_h2_stream *lp_h2_stream_open(struct lp_h2_server *server, int32_t id);
void lp_h2_stream_free(struct lp_h2_stream *stream);
void lp_h2_stream_gone(struct lp_h2_stream *stream, enum lp_code why, const char *words);	/* tells its exchange */
void lp_h2_stream_reset(struct lp_h2_stream *stream, uint32_t error);
void lp_h2_stream_request(struct lp_h2_server *server, struct lp_h2_stream *stream);	/* its head has come */
void lp_h2_stream_received(struct lp_h2_stream *stream);	/* its END_STREAM has come */

#endif
