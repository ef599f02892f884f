#include "gateway_pay.h"

#include <string.h>

#include <lpd/eth/wei.h>
#include <lpd/market/segment.h>
#include <lpd/money/own_till.h>
#include <lpd/role/money.h>

#include "gateway_job.h"

#define SESSIONS 100000		/* of credit at (orchestrator, model) */
#define TOKEN_LEFT 180		/* seconds: in its last ones a token is not begun with (network-protocol 7.4) */

/* ---- the purse ---- */

static enum lp_code read_wei(struct lp_amount *out, const struct lp_options *options, enum lp_option option,
			     struct lp_err *e)
{
	struct lp_span text = lp_span_trim(lp_span(lp_option_text(options, option))), currency;
	struct lp_price price;

	/* A decimal, rounded up: whoever says 0.5 means more than nothing. */
	if (lp_price_read(&price, &currency, text, NULL) == LP_OK && !lp_price_is_free(price) &&
	    lp_price_in_wei(&price, price, currency, LP_PRICE_FREE, NULL) == LP_OK &&
	    lp_price_fee(out, price, 1, LP_UP))
		return LP_OK;
	return lp_fail(e, LP_CONFIG, "-%s: '%.*s' is no amount of wei above 0", lp_option_flag(option), LP_ARG(text));
}

enum lp_code lp_purse_rules(struct lp_sender_rules *rules, const struct lp_options *options, struct lp_err *e)
{
	int64_t multiplier = lp_option_int(options, LP_OPT_DEPOSIT_MULTIPLIER);

	if (multiplier < 1)
		return lp_fail(e, LP_CONFIG, "-depositMultiplier: it is at least 1");
	rules->deposit_multiplier = (uint64_t)multiplier;
	rules->max_tickets = LP_NONCES_MAX;
	rules->max_sessions = SESSIONS;
	if (read_wei(&rules->max_ticket_ev, options, LP_OPT_MAX_TICKET_EV, e) != LP_OK)
		return e->code;
	if (read_wei(&rules->max_total_ev, options, LP_OPT_MAX_TOTAL_EV, e) != LP_OK)
		return e->code;
	/* Beside the jobs that run there: room for a whole payment on top of what is left of another. */
	if (!lp_amount_mul(&rules->max_prepaid, rules->max_total_ev, 2))
		return lp_fail(e, LP_CONFIG, "-maxTotalEV: it is more than can be counted");
	return LP_OK;
}

enum lp_code lp_purse_check(struct lp_node *node, struct lp_err *e)
{
	struct lp_sender_rules rules = { 0 };

	return lp_purse_rules(&rules, node->options, e);
}

static enum lp_code open_own(struct lp_purse *purse, struct lp_err *e)
{
	struct lp_gateway *gw = purse->gw;
	const struct lp_money *money = gw->node->money;
	struct lp_till_own own = { .loop = gw->node->loop, .log = gw->node->log };

	purse->account = own.account = money->account;
	own.bank = money->bank;
	own.books = money->books;
	purse->address = lp_account_address(money->account);
	purse->proof = *lp_account_proof(money->account);
	if (lp_purse_rules(&own.rules, gw->node->options, e) != LP_OK)
		return e->code;
	return lp_till_open(gw->scope, &purse->till, &own, e);
}

enum lp_code lp_purse_open(struct lp_gateway *gw, struct lp_err *e)
{
	const struct lp_money *money = gw->node->money;
	bool is_remote = *lp_option_text(gw->node->options, LP_OPT_REMOTE_SIGNER_URL);
	struct lp_purse *purse;

	if (lp_purse_check(gw->node, e) != LP_OK)
		return e->code;
	if (!money && !is_remote)
		return LP_OK;
	purse = lp_new(gw->scope, struct lp_purse);
	purse->gw = gw;
	if ((is_remote ? lp_purse_open_remote(purse, e) : open_own(purse, e)) != LP_OK)
		return e->code;
	purse->tenders = lp_tenders_open(gw->scope, &(struct lp_tenders_want){
		.loop = gw->node->loop,
		.client = gw->node->client,
		.address = lp_span_of(purse->address.bytes, LP_ADDRESS_LEN),
		.sig = lp_span_of(purse->proof.bytes, sizeof(purse->proof.bytes)),
	});
	gw->purse = purse;
	return LP_OK;
}

