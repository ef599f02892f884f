#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/market/tender.h>

#include "fake_orch.h"
#include "real_loop.h"

static const char address[20] = "a gateway's address", sig[65] = "a signature";

struct world {
	struct real_loop real;
	struct lp_client *client;
	struct lp_tenders *tenders;
	struct lp_capabilities need;
	struct fake_orch o;
	struct lp_scope *waits;
	bool told;
	int times;
};

static void open_tenders(struct world *w, size_t most)
{
	const struct lp_tenders_want want = {
		.loop = w->real.loop, .client = w->client, .address = { address, sizeof(address) },
		.sig = { sig, sizeof(sig) }, .timeout = 500 * LP_MSEC, .most = most,
	};

	w->tenders = lp_tenders_open(w->real.scope, &want);
}

static int world_open(void **state)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	real_loop_open(&w.real);
	w.client = lp_client_open(w.real.scope, w.real.loop, &(struct lp_client_want){ 0 });
	w.o.models[0] = "llm/m";
	w.o.price = 5;
	fake_orch_open(&w.o, w.real.scope, w.real.loop);
	open_tenders(&w, 0);
	w.waits = lp_scope_open(w.real.scope, "waits");
	lp_capabilities_init(&w.need, w.real.scope, LP_SPAN("0.9.1"));
	lp_capabilities_add_model(w.real.scope, &w.need, 31, &(struct lp_model_terms){ .model = LP_SPAN("m") });
	*state = &w;
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	real_loop_close(&w->real);
	return 0;
}

static struct lp_tender_work work(struct world *w, const char *model)
{
	return (struct lp_tender_work){ lp_span(w->o.uri), 31, lp_span(model) };
}

static void on_done(void *self)
{
	struct world *w = self;

	w->told = true;
	w->times++;
}

static void ask(struct world *w, const char *model)
{
	w->told = false;
	lp_tender_ask(w->waits, w->tenders, &(struct lp_tender_ask){ work(w, model), &w->need, on_done, w });
	assert_false(w->told);		/* never inline */
}

static struct lp_tender *find(struct world *w, const char *model)
{
	const struct lp_tender_work it = work(w, model);

	return lp_tender_find(w->tenders, &it);
}

static struct lp_tender *get(struct world *w, const char *model)
{
	ask(w, model);
	real_loop_run_until(&w->real, &w->told);
	return find(w, model);
}

static void a_question_says_who_asks_and_for_what(void **state)
{
	struct world *w = *state;
	struct lp_orch_request request;
	struct lp_tender *tender = get(w, "m");

	assert_non_null(tender);
	assert_int_equal(tender->info.price.price_per_unit, 5);
	assert_true(tender->info.has_ticket_params);
	assert_int_equal(lp_orch_request_decode(w->real.scope, &request, lp_buf_span(&w->o.question), NULL), LP_OK);
	assert_memory_equal(request.address.at, address, 20);
	assert_int_equal(request.sig.len, 65);
	assert_memory_equal(request.sig.at, sig, 65);
	assert_non_null(lp_capabilities_model(&request.capabilities, 31, LP_SPAN("m")));
}

static void the_bytes_are_kept_as_they_came(void **state)
{
	struct world *w = *state;
	struct lp_tender *tender = get(w, "m");
	struct lp_orch_info again;

	assert_int_equal(lp_orch_info_decode(w->real.scope, &again, tender->bytes, NULL), LP_OK);
	assert_true(lp_span_eq(again.auth_token.token, tender->info.auth_token.token));
}

static void those_who_ask_at_once_share_a_question_and_each_model_has_its_own(void **state)
{
	struct world *w = *state;

	ask(w, "m");
	ask(w, "m");
	real_loop_run_until(&w->real, &w->told);
	real_loop_run_for(&w->real, 5 * LP_MSEC);
	assert_int_equal(w->times, 2);
	assert_int_equal(w->o.questions, 1);
	get(w, "m");			/* so soon it would be the same answer */
	assert_int_equal(w->o.questions, 1);
	get(w, "n");
	assert_int_equal(w->o.questions, 2);
	assert_ptr_not_equal(find(w, "m"), find(w, "n"));
}

