/* base/str - text that belongs to somebody else: spans, and what one asks of them. */
#ifndef LPD_BASE_STR_H
#define LPD_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes borrowed from elsewhere; not ended by a zero.  {NULL, 0} is the empty span. */
struct lp_span {
	const char *at;
	size_t len;
};

/* For string literals only. */
#define LP_SPAN(literal) ((struct lp_span){ "" literal, sizeof(literal) - 1 })

/* printf: "%.*s" */
#define LP_ARG(span) (int)(span).len, (span).at

struct lp_span lp_span(const char *text);			/* of a C string; NULL gives the empty span */
struct lp_span lp_span_of(const void *at, size_t len);
bool lp_span_eq(struct lp_span a, struct lp_span b);
bool lp_span_is(struct lp_span a, const char *text);
bool lp_span_is_icase(struct lp_span a, const char *text);	/* ASCII */
bool lp_span_starts(struct lp_span a, const char *prefix);
bool lp_span_ends(struct lp_span a, const char *suffix);
struct lp_span lp_span_trim(struct lp_span a);			/* spaces and tabs at both ends */
struct lp_span lp_span_skip(struct lp_span a, size_t n);	/* without its first n bytes; n > len gives empty */

/* Cut *rest at the first mark: what stood before it is returned, *rest is what follows.  Without a mark
 * all of *rest is returned and *rest becomes empty with at == NULL. */
struct lp_span lp_span_cut(struct lp_span *rest, char mark);

/* Offset of the first occurrence, or -1. */
ptrdiff_t lp_span_find(struct lp_span in, struct lp_span what);
ptrdiff_t lp_span_find_icase(struct lp_span in, const char *what);

/* Whole decimal numbers, no sign for u64, no blanks, no overflow; false leaves *out untouched. */
bool lp_span_u64(struct lp_span a, uint64_t *out);
bool lp_span_i64(struct lp_span a, int64_t *out);
bool lp_span_f64(struct lp_span a, double *out);		/* finite; "C" number form whatever the locale */
/* Go's forms: 1 t T TRUE true True 0 f F FALSE false False. */
bool lp_span_bool(struct lp_span a, bool *out);

/* Copy as a C string into a fixed array, cut to fit.  True when all of it fitted. */
bool lp_span_copy(char *to, size_t cap, struct lp_span from);

/* Valid UTF-8 (no surrogates, no overlong forms), as Go and protobuf demand of strings. */
bool lp_utf8_valid(struct lp_span a);
size_t lp_utf8_count(struct lp_span a);				/* code points; of valid text */

#endif
