/* A payer made by hand against an orchestrator that is paid: each refusal with its code, nothing run and nothing
 * lost; credit before work, over a crash; winners on their way to the chain. */
#include <stdio.h>
#include <string.h>

#include <lpd/io/grpc.h>
#include <lpd/market/segment.h>
#include <lpd/pay/ledger_local.h>
#include <lpd/pay/signer.h>
#include <role/payee.h>

#include "sim.h"

#define MODEL LP_SPAN("stabilityai/sdxl-turbo")
#define SESSION "27_stabilityai/sdxl-turbo"
#define PICTURE "{\"model_id\":\"stabilityai/sdxl-turbo\",\"prompt\":\"a fox\"}"
#define FEE (1000 * 512 * 512)
#define EV 200000000		/* a picture takes two tickets */

struct world {
	struct sim *s;
	struct sim_node *o;
	struct lp_ledger *ledger;
	struct lp_key *key, *other;
	struct lp_orch_info info;
	struct lp_params params;
	uint32_t nonce;
};

static struct lp_key *key_of(struct lp_scope *scope, uint8_t n)
{
	const uint8_t secret[32] = { [0] = 7, [31] = n };
	struct lp_key *key;

	assert_int_equal(lp_key_open(scope, &key, secret, NULL), LP_OK);
	return key;
}

static void fund(struct world *w, struct lp_key *key)
{
	const struct lp_wei much = { { { 0, 1000, 0, 0 } } };
	struct lp_err e;

	assert_int_equal(lp_ledger_fund(w->ledger, lp_key_address(key), much, much, &e), LP_OK);
}

static void begin(struct world *w, uint64_t seed, const char *max_face)
{
	struct sim *s = w->s = sim_new(seed);
	const char *path = lp_fmt(s->scope, "%s/ledger", s->dir);
	struct lp_err e;

	w->o = sim_orchestrator(s, "orch", .capacity = 2,
				.args = SIM_ARGS("-network", "local", "-ledger", path, "-pricePerUnit", "1000",
						 "-ticketEV", "200000000", "-maxFaceValue", max_face));
	assert_int_equal(lp_ledger_open(s->scope, &w->ledger, path, &e), LP_OK);
	w->key = key_of(s->scope, 1);
	w->other = key_of(s->scope, 2);
	w->nonce = 1;
	fund(w, w->key);
	fund(w, w->other);
	sim_run_for(s, 5 * LP_SEC);
}

static void end(struct world *w)
{
	sim_books_balance(w->s);
	sim_end(w->s);
}

/* ---- GetOrchestrator ---- */

struct question {
	struct lp_grpc_call *call;
	bool done;
};

static void on_done(void *self)
{
	((struct question *)self)->done = true;
}

static struct lp_sig proof(const struct lp_key *key)
{
	char text[LP_ADDRESS_TEXT];
	struct lp_hash hash;
	struct lp_sig sig;

	lp_address_write(text, lp_key_address(key));
	lp_keccak256(hash.bytes, text, strlen(text));
	lp_key_sign(&sig, key, &hash);
	return sig;
}

static enum lp_code ask(struct world *w, struct lp_span model, const struct lp_key *signer, struct lp_err *e)
{
	struct lp_scope *scope = w->s->app_scope;
	struct question *q = lp_new(scope, struct question);
	struct lp_address *us = lp_new(scope, struct lp_address);
	struct lp_sig *sig = lp_new(scope, struct lp_sig);
	struct lp_orch_request request = { .has_capabilities = true };
	struct lp_buf message = { 0 };
	struct lp_span answer;
	struct lp_url url;

