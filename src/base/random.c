#include <lpd/base/random.h>

#include <errno.h>
#include <sys/random.h>

#include <lpd/base/assert.h>

void lp_random(void *to, size_t len)
{
	char *at = to;

	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		lp_assert(n > 0);
		at += n;
		len -= (size_t)n;
	}
}

/* SplitMix64, which the authors of xoshiro advise for spreading a seed over the state. */
static uint64_t spread(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void lp_dice_init(struct lp_dice *dice, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		dice->s[i] = spread(&seed);
}

static uint64_t rotate(uint64_t x, int n)
{
	return (x << n) | (x >> (64 - n));
}

uint64_t lp_dice_next(struct lp_dice *dice)
{
	uint64_t *s = dice->s;
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t lp_dice_below(struct lp_dice *dice, uint64_t n)
{
	lp_assert(n > 0);
	/* The lowest 2^64 mod n draws are thrown away, so that every remainder is equally likely. */
	uint64_t spoiled = (UINT64_MAX - n + 1) % n;
	uint64_t x;

	do {
		x = lp_dice_next(dice);
	} while (x < spoiled);
	return x % n;
}

double lp_dice_unit(struct lp_dice *dice)
{
	return (double)(lp_dice_next(dice) >> 11) * 0x1.0p-53;
}
