/* tests/support/vectors - golden bytes out of tests/vectors/NAME.json, for unit tests. */
#ifndef LPD_TESTS_VECTORS_H
#define LPD_TESTS_VECTORS_H

#include <jansson.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>
#include <lpd/base/json.h>

static inline json_t *vectors_open(struct lp_scope *scope, const char *name)
{
	json_error_t error;
	json_t *json = json_load_file(
		lp_fmt(scope, "%s/tests/vectors/%s.json", LP_SOURCE_DIR, name), 0, &error);

	return lp_json_keep(scope, json);
}

/* The row of a list whose "name" is this. */
static inline json_t *vectors_row(const json_t *all, const char *list, const char *name)
{
	size_t i;
	json_t *row, *found = NULL;

	json_array_foreach(json_object_get(all, list), i, row)
	{
		if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
			found = row;
	}
	lp_assert(found);
	return found;
}

/* The bytes behind a member that holds hexadecimal text. */
static inline struct lp_span vectors_hex(struct lp_scope *scope, const json_t *row, const char *key)
{
	struct lp_span text = lp_json_str(row, key);
	char *bytes = lp_alloc(scope, text.len / 2 + 1);

	lp_assert(text.len && lp_hex_read(bytes, text.len / 2, text));
	return lp_span_of(bytes, text.len / 2);
}

static inline struct lp_span vectors_message(struct lp_scope *scope, const json_t *all,
					     const char *name)
{
	return vectors_hex(scope, vectors_row(all, "messages", name), "hex");
}

#endif
