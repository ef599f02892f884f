/* Names and addresses.  Only localhost is looked up: it needs no server. */
#include <stdlib.h>
#include <string.h>

#include "real_loop.h"

#include "io/port/resolve.h"

#define KEPT (200 * LP_MSEC)

struct fixture {
	struct real_loop r;
	struct lp_resolver *resolver;
	bool done;
	int answers;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	real_loop_open(&f->r);
	f->resolver = lp_resolver_open(f->r.scope, f->r.loop, KEPT);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	lp_scope_close(&f->r.scope);
	free(f);
	return 0;
}

static void on_done(void *self)
{
	struct fixture *f = self;

	f->answers++;
	f->done = true;
}

static void literals_are_read(void **state)
{
	struct lp_addr addr;

	(void)state;
	assert_true(lp_addr_of_literal(&addr, LP_SPAN("127.0.0.1")));
	assert_int_equal(addr.sock.any.sa_family, AF_INET);
	assert_true(lp_addr_of_literal(&addr, LP_SPAN("::1")));
	assert_int_equal(addr.sock.any.sa_family, AF_INET6);
	assert_false(lp_addr_of_literal(&addr, LP_SPAN("localhost")));
	assert_false(lp_addr_of_literal(&addr, LP_SPAN("1.2.3")));
	assert_false(lp_addr_of_literal(&addr, LP_SPAN("")));
}

static void a_name_is_known_after_asking_until_it_is_forgotten(void **state)
{
	struct fixture *f = *state;
	struct lp_ask ask = { .done = on_done, .self = f }, second = ask;
	const char *words;

	assert_null(lp_resolver_find(f->resolver, LP_SPAN("localhost"), &words));
	assert_null(words);
	lp_resolver_ask(f->resolver, LP_SPAN("localhost"), &ask);
	lp_resolver_ask(f->resolver, LP_SPAN("localhost"), &second);
	assert_int_equal(f->answers, 0);
	real_loop_run_until(&f->r, &f->done);
	assert_int_equal(f->answers, 2);
	const struct lp_addrs *addrs = lp_resolver_find(f->resolver, LP_SPAN("localhost"), &words);
	assert_non_null(addrs);
	assert_true(addrs->n >= 1);
	lp_resolver_forget(f->resolver, LP_SPAN("localhost"));
	assert_null(lp_resolver_find(f->resolver, LP_SPAN("localhost"), &words));
}

static void a_name_is_asked_for_again_when_its_answer_is_old(void **state)
{
	struct fixture *f = *state;
	struct lp_ask ask = { .done = on_done, .self = f };
	const char *words;

	lp_resolver_ask(f->resolver, LP_SPAN("localhost"), &ask);
	real_loop_run_until(&f->r, &f->done);
	assert_non_null(lp_resolver_find(f->resolver, LP_SPAN("localhost"), &words));
	real_loop_run_for(&f->r, KEPT + 10 * LP_MSEC);
	assert_null(lp_resolver_find(f->resolver, LP_SPAN("localhost"), &words));
	assert_null(words);
}

static void one_who_cancelled_is_not_told(void **state)
{
	struct fixture *f = *state;
	struct lp_ask ask = { .done = on_done, .self = f }, gone = ask;

	lp_resolver_ask(f->resolver, LP_SPAN("localhost"), &gone);
	lp_resolver_ask(f->resolver, LP_SPAN("localhost"), &ask);
	lp_ask_cancel(&gone);
	real_loop_run_until(&f->r, &f->done);
	assert_int_equal(f->answers, 1);
}

static void closing_while_a_look_up_runs_is_clean(void **state)
{
	struct fixture *f = *state;
	struct lp_ask ask = { .done = on_done, .self = f };

	lp_resolver_ask(f->resolver, LP_SPAN("localhost"), &ask);
	lp_ask_cancel(&ask);
}

static void a_name_that_is_too_long_has_no_address(void **state)
{
	struct fixture *f = *state;
	char name[300];
	const char *words;

	memset(name, 'a', sizeof(name));
	assert_null(lp_resolver_find(f->resolver, lp_span_of(name, sizeof(name)), &words));
	assert_non_null(words);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_are_read),
		TEST(a_name_is_known_after_asking_until_it_is_forgotten),
		TEST(a_name_is_asked_for_again_when_its_answer_is_old),
		TEST(one_who_cancelled_is_not_told),
		TEST(closing_while_a_look_up_runs_is_clean),
		TEST(a_name_that_is_too_long_has_no_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
