/* Answers of a chain's node: words, places and lengths that lie. */
#include <lpd/base/assert.h>
#include <lpd/eth/abi.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void inside(struct lp_span part, struct lp_span all)
{
	lp_assert(part.at >= all.at && part.len <= all.len && part.at + part.len <= all.at + all.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_span all = lp_span_of(at, len), part;
	struct lp_address address;
	struct lp_hash hash;
	uint64_t panic;
	bool flag;

	for (size_t i = 0; i < len / LP_ABI_WORD + 2; i++) {
		bool there = lp_abi_read_hash(&hash, all, i);

		lp_assert(there == (i < len / LP_ABI_WORD));
		lp_assert(there || (!lp_abi_read_flag(&flag, all, i) && !lp_abi_read_address(&address, all, i)));
		if (lp_abi_read_bytes(&part, all, i))
			inside(part, all);
	}
	if (lp_abi_read_revert(&part, &panic, all) && part.at)
		inside(part, all);
	return 0;
}
