/* market/roster - see the header; roster_priv.h tells what is in which file. */
#include "roster_priv.h"

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

/* How many questions in a row may fail before an answer that is still young is not used any more. */
#define MISSES 2

static const struct lp_roster_rules usual = {
	.stale = 5 * LP_MIN,
	.busy_base = 250 * LP_MSEC,
	.busy_max = 10 * LP_SEC,
	.suspend_base = 2 * LP_SEC,
	.suspend_max = 2 * LP_MIN,
};

void lp_orch_hold(struct lp_orch *orch)
{
	orch->refs++;
}

void lp_orch_let_go(struct lp_orch *orch)
{
	lp_assert(orch->refs > 0);
	if (--orch->refs)
		return;
	lp_offers_free(orch);
	lp_scope_close(&orch->scope);
	lp_mem_free(orch);
}

static void roster_close(void *arg)
{
	struct lp_roster *roster = arg;
	for (int i = 0; i < roster->n; i++)
		lp_orch_let_go(roster->rows[i]);
	lp_mem_free(roster->rows);
	lp_agenda_clear(&roster->stale);
	lp_pools_free(roster);
	lp_map_free_all(&roster->stakes, lp_mem_free);
	lp_map_free(&roster->by_address);
}

struct lp_roster *lp_roster_open(struct lp_scope *scope, const struct lp_roster_rules *rules, struct lp_dice *dice)
{
	struct lp_roster *roster = lp_new(scope, struct lp_roster);
	struct lp_roster_rules *r = &roster->rules;

	*r = rules ? *rules : usual;
	r->stale = r->stale ? r->stale : usual.stale;
	r->busy_base = r->busy_base ? r->busy_base : usual.busy_base;
	r->busy_max = r->busy_max ? r->busy_max : usual.busy_max;
	r->suspend_base = r->suspend_base ? r->suspend_base : usual.suspend_base;
	r->suspend_max = r->suspend_max ? r->suspend_max : usual.suspend_max;
	r->min_version = lp_span_dup(scope, r->min_version);
	roster->scope = scope;
	roster->dice = dice;
	roster->by_address = lp_map_new();
	roster->pools = lp_map_new();
	roster->stakes = lp_map_new();
	lp_defer(scope, roster_close, roster);
	return roster;
}

static void roster_append(struct lp_roster *roster, struct lp_orch *orch)
{
	if (roster->n == roster->cap) {
		roster->cap = roster->cap ? 2 * roster->cap : 16;
		roster->rows = lp_mem_grow(roster->rows, (size_t)roster->cap * sizeof(*roster->rows));
	}
	orch->at = roster->n;
	roster->rows[roster->n++] = orch;
}

struct lp_orch *lp_roster_row(struct lp_roster *roster, struct lp_span address)
{
	struct lp_orch *orch = lp_map_find(roster->by_address, address);

	if (orch)
		return orch;
	orch = lp_mem_zeroed(1, sizeof(*orch) + address.len + 1);
	orch->roster = roster;
	memcpy(orch + 1, address.at, address.len);
	orch->address = lp_span_of(orch + 1, address.len);
	orch->refs = 1;
	lp_list_init(&orch->offers);
	roster_append(roster, orch);
	lp_map_put(roster->by_address, address, orch);
	return orch;
}

void lp_roster_remove(struct lp_roster *roster, struct lp_span address)
{
	struct lp_orch *orch = lp_map_take(roster->by_address, address);

	if (!orch)
		return;
	/* The last takes its place: a list may replace thousands in one turn of the loop. */
	roster->rows[orch->at] = roster->rows[--roster->n];
	roster->rows[orch->at]->at = orch->at;
	orch->removed = true;
	roster->n_reached -= orch->reached;
	orch->reached = false;
	lp_agenda_set(&roster->stale, &orch->stale, LP_NEVER);
	lp_offers_judge(orch);
	lp_orch_let_go(orch);
}

/* ---- what an orchestrator says of itself ---- */

static struct lp_span dup(struct lp_scope *scope, struct lp_span text)
{
	return lp_span_dup(scope, text);
}

