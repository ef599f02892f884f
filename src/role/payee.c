#include "payee.h"

#include <string.h>

#include <lpd/base/json.h>
#include <lpd/io/file.h>
#include <lpd/market/terms.h>

#include "store.h"

#define OFFERS 100000
#define PAYERS 100000
#define WINNERS 100000
#define REDEEM_GAS 1200000		/* of a redemption (payments 1.5) */
#define COST_MULTIPLIER 100
#define CREDIT_LIFE (7 * 24 * 3600)	/* seconds that nobody touches it; a debt stays */
#define SWEEP 60			/* seconds */
#define REDEEMING 8			/* at once */
#define AGAIN 60			/* seconds until a redemption is tried again */
#define PRICES_MAX (1 << 20)

int64_t lp_payee_now(const struct lp_payee *payee)
{
	return lp_wall(payee->o->node->loop) / LP_SEC;
}

void lp_payee_enter(struct lp_payee *payee, struct lp_entry entry)
{
	entry.at = lp_payee_now(payee);
	lp_books_enter(payee->money->books, &entry);
}

static void on_told(void *self)
{
	lp_takings_look(self);
}

void lp_payee_keep(struct lp_payee *payee)
{
	lp_books_keep_recipient(payee->money->books, payee->recipient, on_told, payee);
}

const char *lp_payee_trouble(const struct lp_payee *payee)
{
	if (lp_books_broken(payee->money->books))
		return "the books cannot be kept";
	return lp_bank_trouble(payee->money->bank) ? "the chain does not answer" : NULL;
}

/* ---- options ---- */

static enum lp_code read_wei(struct lp_wei *out, const struct lp_options *options, enum lp_option option,
			     struct lp_err *e)
{
	struct lp_span text = lp_span_trim(lp_span(lp_option_text(options, option)));

	if (lp_wei_read(out, text, LP_IN_WEI))
		return LP_OK;
	return lp_fail(e, LP_CONFIG, "-%s: '%.*s' is no amount of wei", lp_option_flag(option), LP_ARG(text));
}

static enum lp_code read_terms(struct lp_payee *payee, struct lp_err *e)
{
	const struct lp_options *options = payee->o->node->options;
	struct lp_offer_terms *terms = &payee->terms;

	terms->redeem_gas = REDEEM_GAS;
	terms->tx_cost_multiplier = COST_MULTIPLIER;
	payee->adjust = lp_option_bool(options, LP_OPT_AUTO_ADJUST_PRICE);
	if (read_wei(&terms->ev, options, LP_OPT_TICKET_EV, e) != LP_OK)
		return e->code;
	if (lp_wei_is_zero(terms->ev))
		return lp_fail(e, LP_CONFIG, "-ticketEV must be above 0");
	return read_wei(&terms->max_face_value, options, LP_OPT_MAX_FACE_VALUE, e);
}

/* The JSON itself, or a file that holds it. */
static enum lp_code read_prices(struct lp_orchestrator *o, struct lp_scope *scope, struct lp_prices *out,
				struct lp_err *e)
{
	const struct lp_options *options = o->node->options;
	const char *text = lp_option_text(options, LP_OPT_PRICE_PER_GATEWAY);
	struct lp_prices_want want = {
		.models = &o->models,
		.per_unit = lp_span_trim(lp_span(lp_option_text(options, LP_OPT_PRICE_PER_UNIT))),
		.units = lp_span_trim(lp_span(lp_option_text(options, LP_OPT_PIXELS_PER_UNIT))),
		.per_gateway = lp_span_trim(lp_span(text)),
	};
	struct lp_err why;

