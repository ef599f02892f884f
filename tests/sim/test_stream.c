/* Streams of events and large answers: what fails before and after the first byte, and readers that are slow. */
#include <string.h>

#include "sim.h"

static const char *text(struct sim_reply *r)
{
	return lp_buf_text(&r->body);
}

/* Of a runner that stops in the way that the test says when half of it is out. */
static struct sim_reply *stream_from(struct sim *s, enum sim_how how, int events)
{
	struct sim_node *o = sim_orchestrator(s, "orch");

	o->runner->does = (struct sim_does){ .how = how, .events = events, .each = 50 * LP_MSEC };
	struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT_STREAM);
	sim_run_until_quiet(s);
	return r;
}

static void a_stream_that_breaks_after_events_ends_in_an_error_event(void **state)
{
	/* An orderly end without a finish_reason is no end. */
	static const enum sim_how ways[] = { SIM_DIES_MIDWAY, SIM_ERROR_EVENT, SIM_ENDS_MIDWAY };

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		struct sim *s = sim_new(200 + i);
		struct sim_reply *r = stream_from(s, ways[i], 10);

		assert_int_equal(r->status, 200);
		assert_int_equal(r->failed, LP_OK);
		assert_int_equal(sim_events(r), 6);	/* five, and the one that says why there are no more */
		assert_non_null(strstr(text(r), "\"error\":{\"message\""));
		assert_null(strstr(text(r), "[DONE]"));	/* for that says that all is there */
		sim_books_balance(s);
		sim_end(s);
	}
}

static void a_stream_that_breaks_before_its_first_event_is_tried_elsewhere(void **state)
{
	static const enum sim_how ways[] = { SIM_DIES, SIM_DIES_MIDWAY, SIM_ERROR_EVENT, SIM_ENDS_MIDWAY };

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		struct sim *s = sim_new(210 + i);
		struct sim_node *bad = sim_orchestrator(s, "bad");
		struct sim_node *good = sim_orchestrator(s, "good");

		sim_gateway(s);
		bad->runner->does = (struct sim_does){ .how = ways[i], .events = 1 };	/* half of one is none */
		good->runner->does.events = 8;
		for (int k = 0; k < 6; k++) {
			struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT_STREAM);

			sim_run_until_quiet(s);
			assert_int_equal(r->status, 200);
			assert_int_equal(sim_events(r), 8);
			assert_null(strstr(text(r), "error"));
		}
		assert_true(bad->runner->started > 0);
		assert_int_equal(sim_jobs(good, LP_OK), 6);
		sim_books_balance(s);
		sim_end(s);
	}
}

static struct sim_reply *large_event(struct sim *s, size_t large, const char *const *args)
{
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_node *g = sim_gateway(s, .args = args);

	o->runner->does = (struct sim_does){ .events = 5, .large = large, .each = 20 * LP_MSEC };
	struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT_STREAM);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_int_equal(lp_media_budget(g->node->media)->bodies, 0);
	assert_int_equal(lp_media_budget(o->node->media)->bodies, 0);
	sim_books_balance(s);
	return r;
}

#define DONE "data: [DONE]\n\n"

static void an_event_of_hundreds_of_kilobytes_passes_both_nodes(void **state)
{
	static const size_t sizes[] = { 70000, 400 << 10, 1000 << 10 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct sim *s = sim_new(240 + i);
		struct sim_reply *r = large_event(s, sizes[i], NULL);

		assert_int_equal(sim_events(r), 5);
		assert_true(r->body.len > sizes[i]);
		assert_true(lp_span_ends(lp_buf_span(&r->body), "}\n\n" DONE));
		sim_end(s);
	}
}

/* Whichever node it is too much for, the client is told, and is not told that this was all. */
static void an_event_that_is_too_large_ends_in_an_error_event(void **state)
{
	struct sim *s = sim_new(245);
	struct sim_reply *r = large_event(s, (1 << 20) + 1, NULL);

	(void)state;
	assert_int_equal(sim_events(r), 3);
	assert_non_null(strstr(text(r), "\"error\":{\"message\""));
	assert_null(strstr(text(r), "[DONE]"));
	sim_end(s);
}

static void an_event_for_which_there_is_no_memory_ends_in_an_error_event(void **state)
{
	struct sim *s = sim_new(246);
	struct sim_reply *r = large_event(s, 600 << 10, SIM_ARGS("-memoryBudget", "1MiB"));

	(void)state;
	assert_int_equal(sim_events(r), 3);
	assert_non_null(strstr(text(r), "no memory left for an event of this size"));
	assert_null(strstr(text(r), "[DONE]"));
	sim_end(s);
}

static void lie(void *self, struct lp_exchange *ex)
{
	struct lp_header h = { .name = LP_SPAN("content-type"), .value = LP_SPAN("text/event-stream") };
	struct lp_buf *events = self;

	lp_reply_head(ex, 200, -1, &h, 1);
	lp_reply_write(ex, lp_buf_span(events));
	lp_reply_end(ex);
}

static void a_peers_event_that_is_too_large_is_told_in_words(void **state)
{
	struct sim *s = sim_new(247);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct lp_buf events = { 0 };

	(void)state;
	lp_buf_add_text(&events, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: ");
	memset(lp_buf_room(&events, 2 << 20), ' ', 2 << 20);
	lp_buf_grew(&events, 2 << 20);
	sim_replace_route(o, "/llm", lie, &events);
	struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT_STREAM);
	sim_run_until_quiet(s);
	assert_int_equal(sim_events(r), 2);
	assert_non_null(strstr(text(r), "an event is longer than 1048576 bytes"));
	assert_null(strstr(text(r), "[DONE]"));
	lp_buf_clear(&events);
	sim_end(s);
}

