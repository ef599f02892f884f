/* Recordings and videos: lpd-media well, missing, slow, broken by what it is given. */
#include <string.h>

#include "sim_media.h"

/* Both nodes measure; what the runner is told is theirs. */
static void a_recording_goes_through_both_nodes(void **state)
{
	struct sim *s = sim_new(700);
	struct sim_media *m = sim_media(s);
	struct sim_node *o = sim_clip_orchestrator(s, "orch");

	(void)state;
	sim_gateway(s, .args = SIM_ARGS(SIM_MEDIA));
	assert_int_equal(m->started, 0);	/* not before there is a need */
	struct sim_reply *r = sim_ask_recording(s, 300000);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_non_null(strstr(lp_buf_text(&r->body), "hello there"));
	assert_int_equal(m->started, 2);
	assert_int_equal(sim_jobs(o, LP_OK), 1);
	sim_books_balance(s);
	sim_end(s);
}

static void frames_become_a_video_that_the_gateway_keeps(void **state)
{
	struct sim *s = sim_new(701);
	struct sim_media *m = sim_media(s);
	struct sim_node *o = sim_clip_orchestrator(s, "orch");

	(void)state;
	sim_gateway(s, .args = SIM_ARGS(SIM_MEDIA));
	struct sim_reply *r = sim_ask_video(s);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	assert_non_null(strstr(lp_buf_text(&r->body), ".mp4\""));
	assert_non_null(strstr(lp_buf_text(&r->body), "\"seed\":7"));
	assert_non_null(strstr(lp_buf_text(&r->body), "\"warning\":\"a \\\"stand-in\\\" drew\""));
	assert_int_equal(m->started, 1);	/* only the orchestrator has frames */
	assert_int_equal(sim_jobs(o, LP_OK), 1);
	assert_int_equal(sim_slots_used(o), 0);
	sim_books_balance(s);
	sim_end(s);
}

/* While a video is made the runner may have the next job. */
static void the_runner_is_free_while_a_video_is_made(void **state)
{
	struct sim *s = sim_new(702);
	struct sim_node *o;

	(void)state;
	sim_media(s)->does.delay = 20 * LP_SEC;
	o = sim_clip_orchestrator(s, "orch");
	sim_gateway(s, .args = SIM_ARGS(SIM_MEDIA));
	struct sim_reply *r = sim_ask_video(s);
	sim_run_for(s, 5 * LP_SEC);
	assert_int_equal(r->status, 0);
	assert_int_equal(o->node->jobs, 1);
	assert_int_equal(sim_slots_used(o), 0);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

/* The client is told; the runner and the network hear nothing of it. */
static void what_breaks_its_reader_is_no_recording(void **state)
{
	static const enum sim_how ways[] = { SIM_DIES, SIM_DIES_MIDWAY };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sim *s = sim_new(703 + (uint64_t)i);
		struct sim_node *o;

		sim_media(s)->does.how = ways[i];
		o = sim_clip_orchestrator(s, "orch");
		sim_gateway(s, .args = SIM_ARGS(SIM_MEDIA));
		struct sim_reply *r = sim_ask_recording(s, 300000);
		sim_run_until_quiet(s);
		assert_int_equal(r->status, 422);
		assert_int_equal(o->runner->started, 0);
		assert_int_equal(sim_jobs(o, LP_OK), 0);
		sim_books_balance(s);
		sim_end(s);
	}
}

static void what_breaks_it_on_the_way_leaves_the_nodes_well(void **state)
{
	struct sim *s = sim_new(706);
	struct sim_media *m = sim_media(s);

	(void)state;
	m->does.delay = LP_SEC;
	sim_clip_orchestrator(s, "orch");
	sim_gateway(s, .args = SIM_ARGS(SIM_MEDIA));
	struct sim_reply *r = sim_ask_recording(s, 300000);
	sim_run_for(s, 500 * LP_MSEC);
	sim_media_die(m);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 422);
	r = sim_ask_recording(s, 300000);	/* it is started again */
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

