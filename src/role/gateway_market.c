/* role/gateway_market - the orchestrators of a gateway: who they are, and by which rules one is chosen, as the
 * options say. */
#include "address.h"
#include "gateway_job.h"

#include <string.h>

#include <lpd/base/json.h>
#include <lpd/base/map.h>
#include <lpd/io/file.h>
#include <lpd/market/orch_list.h>
#include <lpd/market/poll.h>

#define LIST_LIMIT (16 << 20)		/* bytes of a webhook's answer, and of the scores */

/* ---- whom to ask ---- */

static enum lp_code read_addresses(struct lp_gateway *gw, struct lp_discovery_want *want, struct lp_err *e)
{
	const struct lp_span *items;
	size_t n = lp_option_list(gw->node->options, LP_OPT_ORCH_ADDR, &items);
	struct lp_url *urls = lp_new_array(gw->scope, struct lp_url, n);
	struct lp_err why;

	for (size_t i = 0; i < n; i++)
		if (lp_peer_address(gw->scope, &urls[i], items[i], &why) != LP_OK)
			return lp_fail(e, LP_CONFIG, "-orchAddr: %s", lp_err_words(&why));
	if (n == 0)
		lp_log(gw->node->log, LP_UNUSUAL, "no orchestrators", "hint=-orchAddr");
	want->addresses = urls;
	want->n_addresses = (int)n;
	return LP_OK;
}

static enum lp_code on_list(void *self, struct lp_span body, struct lp_err *e)
{
	struct lp_gateway *gw = self;
	struct lp_scope *scope = lp_scope_open(NULL, "list");
	struct lp_orch_list list;
	struct lp_url *urls;
	int n = 0;

	if (lp_orch_list_read(scope, &list, body, e) != LP_OK) {
		lp_scope_close(&scope);
		return e->code;
	}
	urls = lp_new_array(scope, struct lp_url, (size_t)list.n);
	for (int i = 0; i < list.n; i++) {
		if (lp_peer_address(scope, &urls[n], list.addresses[i], NULL) == LP_OK && !urls[n].unix_path)
			n++;
		else
			list.skipped++;
	}
	lp_log(gw->node->log, list.skipped ? LP_UNUSUAL : LP_INFO, "list of orchestrators", "n=%d skipped=%d", n,
	       list.skipped);
	lp_discovery_set(gw->discovery, urls, n);
	lp_scope_close(&scope);
	return LP_OK;
}

static void on_no_list(void *self)
{
	struct lp_gateway *gw = self;

	lp_discovery_no_list(gw->discovery);
}

static enum lp_code on_scores(void *self, struct lp_span body, struct lp_err *e)
{
	struct lp_gateway *gw = self;
	struct lp_span region = lp_span(lp_option_text(gw->node->options, LP_OPT_REGION));
	struct lp_perf perf;

	if (lp_perf_read(&perf, body, region, e) != LP_OK)
		return e->code;
	lp_log(gw->node->log, LP_INFO, "scores of orchestrators", "n=%d region=%.*s", perf.n, LP_ARG(region));
	lp_roster_perf(gw->roster, NULL);
	lp_perf_clear(&gw->perf);
	gw->perf = perf;
	/* Scores of another region, or of nobody, say nothing about anybody. */
	if (perf.n)
		lp_roster_perf(gw->roster, &gw->perf);
	return LP_OK;
}

static enum lp_code poll(struct lp_gateway *gw, enum lp_option option, const struct lp_poll_want *how, struct lp_err *e)
{
	struct lp_poll_want want = *how;
	struct lp_url url;
	struct lp_err why;

	want.name = lp_option_flag(option);
	want.url = lp_span(lp_option_text(gw->node->options, option));
	if (!want.url.len)
		return LP_OK;
	if (lp_url_parse(gw->scope, &url, want.url, &why) != LP_OK || url.unix_path)
		return lp_fail(e, LP_CONFIG, "-%s must be a URL like https://example.org/list", want.name);
	if (!gw->fetcher)
		gw->fetcher = lp_fetcher_open(gw->scope, gw->node->loop);
	want.loop = gw->node->loop;
	want.fetcher = gw->fetcher;
	want.limit = LIST_LIMIT;
	want.log = gw->node->log;
	want.self = gw;
	lp_poll_open(gw->scope, &want);
	return LP_OK;
}

