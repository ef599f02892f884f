/* role/gateway_job - one request of an app developer, from its first byte to its last: the machine that the
 * gateway runs for each.  Private to the gateway's files.
 *
 *                        +---------------- another try ----------------+
 *                        v                                             |
 *  INTAKE -> ADMIT -> SELECT -> PAY -> SEND -> RELAY -> FETCH -> SETTLE -> REPLY -> DONE
 *     |        |         |       |       |       o        o        ^ o
 *     +--------+---------+-------+-------+--- any failure, client --+
 *                                             gone, deadline
 *
 * Lifetimes: job > attempt (one try at one orchestrator: the call) and job > result (what a try brought and
 * the reply still needs).  The exchange is no parent: it may end first, then the job is aborted. */
#ifndef LPD_ROLE_GATEWAY_JOB_H
#define LPD_ROLE_GATEWAY_JOB_H

#include <lpd/base/quota.h>
#include <lpd/front/collect.h>
#include <lpd/front/jobs.h>
#include <lpd/front/relay.h>
#include <lpd/front/stream.h>
#include <lpd/io/fetch.h>
#include <lpd/io/task.h>
#include <lpd/market/discovery.h>
#include <lpd/market/intake.h>
#include <lpd/role/node.h>

#include "gateway_pay.h"
#include "linger.h"

#define LP_GATEWAY_TRIES 20	/* of one job, in all: as many as the incumbent takes */

struct lp_gateway {
	struct lp_node *node;
	struct lp_scope *scope;
	struct lp_roster *roster;
	struct lp_discovery *discovery;
	struct lp_server *server;
	struct lp_router *router;
	struct lp_tls_server *tls;	/* NULL: plain */
	struct lp_purse *purse;		/* NULL: off-chain */
	const struct lp_max_prices *max_prices;
	bool dear_if_needed;		/* -ignoreMaxPriceIfNeeded */
	struct lp_map *credentials;	/* gateway_send.c: struct credential by orchestrator, capability, model */
	struct lp_list jobs, waiting;	/* all; those that wait in SELECT, in the order of their turns (gateway_row.c) */
	uint64_t came;			/* jobs so far */
	int n_jobs;
	struct lp_quota *shares;	/* of jobs, by client */
	int jobs_per_client;		/* -maxJobsPerClient */
	bool priorities;		/* -allowPriorities */
	uint64_t row_turns;		/* of jobs that waited and went on */
	int64_t job_time, wait_time;	/* -jobTimeout, -aiProcessingRetryTimeout */
	int64_t *pipeline_time;		/* -pipelineTimeouts, in the order of the rows; else -jobTimeout */
	struct lp_fetcher *fetcher;	/* NULL until a page is needed */
	struct lp_perf perf;		/* -orchPerfStatsUrl */
	struct lp_span public_url;	/* before "/stream/..." in answers; may be empty */
	struct lp_span version;		/* what we tell peers that we are */
	const struct lp_span *media_hosts;	/* -mediaHosts */
	int n_media_hosts;
	struct lp_buf openapi;		/* the document, made once */
	struct lp_jobs *kept;		/* asynchronous and idempotent jobs */
	struct lp_linger linger;
};

struct lp_gateway_job {
	struct lp_task task;
	struct lp_gateway *gw;
	const struct lp_pipeline *pipeline;
	struct lp_scope *scope, *attempt, *result;
	struct lp_exchange *ex;		/* NULL: gone, or the reply has ended; of a kept job its capture */
	struct lp_kept *kept;		/* NULL: its reply is for its client alone */
	struct lp_intake *intake;
	struct lp_clip *measured;	/* INTAKE: how long the recording plays */
	const struct lp_request *request;	/* from ADMIT on */
	struct lp_err err;		/* how the last try, or the job, went wrong; LP_OK: well */
	struct lp_link link, waiting;
	struct lp_quota_row *share;	/* what it takes of its client's jobs */
	int priority;			/* in the row: 0 is high */
	int64_t turn;			/* mono, the earlier first */
	uint64_t number;		/* in the order of coming */
	char id[17];
	char request_id[65];		/* the client's X-Request-Id, else the id */
	struct lp_trace_context context;
	bool trace, inline_media, replied;
	struct lp_pin *pin;		/* Lp-Orchestrator; NULL: none */

	/* SELECT */
	struct lp_timer chance;		/* when to look again */
	int64_t waited, wait_began;	/* over all waits; since when this one is not in it, 0: not waiting */
	bool discovering;		/* it waits for the first answers, which is not in it either */
	bool asking_terms;		/* of one orchestrator: nothing is chosen before they are there */
	bool asking_news;		/* of any, while nobody can be chosen */
	struct lp_orch *refreshed;	/* the one whose terms were asked for anew, once */
	struct lp_orch *tried[LP_GATEWAY_TRIES];
	int n_tried;
	int tries, faults;
	int64_t retry_after;		/* for the answer; 0: not known */