	*us = lp_key_address(w->key);
	*sig = proof(signer);
	request.address = lp_span_of(us->bytes, LP_ADDRESS_LEN);
	request.sig = lp_span_of(sig->bytes, LP_SIG_LEN);
	lp_capabilities_init(&request.capabilities, scope, LP_SPAN("0.9.1"));
	lp_capabilities_add_model(scope, &request.capabilities, 27, &(struct lp_model_terms){ .model = model });
	lp_orch_request_encode(&message, &request);
	assert_int_equal(lp_url_parse(scope, &url, w->o->node->orchestrator->service_uri, e), LP_OK);
	q->call = lp_grpc_start(scope, w->s->app, &url,
				&(struct lp_grpc_want){ .path = "/net.Orchestrator/GetOrchestrator",
							.message = lp_buf_span(&message), .timeout = 5 * LP_SEC },
				on_done, q);
	lp_buf_clear(&message);
	for (int i = 0; !q->done && i < 600; i++)
		sim_run_for(w->s, 10 * LP_MSEC);
	*e = (struct lp_err){ 0 };
	if (lp_grpc_result(q->call, &answer, e) != LP_OK)
		return e->code;
	return lp_orch_info_decode(scope, &w->info, answer, e);
}

static void get_terms(struct world *w)
{
	struct lp_err e;

	assert_int_equal(ask(w, MODEL, w->key, &e), LP_OK);
	assert_true(w->info.price.present && w->info.has_ticket_params);
	assert_int_equal(w->info.price.price_per_unit, 1000 * w->info.price.pixels_per_unit);
	assert_int_equal(lp_params_read(&w->params, w->info.ticket_params, &e), LP_OK);
}

/* ---- a job ---- */

static struct lp_payment payment(struct world *w, size_t tickets)
{
	struct lp_payment p = { .sender = lp_key_address(w->key), .has_params = tickets > 0, .params = w->params,
				.has_price = true, .price_per_unit = w->info.price.price_per_unit,
				.units = w->info.price.pixels_per_unit, .n = tickets };

	p.tickets = lp_new_array(w->s->app_scope, struct lp_payment_ticket, tickets + 1);
	for (size_t i = 0; i < tickets; i++)
		p.tickets[i].nonce = w->nonce++;
	lp_payment_sign(&p, w->key);
	return p;
}

static struct lp_span segment_of(struct world *w)
{
	struct lp_segment segment = { .manifest_id = LP_SPAN(SESSION), .auth_token = w->info.auth_token };
	struct lp_buf message = { 0 }, header = { 0 };
	struct lp_hash hash;
	struct lp_sig sig;

	lp_segment_message(&message, segment.manifest_id);
	lp_keccak256(hash.bytes, lp_buf_span(&message).at, message.len);
	lp_key_sign(&sig, w->key, &hash);
	segment.sig = lp_span_of(sig.bytes, LP_SIG_LEN);
	lp_segment_encode(&header, &segment);
	struct lp_span text = lp_span_dup(w->s->app_scope, lp_buf_span(&header));
	lp_buf_clear(&message);
	lp_buf_clear(&header);
	return text;
}

static struct lp_span header_of(struct world *w, const struct lp_payment *p)
{
	struct lp_buf header = { 0 };

	lp_payment_write(&header, p);
	struct lp_span text = lp_span_dup(w->s->app_scope, lp_buf_span(&header));
	lp_buf_clear(&header);
	return text;
}

static struct sim_reply *send(struct world *w, struct lp_span header, const char *body)
{
	struct lp_span uri = w->o->node->orchestrator->service_uri;
	const struct lp_header headers[] = {
		{ LP_SPAN("livepeer-payment"), header, false },
		{ LP_SPAN("livepeer-segment"), segment_of(w), false },
		{ LP_SPAN("authorization"), LP_SPAN("Livepeer-AI-Worker-1.0"), false },
	};

	return sim_ask_with(w->s, &(struct sim_ask_want){
		.url = lp_fmt(w->s->app_scope, "%.*s/text-to-image", LP_ARG(uri)),
		.body = lp_span(body), .headers = headers, .n_headers = 3 });
}

static struct sim_reply *job(struct world *w, const struct lp_payment *p)
{
	struct sim_reply *r = send(w, header_of(w, p), PICTURE);

