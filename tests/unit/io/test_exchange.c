/* The facade of an exchange: order of events, limits, what a reply may be, on a wire that only notes. */
#include "fake_wire.h"

struct fixture {
	struct fake_wire w;
	int handled, events;
	bool gone_seen, in_handler, scope_closed;
	void (*in_handle)(struct fixture *f, struct lp_exchange *ex);
	void (*in_event)(struct fixture *f);
};

static void on_event(void *self)
{
	struct fixture *f = self;

	assert_false(f->in_handler);
	f->events++;
	f->gone_seen = lp_exchange_gone(f->w.ex);
	if (f->in_event)
		f->in_event(f);
}

static void handle(void *self, struct lp_exchange *ex)
{
	struct fixture *f = self;

	f->handled++;
	f->in_handler = true;
	if (f->in_handle)
		f->in_handle(f, ex);
	else
		lp_exchange_watch(ex, on_event, f);
	f->in_handler = false;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fake_wire_open(&f->w);
	f->w.owner.handle = handle;
	f->w.owner.self = f;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	fake_wire_close(&f->w);
	free(f);
	return 0;
}

static const char *reply(struct fixture *f)
{
	return lp_buf_text(&f->w.reply);
}

static void note_closed(void *self)
{
	struct fixture *f = self;

	f->scope_closed = true;
}

/* ---- events ---- */

static void the_handler_is_called_from_the_loop(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *ex = fake_request(&f->w, "POST", "/a/b?c=d", 7);

	assert_int_equal(f->handled, 0);
	fake_turn(&f->w);
	assert_int_equal(f->handled, 1);
	assert_true(lp_span_is(lp_exchange_method(ex), "POST"));
	assert_true(lp_span_is(lp_exchange_path(ex), "/a/b"));
	assert_true(lp_span_is(lp_exchange_query(ex), "c=d"));
	assert_true(lp_span_is(lp_exchange_header(ex, "host"), "a"));
	assert_null(lp_exchange_header(ex, "cookie").at);
	assert_int_equal(lp_exchange_length(ex), 7);
	assert_string_equal(lp_exchange_peer(ex), "192.0.2.1:5");
	assert_ptr_equal(lp_exchange_loop(ex), f->w.r.loop);
	assert_false(lp_exchange_is_h2(ex) || lp_exchange_is_tls(ex));
}

static void a_path_without_a_query_has_none(void **state)
{
	struct fixture *f = *state;

	assert_null(lp_exchange_query(fake_request(&f->w, "GET", "/a", 0)).at);
	assert_non_null(lp_exchange_query(fake_request(&f->w, "GET", "/a?", 0)).at);
}

static void whoever_watches_is_told_what_came_before(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *ex = fake_request(&f->w, "POST", "/", 3);

	lp_exchange_wire_body(ex, LP_SPAN("abc"));
	lp_exchange_wire_body_end(ex);
	fake_turn(&f->w);
	assert_int_equal(f->events, 1);
	assert_true(lp_span_is(lp_exchange_read(ex), "abc"));
	assert_int_equal(lp_exchange_body(ex), LP_BODY_END);
	lp_exchange_consume(ex, 2);
	assert_true(lp_span_is(lp_exchange_read(ex), "c"));
	assert_int_equal(f->w.consumed, 2);
}

static void events_of_one_turn_are_told_together_and_never_inline(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *ex = fake_request(&f->w, "POST", "/", 9);

	fake_turn(&f->w);
	f->events = 0;
	lp_exchange_wire_body(ex, LP_SPAN("abc"));
	lp_exchange_wire_body(ex, LP_SPAN("def"));
	lp_exchange_wire_body_end(ex);
	assert_int_equal(f->events, 0);
	fake_turn(&f->w);
	assert_int_equal(f->events, 1);
	fake_turn(&f->w);
	assert_int_equal(f->events, 1);
}

static void close_with(struct fixture *f, struct lp_exchange *ex)
{
	lp_exchange_watch(ex, on_event, f);
	lp_defer(lp_exchange_scope(ex), note_closed, f);
	lp_reply(ex, 200, "text/plain", LP_SPAN("ok"));
	lp_reply_error(ex, &(struct lp_err){ .code = LP_INTERNAL });	/* after the end: nothing */
}

