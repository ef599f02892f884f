/* market/roster: one (capability, model) of a row.  See roster_priv.h. */
#include "roster_priv.h"

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

/* What one that was full is thought to have become, when nobody has asked it for so long. */
#define FORGET LP_MIN

struct lp_offer *lp_offer_find(const struct lp_orch *orch, uint32_t capability, struct lp_span model)
{
	lp_list_each(&orch->offers, o, struct lp_offer, link)
		if (o->capability == capability && lp_span_eq(o->model, model))
			return o;
	return NULL;
}

struct lp_offer *lp_offer_get(struct lp_orch *orch, uint32_t capability, struct lp_span model)
{
	struct lp_offer *o = lp_offer_find(orch, capability, model);

	if (o)
		return o;
	o = lp_mem_zeroed(1, sizeof(*o) + model.len);
	if (model.len)
		memcpy(o + 1, model.at, model.len);
	o->orch = orch;
	o->capability = capability;
	o->model = lp_span_of(o + 1, model.len);
	o->candidate.id = orch->roster->offers_made++;
	lp_list_add(&orch->offers, &o->link);
	orch->n_offers++;
	return o;
}

static void offer_free(struct lp_offer *o)
{
	lp_pool_leave(o);
	lp_link_out(&o->link);
	o->orch->n_offers--;
	lp_mem_free(o);
}

void lp_offers_free(struct lp_orch *orch)
{
	lp_list_each(&orch->offers, o, struct lp_offer, link)
		offer_free(o);
}

/* ---- what the orchestrator says of it ---- */

/* Rules 1, 2 and 4 of network-protocol 1.6 (3 was seen to: the model is there). */
static enum lp_reject compatible(const struct lp_orch *orch, uint32_t capability, const struct lp_model_terms *terms)
{
	const struct lp_roster *roster = orch->roster;
	const struct lp_capabilities *have = &orch->info.capabilities;
	struct lp_span runner = lp_roster_min_runner(roster, capability, terms->model);
	struct lp_scope *scope;
	struct lp_capabilities need;
	enum lp_code code;

	if (!lp_version_satisfies(roster->rules.min_version, have->version) ||
	    !lp_version_satisfies(runner, terms->runner_version))
		return LP_REJECT_VERSION;
	scope = lp_scope_open(NULL, "need");
	lp_capabilities_init(&need, scope, lp_span(""));
	lp_capabilities_set(&need, capability);
	code = lp_capabilities_check(&need, have, NULL);
	lp_scope_close(&scope);
	return code == LP_OK ? LP_REJECT_NONE : LP_REJECT_MODEL;
}

/* The price of the model, else that of everything; an orchestrator without money tells none. */
static const struct lp_price_info *price_of(const struct lp_orch_info *info, const struct lp_offer *o)
{
	for (int i = 0; i < info->n_prices; i++)
		if (info->prices[i].capability == o->capability && lp_span_eq(info->prices[i].constraint, o->model))
			return &info->prices[i];
	return info->price.present ? &info->price : NULL;
}

static double as_double(struct lp_price price)
{
	double num = 0, den = 0;

	for (int i = 3; i >= 0; i--) {
		num = num * 18446744073709551616.0 + (double)price.num.limb[i];
		den = den * 18446744073709551616.0 + (double)price.den.limb[i];
	}
	return num / den;
}

/* Dearer than allowed is worse than slower than wished, so the price has the last word. */
static void look_at_price(struct lp_offer *o)
{
	const struct lp_roster_rules *r = &o->orch->roster->rules;
	const struct lp_price *most = lp_max_price_of(r->max_prices, o->capability, o->model);
	const struct lp_price_info *told = price_of(&o->orch->info, o);
	struct lp_price price;

	o->priced = told && lp_price_of_wire(&price, told->price_per_unit, told->pixels_per_unit, NULL) == LP_OK;
	o->price = o->priced ? as_double(price) : 0;
	if (told && !o->priced)
		o->fits = LP_REJECT_PRICE;	/* less than nothing, or for no units: no price to pay */
	if (!o->priced || !most || lp_price_cmp(price, *most) <= 0)
		return;
	o->stand = LP_STAND_DEAR;
	if (!r->dear_if_needed)
		o->fits = LP_REJECT_PRICE;
}

