/* role/self_check - see the header. */
#include "self_check.h"

#include <lpd/io/grpc.h>
#include <lpd/base/random.h>
#include <lpd/market/orch_info.h>
#include <lpd/proto/lp_rpc.pb-c.h>
#include <lpd/proto/message.h>

#include "payee.h"

#define AFTER (2 * LP_SEC)	/* the network's nodes wait as long (network-protocol 4.9) */
#define PATIENCE (5 * LP_SEC)

/* Asks as a gateway does; one that is paid, which answers those alone who can pay, is asked for a signature instead
 * (Ping).  Its scope ends with the question. */
struct check {
	struct lp_orchestrator *o;
	struct lp_scope *scope;
	struct lp_timer timer;		/* when to ask, then when to end */
	struct lp_client *client;
	struct lp_grpc_call *call;
	uint8_t value[32];		/* to be signed */
};

static void check_close(void *arg)
{
	struct check *c = arg;

	lp_timer_clear(&c->timer);
}

static void end(void *self)
{
	struct check *c = self;
	struct lp_scope *scope = c->scope;

	lp_scope_close(&scope);
}

static bool is_our_signature(struct check *c, struct lp_span message)
{
	const Net__PingPong *pong = lp_message_read(c->scope, &net__ping_pong__descriptor, message, 1024);
	struct lp_hash hash;
	struct lp_sig sig;

	lp_keccak256(hash.bytes, c->value, sizeof(c->value));
	return pong && lp_sig_of(&sig, lp_message_bytes(pong->value)) &&
	       lp_sig_check(&sig, &hash, c->o->payee->address);
}

/* The token of an answer is made with a secret that is this data directory's. */
static enum lp_code judge(struct check *c, struct lp_err *e)
{
	struct lp_orch_info info;
	struct lp_span message;

	if (lp_grpc_result(c->call, &message, e) != LP_OK)
		return e->code;
	if (c->o->payee && is_our_signature(c, message))
		return LP_OK;
	if (c->o->payee || lp_orch_info_decode(c->scope, &info, message, e) != LP_OK ||
	    lp_token_check(&info.auth_token, c->o->secret, lp_wall(c->o->node->loop) / LP_SEC, e) != LP_OK)
		return lp_fail(e, LP_BAD_PEER, "another node answers there");
	return LP_OK;
}

static void on_answer(void *self)
{
	struct check *c = self;
	struct lp_err e = { 0 };

	if (judge(c, &e) == LP_OK)
		lp_log_kv(c->o->log, LP_INFO, "reached at its -serviceAddr", "uri", c->o->service_uri.at, NULL);
	else
		lp_log_kv(c->o->log, LP_UNUSUAL, "not reached at its -serviceAddr", "uri", c->o->service_uri.at, "why",
			  lp_err_words(&e), "hint", "gateways may not reach it either: port, firewall, name", NULL);
	c->timer.fire = end;
	lp_timer_set(&c->timer, c->o->node->loop, 0);
}

static void write_question(struct check *c, struct lp_buf *to)
{
	struct lp_orch_request request = { .ignore_capacity_check = true };
	Net__PingPong ping;

	if (!c->o->payee) {
		lp_orch_request_encode(to, &request);
		return;
	}
	lp_random(c->value, sizeof(c->value));
	net__ping_pong__init(&ping);
	ping.value = lp_message_lend(lp_span_of(c->value, sizeof(c->value)));
	lp_message_write(to, &ping.base);
}

static void ask(void *self)
{
	struct check *c = self;
	const struct lp_client_want client = { .tls = lp_tls_client_open(c->scope) };
	struct lp_grpc_want want = { .path = c->o->payee ? "/net.Orchestrator/Ping" :
							   "/net.Orchestrator/GetOrchestrator",
				     .timeout = PATIENCE };
	struct lp_buf message = { 0 };
	struct lp_url base;
	struct lp_err e;

	if (lp_url_parse(c->scope, &base, c->o->service_uri, &e) != LP_OK)
		return;
	c->client = lp_client_open(c->scope, c->o->node->loop, &client);
	write_question(c, &message);
	want.message = lp_buf_span(&message);
	c->call = lp_grpc_start(c->scope, c->client, &base, &want, on_answer, c);
	lp_buf_clear(&message);
}

void lp_self_check(struct lp_orchestrator *o)
{
	struct lp_scope *scope = lp_scope_open(o->node->scope, "self check");
	struct check *c = lp_new(scope, struct check);

	c->o = o;
	c->scope = scope;
	c->timer = (struct lp_timer){ .fire = ask, .self = c };
	lp_defer(scope, check_close, c);
	lp_timer_set(&c->timer, o->node->loop, AFTER);
}
