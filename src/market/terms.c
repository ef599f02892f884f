#include <lpd/market/terms.h>

#include <ctype.h>
#include <math.h>
#include <string.h>

#include <lpd/base/json.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>
#include <lpd/eth/address.h>
#include <lpd/market/pipeline.h>

#define PERF_ROWS 100000

/* ---- prices ---- */

/* "12", "0.5", "1e12" for the units of a price: exact, no exponent but a whole one. */
static enum lp_code read_units(struct lp_price *out, struct lp_span text, struct lp_err *e)
{
	struct lp_span digits = text, currency;
	ptrdiff_t mark = lp_span_find_icase(text, "e");
	uint64_t places = 0;

	if (mark >= 0) {
		struct lp_span exponent = lp_span_skip(text, (size_t)mark + 1);

		digits = lp_span_of(text.at, (size_t)mark);
		if (lp_span_starts(exponent, "+"))
			exponent = lp_span_skip(exponent, 1);
		if (!lp_span_u64(exponent, &places) || places > 30)
			return lp_fail(e, LP_CONFIG, "'%.*s' is no number of units", LP_ARG(text));
	}
	if (lp_price_read(out, &currency, digits, e) != LP_OK || currency.len || lp_price_is_free(*out))
		return lp_fail(e, LP_CONFIG, "'%.*s' is no number of units above 0", LP_ARG(text));
	for (; places; places--) {
		struct lp_price ten = { { { 10, 0, 0, 0 } }, { { 1, 0, 0, 0 } } };

		if (!lp_price_mul(out, *out, ten))
			return lp_fail(e, LP_CONFIG, "'%.*s' units are too many", LP_ARG(text));
	}
	return LP_OK;
}

/* What an operator wrote for one price. */
struct written {
	struct lp_span price, currency, units;
};

static enum lp_code in_wei(struct lp_price *price, struct lp_span currency, struct lp_price usd, struct lp_err *e)
{
	bool dollars = lp_span_is_icase(currency, "usd");

	if (lp_price_in_wei(price, *price, currency, dollars ? usd : LP_PRICE_FREE, NULL) == LP_OK)
		return LP_OK;
	if (dollars && lp_price_is_free(usd))
		return lp_fail(e, LP_CONFIG, "a price in USD needs an exchange rate: give -ethUsdPrice");
	if (dollars)
		return lp_fail(e, LP_CONFIG, "the price has too many digits");
	return lp_fail(e, LP_CONFIG, "a price in '%.*s' needs an exchange rate, which lpd does not know: give it in "
		       "wei, eth or USD", LP_ARG(currency));
}

static enum lp_code read_price(struct lp_price *out, const struct written *w, struct lp_price usd, struct lp_err *e)
{
	struct lp_price price, per = { { { 1, 0, 0, 0 } }, { { 1, 0, 0, 0 } } };
	struct lp_span suffix;

	if (lp_price_read(&price, &suffix, w->price, e) != LP_OK)
		return e ? e->code : LP_CONFIG;
	if (w->units.len && read_units(&per, w->units, e) != LP_OK)
		return e ? e->code : LP_CONFIG;
	if (in_wei(&price, suffix.len ? suffix : w->currency, usd, e) != LP_OK)
		return LP_CONFIG;
	if (!lp_price_div(out, price, per))
		return lp_fail(e, LP_CONFIG, "the price '%.*s' is too large", LP_ARG(w->price));
	return LP_OK;
}

enum lp_code lp_usd_read(struct lp_price *out, struct lp_span text, struct lp_err *e)
{
	struct lp_span suffix;

	*out = LP_PRICE_FREE;
	if (!text.len)
		return LP_OK;
	if (lp_price_read(out, &suffix, text, NULL) != LP_OK || lp_price_is_free(*out) ||
	    (suffix.len && !lp_span_is_icase(suffix, "usd")))
		return lp_fail(e, LP_CONFIG, "'%.*s' is no number of dollars above 0", LP_ARG(text));
	return LP_OK;
}

enum lp_code lp_max_price_read(struct lp_max_prices *out, struct lp_span price, struct lp_span units, struct lp_err *e)
{
	out->has_any = false;
	if (!price.len)
		return LP_OK;
	if (read_price(&out->any, &(struct written){ price, LP_SPAN(""), units }, out->usd, e) != LP_OK)
		return e ? e->code : LP_CONFIG;
	out->has_any = !lp_price_is_free(out->any);
	return LP_OK;
}

/* Operators write numbers and strings. */
static struct lp_span number_text(struct lp_scope *scope, const json_t *object, const char *key)
{
	const json_t *value = lp_json_get(object, key);

	if (json_is_integer(value))
		return lp_span(lp_fmt(scope, "%lld", (long long)json_integer_value(value)));
	if (json_is_real(value))
		return lp_span(lp_fmt(scope, "%.15f", json_real_value(value)));
	return lp_json_str(object, key);
}

