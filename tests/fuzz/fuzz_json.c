/* What the parser takes, the writer writes as JSON that means the same; and where both the parser and the
 * scanner have a say on nesting and structure, the scanner takes whatever the parser took. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/json.h>
#include <lpd/base/jsonscan.h>

#include "base/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int depth(const json_t *json)
{
	int deepest = 0;
	json_t *walked = (json_t *)(uintptr_t)json;

	for (size_t i = 0; i < json_array_size(json); i++) {
		int d = depth(json_array_get(json, i));
		deepest = d > deepest ? d : deepest;
	}
	for (void *at = json_object_iter(walked); at; at = json_object_iter_next(walked, at)) {
		int d = depth(json_object_iter_value(at));
		deepest = d > deepest ? d : deepest;
	}
	return deepest + 1;
}

/* Written, read and written again, text comes to rest.  Two numbers may change on the way, as in Go: -0.0 is
 * written "-0", which reads as an integer; 1e20 is written with all its digits, which is too big for one. */
static void rewrite(struct lp_scope *scope, const json_t *json)
{
	struct lp_buf pages[3] = { 0 };
	struct lp_err e;
	json_t *again;

	lp_json_write(&pages[0], json);
	for (int i = 1; i < 3; i++) {
		if (lp_json_parse(scope, &again, lp_buf_span(&pages[i - 1]), &e) != LP_OK) {
			lp_assert(i == 1 && strstr(e.words, "too big"));
			break;
		}
		lp_json_write(&pages[i], again);
	}
	lp_assert(pages[2].len == 0 || lp_span_eq(lp_buf_span(&pages[1]), lp_buf_span(&pages[2])));
	for (int i = 0; i < 3; i++)
		lp_buf_clear(&pages[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_span text = lp_span_of(data, size);
	struct lp_err e;
	json_t *json;

	json_t *quick = lp_json_read(text, 64);
	json_t *theirs = quick ? json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL) : NULL;

	lp_assert(!quick || (theirs && json_equal(quick, theirs)));
	json_decref(quick);
	json_decref(theirs);
	if (lp_json_parse(scope, &json, text, &e) == LP_OK) {
		rewrite(scope, json);
		lp_assert(depth(json) > 30 || lp_jscan(text).kind != LP_J_BAD);
		lp_json_str(json, "prompt");
	}
	lp_scope_close(&scope);
	return 0;
}