static void the_last_event_comes_once_and_then_the_scope_closes(void **state)
{
	struct fixture *f = *state;

	f->in_handle = close_with;
	fake_request(&f->w, "GET", "/", 0);
	fake_turn(&f->w);
	assert_int_equal(f->events, 1);
	assert_false(f->gone_seen);
	assert_true(f->scope_closed);
	assert_string_equal(reply(f), "200 2 content-type=text/plain;|ok.|END");
}

static void a_client_that_leaves_before_the_handler_is_never_handled(void **state)
{
	struct fixture *f = *state;

	lp_exchange_wire_gone(fake_request(&f->w, "GET", "/", 0), LP_GONE, "left");
	fake_turn(&f->w);
	assert_int_equal(f->handled, 0);
	assert_int_equal(f->events, 0);
}

static void see_gone(struct fixture *f)
{
	if (!f->gone_seen)
		return;
	struct lp_exchange *ex = f->w.ex;

	assert_int_equal(lp_exchange_err(ex)->code, LP_GONE);
	assert_string_equal(lp_exchange_err(ex)->words, "left");
	assert_int_equal(lp_exchange_body(ex), LP_BODY_BROKEN);
	assert_true(lp_span_is(lp_exchange_read(ex), "abc"));
	lp_exchange_consume(ex, 3);
	/* Everything is a no-op now. */
	assert_int_equal(lp_reply_room(ex), 0);
	lp_reply_head(ex, 200, -1, NULL, 0);
	lp_reply_write(ex, LP_SPAN("x"));
	lp_reply_end(ex);
	lp_reply_abort(ex, LP_INTERNAL);
	lp_reply(ex, 200, NULL, LP_SPAN("x"));
}

static void after_the_client_left_every_call_is_a_no_op(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *ex = fake_request(&f->w, "POST", "/", 9);

	f->in_event = see_gone;
	fake_turn(&f->w);
	lp_exchange_wire_body(ex, LP_SPAN("abc"));
	lp_exchange_wire_gone(ex, LP_GONE, "left");
	lp_exchange_wire_gone(ex, LP_RESET, "twice");
	lp_exchange_wire_body(ex, LP_SPAN("late"));
	lp_exchange_wire_done(ex);
	fake_turn(&f->w);
	assert_true(f->gone_seen);
	assert_string_equal(reply(f), "");
	assert_false(f->w.aborted);
}

static void a_scope_closed_from_above_says_nothing(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *ex = fake_request(&f->w, "POST", "/", 9);

	fake_turn(&f->w);
	f->events = 0;
	lp_exchange_wire_body(ex, LP_SPAN("abc"));
	struct lp_scope *scope = lp_exchange_scope(ex);
	lp_scope_close(&scope);
	fake_turn(&f->w);
	assert_int_equal(f->events, 0);
}

/* ---- the body ---- */

static void the_wire_is_asked_for_the_body_once_and_only_if_somebody_waits(void **state)
{
	struct fixture *f = *state;

	fake_request(&f->w, "POST", "/", 9);
	assert_int_equal(f->w.wanted, 0);
	fake_turn(&f->w);		/* the handler watches */
	assert_int_equal(f->w.wanted, 1);
	lp_exchange_read(f->w.ex);
	assert_int_equal(f->w.wanted, 1);
	f->w.wanted = 0;
	fake_request(&f->w, "POST", "/", 0);
	fake_turn(&f->w);
	assert_int_equal(f->w.wanted, 0);
}

static void a_body_beyond_the_limit_is_broken(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *ex = fake_request(&f->w, "POST", "/", -1);

	fake_turn(&f->w);
	lp_exchange_limit_body(ex, 5);
	lp_exchange_wire_body(ex, LP_SPAN("abcde"));
	assert_int_equal(lp_exchange_body(ex), LP_BODY_MORE);
	lp_exchange_wire_body(ex, LP_SPAN("f"));
	assert_int_equal(lp_exchange_body(ex), LP_BODY_BROKEN);
	assert_int_equal(lp_exchange_err(ex)->code, LP_TOO_LARGE);
	assert_false(lp_exchange_gone(ex));
	lp_exchange_wire_body_end(ex);
	assert_int_equal(lp_exchange_body(ex), LP_BODY_BROKEN);
}

