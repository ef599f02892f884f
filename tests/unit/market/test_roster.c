#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/time.h>
#include <lpd/market/roster.h>

#define T2I 27
#define UPSCALE 30

struct world {
	struct lp_scope *scope;
	struct lp_roster *roster;
	struct lp_dice dice;
	int64_t now;
};

static int world_open(void **state)
{
	static struct world w;
	const struct lp_roster_rules rules = { .min_version = LP_SPAN("0.9.0") };

	w = (struct world){ .scope = lp_scope_open(NULL, "test"), .now = 1000 * LP_SEC };
	lp_dice_init(&w.dice, 1);
	w.roster = lp_roster_open(w.scope, &rules, &w.dice);
	*state = &w;
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	lp_scope_close(&w->scope);
	return 0;
}

static void offer(struct world *w, struct lp_capabilities *caps, uint32_t capability, const char *model, bool warm)
{
	const struct lp_model_terms terms = { .model = lp_span(model), .warm = warm, .capacity = 1 };

	lp_capabilities_add_model(w->scope, caps, capability, &terms);
}

static struct lp_orch_info info_of(struct world *w, const char *version)
{
	struct lp_orch_info info = { .transcoder = LP_SPAN("https://o:8935"), .has_capabilities = true };

	lp_capabilities_init(&info.capabilities, w->scope, lp_span(version));
	offer(w, &info.capabilities, T2I, "m", true);
	info.auth_token = (struct lp_auth_token){
		.present = true, .token = LP_SPAN("t"), .session_id = LP_SPAN("s"), .expiration = 2800,
	};
	return info;
}

/* An orchestrator that answered just now and offers model "m" of text-to-image, warm. */
static struct lp_orch *orch(struct world *w, const char *address)
{
	struct lp_orch *o = lp_roster_row(w->roster, lp_span(address));
	struct lp_orch_info info = info_of(w, "0.9.1");

	lp_orch_answered(o, &info, 20 * LP_MSEC, w->now);
	return o;
}

static struct lp_roster_ask ask_for(struct world *w, const char *model)
{
	return (struct lp_roster_ask){ .capability = T2I, .model = lp_span(model), .now = w->now };
}

static struct lp_orch *choose(struct world *w, struct lp_choice *choice)
{
	struct lp_roster_ask ask = ask_for(w, "m");

	return lp_roster_choose(w->roster, &ask, choice);
}

static int64_t chance(struct world *w)
{
	struct lp_roster_ask ask = ask_for(w, "m");

	return lp_roster_next_chance(w->roster, &ask);
}

static void try(struct world *w, struct lp_orch *o, enum lp_code code)
{
	struct lp_orch_try t = { o, T2I, LP_SPAN("m"), 0 };
	struct lp_choice choice;

	/* The roster learns the time from the choice. */
	choose(w, &choice);
	lp_orch_begin(w->roster, &t);
	lp_orch_end(w->roster, &t, &(struct lp_orch_outcome){ .code = code, .took = LP_SEC, .work = 1, .now = w->now });
}

static void one_that_never_answered_is_not_chosen(void **state)
{
	struct world *w = *state;
	struct lp_choice choice;

	lp_roster_row(w->roster, LP_SPAN("https://a:1"));
	assert_null(choose(w, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_UNREACHED], 1);
	assert_true(chance(w) == LP_NEVER);
}

static void one_that_answered_is_chosen_and_says_why(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_choice choice;

	assert_ptr_equal(choose(w, &choice), a);
	assert_string_equal(choice.why, "only one");
	assert_true(lp_span_is(lp_orch_address(a), "https://a:1"));
	assert_true(chance(w) == w->now);
}

static void an_address_has_one_row(void **state)
{
	struct world *w = *state;

	assert_ptr_equal(orch(w, "https://a:1"), lp_roster_row(w->roster, LP_SPAN("https://a:1")));
	assert_ptr_not_equal(orch(w, "https://a:1"), orch(w, "https://a:2"));
}

static void an_old_answer_is_not_used(void **state)
{
	struct world *w = *state;
	struct lp_choice choice;

	orch(w, "https://a:1");
	w->now += 5 * LP_MIN;
	assert_non_null(choose(w, &choice));
	w->now += 1;
	assert_null(choose(w, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_UNREACHED], 1);
}

static void one_lost_question_is_forgiven_two_are_not(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_choice choice;

	lp_orch_unreached(a, NULL, w->now);
	assert_ptr_equal(choose(w, &choice), a);
	lp_orch_unreached(a, NULL, w->now);
	assert_null(choose(w, &choice));
	orch(w, "https://a:1");
	assert_ptr_equal(choose(w, &choice), a);
}

