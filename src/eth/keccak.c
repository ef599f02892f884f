#include <lpd/eth/keccak.h>

#include <string.h>

#define RATE 136 /* bytes of a block: 1600 bits less twice 256, in bytes */
#define ROUNDS 24

static const uint64_t round_constants[ROUNDS] = {
	0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
	0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
	0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
	0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
	0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
	0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

/* Rho and pi together: the walk over the lanes, and by how much each turns on the way. */
static const uint8_t walk[24] = { 10, 7,  11, 17, 18, 3, 5,  16, 8,  21, 24, 4,
				  15, 23, 19, 13, 12, 2, 20, 14, 22, 9,  6,  1 };
static const uint8_t turn[24] = { 1,  3,  6,  10, 15, 21, 28, 36, 45, 55, 2,  14,
				  27, 41, 56, 8,  25, 43, 62, 18, 39, 61, 20, 44 };

static inline uint64_t rotate(uint64_t x, unsigned n)
{
	return (x << n) | (x >> (64 - n));
}

static void theta(uint64_t lane[25])
{
	uint64_t column[5];

	for (int x = 0; x < 5; x++)
		column[x] = lane[x] ^ lane[x + 5] ^ lane[x + 10] ^ lane[x + 15] ^ lane[x + 20];
	for (int x = 0; x < 5; x++) {
		uint64_t mix = column[(x + 4) % 5] ^ rotate(column[(x + 1) % 5], 1);

		for (int y = 0; y < 25; y += 5)
			lane[x + y] ^= mix;
	}
}

static void chi(uint64_t lane[25])
{
	for (int y = 0; y < 25; y += 5) {
		uint64_t row[5];

		memcpy(row, lane + y, sizeof row);
		for (int x = 0; x < 5; x++)
			lane[x + y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
	}
}

static void permute(uint64_t lane[25])
{
	for (int round = 0; round < ROUNDS; round++) {
		theta(lane);
		uint64_t carried = lane[1];

		for (int i = 0; i < 24; i++) {
			uint64_t next = lane[walk[i]];

			lane[walk[i]] = rotate(carried, turn[i]);
			carried = next;
		}
		chi(lane);
		lane[0] ^= round_constants[round];
	}
}

/* Lanes are little-endian whatever the machine: bytes go in one by one at their place. */
static void mix_in(struct lp_keccak *k, uint8_t byte)
{
	k->lane[k->at / 8] ^= (uint64_t)byte << (8 * (k->at % 8));
	k->at++;
}

void lp_keccak_init(struct lp_keccak *k)
{
	memset(k, 0, sizeof *k);
}

void lp_keccak_add(struct lp_keccak *k, const void *at, size_t len)
{
	const uint8_t *bytes = at;

	for (size_t i = 0; i < len; i++) {
		mix_in(k, bytes[i]);
		if (k->at == RATE) {
			permute(k->lane);
			k->at = 0;
		}
	}
}

void lp_keccak_end(struct lp_keccak *k, uint8_t out[LP_KECCAK_LEN])
{
	/* Keccak's own padding is 1, zeros, 1; SHA-3 would begin with 0x06 here. */
	mix_in(k, 0x01);
	k->at = RATE - 1;
	mix_in(k, 0x80);
	permute(k->lane);
	for (size_t i = 0; i < LP_KECCAK_LEN; i++)
		out[i] = (uint8_t)(k->lane[i / 8] >> (8 * (i % 8)));
	lp_keccak_init(k);
}

void lp_keccak256(uint8_t out[LP_KECCAK_LEN], const void *at, size_t len)
{
	struct lp_keccak k;

	lp_keccak_init(&k);
	lp_keccak_add(&k, at, len);
	lp_keccak_end(&k, out);
}