static enum lp_code open_polls(struct lp_gateway *gw, double min_perf, struct lp_err *e)
{
	const struct lp_poll_want list = { .interval = LP_MIN, .timeout = 3 * LP_SEC, .on_body = on_list,
					   .on_failure = on_no_list };
	const struct lp_poll_want scores = { .interval = 10 * LP_MIN, .timeout = 30 * LP_SEC, .on_body = on_scores };

	if (poll(gw, LP_OPT_ORCH_WEBHOOK_URL, &list, e) != LP_OK)
		return e->code;
	if (min_perf > 0 && !*lp_option_text(gw->node->options, LP_OPT_ORCH_PERF_STATS_URL))
		return lp_fail(e, LP_CONFIG, "-minPerfScore needs -orchPerfStatsUrl, where scores come from");
	return poll(gw, LP_OPT_ORCH_PERF_STATS_URL, &scores, e);
}

/* ---- the rules ---- */

/* [{"model_id": ..., "pipeline": ..., "minVersion": ...}]: bad entries are named, not skipped in silence. */
static enum lp_code read_minimums(struct lp_gateway *gw, struct lp_roster_rules *rules, struct lp_err *e)
{
	const char *text = lp_option_text(gw->node->options, LP_OPT_AI_MIN_RUNNER_VERSION);
	struct lp_roster_minimum *all;
	struct lp_err why;
	json_t *list;

	if (lp_json_parse(gw->scope, &list, lp_span(text), &why) != LP_OK || !json_is_array(list))
		return lp_fail(e, LP_CONFIG, "-aiMinRunnerVersion is no JSON array");
	all = lp_new_array(gw->scope, struct lp_roster_minimum, json_array_size(list));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		const struct lp_pipeline *pipeline = lp_pipeline_find(lp_json_str(entry, "pipeline"));

		all[i].model = lp_span_dup(gw->scope, lp_json_str(entry, "model_id"));
		all[i].version = lp_span_dup(gw->scope, lp_json_str(entry, "minVersion"));
		if (!pipeline || !all[i].model.len || !all[i].version.len)
			return lp_fail(e, LP_CONFIG, "-aiMinRunnerVersion: entry %zu needs a known pipeline, a "
				       "model_id and a minVersion", i + 1);
		all[i].capability = pipeline->capability;
	}
	rules->minimums = all;
	rules->n_minimums = (int)json_array_size(list);
	return LP_OK;
}

/* The unset list is empty, and an empty entry names nobody (BUG-55). */
static enum lp_code read_blocklist(struct lp_gateway *gw, struct lp_roster_rules *rules, struct lp_err *e)
{
	const struct lp_span *items;
	size_t n = lp_option_list(gw->node->options, LP_OPT_ORCH_BLOCKLIST, &items);
	struct lp_address *all = lp_new_array(gw->scope, struct lp_address, n);

	for (size_t i = 0; i < n; i++) {
		if (!lp_span_trim(items[i]).len)
			continue;
		if (!lp_address_read(&all[rules->n_blocked++], lp_span_trim(items[i])))
			return lp_fail(e, LP_CONFIG, "-orchBlocklist: '%.*s' is no Ethereum address", LP_ARG(items[i]));
	}
	rules->blocked = all;
	return LP_OK;
}

static enum lp_code read_number(struct lp_gateway *gw, double *out, enum lp_option option, double most, struct lp_err *e)
{
	const char *text = lp_option_text(gw->node->options, option);

	if (!lp_span_f64(lp_span(text), out) || *out < 0 || *out > most)
		return lp_fail(e, LP_CONFIG, "-%s: '%s' is no number from 0 to %g", lp_option_flag(option), text, most);
	return LP_OK;
}

static enum lp_code read_weights(struct lp_gateway *gw, struct lp_roster_rules *rules, struct lp_err *e)
{
	struct lp_select_want *w = &rules->weights;
	double sum;

