/* eth/u256: sums, order and bytes for all numbers; products: that they stay in bounds. */
#include "../../src/base/hex.c"
#include "../../src/eth/u256.c"
#include "proof.h"

void prove_add(void)
{
	struct lp_u256 a = nondet_u256(), b = nondet_u256(), mark = nondet_u256(), out = mark, left, back;
	_Bool fits = lp_u256_add(&out, a, b);

	CLAIM(lp_u256_sub(&left, LP_U256_MAX, a));
	CLAIM(fits == (lp_u256_cmp(b, left) <= 0));
	if (!fits) {
		CLAIM(same(out, mark));
		return;
	}
	CLAIM(lp_u256_sub(&back, out, b) && same(back, a));
	CLAIM(lp_u256_cmp(out, a) >= 0);
}

void prove_sub(void)
{
	struct lp_u256 a = nondet_u256(), b = nondet_u256(), mark = nondet_u256(), out = mark, back;

	if (!lp_u256_sub(&out, a, b)) {
		CLAIM(lp_u256_cmp(a, b) < 0 && same(out, mark));
		return;
	}
	CLAIM(lp_u256_cmp(a, b) >= 0);
	CLAIM(lp_u256_add(&back, out, b) && same(back, a));
}

void prove_cmp(void)
{
	struct lp_u256 a = nondet_u256(), b = nondet_u256();

	CLAIM(lp_u256_cmp(a, b) == -lp_u256_cmp(b, a));
	CLAIM((lp_u256_cmp(a, b) == 0) == same(a, b));
	CLAIM(lp_u256_is_zero(a) == (lp_u256_cmp(a, LP_U256_ZERO) == 0));
}

void prove_bytes(void)
{
	struct lp_u256 a = nondet_u256(), back;
	uint8_t all[32];

	lp_u256_write_32(all, a);
	CLAIM(lp_u256_read_bytes(&back, lp_span_of(all, 32)) && same(back, a));
	CLAIM(all[0] == (uint8_t)(a.limb[3] >> 56) && all[31] == (uint8_t)a.limb[0]);
}

/* Of any length up to 34: too many bytes are refused, and none beyond them is read. */
void prove_reading_bytes_is_bounded(void)
{
	struct lp_span bytes = any_bytes(34);
	struct lp_u256 n;

	CLAIM(lp_u256_read_bytes(&n, bytes) == (bytes.len <= 32));
}

/* Without its zeros a number takes no byte more than it needs. */
void prove_shortest_bytes(void)
{
	struct lp_u256 a = lp_u256_of(nondet_u64());
	uint8_t shortest[32];
	size_t len = lp_u256_write_min(shortest, a);

	CLAIM(len <= 8 && (len == 0) == lp_u256_is_zero(a));
	CLAIM(len == 0 || shortest[0] != 0);
}

/* Nothing is lost to the left, and what would be is refused: at every border of a limb. */
void prove_shifts(void)
{
	static const unsigned bits[] = { 0, 1, 63, 64, 65, 127, 128, 191, 192, 255 };
	struct lp_u256 a = nondet_u256(), mark = nondet_u256();

	for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
		struct lp_u256 out = mark;

		if (lp_u256_shl(&out, a, bits[i]))
			CLAIM(same(lp_u256_shr(out, bits[i]), a));
		else
			CLAIM(same(out, mark) && bits[i] > 0 && !lp_u256_is_zero(lp_u256_shr(a, 256 - bits[i])));
	}
}

void prove_product_stays_in_bounds(void)
{
	(void)lp_u256_mul_wide(nondet_u256(), nondet_u256());
}

/* One step of the division: what is left stays below the divisor, and is twice what it was, plus the bit, less
 * the divisor or not.  With the bits in their order this is division as on paper. */
void prove_division_step(void)
{
	struct lp_u256 left = nondet_u256(), b = nondet_u256(), before = left, twice;
	_Bool bit = nondet_u8() & 1;

	GIVEN(lp_u256_cmp(left, b) < 0);
	_Bool beyond = push_bit(&left, bit);
	_Bool fits = beyond || lp_u256_cmp(left, b) >= 0;

	if (fits)
		subtract(&left, left, b);
	CLAIM(lp_u256_cmp(left, b) < 0);
	if (!beyond) {
		CLAIM(lp_u256_shl(&twice, before, 1));
		twice.limb[0] |= bit;
		CLAIM(!fits || lp_u256_sub(&twice, twice, b));
		CLAIM(same(left, twice));
	}
}