	sim_run_until_quiet(w->s);
	return r;
}

static struct lp_amount balance(struct world *w)
{
	const struct lp_payer who = { lp_key_address(w->key), LP_SPAN(SESSION) };

	return lp_recipient_balance(w->o->node->orchestrator->payee->recipient, &who);
}

/* Of whole wei; a ticket is worth a little more than its EV. */
static void assert_balance(struct world *w, uint64_t wei)
{
	struct lp_wei have;

	assert_true(lp_amount_wei(&have, balance(w), LP_DOWN));
	assert_true(lp_wei_cmp(have, lp_wei_of(wei)) == 0);
}

/* ---- the tests ---- */

static void a_job_is_charged_what_it_took_and_the_rest_is_credit(void **state)
{
	struct world w = { 0 };
	struct lp_payment p;

	(void)state;
	begin(&w, 900, "0");
	get_terms(&w);
	p = payment(&w, 2);
	assert_int_equal(job(&w, &p)->status, 200);
	assert_balance(&w, 2 * EV - FEE);
	p = payment(&w, 1);
	assert_int_equal(job(&w, &p)->status, 200);
	assert_balance(&w, 3 * EV - 2 * FEE);
	assert_int_equal(sim_metric(w.o, LP_M_TICKETS_RECV, LP_LABELS("orch")), 3);
	/* one that fails costs nothing, and its tickets are kept */
	w.o->runner->does.status = 500;
	p = payment(&w, 2);
	assert_int_equal(job(&w, &p)->status, 500);
	assert_balance(&w, 5 * EV - 2 * FEE);
	end(&w);
}

static void only_who_signed_its_address_and_has_funds_is_told_terms(void **state)
{
	struct world w = { 0 };
	struct lp_err e;

	(void)state;
	begin(&w, 901, "0");
	assert_int_not_equal(ask(&w, MODEL, w.other, &e), LP_OK);
	assert_non_null(strstr(lp_err_words(&e), "sig check failed"));
	w.key = key_of(w.s->scope, 3);		/* nobody has put anything there */
	assert_int_not_equal(ask(&w, MODEL, w.key, &e), LP_OK);
	assert_non_null(strstr(lp_err_words(&e), "insufficient sender reserve"));
	end(&w);
}

enum change { NO_TICKETS, ONE_TICKET, SEEN, TWICE, RECIPIENT, PRICE, SIGNATURE, CHANGED_OFFER, STRANGER, OTHER_MODEL,
	      OTHER_TOKEN, TOO_MANY, OVER };

static const struct {
	enum change change;
	enum lp_code code;
	int status;
	const char *text;
	uint64_t credit;
} refusals[] = {
	{ NO_TICKETS, LP_UNPAID, 400, "Insufficient balance", 0 },
	{ ONE_TICKET, LP_UNDERPAID, 400, "Insufficient balance", EV },
	{ SEEN, LP_NONCE_SEEN, 400, "invalid ticket senderNonce: already seen", 0 },
	{ TWICE, LP_NONCE_SEEN, 400, "invalid ticket senderNonce: already seen", 0 },
	{ RECIPIENT, LP_TICKET_RECIPIENT, 400, "invalid ticket recipient", 0 },
	{ PRICE, LP_PRICE, 400, "invalid expected price", 0 },
	{ SIGNATURE, LP_BAD_TICKET, 400, "invalid ticket signature", 0 },
	{ CHANGED_OFFER, LP_BAD_TICKET, 400, "invalid recipientRand", 0 },
	{ STRANGER, LP_FORBIDDEN, 403, "ErrSegSig", 0 },
	{ OTHER_MODEL, LP_FORBIDDEN, 403, "invalid auth token", 0 },
	{ OTHER_TOKEN, LP_FORBIDDEN, 403, "invalid auth token", 0 },
	{ TOO_MANY, LP_TICKETS_FULL, 400, "", 0 },
	{ OVER, LP_PARAMS_EXPIRED, 400, "TicketParams expired", 0 },
};

