/* Orchestrators that are none of ours: what else may stand at an address, and what it may say. */
#include <string.h>

#include "sim.h"

static const char *text(struct sim_reply *r)
{
	return lp_buf_text(&r->body);
}

static const struct lp_header plain_text = { LP_SPAN("content-type"), LP_SPAN("text/plain"), false };
static const struct lp_header json_text = { LP_SPAN("content-type"), LP_SPAN("application/json"), false };

static void reply(struct lp_exchange *ex, int status, const struct lp_header *type, const char *body)
{
	lp_reply_head(ex, status, -1, type, 1);
	lp_reply_write(ex, lp_span(body));
	lp_reply_end(ex);
}

/* ---- to a job ---- */

static void says_403(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	reply(ex, 403, &plain_text, "incompatible capabilities");
}

static void says_full_with_200(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	reply(ex, 200, &plain_text, "insufficient capacity");
}

static void says_nothing(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	lp_reply_abort(ex, LP_INTERNAL);
}

static void says_too_much(void *self, struct lp_exchange *ex)
{
	static const char words[4096] = "nonsense";

	++*(int *)self;
	lp_reply_head(ex, 500, -1, &plain_text, 1);
	for (int i = 0; i < 64; i++)
		lp_reply_write(ex, lp_span_of(words, sizeof(words)));
	lp_reply_end(ex);
}

static void says_binary(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	reply(ex, 500, &plain_text, "\x01\x02\xff\xfe\r\nX-Forged: 1\r\n\r\n");
}

static void wants_money(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	reply(ex, 402, &plain_text, "Insufficient balance");
}

static void takes_no_token(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	reply(ex, 403, &plain_text, "invalid auth token");
}

static void points_elsewhere(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	reply(ex, 200, &json_text, "{\"images\":[{\"url\":\"http://app:80/secret\",\"seed\":1,\"nsfw\":false}]}");
}

static void points_to_a_file(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	reply(ex, 200, &json_text, "{\"images\":[{\"url\":\"file:///etc/passwd\",\"seed\":1,\"nsfw\":false}]}");
}

static void points_nowhere(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	reply(ex, 200, &json_text, "{\"images\":[{\"url\":\"/stream/no/such.png\",\"seed\":1,\"nsfw\":false}]}");
}

static void stops_in_its_answer(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	lp_reply_head(ex, 200, 100000, &json_text, 1);
	lp_reply_write(ex, LP_SPAN("{\"images\":[{\"url\":\"data:image/png;base64,AAAA"));
}

static const struct {
	const char *name;
	void (*handle)(void *self, struct lp_exchange *ex);
} lies[] = {
	{ "403", says_403 },
	{ "200, but no JSON", says_full_with_200 },
	{ "a reset", says_nothing },
	{ "256 KiB of refusal", says_too_much },
	{ "binary words", says_binary },
	{ "402 from one that asks for no payment", wants_money },
	{ "no token is good enough", takes_no_token },
	{ "a result on another host", points_elsewhere },
	{ "a result in a file", points_to_a_file },
	{ "a result that is not there", points_nowhere },
	{ "half an answer and silence", stops_in_its_answer },
};

/* The liar's node tells the truth about its models; its job route is another's. */
static void try_lie(size_t i)
{
	struct sim *s = sim_new(600 + i);
	struct sim_node *liar = sim_orchestrator(s, "liar");
	struct sim_node *honest = sim_orchestrator(s, "honest");
	int asked = 0;

	sim_gateway(s);
	honest->runner->does.delay = LP_SEC;
	sim_replace_route(liar, "/text-to-image", lies[i].handle, &asked);
	for (int k = 0; k < 5; k++) {
		struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

		sim_run_until_quiet(s);
		if (r->status != 200)
			print_error("\"%s\": %s\n", lies[i].name, text(r));
		assert_int_equal(r->status, 200);
	}
	assert_int_equal(sim_jobs(honest, LP_OK), 5);
	assert_in_range(asked, 1, 6);
	sim_books_balance(s);
	sim_end(s);
}

static void a_lie_costs_a_try_and_no_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
		try_lie(i);
}

/* With nobody else there, the words of a liar go no further than they should. */
static void words_of_a_peer_cannot_forge_headers_or_log_lines(void **state)
{
	struct sim *s = sim_new(620);
	struct sim_node *liar = sim_orchestrator(s, "liar");
	int asked = 0;

	(void)state;
	sim_gateway(s);
	sim_replace_route(liar, "/text-to-image", says_binary, &asked);
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 502);
	assert_null(sim_header(r, "x-forged").at);
	assert_null(strstr(lp_buf_text(&s->log), "X-Forged"));
	assert_null(strchr(text(r), '\x01'));
	sim_books_balance(s);
	sim_end(s);
}

/* ---- to the fetching of a result ---- */

static void never_sends(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	lp_exchange_watch(ex, NULL, NULL);
}

