#include "../io/peer.h"

#include <lpd/io/router.h>
#include <lpd/io/server.h>
#include <lpd/market/intake.h>

#include "temp_dir.h"

#define FORM "--XX\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nsharp\r\n"                       \
	     "--XX\r\nContent-Disposition: form-data; name=\"nobody_knows\"\r\n\r\nthis\r\n"                  \
	     "--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.gif\"\r\n"                  \
	     "Content-Type: image/gif\r\n\r\nGIF89a\x02\x00\x01\x00 and more\r\n--XX--\r\n"

struct world {
	struct real_loop real;
	struct temp_dir dir;
	struct lp_spool_budget budget;
	struct lp_server *server;
	struct peer *peer;
	const char *pipeline;
	struct lp_scope *job;
	struct lp_exchange *ex;
	struct lp_intake *intake;
	int told;		/* how often it called */
	bool over;
};

static void on_intake(void *self)
{
	struct world *w = self;

	w->told++;
	w->over = true;
}

static void on_exchange(void *self)
{
	struct world *w = self;

	if (lp_exchange_gone(w->ex)) {
		lp_intake_detach(w->intake);
		w->ex = NULL;
		w->over = true;
		return;
	}
	lp_intake_poke(w->intake);
}

static void handle(void *self, struct lp_exchange *ex)
{
	struct world *w = self;
	const struct lp_intake_want want = {
		.pipeline = lp_pipeline_find(lp_span(w->pipeline)),
		.edge = LP_EDGE_GATEWAY,
		.budget = &w->budget,
	};

	w->ex = ex;
	lp_exchange_watch(ex, on_exchange, w);
	w->intake = lp_intake_start(w->job, ex, &want, on_intake, w);
	assert_int_equal(w->told, 0);	/* never inline */
}

