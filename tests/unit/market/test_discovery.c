#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/market/discovery.h>

#include "fake_orch.h"
#include "real_loop.h"

struct world {
	struct real_loop real;
	struct lp_dice dice;
	struct lp_roster *roster;
	struct lp_client *client;
	struct lp_log_sink sink;
	struct lp_log *log;
	struct lp_buf lines;
	struct lp_discovery *discovery;
	struct fake_orch o[3];
	struct lp_scope *waits;
	bool told;
	int times;
};

static void log_line(void *self, const char *line, size_t len)
{
	struct world *w = self;

	lp_buf_add(&w->lines, line, len);
}

static int world_open(void **state)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	real_loop_open(&w.real);
	lp_dice_init(&w.dice, 3);
	w.roster = lp_roster_open(w.real.scope, &(struct lp_roster_rules){ 0 }, &w.dice);
	w.client = lp_client_open(w.real.scope, w.real.loop, &(struct lp_client_want){ 0 });
	w.sink = (struct lp_log_sink){ .level = LP_INFO, .write = log_line, .self = &w };
	w.log = lp_log_open(w.real.scope, &w.sink);
	w.waits = lp_scope_open(w.real.scope, "waits");
	for (int i = 0; i < 3; i++)
		w.o[i].models[0] = "llm/m";
	*state = &w;
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	real_loop_close(&w->real);
	lp_buf_clear(&w->lines);
	return 0;
}

static void discover(struct world *w, const char *const *texts, int n, int64_t interval, int at_once)
{
	struct lp_url *urls = lp_new_array(w->real.scope, struct lp_url, (size_t)n);
	struct lp_discovery_want want = {
		.loop = w->real.loop, .client = w->client, .roster = w->roster, .addresses = urls, .n_addresses = n,
		.interval = interval, .timeout = 500 * LP_MSEC, .at_once = at_once, .dice = &w->dice, .log = w->log,
	};
	struct lp_err e;

	for (int i = 0; i < n; i++)
		if (lp_url_parse(w->real.scope, &urls[i], lp_span(texts[i]), &e) != LP_OK)
			fail_msg("%s", lp_err_words(&e));
	w->discovery = lp_discovery_open(w->real.scope, &want);
}

static void discover_fakes(struct world *w, int n, int64_t interval, int at_once)
{
	const char *texts[3];

	for (int i = 0; i < n; i++) {
		fake_orch_open(&w->o[i], w->real.scope, w->real.loop);
		texts[i] = w->o[i].uri;
	}
	discover(w, texts, n, interval, at_once);
}

static void on_news(void *self)
{
	struct world *w = self;

	w->told = true;
	w->times++;
}

static void wait_for_news(struct world *w, struct lp_orch *orch)
{
	w->told = false;
	lp_discovery_refresh(w->discovery, w->waits, orch, on_news, w);
	assert_false(w->told);		/* never inline */
	real_loop_run_until(&w->real, &w->told);
}

static void wait_for_any(struct world *w)
{
	w->told = false;
	assert_true(lp_discovery_news(w->discovery, w->waits, lp_mono(w->real.loop), on_news, w));
	assert_false(w->told);		/* never inline */
	real_loop_run_until(&w->real, &w->told);
}

static void first_round(struct world *w)
{
	while (!lp_discovery_first_round_done(w->discovery))
		real_loop_run_for(&w->real, 2 * LP_MSEC);
}

static struct lp_orch *row(struct world *w, int i)
{
	return lp_roster_row(w->roster, lp_span(w->o[i].uri));
}

static void everybody_is_asked_at_once_and_remembered(void **state)
{
	struct world *w = *state;
	struct lp_roster_count count;

	discover_fakes(w, 3, LP_MIN, 0);
	first_round(w);
	lp_roster_count(w->roster, &count, lp_mono(w->real.loop));
	assert_int_equal(count.known, 3);
	assert_int_equal(count.ready, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(w->o[i].questions, 1);
		assert_non_null(lp_capabilities_model(&lp_orch_info(row(w, i))->capabilities, 33, LP_SPAN("m")));
	}
	assert_non_null(strstr(lp_buf_text(&w->lines), "orchestrator answers"));
}

static void one_at_a_time_still_reaches_all(void **state)
{
	struct world *w = *state;

	discover_fakes(w, 3, LP_MIN, 1);
	first_round(w);
	for (int i = 0; i < 3; i++)
		assert_int_equal(w->o[i].questions, 1);
}

static void rounds_repeat(void **state)
{
	struct world *w = *state;

	/* The interval is at least a second; fresher news are asked for by whoever wants them. */
	discover_fakes(w, 1, 10 * LP_MSEC, 0);
	first_round(w);
	real_loop_run_for(&w->real, 1300 * LP_MSEC);
	assert_int_equal(w->o[0].questions, 2);
}

