/* GetOrchestrator, Ping, EndTranscodingSession: what the network asks before it sends work
 * (network-protocol 4).  Off-chain: no signature is checked and none is made. */
#include <lpd/base/buf.h>
#include <lpd/market/orch_info.h>
#include <lpd/proto/lp_rpc.pb-c.h>
#include <lpd/proto/message.h>

#include "payee.h"

static const uint8_t no_address[20];	/* never empty, also off-chain: BUG-55 */

const struct lp_capabilities *lp_orchestrator_own(struct lp_orchestrator *o)
{
	unsigned generation = lp_runners_generation(o->runners);

	if (o->own_scope && o->own_generation == generation)
		return &o->own;
	lp_scope_close(&o->own_scope);
	o->own_scope = lp_scope_open(o->node->scope, "own capabilities");
	o->own_generation = generation;
	lp_capabilities_init(&o->own, o->own_scope, o->version);
	o->own.has_constraints = true;
	lp_runners_known(o->own_scope, o->runners, &o->own);
	return &o->own;
}

static void add_hardware(struct lp_scope *scope, struct lp_orchestrator *o, struct lp_orch_info *info)
{
	int n = lp_runners_count(o->runners);

	info->hardware = lp_new_array(scope, struct lp_hardware, (size_t)n + 1);
	for (int i = 0; i < n; i++) {
		const struct lp_runner *runner = lp_runners_at(o->runners, i);

		if (runner->has_hardware)
			info->hardware[info->n_hardware++] = runner->hardware;
	}
}

/* Slots are of use as far as the node takes further jobs. */
static void bound_capacity(const struct lp_orchestrator *o, struct lp_capabilities *caps)
{
	struct lp_err e;
	int left = lp_node_admit(o->node, o->jobs, &e) == LP_OK ? o->node->max_jobs - o->jobs : 0;

	for (int c = 0; c < caps->n_caps; c++)
		for (int m = 0; m < caps->caps[c].n; m++)
			if (caps->caps[c].models[m].capacity > (uint32_t)left)
				caps->caps[c].models[m].capacity = (uint32_t)left;
}

static void fill_info(struct lp_scope *scope, struct lp_orchestrator *o, struct lp_orch_info *info, bool full)
{
	*info = (struct lp_orch_info){
		.transcoder = o->service_uri,
		.address = lp_span_of(no_address, sizeof(no_address)),
		.has_capabilities = true,
		.nodes = o->nodes,
		.n_nodes = o->n_nodes,
	};
	lp_capabilities_init(&info->capabilities, scope, o->version);
	info->capabilities.has_constraints = true;	/* absent, it stops a Go gateway: BUG-30 */
	if (!o->node->draining)
		lp_runners_offer(scope, o->runners, &info->capabilities);
	bound_capacity(o, &info->capabilities);
	lp_token_make(scope, &info->auth_token, o->secret, lp_wall(o->node->loop) / LP_SEC);
	if (full)
		add_hardware(scope, o, info);
}

static void get_orchestrator(void *self, struct lp_grpc_answer *answer, struct lp_span message)
{
	struct lp_orchestrator *o = self;
	struct lp_scope *scope = lp_exchange_scope(lp_grpc_exchange(answer));
	struct lp_orch_request *request = lp_new(scope, struct lp_orch_request);
	struct lp_orch_info info;
	struct lp_buf out = { 0 };
	struct lp_err e;

	if (lp_orch_request_decode(scope, request, message, &e) != LP_OK) {
		lp_grpc_end(answer, LP_GRPC_INTERNAL, lp_err_words(&e));
		return;
	}
	if (o->payee) {
		lp_payee_answer(o->payee, &(struct lp_payee_ask){ answer, request, fill_info });
		return;
	}
	fill_info(scope, o, &info, !request->has_capabilities);
	lp_orch_info_encode(&out, &info);
	lp_grpc_reply(answer, lp_buf_span(&out));
	lp_buf_clear(&out);
}

/* The value of the answer is a signature over the question's: empty without an account (4.9).  Signed are 32 bytes
 * and nothing else: of such a value no ticket can be made (payments R-8). */
static void ping(void *self, struct lp_grpc_answer *answer, struct lp_span message)
{
	struct lp_orchestrator *o = self;
	struct lp_scope *scope = lp_exchange_scope(lp_grpc_exchange(answer));
	const Net__PingPong *asked = lp_message_read(scope, &net__ping_pong__descriptor, message, LP_GRPC_REQUEST_MAX);
	Net__PingPong pong;
	struct lp_buf out = { 0 };
	struct lp_sig sig;

	if (!o->payee) {
		lp_grpc_reply(answer, LP_SPAN(""));
		return;
	}
	if (!asked || asked->value.len != 32) {
		lp_grpc_end(answer, LP_GRPC_UNKNOWN, "a value to sign has 32 bytes");
		return;
	}
	lp_account_sign_message(o->node->money->account, &sig, lp_message_bytes(asked->value));
	net__ping_pong__init(&pong);
	pong.value = lp_message_lend(lp_span_of(sig.bytes, sizeof(sig.bytes)));
	lp_message_write(&out, &pong.base);
	lp_grpc_reply(answer, lp_buf_span(&out));
	lp_buf_clear(&out);
}

/* Transcoding only; served because peers may call it.  The incumbent dies without a token: BUG-2. */
static void end_session(void *self, struct lp_grpc_answer *answer, struct lp_span message)
{
	struct lp_orchestrator *o = self;
	Net__EndTranscodingSessionRequest *request =
		net__end_transcoding_session_request__unpack(NULL, message.len, (const uint8_t *)message.at);
	const Net__AuthToken *token = request ? request->auth_token : NULL;
	struct lp_auth_token have = { .present = token != NULL };
	struct lp_err e;

	if (token) {
		have.token = lp_span_of(token->token.data, token->token.len);
		have.session_id = lp_span(token->session_id);
		have.expiration = token->expiration;
	}
	if (lp_token_check(&have, o->secret, lp_wall(o->node->loop) / LP_SEC, &e) == LP_OK)
		lp_grpc_reply(answer, LP_SPAN(""));
	else
		lp_grpc_end(answer, LP_GRPC_UNKNOWN, "Invalid auth token");
	if (request)
		net__end_transcoding_session_request__free_unpacked(request, NULL);
}

void lp_orchestrator_rpc_open(struct lp_orchestrator *o)
{
	const struct lp_grpc_method methods[] = {
		{ "/net.Orchestrator/GetOrchestrator", get_orchestrator, o, LP_GRPC_REQUEST_MAX },
		{ "/net.Orchestrator/Ping", ping, o, LP_GRPC_REQUEST_MAX },
		{ "/net.Orchestrator/EndTranscodingSession", end_session, o, LP_GRPC_REQUEST_MAX },
	};

	lp_router_grpc(o->router, lp_grpc_handle,
		       lp_grpc_server_open(o->node->scope, methods, sizeof(methods) / sizeof(*methods)));
}
