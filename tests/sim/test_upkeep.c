/* What a node gives back to the system when the load is over. */
#include "sim.h"

static void memory_is_given_back_after_the_load_and_not_under_it(void **state)
{
	struct sim *s = sim_new(80);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 100);
	struct sim_node *g = sim_gateway(s);

	(void)state;
	o->runner->does.delay = 12 * LP_SEC;
	sim_run_for(s, 5 * LP_SEC);
	for (int i = 0; i < 50; i++)
		sim_ask(s, "llm", SIM_CHAT);
	sim_run_for(s, 11 * LP_SEC);
	assert_int_equal(g->node->jobs, 50);
	sim_run_until_quiet(s);
	assert_int_equal(g->node->upkeep.trims, 0);
	sim_run_for(s, 11 * LP_SEC);
	assert_int_equal(g->node->upkeep.trims, 1);
	assert_int_equal(o->node->upkeep.trims, 1);
	sim_run_for(s, 5 * LP_MIN);
	assert_int_equal(g->node->upkeep.trims, 1);
	sim_books_balance(s);
	sim_end(s);
}

static void a_few_jobs_are_no_load(void **state)
{
	struct sim *s = sim_new(81);
	struct sim_node *g;

	(void)state;
	sim_orchestrator(s, "orch");
	g = sim_gateway(s);
	sim_run_for(s, 5 * LP_SEC);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(sim_ask(s, "llm", SIM_CHAT)->done, false);
		sim_run_for(s, 6 * LP_SEC);
	}
	assert_int_equal(g->node->upkeep.trims, 0);
	sim_books_balance(s);
	sim_end(s);
}

static void media_that_were_let_go_are_given_back_too(void **state)
{
	struct sim *s = sim_new(82);
	struct sim_node *g;

	(void)state;
	sim_orchestrator(s, "orch");
	g = sim_gateway(s, .args = SIM_ARGS("-mediaTTL", "1m"));
	sim_run_for(s, 5 * LP_SEC);
	sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, 30 * LP_SEC);
	assert_int_equal(g->node->upkeep.trims, 0);
	sim_run_for(s, 2 * LP_MIN);
	assert_int_equal(g->node->upkeep.trims, 1);
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(memory_is_given_back_after_the_load_and_not_under_it),
		sim_test(a_few_jobs_are_no_load),
		sim_test(media_that_were_let_go_are_given_back_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
