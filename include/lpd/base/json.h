/* base/json - jansson with our error type, and nothing else.
 *
 * For requests, configuration and small answers; results with media are scanned, never parsed
 * (base/jsonscan). */
#ifndef LPD_BASE_JSON_H
#define LPD_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include <lpd/base/buf.h>
#include <lpd/base/err.h>
#include <lpd/base/scope.h>

/* Depth is bounded (jansson: 2048; here 64), and so are values (100,000), duplicate keys: the last wins, as in Go.  The tree lives as
 * long as the scope.  Any JSON value is taken; trailing bytes are refused.  LP_BAD_REQUEST with where. */
enum lp_code lp_json_parse(struct lp_scope *scope, json_t **out, struct lp_span text, struct lp_err *e) LP_MUST_USE;

/* Hand a reference over to the scope; returns it.  NULL asserts. */
json_t *lp_json_keep(struct lp_scope *scope, json_t *json);

/* Members, looked up without case as Go does (an exact match wins); NULL when absent or null. */
json_t *lp_json_get(const json_t *object, const char *key);
struct lp_span lp_json_str(const json_t *object, const char *key);	/* empty when absent or no string */

/* Go's encoder: keys in alphabetical order, < > & as \u003c \u003e \u0026, U+2028/2029 escaped, no blanks. */
void lp_json_write(struct lp_buf *to, const json_t *json);
/* One string with its quotes, same escaping. */
void lp_json_write_str(struct lp_buf *to, struct lp_span text);

#endif
