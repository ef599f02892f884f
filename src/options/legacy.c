/* Options of the node that we replace (legacy.def): accepted, or refused in words. */
#include <string.h>

#include <lpd/base/assert.h>

#include "options_priv.h"

const struct option_legacy lp_option_legacy[] = {
#define X(flag, kind, shape, words) { flag, LEGACY_##kind, LEGACY_##shape, words },
#include <lpd/options/legacy.def>
#undef X
	{ NULL, LEGACY_IDLE, LEGACY_FLAG, NULL },
};

const struct option_legacy *lp_option_legacy_find(struct lp_span name)
{
	for (const struct option_legacy *row = lp_option_legacy; row->flag; row++)
		if (lp_span_is(name, row->flag))
			return row;
	return NULL;
}

const struct option_legacy *lp_option_legacy_find_env(struct lp_span name)
{
	for (const struct option_legacy *row = lp_option_legacy; row->flag; row++) {
		char ours[64];

		if (lp_span_is_icase(lp_span_skip(name, 3), row->flag) ||
		    lp_span_is(name, lp_option_env_name(row->flag, ours)))
			return row;
	}
	return NULL;
}

static const char *why_idle(const struct option_legacy *row)
{
	return row->kind == LEGACY_UNPAID ? "on -network offchain nothing is paid" : row->words;
}

static void note(struct lp_options *options, const struct option_legacy *row)
{
	for (int i = 0; i < options->n_notes; i++)
		if (options->notes[i].flag == row->flag)
			return;
	if (options->n_notes == MAX_NOTES)
		return;
	options->notes[options->n_notes++] = (struct lp_option_note){ row->flag, why_idle(row) };
}

enum lp_code lp_option_legacy_take(struct lp_options *options, const struct option_legacy *row, struct lp_span value,
				   const struct option_origin *from, struct lp_err *e)
{
	bool on = true;

	lp_assert(row->kind != LEGACY_ALIAS);
	if (row->shape == LEGACY_FLAG && !lp_span_bool(value, &on))
		return lp_fail(e, LP_CONFIG, "%s takes true or false", from->label);
	if (row->kind == LEGACY_REFUSED && on)
		return lp_fail(e, LP_CONFIG, "%s: %s", from->label, row->words);
	if (on)
		note(options, row);
	return LP_OK;
}

const struct lp_option_note *lp_options_notes(const struct lp_options *options, int *n)
{
	*n = options->n_notes;
	return options->notes;
}
