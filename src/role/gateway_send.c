/* role/gateway_send - states PAY and SEND: what goes with a job to an orchestrator, and the call.
 *
 * The headers of an (orchestrator, capability, model) stay the same as long as its token does, so they are
 * made once and kept: per job only a look-up is left. */
#include "gateway_job.h"

#include <string.h>

#include <lpd/base/map.h>
#include <lpd/io/reach.h>
#include <lpd/market/segment.h>

#define KEPT 4096	/* credentials kept; beyond that all are made anew as they are needed */

enum { AUTHORIZATION, PAYMENT, SEGMENT, MEDIA, HEADERS };	/* the last for results that are media */

struct credential {
	struct lp_scope *scope;
	int refs;			/* one for the cache, one for each try that uses it */
	struct lp_span token;		/* that they were made with */
	struct lp_url url;		/* of the job route */
	struct lp_header headers[HEADERS];
};

/* A try outlives the token that it was sent with: its answer is still read against the URL. */
static void unref(void *arg)
{
	struct credential *c = arg;
	struct lp_scope *scope = c->scope;

	if (--c->refs == 0)
		lp_scope_close(&scope);
}

static void forget_all(struct lp_gateway *gw)
{
	lp_map_free_all(&gw->credentials, unref);
}

void lp_gateway_credentials_close(struct lp_gateway *gw)
{
	forget_all(gw);
}

/* Row, capability, model: a row that is gone and another at its address differ in their tokens. */
static struct lp_span key_of(const struct lp_gateway_job *j, char *to, size_t cap)
{
	struct lp_span model = j->request->model;
	size_t n = 0;

	memcpy(to, &j->at.orch, sizeof(j->at.orch));
	n += sizeof(j->at.orch);
	memcpy(to + n, &j->at.capability, sizeof(j->at.capability));
	n += sizeof(j->at.capability);
	if (model.len > cap - n)
		model.len = cap - n;
	memcpy(to + n, model.at, model.len);
	return lp_span_of(to, n + model.len);
}

/* What the job needs of the orchestrator: the default set, the capability and the model, cold or warm
 * (ai-http-api 7.6). */
void lp_gateway_need(struct lp_scope *scope, struct lp_capabilities *need, const struct lp_gateway_job *j)
{
	const struct lp_model_terms terms = {
		.model = j->request->model,
		.capacity = 1,
		.runner_version = lp_roster_min_runner(j->gw->roster, j->pipeline->capability, j->request->model),
	};

	lp_capabilities_init(need, scope, j->gw->version);
	lp_capabilities_add_model(scope, need, j->pipeline->capability, &terms);
}

static struct lp_span segment_of(struct lp_scope *scope, const struct lp_gateway_job *j,
				 const struct lp_orch_info *info)
{
	struct lp_segment segment = { .has_capabilities = true, .auth_token = info->auth_token };
	struct lp_buf text = { 0 };
	struct lp_span kept;

	segment.manifest_id = lp_span(lp_fmt(scope, "%u_%.*s", j->pipeline->capability, LP_ARG(j->request->model)));
	lp_gateway_need(scope, &segment.capabilities, j);
	segment.sig = j->gw->purse && j->gw->purse->remote ? lp_purse_remote_sig(scope, j->gw->purse, &j->pay.to) :
							      lp_purse_segment_sig(scope, j->gw->purse, segment.manifest_id);
	lp_segment_encode(&text, &segment);
	kept = lp_span_dup(scope, lp_buf_span(&text));
	lp_buf_clear(&text);
	return kept;
}

/* A name of its choice, given by one that we know by a public address, must not lead inside: discovery has judged how
 * it is written, the client looks at where it leads. */
static bool must_be_outside(struct lp_scope *scope, struct lp_span asked_at, const struct lp_url *named)
{
	struct lp_url asked;

	if (lp_url_parse(scope, &asked, asked_at, NULL) != LP_OK)
		return true;
	return lp_reach_of(&asked) == LP_REACH_PUBLIC && !lp_span_eq(asked.host, named->host);
}

