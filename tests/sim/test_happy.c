/* One job of each of the first three rows, through a gateway, an orchestrator and a runner. */
#include <string.h>

#include "sim.h"

static void a_picture_is_made_kept_and_fetched(void **state)
{
	struct sim *s = sim_new(1);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

	(void)state;
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	struct sim_reply *picture = sim_get(s, NULL, sim_media_path(r));
	sim_run_until_quiet(s);
	assert_int_equal(picture->status, 200);
	assert_int_equal(picture->body.len, 1002);	/* as the runner made it, whole groups of base64 */
	assert_memory_equal(lp_buf_span(&picture->body).at, "\x89PNG", 4);
	assert_int_equal(o->runner->answered, 1);
	assert_int_equal(sim_jobs(o, LP_OK), 1);
	sim_books_balance(s);
	sim_end(s);
}

static void answer_404(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	lp_reply(ex, 404, "text/plain", LP_SPAN("gone"));
}

static void a_small_picture_needs_no_second_request_and_a_large_one_does(void **state)
{
	struct sim *s = sim_new(8);
	struct sim_node *o = sim_orchestrator(s, "orch");
	int fetched = 0;

	(void)state;
	sim_replace_route(o, "/stream/*", answer_404, &fetched);
	o->runner->does.picture = 256 * 1024 - 2;
	struct sim_reply *small = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(small->status, 200);
	assert_non_null(sim_media_path(small));
	assert_int_equal(fetched, 0);
	o->runner->does.picture = 256 * 1024 + 1;
	struct sim_reply *large = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(large->status, 502);
	assert_in_range(fetched, 1, 3);
	sim_books_balance(s);
	sim_end(s);
}

static void a_picture_is_enlarged(void **state)
{
	struct sim *s = sim_new(2);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_reply *r = sim_ask_form(s, "upscale", 700 * 1024);

	(void)state;
	o->runner->does.picture = 3 << 20;
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	struct sim_reply *picture = sim_get(s, NULL, sim_media_path(r));
	sim_run_until_quiet(s);
	assert_int_equal(picture->status, 200);
	assert_in_range(picture->body.len, 3 << 20, (3 << 20) + 2);
	sim_books_balance(s);
	sim_end(s);
}

static void a_chat_is_answered_whole(void **state)
{
	struct sim *s = sim_new(3);

	(void)state;
	sim_orchestrator(s, "orch");
	struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_non_null(strstr(lp_buf_text(&r->body), "hello there"));
	sim_books_balance(s);
	sim_end(s);
}

static void a_chat_is_streamed_event_by_event(void **state)
{
	struct sim *s = sim_new(4);
	struct sim_node *o = sim_orchestrator(s, "orch");

	(void)state;
	o->runner->does = (struct sim_does){ .events = 20, .each = 100 * LP_MSEC };
	struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT_STREAM);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_int_equal(sim_events(r), 20);
	/* As they come: the first long before the last. */
	assert_in_range(r->done_at - r->first_at, 1800 * LP_MSEC, 2000 * LP_MSEC);
	assert_in_range(r->first_at - r->asked_at, 0, 50 * LP_MSEC);
	sim_books_balance(s);
	sim_end(s);
}

static void one_process_is_both(void **state)
{
	struct sim *s = sim_new(5);
	struct sim_node *both = sim_orchestrator(s, "both", .mode = "gateway,orchestrator",
						 .args = SIM_ARGS("-httpAddr=both:9935", "-orchAddr=both:8935"));

	(void)state;
	sim_run_for(s, LP_SEC);
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	struct sim_reply *picture = sim_get(s, NULL, sim_media_path(r));
	sim_run_until_quiet(s);
	assert_int_equal(picture->status, 200);
	assert_int_equal(both->runner->answered, 1);
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(a_picture_is_made_kept_and_fetched),
		sim_test(a_small_picture_needs_no_second_request_and_a_large_one_does),
		sim_test(a_picture_is_enlarged),
		sim_test(a_chat_is_answered_whole),
		sim_test(a_chat_is_streamed_event_by_event),
		sim_test(one_process_is_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