/* Nothing more comes, and nobody ends it: the stall is noticed, the client told, the slot given back. */
static void a_stream_that_falls_silent_is_given_up(void **state)
{
	struct sim *s = sim_new(220);
	struct sim_reply *r = stream_from(s, SIM_STOPS_MIDWAY, 10);

	(void)state;
	assert_int_equal(r->status, 200);
	assert_non_null(strstr(text(r), "\"error\":{\"message\""));
	assert_in_range(r->done_at - r->asked_at, 30 * LP_SEC, 11 * LP_MIN);
	sim_books_balance(s);
	sim_end(s);
}

static void a_slow_reader_gets_all_of_it(void **state)
{
	struct sim *s = sim_new(221);
	struct sim_node *o = sim_orchestrator(s, "orch");

	(void)state;
	o->runner->does.events = 3000;
	struct sim_reply *r = sim_ask_with(s, &(struct sim_ask_want){
		.path = "llm", .body = lp_span(SIM_CHAT_STREAM), .pause = 50 * LP_MSEC });
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_int_equal(sim_events(r), 3000);
	assert_true(r->done_at - r->asked_at > 2 * LP_SEC);	/* at its own pace */
	sim_books_balance(s);
	sim_end(s);
}

/* Back-pressure reaches from the app developer to the runner: what waits in the nodes is bounded. */
static void a_slow_reader_slows_the_runner_and_fills_no_memory(void **state)
{
	struct sim *s = sim_new(222);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_node *g = sim_gateway(s);
	size_t most = 0;

	(void)state;
	o->runner->does.picture = 8 << 20;
	struct sim_reply *r = sim_ask_with(s, &(struct sim_ask_want){
		.path = "text-to-image?media=inline", .body = lp_span(SIM_PICTURE), .pause = 5 * LP_MSEC });
	while (!r->done && sim_now(s) < r->asked_at + LP_HOUR) {
		size_t bytes = lp_scope_bytes(g->scope) + lp_scope_bytes(o->scope);

		most = bytes > most ? bytes : most;
		sim_run_for(s, 100 * LP_MSEC);
	}
	assert_int_equal(r->status, 200);
	assert_true(r->body.len > (8 << 20) / 3 * 4);
	assert_true(most < g->idle + o->idle + (1 << 20));
	sim_books_balance(s);
	sim_end(s);
}

/* One that does not read at all: given up after the write stall, and everything is freed. */
static void a_reader_that_stops_is_given_up(void **state)
{
	struct sim *s = sim_new(223);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_node *g = sim_gateway(s);

	(void)state;
	o->runner->does.picture = 2 << 20;
	struct sim_reply *r = sim_ask_with(s, &(struct sim_ask_want){
		.path = "text-to-image?media=inline", .body = lp_span(SIM_PICTURE), .read_most = 5000 });
	sim_run_for(s, 10 * LP_SEC);
	assert_int_equal(g->node->jobs, 1);	/* it is waited for */
	sim_run_for(s, 2 * LP_MIN);
	assert_int_equal(g->node->jobs, 0);
	assert_int_equal(r->body.len, 5000);
	sim_hang_up(r);
	sim_books_balance(s);
	sim_end(s);
}

/* The stream is cut on its way, and heals: TCP waits, and so do we. */
static void a_short_cut_in_the_line_only_delays(void **state)
{
	struct sim *s = sim_new(224);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_node *g = sim_gateway(s);

	(void)state;
	o->runner->does = (struct sim_does){ .events = 40, .each = 50 * LP_MSEC };
	struct sim_reply *r = sim_ask(s, "llm", SIM_CHAT_STREAM);
	sim_run_for(s, 500 * LP_MSEC);
	sim_net_cut(s->net, g->host, o->host, true);
	sim_run_for(s, 20 * LP_SEC);
	assert_false(r->done);
	sim_net_cut(s->net, g->host, o->host, false);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_int_equal(sim_events(r), 40);
	sim_books_balance(s);
	sim_end(s);
}

/* The power goes at an orchestrator: no reset comes, only silence. */
static void an_orchestrator_without_power_is_noticed(void **state)
{
	struct sim *s = sim_new(225);
	struct sim_node *dark = sim_orchestrator(s, "dark");
	struct sim_node *g;

	(void)state;
	dark->runner->does.delay = 5 * LP_SEC;
	g = sim_gateway(s);
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, LP_SEC);
	sim_host_silence(dark->host, true);
	sim_kill(dark);
	sim_run_for(s, 3 * LP_MIN);
	assert_true(r->done);
	assert_in_range(r->status, 502, 504);
	assert_int_equal(g->node->jobs, 0);
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(a_stream_that_breaks_after_events_ends_in_an_error_event),
		sim_test(a_stream_that_breaks_before_its_first_event_is_tried_elsewhere),
		sim_test(an_event_of_hundreds_of_kilobytes_passes_both_nodes),
		sim_test(an_event_that_is_too_large_ends_in_an_error_event),
		sim_test(an_event_for_which_there_is_no_memory_ends_in_an_error_event),
		sim_test(a_peers_event_that_is_too_large_is_told_in_words),
		sim_test(a_stream_that_falls_silent_is_given_up),
		sim_test(a_slow_reader_gets_all_of_it),
		sim_test(a_slow_reader_slows_the_runner_and_fills_no_memory),
		sim_test(a_reader_that_stops_is_given_up),
		sim_test(a_short_cut_in_the_line_only_delays),
		sim_test(an_orchestrator_without_power_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