static void sends_half(void *self, struct lp_exchange *ex)
{
	static const struct lp_header png = { LP_SPAN("content-type"), LP_SPAN("image/png"), false };

	++*(int *)self;
	lp_reply_head(ex, 200, 1000, &png, 1);
	lp_reply_write(ex, LP_SPAN("\x89PNG and that is all"));
}

static void breaks_off(void *self, struct lp_exchange *ex)
{
	sends_half(self, ex);
	lp_reply_abort(ex, LP_INTERNAL);
}

static void sends_nothing(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	lp_reply(ex, 200, "image/png", LP_SPAN(""));
}

static void try_result(void (*handle)(void *self, struct lp_exchange *ex), uint64_t seed)
{
	struct sim *s = sim_new(seed);
	struct sim_node *liar = sim_orchestrator(s, "liar");
	struct sim_node *honest = sim_orchestrator(s, "honest");
	int asked = 0;

	sim_gateway(s);
	honest->runner->does.delay = LP_SEC;
	liar->runner->does.picture = 300000;	/* too large to stand in the answer */
	sim_replace_route(liar, "/stream/*", handle, &asked);
	for (int k = 0; k < 4; k++) {
		struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

		sim_run_until_quiet(s);
		if (r->status != 200)
			print_error("%s\n", text(r));
		assert_int_equal(r->status, 200);
		assert_true(r->done_at - r->asked_at < 3 * LP_MIN);
	}
	assert_int_equal(sim_jobs(honest, LP_OK), 4);
	assert_in_range(asked, 1, 5);
	sim_books_balance(s);
	sim_end(s);
}

static void a_result_that_does_not_come_is_made_elsewhere(void **state)
{
	(void)state;
	try_result(breaks_off, 631);
	try_result(sends_half, 632);
	try_result(never_sends, 633);
	try_result(sends_nothing, 634);
}

/* ---- to GetOrchestrator ---- */

static const struct lp_header grpc_type = { LP_SPAN("content-type"), LP_SPAN("application/grpc"), false };

static void garbage_message(void *self, struct lp_exchange *ex)
{
	static const struct lp_header ok = { LP_SPAN("grpc-status"), LP_SPAN("0"), false };

	++*(int *)self;
	lp_reply_head(ex, 200, -1, &grpc_type, 1);
	lp_reply_write(ex, lp_span_of("\0\0\0\0\x04\xff\xff\xff\xff", 9));
	lp_reply_end_trailers(ex, &ok, 1);
}

static void empty_message(void *self, struct lp_exchange *ex)
{
	static const struct lp_header ok = { LP_SPAN("grpc-status"), LP_SPAN("0"), false };

	++*(int *)self;
	lp_reply_head(ex, 200, -1, &grpc_type, 1);
	lp_reply_write(ex, lp_span_of("\0\0\0\0\0", 5));
	lp_reply_end_trailers(ex, &ok, 1);
}

static void huge_message(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	lp_reply_head(ex, 200, -1, &grpc_type, 1);
	lp_reply_write(ex, lp_span_of("\0\x7f\xff\xff\xff", 5));
}

static void web_page(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	reply(ex, 200, &plain_text, "<html>hello</html>");
}

static void is_asked_and_does_not_answer(void *self, struct lp_exchange *ex)
{
	++*(int *)self;
	lp_exchange_watch(ex, NULL, NULL);
}

static void try_info(void (*handle)(void *self, struct lp_exchange *ex), uint64_t seed)
{
	struct sim *s = sim_new(seed);
	struct sim_node *liar = sim_orchestrator(s, "liar");
	struct sim_node *honest = sim_orchestrator(s, "honest");
	int asked = 0;

	sim_replace_route(liar, "/net.Orchestrator/GetOrchestrator", handle, &asked);
	sim_gateway(s);
	for (int k = 0; k < 4; k++) {
		struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

		sim_run_until_quiet(s);
		assert_int_equal(r->status, 200);
		assert_true(r->done_at - r->asked_at < LP_SEC);
	}
	assert_int_equal(sim_jobs(honest, LP_OK), 4);
	sim_run_for(s, 10 * LP_MIN);
	assert_in_range(asked, 5, 30);	/* now and then, not in a circle */
	/* It comes to its senses. */
	sim_replace_route(liar, NULL, NULL, NULL);
	sim_run_for(s, 2 * LP_MIN);
	sim_fill(honest);
	struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_int_equal(r->status, 200);
	sim_unfill(honest);
	sim_books_balance(s);
	sim_end(s);
}

static void nonsense_about_itself_is_not_believed(void **state)
{
	(void)state;
	try_info(garbage_message, 640);
	try_info(empty_message, 641);
	try_info(huge_message, 642);
	try_info(web_page, 643);
	try_info(is_asked_and_does_not_answer, 644);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(a_lie_costs_a_try_and_no_answer),
		sim_test(words_of_a_peer_cannot_forge_headers_or_log_lines),
		sim_test(a_result_that_does_not_come_is_made_elsewhere),
		sim_test(nonsense_about_itself_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
