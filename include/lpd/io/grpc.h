/* io/grpc - framing and status of gRPC over exchanges and calls: unary, and one server stream (network-protocol 2.4).
 *
 * Messages are at most 4 MiB, requests as large as their method says: whoever asks has shown no right to anything
 * when its bytes are gathered.  Application errors are status 2 with words, as the network has them. */
#ifndef LPD_IO_GRPC_H
#define LPD_IO_GRPC_H

#include <lpd/io/client.h>
#include <lpd/io/exchange.h>

#define LP_GRPC_OK 0
#define LP_GRPC_CANCELLED 1
#define LP_GRPC_UNKNOWN 2
#define LP_GRPC_DEADLINE 4
#define LP_GRPC_EXHAUSTED 8
#define LP_GRPC_UNIMPLEMENTED 12
#define LP_GRPC_INTERNAL 13
#define LP_GRPC_UNAVAILABLE 14

/* ---- server ---- */

struct lp_grpc_answer;	/* one call being served; lives in its exchange's scope */

struct lp_grpc_method {
	const char *path;	/* "/net.Orchestrator/GetOrchestrator" */
	/* The request message, whole.  Answer now or later, once: reply or fail; a server stream is
	 * any number of lp_grpc_send and one lp_grpc_end.  on_gone may be set to hear of the client's leaving. */
	void (*call)(void *self, struct lp_grpc_answer *answer, struct lp_span message);
	void *self;
	size_t message_max;	/* bytes of a request; 0: LP_GRPC_REQUEST_MAX.  Larger ones are refused by their prefix */
};

#define LP_GRPC_REQUEST_MAX (64 * 1024)
/* Of all requests together that have come in part: further pieces are refused with LP_GRPC_EXHAUSTED.  As many
 * as 256 of the usual limit; one that comes at once needs none of it. */
#define LP_GRPC_GATHERED_MAX (16 * 1024 * 1024)

struct lp_grpc_server;
struct lp_grpc_server *lp_grpc_server_open(struct lp_scope *scope, const struct lp_grpc_method *methods, int n);
void lp_grpc_handle(void *grpc_server, struct lp_exchange *ex);	/* for lp_router_grpc; unknown: status 12 in the
								 * words of network-protocol 1.1 */
struct lp_exchange *lp_grpc_exchange(struct lp_grpc_answer *answer);
void lp_grpc_on_gone(struct lp_grpc_answer *answer, void (*fn)(void *self), void *self);
void lp_grpc_send(struct lp_grpc_answer *answer, struct lp_span message);
void lp_grpc_end(struct lp_grpc_answer *answer, int status, const char *words);
void lp_grpc_reply(struct lp_grpc_answer *answer, struct lp_span message);	/* send and end OK */

/* "2499937u": all six units; microseconds, LP_NEVER when absent or malformed. */
int64_t lp_grpc_timeout(struct lp_span value);

/* ---- client ---- */

struct lp_grpc_want {
	const char *path;
	struct lp_span message;		/* copied */
	int64_t timeout;		/* sent as grpc-timeout and enforced here; 0 or LP_NEVER: none */
	bool idempotent;		/* as lp_call_want */
};

struct lp_grpc_call;

/* Unary: on_done once, from the loop; then read below. */
struct lp_grpc_call *lp_grpc_start(struct lp_scope *scope, struct lp_client *client, const struct lp_url *base,
				   const struct lp_grpc_want *want, void (*on_done)(void *self), void *self);
enum lp_code lp_grpc_result(struct lp_grpc_call *call, struct lp_span *message, struct lp_err *e);
/* A server stream: on_event after each change, until lp_grpc_over(); then lp_grpc_result (message NULL) says
 * how it ended.  Nothing is expected before the first message, which may be hours away. */
struct lp_grpc_call *lp_grpc_stream(struct lp_scope *scope, struct lp_client *client, const struct lp_url *base,
				    const struct lp_grpc_want *want, void (*on_event)(void *self), void *self);
bool lp_grpc_next(struct lp_grpc_call *call, struct lp_span *message);	/* until the next, or event */
bool lp_grpc_over(const struct lp_grpc_call *call);
int lp_grpc_status(const struct lp_grpc_call *call);			/* -1: none came */
struct lp_span lp_grpc_words(const struct lp_grpc_call *call);		/* the peer's grpc-message, decoded */

#endif
