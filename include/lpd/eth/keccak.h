/* eth/keccak - Keccak-256 with the padding from before NIST's SHA-3, as Ethereum has it.  Pure. */
#ifndef LPD_ETH_KECCAK_H
#define LPD_ETH_KECCAK_H

#include <stddef.h>
#include <stdint.h>

#define LP_KECCAK_LEN 32

/* A hash, and whatever else the network keeps in 32 bytes. */
struct lp_hash {
	uint8_t bytes[LP_KECCAK_LEN];
};

/* Bytes that come in pieces: init, add as often as needed, end once. */
struct lp_keccak {
	uint64_t lane[25];
	size_t at;		/* bytes of the current block taken in, below 136 */
};

void lp_keccak_init(struct lp_keccak *k);
void lp_keccak_add(struct lp_keccak *k, const void *at, size_t len);
void lp_keccak_end(struct lp_keccak *k, uint8_t out[LP_KECCAK_LEN]);

/* All at once. */
void lp_keccak256(uint8_t out[LP_KECCAK_LEN], const void *at, size_t len);

#endif
