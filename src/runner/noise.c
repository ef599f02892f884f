#include "noise.h"

#include <math.h>

float lp_noise_at(uint32_t seed, int x, int y)
{
	uint32_t h = seed * 0x9e3779b1u ^ (uint32_t)x * 0x85ebca6bu ^ (uint32_t)y * 0xc2b2ae35u;

	h = (h ^ (h >> 15)) * 0x2c1b3c6du;
	h = (h ^ (h >> 12)) * 0x297a2d39u;
	h ^= h >> 15;
	return (float)(h >> 8) * 0x1p-24f;
}

float lp_noise(uint32_t seed, float x, float y)
{
	float fx = floorf(x), fy = floorf(y);
	int ix = (int)fx, iy = (int)fy;
	float u = x - fx, v = y - fy;

	u = u * u * (3.0f - 2.0f * u);
	v = v * v * (3.0f - 2.0f * v);
	float a = lp_noise_at(seed, ix, iy), b = lp_noise_at(seed, ix + 1, iy);
	float c = lp_noise_at(seed, ix, iy + 1), d = lp_noise_at(seed, ix + 1, iy + 1);
	float top = a + (b - a) * u, low = c + (d - c) * u;

	return top + (low - top) * v;
}

float lp_fbm(uint32_t seed, float x, float y, int octaves)
{
	float sum = 0.0f, weight = 0.5f, total = 0.0f;

	for (int i = 0; i < octaves; i++) {
		sum += lp_noise(seed + (uint32_t)i * 101u, x, y) * weight;
		total += weight;
		weight *= 0.5f;
		/* Turned a little each time, so that the grid does not show. */
		float t = x * 1.6f + y * 1.2f;

		y = y * 1.6f - x * 1.2f;
		x = t;
	}
	return sum / total;
}

float lp_ridge(uint32_t seed, float x, float y, int octaves)
{
	float sum = 0.0f, weight = 0.5f, total = 0.0f;

	for (int i = 0; i < octaves; i++) {
		float n = 1.0f - fabsf(2.0f * lp_noise(seed + (uint32_t)i * 101u, x, y) - 1.0f);

		sum += n * n * weight;
		total += weight;
		weight *= 0.5f;
		x *= 2.03f;
		y *= 2.03f;
	}
	return sum / total;
}
