/* market/discovery - see the header.
 *
 * One asker per address, each with its own timer: it asks, books the answer in the roster and sets
 * the timer for the next time.  At most `at_once` questions are under way; who is due beyond that waits in
 * line.
 *
 * The question carries no capabilities.  An orchestrator then answers in full (network-protocol 4.3): its own
 * capabilities with every model, and all its prices, where a question for one capability would be told one
 * price only; and the check of live-video capacity (4.2, step 5) that may refuse the question is left out.
 * docs/decisions has more. */
#include <lpd/market/discovery.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>
#include <lpd/io/grpc.h>
#include <lpd/io/timer.h>
#include <lpd/io/reach.h>
#include <lpd/market/tender.h>

#define APART (200 * LP_MSEC)		/* two questions to one row, at least */
#define RETRY (LP_SEC)			/* after a failure; doubled each time, up to the interval */
#define MOST 100000			/* orchestrators */
#define EXTRA_ROUNDS 3			/* an extra node that nobody names any more is asked so long */
#define RECOUNT LP_SEC			/* how often the gauges are set, at most; longer when there are many */
#define YOUNG_APART (500 * LP_MSEC)	/* two questions to one of those, of its own accord */
#define YOUNG (10 * LP_SEC)		/* so long a node that was just named may not have all that it offers */
#define RENEW 180			/* seconds: a token's last ones, network-protocol 7.4 */

struct asker {
	struct lp_discovery *d;
	struct lp_link link;
	struct lp_orch *orch;
	struct lp_scope *scope;		/* of the URL */
	struct lp_url url;
	bool listed;			/* by the operator; else it is another's extra node */
	int64_t named_at;		/* mono; an extra node: when somebody last named it */
	int64_t born;			/* mono */
	struct lp_timer timer;
	struct lp_link due;		/* in the line of those that may not ask yet */
	struct lp_scope *asking;	/* of the question under way; NULL: none */
	struct lp_grpc_call *call;
	int64_t asked_at;		/* mono; 0: never */
	int failures;			/* in a row */
	bool known;			/* answered or failed once */
};

struct waiter {
	struct lp_discovery *d;
	struct lp_link link;
	struct lp_orch *orch;		/* NULL: any */
	struct lp_ready ready;
	void (*on_done)(void *self);
	void *self;
};

struct lp_discovery {
	struct lp_scope *scope;
	struct lp_discovery_want want;
	struct lp_list askers;
	struct lp_map *by_address;
	int n, under_way, known;	/* known: of the n, those that answered or failed once */
	struct lp_timer recount;
	int64_t no_news_until;		/* nobody could say anything new before */
	int64_t again;			/* mono, when a young one may; LP_NEVER: there is none */
	struct lp_list line;
	struct lp_list waiters;
	struct lp_buf question;
};

static void ask(struct asker *a);
static void asker_named(struct lp_discovery *d, const struct lp_url *address, bool listed);
static void asker_remove(struct asker *a);

static void count(void *self)
{
	struct lp_discovery *d = self;
	struct lp_roster_count c;

	lp_roster_count(d->want.roster, &c, lp_mono(d->want.loop));
	lp_metric_set(d->want.metrics, LP_M_ORCHESTRATORS, LP_LABELS("known"), c.known);
	lp_metric_set(d->want.metrics, LP_M_ORCHESTRATORS, LP_LABELS("ready"), c.ready);
	lp_metric_set(d->want.metrics, LP_M_ORCHESTRATORS, LP_LABELS("busy"), c.busy);
	lp_metric_set(d->want.metrics, LP_M_ORCHESTRATORS, LP_LABELS("suspended"), c.suspended);
	lp_metric_set(d->want.metrics, LP_M_ORCHESTRATORS, LP_LABELS("unreached"), c.unreached);
}

/* Counting looks at every row, so it is not done for each answer. */
static void counts(struct lp_discovery *d)
{
	if (!d->want.metrics || lp_timer_is_set(&d->recount))
		return;
	count(d);
	lp_timer_set(&d->recount, d->want.loop, RECOUNT + d->n * LP_MSEC);
}

/* ---- who waits for news ---- */

static void waiter_close(void *arg)
{
	struct waiter *w = arg;

	lp_link_out(&w->link);
	lp_unready(&w->ready);
}

static void waiter_run(void *self)
{
	struct waiter *w = self;

	w->on_done(w->self);
}

static bool pending(const struct asker *a)
{
	return a->asking || lp_link_in(&a->due);
}

static bool all_quiet(const struct lp_discovery *d)
{
	return d->under_way == 0 && lp_list_empty(&d->line) && !d->want.list_comes;
}

