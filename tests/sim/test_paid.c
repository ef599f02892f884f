/* Whole nodes that pay and are paid, on one ledger: two gateways on one account, two orchestrators, in worlds drawn
 * from a seed in which runners fail, lines break and nodes die.  Afterwards what one side debited is what the other
 * credited and what is there; every winner was paid once.  SIM_SEED and SIM_WORLDS as in sim_soak.
 *
 * What stands in the stores is looked at, not what the nodes think. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/io/file.h>
#include <lpd/io/shared_db.h>
#include <lpd/money/account.h>
#include <lpd/pay/ledger_local.h>

#include "sim.h"

#define GATEWAYS 2
#define ORCHESTRATORS 2
#define WORLDS 12
#define FEW_WORLDS 2
#define EV "8000000000"		/* wei */
#define FACE 800000000000ULL	/* a hundred of them */

struct world {
	struct sim *s;
	struct sim_node *g[GATEWAYS], *o[ORCHESTRATORS];
	struct lp_ledger *ledger;
	struct lp_scope *bank;
	const char *path;
	struct lp_wei deposit;
	struct lp_address account;
	int kills, asked;
};

static uint64_t below(struct world *w, uint64_t n)
{
	return lp_dice_below(w->s->dice, n);
}

static bool one_in(struct world *w, uint64_t n)
{
	return below(w, n) == 0;
}

/* ---- a world ---- */

static void make_account(struct world *w, const char *folder)
{
	struct lp_key *key = lp_key_create(w->s->scope);
	struct lp_account_file file = { .folder = folder, .password = LP_SPAN(""), .wall = LP_SEC };
	struct lp_err e;

	w->account = lp_key_address(key);
	assert_int_equal(lp_account_store(w->s->scope, &file, key, &e), LP_OK);
}

static void make_bank(struct world *w)
{
	struct lp_err e;

	w->bank = lp_scope_open(NULL, "bank");
	w->path = lp_fmt(w->s->scope, "%s/ledger.db", w->s->dir);
	assert_int_equal(lp_ledger_open(w->bank, &w->ledger, w->path, &e), LP_OK);
	assert_true(lp_wei_mul(&w->deposit, lp_wei_of(FACE), 1000000));
	assert_int_equal(lp_ledger_fund(w->ledger, w->account, w->deposit, w->deposit, &e), LP_OK);
}

static void make(struct world *w, uint64_t seed)
{
	const char *keys;

	*w = (struct world){ .s = sim_new(seed) };
	w->s->sink.level = w->s->loud ? LP_DEBUG : LP_INFO;
	keys = lp_fmt(w->s->scope, "%s/keys", w->s->dir);
	make_account(w, keys);
	make_bank(w);
	for (int i = 0; i < ORCHESTRATORS; i++) {
		char name[8] = { 'o', (char)('0' + i), 0 };
		const struct sim_node_want want = {
			.capacity = 3,
			.args = SIM_ARGS("-network=local", lp_fmt(w->s->scope, "-ledger=%s", w->path),
					 "-ledgerBlockTime=0s", "-pricePerUnit=300000", "-ticketEV=" EV),
		};

		w->o[i] = sim_orchestrator_with(w->s, name, &want);
	}
	for (int i = 0; i < GATEWAYS; i++) {
		char name[8] = { 'g', (char)('0' + i), 0 };
		const struct sim_node_want want = {
			.args = SIM_ARGS("-network=local", lp_fmt(w->s->scope, "-ledger=%s", w->path),
					 "-ledgerBlockTime=0s", lp_fmt(w->s->scope, "-ethKeystorePath=%s", keys),
					 "-jobTimeout=30s"),
		};

		w->g[i] = sim_gateway_with(w->s, name, &want);
	}
}

static void pass_blocks(struct world *w, uint64_t n)
{
	struct lp_chain chain = lp_ledger_chain(w->ledger);
	struct lp_chain_clock clock;
	struct lp_err e;

	assert_int_equal(chain.ops->clock(chain.self, &clock, &e), LP_OK);
	assert_int_equal(lp_ledger_advance(w->ledger, clock.block + n, &e), LP_OK);
}

