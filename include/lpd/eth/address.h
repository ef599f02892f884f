/* eth/address - an account of the chain, 20 bytes, and its text with the checksum of EIP-55.  Pure. */
#ifndef LPD_ETH_ADDRESS_H
#define LPD_ETH_ADDRESS_H

#include <stdbool.h>

#include <lpd/base/str.h>
#include <lpd/eth/keccak.h>

#define LP_ADDRESS_LEN 20
#define LP_ADDRESS_TEXT (2 + 2 * LP_ADDRESS_LEN + 1)	/* 0x, digits, a zero byte */

struct lp_address {
	uint8_t bytes[LP_ADDRESS_LEN];
};

bool lp_address_eq(struct lp_address a, struct lp_address b);
bool lp_address_is_zero(struct lp_address a);
/* Exactly 20 bytes: others of the network pad and cut, we refuse. */
bool lp_address_of(struct lp_address *out, struct lp_span bytes);

/* 40 hexadecimal digits of any case, an optional 0x; the checksum is not looked at, as everywhere in the
 * network. */
bool lp_address_read(struct lp_address *out, struct lp_span text);
/* With 0x, letters in the case that EIP-55 gives them.  Returns to. */
char *lp_address_write(char to[LP_ADDRESS_TEXT], struct lp_address a);
/* True when the case of the letters is that of EIP-55, or all letters have one case: then there is no checksum. */
bool lp_address_checksum(struct lp_span text);

#endif