/* Who waits for this row hears of any outcome; who waits for anybody hears of a good one, or that nobody is
 * being asked any more. */
static void wake_waiters(struct lp_discovery *d, const struct lp_orch *orch, bool good)
{
	bool quiet = all_quiet(d);

	lp_list_each(&d->waiters, w, struct waiter, link) {
		if (w->orch ? w->orch != orch : !(good || quiet))
			continue;
		lp_link_out(&w->link);
		lp_ready(d->want.loop, &w->ready);
	}
}

/* ---- asking ---- */

static int64_t spread(struct lp_discovery *d, int64_t time)
{
	return time + (int64_t)((lp_dice_unit(d->want.dice) - 0.5) * 0.2 * (double)time);
}

/* The next round, or sooner when the token would run into its last minutes before. */
static int64_t next_after_answer(struct asker *a)
{
	const struct lp_orch_info *info = lp_orch_info(a->orch);
	int64_t wait = spread(a->d, a->d->want.interval);

	if (info && info->auth_token.present) {
		int64_t left = (lp_auth_token_left(&info->auth_token, lp_wall(a->d->want.loop) / LP_SEC) - RENEW - 1) *
			       LP_SEC;

		wait = left < wait ? left : wait;
	}
	return wait > LP_SEC ? wait : LP_SEC;
}

static int64_t next_after_failure(struct asker *a)
{
	int64_t wait = RETRY;

	for (int i = 1; i < a->failures && wait < a->d->want.interval; i++)
		wait *= 2;
	return spread(a->d, wait < a->d->want.interval ? wait : a->d->want.interval);
}

static void extra_nodes(struct asker *a, const struct lp_orch_info *info)
{
	int n = info->n_nodes < a->d->want.extra_nodes ? info->n_nodes : a->d->want.extra_nodes;

	for (int i = 0; a->listed && i < n; i++) {
		struct lp_scope *scope = lp_scope_open(NULL, "node");
		struct lp_url url;

		if (lp_url_parse(scope, &url, info->nodes[i], NULL) == LP_OK && lp_reach_may_name(&a->url, &url))
			asker_named(a->d, &url, false);
		lp_scope_close(&scope);
	}
}

static void answered(struct asker *a, const struct lp_orch_info *info)
{
	struct lp_discovery *d = a->d;
	struct lp_span address = lp_orch_address(a->orch);
	int64_t now = lp_mono(d->want.loop);
	int models = 0;

	for (int i = 0; i < info->capabilities.n_caps; i++)
		models += info->capabilities.caps[i].n;
	if (a->failures || !a->known)
		lp_log(d->want.log, LP_INFO, "orchestrator answers", "orch=%.*s models=%d ms=%lld",
		       LP_ARG(address), models, (long long)((now - a->asked_at) / LP_MSEC));
	a->failures = 0;
	lp_orch_answered(a->orch, info, now - a->asked_at, now);
	extra_nodes(a, info);
}

static void failed(struct asker *a, const struct lp_err *why)
{
	struct lp_discovery *d = a->d;

	/* Said once, then only for those who look closely: a node that is down stays down for hours. */
	lp_log_kv(d->want.log, a->failures++ ? LP_DEBUG : LP_UNUSUAL, "orchestrator not reached",
		  "orch", lp_orch_address(a->orch).at, "code", lp_code_name(why->code), "why", lp_err_words(why), NULL);
	if (d->want.metrics)
		lp_metric_add(d->want.metrics, LP_M_DISCOVERY_ERRORS,
			      LP_LABELS("bctr", lp_code_name(why->code), lp_orch_address(a->orch).at), 1);
	lp_orch_unreached(a->orch, why, lp_mono(d->want.loop));
}

static void next_in_line(struct lp_discovery *d)
{
	struct lp_link *first = lp_list_first(&d->line);

	if (!first || d->under_way >= d->want.at_once)
		return;
	lp_link_out(first);
	ask(LP_CONTAINER(first, struct asker, due));
}

static void on_answer(void *self)
{
	struct asker *a = self;
	struct lp_discovery *d = a->d;
	struct lp_orch_info info = { 0 };
	struct lp_err e = { 0 };
	bool good = lp_tender_read(a->asking, &info, a->call, &a->url, &e) == LP_OK;

	if (good)
		answered(a, &info);
	else
		failed(a, &e);
	lp_timer_set(&a->timer, d->want.loop, good ? next_after_answer(a) : next_after_failure(a));
	a->call = NULL;
	lp_scope_close(&a->asking);
	d->under_way--;
	d->known += !a->known;
	a->known = true;
	counts(d);
	next_in_line(d);
	wake_waiters(d, a->orch, good);
}

