#include <lpd/pay/signer.h>

void lp_payment_sign(struct lp_payment *payment, const struct lp_key *key)
{
	for (size_t i = 0; i < payment->n; i++) {
		struct lp_ticket ticket;
		struct lp_hash hash;

		lp_payment_ticket(&ticket, payment, i);
		lp_ticket_hash(&hash, &ticket);
		lp_key_sign(&payment->tickets[i].sig, key, &hash);
	}
}
