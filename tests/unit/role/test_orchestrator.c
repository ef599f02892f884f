#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/role/node.h>
#include <role/orchestrator_priv.h>

#include "asker.h"
#include "real_loop.h"
#include "temp_dir.h"

#include <lpd/io/file.h>
#include <lpd/io/router.h>

#define PICTURE "{\"model_id\":\"p\",\"prompt\":\"a cat\"}"
#define RESULT "{\"images\":[{\"url\":\"data:image/png;base64,aGVsbG8=\",\"seed\":1,\"nsfw\":false}]}"

/* An orchestrator over real sockets without TLS, and a runner that answers at once, or when told. */
struct world {
	struct real_loop real;
	struct temp_dir dir;
	struct lp_server *runner;
	bool hold;		/* the runner keeps its jobs */
	struct lp_exchange *held;
	int runs;
	struct lp_log_sink sink;
	struct lp_node *node;
	struct lp_client *client;
	char base[64];
	struct asker asker;
};

static void on_health(void *self, struct lp_exchange *ex)
{
	(void)self;
	lp_reply(ex, 200, "application/json", LP_SPAN("{\"status\":\"OK\"}"));
}

static void on_held(void *self)
{
	struct world *w = self;

	if (w->held && lp_exchange_gone(w->held))
		w->held = NULL;
}

static void on_run(void *self, struct lp_exchange *ex)
{
	struct world *w = self;

	w->runs++;
	if (!w->hold) {
		lp_reply(ex, 200, "application/json", LP_SPAN(RESULT));
		return;
	}
	w->held = ex;
	lp_exchange_watch(ex, on_held, w);
}

static void nothing(void *self, const char *line, size_t len)
{
	(void)self;
	if (getenv("LPD_TEST_LOG"))
		fprintf(stderr, "%.*s", (int)len, line);
}

static void open_runner(struct world *w)
{
	struct lp_router *router = lp_router_open(w->real.scope);
	struct lp_server_want want = { .handle = lp_router_handle, .self = router };
	struct lp_err e;

	lp_router_add(router, &(struct lp_route){ "GET", "/health", 0, on_health, w });
	lp_router_add(router, &(struct lp_route){ "POST", "/text-to-image", 1 << 20, on_run, w });
	want.address = (struct lp_url){ .host = LP_SPAN("127.0.0.1") };
	if (lp_server_open(w->real.scope, &w->runner, w->real.loop, &want, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
}

static int world_open(void **state)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	real_loop_open(&w.real);
	temp_dir_make(&w.dir);
	w.sink = (struct lp_log_sink){ .level = LP_DEBUG, .write = nothing };
	w.client = lp_client_open(w.real.scope, w.real.loop, &(struct lp_client_want){ 0 });
	open_runner(&w);
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
		assert_int_equal(lp_media_budget(w->node->media)->bodies, 0);
		lp_scope_close(&scope);
	}
	real_loop_close(&w->real);
	temp_dir_remove(&w->dir);
	return 0;
}

static bool is_ready(struct world *w)
{
	return lp_runners_at(w->node->orchestrator->runners, 0)->state == LP_RUNNER_READY;
}