static void a_model_that_is_not_offered_is_named_as_the_reason(void **state)
{
	struct world *w = *state;
	struct lp_roster_ask ask = ask_for(w, "other");
	struct lp_choice choice;

	orch(w, "https://a:1");
	assert_null(lp_roster_choose(w->roster, &ask, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_MODEL], 1);
	ask = ask_for(w, "m");
	ask.capability = UPSCALE;
	assert_null(lp_roster_choose(w->roster, &ask, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_MODEL], 1);
	assert_true(lp_roster_next_chance(w->roster, &ask) == LP_NEVER);
}

static void a_model_that_was_withdrawn_is_not_chosen(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_orch_info info = info_of(w, "0.9.1");
	struct lp_choice choice;

	try(w, a, LP_OK);
	info.capabilities.n_caps = 0;
	lp_orch_answered(a, &info, LP_MSEC, w->now);
	assert_null(choose(w, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_MODEL], 1);
}

static void a_node_too_old_is_not_chosen(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = lp_roster_row(w->roster, LP_SPAN("https://a:1"));
	struct lp_orch_info info = info_of(w, "0.8.10");
	struct lp_choice choice;

	lp_orch_answered(a, &info, LP_MSEC, w->now);
	assert_null(choose(w, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_VERSION], 1);
}

static void a_runner_too_old_is_not_chosen(void **state)
{
	struct world *w = *state;
	static const struct lp_roster_minimum minimum = { T2I, LP_SPAN("m"), LP_SPAN("0.14.0") };
	const struct lp_roster_rules rules = { .minimums = &minimum, .n_minimums = 1 };
	struct lp_choice choice;

	w->roster = lp_roster_open(w->scope, &rules, &w->dice);
	orch(w, "https://a:1");		/* tells no runner version */
	assert_null(choose(w, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_VERSION], 1);
	assert_true(lp_span_is(lp_roster_min_runner(w->roster, T2I, LP_SPAN("m")), "0.14.0"));
	assert_int_equal(lp_roster_min_runner(w->roster, T2I, LP_SPAN("n")).len, 0);
}

static void one_that_was_tried_is_not_chosen_again(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1"), *b = orch(w, "https://b:1");
	struct lp_roster_ask ask = ask_for(w, "m");
	struct lp_choice choice;

	ask.tried = &a;
	ask.n_tried = 1;
	for (int i = 0; i < 50; i++)
		assert_ptr_equal(lp_roster_choose(w->roster, &ask, &choice), b);
	assert_int_equal(choice.rejected[LP_REJECT_TRIED], 1);
}

static void a_full_one_rests_for_a_moment_and_is_not_bad(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_choice choice;
	int64_t back;

	try(w, a, LP_NO_CAPACITY);
	assert_null(choose(w, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_BUSY], 1);
	assert_string_equal(lp_orch_state(a, w->now), "busy");
	back = chance(w);
	assert_in_range(back - w->now, 180 * LP_MSEC, 320 * LP_MSEC);
	w->now = back;
	assert_ptr_equal(choose(w, &choice), a);
}

static void a_full_model_does_not_close_the_others(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = lp_roster_row(w->roster, LP_SPAN("https://a:1"));
	struct lp_orch_info info = info_of(w, "0.9.1");
	struct lp_roster_ask ask;
	struct lp_choice choice;

	offer(w, &info.capabilities, T2I, "n", true);
	lp_orch_answered(a, &info, LP_MSEC, w->now);
	try(w, a, LP_NO_CAPACITY);
	assert_null(choose(w, &choice));
	ask = ask_for(w, "n");
	assert_ptr_equal(lp_roster_choose(w->roster, &ask, &choice), a);
}

static void a_full_one_that_is_full_again_rests_longer(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	int64_t before = 0;

	for (int i = 0; i < 5; i++) {
		int64_t rest;

		try(w, a, LP_NO_CAPACITY);
		rest = chance(w) - w->now;
		assert_true(rest > before);
		before = rest;
		w->now += rest;
	}
	for (int i = 0; i < 10; i++) {
		try(w, a, LP_NO_CAPACITY);
		w->now = chance(w);
	}
	try(w, a, LP_NO_CAPACITY);
	assert_true(chance(w) - w->now <= 12500 * LP_MSEC);
}

static void after_full_the_crowd_is_let_in_one_by_one(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_orch_try t = { a, T2I, LP_SPAN("m"), 0 };
	struct lp_choice choice;

	try(w, a, LP_NO_CAPACITY);
	w->now = chance(w);
	assert_ptr_equal(choose(w, &choice), a);
	lp_orch_begin(w->roster, &t);
	assert_null(choose(w, &choice));	/* the first one is still on its way */
	w->now = chance(w);
	assert_ptr_equal(choose(w, &choice), a);	/* no refusal came: there is room */
	lp_orch_end(w->roster, &t, &(struct lp_orch_outcome){ .code = LP_OK, .now = w->now });
	assert_ptr_equal(choose(w, &choice), a);
	assert_string_equal(lp_orch_state(a, w->now), "ready");
}