/* The route is <transcoder>/<pipeline>, a path of the transcoder kept as prefix (network-protocol 5.1). */
static enum lp_code credential_make(struct credential **out, const struct lp_gateway_job *j,
				    const struct lp_orch_info *info, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(NULL, "credential");
	struct credential *c = lp_new(scope, struct credential);
	struct lp_url base;

	c->scope = scope;
	c->refs = 1;
	if (lp_url_parse(scope, &base, info->transcoder, e) != LP_OK) {
		lp_scope_close(&scope);
		return lp_fail(e, LP_BAD_PEER, "the orchestrator's address for jobs cannot be used");
	}
	base.outside = must_be_outside(scope, lp_orch_address(j->at.orch), &base);
	lp_url_join(scope, &c->url, &base, lp_span(j->pipeline->name));
	c->token = lp_span_dup(scope, info->auth_token.token);
	c->headers[AUTHORIZATION] = (struct lp_header){
		.name = LP_SPAN("authorization"),
		.value = LP_SPAN("Livepeer-AI-Worker-1.0"),	/* marks the protocol: results come as URLs */
	};
	c->headers[PAYMENT] = (struct lp_header){
		.name = LP_SPAN("livepeer-payment"),		/* there but empty when off-chain */
		.value = LP_SPAN(""),
		.secret = true,
	};
	c->headers[SEGMENT] = (struct lp_header){
		.name = LP_SPAN("livepeer-segment"),
		.value = segment_of(scope, j, info),
	};
	c->headers[MEDIA] = (struct lp_header){
		.name = LP_SPAN(LP_INLINE_HEADER),
		.value = LP_SPAN(LP_INLINE_VALUE),
	};
	*out = c;
	return LP_OK;
}

static void credential_put(struct lp_gateway *gw, struct lp_span key, struct credential *c)
{
	struct credential *old;

	if (lp_map_count(gw->credentials) >= KEPT) {
		forget_all(gw);
		gw->credentials = lp_map_new();
	}
	old = lp_map_put(gw->credentials, key, c);
	if (old)
		unref(old);
}

/* A payment is this try's alone, the rest is the cache's. */
static const struct lp_header *with_payment(struct lp_gateway_job *j, const struct lp_header *kept)
{
	struct lp_header *own;

	if (!j->pay.outlay)
		return kept;
	own = lp_new_array(j->attempt, struct lp_header, HEADERS);
	memcpy(own, kept, HEADERS * sizeof(*own));
	own[PAYMENT].value = lp_outlay_header(j->pay.outlay);
	return own;
}

enum lp_code lp_gateway_credentials(struct lp_gateway_job *j, const struct lp_orch_info *info, struct lp_err *e)
{
	char key_bytes[1024];
	struct lp_span key = key_of(j, key_bytes, sizeof(key_bytes));
	struct credential *c = lp_map_find(j->gw->credentials, key);

	if (!c || !lp_span_eq(c->token, info->auth_token.token)) {
		if (credential_make(&c, j, info, e) != LP_OK)
			return e->code;
		credential_put(j->gw, key, c);
	}
	c->refs++;
	lp_defer(j->attempt, unref, c);
	j->credentials = with_payment(j, c->headers);
	j->url = c->url;
	return LP_OK;
}

static void on_call(void *self)
{
	struct lp_gateway_job *j = self;

	if (j->collect)
		lp_collect_poke(j->collect);
	lp_task_wake(&j->task);
}

/* Results that are media may stand in the answer; and by that header an orchestrator of ours knows one of its own, whom
 * it charges for the tokens that it made. */
static int n_headers(const struct lp_gateway_job *j)
{
	bool all = j->pipeline->result == LP_RESULT_MEDIA || (j->gw->purse && j->pipeline->result == LP_RESULT_EVENTS);

	return all ? HEADERS : MEDIA;
}

/* SEND: the deadline of the job is the call's; an orchestrator may work in silence for long. */
void lp_gateway_send(struct lp_gateway_job *j)
{
	const struct lp_forward_want want = {
		.request = j->request,
		.file = lp_intake_file(j->intake),
		.call = { .url = &j->url },
		.headers = j->credentials,
		.context = &j->context,
		.n_headers = n_headers(j),
	};

	j->call = lp_forward_start(j->attempt, j->gw->node->client, &want, on_call, j);
}
