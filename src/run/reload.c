/* A set of runners made to fit a new aiModels.json, without a job noticing.
 *
 * A runner that is still named keeps its state, its health and its jobs and takes the new terms.  One that is named no
 * more gets no further job: its row leaves the set, and what runs there keeps the row alive, which lives as long as
 * the set. */
#include "runner_priv.h"

static bool is_same(const struct lp_model_entry *a, const struct lp_model_entry *b)
{
	return a->kind == b->kind && a->pipeline == b->pipeline && lp_span_eq(a->model_id, b->model_id) &&
	       lp_span_eq(a->url.text, b->url.text);
}

/* The row that served this entry until now, taken out of old; NULL: a new one. */
static struct runner_row *take_old(struct runner_row **old, int n, const struct lp_model_entry *entry)
{
	for (int i = 0; i < n; i++) {
		struct runner_row *row = old[i];

		if (!row || !is_same(row->pub.entry, entry))
			continue;
		old[i] = NULL;
		return row;
	}
	return NULL;
}

/* The old row with the new terms, or a new row.  True: the former. */
static bool put_row(struct lp_runners *set, const struct lp_model_entry *entry, struct runner_row *row)
{
	if (!row) {
		lp_runner_watch_start(lp_runner_row_add(set, entry));
		return false;
	}
	row->pub.entry = entry;
	row->pub.slots.total = entry->capacity;
	set->rows[set->n++] = row;
	return true;
}

static void retire(struct runner_row *row)
{
	lp_task_drop(&row->watch);
	lp_timer_clear(&row->nap);
	lp_scope_close(&row->ask);
	lp_buf_clear(&row->body);
	lp_log(row->log, LP_INFO, "runner named no more", "jobs=%u", row->pub.slots.used);
}

enum lp_code lp_runners_reload(struct lp_runners *set, const struct lp_models *models, struct lp_err *e)
{
	struct runner_row **old = set->rows;
	int n = set->n, kept = 0;

	for (int i = 0; i < models->n; i++)
		if (lp_runner_possible(&models->at[i], e) != LP_OK)
			return e->code;
	/* The child that serves the built-in models is the only thing that can still go wrong. */
	for (int i = 0; i < models->n && !set->builtin; i++)
		if (models->at[i].kind == LP_MODEL_BUILTIN && lp_runner_builtin_open(set, e) != LP_OK)
			return e->code;
	set->rows = lp_new_array(set->scope, struct runner_row *, (size_t)models->n + 1);
	set->n = 0;
	for (int i = 0; i < models->n; i++) {
		const struct lp_model_entry *entry = &models->at[i];

		if (lp_runner_is_run(set, entry))
			kept += put_row(set, entry, take_old(old, n, entry));
	}
	for (int i = 0; i < n; i++)
		if (old[i])
			retire(old[i]);
	set->generation++;
	lp_log(set->want.log, LP_INFO, "models read again", "runners=%d kept=%d", set->n, kept);
	return LP_OK;
}