/* n jobs under way there. */
static void begin(struct world *w, struct lp_orch *o, int n)
{
	struct lp_orch_try t = { o, T2I, LP_SPAN("m"), 0 };
	struct lp_choice choice;

	choose(w, &choice);
	for (int i = 0; i < n; i++)
		lp_orch_begin(w->roster, &t);
}

static void end(struct world *w, struct lp_orch *o, int n, enum lp_code code)
{
	struct lp_orch_try t = { o, T2I, LP_SPAN("m"), 0 };

	for (int i = 0; i < n; i++)
		lp_orch_end(w->roster, &t, &(struct lp_orch_outcome){ .code = code, .now = w->now });
}

static void a_full_one_takes_one_more_for_each_that_ends(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_choice choice;

	begin(w, a, 10);
	end(w, a, 7, LP_NO_CAPACITY);	/* three were taken */
	assert_null(choose(w, &choice));
	end(w, a, 1, LP_OK);
	assert_ptr_equal(choose(w, &choice), a);
	begin(w, a, 1);
	assert_null(choose(w, &choice));
	end(w, a, 3, LP_OK);
}

static void one_that_grew_is_found_out_ever_faster(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_choice choice;
	int running = 1;

	begin(w, a, 2);
	end(w, a, 1, LP_NO_CAPACITY);
	for (int more = 1; more <= 8; more *= 2) {
		w->now = chance(w);
		for (int i = 0; i < more; i++) {
			assert_ptr_equal(choose(w, &choice), a);
			begin(w, a, 1);
			running++;
		}
		assert_null(choose(w, &choice));	/* until a moment went by without a refusal */
	}
	end(w, a, 1, LP_NO_CAPACITY);
	running--;
	w->now = chance(w);
	begin(w, a, 1);
	assert_null(choose(w, &choice));		/* careful again */
	end(w, a, running + 1, LP_OK);
}

static void what_was_full_long_ago_is_forgotten(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_choice choice;

	begin(w, a, 2);
	end(w, a, 1, LP_NO_CAPACITY);
	w->now += 2 * LP_MIN;
	for (int i = 0; i < 20; i++) {
		assert_ptr_equal(choose(w, &choice), a);
		begin(w, a, 1);
	}
	end(w, a, 21, LP_OK);
}

static void many_refusals_at_once_count_as_one(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_orch_try t = { a, T2I, LP_SPAN("m"), 0 };
	struct lp_choice choice;

	choose(w, &choice);
	for (int i = 0; i < 20; i++)
		lp_orch_begin(w->roster, &t);
	for (int i = 0; i < 20; i++)
		lp_orch_end(w->roster, &t, &(struct lp_orch_outcome){ .code = LP_NO_CAPACITY, .now = w->now });
	assert_in_range(chance(w) - w->now, 180 * LP_MSEC, 320 * LP_MSEC);
}

static void one_that_cannot_be_reached_is_suspended_with_all_its_models(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = lp_roster_row(w->roster, LP_SPAN("https://a:1"));
	struct lp_orch_info info = info_of(w, "0.9.1");
	struct lp_roster_ask ask;
	struct lp_choice choice;

	offer(w, &info.capabilities, T2I, "n", true);
	lp_orch_answered(a, &info, LP_MSEC, w->now);
	try(w, a, LP_CONNECT);
	ask = ask_for(w, "n");
	assert_null(lp_roster_choose(w->roster, &ask, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_SUSPENDED], 1);
	assert_string_equal(lp_orch_state(a, w->now), "suspended");
	assert_in_range(chance(w) - w->now, 1500 * LP_MSEC, 2500 * LP_MSEC);
}

static void one_that_fails_at_a_model_keeps_the_others(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = lp_roster_row(w->roster, LP_SPAN("https://a:1"));
	struct lp_orch_info info = info_of(w, "0.9.1");
	struct lp_roster_ask ask;
	struct lp_choice choice;

	offer(w, &info.capabilities, T2I, "n", true);
	lp_orch_answered(a, &info, LP_MSEC, w->now);
	try(w, a, LP_PEER_ERROR);
	assert_null(choose(w, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_SUSPENDED], 1);
	ask = ask_for(w, "n");
	assert_ptr_equal(lp_roster_choose(w->roster, &ask, &choice), a);
}