static enum lp_code read_row(struct lp_scope *scope, struct lp_max_price *row, const json_t *entry,
			     struct lp_price usd, struct lp_err *e)
{
	const struct lp_pipeline *pipeline = lp_pipeline_find(lp_json_str(entry, "pipeline"));
	const struct written w = { number_text(scope, entry, "price_per_unit"), lp_json_str(entry, "currency"),
				   number_text(scope, entry, "pixels_per_unit") };
	struct lp_span model = lp_json_str(entry, "model_id");

	if (!pipeline)
		return lp_fail(e, LP_CONFIG, "the pipeline is not known");
	if (!w.price.len)
		return lp_fail(e, LP_CONFIG, "price_per_unit is missing");
	row->capability = pipeline->capability;
	row->model = model.len ? lp_span_dup(scope, model) : LP_SPAN("default");
	return read_price(&row->price, &w, usd, e);
}

enum lp_code lp_max_prices_read(struct lp_scope *scope, struct lp_max_prices *out, struct lp_span json, struct lp_err *e)
{
	struct lp_max_price *rows;
	struct lp_err why = { 0 };
	const json_t *list;
	json_t *root;
	size_t n;

	out->rows = NULL;
	out->n_rows = 0;
	if (lp_json_parse(scope, &root, json, &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "no JSON: %s", lp_err_words(&why));
	list = json_is_array(root) ? root : lp_json_get(root, "capabilities_prices");
	if (!json_is_array(list))
		return lp_fail(e, LP_CONFIG, "there is no list \"capabilities_prices\"");
	n = json_array_size(list);
	rows = lp_new_array(scope, struct lp_max_price, n);
	for (size_t i = 0; i < n; i++)
		if (read_row(scope, &rows[i], json_array_get(list, i), out->usd, &why) != LP_OK)
			return lp_fail(e, LP_CONFIG, "entry %zu: %s", i + 1, lp_err_words(&why));
	out->rows = rows;
	out->n_rows = (int)n;
	return LP_OK;
}

/* Model, else the capability's default, else -maxPricePerUnit; a price of 0 sets no limit. */
const struct lp_price *lp_max_price_of(const struct lp_max_prices *max, uint32_t capability, struct lp_span model)
{
	const struct lp_price *found = NULL;

	for (int i = 0; max && i < max->n_rows; i++) {
		const struct lp_max_price *row = &max->rows[i];

		if (row->capability != capability)
			continue;
		if (lp_span_eq(row->model, model)) {
			found = &row->price;
			break;
		}
		if (lp_span_is(row->model, "default"))
			found = &row->price;
	}
	if (found && !lp_price_is_free(*found))
		return found;
	return max && max->has_any ? &max->any : NULL;
}

/* ---- scores ---- */

static const json_t *find_region(const json_t *regions, struct lp_span region)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)regions, key, value)
		if (lp_span_is_icase(region, key))
			return value;
	return NULL;
}

static void add_score(struct lp_perf *out, const char *key, const json_t *regions, struct lp_span region)
{
	const json_t *entry = json_is_object(regions) ? find_region(regions, region) : NULL;
	const json_t *score = json_is_object(entry) ? lp_json_get(entry, "score") : NULL;
	struct lp_address address;

	if (!json_is_number(score) || !isfinite(json_number_value(score)) || !lp_address_read(&address, lp_span(key)))
		return;
	out->values[out->n] = json_number_value(score);
	lp_map_put(out->scores, lp_span_of(address.bytes, LP_ADDRESS_LEN), &out->values[out->n]);
	out->n++;
}

enum lp_code lp_perf_read(struct lp_perf *out, struct lp_span json, struct lp_span region, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(NULL, "perf");
	enum lp_code code = LP_OK;
	const char *key;
	json_t *root, *regions;

	*out = (struct lp_perf){ 0 };
	if (lp_json_parse(scope, &root, json, e) != LP_OK)
		code = LP_BAD_PEER;
	else if (!json_is_object(root) || json_object_size(root) > PERF_ROWS)
		code = lp_fail(e, LP_BAD_PEER, "the scores are no JSON object of at most %d members", PERF_ROWS);
	if (code == LP_OK) {
		out->scores = lp_map_new();
		out->values = lp_mem_zeroed(json_object_size(root) + 1, sizeof(*out->values));
		json_object_foreach(root, key, regions)
			add_score(out, key, regions, region);
	}
	lp_scope_close(&scope);
	return code;
}

void lp_perf_clear(struct lp_perf *perf)
{
	if (perf->scores)
		lp_map_free(&perf->scores);
	lp_mem_free(perf->values);
	*perf = (struct lp_perf){ 0 };
}

double lp_perf_of(const struct lp_perf *perf, struct lp_span address)
{
	const double *score = perf && perf->scores ? lp_map_find(perf->scores, address) : NULL;

	return score ? *score : 0;
}
