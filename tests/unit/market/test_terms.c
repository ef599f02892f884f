#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/market/terms.h>

#define T2I 27
#define UPSCALE 30

static struct lp_price wire(int64_t per_unit, int64_t units)
{
	struct lp_price price;

	assert_int_equal(lp_price_of_wire(&price, per_unit, units, NULL), LP_OK);
	return price;
}

static bool is(const struct lp_price *price, int64_t per_unit, int64_t units)
{
	return price && lp_price_cmp(*price, wire(per_unit, units)) == 0;
}

static void one_limit_for_all(void **state)
{
	struct lp_max_prices max = { 0 };
	struct lp_err e = { 0 };

	(void)state;
	assert_int_equal(lp_max_price_read(&max, LP_SPAN("100"), LP_SPAN("1"), &e), LP_OK);
	assert_true(is(lp_max_price_of(&max, T2I, LP_SPAN("m")), 100, 1));
	assert_int_equal(lp_max_price_read(&max, LP_SPAN("0.5wei"), LP_SPAN("1e3"), &e), LP_OK);
	assert_true(is(lp_max_price_of(&max, T2I, LP_SPAN("m")), 1, 2000));
	assert_int_equal(lp_max_price_read(&max, LP_SPAN("0.000001eth"), LP_SPAN("1e12"), &e), LP_OK);
	assert_true(is(lp_max_price_of(&max, T2I, LP_SPAN("m")), 1, 1));
}

static void none_or_nought_sets_no_limit(void **state)
{
	struct lp_max_prices max = { .has_any = true };
	struct lp_err e = { 0 };

	(void)state;
	assert_int_equal(lp_max_price_read(&max, LP_SPAN(""), LP_SPAN("1"), &e), LP_OK);
	assert_null(lp_max_price_of(&max, T2I, LP_SPAN("m")));
	assert_int_equal(lp_max_price_read(&max, LP_SPAN("0"), LP_SPAN("1"), &e), LP_OK);
	assert_null(lp_max_price_of(&max, T2I, LP_SPAN("m")));
	assert_null(lp_max_price_of(NULL, T2I, LP_SPAN("m")));
}

static void a_model_goes_before_its_pipeline_and_that_before_all(void **state)
{
	static const char json[] = "{\"capabilities_prices\":["
		"{\"pipeline\":\"text-to-image\",\"model_id\":\"default\",\"price_per_unit\":20},"
		"{\"pipeline\":\"text-to-image\",\"model_id\":\"m\",\"price_per_unit\":\"30\",\"pixels_per_unit\":4},"
		"{\"pipeline\":\"llm\",\"price_per_unit\":0.5,\"pixels_per_unit\":\"1e6\",\"currency\":\"wei\"},"
		"{\"pipeline\":\"upscale\",\"model_id\":\"free\",\"price_per_unit\":0}]}";
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_max_prices max = { 0 };
	struct lp_err e = { 0 };

	(void)state;
	assert_int_equal(lp_max_price_read(&max, LP_SPAN("7"), LP_SPAN("1"), &e), LP_OK);
	assert_int_equal(lp_max_prices_read(scope, &max, lp_span(json), &e), LP_OK);
	assert_true(is(lp_max_price_of(&max, T2I, LP_SPAN("m")), 30, 4));
	assert_true(is(lp_max_price_of(&max, T2I, LP_SPAN("other")), 20, 1));
	assert_true(is(lp_max_price_of(&max, 33, LP_SPAN("any")), 1, 2000000));
	assert_true(is(lp_max_price_of(&max, UPSCALE, LP_SPAN("x")), 7, 1));
	assert_true(is(lp_max_price_of(&max, UPSCALE, LP_SPAN("free")), 7, 1));
	lp_scope_close(&scope);
}

static void a_mistake_is_named(void **state)
{
	static const struct {
		const char *json, *words;
	} rows[] = {
		{ "{", "no JSON" },
		{ "{}", "capabilities_prices" },
		{ "[{\"pipeline\":\"nonsense\",\"price_per_unit\":1}]", "entry 1: the pipeline is not known" },
		{ "[{\"pipeline\":\"llm\",\"price_per_unit\":1},{\"pipeline\":\"llm\"}]", "entry 2: price_per_unit is missing" },
		{ "[{\"pipeline\":\"llm\",\"price_per_unit\":\"1USD\"}]", "exchange rate" },
		{ "[{\"pipeline\":\"llm\",\"price_per_unit\":1,\"currency\":\"usd\"}]", "exchange rate" },
		{ "[{\"pipeline\":\"llm\",\"price_per_unit\":1,\"pixels_per_unit\":0}]", "above 0" },
		{ "[{\"pipeline\":\"llm\",\"price_per_unit\":-1}]", "entry 1" },
		{ "[7]", "entry 1" },
	};
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_max_prices max = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct lp_err e = { 0 };

		assert_int_equal(lp_max_prices_read(scope, &max, lp_span(rows[i].json), &e), LP_CONFIG);
		if (!strstr(lp_err_words(&e), rows[i].words))
			fail_msg("%s: %s", rows[i].json, lp_err_words(&e));
	}
	struct lp_err e = { 0 };

	assert_int_equal(lp_max_price_read(&max, LP_SPAN("0.02USD"), LP_SPAN("1"), &e), LP_CONFIG);
	assert_non_null(strstr(lp_err_words(&e), "-ethUsdPrice"));
	assert_int_equal(lp_max_price_read(&max, LP_SPAN("1EUR"), LP_SPAN("1"), &e), LP_CONFIG);
	assert_int_equal(lp_max_price_read(&max, LP_SPAN("1"), LP_SPAN("1e99"), &e), LP_CONFIG);
	assert_int_equal(lp_max_price_read(&max, LP_SPAN("x"), LP_SPAN("1"), &e), LP_CONFIG);
	lp_scope_close(&scope);
}

