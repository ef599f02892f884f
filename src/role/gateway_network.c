/* role/gateway_network - what the gateway knows of the network, in the JSON of the node that we replace: pools of
 * orchestrators as /getAISessionPoolsInfo has them, and their own words as /getNetworkCapabilities has them
 * (network-protocol 8.6).  Members that are zero are left out, as there. */
#include "admin_calls.h"

#include <lpd/base/hex.h>
#include <lpd/base/json.h>
#include <lpd/base/map.h>
#include <lpd/pay/params.h>

#include "gateway_job.h"

/* ---- members of objects ---- */

static void member(struct lp_buf *to, const char *key)
{
	char last = to->len ? lp_buf_span(to).at[to->len - 1] : '{';

	lp_buf_fmt(to, "%s\"%s\":", last == '{' || last == '[' ? "" : ",", key);
}

static void text_member(struct lp_buf *to, const char *key, struct lp_span value)
{
	if (!value.len)
		return;
	member(to, key);
	lp_json_write_str(to, value);
}

static void number_member(struct lp_buf *to, const char *key, int64_t value)
{
	if (!value)
		return;
	member(to, key);
	lp_buf_fmt(to, "%lld", (long long)value);
}

/* In front of an element. */
static void comma(struct lp_buf *to)
{
	char last = lp_buf_span(to).at[to->len - 1];

	if (last != '[' && last != '{')
		lp_buf_add_char(to, ',');
}

/* ---- pools ---- */

enum { COLD, WARM };

/* One (capability, model): whoever offers it, and who rests. */
struct pool {
	struct lp_buf rows[2], resting;
	int size[2], in_use[2];
	int64_t answered;	/* mono, the latest */
};

struct pools {
	struct lp_scope *scope;
	struct lp_map *by_key;
	int64_t now;
	struct lp_buf key;	/* of the one that is looked for */
};

static void pool_clear(void *arg)
{
	struct pool *pool = arg;

	lp_buf_clear(&pool->rows[COLD]);
	lp_buf_clear(&pool->rows[WARM]);
	lp_buf_clear(&pool->resting);
}

static struct pool *pool_get(struct pools *pools, uint32_t capability, struct lp_span model)
{
	struct pool *pool;

	lp_buf_reset(&pools->key);
	lp_buf_fmt(&pools->key, "%u_%.*s", capability, LP_ARG(model));
	pool = lp_map_find(pools->by_key, lp_buf_span(&pools->key));
	if (pool)
		return pool;
	pool = lp_new(pools->scope, struct pool);
	lp_defer(pools->scope, pool_clear, pool);
	lp_map_put(pools->by_key, lp_buf_span(&pools->key), pool);
	return pool;
}

/* A resting one stands in the pool too, as there; the number beside it says for how many more rounds. */
static void add_to_pool(struct pool *pool, const struct lp_orch *orch, const struct lp_orch_offer *offer, int kind)
{
	struct lp_buf *rows = &pool->rows[kind];

	if (rows->len)
		lp_buf_add_char(rows, ',');
	lp_buf_add_text(rows, "{\"url\":");
	lp_json_write_str(rows, lp_orch_info(orch)->transcoder);
	lp_buf_fmt(rows, ",\"latency_score\":%g,\"in_flight\":%d}", offer->score, offer->in_flight);
	pool->size[kind]++;
	pool->in_use[kind] += offer->in_flight > 0;
	if (lp_orch_answered_at(orch) > pool->answered)
		pool->answered = lp_orch_answered_at(orch);
	if (!offer->suspended)
		return;
	if (pool->resting.len)
		lp_buf_add_char(&pool->resting, ',');
	lp_json_write_str(&pool->resting, lp_orch_info(orch)->transcoder);
	lp_buf_fmt(&pool->resting, ":%d", offer->failures > 0 ? offer->failures : 1);
}

static void add_orch(struct pools *pools, const struct lp_orch *orch)
{
	const struct lp_orch_info *info = lp_orch_info(orch);

	for (int c = 0; info && c < info->capabilities.n_caps; c++) {
		const struct lp_cap_models *caps = &info->capabilities.caps[c];

		for (int m = 0; m < caps->n; m++) {
			struct lp_orch_offer offer;

			lp_orch_offer(orch, &offer, caps->capability, caps->models[m].model, pools->now);
			add_to_pool(pool_get(pools, caps->capability, caps->models[m].model), orch, &offer,
				    caps->models[m].warm ? WARM : COLD);
		}
	}
}

