/* Many who want what few can give: who waits, in what order, and how often the full ones are asked. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define CROWD 60

/* CROWD pictures at once, for two orchestrators that make two each in 200 ms. */
static void a_crowd_is_served_one_after_the_other(void **state)
{
	struct sim *s = sim_new(60);
	struct sim_node *o[2] = { sim_orchestrator(s, "one", .capacity = 2), sim_orchestrator(s, "two", .capacity = 2) };
	struct sim_reply *r[CROWD];
	int64_t refusals = 0, last = 0;

	(void)state;
	sim_gateway(s, .args = SIM_ARGS("-aiProcessingRetryTimeout", "60s"));
	for (int i = 0; i < 2; i++)
		o[i]->runner->does.delay = 200 * LP_MSEC;
	sim_run_for(s, 5 * LP_SEC);
	for (int i = 0; i < CROWD; i++)
		r[i] = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	for (int i = 0; i < CROWD; i++) {
		assert_int_equal(r[i]->status, 200);
		last = r[i]->done_at - r[i]->asked_at > last ? r[i]->done_at - r[i]->asked_at : last;
	}
	for (int i = 0; i < 2; i++)
		refusals += sim_jobs(o[i], LP_NO_CAPACITY);
	if (s->loud)
		fprintf(stderr, "last %lld ms, refusals %lld\n", (long long)(last / LP_MSEC), (long long)refusals);
	/* 15 rounds of 200 ms is what it takes at least; and nobody was asked again and again. */
	assert_in_range(last, 3 * LP_SEC, 6 * LP_SEC);
	assert_in_range(refusals, 1, 2 * CROWD);
	sim_books_balance(s);
	sim_end(s);
}

static void who_came_first_is_served_first(void **state)
{
	struct sim *s = sim_new(61);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_reply *r[10];
	int overtaken = 0;

	(void)state;
	sim_gateway(s, .args = SIM_ARGS("-aiProcessingRetryTimeout", "60s"));
	o->runner->does.delay = 300 * LP_MSEC;
	for (int i = 0; i < 10; i++) {
		r[i] = sim_ask(s, "llm", SIM_CHAT);
		sim_run_for(s, 20 * LP_MSEC);
	}
	sim_run_until_quiet(s);
	for (int i = 1; i < 10; i++)
		overtaken += r[i]->done_at < r[i - 1]->done_at;
	assert_int_equal(overtaken, 0);
	sim_books_balance(s);
	sim_end(s);
}

static void those_who_wait_for_another_model_do_not_stand_in_the_way(void **state)
{
	struct sim *s = sim_new(62);
	struct sim_node *a = sim_orchestrator(s, "orch", .capacity = 1);

	(void)state;
	sim_gateway(s, .args = SIM_ARGS("-aiProcessingRetryTimeout", "60s"));
	a->runner->does.delay = 5 * LP_SEC;
	for (int i = 0; i < 5; i++)
		sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, 200 * LP_MSEC);
	struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT);

	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_in_range(r->done_at - r->asked_at, 0, 5500 * LP_MSEC);
	sim_books_balance(s);
	sim_end(s);
}