/* Before it is signed: tickets, what stands in them, and who signs. */
static struct lp_payment changed(struct world *w, enum change change)
{
	size_t n = change == NO_TICKETS ? 0 : change == ONE_TICKET ? 1 : 2;
	struct lp_payment p = payment(w, n);

	if (change == SEEN || change == TWICE)
		p.tickets[1].nonce = change == SEEN ? 1 : p.tickets[0].nonce;
	if (change == RECIPIENT)
		p.params.recipient.bytes[0] ^= 1;
	if (change == PRICE)
		p.price_per_unit--;
	if (change == CHANGED_OFFER)
		p.params.expiration_block++;
	if (change == STRANGER)
		p.sender = lp_key_address(w->other);
	lp_payment_sign(&p, change == SIGNATURE || change == STRANGER ? w->other : w->key);
	return p;
}

static struct sim_reply *refused_job(struct world *w, enum change change)
{
	struct lp_orch_info kept = w->info;
	struct sim_reply *r;
	struct lp_payment p;
	struct lp_err e;

	if (change == OTHER_MODEL) {
		assert_int_equal(ask(w, LP_SPAN("some/other"), w->key, &e), LP_OK);
		kept.auth_token = w->info.auth_token;
		w->info = kept;
	}
	if (change == OTHER_TOKEN) {
		w->info.auth_token.expiration++;
		kept = w->info;
	}
	if (change == OVER) {
		assert_int_equal(lp_ledger_advance(w->ledger, w->params.expiration_block, &e), LP_OK);
		sim_run_for(w->s, 5 * LP_SEC);
	}
	if (change == TOO_MANY)
		p = payment(w, LP_NONCES_MAX + 1);
	else
		p = changed(w, change);
	r = job(w, &p);
	w->info = kept;
	return r;
}

static void each_refusal_has_its_code_and_nothing_is_run_or_lost(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		struct world w = { 0 };
		struct lp_payment p;

		begin(&w, 910 + i, "0");
		get_terms(&w);
		if (refusals[i].change == SEEN) {	/* leaves less than a ticket does not make up for */
			p = payment(&w, 2);
			assert_int_equal(job(&w, &p)->status, 200);
		}
		uint64_t had = refusals[i].change == SEEN ? 2 * EV - FEE : 0;
		int runs = w.o->runner->started;
		struct sim_reply *r = refused_job(&w, refusals[i].change);
		if (r->status != refusals[i].status || sim_jobs(w.o, refusals[i].code) != 1 ||
		    lp_span_find(lp_buf_span(&r->body), lp_span(refusals[i].text)) < 0)
			fail_msg("%zu: %d %s", i, r->status, lp_buf_text(&r->body));
		assert_int_equal(w.o->runner->started, runs);
		assert_balance(&w, had + refusals[i].credit);
		end(&w);
	}
}

static void the_same_bytes_again_are_paid_once(void **state)
{
	struct world w = { 0 };
	struct lp_payment p;

	(void)state;
	begin(&w, 930, "0");
	get_terms(&w);
	p = payment(&w, 3);
	assert_int_equal(job(&w, &p)->status, 200);
	assert_balance(&w, 3 * EV - FEE);
	assert_int_equal(job(&w, &p)->status, 200);	/* what is left does for it */
	assert_balance(&w, 3 * EV - 2 * FEE);
	assert_int_equal(job(&w, &p)->status, 400);
	assert_balance(&w, 3 * EV - 2 * FEE);
	end(&w);
}