struct lp_span lp_purse_segment_sig(struct lp_scope *scope, const struct lp_purse *purse, struct lp_span manifest_id)
{
	struct lp_buf message = { 0 };
	struct lp_sig sig;

	if (!purse || !purse->account)
		return LP_SPAN("");
	lp_segment_message(&message, manifest_id);
	lp_account_sign_message(purse->account, &sig, lp_buf_span(&message));
	lp_buf_clear(&message);
	return lp_span_dup(scope, lp_span_of(sig.bytes, sizeof(sig.bytes)));
}

static double gwei(struct lp_wei wei)
{
	double sum = 0;

	for (int i = 3; i >= 0; i--)
		sum = sum * 18446744073709551616.0 + (double)wei.n.limb[i];
	return sum / 1e9;
}

double lp_amount_gwei(struct lp_amount amount)
{
	struct lp_wei wei;

	return lp_amount_wei(&wei, amount, LP_DOWN) ? gwei(wei) : 0;
}

static void on_known(void *self)
{
	(void)self;
}

/* NULL: the chain has not said yet. */
static const struct lp_bank_sender *funds_of(const struct lp_purse *purse)
{
	const struct lp_money *money = purse->gw->node->money;
	const struct lp_bank_who who = { .sender = purse->address };
	const struct lp_bank_sender *we =
		money ? lp_bank_sender(purse->gw->scope, money->bank, &who, on_known, NULL) : NULL;

	return we && !we->unknown ? we : NULL;
}

void lp_purse_status(const struct lp_purse *purse, struct lp_buf *json)
{
	const struct lp_bank_sender *we = funds_of(purse);
	char text[LP_ADDRESS_TEXT], wei[LP_WEI_TEXT];

	lp_buf_fmt(json, "{\"account\":\"%s\"", lp_address_write(text, purse->address));
	if (we) {
		lp_buf_fmt(json, ",\"deposit\":\"%s\"", lp_wei_write(wei, we->is.funds.deposit, LP_IN_WEI));
		lp_buf_fmt(json, ",\"reserve\":\"%s\"", lp_wei_write(wei, we->is.funds.reserve, LP_IN_WEI));
	}
	lp_buf_add_char(json, '}');
}

void lp_purse_measure(const struct lp_purse *purse)
{
	const struct lp_node *node = purse->gw->node;
	const struct lp_bank_sender *we = funds_of(purse);

	if (!we)
		return;
	lp_metric_number(node->metrics, LP_M_GATEWAY_DEPOSIT, LP_LABELS("bctr"), gwei(we->is.funds.deposit));
	lp_metric_number(node->metrics, LP_M_GATEWAY_RESERVE, LP_LABELS("bctr"), gwei(we->is.funds.reserve));
}

/* ---- PAY: terms ---- */

static struct lp_tender_work work_of(const struct lp_gateway_job *j)
{
	return (struct lp_tender_work){ lp_orch_address(j->at.orch), j->at.capability, j->at.model };
}

static void on_terms(void *self)
{
	struct lp_gateway_job *j = self;

	j->pay.asking = false;
	lp_task_wake(&j->task);
}

/* Without a waiter it is asked behind. */
static void ask(struct lp_gateway_job *j, bool wait)
{
	struct lp_scope *scope = lp_scope_open(NULL, "need");
	struct lp_capabilities need;

	lp_gateway_need(scope, &need, j);
	lp_tender_ask(j->attempt, j->gw->purse->tenders, &(struct lp_tender_ask){
		.work = work_of(j), .need = &need, .on_done = wait ? on_terms : NULL, .self = j,
	});
	j->pay.asking = wait;
	j->pay.asked = j->pay.asked || wait;
	lp_scope_close(&scope);
}

static bool is_good(const struct lp_gateway_job *j, const struct lp_tender *tender, int64_t left)
{
	return tender && lp_auth_token_left(&tender->info.auth_token, lp_wall(j->gw->node->loop) / LP_SEC) > left;
}

