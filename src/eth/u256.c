#include <lpd/eth/u256.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>

#define WIDE 8			/* limbs of a product */
#define TEN_19 10000000000000000000u	/* the largest power of ten in a limb: digits go 19 at a time */

struct lp_u256 lp_u256_of(uint64_t n)
{
	return (struct lp_u256){ { n, 0, 0, 0 } };
}

bool lp_u256_to_u64(uint64_t *out, struct lp_u256 a)
{
	if (a.limb[1] | a.limb[2] | a.limb[3])
		return false;
	*out = a.limb[0];
	return true;
}

bool lp_u256_is_zero(struct lp_u256 a)
{
	return !(a.limb[0] | a.limb[1] | a.limb[2] | a.limb[3]);
}

static int compare(const uint64_t *a, const uint64_t *b, int limbs)
{
	for (int i = limbs - 1; i >= 0; i--) {
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	}
	return 0;
}

int lp_u256_cmp(struct lp_u256 a, struct lp_u256 b)
{
	return compare(a.limb, b.limb, 4);
}

int lp_u512_cmp(struct lp_u512 a, struct lp_u512 b)
{
	return compare(a.limb, b.limb, WIDE);
}

bool lp_u256_add(struct lp_u256 *out, struct lp_u256 a, struct lp_u256 b)
{
	struct lp_u256 sum;
	bool carry = false;

	for (int i = 0; i < 4; i++) {
		unsigned __int128 n = (unsigned __int128)a.limb[i] + b.limb[i] + carry;

		sum.limb[i] = (uint64_t)n;
		carry = n >> 64;
	}
	if (!carry)
		*out = sum;
	return !carry;
}

/* a - b over 2^256: what is borrowed beyond the last limb comes back. */
static bool subtract(struct lp_u256 *out, struct lp_u256 a, struct lp_u256 b)
{
	bool borrow = false;

	for (int i = 0; i < 4; i++) {
		uint64_t first = a.limb[i] - b.limb[i];
		bool lent = a.limb[i] < b.limb[i] || first < borrow;

		out->limb[i] = first - borrow;
		borrow = lent;
	}
	return borrow;
}

bool lp_u256_sub(struct lp_u256 *out, struct lp_u256 a, struct lp_u256 b)
{
	if (lp_u256_cmp(a, b) < 0)
		return false;
	subtract(out, a, b);
	return true;
}

struct lp_u512 lp_u256_mul_wide(struct lp_u256 a, struct lp_u256 b)
{
	struct lp_u512 product = { { 0 } };

	for (int i = 0; i < 4; i++) {
		uint64_t carry = 0;

		for (int j = 0; j < 4; j++) {
			/* (2^64 - 1)^2 + 2 * (2^64 - 1) is 2^128 - 1: it just fits. */
			unsigned __int128 n = (unsigned __int128)a.limb[i] * b.limb[j] +
					      product.limb[i + j] + carry;

			product.limb[i + j] = (uint64_t)n;
			carry = (uint64_t)(n >> 64);
		}
		product.limb[i + 4] = carry;
	}
	return product;
}

static bool narrow(struct lp_u256 *out, const struct lp_u512 *a)
{
	if (a->limb[4] | a->limb[5] | a->limb[6] | a->limb[7])
		return false;
	memcpy(out->limb, a->limb, sizeof out->limb);
	return true;
}

bool lp_u256_mul(struct lp_u256 *out, struct lp_u256 a, struct lp_u256 b)
{
	struct lp_u512 product = lp_u256_mul_wide(a, b);

	return narrow(out, &product);
}

struct lp_u256 lp_u256_shr(struct lp_u256 a, unsigned bits)
{
	struct lp_u256 out = LP_U256_ZERO;
	unsigned limbs = bits / 64, rest = bits % 64;

	for (unsigned i = 0; i + limbs < 4; i++) {
		out.limb[i] = a.limb[i + limbs] >> rest;
		if (rest && i + limbs + 1 < 4)
			out.limb[i] |= a.limb[i + limbs + 1] << (64 - rest);
	}
	return out;
}