static void one_that_refuses_is_reported_once_and_asked_again(void **state)
{
	struct world *w = *state;
	const char *first;

	w->o[0].mute = true;
	discover_fakes(w, 1, LP_MIN, 0);
	first_round(w);
	assert_null(lp_orch_info(row(w, 0)));
	first = strstr(lp_buf_text(&w->lines), "orchestrator not reached");
	assert_non_null(first);
	wait_for_any(w);
	assert_null(strstr(first + 1, "orchestrator not reached"));
	w->o[0].mute = false;
	wait_for_any(w);
	assert_non_null(lp_orch_info(row(w, 0)));
	assert_int_equal(w->o[0].questions, 3);
}

static void a_dead_one_is_no_obstacle(void **state)
{
	struct world *w = *state;
	const char *texts[2] = { "http://127.0.0.1:1", w->o[0].uri };
	struct lp_roster_count count;

	fake_orch_open(&w->o[0], w->real.scope, w->real.loop);
	discover(w, texts, 2, LP_MIN, 1);
	first_round(w);
	lp_roster_count(w->roster, &count, lp_mono(w->real.loop));
	assert_int_equal(count.ready, 1);
	assert_int_equal(count.unreached, 1);
}

static void the_same_address_twice_is_one_orchestrator(void **state)
{
	struct world *w = *state;
	char with_slash[80];
	const char *texts[2] = { w->o[0].uri, with_slash };
	struct lp_roster_count count;

	fake_orch_open(&w->o[0], w->real.scope, w->real.loop);
	snprintf(with_slash, sizeof(with_slash), "%s/", w->o[0].uri);
	discover(w, texts, 2, LP_MIN, 0);
	first_round(w);
	lp_roster_count(w->roster, &count, lp_mono(w->real.loop));
	assert_int_equal(count.known, 1);
	assert_int_equal(w->o[0].questions, 1);
}

static void news_of_one_are_fetched_for_all_who_wait(void **state)
{
	struct world *w = *state;

	discover_fakes(w, 2, LP_MIN, 0);
	first_round(w);
	for (int i = 0; i < 5; i++)
		lp_discovery_refresh(w->discovery, w->waits, row(w, 0), on_news, w);
	wait_for_news(w, row(w, 0));
	real_loop_run_for(&w->real, 2 * LP_MSEC);
	assert_int_equal(w->times, 6);
	assert_int_equal(w->o[0].questions, 2);
	assert_int_equal(w->o[1].questions, 1);
}

static void questions_to_one_keep_their_distance(void **state)
{
	struct world *w = *state;
	int64_t began = lp_mono(w->real.loop);

	discover_fakes(w, 1, LP_MIN, 0);
	first_round(w);
	wait_for_news(w, row(w, 0));
	wait_for_news(w, row(w, 0));
	assert_true(lp_mono(w->real.loop) - began >= 390 * LP_MSEC);	/* three questions */
}

/* What starts together is ready one after the other.  However often jobs want news, it is asked so often only. */
static void a_young_one_is_asked_again_soon_but_not_all_the_time(void **state)
{
	struct world *w = *state;
	int64_t began = lp_mono(w->real.loop), took;

	discover_fakes(w, 1, LP_MIN, 0);
	first_round(w);
	while (w->o[0].questions < 3 && lp_mono(w->real.loop) - began < 20 * LP_SEC) {
		if (!lp_discovery_news(w->discovery, w->waits, 0, on_news, w))
			assert_true(lp_discovery_news_again(w->discovery) < began + 20 * LP_SEC);
		real_loop_run_for(&w->real, 5 * LP_MSEC);
	}
	took = lp_mono(w->real.loop) - began;
	assert_int_equal(w->o[0].questions, 3);
	assert_true(took >= 990 * LP_MSEC);
}

static void who_waits_for_anybody_is_told_when_nobody_needs_asking(void **state)
{
	struct world *w = *state;

	discover_fakes(w, 1, LP_MIN, 0);
	first_round(w);
	assert_false(lp_discovery_news(w->discovery, w->waits, lp_mono(w->real.loop), on_news, w));
	assert_int_equal(w->o[0].questions, 1);
}

static void an_old_answer_is_asked_for_anew(void **state)
{
	struct world *w = *state;

	discover_fakes(w, 2, LP_MIN, 0);
	first_round(w);
	assert_true(lp_discovery_news(w->discovery, w->waits, lp_mono(w->real.loop) + 3 * LP_SEC, on_news, w));
	real_loop_run_until(&w->real, &w->told);
	real_loop_run_for(&w->real, 250 * LP_MSEC);
	assert_int_equal(w->o[0].questions, 2);
	assert_int_equal(w->o[1].questions, 2);
}

