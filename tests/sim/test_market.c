/* Who is in the market, and who decides: lists that change, wishes of clients and of the operator. */
#include <stdio.h>
#include <string.h>

#include <lpd/market/discovery.h>
#include <role/gateway_job.h>

#include "sim.h"

static const char *text(struct sim_reply *r)
{
	return lp_buf_text(&r->body);
}

static struct sim_reply *ask_with(struct sim *s, const char *pin)
{
	const struct lp_header headers[] = {
		{ .name = LP_SPAN("lp-trace"), .value = LP_SPAN("1") },
		{ .name = LP_SPAN("lp-orchestrator"), .value = lp_span(pin) },
	};
	const struct sim_ask_want want = { .path = "text-to-image", .body = LP_SPAN(SIM_PICTURE), .headers = headers,
					   .n_headers = *pin ? 2 : 1 };
	struct sim_reply *r = sim_ask_with(s, &want);

	sim_run_until_quiet(s);
	return r;
}

static bool traced(struct sim_reply *r, const char *words)
{
	return lp_span_find(sim_header(r, "lp-trace"), lp_span(words)) >= 0;
}

/* ---- a list from elsewhere ---- */

struct list {
	const char *body;
	int status, asked;
	int64_t delay;
};

static void find_list(void *self, const struct lp_fetch_want *want, struct sim_page *page)
{
	struct list *list = self;

	assert_true(lp_span_is(want->url, "https://lists.example/orchs"));
	list->asked++;
	*page = (struct sim_page){ .code = LP_OK, .status = list->status, .body = lp_span(list->body),
				   .delay = list->delay };
}

#define WEBHOOK .args = SIM_ARGS("-orchWebhookUrl", "https://lists.example/orchs")
#define ONE "[{\"address\":\"https://one:8935\",\"score\":0.9,\"more\":[1]}]"
#define TWO "[{\"address\":\"https://two:8935\"},{\"address\":\"not a url at all\"},{\"nothing\":1}]"

static void the_list_of_a_webhook_decides_who_works(void **state)
{
	struct sim *s = sim_new(900);
	struct sim_node *one = sim_orchestrator(s, "one"), *two = sim_orchestrator(s, "two");
	struct list list = { .body = ONE, .status = 200 };

	(void)state;
	sim_pages(s->loop, &(struct sim_pages){ find_list, &list });
	sim_gateway(s, WEBHOOK);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask_with(s, "")->status, 200);
	assert_int_equal(sim_jobs(one, LP_OK), 5);
	list.body = TWO;
	sim_run_for(s, 2 * LP_MIN);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask_with(s, "")->status, 200);
	assert_int_equal(sim_jobs(two, LP_OK), 5);
	assert_int_equal(sim_jobs(one, LP_OK), 5);
	sim_books_balance(s);
	sim_end(s);
}

static void a_list_that_fails_or_is_nonsense_changes_nothing(void **state)
{
	static const struct list bad[] = {
		{ "<html>", 200, 0, 0 }, { "{}", 200, 0, 0 }, { "[]", 500, 0, 0 }, { "[]", 302, 0, 0 },
		{ "[", 200, 0, 0 }, { "[]", 200, 0, LP_MIN },
	};
	struct sim *s = sim_new(901);
	struct sim_node *one = sim_orchestrator(s, "one");
	struct list list = { .body = ONE, .status = 200 };
	int jobs = 0;

	(void)state;
	sim_pages(s->loop, &(struct sim_pages){ find_list, &list });
	sim_gateway(s, WEBHOOK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		list = bad[i];
		sim_run_for(s, 3 * LP_MIN);
		assert_true(list.asked > 0);
		assert_int_equal(ask_with(s, "")->status, 200);
		assert_int_equal(sim_jobs(one, LP_OK), ++jobs);
	}
	list = (struct list){ "[]", 200, 0, 0 };	/* an empty list is one */
	sim_run_for(s, 3 * LP_MIN);
	assert_int_equal(ask_with(s, "")->status, 503);
	sim_books_balance(s);
	sim_end(s);
}

/* A job that comes before the list waits for it, as far as jobs wait. */
static void a_job_waits_for_the_first_list(void **state)
{
	struct sim *s = sim_new(902);
	struct list list = { .body = ONE, .status = 200, .delay = 1500 * LP_MSEC };

	(void)state;
	sim_orchestrator(s, "one");
	sim_pages(s->loop, &(struct sim_pages){ find_list, &list });
	sim_gateway(s, WEBHOOK);	/* one second has passed */
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_in_range(r->done_at - r->asked_at, 400 * LP_MSEC, LP_SEC);
	sim_books_balance(s);
	sim_end(s);
}