bool lp_u256_shl(struct lp_u256 *out, struct lp_u256 a, unsigned bits)
{
	struct lp_u256 shifted = LP_U256_ZERO;
	unsigned limbs = bits / 64, rest = bits % 64;

	lp_assert(bits < 256);
	if (bits && !lp_u256_is_zero(lp_u256_shr(a, 256 - bits)))
		return false;
	for (unsigned i = limbs; i < 4; i++) {
		shifted.limb[i] = a.limb[i - limbs] << rest;
		if (rest && i > limbs)
			shifted.limb[i] |= a.limb[i - limbs - 1] >> (64 - rest);
	}
	*out = shifted;
	return true;
}

/* One more bit at the low end; the bit that leaves at the high end comes back. */
static bool push_bit(struct lp_u256 *a, bool bit)
{
	for (int i = 0; i < 4; i++) {
		bool out = a->limb[i] >> 63;

		a->limb[i] = a->limb[i] << 1 | bit;
		bit = out;
	}
	return bit;
}

/* Bit by bit, as on paper, behind what the bits above have left: plain enough to be proved, and slow. */
static void divide_bits(struct lp_u256 *whole, struct lp_u256 *left, struct lp_u256 low, struct lp_u256 by)
{
	*whole = LP_U256_ZERO;
	for (int bit = 255; bit >= 0; bit--) {
		bool beyond = push_bit(left, low.limb[bit / 64] >> (bit % 64) & 1);
		bool fits = beyond || lp_u256_cmp(*left, by) >= 0;

		if (fits)
			subtract(left, *left, by);
		push_bit(whole, fits);
	}
}

/* By one limb, in place, behind what the limbs above have left: the rest comes back. */
static uint64_t divide_small(struct lp_u256 *a, uint64_t left, uint64_t by)
{
	unsigned __int128 rest = left;

	for (int i = 3; i >= 0; i--) {
		rest = rest << 64 | a->limb[i];
		a->limb[i] = (uint64_t)(rest / by);
		rest %= by;
	}
	return (uint64_t)rest;
}

/* By 2^256 - 1, of which tickets are parts: left * 2^256 + low is left * (2^256 - 1) + left + low, and left is
 * smaller than that. */
static void divide_by_most(struct lp_u256 *whole, struct lp_u256 *left, struct lp_u256 low)
{
	struct lp_u256 missing, high = *left;
	bool fits = lp_u256_sub(&missing, LP_U256_MAX, low);

	*whole = high;
	if (lp_u256_sub(left, high, missing))
		fits = lp_u256_add(whole, high, lp_u256_of(1)) && fits;
	else
		fits = lp_u256_add(left, high, low) && fits;
	lp_assert(fits);
}

bool lp_u512_div(struct lp_u256 *quotient, struct lp_u256 *rest, struct lp_u512 a, struct lp_u256 b)
{
	struct lp_u256 left, low, whole;
	uint64_t small;

	/* The quotient is below 2^256 exactly if the upper half is below the divisor; the upper half is
	 * then what the first 256 steps would have left. */
	memcpy(left.limb, a.limb + 4, sizeof left.limb);
	memcpy(low.limb, a.limb, sizeof low.limb);
	if (lp_u256_cmp(left, b) >= 0)
		return false;
	if (lp_u256_to_u64(&small, b)) {
		left = lp_u256_of(divide_small(&low, left.limb[0], small));
		whole = low;
	} else if (lp_u256_cmp(b, LP_U256_MAX) == 0) {
		divide_by_most(&whole, &left, low);
	} else {
		divide_bits(&whole, &left, low, b);
	}
	*quotient = whole;
	*rest = left;
	return true;
}

bool lp_u256_div(struct lp_u256 *quotient, struct lp_u256 *rest, struct lp_u256 a, struct lp_u256 b)
{
	struct lp_u512 wide = { { a.limb[0], a.limb[1], a.limb[2], a.limb[3] } };
	uint64_t small;

	if (lp_u256_is_zero(b))
		return false;
	if (!lp_u256_to_u64(&small, b))
		return lp_u512_div(quotient, rest, wide, b);
	*rest = lp_u256_of(divide_small(&a, 0, small));
	*quotient = a;
	return true;
}

