/* The borrowed scanner on any bytes: whatever it hands out lies inside them, and what it takes for one value
 * can be walked whole. */
#include <stdlib.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/jsonscan.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool within(struct lp_span part, struct lp_span whole)
{
	return part.at >= whole.at && part.at + part.len <= whole.at + whole.len;
}

static void look_at(struct lp_jval value)
{
	struct lp_span plain;
	uint64_t number;
	bool truth;

	lp_jscan_u64(value, &number);
	lp_jscan_bool(value, &truth);
	if (value.kind != LP_J_STRING) {
		lp_assert(!lp_jscan_plain(value, &plain));
		return;
	}
	/* Exactly the promised room, so that the sanitizer sees one byte too many. */
	size_t cap = value.raw.len - 2, len;
	char *to = malloc(cap ? cap : 1);
	if (lp_jscan_plain(value, &plain)) {
		lp_assert(within(plain, value.raw));
		lp_assert(lp_jscan_unescape(value, to, cap, &len) && lp_span_eq(lp_span_of(to, len), plain));
	} else if (lp_jscan_unescape(value, to, cap, &len)) {
		lp_assert(len < cap);
	}
	free(to);
}

static void walk(struct lp_jval value)
{
	struct lp_jval inner;
	struct lp_span key;
	size_t at = 0;

	look_at(value);
	while (lp_jscan_each(value, &at, &inner)) {
		lp_assert(within(inner.raw, value.raw));
		walk(inner);
	}
	at = 0;
	while (lp_jscan_each_member(value, &at, &key, &inner)) {
		lp_assert(within(key, value.raw) && within(inner.raw, value.raw));
		walk(inner);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_span text = lp_span_of(data, size);
	struct lp_jval value = lp_jscan(text);

	if (value.kind == LP_J_BAD)
		return 0;
	lp_assert(within(value.raw, text));
	walk(value);
	lp_jscan_get(value, "url");
	return 0;
}
