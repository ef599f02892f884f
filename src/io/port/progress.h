/* io/progress - whether a client that is to read does read: so many bytes in so much time, or it is left.  Private
 * to io/port.
 *
 * "Not nothing" is no rule: who takes one byte at a time would hold what waits for him for ever.  Counted only while
 * bytes wait, so a reply that is made slowly is never held against its reader. */
#ifndef LPD_IO_PROGRESS_H
#define LPD_IO_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include <lpd/io/server.h>

struct lp_progress {
	int64_t since;		/* mono, when this stretch began; 0: nothing waits */
	int64_t from;		/* what had gone by then */
};

/* Something waits; `gone` bytes of it all have left so far. */
static inline void lp_progress_waits(struct lp_progress *progress, int64_t mono, int64_t gone)
{
	if (!progress->since)
		*progress = (struct lp_progress){ mono, gone };
}

/* All has gone. */
static inline void lp_progress_rests(struct lp_progress *progress)
{
	progress->since = 0;
}

/* True: the stretch is over and less has gone than must.  Else the next one begins when this is over. */
static inline bool lp_progress_failed(struct lp_progress *progress, int64_t mono, int64_t gone,
				      const struct lp_server_limits *limits)
{
	if (!progress->since || mono - progress->since < limits->write_stall)
		return false;
	if (gone - progress->from < (int64_t)limits->write_floor)
		return true;
	*progress = (struct lp_progress){ mono, gone };
	return false;
}

#endif
