/* support/fake_orch - an orchestrator that does as it is told: for tests of the gateway, over whatever io there
 * is (real sockets, or the simulator's).  It answers GetOrchestrator by gRPC and jobs over HTTP, on one port. */
#ifndef FAKE_ORCH_H
#define FAKE_ORCH_H

#include <stdio.h>
#include <string.h>

#include <lpd/io/grpc.h>
#include <lpd/io/router.h>
#include <lpd/io/server.h>
#include <lpd/io/timer.h>
#include <lpd/market/orch_info.h>
#include <lpd/market/pipeline.h>
#include <lpd/market/segment.h>
#include <lpd/pay/params.h>

struct fake_orch {
	struct lp_scope *scope;
	struct lp_loop *loop;
	struct lp_server *server;
	struct lp_router *router;
	char uri[64];			/* "http://127.0.0.1:PORT" */

	/* As told. */
	const char *models[8];		/* "pipeline/model" ..., NULL */
	const char *nodes[4];		/* extra nodes that it names, up to a NULL */
	bool mute;			/* GetOrchestrator fails */
	int64_t token_life;		/* seconds; 0: 1800 */
	int64_t token_end;		/* 0: after its life; else this, whatever the time is */
	const char *transcoder;		/* what it says it is reached by; NULL: uri */
	int status;			/* of jobs; 0: 200 */
	int refusals;			/* only the first so many are answered with status; 0: all */
	const char *body, *type;	/* of the answer; type NULL: application/json */
	const char *const *events;	/* the answer is these, one by one; NULL: body */
	int64_t pause;			/* between events */
	int64_t delay;			/* before the answer; LP_NEVER: none ever comes */
	bool cut;			/* the answer breaks off in its middle */
	const char *media;		/* served under /stream/ */
	int media_status;		/* 0: 200 */
	bool need_token;		/* jobs with an older token than the last are refused */
	int64_t price;			/* wei a unit; 0: it asks for no money */
	bool same_offer;		/* always the first ticket parameters, though they may be used up */
	uint64_t expiration_block;	/* of the offers */

	/* As seen. */
	int questions, jobs, gone, fetches;
	int tokens;
	char segment[1024], authorization[64], job_path[64], content_type[128];
	bool payment_was_empty;
	int offers;
	struct lp_buf question, payment;	/* the last ones, as they came */
	struct lp_buf received;		/* the last job's body */
};

struct fake_job {
	struct fake_orch *o;
	struct lp_exchange *ex;
	struct lp_timer timer;
	bool began, answered;
	int event;
};

/* Tickets worth 1000 wei, of which one in two wins. */
static inline void fake_terms(struct fake_orch *o, struct lp_scope *scope, struct lp_orch_info *info)
{
	struct lp_params params = { .recipient = { { 9 } }, .face_value = lp_wei_of(2000),
				    .win_prob = lp_u256_shr(LP_U256_MAX, 1), .expiration_block = o->expiration_block,
				    .round = 7, .round_hash = { { 7 } } };
	struct lp_buf bytes = { 0 };
	int n = o->same_offer ? 1 : ++o->offers;

	memcpy(params.rand_hash.bytes, &n, sizeof(n));
	memcpy(params.rand_hash.bytes + 8, o->uri, 23);
	lp_params_write(&bytes, &params);
	info->has_ticket_params = true;
	info->ticket_params = lp_span_dup(scope, lp_buf_span(&bytes));
	info->price = (struct lp_price_info){ .present = true, .price_per_unit = o->price, .pixels_per_unit = 1 };
	lp_buf_clear(&bytes);
}

