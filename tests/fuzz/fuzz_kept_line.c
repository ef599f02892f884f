/* The first line of a kept job's file: what is read lies inside the file, and is read back the same when written. */
#include <string.h>

#include <lpd/base/assert.h>

#include "front/jobs_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static bool read_one(struct lp_kept *kept, struct lp_span line, int64_t rest)
{
	return lp_kept_read_line(kept, line, (int64_t)line.len + 1 + rest);
}

/* The file's size is taken from the front of the input, so that the fuzzer can make it fit. */
int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_kept one = { .scope = scope }, two = { .scope = scope };
	struct lp_buf text = { 0 };

	if (len >= 2 && read_one(&one, lp_span_of(at + 2, len - 2), at[0] | at[1] << 8)) {
		int64_t end = one.body_at + one.body_size;

		for (int i = 0; i < one.n_media; i++) {
			lp_assert(one.media[i].at == end && one.media[i].size >= 0);
			end += one.media[i].size;
		}
		lp_assert(end == one.bytes);
		lp_kept_write_line(&one, &text);
		lp_assert(read_one(&two, lp_buf_span(&text), at[0] | at[1] << 8));
		lp_assert(lp_span_eq(one.id, two.id) && one.state == two.state && one.until == two.until);
	}
	lp_buf_clear(&text);
	lp_scope_close(&scope);
	return 0;
}