/* It said no: in its words, as far as they go. */
static void its_refusal_reaches_the_client(void **state)
{
	struct sim *s = sim_new(707);
	struct sim_media *m = sim_media(s);

	(void)state;
	m->does.status = 422;
	m->does.body = "audio: there is no sound in this file";
	sim_clip_orchestrator(s, "orch");
	sim_gateway(s, .args = SIM_ARGS(SIM_MEDIA));
	struct sim_reply *r = sim_ask_recording(s, 1000);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 422);
	assert_non_null(strstr(lp_buf_text(&r->body), "there is no sound in this file"));
	sim_books_balance(s);
	sim_end(s);
}

static void nonsense_from_it_is_our_fault(void **state)
{
	static const char *const words[] = { "", "{}", "{\"milliseconds\":\"x\"}", "[", "{\"milliseconds\":1e9}" };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		struct sim *s = sim_new(710 + i);
		struct sim_media *m = sim_media(s);

		m->does.body = words[i];
		sim_clip_orchestrator(s, "orch");
		sim_gateway(s, .args = SIM_ARGS(SIM_MEDIA));
		struct sim_reply *r = sim_ask_recording(s, 1000);
		sim_run_until_quiet(s);
		assert_int_equal(r->status, 500);
		sim_books_balance(s);
		sim_end(s);
	}
}

/* It cannot be started, or it is and never listens: after five seconds that is said. */
static void a_node_without_it_says_so(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sim *s = sim_new(720 + (uint64_t)i);
		struct sim_media *m = sim_media(s);

		m->barren = i == 0;
		m->deaf = i == 1;
		sim_clip_orchestrator(s, "orch");
		sim_gateway(s, .args = SIM_ARGS(SIM_MEDIA));
		struct sim_reply *r = sim_ask_recording(s, 1000);
		sim_run_until_quiet(s);
		assert_int_equal(r->status, 503);
		assert_in_range(r->done_at - r->asked_at, 4 * LP_SEC, 7 * LP_SEC);
		assert_non_null(strstr(lp_buf_text(&r->body), "lpd-media"));
		sim_books_balance(s);
		sim_end(s);
	}
}

/* A gateway with no lpd-media at all serves everything else. */
static void what_needs_it_not_works_without(void **state)
{
	struct sim *s = sim_new(730);

	(void)state;
	sim_orchestrator(s, "orch");
	struct sim_reply *r = sim_ask_recording(s, 1000);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 503);
	r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	sim_books_balance(s);
	sim_end(s);
}

static void a_runner_whose_frames_are_none_has_failed(void **state)
{
	static const char *const answers[] = {
		"{\"frames\":[]}",
		"{\"frames\":[[]]}",
		"{\"frames\":[[{\"url\":\"data:image/png;base64,AAAA\"}],[{\"url\":\"data:image/png;base64,AAAA\"}]]}",
		"{\"frames\":[[{\"url\":\"http://elsewhere/frame.png\"}]]}",
		"{\"images\":[{\"url\":\"data:image/png;base64,AAAA\"}]}",
		"{\"text\":\"hello\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct sim *s = sim_new(740 + i);
		struct sim_node *o;

		sim_media(s);
		o = sim_clip_orchestrator(s, "orch");
		o->runner->does.body = answers[i];
		sim_gateway(s, .args = SIM_ARGS(SIM_MEDIA));
		struct sim_reply *r = sim_ask_video(s);
		sim_run_until_quiet(s);
		assert_in_range(r->status, 500, 503);
		assert_int_equal(sim_jobs(o, LP_OK), 0);
		sim_books_balance(s);
		sim_end(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(a_recording_goes_through_both_nodes),
		sim_test(frames_become_a_video_that_the_gateway_keeps),
		sim_test(the_runner_is_free_while_a_video_is_made),
		sim_test(what_breaks_its_reader_is_no_recording),
		sim_test(what_breaks_it_on_the_way_leaves_the_nodes_well),
		sim_test(its_refusal_reaches_the_client),
		sim_test(nonsense_from_it_is_our_fault),
		sim_test(a_node_without_it_says_so),
		sim_test(what_needs_it_not_works_without),
		sim_test(a_runner_whose_frames_are_none_has_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