static void half_open_lets_one_job_through(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_orch_try t = { a, T2I, LP_SPAN("m"), 0 };
	struct lp_choice choice;
	int64_t first;

	try(w, a, LP_PEER_ERROR);
	first = chance(w) - w->now;
	w->now += first;
	assert_ptr_equal(choose(w, &choice), a);
	lp_orch_begin(w->roster, &t);
	assert_null(choose(w, &choice));
	assert_true(chance(w) > w->now);
	lp_orch_end(w->roster, &t, &(struct lp_orch_outcome){ .code = LP_PEER_ERROR, .now = w->now });
	assert_true(chance(w) - w->now > first);
	w->now = chance(w);
	try(w, a, LP_OK);
	assert_string_equal(lp_orch_state(a, w->now), "ready");
}

static void a_probe_that_runs_long_lets_others_follow(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_orch_try t = { a, T2I, LP_SPAN("m"), 0 };
	struct lp_choice choice;

	try(w, a, LP_RESET);
	w->now = chance(w);
	assert_ptr_equal(choose(w, &choice), a);
	lp_orch_begin(w->roster, &t);
	assert_null(choose(w, &choice));
	assert_in_range(chance(w) - w->now, 1500 * LP_MSEC, 2500 * LP_MSEC);
	w->now = chance(w);
	assert_ptr_equal(choose(w, &choice), a);
	lp_orch_begin(w->roster, &t);
	assert_null(choose(w, &choice));	/* again one at a time */
	lp_orch_end(w->roster, &t, &(struct lp_orch_outcome){ .code = LP_OK, .now = w->now });
	assert_ptr_equal(choose(w, &choice), a);
	lp_orch_end(w->roster, &t, &(struct lp_orch_outcome){ .code = LP_OK, .now = w->now });
}

static void a_probe_whose_client_left_proves_nothing(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_choice choice;

	try(w, a, LP_RESET);
	w->now = chance(w);
	try(w, a, LP_GONE);
	assert_ptr_equal(choose(w, &choice), a);	/* half open still: the next one may see */
	try(w, a, LP_RESET);
	assert_in_range(chance(w) - w->now, 3 * LP_SEC, 5 * LP_SEC);
}

static void the_end_of_another_job_is_not_the_end_of_the_probe(void **state)
{
	static const enum lp_code faults[] = { LP_RESET, LP_PEER_ERROR };	/* of the row, of the offer */
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_choice choice;

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		struct lp_orch_try old = { a, T2I, LP_SPAN("m"), 0 }, seeing = old;

		choose(w, &choice);
		lp_orch_begin(w->roster, &old);
		try(w, a, faults[i]);
		w->now = chance(w);
		assert_ptr_equal(choose(w, &choice), a);
		lp_orch_begin(w->roster, &seeing);
		lp_orch_end(w->roster, &old, &(struct lp_orch_outcome){ .code = LP_GONE, .now = w->now });
		assert_null(choose(w, &choice));
		lp_orch_end(w->roster, &seeing, &(struct lp_orch_outcome){ .code = LP_GONE, .now = w->now });
		assert_ptr_equal(choose(w, &choice), a);
		try(w, a, LP_OK);
	}
}

static void the_faults_of_clients_and_ours_count_for_nothing(void **state)
{
	static const enum lp_code codes[] = { LP_GONE, LP_BAD_REQUEST, LP_INVALID, LP_DEADLINE, LP_NO_ROOM, LP_NOT_SENT,
					      LP_TOKEN, LP_INTERNAL };
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_choice choice;

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		try(w, a, codes[i]);
		assert_ptr_equal(choose(w, &choice), a);
		assert_string_equal(lp_orch_state(a, w->now), "ready");
	}
}

static void a_lost_result_is_forgiven_once(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_choice choice;

	try(w, a, LP_MEDIA_LOST);
	assert_ptr_equal(choose(w, &choice), a);
	try(w, a, LP_MEDIA_LOST);
	assert_null(choose(w, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_SUSPENDED], 1);
}

static void only_good_jobs_are_scored(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_orch_offer seen;

	try(w, a, LP_PEER_ERROR);
	lp_orch_offer(a, &seen, T2I, LP_SPAN("m"), w->now);
	assert_true(seen.score == 0);
	assert_true(seen.suspended);
	w->now = chance(w);
	try(w, a, LP_OK);
	lp_orch_offer(a, &seen, T2I, LP_SPAN("m"), w->now);
	assert_true(seen.score > 0.99 && seen.score < 1.01);
	assert_int_equal(seen.in_flight, 0);
}

