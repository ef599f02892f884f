/* market - how well jobs are dealt out among ten thousand orchestrators: lpd's own code for the choice
 * (market/roster, select, ranking), in virtual time, beside other ways to choose.
 *
 * The world is the same for all: who is how fast, dear, trusted and reliable, when others' jobs fill whom, which
 * job fails where.  Called as `market_bench [JOBS [ORCHESTRATORS [LOAD]]]`; prints "name value unit" lines.
 *
 *	lpd           the weights that are the default: 0.7 by stake, 0.3 by chance
 *	lpd_price     -selectPriceWeight 1: the cheapest of those that are good enough
 *	lpd_unsized   as lpd, with jobs whose size is known only after them
 *	incumbent     the node that we replace, as network-protocol 7 describes it, with its default weights
 *	two_choices   two at random, the one with less to do
 *	fastest       knows everything but the noise of one job: the fastest that is free and will not fail
 *	cheapest      knows the same: the cheapest of those that are free, good enough and will not fail */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>
#include <lpd/base/time.h>
#include <lpd/market/roster.h>

#define CAPABILITY 27
#define MODEL LP_SPAN("m")
#define GOOD 1.2			/* as in market/select: this close to the fastest is good enough */
#define WAIT (2 * LP_SEC)		/* -aiProcessingRetryTimeout */
#define LOOK (250 * LP_MSEC)		/* between two looks when nobody can */
#define TRIES 20
#define FAULTS 3
#define COLD (10 * LP_SEC)		/* to load the model */

/* ---- the world ---- */

struct node {				/* an orchestrator, as it really is */
	double speed;			/* seconds per unit of work */
	double price, stake, fails;	/* wei per unit; ...; share of jobs that it fails at */
	int slots, used;
	bool warm, foreign, busy;	/* foreign: others use it, now and then all of it: busy */
	int64_t rtt;
	int jobs;			/* that it did well */
	struct lp_rank rank;		/* of those that are free, for who knows all */
	bool ranked;
};

struct job {
	int64_t came, waited, began;
	double work;
	uint64_t number;
	int at, tries, faults, n_tried;	/* at: the node that has it */
	enum lp_code code;
	int tried[TRIES], parked[TRIES], n_parked;
	struct lp_orch_try try;
	struct lp_orch *rows[TRIES];
	struct job *next;
};

struct event {
	int64_t at;
	uint64_t order;
	struct job *job;		/* NULL: a node's foreign load comes or goes */
	int node;			/* of a try: it ends; -1: choose (again) */
};

struct world;
struct policy {
	const char *name;
	void (*open)(struct world *w);
	int (*choose)(struct world *w, struct job *j);		/* -1: nobody */
	void (*begin)(struct world *w, struct job *j);
	void (*end)(struct world *w, struct job *j, int64_t took);
	void (*over)(struct world *w, struct job *j);
	double by_stake, by_price, by_chance;
	bool unsized;			/* what a job takes is known only after it, as of chats */
};

struct world {
	const struct policy *policy;
	struct lp_scope *scope;
	struct lp_dice dice, own;	/* of the world; of the policy */
	struct node *nodes;
	int n, n_jobs, came, failed, refused;
	double load;			/* share of all slots */
	int64_t now, gap;
	struct event *heap;
	int n_events, cap;
	uint64_t order;
	struct job *spare;
	float *times;
	int n_times;
	double paid, work;
	/* of the policies */
	struct lp_roster *roster;
	struct lp_orch **rows;
	bool knowing;			/* all */
	struct lp_rank *free;
	double *tree;			/* the incumbent: stakes of the idle, as a Fenwick tree */
	int *idle, *place, n_idle, *inflight, *benched, rounds;
	double *score;
	int64_t last_round;
	double choose_ns;
	int64_t choices;
};

static double normal(struct lp_dice *dice)
{
	double u = 1 - lp_dice_unit(dice);

	return sqrt(-2 * log(u)) * cos(6.283185307179586 * lp_dice_unit(dice));
}

/* A coin that falls the same for the same job at the same node, whoever chooses. */
static double fate(uint64_t job, int node, uint64_t what)
{
	uint64_t x = (job * 0x9e3779b97f4a7c15) ^ ((uint64_t)node * 0xbf58476d1ce4e5b9) ^ (what * 0x94d049bb133111eb);

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return (double)((x ^ (x >> 31)) >> 11) * 0x1p-53;
}