static void one_that_left_is_not_told(void **state)
{
	struct world *w = *state;

	discover_fakes(w, 1, LP_MIN, 0);
	first_round(w);
	lp_discovery_refresh(w->discovery, w->waits, row(w, 0), on_news, w);
	lp_scope_close(&w->waits);
	w->waits = lp_scope_open(w->real.scope, "others wait");
	wait_for_news(w, row(w, 0));	/* joins the question that the first has caused */
	assert_int_equal(w->times, 1);
	assert_int_equal(w->o[0].questions, 2);
}

static void a_short_token_is_renewed_before_its_last_minutes(void **state)
{
	struct world *w = *state;

	w->o[0].token_life = 182;	/* two seconds of use, less one to be sure */
	discover_fakes(w, 1, 10 * LP_MIN, 0);
	first_round(w);
	real_loop_run_for(&w->real, 1300 * LP_MSEC);
	assert_in_range(w->o[0].questions, 2, 3);
	assert_true(lp_orch_token_fresh(row(w, 0), lp_wall(w->real.loop), lp_mono(w->real.loop)));
}

static void a_token_that_ends_at_the_end_of_time_is_a_token(void **state)
{
	static const int64_t ends[] = { INT64_MAX, INT64_MAX / LP_SEC + 181, INT64_MIN };
	struct world *w = *state;

	for (int i = 0; i < 3; i++)
		w->o[i].token_end = ends[i];
	discover_fakes(w, 3, 10 * LP_MIN, 0);
	first_round(w);
	real_loop_run_for(&w->real, 100 * LP_MSEC);
	for (int i = 0; i < 3; i++) {
		int64_t later = lp_mono(w->real.loop) + LP_HOUR;	/* not "just come" any more */

		assert_int_equal(w->o[i].questions, 1);
		assert_int_equal(lp_orch_token_fresh(row(w, i), lp_wall(w->real.loop), later), ends[i] > 0);
	}
}

static void an_address_for_jobs_that_is_not_its_to_give_is_refused(void **state)
{
	struct world *w = *state;

	w->o[0].transcoder = "unix:/run/docker.sock";
	w->o[1].transcoder = "http://169.254.169.254/latest";
	w->o[2].transcoder = "http://localhost:5935";	/* it is on this machine itself: it may */
	discover_fakes(w, 3, LP_MIN, 0);
	first_round(w);
	assert_null(lp_orch_info(row(w, 0)));
	assert_null(lp_orch_info(row(w, 1)));
	assert_non_null(lp_orch_info(row(w, 2)));
	assert_non_null(strstr(lp_buf_text(&w->lines), "not its to give: unix:/run/docker.sock"));
}

static void set(struct world *w, const int *which, int n)
{
	struct lp_url urls[3];

	for (int i = 0; i < n; i++)
		assert_int_equal(lp_url_parse(w->real.scope, &urls[i], lp_span(w->o[which[i]].uri), NULL), LP_OK);
	lp_discovery_set(w->discovery, urls, n);
}

static int known(struct world *w)
{
	struct lp_roster_count c;

	lp_roster_count(w->roster, &c, lp_mono(w->real.loop));
	return c.known;
}

static void a_new_list_adds_and_removes(void **state)
{
	struct world *w = *state;

	discover_fakes(w, 3, LP_MIN, 0);
	first_round(w);
	assert_int_equal(known(w), 3);
	set(w, (const int[]){ 2, 0 }, 2);
	assert_true(lp_discovery_first_round_done(w->discovery));	/* of these two all is known */
	assert_int_equal(known(w), 2);
	assert_non_null(lp_orch_info(row(w, 0)));
	set(w, (const int[]){ 1 }, 1);
	first_round(w);
	assert_int_equal(known(w), 1);
	assert_non_null(lp_orch_info(row(w, 1)));
	assert_int_equal(w->o[1].questions, 2);
}

static void one_that_is_removed_while_it_is_asked_tells_its_waiters(void **state)
{
	struct world *w = *state;

	discover_fakes(w, 2, LP_MIN, 1);
	w->told = false;
	lp_discovery_refresh(w->discovery, w->waits, row(w, 1), on_news, w);
	set(w, (const int[]){ 0 }, 1);
	real_loop_run_until(&w->real, &w->told);
	first_round(w);
	assert_int_equal(w->o[1].questions, 0);
	set(w, NULL, 0);
	assert_int_equal(known(w), 0);
}

