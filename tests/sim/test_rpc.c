/* What the network asks of an orchestrator beside jobs (network-protocol 4): its offer, true at each moment, Ping,
 * the end of a session; and several gateways that ask at once. */
#include <stdio.h>
#include <string.h>

#include <lpd/io/grpc.h>
#include <lpd/market/orch_info.h>
#include <lpd/market/segment.h>
#include <lpd/proto/lp_rpc.pb-c.h>
#include <role/orchestrator_priv.h>

#include "sim.h"

/* ---- asking ---- */

struct question {
	struct lp_scope *scope;
	struct lp_grpc_call *call;
	bool done;
};

static void on_done(void *self)
{
	((struct question *)self)->done = true;
}

/* Closed with the simulation; the answer lives as long. */
static enum lp_code ask(struct sim_node *o, const char *method, struct lp_span message, struct lp_span *answer,
			struct lp_err *e)
{
	struct sim *s = o->s;
	struct question *q = lp_new(s->app_scope, struct question);
	const struct lp_grpc_want want = { .path = lp_fmt(s->app_scope, "/net.Orchestrator/%s", method),
					   .message = message, .timeout = 5 * LP_SEC };
	struct lp_url url;

	q->scope = lp_scope_open(s->app_scope, "question");
	assert_int_equal(lp_url_parse(q->scope, &url, o->node->orchestrator->service_uri, e), LP_OK);
	q->call = lp_grpc_start(q->scope, s->app, &url, &want, on_done, q);
	for (int i = 0; !q->done && i < 600; i++)
		sim_run_for(s, 10 * LP_MSEC);
	assert_true(q->done);
	*e = (struct lp_err){ 0 };
	return lp_grpc_result(q->call, answer, e);
}

static struct lp_orch_info offer_to(struct sim_node *o, const struct lp_orch_request *request)
{
	struct lp_buf message = { 0 };
	struct lp_orch_info info;
	struct lp_span answer;
	struct lp_err e;

	lp_orch_request_encode(&message, request);
	assert_int_equal(ask(o, "GetOrchestrator", lp_buf_span(&message), &answer, &e), LP_OK);
	lp_buf_clear(&message);
	assert_int_equal(lp_orch_info_decode(o->s->app_scope, &info, answer, &e), LP_OK);
	return info;
}

static struct lp_orch_info offer_of(struct sim_node *o)
{
	return offer_to(o, &(struct lp_orch_request){ 0 });
}

#define NOT_OFFERED (-1)

/* Free slots of text-to-image, as it tells. */
static int told(struct sim_node *o)
{
	struct lp_orch_info info = offer_of(o);
	const struct lp_model_terms *terms =
		lp_capabilities_model(&info.capabilities, 27, LP_SPAN("stabilityai/sdxl-turbo"));

	return terms ? (int)terms->capacity : NOT_OFFERED;
}

/* ---- the offer ---- */

static void capacity_is_told_as_it_is_at_each_moment(void **state)
{
	struct sim *s = sim_new(800);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 3);

	(void)state;
	sim_gateway(s);
	o->runner->does.delay = 30 * LP_SEC;
	assert_int_equal(told(o), 3);
	for (int left = 2; left >= 0; left--) {
		sim_ask(s, "text-to-image", SIM_PICTURE);
		sim_run_for(s, LP_SEC);
		assert_int_equal(told(o), left);
	}
	sim_run_until_quiet(s);
	assert_int_equal(told(o), 3);
	sim_runner_stop(o->runner);
	sim_run_for(s, 30 * LP_SEC);
	assert_int_equal(told(o), NOT_OFFERED);
	sim_runner_start(o->runner);
	sim_run_for(s, 30 * LP_SEC);
	assert_int_equal(told(o), 3);
	sim_books_balance(s);
	sim_end(s);
}

static void a_node_that_takes_fewer_jobs_than_it_has_slots_tells_the_fewer(void **state)
{
	struct sim *s = sim_new(801);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 8, .args = SIM_ARGS("-maxJobs", "2"));

	(void)state;
	sim_gateway(s);
	o->runner->does.delay = 10 * LP_SEC;
	assert_int_equal(told(o), 2);
	sim_ask(s, "llm", SIM_CHAT);
	sim_run_for(s, LP_SEC);
	assert_int_equal(told(o), 1);
	sim_ask(s, "llm", SIM_CHAT);
	sim_run_for(s, LP_SEC);
	assert_int_equal(told(o), 0);
	sim_run_until_quiet(s);
	assert_int_equal(told(o), 2);
	sim_books_balance(s);
	sim_end(s);
}

static void who_goes_down_offers_nothing(void **state)
{
	struct sim *s = sim_new(802);
	struct sim_node *o = sim_orchestrator(s, "orch");

	(void)state;
	sim_gateway(s);
	o->runner->does.delay = 10 * LP_SEC;
	sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, LP_SEC);
	sim_drain(o);
	assert_int_equal(told(o), NOT_OFFERED);
	sim_run_until_quiet(s);
	sim_end(s);
}