static void jobs_at_the_same_time_do_not_spend_the_same_credit(void **state)
{
	struct world w = { 0 };
	struct lp_payment none, p;
	struct sim_reply *first, *second;

	(void)state;
	begin(&w, 931, "0");
	get_terms(&w);
	w.o->runner->does.delay = LP_SEC;
	p = payment(&w, 2);
	none = payment(&w, 0);
	first = send(&w, header_of(&w, &p), PICTURE);
	sim_run_for(w.s, 500 * LP_MSEC);
	second = send(&w, header_of(&w, &none), PICTURE);
	sim_run_until_quiet(w.s);
	assert_int_equal(first->status, 200);
	assert_int_equal(second->status, 400);
	end(&w);
}

static void credit_and_nonces_survive_a_crash(void **state)
{
	struct world w = { 0 };
	struct lp_payment p;

	(void)state;
	begin(&w, 932, "0");
	get_terms(&w);
	p = payment(&w, 2);
	assert_int_equal(job(&w, &p)->status, 200);
	sim_run_for(w.s, LP_SEC);
	sim_kill(w.o);
	sim_start(w.o);
	sim_run_for(w.s, 5 * LP_SEC);
	assert_balance(&w, 2 * EV - FEE);
	/* the terms of before are good, and its tickets are known: the same again brings nothing */
	assert_int_equal(job(&w, &p)->status, 400);
	assert_int_equal(sim_jobs(w.o, LP_NONCE_SEEN), 1);
	assert_balance(&w, 2 * EV - FEE);
	p = payment(&w, 1);
	assert_int_equal(job(&w, &p)->status, 200);
	assert_balance(&w, 3 * EV - 2 * FEE);
	end(&w);
}

/* Every second ticket wins, and brings two. */
static void winners_are_redeemed_when_their_offer_is_over(void **state)
{
	struct world w = { 0 };
	struct lp_wei fees = LP_WEI_ZERO;
	struct lp_payment p;
	struct lp_err e;

	(void)state;
	begin(&w, 933, "400000000");
	get_terms(&w);
	p = payment(&w, 100);
	assert_int_equal(job(&w, &p)->status, 200);
	int64_t won = sim_metric(w.o, LP_M_WINNING_TICKETS_RECV, LP_LABELS("orch"));
	assert_in_range(won, 20, 80);
	assert_balance(&w, 100 * (uint64_t)EV - FEE);
	sim_run_for(w.s, 10 * LP_SEC);
	assert_int_equal(lp_ledger_fees(w.ledger, &fees, w.params.recipient, &e), LP_OK);
	assert_true(lp_wei_is_zero(fees));		/* its rand is nobody's yet */
	sim_kill(w.o);
	sim_start(w.o);
	assert_int_equal(lp_ledger_advance(w.ledger, w.params.expiration_block, &e), LP_OK);
	sim_run_for(w.s, 60 * LP_SEC);
	assert_int_equal(lp_ledger_fees(w.ledger, &fees, w.params.recipient, &e), LP_OK);
	assert_true(lp_wei_cmp(fees, lp_wei_of(400000000 * (uint64_t)won)) == 0);
	assert_int_equal(lp_winners_count(lp_recipient_winners(w.o->node->orchestrator->payee->recipient)), 0);
	end(&w);
}

/* ---- prices ---- */

static struct lp_orch_info told(struct world *w, struct lp_span model)
{
	struct lp_err e;

