#include <lpd/market/agenda.h>

#include <stddef.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>
#include <lpd/base/time.h>

static void place(struct lp_agenda *a, int i, struct lp_alarm *alarm)
{
	a->heap[i - 1] = alarm;
	alarm->place = i;
}

static void rise(struct lp_agenda *a, int i)
{
	struct lp_alarm *alarm = a->heap[i - 1];

	while (i > 1 && a->heap[i / 2 - 1]->at > alarm->at) {
		place(a, i, a->heap[i / 2 - 1]);
		i /= 2;
	}
	place(a, i, alarm);
}

static void sink(struct lp_agenda *a, int i)
{
	struct lp_alarm *alarm = a->heap[i - 1];

	while (2 * i <= a->n) {
		int child = 2 * i;

		if (child < a->n && a->heap[child]->at < a->heap[child - 1]->at)
			child++;
		if (a->heap[child - 1]->at >= alarm->at)
			break;
		place(a, i, a->heap[child - 1]);
		i = child;
	}
	place(a, i, alarm);
}

static void take(struct lp_agenda *a, struct lp_alarm *alarm)
{
	int hole = alarm->place;
	struct lp_alarm *last = a->heap[--a->n];

	lp_assert(hole > 0 && hole <= a->n + 1);
	alarm->place = 0;
	if (last == alarm)
		return;
	place(a, hole, last);
	rise(a, hole);
	sink(a, last->place);
}

void lp_agenda_set(struct lp_agenda *a, struct lp_alarm *alarm, int64_t at)
{
	if (alarm->place && alarm->at == at)
		return;
	if (alarm->place)
		take(a, alarm);
	if (at == LP_NEVER)
		return;
	alarm->at = at;
	if (a->n == a->cap) {
		a->cap = a->cap ? 2 * a->cap : 16;
		a->heap = lp_mem_grow(a->heap, (size_t)a->cap * sizeof(*a->heap));
	}
	place(a, ++a->n, alarm);
	rise(a, a->n);
}

struct lp_alarm *lp_agenda_due(struct lp_agenda *a, int64_t now)
{
	struct lp_alarm *first = a->n ? a->heap[0] : NULL;

	if (!first || first->at > now)
		return NULL;
	take(a, first);
	return first;
}

/* Looks below one only when that one is passed over, so it goes no deeper than there are such. */
static int64_t first_from(const struct lp_agenda *a, int i, bool (*pass_over)(const void *, const struct lp_alarm *),
			  const void *self)
{
	int64_t left, right;

	if (i > a->n)
		return LP_NEVER;
	if (!pass_over || !pass_over(self, a->heap[i - 1]))
		return a->heap[i - 1]->at;
	left = first_from(a, 2 * i, pass_over, self);
	right = first_from(a, 2 * i + 1, pass_over, self);
	return left < right ? left : right;
}

int64_t lp_agenda_first(const struct lp_agenda *agenda, bool (*pass_over)(const void *self, const struct lp_alarm *alarm),
			const void *self)
{
	return first_from(agenda, 1, pass_over, self);
}

void lp_agenda_clear(struct lp_agenda *agenda)
{
	lp_mem_free(agenda->heap);
	*agenda = (struct lp_agenda){ 0 };
}