/* A small number in any one limb of each: the product stands in the limb where their places meet. */
void prove_small_products_at_every_limb(void)
{
	uint64_t x = nondet_u8() & 15, y = nondet_u8() & 15;

	for (int i = 0; i < 4; i++) {
		for (int k = 0; k < 4; k++) {
			struct lp_u256 a = LP_U256_ZERO, b = LP_U256_ZERO, out;

			a.limb[i] = x;
			b.limb[k] = y;
			struct lp_u512 wide = lp_u256_mul_wide(a, b);

			for (int at = 0; at < 8; at++)
				CLAIM(wide.limb[at] == (at == i + k ? x * y : 0));
			CLAIM(lp_u256_mul(&out, a, b) == (i + k < 4 || x == 0 || y == 0));
		}
	}
}

/* The largest carries there are: (2^256 - 1) * b is 2^256 * b - b. */
void prove_product_with_the_largest(void)
{
	uint64_t small = nondet_u8();
	struct lp_u512 wide = lp_u256_mul_wide(LP_U256_MAX, lp_u256_of(small));

	CLAIM(wide.limb[0] == 0 - small && wide.limb[4] == (small ? small - 1 : 0));
	for (int at = 1; at < 4; at++)
		CLAIM(wide.limb[at] == (small ? UINT64_MAX : 0));
}

void prove_division_stays_in_bounds(void)
{
	struct lp_u256 left = nondet_u256(), whole;

	divide_bits(&whole, &left, nondet_u256(), nondet_u256());
}

/* By 2^256 - 1, for all numbers: the rest is below it, and (2^256 - 1) * whole + rest is what was divided, since that is
 * 2^256 * whole + rest - whole. */
void prove_division_by_the_most(void)
{
	struct lp_u256 high = nondet_u256(), low = nondet_u256(), left = high, whole, one = lp_u256_of(1), less;

	GIVEN(lp_u256_cmp(high, LP_U256_MAX) < 0);
	divide_by_most(&whole, &left, low);
	CLAIM(lp_u256_cmp(left, LP_U256_MAX) < 0);
	/* Either nothing is borrowed below, and whole is the upper half; or 2^256 is, and it is one more. */
	_Bool lent = subtract(&less, left, whole);
	CLAIM(same(less, low));
	CLAIM(!lent ? same(whole, high) : lp_u256_sub(&less, whole, one) && same(less, high));
}

/* Divisors one by one, so that the prover knows them: it is quick then. */
void prove_small_division(void)
{
	uint64_t a = nondet_u8();
	struct lp_u512 wide = { { a } };

	for (uint64_t b = 0; b < 6; b++) {
		struct lp_u256 quotient = LP_U256_MAX, rest = LP_U256_MAX;
		_Bool done = lp_u512_div(&quotient, &rest, wide, lp_u256_of(b));

		CLAIM(done == (b != 0));
		CLAIM(done ? same(quotient, lp_u256_of(a / b)) && same(rest, lp_u256_of(a % b)) :
			     same(quotient, LP_U256_MAX) && same(rest, LP_U256_MAX));
	}
}

/* Up is one more than down exactly if something is left. */
void prove_rounding(void)
{
	uint64_t a = nondet_u8() & 7, b = nondet_u8() & 7;

	for (uint64_t c = 2; c < 4; c++) {
		struct lp_u256 up, down;

		CLAIM(lp_u256_mul_div(&down, lp_u256_of(a), lp_u256_of(b), lp_u256_of(c), LP_DOWN));
		CLAIM(lp_u256_mul_div(&up, lp_u256_of(a), lp_u256_of(b), lp_u256_of(c), LP_UP));
		CLAIM(same(down, lp_u256_of(a * b / c)));
		CLAIM(same(up, lp_u256_of(a * b / c + (a * b % c != 0))));
	}
}

/* Decimal and hexadecimal: any bytes may come. */
void prove_reading_text_is_bounded(void)	/* unwind 9 */
{
	struct lp_span text = any_bytes(4);
	struct lp_u256 n;

	if (lp_u256_read(&n, text))
		CLAIM(text.len > 0 && lp_u256_cmp(n, lp_u256_of(9999)) <= 0);
}

void prove_reading_hex_is_bounded(void)
{
	struct lp_span text = any_bytes(70);
	struct lp_u256 n;

	if (lp_u256_read_hex(&n, text))
		CLAIM(text.len > 2 && text.len <= 66);
}

void prove_writing_hex_is_bounded(void)
{
	char text[LP_U256_TEXT];
	size_t len = 0;

	lp_u256_write_hex(text, nondet_u256());
	while (len < LP_U256_TEXT && text[len])
		len++;
	CLAIM(len >= 3 && len <= 66);
}

/* What is wrong is found to be: a prover that agrees with everything proves nothing. */
void refute_that_sums_always_fit(void)
{
	struct lp_u256 out;

	CLAIM(lp_u256_add(&out, nondet_u256(), nondet_u256()));
}

void refute_a_read_of_one_byte_beyond(void)
{
	struct lp_span bytes = any_bytes(4);
	struct lp_u256 n;

	bytes.len++;
	(void)lp_u256_read_bytes(&n, bytes);
}
