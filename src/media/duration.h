/* media/duration - how long a file of sound (or of pictures with sound) plays. */
#ifndef LPD_MEDIA_DURATION_H
#define LPD_MEDIA_DURATION_H

#include <lpd/base/err.h>
#include <lpd/base/str.h>

/* LP_INVALID in words for what holds no sound.  still_wanted may be NULL; false ends the work with LP_GONE. */
enum lp_code lp_duration_of(int64_t *milliseconds, struct lp_span file, bool (*still_wanted)(void *self), void *self,
			    struct lp_err *e) LP_MUST_USE;

#endif