static void a_pin_names_by_address_by_place_and_by_host(void **state)
{
	static const struct {
		const char *pin;
		bool a, b;
	} rows[] = {
		{ "https://a:1", true, false }, { "https://a:1/", true, false }, { "a:1", true, false },
		{ "a", true, false }, { "a:2", false, false }, { "a,[::1]:8935", true, true }, { "[::1]", false, true },
		{ "!a", false, true }, { "!a, !b", false, true }, { "!https://[::1]:8935", true, false },
		{ "", true, true }, { " , ", true, true }, { "[::1", false, false },
	};
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1"), *b = orch(w, "https://[::1]:8935");

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct lp_roster_ask ask = ask_for(w, "m");
		struct lp_choice choice;
		bool saw_a = false, saw_b = false;

		struct lp_pin pin;

		assert_int_equal(lp_pin_parse(&pin, lp_span(rows[i].pin), NULL), LP_OK);
		ask.pin = &pin;
		for (int n = 0; n < 60; n++) {
			struct lp_orch *o = lp_roster_choose(w->roster, &ask, &choice);

			saw_a = saw_a || o == a;
			saw_b = saw_b || o == b;
		}
		assert_int_equal(saw_a, rows[i].a);
		assert_int_equal(saw_b, rows[i].b);
	}
}

static void a_token_in_its_last_minutes_is_not_fresh(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");	/* ends at 2800 s */

	int64_t later = w->now + 3 * LP_MIN;

	assert_true(lp_orch_token_fresh(a, 2620 * LP_SEC, later));
	assert_false(lp_orch_token_fresh(a, 2621 * LP_SEC, later));
	assert_false(lp_orch_token_fresh(lp_roster_row(w->roster, LP_SPAN("https://b:1")), 0, later));
}

static void a_token_that_just_came_is_fresh_whatever_the_clocks_say(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");	/* ends at 2800 s */

	assert_true(lp_orch_token_fresh(a, 9999 * LP_SEC, w->now + 2 * LP_MIN - 1));
	assert_false(lp_orch_token_fresh(a, 9999 * LP_SEC, w->now + 2 * LP_MIN));
}

static void a_row_in_use_outlives_its_removal(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_orch_try t = { a, T2I, LP_SPAN("m"), 0 };
	struct lp_roster_count count;
	struct lp_choice choice;

	choose(w, &choice);
	lp_orch_begin(w->roster, &t);
	lp_roster_remove(w->roster, LP_SPAN("https://a:1"));
	assert_null(choose(w, &choice));
	lp_roster_count(w->roster, &count, w->now);
	assert_int_equal(count.known, 0);
	assert_true(lp_span_is(lp_orch_address(a), "https://a:1"));
	lp_orch_end(w->roster, &t, &(struct lp_orch_outcome){ .code = LP_OK, .now = w->now });
}

static void counts_follow_the_jobs(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1");
	struct lp_orch_try t = { a, T2I, LP_SPAN("m"), 0 };
	struct lp_roster_count count;
	struct lp_choice choice;

	lp_roster_row(w->roster, LP_SPAN("https://dead:1"));
	choose(w, &choice);
	lp_orch_begin(w->roster, &t);
	lp_orch_begin(w->roster, &t);
	lp_roster_count(w->roster, &count, w->now);
	assert_int_equal(count.known, 2);
	assert_int_equal(count.ready, 1);
	assert_int_equal(count.unreached, 1);
	assert_int_equal(count.in_flight, 2);
	lp_orch_end(w->roster, &t, &(struct lp_orch_outcome){ .code = LP_GONE, .now = w->now });
	lp_orch_end(w->roster, &t, &(struct lp_orch_outcome){ .code = LP_OK, .now = w->now });
	lp_roster_count(w->roster, &count, w->now);
	assert_int_equal(count.in_flight, 0);
}

/* ---- what the operator accepts ---- */

static void reopen(struct world *w, const struct lp_roster_rules *rules)
{
	w->roster = lp_roster_open(w->scope, rules, &w->dice);
}

/* One of that Ethereum address and price. */
static struct lp_orch *seller(struct world *w, const char *uri, char digit, int64_t price)
{
	struct lp_orch *o = lp_roster_row(w->roster, lp_span(uri));
	struct lp_orch_info info = info_of(w, "0.9.1");
	struct lp_price_info prices[2] = { { true, 1, 1, T2I, LP_SPAN("another") },
					   { true, price, 10, T2I, LP_SPAN("m") } };
	char address[20];

	memset(address, digit, sizeof(address));
	info.address = lp_span_of(address, sizeof(address));
	info.prices = prices;
	info.n_prices = price ? 2 : 0;
	lp_orch_answered(o, &info, 20 * LP_MSEC, w->now);
	return o;
}

