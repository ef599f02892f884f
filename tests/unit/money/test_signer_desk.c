/* The desk of a remote signer: what a call costs, in which order it is refused, and that no nonce is given twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/hex.h>
#include <lpd/base/map.h>
#include <lpd/money/signer_desk.h>

#define NOW ((int64_t)1795519289 * 1000000000)
#define SECOND ((int64_t)1000000000)

/* A desk, its key, and a gateway that asks it. */
struct world {
	struct lp_scope *scope;
	struct lp_key *key;
	struct lp_signer_desk *desk;
	struct lp_map *seen;		/* rand's hash and nonce of each ticket ever signed */
	struct lp_signer_ask ask;
	struct lp_signer_plan plan;
	struct lp_payment payment;
	struct lp_signer_no no;
	uint64_t ids;
};

static void chain_at(struct world *w, uint64_t block)
{
	const struct lp_sender_chain chain = { .block = block, .last_round = 5, .deposit = lp_wei_of(1000000000),
					       .reserve = lp_wei_of(1000000000) };

	lp_signer_desk_chain(w->desk, &chain);
}

static void desk_open(struct world *w)
{
	struct lp_signer_rules rules = { .account = lp_key_address(w->key), .deposit_multiplier = 1, .max_sessions = 1000,
					 .max_offers = 1000 };
	bool fits = lp_amount_of(&rules.max_ticket_ev, lp_wei_of(1000000)) &&
		    lp_amount_of(&rules.max_total_ev, lp_wei_of(1000000000));

	assert_true(fits);
	w->desk = lp_signer_desk_new(&rules);
	chain_at(w, 100);
}

/* A ticket of it is worth 1000 wei and hardly more; a unit costs 1 wei. */
static void offer(struct world *w, uint8_t name)
{
	struct lp_params *p = &w->ask.params;

	*p = (struct lp_params){ .face_value = lp_wei_of(1000000), .expiration_block = 140, .round = 5 };
	bool fits = lp_offer_win_prob(&p->win_prob, lp_wei_of(1000), p->face_value);

	assert_true(fits);
	memset(p->recipient.bytes, 7, sizeof p->recipient.bytes);
	memset(p->rand_hash.bytes, name, sizeof p->rand_hash.bytes);
	memset(p->round_hash.bytes, 9, sizeof p->round_hash.bytes);
}

static int setup(void **state)
{
	static struct world w;

	w = (struct world){ .scope = lp_scope_open(NULL, "test"), .seen = lp_map_new() };
	w.key = lp_key_create(w.scope);
	desk_open(&w);
	w.ask = (struct lp_signer_ask){ .price_per_unit = 1, .units = 1, .token_left = INT64_MAX, .now = NOW };
	w.ask.in_pixels = 1000;
	memset(w.ask.orchestrator.bytes, 8, LP_ADDRESS_LEN);
	offer(&w, 1);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	lp_signer_desk_free(&w->desk);
	lp_map_free(&w->seen);
	lp_scope_close(&w->scope);
	return 0;
}

static bool weigh(struct world *w)
{
	memcpy(w->ask.id, &w->ids, sizeof w->ids);
	w->ids++;
	return lp_signer_weigh(w->scope, w->desk, &w->plan, &w->ask, &w->no);
}

static void bring(struct world *w, const struct lp_signer_state *s)
{
	struct lp_buf json = { 0 };
	struct lp_sig sig;

	lp_signer_state_write(&json, s);
	w->ask.state = lp_span_dup(w->scope, lp_buf_span(&json));
	lp_signer_state_sign(&sig, w->ask.state, w->key);
	w->ask.sig = lp_span_dup(w->scope, lp_span_of(sig.bytes, LP_SIG_LEN));
	w->ask.manifest = LP_SPAN("m");
	lp_buf_clear(&json);
}

/* Pays, and looks that no ticket has a number that any other had. */
static bool pay(struct world *w)
{
	if (!weigh(w) || !lp_signer_commit(w->scope, w->desk, &w->plan, &w->payment, &w->no))
		return false;
	for (size_t i = 0; i < w->payment.n; i++) {
		uint8_t name[32 + 4];

		memcpy(name, w->payment.params.rand_hash.bytes, 32);
		memcpy(name + 32, &w->payment.tickets[i].nonce, 4);
		assert_null(lp_map_put(w->seen, lp_span_of(name, sizeof name), w));
	}
	return true;
}

