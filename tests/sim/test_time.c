/* Deadlines, tokens that expire, restarts, going down, and results that are kept for a while. */
#include <string.h>
#include <unistd.h>

#include <fault_vfs.h>

#include "sim.h"
#include "sim_disk.h"

static const char *text(struct sim_reply *r)
{
	return lp_buf_text(&r->body);
}

static struct sim_reply *picture(struct sim *s)
{
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

	sim_run_until_quiet(s);
	return r;
}

/* ---- deadlines ---- */

static void a_job_that_takes_too_long_is_ended_everywhere(void **state)
{
	struct sim *s = sim_new(300);
	struct sim_node *o = sim_orchestrator(s, "orch");

	(void)state;
	sim_gateway(s, .args = SIM_ARGS("-jobTimeout=5s"));
	o->runner->does.how = SIM_HANGS;
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 504);
	assert_in_range(r->done_at - r->asked_at, 5 * LP_SEC, 5 * LP_SEC + 100 * LP_MSEC);
	sim_run_for(s, 100 * LP_MSEC);
	assert_int_equal(o->runner->gone, 1);	/* the runner was told to stop */
	assert_int_equal(sim_slots_used(o), 0);
	sim_books_balance(s);
	sim_end(s);
}

static void an_orchestrator_has_a_deadline_of_its_own(void **state)
{
	struct sim *s = sim_new(301);
	struct sim_node *o = sim_orchestrator(s, "orch", .args = SIM_ARGS("-jobTimeout=3s"));
	struct sim_node *spare;

	(void)state;
	o->runner->does.how = SIM_HANGS;
	spare = sim_orchestrator(s, "spare");
	sim_gateway(s);
	for (int i = 0; i < 4; i++)
		assert_int_equal(picture(s)->status, 200);
	assert_true(o->runner->gone > 0);
	assert_int_equal(sim_jobs(spare, LP_OK), 4);
	sim_books_balance(s);
	sim_end(s);
}

/* ---- tokens ---- */

static int64_t tries(const struct sim_node *g, enum lp_code code)
{
	return sim_metric(g, LP_M_TRIES, LP_LABELS("text-to-image", lp_code_name(code)));
}

static void terms_that_have_ended_are_renewed_before_a_job_is_sent(void **state)
{
	struct sim *s = sim_new(302);
	struct sim_node *g;

	(void)state;
	sim_orchestrator(s, "orch");
	g = sim_gateway(s, .args = SIM_ARGS("-discoveryInterval=2h"));
	assert_int_equal(picture(s)->status, 200);
	sim_run_for(s, 50 * LP_MIN);	/* a token lives for thirty */
	assert_int_equal(picture(s)->status, 200);
	assert_int_equal(tries(g, LP_OK), 2);
	assert_int_equal(tries(g, LP_TOKEN), 0);
	sim_books_balance(s);
	sim_end(s);
}

static void tokens_survive_a_restart_of_the_orchestrator(void **state)
{
	struct sim *s = sim_new(303);
	struct sim_node *o = sim_orchestrator(s, "orch"), *g;

	(void)state;
	g = sim_gateway(s, .args = SIM_ARGS("-discoveryInterval=1h"));
	assert_int_equal(picture(s)->status, 200);
	sim_kill(o);
	sim_start(o);
	sim_run_for(s, LP_SEC);
	assert_int_equal(picture(s)->status, 200);
	assert_int_equal(tries(g, LP_TOKEN), 0);
	sim_books_balance(s);
	sim_end(s);
}

static int status_with(struct sim *s, struct lp_span segment)
{
	const struct lp_header headers[] = {
		{ .name = LP_SPAN("livepeer-payment"), .value = LP_SPAN("") },
		{ .name = LP_SPAN("livepeer-segment"), .value = segment },
	};
	struct sim_reply *r = sim_ask_with(s, &(struct sim_ask_want){
		.url = "https://orch:8935/llm", .headers = headers, .n_headers = 2,
		.body = LP_SPAN("{\"model\":\"meta-llama/llama-3.1-8B-Instruct\",\"max_tokens\":9,"
				"\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}") });

	sim_run_until_quiet(s);
	return r->status;
}