/* With further options up to a NULL. */
static void orchestrator(struct world *w, const char *const *more)
{
	char models[200];
	const char *argv[32] = { "lpd", "-mode", "orchestrator", "-serviceAddr", "http://127.0.0.1:1", "-httpAddr",
				 "127.0.0.1:0", "-cliAddr", "127.0.0.1:0", "-dataDir", w->dir.path, "-aiModels" };
	struct lp_node_want want = { .loop = w->real.loop, .seed = 7 };
	struct lp_options *options = lp_options_open(w->real.scope);
	const char *file = lp_fmt(w->real.scope, "%s/models.json", w->dir.path);
	struct lp_err e;
	char *args[32];
	int n = 12;

	snprintf(models, sizeof(models), "[{\"pipeline\":\"text-to-image\",\"model_id\":\"p\",\"capacity\":8,"
		 "\"url\":\"http://127.0.0.1:%u\",\"warm\":true}]", lp_server_port(w->runner));
	if (lp_file_write(file, lp_span(models), 0600, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	argv[n++] = file;
	for (int i = 0; more && more[i]; i++)
		argv[n++] = more[i];
	for (int i = 0; i < n; i++)
		args[i] = lp_strdup(w->real.scope, lp_span(argv[i]));
	if (lp_options_read(options, n, args, NULL, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	want.log = lp_log_open(w->real.scope, &w->sink);
	want.options = options;
	if (lp_node_open(w->real.scope, &w->node, &want, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	snprintf(w->base, sizeof(w->base), "http://127.0.0.1:%u", lp_server_port(w->node->orchestrator->server));
	while (!is_ready(w))
		real_loop_run_for(&w->real, LP_MSEC);
}

/* What a gateway sends that got its token just now. */
static struct lp_span segment(struct world *w)
{
	struct lp_segment segment = { .has_capabilities = true };
	const struct lp_model_terms terms = { .model = LP_SPAN("p"), .capacity = 1 };
	struct lp_buf text = { 0 };
	struct lp_span kept;

	lp_token_make(w->real.scope, &segment.auth_token, w->node->orchestrator->secret,
		      lp_wall(w->real.loop) / LP_SEC);
	lp_capabilities_init(&segment.capabilities, w->real.scope, LP_SPAN("0.9.1"));
	lp_capabilities_add_model(w->real.scope, &segment.capabilities, 27, &terms);
	segment.manifest_id = LP_SPAN("27_p");
	lp_segment_encode(&text, &segment);
	kept = lp_span_dup(w->real.scope, lp_buf_span(&text));
	lp_buf_clear(&text);
	return kept;
}

/* Sent over HTTP/1.1: by an old gateway, which does not say that it fetches, or by a new one. */
static void send_job(struct world *w, struct asker *a, bool old)
{
	struct asker_want want = { .path = "/text-to-image", .body = PICTURE };

	want.headers[0] = (struct lp_header){ .name = LP_SPAN("livepeer-segment"), .value = segment(w) };
	want.headers[1] = (struct lp_header){ .name = LP_SPAN("livepeer-payment"), .value = LP_SPAN("") };
	if (!old)
		want.headers[2] = (struct lp_header){ .name = LP_SPAN("authorization"),
						      .value = LP_SPAN("Livepeer-AI-Worker-1.0") };
	ask(a, w->real.scope, w->client, w->base, &want);
}

/* HTTP/1.1 ends an exchange in the same turn in which its reply ends, before the job's next step. */
static void an_answer_with_the_picture_in_it_ends_well_over_http_1_1(void **state)
{
	struct world *w = *state;

	orchestrator(w, NULL);
	for (int i = 0; i < 3; i++) {
		send_job(w, &w->asker, true);
		real_loop_run_until(&w->real, &w->asker.done);
		assert_int_equal(w->asker.status, 200);
		assert_non_null(strstr(asker_text(&w->asker), "data:image/png;base64,aGVsbG8="));
		real_loop_run_for(&w->real, 5 * LP_MSEC);
		assert_int_equal(w->node->jobs, 0);
		asker_leave(&w->asker);
	}
}

static void jobs_beyond_maxJobs_are_refused_before_their_body_is_read(void **state)
{
	static const char *const more[] = { "-maxJobs", "1", NULL };
	struct world *w = *state;
	struct asker second = { 0 };

	w->hold = true;
	orchestrator(w, more);
	send_job(w, &w->asker, false);
	while (!w->held)
		real_loop_run_for(&w->real, LP_MSEC);
	send_job(w, &second, false);
	real_loop_run_until(&w->real, &second.done);
	assert_int_equal(second.status, 503);
	assert_string_equal(second.retry_after, "1");
	assert_true(strncmp(asker_text(&second), "insufficient capacity", 21) == 0);
	assert_int_equal(w->runs, 1);
	assert_int_equal(w->node->jobs, 1);
	asker_leave(&second);
	lp_reply(w->held, 200, "application/json", LP_SPAN(RESULT));
	real_loop_run_until(&w->real, &w->asker.done);
	assert_int_equal(w->asker.status, 200);
}

static void a_job_is_refused_while_memory_is_short(void **state)
{
	static const char *const more[] = { "-memoryBudget", "1MiB", NULL };
	struct world *w = *state;

	orchestrator(w, more);
	assert_true(lp_budget_take(lp_media_budget(w->node->media), 250000));
	send_job(w, &w->asker, false);
	real_loop_run_until(&w->real, &w->asker.done);
	assert_int_equal(w->asker.status, 503);
	assert_true(strncmp(asker_text(&w->asker), "insufficient capacity", 21) == 0);
	asker_leave(&w->asker);
	lp_budget_give(lp_media_budget(w->node->media), 250000);
	send_job(w, &w->asker, false);
	real_loop_run_until(&w->real, &w->asker.done);
	assert_int_equal(w->asker.status, 200);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
	const struct CMUnitTest tests[] = {
		T(an_answer_with_the_picture_in_it_ends_well_over_http_1_1),
		T(jobs_beyond_maxJobs_are_refused_before_their_body_is_read),
		T(a_job_is_refused_while_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
