#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/io/exchange.h>
#include <lpd/io/server.h>
#include <lpd/market/forward.h>

#include "real_loop.h"
#include "temp_dir.h"

struct world {
	struct real_loop real;
	struct temp_dir dir;
	struct lp_spool_budget budget;
	struct lp_server *server;
	struct lp_client *client;
	struct lp_exchange *ex;
	struct lp_buf got;
	char type[128], method[8], extra[32];
	int64_t length;
	bool refuse;		/* at once, without reading */
	int64_t lag;		/* before each piece is read */
	struct lp_timer timer;
	struct lp_url url;
	struct lp_request *req;
	struct lp_spool *file;
	struct lp_call *call;
	bool done;
};

static void read_more(void *self)
{
	struct world *w = self;
	struct lp_span bytes = lp_exchange_read(w->ex);

	lp_buf_add_span(&w->got, bytes);
	lp_exchange_consume(w->ex, bytes.len);
	if (lp_exchange_body(w->ex) != LP_BODY_END)
		return;
	lp_exchange_watch(w->ex, NULL, NULL);
	lp_reply(w->ex, 200, "application/json", LP_SPAN("{}"));
	w->ex = NULL;
}

static void on_exchange(void *self)
{
	struct world *w = self;

	if (lp_exchange_gone(w->ex)) {
		lp_timer_clear(&w->timer);
		w->ex = NULL;
	} else if (w->lag) {
		lp_timer_set(&w->timer, w->real.loop, w->lag);
	} else {
		read_more(w);
	}
}

static void handle(void *self, struct lp_exchange *ex)
{
	struct world *w = self;

	lp_buf_reset(&w->got);
	lp_span_copy(w->type, sizeof(w->type), lp_exchange_header(ex, "content-type"));
	lp_span_copy(w->method, sizeof(w->method), lp_exchange_method(ex));
	lp_span_copy(w->extra, sizeof(w->extra), lp_exchange_header(ex, "x-extra"));
	w->length = lp_exchange_length(ex);
	lp_exchange_limit_body(ex, 64 << 20);
	if (w->refuse) {
		lp_reply(ex, 503, "text/plain", LP_SPAN("insufficient capacity\n"));
		return;
	}
	w->ex = ex;
	lp_exchange_watch(ex, on_exchange, w);
	on_exchange(w);
}

