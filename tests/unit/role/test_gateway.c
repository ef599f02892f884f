#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/json.h>
#include <lpd/role/node.h>

#include "asker.h"
#include "fake_orch.h"
#include "real_loop.h"
#include "temp_dir.h"

#define LLM "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"secret words\"}]}"
#define LLM_STREAM "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define PICTURE "{\"model_id\":\"p\",\"prompt\":\"a cat\"}"
#define ANSWER "{\"choices\":[{\"delta\":null,\"finish_reason\":\"stop\",\"index\":0," \
	       "\"message\":{\"content\":\"hello\",\"role\":\"assistant\"}}],\"created\":1,\"id\":\"x\"," \
	       "\"model\":\"m\",\"usage\":{\"completion_tokens\":1,\"prompt_tokens\":1,\"total_tokens\":2}}"
#define EVENT(text, finish) "{\"choices\":[{\"delta\":{\"content\":\"" text "\"},\"finish_reason\":\"" finish "\"," \
			    "\"index\":0,\"message\":null}],\"created\":1,\"id\":\"x\",\"model\":\"m\"}"

/* HTTP/1.1 cannot tell a client that left from one that only sent its end: the server waits a little. */
#define NOTICED (350 * LP_MSEC)

struct world {
	struct real_loop real;
	struct temp_dir dir;
	struct fake_orch a, b;
	struct lp_options *options;
	struct lp_log_sink sink;
	struct lp_buf log;
	struct lp_log *logger;
	struct lp_node *node;
	struct lp_client *client;	/* of the app developer */
	char base[64], admin[64];
	struct asker asker;
};

static void log_line(void *self, const char *line, size_t len)
{
	struct world *w = self;

	lp_buf_add(&w->log, line, len);
	if (getenv("LPD_TEST_LOG"))
		fprintf(stderr, "%.*s", (int)len, line);
}

static int world_open(void **state)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	real_loop_open(&w.real);
	temp_dir_make(&w.dir);
	for (int i = 0; i < 2; i++) {
		struct fake_orch *o = i ? &w.b : &w.a;

		o->models[0] = "llm/m";
		o->models[1] = "text-to-image/p";
		o->models[2] = "upscale/u";
		o->body = ANSWER;
	}
	w.sink = (struct lp_log_sink){ .level = LP_DEBUG, .write = log_line, .self = &w };
	w.logger = lp_log_open(w.real.scope, &w.sink);
	w.client = lp_client_open(w.real.scope, w.real.loop, &(struct lp_client_want){ 0 });
	*state = &w;
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	asker_leave(&w->asker);
	if (w->node) {
		struct lp_scope *scope = w->node->scope;

		for (int i = 0; i < 200 && w->node->jobs; i++)
			real_loop_run_for(&w->real, 5 * LP_MSEC);
		assert_int_equal(w->node->jobs, 0);
		lp_scope_close(&scope);
	}
	real_loop_close(&w->real);
	lp_buf_clear(&w->log);
	temp_dir_remove(&w->dir);
	return 0;
}