static void units_are_the_networks(void **state)
{
	static const struct {
		enum lp_signer_type type;
		int64_t since;
		uint64_t units;
	} rows[] = {
		{ LP_SIGNER_LV2V, -1, 1658880000 },	  { LP_SIGNER_LV2V, 0, 1658880000 },
		{ LP_SIGNER_LV2V, 5 * SECOND, 138240000 }, { LP_SIGNER_LV2V, SECOND / 10, 2764800 },
		{ LP_SIGNER_LV2V, 10123456789, 279893333 }, { LP_SIGNER_LIVE, 0, 10 },
		{ LP_SIGNER_LIVE, SECOND / 5, 1 },	  { LP_SIGNER_LIVE, 5 * SECOND, 5 },
		{ LP_SIGNER_LIVE, 5000000100, 6 },	  { LP_SIGNER_FIXED, 99 * SECOND, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(lp_signer_units(rows[i].type, rows[i].since, 0), rows[i].units);
	assert_int_equal(lp_signer_units(LP_SIGNER_UNITS, 7, 1000), 1000);
	assert_int_equal(lp_signer_units(LP_SIGNER_UNITS, 7, -1), 0);
}

static void a_first_call_is_paid_for_what_it_counts(void **state)
{
	struct world *w = *state;

	assert_true(pay(w));
	assert_int_equal(w->payment.n, 1);
	assert_int_equal(w->payment.tickets[0].nonce, 1);
	assert_int_equal(w->plan.state.sequence, 0);
	assert_int_equal(w->plan.state.nonce, 1);
	assert_int_equal(w->plan.state.last_update, NOW);
	assert_int_equal(w->plan.manifest.len, 8);
	assert_false(w->plan.state.balance.below);
}

static void the_next_call_leans_on_what_is_there(void **state)
{
	struct world *w = *state;

	assert_true(pay(w));
	bring(w, &w->plan.state);
	w->ask.in_pixels = 500;
	assert_true(pay(w));
	assert_int_equal(w->payment.n, 1);
	assert_int_equal(w->plan.state.sequence, 1);
	assert_int_equal(w->payment.tickets[0].nonce, 2);
}

static void an_old_state_gets_the_same_answer_or_goes_on_from_now(void **state)
{
	struct world *w = *state;
	struct lp_signer_state first;

	assert_true(pay(w));
	first = w->plan.state;
	bring(w, &first);
	assert_true(pay(w));
	lp_signer_answered(w->desk, &w->plan, LP_SPAN("the answer"));

	/* The answer was lost: once more the same, and nothing new. */
	bring(w, &first);
	assert_true(weigh(w));
	assert_true(lp_span_is(w->plan.again, "the answer"));
	lp_signer_drop(w->desk, &w->plan);

	/* With another offer it is another question; the session stands where it stood. */
	offer(w, 2);
	assert_true(pay(w));
	assert_int_equal(w->plan.state.sequence, 2);
}

static void two_sessions_of_an_offer_share_its_nonces(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 600; i++)
		assert_true(pay(w));		/* looks at each nonce */
	assert_false(pay(w));
	assert_int_equal(w->no.status, LP_SIGNER_REFRESH);
	offer(w, 2);
	assert_true(pay(w));
}

static void an_offer_from_before_a_restart_is_refreshed(void **state)
{
	struct world *w = *state;

	assert_true(pay(w));
	bring(w, &w->plan.state);
	lp_signer_desk_free(&w->desk);
	desk_open(w);
	lp_signer_desk_know(w->desk, &w->ask.params.rand_hash, 140);
	assert_false(pay(w));
	assert_int_equal(w->no.status, LP_SIGNER_REFRESH);
	offer(w, 2);
	assert_true(pay(w));		/* its state is believed */
	assert_int_equal(w->plan.state.sequence, 1);
}

static void covered_units_are_spent_though_no_ticket_goes(void **state)
{
	struct world *w = *state;
	struct lp_signer_state first;
	int covered = 0;

	w->ask.in_pixels = 9500;
	assert_true(pay(w));
	first = w->plan.state;
	w->ask.in_pixels = 10;
	/* The client keeps its state on a 482: a replay of it may not be free for ever. */
	for (int i = 0; i < 100; i++) {
		bring(w, &first);
		assert_true(pay(w));
		covered += w->plan.covered;
		if (!w->plan.covered)
			break;
	}
	assert_in_range(covered, 0, 60);
	assert_false(w->plan.covered);
}

static void time_that_is_covered_waits(void **state)
{
	struct world *w = *state;

	w->ask.type = LP_SPAN("live");
	assert_true(pay(w));		/* 10 s for 10 */
	bring(w, &w->plan.state);
	w->ask.now += 5 * SECOND;
	assert_true(pay(w));		/* what is left is less than a ticket: one more */
	assert_int_equal(w->payment.n, 1);
	bring(w, &w->plan.state);
	w->ask.now += SECOND;
	assert_false(pay(w));
	assert_int_equal(w->no.status, LP_SIGNER_COVERED);
	assert_string_equal(w->no.words, "no tickets");
}

static void a_session_is_paid_one_call_at_a_time(void **state)
{
	struct world *w = *state;
	struct lp_signer_plan first;

	assert_true(pay(w));
	bring(w, &w->plan.state);
	assert_true(weigh(w));
	first = w->plan;
	assert_false(weigh(w));
	assert_int_equal(w->no.status, 400);
	lp_signer_drop(w->desk, &first);
	assert_true(pay(w));
}

static void what_was_dropped_used_nothing_up(void **state)
{
	struct world *w = *state;

	assert_true(weigh(w));
	lp_signer_drop(w->desk, &w->plan);
	assert_int_equal(lp_signer_desk_sessions(w->desk), 0);
	assert_int_equal(lp_signer_desk_offers(w->desk), 0);
	assert_true(pay(w));
	assert_int_equal(w->payment.tickets[0].nonce, 1);
}

static void refused(struct world *w, int status, const char *words)
{
	assert_false(pay(w));
	assert_int_equal(w->no.status, status);
	assert_string_equal(w->no.words, words);
}

static void refusals_are_the_networks(void **state)
{
	struct world *w = *state;
	struct lp_price one;

	w->ask.in_pixels = 0;
	refused(w, 400, "missing billable unit or job type");
	w->ask.type = LP_SPAN("x");
	refused(w, 400, "invalid job type");
	w->ask.type = LP_SPAN("live");
	w->ask.price_per_unit = 33333333333;
	assert_true(lp_price_of(&one, lp_u256_of(1), lp_u256_of(1)));
	w->ask.max = (struct lp_signer_max){ true, one, LP_SPAN("wei"), LP_SPAN("fixed") };
	refused(w, 400, "maxPrice.unit must be seconds for payment type live");
	w->ask.max.currency = LP_SPAN("usd");
	refused(w, 400, "maxPrice.currency must be wei");
	w->ask.max.currency = LP_SPAN("wei");
	w->ask.max.unit = LP_SPAN("seconds");
	refused(w, LP_SIGNER_PRICE, "orchestrator price 33333333333.000 exceeds request maxPrice ceiling 1.000");
	w->ask.type = LP_SPAN("");
	w->ask.in_pixels = 1000;
	refused(w, 400, "maxPrice requires payment type live, lv2v, or fixed");
	w->ask.max.present = false;
	w->ask.price_per_unit = 1;
	w->ask.in_pixels = 1000000;
	assert_false(pay(w));
	assert_int_equal(w->no.status, 400);
	assert_non_null(strstr(w->no.words, "exceeds maximum of 100"));
	w->ask.token_left = 179;
	refused(w, LP_SIGNER_REFRESH, "refresh session for remote signer");
	w->ask.token_left = 180;
	chain_at(w, 140);
	refused(w, LP_SIGNER_REFRESH, "refresh session for remote signer");
}

static void states_that_do_not_fit_are_refused(void **state)
{
	struct world *w = *state;
	struct lp_signer_state s;

	w->ask.app = LP_SPAN("demo");
	w->ask.type = LP_SPAN("fixed");
	assert_true(pay(w));
	s = w->plan.state;
	bring(w, &s);
	w->ask.app = LP_SPAN("z");
	refused(w, 400, "app mismatch");
	w->ask.app = LP_SPAN("demo");
	w->ask.type = LP_SPAN("live");
	refused(w, 400, "job type mismatch");
	w->ask.type = LP_SPAN("fixed");
	w->ask.orchestrator.bytes[0]++;
	refused(w, 400, "orchestratorAddress mismatch");
	w->ask.orchestrator.bytes[0]--;
	w->ask.manifest = LP_SPAN("");
	refused(w, 400, "missing manifestID");
	w->ask.sig = LP_SPAN("");
	refused(w, 400, "invalid sig");
	w->ask.state = LP_SPAN("");
	w->ask.sig = LP_SPAN("x");
	refused(w, 400, "invalid sig");
}

static void a_price_that_rose_is_not_paid(void **state)
{
	struct world *w = *state;
	struct lp_price one;

	assert_true(pay(w));
	bring(w, &w->plan.state);
	w->ask.price_per_unit = 2;
	refused(w, LP_SIGNER_PRICE, "orchestrator price 2.000 exceeds initial session price ceiling 1.000");
	w->ask.state = w->ask.sig = LP_SPAN("");
	w->ask.units = 3;
	assert_true(lp_price_of(&one, lp_u256_of(1), lp_u256_of(2)));
	w->ask.configured = &one;
	refused(w, LP_SIGNER_PRICE, "orchestrator price 0.667 exceeds configured maxPrice ceiling 0.500");
}

static void what_is_over_or_idle_is_forgotten(void **state)
{
	struct world *w = *state;

	assert_true(pay(w));
	lp_signer_desk_expire(w->desk, NOW);
	assert_int_equal(lp_signer_desk_sessions(w->desk), 1);
	assert_int_equal(lp_signer_desk_offers(w->desk), 1);
	chain_at(w, 141);
	lp_signer_desk_expire(w->desk, NOW + 1);
	assert_int_equal(lp_signer_desk_sessions(w->desk), 0);
	assert_int_equal(lp_signer_desk_offers(w->desk), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_are_the_networks),
		T(a_first_call_is_paid_for_what_it_counts),
		T(the_next_call_leans_on_what_is_there),
		T(an_old_state_gets_the_same_answer_or_goes_on_from_now),
		T(two_sessions_of_an_offer_share_its_nonces),
		T(an_offer_from_before_a_restart_is_refreshed),
		T(covered_units_are_spent_though_no_ticket_goes),
		T(time_that_is_covered_waits),
		T(a_session_is_paid_one_call_at_a_time),
		T(what_was_dropped_used_nothing_up),
		T(refusals_are_the_networks),
		T(states_that_do_not_fit_are_refused),
		T(a_price_that_rose_is_not_paid),
		T(what_is_over_or_idle_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
