/* The names of the node that we replace (network-protocol 10.7), and what clients can make of labels. */
#include <string.h>

#include <lpd/base/json.h>

#include "sim.h"

static const char *page(struct sim_node *n)
{
	struct sim_reply *r = sim_admin(n, "metrics");

	sim_run_until_quiet(n->s);
	assert_int_equal(r->status, 200);
	return lp_buf_text(&r->body);
}

static void has(struct sim_node *n, const char *line)
{
	const char *text = page(n);

	if (!strstr(text, line))
		fail_msg("%s is not in\n%s", line, text);
}

static int count(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

#define MODEL "pipeline=\"text-to-image\",model_name=\"stabilityai/sdxl-turbo\""

static void dashboards_find_the_names_that_they_know(void **state)
{
	struct sim *s = sim_new(790);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 3), *g = sim_gateway(s);

	(void)state;
	o->runner->does.delay = 2 * LP_SEC;
	sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, LP_SEC);
	struct sim_reply *busy = sim_admin(o, "metrics");
	sim_run_for(s, LP_SEC / 2);
	const char *uri = ",orchestrator_uri=\"https://orch:8935\"";
	assert_non_null(strstr(lp_buf_text(&busy->body),
			       lp_fmt(s->scope, "\nlivepeer_ai_container_in_use{node_type=\"orch\"," MODEL "%s} 1\n", uri)));
	assert_non_null(strstr(lp_buf_text(&busy->body),
			       lp_fmt(s->scope, "\nlivepeer_ai_container_idle{node_type=\"orch\"," MODEL "%s} 2\n", uri)));
	sim_run_until_quiet(s);
	has(g, "\nlivepeer_ai_models_requested{node_type=\"bctr\"," MODEL "} 1\n");
	has(o, "\nlivepeer_ai_models_requested{node_type=\"orch\"," MODEL "} 1\n");
	/* 2 s for 1024 x 1024 pixels and a bit: seconds per unit of work. */
	has(g, lp_fmt(s->scope, "\nlivepeer_ai_request_latency_score{node_type=\"bctr\"," MODEL "%s,orchestrator_address="
		      "\"0x0000000000000000000000000000000000000000\",orchestrator_version=\"", uri));
	has(o, "\nlivepeer_ai_request_latency_score{node_type=\"orch\"," MODEL ",orchestrator_uri=\"\"");
	has(g, "\nlivepeer_ai_orchestrators_available_total{node_type=\"bctr\"} 1\n");
	has(g, "\nlivepeer_versions{node_type=\"bctr\",livepeerversion=\"lpd ");
	has(o, "\nlivepeer_versions{node_type=\"orch\",livepeerversion=\"lpd ");
	o->runner->does = (struct sim_does){ .status = 400, .body = "{\"detail\":{\"msg\":\"no\"}}" };
	sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(count(page(g), "livepeer_ai_request_errors{node_type=\"bctr\"," MODEL ",error_code="), 1);
	assert_int_equal(count(page(o), "livepeer_ai_request_errors{node_type=\"orch\"," MODEL ",error_code="), 1);
	sim_books_balance(s);
	sim_end(s);
}

static void an_orchestrator_that_does_not_answer_is_counted(void **state)
{
	struct sim *s = sim_new(791);
	struct sim_node *o = sim_orchestrator(s, "orch"), *g = sim_gateway(s);

	(void)state;
	sim_kill(o);
	sim_run_for(s, 3 * LP_MIN);
	has(g, "\nlivepeer_discovery_errors_total{node_type=\"bctr\",error_code=\"");
	has(g, "orchestrator_uri=\"https://orch:8935\"} ");
	has(g, "\nlivepeer_ai_orchestrators_available_total{node_type=\"bctr\"} 0\n");
	sim_books_balance(s);
	sim_end(s);
}

/* Three hundred names that nobody offers are one series, at either end. */
static void clients_cannot_make_up_labels(void **state)
{
	struct sim *s = sim_new(792);
	struct sim_node *o = sim_orchestrator(s, "orch"), *g = sim_gateway(s);
	const int n = 300;

	(void)state;
	for (int i = 0; i < n; i++) {
		const char *json = lp_fmt(s->scope, "{\"prompt\":\"a fox\",\"model_id\":\"made-up-%d\"}", i);

		sim_ask(s, "text-to-image", json);
		sim_ask_orchestrator(o, "text-to-image", json, NULL);
		sim_run_until_quiet(s);
	}
	assert_int_equal(count(page(g), "made-up"), 0);
	assert_int_equal(count(page(o), "made-up"), 0);
	has(g, lp_fmt(s->scope, "\nlivepeer_ai_request_errors{node_type=\"bctr\",pipeline=\"text-to-image\",model_name=\"other\","
		      "error_code=\"no_orchestrator\"} %d\n", n));
	assert_true(count(page(o), "\nlivepeer_ai_request_errors{") <= 2);
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(dashboards_find_the_names_that_they_know),
		sim_test(an_orchestrator_that_does_not_answer_is_counted),
		sim_test(clients_cannot_make_up_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
