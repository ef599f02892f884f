/* What is asked beside jobs: the gateway's own pages and the operator's, while jobs run; and answers that are
 * larger than is usual. */
#include <stdlib.h>
#include <string.h>

#include <lpd/base/json.h>

#include "sim.h"

static const char *text(struct sim_reply *r)
{
	return lp_buf_text(&r->body);
}

static json_t *json_of(struct sim_reply *r)
{
	struct lp_err e;
	json_t *json;

	assert_int_equal(r->status, 200);
	assert_int_equal(lp_json_parse(r->scope, &json, lp_buf_span(&r->body), &e), LP_OK);
	return json;
}

static long long number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static void the_operator_sees_jobs_come_and_go(void **state)
{
	struct sim *s = sim_new(700);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 2), *g = sim_gateway(s);

	(void)state;
	o->runner->does.delay = 10 * LP_SEC;
	sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, LP_SEC);
	struct sim_reply *gs = sim_admin(g, "status"), *os = sim_admin(o, "status");
	struct sim_reply *metrics = sim_admin(g, "metrics"), *ready = sim_admin(o, "readyz");
	sim_run_for(s, LP_SEC);
	assert_int_equal(number(json_of(gs), "jobs"), 1);
	assert_int_equal(number(json_of(os), "jobs"), 1);
	assert_non_null(strstr(text(gs), "\"inFlight\":1"));
	assert_non_null(strstr(text(os), "\"in_use\":1"));
	assert_non_null(strstr(text(metrics), "lpd_jobs_active{role=\"gateway\"} 1"));
	assert_int_equal(ready->status, 200);
	sim_run_until_quiet(s);
	struct sim_reply *after = sim_admin(g, "status");
	sim_run_until_quiet(s);
	assert_int_equal(number(json_of(after), "jobs"), 0);
	assert_true(number(json_object_get(json_of(after), "media"), "memoryBytes") > 0);
	sim_books_balance(s);
	sim_end(s);
}

static void readiness_says_why_not(void **state)
{
	struct sim *s = sim_new(701);
	struct sim_node *o = sim_orchestrator(s, "orch"), *g = sim_gateway(s);

	(void)state;
	sim_runner_stop(o->runner);
	sim_run_for(s, 30 * LP_SEC);
	struct sim_reply *down = sim_admin(o, "readyz");
	sim_run_until_quiet(s);
	assert_int_equal(down->status, 503);
	assert_non_null(strstr(text(down), "no runner is ready"));
	sim_kill(o);
	sim_run_for(s, 5 * LP_MIN);
	struct sim_reply *alone = sim_admin(g, "readyz");
	sim_run_until_quiet(s);
	assert_int_equal(alone->status, 503);
	assert_non_null(strstr(text(alone), "not reached"));
	sim_runner_start(o->runner);
	sim_start(o);
	sim_run_for(s, 2 * LP_MIN);
	struct sim_reply *again = sim_admin(g, "readyz");
	sim_run_until_quiet(s);
	assert_int_equal(again->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

static int status_of(struct sim *s, const char *method, const char *path)
{
	struct sim_reply *r = sim_ask_with(s, &(struct sim_ask_want){ .path = path, .method = method });

	sim_run_until_quiet(s);
	return r->status;
}

static void the_public_port_answers_what_is_no_job(void **state)
{
	struct sim *s = sim_new(702);

	(void)state;
	sim_orchestrator(s, "orch");
	assert_int_equal(status_of(s, "GET", ""), 200);
	assert_int_equal(status_of(s, "GET", "healthz"), 200);
	assert_int_equal(status_of(s, "GET", "openapi.json"), 200);
	assert_int_equal(status_of(s, "HEAD", "openapi.json"), 200);
	assert_int_equal(status_of(s, "GET", "text-to-image"), 405);
	assert_int_equal(status_of(s, "GET", "nothing"), 404);
	assert_int_equal(status_of(s, "GET", "stream/00/11.png"), 404);
	assert_int_equal(status_of(s, "POST", "live-video-to-video"), 404);
	assert_int_equal(status_of(s, "POST", "text-to-image"), 400);
	sim_books_balance(s);
	sim_end(s);
}

/* ---- large answers ---- */

static char *large_chat(size_t n)
{
	static const char front[] = "{\"id\":\"c\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"";
	static const char back[] = "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"total_tokens\":9}}";
	char *all = malloc(sizeof(front) + n + sizeof(back));

	assert_non_null(all);
	memcpy(all, front, sizeof(front));
	memset(all + sizeof(front) - 1, 'w', n);
	memcpy(all + sizeof(front) - 1 + n, back, sizeof(back));
	return all;
}

static void an_answer_of_any_size_is_passed_on_byte_for_byte(void **state)
{
	static const size_t sizes[] = { 0, 1000, 65000, 65400, 65536, 70000, 1000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct sim *s = sim_new(710 + i);
		struct sim_node *o = sim_orchestrator(s, "orch");
		char *body = large_chat(sizes[i]);

		o->runner->does.body = body;
		struct sim_reply *quick = sim_ask(s, "llm", SIM_CHAT);
		sim_run_until_quiet(s);
		struct sim_reply *slow = sim_ask_with(s, &(struct sim_ask_want){
			.path = "llm", .body = lp_span(SIM_CHAT), .pause = 2 * LP_MSEC });
		sim_run_until_quiet(s);
		assert_int_equal(quick->status, 200);
		assert_string_equal(text(quick), body);
		assert_string_equal(text(slow), body);
		sim_books_balance(s);
		sim_end(s);
		free(body);
	}
}

/* Once a byte of it is out it cannot be had from elsewhere: the client sees it break, and never a short one
 * that looks whole. */
static void a_large_answer_that_breaks_is_seen_to_break(void **state)
{
	struct sim *s = sim_new(720);
	struct sim_node *o = sim_orchestrator(s, "orch");
	char *body = large_chat(400000);

	(void)state;
	o->runner->does = (struct sim_does){ .how = SIM_DIES_MIDWAY, .body = body };
	struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_int_equal(r->failed, LP_RESET);
	sim_books_balance(s);
	sim_end(s);
	free(body);
}

/* A small one that breaks was not begun: it comes from elsewhere, whole. */
static void a_small_answer_that_breaks_comes_from_elsewhere(void **state)
{
	struct sim *s = sim_new(721);
	struct sim_node *bad = sim_orchestrator(s, "bad"), *good = sim_orchestrator(s, "good");
	char *body = large_chat(30000);

	(void)state;
	bad->runner->does = (struct sim_does){ .how = SIM_DIES_MIDWAY, .body = body };
	good->runner->does.body = body;
	for (int i = 0; i < 6; i++) {
		struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT);

		sim_run_until_quiet(s);
		assert_int_equal(r->status, 200);
		assert_string_equal(text(r), body);
	}
	assert_true(bad->runner->started > 0);
	sim_books_balance(s);
	sim_end(s);
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(the_operator_sees_jobs_come_and_go),
		sim_test(readiness_says_why_not),
		sim_test(the_public_port_answers_what_is_no_job),
		sim_test(an_answer_of_any_size_is_passed_on_byte_for_byte),
		sim_test(a_large_answer_that_breaks_is_seen_to_break),
		sim_test(a_small_answer_that_breaks_comes_from_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