/* Head and body in one packet: the handler, who knows the limit, comes after both. */
static void a_body_that_came_whole_before_the_limit_is_held_against_it(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *ex = fake_request(&f->w, "POST", "/", -1);

	lp_exchange_wire_body(ex, LP_SPAN("abcdef"));
	lp_exchange_wire_body_end(ex);
	fake_turn(&f->w);
	assert_int_equal(lp_exchange_body(ex), LP_BODY_END);
	lp_exchange_limit_body(ex, 6);
	assert_int_equal(lp_exchange_body(ex), LP_BODY_END);
	lp_exchange_limit_body(ex, 5);
	assert_int_equal(lp_exchange_body(ex), LP_BODY_BROKEN);
	assert_int_equal(lp_exchange_err(ex)->code, LP_TOO_LARGE);
}

static void what_nobody_consumes_is_bounded_for_all_exchanges_together(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange_held held = { .limit = 10 };

	f->w.owner.held = &held;
	struct lp_exchange *first = fake_request(&f->w, "POST", "/", -1);
	fake_turn(&f->w);
	lp_exchange_wire_body(first, LP_SPAN("seven..."));
	assert_int_equal(held.bytes, 8);
	assert_true(lp_exchange_held_much(&held));
	struct lp_exchange *second = fake_request(&f->w, "POST", "/", -1);
	fake_turn(&f->w);
	lp_exchange_wire_body(second, LP_SPAN("abc"));
	assert_int_equal(lp_exchange_body(second), LP_BODY_BROKEN);
	assert_int_equal(lp_exchange_err(second)->code, LP_UNAVAILABLE);
	assert_int_equal(lp_metric_value(f->w.owner.metrics, LP_M_HTTP_REFUSED, LP_LABELS("held")), 1);
	assert_int_equal(lp_exchange_body(first), LP_BODY_MORE);
	lp_exchange_consume(first, 6);
	assert_int_equal(held.bytes, 2);
	assert_false(lp_exchange_held_much(&held));
	lp_exchange_wire_body(first, LP_SPAN("12345678"));
	assert_int_equal(held.bytes, 10);
	/* Whatever way an exchange ends, its bytes are given back. */
	f->w.ex = first;
	lp_exchange_wire_gone(first, LP_GONE, NULL);
	fake_turn(&f->w);
	assert_int_equal(held.bytes, 0);
	f->w.ex = second;
	lp_exchange_wire_gone(second, LP_GONE, NULL);
	fake_turn(&f->w);
	f->w.owner.held = NULL;
}

static void an_announced_length_beyond_the_limit_breaks_at_once(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *ex = fake_request(&f->w, "POST", "/", 101);

	assert_int_equal(lp_exchange_body(ex), LP_BODY_MORE);	/* the handler may raise the limit */
	fake_turn(&f->w);
	assert_int_equal(lp_exchange_body(ex), LP_BODY_BROKEN);
	assert_int_equal(lp_exchange_err(ex)->code, LP_TOO_LARGE);
}

static void raise_limit(struct fixture *f, struct lp_exchange *ex)
{
	(void)f;
	lp_exchange_limit_body(ex, 1000);
}

static void a_handler_may_take_more_than_the_default(void **state)
{
	struct fixture *f = *state;

	f->in_handle = raise_limit;
	struct lp_exchange *ex = fake_request(&f->w, "POST", "/", 101);
	fake_turn(&f->w);
	assert_int_equal(lp_exchange_body(ex), LP_BODY_MORE);
}