static int world_open(void **state)
{
	static struct world w;
	struct lp_server_want want = { .handle = handle, .self = &w };
	struct lp_err e;

	memset(&w, 0, sizeof(w));
	real_loop_open(&w.real);
	temp_dir_make(&w.dir);
	w.budget = (struct lp_spool_budget){ .dir = w.dir.path, .memory_each = 256 * 1024, .total = 64 << 20 };
	w.job = lp_scope_open(w.real.scope, "job");
	want.address = (struct lp_url){ .host = LP_SPAN("127.0.0.1") };
	if (lp_server_open(w.real.scope, &w.server, w.real.loop, &want, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	w.peer = peer_connect(&w.real, lp_server_port(w.server));
	*state = &w;
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	peer_close(w->peer);
	lp_scope_close(&w->job);
	assert_int_equal(w->budget.used, 0);
	assert_int_equal(w->budget.bodies, 0);
	real_loop_close(&w->real);
	temp_dir_remove(&w->dir);
	return 0;
}

static void send_head(struct world *w, const char *pipeline, const char *type, size_t length)
{
	char head[256];

	w->pipeline = pipeline;
	snprintf(head, sizeof(head), "POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
		 type, length);
	peer_send(w->peer, head);
}

static void send_json(struct world *w, const char *body)
{
	send_head(w, "llm", "application/json", strlen(body));
	peer_send(w->peer, body);
	real_loop_run_until(&w->real, &w->over);
}

static void send_form(struct world *w, const char *body, size_t len)
{
	send_head(w, "upscale", "multipart/form-data; boundary=XX", len);
	peer_send_span(w->peer, lp_span_of(body, len));
	real_loop_run_until(&w->real, &w->over);
}

static void assert_refused(struct world *w, enum lp_code code)
{
	assert_int_equal(w->told, 1);
	assert_false(lp_intake_done(w->intake));
	assert_string_equal(lp_code_name(lp_intake_err(w->intake)->code), lp_code_name(code));
}

static void a_json_body_becomes_a_request_with_its_defaults(void **state)
{
	struct world *w = *state;
	struct lp_request *req;

	send_json(w, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
	assert_true(lp_intake_done(w->intake));
	assert_int_equal(w->told, 1);
	req = lp_intake_request(w->intake);
	assert_true(lp_span_is(req->model, "meta-llama/llama-3.1-8B-Instruct"));
	assert_int_equal(req->units, 256);
	assert_null(lp_intake_file(w->intake));
}

static void a_body_in_pieces_is_put_together(void **state)
{
	static const char body[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
	struct world *w = *state;

	send_head(w, "llm", "application/json", sizeof(body) - 1);
	for (size_t i = 0; i < sizeof(body) - 1; i += 7) {
		assert_false(w->over);
		peer_send_span(w->peer, lp_span_of(body + i, sizeof(body) - 1 - i < 7 ? sizeof(body) - 1 - i : 7));
		real_loop_run_for(&w->real, 2 * LP_MSEC);
	}
	real_loop_run_until(&w->real, &w->over);
	assert_true(lp_intake_done(w->intake));
	assert_true(lp_span_is(lp_intake_request(w->intake)->model, "m"));
}

static void a_malformed_body_is_refused_in_words(void **state)
{
	struct world *w = *state;

	send_json(w, "{\"model\":");
	assert_refused(w, LP_BAD_REQUEST);
	assert_true(lp_intake_err(w->intake)->words[0] != 0);
}

static void an_empty_body_is_refused(void **state)
{
	struct world *w = *state;

	send_json(w, "");
	assert_refused(w, LP_BAD_REQUEST);
}

static void a_missing_field_is_named(void **state)
{
	struct world *w = *state;

	send_json(w, "{\"model\":\"m\"}");
	assert_false(lp_intake_done(w->intake));
	assert_non_null(strstr(lp_err_words(lp_intake_err(w->intake)), "messages"));
}

static void a_form_where_json_belongs_is_told_so(void **state)
{
	struct world *w = *state;

	send_head(w, "llm", "multipart/form-data; boundary=XX", 0);
	real_loop_run_until(&w->real, &w->over);
	assert_refused(w, LP_MEDIA_TYPE);
}

static void json_where_a_form_belongs_is_told_so(void **state)
{
	struct world *w = *state;

	send_head(w, "upscale", "application/json", 2);
	peer_send(w->peer, "{}");
	real_loop_run_until(&w->real, &w->over);
	assert_refused(w, LP_MEDIA_TYPE);
}

static void a_body_over_the_limit_is_refused(void **state)
{
	struct world *w = *state;
	size_t limit = (size_t)lp_pipeline_find(LP_SPAN("llm"))->body_limit;
	char *text = lp_alloc(w->real.scope, limit + 2);

	memset(text, ' ', limit + 1);
	send_head(w, "llm", "application/json", limit + 1);
	peer_send_span(w->peer, lp_span_of(text, limit + 1));
	real_loop_run_until(&w->real, &w->over);
	assert_refused(w, LP_TOO_LARGE);
}

static void a_form_becomes_a_request_and_a_file(void **state)
{
	struct world *w = *state;
	struct lp_request *req;

	send_form(w, FORM, sizeof(FORM) - 1);
	assert_true(lp_intake_done(w->intake));
	req = lp_intake_request(w->intake);
	assert_true(lp_span_is(lp_request_value(req, "prompt")->text, "sharp"));
	assert_true(lp_span_is(req->file.filename, "a.gif"));
	assert_int_equal(req->units, 2);	/* 2 x 1 pixels */
	assert_int_equal(lp_spool_size(lp_intake_file(w->intake)), 19);
	assert_true(lp_span_starts(lp_spool_head(lp_intake_file(w->intake)), "GIF89a"));
}

static void a_form_may_come_in_any_pieces(void **state)
{
	struct world *w = *state;

	send_head(w, "upscale", "multipart/form-data; boundary=XX", sizeof(FORM) - 1);
	for (size_t i = 0; i < sizeof(FORM) - 1; i += 11) {
		size_t n = sizeof(FORM) - 1 - i;

		peer_send_span(w->peer, lp_span_of(&FORM[i], n < 11 ? n : 11));
		real_loop_run_for(&w->real, LP_MSEC);
	}
	if (!w->over)
		real_loop_run_until(&w->real, &w->over);
	assert_true(lp_intake_done(w->intake));
	assert_int_equal(lp_intake_request(w->intake)->units, 2);
}

static void a_file_without_a_name_is_still_the_file(void **state)
{
	static const char form[] =
		"--XX\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\nGIF89a\x02\x00\x01\x00\x00\x00\x00\r\n"
		"--XX\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nx\r\n--XX--\r\n";
	struct world *w = *state;

	send_form(w, form, sizeof(form) - 1);
	assert_true(lp_intake_done(w->intake));
	assert_true(lp_span_is(lp_intake_request(w->intake)->file.filename, "image"));
}

static void the_first_of_two_files_counts(void **state)
{
	static const char form[] =
		"--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"1\"\r\n\r\nGIF89a\x02\x00\x01\x00\x00\x00\x00\r\n"
		"--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"2\"\r\n\r\nGIF89a\x09\x00\x09\x00\x00\x00\x00\r\n"
		"--XX\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nx\r\n--XX--\r\n";
	struct world *w = *state;

	send_form(w, form, sizeof(form) - 1);
	assert_true(lp_intake_done(w->intake));
	assert_true(lp_span_is(lp_intake_request(w->intake)->file.filename, "1"));
	assert_int_equal(lp_intake_request(w->intake)->units, 2);
}

static void a_form_that_ends_early_is_refused(void **state)
{
	struct world *w = *state;

	send_form(w, FORM, sizeof(FORM) - 1 - 8);
	assert_refused(w, LP_BAD_REQUEST);
}

static void a_form_without_its_file_is_refused(void **state)
{
	static const char form[] = "--XX\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nx\r\n--XX--\r\n";
	struct world *w = *state;

	send_form(w, form, sizeof(form) - 1);
	assert_false(lp_intake_done(w->intake));
	assert_non_null(strstr(lp_err_words(lp_intake_err(w->intake)), "image"));
}

static void a_text_field_without_end_is_refused(void **state)
{
	static const char head[] = "--XX\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n";
	struct world *w = *state;
	size_t len = sizeof(head) - 1 + 1500000;
	char *form = lp_alloc(w->real.scope, len);

	memset(form, 'x', len);
	memcpy(form, head, sizeof(head) - 1);
	send_form(w, form, len);
	assert_refused(w, LP_TOO_LARGE);
	assert_string_equal(lp_err_words(lp_intake_err(w->intake)), "prompt is longer than 65536 bytes");
	assert_true(w->budget.bodies <= 65536);		/* it was not held until then */
}

static void a_number_of_a_form_is_short(void **state)
{
	static const char form[] = "--XX\r\nContent-Disposition: form-data; name=\"seed\"\r\n\r\n"
				   "00000000000000000000000000000000000000000000000000000000000000001\r\n--XX--\r\n";
	struct world *w = *state;

	send_form(w, form, sizeof(form) - 1);
	assert_refused(w, LP_TOO_LARGE);
}

/* One field of many bytes in a message of llm. */
static void send_long_chat(struct world *w, size_t len)
{
	char *text = lp_alloc(w->real.scope, len + 100);
	int n = snprintf(text, 100, "{\"messages\":[{\"role\":\"user\",\"content\":\"");

	memset(text + n, 'x', len);
	memcpy(text + n + len, "\"}]}", 5);
	send_json(w, text);
}

static void a_body_is_counted_as_long_as_the_job_runs(void **state)
{
	struct world *w = *state;

	w->budget.memory = 1 << 20;
	send_long_chat(w, 100000);
	assert_true(lp_intake_done(w->intake));
	assert_in_range(w->budget.bodies, 100000, 100200);
	assert_in_range(lp_intake_request(w->intake)->packed.len, 100000, 100200);
	assert_null(lp_intake_request(w->intake)->tree);
}

static void a_body_that_the_memory_does_not_hold_is_refused_for_now(void **state)
{
	struct world *w = *state;

	w->budget.memory = 1 << 20;
	send_long_chat(w, (1 << 18) + 1);
	assert_refused(w, LP_UNAVAILABLE);
}

static void fields_of_a_form_count_as_well(void **state)
{
	struct world *w = *state;

	w->budget.memory = 1 << 20;
	send_form(w, FORM, sizeof(FORM) - 1);
	assert_true(lp_intake_done(w->intake));
	assert_int_equal(w->budget.bodies, 5);
}

static void the_size_of_a_picture_may_stand_far_behind_its_start(void **state)
{
	static const char head[] = "--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\n";
	static const char frame[] = "\xff\xc0\0\x0b\x08\0\x02\0\x03\x01\x11";
	static const char tail[] = "\r\n--XX\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nx\r\n--XX--\r\n";
	struct world *w = *state;
	struct lp_buf form = { 0 };

	lp_buf_add_text(&form, head);
	lp_buf_add_text(&form, "\xff\xd8");
	for (int i = 0; i < 4; i++) {
		lp_buf_add(&form, "\xff\xe1\xff\xff", 4);
		memset(lp_buf_room(&form, 65533), 'x', 65533);
		lp_buf_grew(&form, 65533);
	}
	lp_buf_add(&form, frame, sizeof(frame) - 1);
	lp_buf_add_text(&form, tail);
	send_form(w, lp_buf_span(&form).at, form.len);
	lp_buf_clear(&form);
	assert_true(lp_intake_done(w->intake));
	assert_int_equal(lp_intake_request(w->intake)->units, 6);
}

static void a_large_file_goes_to_the_disk_and_not_into_memory(void **state)
{
	static const char head[] = "--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\nGIF89a";
	static const char tail[] = "\r\n--XX\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nx\r\n--XX--\r\n";
	struct world *w = *state;
	size_t len = sizeof(head) - 1 + 8000000 + sizeof(tail) - 1;
	char *form = lp_alloc(w->real.scope, len);

	memset(form, 1, len);
	memcpy(form, head, sizeof(head) - 1);
	memcpy(form + len - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	send_form(w, form, len);
	assert_true(lp_intake_done(w->intake));
	assert_int_equal(lp_spool_size(lp_intake_file(w->intake)), 8000006);
	assert_true(w->budget.used_memory <= 512 * 1024);
}

static void a_file_beyond_the_budget_is_refused(void **state)
{
	struct world *w = *state;

	w->budget.total = 10;
	send_form(w, FORM, sizeof(FORM) - 1);
	assert_refused(w, LP_NO_ROOM);
}

static void a_client_that_leaves_is_forgotten(void **state)
{
	struct world *w = *state;

	send_head(w, "upscale", "multipart/form-data; boundary=XX", sizeof(FORM) - 1);
	peer_send_span(w->peer, lp_span_of(FORM, sizeof(FORM) - 20));
	real_loop_run_for(&w->real, 10 * LP_MSEC);
	assert_false(w->over);
	peer_close(w->peer);
	real_loop_run_until(&w->real, &w->over);
	assert_false(lp_intake_done(w->intake));
	lp_intake_poke(w->intake);
	real_loop_run_for(&w->real, 2 * LP_MSEC);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
	const struct CMUnitTest tests[] = {
		T(a_json_body_becomes_a_request_with_its_defaults),
		T(a_body_in_pieces_is_put_together),
		T(a_malformed_body_is_refused_in_words),
		T(an_empty_body_is_refused),
		T(a_missing_field_is_named),
		T(a_form_where_json_belongs_is_told_so),
		T(json_where_a_form_belongs_is_told_so),
		T(a_body_over_the_limit_is_refused),
		T(a_form_becomes_a_request_and_a_file),
		T(a_form_may_come_in_any_pieces),
		T(a_file_without_a_name_is_still_the_file),
		T(the_first_of_two_files_counts),
		T(a_form_that_ends_early_is_refused),
		T(a_form_without_its_file_is_refused),
		T(a_text_field_without_end_is_refused),
		T(a_number_of_a_form_is_short),
		T(a_body_is_counted_as_long_as_the_job_runs),
		T(a_body_that_the_memory_does_not_hold_is_refused_for_now),
		T(fields_of_a_form_count_as_well),
		T(the_size_of_a_picture_may_stand_far_behind_its_start),
		T(a_large_file_goes_to_the_disk_and_not_into_memory),
		T(a_file_beyond_the_budget_is_refused),
		T(a_client_that_leaves_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