static inline void fake_info(struct fake_orch *o, struct lp_scope *scope, struct lp_orch_info *info)
{
	static const char nobody[20];
	int64_t life = o->token_life ? o->token_life : 1800;

	*info = (struct lp_orch_info){ .transcoder = lp_span(o->transcoder ? o->transcoder : o->uri),
				       .address = { nobody, 20 },
				       .has_capabilities = true };
	lp_capabilities_init(&info->capabilities, scope, LP_SPAN("0.9.1"));
	info->capabilities.has_constraints = true;
	for (int i = 0; i < 8 && o->models[i]; i++) {
		struct lp_span model = lp_span(o->models[i]);
		struct lp_span pipeline = lp_span_cut(&model, '/');
		struct lp_model_terms terms = { .model = model, .warm = true, .capacity = 4 };

		lp_capabilities_add_model(scope, &info->capabilities, lp_pipeline_find(pipeline)->capability, &terms);
	}
	if (o->price)
		fake_terms(o, scope, info);
	info->nodes = lp_new_array(scope, struct lp_span, 4);
	while (info->n_nodes < 4 && o->nodes[info->n_nodes]) {
		info->nodes[info->n_nodes] = lp_span(o->nodes[info->n_nodes]);
		info->n_nodes++;
	}
	info->auth_token = (struct lp_auth_token){
		.present = true,
		.token = lp_span(lp_fmt(scope, "token-%025d-%d", 0, ++o->tokens)),
		.session_id = LP_SPAN("0a1b2c3d"),
		.expiration = o->token_end ? o->token_end : lp_wall(o->loop) / LP_SEC + life,
	};
}

static inline void fake_question(void *self, struct lp_grpc_answer *answer, struct lp_span message)
{
	struct fake_orch *o = self;
	struct lp_scope *scope = lp_scope_open(NULL, "fake");
	struct lp_orch_info info;
	struct lp_buf to = { 0 };

	lp_buf_reset(&o->question);
	lp_buf_add_span(&o->question, message);
	o->questions++;
	if (o->mute) {
		lp_grpc_end(answer, LP_GRPC_UNKNOWN, "OrchestratorCapped");
	} else {
		fake_info(o, scope, &info);
		lp_orch_info_encode(&to, &info);
		lp_grpc_reply(answer, lp_buf_span(&to));
	}
	lp_buf_clear(&to);
	lp_scope_close(&scope);
}

static inline void fake_answer(void *self);

static inline void fake_event(struct fake_job *job)
{
	const struct lp_header type = { LP_SPAN("content-type"), LP_SPAN("text/event-stream"), false };
	struct fake_orch *o = job->o;

	if (!job->began)
		lp_reply_head(job->ex, 200, -1, &type, 1);
	job->began = true;
	if (!o->events[job->event]) {
		job->answered = true;
		if (o->cut)
			lp_reply_abort(job->ex, LP_INTERNAL);
		else
			lp_reply_end(job->ex);
		return;
	}
	lp_reply_write(job->ex, LP_SPAN("data: "));
	lp_reply_write(job->ex, lp_span(o->events[job->event++]));
	lp_reply_write(job->ex, LP_SPAN("\n\n"));
	lp_timer_set(&job->timer, o->loop, o->pause);
}

static inline void fake_body(struct fake_job *job)
{
	struct fake_orch *o = job->o;
	struct lp_span body = lp_span(o->body ? o->body : "{}");
	const struct lp_header type = { LP_SPAN("content-type"), lp_span(o->type ? o->type : "application/json"), false };
	bool refuse = o->status && (!o->refusals || o->jobs <= o->refusals);

	job->answered = true;
	if (refuse) {
		lp_reply(job->ex, o->status, "text/plain", body);
		return;
	}
	if (o->status)
		body = lp_span("{\"choices\":[]}");
	lp_reply_head(job->ex, 200, (int64_t)body.len, &type, 1);
	if (o->cut) {
		body.len /= 2;
		lp_reply_write(job->ex, body);
		lp_reply_abort(job->ex, LP_INTERNAL);
		return;
	}
	lp_reply_write(job->ex, body);
	lp_reply_end(job->ex);
}

static inline void fake_answer(void *self)
{
	struct fake_job *job = self;

	if (job->answered)
		return;
	if (job->o->events && !job->o->status)
		fake_event(job);
	else
		fake_body(job);
}

static inline void fake_job_end(void *arg)
{
	struct fake_job *job = arg;

	lp_timer_clear(&job->timer);
}

static inline void fake_job_event(void *self)
{
	struct fake_job *job = self;
	struct lp_span bytes;

	if (lp_exchange_gone(job->ex)) {
		job->o->gone += !job->answered;
		job->answered = true;
		return;
	}
	if (job->began || job->answered || lp_timer_is_set(&job->timer))
		return;
	bytes = lp_exchange_read(job->ex);
	lp_buf_add_span(&job->o->received, bytes);
	lp_exchange_consume(job->ex, bytes.len);
	if (lp_exchange_body(job->ex) == LP_BODY_END && job->o->delay != LP_NEVER)
		lp_timer_set(&job->timer, job->o->loop, job->o->delay);
}

