#include <lpd/market/select.h>

#include <math.h>
#include <stddef.h>

#include <lpd/base/assert.h>

#define NEARLY 1.05 /* costs this close are a tie: noise decides otherwise */
#define GOOD 1.2    /* this close to the best is good enough for stake, price or chance to decide */
#define NEWEST 0.3  /* weight of the newest score */
#define LAST_JOBS 20.0 /* that doubt looks back on */

/* Share of choices that look elsewhere, or a slow one would stay unasked for ever.  Where there are many, a look
 * at each costs more and says less. */
#define EXPLORE 0.03
#define FEW 20

/* New ones are met at once until so many are known; from then on with a share of the jobs.  A small job takes even
 * a slow one no longer than large ones take everybody, so of those it may be a larger share. */
#define KNOWN 32
#define MEET 0.02
#define MEET_SMALL 0.2
#define SMALL 0.5 /* of the usual job */

/* Candidates come in classes; the best class that has anyone is chosen from.  A warm one that is full still
 * stands before a cold one that is full: it has the model loaded. */
enum { WARM, COLD, WARM_FULL, COLD_FULL };

static int class_of(const struct lp_candidate *c)
{
	bool full = c->capacity > 0 && c->in_flight >= 0 && (uint32_t)c->in_flight >= c->capacity;

	return 4 * (int)c->stand + (full ? (c->warm ? WARM_FULL : COLD_FULL) : (c->warm ? WARM : COLD));
}

/* How much longer than alone and in health a job is expected to take there.  Slots are there to be used, but an
 * emptier one is less likely to be full of others' jobs; beyond its slots, or where these are not told, jobs
 * wait for each other. */
static double trust_of(const struct lp_candidate *c)
{
	double queue = c->in_flight > 0 ? c->in_flight : 0;
	double failures = c->failures > 0 ? c->failures : 0;
	double sure = 1 - (c->doubt < 0.9 ? c->doubt : 0.9);

	if (c->capacity > 0 && queue < c->capacity)
		queue /= 4.0 * c->capacity;
	return (1 + queue) * (1 + failures) / (sure * sure);
}

/* ... of one that was never measured.  One that was full when it was first met need not be met before others. */
static double doubtful(const struct lp_candidate *c)
{
	return trust_of(c) * (1.0 + (c->refusals > 0 ? c->refusals : 0));
}

/* Who is measured stands by expected time, who is not by what was asked of him already, then by nearness. */
static double cost_of(const struct lp_candidate *c)
{
	double near = c->latency > 0 ? c->latency : 0;

	if (c->score > 0)
		return c->score * trust_of(c);
	return 1000 * (doubtful(c) - 1) + (near < 100 ? near : 100);
}

void lp_field_put(struct lp_field *field, struct lp_candidate *c, double price_factor)
{
	lp_assert((unsigned)c->reject < LP_REJECTS && !c->tree);
	field->count[c->reject]++;
	c->counted = c->reject;
	if (c->reject != LP_REJECT_NONE)
		return;
	c->rank = (struct lp_rank){
		.cost = cost_of(c),
		.id = c->id,
		.stake = c->stake > 0 && isfinite(c->stake) ? c->stake : 0,
		.price = lp_scaled_price(c->priced ? c->price : INFINITY, price_factor),
	};
	c->tree = (c->score > 0 ? field->measured : field->unmeasured) + class_of(c);
	lp_rank_put(c->tree, &c->rank);
}

void lp_field_drop(struct lp_field *field, struct lp_candidate *c)
{
	field->count[c->counted]--;
	if (c->tree)
		lp_rank_take(c->tree, &c->rank);
	c->tree = NULL;
}

/* ---- the choice ---- */

struct look {
	const struct lp_rank *measured, *unmeasured;	/* of the class */
	int class, known, fresh;
	const struct lp_select_want *want;
	struct lp_dice *dice;
};

static struct lp_candidate *owner(struct lp_rank *rank)
{
	return rank ? (struct lp_candidate *)(void *)((char *)rank - offsetof(struct lp_candidate, rank)) : NULL;
}

static bool survey(struct look *look, const struct lp_field *field)
{
	for (int i = 0; i < LP_FIELD_CLASSES; i++) {
		look->measured = field->measured[i];
		look->unmeasured = field->unmeasured[i];
		look->known = look->measured ? look->measured->all.n : 0;
		look->fresh = look->unmeasured ? look->unmeasured->all.n : 0;
		look->class = i;
		if (look->known + look->fresh > 0)
			return true;
	}
	return false;
}

static double unit(const struct look *look)
{
	return lp_dice_unit(look->dice);
}

/* The share of jobs like this one that may look at somebody unknown, who may be slow; `share` when sizes are not
 * told. */
static double share_of(const struct look *look, double share, double of_small)
{
	const struct lp_select_want *w = look->want;

	if (!(w->work > 0 && w->usual_work > 0))
		return share;
	return w->work <= SMALL * w->usual_work ? of_small : 0;
}

static struct lp_candidate *elsewhere(const struct look *look)
{
	int n = look->known + look->fresh;
	double share = n <= FEW ? EXPLORE : EXPLORE * sqrt((double)FEW / n);
	bool known = lp_dice_below(look->dice, (uint64_t)n) < (uint64_t)look->known;