/* A gateway that knows the addresses given (comma list), with further options up to a NULL. */
static void gateway(struct world *w, const char *orchs, const char *const *more)
{
	const char *argv[32] = { "lpd", "-mode", "gateway", "-httpAddr", "127.0.0.1:0", "-cliAddr", "127.0.0.1:0",
				 "-orchAddr", orchs, "-dataDir", w->dir.path };
	struct lp_node_want want = { .loop = w->real.loop, .log = w->logger, .seed = 7 };
	char *args[32];
	struct lp_err e;
	int n = 11;

	for (int i = 0; more && more[i]; i++)
		argv[n++] = more[i];
	for (int i = 0; i < n; i++)
		args[i] = lp_strdup(w->real.scope, lp_span(argv[i]));
	w->options = lp_options_open(w->real.scope);
	if (lp_options_read(w->options, n, args, NULL, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	want.options = w->options;
	if (lp_node_open(w->real.scope, &w->node, &want, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	snprintf(w->base, sizeof(w->base), "http://127.0.0.1:%u", lp_gateway_port(w->node->gateway));
	snprintf(w->admin, sizeof(w->admin), "http://127.0.0.1:%u", lp_admin_port(w->node->admin));
}

static void one_orch(struct world *w)
{
	fake_orch_open(&w->a, w->real.scope, w->real.loop);
	gateway(w, w->a.uri, NULL);
}

static void two_orchs(struct world *w)
{
	fake_orch_open(&w->a, w->real.scope, w->real.loop);
	fake_orch_open(&w->b, w->real.scope, w->real.loop);
	gateway(w, lp_fmt(w->real.scope, "%s,%s", w->a.uri, w->b.uri), NULL);
	real_loop_run_for(&w->real, 60 * LP_MSEC);	/* both have answered: the choice is free */
}

/* Ask and wait for the whole answer. */
static struct asker *get(struct world *w, const struct asker_want *want)
{
	asker_leave(&w->asker);
	ask(&w->asker, w->real.scope, w->client, w->base, want);
	real_loop_run_until(&w->real, &w->asker.done);
	assert_int_equal(w->asker.code, LP_OK);
	real_loop_run_for(&w->real, 5 * LP_MSEC);	/* the job's own end */
	return &w->asker;
}

static struct asker *post(struct world *w, const char *path, const char *body)
{
	return get(w, &(struct asker_want){ .path = path, .body = body });
}

static bool has(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

static void assert_has(const char *text, const char *what)
{
	if (!has(text, what))
		fail_msg("\"%s\" is not in: %s", what, text);
}

/* ---- the door ---- */

static void jobs_beyond_maxJobs_are_refused_before_their_body_is_read(void **state)
{
	static const char *const more[] = { "-maxJobs", "1", NULL };
	struct world *w = *state;
	struct asker second = { 0 };

	w->a.delay = LP_NEVER;
	fake_orch_open(&w->a, w->real.scope, w->real.loop);
	gateway(w, w->a.uri, more);
	ask(&w->asker, w->real.scope, w->client, w->base, &(struct asker_want){ .path = "/llm", .body = LLM });
	while (!w->a.jobs)
		real_loop_run_for(&w->real, LP_MSEC);
	ask(&second, w->real.scope, w->client, w->base, &(struct asker_want){ .path = "/llm", .body = "{ no JSON" });
	real_loop_run_until(&w->real, &second.done);
	assert_int_equal(second.status, 503);
	assert_has(asker_text(&second), "carries 1 jobs already");
	assert_true(second.retry_after[0] != 0);
	assert_int_equal(w->node->jobs, 1);
	asker_leave(&second);
}

/* ---- the way of a job ---- */

static void an_answer_of_the_model_comes_back_without_nulls(void **state)
{
	struct world *w = *state;
	struct asker *a;

	one_orch(w);
	a = post(w, "/llm", LLM);
	assert_int_equal(a->status, 200);
	assert_string_equal(a->type, "application/json");
	assert_has(asker_text(a), "\"content\":\"hello\"");
	assert_false(has(asker_text(a), "null"));
	assert_int_equal(strlen(a->request_id), 16);
	assert_int_equal(w->a.jobs, 1);
}

static void the_request_goes_out_as_the_network_has_it(void **state)
{
	struct world *w = *state;
	struct lp_segment segment;
	struct lp_err e;

	one_orch(w);
	post(w, "/llm", LLM);
	assert_string_equal(w->a.job_path, "/llm");
	assert_string_equal(w->a.authorization, "Livepeer-AI-Worker-1.0");
	assert_string_equal(w->a.content_type, "application/json");
	assert_true(w->a.payment_was_empty);
	assert_has(lp_buf_text(&w->a.received), "\"max_tokens\":256");
	assert_int_equal(lp_segment_decode(w->real.scope, &segment, lp_span(w->a.segment), &e), LP_OK);
	assert_true(lp_span_is(segment.manifest_id, "33_m"));
	assert_true(lp_span_starts(segment.auth_token.token, "token-"));
	assert_true(lp_span_is(segment.auth_token.session_id, "0a1b2c3d"));
	assert_true(lp_capabilities_has(&segment.capabilities, 33));
	assert_non_null(lp_capabilities_model(&segment.capabilities, 33, LP_SPAN("m")));
}

static void a_faulty_request_is_answered_without_asking_anybody(void **state)
{
	struct world *w = *state;
	struct asker *a;

	one_orch(w);
	a = post(w, "/llm", "{\"model\":\"m\"");
	assert_int_equal(a->status, 400);
	assert_has(asker_text(a), "\"code\":\"bad_request\"");
	assert_has(asker_text(a), "\"detail\"");
	a = post(w, "/llm", "{\"model\":\"m\",\"messages\":[]}");
	assert_in_range(a->status, 400, 422);
	assert_int_equal(w->a.jobs, 0);
}

static void a_request_id_of_the_client_is_echoed_when_it_is_plain(void **state)
{
	struct world *w = *state;
	struct asker_want want = { .path = "/llm", .body = LLM,
				   .headers = { { LP_SPAN("x-request-id"), LP_SPAN("my-id-7"), false } } };

	one_orch(w);
	assert_string_equal(get(w, &want)->request_id, "my-id-7");
	want.headers[0].value = LP_SPAN("my id");
	assert_string_not_equal(get(w, &want)->request_id, "my id");
}

static void events_come_one_by_one_and_end_with_the_last(void **state)
{
	static const char *const events[] = { EVENT("a", ""), EVENT("b", ""), EVENT("", "stop"), EVENT("late", ""), NULL };
	struct world *w = *state;
	struct asker *a;

	w->a.events = events;
	w->a.pause = 2 * LP_MSEC;
	one_orch(w);
	a = post(w, "/llm", LLM_STREAM);
	assert_int_equal(a->status, 200);
	assert_string_equal(a->type, "text/event-stream");
	assert_true(lp_span_starts(lp_buf_span(&a->body), "data: {"));
	assert_has(asker_text(a), "\"finish_reason\":\"stop\"");
	assert_false(has(asker_text(a), "late"));
	assert_true(lp_span_ends(lp_buf_span(&a->body), "}\n\ndata: [DONE]\n\n"));
	assert_false(has(asker_text(a), "null"));
}

static void an_error_event_before_all_others_is_tried_elsewhere(void **state)
{
	static const char *const bad[] = { "{\"error\":\"out of memory\"}", NULL };
	static const char *const good[] = { EVENT("b", "stop"), NULL };
	struct world *w = *state;

	w->a.events = bad;
	w->b.events = good;
	two_orchs(w);
	for (int i = 0; i < 6; i++) {
		struct asker *a = post(w, "/llm", LLM_STREAM);

		assert_int_equal(a->status, 200);
		assert_has(asker_text(a), "\"b\"");
	}
	assert_int_equal(w->b.jobs, 6);
	assert_in_range(w->a.jobs, 0, 1);	/* it rests after its first fault */
}

static void an_error_event_in_mid_stream_is_the_last_event(void **state)
{
	static const char *const events[] = { EVENT("a", ""), "{\"error\":\"out of memory\"}", NULL };
	struct world *w = *state;
	struct asker *a;

	w->a.events = events;
	one_orch(w);
	a = post(w, "/llm", LLM_STREAM);
	assert_int_equal(a->status, 200);
	assert_has(asker_text(a), "data: {\"error\":{");
	assert_has(asker_text(a), "out of memory");
}

static void a_stream_that_breaks_off_is_not_taken_for_whole(void **state)
{
	static const char *const events[] = { EVENT("a", ""), NULL };
	struct world *w = *state;
	struct asker *a;

	w->a.events = events;
	w->a.cut = true;
	w->a.pause = 5 * LP_MSEC;
	one_orch(w);
	a = post(w, "/llm", LLM_STREAM);
	assert_has(asker_text(a), "data: {\"error\":{");
}

static void a_picture_is_fetched_kept_and_served(void **state)
{
	struct world *w = *state;
	struct asker *a;
	char path[128];
	const char *at;

	w->a.body = "{\"images\":[{\"nsfw\":false,\"seed\":7,\"url\":\"/stream/x/y.png\"}]}";
	w->a.media = "picture bytes";
	one_orch(w);
	a = post(w, "/text-to-image", PICTURE);
	assert_int_equal(a->status, 200);
	assert_has(asker_text(a), "\"seed\":7");
	assert_int_equal(w->a.fetches, 1);
	at = strstr(asker_text(a), "/stream/");
	assert_non_null(at);
	assert_true(at[-1] == '"');
	snprintf(path, sizeof(path), "%.*s", (int)strcspn(at, "\""), at);
	assert_true(has(path, ".png"));
	a = get(w, &(struct asker_want){ .path = path });
	assert_int_equal(a->status, 200);
	assert_string_equal(a->type, "image/png");
	assert_string_equal(asker_text(a), "picture bytes");
	a = get(w, &(struct asker_want){ .path = "/stream/0/1.png" });
	assert_int_equal(a->status, 404);
}

static void a_public_url_makes_links_absolute(void **state)
{
	struct world *w = *state;
	static const char *const more[] = { "-publicUrl", "https://ai.example.org/", NULL };

	w->a.body = "{\"images\":[{\"nsfw\":false,\"seed\":7,\"url\":\"data:image/png;base64,aGVsbG8=\"}]}";
	fake_orch_open(&w->a, w->real.scope, w->real.loop);
	gateway(w, w->a.uri, more);
	assert_has(asker_text(post(w, "/text-to-image", PICTURE)), "\"url\":\"https://ai.example.org/stream/");
}

static void inline_pictures_come_as_data(void **state)
{
	struct world *w = *state;
	struct asker *a;

	w->a.body = "{\"images\":[{\"nsfw\":false,\"seed\":7,\"url\":\"/stream/x/y.png\"}]}";
	w->a.media = "hello";
	one_orch(w);
	a = post(w, "/text-to-image?media=inline", PICTURE);
	assert_int_equal(a->status, 200);
	assert_has(asker_text(a), "\"url\":\"data:image/png;base64,aGVsbG8=\"");
	assert_int_equal(strlen(a->request_id), 16);
}

static void a_picture_elsewhere_is_not_fetched(void **state)
{
	struct world *w = *state;
	struct asker *a;

	fake_orch_open(&w->b, w->real.scope, w->real.loop);
	w->b.media = "of another service";
	w->a.body = lp_fmt(w->real.scope, "{\"images\":[{\"url\":\"%s/stream/x.png\"}]}", w->b.uri);
	one_orch(w);
	a = post(w, "/text-to-image", PICTURE);
	assert_int_equal(a->status, 502);
	assert_int_equal(w->b.fetches, 0);
}

static void a_lost_picture_is_made_elsewhere(void **state)
{
	struct world *w = *state;

	w->a.body = w->b.body = "{\"images\":[{\"url\":\"/stream/y.png\"}]}";
	w->a.media_status = 404;
	w->b.media = "here";
	two_orchs(w);
	for (int i = 0; i < 4; i++)
		assert_int_equal(post(w, "/text-to-image", PICTURE)->status, 200);
	assert_int_equal(w->b.jobs, 4);
}

static void a_form_is_passed_on_with_its_file(void **state)
{
	static const char body[] =
		"--XX\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nsharp\r\n"
		"--XX\r\nContent-Disposition: form-data; name=\"model_id\"\r\n\r\nu\r\n"
		"--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.gif\"\r\n"
		"Content-Type: image/gif\r\n\r\nGIF89a\x01\x00\x01\x00 the rest\r\n--XX--\r\n";
	struct world *w = *state;
	struct asker_want want = { .path = "/upscale", .type = "multipart/form-data; boundary=XX", .body = body,
				   .body_len = sizeof(body) - 1 };
	struct asker *a;

	w->a.body = "{\"images\":[{\"nsfw\":false,\"seed\":1,\"url\":\"data:image/png;base64,aGVsbG8=\"}]}";
	one_orch(w);
	a = get(w, &want);
	assert_int_equal(a->status, 200);
	assert_true(lp_span_starts(lp_span(w->a.content_type), "multipart/form-data; boundary="));
	assert_true(lp_span_find(lp_buf_span(&w->a.received), LP_SPAN("filename=\"a.gif\"")) >= 0);
	assert_true(lp_span_find(lp_buf_span(&w->a.received), LP_SPAN(" the rest\r\n--")) >= 0);
}

/* ---- what goes wrong ---- */

static void a_full_orchestrator_is_passed_over(void **state)
{
	struct world *w = *state;

	w->a.status = 503;
	w->a.body = "insufficient capacity\n";
	two_orchs(w);
	for (int i = 0; i < 8; i++)
		assert_int_equal(post(w, "/llm", LLM)->status, 200);
	assert_int_equal(w->b.jobs, 8);
	assert_in_range(w->a.jobs, 0, 3);
}

static void a_job_waits_for_one_that_is_full_for_a_moment(void **state)
{
	struct world *w = *state;

	w->a.status = 503;
	w->a.refusals = 2;
	w->a.body = "insufficient capacity\n";
	one_orch(w);
	assert_int_equal(post(w, "/llm", LLM)->status, 200);
	assert_int_equal(w->a.jobs, 3);
}

static void when_all_are_full_the_client_is_told_so_and_when_to_come_back(void **state)
{
	static const char *const more[] = { "-aiProcessingRetryTimeout", "600ms", NULL };
	struct world *w = *state;
	struct asker *a;

	w->a.status = 503;
	w->a.body = "insufficient capacity\n";
	fake_orch_open(&w->a, w->real.scope, w->real.loop);
	gateway(w, w->a.uri, more);
	a = post(w, "/llm", LLM);
	assert_int_equal(a->status, 503);
	assert_has(asker_text(a), "\"code\":\"no_orchestrator\"");
	assert_has(asker_text(a), "1 full");
	assert_true(a->retry_after[0] >= '1');
	assert_in_range(w->a.jobs, 1, 4);	/* never hammered */
}

static void a_model_that_nobody_has_is_answered_with_those_there_are(void **state)
{
	struct world *w = *state;
	struct asker *a;

	two_orchs(w);
	a = post(w, "/llm", "{\"model\":\"gpt-9\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
	assert_int_equal(a->status, 503);
	assert_has(asker_text(a), "2 orchestrators do not offer the model");
	assert_has(asker_text(a), "models offered for llm: m");
	assert_int_equal(w->a.jobs + w->b.jobs, 0);
}

static void without_an_orchestrator_the_answer_is_a_503_in_words(void **state)
{
	struct world *w = *state;
	struct asker *a;

	gateway(w, "127.0.0.1:1", NULL);
	a = post(w, "/llm", LLM);
	assert_int_equal(a->status, 503);
	assert_has(asker_text(a), "1 not reached");
	assert_true(a->retry_after[0] != 0);
}

static void a_failing_orchestrator_is_suspended_and_another_does_it(void **state)
{
	struct world *w = *state;

	w->a.status = 500;
	w->a.body = "runner exploded\n";
	two_orchs(w);
	for (int i = 0; i < 6; i++)
		assert_int_equal(post(w, "/llm", LLM)->status, 200);
	assert_int_equal(w->b.jobs, 6);
	assert_in_range(w->a.jobs, 0, 1);
}

static void a_fault_of_the_client_found_by_the_runner_suspends_nobody(void **state)
{
	struct world *w = *state;

	w->a.status = 500;
	w->a.body = "llm container returned 400: bad role\n";
	one_orch(w);
	for (int i = 0; i < 3; i++) {
		struct asker *a = post(w, "/llm", LLM);

		assert_int_equal(a->status, 400);
		assert_has(asker_text(a), "\"bad role\"");
	}
	assert_int_equal(w->a.jobs, 3);
}

static void a_dead_orchestrator_is_passed_over(void **state)
{
	struct world *w = *state;

	two_orchs(w);
	fake_orch_close(&w->a);
	for (int i = 0; i < 4; i++)
		assert_int_equal(post(w, "/llm", LLM)->status, 200);
	assert_int_equal(w->b.jobs, 4);
}

static void an_answer_cut_in_its_middle_is_tried_elsewhere(void **state)
{
	struct world *w = *state;

	w->a.cut = true;
	two_orchs(w);
	for (int i = 0; i < 4; i++)
		assert_int_equal(post(w, "/llm", LLM)->status, 200);
	assert_int_equal(w->b.jobs, 4);
}

static void a_lie_is_no_answer(void **state)
{
	struct world *w = *state;
	struct asker *a;

	w->a.type = "text/html";
	w->a.body = "<h1>welcome</h1>";
	one_orch(w);
	a = post(w, "/llm", LLM);
	assert_int_equal(a->status, 502);
	assert_has(asker_text(a), "\"code\":\"bad_answer\"");
}

static void refused_terms_are_asked_for_anew_once(void **state)
{
	struct world *w = *state;

	w->a.need_token = true;
	one_orch(w);
	assert_int_equal(post(w, "/llm", LLM)->status, 200);
	w->a.tokens++;		/* as after a restart: our token is no longer known */
	assert_int_equal(post(w, "/llm", LLM)->status, 200);
	assert_int_equal(w->a.jobs, 3);
}

/* Or every job would ask for another first. */
static void a_token_that_just_came_is_used_whatever_the_clocks_say(void **state)
{
	struct world *w = *state;

	w->a.token_life = -1800;
	one_orch(w);
	assert_int_equal(post(w, "/llm", LLM)->status, 200);
	assert_int_equal(post(w, "/llm", LLM)->status, 200);
	assert_int_equal(w->a.questions, 1);
	assert_int_equal(w->a.jobs, 2);
}

static void a_job_that_takes_too_long_is_ended(void **state)
{
	static const char *const more[] = { "-jobTimeout", "150ms", NULL };
	struct world *w = *state;
	struct asker *a;

	w->a.delay = LP_NEVER;
	fake_orch_open(&w->a, w->real.scope, w->real.loop);
	gateway(w, w->a.uri, more);
	a = post(w, "/llm", LLM);
	assert_int_equal(a->status, 504);
	assert_has(asker_text(a), "\"code\":\"deadline\"");
	real_loop_run_for(&w->real, NOTICED);
	assert_int_equal(w->a.gone, 1);
}

static void a_client_that_leaves_ends_the_work(void **state)
{
	struct world *w = *state;

	w->a.delay = LP_NEVER;
	one_orch(w);
	ask(&w->asker, w->real.scope, w->client, w->base, &(struct asker_want){ .path = "/llm", .body = LLM });
	real_loop_run_for(&w->real, 50 * LP_MSEC);
	assert_int_equal(w->a.jobs, 1);
	assert_int_equal(w->node->jobs, 1);
	asker_leave(&w->asker);
	real_loop_run_for(&w->real, NOTICED);
	assert_int_equal(w->node->jobs, 0);
	real_loop_run_for(&w->real, NOTICED);
	assert_int_equal(w->a.gone, 1);
	assert_has(lp_buf_text(&w->log), "code=client_gone");
	w->a.delay = 0;
	assert_int_equal(post(w, "/llm", LLM)->status, 200);	/* nobody is blamed */
}

/* ---- around the jobs ---- */

static void a_pin_is_obeyed(void **state)
{
	struct world *w = *state;
	struct asker_want want = { .path = "/llm", .body = LLM };

	two_orchs(w);
	want.headers[0] = (struct lp_header){ LP_SPAN("lp-orchestrator"), lp_span(w->b.uri), false };
	for (int i = 0; i < 5; i++)
		assert_int_equal(get(w, &want)->status, 200);
	assert_int_equal(w->b.jobs, 5);
	want.headers[0].value = lp_span(lp_fmt(w->real.scope, "!%s", w->b.uri));
	assert_int_equal(get(w, &want)->status, 200);
	assert_int_equal(w->a.jobs, 1);
	want.headers[0].value = LP_SPAN("nowhere");
	assert_has(asker_text(get(w, &want)), "2 excluded");
}

static void a_trace_says_who_and_why(void **state)
{
	struct world *w = *state;
	struct asker_want want = { .path = "/llm", .body = LLM,
				   .headers = { { LP_SPAN("lp-trace"), LP_SPAN("1"), false } } };
	struct asker *a;

	one_orch(w);
	a = get(w, &want);
	assert_has(a->trace, w->a.uri);
	assert_has(a->trace, "only one");
	assert_has(a->trace, "select");
	want.headers[0].value = LP_SPAN("0");
	assert_int_equal(get(w, &want)->trace[0], 0);
}

static void a_job_leaves_one_line_without_its_words(void **state)
{
	struct world *w = *state;
	const char *line;

	one_orch(w);
	post(w, "/llm", LLM);
	line = strstr(lp_buf_text(&w->log), "\"job\"");
	if (!line)
		line = strstr(lp_buf_text(&w->log), " job ");
	assert_non_null(line);
	assert_has(line, "pipeline=llm");
	assert_has(line, "model=m");
	assert_has(line, "code=ok");
	assert_has(line, "tries=1");
	assert_false(has(lp_buf_text(&w->log), "secret words"));
}

static void wrong_ways_are_told_apart(void **state)
{
	struct world *w = *state;

	one_orch(w);
	assert_int_equal(get(w, &(struct asker_want){ .path = "/llm" })->status, 405);
	assert_int_equal(get(w, &(struct asker_want){ .path = "/nothing" })->status, 404);
	assert_int_equal(get(w, &(struct asker_want){ .path = "/" })->status, 200);
	assert_has(asker_text(&w->asker), "/text-to-image");
	assert_int_equal(get(w, &(struct asker_want){ .path = "/healthz" })->status, 200);
	assert_int_equal(get(w, &(struct asker_want){ .path = "/openapi.json" })->status, 200);
	assert_has(asker_text(&w->asker), "\"openapi\"");
}

static struct asker *admin(struct world *w, const char *path)
{
	asker_leave(&w->asker);
	ask(&w->asker, w->real.scope, w->client, w->admin, &(struct asker_want){ .path = path });
	real_loop_run_until(&w->real, &w->asker.done);
	return &w->asker;
}

static void the_admin_pages_tell_how_it_is(void **state)
{
	struct world *w = *state;
	json_t *status;
	struct lp_err e;

	two_orchs(w);
	post(w, "/llm", LLM);
	assert_int_equal(admin(w, "/healthz")->status, 200);
	assert_int_equal(admin(w, "/readyz")->status, 200);
	assert_int_equal(admin(w, "/metrics")->status, 200);
	assert_has(asker_text(&w->asker), "lpd_jobs_total{role=\"gateway\",pipeline=\"llm\",code=\"ok\"} 1");
	assert_int_equal(admin(w, "/status")->status, 200);
	assert_int_equal(lp_json_parse(w->real.scope, &status, lp_buf_span(&w->asker.body), &e), LP_OK);
	assert_int_equal(json_array_size(json_object_get(json_object_get(status, "gateway"), "orchestrators")), 2);
	assert_int_equal(json_integer_value(json_object_get(status, "jobs")), 0);
}

static void a_gateway_without_orchestrators_is_not_ready(void **state)
{
	struct world *w = *state;

	gateway(w, "127.0.0.1:1", NULL);
	assert_int_equal(admin(w, "/readyz")->status, 503);
	assert_has(asker_text(&w->asker), "1 not reached");
}

static void the_admin_pages_are_for_this_machine_only(void **state)
{
	struct world *w = *state;
	static const char text[] = "mode gateway\nhttpAddr 127.0.0.1:0\ncliAddr 0.0.0.0:0\n";
	struct lp_options *options = lp_options_open(w->real.scope);
	struct lp_node_want want = { .loop = w->real.loop, .log = w->logger, .options = options };
	struct lp_node *node;
	struct lp_err e;

	assert_int_equal(lp_options_read_text(options, lp_span(text), "test", &e), LP_OK);
	assert_int_equal(lp_options_read_text(options, lp_span(lp_fmt(w->real.scope, "dataDir %s\n", w->dir.path)),
					      "test", &e), LP_OK);
	assert_int_equal(lp_node_open(w->real.scope, &node, &want, &e), LP_CONFIG);
	assert_has(lp_err_words(&e), "loopback only");
}

static void a_gateway_that_goes_down_finishes_and_takes_no_more(void **state)
{
	struct world *w = *state;

	w->a.delay = 80 * LP_MSEC;
	one_orch(w);
	ask(&w->asker, w->real.scope, w->client, w->base, &(struct asker_want){ .path = "/llm", .body = LLM });
	real_loop_run_for(&w->real, 40 * LP_MSEC);
	assert_int_equal(w->node->jobs, 1);
	lp_node_drain(w->node);
	real_loop_run(&w->real);	/* the node stops the loop */
	assert_int_equal(w->node->jobs, 0);
	assert_int_equal(w->asker.status, 200);
}

static void media_are_forgotten_when_a_job_fails_after_all(void **state)
{
	struct world *w = *state;

	w->a.body = "{\"images\":[{\"url\":\"data:image/png;base64,aGVsbG8=\"},{\"url\":\"/stream/y.png\"}]}";
	w->a.media_status = 404;
	one_orch(w);
	assert_int_equal(post(w, "/text-to-image", PICTURE)->status, 502);
	assert_int_equal(lp_media_budget(w->node->media)->used, 0);
}

static void more_than_twelve_pictures_are_all_kept(void **state)
{
	struct world *w = *state;
	struct lp_buf body = { 0 };
	struct asker *a;
	int n = 0;

	lp_buf_add_text(&body, "{\"images\":[");
	for (int i = 0; i < 20; i++)
		lp_buf_fmt(&body, "%s{\"nsfw\":false,\"seed\":%d,\"url\":\"/stream/%d.png\"}", i ? "," : "", i, i);
	lp_buf_add_text(&body, "]}");
	w->a.body = lp_strdup(w->real.scope, lp_buf_span(&body));
	lp_buf_clear(&body);
	w->a.media = "p";
	one_orch(w);
	a = post(w, "/text-to-image", PICTURE);
	assert_int_equal(a->status, 200);
	assert_int_equal(w->a.fetches, 20);
	for (const char *at = asker_text(a); (at = strstr(at, "\"/stream/")); at++)
		n++;
	assert_int_equal(n, 20);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
	const struct CMUnitTest tests[] = {
		T(jobs_beyond_maxJobs_are_refused_before_their_body_is_read),
		T(an_answer_of_the_model_comes_back_without_nulls),
		T(the_request_goes_out_as_the_network_has_it),
		T(a_faulty_request_is_answered_without_asking_anybody),
		T(a_request_id_of_the_client_is_echoed_when_it_is_plain),
		T(events_come_one_by_one_and_end_with_the_last),
		T(an_error_event_before_all_others_is_tried_elsewhere),
		T(an_error_event_in_mid_stream_is_the_last_event),
		T(a_stream_that_breaks_off_is_not_taken_for_whole),
		T(a_picture_is_fetched_kept_and_served),
		T(a_public_url_makes_links_absolute),
		T(inline_pictures_come_as_data),
		T(a_picture_elsewhere_is_not_fetched),
		T(a_lost_picture_is_made_elsewhere),
		T(a_form_is_passed_on_with_its_file),
		T(a_full_orchestrator_is_passed_over),
		T(a_job_waits_for_one_that_is_full_for_a_moment),
		T(when_all_are_full_the_client_is_told_so_and_when_to_come_back),
		T(a_model_that_nobody_has_is_answered_with_those_there_are),
		T(without_an_orchestrator_the_answer_is_a_503_in_words),
		T(a_failing_orchestrator_is_suspended_and_another_does_it),
		T(a_fault_of_the_client_found_by_the_runner_suspends_nobody),
		T(a_dead_orchestrator_is_passed_over),
		T(an_answer_cut_in_its_middle_is_tried_elsewhere),
		T(a_lie_is_no_answer),
		T(refused_terms_are_asked_for_anew_once),
		T(a_token_that_just_came_is_used_whatever_the_clocks_say),
		T(a_job_that_takes_too_long_is_ended),
		T(a_client_that_leaves_ends_the_work),
		T(a_pin_is_obeyed),
		T(a_trace_says_who_and_why),
		T(a_job_leaves_one_line_without_its_words),
		T(wrong_ways_are_told_apart),
		T(the_admin_pages_tell_how_it_is),
		T(a_gateway_without_orchestrators_is_not_ready),
		T(the_admin_pages_are_for_this_machine_only),
		T(a_gateway_that_goes_down_finishes_and_takes_no_more),
		T(media_are_forgotten_when_a_job_fails_after_all),
		T(more_than_twelve_pictures_are_all_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
