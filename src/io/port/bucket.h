/* io/bucket - how often something may happen: a burst at once, then so many a second.  Private to io/port. */
#ifndef LPD_IO_BUCKET_H
#define LPD_IO_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include <lpd/base/time.h>

struct lp_bucket {
	int64_t tokens, burst, rate;
	int64_t at;
};

static inline void lp_bucket_init(struct lp_bucket *bucket, int64_t mono, int64_t burst, int64_t rate)
{
	*bucket = (struct lp_bucket){ .tokens = burst, .burst = burst, .rate = rate, .at = mono };
}

/* False: too often. */
static inline bool lp_bucket_take(struct lp_bucket *bucket, int64_t mono)
{
	int64_t since = mono - bucket->at < LP_HOUR ? mono - bucket->at : LP_HOUR;
	int64_t earned = since * bucket->rate / LP_SEC;

	if (earned > 0) {	/* else `at` stays: the fraction counts next time */
		bucket->tokens = bucket->burst - bucket->tokens > earned ? bucket->tokens + earned : bucket->burst;
		bucket->at = mono;
	}
	if (bucket->tokens <= 0)
		return false;
	bucket->tokens--;
	return true;
}

#endif
