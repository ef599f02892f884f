/* base/time - spans of time and points in it, in microseconds.
 *
 * Two clocks, never mixed: `mono` counts from some start and is for waits; `wall` counts from 1970 (UTC)
 * and is for expiries and logs.  Both are read from the loop (io/loop), so that a simulator can own them. */
#ifndef LPD_BASE_TIME_H
#define LPD_BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include <lpd/base/str.h>

#define LP_USEC ((int64_t)1)
#define LP_MSEC ((int64_t)1000)
#define LP_SEC ((int64_t)1000000)
#define LP_MIN (60 * LP_SEC)
#define LP_HOUR (60 * LP_MIN)
#define LP_NEVER INT64_MAX

/* "250ms" "10s" "1.5m" "2h" "1h30m"; Go's form, so that flags move over.  A bare number is refused but for
 * 0.  Negative and over 10 years are refused. */
bool lp_duration_parse(struct lp_span text, int64_t *out);
/* The shortest exact form of those: "1h30m", "250ms".  Returns to. */
char *lp_duration_text(int64_t t, char to[32]);
/* "2026-11-24T13:06:38.123Z".  Returns to. */
char *lp_time_text(int64_t wall, char to[32]);
/* "Tue, 24 Nov 2026 13:06:38 GMT" (RFC 9110).  Returns to. */
char *lp_time_http(int64_t wall, char to[32]);

#endif