	if (n < 2 || unit(look) >= share_of(look, share, share))
		return NULL;
	return owner(lp_rank_draw(known ? look->measured : look->unmeasured, INFINITY, LP_RANK_CHANCE, unit(look)));
}

/* Somebody whom no job has met, when it is time for one. */
static struct lp_candidate *stranger(const struct look *look)
{
	struct lp_candidate *c = owner(lp_rank_first(look->unmeasured));
	const struct lp_candidate *best = owner(lp_rank_first(look->measured));

	if (!c || !best)
		return c;
	/* Once asked, it is taken for as good as the best until its score comes, or every job would pile up there. */
	if (c->in_flight > 0)
		return best->score * trust_of(c) < best->rank.cost ? c : NULL;
	/* Who failed or was full the first time has a second one, but not at once. */
	return (look->known < KNOWN && doubtful(c) <= 1) || unit(look) < share_of(look, MEET, MEET_SMALL) ? c : NULL;
}

/* One that costs little more than the least, as the operator wants it drawn.  NULL: what it takes is not known. */
static struct lp_candidate *weighed(const struct look *look, const char **why)
{
	const struct lp_select_want *w = look->want;
	double r = unit(look), good = lp_rank_first(look->measured)->cost * GOOD;

	if (r < w->by_stake) {
		*why = "by stake";
		return owner(lp_rank_draw(look->measured, good, LP_RANK_STAKE, unit(look)));
	}
	r -= w->by_stake;
	if (r < w->by_price) {
		*why = "by price";
		return owner(lp_rank_draw(look->measured, good, LP_RANK_PRICE, unit(look)));
	}
	r -= w->by_price;
	if (r < w->by_chance) {
		*why = "by chance";
		return owner(lp_rank_draw(look->measured, good, LP_RANK_CHANCE, unit(look)));
	}
	return NULL;
}

/* Among those within a hair of the least cost each has the same chance. */
static struct lp_candidate *fastest(const struct look *look)
{
	double nearly = lp_rank_first(look->measured)->cost * NEARLY;

	return owner(lp_rank_draw(look->measured, nearly, LP_RANK_CHANCE, unit(look)));
}

static const char *words_of(const struct look *look)
{
	switch (look->class % 4) {
	case WARM:
		return "fastest warm";
	case COLD:
		return "fastest cold";
	}
	return "shortest queue";
}

static struct lp_candidate *pick(const struct look *look, const char **why)
{
	struct lp_candidate *c;

	*why = "only one";
	if (look->known + look->fresh == 1)
		return owner(lp_rank_first(look->known ? look->measured : look->unmeasured));
	*why = "a look elsewhere";
	c = elsewhere(look);
	if (c)
		return c;
	*why = "not measured yet";
	c = stranger(look);
	if (c)
		return c;
	c = weighed(look, why);
	if (c)
		return c;
	*why = words_of(look);
	return fastest(look);
}

/* Those who may work, but stand behind whom was chosen. */
static void count_behind(struct lp_choice *out, const struct lp_field *field, enum lp_stand stand)
{
	for (int i = 4 * ((int)stand + 1); i < LP_FIELD_CLASSES; i++) {
		int n = (field->measured[i] ? field->measured[i]->all.n : 0) +
			(field->unmeasured[i] ? field->unmeasured[i]->all.n : 0);

		out->eligible -= n;
		out->rejected[i / 4 == LP_STAND_SLOW ? LP_REJECT_PERF : LP_REJECT_PRICE] += n;
	}
}

void lp_select(struct lp_choice *out, const struct lp_field *field, const struct lp_select_want *want,
	       struct lp_dice *dice)
{
	struct look look = { .want = want, .dice = dice };

	*out = (struct lp_choice){ .eligible = field->count[LP_REJECT_NONE], .why = "none is eligible" };
	for (int i = LP_REJECT_NONE + 1; i < LP_REJECTS; i++)
		out->rejected[i] = field->count[i];
	if (!survey(&look, field))
		return;
	out->chosen = pick(&look, &out->why);
	lp_assert(out->chosen);
	count_behind(out, field, out->chosen->stand);
}

double lp_score_update(double score, double measured)
{
	if (!isfinite(measured) || measured <= 0)
		return score;
	return score > 0 ? (1 - NEWEST) * score + NEWEST * measured : measured;
}

double lp_doubt_update(double doubt, bool failed)
{
	return doubt + ((failed ? 1 : 0) - doubt) / LAST_JOBS;
}

const char *lp_reject_name(enum lp_reject reject)
{
	static const char *const names[LP_REJECTS] = {
		[LP_REJECT_NONE] = "none",           [LP_REJECT_UNREACHED] = "unreached",
		[LP_REJECT_MODEL] = "model",         [LP_REJECT_VERSION] = "version",
		[LP_REJECT_TRIED] = "tried",         [LP_REJECT_BUSY] = "busy",
		[LP_REJECT_SUSPENDED] = "suspended", [LP_REJECT_EXCLUDED] = "excluded",
		[LP_REJECT_PRICE] = "price",         [LP_REJECT_PERF] = "perf",
	};

	lp_assert((unsigned)reject < LP_REJECTS);
	return names[reject];
}
