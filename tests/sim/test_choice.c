/* Whom a gateway asks: full, slow, lying and absent orchestrators are passed over, and said to be. */
#include <string.h>

#include "sim.h"

static const char *text(struct sim_reply *r)
{
	return lp_buf_text(&r->body);
}

/* One that is there but full, and one that is free. */
static void a_full_orchestrator_is_passed_over(void **state)
{
	struct sim *s = sim_new(10);
	struct sim_node *full = sim_orchestrator(s, "full");
	struct sim_node *spare = sim_orchestrator(s, "spare");

	(void)state;
	sim_gateway(s);
	sim_fill(full);
	for (int i = 0; i < 10; i++) {
		struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

		sim_run_until_quiet(s);
		assert_int_equal(r->status, 200);
	}
	assert_int_equal(sim_jobs(full, LP_OK), 0);
	assert_int_equal(sim_jobs(spare, LP_OK), 10);
	/* It was asked and believed: a few times at most, not once a job. */
	assert_in_range(sim_jobs(full, LP_NO_CAPACITY), 0, 4);
	sim_books_balance(s);
	sim_end(s);
}

static void all_are_full_and_stay_so(void **state)
{
	struct sim *s = sim_new(11);
	struct sim_node *one = sim_orchestrator(s, "one");
	struct sim_node *two = sim_orchestrator(s, "two");

	(void)state;
	sim_gateway(s);
	sim_fill(one);
	sim_fill(two);
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 503);
	assert_non_null(strstr(text(r), "2 full"));
	assert_true(sim_header(r, "retry-after").len > 0);
	/* It waited for as long as it should, -aiProcessingRetryTimeout, and no longer. */
	assert_in_range(r->done_at - r->asked_at, LP_SEC, 3 * LP_SEC);
	sim_books_balance(s);
	sim_end(s);
}

static void a_job_waits_for_a_slot_that_comes_free(void **state)
{
	struct sim *s = sim_new(12);
	struct sim_node *o = sim_orchestrator(s, "orch");

	(void)state;
	sim_gateway(s);
	sim_fill(o);
	struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT);
	sim_run_for(s, 500 * LP_MSEC);
	assert_false(r->done);
	sim_unfill(o);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_in_range(r->done_at - r->asked_at, 500 * LP_MSEC, 2100 * LP_MSEC);
	sim_books_balance(s);
	sim_end(s);
}

static void nobody_is_configured(void **state)
{
	struct sim *s = sim_new(13);

	(void)state;
	struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 503);
	assert_non_null(strstr(text(r), "no_orchestrator"));
	assert_true(sim_header(r, "retry-after").len > 0);
	sim_books_balance(s);
	sim_end(s);
}

static void nobody_can_be_reached(void **state)
{
	struct sim *s = sim_new(14);
	struct sim_node *o = sim_orchestrator(s, "orch");

	(void)state;
	sim_kill(o);
	struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 503);
	assert_non_null(strstr(text(r), "1 not reached"));
	assert_true(sim_header(r, "retry-after").len > 0);
	sim_start(o);
	sim_run_for(s, 2 * LP_MIN);	/* discovery asks on */
	struct sim_reply *again = sim_ask(s, "llm", SIM_CHAT);
	sim_run_until_quiet(s);
	assert_int_equal(again->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

static void a_model_that_nobody_has_is_named(void **state)
{
	struct sim *s = sim_new(15);

	(void)state;
	sim_orchestrator(s, "orch");
	struct sim_reply *r = sim_ask(s, "text-to-image", "{\"prompt\":\"a fox\",\"model_id\":\"no/such\"}");
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 503);
	assert_non_null(strstr(text(r), "1 orchestrator does not offer the model"));
	assert_non_null(strstr(text(r), "stabilityai/sdxl-turbo"));
	sim_books_balance(s);
	sim_end(s);
}

static void a_slow_orchestrator_gets_fewer_jobs(void **state)
{
	struct sim *s = sim_new(16);
	struct sim_node *slow = sim_orchestrator(s, "slow");
	struct sim_node *fast = sim_orchestrator(s, "fast");

	(void)state;
	slow->runner->does.delay = 20 * LP_SEC;
	fast->runner->does.delay = LP_SEC;
	for (int i = 0; i < 60; i++) {
		struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

		sim_run_until_quiet(s);
		assert_int_equal(r->status, 200);
	}
	assert_in_range(sim_jobs(slow, LP_OK), 1, 12);	/* met once, then explored now and then */
	assert_int_equal(sim_jobs(slow, LP_OK) + sim_jobs(fast, LP_OK), 60);
	sim_books_balance(s);
	sim_end(s);
}

/* The only one there is, with slots to spare: after one broken connection it is not shut for the length of the
 * first job that sees whether it is well again. */
static void one_broken_connection_does_not_shut_an_orchestrator_for_long(void **state)
{
	struct sim *s = sim_new(23);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 4);

	(void)state;
	sim_gateway(s);
	o->runner->does.delay = 5 * LP_MIN;
	struct sim_reply *lost = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, LP_SEC);
	sim_host_break(o->host);
	sim_run_for(s, 5 * LP_SEC);
	assert_int_equal(lost->status, 502);
	struct sim_reply *first = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, 10 * LP_SEC);
	struct sim_reply *second = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(first->status, 200);
	assert_int_equal(second->status, 200);
	assert_true(second->done_at - first->done_at < 11 * LP_SEC);
	sim_books_balance(s);
	sim_end(s);
}

