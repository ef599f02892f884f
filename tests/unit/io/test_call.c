/* What a call promises its user: states, deadlines, words; over both transports of a real server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/io/client.h>
#include <lpd/io/server.h>

#include "real_loop.h"

struct fixture {
	struct real_loop r;
	struct lp_server *server;
	struct lp_client *client;
	struct lp_url url;
	struct lp_call_want want;
	struct lp_scope *scope;
	struct lp_call *call;
	bool over, read;
	int events;
	size_t got;
	/* the server's side */
	const char *mode;
	struct lp_exchange *ex;
	struct lp_timer later;
	bool gone;
	size_t body, payment;
	char seen[64];
	char note[512];			/* what the header x-note said */
};

static void say_later(void *self)
{
	struct fixture *f = self;

	if (f->ex)
		lp_reply_write(f->ex, LP_SPAN("later"));
	if (f->ex)
		lp_reply_end(f->ex);
}

static void on_request(void *self)
{
	struct fixture *f = self;

	if (lp_exchange_gone(f->ex)) {
		f->ex = NULL;
		f->gone = true;
		return;
	}
	if (strcmp(f->mode, "deaf") == 0)
		return;
	struct lp_span bytes = lp_exchange_read(f->ex);
	lp_span_copy(f->seen, sizeof(f->seen), bytes);
	f->body += bytes.len;
	lp_exchange_consume(f->ex, bytes.len);
	if (lp_exchange_body(f->ex) != LP_BODY_END || lp_reply_started(f->ex))
		return;
	if (strcmp(f->mode, "echo") == 0)
		lp_reply(f->ex, 200, "text/plain", lp_span(f->seen));
}

static void handle(void *self, struct lp_exchange *ex)
{
	static char big[600 * 1024];
	struct fixture *f = self;

	f->ex = ex;
	f->payment = lp_exchange_header(ex, "livepeer-payment").len;
	lp_span_copy(f->note, sizeof(f->note), lp_exchange_header(ex, "x-note"));
	lp_exchange_limit_body(ex, 10 * 1024 * 1024);
	lp_exchange_watch(ex, on_request, f);
	f->later = (struct lp_timer){ .fire = say_later, .self = f };
	if (strcmp(f->mode, "half") == 0 || strcmp(f->mode, "slow") == 0) {
		lp_reply_head(ex, 200, -1, NULL, 0);
		lp_reply_write(ex, LP_SPAN("first"));
	}
	if (strcmp(f->mode, "slow") == 0)
		lp_timer_set(&f->later, f->r.loop, 150 * LP_MSEC);
	if (strcmp(f->mode, "big") == 0)
		lp_reply(ex, 200, NULL, lp_span_of(big, sizeof(big)));
	if (strcmp(f->mode, "broken") == 0) {
		lp_reply_head(ex, 200, 100, NULL, 0);
		lp_reply_write(ex, LP_SPAN("first"));
		lp_timer_set(&f->later, f->r.loop, LP_NEVER);
	}
}

static void on_event(void *self)
{
	struct fixture *f = self;

	f->events++;
	if (f->read) {
		f->got += lp_call_read(f->call).len;
		lp_call_consume(f->call, lp_call_read(f->call).len);
	}
	f->over = lp_call_state(f->call) >= LP_CALL_DONE;
}

static void open_all(struct fixture *f, bool h2)
{
	struct lp_server_want server = { .handle = handle, .self = f };
	struct lp_client_want client = { .tls = NULL };
	struct lp_err e;
	char text[64];

	real_loop_open(&f->r);
	server.address.host = LP_SPAN("127.0.0.1");
	assert_int_equal(lp_server_open(f->r.scope, &f->server, f->r.loop, &server, &e), LP_OK);
	snprintf(text, sizeof(text), "http://127.0.0.1:%u/job", lp_server_port(f->server));
	assert_int_equal(lp_url_parse(f->r.scope, &f->url, lp_span(text), &e), LP_OK);
	f->client = lp_client_open(f->r.scope, f->r.loop, &client);
	f->want = (struct lp_call_want){ .method = "POST", .url = &f->url, .body = LP_SPAN("hello"), .h2_only = h2 };
	f->mode = "echo";
	f->read = true;
}

