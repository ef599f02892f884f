/* market/roster: all offers of one (capability, model), and the choice among them.  See roster_priv.h. */
#include "roster_priv.h"

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

/* How long at most until it is worth looking again, where a job may end. */
#define SOON LP_SEC

#define KEY (LP_MODEL_MAX + sizeof(uint32_t))

static struct lp_span key_of(char to[KEY], uint32_t capability, struct lp_span model)
{
	lp_assert(model.len <= LP_MODEL_MAX);
	memcpy(to, &capability, sizeof(capability));
	if (model.len)
		memcpy(to + sizeof(capability), model.at, model.len);
	return lp_span_of(to, sizeof(capability) + model.len);
}

static struct lp_pool *pool_find(const struct lp_roster *roster, uint32_t capability, struct lp_span model)
{
	char key[KEY];

	if (model.len > LP_MODEL_MAX)
		return NULL;
	return lp_map_find(roster->pools, key_of(key, capability, model));
}

/* The caller puts its candidate in. */
void lp_pool_join(struct lp_offer *o)
{
	struct lp_roster *roster = o->orch->roster;
	struct lp_pool *pool = pool_find(roster, o->capability, o->model);
	char key[KEY];

	if (!pool) {
		pool = lp_mem_zeroed(1, sizeof(*pool));
		lp_map_put(roster->pools, key_of(key, o->capability, o->model), pool);
	}
	o->pool = pool;
	pool->n++;
	pool->in_flight += o->in_flight;
}

static void pool_free(struct lp_pool *pool)
{
	lp_agenda_clear(&pool->agenda);
	lp_mem_free(pool);
}

void lp_pool_leave(struct lp_offer *o)
{
	struct lp_pool *pool = o->pool;
	char key[KEY];

	if (!pool)
		return;
	lp_field_drop(&pool->field, &o->candidate);
	lp_agenda_set(&pool->agenda, &o->alarm, LP_NEVER);
	pool->in_flight -= o->in_flight;
	o->pool = NULL;
	if (--pool->n)
		return;
	lp_map_take(o->orch->roster->pools, key_of(key, o->capability, o->model));
	pool_free(pool);
}

/* With the roster, when every offer has left: what is still there would be a bug. */
void lp_pools_free(struct lp_roster *roster)
{
	lp_assert(lp_map_count(roster->pools) == 0);
	lp_map_free(&roster->pools);
}

/* ---- choosing ---- */

/* Let time pass: rows whose answers are too old now, offers that have rested. */
static void catch_up(struct lp_roster *roster, struct lp_pool *pool, int64_t now)
{
	struct lp_alarm *alarm;

	roster->now = now;
	while ((alarm = lp_agenda_due(&roster->stale, now)))
		lp_orch_look(LP_CONTAINER(alarm, struct lp_orch, stale));
	while (pool && (alarm = lp_agenda_due(&pool->agenda, now)))
		lp_offer_judge(LP_CONTAINER(alarm, struct lp_offer, alarm));
}

static struct lp_select_want want_of(const struct lp_roster *roster, const struct lp_pool *pool,
				     const struct lp_roster_ask *ask)
{
	struct lp_select_want want = roster->rules.weights;

	want.work = ask->work;
	want.usual_work = pool->usual_work;
	return want;
}

/* Those that have no offer of it at all. */
static void count_outside(const struct lp_roster *roster, const struct lp_pool *pool, struct lp_choice *out)
{
	int reached = pool->n - pool->field.count[LP_REJECT_UNREACHED];

	out->rejected[LP_REJECT_UNREACHED] = roster->n - roster->n_reached;
	out->rejected[LP_REJECT_MODEL] = roster->n_reached - reached;
}

static struct lp_orch *orch_of(struct lp_candidate *c)
{
	return c ? LP_CONTAINER(c, struct lp_offer, candidate)->orch : NULL;
}

static bool tried(const struct lp_orch *orch, const struct lp_roster_ask *ask)
{
	for (int i = 0; i < ask->n_tried; i++)
		if (ask->tried[i] == orch)
			return true;
	return false;
}

static bool allowed(const struct lp_orch *orch, const struct lp_roster_ask *ask)
{
	return !ask->pin || lp_pin_allows(ask->pin, orch->address, lp_orch_identity(orch));
}

