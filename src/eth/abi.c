#include <lpd/eth/abi.h>

#include <string.h>

#include <lpd/base/assert.h>

#define SELECTOR 4

void lp_abi_topic(struct lp_hash *out, const char *signature)
{
	lp_keccak256(out->bytes, signature, strlen(signature));
}

void lp_abi_selector(struct lp_buf *to, const char *signature)
{
	struct lp_hash hash;

	lp_abi_topic(&hash, signature);
	lp_buf_add(to, hash.bytes, SELECTOR);
}

void lp_abi_word(struct lp_buf *to, struct lp_u256 n)
{
	uint8_t bytes[LP_ABI_WORD];

	lp_u256_write_32(bytes, n);
	lp_buf_add(to, bytes, sizeof bytes);
}

void lp_abi_open(struct lp_abi *abi, size_t words)
{
	*abi = (struct lp_abi){ .words = words };
}

void lp_abi_number(struct lp_abi *abi, struct lp_u256 n)
{
	lp_abi_word(&abi->head, n);
}

void lp_abi_address(struct lp_abi *abi, struct lp_address a)
{
	static const uint8_t zeros[LP_ABI_WORD - LP_ADDRESS_LEN];

	lp_buf_add(&abi->head, zeros, sizeof zeros);
	lp_buf_add(&abi->head, a.bytes, sizeof a.bytes);
}

void lp_abi_hash(struct lp_abi *abi, const struct lp_hash *hash)
{
	lp_buf_add(&abi->head, hash->bytes, sizeof hash->bytes);
}

/* Places are counted from the beginning of the tuple. */
static void put_place(struct lp_abi *abi)
{
	lp_abi_word(&abi->head, lp_u256_of(abi->words * LP_ABI_WORD + abi->tail.len));
}

void lp_abi_bytes(struct lp_abi *abi, struct lp_span bytes)
{
	static const uint8_t zeros[LP_ABI_WORD];
	size_t over = bytes.len % LP_ABI_WORD;

	put_place(abi);
	lp_abi_word(&abi->tail, lp_u256_of(bytes.len));
	lp_buf_add_span(&abi->tail, bytes);
	if (over)
		lp_buf_add(&abi->tail, zeros, LP_ABI_WORD - over);
}

void lp_abi_inner(struct lp_abi *abi, struct lp_span encoded)
{
	put_place(abi);
	lp_buf_add_span(&abi->tail, encoded);
}

void lp_abi_close(struct lp_buf *to, struct lp_abi *abi)
{
	lp_assert(abi->head.len == abi->words * LP_ABI_WORD);
	lp_buf_add_span(to, lp_buf_span(&abi->head));
	lp_buf_add_span(to, lp_buf_span(&abi->tail));
	lp_buf_clear(&abi->head);
	lp_buf_clear(&abi->tail);
}

bool lp_abi_read_hash(struct lp_hash *out, struct lp_span tuple, size_t i)
{
	if (i >= tuple.len / LP_ABI_WORD)
		return false;
	memcpy(out->bytes, tuple.at + i * LP_ABI_WORD, LP_ABI_WORD);
	return true;
}

bool lp_abi_read_number(struct lp_u256 *out, struct lp_span tuple, size_t i)
{
	struct lp_hash word;

	return lp_abi_read_hash(&word, tuple, i) && lp_u256_read_bytes(out, lp_span_of(word.bytes, LP_ABI_WORD));
}

bool lp_abi_read_address(struct lp_address *out, struct lp_span tuple, size_t i)
{
	const size_t before = LP_ABI_WORD - LP_ADDRESS_LEN;
	struct lp_hash word;

	if (!lp_abi_read_hash(&word, tuple, i))
		return false;
	for (size_t k = 0; k < before; k++) {
		if (word.bytes[k])
			return false;
	}
	memcpy(out->bytes, word.bytes + before, LP_ADDRESS_LEN);
	return true;
}

/* A number that is at most so large: a place, a length, a flag. */
static bool read_below(size_t *out, struct lp_span tuple, size_t i, size_t most)
{
	struct lp_u256 word;
	uint64_t n;

	if (!lp_abi_read_number(&word, tuple, i) || !lp_u256_to_u64(&n, word) || n > most)
		return false;
	*out = (size_t)n;
	return true;
}

bool lp_abi_read_flag(bool *out, struct lp_span tuple, size_t i)
{
	size_t flag;

	if (!read_below(&flag, tuple, i, 1))
		return false;
	*out = flag == 1;
	return true;
}

bool lp_abi_read_bytes(struct lp_span *out, struct lp_span tuple, size_t i)
{
	size_t place, len;

	if (!read_below(&place, tuple, i, tuple.len))
		return false;
	struct lp_span tail = lp_span_skip(tuple, place);

	/* Of an answer that ends before its last word is full we take what is there, as everybody does. */
	if (tail.len < LP_ABI_WORD || !read_below(&len, tail, 0, tail.len - LP_ABI_WORD))
		return false;
	*out = lp_span_of(tail.at + LP_ABI_WORD, len);
	return true;
}

bool lp_abi_read_revert(struct lp_span *words, uint64_t *panic, struct lp_span data)
{
	static const uint8_t error[SELECTOR] = { 0x08, 0xc3, 0x79, 0xa0 };	/* Error(string) */
	static const uint8_t fault[SELECTOR] = { 0x4e, 0x48, 0x7b, 0x71 };	/* Panic(uint256) */
	struct lp_span rest = lp_span_skip(data, SELECTOR);
	struct lp_u256 number;

	if (data.len < SELECTOR)
		return false;
	if (memcmp(data.at, error, SELECTOR) == 0)
		return lp_abi_read_bytes(words, rest, 0);
	if (memcmp(data.at, fault, SELECTOR) != 0 || !lp_abi_read_number(&number, rest, 0))
		return false;
	*words = lp_span_of(NULL, 0);
	return lp_u256_to_u64(panic, number);
}