static int setup_h1(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	open_all(f, false);
	*state = f;
	return 0;
}

static int setup_h2(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	open_all(f, true);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	lp_timer_clear(&f->later);
	lp_scope_close(&f->r.scope);
	free(f);
	return 0;
}

static void start(struct fixture *f)
{
	f->over = false;
	f->events = 0;
	f->scope = lp_scope_open(f->r.scope, "call");
	f->call = lp_call_start(f->scope, f->client, &f->want, on_event, f);
	assert_int_equal(lp_call_state(f->call), LP_CALL_SENDING);
	assert_int_equal(f->events, 0);
}

static void finish(struct fixture *f)
{
	real_loop_run_until(&f->r, &f->over);
}

static void expect_failed(struct fixture *f, enum lp_code code, const char *words)
{
	char peer[32];

	finish(f);
	assert_int_equal(lp_call_state(f->call), LP_CALL_FAILED);
	assert_int_equal(lp_call_err(f->call)->code, code);
	snprintf(peer, sizeof(peer), "127.0.0.1:%u: ", f->url.port);
	if (!strstr(lp_call_err(f->call)->words, words))
		print_error("%s\n", lp_call_err(f->call)->words);
	assert_non_null(strstr(lp_call_err(f->call)->words, peer));
	assert_non_null(strstr(lp_call_err(f->call)->words, words));
}

static void a_call_comes_back_with_its_answer(void **state)
{
	struct fixture *f = *state;

	f->read = false;
	start(f);
	finish(f);
	assert_int_equal(lp_call_state(f->call), LP_CALL_DONE);
	assert_int_equal(lp_call_status(f->call), 200);
	assert_int_equal(lp_call_length(f->call), 5);
	assert_true(lp_span_is(lp_call_read(f->call), "hello"));
	assert_int_equal(lp_call_err(f->call)->code, LP_OK);
	assert_true(lp_call_sent(f->call));
}

static void no_answer_in_first_byte_time_is_a_timeout(void **state)
{
	struct fixture *f = *state;

	f->mode = "silent";
	f->want.first_byte_time = 50 * LP_MSEC;
	start(f);
	expect_failed(f, LP_TIMEOUT, "no answer within 50ms");
	assert_true(lp_call_sent(f->call));
	real_loop_run_until(&f->r, &f->gone);	/* the server was told */
}

static void an_answer_that_stops_coming_is_a_timeout(void **state)
{
	struct fixture *f = *state;

	f->mode = "half";
	f->want.stall_time = 60 * LP_MSEC;
	start(f);
	expect_failed(f, LP_TIMEOUT, "nothing more came within 60ms");
	assert_int_equal(f->got, 5);
}

static void pieces_that_come_in_time_keep_a_call_alive(void **state)
{
	struct fixture *f = *state;

	f->mode = "slow";
	f->want.stall_time = 400 * LP_MSEC;
	start(f);
	finish(f);
	assert_int_equal(lp_call_state(f->call), LP_CALL_DONE);
	assert_int_equal(f->got, 10);
}

static void the_stall_clock_rests_while_the_user_does_not_read(void **state)
{
	struct fixture *f = *state;

	f->mode = "big";
	f->read = false;
	f->want.stall_time = 60 * LP_MSEC;
	f->want.window = 64 * 1024;
	start(f);
	real_loop_run_for(&f->r, 300 * LP_MSEC);
	assert_int_equal(lp_call_state(f->call), LP_CALL_BODY);
	assert_true(lp_call_read(f->call).len < 500 * 1024);	/* and the peer was held back */
	f->read = true;
	on_event(f);
	finish(f);
	assert_int_equal(lp_call_state(f->call), LP_CALL_DONE);
	assert_int_equal(f->got, 600 * 1024);
}