/* The orchestrator remembers which it found good; no longer than they are. */
static void credentials_are_good_again_until_the_token_expires(void **state)
{
	struct sim *s = sim_new(307);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 10);

	(void)state;
	sim_run_for(s, 5 * LP_SEC);
	struct lp_span good = sim_segment(s->scope, o, "llm"), bad;
	char *forged = lp_strdup(s->scope, good);

	forged[good.len - 8] ^= 1;	/* in the token, which comes last */
	bad = lp_span(forged);
	assert_int_equal(status_with(s, good), 200);
	assert_int_equal(status_with(s, bad), 403);
	assert_int_equal(status_with(s, good), 200);
	sim_run_for(s, 29 * LP_MIN);
	assert_int_equal(status_with(s, good), 200);
	sim_run_for(s, 2 * LP_MIN);
	assert_int_equal(status_with(s, good), 403);
	assert_int_equal(status_with(s, sim_segment(s->scope, o, "llm")), 200);
	sim_books_balance(s);
	sim_end(s);
}

static void a_lost_data_directory_costs_a_second_try(void **state)
{
	struct sim *s = sim_new(304);
	struct sim_node *o = sim_orchestrator(s, "orch"), *g;
	char store[200];

	(void)state;
	g = sim_gateway(s, .args = SIM_ARGS("-discoveryInterval=1h"));
	assert_int_equal(picture(s)->status, 200);
	sim_kill(o);
	snprintf(store, sizeof(store), "%s/lpd.db", o->dir);
	assert_int_equal(unlink(store), 0);
	sim_start(o);
	sim_run_for(s, LP_SEC);
	assert_int_equal(picture(s)->status, 200);
	assert_int_equal(tries(g, LP_TOKEN), 1);
	sim_books_balance(s);
	sim_end(s);
}

/* The power goes before or after the secret is on disk: either way the node comes back and works. */
static void an_orchestrator_survives_a_power_cut(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		struct sim *s = sim_new(310 + (uint64_t)i);
		struct sim_node *o = sim_orchestrator(s, "orch");

		sim_kill(o);
		sim_start(o);
		sim_run_for(s, i * 150);	/* microseconds: while the store is at work */
		sim_kill(o);
		fault_vfs_power_cut(o->dir, i % 2 == 1);
		sim_start(o);
		sim_run_for(s, LP_SEC);
		assert_int_equal(picture(s)->status, 200);
		sim_books_balance(s);
		sim_end(s);
	}
}

/* ---- going down ---- */

static void a_draining_gateway_finishes_what_runs_and_takes_no_more(void **state)
{
	struct sim *s = sim_new(320);
	struct sim_node *o = sim_orchestrator(s, "orch"), *g = sim_gateway(s);

	(void)state;
	o->runner->does.delay = 10 * LP_SEC;
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, LP_SEC);
	sim_drain(g);
	struct sim_reply *late = sim_ask(s, "text-to-image", SIM_PICTURE), *ready = sim_admin(g, "readyz");
	sim_run_for(s, 6 * LP_SEC);
	assert_false(g->drained);
	assert_true(late->done && ready->done);
	assert_int_equal(late->status, 503);
	assert_true(sim_header(late, "retry-after").len > 0);
	assert_non_null(strstr(lp_buf_text(&late->body), "\"draining\""));
	assert_int_equal(ready->status, 503);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	sim_run_for(s, 2 * LP_SEC);
	assert_true(g->drained);
	sim_books_balance(s);
	sim_end(s);
}

/* The last answer names a picture, which a client comes for on a connection of its own. */
static void what_a_draining_gateway_made_last_can_be_fetched(void **state)
{
	struct sim *s = sim_new(323);
	struct sim_node *o = sim_orchestrator(s, "orch"), *g = sim_gateway(s);

	(void)state;
	o->runner->does.delay = 10 * LP_SEC;
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, LP_SEC);
	sim_drain(g);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	const char *path = sim_media_path(r);
	sim_run_for(s, LP_SEC / 2);
	assert_false(g->drained);
	struct sim_reply *picture = sim_get(s, g, path);
	sim_run_for(s, 2 * LP_SEC);
	assert_int_equal(picture->status, 200);
	assert_true(picture->body.len >= 1000);
	assert_true(g->drained);
	sim_books_balance(s);
	sim_end(s);
}

static void a_gateway_without_jobs_goes_down_at_once(void **state)
{
	struct sim *s = sim_new(324);
	struct sim_node *g;

	(void)state;
	sim_orchestrator(s, "orch");
	g = sim_gateway(s);
	sim_ask(s, "llm", SIM_CHAT);
	sim_run_until_quiet(s);
	sim_drain(g);
	sim_run_for(s, LP_SEC / 4);
	assert_true(g->drained);
	sim_end(s);
}

