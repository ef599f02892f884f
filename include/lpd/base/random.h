/* base/random - bytes nobody can guess (getrandom), and a small generator for choices that need none. */
#ifndef LPD_BASE_RANDOM_H
#define LPD_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void lp_random(void *to, size_t len);

/* xoshiro256**: the same seed gives the same row; never for secrets. */
struct lp_dice {
	uint64_t s[4];
};

void lp_dice_init(struct lp_dice *dice, uint64_t seed);
uint64_t lp_dice_next(struct lp_dice *dice);
uint64_t lp_dice_below(struct lp_dice *dice, uint64_t n);	/* 0 .. n-1, unbiased; n > 0 */
double lp_dice_unit(struct lp_dice *dice);			/* 0 <= x < 1 */

#endif