/* Who stands aside for this one choice. */
struct aside {
	struct lp_candidate **all;
	enum lp_reject *were;
	int n;
};

static void step_aside(struct aside *aside, struct lp_pool *pool, struct lp_candidate *c, enum lp_reject why, double factor)
{
	lp_field_drop(&pool->field, c);
	aside->all[aside->n] = c;
	aside->were[aside->n++] = c->reject;
	c->reject = why;
	lp_field_put(&pool->field, c, factor);
}

static void step_back(struct aside *aside, struct lp_pool *pool, double factor)
{
	while (aside->n--) {
		struct lp_candidate *c = aside->all[aside->n];

		lp_field_drop(&pool->field, c);
		c->reject = aside->were[aside->n];
		lp_field_put(&pool->field, c, factor);
	}
}

static void tried_step_aside(struct aside *aside, struct lp_pool *pool, const struct lp_roster_ask *ask, double factor)
{
	for (int i = 0; i < ask->n_tried; i++) {
		struct lp_offer *o = lp_offer_find(ask->tried[i], ask->capability, ask->model);

		/* What it said lately is better news for the client than that this job was there. */
		if (o && o->pool == pool && o->candidate.reject == LP_REJECT_NONE)
			step_aside(aside, pool, &o->candidate, LP_REJECT_TRIED, factor);
	}
}

static struct lp_orch *choose_untried(struct lp_roster *roster, struct lp_pool *pool, const struct lp_roster_ask *ask,
				      struct lp_choice *out)
{
	const struct lp_select_want want = want_of(roster, pool, ask);
	struct lp_candidate *all[LP_ROSTER_TRIED];
	enum lp_reject were[LP_ROSTER_TRIED];
	struct aside aside = { all, were, 0 };

	lp_assert(ask->n_tried <= LP_ROSTER_TRIED);
	tried_step_aside(&aside, pool, ask, want.price_factor);
	lp_select(out, &pool->field, &want, roster->dice);
	step_back(&aside, pool, want.price_factor);
	count_outside(roster, pool, out);
	return orch_of(out->chosen);
}

/* The client shuts some out: these stand aside.  *out corrects what is counted of
 * those that have no offer of it. */
static void shut_out(struct lp_roster *roster, struct lp_pool *pool, const struct lp_roster_ask *ask,
		     struct aside *aside, struct lp_choice *out)
{
	for (int i = 0; i < roster->n; i++) {
		struct lp_orch *orch = roster->rows[i];
		struct lp_offer *o;

		if (allowed(orch, ask))
			continue;
		o = lp_offer_find(orch, ask->capability, ask->model);
		out->rejected[orch->reached ? LP_REJECT_MODEL : LP_REJECT_UNREACHED] -= !o || o->pool != pool || !orch->reached;
		out->rejected[LP_REJECT_EXCLUDED] += !o || o->pool != pool;
		if (o && o->pool == pool)
			step_aside(aside, pool, &o->candidate, LP_REJECT_EXCLUDED, roster->rules.weights.price_factor);
	}
}

static struct lp_orch *choose_without(struct lp_roster *roster, struct lp_pool *pool, const struct lp_roster_ask *ask,
				      struct lp_choice *out)
{
	const struct lp_select_want want = want_of(roster, pool, ask);
	size_t most = (size_t)roster->n + LP_ROSTER_TRIED;
	struct aside aside = { lp_mem_get(most * sizeof(*aside.all)), lp_mem_get(most * sizeof(*aside.were)), 0 };
	struct lp_choice correction = { 0 };

	shut_out(roster, pool, ask, &aside, &correction);
	tried_step_aside(&aside, pool, ask, want.price_factor);
	lp_select(out, &pool->field, &want, roster->dice);
	step_back(&aside, pool, want.price_factor);
	count_outside(roster, pool, out);
	for (int i = 0; i < LP_REJECTS; i++)
		out->rejected[i] += correction.rejected[i];
	lp_mem_free(aside.all);
	lp_mem_free(aside.were);
	return orch_of(out->chosen);
}