#define A "0x1111111111111111111111111111111111111111"

static void scores_are_read_for_one_region(void **state)
{
	static const char json[] = "{\"" A "\":{\"FRA\":{\"score\":0.75,\"success_rate\":1},\"LON\":{\"score\":0.1}},"
		"\"0x2222222222222222222222222222222222222222\":{\"LON\":{\"score\":0.5}},"
		"\"nobody\":{\"FRA\":{\"score\":1}},\"0x3333333333333333333333333333333333333333\":7}";
	struct lp_err e = { 0 };
	struct lp_perf perf;
	char one[20], two[20];

	(void)state;
	memset(one, 0x11, sizeof(one));
	memset(two, 0x22, sizeof(two));
	assert_int_equal(lp_perf_read(&perf, lp_span(json), LP_SPAN("fra"), &e), LP_OK);
	assert_true(lp_perf_of(&perf, lp_span_of(one, 20)) == 0.75);
	assert_true(lp_perf_of(&perf, lp_span_of(two, 20)) == 0);
	assert_true(lp_perf_of(&perf, LP_SPAN("")) == 0);
	assert_int_equal(perf.n, 1);
	lp_perf_clear(&perf);
	assert_int_equal(lp_perf_read(&perf, LP_SPAN("[1]"), LP_SPAN("FRA"), &e), LP_BAD_PEER);
	assert_int_equal(lp_perf_read(&perf, LP_SPAN("{\"a\""), LP_SPAN("FRA"), &e), LP_BAD_PEER);
	lp_perf_clear(&perf);
}

/* 0.02 dollars of 2500 a unit are 8e12 wei. */
static void with_a_rate_prices_may_be_in_dollars(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_max_prices max = { 0 };
	struct lp_err e;

	(void)state;
	assert_int_equal(lp_usd_read(&max.usd, LP_SPAN("2500"), &e), LP_OK);
	assert_int_equal(lp_max_price_read(&max, LP_SPAN("0.02USD"), LP_SPAN("1"), &e), LP_OK);
	assert_true(is(lp_max_price_of(&max, T2I, LP_SPAN("m")), 8000000000000, 1));
	assert_int_equal(lp_max_prices_read(scope, &max, LP_SPAN("[{\"pipeline\":\"text-to-image\",\"model_id\":\"m\","
								  "\"price_per_unit\":1,\"pixels_per_unit\":1000,"
								  "\"currency\":\"usd\"}]"), &e), LP_OK);
	assert_true(is(lp_max_price_of(&max, T2I, LP_SPAN("m")), 400000000000, 1));
	assert_int_equal(lp_max_price_read(&max, LP_SPAN("1EUR"), LP_SPAN("1"), &e), LP_CONFIG);
	lp_scope_close(&scope);
}

static void a_rate_is_a_number_above_zero(void **state)
{
	static const char *const bad[] = { "0", "-1", "x", "1EUR", "0.0USD", "1e3" };
	struct lp_price usd;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(lp_usd_read(&usd, lp_span(bad[i]), NULL), LP_CONFIG);
	assert_int_equal(lp_usd_read(&usd, LP_SPAN(""), NULL), LP_OK);
	assert_true(lp_price_is_free(usd));
	assert_int_equal(lp_usd_read(&usd, LP_SPAN("2500.5USD"), NULL), LP_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_limit_for_all),
		cmocka_unit_test(none_or_nought_sets_no_limit),
		cmocka_unit_test(a_model_goes_before_its_pipeline_and_that_before_all),
		cmocka_unit_test(a_mistake_is_named),
		cmocka_unit_test(scores_are_read_for_one_region),
		cmocka_unit_test(with_a_rate_prices_may_be_in_dollars),
		cmocka_unit_test(a_rate_is_a_number_above_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
