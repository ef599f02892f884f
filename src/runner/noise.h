/* runner/noise - smooth chance: clouds, ridges, ripples.  The same seed gives the same field everywhere. */
#ifndef LPD_RUNNER_NOISE_H
#define LPD_RUNNER_NOISE_H

#include <stdint.h>

/* 0..1 at a whole place. */
float lp_noise_at(uint32_t seed, int x, int y);
/* 0..1, smooth, one bump a unit. */
float lp_noise(uint32_t seed, float x, float y);
/* Octaves of it, each twice as fine and half as strong; about 0..1. */
float lp_fbm(uint32_t seed, float x, float y, int octaves);
/* Sharp crests; about 0..1. */
float lp_ridge(uint32_t seed, float x, float y, int octaves);

#endif
