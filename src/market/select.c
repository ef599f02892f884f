#include <lpd/market/select.h>

#include <math.h>

#include <lpd/base/assert.h>

#define EXPLORE \
	0.03 /* share of choices that look elsewhere, or a slow one would stay unasked for ever */
#define NEARLY 1.05 /* costs this close are a tie: noise decides otherwise */
#define NEWEST 0.3  /* weight of the newest score */

/* Candidates come in four classes; the best class that has anyone is chosen from.  A warm one that
 * is full still stands before a cold one that is full: it has the model loaded. */
enum class { WARM, COLD, WARM_FULL, COLD_FULL, CLASSES };

static enum class class_of(const struct lp_candidate *c) {
	bool full = c->capacity > 0 && c->in_flight >= 0 && (uint32_t)c->in_flight >= c->capacity;

	return full ? (c->warm ? WARM_FULL : COLD_FULL) : (c->warm ? WARM : COLD);
}

/* What is common to the candidates of the class. */
struct field {
	const struct lp_candidate *candidates;
	int n;
	enum class class;
	double best_score; /* of the measured ones; 0: none is measured */
	int size;
};

static bool plays(const struct field *field, int i)
{
	return field->candidates[i].reject == LP_REJECT_NONE &&
	       class_of(&field->candidates[i]) == field->class;
}

static struct field survey(const struct lp_candidate *candidates, int n)
{
	struct field field = { .candidates = candidates, .n = n, .class = CLASSES };

	for (int i = 0; i < n; i++) {
		if (candidates[i].reject == LP_REJECT_NONE &&
		    class_of(&candidates[i]) < field.class)
			field.class = class_of(&candidates[i]);
	}
	for (int i = 0; i < n; i++) {
		double score = candidates[i].score;

		if (!plays(&field, i))
			continue;
		field.size++;
		if (score > 0 && (field.best_score == 0 || score < field.best_score))
			field.best_score = score;
	}
	return field;
}

/* Expected time: what one job takes there, times the queue that we ourselves made, times trust
 * lost.  Who is not measured and idle goes first; once asked, it is taken for as good as the best
 * until its score comes, or every job would pile up there.  While nobody is measured, the nearest
 * go first. */
static double cost_of(const struct field *field, int i)
{
	const struct lp_candidate *c = &field->candidates[i];
	int queue = c->in_flight > 0 ? c->in_flight : 0;
	int failures = c->failures > 0 ? c->failures : 0;
	double trust = (1.0 + queue) * (1.0 + failures);

	if (c->score > 0)
		return c->score * trust;
	if (field->best_score > 0)
		return queue || failures ? field->best_score * trust : 0;
	return (c->latency > 0 ? c->latency : 1e-6) * trust;
}

/* Among those within a hair of the least cost each has the same chance. */
static int cheapest(const struct field *field, struct lp_dice *dice)
{
	double least = INFINITY;
	int ties = 0, chosen = -1;

	for (int i = 0; i < field->n; i++) {
		if (plays(field, i) && cost_of(field, i) < least)
			least = cost_of(field, i);
	}
	for (int i = 0; i < field->n; i++) {
		if (!plays(field, i) || cost_of(field, i) > least * NEARLY)
			continue;
		ties++;
		if (lp_dice_below(dice, (uint64_t)ties) == 0)
			chosen = i;
	}
	return chosen;
}

static int any(const struct field *field, struct lp_dice *dice)
{
	uint64_t skip = lp_dice_below(dice, (uint64_t)field->size);
	int i = 0;

	while (!plays(field, i) || skip-- > 0)
		i++;
	return i;
}

static const char *why(const struct field *field, int chosen)
{
	const struct lp_candidate *c = &field->candidates[chosen];

	if (field->size == 1)
		return "only one";
	if (c->score <= 0)
		return "not measured yet";
	if (field->class == WARM_FULL || field->class == COLD_FULL)
		return "shortest queue";
	return c->warm ? "fastest warm" : "fastest cold";
}

void lp_select(struct lp_choice *out, const struct lp_candidate *candidates, int n,
	       struct lp_dice *dice)
{
	*out = (struct lp_choice){ .index = -1, .why = "none is eligible" };
	for (int i = 0; i < n; i++) {
		lp_assert((unsigned)candidates[i].reject < LP_REJECTS);
		out->rejected[candidates[i].reject]++;
	}
	out->eligible = out->rejected[LP_REJECT_NONE];
	out->rejected[LP_REJECT_NONE] = 0;
	if (!out->eligible)
		return;
	struct field field = survey(candidates, n);

	if (field.size > 1 && lp_dice_unit(dice) < EXPLORE) {
		out->index = any(&field, dice);
		out->why = "a look elsewhere";
		return;
	}
	out->index = cheapest(&field, dice);
	out->why = why(&field, out->index);
}

double lp_score_update(double score, double measured)
{
	if (!isfinite(measured) || measured <= 0)
		return score;
	return score > 0 ? (1 - NEWEST) * score + NEWEST * measured : measured;
}

const char *lp_reject_name(enum lp_reject reject)
{
	static const char *const names[LP_REJECTS] = {
		[LP_REJECT_NONE] = "none",           [LP_REJECT_UNREACHED] = "unreached",
		[LP_REJECT_MODEL] = "model",         [LP_REJECT_VERSION] = "version",
		[LP_REJECT_TRIED] = "tried",         [LP_REJECT_BUSY] = "busy",
		[LP_REJECT_SUSPENDED] = "suspended", [LP_REJECT_EXCLUDED] = "excluded",
	};

	lp_assert((unsigned)reject < LP_REJECTS);
	return names[reject];
}