static void write_side(struct lp_buf *to, const struct pool *pool, const char *name, int kind)
{
	lp_buf_fmt(to, "\"%s\":{\"size\":%d,\"in_use\":%d,\"orchestrators\":[", name, pool->size[kind],
		   pool->in_use[kind]);
	lp_buf_add_span(to, lp_buf_span(&pool->rows[kind]));
	lp_buf_add_text(to, "]},");
}

static void write_pool(struct lp_buf *to, struct lp_span key, const struct pool *pool, int64_t epoch)
{
	char time[32];

	comma(to);
	lp_json_write_str(to, key);
	lp_buf_add_text(to, ":{");
	write_side(to, pool, "cold", COLD);
	write_side(to, pool, "warm", WARM);
	lp_buf_fmt(to, "\"last_refresh\":\"%s\",\"suspended\":{\"list\":{", lp_time_text(epoch + pool->answered, time));
	lp_buf_add_span(to, lp_buf_span(&pool->resting));
	lp_buf_add_text(to, "},\"current_count\":0}}");
}

void lp_gateway_write_pools(const struct lp_gateway *gw, struct lp_buf *to)
{
	struct lp_loop *loop = gw->node->loop;
	struct pools pools = { .scope = lp_scope_open(NULL, "pools"), .by_key = lp_map_new(), .now = lp_mono(loop) };
	struct lp_span key;
	struct lp_orch *orch;
	void *pool;
	size_t at = 0;

	while (lp_roster_next(gw->roster, &at, &orch))
		add_orch(&pools, orch);
	lp_buf_add_char(to, '{');
	for (at = 0; lp_map_next(pools.by_key, &at, &key, &pool);)
		write_pool(to, key, pool, lp_wall(loop) - pools.now);
	lp_buf_add_char(to, '}');
	lp_map_free(&pools.by_key);
	lp_buf_clear(&pools.key);
	lp_scope_close(&pools.scope);
}

/* ---- the network ---- */

static void write_words(struct lp_buf *to, const char *key, const uint64_t *words, int n)
{
	if (!n)
		return;
	member(to, key);
	lp_buf_add_char(to, '[');
	for (int i = 0; i < n; i++) {
		comma(to);
		lp_buf_add_u64(to, words[i]);
	}
	lp_buf_add_char(to, ']');
}

static void write_capacities(struct lp_buf *to, const struct lp_capabilities *caps)
{
	if (!caps->n_capacities)
		return;
	member(to, "capacities");
	lp_buf_add_char(to, '{');
	for (int i = 0; i < caps->n_capacities; i++) {
		comma(to);
		lp_buf_fmt(to, "\"%u\":%u", caps->capacities[i].capability, caps->capacities[i].count);
	}
	lp_buf_add_char(to, '}');
}

static void write_terms(struct lp_buf *to, const struct lp_model_terms *terms)
{
	comma(to);
	lp_json_write_str(to, terms->model);
	lp_buf_add_text(to, ":{");
	if (terms->warm)
		lp_buf_add_text(to, "\"warm\":true");
	number_member(to, "capacity", terms->capacity);
	text_member(to, "runnerVersion", terms->runner_version);
	number_member(to, "capacityInUse", terms->in_use);
	lp_buf_add_char(to, '}');
}

static void write_constraints(struct lp_buf *to, const struct lp_capabilities *caps)
{
	member(to, "constraints");
	lp_buf_add_char(to, '{');
	text_member(to, "minVersion", caps->min_version);
	if (caps->n_caps)
		member(to, "PerCapability");
	for (int i = 0; i < caps->n_caps; i++) {
		lp_buf_fmt(to, "%s\"%u\":{\"models\":{", i ? "," : "{", caps->caps[i].capability);
		for (int m = 0; m < caps->caps[i].n; m++)
			write_terms(to, &caps->caps[i].models[m]);
		lp_buf_add_text(to, "}}");
	}
	lp_buf_add_text(to, caps->n_caps ? "}}" : "}");
}

static void write_capabilities(struct lp_buf *to, const struct lp_capabilities *caps)
{
	member(to, "capabilities");
	lp_buf_add_char(to, '{');
	write_words(to, "bitstring", caps->bits, caps->n_bits);
	write_words(to, "mandatories", caps->mandatories, caps->n_mandatories);
	write_capacities(to, caps);
	text_member(to, "version", caps->version);
	if (caps->has_constraints)
		write_constraints(to, caps);
	lp_buf_add_char(to, '}');
}

