#include <lpd/eth/wei.h>

#include <string.h>

struct lp_wei lp_wei_of(uint64_t wei)
{
	return (struct lp_wei){ lp_u256_of(wei) };
}

bool lp_wei_is_zero(struct lp_wei a)
{
	return lp_u256_is_zero(a.n);
}

int lp_wei_cmp(struct lp_wei a, struct lp_wei b)
{
	return lp_u256_cmp(a.n, b.n);
}

struct lp_wei lp_wei_min(struct lp_wei a, struct lp_wei b)
{
	return lp_wei_cmp(a, b) < 0 ? a : b;
}

bool lp_wei_add(struct lp_wei *out, struct lp_wei a, struct lp_wei b)
{
	return lp_u256_add(&out->n, a.n, b.n);
}

bool lp_wei_sub(struct lp_wei *out, struct lp_wei a, struct lp_wei b)
{
	return lp_u256_sub(&out->n, a.n, b.n);
}

bool lp_wei_mul(struct lp_wei *out, struct lp_wei a, uint64_t n)
{
	return lp_u256_mul(&out->n, a.n, lp_u256_of(n));
}

bool lp_wei_div(struct lp_wei *out, struct lp_wei a, uint64_t n, enum lp_round round)
{
	return lp_u256_mul_div(&out->n, a.n, lp_u256_of(1), lp_u256_of(n), round);
}

char *lp_wei_write(char to[LP_WEI_TEXT], struct lp_wei a, enum lp_unit in)
{
	char digits[LP_U256_TEXT];
	size_t places = (size_t)in, len = strlen(lp_u256_write(digits, a.n));
	size_t zeros = len > places ? 0 : places + 1 - len;	/* so that one digit stands before the point */

	memset(to, '0', zeros);
	memcpy(to + zeros, digits, len);
	len += zeros;
	memmove(to + len - places + 1, to + len - places, places);
	to[len - places] = '.';
	len++;
	while (to[len - 1] == '0')
		len--;
	if (to[len - 1] == '.')
		len--;
	to[len] = 0;
	return to;
}

bool lp_wei_read(struct lp_wei *out, struct lp_span text, enum lp_unit in)
{
	struct lp_span part = text, whole = lp_span_cut(&part, '.');
	bool point = part.at != NULL;
	struct lp_u256 n, fraction = LP_U256_ZERO, ten = lp_u256_of(10);
	size_t places = (size_t)in;

	while (part.len > places && part.at[part.len - 1] == '0')
		part.len--;
	if (part.len > places || !lp_u256_read(&n, whole))
		return false;
	if (point && text.at[text.len - 1] == '.')
		return false;
	if (part.len && !lp_u256_read(&fraction, part))
		return false;
	for (size_t i = 0; i < places; i++) {
		if (!lp_u256_mul(&n, n, ten) ||
		    (i >= part.len && !lp_u256_mul(&fraction, fraction, ten)))
			return false;
	}
	return lp_u256_add(&out->n, n, fraction);
}