	if (lp_usd_read(&want.usd, lp_span_trim(lp_span(lp_option_text(options, LP_OPT_ETH_USD_PRICE))), &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "-ethUsdPrice: %s", lp_err_words(&why));
	if (want.per_gateway.len && !lp_span_starts(want.per_gateway, "{") &&
	    lp_file_read(scope, &want.per_gateway, text, PRICES_MAX, &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "-pricePerGateway: %s", lp_err_words(&why));
	return lp_prices_read(scope, out, &want, e);
}

enum lp_code lp_payee_check(struct lp_orchestrator *o, struct lp_err *e)
{
	struct lp_payee payee = { .o = o };

	if (read_terms(&payee, e) != LP_OK)
		return e->code;
	return read_prices(o, o->node->scope, &payee.prices, e);
}

static void say_unpriced(const struct lp_payee *payee)
{
	const struct lp_models *models = &payee->o->models;
	const struct lp_address anybody = { { 0 } };

	for (int i = 0; i < models->n; i++) {
		const struct lp_model_entry *entry = &models->at[i];

		if (entry->kind == LP_MODEL_PRICE ||
		    lp_prices_of(&payee->prices, anybody, entry->pipeline->capability, entry->model_id))
			continue;
		lp_log_kv(payee->o->log, LP_UNUSUAL, "a model has no price and is offered to those alone who have one",
			  "pipeline", entry->pipeline->name, "model", lp_strdup(payee->scope, entry->model_id), NULL);
	}
}

void lp_payee_reload(struct lp_orchestrator *o)
{
	struct lp_payee *payee = o->payee;
	struct lp_scope *scope;
	struct lp_offer_terms before;
	struct lp_prices prices;
	struct lp_err e;

	if (!payee)
		return;
	scope = lp_scope_open(payee->scope, "prices");
	before = payee->terms;
	if (read_prices(o, scope, &prices, &e) != LP_OK || read_terms(payee, &e) != LP_OK) {
		lp_log_kv(o->log, LP_UNUSUAL, "prices not read again, the old ones stay", "why", lp_err_words(&e),
			  NULL);
		payee->terms = before;
		lp_scope_close(&scope);
		return;
	}
	lp_scope_close(&payee->prices_scope);
	payee->prices_scope = scope;
	payee->prices = prices;
	lp_recipient_terms(payee->recipient, &payee->terms);
	say_unpriced(payee);
}

/* ---- winners ---- */

static struct lp_amount amount_of(struct lp_wei wei)
{
	struct lp_amount out = LP_AMOUNT_ZERO;

	return lp_amount_of(&out, wei) ? out : LP_AMOUNT_ZERO;
}

static double gwei(struct lp_wei wei)
{
	double sum = 0;

	for (int i = 3; i >= 0; i--)
		sum = sum * 18446744073709551616.0 + (double)wei.n.limb[i];
	return sum / 1e9;
}

static void redeemed(struct lp_payee *payee, const struct lp_redemption *what, struct lp_wei paid)
{
	payee->redeemed += gwei(paid);
	lp_metric_number(payee->o->node->metrics, LP_M_VALUE_REDEEMED, LP_LABELS("orch"), payee->redeemed);
	lp_payee_enter(payee, (struct lp_entry){ .kind = LP_ENTRY_REDEEMED, .peer = what->ticket.sender,
						 .amount = amount_of(paid), .tickets = 1 });
}

/* Used already: by us, when a kill came between the chain's payment and our store. */
static bool was_paid_before(const struct lp_redeemed *became, const struct lp_err *err)
{
	return err && err->code != LP_OK && became->final && !lp_wei_is_zero(became->before);
}

static void redeem(struct lp_payee *payee);

/* What the chain says of it once and for all is the end of it; anything else is tried again. */
static void on_redeemed(void *self, const struct lp_redemption *what, const struct lp_redeemed *became,
			const struct lp_err *err)
{
	struct lp_payee *payee = self;
	struct lp_winners *winners = lp_recipient_winners(payee->recipient);
	struct lp_hash ticket;

	payee->redeeming--;
	lp_ticket_hash(&ticket, &what->ticket);
	if (was_paid_before(became, err)) {
		redeemed(payee, what, became->before);
	} else if (err && err->code != LP_OK) {
		lp_metric_add(payee->o->node->metrics, LP_M_REDEMPTION_ERRORS, LP_LABELS("orch"), 1);
		lp_log_kv(payee->o->log, LP_UNUSUAL, "a winning ticket is not redeemed", "final",
			  became->final ? "true" : "false", "why", lp_err_words(err), NULL);
		if (!became->final) {
			lp_winners_later(winners, &ticket, lp_payee_now(payee) + AGAIN);
			return;
		}
		lp_payee_enter(payee, (struct lp_entry){ .kind = LP_ENTRY_LOST, .peer = what->ticket.sender,
							 .amount = amount_of(what->ticket.face_value), .tickets = 1 });
	} else {
		redeemed(payee, what, became->paid);
	}
	lp_winners_gone(winners, &ticket);
	lp_bank_forget(payee->money->bank, what->ticket.sender);
	lp_payee_keep(payee);
	redeem(payee);		/* a few at a time, and the next at once */
}

static void redeem(struct lp_payee *payee)
{
	uint64_t block = lp_bank_clock(payee->money->bank)->block;
	struct lp_winner winner;

	while (payee->redeeming < REDEEMING &&
	       lp_winners_ripe(lp_recipient_winners(payee->recipient), &winner, block, lp_payee_now(payee))) {
		payee->redeeming++;
		lp_bank_redeem(payee->scope, payee->money->bank,
			       &(struct lp_bank_redeem){ { winner.ticket, winner.sig, winner.rand }, on_redeemed,
							 payee });
	}
}

/* ---- the chain's clock ---- */

static void on_given_up(void *self, const struct lp_payer *who, struct lp_amount credit)
{
	lp_payee_enter(self, (struct lp_entry){ .kind = LP_ENTRY_GIVEN_UP, .peer = who->sender, .model = who->session,
						.amount = credit });
}

/* A leap of the gas price is not followed at once: an offer lasts longer than it may. */
static void smooth(struct lp_payee *payee, struct lp_wei gas_price)
{
	struct lp_wei sum;

	if (lp_wei_is_zero(payee->terms.gas_price) || !lp_wei_mul(&sum, payee->terms.gas_price, 3) ||
	    !lp_wei_add(&sum, sum, gas_price) || !lp_wei_div(&sum, sum, 4, LP_UP))
		sum = gas_price;
	payee->terms.gas_price = sum;
	lp_recipient_terms(payee->recipient, &payee->terms);
}

static void on_tick(void *self)
{
	struct lp_payee *payee = self;
	const struct lp_chain_clock *clock = lp_bank_clock(payee->money->bank);
	int64_t now = lp_payee_now(payee);

	lp_recipient_chain(payee->recipient, clock->block, &clock->rounds);
	smooth(payee, clock->gas_price);
	redeem(payee);
	if (now - payee->swept < SWEEP)
		return;
	payee->swept = now;
	lp_recipient_expire(payee->recipient, now - CREDIT_LIFE, on_given_up, payee);
	lp_books_forget(payee->money->books, clock->block, now - CREDIT_LIFE);
	lp_payee_keep(payee);
}

/* ---- the role's part ---- */

static void payee_close(void *arg)
{
	struct lp_payee *payee = arg;

	lp_recipient_free(&payee->recipient);
}

static enum lp_code open_recipient(struct lp_payee *payee, struct lp_err *e)
{
	struct lp_recipient_setup setup = { .recipient = payee->address, .max_offers = OFFERS, .max_payers = PAYERS,
					    .max_winners = WINNERS };
	enum lp_code code = lp_store_secret(payee->o->node, "tickets", setup.secret, e);

	if (code != LP_OK)
		return code;
	payee->recipient = lp_recipient_new(&setup);
	memset(setup.secret, 0, sizeof(setup.secret));
	return lp_books_load_recipient(payee->money->books, payee->recipient, e);
}

enum lp_code lp_payee_open(struct lp_orchestrator *o, struct lp_err *e)
{
	struct lp_payee *payee;

	if (!o->node->money)
		return LP_OK;
	payee = lp_new(o->node->scope, struct lp_payee);
	payee->o = o;
	payee->money = o->node->money;
	payee->address = lp_account_address(payee->money->account);
	lp_list_init(&payee->takings);
	payee->scope = lp_scope_open(o->node->scope, "payee");
	payee->prices_scope = lp_scope_open(payee->scope, "prices");
	lp_defer(payee->scope, payee_close, payee);
	if (read_terms(payee, e) != LP_OK || read_prices(o, payee->prices_scope, &payee->prices, e) != LP_OK ||
	    open_recipient(payee, e) != LP_OK)
		return e->code;
	o->payee = payee;
	say_unpriced(payee);
	on_tick(payee);
	lp_bank_watch(payee->scope, payee->money->bank, on_tick, payee);
	return LP_OK;
}

/* ---- for people ---- */

static void add_wei(struct lp_buf *json, const char *name, struct lp_amount amount)
{
	char text[LP_WEI_TEXT] = "";
	struct lp_wei wei;

	if (amount.below)
		amount = lp_amount_neg(amount);
	if (lp_amount_wei(&wei, amount, LP_DOWN))
		lp_wei_write(text, wei, LP_IN_WEI);
	lp_buf_fmt(json, ",\"%s\":\"%s\"", name, text);
}

void lp_payee_status(const struct lp_payee *payee, struct lp_buf *json)
{
	struct lp_recipient_books books;
	const char *trouble = lp_payee_trouble(payee);
	char address[LP_ADDRESS_TEXT];

	lp_recipient_books(&books, payee->recipient);
	lp_buf_fmt(json, "{\"address\":\"%s\",\"trouble\":", lp_address_write(address, payee->address));
	lp_json_write_str(json, lp_span(trouble ? trouble : ""));
	lp_buf_fmt(json, ",\"block\":%llu,\"tickets\":%llu,\"won\":%llu,\"to_redeem\":%zu",
		   (unsigned long long)lp_bank_clock(payee->money->bank)->block, (unsigned long long)books.tickets,
		   (unsigned long long)books.won, lp_winners_count(lp_recipient_winners(payee->recipient)));
	add_wei(json, "credited_wei", books.credited);
	add_wei(json, "waiting_wei", books.waiting);
	add_wei(json, "debited_wei", books.debited);
	add_wei(json, "given_up_wei", books.given_up);
	lp_buf_add_char(json, '}');
}

void lp_payee_measure(const struct lp_payee *payee)
{
	struct lp_recipient_books books;
	struct lp_wei wei;

	lp_recipient_books(&books, payee->recipient);
	if (lp_amount_wei(&wei, books.credited, LP_DOWN))
		lp_metric_number(payee->o->node->metrics, LP_M_TICKET_VALUE_RECV, LP_LABELS("orch"), gwei(wei));
}