static void who_is_on_the_blocklist_gets_no_jobs(void **state)
{
	struct world *w = *state;
	struct lp_address blocked[2] = { { { 0 } }, { { 0 } } };
	struct lp_choice choice;

	memset(blocked[1].bytes, 1, sizeof(blocked[1].bytes));
	reopen(w, &(struct lp_roster_rules){ .blocked = blocked, .n_blocked = 2 });
	seller(w, "https://a:1", 1, 0);
	assert_null(choose(w, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_EXCLUDED], 1);
	seller(w, "https://b:1", 0, 0);		/* the zero address is nobody's (BUG-55) */
	assert_non_null(choose(w, &choice));
	seller(w, "https://a:1", 2, 0);		/* another account answers there now */
	assert_non_null(choose(w, &choice));
	assert_int_equal(choice.eligible, 2);
}

static void a_price_above_the_limit_is_not_paid(void **state)
{
	static const struct lp_max_price row = { .capability = T2I, .model = LP_SPAN("m") };
	struct world *w = *state;
	struct lp_max_price rows[1] = { row };
	struct lp_max_prices max = { .rows = rows, .n_rows = 1 };
	struct lp_roster_rules rules = { .max_prices = &max };
	struct lp_choice choice;

	assert_int_equal(lp_price_of_wire(&rows[0].price, 5, 1, NULL), LP_OK);
	reopen(w, &rules);
	struct lp_orch *cheap = seller(w, "https://cheap:1", 1, 50);	/* 5 a unit: just so */

	seller(w, "https://dear:1", 2, 51);
	for (int i = 0; i < 50; i++)
		assert_ptr_equal(choose(w, &choice), cheap);
	assert_int_equal(choice.rejected[LP_REJECT_PRICE], 1);
	seller(w, "https://strange:1", 4, -50);
	assert_ptr_equal(choose(w, &choice), cheap);
	assert_int_equal(choice.rejected[LP_REJECT_PRICE], 2);
	try(w, cheap, LP_PEER_ERROR);
	assert_null(choose(w, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_PRICE], 2);
	assert_int_equal(choice.rejected[LP_REJECT_SUSPENDED], 1);
	seller(w, "https://free:1", 3, 0);	/* names no price, asks for nothing */
	assert_non_null(choose(w, &choice));
}

static void the_limit_gives_way_when_it_may_and_must(void **state)
{
	struct world *w = *state;
	struct lp_max_prices max = { .has_any = true };
	struct lp_roster_rules rules = { .max_prices = &max, .dear_if_needed = true };
	struct lp_choice choice;

	assert_int_equal(lp_price_of_wire(&max.any, 5, 1, NULL), LP_OK);
	reopen(w, &rules);
	struct lp_orch *dear = seller(w, "https://dear:1", 2, 51);

	assert_ptr_equal(choose(w, &choice), dear);
	struct lp_orch *cheap = seller(w, "https://cheap:1", 1, 50);

	assert_ptr_equal(choose(w, &choice), cheap);
	assert_int_equal(choice.rejected[LP_REJECT_PRICE], 1);
}

static void a_bad_score_on_the_board_is_for_lack_of_better(void **state)
{
	static const char json[] = "{\"0x0101010101010101010101010101010101010101\":{\"FRA\":{\"score\":0.4}},"
				   "\"0x0202020202020202020202020202020202020202\":{\"FRA\":{\"score\":0.9}}}";
	struct world *w = *state;
	struct lp_choice choice;
	struct lp_perf perf;

	reopen(w, &(struct lp_roster_rules){ .min_perf = 0.5 });
	struct lp_orch *bad = seller(w, "https://bad:1", 1, 0);

	assert_int_equal(lp_perf_read(&perf, lp_span(json), LP_SPAN("FRA"), NULL), LP_OK);
	lp_roster_perf(w->roster, &perf);
	assert_ptr_equal(choose(w, &choice), bad);	/* nobody else */
	struct lp_orch *good = seller(w, "https://good:1", 2, 0);

	for (int i = 0; i < 50; i++)
		assert_ptr_equal(choose(w, &choice), good);
	assert_int_equal(choice.rejected[LP_REJECT_PERF], 1);
	lp_roster_perf(w->roster, NULL);
	choose(w, &choice);
	assert_int_equal(choice.eligible, 2);
	lp_perf_clear(&perf);
}

