#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lpd/market/capability.h>

#include "vectors.h"

static int open_scope(void **state)
{
	*state = lp_scope_open(NULL, "test");
	return 0;
}

static int close_scope(void **state)
{
	struct lp_scope *scope = *state;

	lp_scope_close(&scope);
	return 0;
}

/* What a gateway needs: the default set and one model of one capability. */
static struct lp_capabilities want(struct lp_scope *scope, uint32_t capability, const char *model)
{
	struct lp_capabilities caps;

	lp_capabilities_init(&caps, scope, LP_SPAN("0.9.1"));
	lp_capabilities_add_model(scope, &caps, capability,
				  &(struct lp_model_terms){ .model = lp_span(model) });
	return caps;
}

static struct lp_capabilities offer(struct lp_scope *scope)
{
	struct lp_capabilities caps;
	struct lp_model_terms turbo = { .model = LP_SPAN("turbo"),
					.capacity = 2,
					.runner_version = LP_SPAN("0.14.1") };
	struct lp_model_terms hot = { .model = LP_SPAN("hot"), .warm = true, .capacity = 1 };

	lp_capabilities_init(&caps, scope, LP_SPAN("0.9.1"));
	lp_capabilities_add_model(scope, &caps, 27, &turbo);
	lp_capabilities_add_model(scope, &caps, 27, &hot);
	return caps;
}

static void the_network_agrees_on_versions(void **state)
{
	json_t *all = vectors_open(*state, "network"), *row;
	size_t i;

	assert_true(json_array_size(json_object_get(all, "version_checks")) >= 13);
	json_array_foreach(json_object_get(all, "version_checks"), i, row)
	{
		struct lp_span min = lp_json_str(row, "min"), have = lp_json_str(row, "have");

		assert_int_equal(lp_version_satisfies(min, have),
				 json_is_true(json_object_get(row, "ok")));
	}
}

static void odd_versions_do_not_parse(void **state)
{
	(void)state;
	static const char *const odd[] = {
		"x",      "1.",     "1..2",     "1.2.3.4", "1.2.3-", "1.2.3-a..b",
		"1.2.3+", "1.2.3 ", "1.2.3-a.", "-1",      "1.x",    "9999999999999999999"
	};

	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		assert_false(lp_version_satisfies(LP_SPAN("0.0.1"), lp_span(odd[i])));
		assert_true(lp_version_satisfies(lp_span(odd[i]), LP_SPAN("0.0.1")));
	}
	assert_true(lp_version_satisfies(LP_SPAN("1.2.3"), LP_SPAN("v1.2.3-rc.1+build.7")));
	assert_false(lp_version_satisfies(LP_SPAN("1.2.3"), LP_SPAN("1.2.2")));
	assert_false(lp_version_satisfies(LP_SPAN("1.2.3"), LP_SPAN("")));
	assert_true(lp_version_satisfies(LP_SPAN("1.2.3"), LP_SPAN("1.10")));
}

static void the_default_set_is_the_networks(void **state)
{
	struct lp_capabilities caps;

	lp_capabilities_init(&caps, *state, LP_SPAN("1"));
	assert_int_equal(caps.bits[0], 67133439);
	assert_int_equal(caps.n_bits, 1);
	assert_int_equal(caps.n_capacities, 15);
	assert_true(lp_capabilities_has(&caps, 26));
	assert_false(lp_capabilities_has(&caps, 13));
	assert_false(lp_capabilities_has(&caps, 5000));
	assert_true(caps.has_constraints);
}

static void a_capability_above_63_takes_a_second_word(void **state)
{
	struct lp_capabilities caps;

	lp_capabilities_init(&caps, *state, LP_SPAN("1"));
	lp_capabilities_set(&caps, 70);
	assert_int_equal(caps.n_bits, 2);
	assert_int_equal(caps.bits[1], 1 << 6);
}

static void adding_a_model_sets_bit_capacity_and_constraint(void **state)
{
	struct lp_capabilities caps = want(*state, 27, "turbo");

	assert_int_equal(caps.bits[0], 201351167);
	assert_int_equal(caps.n_capacities, 16);
	assert_int_equal(caps.capacities[15].capability, 27);
	assert_int_equal(caps.capacities[15].count, 1);
	assert_non_null(lp_capabilities_model(&caps, 27, LP_SPAN("turbo")));
	assert_null(lp_capabilities_model(&caps, 27, LP_SPAN("Turbo")));
	assert_null(lp_capabilities_model(&caps, 28, LP_SPAN("turbo")));
}

static void slots_of_one_model_add_up(void **state)
{
	struct lp_capabilities caps = offer(*state);
	struct lp_model_terms more = {
		.model = LP_SPAN("turbo"), .warm = true, .capacity = 3, .in_use = 1
	};

	lp_capabilities_add_model(*state, &caps, 27, &more);
	const struct lp_model_terms *terms = lp_capabilities_model(&caps, 27, LP_SPAN("turbo"));

	assert_int_equal(terms->capacity, 5);
	assert_int_equal(terms->in_use, 1);
	assert_true(terms->warm);
	assert_true(lp_span_is(terms->runner_version, "0.14.1"));
	assert_int_equal(caps.caps[0].n, 2);
	assert_int_equal(caps.n_capacities, 16);
}

