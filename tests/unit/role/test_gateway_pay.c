#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/money/account.h>
#include <lpd/pay/ledger_local.h>
#include <lpd/pay/payment.h>
#include <lpd/role/node.h>

#include "asker.h"
#include "fake_orch.h"
#include "real_loop.h"
#include "temp_dir.h"

/* A job of 256 tokens: 1280 wei at the price of 5, where a ticket is worth (a little less than) 1000. */
#define LLM "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"secret words\"}]}"
#define ANSWER "{\"choices\":[{\"finish_reason\":\"stop\",\"index\":0," \
	       "\"message\":{\"content\":\"hello\",\"role\":\"assistant\"}}],\"created\":1,\"id\":\"x\"," \
	       "\"model\":\"m\",\"usage\":{\"completion_tokens\":1,\"prompt_tokens\":1,\"total_tokens\":2}}"

struct world {
	struct real_loop real;
	struct temp_dir dir;
	struct fake_orch o;
	struct lp_ledger *ledger;
	struct lp_address account;
	const char *ledger_path;
	struct lp_log_sink sink;
	struct lp_buf log;
	struct lp_log *logger;
	struct lp_node *node;
	struct lp_client *client;
	char base[64];
	const char *more_orch;		/* a second one; NULL: none */
	struct asker asker;
};

static void log_line(void *self, const char *line, size_t len)
{
	struct world *w = self;

	lp_buf_add(&w->log, line, len);
	if (getenv("LPD_TEST_LOG"))
		fprintf(stderr, "%.*s", (int)len, line);
}

