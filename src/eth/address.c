#include <lpd/eth/address.h>

#include <string.h>

#include <lpd/base/hex.h>

bool lp_address_eq(struct lp_address a, struct lp_address b)
{
	return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool lp_address_is_zero(struct lp_address a)
{
	static const struct lp_address zero;

	return lp_address_eq(a, zero);
}

bool lp_address_of(struct lp_address *out, struct lp_span bytes)
{
	if (bytes.len != LP_ADDRESS_LEN)
		return false;
	memcpy(out->bytes, bytes.at, LP_ADDRESS_LEN);
	return true;
}

bool lp_address_read(struct lp_address *out, struct lp_span text)
{
	struct lp_address read;

	if (!lp_hex_read(read.bytes, sizeof read.bytes, text))
		return false;
	*out = read;
	return true;
}

/* A letter is upper case where the hash of the lower-case digits has a nibble of 8 or more. */
char *lp_address_write(char to[LP_ADDRESS_TEXT], struct lp_address a)
{
	uint8_t hash[LP_KECCAK_LEN];
	char *digits = to + 2;

	memcpy(to, "0x", 2);
	lp_hex_write(digits, a.bytes, sizeof a.bytes);
	lp_keccak256(hash, digits, 2 * sizeof a.bytes);
	for (size_t i = 0; i < 2 * sizeof a.bytes; i++) {
		unsigned nibble = i % 2 ? hash[i / 2] & 15 : hash[i / 2] >> 4;

		if (digits[i] >= 'a' && nibble >= 8)
			digits[i] = (char)(digits[i] - 'a' + 'A');
	}
	return to;
}

bool lp_address_checksum(struct lp_span text)
{
	struct lp_address a;
	char right[LP_ADDRESS_TEXT];
	size_t lower = 0, upper = 0;

	if (!lp_address_read(&a, text))
		return false;
	struct lp_span digits = lp_span_skip(text, text.len - 2 * LP_ADDRESS_LEN);

	for (size_t i = 0; i < digits.len; i++) {
		lower += digits.at[i] >= 'a';
		upper += digits.at[i] >= 'A' && digits.at[i] < 'a';
	}
	lp_address_write(right, a);
	return !lower || !upper || memcmp(digits.at, right + 2, digits.len) == 0;
}
