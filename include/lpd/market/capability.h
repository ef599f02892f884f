/* market/capability - what a node can do and what a job needs: bits, capacities, models; compared as the
 * network compares them (network-protocol 1.5, 1.6).  Pure. */
#ifndef LPD_MARKET_CAPABILITY_H
#define LPD_MARKET_CAPABILITY_H

#include <lpd/base/err.h>
#include <lpd/base/scope.h>

#define LP_CAP_WORDS 8			/* bits above 511 are ignored on reading */

struct lp_model_terms {			/* ModelConstraint: an offer from O, a demand from G */
	struct lp_span model;
	bool warm;
	uint32_t capacity, in_use;
	struct lp_span runner_version;
};

struct lp_cap_models {
	uint32_t capability;
	struct lp_model_terms *models;
	int n;
};

struct lp_cap_capacity {
	uint32_t capability, count;
};

struct lp_capabilities {
	uint64_t bits[LP_CAP_WORDS];
	int n_bits;			/* words used */
	uint64_t mandatories[LP_CAP_WORDS];
	int n_mandatories;
	struct lp_cap_capacity *capacities;
	int n_capacities;
	struct lp_span version;		/* of the sender's software */
	bool has_constraints;
	struct lp_span min_version;
	struct lp_cap_models *caps;	/* constraints.PerCapability */
	int n_caps;
};

/* The default set {0..12, 14, 26} that every AI node carries (network-protocol 1.5). */
void lp_capabilities_init(struct lp_capabilities *caps, struct lp_scope *scope, struct lp_span version);
void lp_capabilities_set(struct lp_capabilities *caps, uint32_t capability);
bool lp_capabilities_has(const struct lp_capabilities *caps, uint32_t capability);
/* Adds the model, with the capability's bit and its capacity entry, which counts 1 as the network's does (slots
 * are counted per model); slots of a model that is there already add up, and one warm entry makes it warm. */
void lp_capabilities_add_model(struct lp_scope *scope, struct lp_capabilities *caps, uint32_t capability,
			       const struct lp_model_terms *terms);
/* What an O says of that model, or NULL. */
const struct lp_model_terms *lp_capabilities_model(const struct lp_capabilities *caps, uint32_t capability,
						   struct lp_span model);
/* Deep copy into another scope. */
void lp_capabilities_copy(struct lp_scope *scope, struct lp_capabilities *to, const struct lp_capabilities *from);

/* Rules 1 to 4 of network-protocol 1.6; LP_INCOMPATIBLE with the rule that failed in words. */
enum lp_code lp_capabilities_check(const struct lp_capabilities *need, const struct lp_capabilities *have,
				   struct lp_err *e) LP_MUST_USE;

/* Rule 1 alone: is `have` at least `min`, by the network's lenient semver? */
bool lp_version_satisfies(struct lp_span min, struct lp_span have);

#endif
