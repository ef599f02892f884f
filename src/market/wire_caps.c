#include "wire.h"

#include <string.h>

static Net__Capabilities__ModelEntry *of_terms(struct lp_scope *scope,
					       const struct lp_model_terms *terms)
{
	Net__Capabilities__ModelEntry *entry = lp_new(scope, Net__Capabilities__ModelEntry);
	Net__Capabilities__ModelConstraint *value =
		lp_new(scope, Net__Capabilities__ModelConstraint);

	net__capabilities__model_entry__init(entry);
	net__capabilities__model_constraint__init(value);
	value->warm = terms->warm;
	value->capacity = terms->capacity;
	value->capacityinuse = terms->in_use;
	value->runnerversion = lp_wire_text(scope, terms->runner_version);
	entry->key_presence_case = NET__CAPABILITIES__MODEL_ENTRY__KEY_PRESENCE_KEY;
	entry->key = lp_wire_text(scope, terms->model);
	entry->value_presence_case = NET__CAPABILITIES__MODEL_ENTRY__VALUE_PRESENCE_VALUE;
	entry->value = value;
	return entry;
}

static Net__Capabilities__CapabilityEntry *of_models(struct lp_scope *scope,
						     const struct lp_cap_models *models)
{
	Net__Capabilities__CapabilityEntry *entry =
		lp_new(scope, Net__Capabilities__CapabilityEntry);
	Net__Capabilities__CapabilityConstraints *value =
		lp_new(scope, Net__Capabilities__CapabilityConstraints);

	net__capabilities__capability_entry__init(entry);
	net__capabilities__capability_constraints__init(value);
	value->n_models = (size_t)models->n;
	value->models = lp_new_array(scope, Net__Capabilities__ModelEntry *, value->n_models);
	for (int i = 0; i < models->n; i++)
		value->models[i] = of_terms(scope, &models->models[i]);
	entry->key_presence_case = NET__CAPABILITIES__CAPABILITY_ENTRY__KEY_PRESENCE_KEY;
	entry->key = models->capability;
	entry->value_presence_case = NET__CAPABILITIES__CAPABILITY_ENTRY__VALUE_PRESENCE_VALUE;
	entry->value = value;
	return entry;
}

static Net__Capabilities__Constraints *of_constraints(struct lp_scope *scope,
						      const struct lp_capabilities *caps)
{
	Net__Capabilities__Constraints *to = lp_new(scope, Net__Capabilities__Constraints);

	net__capabilities__constraints__init(to);
	to->minversion = lp_wire_text(scope, caps->min_version);
	to->n_percapability = (size_t)caps->n_caps;
	to->percapability =
		lp_new_array(scope, Net__Capabilities__CapabilityEntry *, to->n_percapability);
	for (int i = 0; i < caps->n_caps; i++)
		to->percapability[i] = of_models(scope, &caps->caps[i]);
	return to;
}

static void of_capacities(struct lp_scope *scope, Net__Capabilities *to,
			  const struct lp_capabilities *caps)
{
	Net__Capabilities__CapacityEntry *entries =
		lp_new_array(scope, Net__Capabilities__CapacityEntry, (size_t)caps->n_capacities);

	to->n_capacities = (size_t)caps->n_capacities;
	to->capacities = lp_new_array(scope, Net__Capabilities__CapacityEntry *, to->n_capacities);
	for (int i = 0; i < caps->n_capacities; i++) {
		net__capabilities__capacity_entry__init(&entries[i]);
		entries[i].key_presence_case = NET__CAPABILITIES__CAPACITY_ENTRY__KEY_PRESENCE_KEY;
		entries[i].key = caps->capacities[i].capability;
		entries[i].value_presence_case =
			NET__CAPABILITIES__CAPACITY_ENTRY__VALUE_PRESENCE_VALUE;
		entries[i].value = caps->capacities[i].count;
		to->capacities[i] = &entries[i];
	}
}

