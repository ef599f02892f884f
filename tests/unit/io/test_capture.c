/* A capture: what is replied to it is kept, readable while it grows, and its exchange is like any other. */
#include "fake_wire.h"
#include "temp_dir.h"

#include <lpd/io/capture.h>

struct fixture {
	struct fake_wire w;
	struct temp_dir dir;
	struct lp_spool_budget budget;
	struct lp_scope *scope;
	struct lp_capture *c;
	int events, last;
};

static void on_event(void *self)
{
	struct fixture *f = self;

	f->events++;
}

static void on_exchange(void *self)
{
	struct fixture *f = self;

	f->last++;
}

static void nothing(void *self, struct lp_exchange *ex)
{
	(void)self;
	(void)ex;
}

static int setup(void **state)
{
	static struct fixture f;
	struct lp_capture_want want = { .on_event = on_event, .self = &f };

	memset(&f, 0, sizeof(f));
	fake_wire_open(&f.w);
	f.w.owner.handle = nothing;
	temp_dir_make(&f.dir);
	f.budget = (struct lp_spool_budget){ .dir = f.dir.path, .memory_each = 64, .total = 1000 };
	want.loop = f.w.r.loop;
	want.budget = &f.budget;
	want.like = fake_request(&f.w, "POST", "/text-to-image", 0);
	f.scope = lp_scope_open(f.w.r.scope, "capture");
	f.c = lp_capture_open(f.scope, &want);
	real_loop_run_for(&f.w.r, LP_MSEC);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	lp_scope_close(&f->scope);
	assert_int_equal(f->budget.used, 0);
	fake_wire_close(&f->w);
	temp_dir_remove(&f->dir);
	return 0;
}

static void turn(struct fixture *f)
{
	real_loop_run_for(&f->w.r, 5 * LP_MSEC);
}

static void its_request_is_that_of_the_client_without_a_body(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *ex = lp_capture_exchange(f->c);

	assert_true(lp_span_is(lp_exchange_method(ex), "POST"));
	assert_true(lp_span_is(lp_exchange_path(ex), "/text-to-image"));
	assert_int_equal(lp_exchange_body(ex), LP_BODY_END);
	assert_int_equal(lp_capture_state(f->c), LP_CAPTURE_EMPTY);
	assert_int_equal(lp_capture_status(f->c), 0);
}

static void a_whole_reply_is_kept(void **state)
{
	struct fixture *f = *state;

	lp_exchange_watch(lp_capture_exchange(f->c), on_exchange, f);
	lp_reply(lp_capture_exchange(f->c), 201, "text/plain", LP_SPAN("hello"));
	assert_int_equal(f->events, 0);		/* never inline */
	assert_null(lp_capture_exchange(f->c));
	turn(f);
	assert_true(f->events > 0);
	assert_int_equal(f->last, 1);		/* the exchange's last event */
	assert_int_equal(lp_capture_state(f->c), LP_CAPTURE_WHOLE);
	assert_int_equal(lp_capture_status(f->c), 201);
	assert_true(lp_span_is(lp_capture_header(f->c, "content-type"), "text/plain"));
	assert_true(lp_span_is(lp_spool_head(lp_capture_body(f->c)), "hello"));
}

static void a_body_can_be_read_while_it_grows(void **state)
{
	struct fixture *f = *state;
	struct lp_spool_reader *reader = lp_spool_read(f->scope, lp_capture_body(f->c), on_event, f);

	lp_reply_head(lp_capture_exchange(f->c), 200, -1, NULL, 0);
	lp_reply_write(lp_capture_exchange(f->c), LP_SPAN("one"));
	assert_int_equal(lp_capture_state(f->c), LP_CAPTURE_BODY);
	assert_true(lp_span_is(lp_spool_peek(reader), "one"));
	lp_spool_consume(reader, 3);
	lp_reply_write(lp_capture_exchange(f->c), LP_SPAN("two"));
	assert_true(lp_span_is(lp_spool_peek(reader), "two"));
	lp_spool_consume(reader, 3);
	assert_false(lp_spool_at_end(reader));
	lp_reply_end(lp_capture_exchange(f->c));
	assert_true(lp_spool_at_end(reader));
	turn(f);
}

static void a_large_body_is_whole_when_it_is_on_disk(void **state)
{
	struct fixture *f = *state;
	char bytes[500];

	memset(bytes, 'x', sizeof(bytes));
	lp_reply(lp_capture_exchange(f->c), 200, NULL, lp_span_of(bytes, sizeof(bytes)));
	assert_int_equal(lp_capture_state(f->c), LP_CAPTURE_BODY);
	for (int i = 0; i < 100 && lp_capture_state(f->c) == LP_CAPTURE_BODY; i++)
		turn(f);
	assert_int_equal(lp_capture_state(f->c), LP_CAPTURE_WHOLE);
}

