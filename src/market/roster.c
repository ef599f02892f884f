/* market/roster - see the header.
 *
 * Two things are booked apart.  A row is the node: whether it can be reached at all.  An offer is one
 * (capability, model) of a row: its score, its slots, whether it said that it is full.  So a full or broken
 * model does not take the other models of the same orchestrator out. */
#include <lpd/market/roster.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>
#include <lpd/base/time.h>

/* How many questions in a row may fail before an answer that is still young is not used any more. */
#define MISSES 2

/* What one that was full is thought to have become, when nobody has asked it for so long. */
#define FORGET LP_MIN

/* How long at most until it is worth looking again, where a job may end. */
#define SOON LP_SEC

/* A time of rest after a fault, longer each time; over, but not forgotten, it is half open: one job is let
 * through to see.  It may run for minutes, and what is well need not wait for its end: after as long as the
 * rest was without a fault the next one follows. */
struct spell {
	int64_t until, length;
	int step;		/* 0: none; how often in a row */
	int64_t probe_until;	/* one job is on its way to see; nobody else until it ends or this; 0: none is */
};

/* How many jobs of ours an offer takes, as far as it has told.  "Full" says: as many as run now.  From then on
 * a new one is let in for each that ends, and beyond that from time to time some more, to see: refusals come
 * at once, so a moment without one is an answer. */
struct room {
	bool limited;			/* it was full lately */
	int limit;
	int extra;			/* beyond the limit in one moment: 1, doubled while all are taken */
	bool testing;			/* some are in beyond the limit, until `until` */
	int64_t until;			/* no more before this */
	int step;			/* refusals in a row */
};

struct offer {
	struct lp_link link;	/* in its row */
	uint32_t capability;
	struct lp_span model;	/* behind the struct */
	double score;
	int in_flight, failures;
	struct room room;
	struct spell suspended;
	/* Of the answer number `seen`, worked out when first asked for. */
	uint64_t seen;
	enum lp_reject fits;
	bool warm;
	uint32_t capacity;
};

struct lp_orch {
	struct lp_roster *roster;
	struct lp_span address;		/* behind the struct */
	int refs;			/* one for the roster, one for each try */
	struct lp_scope *scope;		/* of info; NULL: it never answered */
	struct lp_orch_info info;
	uint64_t answers;
	int64_t answered_at, latency;
	int misses;
	struct spell suspended;
	int failures;
	struct lp_list offers;
};

struct lp_roster {
	struct lp_scope *scope;
	struct lp_roster_rules rules;
	struct lp_dice *dice;
	struct lp_map *by_address;
	struct lp_orch **rows;
	struct lp_candidate *candidates;	/* scratch, as long as rows */
	int n, cap;
	int64_t now;				/* as last handed in */
};

static const struct lp_roster_rules usual = {
	.stale = 5 * LP_MIN,
	.busy_base = 250 * LP_MSEC,
	.busy_max = 10 * LP_SEC,
	.suspend_base = 2 * LP_SEC,
	.suspend_max = 2 * LP_MIN,
};

static void orch_unref(struct lp_orch *orch)
{
	lp_assert(orch->refs > 0);
	if (--orch->refs)
		return;
	lp_list_each(&orch->offers, o, struct offer, link) {
		lp_link_out(&o->link);
		lp_mem_free(o);
	}
	lp_scope_close(&orch->scope);
	lp_mem_free(orch);
}

static void roster_close(void *arg)
{
	struct lp_roster *roster = arg;

	for (int i = 0; i < roster->n; i++)
		orch_unref(roster->rows[i]);
	lp_mem_free(roster->rows);
	lp_mem_free(roster->candidates);
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
	lp_defer(scope, roster_close, roster);
	return roster;
}