static void copy_prices(struct lp_scope *scope, struct lp_orch_info *to, const struct lp_orch_info *from)
{
	to->price.constraint = dup(scope, from->price.constraint);
	to->prices = lp_new_array(scope, struct lp_price_info, (size_t)from->n_prices);
	for (int i = 0; i < from->n_prices; i++) {
		to->prices[i] = from->prices[i];
		to->prices[i].constraint = dup(scope, from->prices[i].constraint);
	}
	to->nodes = lp_new_array(scope, struct lp_span, (size_t)from->n_nodes);
	for (int i = 0; i < from->n_nodes; i++)
		to->nodes[i] = dup(scope, from->nodes[i]);
}

/* The hardware list is for people who look at a network; a gateway has no use for it and does not keep it. */
static void info_copy(struct lp_scope *scope, struct lp_orch_info *to, const struct lp_orch_info *from)
{
	*to = *from;
	to->transcoder = dup(scope, from->transcoder);
	to->address = dup(scope, from->address);
	to->ticket_params = dup(scope, from->ticket_params);
	to->auth_token.token = dup(scope, from->auth_token.token);
	to->auth_token.session_id = dup(scope, from->auth_token.session_id);
	to->hardware = NULL;
	to->n_hardware = 0;
	copy_prices(scope, to, from);
	memset(&to->capabilities, 0, sizeof(to->capabilities));
	if (from->has_capabilities)
		lp_capabilities_copy(scope, &to->capabilities, &from->capabilities);
}

bool lp_orch_reached(const struct lp_orch *orch, int64_t now)
{
	return orch->scope && orch->misses < MISSES && now - orch->answered_at <= orch->roster->rules.stale;
}

/* Can it be reached, by now?  What it offers stands and falls with that. */
void lp_orch_look(struct lp_orch *orch)
{
	struct lp_roster *roster = orch->roster;
	bool reached = !orch->removed && lp_orch_reached(orch, roster->now);

	lp_agenda_set(&roster->stale, &orch->stale,
		      reached ? orch->answered_at + roster->rules.stale + 1 : LP_NEVER);
	if (reached == orch->reached)
		return;
	roster->n_reached += reached ? 1 : -1;
	orch->reached = reached;
	lp_offers_judge(orch);
}

struct lp_span lp_orch_identity(const struct lp_orch *orch)
{
	static const char zero[20];
	struct lp_span address = orch->scope ? orch->info.address : LP_SPAN("");

	return address.len == sizeof(zero) && memcmp(address.at, zero, sizeof(zero)) != 0 ? address : LP_SPAN("");
}

static bool is_blocked(const struct lp_orch *orch)
{
	const struct lp_roster_rules *r = &orch->roster->rules;
	struct lp_span address = lp_orch_identity(orch);

	for (int i = 0; address.len && i < r->n_blocked; i++)
		if (memcmp(r->blocked[i].bytes, address.at, address.len) == 0)
			return true;
	return false;
}

void lp_orch_answered(struct lp_orch *orch, const struct lp_orch_info *info, int64_t took, int64_t now)
{
	struct lp_scope *scope = lp_scope_open(NULL, "orch-info");

	orch->roster->now = now;
	info_copy(scope, &orch->info, info);
	lp_scope_close(&orch->scope);
	orch->scope = scope;
	orch->answered_at = now;
	orch->latency = took;
	orch->misses = 0;
	orch->blocked = is_blocked(orch);
	lp_orch_look(orch);
	lp_offers_told(orch);
}

void lp_orch_unreached(struct lp_orch *orch, const struct lp_err *why, int64_t now)
{
	(void)why;	/* discovery logs it; here only that it happened counts */
	orch->roster->now = now;
	orch->misses++;
	lp_orch_look(orch);
}

/* ---- what others say of it ---- */

void lp_roster_perf(struct lp_roster *roster, const struct lp_perf *perf)
{
	roster->perf = perf;
	for (int i = 0; i < roster->n; i++)
		lp_offers_rated(roster->rows[i]);
}

