/* base/map - the one hash map: bytes to pointer.
 *
 * Keys are copied; values are the caller's.  The hash is SipHash-1-3 under a key drawn at random for each
 * map, since peers choose the keys.  Order of walking is insertion order (deletions keep it). */
#ifndef LPD_BASE_MAP_H
#define LPD_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include <lpd/base/str.h>

struct lp_map;

struct lp_map *lp_map_new(void);
void lp_map_free(struct lp_map **map);			/* values are not touched */
void lp_map_free_all(struct lp_map **map, void (*free_value)(void *value));	/* with its values */
size_t lp_map_count(const struct lp_map *map);
void *lp_map_find(const struct lp_map *map, struct lp_span key);	/* NULL: not there */
/* value must not be NULL; returns the value that stood there before, or NULL. */
void *lp_map_put(struct lp_map *map, struct lp_span key, void *value);
void *lp_map_take(struct lp_map *map, struct lp_span key);	/* remove; returns the value or NULL */

/* Walk: start with *at = 0; false at the end.  Removing the row just returned is allowed. */
bool lp_map_next(const struct lp_map *map, size_t *at, struct lp_span *key, void **value);

#endif