/* An answer for one model has its price in price_info, to which the tickets are bound; the list is of those who
 * answer in full whatever they are asked. */
static struct lp_price_info price_of(const struct lp_gateway_job *j, const struct lp_orch_info *info)
{
	for (int i = 0; !info->price.present && i < info->n_prices; i++)
		if (info->prices[i].capability == j->at.capability &&
		    lp_span_eq(info->prices[i].constraint, j->at.model))
			return info->prices[i];
	return info->price;
}

/* Nodes of one operator may be paid to one account, and each keeps books of its own: behind the model's name and a zero
 * byte the node's address tells its session from the others'. */
static struct lp_span session_model(const struct lp_gateway_job *j)
{
	struct lp_span model = j->at.model, node = lp_orch_address(j->at.orch), kept;
	struct lp_buf both = { 0 };

	if (model.len + 1 + node.len > LP_SENDER_MODEL_MAX)
		return model;
	lp_buf_add_span(&both, model);
	lp_buf_add_char(&both, 0);
	lp_buf_add_span(&both, node);
	kept = lp_span_dup(j->attempt, lp_buf_span(&both));
	lp_buf_clear(&both);
	return kept;
}

static enum lp_code read_offer(struct lp_gateway_job *j, const struct lp_orch_info *info, struct lp_till_want *want,
			       struct lp_sender_offer *offer, struct lp_err *e)
{
	const struct lp_price_info price = price_of(j, info);

	offer->price_per_unit = price.present ? price.price_per_unit : 0;
	offer->units = price.present ? price.pixels_per_unit : 1;
	offer->capability = price.capability;
	offer->constraint = price.constraint;
	offer->has_params = info->has_ticket_params;
	if (offer->has_params && lp_params_read(&offer->params, info->ticket_params, e) != LP_OK)
		return e->code;
	if (!offer->has_params && offer->price_per_unit > 0)
		return lp_fail(e, LP_INCOMPATIBLE, "the orchestrator names a price and no ticket parameters");
	want->to = (struct lp_sender_key){ .capability = j->at.capability, .model = session_model(j) };
	if (offer->has_params)
		want->to.recipient = offer->params.recipient;
	else if (!lp_address_of(&want->to.recipient, info->address))
		want->to.recipient = (struct lp_address){ { 0 } };
	return LP_OK;
}

static void on_outlay(void *self)
{
	struct lp_gateway_job *j = self;

	lp_task_wake(&j->task);
}

static enum lp_code begin(struct lp_gateway_job *j, struct lp_tender *tender, struct lp_err *e)
{
	struct lp_gateway *gw = j->gw;
	struct lp_sender_offer offer = { 0 };
	struct lp_till_want want = {
		.units = j->request->units,
		.max = gw->dear_if_needed ? NULL : lp_max_price_of(gw->max_prices, j->at.capability, j->at.model),
		.alone = j->pay.short_at == j->at.orch,
		.job = j->id,
		.info = tender->bytes,
		.offer = &offer,
	};

	if (read_offer(j, &tender->info, &want, &offer, e) != LP_OK)
		return e->code;
	lp_tender_hold(tender);
	lp_defer(j->attempt, lp_tender_let_go, tender);
	j->pay.tender = tender;
	j->pay.to = want.to;
	j->pay.outlay = lp_till_pay(j->attempt, gw->purse->till, &want, (struct lp_till_hook){ on_outlay, j });
	return LP_OK;
}

/* Off-chain what discovery heard is all that is needed; one who wants tickets cannot be served. */
static enum lp_paying unpaid(struct lp_gateway_job *j, const struct lp_orch_info **info, struct lp_err *e)
{
	*info = lp_orch_info(j->at.orch);
	if (!*info) {
		lp_fail(e, LP_INCOMPATIBLE, "the orchestrator's terms are not known any more");
		return LP_PAYING_FAILED;
	}
	if ((*info)->has_ticket_params && price_of(j, *info).price_per_unit > 0) {
		lp_fail(e, LP_INCOMPATIBLE, "the orchestrator is to be paid, and this gateway is off-chain");
		return LP_PAYING_FAILED;
	}
	return LP_PAYING_DONE;
}