static void jobs_are_dealt_out_by_stake(void **state)
{
	struct world *w = *state;
	const struct lp_roster_rules rules = { .weights = { .by_stake = 1, .price_factor = 100 } };
	struct lp_choice choice;
	char address[20];
	int rich = 0;

	reopen(w, &rules);
	struct lp_orch *a = seller(w, "https://a:1", 1, 0), *b = seller(w, "https://b:1", 2, 0);

	try(w, a, LP_OK);
	try(w, b, LP_OK);
	for (char i = 1; i < 3; i++) {
		memset(address, i, sizeof(address));
		lp_roster_stake(w->roster, lp_span_of(address, sizeof(address)), i == 1 ? 9 : 1);
	}
	lp_roster_staked(w->roster);
	for (int i = 0; i < 1000; i++)
		rich += choose(w, &choice) == a;
	assert_in_range(rich, 840, 950);
}

/* Many models of one are no way to fill our memory, and names too long for anybody are none. */
static void of_endless_models_a_bounded_number_is_believed(void **state)
{
	struct world *w = *state;
	struct lp_orch *o = lp_roster_row(w->roster, LP_SPAN("https://a:1"));
	char name[600];
	int found = 0;

	for (int round = 0; round < 3; round++) {
		struct lp_orch_info info = info_of(w, "0.9.1");

		for (int i = 0; i < 400; i++)
			offer(w, &info.capabilities, T2I, lp_fmt(w->scope, "model-%d-%d", round, i), true);
		memset(name, 'x', sizeof(name) - 1);
		name[sizeof(name) - 1] = 0;
		offer(w, &info.capabilities, T2I, name, true);
		lp_orch_answered(o, &info, 1, w->now);
	}
	for (int i = 0; i < 400; i++) {
		struct lp_roster_ask ask = ask_for(w, lp_fmt(w->scope, "model-2-%d", i));
		struct lp_choice choice;

		found += lp_roster_choose(w->roster, &ask, &choice) != NULL;
	}
	assert_in_range(found, 0, 256);
	struct lp_roster_ask ask = ask_for(w, name);
	struct lp_choice choice;

	assert_null(lp_roster_choose(w->roster, &ask, &choice));
	assert_int_equal(choice.rejected[LP_REJECT_MODEL], 1);
	ask = ask_for(w, "m");
	assert_ptr_equal(lp_roster_choose(w->roster, &ask, &choice), o);
}

/* A job remembers whom it tried, though the list has dropped them. */
static void a_row_that_is_held_outlives_its_removal(void **state)
{
	struct world *w = *state;
	struct lp_orch *a = orch(w, "https://a:1"), *b = orch(w, "https://b:1");
	struct lp_roster_ask ask = ask_for(w, "m");
	struct lp_choice choice;

	lp_orch_hold(a);
	ask.tried = &a;
	ask.n_tried = 1;
	lp_roster_remove(w->roster, LP_SPAN("https://a:1"));
	for (int i = 0; i < 20; i++)
		assert_ptr_equal(lp_roster_choose(w->roster, &ask, &choice), b);
	assert_int_equal(choice.rejected[LP_REJECT_TRIED], 0);
	struct lp_orch *again = orch(w, "https://a:1");

	assert_ptr_not_equal(again, a);
	lp_roster_choose(w->roster, &ask, &choice);
	assert_int_equal(choice.eligible, 2);
	lp_orch_let_go(a);
}

/* ---- many, and all sorts of things happen to them ---- */

#define CROWD 150

static void counts_with_a_pin(struct world *w, const char *words)
{
	struct lp_roster_ask ask = ask_for(w, "m");
	struct lp_choice choice;
	struct lp_pin pin;
	int sum;

	assert_int_equal(lp_pin_parse(&pin, lp_span(words), NULL), LP_OK);
	ask.pin = &pin;
	lp_roster_choose(w->roster, &ask, &choice);
	sum = choice.eligible;
	for (int i = 0; i < LP_REJECTS; i++) {
		assert_true(choice.rejected[i] >= 0);
		sum += choice.rejected[i];
	}
	assert_int_equal(sum, CROWD);
	assert_int_equal(choice.rejected[LP_REJECT_EXCLUDED], *words == '!' ? 3 : CROWD - 3);
}

static void same_counts(struct world *w)
{
	struct lp_choice before, after;
	int sum;

	choose(w, &before);
	lp_roster_staked(w->roster);	/* looks at every one anew */
	choose(w, &after);
	assert_memory_equal(before.rejected, after.rejected, sizeof(before.rejected));
	assert_int_equal(before.eligible, after.eligible);
	counts_with_a_pin(w, "!o:3, !o:77, !https://o:149");
	counts_with_a_pin(w, "o:3, o:77, https://o:149");
	sum = after.eligible;
	for (int i = 0; i < LP_REJECTS; i++)
		sum += after.rejected[i];
	assert_int_equal(sum, CROWD);
}