static enum lp_stand stand_by_perf(const struct lp_orch *orch)
{
	const struct lp_roster *roster = orch->roster;

	if (!roster->perf || lp_perf_of(roster->perf, lp_orch_identity(orch)) >= roster->rules.min_perf)
		return LP_STAND_FAIR;
	return LP_STAND_SLOW;
}

static void look(struct lp_offer *o, const struct lp_model_terms *terms)
{
	o->told = true;
	o->warm = terms->warm;
	o->capacity = terms->capacity;
	o->fits = compatible(o->orch, o->capability, terms);
	o->stand = stand_by_perf(o->orch);
	if (o->fits == LP_REJECT_NONE)
		look_at_price(o);
	if (o->orch->blocked)
		o->fits = LP_REJECT_EXCLUDED;
}

/* One answer's models.  An offer that was withdrawn keeps its history, or a fault could be shed by that; only
 * when there are very many names the idle ones go. */
void lp_offers_told(struct lp_orch *orch)
{
	const struct lp_capabilities *caps = &orch->info.capabilities;

	lp_list_each(&orch->offers, o, struct lp_offer, link)
		o->told = false;
	for (int i = 0; i < caps->n_caps; i++) {
		for (int m = 0; m < caps->caps[i].n; m++) {
			const struct lp_model_terms *terms = &caps->caps[i].models[m];
			struct lp_offer *o = lp_offer_find(orch, caps->caps[i].capability, terms->model);

			if (terms->model.len > LP_MODEL_MAX || (!o && orch->n_offers >= LP_OFFERS_MAX))
				continue;
			if (!o)
				o = lp_offer_get(orch, caps->caps[i].capability, terms->model);
			if (!o->told)
				look(o, terms);
		}
	}
	lp_list_each(&orch->offers, o, struct lp_offer, link)
		if (!o->told && !o->in_flight && orch->n_offers >= LP_OFFERS_MAX)
			offer_free(o);
	lp_offers_judge(orch);
}

void lp_offers_rated(struct lp_orch *orch)
{
	enum lp_stand stand = stand_by_perf(orch);

	lp_list_each(&orch->offers, o, struct lp_offer, link) {
		if (o->stand == LP_STAND_DEAR || o->stand == stand)
			continue;
		o->stand = stand;
		lp_offer_judge(o);
	}
}

/* ---- how it stands ---- */

bool lp_spell_rests(const struct lp_spell *s, int64_t now)
{
	return s->step && (now < s->until || now < s->probe_until);
}

static int64_t rests_until(const struct lp_spell *s, int64_t now)
{
	return s->until > now ? s->until : s->probe_until;
}

bool lp_offer_has_room(const struct lp_offer *o, int64_t now)
{
	const struct lp_room *r = &o->room;

	if (!r->limited || o->in_flight < r->limit)
		return true;
	if (now >= r->until)
		return true;	/* a moment of seeing begins, or the last one was good */
	return r->testing && o->in_flight < r->limit + r->extra;
}

/* Why it may not work now, and until when, where time alone changes it. */
static enum lp_reject stand_of(const struct lp_offer *o, int64_t *until)
{
	const struct lp_orch *orch = o->orch;
	int64_t now = orch->roster->now;

	*until = LP_NEVER;
	if (!orch->reached)
		return LP_REJECT_UNREACHED;
	if (o->fits != LP_REJECT_NONE)
		return o->fits;
	if (lp_spell_rests(&orch->suspended, now)) {
		*until = rests_until(&orch->suspended, now);
		return LP_REJECT_SUSPENDED;
	}
	if (lp_spell_rests(&o->suspended, now)) {
		*until = rests_until(&o->suspended, now);
		return LP_REJECT_SUSPENDED;
	}
	if (lp_offer_has_room(o, now))
		return LP_REJECT_NONE;
	*until = o->room.until;
	return LP_REJECT_BUSY;
}

