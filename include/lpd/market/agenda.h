/* market/agenda - what is to happen when: alarms in the order of their times.  Pure: time is handed in.
 *
 * A heap of alarms that lie inside their owners' structs. */
#ifndef LPD_MARKET_AGENDA_H
#define LPD_MARKET_AGENDA_H

#include <stdbool.h>
#include <stdint.h>

struct lp_alarm {
	int64_t at;
	int place;			/* in the heap, from 1; 0: not set */
};

struct lp_agenda {
	struct lp_alarm **heap;		/* zeroed: empty */
	int n, cap;
};

/* Set it, anew if it was set; LP_NEVER: take it out. */
void lp_agenda_set(struct lp_agenda *agenda, struct lp_alarm *alarm, int64_t at);
/* The first whose time has come, which is taken out; NULL: none. */
struct lp_alarm *lp_agenda_due(struct lp_agenda *agenda, int64_t now);
/* The time of the first one that is not passed over; LP_NEVER: none.  pass_over may be NULL. */
int64_t lp_agenda_first(const struct lp_agenda *agenda, bool (*pass_over)(const void *self, const struct lp_alarm *alarm),
			const void *self);
void lp_agenda_clear(struct lp_agenda *agenda);		/* frees the heap; alarms are their owners' */

#endif