static void one_that_was_dropped_is_asked_for_at_once(void **state)
{
	struct world *w = *state;
	const struct lp_tender_work it = work(w, "m");

	get(w, "m");
	lp_tender_drop(w->tenders, &it);
	assert_null(find(w, "m"));
	assert_non_null(get(w, "m"));
	assert_int_equal(w->o.questions, 2);
}

static void a_question_that_fails_says_why_and_leaves_what_is_known(void **state)
{
	struct world *w = *state;
	const struct lp_tender_work it = work(w, "m");

	w->o.mute = true;
	assert_null(get(w, "m"));
	assert_int_equal(lp_tender_err(w->tenders, &it)->code, LP_NO_CAPACITY);
	w->o.mute = false;
	assert_non_null(get(w, "m"));
	assert_int_equal(lp_tender_err(w->tenders, &it)->code, LP_OK);
	real_loop_run_for(&w->real, 210 * LP_MSEC);
	w->o.mute = true;
	assert_non_null(get(w, "m"));
	assert_int_equal(lp_tender_err(w->tenders, &it)->code, LP_NO_CAPACITY);
}

static void an_answer_without_an_address_for_jobs_is_none(void **state)
{
	struct world *w = *state;
	const struct lp_tender_work it = work(w, "m");

	w->o.transcoder = "http://";
	assert_null(get(w, "m"));
	assert_int_equal(lp_tender_err(w->tenders, &it)->code, LP_BAD_PEER);
}

static void who_leaves_is_not_called(void **state)
{
	struct world *w = *state;

	ask(w, "m");
	lp_scope_close(&w->waits);
	real_loop_run_for(&w->real, 30 * LP_MSEC);
	assert_false(w->told);
	assert_non_null(find(w, "m"));	/* the question went on */
}

static void one_that_is_held_outlives_the_next(void **state)
{
	struct world *w = *state;
	const struct lp_tender_work it = work(w, "m");
	struct lp_tender *old = get(w, "m");

	lp_tender_hold(old);
	lp_tender_drop(w->tenders, &it);
	assert_ptr_not_equal(get(w, "m"), old);
	assert_int_equal(old->info.price.price_per_unit, 5);
	lp_tender_let_go(old);
}

static void beyond_the_limit_those_longest_known_go(void **state)
{
	struct world *w = *state;

	open_tenders(w, 2);
	get(w, "a");
	get(w, "b");
	get(w, "c");
	assert_null(find(w, "a"));
	assert_non_null(find(w, "b"));
	assert_non_null(find(w, "c"));
}

static void an_address_that_is_none_is_said_to_be_so(void **state)
{
	struct world *w = *state;
	const struct lp_tender_work bad = { LP_SPAN("nothing of it"), 31, LP_SPAN("m") };

	lp_tender_ask(w->waits, w->tenders, &(struct lp_tender_ask){ bad, &w->need, on_done, w });
	real_loop_run_until(&w->real, &w->told);
	assert_int_equal(lp_tender_err(w->tenders, &bad)->code, LP_BAD_PEER);
}

static void closing_while_it_asks_is_clean(void **state)
{
	struct world *w = *state;

	ask(w, "m");
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_question_says_who_asks_and_for_what),
		T(the_bytes_are_kept_as_they_came),
		T(those_who_ask_at_once_share_a_question_and_each_model_has_its_own),
		T(one_that_was_dropped_is_asked_for_at_once),
		T(a_question_that_fails_says_why_and_leaves_what_is_known),
		T(an_answer_without_an_address_for_jobs_is_none),
		T(who_leaves_is_not_called),
		T(one_that_is_held_outlives_the_next),
		T(beyond_the_limit_those_longest_known_go),
		T(an_address_that_is_none_is_said_to_be_so),
		T(closing_while_it_asks_is_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