Net__Capabilities *lp_wire_of_caps(struct lp_scope *scope, const struct lp_capabilities *caps)
{
	Net__Capabilities *to = lp_new(scope, Net__Capabilities);

	net__capabilities__init(to);
	to->n_bitstring = (size_t)caps->n_bits;
	to->bitstring = lp_new_array(scope, uint64_t, to->n_bitstring);
	memcpy(to->bitstring, caps->bits, to->n_bitstring * sizeof(uint64_t));
	to->n_mandatories = (size_t)caps->n_mandatories;
	to->mandatories = lp_new_array(scope, uint64_t, to->n_mandatories);
	memcpy(to->mandatories, caps->mandatories, to->n_mandatories * sizeof(uint64_t));
	of_capacities(scope, to, caps);
	to->version = lp_wire_text(scope, caps->version);
	if (caps->has_constraints)
		to->constraints = of_constraints(scope, caps);
	return to;
}

/* How many words were taken; bits above 511 are unknown to everyone. */
static int to_words(uint64_t words[LP_CAP_WORDS], const uint64_t *from, size_t n)
{
	size_t taken = n < LP_CAP_WORDS ? n : LP_CAP_WORDS;

	if (taken)
		memcpy(words, from, taken * sizeof *words);
	return (int)taken;
}

/* No capacities at all: each set bit counts 1 (network-protocol 1.6). */
static void assume_capacities(struct lp_scope *scope, struct lp_capabilities *caps)
{
	uint32_t bits = (uint32_t)caps->n_bits * 64;

	caps->capacities = lp_new_array(scope, struct lp_cap_capacity, bits);
	for (uint32_t bit = 0; bit < bits; bit++) {
		if (lp_capabilities_has(caps, bit))
			caps->capacities[caps->n_capacities++] = (struct lp_cap_capacity){ bit, 1 };
	}
}

/* A member of a oneof reads as absent when another writer left a zero out. */
static void to_capacities(struct lp_scope *scope, struct lp_capabilities *caps,
			  const Net__Capabilities *from)
{
	if (!from->n_capacities) {
		assume_capacities(scope, caps);
		return;
	}
	caps->capacities = lp_new_array(scope, struct lp_cap_capacity, from->n_capacities);
	for (size_t i = 0; i < from->n_capacities; i++) {
		const Net__Capabilities__CapacityEntry *entry = from->capacities[i];

		caps->capacities[caps->n_capacities++] = (struct lp_cap_capacity){
			entry->key_presence_case ? entry->key : 0,
			entry->value_presence_case ? entry->value : 0,
		};
	}
}

static void to_terms(struct lp_model_terms *terms, const Net__Capabilities__ModelEntry *entry)
{
	if (entry->key_presence_case)
		terms->model = lp_span(entry->key);
	if (!entry->value_presence_case || !entry->value)
		return;
	terms->warm = entry->value->warm;
	terms->capacity = entry->value->capacity;
	terms->in_use = entry->value->capacityinuse;
	terms->runner_version = lp_span(entry->value->runnerversion);
}

static void to_models(struct lp_scope *scope, struct lp_cap_models *models,
		      const Net__Capabilities__CapabilityEntry *entry)
{
	models->capability = entry->key_presence_case ? entry->key : 0;
	if (!entry->value_presence_case || !entry->value)
		return;
	models->n = (int)entry->value->n_models;
	models->models = lp_new_array(scope, struct lp_model_terms, entry->value->n_models);
	for (int i = 0; i < models->n; i++)
		to_terms(&models->models[i], entry->value->models[i]);
}

void lp_wire_to_caps(struct lp_scope *scope, struct lp_capabilities *caps,
		     const Net__Capabilities *from)
{
	*caps = (struct lp_capabilities){ .version = lp_span(from->version) };
	caps->n_bits = to_words(caps->bits, from->bitstring, from->n_bitstring);
	caps->n_mandatories = to_words(caps->mandatories, from->mandatories, from->n_mandatories);
	to_capacities(scope, caps, from);
	caps->has_constraints = from->constraints != NULL;
	if (!from->constraints)
		return;
	caps->min_version = lp_span(from->constraints->minversion);
	caps->n_caps = (int)from->constraints->n_percapability;
	caps->caps = lp_new_array(scope, struct lp_cap_models, from->constraints->n_percapability);
	for (int i = 0; i < caps->n_caps; i++)
		to_models(scope, &caps->caps[i], from->constraints->percapability[i]);
}