static bool will_fail(const struct world *w, const struct job *j, int i)
{
	return fate(j->number, i, 1) < w->nodes[i].fails;
}

static int64_t duration(const struct world *w, const struct job *j, int i)
{
	const struct node *o = &w->nodes[i];
	double noise = exp(0.15 * sqrt(-2 * log(1 - fate(j->number, i, 2))) * cos(6.283185307179586 * fate(j->number, i, 3)));

	return o->rtt + (o->warm ? 0 : COLD) + (int64_t)(o->speed * j->work * noise * (double)LP_SEC);
}

static void make_node(struct world *w, struct node *o)
{
	static const int slots[] = { 1, 1, 2, 2, 2, 4, 4, 8 };
	double kind = lp_dice_unit(&w->dice);

	o->speed = exp(0.5 * normal(&w->dice));
	o->price = floor(1000 * exp(0.5 * normal(&w->dice)) * pow(o->speed, -0.3)) + 1;
	o->stake = pow(1 - lp_dice_unit(&w->dice), -0.8);
	o->fails = kind < 0.8 ? 0.001 : kind < 0.95 ? 0.02 : 0.2;
	o->slots = slots[lp_dice_below(&w->dice, 8)];
	o->warm = lp_dice_unit(&w->dice) < 0.85;
	o->foreign = lp_dice_unit(&w->dice) < 0.2;
	o->rtt = (int64_t)((5 + 145 * lp_dice_unit(&w->dice)) * (double)LP_MSEC);
}

/* ---- events ---- */

