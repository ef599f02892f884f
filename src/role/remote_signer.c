/* role/remote_signer - signs payments for gateways that have no key (live-and-byoc 9): its port, what it knows of the
 * chain, and what it has signed before.  What a call does is in signer_call.c, what it may in money/signer_desk. */
#include "remote_signer_priv.h"

#include <string.h>

#include <lpd/base/hex.h>
#include <lpd/base/json.h>
#include <lpd/base/random.h>
#include <lpd/io/reach.h>
#include <lpd/io/server.h>
#include <lpd/market/terms.h>
#include <lpd/money/account.h>
#include <lpd/money/bank.h>

#include "gateway_pay.h"

#define BODY_MAX (2 * 1024 * 1024)	/* an OrchestratorInfo may have 1 MiB, in base64 */
#define SESSIONS 100000
#define OFFERS 100000
#define KEPT ((int64_t)3600 * 1000000000)	/* nanoseconds that an idle session is remembered */
#define SWEEP LP_MIN

void lp_signer_refuse(struct lp_remote_signer *signer, struct lp_exchange *ex, const struct lp_signer_no *no,
		      struct lp_span orchestrator)
{
	const char *words = no->status == 500 ? "Internal Server Error" :
			    no->status == 503 ? "Service Unavailable Error" : no->words;
	const struct lp_header headers[] = {
		{ .name = LP_SPAN("content-type"), .value = LP_SPAN("application/json") },
		{ .name = LP_SPAN("livepeer-orchestrator-url"), .value = orchestrator },
	};
	int n = no->status == LP_SIGNER_REFRESH && orchestrator.len ? 2 : 1;
	struct lp_buf body = { 0 };

	(void)signer;
	if (no->status != 204) {
		lp_buf_add_text(&body, "{\"error\":{\"message\":");
		lp_json_write_str(&body, lp_span(words));
		lp_buf_add_text(&body, "}}\n");
	}
	lp_reply_head(ex, no->status, (int64_t)body.len, headers, n);
	lp_reply_write(ex, lp_buf_span(&body));
	lp_reply_end(ex);
	lp_buf_clear(&body);
}

/* Who proves to orchestrators with it that he pays from our account; the same for ever. */
static void on_proof(void *self, struct lp_exchange *ex)
{
	const struct lp_remote_signer *s = self;
	const struct lp_account *account = s->node->money->account;
	char address[LP_ADDRESS_TEXT], sig[2 * LP_SIG_LEN + 1];
	struct lp_buf body = { 0 };

	lp_buf_fmt(&body, "{\"address\":\"%s\",\"signature\":\"0x%s\"}\n",
		   lp_address_write(address, lp_account_address(account)),
		   lp_hex_write(sig, lp_account_proof(account)->bytes, LP_SIG_LEN));
	lp_reply(ex, 200, "application/json", lp_buf_span(&body));
	lp_buf_clear(&body);
}

static void on_health(void *self, struct lp_exchange *ex)
{
	(void)self;
	lp_reply(ex, 200, "text/plain; charset=utf-8", (struct lp_span){ NULL, 0 });
}

/* ---- the chain ---- */

static void ask_funds(struct lp_remote_signer *s);

static void on_funds(void *self)
{
	struct lp_remote_signer *s = self;

	s->asked = false;
	ask_funds(s);
}

static void ask_funds(struct lp_remote_signer *s)
{
	const struct lp_bank *bank = s->node->money->bank;
	const struct lp_bank_who who = { .sender = lp_account_address(s->node->money->account) };
	const struct lp_chain_clock *clock = lp_bank_clock(bank);
	const struct lp_bank_sender *we;

	if (s->asked)
		return;
	we = lp_bank_sender(s->scope, s->node->money->bank, &who, on_funds, s);
	s->asked = !we;
	if (!we || we->unknown)
		return;
	s->known = true;
	s->deposit = we->is.funds.deposit;
	lp_signer_desk_chain(s->desk, &(struct lp_sender_chain){
		.block = clock->block,
		.last_round = clock->rounds.last,
		.withdraw_round = we->is.withdraw_round,
		.deposit = we->is.funds.deposit,
		.reserve = we->is.funds.reserve,
	});
}