static void end(struct world *w)
{
	for (int i = 0; i < GATEWAYS; i++)
		sim_kill(w->g[i]);
	for (int i = 0; i < ORCHESTRATORS; i++)
		sim_kill(w->o[i]);
	sim_run_for(w->s, LP_SEC);		/* questions to the bank come back */
	lp_scope_close(&w->bank);
	sim_end(w->s);
}

/* ---- what happens ---- */

static void somebody_asks(struct world *w)
{
	struct sim_ask_want want = { .gateway = w->g[below(w, GATEWAYS)], .path = "text-to-image",
				     .body = LP_SPAN("{\"prompt\":\"a fox\",\"width\":512,\"height\":512}") };

	w->asked++;
	if (one_in(w, 3)) {
		want.path = "llm";
		want.body = lp_span(one_in(w, 2) ? SIM_CHAT : SIM_CHAT_STREAM);
	}
	sim_ask_with(w->s, &want);
}

static void kill_and_start(struct world *w, struct sim_node *n)
{
	w->kills++;
	sim_kill(n);
	sim_run_for(w->s, (int64_t)below(w, 2 * LP_SEC));
	sim_start(n);
}

static void something_happens(struct world *w, bool deaths)
{
	struct sim_node *o = w->o[below(w, ORCHESTRATORS)], *g = w->g[below(w, GATEWAYS)];

	switch (below(w, deaths ? 8 : 6)) {
	case 0:
		o->runner->does = (struct sim_does){ .delay = (int64_t)below(w, 3000) * LP_MSEC, .events = 5 };
		break;
	case 1:
		o->runner->does.status = one_in(w, 2) ? (int[]){ 400, 422, 500, 503 }[below(w, 4)] : 0;
		break;
	case 2:
		o->host->latency = (int64_t)below(w, 200000);
		break;
	case 3:
		sim_host_break(one_in(w, 2) ? o->host : g->host);
		break;
	case 4:
		lp_list_each(&w->s->replies, r, struct sim_reply, link) {
			if (!r->done) {
				sim_hang_up(r);
				break;
			}
		}
		break;
	case 5:
		pass_blocks(w, 1 + below(w, 15));
		break;
	case 6:
		kill_and_start(w, o);
		break;
	case 7:
		kill_and_start(w, g);
		break;
	}
}

static void live(struct world *w, int turns, int trouble, bool deaths)
{
	for (int i = 0; i < turns; i++) {
		somebody_asks(w);
		if (trouble && one_in(w, (uint64_t)trouble))
			something_happens(w, deaths);
		sim_run_for(w->s, (int64_t)below(w, LP_SEC));
	}
	for (int i = 0; i < ORCHESTRATORS; i++) {
		w->o[i]->runner->does = (struct sim_does){ 0 };
		w->o[i]->host->latency = 500;
	}
	sim_run_until_quiet(w->s);
	sim_run_for(w->s, LP_MIN);
	/* Offers are over, winners may be shown. */
	pass_blocks(w, 60);
	sim_run_for(w->s, LP_MIN);
}

/* ---- what is in the stores ---- */

struct sum {
	struct lp_amount amount;
	uint64_t tickets;
	int rows;
};

static void on_row(void *self, const struct lp_db_value *v, int n)
{
	struct sum *sum = self;
	struct lp_amount amount = LP_AMOUNT_ZERO;

	assert_true(n >= 1 && lp_amount_read(&amount, v[0].bytes));
	assert_true(lp_amount_add(&sum->amount, sum->amount, amount));
	sum->tickets += n > 1 ? (uint64_t)v[1].i : 0;
	sum->rows++;
}