static void a_body_that_stops_is_broken_but_not_while_nobody_reads(void **state)
{
	struct fixture *f = *state;

	f->w.owner.body_stall = 20 * LP_MSEC;
	struct lp_exchange *ex = fake_request(&f->w, "POST", "/", 9);
	fake_turn(&f->w);
	lp_exchange_wire_body(ex, LP_SPAN("abc"));
	real_loop_run_for(&f->w.r, 60 * LP_MSEC);	/* unread: it is our turn */
	assert_int_equal(lp_exchange_body(ex), LP_BODY_MORE);
	lp_exchange_consume(ex, 3);
	int64_t consumed = lp_mono(f->w.r.loop);
	for (int turn = 0; turn < 1000 && lp_exchange_body(ex) == LP_BODY_MORE; turn++)
		real_loop_run_for(&f->w.r, LP_MSEC);
	assert_int_equal(lp_exchange_body(ex), LP_BODY_BROKEN);
	assert_true(lp_mono(f->w.r.loop) - consumed >= 20 * LP_MSEC);	/* counted from there, on a busy machine too */
	assert_int_equal(lp_exchange_err(ex)->code, LP_SLOW_REQUEST);
	assert_int_equal(lp_metric_value(f->w.owner.metrics, LP_M_HTTP_REFUSED, LP_LABELS("body_stall")), 1);
}

/* ---- the reply ---- */

static void room_that_comes_back_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *ex = fake_request(&f->w, "GET", "/", 0);

	fake_turn(&f->w);
	f->events = 0;
	lp_reply_head(ex, 200, -1, NULL, 0);
	lp_exchange_wire_room(ex);
	fake_turn(&f->w);
	assert_int_equal(f->events, 0);		/* there was room all the time */
	f->w.full = true;
	lp_reply_write(ex, LP_SPAN("x"));
	assert_int_equal(lp_reply_room(ex), 0);
	f->w.full = false;
	lp_exchange_wire_room(ex);
	lp_exchange_wire_room(ex);
	fake_turn(&f->w);
	assert_int_equal(f->events, 1);
}

static void a_client_that_reads_too_slowly_is_given_up(void **state)
{
	struct fixture *f = *state;

	f->w.owner.write_stall = 20 * LP_MSEC;
	struct lp_exchange *ex = fake_request(&f->w, "GET", "/", 0);
	fake_turn(&f->w);
	lp_reply_head(ex, 200, -1, NULL, 0);
	f->w.full = true;
	lp_reply_write(ex, LP_SPAN("x"));
	real_loop_run_for(&f->w.r, 50 * LP_MSEC);
	assert_true(f->w.aborted);
	assert_int_equal(f->w.why, LP_GONE);
	assert_true(f->gone_seen);
}

static void head_requests_and_bodiless_statuses_drop_what_is_written(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *ex = fake_request(&f->w, "HEAD", "/", 0);

	fake_turn(&f->w);
	lp_reply_head(ex, 200, 5, NULL, 0);
	assert_true(lp_reply_room(ex) > 1000);
	lp_reply_write(ex, LP_SPAN("abc"));
	lp_reply_end(ex);
	assert_string_equal(reply(f), "200 5 ||END");
	ex = fake_request(&f->w, "GET", "/", 0);
	fake_turn(&f->w);
	lp_reply_head(ex, 304, -1, NULL, 0);
	lp_reply_write(ex, LP_SPAN("abc"));
	lp_reply_end(ex);
	assert_string_equal(reply(f), "304 -1 ||END");
}

static void trailers_reach_the_wire(void **state)
{
	struct fixture *f = *state;
	struct lp_header trailer = { .name = LP_SPAN("grpc-status"), .value = LP_SPAN("0") };
	struct lp_exchange *ex = fake_request(&f->w, "POST", "/", 0);

	fake_turn(&f->w);
	lp_reply_head(ex, 200, -1, NULL, 0);
	lp_reply_end_trailers(ex, &trailer, 1);
	assert_string_equal(reply(f), "200 -1 ||grpc-status=0;|END");
}

static void an_error_is_told_in_both_forms(void **state)
{
	(void)state;
	struct lp_err e;
	struct lp_buf text = { 0 };

	lp_fail(&e, LP_BAD_REQUEST, "say \"%s\" <again>", "please");
	lp_error_json(&text, &e);
	assert_string_equal(lp_buf_text(&text),
			    "{\"error\":{\"message\":\"say \\\"please\\\" \\u003cagain\\u003e\",\"code\":\"bad_request\"},"
			    "\"detail\":{\"msg\":\"say \\\"please\\\" \\u003cagain\\u003e\"}}\n");
	lp_buf_reset(&text);
	lp_fail(&e, LP_INVALID, "width");
	lp_error_json(&text, &e);
	assert_string_equal(lp_buf_text(&text),
			    "{\"error\":{\"message\":\"width\",\"code\":\"invalid_parameter\"},\"detail\":[{\"loc\":[\"body\"],"
			    "\"msg\":\"width\",\"type\":\"invalid_parameter\"}]}\n");
	lp_buf_clear(&text);
}