static void on_tick(void *self)
{
	struct lp_remote_signer *s = self;
	int64_t now = lp_mono(s->node->loop);

	if (!lp_bank_trouble(s->node->money->bank))
		s->news_at = now;
	ask_funds(s);
	if (now - s->swept_at < SWEEP)
		return;
	s->swept_at = now;
	lp_signer_desk_expire(s->desk, lp_wall(s->node->loop) * 1000 - KEPT);
}

/* What was signed for before the start is not signed for again. */
static void on_offer(void *self, const struct lp_db_value *v, int n)
{
	struct lp_remote_signer *s = self;
	struct lp_hash hash;

	if (n != 2 || v[0].bytes.len != sizeof(hash.bytes))
		return;
	memcpy(hash.bytes, v[0].bytes.at, sizeof(hash.bytes));
	lp_signer_desk_know(s->desk, &hash, (uint64_t)v[1].i);
}

static enum lp_code open_desk(struct lp_remote_signer *s, struct lp_err *e)
{
	struct lp_sender_rules of = { 0 };
	struct lp_signer_rules rules = { .account = lp_account_address(s->node->money->account),
					 .max_sessions = SESSIONS, .max_offers = OFFERS };

	if (lp_purse_rules(&of, s->node->options, e) != LP_OK)
		return e->code;
	rules.max_ticket_ev = of.max_ticket_ev;
	rules.max_total_ev = of.max_total_ev;
	rules.deposit_multiplier = s->multiplier = of.deposit_multiplier;
	lp_random(&rules.first_nonce, sizeof(rules.first_nonce));
	s->desk = lp_signer_desk_new(&rules);
	s->news_at = lp_mono(s->node->loop);
	ask_funds(s);
	lp_bank_watch(s->scope, s->node->money->bank, on_tick, s);
	return lp_db_load(s->node->db, "SELECT rand_hash, expiration_block FROM pay_sent_offer", on_offer, s, e);
}

/* ---- options ---- */

static enum lp_code read_headers(struct lp_remote_signer *s, struct lp_span text, struct lp_err *e)
{
	s->headers[s->n_headers++] = (struct lp_header){ .name = LP_SPAN("content-type"),
							 .value = LP_SPAN("application/json") };
	while (text.len) {
		struct lp_span value = lp_span_cut(&text, ','), name = lp_span_trim(lp_span_cut(&value, ':'));
		char *lower = lp_strdup(s->scope, name);

		if (!name.len || !value.at || s->n_headers == LP_SIGNER_HEADERS)
			return lp_fail(e, LP_CONFIG, "-remoteSignerWebhookHeaders: it is NAME:VALUE,..., at most %d of them",
				       LP_SIGNER_HEADERS - 1);
		for (char *c = lower; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
		s->headers[s->n_headers++] = (struct lp_header){ lp_span(lower), lp_span_trim(value), true };
	}
	return LP_OK;
}

/* Whoever can reach it can have payments signed: beyond this machine somebody must be asked, or the operator say that
 * he means it. */
static enum lp_code read_options(struct lp_remote_signer *s, struct lp_url *address, struct lp_err *e)
{
	const struct lp_options *o = s->node->options;
	const char *text = lp_options_http_addr(o, LP_ROLE_SIGNER);
	struct lp_url url;
	struct lp_err why;

