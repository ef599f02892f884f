/* Tokens, merges and a text of any bytes. */
#include <stdint.h>

#include "bpe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_span all = lp_span_of(data, size), rest = all, left[8], right[8], tokens[8];
	int32_t to[64];

	for (int i = 0; i < 8; i++) {
		tokens[i] = lp_bpe_bytes(scope, lp_span_cut(&rest, '\n'));
		left[i] = lp_span_cut(&rest, '\n');
		right[i] = lp_span_cut(&rest, '\n');
	}
	struct lp_bpe *bpe = lp_bpe_open(scope, &(struct lp_bpe_want){ tokens, 8, left, right, 8 });

	for (int room = 1; room <= 64; room *= 8) {
		if (lp_bpe_encode(bpe, to, room, all) > room)
			__builtin_trap();
	}
	if (lp_utf8_tail(all) > 3)
		__builtin_trap();
	lp_scope_close(&scope);
	return 0;
}
