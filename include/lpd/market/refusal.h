/* market/refusal - errors that arrive as prose from other implementations, turned into a code in exactly one
 * place, next to the texts that are recognised (network-protocol 5.3, 7.7; ai-http-api 2.3, 3.3).  Pure. */
#ifndef LPD_MARKET_REFUSAL_H
#define LPD_MARKET_REFUSAL_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>
#include <lpd/base/str.h>

/* An orchestrator's non-200 answer to a job.  e->words carry what a client may read: for "... container
 * returned 400: msg" the msg alone. */
enum lp_code lp_refusal_of_orchestrator(int status, struct lp_span body, struct lp_err *e);
/* A gRPC failure of GetOrchestrator. */
enum lp_code lp_refusal_of_grpc(int grpc_status, struct lp_span words, struct lp_err *e);
/* A runner's non-200 answer (four shapes of body, ai-http-api 3.3). */
enum lp_code lp_refusal_of_runner(int status, struct lp_span body, struct lp_err *e);
/* What an orchestrator writes for a code: the network's status and text that go-livepeer peers match. */
void lp_refusal_write(const struct lp_err *e, const char *pipeline, int *status, struct lp_buf *text);

#endif
