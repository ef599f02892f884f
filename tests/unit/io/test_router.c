/* Which handler a request finds, and what those are told that find none. */
#include <lpd/io/router.h>

#include "fake_wire.h"

struct fixture {
	struct fake_wire w;
	struct lp_router *router;
	char by[64];
};

/* Handlers say who they are. */
#define HANDLER(name)                                                        \
	static void name(void *self, struct lp_exchange *ex)                 \
	{                                                                    \
		struct fixture *f = self;                                    \
		snprintf(f->by, sizeof(f->by), #name);                       \
		lp_reply(ex, 200, NULL, LP_SPAN(#name));                     \
	}

HANDLER(get_a)
HANDLER(post_a)
HANDLER(any_b)
HANDLER(below_c)
HANDLER(exact_c)
HANDLER(below_c_d)
HANDLER(grpc)

static void add(struct fixture *f, const char *method, const char *path, int64_t limit,
		void (*handle)(void *self, struct lp_exchange *ex))
{
	lp_router_add(f->router, &(struct lp_route){ method, path, limit, handle, f });
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fake_wire_open(&f->w);
	f->router = lp_router_open(f->w.r.scope);
	f->w.owner.handle = lp_router_handle;
	f->w.owner.self = f->router;
	add(f, "GET", "/a", 0, get_a);
	add(f, "POST", "/a", 50, post_a);
	add(f, NULL, "/b", 50, any_b);
	add(f, "GET", "/c/*", 0, below_c);
	add(f, "GET", "/c/exact", 0, exact_c);
	add(f, "GET", "/c/d/*", 0, below_c_d);
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

static const char *ask(struct fixture *f, const char *method, const char *target, int64_t length)
{
	f->by[0] = 0;
	fake_request(&f->w, method, target, length);
	fake_turn(&f->w);
	return lp_buf_text(&f->w.reply);
}

static void served_by(struct fixture *f, const char *method, const char *target, const char *who)
{
	ask(f, method, target, 0);
	assert_string_equal(f->by, who);
}

static void method_and_path_find_the_handler(void **state)
{
	struct fixture *f = *state;

	served_by(f, "GET", "/a", "get_a");
	served_by(f, "GET", "/a?x=/c/exact", "get_a");
	served_by(f, "POST", "/a", "post_a");
	served_by(f, "HEAD", "/a", "get_a");
	served_by(f, "DELETE", "/b", "any_b");
	served_by(f, "OPTIONS", "/b", "any_b");
	served_by(f, "GET", "/c/x/y", "below_c");
	served_by(f, "GET", "/c/", "below_c");
	served_by(f, "GET", "/c/exact", "exact_c");
	served_by(f, "GET", "/c/exact/x", "below_c");
	served_by(f, "GET", "/c/d/e", "below_c_d");
}

static void an_unknown_path_is_404_and_says_what_there_is(void **state)
{
	struct fixture *f = *state;
	static const char *const targets[] = { "/", "/A", "/a/", "/aa", "/c", "/%61", "*", "/c/../a" };

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]) - 1; i++) {
		const char *got = ask(f, "GET", targets[i], 0);

		assert_true(strncmp(got, "404 ", 4) == 0);
		assert_non_null(strstr(got, "here are: /a, /b, /c/*, /c/exact, /c/d/*"));
		assert_string_equal(f->by, "");
	}
	served_by(f, "GET", "/c/../a", "below_c");	/* paths are not tidied: handlers see what was sent */
}

static void another_method_is_405_with_allow(void **state)
{
	struct fixture *f = *state;
	const char *got = ask(f, "DELETE", "/a", 0);

	assert_true(strncmp(got, "405 ", 4) == 0);
	assert_non_null(strstr(got, "allow=GET, HEAD, POST, OPTIONS;"));
	assert_non_null(strstr(got, "\"code\":\"method_not_allowed\""));
	got = ask(f, "POST", "/c/exact", 0);
	assert_true(strncmp(got, "405 ", 4) == 0);	/* the exact place is asked, not the one around it */
	assert_non_null(strstr(got, "allow=GET, HEAD, OPTIONS;"));
}

static void options_answers_with_allow(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(ask(f, "OPTIONS", "/a", 0), "204 0 allow=GET, HEAD, POST, OPTIONS;||END");
	assert_string_equal(ask(f, "OPTIONS", "*", 0), "204 0 allow=OPTIONS;||END");
}

static void a_body_beyond_the_routes_limit_is_413_before_it_comes(void **state)
{
	struct fixture *f = *state;

	assert_true(strncmp(ask(f, "POST", "/a", 51), "413 ", 4) == 0);
	assert_string_equal(f->by, "");
	ask(f, "POST", "/a", 50);
	assert_string_equal(f->by, "post_a");
	assert_true(strncmp(ask(f, "GET", "/a", 1), "413 ", 4) == 0);	/* a limit of 0: no body at all */
	assert_string_equal(f->by, "");
}

static struct lp_exchange *typed_request(struct fixture *f, const char *type, bool h2)
{
	struct lp_header header = { .name = LP_SPAN("content-type"), .value = lp_span(type) };
	struct lp_exchange_head head = {
		.method = LP_SPAN("POST"), .target = LP_SPAN("/net.Orchestrator/Ping"), .headers = { &header, 1 },
		.length = -1, .h2 = h2, .peer = "",
	};

	f->by[0] = 0;
	lp_buf_reset(&f->w.reply);
	f->w.ex = lp_exchange_wire_open(f->w.r.scope, &f->w.owner, &fake_wire_ops, &f->w, &head);
	fake_turn(&f->w);
	return f->w.ex;
}

static void grpc_goes_to_its_own_handler_on_http_2_only(void **state)
{
	struct fixture *f = *state;

	lp_router_grpc(f->router, grpc, f);
	typed_request(f, "application/grpc", true);
	assert_string_equal(f->by, "grpc");
	typed_request(f, "application/grpc+proto", true);
	assert_string_equal(f->by, "grpc");
	typed_request(f, "application/grpc", false);
	assert_string_equal(f->by, "");
	typed_request(f, "application/json", true);
	assert_string_equal(f->by, "");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(method_and_path_find_the_handler),
		T(an_unknown_path_is_404_and_says_what_there_is),
		T(another_method_is_405_with_allow),
		T(options_answers_with_allow),
		T(a_body_beyond_the_routes_limit_is_413_before_it_comes),
		T(grpc_goes_to_its_own_handler_on_http_2_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