static void an_upload_that_the_peer_does_not_take_is_a_timeout(void **state)
{
	struct fixture *f = *state;
	size_t len = 8 * 1024 * 1024;
	char *body = calloc(1, len);

	f->mode = "deaf";
	f->want.stall_time = 100 * LP_MSEC;
	f->want.body = lp_span_of(body, len);
	start(f);
	free(body);
	expect_failed(f, LP_TIMEOUT, "no more of the request was taken within 100ms");
}

static void a_user_who_writes_slowly_is_no_stall(void **state)
{
	struct fixture *f = *state;

	f->want.stall_time = 50 * LP_MSEC;
	f->want.body_streamed = true;
	f->want.body_length = 8;
	start(f);
	for (int i = 0; i < 4; i++) {
		real_loop_run_for(&f->r, 80 * LP_MSEC);
		lp_call_write(f->call, LP_SPAN("hi"));
	}
	real_loop_run_for(&f->r, 80 * LP_MSEC);
	lp_call_end_body(f->call);
	finish(f);
	assert_int_equal(lp_call_status(f->call), 200);
	assert_int_equal(f->body, 8);
}

/* Wherever it stands: nine bytes apart, each of them falls on every place of a word. */
static void a_byte_that_would_end_or_break_a_header_line_becomes_a_blank(void **state)
{
	static const char bad[] = { '\n', '\r', '\x01', '\x1f', '\x7f' };
	struct fixture *f = *state;
	char value[9 * 40 + 5], expected[sizeof(value)];

	memset(value, '~', sizeof(value));
	for (size_t i = 1; i < sizeof(value); i += 3)
		value[i] = i % 2 ? '\x80' : '\xff';
	memcpy(expected, value, sizeof(value));
	for (size_t i = 0; i < 40; i++) {
		value[9 * i + 3] = bad[i % sizeof(bad)];
		expected[9 * i + 3] = ' ';
	}
	value[5] = expected[5] = '\t';
	struct lp_header header = { LP_SPAN("x-note"), lp_span_of(value, sizeof(value)), false };
	f->want.headers = &header;
	f->want.n_headers = 1;
	start(f);
	finish(f);
	assert_int_equal(lp_call_state(f->call), LP_CALL_DONE);
	assert_int_equal(strlen(f->note), sizeof(value));
	assert_memory_equal(f->note, expected, sizeof(value));
}

static void a_payment_of_60_kb_arrives(void **state)
{
	struct fixture *f = *state;
	char *value = malloc(60000);
	struct lp_header header = { LP_SPAN("livepeer-payment"), { value, 60000 }, true };

	memset(value, '~', 60000);
	f->want.headers = &header;
	f->want.n_headers = 1;
	start(f);
	finish(f);
	free(value);
	assert_int_equal(lp_call_status(f->call), 200);
	assert_int_equal(f->payment, 60000);
}

static void the_total_time_ends_any_call(void **state)
{
	struct fixture *f = *state;

	f->mode = "silent";
	f->want.total_time = 70 * LP_MSEC;
	start(f);
	expect_failed(f, LP_TIMEOUT, "not done within 70ms");
}

static void a_reply_that_breaks_off_is_told_and_what_came_is_kept(void **state)
{
	struct fixture *f = *state;

	f->mode = "broken";
	f->read = false;
	start(f);
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	lp_reply_abort(f->ex, LP_INTERNAL);
	expect_failed(f, f->want.h2_only ? LP_PEER_ERROR : LP_RESET, "");
	assert_int_equal(lp_call_status(f->call), 200);
	assert_true(lp_span_is(lp_call_read(f->call), "first"));
}

