/* tests/support/paid - one who pays and one who is paid, without a network between them. */
#ifndef LPD_TESTS_PAID_H
#define LPD_TESTS_PAID_H

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/random.h>
#include <lpd/pay/recipient.h>
#include <lpd/pay/sender.h>
#include <lpd/pay/signer.h>

#define PAID_EV 8000000000u		/* -ticketEV */
#define PAID_MODEL LP_SPAN("some/model")
#define PAID_CAPABILITY 27
#define PAID_SESSION LP_SPAN("27_some/model")

static inline struct lp_amount paid_wei(uint64_t n)
{
	struct lp_amount out;
	bool fits = lp_amount_of(&out, lp_wei_of(n));

	lp_assert(fits);
	return out;
}

static inline struct lp_hash paid_hash(uint64_t n)
{
	struct lp_hash hash;

	lp_keccak256(hash.bytes, &n, sizeof n);
	return hash;
}

static inline struct lp_key *paid_key(struct lp_scope *scope, uint8_t n)
{
	const uint8_t secret[32] = { [0] = 1, [31] = n };
	struct lp_key *key;
	enum lp_code code = lp_key_open(scope, &key, secret, NULL);

	lp_assert(code == LP_OK);
	return key;
}

static inline struct lp_sender *paid_sender(const struct lp_key *key, uint32_t first_nonce)
{
	const struct lp_sender_rules rules = { .account = lp_key_address(key),
					       .max_ticket_ev = paid_wei(3000000000000),
					       .max_total_ev = paid_wei(20000000000000),
					       .deposit_multiplier = 1,
					       .max_tickets = 500,
					       .first_nonce = first_nonce,
					       .max_sessions = 100 };
	const struct lp_sender_chain chain = { .block = 1000, .last_round = 7,
					       .deposit = lp_wei_of(UINT64_MAX), .reserve = lp_wei_of(UINT64_MAX) };
	struct lp_sender *sender = lp_sender_new(&rules);

	lp_sender_chain(sender, &chain);
	return sender;
}

static inline struct lp_recipient *paid_recipient(struct lp_address us, uint8_t secret)
{
	struct lp_recipient_setup setup = { .recipient = us, .max_offers = 10000, .max_payers = 1000,
					    .max_winners = 100000 };
	/* A face value of 100 tickets' worths: the hundredth wins. */
	const struct lp_offer_terms terms = { .ev = lp_wei_of(PAID_EV), .redeem_gas = 100, .gas_price = lp_wei_of(1),
					      .tx_cost_multiplier = 100 };
	const struct lp_rounds rounds = { .last = 7, .last_hash = paid_hash(7), .previous_hash = paid_hash(6) };

	memset(setup.secret, secret, sizeof setup.secret);
	struct lp_recipient *r = lp_recipient_new(&setup);
	lp_recipient_terms(r, &terms);
	lp_recipient_chain(r, 1000, &rounds);
	return r;
}

static inline struct lp_payer_funds paid_funds(void)
{
	return (struct lp_payer_funds){ .funds = { .deposit = lp_wei_of(UINT64_MAX), .reserve = lp_wei_of(UINT64_MAX),
						   .pool_size = 1 } };
}

static inline struct lp_quote paid_quote(struct lp_address sender, int64_t price)
{
	return (struct lp_quote){ .sender = sender, .capability = PAID_CAPABILITY, .model = PAID_MODEL,
				  .price_per_unit = price, .units = 1, .session_id = LP_SPAN("12345678"),
				  .expiration = 10000 };
}

#endif
