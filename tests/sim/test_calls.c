/* The calls of the admin port that tools know from the node that we replace (network-protocol 8.6, 10.3). */
#include <string.h>

#include <lpd/base/json.h>

#include "sim.h"

static json_t *json_of(struct sim_reply *r)
{
	struct lp_err e;
	json_t *json;

	assert_int_equal(r->status, 200);
	assert_int_equal(lp_json_parse(r->scope, &json, lp_buf_span(&r->body), &e), LP_OK);
	return json;
}

static const json_t *at(const json_t *json, const char *const *path)
{
	for (; *path && json; path++)
		json = *path[0] == '[' ? json_array_get(json, (size_t)((*path)[1] - '0')) : json_object_get(json, *path);
	assert_non_null(json);
	return json;
}
#define AT(json, ...) at((json), (const char *const[]){ __VA_ARGS__, NULL })

static struct sim_reply *call(struct sim_node *n, const char *method, const char *path, const char *form,
			      const char *origin)
{
	const struct lp_header header = { .name = LP_SPAN("origin"), .value = lp_span(origin) };
	struct sim_reply *r = sim_ask_with(n->s, &(struct sim_ask_want){
		.url = lp_fmt(n->s->scope, "http://127.0.0.1:%u%s", lp_admin_port(n->node->admin), path),
		.method = method, .from = n->host, .body = lp_span(form), .type = "application/x-www-form-urlencoded",
		.headers = &header, .n_headers = origin ? 1 : 0 });

	sim_run_until_quiet(n->s);
	return r;
}

/* ---- the network ---- */

#define POOL "27_stabilityai/sdxl-turbo"

static void the_pools_name_each_orchestrator_of_a_model(void **state)
{
	struct sim *s = sim_new(760);
	struct sim_node *g;

	(void)state;
	sim_orchestrator(s, "one", .capacity = 2);
	sim_orchestrator(s, "two", .capacity = 2);
	g = sim_gateway(s);
	struct sim_reply *r = call(g, "GET", "/getAISessionPoolsInfo", NULL, NULL);
	const json_t *pool = AT(json_of(r), POOL);

	assert_int_equal(json_object_size(json_of(r)), 3);
	assert_int_equal(json_integer_value(AT(pool, "warm", "size")), 2);
	assert_int_equal(json_integer_value(AT(pool, "warm", "in_use")), 0);
	assert_int_equal(json_integer_value(AT(pool, "cold", "size")), 0);
	assert_int_equal(json_array_size(AT(pool, "cold", "orchestrators")), 0);
	assert_string_equal(json_string_value(AT(pool, "warm", "orchestrators", "[0", "url")), "https://one:8935");
	assert_true(json_is_number(AT(pool, "warm", "orchestrators", "[0", "latency_score")));
	assert_int_equal(json_integer_value(AT(pool, "warm", "orchestrators", "[1", "in_flight")), 0);
	assert_int_equal(json_object_size(AT(pool, "suspended", "list")), 0);
	assert_true(json_is_integer(AT(pool, "suspended", "current_count")));
	assert_int_equal(strlen(json_string_value(AT(pool, "last_refresh"))), 24);
	sim_books_balance(s);
	sim_end(s);
}

static void a_pool_shows_who_works_and_who_is_suspended(void **state)
{
	struct sim *s = sim_new(761);
	struct sim_node *o = sim_orchestrator(s, "one"), *g = sim_gateway(s);

	(void)state;
	o->runner->does.delay = 10 * LP_SEC;
	sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_for(s, LP_SEC);
	struct sim_reply *busy = sim_admin(g, "getAISessionPoolsInfo");
	sim_run_for(s, LP_SEC);
	assert_int_equal(json_integer_value(AT(json_of(busy), POOL, "warm", "in_use")), 1);
	assert_int_equal(json_integer_value(AT(json_of(busy), POOL, "warm", "orchestrators", "[0", "in_flight")), 1);
	sim_run_until_quiet(s);
	o->runner->does = (struct sim_does){ .status = 500, .body = "{\"detail\":{\"msg\":\"ill\"}}" };
	sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	struct sim_reply *ill = call(g, "GET", "/getAISessionPoolsInfo", NULL, NULL);
	assert_true(json_integer_value(AT(json_of(ill), POOL, "suspended", "list", "https://one:8935")) >= 1);
	sim_books_balance(s);
	sim_end(s);
}