static void a_streamed_body_arrives(void **state)
{
	struct fixture *f = *state;
	static char piece[40000];

	f->mode = "echo";
	f->want.body_streamed = true;
	f->want.body_length = -1;
	start(f);
	for (int sent = 0; sent < 50;) {
		if (lp_call_room(f->call) == 0) {
			real_loop_run_for(&f->r, LP_MSEC);
			continue;
		}
		lp_call_write(f->call, lp_span_of(piece, sizeof(piece)));
		sent++;
	}
	lp_call_end_body(f->call);
	finish(f);
	assert_int_equal(lp_call_status(f->call), 200);
	assert_int_equal(f->body, 50 * sizeof(piece));
}

static void a_closed_scope_is_the_last_one_hears(void **state)
{
	struct fixture *f = *state;

	f->mode = "half";
	start(f);
	real_loop_run_for(&f->r, 30 * LP_MSEC);
	assert_non_null(f->ex);
	int events = f->events;
	lp_scope_close(&f->scope);
	/* The server hears of it, on HTTP/1.1 at the latest when it goes on writing. */
	for (int i = 0; i < 500 && !f->gone; i++) {
		lp_reply_write(f->ex, LP_SPAN("more"));
		real_loop_run_for(&f->r, 10 * LP_MSEC);
	}
	assert_true(f->gone);
	assert_int_equal(f->events, events);
}

static void close_in_event(void *self)
{
	struct fixture *f = self;

	f->events++;
	f->over = true;
	lp_scope_close(&f->scope);
}

static void the_scope_may_be_closed_in_the_event(void **state)
{
	struct fixture *f = *state;

	f->scope = lp_scope_open(f->r.scope, "call");
	lp_call_start(f->scope, f->client, &f->want, close_in_event, f);
	finish(f);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_int_equal(f->events, 1);
}

static void a_closed_client_fails_its_calls(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *scope = lp_scope_open(f->r.scope, "client");
	struct lp_client_want want = { .tls = NULL };

	f->client = lp_client_open(scope, f->r.loop, &want);
	f->mode = "silent";
	start(f);
	real_loop_run_for(&f->r, 30 * LP_MSEC);
	lp_scope_close(&scope);
	expect_failed(f, LP_RESET, "");
}

static void a_client_closed_before_the_call_is_connected_fails_it_too(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *scope = lp_scope_open(f->r.scope, "client");
	struct lp_client_want want = { .tls = NULL };

	f->client = lp_client_open(scope, f->r.loop, &want);
	start(f);
	lp_scope_close(&scope);
	expect_failed(f, LP_RESET, "the client is closed");
	assert_false(lp_call_sent(f->call));
}

#define BOTH(name) \
	{ #name " (HTTP/1.1)", name, setup_h1, teardown, NULL }, { #name " (HTTP/2)", name, setup_h2, teardown, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_call_comes_back_with_its_answer),
		BOTH(no_answer_in_first_byte_time_is_a_timeout),
		BOTH(an_answer_that_stops_coming_is_a_timeout),
		BOTH(pieces_that_come_in_time_keep_a_call_alive),
		BOTH(the_stall_clock_rests_while_the_user_does_not_read),
		BOTH(an_upload_that_the_peer_does_not_take_is_a_timeout),
		BOTH(a_user_who_writes_slowly_is_no_stall),
		BOTH(a_byte_that_would_end_or_break_a_header_line_becomes_a_blank),
		BOTH(a_payment_of_60_kb_arrives),
		BOTH(the_total_time_ends_any_call),
		BOTH(a_reply_that_breaks_off_is_told_and_what_came_is_kept),
		BOTH(a_streamed_body_arrives),
		BOTH(a_closed_scope_is_the_last_one_hears),
		BOTH(the_scope_may_be_closed_in_the_event),
		BOTH(a_closed_client_fails_its_calls),
		BOTH(a_client_closed_before_the_call_is_connected_fails_it_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
