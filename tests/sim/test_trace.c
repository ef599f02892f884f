/* A client's trace goes wherever its job goes (W3C Trace Context). */
#include <string.h>

#include "sim.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00-" TRACE "-00f067aa0ba902b7-01"

static struct sim_reply *ask_with(struct sim *s, const struct lp_header *headers, int n)
{
	struct sim_reply *r = sim_ask_with(s, &(struct sim_ask_want){
		.path = "text-to-image", .body = LP_SPAN(SIM_PICTURE), .headers = headers, .n_headers = n });

	sim_run_until_quiet(s);
	sim_run_for(s, LP_SEC);
	return r;
}

/* Lines of the log with all three. */
static int lines(struct sim *s, const char *one, const char *two, const char *three)
{
	struct lp_span rest = lp_buf_span(&s->log);
	int n = 0;

	while (rest.len) {
		struct lp_span line = lp_span_cut(&rest, '\n');

		n += lp_span_find(line, lp_span(one)) >= 0 && lp_span_find(line, lp_span(two)) >= 0 &&
		     lp_span_find(line, lp_span(three)) >= 0;
	}
	return n;
}

static void every_try_at_an_orchestrator_stands_in_the_same_trace(void **state)
{
	struct sim *s = sim_new(780);
	struct sim_node *bad = sim_orchestrator(s, "bad"), *good = sim_orchestrator(s, "good");
	const struct lp_header parent = { LP_SPAN("traceparent"), LP_SPAN(PARENT), false };

	(void)state;
	bad->runner->does = (struct sim_does){ .status = 500, .body = "{\"detail\":{\"msg\":\"ill\"}}" };
	int asked = 0;
	while (!bad->runner->started && asked++ < 20)
		assert_int_equal(ask_with(s, &parent, 1)->status, 200);
	assert_true(bad->runner->started > 0 && good->runner->started > 0);
	assert_true(lines(s, "\"job\" node=bad", "trace=" TRACE, "code=runner_failed") > 0);
	assert_true(lines(s, "\"job\" node=good", "trace=" TRACE, "code=ok") > 0);
	assert_true(lines(s, "\"job\" node=gateway", "trace=" TRACE, "parent=00f067aa0ba902b7") > 0);
	sim_books_balance(s);
	sim_end(s);
}

static void a_traceparent_that_stands_twice_counts_as_none(void **state)
{
	struct sim *s = sim_new(781);
	const struct lp_header twice[] = { { LP_SPAN("traceparent"), LP_SPAN(PARENT), false },
					   { LP_SPAN("traceparent"), LP_SPAN(PARENT), false } };

	(void)state;
	sim_orchestrator(s, "orch");
	assert_int_equal(ask_with(s, twice, 2)->status, 200);
	assert_int_equal(lines(s, "\"job\"", "trace=" TRACE, ""), 0);
	assert_int_equal(lines(s, "\"job\"", "node=gateway", "parent=\"\""), 1);
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(every_try_at_an_orchestrator_stands_in_the_same_trace),
		sim_test(a_traceparent_that_stands_twice_counts_as_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
