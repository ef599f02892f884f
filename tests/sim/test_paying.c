/* Gateways that pay and orchestrators that are paid, whole nodes on a ledger in a file: whatever happens to jobs and
 * nodes, what the one has paid is what the other has got, and no gateway believes to have more than it has. */
#include <string.h>

#include <lpd/io/db.h>
#include <lpd/money/account.h>
#include <lpd/money/books.h>
#include <lpd/pay/ledger_local.h>
#include <lpd/role/money.h>

#include "sim.h"

/* A picture of 512 x 512 costs 1,835,008 wei: two tickets, with a little left. */
#define PRICE "-pricePerUnit=7"
#define EV "-ticketEV=1000000"
#define FEE 1835008

struct world {
	struct sim *s;
	struct sim_node *o, *g;
	struct lp_ledger *ledger;
	const char *ledger_arg;
};

static void fund(struct world *w, const struct sim_node *g)
{
	struct lp_wei much = lp_wei_of(1000000000000000);
	struct lp_err e;

	if (lp_ledger_fund(w->ledger, lp_account_address(g->node->money->account), much, much, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	sim_run_for(w->s, 5 * LP_SEC);	/* until both have asked the bank anew */
}

static void world_open(struct world *w, uint64_t seed)
{
	struct sim *s = w->s = sim_new(seed);
	const char *path = lp_fmt(s->scope, "%s/ledger", s->dir);
	struct lp_err e;

	w->ledger_arg = lp_fmt(s->scope, "-ledger=%s", path);
	if (lp_ledger_open(s->scope, &w->ledger, path, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	w->o = sim_orchestrator(s, "orch", .capacity = 4, .args = SIM_ARGS("-network=local", w->ledger_arg,
									    "-ledgerBlockTime=0s", PRICE, EV));
	w->g = sim_gateway(s, .args = SIM_ARGS("-network=local", w->ledger_arg, "-ledgerBlockTime=0s"));
	fund(w, w->g);
}

static int picture(struct world *w)
{
	struct sim_reply *r = sim_ask(w->s, "text-to-image", SIM_PICTURE);

	sim_run_until_quiet(w->s);
	return r->status;
}

/* ---- the ledgers of both ---- */

struct sum {
	struct lp_amount of[LP_ENTRY_KINDS];
};

static void on_line(void *self, const struct lp_db_value *v, int n)
{
	struct sum *sum = self;
	struct lp_amount amount;

	assert_int_equal(n, 2);
	assert_true(lp_amount_read(&amount, v[1].bytes));
	for (int i = 0; i < LP_ENTRY_KINDS; i++)
		if (lp_span_is(v[0].bytes, lp_entry_name((enum lp_entry_kind)i)))
			assert_true(lp_amount_add(&sum->of[i], sum->of[i], amount));
}

static struct sum sum_of(struct sim_node *n)
{
	struct sum sum = { { { LP_U256_ZERO, false } } };
	struct lp_err e;

	sim_run_for(n->s, LP_SEC);	/* what is queued is written */
	if (lp_db_load(n->node->db, "SELECT kind, amount FROM ledger", on_line, &sum, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	return sum;
}

static struct lp_amount minus(struct lp_amount a, struct lp_amount b)
{
	struct lp_amount out;

	assert_true(lp_amount_sub(&out, a, b));
	return out;
}

/* Amounts are rounded in favour of the payee, by less than a wei in all of a test. */
static void assert_same(struct lp_amount a, struct lp_amount b)
{
	struct lp_amount diff = minus(a, b), one;

	assert_true(lp_amount_of(&one, lp_wei_of(1)));
	assert_true(lp_amount_cmp(diff, one) < 0 && lp_amount_cmp(diff, lp_amount_neg(one)) > 0);
}

static struct lp_amount left_at_gateway(const struct sum *g)
{
	return minus(minus(minus(g->of[LP_ENTRY_PAID], g->of[LP_ENTRY_SPENT]), g->of[LP_ENTRY_RETURNED]),
		     g->of[LP_ENTRY_GIVEN_UP]);
}

static struct lp_amount left_at_orchestrator(const struct sum *o)
{
	return minus(minus(o->of[LP_ENTRY_CREDITED], o->of[LP_ENTRY_EARNED]), o->of[LP_ENTRY_GIVEN_UP]);
}

static void assert_not_more_than_there_is(struct world *w)
{
	struct sum g = sum_of(w->g), o = sum_of(w->o);
	struct lp_amount one;

	assert_true(lp_amount_of(&one, lp_wei_of(1)));
	assert_true(lp_amount_cmp(minus(left_at_gateway(&g), left_at_orchestrator(&o)), one) < 0);
}

static void assert_agree(struct world *w)
{
	struct sum g = sum_of(w->g), o = sum_of(w->o);

	assert_same(minus(g.of[LP_ENTRY_PAID], g.of[LP_ENTRY_RETURNED]), o.of[LP_ENTRY_CREDITED]);
	assert_same(g.of[LP_ENTRY_SPENT], o.of[LP_ENTRY_EARNED]);
	assert_same(left_at_gateway(&g), left_at_orchestrator(&o));
}

static void assert_spent(struct world *w, uint64_t wei)
{
	struct sum g = sum_of(w->g);
	struct lp_amount amount;

	assert_true(lp_amount_of(&amount, lp_wei_of(wei)));
	assert_same(g.of[LP_ENTRY_SPENT], amount);
}

static int64_t refusals(const struct sim_node *o)
{
	int64_t n = 0;

	for (int code = 0; code < LP_CODES; code++)
		n += sim_metric(o, LP_M_PAYMENT_RECV_ERRORS, LP_LABELS("orch", lp_code_name((enum lp_code)code)));
	return n;
}

/* ---- stories ---- */

static void what_is_paid_is_what_is_got(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	for (int i = 0; i < 20; i++)
		assert_int_equal(picture(&w), 200);
	assert_spent(&w, 20 * FEE);
	assert_agree(&w);
	assert_int_equal(refusals(w.o), 0);
	sim_books_balance(w.s);
	sim_end(w.s);
}

static void jobs_at_once_are_all_paid(void **state)
{
	struct world w;
	struct sim_reply *r[12];

	(void)state;
	world_open(&w, 2);
	w.o->runner->does.delay = 300 * LP_MSEC;
	for (int i = 0; i < 12; i++)
		r[i] = sim_ask(w.s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(w.s);
	for (int i = 0; i < 12; i++)
		assert_true(r[i]->status == 200 || r[i]->status == 503);	/* four slots */
	assert_agree(&w);
	assert_int_equal(picture(&w), 200);
	assert_agree(&w);
	sim_end(w.s);
}

static void a_runner_that_fails_costs_nothing(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 3);
	w.o->runner->does.status = 500;
	assert_int_not_equal(picture(&w), 200);
	w.o->runner->does.status = 0;
	assert_spent(&w, 0);
	sim_run_for(w.s, LP_MIN);
	assert_int_equal(picture(&w), 200);
	assert_spent(&w, FEE);
	assert_agree(&w);
	assert_int_equal(refusals(w.o), 0);
	sim_end(w.s);
}

static void an_orchestrator_that_restarts_knows_what_it_has_got(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 4);
	assert_int_equal(picture(&w), 200);
	sim_run_for(w.s, LP_SEC);
	sim_kill(w.o);
	sim_run_for(w.s, LP_SEC);
	sim_start(w.o);
	sim_run_for(w.s, 2 * LP_MIN);
	for (int i = 0; i < 3; i++)
		assert_int_equal(picture(&w), 200);
	assert_spent(&w, 4 * FEE);
	assert_agree(&w);
	assert_int_equal(refusals(w.o), 0);
	sim_end(w.s);
}

static bool is_running(void *self)
{
	struct world *w = self;

	return w->o->runner->jobs > 0;
}

/* Nobody knows what became of the job that ran; no nonce comes twice, and the books say no more than there is. */
static void a_gateway_that_is_killed_uses_no_ticket_twice(void **state)
{
	struct world w;

	(void)state;
	for (uint64_t seed = 5; seed < 10; seed++) {
		world_open(&w, seed);
		w.o->runner->does.delay = LP_SEC;
		assert_int_equal(picture(&w), 200);
		sim_ask(w.s, "text-to-image", SIM_PICTURE);
		assert_true(sim_run_until(w.s, is_running, &w, LP_MIN));
		sim_run_for(w.s, (int64_t)lp_dice_below(w.s->dice, 500) * LP_MSEC);
		sim_kill(w.g);
		sim_run_for(w.s, 10 * LP_SEC);
		sim_start(w.g);
		sim_run_for(w.s, 5 * LP_SEC);
		for (int i = 0; i < 3; i++)
			assert_int_equal(picture(&w), 200);
		assert_int_equal(sim_metric(w.o, LP_M_PAYMENT_RECV_ERRORS, LP_LABELS("orch", "nonce_seen")), 0);
		sim_end(w.s);
	}
}

static void a_client_that_leaves_makes_no_credit(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 11);
	w.o->runner->does.delay = LP_SEC;
	struct sim_reply *r = sim_ask(w.s, "text-to-image", SIM_PICTURE);

	assert_true(sim_run_until(w.s, is_running, &w, LP_MIN));
	sim_hang_up(r);
	sim_run_until_quiet(w.s);
	assert_not_more_than_there_is(&w);
	for (int i = 0; i < 3; i++)
		assert_int_equal(picture(&w), 200);
	assert_not_more_than_there_is(&w);
	sim_end(w.s);
}

static void two_gateways_on_one_account_use_no_ticket_twice(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 12);
	const char *keys = lp_fmt(w.s->scope, "-ethKeystorePath=%s/keystore", w.g->dir);
	struct sim_node *other = sim_gateway_with(w.s, "other", &(struct sim_node_want){
		.args = SIM_ARGS("-network=local", w.ledger_arg, "-ledgerBlockTime=0s", keys, "-depositMultiplier=2") });

	sim_run_for(w.s, 5 * LP_SEC);
	assert_true(lp_address_eq(lp_account_address(w.g->node->money->account),
				  lp_account_address(other->node->money->account)));
	for (int i = 0; i < 10; i++) {
		struct sim_reply *r = sim_ask_with(w.s, &(struct sim_ask_want){
			.gateway = i % 2 ? other : w.g, .path = "text-to-image", .body = lp_span(SIM_PICTURE) });

		sim_run_until_quiet(w.s);
		assert_int_equal(r->status, 200);
	}
	assert_int_equal(sim_metric(w.o, LP_M_PAYMENT_RECV_ERRORS, LP_LABELS("orch", "nonce_seen")), 0);
	sim_end(w.s);
}

/* 256 are asked for and paid, some are made: the rest is credit at both. */
static void a_conversation_costs_the_tokens_that_were_made(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 13);
	for (int i = 0; i < 4; i++) {
		struct sim_reply *r = sim_ask(w.s, "llm", i % 2 ? SIM_CHAT_STREAM : SIM_CHAT);

		sim_run_until_quiet(w.s);
		assert_int_equal(r->status, 200);
	}
	assert_agree(&w);
	sim_end(w.s);
}

static void without_a_deposit_no_job_goes_out(void **state)
{
	struct world w = { 0 };

	(void)state;
	w.s = sim_new(14);
	w.ledger_arg = lp_fmt(w.s->scope, "-ledger=%s/ledger", w.s->dir);
	w.o = sim_orchestrator(w.s, "orch", .args = SIM_ARGS("-network=local", w.ledger_arg, "-ledgerBlockTime=0s", PRICE, EV));
	w.g = sim_gateway(w.s, .args = SIM_ARGS("-network=local", w.ledger_arg, "-ledgerBlockTime=0s"));
	sim_run_for(w.s, 5 * LP_SEC);
	assert_int_not_equal(picture(&w), 200);
	assert_int_equal(w.o->runner->jobs, 0);
	sim_end(w.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(what_is_paid_is_what_is_got),
		sim_test(jobs_at_once_are_all_paid),
		sim_test(a_runner_that_fails_costs_nothing),
		sim_test(an_orchestrator_that_restarts_knows_what_it_has_got),
		sim_test(a_gateway_that_is_killed_uses_no_ticket_twice),
		sim_test(a_client_that_leaves_makes_no_credit),
		sim_test(two_gateways_on_one_account_use_no_ticket_twice),
		sim_test(a_conversation_costs_the_tokens_that_were_made),
		sim_test(without_a_deposit_no_job_goes_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
