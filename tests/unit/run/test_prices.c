#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/run/prices.h>

#define MODELS \
	"[{\"pipeline\":\"text-to-image\",\"model_id\":\"a\",\"url\":\"http://h\",\"price_per_unit\":7}," \
	"{\"pipeline\":\"text-to-image\",\"model_id\":\"free\",\"url\":\"http://h\",\"price_per_unit\":0}," \
	"{\"pipeline\":\"text-to-image\",\"model_id\":\"none\",\"url\":\"http://h\"}," \
	"{\"pipeline\":\"llm\",\"model_id\":\"a\",\"url\":\"http://h\",\"price_per_unit\":\"0.5e-2USD\"," \
	"\"pixels_per_unit\":1000}," \
	"{\"pipeline\":\"text-to-image\",\"model_id\":\"a\",\"price_per_unit\":3,\"pixels_per_unit\":2," \
	"\"gateway\":\"0x0101010101010101010101010101010101010101\"}]"
#define FRIEND "0x0202020202020202020202020202020202020202"

static const struct lp_address nobody = { { 9 } };

static struct lp_address gateway(uint8_t n)
{
	struct lp_address a;

	for (int i = 0; i < LP_ADDRESS_LEN; i++)
		a.bytes[i] = n;
	return a;
}

static struct lp_price ratio(uint64_t num, uint64_t den)
{
	struct lp_price p;

	assert_true(lp_price_of(&p, lp_u256_of(num), lp_u256_of(den)));
	return p;
}

static enum lp_code read_prices(struct lp_scope *scope, struct lp_prices *out, struct lp_prices_want want,
				struct lp_err *e)
{
	struct lp_models *models = lp_new(scope, struct lp_models);

	assert_int_equal(lp_models_parse(scope, models, LP_SPAN(MODELS), NULL, e), LP_OK);
	want.models = models;
	return lp_prices_read(scope, out, &want, e);
}

static void assert_price(const struct lp_prices *prices, struct lp_address who, uint32_t capability, const char *model,
			 struct lp_price is)
{
	const struct lp_price *price = lp_prices_of(prices, who, capability, lp_span(model));

	assert_non_null(price);
	assert_int_equal(lp_price_cmp(*price, is), 0);
}

static void a_model_has_its_price_and_a_gateway_its_own(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_prices prices;
	struct lp_err e;

	(void)state;
	assert_int_equal(read_prices(scope, &prices, (struct lp_prices_want){ .usd = ratio(2500, 1) }, &e), LP_OK);
	assert_price(&prices, nobody, 27, "a", ratio(7, 1));
	assert_price(&prices, gateway(1), 27, "a", ratio(3, 2));
	assert_price(&prices, nobody, 27, "free", LP_PRICE_FREE);
	/* 0.005 dollars for 1000 tokens are 0.000002 ether, at 2500 dollars */
	assert_price(&prices, nobody, 33, "a", ratio(2000000000, 1));
	assert_null(lp_prices_of(&prices, nobody, 27, LP_SPAN("none")));
	assert_null(lp_prices_of(&prices, nobody, 28, LP_SPAN("a")));
	lp_scope_close(&scope);
}

static void what_has_no_price_of_its_own_costs_the_gateways_or_the_common_one(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	const struct lp_prices_want want = {
		.per_unit = LP_SPAN("0.000000001eth"), .units = LP_SPAN("1e3"), .usd = ratio(2500, 1),
		.per_gateway = LP_SPAN("{\"broadcasters\":[{\"ethaddress\":\"" FRIEND "\",\"priceperunit\":12.5,"
				       "\"pixelsperunit\":10}]}"),
	};
	struct lp_prices prices;
	struct lp_err e;

	(void)state;
	assert_int_equal(read_prices(scope, &prices, want, &e), LP_OK);
	assert_price(&prices, nobody, 27, "none", ratio(1000000, 1));
	assert_price(&prices, gateway(2), 27, "none", ratio(5, 4));
	assert_price(&prices, gateway(2), 27, "a", ratio(7, 1));
	assert_price(&prices, nobody, 0, "", ratio(1000000, 1));
	lp_scope_close(&scope);
}

static void each_fault_is_named(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_price usd = ratio(2500, 1);
	struct {
		struct lp_prices_want want;
		const char *words;
	} rows[] = {
		{ { .per_unit = LP_SPAN("5") }, "-ethUsdPrice" },
		{ { .per_unit = LP_SPAN("x"), .usd = usd }, "-pricePerUnit" },
		{ { .per_unit = LP_SPAN("1EUR"), .usd = usd }, "'EUR'" },
		{ { .per_unit = LP_SPAN("1"), .units = LP_SPAN("0"), .usd = usd }, "-pixelsPerUnit" },
		{ { .per_gateway = LP_SPAN("[]"), .usd = usd }, "-pricePerGateway" },
		{ { .per_gateway = LP_SPAN("{\"gateways\":[{\"ethaddress\":\"1\",\"priceperunit\":1}]}"), .usd = usd },
		  "entry 1" },
		{ { .per_gateway = LP_SPAN("{\"gateways\":[{\"ethaddress\":\"" FRIEND "\"}]}"), .usd = usd }, "entry 1" },
		{ { .per_unit = LP_SPAN("99999999999999999999999"), .usd = usd }, "-pricePerUnit" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct lp_prices prices;
		struct lp_err e = { 0 };

		assert_int_equal(read_prices(scope, &prices, rows[i].want, &e), LP_CONFIG);
		if (!strstr(lp_err_words(&e), rows[i].words))
			fail_msg("%zu: %s", i, lp_err_words(&e));
	}
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_model_has_its_price_and_a_gateway_its_own),
		cmocka_unit_test(what_has_no_price_of_its_own_costs_the_gateways_or_the_common_one),
		cmocka_unit_test(each_fault_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