static void a_draining_orchestrator_finishes_what_runs_while_others_go_elsewhere(void **state)
{
	struct sim *s = sim_new(321);
	struct sim_node *leaving = sim_orchestrator(s, "leaving", .capacity = 4);
	struct sim_node *spare = sim_orchestrator(s, "spare", .capacity = 4);
	struct sim_node *g = sim_gateway(s);
	const struct lp_header pin = { .name = LP_SPAN("lp-orchestrator"), .value = LP_SPAN("leaving") };

	(void)state;
	leaving->runner->does.delay = 10 * LP_SEC;
	struct sim_reply *r = sim_ask_with(s, &(struct sim_ask_want){
		.path = "text-to-image", .body = lp_span(SIM_PICTURE), .headers = &pin, .n_headers = 1 });
	sim_run_for(s, LP_SEC);
	assert_int_equal(leaving->node->jobs, 1);
	sim_drain(leaving);
	struct sim_reply *late = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_int_equal(late->status, 200);
	assert_int_equal(sim_jobs(leaving, LP_OK), 1);
	assert_int_equal(sim_jobs(spare, LP_OK), 1);
	sim_run_for(s, 40 * LP_SEC);
	assert_true(leaving->drained);
	assert_int_equal(g->node->jobs, 0);
	sim_books_balance(s);
	sim_end(s);
}

static void a_drain_does_not_wait_for_ever(void **state)
{
	struct sim *s = sim_new(322);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_node *g = sim_gateway(s, .args = SIM_ARGS("-drainTimeout=5s"));

	(void)state;
	o->runner->does.how = SIM_HANGS;
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, LP_SEC);
	sim_drain(g);
	sim_run_for(s, 6 * LP_SEC);
	assert_true(g->drained);
	sim_kill(g);		/* as the process then does */
	sim_run_until_quiet(s);
	assert_int_equal(r->failed, LP_RESET);
	sim_run_for(s, LP_SEC);
	assert_int_equal(o->runner->gone, 1);
	sim_books_balance(s);
	sim_end(s);
}

/* ---- results that are kept ---- */

static void a_result_is_there_for_its_time_and_gone_after_it(void **state)
{
	struct sim *s = sim_new(330);

	(void)state;
	sim_orchestrator(s, "orch");
	sim_gateway(s, .args = SIM_ARGS("-mediaTTL=1m"));
	struct sim_reply *r = picture(s);
	const char *path = sim_media_path(r);
	sim_run_for(s, 50 * LP_SEC);
	struct sim_reply *soon = sim_get(s, NULL, path);
	sim_run_until_quiet(s);
	assert_int_equal(soon->status, 200);
	sim_run_for(s, 20 * LP_SEC);
	struct sim_reply *late = sim_get(s, NULL, path);
	sim_run_until_quiet(s);
	assert_int_equal(late->status, 404);
	sim_books_balance(s);
	sim_end(s);
}