static void the_network_is_told_as_orchestrators_tell_it(void **state)
{
	struct sim *s = sim_new(762);
	struct sim_node *o = sim_orchestrator(s, "one", .capacity = 3), *g = sim_gateway(s);

	(void)state;
	struct sim_reply *r = call(g, "GET", "/getNetworkCapabilities", NULL, NULL);
	const json_t *all = json_of(r), *row = AT(all, "orchestrators", "[0"), *model;

	assert_string_equal(json_string_value(AT(all, "capabilities_names", "27")), "Text to image");
	assert_string_equal(json_string_value(AT(all, "capabilities_names", "35")), "Live video to video");
	assert_int_equal(json_array_size(AT(all, "orchestrators")), 1);
	assert_string_equal(json_string_value(AT(row, "address")), "0x0000000000000000000000000000000000000000");
	assert_string_equal(json_string_value(AT(row, "local_address")), "0x0000000000000000000000000000000000000000");
	assert_string_equal(json_string_value(AT(row, "orch_uri")), "https://one:8935");
	/* The default set, text-to-image, upscale, llm (1.5). */
	assert_true(json_integer_value(AT(row, "capabilities", "bitstring", "[0")) ==
		    (0x4005FFF | 1LL << 27 | 1LL << 30 | 1LL << 33));
	assert_int_equal(json_integer_value(AT(row, "capabilities", "capacities", "27")), 1);
	assert_true(json_is_string(AT(row, "capabilities", "version")));
	model = AT(row, "capabilities", "constraints", "PerCapability", "27", "models", "stabilityai/sdxl-turbo");
	assert_true(json_is_true(AT(model, "warm")));
	assert_int_equal(json_integer_value(AT(model, "capacity")), 3);
	assert_null(json_object_get(model, "capacityInUse"));
	assert_null(json_object_get(row, "price_info"));
	assert_int_equal(call(o, "GET", "/getNetworkCapabilities", NULL, NULL)->status, 404);
	assert_int_equal(call(o, "GET", "/getAISessionPoolsInfo", NULL, NULL)->status, 404);
	sim_books_balance(s);
	sim_end(s);
}

/* ---- the log's level ---- */

static void set_to(struct sim_node *n, const char *query, const char *form, enum lp_level level)
{
	struct sim_reply *r = call(n, "POST", lp_fmt(n->s->scope, "/setLogLevel%s", query), form, NULL);

	assert_int_equal(r->status, 200);
	assert_string_equal(lp_buf_text(&r->body), lp_level_name(level));
	assert_int_equal(n->s->sink.level, level);
	r = call(n, "GET", "/getLogLevel", NULL, NULL);
	assert_int_equal(r->status, 200);
	assert_string_equal(lp_buf_text(&r->body), lp_level_name(level));
}

static void the_level_of_the_log_is_changed_by_name_or_number(void **state)
{
	struct sim *s = sim_new(763);
	struct sim_node *o = sim_orchestrator(s, "one"), *g = sim_gateway(s);

	(void)state;
	set_to(o, "", "loglevel=debug", LP_DEBUG);
	set_to(g, "?loglevel=unusual", NULL, LP_UNUSUAL);
	set_to(g, "", "other=1&loglevel=6", LP_TRACE);
	set_to(g, "", "loglevel=3", LP_INFO);
	assert_non_null(strstr(lp_buf_text(&s->log), "from=trace to=info"));
	sim_books_balance(s);
	sim_end(s);
}

static void a_level_is_not_changed_by_looking_nor_by_a_browser_nor_by_nonsense(void **state)
{
	struct sim *s = sim_new(764);
	struct sim_node *o = sim_orchestrator(s, "one");

	(void)state;
	enum lp_level before = s->sink.level;
	struct sim_reply *r = call(o, "GET", "/setLogLevel?loglevel=broken", NULL, NULL);

	assert_int_equal(r->status, 405);
	assert_true(lp_span_starts(sim_header(r, "allow"), "POST"));
	assert_int_equal(call(o, "POST", "/setLogLevel", "loglevel=unusual", "https://example.org")->status, 403);
	assert_int_equal(call(o, "POST", "/setLogLevel", "loglevel=7", NULL)->status, 400);
	assert_int_equal(call(o, "POST", "/setLogLevel", "loglevel=", NULL)->status, 400);
	r = call(o, "POST", "/setLogLevel", NULL, NULL);
	assert_int_equal(r->status, 400);
	assert_non_null(strstr(lp_buf_text(&r->body), "unusual"));
	char *large = lp_fmt(s->scope, "%2000s", "loglevel=unusual");
	assert_int_equal(call(o, "POST", "/setLogLevel", large, NULL)->status, 413);
	assert_int_equal(s->sink.level, before);
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(the_pools_name_each_orchestrator_of_a_model),
		sim_test(a_pool_shows_who_works_and_who_is_suspended),
		sim_test(the_network_is_told_as_orchestrators_tell_it),
		sim_test(the_level_of_the_log_is_changed_by_name_or_number),
		sim_test(a_level_is_not_changed_by_looking_nor_by_a_browser_nor_by_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
