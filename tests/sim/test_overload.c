/* Far more than can be served: who is served, in what order and how soon, and what the others are told. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static struct sim_reply *ask_as(struct sim *s, const char *priority)
{
	const struct lp_header header = { .name = LP_SPAN("lp-priority"), .value = lp_span(priority) };

	return sim_ask_with(s, &(struct sim_ask_want){ .path = "llm", .body = lp_span(SIM_CHAT), .headers = &header,
						       .n_headers = 1 });
}

static bool says(const struct sim_reply *r, const char *words)
{
	return lp_span_find(lp_buf_span(&r->body), lp_span(words)) >= 0;
}

/* ---- one client ---- */

static void one_client_may_not_have_all_the_jobs(void **state)
{
	struct sim *s = sim_new(80);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 10);
	struct sim_reply *r[5], *other;
	int served = 0;

	(void)state;
	sim_gateway(s, .args = SIM_ARGS("-maxJobsPerClient", "3"));
	o->runner->does.delay = LP_SEC;
	for (int i = 0; i < 5; i++)
		r[i] = sim_ask(s, "text-to-image", SIM_PICTURE);
	other = sim_ask_with(s, &(struct sim_ask_want){ .path = "text-to-image", .body = lp_span(SIM_PICTURE),
							.from = sim_host_get(s->net, "elsewhere") });
	sim_run_until_quiet(s);
	for (int i = 0; i < 5; i++) {
		served += r[i]->status == 200;
		if (r[i]->status == 200)
			continue;
		assert_int_equal(r[i]->status, 429);
		assert_true(sim_header(r[i], "retry-after").len > 0);
		assert_true(says(r[i], "\"error\":{\"message\":") && says(r[i], "\"code\":\"too_many_requests\""));
		assert_true(says(r[i], "\"detail\":{\"msg\":"));
	}
	assert_int_equal(served, 3);
	assert_int_equal(other->status, 200);
	assert_int_equal(sim_jobs(s->gateway, LP_TOO_MANY), 2);
	/* Who was served, failed or left has given its share back. */
	for (int i = 0; i < 3; i++)
		sim_hang_up(sim_ask(s, "text-to-image", SIM_PICTURE));
	sim_run_until_quiet(s);
	for (int i = 0; i < 3; i++)
		r[i] = sim_ask(s, "text-to-image", i ? SIM_PICTURE : "{}");
	sim_run_until_quiet(s);
	assert_int_equal(r[2]->status, 200);
	r[0] = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(r[0]->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

/* ---- Lp-Priority ---- */

static int64_t first_of(struct sim_reply *const *r, int n)
{
	int64_t at = INT64_MAX;

	for (int i = 0; i < n; i++)
		at = r[i]->done_at < at ? r[i]->done_at : at;
	return at;
}

static int64_t last_of(struct sim_reply *const *r, int n)
{
	int64_t at = 0;

	for (int i = 0; i < n; i++)
		at = r[i]->done_at > at ? r[i]->done_at : at;
	return at;
}

#define EACH 3

/* One slot; the least important come first. */
static void three_kinds_wait(struct sim *s, struct sim_reply *r[3][EACH])
{
	static const char *const kinds[] = { "low", "Normal", "high" };

	sim_ask(s, "llm", SIM_CHAT);
	sim_run_for(s, 50 * LP_MSEC);
	for (int k = 0; k < 3; k++) {
		for (int i = 0; i < EACH; i++) {
			r[k][i] = ask_as(s, kinds[k]);
			sim_run_for(s, 10 * LP_MSEC);
		}
	}
	sim_run_until_quiet(s);
	for (int k = 0; k < 3; k++)
		for (int i = 0; i < EACH; i++)
			assert_int_equal(r[k][i]->status, 200);
}

static void what_matters_more_goes_first_where_jobs_wait(void **state)
{
	struct sim *s = sim_new(81);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_reply *r[3][EACH];

	(void)state;
	sim_gateway(s, .args = SIM_ARGS("-aiProcessingRetryTimeout", "60s", "-allowPriorities"));
	o->runner->does.delay = 500 * LP_MSEC;
	three_kinds_wait(s, r);
	assert_true(last_of(r[2], EACH) < first_of(r[1], EACH));
	/* One turn in eight is for those who would come last; here it moves one of them at most. */
	assert_true(last_of(r[1], EACH) < last_of(r[0], EACH));
	for (int k = 0; k < 3; k++)
		for (int i = 1; i < EACH; i++)
			assert_true(r[k][i - 1]->done_at < r[k][i]->done_at);
	sim_books_balance(s);
	sim_end(s);
}

static void without_the_option_the_header_means_nothing(void **state)
{
	struct sim *s = sim_new(82);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_reply *r[3][EACH], *odd;

	(void)state;
	sim_gateway(s, .args = SIM_ARGS("-aiProcessingRetryTimeout", "60s"));
	o->runner->does.delay = 500 * LP_MSEC;
	three_kinds_wait(s, r);
	assert_true(last_of(r[0], EACH) < first_of(r[1], EACH));
	assert_true(last_of(r[1], EACH) < first_of(r[2], EACH));
	odd = ask_as(s, "urgent");
	sim_run_until_quiet(s);
	assert_int_equal(odd->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

static void a_priority_that_is_none_is_refused_in_words(void **state)
{
	struct sim *s = sim_new(83);
	struct sim_reply *r;

	(void)state;
	sim_orchestrator(s, "orch");
	sim_gateway(s, .args = SIM_ARGS("-allowPriorities"));
	r = ask_as(s, "urgent");
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 400);
	assert_true(says(r, "Lp-Priority is high, normal or low"));
	sim_books_balance(s);
	sim_end(s);
}

/* Nobody of high priority ever waits less than he can: a job of low priority that came before them stands before
 * those that come later than half the time that jobs may wait. */
static void who_waits_grows_older_and_goes_before_newer_ones(void **state)
{
	struct sim *s = sim_new(84);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_reply *low, *high;

	(void)state;
	sim_gateway(s, .args = SIM_ARGS("-aiProcessingRetryTimeout", "40s", "-allowPriorities"));
	o->runner->does.delay = 30 * LP_SEC;
	sim_ask(s, "llm", SIM_CHAT);
	sim_run_for(s, LP_SEC);
	low = ask_as(s, "low");
	sim_run_for(s, 21 * LP_SEC);	/* 20 s are half of it */
	high = ask_as(s, "high");
	sim_run_until_quiet(s);
	assert_int_equal(low->status, 200);
	assert_int_equal(high->status, 200);
	assert_true(low->done_at < high->done_at);
	sim_books_balance(s);
	sim_end(s);
}

/* Twice what can be served comes with high priority, for a minute. */
static void a_flood_of_high_priority_leaves_the_others_a_share(void **state)
{
	struct sim *s = sim_new(85);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_reply *r[60][2];
	int high = 0, served[2] = { 0 };
	struct sim_reply *flood[600];

	(void)state;
	sim_gateway(s, .args = SIM_ARGS("-aiProcessingRetryTimeout", "5s", "-allowPriorities"));
	o->runner->does.delay = 200 * LP_MSEC;
	for (int i = 0; i < 600; i++) {
		flood[i] = ask_as(s, "high");
		if (i % 10 == 0) {
			r[i / 10][0] = ask_as(s, "low");
			r[i / 10][1] = ask_as(s, "normal");
		}
		sim_run_for(s, 100 * LP_MSEC);
	}
	sim_run_until_quiet(s);
	for (int i = 0; i < 600; i++)
		high += flood[i]->status == 200;
	for (int i = 0; i < 60; i++)
		for (int k = 0; k < 2; k++)
			served[k] += r[i][k]->status == 200;
	if (s->loud)
		fprintf(stderr, "high %d, normal %d, low %d\n", high, served[1], served[0]);
	assert_true(high > 200);
	assert_true(served[0] >= 10);
	assert_true(served[1] >= 10);
	sim_books_balance(s);
	sim_end(s);
}

/* ---- ten times what can be served ---- */

#define SLOTS 5
#define TIME (3 * LP_SEC)	/* of a job */

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* A job may wait -aiProcessingRetryTimeout, 2 s, and then takes as long as ever: so the slowest in a hundred takes no
 * more than twice its time. */
static void at_ten_times_the_capacity_who_is_served_is_served_soon(void **state)
{
	struct sim *s = sim_new(86);
	struct sim_node *o[2] = { sim_orchestrator(s, "one", .capacity = SLOTS), sim_orchestrator(s, "two", .capacity = SLOTS) };
	int n = sim_few() ? 700 : 4000, served = 0, most = 0;
	struct sim_reply **r = lp_new_array(s->scope, struct sim_reply *, (size_t)n), *alone;
	int64_t *took = lp_new_array(s->scope, int64_t, (size_t)n), unloaded;

	(void)state;
	sim_gateway(s);
	for (int i = 0; i < 2; i++)
		o[i]->runner->does.delay = TIME;
	sim_run_for(s, 5 * LP_SEC);
	alone = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	unloaded = alone->done_at - alone->asked_at;
	for (int i = 0; i < n; i++) {
		r[i] = sim_ask(s, "text-to-image", SIM_PICTURE);
		sim_run_for(s, TIME / (2 * SLOTS) / 10);
		most = s->gateway->node->jobs > most ? s->gateway->node->jobs : most;
	}
	sim_run_until_quiet(s);
	for (int i = 0; i < n; i++) {
		if (r[i]->status == 200) {
			took[served++] = r[i]->done_at - r[i]->asked_at;
			continue;
		}
		assert_int_equal(r[i]->status, 503);
		assert_true(sim_header(r[i], "retry-after").len > 0);
		assert_true(r[i]->done_at - r[i]->asked_at < 2500 * LP_MSEC);	/* told soon, too */
	}
	qsort(took, (size_t)served, sizeof(*took), by_time);
	int64_t p99 = took[served - 1 - served / 100];

	if (s->loud)
		fprintf(stderr, "%d of %d served, p99 %lld ms, unloaded %lld ms, at most %d jobs\n", served, n,
			(long long)(p99 / LP_MSEC), (long long)(unloaded / LP_MSEC), most);
	assert_true(p99 <= 2 * unloaded);
	/* The slots were never idle for long: of n / 10 that fit, most came through. */
	assert_true(served > n / 10 * 8 / 10);
	/* Those that run, and what comes in 2.5 s. */
	assert_true(most <= 2 * SLOTS + 90);
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(one_client_may_not_have_all_the_jobs),
		sim_test(what_matters_more_goes_first_where_jobs_wait),
		sim_test(without_the_option_the_header_means_nothing),
		sim_test(a_priority_that_is_none_is_refused_in_words),
		sim_test(who_waits_grows_older_and_goes_before_newer_ones),
		sim_test(a_flood_of_high_priority_leaves_the_others_a_share),
		sim_test(at_ten_times_the_capacity_who_is_served_is_served_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
