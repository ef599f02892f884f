/* tests/support/payments - tests/vectors/payments.json as our types. */
#ifndef LPD_TESTS_PAYMENTS_H
#define LPD_TESTS_PAYMENTS_H

#include <lpd/eth/address.h>
#include <lpd/eth/wei.h>

#include "vectors.h"

/* The rows of one list.  The last row looked at is printed when a test dies: say it with row_is. */
static inline json_t *payments_list(struct lp_scope *scope, const char *list)
{
	json_t *rows = json_object_get(vectors_open(scope, "payments"), list);

	lp_assert(json_array_size(rows) > 0);
	return rows;
}

static inline struct lp_span row_text(const json_t *row, const char *key)
{
	lp_assert(json_is_string(json_object_get(row, key)));
	return lp_json_str(row, key);
}

/* Decimal, or hexadecimal after 0x; also a JSON number. */
static inline struct lp_u256 row_u256(const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);
	struct lp_u256 n = LP_U256_ZERO;

	if (json_is_integer(value))
		return lp_u256_of((uint64_t)json_integer_value(value));
	struct lp_span text = row_text(row, key);

	lp_assert(lp_span_starts(text, "0x") ? lp_u256_read_hex(&n, text) :
					       lp_u256_read(&n, text));
	return n;
}

static inline struct lp_wei row_wei(const json_t *row, const char *key)
{
	return (struct lp_wei){ row_u256(row, key) };
}

static inline uint64_t row_u64(const json_t *row, const char *key)
{
	uint64_t n = 0;

	lp_assert(lp_u256_to_u64(&n, row_u256(row, key)));
	return n;
}

/* Any number of bytes, "0x" is none. */
static inline struct lp_span row_bytes(struct lp_scope *scope, const json_t *row, const char *key)
{
	struct lp_span text = row_text(row, key);
	size_t len = (text.len - 2) / 2;
	char *bytes = lp_alloc(scope, len + 1);

	lp_assert(lp_span_starts(text, "0x") && lp_hex_read(bytes, len, text));
	return lp_span_of(bytes, len);
}

static inline struct lp_hash row_hash(const json_t *row, const char *key)
{
	struct lp_hash hash;

	lp_assert(lp_hex_read(hash.bytes, sizeof hash.bytes, row_text(row, key)));
	return hash;
}

static inline struct lp_address row_address(const json_t *row, const char *key)
{
	struct lp_address address;

	lp_assert(lp_address_read(&address, row_text(row, key)));
	return address;
}

#endif
