/* Runners as they are: busy, deaf, loading, gone, back again; and the one that we start ourselves. */
#include <string.h>

#include <lpd/base/assert.h>

#include "sim.h"

static struct sim_reply *picture(struct sim *s)
{
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

	sim_run_until_quiet(s);
	return r;
}

static const struct lp_runner *first_runner(const struct sim_node *o)
{
	return sim_runner_row(o, 0);
}

/* While it draws a picture an ai-runner answers nothing, for minutes (ai-http-api 3.3). */
static void a_runner_that_is_busy_and_silent_is_not_given_up(void **state)
{
	struct sim *s = sim_new(400);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 2);

	(void)state;
	o->runner->busy_is_silent = true;
	o->runner->does.delay = 5 * LP_MIN;
	struct sim_reply *first = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, 3 * LP_MIN);
	assert_int_equal(first_runner(o)->state, LP_RUNNER_READY);
	struct sim_reply *second = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(first->status, 200);
	assert_int_equal(second->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

/* Somebody else's job keeps it busy: silence is no fault, and our job waits its turn there. */
static void a_runner_that_is_deaf_is_not_given_up(void **state)
{
	struct sim *s = sim_new(401);
	struct sim_node *o = sim_orchestrator(s, "orch");

	(void)state;
	o->runner->deaf = true;
	sim_run_for(s, 3 * LP_MIN);
	assert_true(o->runner->asked > 5);
	assert_int_equal(first_runner(o)->state, LP_RUNNER_READY);
	assert_int_equal(picture(s)->status, 200);
	o->runner->deaf = false;
	sim_books_balance(s);
	sim_end(s);
}

static void a_runner_that_is_gone_is_down_and_comes_back(void **state)
{
	struct sim *s = sim_new(402);
	struct sim_node *o = sim_orchestrator(s, "orch"), *spare = sim_orchestrator(s, "spare");

	(void)state;
	sim_gateway(s);
	sim_runner_stop(o->runner);
	sim_run_for(s, 30 * LP_SEC);
	assert_int_equal(first_runner(o)->state, LP_RUNNER_DOWN);
	assert_true(first_runner(o)->why[0]);
	for (int i = 0; i < 5; i++)
		assert_int_equal(picture(s)->status, 200);
	assert_int_equal(sim_jobs(spare, LP_OK), 5);
	sim_runner_start(o->runner);
	sim_run_for(s, 2 * LP_MIN);
	assert_int_equal(first_runner(o)->state, LP_RUNNER_READY);
	sim_fill(spare);
	assert_int_equal(picture(s)->status, 200);
	assert_int_equal(sim_jobs(o, LP_OK), 1);
	sim_unfill(spare);
	sim_books_balance(s);
	sim_end(s);
}

/* Nobody has noticed yet: the job itself finds out, and costs nobody more than a moment. */
static void a_runner_that_just_died_is_found_out_by_the_job(void **state)
{
	struct sim *s = sim_new(403);
	struct sim_node *o = sim_orchestrator(s, "orch"), *spare = sim_orchestrator(s, "spare");

	(void)state;
	sim_gateway(s);
	sim_fill(spare);
	assert_int_equal(picture(s)->status, 200);	/* the orchestrator is known and liked */
	sim_unfill(spare);
	sim_runner_stop(o->runner);
	for (int i = 0; i < 3; i++) {
		struct sim_reply *r = picture(s);

		assert_int_equal(r->status, 200);
		assert_in_range(r->done_at - r->asked_at, 0, 500 * LP_MSEC);
	}
	assert_int_equal(sim_jobs(spare, LP_OK), 3);
	assert_int_equal(sim_slots_used(o), 0);
	sim_books_balance(s);
	sim_end(s);
}

static void a_runner_that_loads_or_errs_is_not_offered(void **state)
{
	static const char *const words[] = { "LOADING", "ERROR", "nonsense" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct sim *s = sim_new(404 + i);
		struct sim_node *o = sim_orchestrator(s, "orch");

		o->runner->health = words[i];
		sim_run_for(s, 30 * LP_SEC);
		assert_int_not_equal(first_runner(o)->state, LP_RUNNER_READY);
		assert_int_equal(picture(s)->status, 503);
		assert_int_equal(o->runner->started, 0);
		o->runner->health = "OK";
		sim_run_for(s, 90 * LP_SEC);
		assert_int_equal(picture(s)->status, 200);
		sim_books_balance(s);
		sim_end(s);
	}
}

/* The slots of a model bound what its runner gets, whatever comes at once. */
static void a_runner_never_gets_more_than_its_capacity(void **state)
{
	struct sim *s = sim_new(410);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 3);
	struct sim_reply *r[12];
	int good = 0;

	(void)state;
	sim_gateway(s);
	o->runner->does.delay = LP_SEC;
	for (int i = 0; i < 12; i++)
		r[i] = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	for (int i = 0; i < 12; i++) {
		good += r[i]->status == 200;
		assert_true(r[i]->status == 200 || r[i]->status == 503);
	}
	assert_int_equal(o->runner->most_jobs, 3);
	assert_in_range(good, 3, 9);	/* the first three, and who got a turn within two seconds */
	sim_books_balance(s);
	sim_end(s);
}

/* ---- lpd-runner, the child ---- */

struct nursery {
	struct sim *s;
	struct sim_runner *runner;
	struct lp_process *child;
	int started, stopped;
	bool barren;		/* nothing can be started */
};

