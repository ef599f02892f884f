/* tests/support/bigrat - the vectors' exact fractions, whose numerators have up to 600 bits, as amounts.
 *
 * Written to be plainly right, not to be quick: digits and bits, one by one. */
#ifndef LPD_TESTS_BIGRAT_H
#define LPD_TESTS_BIGRAT_H

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/pay/amount.h>

#define BIG_BITS 1024

struct big {
	uint8_t bit[BIG_BITS];	/* the least first */
};

static inline void big_double_add(struct big *a, int carry)
{
	lp_assert(!a->bit[BIG_BITS - 1]);
	memmove(a->bit + 1, a->bit, BIG_BITS - 1);
	a->bit[0] = (uint8_t)carry;
}

static inline void big_add(struct big *a, const struct big *b)
{
	int carry = 0;

	for (int i = 0; i < BIG_BITS; i++) {
		int sum = a->bit[i] + b->bit[i] + carry;

		a->bit[i] = sum & 1;
		carry = sum >> 1;
	}
	lp_assert(!carry);
}

static inline int big_cmp(const struct big *a, const struct big *b)
{
	for (int i = BIG_BITS - 1; i >= 0; i--) {
		if (a->bit[i] != b->bit[i])
			return a->bit[i] - b->bit[i];
	}
	return 0;
}

static inline void big_sub(struct big *a, const struct big *b)
{
	int borrow = 0;

	for (int i = 0; i < BIG_BITS; i++) {
		int left = a->bit[i] - b->bit[i] - borrow;

		a->bit[i] = left & 1;
		borrow = left < 0;
	}
	lp_assert(!borrow);
}

static inline struct big big_of(struct lp_span digits)
{
	struct big n = { { 0 } };

	for (size_t i = 0; i < digits.len; i++) {
		struct big twice = n, digit = { { 0 } };

		big_double_add(&twice, 0);
		n = twice;
		big_double_add(&n, 0);
		big_double_add(&n, 0);
		big_add(&n, &twice);
		for (int b = 0; b < 4; b++)
			digit.bit[b] = (uint8_t)((digits.at[i] - '0') >> b & 1);
		big_add(&n, &digit);
	}
	return n;
}

/* "num/den" or "num", perhaps with a sign, in 2^-64 wei. */
static inline struct lp_amount big_amount(struct lp_span text, enum lp_round round)
{
	struct lp_amount out = LP_AMOUNT_ZERO;
	bool below = text.len && text.at[0] == '-';
	struct lp_span den = below ? lp_span_skip(text, 1) : text, num = lp_span_cut(&den, '/');
	struct big n = big_of(num), d = big_of(den.len ? den : LP_SPAN("1")), left = { { 0 } }, zero = { { 0 } };

	for (int i = 0; i < 64; i++)
		big_double_add(&n, 0);
	for (int i = BIG_BITS - 1; i >= 0; i--) {
		big_double_add(&left, n.bit[i]);
		if (big_cmp(&left, &d) < 0)
			continue;
		big_sub(&left, &d);
		lp_assert(i < 256);
		out.n.limb[i / 64] |= (uint64_t)1 << (i % 64);
	}
	/* Up and down are those of the number, not of its size. */
	if (big_cmp(&left, &zero) != 0 && (round == LP_UP) != below)
		lp_assert(lp_u256_add(&out.n, out.n, lp_u256_of(1)));
	out.below = below && !lp_u256_is_zero(out.n);
	return out;
}

/* a and b differ by no more than this many units. */
static inline bool amounts_near(struct lp_amount a, struct lp_amount b, uint64_t units)
{
	struct lp_amount gap;

	return lp_amount_sub(&gap, a, b) && lp_u256_cmp(gap.n, lp_u256_of(units)) <= 0;
}

#endif
