/* pay/quote - what an orchestrator has promised: one kind of work, for one payer, at one price, until a time.
 * Pure.
 *
 * The promise travels inside the auth token, which payers hand back unread.  The price stands in it in the
 * open and all of it is under a MAC, so the orchestrator remembers nothing, a cheap quote buys no dear work
 * and a payment that names no price is charged the one that was quoted. */
#ifndef LPD_PAY_QUOTE_H
#define LPD_PAY_QUOTE_H

#include <lpd/base/err.h>
#include <lpd/eth/address.h>

#define LP_QUOTE_TOKEN 49	/* version (1), price (8), units (8), MAC (32) */

struct lp_quote {
	struct lp_address sender;
	uint32_t capability;
	struct lp_span model;
	int64_t price_per_unit, units;	/* the two numbers of the wire */
	struct lp_span session_id;	/* as in the token */
	int64_t expiration;		/* unix seconds */
};

void lp_quote_write(uint8_t token[LP_QUOTE_TOKEN], const uint8_t secret[32], const struct lp_quote *quote);
/* The caller fills in what the job is (all but the price); the price is filled in from the token.  FORBIDDEN
 * in the network's words: another job's, forged, or over at now.  The compare is in constant time. */
enum lp_code lp_quote_check(struct lp_quote *quote, const uint8_t secret[32], struct lp_span token, int64_t now,
			    struct lp_err *e) LP_MUST_USE;

/* The kind of work, for lp_rand_offer.quote: it binds an offer's tickets to it as well. */
void lp_quote_work(struct lp_hash *out, uint32_t capability, struct lp_span model);

#endif
