#include <lpd/market/capability.h>

#include <string.h>

#include <lpd/base/assert.h>

/* What every AI node carries although it is about video (network-protocol 1.5): {0..12, 14, 26}. */
#define DEFAULT_SET 0x4005FFFULL

static void set_capacity(struct lp_scope *scope, struct lp_capabilities *caps, uint32_t capability)
{
	for (int i = 0; i < caps->n_capacities; i++) {
		if (caps->capacities[i].capability == capability)
			return;
	}
	struct lp_cap_capacity *grown =
		lp_new_array(scope, struct lp_cap_capacity, (size_t)caps->n_capacities + 1);

	if (caps->n_capacities)
		memcpy(grown, caps->capacities, (size_t)caps->n_capacities * sizeof *grown);
	grown[caps->n_capacities++] = (struct lp_cap_capacity){ capability, 1 };
	caps->capacities = grown;
}

void lp_capabilities_init(struct lp_capabilities *caps, struct lp_scope *scope,
			  struct lp_span version)
{
	*caps = (struct lp_capabilities){
		.bits = { DEFAULT_SET },
		.n_bits = 1,
		.version = lp_span_dup(scope, version),
		/* A Go gateway follows this pointer without looking (BUG-30). */
		.has_constraints = true,
	};
	caps->capacities = lp_new_array(scope, struct lp_cap_capacity, 64);
	for (uint32_t bit = 0; bit < 64; bit++) {
		if (DEFAULT_SET >> bit & 1)
			caps->capacities[caps->n_capacities++] = (struct lp_cap_capacity){ bit, 1 };
	}
}

void lp_capabilities_set(struct lp_capabilities *caps, uint32_t capability)
{
	int word = (int)(capability / 64);

	lp_assert(word < LP_CAP_WORDS);
	caps->bits[word] |= 1ULL << (capability % 64);
	if (caps->n_bits <= word)
		caps->n_bits = word + 1;
}

bool lp_capabilities_has(const struct lp_capabilities *caps, uint32_t capability)
{
	return capability / 64 < LP_CAP_WORDS &&
	       caps->bits[capability / 64] >> (capability % 64) & 1;
}

/* From the end: of a key that came twice the last counts, as in every reader of protobuf maps. */
static struct lp_cap_models *models_of(const struct lp_capabilities *caps, uint32_t capability)
{
	for (int i = caps->n_caps; i-- > 0;) {
		if (caps->caps[i].capability == capability)
			return &caps->caps[i];
	}
	return NULL;
}

static struct lp_model_terms *terms_of(const struct lp_cap_models *models, struct lp_span model)
{
	for (int i = models->n; i-- > 0;) {
		if (lp_span_eq(models->models[i].model, model))
			return &models->models[i];
	}
	return NULL;
}

const struct lp_model_terms *lp_capabilities_model(const struct lp_capabilities *caps,
						   uint32_t capability, struct lp_span model)
{
	const struct lp_cap_models *models = models_of(caps, capability);

	return models ? terms_of(models, model) : NULL;
}

static struct lp_model_terms copy_terms(struct lp_scope *scope, const struct lp_model_terms *from)
{
	struct lp_model_terms to = *from;

	to.model = lp_span_dup(scope, from->model);
	to.runner_version = lp_span_dup(scope, from->runner_version);
	return to;
}

static struct lp_cap_models *add_capability(struct lp_scope *scope, struct lp_capabilities *caps,
					    uint32_t capability)
{
	struct lp_cap_models *grown =
		lp_new_array(scope, struct lp_cap_models, (size_t)caps->n_caps + 1);

	if (caps->n_caps)
		memcpy(grown, caps->caps, (size_t)caps->n_caps * sizeof *grown);
	grown[caps->n_caps].capability = capability;
	caps->caps = grown;
	return &grown[caps->n_caps++];
}

