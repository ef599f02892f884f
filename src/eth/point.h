/* eth/point - a public key's account; inside eth/ only. */
#ifndef LPD_ETH_POINT_H
#define LPD_ETH_POINT_H

#include <secp256k1.h>

#include <lpd/eth/address.h>

/* The end of the hash of the point, without the byte that names its form. */
void lp_point_address(struct lp_address *out, const secp256k1_pubkey *key);

#endif