/* It listens where it is told: -listen unix:PATH. */
static bool child_starts(void *self, struct lp_process *child, const struct lp_process_want *want)
{
	struct nursery *n = self;
	const char *listen = want->argv[2];

	if (n->barren)
		return false;
	n->started++;
	n->child = child;
	lp_assert(strncmp(listen, "unix:", 5) == 0);
	if (!n->runner)
		n->runner = sim_runner_at(n->s, "orch", listen + 5);
	else
		sim_runner_start(n->runner);
	return true;
}

static void child_stops(void *self, struct lp_process *child)
{
	struct nursery *n = self;

	(void)child;
	n->stopped++;
	sim_runner_stop(n->runner);
}

static void child_dies(struct nursery *n)
{
	sim_runner_stop(n->runner);
	sim_child_exit(n->child, 1, 0);
}

static const char builtin[] =
	"[{\"pipeline\":\"text-to-image\",\"model_id\":\"builtin/emoji-flow\",\"warm\":true}]";

static struct sim_node *with_child(struct sim *s, struct nursery *n)
{
	const struct sim_children script = { child_starts, child_stops, n };

	n->s = s;
	sim_children(s->loop, &script);
	return sim_orchestrator(s, "orch", .models = builtin, .args = SIM_ARGS("-runnerPath=/bin/true"));
}

static struct sim_reply *builtin_picture(struct sim *s)
{
	struct sim_reply *r = sim_ask(s, "text-to-image",
				      "{\"prompt\":\"a fox\",\"model_id\":\"builtin/emoji-flow\"}");

	sim_run_until_quiet(s);
	return r;
}

static void the_built_in_runner_is_started_watched_and_stopped(void **state)
{
	struct sim *s = sim_new(420);
	struct nursery n = { 0 };
	struct sim_node *o = with_child(s, &n);

	(void)state;
	assert_int_equal(builtin_picture(s)->status, 200);
	child_dies(&n);
	sim_run_for(s, 2 * LP_MIN);	/* started again, found healthy, offered, and heard of by the gateway */
	assert_int_equal(n.started, 2);
	assert_int_equal(sim_metric(o, LP_M_RUNNER_RESTARTS, LP_LABELS("builtin")), 1);
	assert_int_equal(builtin_picture(s)->status, 200);
	sim_books_balance(s);
	sim_kill(o);
	assert_int_equal(n.stopped, 1);
	sim_end(s);
}

static void a_builtin_model_that_the_child_lacks_is_not_offered(void **state)
{
	struct sim *s = sim_new(423);
	struct nursery n = { 0 };
	struct sim_node *o = with_child(s, &n);

	(void)state;
	n.runner->models = "[{\"name\":\"builtin/emoji-flow\",\"pipeline\":\"upscale\"}]";
	sim_run_for(s, LP_MIN);
	assert_int_equal(first_runner(o)->state, LP_RUNNER_DOWN);
	assert_non_null(strstr(first_runner(o)->why, "lpd models list"));
	n.runner->models = "[{\"name\":\"builtin/emoji-flow\",\"pipeline\":\"text-to-image\"}]";
	sim_run_for(s, LP_MIN);
	assert_int_equal(first_runner(o)->state, LP_RUNNER_READY);
	sim_end(s);
}

static void a_child_that_dies_in_mid_job_costs_time_and_no_answer(void **state)
{
	struct sim *s = sim_new(421);
	struct nursery n = { 0 };
	struct sim_node *o = with_child(s, &n);

	(void)state;
	n.runner->does.delay = 10 * LP_SEC;
	struct sim_reply *r = sim_ask(s, "text-to-image",
				      "{\"prompt\":\"a fox\",\"model_id\":\"builtin/emoji-flow\"}");
	sim_run_for(s, 5 * LP_SEC);
	child_dies(&n);
	sim_run_until_quiet(s);
	/* Nobody was paid, so it is done again as soon as the child is back. */
	assert_int_equal(r->status, 200);
	assert_int_equal(n.started, 2);
	assert_int_equal(sim_slots_used(o), 0);
	sim_books_balance(s);
	sim_end(s);
}

/* It dies at once, each time: it is started ever more seldom, not in a circle. */
static void a_child_that_will_not_live_is_started_ever_more_seldom(void **state)
{
	struct sim *s = sim_new(422);
	struct nursery n = { 0 };

	(void)state;
	with_child(s, &n);
	for (int i = 0; i < 600; i++) {
		if (n.runner->scope)
			child_dies(&n);
		sim_run_for(s, 100 * LP_MSEC);
	}
	assert_in_range(n.started, 5, 12);	/* in a minute */
	n.barren = true;
	sim_run_for(s, LP_MIN);
	n.barren = false;
	sim_run_for(s, 3 * LP_MIN);
	assert_int_equal(builtin_picture(s)->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(a_runner_that_is_busy_and_silent_is_not_given_up),
		sim_test(a_runner_that_is_deaf_is_not_given_up),
		sim_test(a_runner_that_is_gone_is_down_and_comes_back),
		sim_test(a_runner_that_just_died_is_found_out_by_the_job),
		sim_test(a_runner_that_loads_or_errs_is_not_offered),
		sim_test(a_runner_never_gets_more_than_its_capacity),
		sim_test(the_built_in_runner_is_started_watched_and_stopped),
		sim_test(a_builtin_model_that_the_child_lacks_is_not_offered),
		sim_test(a_child_that_dies_in_mid_job_costs_time_and_no_answer),
		sim_test(a_child_that_will_not_live_is_started_ever_more_seldom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
