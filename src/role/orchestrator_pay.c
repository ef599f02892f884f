#include "orchestrator_pay.h"

#include <string.h>

#include <lpd/base/mem.h>
#include <lpd/io/pool.h>

/* A payment on its way into the books.  The role's: it goes on when its job has ended. */
struct taking {
	struct lp_link link;		/* in payee->takings while it waits for winners to be safe */
	struct lp_payee *payee;
	struct lp_scope *scope;
	struct lp_charge *charge;	/* NULL: its job is over */
	struct lp_receipt *receipt;	/* NULL while it is in the pool, and when all is done */
	bool done;
	struct lp_err err;
	struct lp_entry entry;		/* of the ledger; its texts are in the scope */
	struct lp_wei face_value;
};

struct lp_charge {
	struct lp_charge_want want;
	struct lp_scope *scope;
	struct lp_span header;
	struct lp_payment payment;
	struct lp_quote quote;
	struct lp_price price;
	struct lp_kinds work;
	struct lp_span session;
	struct taking *taking;
	uint64_t units;
	bool begun, held, charged;
	struct lp_amount fee, cost;
};

static void let_go(void *arg)
{
	struct lp_charge *charge = arg;
	struct taking *t = charge->taking;

	if (!t)
		return;
	charge->taking = NULL;
	t->charge = NULL;
	if (t->done)
		lp_scope_close(&t->scope);
}

struct lp_charge *lp_charge_open(struct lp_scope *scope, const struct lp_charge_want *want)
{
	struct lp_charge *charge = lp_new(scope, struct lp_charge);

	charge->want = *want;
	charge->scope = scope;
	lp_defer(scope, let_go, charge);
	return charge;
}

static void count_refusal(const struct lp_charge *charge, enum lp_code code)
{
	lp_metric_add(charge->want.payee->o->node->metrics, LP_M_PAYMENT_RECV_ERRORS,
		      LP_LABELS("orch", lp_code_name(code)), 1);
}

/* ---- CHECK ---- */

enum lp_code lp_charge_read(struct lp_charge *charge, struct lp_span header, struct lp_err *e)
{
	charge->header = lp_span_dup(charge->scope, header);
	if (lp_payment_read(charge->scope, &charge->payment, charge->header, e) != LP_OK) {
		count_refusal(charge, e->code);
		return e->code;
	}
	return LP_OK;
}

struct lp_scope *lp_charge_scope(struct lp_charge *charge)
{
	return charge->scope;
}

const struct lp_address *lp_charge_sender(const struct lp_charge *charge)
{
	return &charge->payment.sender;
}

static void copy_work(struct lp_charge *charge, const struct lp_kinds *work)
{
	charge->work.n = work->n;
	charge->work.pairs = lp_new_array(charge->scope, struct lp_kind, (size_t)work->n + 1);
	for (int i = 0; i < work->n; i++)
		charge->work.pairs[i] = (struct lp_kind){ work->pairs[i].capability,
							       lp_span_dup(charge->scope, work->pairs[i].model) };
}

/* One who has neither a ticket nor credit is told before its body is read. */
static bool is_unpaid(const struct lp_charge *charge)
{
	const struct lp_payer who = { charge->payment.sender, charge->session };
	struct lp_amount have = lp_recipient_balance(charge->want.payee->recipient, &who);

	return !lp_price_is_free(charge->price) && charge->payment.n == 0 &&
	       (have.below || lp_amount_is_zero(have));
}

enum lp_code lp_charge_quoted(struct lp_charge *charge, const struct lp_quoted *quoted, struct lp_err *e)
{
	charge->quote = quoted->quote;
	charge->quote.model = lp_span_dup(charge->scope, quoted->quote.model);
	charge->quote.session_id = lp_span_dup(charge->scope, quoted->quote.session_id);
	copy_work(charge, &quoted->work);
	if (charge->quote.price_per_unit < 0 || charge->quote.units <= 0)
		return lp_fail(e, LP_FORBIDDEN, "invalid auth token");
	if (lp_price_of_wire(&charge->price, charge->quote.price_per_unit, charge->quote.units, e) != LP_OK)
		return e->code;
	return LP_OK;
}

/* ---- ADMIT ---- */

enum lp_code lp_charge_fits(struct lp_charge *charge, const struct lp_request *request, struct lp_err *e)
{
	uint32_t capability = charge->want.pipeline->capability;