static void of_a_key_that_came_twice_the_last_counts(void **state)
{
	(void)state;
	struct lp_model_terms models[] = {
		{ .model = LP_SPAN("m"), .capacity = 1 },
		{ .model = LP_SPAN("m"), .capacity = 2 },
	};
	struct lp_cap_models caps[] = { { 27, NULL, 0 }, { 27, models, 2 } };
	struct lp_capabilities have = { .caps = caps, .n_caps = 2 };

	assert_int_equal(lp_capabilities_model(&have, 27, LP_SPAN("m"))->capacity, 2);
}

static void a_copy_does_not_share_memory(void **state)
{
	struct lp_scope *other = lp_scope_open(NULL, "other");
	struct lp_capabilities from = offer(other), to;

	from.min_version = LP_SPAN("0.8.0");
	lp_capabilities_copy(*state, &to, &from);
	assert_ptr_not_equal(to.version.at, from.version.at);
	lp_scope_close(&other);
	assert_true(lp_span_is(to.version, "0.9.1"));
	assert_true(lp_span_is(to.min_version, "0.8.0"));
	assert_int_equal(lp_capabilities_model(&to, 27, LP_SPAN("turbo"))->capacity, 2);
	assert_int_equal(to.n_capacities, 16);
	lp_capabilities_copy(*state, &from, &(struct lp_capabilities){ 0 });
	assert_int_equal(from.n_caps, 0);
}

static void assert_refused(const struct lp_capabilities *need, const struct lp_capabilities *have,
			   const char *words)
{
	struct lp_err e;

	assert_int_equal(lp_capabilities_check(need, have, &e), LP_INCOMPATIBLE);
	assert_string_equal(e.words, words);
}

static void what_is_offered_is_compatible(void **state)
{
	struct lp_capabilities need = want(*state, 27, "turbo"), have = offer(*state);

	assert_int_equal(lp_capabilities_check(&need, &have, NULL), LP_OK);
}

static void rule_1_an_older_version_is_refused(void **state)
{
	struct lp_capabilities need = want(*state, 27, "turbo"), have = offer(*state);

	need.min_version = LP_SPAN("0.10");
	assert_refused(&need, &have, "version 0.9.1 is older than 0.10");
}

static void rule_2_a_mandatory_bit_must_be_asked_for(void **state)
{
	struct lp_capabilities need = want(*state, 27, "turbo"), have = offer(*state);

	have.n_mandatories = 1;
	have.mandatories[0] = 1ULL << 27;
	assert_int_equal(lp_capabilities_check(&need, &have, NULL), LP_OK);
	have.mandatories[0] |= 1ULL << 13;
	assert_refused(&need, &have, "a mandatory capability is not asked for");
	have.mandatories[0] = 0;
	have.n_mandatories = 2;
	assert_refused(&need, &have, "a mandatory capability is not asked for");
}

static void rule_3_the_model_must_be_there_warm_and_new_enough(void **state)
{
	struct lp_capabilities have = offer(*state);
	struct lp_capabilities need = want(*state, 27, "other");

	assert_refused(&need, &have, "model other is not offered");
	need = want(*state, 27, "turbo");
	need.caps[0].models[0].warm = true;
	assert_refused(&need, &have, "model turbo is not warm");
	need.caps[0].models[0].warm = false;
	need.caps[0].models[0].runner_version = LP_SPAN("0.15");
	assert_refused(&need, &have, "the runner of model turbo is older than 0.15");
}

static void rule_3_says_nothing_where_nothing_is_constrained(void **state)
{
	struct lp_capabilities need = want(*state, 27, "other"), have = offer(*state);

	have.n_caps = 0;
	assert_int_equal(lp_capabilities_check(&need, &have, NULL), LP_OK);
}

static void rule_4_every_bit_must_be_there(void **state)
{
	struct lp_capabilities need = want(*state, 27, "turbo"), have = offer(*state);

	lp_capabilities_set(&need, 40);
	assert_refused(&need, &have, "a capability is missing");
	need = want(*state, 27, "turbo");
	need.n_bits = 2;
	assert_refused(&need, &have, "a capability is missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_network_agrees_on_versions),
		cmocka_unit_test(odd_versions_do_not_parse),
		cmocka_unit_test(the_default_set_is_the_networks),
		cmocka_unit_test(a_capability_above_63_takes_a_second_word),
		cmocka_unit_test(adding_a_model_sets_bit_capacity_and_constraint),
		cmocka_unit_test(slots_of_one_model_add_up),
		cmocka_unit_test(of_a_key_that_came_twice_the_last_counts),
		cmocka_unit_test(a_copy_does_not_share_memory),
		cmocka_unit_test(what_is_offered_is_compatible),
		cmocka_unit_test(rule_1_an_older_version_is_refused),
		cmocka_unit_test(rule_2_a_mandatory_bit_must_be_asked_for),
		cmocka_unit_test(rule_3_the_model_must_be_there_warm_and_new_enough),
		cmocka_unit_test(rule_3_says_nothing_where_nothing_is_constrained),
		cmocka_unit_test(rule_4_every_bit_must_be_there),
	};

	return cmocka_run_group_tests(tests, open_scope, close_scope);
}