	/* the try */
	struct lp_orch_try at;		/* at.orch NULL: none is open */
	int64_t sent_at, answered_at;
	struct lp_job_pay pay;
	const struct lp_header *credentials;	/* what goes with it: in the gateway's cache, or the try's own */
	struct lp_url url;
	struct lp_call *call;
	struct lp_relay *relay;
	struct lp_stream *stream;
	struct lp_collect *collect;
	struct lp_inline *inlined;
	uint64_t tokens;

	/* for the log and Lp-Trace: of the last try */
	struct lp_span orch;
	const char *why;
	int eligible;
	int rejected[LP_REJECTS];
};

extern const struct lp_machine lp_gateway_machine;

/* A request came in on the pipeline's route: make the job and start it.  It gives the share back (may be NULL). */
void lp_gateway_job_start(struct lp_gateway *gw, const struct lp_pipeline *pipeline, struct lp_exchange *ex,
			  struct lp_quota_row *share);

/* gateway_row.c: those that wait in SELECT */
enum lp_code lp_gateway_row_turn(struct lp_gateway_job *j, struct lp_err *e);	/* from Lp-Priority; when it starts */
void lp_gateway_row_stand(struct lp_gateway_job *j);
void lp_gateway_row_wake(struct lp_gateway *gw, const struct lp_orch_try *t);	/* the first who waits for that */
bool lp_gateway_row_before(const struct lp_gateway_job *j, const struct lp_orch_try *t);
void lp_gateway_row_go(struct lp_gateway_job *j);	/* it has waited and has found one */
void lp_gateway_row_on_chance(void *job);

/* gateway_kept.c: the request is there; may go on with another exchange, or with none (nothing is left to do). */
enum lp_code lp_gateway_keep(struct lp_gateway_job *j, struct lp_err *e);
enum lp_code lp_gateway_kept_open(struct lp_gateway *gw, struct lp_err *e);
void lp_gateway_kept_routes(struct lp_gateway *gw);

/* gateway_market.c */
enum lp_code lp_gateway_read_timeouts(struct lp_gateway *gw, struct lp_err *e);	/* of pipelines, from job_time */
enum lp_code lp_gateway_market_check(struct lp_gateway *gw, struct lp_buf *told, struct lp_err *e);
enum lp_code lp_gateway_market_open(struct lp_gateway *gw, struct lp_err *e);
int64_t lp_gateway_job_time(const struct lp_gateway *gw, const struct lp_pipeline *pipeline);

/* gateway_send.c */
enum lp_code lp_gateway_credentials(struct lp_gateway_job *j, const struct lp_orch_info *info, struct lp_err *e);
void lp_gateway_need(struct lp_scope *scope, struct lp_capabilities *need, const struct lp_gateway_job *j);
void lp_gateway_send(struct lp_gateway_job *j);
void lp_gateway_credentials_close(struct lp_gateway *gw);

/* gateway_count.c: metrics */
void lp_gateway_count_try(const struct lp_gateway_job *j, const struct lp_orch *orch, enum lp_code code,
			  const struct lp_orch_outcome *outcome);
void lp_gateway_count_paid(const struct lp_gateway_job *j);
void lp_gateway_count_job(const struct lp_gateway_job *j);
void lp_gateway_measure(struct lp_node *node);

/* gateway_result.c: steps RELAY and FETCH as far as the answer goes.  MORE: wait. */
enum lp_gateway_result {
	LP_RESULT_MORE,
	LP_RESULT_FETCH,	/* the answer is whole, its media are on their way */
	LP_RESULT_WHOLE,
	LP_RESULT_FAILED,	/* *e says why */
};
enum lp_gateway_result lp_gateway_read(struct lp_gateway_job *j, struct lp_err *e);

/* gateway_reply.c */
void lp_gateway_on_exchange(void *job);	/* watches the exchange */
/* True: there is nothing left to write. */
bool lp_gateway_reply(struct lp_gateway_job *j);
/* Adds how many were not chosen, by reason, behind `front`; nothing when there were none. */
void lp_gateway_passed_over(const struct lp_gateway_job *j, struct lp_buf *to, const char *front);
/* The headers that every reply of a job carries, in the scope.  Returns how many. */
int lp_gateway_headers(struct lp_gateway_job *j, struct lp_scope *scope, struct lp_header **out);
#define LP_GATEWAY_HEADERS 2

#endif
