/* pay/signer - signs the tickets of a payment.
 *
 * The only place that signs them: 16 us a ticket, on the loop, so that many are signed in several turns of it.
 * What is signed is always the hash of a packed ticket that we made, never bytes of a peer. */
#ifndef LPD_PAY_SIGNER_H
#define LPD_PAY_SIGNER_H

#include <lpd/eth/key.h>
#include <lpd/pay/payment.h>

void lp_payment_sign(struct lp_payment *payment, const struct lp_key *key);
/* The tickets from the first on, at most so many; returns which is the first that is not signed. */
size_t lp_payment_sign_some(struct lp_payment *payment, const struct lp_key *key, size_t first, size_t most);

#endif