	if (ask(w, model, w->key, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	return w->info;
}

#define ROW(more) "{\"pipeline\":\"text-to-image\",\"url\":\"http://runner-orch:8000\",\"warm\":true," more "}"

static void what_has_no_price_is_not_offered_and_0_is_free(void **state)
{
	struct world w = { .s = sim_new(940) };
	const char *path = lp_fmt(w.s->scope, "%s/ledger", w.s->dir);
	struct lp_orch_info info;
	struct lp_err e;

	(void)state;
	w.o = sim_orchestrator(w.s, "orch", .args = SIM_ARGS("-network", "local", "-ledger", path),
			       .models = "[" ROW("\"model_id\":\"dear\",\"price_per_unit\":7") ","
					 ROW("\"model_id\":\"free\",\"price_per_unit\":0") ","
					 ROW("\"model_id\":\"none\"") "]");
	assert_int_equal(lp_ledger_open(w.s->scope, &w.ledger, path, &e), LP_OK);
	w.key = key_of(w.s->scope, 1);
	fund(&w, w.key);
	sim_run_for(w.s, 5 * LP_SEC);
	info = told(&w, LP_SPAN("dear"));
	assert_true(info.price.present && info.has_ticket_params && info.auth_token.token.len == LP_QUOTE_TOKEN);
	assert_int_equal(info.price.price_per_unit, 7);
	info = told(&w, LP_SPAN("free"));
	assert_true(info.price.present && info.price.price_per_unit == 0);
	info = told(&w, LP_SPAN("none"));
	assert_false(info.price.present || info.has_ticket_params);
	assert_null(lp_capabilities_model(&info.capabilities, 27, LP_SPAN("none")));
	end(&w);
}

static void a_reload_reprices_and_what_was_quoted_stays_good(void **state)
{
	struct world w = { 0 };
	struct lp_options *options;
	struct lp_payment p;
	struct lp_err e;
	char **argv;

	(void)state;
	begin(&w, 941, "0");
	get_terms(&w);
	p = payment(&w, 2);
	options = lp_options_open(w.s->scope);
	argv = lp_new_array(w.s->scope, char *, (size_t)w.o->argc + 2);
	for (int i = 0; i < w.o->argc; i++)
		argv[i] = lp_strdup(w.s->scope, lp_span(w.o->argv[i]));
	argv[w.o->argc] = lp_strdup(w.s->scope, LP_SPAN("-pricePerUnit=3000"));
	assert_int_equal(lp_options_read(options, w.o->argc + 1, argv, NULL, &e), LP_OK);
	lp_node_reload(w.o->node, options);
	assert_int_equal(job(&w, &p)->status, 200);
	assert_balance(&w, 2 * EV - FEE);
	assert_int_equal(told(&w, MODEL).price.price_per_unit, 3000);
	end(&w);
}

/* Both are sums, so that neither is had for the price of the cheaper; and the quote for two is good for one of them. */
/* Redeeming costs nothing on a ledger in a file, so a gas price is put in: as a chain would tell it. */
static void what_redeeming_costs_is_part_of_the_price_when_asked_for_only(void **state)
{
	struct world w = { 0 };
	struct lp_payee *payee;
	struct lp_price_info price;

	(void)state;
	begin(&w, 943, "0");
	payee = w.o->node->orchestrator->payee;
	assert_false(payee->adjust);
	payee->terms.gas_price = lp_wei_of(1000000);
	price = told(&w, MODEL).price;
	assert_true(price.price_per_unit == 1000 * price.pixels_per_unit);
	payee->adjust = true;
	payee->terms.gas_price = lp_wei_of(1000000);
	price = told(&w, MODEL).price;
	assert_true(price.price_per_unit > 1000 * price.pixels_per_unit);
	/* A redemption is a hundredth of a face value at most, and so is what it adds. */
	assert_true(price.price_per_unit <= 1010 * price.pixels_per_unit);
	end(&w);
}

static void a_quote_for_two_models_costs_both(void **state)
{
	struct world w = { 0 };
	struct lp_scope *scope;
	struct lp_quote quote = { 0 };
	struct lp_capabilities caps;
	struct lp_kinds kinds;

	(void)state;
	begin(&w, 942, "0");
	scope = w.s->app_scope;
	lp_capabilities_init(&caps, scope, LP_SPAN("0.9.1"));
	lp_capabilities_add_model(scope, &caps, 28, &(struct lp_model_terms){ .model = LP_SPAN("b") });
	lp_capabilities_add_model(scope, &caps, 27, &(struct lp_model_terms){ .model = LP_SPAN("c") });
	lp_capabilities_add_model(scope, &caps, 27, &(struct lp_model_terms){ .model = LP_SPAN("a") });
	lp_kinds_of(scope, &kinds, &caps);
	lp_kinds_name(scope, &kinds, &quote);
	assert_int_equal(quote.capability, 0);
	assert_true(lp_span_is(quote.model, "27 1 a27 1 c28 1 b"));
	assert_true(lp_kinds_have(&kinds, 28, LP_SPAN("b")));
	assert_false(lp_kinds_have(&kinds, 28, LP_SPAN("a")));
	end(&w);
}

/* ---- with a gateway of ours ---- */

static struct sim_node *gateway(struct world *w)
{
	const char *path = lp_fmt(w->s->scope, "%s/ledger", w->s->dir);
	struct sim_node *g = sim_gateway(w->s, .args = SIM_ARGS("-network", "local", "-ledger", path,
								 "-discoveryInterval", "1s"));
	const struct lp_wei much = { { { 0, 1000, 0, 0 } } };
	struct lp_err e;

	assert_int_equal(lp_ledger_fund(w->ledger, lp_account_address(g->node->money->account), much, much, &e), LP_OK);
	sim_run_for(w->s, 10 * LP_SEC);
	return g;
}

static void a_gateway_of_ours_pays_for_pictures_and_for_the_tokens_that_were_made(void **state)
{
	struct world w = { 0 };
	struct lp_recipient_books books;
	struct lp_wei cost;

	(void)state;
	begin(&w, 943, "0");
	struct sim_node *g = gateway(&w);
	struct sim_reply *r = sim_ask(w.s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(w.s);
	assert_int_equal(r->status, 200);
	lp_recipient_books(&books, w.o->node->orchestrator->payee->recipient);
	assert_true(lp_amount_wei(&cost, books.debited, LP_DOWN));
	assert_true(lp_wei_cmp(cost, lp_wei_of(FEE)) == 0);
	r = sim_ask(w.s, "llm", SIM_CHAT_STREAM);
	sim_run_until_quiet(w.s);
	assert_int_equal(r->status, 200);
	lp_recipient_books(&books, w.o->node->orchestrator->payee->recipient);
	assert_true(lp_amount_wei(&cost, books.debited, LP_DOWN));
	/* fewer than the 256 that were asked for */
	assert_true(lp_wei_cmp(cost, lp_wei_of(FEE + 256 * 1000)) < 0);
	assert_true(lp_wei_cmp(cost, lp_wei_of(FEE)) > 0);
	/* and both believe the same, so that credit is enough for what it says */
	for (int i = 0; i < 20; i++) {
		r = sim_ask(w.s, i % 3 ? "text-to-image" : "llm", i % 3 ? SIM_PICTURE : SIM_CHAT);
		sim_run_until_quiet(w.s);
		assert_int_equal(r->status, 200);
	}
	assert_int_equal(sim_jobs(w.o, LP_UNDERPAID) + sim_jobs(w.o, LP_UNPAID), 0);
	assert_int_equal(g->node->jobs, 0);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(a_job_is_charged_what_it_took_and_the_rest_is_credit),
		sim_test(only_who_signed_its_address_and_has_funds_is_told_terms),
		sim_test(each_refusal_has_its_code_and_nothing_is_run_or_lost),
		sim_test(the_same_bytes_again_are_paid_once),
		sim_test(jobs_at_the_same_time_do_not_spend_the_same_credit),
		sim_test(credit_and_nonces_survive_a_crash),
		sim_test(winners_are_redeemed_when_their_offer_is_over),
		sim_test(what_has_no_price_is_not_offered_and_0_is_free),
		sim_test(a_reload_reprices_and_what_was_quoted_stays_good),
		sim_test(what_redeeming_costs_is_part_of_the_price_when_asked_for_only),
		sim_test(a_quote_for_two_models_costs_both),
		sim_test(a_gateway_of_ours_pays_for_pictures_and_for_the_tokens_that_were_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
