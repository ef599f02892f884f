/* Messages, words and timeouts of gRPC: reading never looks beyond what is there, a message is the same wherever
 * its bytes were cut, and what we write we read back. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

#include "io/grpc_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

/* Before the message is whole, no prefix of the bytes may be taken for one, nor be refused but for what the
 * first five bytes say. */
static void cut(struct lp_span all)
{
	struct lp_span message, part;
	enum lp_frame whole = lp_grpc_frame_read(all, LP_GRPC_MESSAGE_MAX, &message);

	for (size_t n = 0; n < all.len && n < 300; n++) {
		char *exact = lp_mem_get(n ? n : 1);	/* so that the address sanitizer sees its end */

		memcpy(exact, all.at, n);
		enum lp_frame now = lp_grpc_frame_read(lp_span_of(exact, n), LP_GRPC_MESSAGE_MAX, &part);
		if (n < LP_GRPC_PREFIX)
			lp_assert(now == LP_FRAME_MORE);
		else if (whole == LP_FRAME_WHOLE && n < LP_GRPC_PREFIX + message.len)
			lp_assert(now == LP_FRAME_MORE);
		else
			lp_assert(now == whole);
		lp_mem_free(exact);
	}
}

static void words(struct lp_scope *scope, struct lp_span text)
{
	char *copy = lp_strdup(scope, text);
	struct lp_buf coded = { .mem = NULL };

	(void)lp_grpc_words_decode(scope, text);
	if (strlen(copy) * 3 <= LP_GRPC_WORDS_MAX) {
		lp_grpc_words_encode(&coded, copy);
		for (size_t i = 0; i < coded.len; i++)
			lp_assert(lp_buf_span(&coded).at[i] >= ' ' && lp_buf_span(&coded).at[i] <= '~');
		lp_assert(lp_span_is(lp_grpc_words_decode(scope, lp_buf_span(&coded)), copy));
	}
	lp_buf_clear(&coded);
}

static void timeouts(struct lp_span text)
{
	int64_t micros = lp_grpc_timeout(text);
	struct lp_buf again = { .mem = NULL };

	lp_assert(micros >= 0);
	if (micros == LP_NEVER)
		return;
	lp_grpc_timeout_write(&again, micros);
	lp_assert(again.len >= 2 && again.len <= 9);
	int64_t read = lp_grpc_timeout(lp_buf_span(&again));
	lp_assert(read >= micros && read / 2 <= micros + 1);	/* rounded up to the unit, never down */
	lp_buf_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_span input = lp_span_of(at, len);
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");

	cut(input);
	words(scope, input);
	timeouts(input);
	lp_scope_close(&scope);
	return 0;
}
