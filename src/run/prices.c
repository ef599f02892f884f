#include <lpd/run/prices.h>

#include <lpd/base/jsonscan.h>

#define GATEWAYS_MAX 10000
#define PLACES_MAX 60		/* of an exponent */

/* What an operator wrote for one price. */
struct written {
	struct lp_span number, units, currency;
	bool for_all;
	struct lp_address gateway;
	uint32_t capability;
	struct lp_span model;
};

static bool shift(struct lp_price *price, uint64_t places, bool down)
{
	const struct lp_price ten = { { { 10, 0, 0, 0 } }, { { 1, 0, 0, 0 } } };

	if (places > PLACES_MAX)
		return false;
	for (; places; places--)
		if (down ? !lp_price_div(price, *price, ten) : !lp_price_mul(price, *price, ten))
			return false;
	return true;
}

/* "12", "0.5", "1e12", "2.5e-3": exact. */
static bool read_number(struct lp_price *out, struct lp_span text)
{
	ptrdiff_t mark = lp_span_find_icase(text, "e");
	struct lp_span digits = text, currency, places = LP_SPAN("0");
	uint64_t n;
	bool down = false;

	if (mark >= 0) {
		digits = lp_span_of(text.at, (size_t)mark);
		places = lp_span_skip(text, (size_t)mark + 1);
		down = lp_span_starts(places, "-");
		if (down || lp_span_starts(places, "+"))
			places = lp_span_skip(places, 1);
	}
	return lp_span_u64(places, &n) && lp_price_read(out, &currency, digits, NULL) == LP_OK && !currency.len &&
	       shift(out, n, down);
}

static enum lp_code in_wei(struct lp_price *price, struct lp_span currency, struct lp_price usd, struct lp_err *e)
{
	bool dollars = lp_span_is_icase(currency, "usd");

	if (lp_price_in_wei(price, *price, currency, dollars ? usd : LP_PRICE_FREE, NULL) == LP_OK)
		return LP_OK;
	if (dollars && lp_price_is_free(usd))
		return lp_fail(e, LP_CONFIG, "a price in USD needs an exchange rate: give -ethUsdPrice");
	return lp_fail(e, LP_CONFIG, "a price in '%.*s' cannot be counted in wei: give it in wei, eth or USD",
		       LP_ARG(currency));
}

static enum lp_code add(struct lp_prices *to, const struct written *w, struct lp_price usd, struct lp_err *e)
{
	struct lp_price_row *row = &to->rows[to->n];
	struct lp_price units = { { { 1, 0, 0, 0 } }, { { 1, 0, 0, 0 } } };
	int64_t per_unit, n;

	*row = (struct lp_price_row){ w->for_all, w->gateway, w->capability, w->model, LP_PRICE_FREE };
	if (!read_number(&row->price, w->number))
		return lp_fail(e, LP_CONFIG, "the price '%.*s' is no number", LP_ARG(w->number));
	if (w->units.len && (!read_number(&units, w->units) || lp_price_is_free(units)))
		return lp_fail(e, LP_CONFIG, "'%.*s' is no number of units above 0", LP_ARG(w->units));
	if (in_wei(&row->price, w->currency, usd, e) != LP_OK)
		return e ? e->code : LP_CONFIG;
	if (!lp_price_div(&row->price, row->price, units) || !lp_price_wire(&per_unit, &n, row->price))
		return lp_fail(e, LP_CONFIG, "the price '%.*s' is beyond what can be told", LP_ARG(w->number));
	to->n++;
	return LP_OK;
}

/* ---- -pricePerUnit ---- */

static enum lp_code read_base(struct lp_prices *to, const struct lp_prices_want *want, struct lp_err *e)
{
	struct written w = { .number = want->per_unit, .units = want->units, .for_all = true };
	struct lp_price number;
	struct lp_span text = want->per_unit;
	struct lp_err why;