static void fill(struct lp_candidate *c, const struct lp_offer *o)
{
	c->stand = o->stand;
	c->warm = o->warm;
	c->score = o->score;
	c->latency = (double)o->orch->latency / (double)LP_SEC;
	c->in_flight = o->in_flight;
	c->capacity = o->capacity;
	c->failures = o->failures + o->orch->failures;
	c->refusals = o->room.step;
	c->doubt = o->doubt;
	c->priced = o->priced;
	c->price = o->price;
	c->stake = lp_orch_stake(o->orch);
}

void lp_offer_judge(struct lp_offer *o)
{
	double factor = o->orch->roster->rules.weights.price_factor;
	int64_t until;

	if (!o->told || o->fits == LP_REJECT_MODEL || o->orch->removed) {
		lp_pool_leave(o);
		return;
	}
	if (o->pool)
		lp_field_drop(&o->pool->field, &o->candidate);
	else
		lp_pool_join(o);
	fill(&o->candidate, o);
	o->candidate.reject = stand_of(o, &until);
	lp_field_put(&o->pool->field, &o->candidate, factor);
	lp_agenda_set(&o->pool->agenda, &o->alarm, until);
}

void lp_offers_judge(struct lp_orch *orch)
{
	lp_list_each(&orch->offers, o, struct lp_offer, link)
		lp_offer_judge(o);
}

/* ---- the outcome of a try ---- */

/* Before a job goes there: take in what the last moment has shown. */
static void look_back(struct lp_offer *o, int64_t now)
{
	struct lp_room *r = &o->room;

	if (!r->limited || now < r->until)
		return;
	if (now - r->until > FORGET) {
		*r = (struct lp_room){ 0 };
	} else if (r->testing) {
		r->testing = false;
		r->limit = o->in_flight > r->limit ? o->in_flight : r->limit;
		r->extra = r->extra < 1024 ? 2 * r->extra : r->extra;
		r->step = 0;
	}
}

/* Half open: this job is the one that is let through. */
static void probe(struct lp_roster *roster, struct lp_spell *s, struct lp_orch_try *t)
{
	if (!s->step || s->until > roster->now)
		return;
	if (!t->probe)
		t->probe = ++roster->probes;
	s->probe_until = roster->now + s->length;
	s->probe = t->probe;
}

/* Whatever came of it: a client that left proves nothing.  Other jobs' ends are no end of the probe. */
static void probe_over(struct lp_spell *s, const struct lp_orch_try *t)
{
	if (t->probe && s->probe == t->probe)
		s->probe_until = 0;
}

static void count_in_flight(struct lp_offer *o, int n)
{
	o->in_flight += n;
	if (o->pool)
		o->pool->in_flight += n;
}

void lp_orch_begin(struct lp_roster *roster, struct lp_orch_try *t)
{
	struct lp_offer *o = lp_offer_get(t->orch, t->capability, t->model);

	look_back(o, roster->now);
	if (o->room.limited && o->in_flight >= o->room.limit && !o->room.testing) {
		o->room.testing = true;
		o->room.until = roster->now + roster->rules.busy_base;
	}
	t->orch->refs++;
	count_in_flight(o, 1);
	t->probe = 0;
	probe(roster, &t->orch->suspended, t);
	probe(roster, &o->suspended, t);
	if (t->orch->suspended.step)
		lp_offers_judge(t->orch);
	else
		lp_offer_judge(o);
}

/* base, twice that, ... max, each spread by a quarter so that a crowd does not come back at one moment. */
static int64_t rest_time(struct lp_roster *roster, int step, int64_t base, int64_t max)
{
	int64_t time = base;

	for (int i = 0; i < step && time < max; i++)
		time *= 2;
	time = time < max ? time : max;
	return time + (int64_t)((lp_dice_unit(roster->dice) - 0.5) * 0.5 * (double)time);
}