static void add_of(struct sum *to, const struct sim_node *n, const char *sql)
{
	const struct lp_db_write query = { sql, NULL, 0 };
	const struct lp_shared_db_rows rows = { on_row, to };
	struct lp_scope *scope = lp_scope_open(NULL, "look");
	struct lp_shared_db *db;
	struct lp_err e;

	assert_int_equal(lp_shared_db_look(scope, &db, lp_fmt(scope, "%s/lpd.db", n->dir), &e), LP_OK);
	assert_int_equal(lp_shared_db_each(db, &query, &rows, &e), LP_OK);
	lp_scope_close(&scope);
}

#define LEDGER(kind) "SELECT amount, tickets FROM ledger WHERE kind = '" kind "'"

static struct sum of(struct sim_node *const *nodes, int n, const char *sql)
{
	struct sum sum = { LP_AMOUNT_ZERO, 0, 0 };

	for (int i = 0; i < n; i++)
		add_of(&sum, nodes[i], sql);
	return sum;
}

static struct lp_amount minus(struct lp_amount a, struct lp_amount b)
{
	assert_true(lp_amount_sub(&a, a, b));
	return a;
}

static void assert_within(struct lp_amount a, struct lp_amount b, struct lp_amount slack)
{
	struct lp_amount gap = minus(a, b);

	gap.below = false;
	assert_true(lp_amount_cmp(gap, slack) <= 0);
}

static struct lp_amount grains(uint64_t n)
{
	return (struct lp_amount){ lp_u256_of(n), false };
}

static struct lp_amount tickets(uint64_t n)
{
	struct lp_amount out;

	assert_true(lp_amount_of(&out, lp_wei_of(n * (FACE / 100))));
	return out;
}

/* Within each node: what came is what went and what is there.  slack: of what deaths have torn. */
static void each_accounts_for_it(struct world *w, struct lp_amount slack)
{
	struct lp_amount left;

	for (int i = 0; i < GATEWAYS; i++) {
		left = of(&w->g[i], 1, LEDGER("paid")).amount;
		left = minus(left, of(&w->g[i], 1, LEDGER("spent")).amount);
		left = minus(left, of(&w->g[i], 1, LEDGER("returned")).amount);
		left = minus(left, of(&w->g[i], 1, LEDGER("given_up")).amount);
		assert_within(left, of(&w->g[i], 1, "SELECT amount FROM pay_credit").amount, slack);
	}
	for (int i = 0; i < ORCHESTRATORS; i++) {
		left = of(&w->o[i], 1, LEDGER("credited")).amount;
		left = minus(left, of(&w->o[i], 1, LEDGER("earned")).amount);
		left = minus(left, of(&w->o[i], 1, LEDGER("given_up")).amount);
		assert_within(left, of(&w->o[i], 1, "SELECT amount FROM pay_balance").amount, slack);
	}
}

/* Between them: nobody credited what was not signed, nothing that was signed and not called lost is missing. */
static void both_sides_agree(struct world *w, struct lp_amount slack)
{
	struct lp_amount paid = of(w->g, GATEWAYS, LEDGER("paid")).amount;
	struct lp_amount credited = of(w->o, ORCHESTRATORS, LEDGER("credited")).amount;
	struct lp_amount back = of(w->g, GATEWAYS, LEDGER("returned")).amount;
	struct lp_amount lost = of(w->g, GATEWAYS, LEDGER("given_up")).amount;
	struct lp_amount sure = minus(minus(paid, back), lost);
	struct lp_amount believed = of(w->g, GATEWAYS, "SELECT amount FROM pay_credit").amount;
	struct lp_amount there = of(w->o, ORCHESTRATORS, "SELECT amount FROM pay_balance").amount;

	assert_true(lp_amount_cmp(minus(credited, paid), slack) <= 0);
	assert_true(lp_amount_cmp(minus(sure, credited), slack) <= 0);
	assert_true(lp_amount_cmp(minus(believed, there), slack) <= 0);
}

