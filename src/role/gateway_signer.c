/* A gateway without a key (-remoteSignerUrl): who it is to orchestrators is asked once, at the start; payments are made
 * by money/remote_till (live-and-byoc 9). */
#include "gateway_job.h"

#include <lpd/base/hex.h>
#include <lpd/base/json.h>
#include <lpd/market/segment.h>
#include <lpd/money/remote_till.h>

#define HEADERS 16
#define PROVING (10 * LP_SEC)

static enum lp_code read_headers(struct lp_gateway *gw, struct lp_remote_till_want *want, struct lp_err *e)
{
	struct lp_span text = lp_span(lp_option_text(gw->node->options, LP_OPT_REMOTE_SIGNER_HEADERS));
	struct lp_header *to = lp_new_array(gw->scope, struct lp_header, HEADERS);

	to[want->n_headers++] = (struct lp_header){ LP_SPAN("content-type"), LP_SPAN("application/json"), false };
	want->headers = to;
	while (text.len) {
		struct lp_span value = lp_span_cut(&text, ','), name = lp_span_trim(lp_span_cut(&value, ':'));
		char *lower = lp_strdup(gw->scope, name);

		if (!name.len || !value.at || want->n_headers == HEADERS)
			return lp_fail(e, LP_CONFIG, "-remoteSignerHeaders: it is NAME:VALUE,..., at most %d of them", HEADERS - 1);
		for (char *c = lower; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
		to[want->n_headers++] = (struct lp_header){ lp_span(lower), lp_span_trim(value), true };
	}
	return LP_OK;
}

/* The network takes https where no scheme is given. */
static enum lp_code read_url(struct lp_gateway *gw, struct lp_remote_till_want *want, struct lp_err *e)
{
	const char *text = lp_option_text(gw->node->options, LP_OPT_REMOTE_SIGNER_URL);
	bool whole = lp_span_find(lp_span(text), LP_SPAN("://")) >= 0;
	struct lp_url url;

	want->url = lp_span(lp_fmt(gw->scope, "%s%s", whole ? "" : "https://", text));
	while (lp_span_ends(want->url, "/"))
		want->url.len--;
	if (lp_url_parse(gw->scope, &url, want->url, NULL) != LP_OK || url.unix_path)
		return lp_fail(e, LP_CONFIG, "-remoteSignerUrl must be a URL like https://signer.example.org");
	return LP_OK;
}

static void on_proof(void *self)
{
	lp_loop_stop(self);
}

static enum lp_code read_proof(struct lp_purse *purse, struct lp_scope *scope, struct lp_span body, struct lp_err *e)
{
	struct lp_span address, sig;
	struct lp_hash text;
	char checked[LP_ADDRESS_TEXT];
	json_t *json;

	if (lp_json_parse(scope, &json, body, NULL) != LP_OK || !json_is_object(json))
		return lp_fail(e, LP_CONFIG, "-remoteSignerUrl: its answer is no JSON object");
	address = lp_json_str(json, "address");
	sig = lp_json_str(json, "signature");
	if (!lp_address_read(&purse->address, address) ||
	    !lp_hex_read(purse->proof.bytes, sizeof(purse->proof.bytes), sig))
		return lp_fail(e, LP_CONFIG, "-remoteSignerUrl: its answer has no address and signature");
	lp_address_write(checked, purse->address);
	lp_keccak256(text.bytes, checked, LP_ADDRESS_TEXT - 1);
	if (!lp_sig_check(&purse->proof, &text, purse->address))
		return lp_fail(e, LP_CONFIG, "-remoteSignerUrl: its signature is not that of its address");
	return LP_OK;
}

/* Before the node runs: the loop turns for this question alone. */
static enum lp_code prove(struct lp_purse *purse, const struct lp_remote_till_want *with, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(purse->gw->scope, "proof");
	const struct lp_fetch_want want = {
		.method = "POST",
		.url = lp_span(lp_fmt(scope, "%.*s/sign-orchestrator-info", LP_ARG(with->url))),
		.headers = with->headers,
		.n_headers = with->n_headers,
		.limit = 64 * 1024,
		.total_time = PROVING,
	};
	struct lp_fetch *fetch = lp_fetch_start(scope, with->fetcher, &want, on_proof, with->loop);
	struct lp_span body;
	struct lp_err why;
	enum lp_code code;
	int status;

	lp_loop_run(with->loop);
	if (lp_fetch_result(fetch, &status, &body, &why) != LP_OK)
		code = lp_fail(e, LP_CONFIG, "-remoteSignerUrl: %s", lp_err_words(&why));
	else if (status != 200)
		code = lp_fail(e, LP_CONFIG, "-remoteSignerUrl: it answers %d", status);
	else
		code = read_proof(purse, scope, body, e);
	lp_scope_close(&scope);
	return code;
}

enum lp_code lp_purse_open_remote(struct lp_purse *purse, struct lp_err *e)
{
	struct lp_gateway *gw = purse->gw;
	struct lp_remote_till_want want = { .loop = gw->node->loop };
	char text[LP_ADDRESS_TEXT];

	if (read_url(gw, &want, e) != LP_OK || read_headers(gw, &want, e) != LP_OK)
		return e->code;
	want.fetcher = lp_fetcher_open(gw->scope, gw->node->loop);
	if (prove(purse, &want, e) != LP_OK)
		return e->code;
	want.account = purse->address;
	purse->remote = lp_remote_till_open(gw->scope, &want);
	purse->till = lp_remote_till(purse->remote);
	lp_log_kv(gw->node->log, LP_INFO, "payments are made by a remote signer", "account",
		  lp_address_write(text, purse->address), NULL);
	return LP_OK;
}

/* The signature binds nothing but the name of the work: what came with a payment serves as long as the work is paid. */
struct lp_span lp_purse_remote_sig(struct lp_scope *scope, const struct lp_purse *purse, const struct lp_sender_key *to)
{
	struct lp_segment segment;

	if (lp_segment_decode(scope, &segment, lp_remote_till_segment(purse->remote, to), NULL) != LP_OK)
		return LP_SPAN("");
	return lp_span_dup(scope, segment.sig);
}