	if (read_number(gw, &w->by_stake, LP_OPT_SELECT_STAKE_WEIGHT, 1, e) != LP_OK ||
	    read_number(gw, &w->by_price, LP_OPT_SELECT_PRICE_WEIGHT, 1, e) != LP_OK ||
	    read_number(gw, &w->by_chance, LP_OPT_SELECT_RAND_FREQ, 1, e) != LP_OK ||
	    read_number(gw, &w->price_factor, LP_OPT_SELECT_PRICE_EXP_FACTOR, 1e30, e) != LP_OK)
		return e->code;
	sum = w->by_stake + w->by_price + w->by_chance;
	if (sum < 1 - 0.0001 || sum > 1 + 0.0001)
		return lp_fail(e, LP_CONFIG, "-selectStakeWeight, -selectPriceWeight and -selectRandFreq must add up "
			       "to 1, not to %g", sum);
	if (w->price_factor <= 0)
		return lp_fail(e, LP_CONFIG, "-selectPriceExpFactor must be above 0");
	return read_number(gw, &rules->min_perf, LP_OPT_MIN_PERF_SCORE, 1e9, e);
}

/* The JSON itself, or a file that holds it. */
static enum lp_code read_max_prices(struct lp_gateway *gw, struct lp_roster_rules *rules, struct lp_err *e)
{
	const struct lp_options *o = gw->node->options;
	struct lp_max_prices *max = lp_new(gw->scope, struct lp_max_prices);
	const char *text = lp_option_text(o, LP_OPT_MAX_PRICE_PER_CAPABILITY);
	struct lp_span json = lp_span_trim(lp_span(text));
	struct lp_err why;

