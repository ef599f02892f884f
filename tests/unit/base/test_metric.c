#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include <lpd/base/metric.h>
#include <lpd/base/time.h>

struct node {
	struct lp_scope *scope;
	struct lp_metrics *metrics;
	struct lp_buf page;
};

static int setup(void **state)
{
	static struct node node;

	node = (struct node){ .scope = lp_scope_open(NULL, "test") };
	node.metrics = lp_metrics_open(node.scope);
	*state = &node;
	return 0;
}

static int teardown(void **state)
{
	struct node *node = *state;

	lp_buf_clear(&node->page);
	lp_scope_close(&node->scope);
	return 0;
}

static void counts_add_up_per_label(void **state)
{
	struct node *node = *state;
	const char *const *ok = LP_LABELS("gateway", "llm", "ok"), *const *bad = LP_LABELS("gateway", "llm", "timeout");

	lp_metric_add(node->metrics, LP_M_JOBS, ok, 1);
	lp_metric_add(node->metrics, LP_M_JOBS, ok, 2);
	lp_metric_add(node->metrics, LP_M_JOBS, bad, 1);
	assert_int_equal(lp_metric_value(node->metrics, LP_M_JOBS, ok), 3);
	assert_int_equal(lp_metric_value(node->metrics, LP_M_JOBS, bad), 1);
	assert_int_equal(lp_metric_value(node->metrics, LP_M_JOBS, LP_LABELS("x", "y", "z")), 0);
	lp_metric_set(node->metrics, LP_M_JOBS_ACTIVE, LP_LABELS("gateway"), 5);
	lp_metric_add(node->metrics, LP_M_JOBS_ACTIVE, LP_LABELS("gateway"), -1);
	assert_int_equal(lp_metric_value(node->metrics, LP_M_JOBS_ACTIVE, LP_LABELS("gateway")), 4);
}

static void has(struct node *node, const char *line)
{
	if (!strstr(lp_buf_text(&node->page), line))
		fail_msg("%s is not in\n%s", line, lp_buf_text(&node->page));
}

static void the_page_is_prometheus_text(void **state)
{
	struct node *node = *state;

	lp_metric_add(node->metrics, LP_M_JOBS, LP_LABELS("gateway", "l\"l\\m\n", "ok"), 3);
	lp_metric_time(node->metrics, LP_M_JOB_SECONDS, LP_LABELS("gateway", "llm"), 1 * LP_MSEC);
	lp_metric_time(node->metrics, LP_M_JOB_SECONDS, LP_LABELS("gateway", "llm"), 2 * LP_SEC + 300);
	lp_metric_time(node->metrics, LP_M_JOB_SECONDS, LP_LABELS("gateway", "llm"), 20 * LP_MIN);
	lp_metrics_write(node->metrics, &node->page);
	has(node, "# HELP lpd_jobs_total Jobs that ended");
	has(node, "# TYPE lpd_jobs_total counter\n");
	has(node, "\nlpd_jobs_total{role=\"gateway\",pipeline=\"l\\\"l\\\\m\\n\",code=\"ok\"} 3\n");
	has(node, "# TYPE lpd_job_seconds histogram\n");
	has(node, "\nlpd_job_seconds_bucket{role=\"gateway\",pipeline=\"llm\",le=\"0.001\"} 1\n");
	has(node, "\nlpd_job_seconds_bucket{role=\"gateway\",pipeline=\"llm\",le=\"1\"} 1\n");
	has(node, "\nlpd_job_seconds_bucket{role=\"gateway\",pipeline=\"llm\",le=\"2.5\"} 2\n");
	has(node, "\nlpd_job_seconds_bucket{role=\"gateway\",pipeline=\"llm\",le=\"600\"} 2\n");
	has(node, "\nlpd_job_seconds_bucket{role=\"gateway\",pipeline=\"llm\",le=\"+Inf\"} 3\n");
	has(node, "\nlpd_job_seconds_sum{role=\"gateway\",pipeline=\"llm\"} 1202.0013\n");
	has(node, "\nlpd_job_seconds_count{role=\"gateway\",pipeline=\"llm\"} 3\n");
	has(node, "\nlpd_loop_stalls_total 0\n");
}