static void further_addresses_are_told_and_used(void **state)
{
	struct sim *s = sim_new(803);
	struct sim_node *one = sim_orchestrator(s, "one", .args = SIM_ARGS("-nodes", "https://two:8935,https://three:8935"));

	(void)state;
	struct lp_orch_info info = offer_of(one);
	assert_int_equal(info.n_nodes, 2);
	assert_true(lp_span_is(info.nodes[0], "https://two:8935"));
	assert_true(lp_span_is(info.nodes[1], "https://three:8935"));
	struct sim_node *g = sim_gateway(s, .args = SIM_ARGS("-extraNodes", "1"));
	struct sim_node *two = sim_orchestrator(s, "two"), *three = sim_orchestrator(s, "three");
	sim_run_for(s, 3 * LP_MIN);
	sim_kill(one);
	for (int i = 0; i < 3; i++) {
		struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

		sim_run_until_quiet(s);
		assert_int_equal(r->status, 200);
	}
	assert_int_equal(sim_jobs(two, LP_OK), 3);
	assert_int_equal(sim_jobs(three, LP_OK), 0);
	assert_int_equal(sim_jobs(g, LP_OK), 3);
	sim_books_balance(s);
	sim_end(s);
}

/* The incumbent's limit of transcoding sessions stops its AI jobs too (A-49, BUG-48).  Ours transcodes nothing and
 * has no such sessions; that their option is taken must not bound anything else. */