static enum lp_paying find_terms(struct lp_gateway_job *j, struct lp_err *e)
{
	const struct lp_tender_work work = work_of(j);
	struct lp_tender *tender = lp_tender_find(j->gw->purse->tenders, &work);

	if (!is_good(j, tender, j->pay.asked ? 0 : TOKEN_LEFT)) {
		if (!j->pay.asked) {
			ask(j, true);
			return LP_PAYING_WAITS;
		}
		*e = *lp_tender_err(j->gw->purse->tenders, &work);
		if (e->code == LP_OK)
			lp_fail(e, LP_BAD_PEER, "the orchestrator's token is over as soon as it comes");
		return LP_PAYING_FAILED;
	}
	return begin(j, tender, e) == LP_OK ? LP_PAYING_WAITS : LP_PAYING_FAILED;
}

/* Ticket parameters that are over, once for a try. */
static bool ask_anew(struct lp_gateway_job *j)
{
	if (lp_outlay_err(j->pay.outlay)->code != LP_PARAMS_EXPIRED || j->pay.asked)
		return false;
	lp_gateway_job_terms_refused(j);
	j->pay.outlay = NULL;
	ask(j, true);
	return true;
}

enum lp_paying lp_gateway_job_pay(struct lp_gateway_job *j, const struct lp_orch_info **info, struct lp_err *e)
{
	if (!j->gw->purse)
		return unpaid(j, info, e);
	if (j->pay.asking)
		return LP_PAYING_WAITS;
	if (!j->pay.outlay)
		return find_terms(j, e);
	if (!lp_outlay_done(j->pay.outlay) || ask_anew(j))
		return LP_PAYING_WAITS;
	*e = *lp_outlay_err(j->pay.outlay);
	if (e->code != LP_OK) {
		j->pay.outlay = NULL;
		lp_metric_add(j->gw->node->metrics, LP_M_PAYMENT_ERRORS, LP_LABELS("bctr", lp_code_name(e->code)), 1);
		return LP_PAYING_FAILED;
	}
	*info = &j->pay.tender->info;
	/* Before its 600 nonces are used up, or its time is: while the old parameters serve, nobody waits. */
	if (lp_till_stale(j->gw->purse->till, &j->pay.to))
		ask(j, false);
	return LP_PAYING_DONE;
}

void lp_gateway_job_terms_refused(struct lp_gateway_job *j)
{
	const struct lp_tender_work work = work_of(j);

	if (j->gw->purse)
		lp_tender_drop(j->gw->purse->tenders, &work);
}

/* ---- SETTLE ---- */

/* Refusals that an orchestrator makes before it credits tickets (network-protocol 5.3, steps 1 to 6); a runner's words
 * are none of them, and an insufficient balance is another matter. */
static bool is_before_credit(enum lp_code code)
{
	return code == LP_NO_CAPACITY || code == LP_TOKEN || code == LP_PEER_REFUSED || code == LP_INCOMPATIBLE ||
	       code == LP_PARAMS_EXPIRED || code == LP_NONCE_SEEN || code == LP_BAD_TICKET ||
	       code == LP_TICKET_RECIPIENT || code == LP_TICKET_SENDER || code == LP_TICKETS_FULL ||
	       code == LP_PRICE || code == LP_NO_FUNDS;
}

/* It will not take tickets of this offer any more. */
static bool is_of_offer(enum lp_code code)
{
	return code == LP_PARAMS_EXPIRED || code == LP_NONCE_SEEN || code == LP_BAD_TICKET ||
	       code == LP_TICKET_RECIPIENT || code == LP_TICKET_SENDER || code == LP_TICKETS_FULL || code == LP_PRICE;
}

/* What an answer says of the payment.  Where that is not certain our books take it for credited: should it not be,
 * the next job is told that its balance is insufficient, pays again, and the books are right. */
static enum lp_paid paid_by_answer(const struct lp_gateway_job *j, enum lp_code code)
{
	int status = lp_call_status(j->call);

	if (status == 200)
		return LP_PAID_DONE;		/* charged before the first byte, whatever became of the answer */
	if (status == 402 || is_before_credit(code))
		return LP_PAID_NOT_TAKEN;
	return code == LP_UNDERPAID ? LP_PAID_SHORT : LP_PAID_FAILED;
}

