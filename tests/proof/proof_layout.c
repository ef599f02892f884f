/* The bytes that are hashed and signed: every field at its place, and nothing outside. */
#include "../../src/eth/address.c"
#include "../../src/eth/u256.c"
#include "../../src/pay/rand.c"
#define put put_bytes	/* two files, two local functions of one name */
#define put_number put_in_full
#include "../../src/pay/ticket.c"
#undef put
#undef put_number
#include "proof.h"

struct lp_ticket nondet_ticket(void);
struct lp_rand_offer nondet_offer(void);

static _Bool number_at(const uint8_t *at, struct lp_u256 n)
{
	struct lp_u256 back;

	return lp_u256_read_bytes(&back, lp_span_of(at, 32)) && same(back, n);
}

/* Without a branch for each byte: that is quicker to prove. */
static _Bool bytes_at(const uint8_t *at, const uint8_t *want, size_t len)
{
	uint8_t differ = 0;

	for (size_t i = 0; i < len; i++)
		differ |= at[i] ^ want[i];
	return differ == 0;
}

void prove_ticket_layout(void)
{
	struct lp_ticket t = nondet_ticket();
	uint8_t packed[LP_TICKET_MAX];
	size_t len = lp_ticket_pack(packed, &t);
	struct lp_hash zero = { { 0 } };

	CLAIM(len == 168 || len == 232);
	CLAIM((len == 168) == (t.round == 0 && bytes_at(t.round_hash.bytes, zero.bytes, 32)));
	CLAIM(bytes_at(packed, t.recipient.bytes, 20));
	CLAIM(bytes_at(packed + 20, t.sender.bytes, 20));
	CLAIM(number_at(packed + 40, t.face_value.n));
	CLAIM(number_at(packed + 72, t.win_prob));
	CLAIM(number_at(packed + 104, lp_u256_of(t.nonce)));
	CLAIM(bytes_at(packed + 136, t.rand_hash.bytes, 32));
	if (len == 232) {
		CLAIM(number_at(packed + 168, lp_u256_of(t.round)));
		CLAIM(bytes_at(packed + 200, t.round_hash.bytes, 32));
	}
}

static _Bool same_offer(const struct lp_rand_offer *a, const struct lp_rand_offer *b)
{
	return bytes_at(a->recipient.bytes, b->recipient.bytes, 20) && bytes_at(a->sender.bytes, b->sender.bytes, 20) &&
	       same(a->face_value.n, b->face_value.n) && same(a->win_prob, b->win_prob) &&
	       bytes_at(a->seed.bytes, b->seed.bytes, 32) && a->expiration_block == b->expiration_block &&
	       a->price_per_unit == b->price_per_unit && a->units == b->units && a->round == b->round &&
	       bytes_at(a->round_hash.bytes, b->round_hash.bytes, 32) && bytes_at(a->quote.bytes, b->quote.bytes, 32);
}

/* R-1, for every pair of offers there is: equal bytes under the MAC mean equal offers. */
void prove_no_two_offers_share_their_bytes(void)
{
	struct lp_rand_offer a = nondet_offer(), b = nondet_offer();
	uint8_t first[MESSAGE], second[MESSAGE];

	encode(first, &a);
	encode(second, &b);
	CLAIM(bytes_at(first, second, MESSAGE) == same_offer(&a, &b));
}