/* The client names who may: a field of these, made for this one choice. */
static struct lp_orch *choose_pinned(struct lp_roster *roster, struct lp_pool *pool, const struct lp_roster_ask *ask,
				     struct lp_choice *out)
{
	const struct lp_select_want want = want_of(roster, pool, ask);
	struct lp_candidate *copies = lp_mem_zeroed((size_t)roster->n + 1, sizeof(*copies));
	struct lp_orch *chosen = NULL;
	struct lp_field field = { 0 };
	int excluded = 0;

	for (int i = 0; i < roster->n; i++) {
		const struct lp_orch *orch = roster->rows[i];
		const struct lp_offer *o = lp_offer_find(orch, ask->capability, ask->model);
		struct lp_candidate *c = &copies[i];

		if (!allowed(orch, ask)) {
			excluded++;
			continue;
		}
		if (o && o->pool)
			*c = o->candidate;
		else
			c->reject = orch->reached ? LP_REJECT_MODEL : LP_REJECT_UNREACHED;
		if (c->reject == LP_REJECT_NONE && tried(orch, ask))
			c->reject = LP_REJECT_TRIED;
		c->tree = NULL;
		lp_field_put(&field, c, want.price_factor);
	}
	field.count[LP_REJECT_EXCLUDED] += excluded;
	lp_select(out, &field, &want, roster->dice);
	if (out->chosen) {
		chosen = roster->rows[out->chosen - copies];
		out->chosen = &lp_offer_find(chosen, ask->capability, ask->model)->candidate;
	}
	lp_mem_free(copies);
	return chosen;
}

struct lp_orch *lp_roster_choose(struct lp_roster *roster, const struct lp_roster_ask *ask, struct lp_choice *out)
{
	struct lp_pool *pool = pool_find(roster, ask->capability, ask->model), none;

	catch_up(roster, pool, ask->now);
	if (!pool) {
		none = (struct lp_pool){ 0 };
		pool = &none;
	}
	if (ask->pin && ask->pin->n_wanted)
		return choose_pinned(roster, pool, ask, out);
	if (ask->pin && ask->pin->n)
		return choose_without(roster, pool, ask, out);
	return choose_untried(roster, pool, ask, out);
}

/* ---- when nobody can ---- */

static bool is_out(const void *self, const struct lp_alarm *alarm)
{
	const struct lp_offer *o = (const void *)((const char *)alarm - offsetof(struct lp_offer, alarm));

	return tried(o->orch, self) || !allowed(o->orch, self);
}

/* Jobs of ours that run where this one may go, too. */
static int in_flight_for(const struct lp_pool *pool, const struct lp_roster_ask *ask)
{
	int n = pool->in_flight;

	for (int i = 0; i < ask->n_tried; i++) {
		const struct lp_offer *o = lp_offer_find(ask->tried[i], ask->capability, ask->model);

		n -= o && o->pool == pool ? o->in_flight : 0;
	}
	return n;
}

static bool anybody(const struct lp_roster *roster, const struct lp_pool *pool, const struct lp_roster_ask *ask)
{
	int n = pool->field.count[LP_REJECT_NONE];

	if (ask->pin && ask->pin->n) {
		for (int i = 0; i < roster->n; i++) {
			const struct lp_offer *o = lp_offer_find(roster->rows[i], ask->capability, ask->model);

			if (o && o->pool && o->candidate.reject == LP_REJECT_NONE && allowed(o->orch, ask) &&
			    !tried(o->orch, ask))
				return true;
		}
		return false;
	}
	for (int i = 0; i < ask->n_tried; i++) {
		const struct lp_offer *o = lp_offer_find(ask->tried[i], ask->capability, ask->model);

		n -= o && o->pool == pool && o->candidate.reject == LP_REJECT_NONE;
	}
	return n > 0;
}

int64_t lp_roster_next_chance(struct lp_roster *roster, const struct lp_roster_ask *ask)
{
	struct lp_pool *pool = pool_find(roster, ask->capability, ask->model);
	int64_t first;

	catch_up(roster, pool, ask->now);
	if (!pool)
		return LP_NEVER;
	if (anybody(roster, pool, ask))
		return ask->now;
	first = lp_agenda_first(&pool->agenda, is_out, ask);
	/* While jobs of ours run there one may end, and leave its place, at any time. */
	if (first != LP_NEVER && first > ask->now + SOON && pool->field.count[LP_REJECT_BUSY] &&
	    in_flight_for(pool, ask) > 0)
		return ask->now + SOON;
	return first;
}