	if (!text.len)
		return LP_OK;
	if (lp_price_read(&number, &w.currency, text, &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "-pricePerUnit: %s", lp_err_words(&why));
	w.number = lp_span_of(text.at, text.len - w.currency.len);
	if (add(to, &w, want->usd, &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "-pricePerUnit, -pixelsPerUnit: %s", lp_err_words(&why));
	return LP_OK;
}

/* ---- aiModels.json ---- */

static enum lp_code read_model(struct lp_prices *to, const struct lp_model_entry *entry, struct lp_price usd,
			       struct lp_scope *scope, struct lp_err *e)
{
	struct written w = { .number = entry->price_per_unit, .currency = entry->currency,
			     .capability = entry->pipeline->capability, .model = entry->model_id };
	struct lp_err why;

	if (!entry->has_price)
		return LP_OK;
	w.for_all = lp_span_is(entry->gateway, "default");
	if (!w.for_all && !lp_address_read(&w.gateway, entry->gateway))
		return lp_fail(e, LP_CONFIG, "aiModels: the gateway '%.*s' is no address", LP_ARG(entry->gateway));
	if (entry->pixels_per_unit)
		w.units = lp_span(lp_fmt(scope, "%lld", (long long)entry->pixels_per_unit));
	if (add(to, &w, usd, &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "aiModels, %s %.*s: %s", entry->pipeline->name,
			       LP_ARG(entry->model_id), lp_err_words(&why));
	return LP_OK;
}

/* ---- -pricePerGateway ---- */

static struct lp_span member(struct lp_jval object, const char *key)
{
	struct lp_span name, text;
	struct lp_jval value;
	size_t at = 0;

	while (lp_jscan_each_member(object, &at, &name, &value)) {
		if (!lp_span_is_icase(name, key))
			continue;
		if (value.kind == LP_J_NUMBER)
			return value.raw;
		return lp_jscan_plain(value, &text) ? text : LP_SPAN("");
	}
	return LP_SPAN("");
}

static enum lp_code read_gateway(struct lp_prices *to, struct lp_jval entry, struct lp_scope *scope,
				 struct lp_price usd, struct lp_err *e)
{
	struct lp_span address = member(entry, "ethaddress");
	struct written w = { .number = lp_span_dup(scope, member(entry, "priceperunit")),
			     .units = lp_span_dup(scope, member(entry, "pixelsperunit")),
			     .currency = lp_span_dup(scope, member(entry, "currency")) };

	if (!lp_address_read(&w.gateway, address))
		return lp_fail(e, LP_CONFIG, "'%.*s' is no address", LP_ARG(address));
	return add(to, &w, usd, e);
}

static struct lp_jval gateways(struct lp_span text)
{
	struct lp_jval list = lp_jscan_get(lp_jscan(text), "gateways");

	return list.kind == LP_J_ARRAY ? list : lp_jscan_get(lp_jscan(text), "broadcasters");
}

static int count(struct lp_jval list)
{
	struct lp_jval entry;
	size_t at = 0;
	int n = 0;

	while (n <= GATEWAYS_MAX && lp_jscan_each(list, &at, &entry))
		n++;
	return n;
}

static enum lp_code read_gateways(struct lp_prices *to, const struct lp_prices_want *want, struct lp_scope *scope,
				  struct lp_err *e)
{
	struct lp_jval list = gateways(want->per_gateway), entry;
	struct lp_err why;
	size_t at = 0;

	if (!want->per_gateway.len)
		return LP_OK;
	if (list.kind != LP_J_ARRAY || count(list) > GATEWAYS_MAX)
		return lp_fail(e, LP_CONFIG, "-pricePerGateway must be {\"gateways\": [{\"ethaddress\", "
			       "\"priceperunit\", \"pixelsperunit\"}]}");
	for (int i = 1; lp_jscan_each(list, &at, &entry); i++)
		if (read_gateway(to, entry, scope, want->usd, &why) != LP_OK)
			return lp_fail(e, LP_CONFIG, "-pricePerGateway, entry %d: %s", i, lp_err_words(&why));
	return LP_OK;
}

/* ---- all of it ---- */

enum lp_code lp_prices_read(struct lp_scope *scope, struct lp_prices *out, const struct lp_prices_want *want,
			    struct lp_err *e)
{
	int n = 1 + want->models->n + (want->per_gateway.len ? count(gateways(want->per_gateway)) : 0);
	struct lp_prices made = { .rows = lp_new_array(scope, struct lp_price_row, (size_t)n) };

	if (read_base(&made, want, e) != LP_OK || read_gateways(&made, want, scope, e) != LP_OK)
		return LP_CONFIG;
	for (int i = 0; i < want->models->n; i++)
		if (read_model(&made, &want->models->at[i], want->usd, scope, e) != LP_OK)
			return LP_CONFIG;
	*out = made;
	return LP_OK;
}

/* How well a row fits: the model counts more than the gateway; 0: not at all. */
static int fit(const struct lp_price_row *row, struct lp_address gateway, uint32_t capability, struct lp_span model)
{
	if (!row->for_all && !lp_address_eq(row->gateway, gateway))
		return 0;
	if (row->capability && (row->capability != capability || !lp_span_eq(row->model, model)))
		return 0;
	return 1 + (row->capability ? 2 : 0) + (row->for_all ? 0 : 1);
}

const struct lp_price *lp_prices_of(const struct lp_prices *prices, struct lp_address gateway, uint32_t capability,
				    struct lp_span model)
{
	const struct lp_price *best = NULL;
	int most = 0;

	for (int i = 0; i < prices->n; i++) {
		int fits = fit(&prices->rows[i], gateway, capability, model);

		if (fits > most) {
			most = fits;
			best = &prices->rows[i].price;
		}
	}
	return best;
}