/* What is worked out only when something happens, or an alarm rings, is what looking at all of them would say. */
static void what_is_kept_up_is_what_looking_would_say(void **state)
{
	static const enum lp_code codes[] = { LP_OK, LP_OK, LP_OK, LP_NO_CAPACITY, LP_PEER_ERROR, LP_RESET, LP_GONE,
					      LP_MEDIA_LOST, LP_TOKEN };
	struct world *w = *state;
	struct lp_orch *rows[CROWD];
	struct lp_orch_try tries[CROWD] = { 0 };
	struct lp_err why = { .code = LP_CONNECT };

	for (int i = 0; i < CROWD; i++)
		rows[i] = lp_roster_row(w->roster, lp_span(lp_fmt(w->scope, "https://o:%d", i + 1)));
	for (int step = 0; step < 6000; step++) {
		int i = (int)lp_dice_below(&w->dice, CROWD);
		struct lp_orch_info info = info_of(w, lp_dice_below(&w->dice, 20) ? "0.9.1" : "0.8.0");

		w->now += (int64_t)lp_dice_below(&w->dice, step % 500 ? LP_SEC : 6 * LP_MIN);
		switch (lp_dice_below(&w->dice, 5)) {
		case 0:
			if (!lp_dice_below(&w->dice, 20))
				info.capabilities.n_caps = 0;
			lp_orch_answered(rows[i], &info, 1, w->now);
			break;
		case 1:
			if (!lp_dice_below(&w->dice, 3))
				lp_orch_unreached(rows[i], &why, w->now);
			break;
		case 2:
		case 3:
			if (tries[i].orch || !lp_orch_info(rows[i]))
				break;
			same_counts(w);
			tries[i] = (struct lp_orch_try){ .orch = rows[i], .capability = T2I, .model = LP_SPAN("m") };
			lp_orch_begin(w->roster, &tries[i]);
			break;
		default:
			if (!tries[i].orch)
				break;
			lp_orch_end(w->roster, &tries[i], &(struct lp_orch_outcome){
				.code = codes[lp_dice_below(&w->dice, 9)], .took = LP_SEC, .work = 1, .now = w->now });
			tries[i].orch = NULL;
		}
		if (step % 7 == 0)
			same_counts(w);
	}
	for (int i = 0; i < CROWD; i++)
		if (tries[i].orch)
			lp_orch_end(w->roster, &tries[i], &(struct lp_orch_outcome){ .code = LP_GONE, .now = w->now });
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
	const struct CMUnitTest tests[] = {
		T(one_that_never_answered_is_not_chosen),
		T(one_that_answered_is_chosen_and_says_why),
		T(an_address_has_one_row),
		T(an_old_answer_is_not_used),
		T(one_lost_question_is_forgiven_two_are_not),
		T(a_model_that_is_not_offered_is_named_as_the_reason),
		T(a_model_that_was_withdrawn_is_not_chosen),
		T(a_node_too_old_is_not_chosen),
		T(a_runner_too_old_is_not_chosen),
		T(one_that_was_tried_is_not_chosen_again),
		T(a_full_one_rests_for_a_moment_and_is_not_bad),
		T(a_full_model_does_not_close_the_others),
		T(a_full_one_that_is_full_again_rests_longer),
		T(after_full_the_crowd_is_let_in_one_by_one),
		T(a_full_one_takes_one_more_for_each_that_ends),
		T(one_that_grew_is_found_out_ever_faster),
		T(what_was_full_long_ago_is_forgotten),
		T(many_refusals_at_once_count_as_one),
		T(one_that_cannot_be_reached_is_suspended_with_all_its_models),
		T(one_that_fails_at_a_model_keeps_the_others),
		T(half_open_lets_one_job_through),
		T(a_probe_that_runs_long_lets_others_follow),
		T(a_probe_whose_client_left_proves_nothing),
		T(the_end_of_another_job_is_not_the_end_of_the_probe),
		T(the_faults_of_clients_and_ours_count_for_nothing),
		T(a_lost_result_is_forgiven_once),
		T(only_good_jobs_are_scored),
		T(a_pin_names_by_address_by_place_and_by_host),
		T(a_token_in_its_last_minutes_is_not_fresh),
		T(a_token_that_just_came_is_fresh_whatever_the_clocks_say),
		T(a_row_in_use_outlives_its_removal),
		T(counts_follow_the_jobs),
		T(who_is_on_the_blocklist_gets_no_jobs),
		T(a_price_above_the_limit_is_not_paid),
		T(the_limit_gives_way_when_it_may_and_must),
		T(a_bad_score_on_the_board_is_for_lack_of_better),
		T(jobs_are_dealt_out_by_stake),
		T(of_endless_models_a_bounded_number_is_believed),
		T(a_row_that_is_held_outlives_its_removal),
		T(what_is_kept_up_is_what_looking_would_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