static void roster_append(struct lp_roster *roster, struct lp_orch *orch)
{
	if (roster->n == roster->cap) {
		roster->cap = roster->cap ? 2 * roster->cap : 16;
		roster->rows = lp_mem_grow(roster->rows, (size_t)roster->cap * sizeof(*roster->rows));
		roster->candidates = lp_mem_grow(roster->candidates,
						  (size_t)roster->cap * sizeof(*roster->candidates));
	}
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
	for (int i = 0; i < roster->n; i++) {
		if (roster->rows[i] != orch)
			continue;
		roster->n--;
		memmove(&roster->rows[i], &roster->rows[i + 1],
			(size_t)(roster->n - i) * sizeof(*roster->rows));
		break;
	}
	orch_unref(orch);
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

void lp_orch_answered(struct lp_orch *orch, const struct lp_orch_info *info, int64_t took, int64_t now)
{
	struct lp_scope *scope = lp_scope_open(NULL, "orch-info");

	orch->roster->now = now;
	info_copy(scope, &orch->info, info);
	lp_scope_close(&orch->scope);
	orch->scope = scope;
	orch->answers++;
	orch->answered_at = now;
	orch->latency = took;
	orch->misses = 0;
}

void lp_orch_unreached(struct lp_orch *orch, const struct lp_err *why, int64_t now)
{
	(void)why;	/* discovery logs it; here only that it happened counts */
	orch->roster->now = now;
	orch->misses++;
}

struct lp_span lp_orch_address(const struct lp_orch *orch)
{
	return orch->address;
}

const struct lp_orch_info *lp_orch_info(const struct lp_orch *orch)
{
	return orch->scope ? &orch->info : NULL;
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
	return orch->info.auth_token.expiration - 180 >= wall_now / LP_SEC;
}

static bool reached(const struct lp_orch *orch, int64_t now)
{
	return orch->scope && orch->misses < MISSES && now - orch->answered_at <= orch->roster->rules.stale;
}

/* ---- offers ---- */

static struct offer *offer_find(const struct lp_orch *orch, uint32_t capability, struct lp_span model)
{
	lp_list_each(&orch->offers, o, struct offer, link)
		if (o->capability == capability && lp_span_eq(o->model, model))
			return o;
	return NULL;
}

static struct offer *offer_get(struct lp_orch *orch, uint32_t capability, struct lp_span model)
{
	struct offer *o = offer_find(orch, capability, model);

	if (o)
		return o;
	o = lp_mem_zeroed(1, sizeof(*o) + model.len);
	if (model.len)
		memcpy(o + 1, model.at, model.len);
	o->capability = capability;
	o->model = lp_span_of(o + 1, model.len);
	lp_list_add(&orch->offers, &o->link);
	return o;
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

/* Rules 1, 2 and 4 of network-protocol 1.6 (3 was seen to: the model is there). */
static enum lp_reject compatible(const struct lp_roster *roster, const struct lp_capabilities *have,
				 uint32_t capability, const struct lp_model_terms *terms)
{
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

static void offer_look(const struct lp_orch *orch, struct offer *o, const struct lp_model_terms *terms)
{
	o->seen = orch->answers;
	o->warm = terms->warm;
	o->capacity = terms->capacity;
	o->fits = compatible(orch->roster, &orch->info.capabilities, o->capability, terms);
}

/* NULL: it does not offer the model.  Rows of offers are made only for models that somebody really offers, so
 * clients cannot grow this table by asking for invented ones. */
static struct offer *offer_of(struct lp_orch *orch, uint32_t capability, struct lp_span model)
{
	struct offer *o = offer_find(orch, capability, model);
	const struct lp_model_terms *terms;

	if (o && o->seen == orch->answers)
		return o->fits == LP_REJECT_MODEL ? NULL : o;
	terms = lp_capabilities_model(&orch->info.capabilities, capability, model);
	if (!terms) {
		if (o) {
			o->seen = orch->answers;
			o->fits = LP_REJECT_MODEL;
		}
		return NULL;
	}
	o = offer_get(orch, capability, model);
	offer_look(orch, o, terms);
	return o->fits == LP_REJECT_MODEL ? NULL : o;
}

/* ---- choosing ---- */

static struct lp_span without_scheme(struct lp_span address)
{
	if (lp_span_starts(address, "https://"))
		return lp_span_skip(address, 8);
	if (lp_span_starts(address, "http://"))
		return lp_span_skip(address, 7);
	return address;
}

/* "https://[::1]:8935" is named by itself, by "[::1]:8935" and by "[::1]". */
static bool named(struct lp_span address, struct lp_span word)
{
	struct lp_span place = without_scheme(address);

	word = without_scheme(word);
	while (word.len && word.at[word.len - 1] == '/')
		word.len--;
	if (lp_span_eq(place, word))
		return true;
	return word.len && place.len > word.len && memcmp(place.at, word.at, word.len) == 0 &&
	       place.at[word.len] == ':' && memchr(place.at + word.len + 1, ':', place.len - word.len - 1) == NULL;
}

static bool pinned_out(struct lp_span address, struct lp_span pin)
{
	bool wanted = false, wants = false;

	while (pin.at) {
		struct lp_span word = lp_span_trim(lp_span_cut(&pin, ','));

		if (!word.len)
			continue;
		if (word.at[0] == '!') {
			if (named(address, lp_span_skip(word, 1)))
				return true;
			continue;
		}
		wants = true;
		wanted = wanted || named(address, word);
	}
	return wants && !wanted;
}

static bool tried(const struct lp_orch *orch, const struct lp_roster_ask *ask)
{
	for (int i = 0; i < ask->n_tried; i++)
		if (ask->tried[i] == orch)
			return true;
	return false;
}

static bool resting(const struct spell *s, int64_t now)
{
	return s->step && (now < s->until || now < s->probe_until);
}

static bool has_room(const struct offer *o, int64_t now)
{
	const struct room *r = &o->room;

	if (!r->limited || o->in_flight < r->limit)
		return true;
	if (now >= r->until)
		return true;	/* a moment of seeing begins, or the last one was good */
	return r->testing && o->in_flight < r->limit + r->extra;
}

/* Before a job goes there: take in what the last moment has shown. */
static void look_back(struct offer *o, int64_t now)
{
	struct room *r = &o->room;

	if (!r->limited || now < r->until)
		return;
	if (now - r->until > FORGET) {
		*r = (struct room){ 0 };
	} else if (r->testing) {
		r->testing = false;
		r->limit = o->in_flight > r->limit ? o->in_flight : r->limit;
		r->extra = r->extra < 1024 ? 2 * r->extra : r->extra;
		r->step = 0;
	}
}

/* Fills in the candidate; *back is when a busy or suspended one returns. */
static void judge(struct lp_candidate *c, int64_t *back, struct lp_orch *orch, const struct lp_roster_ask *ask)
{
	struct offer *o = NULL;

	*c = (struct lp_candidate){ .latency = (double)orch->latency / (double)LP_SEC };
	*back = LP_NEVER;
	if (ask->pin.len && pinned_out(orch->address, ask->pin))
		c->reject = LP_REJECT_EXCLUDED;
	else if (!reached(orch, ask->now))
		c->reject = LP_REJECT_UNREACHED;
	else if (!(o = offer_of(orch, ask->capability, ask->model)))
		c->reject = LP_REJECT_MODEL;
	else if (o->fits != LP_REJECT_NONE)
		c->reject = o->fits;
	if (c->reject != LP_REJECT_NONE)
		return;
	c->warm = o->warm;
	c->score = o->score;
	c->in_flight = o->in_flight;
	c->capacity = o->capacity;
	c->failures = o->failures + orch->failures;

	/* What it said lately is better news for the client than that this job was there. */
	const struct spell *rest = NULL;

	if (resting(&orch->suspended, ask->now))
		rest = &orch->suspended;
	else if (resting(&o->suspended, ask->now))
		rest = &o->suspended;
	if (rest)
		c->reject = LP_REJECT_SUSPENDED;
	else if (!has_room(o, ask->now))
		c->reject = LP_REJECT_BUSY;
	else if (tried(orch, ask))
		c->reject = LP_REJECT_TRIED;
	if (c->reject == LP_REJECT_BUSY) {
		*back = o->room.until;
		/* While jobs of ours run there one may end, and leave its place, at any time. */
		if (o->in_flight && *back > ask->now + SOON)
			*back = ask->now + SOON;
	}
	if (rest)
		*back = rest->until > ask->now ? rest->until : rest->probe_until;
	if (tried(orch, ask))
		*back = LP_NEVER;
}

struct lp_orch *lp_roster_choose(struct lp_roster *roster, const struct lp_roster_ask *ask, struct lp_choice *out)
{
	int64_t back;

	roster->now = ask->now;
	for (int i = 0; i < roster->n; i++)
		judge(&roster->candidates[i], &back, roster->rows[i], ask);
	lp_select(out, roster->candidates, roster->n, roster->dice);
	return out->index < 0 ? NULL : roster->rows[out->index];
}

int64_t lp_roster_next_chance(const struct lp_roster *roster, const struct lp_roster_ask *ask)
{
	int64_t first = LP_NEVER;

	for (int i = 0; i < roster->n; i++) {
		struct lp_candidate c;
		int64_t back;

		judge(&c, &back, roster->rows[i], ask);
		if (c.reject == LP_REJECT_NONE)
			return ask->now;
		first = back < first ? back : first;
	}
	return first;
}

/* ---- the outcome of a try ---- */

/* Half open: this job is the one that is let through. */
static void probe(struct spell *s, int64_t now)
{
	if (s->step && s->until <= now)
		s->probe_until = now + s->length;
}

void lp_orch_begin(struct lp_roster *roster, const struct lp_orch_try *t)
{
	struct offer *o = offer_get(t->orch, t->capability, t->model);

	look_back(o, roster->now);
	if (o->room.limited && o->in_flight >= o->room.limit && !o->room.testing) {
		o->room.testing = true;
		o->room.until = roster->now + roster->rules.busy_base;
	}
	t->orch->refs++;
	o->in_flight++;
	probe(&t->orch->suspended, roster->now);
	probe(&o->suspended, roster->now);
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

static void rest(struct lp_roster *roster, struct spell *s, int64_t base, int64_t max)
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
static void full(struct lp_roster *roster, struct offer *o)
{
	struct room *r = &o->room;
	bool news = !r->limited || r->testing || roster->now >= r->until;

	r->limited = true;
	r->limit = o->in_flight;
	r->extra = 1;
	r->testing = false;
	if (news)
		r->until = roster->now +
			   rest_time(roster, r->step++, roster->rules.busy_base, roster->rules.busy_max);
}

static void recover(struct spell *s)
{
	*s = (struct spell){ 0 };
}

static void end_ok(const struct lp_orch_try *t, struct offer *o, const struct lp_orch_outcome *outcome)
{
	t->orch->failures = o->failures = 0;
	recover(&t->orch->suspended);
	recover(&o->suspended);
	if (outcome->work > 0)
		o->score = lp_score_update(o->score, (double)outcome->took / (double)LP_SEC / outcome->work);
}

/* Could the node itself not be reached, or did it do this one job badly? */
static bool is_of_node(enum lp_code code)
{
	return code == LP_CONNECT || code == LP_RESET || code == LP_TIMEOUT;
}

static void suspend(struct lp_roster *roster, const struct lp_orch_try *t, struct offer *o, enum lp_code code)
{
	const struct lp_roster_rules *r = &roster->rules;

	if (is_of_node(code)) {
		t->orch->failures++;
		rest(roster, &t->orch->suspended, r->suspend_base, r->suspend_max);
	} else {
		o->failures++;
		rest(roster, &o->suspended, r->suspend_base, r->suspend_max);
	}
}

static void end_bad(struct lp_roster *roster, const struct lp_orch_try *t, struct offer *o, enum lp_code code)
{
	const struct lp_roster_rules *r = &roster->rules;

	/* A result that could not be fetched may be the network's mood; twice in a row is its keeper's fault. */
	if (code == LP_MEDIA_LOST) {
		if (++o->failures >= 2)
			rest(roster, &o->suspended, r->suspend_base, r->suspend_max);
		return;
	}
	if (lp_code_next(code) == LP_NEXT_SUSPEND && lp_code_fault(code) == LP_FAULT_PEER)
		suspend(roster, t, o, code);
	else if (code == LP_NO_CAPACITY)
		full(roster, o);
	else if (lp_code_next(code) == LP_NEXT_TRY_OTHER && code != LP_NOT_SENT)
		rest(roster, &o->suspended, r->busy_base, r->busy_max);
}

void lp_orch_end(struct lp_roster *roster, const struct lp_orch_try *t, const struct lp_orch_outcome *outcome)
{
	struct offer *o = offer_find(t->orch, t->capability, t->model);

	lp_assert(o && o->in_flight > 0);
	roster->now = outcome->now;
	o->in_flight--;
	if (outcome->code == LP_OK)
		end_ok(t, o, outcome);
	else
		end_bad(roster, t, o, outcome->code);
	/* The probe is over, whatever came of it: a client that left proves nothing. */
	t->orch->suspended.probe_until = o->suspended.probe_until = 0;
	orch_unref(t->orch);
}

/* ---- for people ---- */

const char *lp_orch_state(const struct lp_orch *orch, int64_t now)
{
	bool any = false, open = false, busy = false;

	if (!reached(orch, now))
		return "unreached";
	if (resting(&orch->suspended, now))
		return "suspended";
	lp_list_each(&orch->offers, o, struct offer, link) {
		any = true;
		if (!has_room(o, now))
			busy = true;
		else if (!resting(&o->suspended, now))
			open = true;
	}
	if (!any || open)
		return "ready";
	return busy ? "busy" : "suspended";
}

void lp_orch_offer(const struct lp_orch *orch, struct lp_orch_offer *out, uint32_t capability, struct lp_span model,
		   int64_t now)
{
	const struct offer *o = offer_find(orch, capability, model);

	*out = (struct lp_orch_offer){ 0 };
	if (!o)
		return;
	out->score = o->score;
	out->in_flight = o->in_flight;
	out->failures = o->failures;
	out->busy = !has_room(o, now);
	out->suspended = resting(&o->suspended, now);
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
		lp_list_each(&roster->rows[i]->offers, o, struct offer, link)
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