static void write_price(struct lp_buf *to, const struct lp_price_info *price)
{
	lp_buf_add_char(to, '{');
	number_member(to, "pricePerUnit", price->price_per_unit);
	number_member(to, "pixelsPerUnit", price->pixels_per_unit);
	number_member(to, "capability", price->capability);
	text_member(to, "constraint", price->constraint);
	lp_buf_add_char(to, '}');
}

static void write_prices(struct lp_buf *to, const struct lp_orch_info *info)
{
	if (info->price.present) {
		member(to, "price_info");
		write_price(to, &info->price);
	}
	if (!info->n_prices)
		return;
	member(to, "capabilities_prices");
	lp_buf_add_char(to, '[');
	for (int i = 0; i < info->n_prices; i++) {
		comma(to);
		write_price(to, &info->prices[i]);
	}
	lp_buf_add_char(to, ']');
}

static void write_gpu(struct lp_buf *to, const struct lp_gpu_info *gpu)
{
	comma(to);
	lp_json_write_str(to, gpu->key);
	lp_buf_add_text(to, ":{");
	text_member(to, "id", gpu->id);
	text_member(to, "name", gpu->name);
	number_member(to, "major", gpu->major);
	number_member(to, "minor", gpu->minor);
	number_member(to, "memory_free", gpu->memory_free);
	number_member(to, "memory_total", gpu->memory_total);
	lp_buf_add_char(to, '}');
}

static void write_hardware(struct lp_buf *to, const struct lp_orch_info *info)
{
	if (!info->n_hardware)
		return;
	member(to, "hardware");
	lp_buf_add_char(to, '[');
	for (int i = 0; i < info->n_hardware; i++) {
		const struct lp_hardware *h = &info->hardware[i];

		comma(to);
		lp_buf_add_char(to, '{');
		text_member(to, "pipeline", h->pipeline);
		text_member(to, "model_id", h->model);
		if (h->n_gpus)
			member(to, "gpu_info");
		for (int g = 0; g < h->n_gpus; g++) {
			lp_buf_add_text(to, g ? "" : "{");
			write_gpu(to, &h->gpus[g]);
		}
		lp_buf_add_text(to, h->n_gpus ? "}}" : "}");
	}
	lp_buf_add_char(to, ']');
}

static void write_address(struct lp_buf *to, const char *key, struct lp_span bytes)
{
	char hex[41];

	if (bytes.len != 20)
		return;
	member(to, key);
	lp_buf_fmt(to, "\"0x%s\"", lp_hex_write(hex, bytes.at, 20));
}

/* "address" is who is paid, which the ticket parameters name; off-chain there are none. */
static void write_member(struct lp_buf *to, const struct lp_orch_info *info)
{
	struct lp_span paid = info->address;
	struct lp_params params;
	struct lp_err e;

	if (info->has_ticket_params && lp_params_read(&params, info->ticket_params, &e) == LP_OK)
		paid = lp_span_of(&params.recipient, sizeof(params.recipient));
	comma(to);
	lp_buf_add_char(to, '{');
	write_address(to, "address", paid);
	write_address(to, "local_address", info->address);
	text_member(to, "orch_uri", info->transcoder);
	if (info->has_capabilities)
		write_capabilities(to, &info->capabilities);
	write_prices(to, info);
	write_hardware(to, info);
	lp_buf_add_char(to, '}');
}

void lp_gateway_write_network(const struct lp_gateway *gw, struct lp_buf *to)
{
	struct lp_orch *orch;
	size_t at = 0;
	int n;
	const struct lp_pipeline *rows = lp_pipelines(&n);

	lp_buf_add_text(to, "{\"capabilities_names\":{");
	for (int i = 0; i < n; i++)
		lp_buf_fmt(to, "%s\"%u\":\"%s\"", i ? "," : "", rows[i].capability, rows[i].title);
	lp_buf_add_text(to, "},\"orchestrators\":[");
	while (lp_roster_next(gw->roster, &at, &orch))
		if (lp_orch_info(orch))
			write_member(to, lp_orch_info(orch));
	lp_buf_add_text(to, "]}");
}