static void rest(struct lp_roster *roster, struct lp_spell *s, int64_t base, int64_t max)
{
	/* Jobs that were under way when the first one failed say nothing new. */
	if (s->step && s->until > roster->now)
		return;
	s->length = rest_time(roster, s->step++, base, max);
	s->until = roster->now + s->length;
	s->probe_until = 0;
}

/* "Full", with so many of ours in it.  Of a crowd that was refused together only the first one's is a new
 * refusal; the last one tells how many were taken. */
static void full(struct lp_roster *roster, struct lp_offer *o)
{
	struct lp_room *r = &o->room;
	bool news = !r->limited || r->testing || roster->now >= r->until;

	r->limited = true;
	r->limit = o->in_flight;
	r->extra = 1;
	r->testing = false;
	if (news)
		r->until = roster->now +
			   rest_time(roster, r->step++, roster->rules.busy_base, roster->rules.busy_max);
}

static void end_ok(struct lp_offer *o, const struct lp_orch_outcome *outcome)
{
	struct lp_pool *pool = o->pool;

	o->orch->failures = o->failures = 0;
	o->orch->suspended = o->suspended = (struct lp_spell){ 0 };
	o->doubt = lp_doubt_update(o->doubt, false);
	if (outcome->work <= 0)
		return;
	o->score = lp_score_update(o->score, (double)outcome->took / (double)LP_SEC / outcome->work);
	if (pool)
		pool->usual_work += (outcome->work - pool->usual_work) / (pool->usual_work > 0 ? 50 : 1);
}

/* Could the node itself not be reached, or did it do this one job badly? */
static bool is_of_node(enum lp_code code)
{
	return code == LP_CONNECT || code == LP_RESET || code == LP_TIMEOUT;
}

static void suspend(struct lp_roster *roster, struct lp_offer *o, enum lp_code code)
{
	const struct lp_roster_rules *r = &roster->rules;

	o->doubt = lp_doubt_update(o->doubt, true);
	if (is_of_node(code)) {
		o->orch->failures++;
		rest(roster, &o->orch->suspended, r->suspend_base, r->suspend_max);
	} else {
		o->failures++;
		rest(roster, &o->suspended, r->suspend_base, r->suspend_max);
	}
}

static void end_bad(struct lp_roster *roster, struct lp_offer *o, enum lp_code code)
{
	const struct lp_roster_rules *r = &roster->rules;

	/* A result that could not be fetched may be the network's mood; twice in a row is its keeper's fault. */
	if (code == LP_MEDIA_LOST) {
		if (++o->failures >= 2)
			rest(roster, &o->suspended, r->suspend_base, r->suspend_max);
		return;
	}
	if (lp_code_next(code) == LP_NEXT_SUSPEND && lp_code_fault(code) == LP_FAULT_PEER)
		suspend(roster, o, code);
	else if (code == LP_NO_CAPACITY)
		full(roster, o);
	else if (lp_code_next(code) == LP_NEXT_TRY_OTHER && code != LP_NOT_SENT)
		rest(roster, &o->suspended, r->busy_base, r->busy_max);
}

void lp_orch_end(struct lp_roster *roster, const struct lp_orch_try *t, const struct lp_orch_outcome *outcome)
{
	struct lp_offer *o = lp_offer_find(t->orch, t->capability, t->model);
	bool row = t->orch->suspended.step || t->orch->failures;

	lp_assert(o && o->in_flight > 0);
	roster->now = outcome->now;
	count_in_flight(o, -1);
	if (outcome->code == LP_OK)
		end_ok(o, outcome);
	else
		end_bad(roster, o, outcome->code);
	probe_over(&t->orch->suspended, t);
	probe_over(&o->suspended, t);
	if (row || t->orch->suspended.step || t->orch->failures)
		lp_offers_judge(t->orch);
	else
		lp_offer_judge(o);
	lp_orch_let_go(t->orch);
}