static void every_winner_is_paid_once(struct world *w, uint64_t torn)
{
	struct lp_chain chain = lp_ledger_chain(w->ledger);
	const struct lp_address nobody = { { 0 } };
	struct lp_chain_sender now;
	struct sum won = of(w->o, ORCHESTRATORS, LEDGER("won"));
	struct sum redeemed = of(w->o, ORCHESTRATORS, LEDGER("redeemed"));
	struct sum open = { LP_AMOUNT_ZERO, 0, 0 };
	struct lp_wei deposit, paid;
	struct lp_amount by_account;
	struct lp_err e;

	for (int i = 0; i < ORCHESTRATORS; i++)
		add_of(&open, w->o[i], "SELECT x'000000000000000000000000000000000000000000000000000000000000000000'"
				       " FROM pay_winner");
	assert_int_equal(open.rows, 0);
	assert_true(of(w->o, ORCHESTRATORS, LEDGER("lost")).tickets <= torn);
	assert_int_equal(chain.ops->sender(chain.self, &now, w->account, nobody, &e), LP_OK);
	assert_true(lp_wei_sub(&paid, w->deposit, now.funds.deposit));
	deposit = paid;
	assert_true(lp_amount_of(&by_account, deposit));
	assert_within(by_account, redeemed.amount, tickets(100 * torn));
	assert_within(by_account, won.amount, tickets(100 * torn));
	assert_true(lp_amount_cmp(minus(redeemed.amount, by_account), LP_AMOUNT_ZERO) <= 0);
}

/* ---- the tests ---- */

static void where_nothing_breaks_both_sides_have_the_same_books(void **state)
{
	struct world w;
	struct sum paid, credited, spent, earned;

	(void)state;
	make(&w, 1);
	live(&w, 150, 0, false);
	paid = of(w.g, GATEWAYS, LEDGER("paid"));
	credited = of(w.o, ORCHESTRATORS, LEDGER("credited"));
	spent = of(w.g, GATEWAYS, LEDGER("spent"));
	earned = of(w.o, ORCHESTRATORS, LEDGER("earned"));
	assert_true(paid.tickets > 50);
	assert_int_equal(paid.tickets, credited.tickets);
	assert_within(paid.amount, credited.amount, grains(paid.tickets));
	assert_within(spent.amount, earned.amount, grains((uint64_t)spent.rows));
	each_accounts_for_it(&w, LP_AMOUNT_ZERO);
	both_sides_agree(&w, grains(10000));
	every_winner_is_paid_once(&w, 0);
	end(&w);
}

static void whatever_fails_money_is_conserved(void **state)
{
	const char *wanted = getenv("SIM_WORLDS");
	uint64_t worlds = sim_few() ? FEW_WORLDS : WORLDS;
	struct world w;

	(void)state;
	if (wanted && !lp_span_u64(lp_span(wanted), &worlds))
		fail_msg("SIM_WORLDS is no number");
	for (uint64_t i = 0; i < (getenv("SIM_SEED") ? 1 : worlds); i++) {
		make(&w, 100 + i);
		live(&w, 120, 2, false);
		each_accounts_for_it(&w, LP_AMOUNT_ZERO);
		both_sides_agree(&w, grains(100000));
		every_winner_is_paid_once(&w, 0);
		end(&w);
	}
}

/* A death tears what was under way: at most the jobs of one node, each worth ten tickets and some. */
static void deaths_tear_no_more_than_was_under_way(void **state)
{
	uint64_t worlds = sim_few() ? FEW_WORLDS : WORLDS;
	struct world w;

	(void)state;
	for (uint64_t i = 0; i < (getenv("SIM_SEED") ? 1 : worlds); i++) {
		make(&w, 200 + i);
		live(&w, 120, 2, true);
		uint64_t torn = (uint64_t)w.kills * 6 * 12;

		each_accounts_for_it(&w, tickets(torn));
		both_sides_agree(&w, tickets(torn));
		every_winner_is_paid_once(&w, torn);
		end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(where_nothing_breaks_both_sides_have_the_same_books),
		sim_test(whatever_fails_money_is_conserved),
		sim_test(deaths_tear_no_more_than_was_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