/* The account is made before the node, so that it has a deposit when that asks. */
static void open_account(struct world *w)
{
	const struct lp_account_want want = { .loop = w->real.loop, .log = w->logger, .address = "", .keystore = "",
					      .password = "", .data_dir = w->dir.path, .make = true };
	struct lp_account *account;
	struct lp_err e;

	if (lp_account_open(w->real.scope, &account, &want, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	w->account = lp_account_address(account);
}

static int world_open(void **state)
{
	static struct world w;
	struct lp_err e;

	memset(&w, 0, sizeof(w));
	real_loop_open(&w.real);
	temp_dir_make(&w.dir);
	w.o.models[0] = "llm/m";
	w.o.body = ANSWER;
	w.o.price = 5;
	w.o.expiration_block = LP_LEDGER_FIRST + 40;
	w.sink = (struct lp_log_sink){ .level = LP_DEBUG, .write = log_line, .self = &w };
	w.logger = lp_log_open(w.real.scope, &w.sink);
	w.client = lp_client_open(w.real.scope, w.real.loop, &(struct lp_client_want){ 0 });
	w.ledger_path = lp_fmt(w.real.scope, "%s/ledger.db", w.dir.path);
	open_account(&w);
	if (lp_ledger_open(w.real.scope, &w.ledger, w.ledger_path, &e) != LP_OK ||
	    lp_ledger_fund(w.ledger, w.account, lp_wei_of(1000000000000), lp_wei_of(1000000000000), &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	fake_orch_open(&w.o, w.real.scope, w.real.loop);
	*state = &w;
	return 0;
}

static void stop(struct world *w)
{
	struct lp_scope *scope = w->node ? w->node->scope : NULL;

	asker_leave(&w->asker);
	for (int i = 0; scope && i < 200 && w->node->jobs; i++)
		real_loop_run_for(&w->real, 5 * LP_MSEC);
	lp_scope_close(&scope);
	w->node = NULL;
}

static int world_close(void **state)
{
	struct world *w = *state;

	stop(w);
	real_loop_close(&w->real);
	lp_buf_clear(&w->log);
	temp_dir_remove(&w->dir);
	return 0;
}

static void gateway(struct world *w, const char *const *more)
{
	const char *orchs = w->more_orch ? lp_fmt(w->real.scope, "%s,%s", w->o.uri, w->more_orch) : w->o.uri;
	const char *argv[32] = { "lpd", "-mode", "gateway", "-httpAddr", "127.0.0.1:0", "-cliAddr", "127.0.0.1:0",
				 "-orchAddr", orchs, "-dataDir", w->dir.path };
	struct lp_node_want want = { .loop = w->real.loop, .log = w->logger, .seed = 7 };
	struct lp_options *options = lp_options_open(w->real.scope);
	char *args[32];
	struct lp_err e;
	int n = 11;

	for (int i = 0; more && more[i]; i++)
		argv[n++] = more[i];
	for (int i = 0; i < n; i++)
		args[i] = lp_strdup(w->real.scope, lp_span(argv[i]));
	if (lp_options_read(options, n, args, NULL, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	want.options = options;
	if (lp_node_open(w->real.scope, &w->node, &want, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	snprintf(w->base, sizeof(w->base), "http://127.0.0.1:%u", lp_gateway_port(w->node->gateway));
}

static void paying(struct world *w, const char *flag, const char *value)
{
	const char *const more[] = { "-network", "local", "-ledger", w->ledger_path, "-ledgerBlockTime", "0s", flag, value,
				     NULL };

	gateway(w, more);
	real_loop_run_for(&w->real, 60 * LP_MSEC);
}

static struct asker *llm(struct world *w)
{
	asker_leave(&w->asker);
	ask(&w->asker, w->real.scope, w->client, w->base, &(struct asker_want){
		.path = "/llm", .body = LLM, .headers = { { LP_SPAN("lp-trace"), LP_SPAN("1"), false } } });
	real_loop_run_until(&w->real, &w->asker.done);
	real_loop_run_for(&w->real, 5 * LP_MSEC);
	return &w->asker;
}

static void good(struct world *w)
{
	struct asker *a = llm(w);

	if (a->status != 200)
		fail_msg("%d %s", a->status, asker_text(a));
}

static struct lp_payment payment(struct world *w)
{
	struct lp_payment p;

	assert_int_equal(lp_payment_read(w->real.scope, &p, lp_buf_span(&w->o.payment), NULL), LP_OK);
	return p;
}

static void assert_has(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("\"%s\" is not in: %s", what, text);
}

static void assert_logged(struct world *w, const char *what)
{
	assert_has(lp_buf_text(&w->log), what);
}

static void a_job_is_paid_and_what_is_left_pays_for_the_next(void **state)
{
	struct world *w = *state;
	struct lp_payment p;
	struct lp_ticket ticket;

	paying(w, NULL, NULL);
	good(w);
	p = payment(w);
	assert_int_equal(p.n, 2);
	assert_true(lp_address_eq(p.sender, w->account));
	assert_int_equal(p.price_per_unit, 5);
	for (size_t i = 0; i < p.n; i++) {
		lp_payment_ticket(&ticket, &p, i);
		assert_int_equal(lp_ticket_check_sig(&ticket, &p.tickets[i].sig, NULL), LP_OK);
	}
	assert_logged(w, "fee 1280 wei paid, 2 tickets of face value 2000");
	assert_has(w->asker.trace, "fee 1280 wei");
	good(w);
	assert_int_equal(payment(w).n, 1);
}

/* "<capability>_<model>", 32 zeros, the hash of nothing (network-protocol 5.2). */
static void the_segment_is_signed_by_who_pays(void **state)
{
	struct world *w = *state;
	struct lp_segment segment;
	struct lp_buf flat = { 0 };
	struct lp_hash hash;
	struct lp_sig sig;
	uint8_t zeros[32] = { 0 };

	paying(w, NULL, NULL);
	good(w);
	assert_int_equal(lp_segment_decode(w->real.scope, &segment, lp_span(w->o.segment), NULL), LP_OK);
	lp_keccak256(hash.bytes, "", 0);
	lp_buf_add_span(&flat, segment.manifest_id);
	lp_buf_add(&flat, zeros, 32);
	lp_buf_add(&flat, hash.bytes, 32);
	lp_keccak256(hash.bytes, lp_buf_text(&flat), flat.len);
	assert_true(lp_sig_of(&sig, segment.sig));
	assert_true(lp_sig_check(&sig, &hash, w->account));
	lp_buf_clear(&flat);
}

static void who_had_nothing_of_our_credit_is_paid_once_more(void **state)
{
	struct world *w = *state;

	paying(w, NULL, NULL);
	good(w);
	w->o.status = 400;
	w->o.body = "Insufficient balance\n";
	w->o.refusals = 2;		/* the first was the good one */
	good(w);
	assert_int_equal(w->o.jobs, 3);
	assert_int_equal(payment(w).n, 2);
	assert_logged(w, "fee 1280 wei paid");
}

/* Nor by the next job, for a while: it would go on for ever. */
static void who_is_short_twice_is_not_paid_a_third_time(void **state)
{
	struct world *w = *state;

	w->o.status = 400;
	w->o.body = "Insufficient balance\n";
	paying(w, NULL, NULL);
	assert_int_equal(llm(w)->status, 502);
	assert_int_equal(w->o.jobs, 2);
	asker_leave(&w->asker);
	ask(&w->asker, w->real.scope, w->client, w->base, &(struct asker_want){ .path = "/llm", .body = LLM });
	real_loop_run_for(&w->real, 100 * LP_MSEC);
	assert_int_equal(w->o.jobs, 2);
	assert_logged(w, "passed_over=\"1 suspended\"");
}

static void parameters_that_are_over_are_asked_for_anew_once(void **state)
{
	struct world *w = *state;
	int offers;

	paying(w, NULL, NULL);
	w->o.status = 400;
	w->o.body = "TicketParams expired\n";
	w->o.refusals = 1;
	offers = w->o.offers;
	good(w);
	assert_int_equal(w->o.jobs, 2);
	assert_int_equal(w->o.offers - offers, 2);
}

static void who_has_started_anew_is_paid_by_a_new_offer(void **state)
{
	struct world *w = *state;
	struct lp_payment before, after;

	paying(w, NULL, NULL);
	good(w);
	before = payment(w);
	w->o.status = 400;
	w->o.body = "invalid recipientRand for ticket recipientRandHash\n";
	w->o.refusals = 2;
	good(w);
	assert_int_equal(w->o.jobs, 3);
	after = payment(w);
	assert_int_equal(after.n, 1);	/* what was not taken came back, what is there as credit stays */
	assert_memory_not_equal(&before.params.rand_hash, &after.params.rand_hash, 32);
}

/* An old "Insufficient balance" is no reason to pay again for another refusal. */
static void a_refusal_after_a_short_one_is_not_taken_for_one(void **state)
{
	struct world *w = *state;

	paying(w, NULL, NULL);
	w->o.status = 400;
	w->o.body = "Insufficient balance\n";
	w->o.delay = 20 * LP_MSEC;
	ask(&w->asker, w->real.scope, w->client, w->base, &(struct asker_want){ .path = "/llm", .body = LLM });
	while (w->o.jobs < 2)
		real_loop_run_for(&w->real, LP_MSEC);
	w->o.body = "invalid ticket signature\n";
	real_loop_run_until(&w->real, &w->asker.done);
	assert_int_equal(w->asker.status, 502);
	assert_int_equal(w->o.jobs, 2);
	assert_logged(w, "fee 1280 wei not taken");
}

static void who_takes_nobody_has_taken_no_money(void **state)
{
	struct world *w = *state;

	paying(w, NULL, NULL);
	w->o.status = 503;
	w->o.body = "insufficient capacity\n";
	llm(w);
	assert_logged(w, "fee 1280 wei not taken");
	w->o.status = 0;
	w->o.body = ANSWER;
	real_loop_run_for(&w->real, 500 * LP_MSEC);
	good(w);
	assert_int_equal(payment(w).n, 2);
}

static void a_job_that_fails_costs_nothing(void **state)
{
	struct world *w = *state;

	paying(w, NULL, NULL);
	w->o.status = 500;
	w->o.body = "the runner is on fire\n";
	assert_int_equal(llm(w)->status, 502);
	assert_logged(w, "fee 1280 wei kept as credit");
	w->o.status = 0;
	w->o.body = ANSWER;
	real_loop_run_for(&w->real, 2500 * LP_MSEC);
	good(w);
	assert_int_equal(payment(w).n, 0);
}

static void a_price_that_rose_above_the_highest_is_not_paid(void **state)
{
	struct world *w = *state;

	paying(w, "-maxPricePerUnit", "6");
	w->o.price = 7;
	assert_int_not_equal(llm(w)->status, 200);
	assert_int_equal(w->o.jobs, 0);
}

static void a_price_that_more_than_doubles_is_not_paid(void **state)
{
	struct world *w = *state;

	paying(w, NULL, NULL);
	good(w);
	w->o.price = 11;
	w->o.status = 403;
	w->o.body = "expired auth token\n";	/* so that it asks anew */
	assert_int_not_equal(llm(w)->status, 200);
	assert_int_equal(w->o.jobs, 2);
	assert_logged(w, "more than doubled");
}

static void without_a_deposit_nothing_is_sent(void **state)
{
	struct world *w = *state;
	struct lp_err e;
	struct lp_wei wei;

	assert_int_equal(lp_ledger_unlock(w->ledger, w->account, &e), LP_OK);
	assert_int_equal(lp_ledger_advance(w->ledger, LP_LEDGER_FIRST + 3 * LP_LEDGER_ROUND, &e), LP_OK);
	assert_int_equal(lp_ledger_withdraw(w->ledger, &wei, w->account, &e), LP_OK);
	w->o.expiration_block = LP_LEDGER_FIRST + 4 * LP_LEDGER_ROUND;
	paying(w, NULL, NULL);
	assert_int_equal(llm(w)->status, 503);
	assert_has(asker_text(&w->asker), "insufficient_funds");
	assert_logged(w, "\"no job can be paid\" why=\"the account has no deposit\"");
	assert_int_equal(w->o.jobs, 0);
}

static void off_chain_who_wants_to_be_paid_is_not_asked(void **state)
{
	struct world *w = *state;

	gateway(w, NULL);
	real_loop_run_for(&w->real, 60 * LP_MSEC);
	assert_int_not_equal(llm(w)->status, 200);
	assert_int_equal(w->o.jobs, 0);
}

static void who_is_free_is_told_who_asks_and_gets_no_ticket(void **state)
{
	struct world *w = *state;
	struct lp_payment p;

	w->o.price = 0;
	paying(w, NULL, NULL);
	good(w);
	p = payment(w);
	assert_int_equal(p.n, 0);
	assert_true(lp_address_eq(p.sender, w->account));
}

static void a_client_that_leaves_costs_what_nobody_knows(void **state)
{
	struct world *w = *state;

	w->o.delay = LP_NEVER;
	paying(w, NULL, NULL);
	ask(&w->asker, w->real.scope, w->client, w->base, &(struct asker_want){ .path = "/llm", .body = LLM });
	while (!w->o.jobs)
		real_loop_run_for(&w->real, LP_MSEC);
	asker_leave(&w->asker);
	for (int i = 0; i < 200 && w->node->jobs; i++)
		real_loop_run_for(&w->real, 5 * LP_MSEC);
	assert_logged(w, "fee 1280 wei given up");
}

static void credit_is_kept_over_a_restart_and_its_offer_is_not_used_again(void **state)
{
	struct world *w = *state;
	struct lp_payment before, after;

	w->o.same_offer = true;
	paying(w, NULL, NULL);
	good(w);
	before = payment(w);
	assert_int_equal(before.n, 2);
	stop(w);
	paying(w, NULL, NULL);
	assert_int_equal(llm(w)->status, 503);
	assert_has(asker_text(&w->asker), "params_expired");
	assert_int_equal(w->o.jobs, 1);
	w->o.same_offer = false;
	w->o.offers = 10;
	stop(w);
	paying(w, NULL, NULL);
	good(w);
	after = payment(w);
	assert_int_equal(after.n, 1);
	assert_memory_not_equal(&before.params.rand_hash, &after.params.rand_hash, sizeof(after.params.rand_hash));
}

/* A ticket each would be five; what they lean on is at least one ticket's worth, as orchestrators want it. */
#define AT_ONCE 5

static void jobs_at_once_share_a_ticket(void **state)
{
	struct world *w = *state;
	struct asker all[AT_ONCE];
	size_t tickets = 0;

	w->o.price = 1;			/* five jobs cost 1280 */
	w->o.delay = 50 * LP_MSEC;
	paying(w, NULL, NULL);
	for (int i = 0; i < AT_ONCE; i++) {
		ask(&all[i], w->real.scope, w->client, w->base, &(struct asker_want){ .path = "/llm", .body = LLM });
		while (w->o.jobs <= i)
			real_loop_run_for(&w->real, LP_MSEC);
		tickets += payment(w).n;
	}
	for (int i = 0; i < AT_ONCE; i++) {
		real_loop_run_until(&w->real, &all[i].done);
		assert_int_equal(all[i].status, 200);
		asker_leave(&all[i]);
	}
	assert_int_equal(tickets, 3);
}

/* Five hundred tickets a job: the first offer has no room for the second. */
static void an_offer_that_is_used_up_is_followed_by_another(void **state)
{
	struct world *w = *state;

	w->o.price = 1950;
	paying(w, NULL, NULL);
	for (int i = 0; i < 4; i++) {
		good(w);
		assert_in_range(payment(w).n, 498, 501);
	}
	assert_true(w->o.offers >= 5);
}

/* Sixty tickets a job: the next offer is there before the first one has given its 600. */
static void another_offer_is_asked_for_behind_the_jobs(void **state)
{
	struct world *w = *state;
	int offers = 0, of_first = 0;
	struct lp_hash first = { { 0 } };

	w->o.price = 234;
	paying(w, NULL, NULL);
	for (int i = 0; i < 9; i++) {
		struct lp_payment p;

		if (i == 7)
			offers = w->o.offers;
		real_loop_run_for(&w->real, i == 7 ? 250 * LP_MSEC : 0);
		good(w);
		p = payment(w);
		if (i == 0)
			first = p.params.rand_hash;
		if (memcmp(&first, &p.params.rand_hash, sizeof(first)) == 0)
			of_first += (int)p.n;
	}
	assert_true(w->o.offers > offers);
	assert_in_range(of_first, 400, 500);
}

static void ask_at(struct world *w, const struct fake_orch *o)
{
	asker_leave(&w->asker);
	ask(&w->asker, w->real.scope, w->client, w->base, &(struct asker_want){
		.path = "/llm", .body = LLM, .headers = { { LP_SPAN("lp-orchestrator"), lp_span(o->uri), false } } });
	real_loop_run_until(&w->real, &w->asker.done);
	assert_int_equal(w->asker.status, 200);
	real_loop_run_for(&w->real, 5 * LP_MSEC);
}

/* The credit of one is none of the other's, and each goes on with its own offer. */
static void two_nodes_that_are_paid_to_one_account_have_books_of_their_own(void **state)
{
	struct world *w = *state;
	struct fake_orch other = { .models = { "llm/m" }, .body = ANSWER, .price = 5,
				   .expiration_block = LP_LEDGER_FIRST + 40 };
	struct lp_payment p;

	fake_orch_open(&other, w->real.scope, w->real.loop);
	w->more_orch = other.uri;
	paying(w, NULL, NULL);
	ask_at(w, &w->o);
	assert_int_equal(payment(w).n, 2);
	ask_at(w, &other);
	assert_int_equal(lp_payment_read(w->real.scope, &p, lp_buf_span(&other.payment), NULL), LP_OK);
	assert_int_equal(p.n, 2);
	int offers = w->o.offers;

	ask_at(w, &w->o);
	assert_int_equal(payment(w).n, 1);
	assert_int_equal(w->o.offers, offers);
	stop(w);			/* it knows the address of a struct on this stack */
	fake_orch_close(&other);
}

static void metrics_say_what_was_sent_and_what_is_there(void **state)
{
	struct world *w = *state;
	struct lp_buf text = { 0 };

	paying(w, NULL, NULL);
	good(w);
	lp_role_gateway.status(w->node, &text);
	assert_has(lp_buf_text(&text), ",\"deposit\":\"1000000000000\",\"reserve\":\"1000000000000\"}");
	lp_buf_reset(&text);
	lp_role_gateway.measure(w->node);
	lp_metrics_write(w->node->metrics, &text);
	assert_has(lp_buf_text(&text), "livepeer_tickets_sent{node_type=\"bctr\"} 2");
	assert_has(lp_buf_text(&text), "livepeer_gateway_deposit{node_type=\"bctr\"} 1000");
	assert_has(lp_buf_text(&text), "livepeer_gateway_reserve{node_type=\"bctr\"} 1000");
	assert_has(lp_buf_text(&text), "livepeer_ticket_value_sent{node_type=\"bctr\"} ");
	lp_buf_clear(&text);
}

static void bad_limits_are_named(void **state)
{
	static const char *const bad[][2] = { { "-maxTicketEV", "0" }, { "-maxTotalEV", "x" },
					      { "-depositMultiplier", "0" } };
	struct world *w = *state;

	for (size_t i = 0; i < 3; i++) {
		struct lp_options *options = lp_options_open(w->real.scope);
		char *args[] = { lp_strdup(w->real.scope, LP_SPAN("lpd")), lp_strdup(w->real.scope, LP_SPAN("-mode=gateway")),
				 lp_fmt(w->real.scope, "%s=%s", bad[i][0], bad[i][1]),
				 lp_fmt(w->real.scope, "-dataDir=%s", w->dir.path) };
		struct lp_buf told = { 0 };
		struct lp_err e;

		if (lp_options_read(options, 4, args, NULL, &e) == LP_OK)
			assert_int_equal(lp_node_check(w->real.scope, options, w->logger, &told, &e), LP_CONFIG);
		assert_has(lp_err_words(&e), bad[i][0]);
		lp_buf_clear(&told);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_job_is_paid_and_what_is_left_pays_for_the_next),
		T(the_segment_is_signed_by_who_pays),
		T(who_had_nothing_of_our_credit_is_paid_once_more),
		T(who_is_short_twice_is_not_paid_a_third_time),
		T(parameters_that_are_over_are_asked_for_anew_once),
		T(who_has_started_anew_is_paid_by_a_new_offer),
		T(a_refusal_after_a_short_one_is_not_taken_for_one),
		T(who_takes_nobody_has_taken_no_money),
		T(a_job_that_fails_costs_nothing),
		T(a_price_that_rose_above_the_highest_is_not_paid),
		T(a_price_that_more_than_doubles_is_not_paid),
		T(without_a_deposit_nothing_is_sent),
		T(off_chain_who_wants_to_be_paid_is_not_asked),
		T(who_is_free_is_told_who_asks_and_gets_no_ticket),
		T(a_client_that_leaves_costs_what_nobody_knows),
		T(credit_is_kept_over_a_restart_and_its_offer_is_not_used_again),
		T(jobs_at_once_share_a_ticket),
		T(an_offer_that_is_used_up_is_followed_by_another),
		T(another_offer_is_asked_for_behind_the_jobs),
		T(two_nodes_that_are_paid_to_one_account_have_books_of_their_own),
		T(metrics_say_what_was_sent_and_what_is_there),
		T(bad_limits_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
