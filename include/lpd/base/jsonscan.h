/* base/jsonscan - walk over JSON bytes without building a tree.
 *
 * A result may hold 50 MB of base64 in one string: the scanner skips strings by memchr and hands out spans
 * of the text it walked over.  It works on bytes that are all there; it checks structure (nesting, commas,
 * strings closed) but not the inside of numbers. */
#ifndef LPD_BASE_JSONSCAN_H
#define LPD_BASE_JSONSCAN_H

#include <stdbool.h>

#include <lpd/base/str.h>

enum lp_jkind { LP_J_BAD, LP_J_NULL, LP_J_BOOL, LP_J_NUMBER, LP_J_STRING, LP_J_ARRAY, LP_J_OBJECT };

/* One value inside the scanned bytes. */
struct lp_jval {
	enum lp_jkind kind;
	struct lp_span raw;	/* with quotes or brackets; for LP_J_BAD: empty */
};

/* The one value that text holds, blanks around it allowed; LP_J_BAD if malformed or nested deeper than 32. */
struct lp_jval lp_jscan(struct lp_span text);
/* Member of an object (exact key, no escapes in it), or LP_J_BAD when absent. */
struct lp_jval lp_jscan_get(struct lp_jval object, const char *key);
/* Elements one after the other: *at starts {0}; false at the end. */
bool lp_jscan_each(struct lp_jval array, size_t *at, struct lp_jval *element);
/* Members likewise; key is raw, without quotes. */
bool lp_jscan_each_member(struct lp_jval object, size_t *at, struct lp_span *key, struct lp_jval *value);
/* A string's bytes when it has no escapes: borrowed.  False when it is no string or has a backslash (some
 * encoders write \/ into base64: use lp_jscan_unescape then). */
bool lp_jscan_plain(struct lp_jval string, struct lp_span *out);
/* Unescape into to (cap bytes; never longer than the raw text).  False: no string, bad escape or no room. */
bool lp_jscan_unescape(struct lp_jval string, char *to, size_t cap, size_t *len);
bool lp_jscan_u64(struct lp_jval number, uint64_t *out);
bool lp_jscan_bool(struct lp_jval value, bool *out);

#endif