	if (!lp_kinds_have(&charge->work, capability, request->model))
		return lp_fail(e, LP_FORBIDDEN, "invalid auth token");
	charge->session = lp_span(lp_fmt(charge->scope, "%u_%.*s", capability, LP_ARG(request->model)));
	charge->units = request->units;
	if (!lp_price_fee(&charge->fee, charge->price, charge->units, LP_DOWN))
		return lp_fail(e, LP_PRICE, "the work costs more than can be counted");
	if (!is_unpaid(charge))
		return LP_OK;
	count_refusal(charge, LP_UNPAID);
	return lp_fail(e, LP_UNPAID, "Insufficient balance");
}

/* ---- PAY: the payment ---- */

static void tell(struct taking *t)
{
	struct lp_charge *charge = t->charge;

	t->done = true;
	if (charge)
		charge->want.wake(charge->want.self);
	else
		lp_scope_close(&t->scope);
}

static void credited(struct taking *t)
{
	struct lp_metrics *m = t->payee->o->node->metrics;

	lp_link_out(&t->link);
	t->entry.kind = LP_ENTRY_CREDITED;
	t->entry.amount = lp_receipt_credit(t->receipt);
	if (!lp_amount_is_zero(t->entry.amount)) {
		lp_payee_enter(t->payee, t->entry);
		lp_metric_add(m, LP_M_TICKETS_RECV, LP_LABELS("orch"), t->entry.tickets);
		lp_payee_keep(t->payee);
	}
	lp_receipt_free(&t->receipt);
	tell(t);
}

void lp_takings_look(struct lp_payee *payee)
{
	lp_list_each(&payee->takings, t, struct taking, link)
		if (!lp_receipt_waits(t->receipt))
			credited(t);
}

static void enter_winners(const struct taking *t, uint64_t n)
{
	struct lp_entry entry = t->entry;
	struct lp_amount one;

	if (!n)
		return;
	lp_metric_add(t->payee->o->node->metrics, LP_M_WINNING_TICKETS_RECV, LP_LABELS("orch"), (int64_t)n);
	entry.kind = LP_ENTRY_WON;
	entry.tickets = (uint32_t)n;
	if (lp_amount_of(&one, t->face_value) && lp_amount_mul(&entry.amount, one, n))
		lp_payee_enter(t->payee, entry);
}

static void apply(struct taking *t)
{
	struct lp_payee *payee = t->payee;
	struct lp_recipient_books before, after;

	lp_recipient_books(&before, payee->recipient);
	if (lp_recipient_apply(payee->recipient, t->receipt, lp_payee_now(payee), &t->err) != LP_OK) {
		lp_receipt_free(&t->receipt);
		tell(t);
		return;
	}
	t->err.code = LP_OK;
	lp_recipient_books(&after, payee->recipient);
	enter_winners(t, after.won - before.won);
	lp_list_add(&payee->takings, &t->link);
	lp_payee_keep(payee);
	if (!lp_receipt_waits(t->receipt))
		credited(t);
}

/* What the pool is handed. */
struct verifying {
	struct lp_receipt *receipt;
};

static void verify(void *arg)
{
	lp_receipt_verify(((struct verifying *)arg)->receipt);
}

static void on_verified(void *self, void *arg)
{
	struct taking *t = self;
	struct verifying *v = arg;

	t->receipt = v->receipt;
	v->receipt = NULL;
	apply(t);
}

static void free_verifying(void *arg)
{
	struct verifying *v = arg;

	lp_receipt_free(&v->receipt);
	lp_mem_free(v);
}

/* The node goes down. */
static void taking_end(void *arg)
{
	struct taking *t = arg;

	lp_link_out(&t->link);
	lp_receipt_free(&t->receipt);
	if (t->charge)
		t->charge->taking = NULL;
}

/* All signatures of a payment are one item of the pool: a hundred tickets delay nobody. */
static void send(struct lp_charge *charge, struct lp_receipt *receipt)
{
	struct lp_payee *payee = charge->want.payee;
	struct lp_scope *scope = lp_scope_open(payee->scope, "payment");
	struct taking *t = lp_new(scope, struct taking);
	struct verifying *v = lp_mem_zeroed(1, sizeof(*v));

	t->payee = payee;
	t->scope = scope;
	t->charge = charge;
	t->face_value = charge->payment.params.face_value;
	t->entry = (struct lp_entry){ .peer = charge->payment.sender,
				      .capability = charge->want.pipeline->capability,
				      .model = lp_span_dup(scope, lp_span_skip(charge->session,
							   (size_t)lp_span_find(charge->session, LP_SPAN("_")) + 1)),
				      .job = lp_strdup(scope, lp_span(charge->want.job)),
				      .tickets = (uint32_t)charge->payment.n };
	charge->taking = t;
	v->receipt = receipt;
	lp_defer(scope, taking_end, t);
	lp_pool_run(scope, payee->o->node->loop, &(struct lp_work){ verify, on_verified, free_verifying, v, t });
}

