#include <lpd/eth/rlp.h>

#define SHORT 55	/* bytes at most whose number stands in the prefix itself */
#define BYTES 0x80	/* prefixes: of bytes, and of a list */
#define LIST 0xc0

static void put(struct lp_buf *to, unsigned byte)
{
	lp_buf_add_char(to, (char)(uint8_t)byte);
}

static void put_prefix(struct lp_buf *to, unsigned kind, size_t len)
{
	uint8_t bytes[32];

	if (len <= SHORT) {
		put(to, kind + (unsigned)len);
		return;
	}
	size_t n = lp_u256_write_min(bytes, lp_u256_of(len));

	put(to, kind + SHORT + (unsigned)n);
	lp_buf_add(to, bytes, n);
}

void lp_rlp_bytes(struct lp_buf *to, struct lp_span bytes)
{
	/* A byte below 0x80 stands for itself. */
	if (bytes.len != 1 || (uint8_t)bytes.at[0] >= BYTES)
		put_prefix(to, BYTES, bytes.len);
	lp_buf_add_span(to, bytes);
}

void lp_rlp_number(struct lp_buf *to, struct lp_u256 n)
{
	uint8_t bytes[32];

	lp_rlp_bytes(to, lp_span_of(bytes, lp_u256_write_min(bytes, n)));
}

void lp_rlp_list(struct lp_buf *to, struct lp_span items)
{
	put_prefix(to, LIST, items.len);
	lp_buf_add_span(to, items);
}

/* The number of n bytes, 8 at most, behind the prefix; it may not have been written in fewer. */
static bool long_len(uint64_t *out, struct lp_span in, size_t n)
{
	uint64_t len = 0;

	if (in.len < 1 + n || in.at[1] == 0)
		return false;
	for (size_t i = 1; i <= n; i++)
		len = len << 8 | (uint8_t)in.at[i];
	*out = len;
	return len > SHORT;
}

bool lp_rlp_next(struct lp_rlp *out, struct lp_span *rest)
{
	struct lp_span in = *rest;
	uint64_t len = 1;
	size_t head = 0;

	if (!in.len)
		return false;
	uint8_t first = (uint8_t)in.at[0];
	uint8_t kind = first < LIST ? BYTES : LIST;

	if (first >= BYTES) {
		len = first - kind;
		head = 1;
		if (len > SHORT) {
			head += (size_t)len - SHORT;
			if (!long_len(&len, in, head - 1))
				return false;
		}
	}
	if (len > in.len - head)
		return false;
	if (first == BYTES + 1 && (uint8_t)in.at[1] < BYTES)
		return false;
	out->list = kind == LIST;
	out->in = lp_span_of(in.at + head, (size_t)len);
	*rest = lp_span_skip(in, head + (size_t)len);
	return true;
}

bool lp_rlp_read_number(struct lp_u256 *out, const struct lp_rlp *item)
{
	if (item->list || (item->in.len && item->in.at[0] == 0))
		return false;
	return lp_u256_read_bytes(out, item->in);
}