static void the_time_to_come_back_is_worth_its_words(void **state)
{
	struct sim *s = sim_new(63);
	struct sim_node *o = sim_orchestrator(s, "orch");
	uint64_t seconds = 0;

	(void)state;
	sim_gateway(s);
	o->runner->does.delay = 3 * LP_SEC;
	struct sim_reply *first = sim_ask(s, "llm", SIM_CHAT);
	struct sim_reply *second = sim_ask(s, "llm", SIM_CHAT);
	struct sim_reply *refused;

	sim_run_for(s, 2500 * LP_MSEC);
	refused = first->done ? first : second;
	assert_true(refused->done);
	assert_int_equal(refused->status, 503);
	assert_true(lp_span_u64(sim_header(refused, "retry-after"), &seconds));
	assert_in_range(seconds, 1, 10);
	sim_run_for(s, (int64_t)seconds * LP_SEC);
	struct sim_reply *again = sim_ask(s, "llm", SIM_CHAT);

	sim_run_until_quiet(s);
	assert_int_equal(again->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

/* A node that takes jobs and says nothing more, for longer than a client would wait. */
static void one_that_falls_silent_gets_no_second_job(void **state)
{
	struct sim *s = sim_new(64);
	struct sim_node *silent = sim_orchestrator(s, "silent", .capacity = 10);
	struct sim_node *good;

	(void)state;
	sim_gateway(s, .args = SIM_ARGS("-jobTimeout", "20s", "-orchAddr", "silent:8935,good:8935"));
	silent->runner->does.how = SIM_HANGS;
	sim_run_for(s, 5 * LP_SEC);
	struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT);

	sim_run_until_quiet(s);
	assert_int_equal(r->status, 504);
	good = sim_orchestrator(s, "good", .capacity = 10);
	sim_run_for(s, LP_MIN);
	for (int i = 0; i < 5; i++)
		sim_ask(s, "llm", SIM_CHAT);
	sim_run_until_quiet(s);
	assert_in_range(sim_jobs(good, LP_OK), 4, 5);
	sim_books_balance(s);
	sim_end(s);
}

static void equals_share_the_work(void **state)
{
	struct sim *s = sim_new(65);
	struct sim_node *o[3];
	char name[8];

	(void)state;
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "o%d", i);
		o[i] = sim_orchestrator(s, lp_strdup(s->scope, lp_span(name)), .capacity = 20);
		o[i]->runner->does.delay = 100 * LP_MSEC;
	}
	sim_gateway(s);
	sim_run_for(s, 5 * LP_SEC);
	for (int i = 0; i < 120; i++) {
		sim_ask(s, "llm", SIM_CHAT);
		sim_run_for(s, 10 * LP_MSEC);
	}
	sim_run_until_quiet(s);
	for (int i = 0; i < 3; i++)
		assert_in_range(sim_jobs(o[i], LP_OK), 20, 60);
	sim_books_balance(s);
	sim_end(s);
}

static void an_orchestrator_that_comes_late_is_found_soon(void **state)
{
	struct sim *s = sim_new(66);
	struct sim_node *o = sim_orchestrator(s, "orch");

	(void)state;
	sim_gateway(s);
	sim_kill(o);
	sim_run_for(s, 10 * LP_SEC);
	sim_start(o);
	sim_run_for(s, 500 * LP_MSEC);
	/* The job itself has it looked for: it need not wait for discovery's next round. */
	struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT);

	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_in_range(r->done_at - r->asked_at, 0, 2 * LP_SEC);
	sim_books_balance(s);
	sim_end(s);
}

static void thousands_come_and_go(void **state)
{
	struct sim *s = sim_new(67);
	struct sim_node *a = sim_orchestrator(s, "one", .capacity = 50);
	struct sim_node *b = sim_orchestrator(s, "two", .capacity = 50);
	struct lp_dice *dice = s->dice;
	int left = 0;

	(void)state;
	sim_gateway(s);
	a->runner->does.delay = 30 * LP_MSEC;
	b->runner->does.delay = 60 * LP_MSEC;
	sim_run_for(s, 5 * LP_SEC);
	for (int i = 0; i < 3000; i++) {
		struct sim_reply *r = sim_ask(s, "llm", lp_dice_below(dice, 2) ? SIM_CHAT : SIM_CHAT_STREAM);

		sim_run_for(s, (int64_t)lp_dice_below(dice, 3) * LP_MSEC);
		if (lp_dice_below(dice, 10) == 0) {
			left++;
			sim_hang_up(r);
		}
	}
	sim_run_until_quiet(s);
	assert_true(left > 200);
	assert_true(sim_jobs(a, LP_OK) > sim_jobs(b, LP_OK));
	assert_int_equal(sim_jobs(a, LP_PEER_ERROR) + sim_jobs(b, LP_PEER_ERROR), 0);
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(a_crowd_is_served_one_after_the_other),
		sim_test(who_came_first_is_served_first),
		sim_test(those_who_wait_for_another_model_do_not_stand_in_the_way),
		sim_test(the_time_to_come_back_is_worth_its_words),
		sim_test(one_that_falls_silent_gets_no_second_job),
		sim_test(equals_share_the_work),
		sim_test(an_orchestrator_that_comes_late_is_found_soon),
		sim_test(thousands_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