static enum lp_paid paid_as(const struct lp_gateway_job *j, const struct lp_outlay *outlay, enum lp_code code)
{
	if (!j->call || !lp_outlay_left(outlay))
		return LP_PAID_NOT_TAKEN;
	if (lp_call_status(j->call))
		return paid_by_answer(j, code);
	if (code == LP_CONNECT || code == LP_NOT_SENT || !lp_call_sent(j->call))
		return LP_PAID_NOT_TAKEN;
	return LP_PAID_UNKNOWN;
}

/* Tokens that were made, of an orchestrator that says so: it keeps the rest as credit.  Others charge what was asked
 * for (payments 1.10). */
static uint64_t units_used(const struct lp_gateway_job *j)
{
	struct lp_span charged = lp_headers_find(lp_call_headers(j->call), LP_CHARGES_HEADER);

	return lp_span_is(charged, LP_CHARGES_TOKENS) && j->err.code == LP_OK ? j->tokens : 0;
}

void lp_gateway_job_settle(struct lp_gateway_job *j, enum lp_code code)
{
	struct lp_outlay *outlay = j->pay.outlay;
	struct lp_outlay_end end = { .refused = is_of_offer(code) };

	if (end.refused || lp_code_next(code) == LP_NEXT_REFRESH)
		lp_gateway_job_terms_refused(j);
	j->pay.outlay = NULL;
	j->pay.tender = NULL;
	j->pay.asking = j->pay.asked = j->pay.is_short = false;
	if (!outlay)
		return;
	if (!lp_outlay_done(outlay) || lp_outlay_err(outlay)->code != LP_OK) {
		if (!lp_outlay_done(outlay))
			lp_outlay_settle(outlay, &(struct lp_outlay_end){ .how = LP_PAID_NOT_TAKEN });
		return;
	}
	j->pay.last = *lp_outlay_payment(outlay);
	j->pay.last.header = LP_SPAN("");
	j->pay.how = end.how = paid_as(j, outlay, code);
	j->pay.is_short = end.how == LP_PAID_SHORT;
	end.seen = j->call && lp_call_status(j->call) != 0;
	if (end.how == LP_PAID_DONE)
		end.used = units_used(j);
	lp_gateway_count_paid(j);
	lp_outlay_settle(outlay, &end);
}

/* ---- for people ---- */

static void add_wei(struct lp_buf *to, struct lp_amount amount)
{
	char text[LP_WEI_TEXT];
	struct lp_wei wei;

	if (lp_amount_wei(&wei, amount, LP_UP))
		lp_buf_add_text(to, lp_wei_write(text, wei, LP_IN_WEI));
}

/* What the try under way pays: its answer is being written, so that it is not settled yet. */
bool lp_gateway_job_fee_words(const struct lp_gateway_job *j, struct lp_buf *to)
{
	struct lp_amount fee = j->pay.outlay ? lp_outlay_fee(j->pay.outlay) : j->pay.last.fee;

	if (lp_amount_is_zero(fee))
		return false;
	lp_buf_add_text(to, "fee ");
	add_wei(to, fee);
	lp_buf_add_text(to, " wei");
	return true;
}

void lp_gateway_job_paid_words(const struct lp_gateway_job *j, struct lp_buf *to)
{
	static const char *const words[] = {
		[LP_PAID_NOT_TAKEN] = "not taken", [LP_PAID_SHORT] = "was short", [LP_PAID_FAILED] = "kept as credit",
		[LP_PAID_DONE] = "paid", [LP_PAID_UNKNOWN] = "given up",
	};
	char text[LP_WEI_TEXT];

	if (lp_amount_is_zero(j->pay.last.fee) || !lp_gateway_job_fee_words(j, to))
		return;
	lp_buf_fmt(to, " %s, %u tickets", words[j->pay.how], j->pay.last.tickets);
	if (j->pay.last.tickets)
		lp_buf_fmt(to, " of face value %s", lp_wei_write(text, j->pay.last.face_value, LP_IN_WEI));
}