static void a_spent_budget_looks_like_a_client_that_left(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *ex = lp_capture_exchange(f->c);
	char bytes[1001] = "";

	lp_exchange_watch(ex, on_exchange, f);
	lp_reply_head(ex, 200, -1, NULL, 0);
	lp_reply_write(ex, lp_span_of(bytes, sizeof(bytes)));
	assert_true(lp_exchange_gone(ex));
	assert_int_equal(lp_capture_state(f->c), LP_CAPTURE_BROKEN);
	assert_int_equal(lp_capture_err(f->c)->code, LP_NO_ROOM);
	turn(f);
	assert_int_equal(f->last, 1);
}

static void cancelled_it_looks_like_a_client_that_left(void **state)
{
	struct fixture *f = *state;
	struct lp_exchange *ex = lp_capture_exchange(f->c);

	lp_exchange_watch(ex, on_exchange, f);
	lp_capture_cancel(f->c, "enough");
	assert_true(lp_exchange_gone(ex));
	lp_reply(ex, 200, NULL, LP_SPAN("too late"));
	turn(f);
	assert_int_equal(f->last, 1);
	assert_int_equal(lp_capture_state(f->c), LP_CAPTURE_BROKEN);
	assert_string_equal(lp_err_words(lp_capture_err(f->c)), "enough");
	lp_capture_cancel(f->c, "again");	/* changes nothing */
	assert_string_equal(lp_err_words(lp_capture_err(f->c)), "enough");
}

static void a_reply_that_is_broken_off_is_told(void **state)
{
	struct fixture *f = *state;

	lp_reply_head(lp_capture_exchange(f->c), 200, 10, NULL, 0);
	lp_reply_abort(lp_capture_exchange(f->c), LP_RESET);
	assert_null(lp_capture_exchange(f->c));
	turn(f);
	assert_int_equal(lp_capture_state(f->c), LP_CAPTURE_BROKEN);
	assert_int_equal(lp_capture_err(f->c)->code, LP_RESET);
}

/* Whoever owns the capture may keep it for long: its readers must not wait as long. */
static void who_reads_a_reply_that_breaks_is_told(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *scope = lp_scope_open(f->w.r.scope, "reader");
	struct lp_spool_reader *reader = lp_spool_read(scope, lp_capture_body(f->c), on_exchange, f);

	lp_reply_head(lp_capture_exchange(f->c), 200, -1, NULL, 0);
	lp_reply_write(lp_capture_exchange(f->c), LP_SPAN("one"));
	assert_true(lp_span_is(lp_spool_peek(reader), "one"));
	lp_spool_consume(reader, 3);
	assert_int_equal(lp_spool_peek(reader).len, 0);
	lp_reply_abort(lp_capture_exchange(f->c), LP_BAD_REQUEST);
	turn(f);
	assert_true(f->last > 0);
	assert_int_equal(lp_spool_reader_err(reader)->code, LP_BAD_REQUEST);
	assert_false(lp_spool_at_end(reader));
	lp_scope_close(&scope);
}

static void who_reads_a_reply_that_is_cancelled_is_told(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *scope = lp_scope_open(f->w.r.scope, "reader");
	struct lp_spool_reader *reader = lp_spool_read(scope, lp_capture_body(f->c), on_exchange, f);

	lp_reply_head(lp_capture_exchange(f->c), 200, -1, NULL, 0);
	assert_int_equal(lp_spool_peek(reader).len, 0);
	lp_capture_cancel(f->c, "enough");
	turn(f);
	assert_true(f->last > 0);
	assert_int_equal(lp_spool_reader_err(reader)->code, LP_GONE);
	lp_scope_close(&scope);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(its_request_is_that_of_the_client_without_a_body),
		TEST(a_whole_reply_is_kept),
		TEST(a_body_can_be_read_while_it_grows),
		TEST(a_large_body_is_whole_when_it_is_on_disk),
		TEST(a_spent_budget_looks_like_a_client_that_left),
		TEST(cancelled_it_looks_like_a_client_that_left),
		TEST(a_reply_that_is_broken_off_is_told),
		TEST(who_reads_a_reply_that_breaks_is_told),
		TEST(who_reads_a_reply_that_is_cancelled_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
