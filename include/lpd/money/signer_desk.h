/* money/signer_desk - what a remote signer decides: whether a call of a gateway is paid, by how many tickets, and
 * what it is billed (live-and-byoc 9.2, payments 8.3).  Pure: time, chain and randomness are handed in.
 *
 * A call is weighed, then others are asked whether it may be, and only then is it committed: nothing is used up
 * before somebody has agreed to it, and nothing is signed at all here.
 *
 * The state that a gateway brings says which session it means.  Where that session stands we remember ourselves: who
 * brings an old state gets the answer that was made for it once more, or goes on from where the session really is.
 * Nonces are given out by offer, not by session: no two tickets of an offer have the same one, whatever states are
 * brought, and an offer known from before a restart is not signed for again. */
#ifndef LPD_MONEY_SIGNER_DESK_H
#define LPD_MONEY_SIGNER_DESK_H

#include <lpd/money/signer_state.h>
#include <lpd/pay/sender.h>

struct lp_signer_desk;

#define LP_SIGNER_TICKETS 100	/* of one call */

struct lp_signer_rules {
	struct lp_address account;	/* who signs states and pays */
	struct lp_amount max_ticket_ev, max_total_ev;
	uint64_t deposit_multiplier;
	uint32_t first_nonce;		/* random: two signers of a key must not count alike */
	size_t max_sessions, max_offers;
};
struct lp_signer_desk *lp_signer_desk_new(const struct lp_signer_rules *rules);
void lp_signer_desk_free(struct lp_signer_desk **desk);
void lp_signer_desk_chain(struct lp_signer_desk *desk, const struct lp_sender_chain *chain);
/* At start: an offer for which tickets were signed before; none will be again. */
void lp_signer_desk_know(struct lp_signer_desk *desk, const struct lp_hash *rand_hash, uint64_t expiration_block);
/* Forget offers that are over on the chain, and sessions that nobody touched since then (nanoseconds). */
void lp_signer_desk_expire(struct lp_signer_desk *desk, int64_t before);
size_t lp_signer_desk_sessions(const struct lp_signer_desk *desk);
size_t lp_signer_desk_offers(const struct lp_signer_desk *desk);

/* One "maxPrice", raw. */
struct lp_signer_max {
	bool present;
	struct lp_price price;		/* free: it was no number above 0 */
	struct lp_span currency, unit;
};

/* A call, as it was read; spans are the caller's. */
struct lp_signer_ask {
	struct lp_span state, sig;	/* bytes; both empty: a session begins */
	struct lp_address orchestrator;
	int64_t price_per_unit, units;	/* quoted; above 0 */
	struct lp_params params;
	int64_t token_left;		/* seconds for which its auth token is good; INT64_MAX: it has none */
	struct lp_span manifest, app, type;
	int64_t in_pixels;
	struct lp_signer_max max;
	const struct lp_price *configured;	/* highest price of the operator; NULL: any */
	uint8_t id[8], manifest_id[4];	/* random: for a session that begins */
	int64_t now;			/* nanoseconds since 1970 */
};

/* Why not; status 0: nothing is wrong. */
#define LP_SIGNER_REFRESH 480		/* another OrchestratorInfo is needed */
#define LP_SIGNER_PRICE 481
#define LP_SIGNER_COVERED 482		/* what is there is enough, no ticket is needed */
struct lp_signer_no {
	int status;
	char words[220];
};

/* A call that was weighed; it lives as long as the scope.  Committed or dropped once: until then no other call of its
 * session is weighed. */
struct lp_signer_plan {
	struct lp_signer_state state;	/* as it will be */
	struct lp_params params;
	struct lp_span manifest;
	uint32_t tickets;
	bool covered;			/* no ticket is needed, but credit is used up: 482 once it was committed */
	struct lp_span again;		/* this call was answered before: the answer */
	uint64_t billed;		/* units */
	struct lp_amount fee, value;
	struct lp_price quoted;
	uint64_t asked;			/* sequence of the state that was brought, plus 1; 0: none */
	void *session;			/* busy with this */
};
/* False: *no says why. */
bool lp_signer_weigh(struct lp_scope *scope, struct lp_signer_desk *desk, struct lp_signer_plan *out,
		     const struct lp_signer_ask *ask, struct lp_signer_no *no) LP_MUST_USE;
void lp_signer_drop(struct lp_signer_desk *desk, struct lp_signer_plan *plan);

/* Take the nonces.  The payment is to be signed, and its offer must be on disk before a ticket leaves.  The state is
 * final afterwards. */
bool lp_signer_commit(struct lp_scope *scope, struct lp_signer_desk *desk, struct lp_signer_plan *plan,
		      struct lp_payment *out, struct lp_signer_no *no) LP_MUST_USE;
/* What was answered, for the same question again. */
void lp_signer_answered(struct lp_signer_desk *desk, const struct lp_signer_plan *plan, struct lp_span answer);

/* A ceiling of somebody else's, like the webhook's; its own faults are told as status, in words behind prefix. */
bool lp_signer_ceiling(const struct lp_signer_plan *plan, const struct lp_signer_max *max, const char *whose,
		       struct lp_signer_no *no) LP_MUST_USE;
/* Is it well-formed for that type?  400. */
bool lp_signer_max_check(const struct lp_signer_max *max, enum lp_signer_type type, struct lp_signer_no *no) LP_MUST_USE;

/* Units of a call: since < 0 or 0: the first.  0: nothing to bill. */
uint64_t lp_signer_units(enum lp_signer_type type, int64_t since, int64_t in_pixels);

#endif
