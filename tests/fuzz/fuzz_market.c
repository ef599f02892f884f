/* What others and operators say of the market: a webhook's list, a board's scores, price limits, a client's pin.
 * The first byte chooses which. */
#include <lpd/base/assert.h>
#include <lpd/market/orch_list.h>
#include <lpd/market/pin.h>
#include <lpd/market/terms.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void list(struct lp_scope *scope, struct lp_span text)
{
	struct lp_orch_list out;

	if (lp_orch_list_read(scope, &out, text, NULL) != LP_OK)
		return;
	for (int i = 0; i < out.n; i++)
		lp_assert(out.addresses[i].len > 0 && out.addresses[i].len <= text.len);
}

static void scores(struct lp_span text)
{
	struct lp_perf perf;

	if (lp_perf_read(&perf, text, LP_SPAN("FRA"), NULL) == LP_OK)
		lp_assert(lp_perf_of(&perf, LP_SPAN("")) == 0);
	lp_perf_clear(&perf);
}

static void prices(struct lp_scope *scope, struct lp_span text)
{
	struct lp_max_prices max = { 0 };
	struct lp_span rest = text, price = lp_span_cut(&rest, '/');
	struct lp_err e;

	if (lp_max_price_read(&max, price, rest, &e) != LP_OK)
		lp_assert(e.code == LP_CONFIG);
	if (lp_max_prices_read(scope, &max, text, &e) != LP_OK)
		lp_assert(e.code == LP_CONFIG);
	for (int i = 0; i < max.n_rows; i++)
		lp_max_price_of(&max, max.rows[i].capability, max.rows[i].model);
}

static void pin(struct lp_span text)
{
	struct lp_pin pin;

	if (lp_pin_parse(&pin, text, NULL) != LP_OK)
		return;
	lp_assert(pin.n <= LP_PIN_WORDS && pin.n_wanted <= pin.n);
	if (lp_pin_allows(&pin, LP_SPAN("https://[::1]:8935"), LP_SPAN("")))
		return;
	lp_assert(pin.n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_span text = len ? lp_span_of(at + 1, len - 1) : LP_SPAN("");

	switch (len ? at[0] % 4 : 0) {
	case 0:
		list(scope, text);
		break;
	case 1:
		scores(text);
		break;
	case 2:
		prices(scope, text);
		break;
	case 3:
		pin(text);
		break;
	}
	lp_scope_close(&scope);
	return 0;
}