/* ---- liars: they offer the model and fail at it ---- */

struct lie {
	const char *name;
	struct sim_does does;
	enum lp_code blamed;		/* in lpd_tries_total */
};

static const struct lie lies[] = {
	{ "500", { .status = 500, .body = "{\"detail\":\"out of memory\"}" }, LP_PEER_ERROR },
	{ "404", { .status = 404, .body = "not here" }, LP_PEER_ERROR },
	{ "503", { .status = 503, .body = "busy" }, LP_NO_CAPACITY },
	{ "no JSON", { .body = "<html>hello</html>" }, LP_PEER_ERROR },
	{ "half of its JSON", { .body = "{\"images\":[{\"url\":\"data:image/png;base64,AAAA" }, LP_PEER_ERROR },
	{ "JSON of another kind", { .body = "{\"text\":\"a fox\"}" }, LP_PEER_ERROR },
	{ "nothing in its picture", { .body = "{\"images\":[{\"url\":\"data:image/png;base64,\"}]}" }, LP_PEER_ERROR },
	{ "no base64", { .body = "{\"images\":[{\"url\":\"data:image/png;base64,####\"}]}" }, LP_PEER_ERROR },
	{ "dies", { .how = SIM_DIES }, LP_PEER_ERROR },
	{ "dies midway", { .how = SIM_DIES_MIDWAY, .picture = 100000 }, LP_PEER_ERROR },
};

static void try_lie(const struct lie *lie, int i)
{
	struct sim *s = sim_new(100 + (uint64_t)i);
	struct sim_node *liar = sim_orchestrator(s, "liar");
	struct sim_node *honest = sim_orchestrator(s, "honest");
	struct sim_node *g = sim_gateway(s);

	liar->runner->does = lie->does;
	honest->runner->does.delay = 2 * LP_SEC;	/* so that a liar looks better */
	for (int k = 0; k < 10; k++) {
		struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

		sim_run_until_quiet(s);
		if (r->status != 200)
			print_error("a runner of \"%s\": %s\n", lie->name, text(r));
		assert_int_equal(r->status, 200);
	}
	assert_int_equal(sim_jobs(honest, LP_OK), 10);
	/* 20 s went by: it was met once, suspended, and looked at again ever more seldom. */
	assert_in_range(liar->runner->started, 1, 5);
	assert_true(sim_metric(g, LP_M_TRIES, LP_LABELS("text-to-image", lp_code_name(lie->blamed))) > 0);
	sim_books_balance(s);
	sim_end(s);
}

static void a_runner_that_fails_in_any_way_costs_a_try_and_no_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
		try_lie(&lies[i], (int)i);
}

/* What is wrong with the request is wrong everywhere: one try, and the words come through. */
static void a_bad_request_is_told_and_not_tried_again(void **state)
{
	static const struct sim_does refuses = { .status = 400, .body = "{\"detail\":{\"msg\":\"bad sampler\"}}" };
	struct sim *s = sim_new(17);
	struct sim_node *one = sim_orchestrator(s, "one");
	struct sim_node *two = sim_orchestrator(s, "two");

	(void)state;
	one->runner->does = two->runner->does = refuses;
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 400);
	assert_non_null(strstr(text(r), "bad sampler"));
	assert_int_equal(one->runner->started + two->runner->started, 1);
	/* Nobody is to blame: the next job is served at once. */
	one->runner->does = two->runner->does = (struct sim_does){ 0 };
	struct sim_reply *good = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(good->status, 200);
	assert_in_range(good->done_at - good->asked_at, 0, 500 * LP_MSEC);
	sim_books_balance(s);
	sim_end(s);
}

/* Poison that fails everywhere must not make the round of the network. */
static void a_job_that_breaks_every_runner_blames_three(void **state)
{
	struct sim *s = sim_new(18);
	struct sim_node *all[6];
	int started = 0;

	(void)state;
	for (int i = 0; i < 6; i++) {
		char name[8] = { 'o', (char)('0' + i), 0 };

		all[i] = sim_orchestrator(s, name);
		all[i]->runner->does = (struct sim_does){ .status = 500, .body = "{\"detail\":\"boom\"}" };
	}
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 502);
	for (int i = 0; i < 6; i++)
		started += all[i]->runner->started;
	assert_int_equal(started, 3);
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(a_full_orchestrator_is_passed_over),
		sim_test(all_are_full_and_stay_so),
		sim_test(a_job_waits_for_a_slot_that_comes_free),
		sim_test(nobody_is_configured),
		sim_test(nobody_can_be_reached),
		sim_test(a_model_that_nobody_has_is_named),
		sim_test(a_slow_orchestrator_gets_fewer_jobs),
		sim_test(one_broken_connection_does_not_shut_an_orchestrator_for_long),
		sim_test(a_runner_that_fails_in_any_way_costs_a_try_and_no_answer),
		sim_test(a_bad_request_is_told_and_not_tried_again),
		sim_test(a_job_that_breaks_every_runner_blames_three),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