	if (lp_options_roles(o) != LP_ROLE_SIGNER)
		return lp_fail(e, LP_CONFIG, "-mode remote-signer shares no process with another mode: the key is to be alone");
	if (strcmp(lp_option_text(o, LP_OPT_NETWORK), "offchain") == 0)
		return lp_fail(e, LP_CONFIG, "a remote signer needs a network where something is paid: -network local");
	if (lp_url_parse_address(s->scope, address, lp_span(text), 8935, &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "-httpAddr: %s", lp_err_words(&why));
	s->webhook = lp_span(lp_option_text(o, LP_OPT_REMOTE_SIGNER_WEBHOOK_URL));
	if (s->webhook.len && (lp_url_parse(s->scope, &url, s->webhook, &why) != LP_OK || url.unix_path))
		return lp_fail(e, LP_CONFIG, "-remoteSignerWebhookUrl must be a URL like https://example.org/signer");
	if (!s->webhook.len && !lp_option_bool(o, LP_OPT_REMOTE_SIGNER_ALLOW_NO_AUTH) && !address->unix_path &&
	    (!address->host.len || address->host.at[0] == '0' || lp_span_is(address->host, "::") ||
	     lp_reach_of(address) != LP_REACH_OWN))
		return lp_fail(e, LP_CONFIG, "-httpAddr %s: others could have payments signed: give -remoteSignerWebhookUrl, "
			       "or -remoteSignerAllowNoAuth if something else keeps them away", text);
	if (lp_max_price_read(s->max, lp_span(lp_option_text(o, LP_OPT_MAX_PRICE_PER_UNIT)),
			      lp_span(lp_option_text(o, LP_OPT_PIXELS_PER_UNIT)), &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "-maxPricePerUnit: %s", lp_err_words(&why));
	return read_headers(s, lp_span(lp_option_text(o, LP_OPT_REMOTE_SIGNER_WEBHOOK_HEADERS)), e);
}

static struct lp_remote_signer *signer_new(struct lp_node *node, struct lp_scope *scope)
{
	struct lp_remote_signer *s = lp_new(scope, struct lp_remote_signer);

	s->node = node;
	s->scope = scope;
	s->max = lp_new(scope, struct lp_max_prices);
	return s;
}

/* ---- the role ---- */

static void signer_close(void *arg)
{
	struct lp_remote_signer *s = arg;

	lp_signer_desk_free(&s->desk);
	s->node->signer = NULL;
}

static void add_routes(struct lp_remote_signer *s)
{
	const struct lp_route routes[] = {
		{ "POST", "/sign-orchestrator-info", 64 * 1024, on_proof, s },
		{ "POST", "/generate-live-payment", BODY_MAX, lp_signer_on_generate, s },
		{ "GET", "/healthz", 0, on_health, s },
	};

	s->router = lp_router_open(s->scope);
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
		lp_router_add(s->router, &routes[i]);
}

static enum lp_code signer_open(struct lp_node *node, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(node->scope, "remote signer");
	struct lp_remote_signer *s = signer_new(node, scope);
	struct lp_server_want want = { .handle = lp_router_handle, .log = node->log, .metrics = node->metrics };

	node->signer = s;
	lp_defer(scope, signer_close, s);
	if (read_options(s, &want.address, e) != LP_OK || open_desk(s, e) != LP_OK)
		return e->code;
	s->fetcher = lp_fetcher_open(scope, node->loop);
	add_routes(s);
	want.self = s->router;
	if (lp_server_open(scope, &s->server, node->loop, &want, e) != LP_OK)
		return e->code;
	lp_log(node->log, LP_INFO, "remote signer listens", "port=%u asks=%s", lp_server_port(s->server),
	       s->webhook.len ? "a webhook" : "nobody");
	return LP_OK;
}

static enum lp_code signer_check(struct lp_node *node, struct lp_buf *told, struct lp_err *e)
{
	struct lp_remote_signer *s = signer_new(node, node->scope);
	struct lp_sender_rules rules = { 0 };
	struct lp_url address;

	if (read_options(s, &address, e) != LP_OK || lp_purse_rules(&rules, node->options, e) != LP_OK)
		return e->code;
	lp_buf_fmt(told, "remote signer: listens at %s\n", lp_options_http_addr(node->options, LP_ROLE_SIGNER));
	return LP_OK;
}

static void signer_drain(struct lp_node *node)
{
	lp_server_drain(node->signer->server);
}

static int signer_connections(const struct lp_node *node)
{
	return node->signer->jobs;
}

static bool signer_ready(struct lp_node *node, struct lp_buf *why)
{
	if (!node->signer->known)
		lp_buf_add_text(why, "the chain says nothing of our deposit");
	else if (lp_books_broken(node->money->books))
		lp_buf_add_text(why, "the books are broken");
	return !why->len;
}

static void signer_status(struct lp_node *node, struct lp_buf *to)
{
	const struct lp_remote_signer *s = node->signer;

	lp_buf_fmt(to, "{\"port\":%u,\"calls\":%d,\"sessions\":%zu,\"offers\":%zu,\"webhook\":%s}",
		   lp_server_port(s->server), s->jobs, lp_signer_desk_sessions(s->desk), lp_signer_desk_offers(s->desk),
		   s->webhook.len ? "true" : "false");
}

const struct lp_role lp_role_remote_signer = {
	.name = "remote-signer",
	.open = signer_open,
	.check = signer_check,
	.drain = signer_drain,
	.connections = signer_connections,
	.ready = signer_ready,
	.status = signer_status,
};
