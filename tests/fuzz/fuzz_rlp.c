/* RLP of any bytes: what is read is written as the same bytes. */
#include <lpd/base/assert.h>
#include <lpd/eth/rlp.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void walk(struct lp_span rest, int depth)
{
	struct lp_span before = rest;
	struct lp_rlp item;
	struct lp_u256 n;

	while (lp_rlp_next(&item, &rest)) {
		struct lp_buf again = { 0 };

		if (item.list)
			lp_rlp_list(&again, item.in);
		else
			lp_rlp_bytes(&again, item.in);
		lp_assert(lp_span_eq(lp_buf_span(&again), lp_span_of(before.at, before.len - rest.len)));
		lp_buf_reset(&again);
		if (lp_rlp_read_number(&n, &item)) {
			lp_rlp_number(&again, n);
			lp_assert(lp_span_eq(lp_buf_span(&again), lp_span_of(before.at, before.len - rest.len)));
		}
		lp_buf_clear(&again);
		if (item.list && depth < 8)
			walk(item.in, depth + 1);
		before = rest;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	walk(lp_span_of(at, len), 0);
	return 0;
}