static void the_limit_of_transcoding_sessions_bounds_no_job(void **state)
{
	struct sim *s = sim_new(806);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 4, .args = SIM_ARGS("-maxSessions", "1"));
	struct sim_reply *r[4];

	(void)state;
	sim_gateway(s);
	o->runner->does.delay = 5 * LP_SEC;
	assert_int_equal(told(o), 4);
	for (int i = 0; i < 4; i++)
		r[i] = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, LP_SEC);
	assert_int_equal(told(o), 0);
	sim_run_until_quiet(s);
	assert_int_equal(o->runner->most_jobs, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(r[i]->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

/* ---- who asks ---- */

/* The signature over an address is the same for ever and everywhere (BUG-22): whoever has seen one can show it.  So
 * it proves nothing: each who shows it gets a session of its own, as each does who shows none, or a wrong one. */
static void a_replayed_proof_of_address_brings_nothing_of_its_owners(void **state)
{
	static const char address[20] = "01234567890123456789", proof[65] = "a signature that was overheard";
	static const struct lp_orch_request asks[] = {
		{ .address = { address, 20 }, .sig = { proof, 65 } },
		{ .address = { address, 20 }, .sig = { proof, 65 } },
		{ .address = { address, 20 } },
	};
	struct sim *s = sim_new(807);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct lp_orch_info told_to[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		told_to[i] = offer_to(o, &asks[i]);
	for (int i = 1; i < 3; i++) {
		assert_int_equal(told_to[i].capabilities.n_caps, told_to[0].capabilities.n_caps);
		for (int k = 0; k < i; k++)
			assert_false(lp_span_eq(told_to[i].auth_token.session_id, told_to[k].auth_token.session_id));
	}
	sim_books_balance(s);
	sim_end(s);
}

/* ---- Ping, EndTranscodingSession ---- */

static void a_ping_is_answered_without_a_signature(void **state)
{
	struct sim *s = sim_new(804);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct lp_span answer;
	struct lp_err e;

	(void)state;
	assert_int_equal(ask(o, "Ping", LP_SPAN("\x0a\x04ping"), &answer, &e), LP_OK);
	assert_int_equal(answer.len, 0);
	assert_int_equal(ask(o, "Ping", LP_SPAN(""), &answer, &e), LP_OK);
	sim_books_balance(s);
	sim_end(s);
}

static enum lp_code end_session(struct sim_node *o, struct lp_auth_token *token, struct lp_err *e)
{
	Net__AuthToken own;
	Net__EndTranscodingSessionRequest request;
	struct lp_span answer;
	uint8_t bytes[200];

	net__auth_token__init(&own);
	net__end_transcoding_session_request__init(&request);
	if (token) {
		own.token = (ProtobufCBinaryData){ token->token.len, (uint8_t *)(uintptr_t)token->token.at };
		own.session_id = (char *)(uintptr_t)lp_strdup(o->s->app_scope, token->session_id);
		own.expiration = token->expiration;
		request.auth_token = &own;
	}
	assert_true(net__end_transcoding_session_request__get_packed_size(&request) <= sizeof(bytes));
	size_t n = net__end_transcoding_session_request__pack(&request, bytes);
	return ask(o, "EndTranscodingSession", lp_span_of(bytes, n), &answer, e);
}

/* Without a token the incumbent dies (BUG-2). */
static void a_session_ends_for_who_has_its_token_and_for_nobody_else(void **state)
{
	struct sim *s = sim_new(805);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct lp_auth_token token = offer_of(o).auth_token;
	struct lp_span answer;
	struct lp_err e;

	(void)state;
	assert_int_equal(end_session(o, &token, &e), LP_OK);
	token.expiration++;
	assert_int_not_equal(end_session(o, &token, &e), LP_OK);
	assert_non_null(strstr(lp_err_words(&e), "Invalid auth token"));
	assert_int_not_equal(end_session(o, NULL, &e), LP_OK);
	assert_non_null(strstr(lp_err_words(&e), "Invalid auth token"));
	assert_int_not_equal(ask(o, "EndTranscodingSession", LP_SPAN("\xff\xff\xff"), &answer, &e), LP_OK);
	assert_int_equal(ask(o, "Ping", LP_SPAN(""), &answer, &e), LP_OK);
	sim_books_balance(s);
	sim_end(s);
}

/* ---- several gateways ---- */

static void several_gateways_share_an_orchestrator(void **state)
{
	struct sim *s = sim_new(806);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 4), *g[3];
	struct sim_reply *r[3][8];
	static const char *const names[] = { "g0", "g1", "g2" };

	(void)state;
	o->runner->does.delay = LP_SEC;
	for (int i = 0; i < 3; i++)
		g[i] = sim_gateway_with(s, names[i], &(struct sim_node_want){
			.args = SIM_ARGS("-aiProcessingRetryTimeout", "60s") });
	for (int n = 0; n < 8; n++)
		for (int i = 0; i < 3; i++)
			r[i][n] = sim_ask_with(s, &(struct sim_ask_want){
				.gateway = g[i], .path = "text-to-image", .body = LP_SPAN(SIM_PICTURE) });
	sim_run_until_quiet(s);
	for (int i = 0; i < 3; i++) {
		for (int n = 0; n < 8; n++)
			assert_int_equal(r[i][n]->status, 200);
		assert_int_equal(sim_jobs(g[i], LP_OK), 8);
	}
	assert_int_equal(o->runner->answered, 24);
	assert_true(o->runner->most_jobs <= 4);
	assert_int_equal(sim_jobs(o, LP_OK), 24);
	sim_books_balance(s);
	sim_end(s);
}

/* ---- is -serviceAddr right? ---- */

static bool logged(struct sim *s, const char *words)
{
	return strstr(lp_buf_text(&s->log), words) != NULL;
}

static void an_orchestrator_says_whether_it_is_reached_where_it_says(void **state)
{
	struct sim *s = sim_new(807);
	struct sim_node *o = sim_orchestrator(s, "orch", .args = SIM_ARGS("-startupAvailabilityCheck"));

	(void)state;
	sim_run_for(s, 5 * LP_SEC);
	assert_true(logged(s, "info \"reached at its -serviceAddr\" node=orch role=orchestrator uri=https://orch:8935"));
	sim_gateway(s);
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_int_equal(sim_slots_used(o), 0);
	sim_books_balance(s);
	sim_end(s);
}

static void an_orchestrator_that_is_not_reached_says_so_and_goes_on(void **state)
{
	struct sim *s = sim_new(808);
	struct sim_node *o;

	(void)state;
	sim_orchestrator(s, "other");
	o = sim_orchestrator(s, "orch", .args = SIM_ARGS("-startupAvailabilityCheck", "-serviceAddr", "nowhere:8935",
							 "-httpAddr", "orch:8935"));
	sim_run_for(s, 10 * LP_SEC);
	assert_true(logged(s, "unusual \"not reached at its -serviceAddr\""));
	assert_non_null(o->node);
	sim_orchestrator(s, "third", .args = SIM_ARGS("-startupAvailabilityCheck", "-serviceAddr", "other:8935",
						      "-httpAddr", "third:8935"));
	sim_run_for(s, 10 * LP_SEC);
	assert_true(logged(s, "another node answers there"));
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(capacity_is_told_as_it_is_at_each_moment),
		sim_test(a_node_that_takes_fewer_jobs_than_it_has_slots_tells_the_fewer),
		sim_test(who_goes_down_offers_nothing),
		sim_test(the_limit_of_transcoding_sessions_bounds_no_job),
		sim_test(a_replayed_proof_of_address_brings_nothing_of_its_owners),
		sim_test(further_addresses_are_told_and_used),
		sim_test(a_ping_is_answered_without_a_signature),
		sim_test(a_session_ends_for_who_has_its_token_and_for_nobody_else),
		sim_test(several_gateways_share_an_orchestrator),
		sim_test(an_orchestrator_says_whether_it_is_reached_where_it_says),
		sim_test(an_orchestrator_that_is_not_reached_says_so_and_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