static void who_waits_for_a_list_is_told_when_it_does_not_come(void **state)
{
	struct world *w = *state;
	struct lp_discovery_want want = {
		.loop = w->real.loop, .client = w->client, .roster = w->roster, .list_comes = true,
		.dice = &w->dice, .log = w->log,
	};

	w->discovery = lp_discovery_open(w->real.scope, &want);
	assert_false(lp_discovery_first_round_done(w->discovery));
	w->told = false;
	assert_true(lp_discovery_news(w->discovery, w->waits, lp_mono(w->real.loop), on_news, w));
	lp_discovery_no_list(w->discovery);
	assert_false(w->told);		/* never inline */
	real_loop_run_until(&w->real, &w->told);
	assert_true(lp_discovery_first_round_done(w->discovery));
}

static void extra_nodes_are_asked_as_far_as_allowed(void **state)
{
	struct world *w = *state;
	const char *texts[1];
	struct lp_url url;
	struct lp_discovery_want want = {
		.loop = w->real.loop, .client = w->client, .roster = w->roster, .addresses = &url, .n_addresses = 1,
		.interval = 100 * LP_MSEC, .timeout = 500 * LP_MSEC, .dice = &w->dice, .log = w->log, .extra_nodes = 2,
	};

	for (int i = 0; i < 3; i++)
		fake_orch_open(&w->o[i], w->real.scope, w->real.loop);
	w->o[0].nodes[0] = "unix:/tmp/x";		/* not followed */
	w->o[0].nodes[1] = w->o[1].uri;
	w->o[0].nodes[2] = w->o[2].uri;		/* the third: one too many */
	w->o[1].nodes[0] = w->o[2].uri;		/* of the second level: not followed */
	texts[0] = w->o[0].uri;
	assert_int_equal(lp_url_parse(w->real.scope, &url, lp_span(texts[0]), NULL), LP_OK);
	w->discovery = lp_discovery_open(w->real.scope, &want);
	real_loop_run_for(&w->real, 50 * LP_MSEC);
	first_round(w);
	assert_int_equal(known(w), 2);
	assert_non_null(lp_orch_info(row(w, 1)));
	assert_int_equal(w->o[2].questions, 0);
	w->o[0].nodes[1] = NULL;		/* not named any more: asked for a while, then forgotten */
	real_loop_run_for(&w->real, 1300 * LP_MSEC);
	assert_int_equal(known(w), 1);
}

/* A list whose every name is another than before, as a webhook may say each minute: the loop is not held up for as
 * long as each of so many would take to look for among the others. */
static void thousands_are_replaced_at_once(void **state)
{
	enum { MANY = 50000 };
	struct world *w = *state;
	struct lp_url *urls = lp_new_array(w->real.scope, struct lp_url, MANY);
	int64_t began;

	discover(w, NULL, 0, LP_MIN, 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++)
			assert_int_equal(lp_url_parse(w->real.scope, &urls[i],
						      lp_span(lp_fmt(w->real.scope, "https://127.%d.%d.%d:1", 1 + round,
								     i >> 8, i & 255)), NULL), LP_OK);
		began = lp_mono(w->real.loop);
		lp_discovery_set(w->discovery, urls, MANY);
		real_loop_run_for(&w->real, LP_MSEC);
		assert_int_equal(known(w), MANY);
		assert_true(lp_mono(w->real.loop) - began < 2 * LP_SEC);
	}
}

static void a_gateway_may_close_while_it_asks(void **state)
{
	struct world *w = *state;

	discover_fakes(w, 3, LP_MIN, 2);
	real_loop_run_for(&w->real, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
	const struct CMUnitTest tests[] = {
		T(everybody_is_asked_at_once_and_remembered),
		T(one_at_a_time_still_reaches_all),
		T(rounds_repeat),
		T(one_that_refuses_is_reported_once_and_asked_again),
		T(a_dead_one_is_no_obstacle),
		T(the_same_address_twice_is_one_orchestrator),
		T(news_of_one_are_fetched_for_all_who_wait),
		T(questions_to_one_keep_their_distance),
		T(a_young_one_is_asked_again_soon_but_not_all_the_time),
		T(who_waits_for_anybody_is_told_when_nobody_needs_asking),
		T(an_old_answer_is_asked_for_anew),
		T(one_that_left_is_not_told),
		T(a_short_token_is_renewed_before_its_last_minutes),
		T(a_token_that_ends_at_the_end_of_time_is_a_token),
		T(an_address_for_jobs_that_is_not_its_to_give_is_refused),
		T(a_new_list_adds_and_removes),
		T(one_that_is_removed_while_it_is_asked_tells_its_waiters),
		T(who_waits_for_a_list_is_told_when_it_does_not_come),
		T(extra_nodes_are_asked_as_far_as_allowed),
		T(thousands_are_replaced_at_once),
		T(a_gateway_may_close_while_it_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
