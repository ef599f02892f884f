#include <lpd/pay/ticket.h>

#include <openssl/crypto.h>
#include <string.h>

static uint8_t *put(uint8_t *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	return to + len;
}

static uint8_t *put_number(uint8_t *to, struct lp_u256 n)
{
	lp_u256_write_32(to, n);
	return to + 32;
}

static bool is_zero(const struct lp_hash *hash)
{
	static const struct lp_hash zero;

	return memcmp(hash, &zero, sizeof zero) == 0;
}

size_t lp_ticket_aux(uint8_t to[LP_TICKET_AUX], const struct lp_ticket *ticket)
{
	if (!ticket->round && is_zero(&ticket->round_hash))
		return 0;
	put(put_number(to, lp_u256_of(ticket->round)), ticket->round_hash.bytes,
	    sizeof ticket->round_hash.bytes);
	return LP_TICKET_AUX;
}

size_t lp_ticket_pack(uint8_t to[LP_TICKET_MAX], const struct lp_ticket *ticket)
{
	uint8_t *at = to;

	at = put(at, ticket->recipient.bytes, sizeof ticket->recipient.bytes);
	at = put(at, ticket->sender.bytes, sizeof ticket->sender.bytes);
	at = put_number(at, ticket->face_value.n);
	at = put_number(at, ticket->win_prob);
	at = put_number(at, lp_u256_of(ticket->nonce));
	at = put(at, ticket->rand_hash.bytes, sizeof ticket->rand_hash.bytes);
	at += lp_ticket_aux(at, ticket);
	return (size_t)(at - to);
}

void lp_ticket_hash(struct lp_hash *out, const struct lp_ticket *ticket)
{
	uint8_t packed[LP_TICKET_MAX];

	lp_keccak256(out->bytes, packed, lp_ticket_pack(packed, ticket));
}

enum lp_code lp_ticket_check_offer(const struct lp_ticket *ticket, const struct lp_hash *rand,
				   struct lp_address recipient, struct lp_err *e)
{
	struct lp_hash hash;

	if (!lp_address_eq(ticket->recipient, recipient))
		return lp_fail(e, LP_TICKET_RECIPIENT, "invalid ticket recipient");
	if (lp_address_is_zero(ticket->sender))
		return lp_fail(e, LP_TICKET_SENDER, "invalid ticket sender");
	lp_keccak256(hash.bytes, rand->bytes, sizeof rand->bytes);
	/* Both are hashes, yet one is of a secret: no reason to let time tell how much of it was guessed. */
	if (CRYPTO_memcmp(hash.bytes, ticket->rand_hash.bytes, sizeof hash.bytes) != 0)
		return lp_fail(e, LP_BAD_TICKET, "invalid recipientRand for ticket recipientRandHash");
	return LP_OK;
}

enum lp_code lp_ticket_check_sig(const struct lp_ticket *ticket, const struct lp_sig *sig, struct lp_err *e)
{
	struct lp_hash hash;

	lp_ticket_hash(&hash, ticket);
	if (!lp_sig_check(sig, &hash, ticket->sender))
		return lp_fail(e, LP_BAD_TICKET, "invalid ticket signature");
	return LP_OK;
}

enum lp_code lp_ticket_check(const struct lp_ticket *ticket, const struct lp_sig *sig, const struct lp_hash *rand,
			     struct lp_address recipient, struct lp_err *e)
{
	enum lp_code code = lp_ticket_check_offer(ticket, rand, recipient, e);

	return code ? code : lp_ticket_check_sig(ticket, sig, e);
}

bool lp_ticket_wins(const struct lp_ticket *ticket, const struct lp_sig *sig, const struct lp_hash *rand)
{
	struct lp_keccak k;
	uint8_t drawn[LP_KECCAK_LEN], least[32];

	lp_keccak_init(&k);
	lp_keccak_add(&k, sig->bytes, sizeof sig->bytes);
	lp_keccak_add(&k, rand->bytes, sizeof rand->bytes);
	lp_keccak_end(&k, drawn);
	lp_u256_write_32(least, ticket->win_prob);
	return memcmp(drawn, least, sizeof drawn) < 0;
}

bool lp_ticket_ev(struct lp_amount *out, struct lp_wei face_value, struct lp_u256 win_prob, enum lp_round round)
{
	return lp_amount_mul_div(out, face_value.n, win_prob, LP_U256_MAX, round);
}