/* Also when jobs wait for nobody whom they know. */
static void a_first_discovery_slower_than_the_time_for_retries_fails_no_job(void **state)
{
	struct sim *s = sim_new(910);
	struct list list = { .body = ONE, .status = 200, .delay = 2900 * LP_MSEC };

	(void)state;
	sim_orchestrator(s, "one");
	sim_pages(s->loop, &(struct sim_pages){ find_list, &list });
	struct sim_node *g = sim_gateway(s, .args = SIM_ARGS("-orchWebhookUrl", "https://lists.example/orchs",
							     "-aiProcessingRetryTimeout", "100ms"));
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

	assert_false(lp_discovery_first_round_done(g->node->gateway->discovery));
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_true(r->done_at - r->asked_at > LP_SEC);
	sim_books_balance(s);
	sim_end(s);
}

static void a_gateway_that_started_before_its_orchestrator_waits_for_it(void **state)
{
	struct sim *s = sim_new(911);
	struct sim_node *o = sim_orchestrator(s, "one");

	(void)state;
	sim_kill(o);
	sim_gateway(s);
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, 700 * LP_MSEC);
	assert_false(r->done);
	sim_start(o);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

/* Its first answer names no models, since its runner is not up yet: that is not believed for long. */
static void a_runner_that_starts_after_its_orchestrator_gets_the_job_that_waits(void **state)
{
	struct sim *s = sim_new(912);
	struct sim_node *o = sim_orchestrator(s, "one");

	(void)state;
	sim_kill(o);
	sim_runner_stop(o->runner);
	sim_start(o);
	struct sim_node *g = sim_gateway(s, .args = SIM_ARGS("-aiProcessingRetryTimeout", "8s"));
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

	assert_true(lp_discovery_first_round_done(g->node->gateway->discovery));
	sim_run_for(s, 300 * LP_MSEC);
	assert_false(r->done);
	sim_runner_start(o->runner);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

/* Ten new answers, each with a new token and another number of free slots, while jobs use what the first one said
 * (BUG-51): theirs stays as it was, and what is counted of them is. */
static void answers_that_come_during_a_job_change_nothing_of_it(void **state)
{
	struct sim *s = sim_new(913);
	struct sim_node *o = sim_orchestrator(s, "one", .capacity = 5);
	struct sim_node *g = sim_gateway(s, .args = SIM_ARGS("-discoveryInterval", "1s"));
	struct sim_reply *r[5];

	(void)state;
	o->runner->does = (struct sim_does){ .delay = 10 * LP_SEC, .picture = 300000 };
	for (int i = 0; i < 5; i++) {
		r[i] = sim_ask(s, "text-to-image", SIM_PICTURE);
		sim_run_for(s, 1100 * LP_MSEC);
	}
	sim_run_until_quiet(s);
	for (int i = 0; i < 5; i++)
		assert_int_equal(r[i]->status, 200);
	assert_int_equal(sim_jobs(o, LP_OK), 5);
	assert_int_equal(sim_jobs(g, LP_OK), 5);
	sim_books_balance(s);
	sim_end(s);
}

/* It leaves the list while it works: the job ends well. */
static void one_that_leaves_the_list_ends_its_job(void **state)
{
	struct sim *s = sim_new(903);
	struct sim_node *one = sim_orchestrator(s, "one");
	struct list list = { .body = ONE, .status = 200 };

	(void)state;
	one->runner->does.delay = 3 * LP_MIN;
	sim_pages(s->loop, &(struct sim_pages){ find_list, &list });
	sim_gateway(s, WEBHOOK);
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, LP_SEC);
	list.body = "[]";
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

/* It fails while it leaves: nothing is remembered of it but the try. */
static void one_that_leaves_the_list_and_fails_is_not_asked_again(void **state)
{
	static const struct sim_does fails = { .status = 500, .body = "{}", .delay = 2 * LP_MIN };
	struct sim *s = sim_new(904);
	struct sim_node *one = sim_orchestrator(s, "one"), *two = sim_orchestrator(s, "two");
	struct list list = { .body = ONE, .status = 200 };

	(void)state;
	one->runner->does = fails;
	sim_pages(s->loop, &(struct sim_pages){ find_list, &list });
	sim_gateway(s, WEBHOOK);
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, LP_SEC);
	list.body = TWO;
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_int_equal(sim_jobs(two, LP_OK), 1);
	sim_books_balance(s);
	sim_end(s);
}

/* ---- what a client wishes and learns ---- */

static void a_client_names_who_shall_work_and_who_not(void **state)
{
	struct sim *s = sim_new(905);
	struct sim_node *one = sim_orchestrator(s, "one"), *two = sim_orchestrator(s, "two");

	(void)state;
	sim_gateway(s);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ask_with(s, "two")->status, 200);
	assert_int_equal(sim_jobs(two, LP_OK), 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ask_with(s, "!https://two:8935")->status, 200);
	assert_int_equal(sim_jobs(one, LP_OK), 4);
	struct sim_reply *none = ask_with(s, "three");
	assert_int_equal(none->status, 503);
	assert_non_null(strstr(text(none), "2 excluded"));
	assert_true(traced(none, "chose nobody; passed over: 2 excluded"));
	assert_int_equal(sim_metric(s->gateway, LP_M_UNSERVED, LP_LABELS("text-to-image", "excluded")), 1);
	struct sim_reply *bad = ask_with(s, "!");
	assert_int_equal(bad->status, 400);
	assert_non_null(strstr(text(bad), "Lp-Orchestrator"));
	sim_books_balance(s);
	sim_end(s);
}