double lp_orch_stake(const struct lp_orch *orch)
{
	const double *stake = lp_map_find(orch->roster->stakes, lp_orch_identity(orch));

	return stake ? *stake : 0;
}

void lp_roster_stake(struct lp_roster *roster, struct lp_span address, double stake)
{
	double *kept = lp_map_find(roster->stakes, address);

	if (!kept) {
		kept = lp_mem_get(sizeof(*kept));
		lp_map_put(roster->stakes, address, kept);
	}
	*kept = stake;
}

void lp_roster_staked(struct lp_roster *roster)
{
	for (int i = 0; i < roster->n; i++)
		lp_offers_judge(roster->rows[i]);
}

struct lp_span lp_orch_address(const struct lp_orch *orch)
{
	return orch->address;
}

const struct lp_orch_info *lp_orch_info(const struct lp_orch *orch)
{
	return orch->scope ? &orch->info : NULL;
}

int64_t lp_orch_answered_at(const struct lp_orch *orch)
{
	return orch->answered_at;
}

bool lp_orch_token_fresh(const struct lp_orch *orch, int64_t wall_now, int64_t now)
{
	if (!orch->scope || !orch->info.auth_token.present)
		return false;
	/* Its end is told by the orchestrator's clock.  Where that and ours differ by more than a token's life, a
	 * token would seem old as soon as it came, and every job would first ask for another. */
	if (now - orch->answered_at < 2 * LP_MIN)
		return true;
	/* A token lives 30 minutes; one in its last three is renewed first (network-protocol 7.4). */
	return lp_auth_token_left(&orch->info.auth_token, wall_now / LP_SEC) >= 180;
}

struct lp_span lp_roster_min_runner(const struct lp_roster *roster, uint32_t capability, struct lp_span model)
{
	for (int i = 0; i < roster->rules.n_minimums; i++) {
		const struct lp_roster_minimum *m = &roster->rules.minimums[i];

		if (m->capability == capability && lp_span_eq(m->model, model))
			return m->version;
	}
	return LP_SPAN("");
}

/* ---- for people ---- */

const char *lp_orch_state(const struct lp_orch *orch, int64_t now)
{
	bool any = false, open = false, busy = false;

	if (!lp_orch_reached(orch, now))
		return "unreached";
	if (lp_spell_rests(&orch->suspended, now))
		return "suspended";
	lp_list_each(&orch->offers, o, struct lp_offer, link) {
		if (!o->told && !o->in_flight)
			continue;
		any = true;
		if (!lp_offer_has_room(o, now))
			busy = true;
		else if (!lp_spell_rests(&o->suspended, now))
			open = true;
	}
	if (!any || open)
		return "ready";
	return busy ? "busy" : "suspended";
}

void lp_orch_offer(const struct lp_orch *orch, struct lp_orch_offer *out, uint32_t capability, struct lp_span model,
		   int64_t now)
{
	const struct lp_offer *o = lp_offer_find(orch, capability, model);

	*out = (struct lp_orch_offer){ 0 };
	if (!o)
		return;
	out->score = o->score;
	out->in_flight = o->in_flight;
	out->failures = o->failures;
	out->busy = !lp_offer_has_room(o, now);
	out->suspended = lp_spell_rests(&o->suspended, now);
}

void lp_roster_count(const struct lp_roster *roster, struct lp_roster_count *out, int64_t now)
{
	*out = (struct lp_roster_count){ .known = roster->n };
	for (int i = 0; i < roster->n; i++) {
		const char *state = lp_orch_state(roster->rows[i], now);

		out->ready += strcmp(state, "ready") == 0;
		out->busy += strcmp(state, "busy") == 0;
		out->suspended += strcmp(state, "suspended") == 0;
		out->unreached += strcmp(state, "unreached") == 0;
		lp_list_each(&roster->rows[i]->offers, o, struct lp_offer, link)
			out->in_flight += o->in_flight;
	}
}

bool lp_roster_next(const struct lp_roster *roster, size_t *at, struct lp_orch **orch)
{
	if (*at >= (size_t)roster->n)
		return false;
	*orch = roster->rows[(*at)++];
	return true;
}