	if (lp_usd_read(&max->usd, lp_span_trim(lp_span(lp_option_text(o, LP_OPT_ETH_USD_PRICE))), &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "-ethUsdPrice: %s", lp_err_words(&why));
	if (lp_max_price_read(max, lp_span(lp_option_text(o, LP_OPT_MAX_PRICE_PER_UNIT)),
			      lp_span(lp_option_text(o, LP_OPT_PIXELS_PER_UNIT)), &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "-maxPricePerUnit: %s", lp_err_words(&why));
	if (json.len && !lp_span_starts(json, "{") && !lp_span_starts(json, "[") &&
	    lp_file_read(gw->scope, &json, text, LIST_LIMIT, &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "-maxPricePerCapability: %s", lp_err_words(&why));
	if (json.len && lp_max_prices_read(gw->scope, max, json, &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "-maxPricePerCapability: %s", lp_err_words(&why));
	rules->max_prices = gw->max_prices = max;
	rules->dear_if_needed = gw->dear_if_needed = lp_option_bool(o, LP_OPT_IGNORE_MAX_PRICE_IF_NEEDED);
	return LP_OK;
}

static enum lp_code read_rules(struct lp_gateway *gw, struct lp_roster_rules *rules, struct lp_err *e)
{
	if (read_minimums(gw, rules, e) != LP_OK || read_blocklist(gw, rules, e) != LP_OK ||
	    read_weights(gw, rules, e) != LP_OK)
		return e->code;
	return read_max_prices(gw, rules, e);
}

/* ---- deadlines ---- */

/* "llm=2m": how long a job of that pipeline may take. */
static enum lp_code read_times(const struct lp_gateway *gw, int64_t *times, struct lp_err *e)
{
	const struct lp_span *items;
	size_t n = lp_option_list(gw->node->options, LP_OPT_PIPELINE_TIMEOUTS, &items);
	const struct lp_pipeline *rows, *pipeline;
	int n_rows;

	rows = lp_pipelines(&n_rows);
	for (int i = 0; i < n_rows; i++)
		times[i] = gw->job_time;
	for (size_t i = 0; i < n; i++) {
		struct lp_span time = items[i], name = lp_span_cut(&time, '=');

		pipeline = lp_pipeline_find(lp_span_trim(name));
		if (!pipeline)
			return lp_fail(e, LP_CONFIG, "-pipelineTimeouts: there is no pipeline '%.*s'", LP_ARG(name));
		if (!lp_duration_parse(lp_span_trim(time), &times[pipeline - rows]) ||
		    times[pipeline - rows] <= 0)
			return lp_fail(e, LP_CONFIG, "-pipelineTimeouts: '%.*s' needs a time, like %.*s=2m",
				       LP_ARG(items[i]), LP_ARG(name));
	}
	return LP_OK;
}

/* All of them or none. */
enum lp_code lp_gateway_read_timeouts(struct lp_gateway *gw, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(NULL, "times");
	int n;

	lp_pipelines(&n);
	int64_t *times = lp_new_array(scope, int64_t, (size_t)n);
	enum lp_code code = read_times(gw, times, e);

	if (!gw->pipeline_time)
		gw->pipeline_time = lp_new_array(gw->scope, int64_t, (size_t)n);
	if (code == LP_OK)
		memcpy(gw->pipeline_time, times, (size_t)n * sizeof(*times));
	lp_scope_close(&scope);
	return code;
}

int64_t lp_gateway_job_time(const struct lp_gateway *gw, const struct lp_pipeline *pipeline)
{
	int n;

	return gw->pipeline_time[pipeline - lp_pipelines(&n)];
}

/* ---- both ---- */

/* Everything that options say; the choice between a list that comes and addresses that were given. */
static enum lp_code read_all(struct lp_gateway *gw, struct lp_roster_rules *rules, struct lp_discovery_want *want,
			     struct lp_err *e)
{
	const struct lp_options *options = gw->node->options;
	double extra_nodes;

	want->list_comes = *lp_option_text(options, LP_OPT_ORCH_WEBHOOK_URL);
	if (read_number(gw, &extra_nodes, LP_OPT_EXTRA_NODES, 100, e) != LP_OK)
		return e->code;
	want->extra_nodes = (int)extra_nodes;
	if (lp_gateway_read_timeouts(gw, e) != LP_OK || read_rules(gw, rules, e) != LP_OK)
		return e->code;
	if (!want->list_comes)
		return read_addresses(gw, want, e);
	if (lp_option_given(options, LP_OPT_ORCH_ADDR))
		lp_log(gw->node->log, LP_UNUSUAL, "-orchAddr is not used",
		       "why=\"-orchWebhookUrl names the orchestrators\"");
	return LP_OK;
}

enum lp_code lp_gateway_market_check(struct lp_gateway *gw, struct lp_buf *told, struct lp_err *e)
{
	struct lp_roster_rules rules = { 0 };
	struct lp_discovery_want want = { 0 };

	if (read_all(gw, &rules, &want, e) != LP_OK)
		return e->code;
	if (want.list_comes)
		lp_buf_add_text(told, "gateway: asks the orchestrators that -orchWebhookUrl names\n");
	else
		lp_buf_fmt(told, "gateway: asks %d orchestrators\n", want.n_addresses);
	return LP_OK;
}

enum lp_code lp_gateway_market_open(struct lp_gateway *gw, struct lp_err *e)
{
	struct lp_node *node = gw->node;
	struct lp_roster_rules rules = {
		.min_version = lp_span(lp_option_text(node->options, LP_OPT_ORCH_MIN_LIVEPEER_VERSION)),
		.stale = 5 * LP_MIN,
	};
	struct lp_discovery_want want = {
		.loop = node->loop,
		.client = node->client,
		.version = gw->version,
		.interval = lp_option_duration(node->options, LP_OPT_DISCOVERY_INTERVAL),
		.timeout = lp_option_duration(node->options, LP_OPT_DISCOVERY_TIMEOUT),
		.dice = &node->dice,
		.log = node->log,
		.metrics = node->metrics,
	};

	/* An answer may be used for a few rounds in which no better one came. */
	if (rules.stale < 3 * want.interval)
		rules.stale = 3 * want.interval;
	if (read_all(gw, &rules, &want, e) != LP_OK)
		return e->code;
	if (gw->purse) {
		want.address = lp_span_of(gw->purse->address.bytes, LP_ADDRESS_LEN);
		want.sig = lp_span_of(gw->purse->proof.bytes, sizeof(gw->purse->proof.bytes));
	}
	gw->roster = lp_roster_open(gw->scope, &rules, &node->dice);
	want.roster = gw->roster;
	gw->discovery = lp_discovery_open(gw->scope, &want);
	gw->credentials = lp_map_new();
	return open_polls(gw, rules.min_perf, e);
}