static void ask(struct asker *a)
{
	struct lp_discovery *d = a->d;
	struct lp_grpc_want want = {
		.path = "/net.Orchestrator/GetOrchestrator",
		.message = lp_buf_span(&d->question),
		.timeout = d->want.timeout,
	};

	lp_timer_clear(&a->timer);
	d->under_way++;
	a->asked_at = lp_mono(d->want.loop);
	a->asking = lp_scope_open(d->scope, "ask");
	a->call = lp_grpc_start(a->asking, d->want.client, &a->url, &want, on_answer, a);
}

static bool is_forgotten(const struct asker *a)
{
	return !a->listed && lp_mono(a->d->want.loop) - a->named_at > EXTRA_ROUNDS * a->d->want.interval;
}

/* It is time to ask: now, or when others are done. */
static void due(void *self)
{
	struct asker *a = self;

	if (pending(a))
		return;
	if (is_forgotten(a)) {
		asker_remove(a);
		return;
	}
	if (a->d->under_way < a->d->want.at_once)
		ask(a);
	else
		lp_list_add(&a->d->line, &a->due);
}

/* Soon, but not within APART of the last time. */
static void ask_soon(struct asker *a)
{
	int64_t since = lp_mono(a->d->want.loop) - a->asked_at;

	if (pending(a))
		return;
	if (!a->asked_at || since >= APART)
		due(a);
	else
		lp_timer_set(&a->timer, a->d->want.loop, APART - since);
}

/* ---- who is asked ---- */

/* A row is named by scheme, host and port; a path in the flag is not part of it. */
static struct lp_span name_of(const struct lp_url *address)
{
	struct lp_span text = address->text;

	while (address->path.len && text.len && lp_span_ends(text, "/"))
		text.len--;
	return text;
}

static struct asker *asker_new(struct lp_discovery *d, struct lp_span name)
{
	struct asker *a = lp_mem_zeroed(1, sizeof(*a));

	a->d = d;
	a->scope = lp_scope_open(NULL, "asker");
	if (lp_url_parse(a->scope, &a->url, name, NULL) != LP_OK) {
		lp_scope_close(&a->scope);
		lp_mem_free(a);
		return NULL;
	}
	a->born = lp_mono(d->want.loop);
	a->orch = lp_roster_row(d->want.roster, name);
	a->timer.fire = due;
	a->timer.self = a;
	lp_list_add(&d->askers, &a->link);
	lp_map_put(d->by_address, name, a);
	d->n++;
	lp_timer_set(&a->timer, d->want.loop, 0);
	return a;
}

static void asker_named(struct lp_discovery *d, const struct lp_url *address, bool listed)
{
	struct asker *a = lp_map_find(d->by_address, name_of(address));

	if (!a && d->n < MOST)
		a = asker_new(d, name_of(address));
	if (!a)
		return;
	a->listed = a->listed || listed;
	a->named_at = lp_mono(d->want.loop);
}

static void asker_free(struct asker *a)
{
	lp_timer_clear(&a->timer);
	lp_link_out(&a->link);
	lp_link_out(&a->due);
	lp_scope_close(&a->scope);
	lp_mem_free(a);
}

static void asker_remove(struct asker *a)
{
	struct lp_discovery *d = a->d;
	struct lp_orch *orch = a->orch;

	lp_map_take(d->by_address, lp_orch_address(orch));
	d->n--;
	d->known -= a->known;
	d->under_way -= a->asking != NULL;
	lp_scope_close(&a->asking);
	asker_free(a);
	next_in_line(d);
	wake_waiters(d, orch, false);
	lp_roster_remove(d->want.roster, lp_orch_address(orch));
}

void lp_discovery_set(struct lp_discovery *d, const struct lp_url *addresses, int n)
{
	d->want.list_comes = false;
	lp_list_each(&d->askers, a, struct asker, link) {
		a->named_at = a->listed ? INT64_MIN / 2 : a->named_at;
		a->listed = false;
	}
	for (int i = 0; i < n; i++)
		asker_named(d, &addresses[i], true);
	lp_list_each(&d->askers, a, struct asker, link)
		if (is_forgotten(a))
			asker_remove(a);
	wake_waiters(d, NULL, false);
	counts(d);
}

void lp_discovery_no_list(struct lp_discovery *d)
{
	d->want.list_comes = false;
	wake_waiters(d, NULL, false);
}

