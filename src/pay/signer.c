#include <lpd/pay/signer.h>

void lp_payment_sign(struct lp_payment *payment, const struct lp_key *key)
{
	lp_payment_sign_some(payment, key, 0, payment->n);
}

size_t lp_payment_sign_some(struct lp_payment *payment, const struct lp_key *key, size_t first, size_t most)
{
	size_t end = most < payment->n - first ? first + most : payment->n;

	for (size_t i = first; i < end; i++) {
		struct lp_ticket ticket;
		struct lp_hash hash;

		lp_payment_ticket(&ticket, payment, i);
		lp_ticket_hash(&hash, &ticket);
		lp_key_sign(&payment->tickets[i].sig, key, &hash);
	}
	return end;
}