/* Who is wanted and fails is not replaced by somebody who is not wanted. */
static void a_pin_holds_through_failures(void **state)
{
	struct sim *s = sim_new(906);
	struct sim_node *one = sim_orchestrator(s, "one"), *two = sim_orchestrator(s, "two");

	(void)state;
	sim_gateway(s);
	sim_fill(one);
	assert_int_equal(ask_with(s, "one")->status, 503);
	assert_int_equal(sim_jobs(two, LP_OK), 0);
	assert_in_range(sim_jobs(one, LP_NO_CAPACITY), 1, 4);	/* not hammered while it waited */
	sim_books_balance(s);
	sim_end(s);
}

static void the_trace_counts_every_reason(void **state)
{
	struct sim *s = sim_new(907);
	struct sim_node *dead = sim_orchestrator(s, "dead"), *full = sim_orchestrator(s, "full");
	struct sim_node *good = sim_orchestrator(s, "good");
	struct sim_reply *r;

	(void)state;
	sim_orchestrator(s, "other", .models = "[]");
	sim_gateway(s);
	sim_kill(dead);
	sim_fill(full);
	sim_run_for(s, 3 * LP_MIN);
	r = ask_with(s, "full, good");	/* it is asked, and says that it is full */
	assert_int_equal(r->status, 200);
	r = ask_with(s, "");
	assert_int_equal(r->status, 200);
	assert_true(traced(r, "chose https://good:8935, only one of 1 eligible"));
	assert_true(traced(r, "1 unreached"));
	assert_true(traced(r, "1 model"));
	assert_true(traced(r, "1 busy"));
	assert_int_equal(sim_jobs(good, LP_OK), 2);
	/* Nobody asked for it: nothing is told. */
	struct sim_reply *plain = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(sim_header(plain, "lp-trace").len, 0);
	/* The log has the same, asked or not. */
	assert_non_null(strstr(lp_buf_text(&s->log), "passed_over=\"1 unreached, 1 model"));
	sim_books_balance(s);
	sim_end(s);
}

/* ---- what the operator wishes ---- */

static void a_pipeline_has_its_own_deadline(void **state)
{
	struct sim *s = sim_new(908);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 2);

	(void)state;
	sim_gateway(s, .args = SIM_ARGS("-jobTimeout", "1m", "-pipelineTimeouts", "llm=5s"));
	o->runner->does.delay = 20 * LP_SEC;
	struct sim_reply *chat = sim_ask(s, "llm", SIM_CHAT);
	struct sim_reply *picture = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(chat->status, 504);
	assert_non_null(strstr(text(chat), "within 5 s"));
	assert_in_range(chat->done_at - chat->asked_at, 5 * LP_SEC, 6 * LP_SEC);
	assert_int_equal(picture->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

/* A dozen orchestrators, all the same: whatever the weights, jobs go well and nobody is left out for ever. */
static void many_share_the_work(void **state)
{
	struct sim *s = sim_new(909);
	struct sim_node *all[12];
	int idle = 0;

	(void)state;
	for (int i = 0; i < 12; i++) {
		char name[8];

		snprintf(name, sizeof(name), "o%d", i);
		all[i] = sim_orchestrator(s, name);
		all[i]->runner->does.delay = LP_SEC;
	}
	sim_gateway(s, .args = SIM_ARGS("-selectStakeWeight", "0", "-selectRandFreq", "1"));
	for (int i = 0; i < 120; i++)
		assert_int_equal(ask_with(s, "")->status, 200);
	for (int i = 0; i < 12; i++)
		idle += sim_jobs(all[i], LP_OK) < 3;
	assert_int_equal(idle, 0);
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(the_list_of_a_webhook_decides_who_works),
		sim_test(a_list_that_fails_or_is_nonsense_changes_nothing),
		sim_test(a_job_waits_for_the_first_list),
		sim_test(a_first_discovery_slower_than_the_time_for_retries_fails_no_job),
		sim_test(a_gateway_that_started_before_its_orchestrator_waits_for_it),
		sim_test(a_runner_that_starts_after_its_orchestrator_gets_the_job_that_waits),
		sim_test(answers_that_come_during_a_job_change_nothing_of_it),
		sim_test(one_that_leaves_the_list_ends_its_job),
		sim_test(one_that_leaves_the_list_and_fails_is_not_asked_again),
		sim_test(a_client_names_who_shall_work_and_who_not),
		sim_test(a_pin_holds_through_failures),
		sim_test(the_trace_counts_every_reason),
		sim_test(a_pipeline_has_its_own_deadline),
		sim_test(many_share_the_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
