/* base/json_read - a quick reader in front of jansson's, for base/json alone. */
#ifndef LPD_BASE_JSON_READ_H
#define LPD_BASE_JSON_READ_H

#include <lpd/base/json.h>

/* The tree that jansson would make of text, or NULL: it is for jansson to say. */
json_t *lp_json_read(struct lp_span text, int depth);

#endif
