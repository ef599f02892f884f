/* role/orchestrator_priv - what orchestrator.c (wiring), orchestrator_rpc.c and orchestrator_job.c share. */
#ifndef LPD_ROLE_ORCHESTRATOR_PRIV_H
#define LPD_ROLE_ORCHESTRATOR_PRIV_H

#include <lpd/base/map.h>
#include <lpd/io/grpc.h>
#include <lpd/market/segment.h>
#include <lpd/role/node.h>

#include "linger.h"

struct lp_charge;
struct lp_payee;

struct lp_orchestrator {
	struct lp_node *node;
	struct lp_log *log;
	struct lp_models models;
	struct lp_span models_text;	/* that they were read from */
	struct lp_runners *runners;
	struct lp_router *router;
	struct lp_server *server;
	struct lp_tls_server *tls;	/* NULL: plain */
	struct lp_span service_uri;	/* "https://host:8935", no slash at the end */
	struct lp_span version;		/* what we tell peers that we are */
	struct lp_span *nodes;		/* -nodes */
	int n_nodes;
	uint8_t secret[32];		/* of the auth tokens; survives a restart */
	int64_t job_time, body_limit;
	/* What jobs are checked against, made anew when a runner changes. */
	struct lp_scope *own_scope;
	struct lp_capabilities own;
	unsigned own_generation;
	struct lp_scope *checked_scope;
	struct lp_map *checked;		/* good segment headers to struct good (orchestrator_check.c) */
	unsigned checked_generation;
	struct lp_payee *payee;		/* NULL: off-chain, work is free */
	int jobs;
	struct lp_linger linger;	/* its last link: when the last job ended */
};

/* One pipeline's route: the handler's self. */
struct orch_route {
	struct lp_orchestrator *o;
	const struct lp_pipeline *pipeline;
};

void lp_orchestrator_job_start(void *route, struct lp_exchange *ex);
void lp_orchestrator_rpc_open(struct lp_orchestrator *o);
/* Payment, segment and token of a job (network-protocol 5.3); e->code is set either way.  charge: NULL off-chain. */
enum lp_code lp_orchestrator_check(struct lp_orchestrator *o, const struct lp_exchange *ex, struct lp_charge *charge,
				   struct lp_err *e);
const struct lp_capabilities *lp_orchestrator_own(struct lp_orchestrator *o);

#endif