bool lp_u256_mul_div(struct lp_u256 *out, struct lp_u256 a, struct lp_u256 b, struct lp_u256 c,
		     enum lp_round round)
{
	struct lp_u256 quotient, rest;

	if (!lp_u512_div(&quotient, &rest, lp_u256_mul_wide(a, b), c))
		return false;
	if (round == LP_UP && !lp_u256_is_zero(rest) &&
	    !lp_u256_add(&quotient, quotient, lp_u256_of(1)))
		return false;
	*out = quotient;
	return true;
}

struct lp_u256 lp_u256_gcd(struct lp_u256 a, struct lp_u256 b)
{
	while (!lp_u256_is_zero(b)) {
		struct lp_u256 quotient, rest;
		bool divided = lp_u256_div(&quotient, &rest, a, b);

		lp_assert(divided);
		a = b;
		b = rest;
	}
	return a;
}

bool lp_u256_read(struct lp_u256 *out, struct lp_span text)
{
	struct lp_u256 n = LP_U256_ZERO;

	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		if (!lp_u256_mul(&n, n, lp_u256_of(10)) ||
		    !lp_u256_add(&n, n, lp_u256_of((uint64_t)(text.at[i] - '0'))))
			return false;
	}
	if (!text.len)
		return false;
	*out = n;
	return true;
}

char *lp_u256_write(char to[LP_U256_TEXT], struct lp_u256 a)
{
	char digits[LP_U256_TEXT];
	size_t at = sizeof digits;

	/* From the low end, 19 digits of one division; the last group without its leading zeros. */
	do {
		uint64_t group = divide_small(&a, 0, TEN_19);

		for (int i = 0; i < 19 && (group || !lp_u256_is_zero(a)); i++) {
			digits[--at] = (char)('0' + group % 10);
			group /= 10;
		}
	} while (!lp_u256_is_zero(a));
	if (at == sizeof digits)
		digits[--at] = '0';
	memcpy(to, digits + at, sizeof digits - at);
	to[sizeof digits - at] = 0;
	return to;
}

bool lp_u256_read_hex(struct lp_u256 *out, struct lp_span text)
{
	struct lp_u256 n = LP_U256_ZERO;

	if (text.len < 3 || text.len > 2 + 64 || text.at[0] != '0' || text.at[1] != 'x')
		return false;
	for (size_t i = 2; i < text.len; i++) {
		int digit = lp_hex_digit(text.at[i]);

		if (digit < 0)
			return false;
		for (int bit = 3; bit >= 0; bit--)
			push_bit(&n, digit >> bit & 1);
	}
	*out = n;
	return true;
}

char *lp_u256_write_hex(char to[LP_U256_TEXT], struct lp_u256 a)
{
	size_t len = 2;
	int nibble = 63;

	memcpy(to, "0x", 2);
	while (nibble > 0 && !(a.limb[nibble / 16] >> (nibble % 16 * 4) & 15))
		nibble--;
	for (; nibble >= 0; nibble--)
		to[len++] = "0123456789abcdef"[a.limb[nibble / 16] >> (nibble % 16 * 4) & 15];
	to[len] = 0;
	return to;
}

bool lp_u256_read_bytes(struct lp_u256 *out, struct lp_span bytes)
{
	struct lp_u256 n = LP_U256_ZERO;

	if (bytes.len > 32)
		return false;
	for (size_t i = 0; i < bytes.len; i++) {
		size_t place = bytes.len - 1 - i;

		n.limb[place / 8] |= (uint64_t)(uint8_t)bytes.at[i] << (place % 8 * 8);
	}
	*out = n;
	return true;
}

void lp_u256_write_32(uint8_t to[32], struct lp_u256 a)
{
	for (size_t i = 0; i < 32; i++)
		to[31 - i] = (uint8_t)(a.limb[i / 8] >> (i % 8 * 8));
}

size_t lp_u256_write_min(uint8_t to[32], struct lp_u256 a)
{
	uint8_t all[32];
	size_t zeros = 0;

	lp_u256_write_32(all, a);
	while (zeros < 32 && !all[zeros])
		zeros++;
	memcpy(to, all + zeros, 32 - zeros);
	return 32 - zeros;
}