static bool sooner(const struct event *a, const struct event *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void at(struct world *w, int64_t when, struct job *job, int node)
{
	int i = w->n_events++;
	struct event e = { when, w->order++, job, node };

	if (w->n_events > w->cap) {
		w->cap = w->cap ? 2 * w->cap : 1024;
		w->heap = lp_mem_grow(w->heap, (size_t)w->cap * sizeof(*w->heap));
	}
	for (; i > 0 && sooner(&e, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = e;
}

static struct event next_event(struct world *w)
{
	struct event first = w->heap[0], last = w->heap[--w->n_events];
	int i = 0;

	for (int child; (child = 2 * i + 1) < w->n_events; i = child) {
		if (child + 1 < w->n_events && sooner(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!sooner(&w->heap[child], &last))
			break;
		w->heap[i] = w->heap[child];
	}
	w->heap[i] = last;
	return first;
}

/* ---- who knows all: keeps the free ones in order of what they take ---- */

static void rank(struct world *w, int i)
{
	struct node *o = &w->nodes[i];
	bool is_free = !o->busy && o->used < o->slots;

	if (!w->knowing || is_free == o->ranked)
		return;
	o->ranked = is_free;
	if (is_free)
		lp_rank_put(&w->free, &o->rank);
	else
		lp_rank_take(&w->free, &o->rank);
}

static void knowing_open(struct world *w)
{
	w->knowing = true;
	/* Cold ones are out of the question while others are free; 8 units are the usual job. */
	for (int i = 0; i < w->n; i++) {
		struct node *o = &w->nodes[i];

		o->rank = (struct lp_rank){ .cost = o->speed + (o->warm ? 0 : (double)COLD / 8e6), .id = (uint64_t)i,
					    .price = lp_scaled_price(o->price, 1) };
	}
}

static int choose_knowing(struct world *w, struct job *j, bool cheap)
{
	struct lp_rank *aside[64], *best;
	int n = 0, chosen = -1;

	while (n < 64 && (best = lp_rank_first(w->free))) {
		/* By e^-price the cheapest weighs more than all the others together, but for near ties. */
		if (cheap)
			best = lp_rank_draw(w->free, best->cost * GOOD, LP_RANK_PRICE, 0.5);
		chosen = (int)best->id;
		if (!will_fail(w, j, chosen))
			break;
		lp_rank_take(&w->free, best);
		aside[n++] = best;
		chosen = -1;
	}
	while (n)
		lp_rank_put(&w->free, aside[--n]);
	return chosen;
}

static int fastest_choose(struct world *w, struct job *j)
{
	return choose_knowing(w, j, false);
}

static int cheapest_choose(struct world *w, struct job *j)
{
	return choose_knowing(w, j, true);
}

static void nothing(struct world *w, struct job *j)
{
	(void)w;
	(void)j;
}

static void nothing_ends(struct world *w, struct job *j, int64_t took)
{
	(void)w;
	(void)j;
	(void)took;
}

/* ---- lpd ---- */

static void stake(struct world *w, int i)
{
	char address[20] = { 1, [16] = (char)(i >> 16), (char)(i >> 8), (char)i };

	lp_roster_stake(w->roster, lp_span_of(address, sizeof(address)), w->nodes[i].stake);
}

static void lpd_open(struct world *w)
{
	const struct lp_roster_rules rules = {
		.stale = LP_NEVER / 4,	/* the rounds of discovery are not what is measured here */
		.weights = { .by_stake = w->policy->by_stake, .by_price = w->policy->by_price,
			     .by_chance = w->policy->by_chance, .price_factor = 100 },
	};

	w->roster = lp_roster_open(w->scope, &rules, &w->own);
	w->rows = lp_new_array(w->scope, struct lp_orch *, (size_t)w->n);
	for (int i = 0; i < w->n; i++) {
		struct lp_scope *scope = lp_scope_open(NULL, "info");
		const struct node *o = &w->nodes[i];
		const struct lp_model_terms terms = { .model = MODEL, .warm = o->warm, .capacity = (uint32_t)o->slots };
		struct lp_price_info price = { true, (int64_t)o->price, 1, CAPABILITY, MODEL };
		struct lp_orch_info info = { .transcoder = LP_SPAN("https://o:1"), .has_capabilities = true,
					     .prices = &price, .n_prices = 1 };
		char address[20] = { 1, [16] = (char)(i >> 16), (char)(i >> 8), (char)i };

		info.address = lp_span_of(address, sizeof(address));
		lp_capabilities_init(&info.capabilities, scope, LP_SPAN("0.9.1"));
		lp_capabilities_add_model(scope, &info.capabilities, CAPABILITY, &terms);
		w->rows[i] = lp_roster_row(w->roster, lp_span(lp_fmt(scope, "https://o:%d", i)));
		lp_orch_answered(w->rows[i], &info, o->rtt, w->now);
		lp_scope_close(&scope);
	}
	for (int i = 0; i < w->n; i++)	/* told before there is work, as a chain would */
		stake(w, i);
	lp_roster_staked(w->roster);
}

static int lpd_choose(struct world *w, struct job *j)
{
	const struct lp_roster_ask ask = { .capability = CAPABILITY, .model = MODEL, .tried = j->rows,
					   .n_tried = j->n_tried, .work = w->policy->unsized ? 0 : j->work, .now = w->now };
	struct lp_choice choice;
	struct lp_orch *orch;
	struct timespec a, b;
	uint64_t i;

	clock_gettime(CLOCK_MONOTONIC, &a);
	orch = lp_roster_choose(w->roster, &ask, &choice);
	clock_gettime(CLOCK_MONOTONIC, &b);
	w->choose_ns += (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
	w->choices++;
	if (!orch)
		return -1;
	lp_assert(lp_span_u64(lp_span_skip(lp_orch_address(orch), strlen("https://o:")), &i));
	return (int)i;
}

static void lpd_begin(struct world *w, struct job *j)
{
	j->try = (struct lp_orch_try){ .orch = w->rows[j->at], .capability = CAPABILITY, .model = MODEL };
	lp_orch_begin(w->roster, &j->try);
}

static void lpd_end(struct world *w, struct job *j, int64_t took)
{
	lp_orch_end(w->roster, &j->try,
		    &(struct lp_orch_outcome){ .code = j->code, .took = took, .work = j->work, .now = w->now });
	if (j->n_tried)
		j->rows[j->n_tried - 1] = w->rows[j->tried[j->n_tried - 1]];
}

/* ---- the incumbent (network-protocol 7.4, 7.6, 7.7) ----
 *
 * A session is idle or in use by at least one job.  One is drawn among the idle, warm before cold, 0.7 by stake and
 * 0.3 by chance; when none is idle, a random one in use.  Failure: gone until three refreshes later; refreshes come
 * every ten minutes, or when few are left.  "Full": parked for this job. */

static void stake_add(struct world *w, int pool, int i, double by)
{
	for (int k = i + 1; k <= w->n; k += k & -k)
		w->tree[(size_t)pool * (size_t)(w->n + 1) + (size_t)k] += by;
}

static int stake_draw(struct world *w, int pool)
{
	double *tree = &w->tree[(size_t)pool * (size_t)(w->n + 1)];
	double sum = 0, left;
	int k = 0;

	for (int i = w->n; i; i -= i & -i)
		sum += tree[i];
	left = sum * lp_dice_unit(&w->own);
	for (int step = 1 << 20; step; step >>= 1) {
		if (k + step <= w->n && tree[k + step] <= left) {
			k += step;
			left -= tree[k];
		}
	}
	return k < w->n ? k : w->n - 1;
}

static int pool_of(const struct world *w, int i)
{
	return w->nodes[i].warm ? 0 : 1;
}

static void set_idle(struct world *w, int i, bool idle)
{
	int pool = pool_of(w, i), *list = &w->idle[pool * (w->n + 1)], *n = &list[w->n];

	if (idle == (w->place[i] >= 0))
		return;
	stake_add(w, pool, i, idle ? w->nodes[i].stake : -w->nodes[i].stake);
	if (idle) {
		w->place[i] = *n;
		list[(*n)++] = i;
	} else {
		list[w->place[i]] = list[--*n];
		w->place[list[w->place[i]]] = w->place[i];
		w->place[i] = -1;
	}
}

static void incumbent_open(struct world *w)
{
	size_t n = (size_t)w->n;

	w->tree = lp_new_array(w->scope, double, 2 * (n + 1));
	w->idle = lp_new_array(w->scope, int, 2 * (n + 1));
	w->place = lp_new_array(w->scope, int, n);
	w->inflight = lp_new_array(w->scope, int, n);
	w->benched = lp_new_array(w->scope, int, n);
	for (int i = 0; i < w->n; i++) {
		w->place[i] = -1;
		set_idle(w, i, true);
	}
}

static void incumbent_round(struct world *w)
{
	w->last_round = w->now;
	w->rounds++;
	for (int i = 0; i < w->n; i++)
		if (w->benched[i] && w->benched[i] < w->rounds) {
			w->benched[i] = 0;
			set_idle(w, i, w->inflight[i] == 0);
		}
}

static int incumbent_choose(struct world *w, struct job *j)
{
	(void)j;
	if (w->now - w->last_round > 10 * LP_MIN)
		incumbent_round(w);
	for (int pool = 0; pool < 2; pool++) {
		const int *list = &w->idle[pool * (w->n + 1)];

		if (!list[w->n])
			continue;
		if (lp_dice_unit(&w->own) < 0.3)
			return list[lp_dice_below(&w->own, (uint64_t)list[w->n])];
		for (int k = 0; k < 20; k++) {
			int i = stake_draw(w, pool);

			if (w->place[i] >= 0 && pool_of(w, i) == pool)
				return i;
		}
		return list[0];
	}
	for (int k = 0; k < 50; k++) {
		int i = (int)lp_dice_below(&w->own, (uint64_t)w->n);

		if (w->inflight[i] && !w->benched[i])
			return i;
	}
	return -1;
}

static void incumbent_begin(struct world *w, struct job *j)
{
	w->inflight[j->at]++;
	set_idle(w, j->at, false);
}

static void incumbent_back(struct world *w, int i)
{
	w->inflight[i]--;
	set_idle(w, i, !w->inflight[i] && !w->benched[i]);
}

static void incumbent_end(struct world *w, struct job *j, int64_t took)
{
	(void)took;
	if (j->code == LP_NO_CAPACITY) {
		j->parked[j->n_parked++] = j->at;
		return;
	}
	if (j->code != LP_OK)
		w->benched[j->at] = w->rounds + 3;
	incumbent_back(w, j->at);
}

static void incumbent_over(struct world *w, struct job *j)
{
	while (j->n_parked)
		incumbent_back(w, j->parked[--j->n_parked]);
}

/* ---- two choices ---- */

static void two_open(struct world *w)
{
	w->inflight = lp_new_array(w->scope, int, (size_t)w->n);
	w->score = lp_new_array(w->scope, double, (size_t)w->n);
}

static int two_choose(struct world *w, struct job *j)
{
	int a = (int)lp_dice_below(&w->own, (uint64_t)w->n), b = (int)lp_dice_below(&w->own, (uint64_t)w->n);
	double load_a = w->inflight[a] / (double)w->nodes[a].slots, load_b = w->inflight[b] / (double)w->nodes[b].slots;

	(void)j;
	if (load_a != load_b)
		return load_a < load_b ? a : b;
	return w->score[a] < w->score[b] ? a : b;
}

static void two_begin(struct world *w, struct job *j)
{
	w->inflight[j->at]++;
}

static void two_end(struct world *w, struct job *j, int64_t took)
{
	w->inflight[j->at]--;
	if (j->code == LP_OK)
		w->score[j->at] = lp_score_update(w->score[j->at], (double)took / 1e6 / j->work);
}

static const struct policy policies[] = {
	{ "fastest", knowing_open, fastest_choose, nothing, nothing_ends, nothing, 0, 0, 0, false },
	{ "cheapest", knowing_open, cheapest_choose, nothing, nothing_ends, nothing, 0, 0, 0, false },
	{ "lpd", lpd_open, lpd_choose, lpd_begin, lpd_end, nothing, 0.7, 0, 0.3, false },
	{ "lpd_price", lpd_open, lpd_choose, lpd_begin, lpd_end, nothing, 0, 1, 0, false },
	{ "lpd_unsized", lpd_open, lpd_choose, lpd_begin, lpd_end, nothing, 0.7, 0, 0.3, true },
	{ "incumbent", incumbent_open, incumbent_choose, incumbent_begin, incumbent_end, incumbent_over, 0, 0, 0, false },
	{ "two_choices", two_open, two_choose, two_begin, two_end, nothing, 0, 0, 0, false },
};

#define POLICIES (int)(sizeof(policies) / sizeof(*policies))

/* ---- a job's way, as the gateway's machine takes it ---- */

static void job_over(struct world *w, struct job *j, bool good)
{
	if (good && j->number >= (uint64_t)w->n_jobs / 10)
		w->times[w->n_times++] = (float)((double)(w->now - j->came) / 1e6);
	w->policy->over(w, j);
	w->failed += !good;
	j->next = w->spare;
	w->spare = j;
}

static void look(struct world *w, struct job *j)
{
	int i = w->policy->choose(w, j);
	struct node *o;
	int64_t time;

	if (i < 0) {
		j->waited += LOOK;
		if (j->waited > WAIT)
			job_over(w, j, false);
		else
			at(w, w->now + LOOK, j, -1);
		return;
	}
	o = &w->nodes[i];
	j->at = i;
	j->tries++;
	j->began = w->now;
	w->policy->begin(w, j);
	if (o->busy || o->used >= o->slots) {
		j->code = LP_NO_CAPACITY;
		w->refused++;
		at(w, w->now + o->rtt, j, i);
		return;
	}
	o->used++;
	rank(w, i);
	time = duration(w, j, i);
	j->code = will_fail(w, j, i) ? LP_PEER_ERROR : LP_OK;
	if (j->code != LP_OK)
		time = (int64_t)((double)time * fate(j->number, i, 4));
	at(w, w->now + time, j, i);
}

static void try_ended(struct world *w, struct job *j, int i)
{
	struct node *o = &w->nodes[i];
	enum lp_code code = j->code;

	if (code != LP_NO_CAPACITY) {
		o->used--;
		rank(w, i);
	}
	if (code == LP_PEER_ERROR && j->n_tried < TRIES)
		j->tried[j->n_tried++] = i;
	w->policy->end(w, j, w->now - j->began);
	if (code == LP_OK) {
		o->jobs++;
		if (j->number >= (uint64_t)w->n_jobs / 10) {
			w->paid += j->work * o->price;
			w->work += j->work;
		}
		job_over(w, j, true);
		return;
	}
	j->faults += code == LP_PEER_ERROR;
	if (j->faults >= FAULTS || j->tries >= TRIES)
		job_over(w, j, false);
	else
		look(w, j);
}

static void arrive(struct world *w)
{
	struct job *j = w->spare;

	if (j)
		w->spare = j->next;
	else
		j = lp_new(w->scope, struct job);
	*j = (struct job){ .came = w->now, .number = (uint64_t)w->came++ };
	j->work = 8 * exp(0.8 * sqrt(-2 * log(1 - fate(j->number, -1, 5))) * cos(6.283185307179586 * fate(j->number, -1, 6)));
	if (w->came < w->n_jobs)
		at(w, w->now - (int64_t)(log(1 - fate((uint64_t)w->came, -1, 7)) * (double)w->gap), NULL, -1);
	look(w, j);
}

/* Others' jobs come in bursts that fill it, for half a minute in two. */
static void foreign(struct world *w, int i)
{
	struct node *o = &w->nodes[i];
	double mean = o->busy ? 90 : 30;

	o->busy = !o->busy;
	rank(w, i);
	if (w->came < w->n_jobs)
		at(w, w->now + (int64_t)(-log(1 - lp_dice_unit(&w->dice)) * mean * 1e6), NULL, i);
}

static void run(struct world *w)
{
	while (w->n_events) {
		struct event e = next_event(w);

		w->now = e.at;
		if (e.job && e.node < 0)
			look(w, e.job);
		else if (e.job)
			try_ended(w, e.job, e.node);
		else if (e.node < 0)
			arrive(w);
		else
			foreign(w, e.node);
	}
}

/* ---- figures ---- */

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

struct result {
	double p50, p99, price, failed, seconds;
	int used, *jobs;
};

static void say(const char *policy, const char *what, double value, const char *unit)
{
	printf("market.%s.%s %.6g %s\n", policy, what, value, unit);
	fflush(stdout);
}

static void play(struct result *out, const struct policy *policy, int n_jobs, int n, double load)
{
	struct world w = { .policy = policy, .scope = lp_scope_open(NULL, "bench"), .n = n, .n_jobs = n_jobs,
			   .load = load, .now = 1000 * LP_SEC };
	clock_t began = clock();
	int slots = 0;

	lp_dice_init(&w.dice, 1);
	lp_dice_init(&w.own, 2);
	w.last_round = w.now;
	w.nodes = lp_new_array(w.scope, struct node, (size_t)n);
	w.times = lp_mem_get((size_t)n_jobs * sizeof(*w.times));
	for (int i = 0; i < n; i++) {
		make_node(&w, &w.nodes[i]);
		slots += w.nodes[i].slots;
	}
	w.gap = (int64_t)(8 * exp(0.32) * 1e6 / (slots * load));	/* a usual job holds a slot for work * 1 s */
	policy->open(&w);
	for (int i = 0; i < n; i++) {
		rank(&w, i);
		if (w.nodes[i].foreign)
			at(&w, w.now + (int64_t)(lp_dice_unit(&w.dice) * 60e6), NULL, i);
	}
	at(&w, w.now, NULL, -1);
	run(&w);
	qsort(w.times, (size_t)w.n_times, sizeof(*w.times), by_size);
	out->p50 = (double)w.times[w.n_times / 2];
	out->p99 = (double)w.times[(int)(w.n_times * 0.99)];
	out->price = w.paid / w.work;
	out->failed = w.failed;
	out->jobs = lp_mem_zeroed((size_t)n, sizeof(int));
	for (int i = 0; i < n; i++) {
		out->jobs[i] = w.nodes[i].jobs;
		out->used += w.nodes[i].jobs > 0;
	}
	say(policy->name, "p50", out->p50, "s");
	say(policy->name, "p99", out->p99, "s");
	say(policy->name, "price", out->price, "wei/unit");
	say(policy->name, "failed", out->failed, "jobs");
	say(policy->name, "refusals", w.refused / (double)n_jobs, "a job");
	say(policy->name, "used", out->used, "orchestrators");
	if (w.choices)
		say(policy->name, "choose", w.choose_ns / (double)w.choices, "ns");
	say(policy->name, "cpu", (double)(clock() - began) / CLOCKS_PER_SEC, "s");
	lp_mem_free(w.times);
	lp_mem_free(w.heap);
	lp_scope_close(&w.scope);
}

/* A fair offer: one that somebody who knows everything gives work to all the time. */
static void starved(const char *name, const struct result *r, const struct result *knowing, int n, int n_jobs)
{
	int fair = 0, none = 0, enough = n_jobs / n / 5 > 1 ? n_jobs / n / 5 : 1;

	for (int i = 0; i < n; i++) {
		fair += knowing->jobs[i] >= enough;
		none += knowing->jobs[i] >= enough && !r->jobs[i];
	}
	say(name, "fair", fair, "orchestrators");
	say(name, "starved", none, "orchestrators");
}

int main(int argc, char **argv)
{
	int n_jobs = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000000;
	int n = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 10000;
	double load = argc > 3 ? strtod(argv[3], NULL) : 0.3;
	struct result r[POLICIES] = { { 0 } };

	for (int i = 0; i < POLICIES; i++)
		play(&r[i], &policies[i], n_jobs, n, load);
	for (int i = 2; i < POLICIES; i++) {
		say(policies[i].name, "p99_vs_fastest", r[i].p99 / r[0].p99, "ratio");
		say(policies[i].name, "price_vs_cheapest", r[i].price / r[1].price, "ratio");
		starved(policies[i].name, &r[i], strcmp(policies[i].name, "lpd_price") ? &r[0] : &r[1], n, n_jobs);
	}
	for (int i = 0; i < POLICIES; i++)
		lp_mem_free(r[i].jobs);
	return 0;
}