/* The token that the job shows, compared with the last one given out. */
static inline bool fake_token_is_old(struct fake_orch *o, struct lp_exchange *ex)
{
	struct lp_segment segment;
	char last[64];

	snprintf(last, sizeof(last), "token-%025d-%d", 0, o->tokens);
	return o->need_token &&
	       (lp_segment_decode(lp_exchange_scope(ex), &segment, lp_exchange_header(ex, "livepeer-segment"), NULL) !=
		LP_OK || !lp_span_is(segment.auth_token.token, last));
}

static inline void fake_job(void *self, struct lp_exchange *ex)
{
	struct fake_orch *o = self;
	struct fake_job *job = lp_new(lp_exchange_scope(ex), struct fake_job);
	struct lp_span payment = lp_exchange_header(ex, "livepeer-payment");

	o->jobs++;
	lp_span_copy(o->segment, sizeof(o->segment), lp_exchange_header(ex, "livepeer-segment"));
	lp_span_copy(o->authorization, sizeof(o->authorization), lp_exchange_header(ex, "authorization"));
	lp_span_copy(o->content_type, sizeof(o->content_type), lp_exchange_header(ex, "content-type"));
	lp_span_copy(o->job_path, sizeof(o->job_path), lp_exchange_path(ex));
	o->payment_was_empty = payment.at && !payment.len;
	lp_buf_reset(&o->payment);
	lp_buf_add_span(&o->payment, payment);
	lp_buf_reset(&o->received);
	*job = (struct fake_job){ .o = o, .ex = ex, .timer = { .fire = fake_answer, .self = job } };
	lp_defer(lp_exchange_scope(ex), fake_job_end, job);
	if (fake_token_is_old(o, ex)) {
		job->answered = true;
		lp_reply(ex, 403, "text/plain", LP_SPAN("invalid auth token\n"));
		return;
	}
	lp_exchange_watch(ex, fake_job_event, job);
	fake_job_event(job);
}

static inline void fake_media(void *self, struct lp_exchange *ex)
{
	struct fake_orch *o = self;

	o->fetches++;
	lp_reply(ex, o->media_status ? o->media_status : 200, "image/png", lp_span(o->media ? o->media : ""));
}

static inline void fake_close(void *arg)
{
	struct fake_orch *o = arg;

	lp_buf_clear(&o->received);
	lp_buf_clear(&o->question);
	lp_buf_clear(&o->payment);
}

static inline void fake_routes(struct fake_orch *o)
{
	static const char *const paths[] = { "/text-to-image", "/upscale", "/llm" };
	struct lp_grpc_method method = { "/net.Orchestrator/GetOrchestrator", fake_question, o, 0 };
	struct lp_route media = { "GET", "/stream/*", 0, fake_media, o };

	o->router = lp_router_open(o->scope);
	for (size_t i = 0; i < 3; i++)
		lp_router_add(o->router, &(struct lp_route){ "POST", paths[i], 64 << 20, fake_job, o });
	lp_router_add(o->router, &media);
	lp_router_grpc(o->router, lp_grpc_handle, lp_grpc_server_open(o->scope, &method, 1));
}

/* Told by the caller before or after; listens on 127.0.0.1 (or host) at a free port (or port). */
static inline void fake_orch_open_at(struct fake_orch *o, struct lp_scope *scope, struct lp_loop *loop, const char *host,
				     uint16_t port)
{
	struct lp_server_want want = { .handle = lp_router_handle };
	struct lp_err e;

	o->scope = lp_scope_open(scope, "fake orch");
	o->loop = loop;
	lp_defer(o->scope, fake_close, o);
	fake_routes(o);
	want.self = o->router;
	want.address = (struct lp_url){ .host = lp_span(host), .port = port };
	if (lp_server_open(o->scope, &o->server, loop, &want, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	snprintf(o->uri, sizeof(o->uri), "http://%s:%u", host, lp_server_port(o->server));
}

static inline void fake_orch_open(struct fake_orch *o, struct lp_scope *scope, struct lp_loop *loop)
{
	fake_orch_open_at(o, scope, loop, "127.0.0.1", 0);
}

static inline void fake_orch_close(struct fake_orch *o)
{
	lp_scope_close(&o->scope);
}

#endif