/* ---- the header's functions ---- */

static void discovery_close(void *arg)
{
	struct lp_discovery *d = arg;

	lp_list_each(&d->askers, a, struct asker, link)
		asker_free(a);
	lp_timer_clear(&d->recount);
	lp_map_free(&d->by_address);
	lp_buf_clear(&d->question);
}

/* Off-chain a gateway has no address and no signature; the zero address is what peers expect to read. */
static void write_question(struct lp_discovery *d)
{
	static const char nobody[20];
	const struct lp_orch_request request = {
		.address = d->want.address.len ? d->want.address : lp_span_of(nobody, sizeof(nobody)),
		.sig = d->want.sig,
	};

	lp_orch_request_encode(&d->question, &request);
}

struct lp_discovery *lp_discovery_open(struct lp_scope *scope, const struct lp_discovery_want *want)
{
	struct lp_discovery *d = lp_new(scope, struct lp_discovery);

	d->scope = scope;
	d->want = *want;
	d->want.interval = want->interval ? want->interval : LP_MIN;
	d->want.timeout = want->timeout ? want->timeout : 3 * LP_SEC;
	d->want.at_once = want->at_once ? want->at_once : 64;
	d->recount.fire = count;
	d->recount.self = d;
	lp_list_init(&d->askers);
	lp_list_init(&d->line);
	lp_list_init(&d->waiters);
	d->by_address = lp_map_new();
	write_question(d);
	lp_defer(scope, discovery_close, d);
	for (int i = 0; i < want->n_addresses; i++)
		asker_named(d, &want->addresses[i], true);
	return d;
}

static struct waiter *waiter_new(struct lp_discovery *d, struct lp_scope *scope, void (*on_done)(void *self),
				 void *self)
{
	struct waiter *w = lp_new(scope, struct waiter);

	*w = (struct waiter){ .d = d, .on_done = on_done, .self = self };
	w->ready.run = waiter_run;
	w->ready.self = w;
	lp_defer(scope, waiter_close, w);
	return w;
}

void lp_discovery_refresh(struct lp_discovery *d, struct lp_scope *scope, struct lp_orch *orch,
			  void (*on_done)(void *self), void *self)
{
	struct waiter *w = waiter_new(d, scope, on_done, self);
	struct asker *a = lp_map_find(d->by_address, lp_orch_address(orch));

	w->orch = orch;
	if (!a || a->orch != orch) {	/* it was removed */
		lp_ready(d->want.loop, &w->ready);
		return;
	}
	ask_soon(a);
	lp_list_add(&d->waiters, &w->link);
}

/* Requests for a model that nobody has must not become a flood of questions, nor of looks at everybody. */
static int64_t at_least(const struct lp_discovery *d, int64_t time)
{
	int64_t all = d->n * (10 * LP_MSEC);

	return all > time ? all : time;
}

/* One that we know since a moment ago may itself have started a moment ago, and its runners after it: what it could
 * not do when it was asked it may do soon.  LP_NEVER: it is not young. */
static int64_t young_again(const struct asker *a)
{
	int64_t again = a->asked_at + at_least(a->d, YOUNG_APART);

	return again < a->born + YOUNG ? again : LP_NEVER;
}

static bool has_news(const struct asker *a, int64_t since, int64_t now)
{
	if (strcmp(lp_orch_state(a->orch, now), "unreached") != 0)
		since -= at_least(a->d, 2 * LP_SEC);
	return pending(a) || a->asked_at < since || young_again(a) <= now;
}

bool lp_discovery_news(struct lp_discovery *d, struct lp_scope *scope, int64_t since,
		       void (*on_done)(void *self), void *self)
{
	int64_t now = lp_mono(d->want.loop);
	bool asked = d->want.list_comes;

	if (!asked && now < d->no_news_until)
		return false;
	d->again = LP_NEVER;
	lp_list_each(&d->askers, a, struct asker, link) {
		int64_t again = young_again(a);

		d->again = again < d->again ? again : d->again;
		if (!has_news(a, since, now))
			continue;
		ask_soon(a);
		asked = true;
	}
	if (asked)
		lp_list_add(&d->waiters, &waiter_new(d, scope, on_done, self)->link);
	else
		d->no_news_until = now + d->n * (10 * LP_USEC);
	return asked;
}

int64_t lp_discovery_news_again(const struct lp_discovery *d)
{
	return d->again > d->no_news_until ? d->again : d->no_news_until;
}

bool lp_discovery_first_round_done(const struct lp_discovery *d)
{
	return d->known == d->n && !d->want.list_comes;
}