static void a_full_media_budget_refuses_new_ones_and_drops_none(void **state)
{
	struct sim *s = sim_new(331);
	struct sim_node *o = sim_orchestrator(s, "orch");

	(void)state;
	o->runner->does.picture = 400000;
	sim_gateway(s, .args = SIM_ARGS("-mediaBudget=1MB"));
	struct sim_reply *first = picture(s), *second = picture(s), *third = picture(s);
	assert_int_equal(first->status, 200);
	assert_int_equal(second->status, 200);
	assert_int_equal(third->status, 507);
	struct sim_reply *old = sim_get(s, NULL, sim_media_path(first));
	sim_run_until_quiet(s);
	assert_int_equal(old->status, 200);
	sim_run_for(s, 11 * LP_MIN);
	assert_int_equal(picture(s)->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

/* The result is no more where the orchestrator said: it is made again elsewhere. */
static void answer_404(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	lp_reply(ex, 404, "text/plain", LP_SPAN("gone"));
}

static void a_result_that_cannot_be_fetched_is_made_elsewhere(void **state)
{
	struct sim *s = sim_new(332);
	struct sim_node *loses = sim_orchestrator(s, "loses");
	struct sim_node *keeps = sim_orchestrator(s, "keeps");
	struct sim_node *g = sim_gateway(s);
	int lost = 0;

	(void)state;
	keeps->runner->does.delay = 2 * LP_SEC;
	loses->runner->does.picture = 300000;	/* too large to stand in the answer */
	sim_replace_route(loses, "/stream/*", answer_404, &lost);
	for (int i = 0; i < 6; i++)
		assert_int_equal(picture(s)->status, 200);
	assert_true(lost > 0);
	assert_int_equal(tries(g, LP_MEDIA_LOST), lost);
	assert_int_equal(sim_jobs(keeps, LP_OK), 6);
	sim_books_balance(s);
	sim_end(s);
}

/* Only silence ends a download: this one needs half a minute, which is nothing of it. */
static void a_large_result_that_comes_slowly_and_steadily_arrives(void **state)
{
	struct sim *s = sim_new(333);
	struct sim_node *o = sim_orchestrator(s, "orch");

	(void)state;
	sim_gateway(s);
	o->runner->does.picture = 3 << 20;
	sim_host_get(s->net, "orch")->bandwidth = 100000;
	struct sim_reply *r = picture(s);

	assert_int_equal(r->status, 200);
	assert_in_range(r->done_at - r->asked_at, 25 * LP_SEC, LP_MIN);
	assert_int_equal(o->runner->started, 1);
	sim_books_balance(s);
	sim_end(s);
}

/* ---- disks ---- */

static void a_full_disk_refuses_an_upload_in_words(void **state)
{
	struct sim *s = sim_new(340);

	(void)state;
	sim_orchestrator(s, "orch");
	sim_gateway(s);
	sim_disk_room(100000);
	struct sim_reply *r = sim_ask_form(s, "upscale", 2 << 20);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 507);
	assert_non_null(strstr(text(r), "no_room"));
	/* Small ones need no disk. */
	assert_int_equal(picture(s)->status, 200);
	sim_disk_room(-1);
	struct sim_reply *again = sim_ask_form(s, "upscale", 2 << 20);
	sim_run_until_quiet(s);
	assert_int_equal(again->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

static void a_disk_that_fills_at_any_moment_costs_one_job(void **state)
{
	(void)state;
	for (int i = 0; i < 12; i++) {
		struct sim *s = sim_new(350 + (uint64_t)i);
		struct sim_node *o = sim_orchestrator(s, "orch");

		o->runner->does.picture = 1 << 20;
		sim_gateway(s);
		sim_disk_room(i * 400000);
		struct sim_reply *r = sim_ask_form(s, "upscale", 1 << 20);
		sim_run_until_quiet(s);
		assert_true(r->status == 200 || r->status >= 500);
		assert_true(r->done_at - r->asked_at < 10 * LP_SEC);
		sim_disk_room(-1);
		sim_run_for(s, 30 * LP_SEC);	/* suspensions end */
		struct sim_reply *again = sim_ask_form(s, "upscale", 1 << 20);
		sim_run_until_quiet(s);
		assert_int_equal(again->status, 200);
		sim_books_balance(s);
		sim_end(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(a_job_that_takes_too_long_is_ended_everywhere),
		sim_test(an_orchestrator_has_a_deadline_of_its_own),
		sim_test(terms_that_have_ended_are_renewed_before_a_job_is_sent),
		sim_test(credentials_are_good_again_until_the_token_expires),
		sim_test(tokens_survive_a_restart_of_the_orchestrator),
		sim_test(a_lost_data_directory_costs_a_second_try),
		sim_test(an_orchestrator_survives_a_power_cut),
		sim_test(a_draining_gateway_finishes_what_runs_and_takes_no_more),
		sim_test(what_a_draining_gateway_made_last_can_be_fetched),
		sim_test(a_gateway_without_jobs_goes_down_at_once),
		sim_test(a_draining_orchestrator_finishes_what_runs_while_others_go_elsewhere),
		sim_test(a_drain_does_not_wait_for_ever),
		sim_test(a_result_is_there_for_its_time_and_gone_after_it),
		sim_test(a_full_media_budget_refuses_new_ones_and_drops_none),
		sim_test(a_result_that_cannot_be_fetched_is_made_elsewhere),
		sim_test(a_large_result_that_comes_slowly_and_steadily_arrives),
		sim_test(a_full_disk_refuses_an_upload_in_words),
		sim_test(a_disk_that_fills_at_any_moment_costs_one_job),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