static void an_error_reply_has_its_status_and_says_when_to_come_again(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum lp_code code;
		const char *begins;
	} rows[] = {
		{ LP_NOT_FOUND, "404 " },
		{ LP_TOO_MANY, "429 " },
		{ LP_DRAINING, "503 " },
		{ LP_INTERNAL, "500 " },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lp_err e = { .code = rows[i].code };

		fake_request(&f->w, "GET", "/", 0);
		fake_turn(&f->w);
		lp_reply_error(f->w.ex, &e);
		assert_true(lp_span_starts(lp_buf_span(&f->w.reply), rows[i].begins));
		assert_non_null(strstr(reply(f), "content-type=application/json;"));
		int status = lp_code_status(rows[i].code);
		assert_int_equal(strstr(reply(f), "retry-after=") != NULL, status == 429 || status == 503);
		fake_turn(&f->w);
	}
	assert_int_equal(lp_metric_value(f->w.owner.metrics, LP_M_HTTP_REQUESTS, LP_LABELS("429")), 1);
}

static void an_error_after_the_head_aborts(void **state)
{
	struct fixture *f = *state;
	struct lp_err e = { .code = LP_RESET };
	struct lp_exchange *ex = fake_request(&f->w, "GET", "/", 0);

	fake_turn(&f->w);
	lp_reply_head(ex, 200, -1, NULL, 0);
	assert_true(lp_reply_started(ex));
	lp_reply_error(ex, &e);
	assert_true(f->w.aborted);
	assert_int_equal(f->w.why, LP_RESET);
	fake_turn(&f->w);
	assert_true(f->gone_seen);
	assert_string_equal(reply(f), "200 -1 |");
}

static void only_attend(struct fixture *f, struct lp_exchange *ex)
{
	lp_exchange_attend(ex, on_event, f);
}

static void who_attends_is_told_but_asks_for_no_body(void **state)
{
	struct fixture *f = *state;

	f->in_handle = only_attend;
	struct lp_exchange *ex = fake_request(&f->w, "POST", "/", 3);

	fake_turn(&f->w);
	assert_int_equal(f->events, 1);
	assert_int_equal(f->w.wanted, 0);
	assert_int_equal(lp_exchange_read(ex).len, 0);
	assert_int_equal(f->w.wanted, 1);
	lp_exchange_wire_gone(ex, LP_GONE, NULL);
	fake_turn(&f->w);
	assert_true(f->gone_seen);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(the_handler_is_called_from_the_loop),
		T(a_path_without_a_query_has_none),
		T(whoever_watches_is_told_what_came_before),
		T(who_attends_is_told_but_asks_for_no_body),
		T(events_of_one_turn_are_told_together_and_never_inline),
		T(the_last_event_comes_once_and_then_the_scope_closes),
		T(a_client_that_leaves_before_the_handler_is_never_handled),
		T(after_the_client_left_every_call_is_a_no_op),
		T(a_scope_closed_from_above_says_nothing),
		T(the_wire_is_asked_for_the_body_once_and_only_if_somebody_waits),
		T(a_body_beyond_the_limit_is_broken),
		T(a_body_that_came_whole_before_the_limit_is_held_against_it),
		T(what_nobody_consumes_is_bounded_for_all_exchanges_together),
		T(an_announced_length_beyond_the_limit_breaks_at_once),
		T(a_handler_may_take_more_than_the_default),
		T(a_body_that_stops_is_broken_but_not_while_nobody_reads),
		T(room_that_comes_back_is_told_once),
		T(a_client_that_reads_too_slowly_is_given_up),
		T(head_requests_and_bodiless_statuses_drop_what_is_written),
		T(trailers_reach_the_wire),
		T(an_error_is_told_in_both_forms),
		T(an_error_reply_has_its_status_and_says_when_to_come_again),
		T(an_error_after_the_head_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