static void labels_from_outside_cannot_fill_the_memory(void **state)
{
	struct node *node = *state;
	char status[300];

	for (int i = 0; i < 5000; i++) {
		snprintf(status, sizeof(status), "%d", i);
		lp_metric_add(node->metrics, LP_M_HTTP_REQUESTS, LP_LABELS(status), 1);
	}
	assert_int_equal(lp_metric_value(node->metrics, LP_M_HTTP_REQUESTS, LP_LABELS("other")), 5000 - 1999);
	memset(status, 'x', sizeof(status) - 1);
	status[sizeof(status) - 1] = 0;
	lp_metric_add(node->metrics, LP_M_HTTP_REFUSED, LP_LABELS(status), 1);
	assert_int_equal(lp_metric_value(node->metrics, LP_M_HTTP_REFUSED, LP_LABELS(status)), 1);
}

static void a_number_has_its_fraction(void **state)
{
	struct node *node = *state;
	const char *const *labels = LP_LABELS("orch", "llm", "m", "", "", "");

	lp_metric_number(node->metrics, LP_M_AI_SCORE, labels, 1.5);
	lp_metric_number(node->metrics, LP_M_AI_SCORE, labels, 3.75e-7);
	lp_metric_number(node->metrics, LP_M_AI_SCORE, LP_LABELS("bctr", "llm", "m", "u", "a", "v"), 1.0 / 0.0);
	lp_metrics_write(node->metrics, &node->page);
	has(node, "# TYPE livepeer_ai_request_latency_score gauge\n");
	has(node, "orchestrator_version=\"\"} 3.75e-07\n");
	has(node, "orchestrator_version=\"v\"} 0\n");
}

static void a_gauge_that_is_counted_anew_forgets_who_is_gone(void **state)
{
	struct node *node = *state;

	lp_metric_add(node->metrics, LP_M_CAPACITY, LP_LABELS("llm", "old", "total"), 3);
	lp_metric_zero(node->metrics, LP_M_CAPACITY);
	lp_metric_add(node->metrics, LP_M_CAPACITY, LP_LABELS("llm", "new", "total"), 2);
	assert_int_equal(lp_metric_value(node->metrics, LP_M_CAPACITY, LP_LABELS("llm", "old", "total")), 0);
	assert_int_equal(lp_metric_value(node->metrics, LP_M_CAPACITY, LP_LABELS("llm", "new", "total")), 2);
}

/* A reader takes a page as a whole or not at all. */
static void a_value_is_utf8_whatever_it_was(void **state)
{
	struct node *node = *state;
	char value[200];

	memset(value, 'a', sizeof(value));
	memcpy(value + 119, "\xc3\xa9", 3);
	lp_metric_add(node->metrics, LP_M_HTTP_REFUSED, LP_LABELS(value), 1);
	lp_metric_add(node->metrics, LP_M_HTTP_REFUSED, LP_LABELS("bad \xff\xc3"), 1);
	lp_metric_add(node->metrics, LP_M_HTTP_REFUSED, LP_LABELS("caf\xc3\xa9"), 1);
	lp_metrics_write(node->metrics, &node->page);
	assert_true(lp_utf8_valid(lp_buf_span(&node->page)));
	value[119] = 0;
	has(node, value);
	has(node, "reason=\"bad ??\"");
	has(node, "reason=\"caf\xc3\xa9\"");
}

static void every_row_has_help_and_a_place_in_the_document(void **state)
{
	struct node *node = *state;

	lp_metrics_doc(&node->page);
	has(node, "| `lpd_jobs_total` | counter | role,pipeline,code | Jobs that ended");
	has(node, "| `lpd_loop_stalls_total` | counter |  | Turns");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_add_up_per_label, setup, teardown),
		cmocka_unit_test_setup_teardown(the_page_is_prometheus_text, setup, teardown),
		cmocka_unit_test_setup_teardown(labels_from_outside_cannot_fill_the_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(a_number_has_its_fraction, setup, teardown),
		cmocka_unit_test_setup_teardown(a_gauge_that_is_counted_anew_forgets_who_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_value_is_utf8_whatever_it_was, setup, teardown),
		cmocka_unit_test_setup_teardown(every_row_has_help_and_a_place_in_the_document, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