static int world_open(void **state)
{
	static struct world w;
	struct lp_server_want want = { .handle = handle, .self = &w, .address = { .host = LP_SPAN("127.0.0.1") } };
	struct lp_err e;

	memset(&w, 0, sizeof(w));
	real_loop_open(&w.real);
	temp_dir_make(&w.dir);
	w.budget = (struct lp_spool_budget){ .dir = w.dir.path, .memory_each = 256 * 1024, .total = 64 << 20 };
	w.timer = (struct lp_timer){ .fire = read_more, .self = &w };
	if (lp_server_open(w.real.scope, &w.server, w.real.loop, &want, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	w.client = lp_client_open(w.real.scope, w.real.loop, &(struct lp_client_want){ 0 });
	assert_int_equal(lp_url_parse(w.real.scope, &w.url, lp_span(lp_fmt(w.real.scope, "http://127.0.0.1:%u/job",
				      lp_server_port(w.server))), &e), LP_OK);
	*state = &w;
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	lp_timer_clear(&w->timer);
	lp_buf_clear(&w->got);
	real_loop_close(&w->real);
	temp_dir_remove(&w->dir);
	return 0;
}

static void on_call(void *self)
{
	struct world *w = self;

	w->done = lp_call_state(w->call) == LP_CALL_DONE || lp_call_state(w->call) == LP_CALL_FAILED;
}

static void forward(struct world *w, struct lp_scope *scope)
{
	const struct lp_header extra = { LP_SPAN("x-extra"), LP_SPAN("here"), false };
	const struct lp_forward_want want = {
		.request = w->req, .file = w->file, .call = { .url = &w->url }, .headers = &extra, .n_headers = 1,
	};

	w->done = false;
	w->call = lp_forward_start(scope, w->client, &want, on_call, w);
	real_loop_run_until(&w->real, &w->done);
}

static void field(struct world *w, const char *name, const char *value)
{
	struct lp_err e;

	if (lp_request_read_field(w->real.scope, w->req, lp_span(name), lp_span(value), &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
}

/* An upscale of a file that long. */
static void form(struct world *w, size_t len)
{
	char *bytes = lp_alloc(w->real.scope, len);
	struct lp_err e;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 7 >> 3);
	memcpy(bytes, "GIF89a\x02\x00\x01\x00\x00\x00\x00", 13);
	w->req = lp_request_new(w->real.scope, lp_pipeline_find(LP_SPAN("upscale")));
	field(w, "prompt", "sharp");
	field(w, "model_id", "u");
	w->file = lp_spool_open(w->real.scope, w->real.loop, &w->budget);
	assert_int_equal(lp_spool_write(w->file, lp_span_of(bytes, len), &e), LP_OK);
	lp_spool_end(w->file);
	while (!lp_spool_ready(w->file))
		real_loop_run_for(&w->real, LP_MSEC);
	w->req->file = (struct lp_request_file){ .given = true, .filename = LP_SPAN("a.gif"),
						 .head = lp_spool_head(w->file), .size = (int64_t)len };
	if (lp_request_finish(w->real.scope, w->req, LP_EDGE_GATEWAY, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
}

/* The file stands in what was received as it is in the spool. */
static void assert_file_came(struct world *w, size_t len)
{
	struct lp_span got = lp_buf_span(&w->got);
	ptrdiff_t at = lp_span_find(got, LP_SPAN("GIF89a"));

	assert_int_equal(got.len, w->length);
	assert_true(at > 0 && got.len - (size_t)at > len);
	for (size_t i = 13; i < len; i++)
		if (got.at[(size_t)at + i] != (char)(i * 7 >> 3))
			fail_msg("byte %zu is wrong", i);
	assert_true(lp_span_starts(lp_span_skip(got, (size_t)at + len), "\r\n--"));
	assert_true(lp_span_ends(got, "--\r\n"));
}

static void json_goes_out_with_its_type_and_length(void **state)
{
	struct world *w = *state;
	struct lp_err e;

	w->req = lp_request_new(w->real.scope, lp_pipeline_find(LP_SPAN("text-to-image")));
	assert_int_equal(lp_request_read_json(w->real.scope, w->req, LP_SPAN("{\"prompt\":\"a cat\"}"), &e), LP_OK);
	assert_int_equal(lp_request_finish(w->real.scope, w->req, LP_EDGE_GATEWAY, &e), LP_OK);
	forward(w, w->real.scope);
	assert_int_equal(lp_call_status(w->call), 200);
	assert_string_equal(w->method, "POST");
	assert_string_equal(w->type, "application/json");
	assert_string_equal(w->extra, "here");
	assert_int_equal(w->length, (int64_t)w->got.len);
	assert_non_null(strstr(lp_buf_text(&w->got), "\"prompt\":\"a cat\""));
}

static void a_small_form_goes_out_whole(void **state)
{
	struct world *w = *state;

	form(w, 1000);
	forward(w, w->real.scope);
	assert_int_equal(lp_call_status(w->call), 200);
	assert_true(lp_span_starts(lp_span(w->type), "multipart/form-data; boundary="));
	assert_file_came(w, 1000);
}

static void a_form_without_a_file_goes_out_too(void **state)
{
	struct world *w = *state;

	w->req = lp_request_new(w->real.scope, lp_pipeline_find(LP_SPAN("upscale")));
	field(w, "prompt", "sharp");
	forward(w, w->real.scope);
	assert_int_equal(lp_call_status(w->call), 200);
	assert_int_equal(w->length, (int64_t)w->got.len);
	assert_non_null(strstr(lp_buf_text(&w->got), "sharp"));
}

static void a_large_form_comes_from_the_disk_at_the_readers_pace(void **state)
{
	struct world *w = *state;

	form(w, 6 << 20);
	w->lag = LP_MSEC;
	forward(w, w->real.scope);
	assert_int_equal(lp_call_status(w->call), 200);
	assert_file_came(w, 6 << 20);
}

static void the_same_request_can_go_out_again(void **state)
{
	struct world *w = *state;

	form(w, 3 << 20);
	for (int i = 0; i < 3; i++) {
		struct lp_scope *attempt = lp_scope_open(w->real.scope, "try");

		forward(w, attempt);
		assert_int_equal(lp_call_status(w->call), 200);
		assert_file_came(w, 3 << 20);
		lp_scope_close(&attempt);
	}
}

static void an_early_refusal_is_heard_while_the_body_goes_out(void **state)
{
	struct world *w = *state;

	form(w, 20 << 20);
	w->refuse = true;
	forward(w, w->real.scope);
	assert_int_equal(lp_call_status(w->call), 503);
	assert_true(lp_span_is(lp_call_read(w->call), "insufficient capacity\n"));
}

static void a_try_that_is_closed_stops_sending(void **state)
{
	struct world *w = *state;
	struct lp_scope *attempt = lp_scope_open(w->real.scope, "try");
	const struct lp_forward_want want = { .call = { .url = &w->url } };
	struct lp_forward_want full = want;

	form(w, 6 << 20);
	w->lag = 5 * LP_MSEC;
	full.request = w->req;
	full.file = w->file;
	w->call = lp_forward_start(attempt, w->client, &full, on_call, w);
	real_loop_run_for(&w->real, 20 * LP_MSEC);
	lp_scope_close(&attempt);
	for (int i = 0; i < 400 && w->ex; i++)
		real_loop_run_for(&w->real, 5 * LP_MSEC);
	assert_null(w->ex);
	assert_false(w->done);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
	const struct CMUnitTest tests[] = {
		T(json_goes_out_with_its_type_and_length),
		T(a_small_form_goes_out_whole),
		T(a_form_without_a_file_goes_out_too),
		T(a_large_form_comes_from_the_disk_at_the_readers_pace),
		T(the_same_request_can_go_out_again),
		T(an_early_refusal_is_heard_while_the_body_goes_out),
		T(a_try_that_is_closed_stops_sending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
