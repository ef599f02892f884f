/* pay/signer - signs the tickets of a payment.
 *
 * The only place that signs them: 16 us a ticket, on the loop.  What is signed is always the hash of a packed
 * ticket that we made, never bytes of a peer. */
#ifndef LPD_PAY_SIGNER_H
#define LPD_PAY_SIGNER_H

#include <lpd/eth/key.h>
#include <lpd/pay/payment.h>

void lp_payment_sign(struct lp_payment *payment, const struct lp_key *key);

#endif