void lp_capabilities_add_model(struct lp_scope *scope, struct lp_capabilities *caps,
			       uint32_t capability, const struct lp_model_terms *terms)
{
	struct lp_cap_models *models = models_of(caps, capability);

	lp_capabilities_set(caps, capability);
	set_capacity(scope, caps, capability);
	caps->has_constraints = true;
	if (!models)
		models = add_capability(scope, caps, capability);
	struct lp_model_terms *known = terms_of(models, terms->model);

	if (known) {
		known->capacity += terms->capacity;
		known->in_use += terms->in_use;
		known->warm = known->warm || terms->warm;
		return;
	}
	struct lp_model_terms *grown =
		lp_new_array(scope, struct lp_model_terms, (size_t)models->n + 1);

	if (models->n)
		memcpy(grown, models->models, (size_t)models->n * sizeof *grown);
	grown[models->n++] = copy_terms(scope, terms);
	models->models = grown;
}

static void copy_models(struct lp_scope *scope, struct lp_cap_models *to,
			const struct lp_cap_models *from)
{
	*to = *from;
	to->models = lp_new_array(scope, struct lp_model_terms, (size_t)from->n);
	for (int i = 0; i < from->n; i++)
		to->models[i] = copy_terms(scope, &from->models[i]);
}

void lp_capabilities_copy(struct lp_scope *scope, struct lp_capabilities *to,
			  const struct lp_capabilities *from)
{
	*to = *from;
	to->version = lp_span_dup(scope, from->version);
	to->min_version = lp_span_dup(scope, from->min_version);
	to->capacities = lp_new_array(scope, struct lp_cap_capacity, (size_t)from->n_capacities);
	if (from->n_capacities)
		memcpy(to->capacities, from->capacities,
		       (size_t)from->n_capacities * sizeof *to->capacities);
	to->caps = lp_new_array(scope, struct lp_cap_models, (size_t)from->n_caps);
	for (int i = 0; i < from->n_caps; i++)
		copy_models(scope, &to->caps[i], &from->caps[i]);
}

/* Is every bit of the first in the second?  A longer first one is not, even if its further words
 * are 0: the network compares lengths (network-protocol 1.6, rules 2 and 4). */
static bool within(const uint64_t *small, int n_small, const uint64_t *large, int n_large)
{
	if (n_small > n_large)
		return false;
	for (int i = 0; i < n_small; i++) {
		if (small[i] & ~large[i])
			return false;
	}
	return true;
}

/* Rule 3 for one capability. */
static enum lp_code check_models(const struct lp_cap_models *need, const struct lp_cap_models *have,
				 struct lp_err *e)
{
	for (int i = 0; i < need->n; i++) {
		const struct lp_model_terms *want = &need->models[i];
		const struct lp_model_terms *offer = terms_of(have, want->model);

		if (!offer)
			return lp_fail(e, LP_INCOMPATIBLE, "model %.*s is not offered",
				       LP_ARG(want->model));
		if (want->warm && !offer->warm)
			return lp_fail(e, LP_INCOMPATIBLE, "model %.*s is not warm",
				       LP_ARG(want->model));
		if (!lp_version_satisfies(want->runner_version, offer->runner_version))
			return lp_fail(e, LP_INCOMPATIBLE,
				       "the runner of model %.*s is older than %.*s",
				       LP_ARG(want->model), LP_ARG(want->runner_version));
	}
	return LP_OK;
}

enum lp_code lp_capabilities_check(const struct lp_capabilities *need,
				   const struct lp_capabilities *have, struct lp_err *e)
{
	if (!lp_version_satisfies(need->min_version, have->version))
		return lp_fail(e, LP_INCOMPATIBLE, "version %.*s is older than %.*s",
			       LP_ARG(have->version), LP_ARG(need->min_version));
	if (!within(have->mandatories, have->n_mandatories, need->bits, need->n_bits))
		return lp_fail(e, LP_INCOMPATIBLE, "a mandatory capability is not asked for");
	for (int i = 0; i < need->n_caps; i++) {
		const struct lp_cap_models *offered = models_of(have, need->caps[i].capability);

		if (!offered)
			continue; /* says nothing of models: compatible by rule 3 */
		enum lp_code code = check_models(&need->caps[i], offered, e);

		if (code)
			return code;
	}
	if (!within(need->bits, need->n_bits, have->bits, have->n_bits))
		return lp_fail(e, LP_INCOMPATIBLE, "a capability is missing");
	return LP_OK;
}
