/* role/gateway_row - the jobs that wait in SELECT for an orchestrator, and in what order.
 *
 * A job's turn is the time of its coming, and later by a part of -aiProcessingRetryTimeout the less it matters
 * (Lp-Priority).  So whoever matters more overtakes those that came a little before, but nobody is overtaken by what
 * comes later than that: a job of low priority that has waited for half of that time stands before every newer one.
 * And where there are more of high priority than can ever be served, one turn in EIGHT is the others', or they would
 * wait out their time and be refused for ever. */
#include "gateway_job.h"

#define EIGHT 8		/* of so many turns one is for those who are not of high priority */
#define STEPS 4		/* a priority less is so much of -aiProcessingRetryTimeout later: a fourth */

static const char *const priorities[] = { "high", "normal", "low" };

enum { HIGH, NORMAL, LOW, PRIORITIES = sizeof(priorities) / sizeof(*priorities) };

static int read_priority(struct lp_span text)
{
	for (int i = 0; i < PRIORITIES; i++)
		if (lp_span_is_icase(text, priorities[i]))
			return i;
	return text.len ? -1 : NORMAL;
}

enum lp_code lp_gateway_row_turn(struct lp_gateway_job *j, struct lp_err *e)
{
	struct lp_gateway *gw = j->gw;
	int priority = NORMAL;

	if (gw->priorities)
		priority = read_priority(lp_span_trim(lp_exchange_header(j->ex, "lp-priority")));
	if (priority < 0)
		return lp_fail(e, LP_BAD_REQUEST, "Lp-Priority is high, normal or low");
	j->priority = priority;
	j->turn = lp_mono(gw->node->loop) + priority * (gw->wait_time / STEPS);
	return LP_OK;
}

static bool is_before(const struct lp_gateway_job *a, const struct lp_gateway_job *b)
{
	return a->turn != b->turn ? a->turn < b->turn : a->number < b->number;
}

/* One that was refused takes its old place in the row again. */
void lp_gateway_row_stand(struct lp_gateway_job *j)
{
	struct lp_list *row = &j->gw->waiting;
	struct lp_link *after = row->head.prev;

	if (lp_link_in(&j->waiting))
		return;
	while (after != &row->head && is_before(j, LP_CONTAINER(after, struct lp_gateway_job, waiting)))
		after = after->prev;
	lp_link_add_after(after, &j->waiting);
}

static bool waits_for(const struct lp_gateway_job *w, const struct lp_orch_try *t)
{
	return w->pipeline->capability == t->capability && lp_span_eq(w->request->model, t->model);
}

/* The first of that priority who waits for it; of any where priority is PRIORITIES. */
static struct lp_gateway_job *first(struct lp_gateway *gw, const struct lp_orch_try *t, int priority)
{
	lp_list_each(&gw->waiting, w, struct lp_gateway_job, waiting)
		if (waits_for(w, t) && (priority == PRIORITIES || w->priority == priority))
			return w;
	return NULL;
}

/* The turn that belongs to those who are not of high priority: to each kind in its turn, where it waits. */
static struct lp_gateway_job *first_of_others(struct lp_gateway *gw, const struct lp_orch_try *t)
{
	bool low = gw->row_turns / EIGHT % 2 == 0;
	struct lp_gateway_job *w = first(gw, t, low ? LOW : NORMAL);

	return w ? w : first(gw, t, low ? NORMAL : LOW);
}

void lp_gateway_row_wake(struct lp_gateway *gw, const struct lp_orch_try *t)
{
	struct lp_gateway_job *w = NULL;

	if (gw->priorities && gw->row_turns % EIGHT == EIGHT - 1)
		w = first_of_others(gw, t);
	if (!w)
		w = first(gw, t, PRIORITIES);
	if (w)
		lp_task_wake(&w->task);
}

void lp_gateway_row_go(struct lp_gateway_job *j)
{
	j->gw->row_turns++;
	lp_gateway_row_wake(j->gw, &j->at);	/* there may be room for more */
}

/* Whose turn it is not yet lets those go first who wait for the same, unless it may go where they may not. */
bool lp_gateway_row_before(const struct lp_gateway_job *j, const struct lp_orch_try *t)
{
	if (j->wait_began || j->pin || !j->gw->wait_time)
		return false;
	lp_list_each(&j->gw->waiting, w, struct lp_gateway_job, waiting)
		if (is_before(w, j) && waits_for(w, t) && !w->pin && !w->n_tried)
			return true;
	return false;
}

/* All who wait for a full one look again at the same moment: the first of them first. */
void lp_gateway_row_on_chance(void *self)
{
	struct lp_gateway_job *j = self;

	if (j->gw->priorities)
		lp_gateway_row_wake(j->gw, &(struct lp_orch_try){ NULL, j->pipeline->capability, j->request->model, 0 });
	lp_task_wake(&j->task);
}
