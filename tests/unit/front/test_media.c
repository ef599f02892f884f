#include "../io/peer.h"

#include <lpd/front/media.h>
#include <lpd/io/router.h>
#include <lpd/io/server.h>

#include "temp_dir.h"

#define TTL (400 * LP_MSEC)	/* no test that fetches may last so long */

struct world {
	struct real_loop real;
	struct temp_dir dir;
	struct lp_media *media;
	struct lp_metrics *metrics;
	struct lp_server *server;
	struct peer *peer;
};

static int world_open(void **state)
{
	static struct world w;
	struct lp_route route = { "GET", "/stream/*", 0, lp_media_serve, NULL };
	struct lp_server_want want = { .handle = lp_router_handle, .address = { .host = LP_SPAN("127.0.0.1") } };
	struct lp_router *router;
	struct lp_err e;

	memset(&w, 0, sizeof(w));
	real_loop_open(&w.real);
	temp_dir_make(&w.dir);
	w.metrics = lp_metrics_open(w.real.scope);
	w.media = lp_media_open(w.real.scope, &(struct lp_media_want){ .loop = w.real.loop, .dir = w.dir.path,
				.ttl = TTL, .budget = 4 << 20, .metrics = w.metrics });
	router = lp_router_open(w.real.scope);
	route.self = w.media;
	lp_router_add(router, &route);
	want.self = router;
	if (lp_server_open(w.real.scope, &w.server, w.real.loop, &want, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	*state = &w;
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	if (w->peer)
		peer_close(w->peer);
	real_loop_close(&w->real);
	temp_dir_remove(&w->dir);
	return 0;
}

/* Keeps len bytes of 'x' (a text for small ones) and returns its path. */
static struct lp_span keep(struct world *w, const char *id, const char *type, struct lp_span bytes)
{
	struct lp_scope *job = lp_scope_open(w->real.scope, "job");
	struct lp_spool *spool = lp_spool_open(job, w->real.loop, lp_media_budget(w->media));
	struct lp_span path;
	struct lp_err e;

	assert_int_equal(lp_spool_write(spool, bytes, &e), LP_OK);
	lp_spool_end(spool);
	while (!lp_spool_ready(spool))
		real_loop_run_for(&w->real, LP_MSEC);
	path = lp_media_keep(w->real.scope, w->media, &(struct lp_media_put){ lp_span(id), lp_span(type), spool });
	lp_scope_close(&job);		/* the media outlive the job that made them */
	return path;
}

static const char *fetch(struct world *w, struct lp_span path)
{
	char request[256];

	if (w->peer)
		peer_close(w->peer);
	w->peer = peer_connect(&w->real, lp_server_port(w->server));
	snprintf(request, sizeof(request), "GET %.*s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", LP_ARG(path));
	peer_send(w->peer, request);
	return peer_await_end(w->peer);
}

static bool has(const char *text, const char *what)
{
	return strcasestr(text, what) != NULL;
}

static void what_is_kept_is_served_under_its_path(void **state)
{
	struct world *w = *state;
	struct lp_span path = keep(w, "job1", "image/png", LP_SPAN("hello"));
	const char *answer = fetch(w, path);

	assert_true(lp_span_starts(path, "/stream/job1/"));
	assert_true(lp_span_ends(path, ".png"));
	assert_int_equal(path.len, strlen("/stream/job1/") + 32 + 4);
	assert_true(has(answer, "HTTP/1.1 200"));
	assert_true(has(answer, "content-type: image/png"));
	assert_true(has(answer, "content-length: 5"));
	assert_true(has(answer, "access-control-allow-origin: *"));
	assert_true(has(answer, "nosniff"));
	assert_true(has(answer, "\r\n\r\nhello"));
}

static void what_may_carry_a_script_is_served_as_bytes(void **state)
{
	struct world *w = *state;
	const char *answer = fetch(w, keep(w, "a", "text/html", LP_SPAN("<script>")));

	assert_true(has(answer, "content-type: application/octet-stream"));
	assert_true(has(answer, "sandbox"));
}

static void another_path_is_404_in_words(void **state)
{
	struct world *w = *state;
	struct lp_span path = keep(w, "a", "image/png", LP_SPAN("x"));
	char guess[100];

	snprintf(guess, sizeof(guess), "%.*s0", LP_ARG(path));
	assert_true(has(fetch(w, lp_span(guess)), "HTTP/1.1 404"));
	assert_true(has(fetch(w, LP_SPAN("/stream/a/")), "no result is kept"));
}

static void two_of_one_job_have_different_names(void **state)
{
	struct world *w = *state;
	struct lp_span a = keep(w, "a", "image/png", LP_SPAN("x")), b = keep(w, "a", "image/png", LP_SPAN("x"));

	assert_false(lp_span_eq(a, b));
}

static void what_is_kept_is_forgotten_in_time_and_its_bytes_are_free(void **state)
{
	struct world *w = *state;
	int64_t began = lp_mono(w->real.loop);
	struct lp_span path = keep(w, "a", "image/png", LP_SPAN("hello"));

	assert_int_equal(lp_media_budget(w->media)->used, 5);
	assert_int_equal(lp_metric_value(w->metrics, LP_M_MEDIA_BYTES, LP_LABELS("memory")), 5);
	real_loop_run_for(&w->real, TTL / 2);
	int64_t later = lp_mono(w->real.loop);
	if (later < began + TTL)	/* a machine that is busy enough sleeps through all of it */
		assert_non_null(lp_media_find(w->media, path, NULL));
	keep(w, "b", "image/png", LP_SPAN("later"));
	while (lp_media_find(w->media, path, NULL) && lp_mono(w->real.loop) < later + 20 * TTL)
		real_loop_run_for(&w->real, LP_MSEC);
	assert_null(lp_media_find(w->media, path, NULL));
	assert_true(lp_mono(w->real.loop) >= began + TTL);
	if (lp_mono(w->real.loop) < later + TTL)
		assert_int_equal(lp_media_budget(w->media)->used, 5);
	while (lp_media_budget(w->media)->used > 0 && lp_mono(w->real.loop) < later + 20 * TTL)
		real_loop_run_for(&w->real, LP_MSEC);
	assert_int_equal(lp_media_budget(w->media)->used, 0);
	assert_int_equal(lp_metric_value(w->metrics, LP_M_MEDIA_BYTES, LP_LABELS("memory")), 0);
}

static void a_job_can_be_forgotten_at_once_and_only_it(void **state)
{
	struct world *w = *state;
	struct lp_span a = keep(w, "a", "image/png", LP_SPAN("x")), b = keep(w, "b", "image/png", LP_SPAN("y"));

	keep(w, "a", "image/png", LP_SPAN("z"));
	lp_media_forget(w->media, LP_SPAN("a"));
	assert_null(lp_media_find(w->media, a, NULL));
	assert_non_null(lp_media_find(w->media, b, NULL));
	assert_int_equal(lp_media_budget(w->media)->used, 1);
}

static void a_large_one_is_on_disk_and_comes_back_whole(void **state)
{
	struct world *w = *state;
	size_t len = 3 << 20;
	char *bytes = lp_alloc(w->real.scope, len);
	struct lp_media_item item;
	struct lp_span path;
	const char *answer, *body;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)('a' + i % 23);
	path = keep(w, "a", "video/mp4", lp_span_of(bytes, len));
	assert_true(lp_media_budget(w->media)->used_memory <= 256 * 1024);
	assert_non_null(lp_media_find(w->media, path, &item));
	assert_int_equal(item.size, (int64_t)len);
	assert_true(lp_span_is(item.type, "video/mp4"));
	answer = fetch(w, path);
	body = strstr(answer, "\r\n\r\n");
	assert_non_null(body);
	assert_int_equal(strlen(body + 4), len);
	assert_memory_equal(body + 4, bytes, len);
}

static void a_reader_keeps_what_expires_under_it(void **state)
{
	struct world *w = *state;
	size_t len = 3 << 20;
	char *bytes = lp_alloc(w->real.scope, len);
	struct lp_span path;
	char request[256];

	memset(bytes, 'x', len);
	path = keep(w, "a", "video/mp4", lp_span_of(bytes, len));
	w->peer = peer_connect(&w->real, lp_server_port(w->server));
	snprintf(request, sizeof(request), "GET %.*s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", LP_ARG(path));
	peer_send(w->peer, request);
	real_loop_run_for(&w->real, TTL + TTL / 4);	/* it reads nothing while the time runs out */
	assert_null(lp_media_find(w->media, path, NULL));
	assert_true(w->peer->got.len == 0);
	peer_await_end(w->peer);
	assert_true(w->peer->got.len > len);
	for (int i = 0; i < 1000 && lp_media_budget(w->media)->used > 0; i++)
		real_loop_run_for(&w->real, LP_MSEC);
	assert_int_equal(lp_media_budget(w->media)->used, 0);
}

static void head_tells_the_size_alone(void **state)
{
	struct world *w = *state;
	struct lp_span path = keep(w, "a", "image/png", LP_SPAN("hello"));
	char request[256];
	const char *answer;

	w->peer = peer_connect(&w->real, lp_server_port(w->server));
	snprintf(request, sizeof(request), "HEAD %.*s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", LP_ARG(path));
	peer_send(w->peer, request);
	answer = peer_await_end(w->peer);
	assert_true(has(answer, "content-length: 5"));
	assert_true(lp_span_ends(lp_buf_span(&w->peer->got), "\r\n\r\n"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
	const struct CMUnitTest tests[] = {
		T(what_is_kept_is_served_under_its_path),
		T(what_may_carry_a_script_is_served_as_bytes),
		T(another_path_is_404_in_words),
		T(two_of_one_job_have_different_names),
		T(what_is_kept_is_forgotten_in_time_and_its_bytes_are_free),
		T(a_job_can_be_forgotten_at_once_and_only_it),
		T(a_large_one_is_on_disk_and_comes_back_whole),
		T(a_reader_keeps_what_expires_under_it),
		T(head_tells_the_size_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