static enum lp_charging begin(struct lp_charge *charge, const struct lp_payer_funds *funds, struct lp_err *e)
{
	const struct lp_recipient_job job = { .payment = &charge->payment, .header = charge->header,
					      .quote = &charge->quote, .session = charge->session, .funds = funds };
	struct lp_receipt *receipt;

	charge->begun = true;
	if (lp_recipient_begin(charge->want.payee->recipient, &receipt, &job, e) != LP_OK) {
		if (e->code == LP_UNAVAILABLE)	/* its funds are not known: to the asker it has none */
			e->code = LP_NO_FUNDS;
		count_refusal(charge, e->code);
		return LP_CHARGING_FAILED;
	}
	if (charge->payment.n == 0) {
		lp_receipt_free(&receipt);
		return LP_CHARGING_DONE;
	}
	send(charge, receipt);
	return LP_CHARGING_WAITS;
}

static enum lp_charging start(struct lp_charge *charge, struct lp_err *e)
{
	struct lp_payee *payee = charge->want.payee;
	const struct lp_bank_who who = { charge->payment.sender, payee->address };
	const char *trouble = lp_payee_trouble(payee);
	const struct lp_bank_sender *sender;
	struct lp_payer_funds funds = { 0 };

	if (charge->payment.n == 0)
		return begin(charge, &funds, e);
	if (trouble) {
		lp_fail(e, LP_NO_CAPACITY, "no payments can be taken now: %s", trouble);
		return LP_CHARGING_FAILED;
	}
	sender = lp_bank_sender(charge->scope, payee->money->bank, &who, charge->want.wake, charge->want.self);
	if (!sender)
		return LP_CHARGING_WAITS;
	funds = (struct lp_payer_funds){ sender->unknown, sender->is.withdraw_round, sender->is.funds };
	return begin(charge, &funds, e);
}

/* ---- PAY: credit before work (R-5) ---- */

static enum lp_charging hold(struct lp_charge *charge, struct lp_err *e)
{
	struct lp_payee *payee = charge->want.payee;
	const struct lp_payer who = { charge->payment.sender, charge->session };

	if (lp_amount_is_zero(charge->fee))
		return LP_CHARGING_DONE;
	if (lp_recipient_hold(payee->recipient, &who, charge->fee, lp_payee_now(payee), e) != LP_OK) {
		count_refusal(charge, e->code);
		return LP_CHARGING_FAILED;
	}
	charge->held = true;
	return LP_CHARGING_DONE;
}

enum lp_charging lp_charge_take(struct lp_charge *charge, struct lp_err *e)
{
	struct taking *t;
	enum lp_charging now;

	if (!charge->begun) {
		now = start(charge, e);
		return now == LP_CHARGING_DONE ? hold(charge, e) : now;
	}
	t = charge->taking;
	if (!t || !t->done)
		return LP_CHARGING_WAITS;
	if (t->err.code != LP_OK) {
		*e = t->err;
		count_refusal(charge, e->code);
		return LP_CHARGING_FAILED;
	}
	return hold(charge, e);
}

/* ---- SETTLE ---- */

void lp_charge_settle(struct lp_charge *charge, uint64_t used)
{
	struct lp_payee *payee = charge->want.payee;
	const struct lp_payer who = { charge->payment.sender, charge->session };
	struct lp_entry entry = { .kind = LP_ENTRY_EARNED, .peer = who.sender,
				  .capability = charge->want.pipeline->capability, .job = charge->want.job,
				  .units = used };

	if (!charge->held)
		return;
	charge->held = false;
	if (used > charge->units)
		used = charge->units;
	/* No more than all of it, which was counted. */
	if (!lp_price_fee(&charge->cost, charge->price, used, LP_DOWN))
		charge->cost = charge->fee;
	lp_recipient_settle(payee->recipient, &who, (struct lp_settle){ charge->fee, charge->cost },
			    lp_payee_now(payee));
	if (lp_amount_is_zero(charge->cost))
		return;
	charge->charged = true;
	entry.amount = charge->cost;
	entry.units = used;
	entry.model = lp_span_skip(who.session, (size_t)lp_span_find(who.session, LP_SPAN("_")) + 1);
	lp_payee_enter(payee, entry);
	lp_payee_keep(payee);
}

bool lp_charge_words(const struct lp_charge *charge, struct lp_buf *to)
{
	char text[LP_WEI_TEXT];
	struct lp_wei wei;

	if (!charge->charged || !lp_amount_wei(&wei, charge->cost, LP_DOWN))
		return false;
	lp_buf_fmt(to, "fee %s wei", lp_wei_write(text, wei, LP_IN_WEI));
	return true;
}
