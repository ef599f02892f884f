/* pay/sender - the paying side: sessions of ticket parameters, and the credit that we have where.  Pure.
 *
 * A session is (recipient, capability, model), as orchestrators keep their books.  Its credit is shared by all
 * jobs that run at the same time: each holds its fee, and tickets are made only for what is not covered.
 * Tickets on their way count for the others too; where they come too late for one, its orchestrator says so
 * and the job pays once more, leaning on nothing (`alone`).
 *
 * No nonce is used twice: within a process a known offer goes on where it was or is refused, and never starts
 * anew; those taken up before a restart are loaded and refused; and the first nonce is drawn at random
 * for each process, so that even an offer which an orchestrator hands to two of them gives no number twice.
 *
 * State is in memory.  What a store must learn is handed out by lp_sender_next(), coalesced. */
#ifndef LPD_PAY_SENDER_H
#define LPD_PAY_SENDER_H

#include <lpd/base/scope.h>
#include <lpd/pay/payment.h>
#include <lpd/pay/price.h>

struct lp_sender;

#define LP_SENDER_MODEL_MAX 256
#define LP_SENDER_FRESH 400	/* nonces after which a new offer is asked for: the last 200 bridge the asking */

struct lp_sender_rules {
	struct lp_address account;		/* who pays */
	struct lp_amount max_ticket_ev, max_total_ev;	/* -maxTicketEV, -maxTotalEV */
	uint64_t deposit_multiplier;		/* -depositMultiplier */
	struct lp_amount max_prepaid;		/* at one orchestrator and not yet served; 0: no limit */
	uint32_t max_tickets;			/* of one payment */
	uint32_t first_nonce;			/* random */
	size_t max_sessions;
};

struct lp_sender *lp_sender_new(const struct lp_sender_rules *rules);
void lp_sender_free(struct lp_sender **sender);

/* What the chain says of us.  A block below the last one is not believed. */
struct lp_sender_chain {
	uint64_t block, last_round, withdraw_round;
	struct lp_wei deposit, reserve;
};
void lp_sender_chain(struct lp_sender *sender, const struct lp_sender_chain *chain);

struct lp_sender_key {
	struct lp_address recipient;
	uint32_t capability;
	struct lp_span model;		/* at most LP_SENDER_MODEL_MAX bytes */
};

/* Bytes that stand for it, for maps; its model is not too long. */
#define LP_SENDER_KEY_MAX (LP_ADDRESS_LEN + 4 + LP_SENDER_MODEL_MAX)
struct lp_span lp_sender_key_bytes(char to[LP_SENDER_KEY_MAX], const struct lp_sender_key *key);

struct lp_sender_offer {
	bool has_params;		/* false: nothing is to be paid here */
	struct lp_params params;
	int64_t price_per_unit, units;
	/* What the price says that it is for: it goes back as it came, so whoever writes the payment puts it there. */
	uint32_t capability;
	struct lp_span constraint;
};

/* Take up what an orchestrator offers.  The offer in use goes on where it was.  PARAMS_EXPIRED: it is over, or
 * one that was used before; BAD_PEER: made for another recipient; PRICE, NO_FUNDS as lp_params_check;
 * UNAVAILABLE: too many sessions. */
enum lp_code lp_sender_offer(struct lp_sender *sender, const struct lp_sender_key *key,
			     const struct lp_sender_offer *offer, int64_t now, struct lp_err *e) LP_MUST_USE;
/* A new offer should be asked for, though the old one may still serve. */
bool lp_sender_stale(const struct lp_sender *sender, const struct lp_sender_key *key);

/* A job's part in it, from pay to settle.  The caller keeps it and looks at payment, n and fee only. */
struct lp_stake {
	struct lp_payment payment;	/* its tickets are to be signed: lp_payment_ticket, hash, sign */
	struct lp_amount fee;		/* held */
	struct lp_amount value;		/* of the tickets */
	void *session;
	struct lp_hash rand_hash;
};

struct lp_sender_want {
	struct lp_sender_key key;
	uint64_t units;
	const struct lp_price *max;	/* NULL: any */
	bool alone;			/* the last try was short: lean on no other credit */
	int64_t now;			/* seconds */
};

/* Hold the fee and choose the tickets; their nonces are used up whatever comes.  PARAMS_EXPIRED: ask for a new
 * offer first; PRICE: above max, or more than doubled within the hour; TICKETS_FULL, NO_FUNDS.  The payment's
 * memory is the scope's. */
enum lp_code lp_sender_pay(struct lp_scope *scope, struct lp_sender *sender, struct lp_stake *out,
			   const struct lp_sender_want *want, struct lp_err *e) LP_MUST_USE;

enum lp_paid {
	LP_PAID_NOT_TAKEN,	/* it provably never left, or was refused before it was credited */
	LP_PAID_SHORT,		/* "Insufficient balance": the tickets were credited, the rest of our books is wrong */
	LP_PAID_FAILED,		/* credited, and the job failed: nothing was charged */
	LP_PAID_DONE,		/* credited, and the job cost what is said */
	LP_PAID_UNKNOWN		/* nobody knows: the tickets and the fee count as gone, but not twice */
};
/* Once for each stake. */
void lp_sender_settle(struct lp_sender *sender, struct lp_stake *stake, enum lp_paid how, struct lp_amount cost,
		      int64_t now);
/* Its offer is refused by the orchestrator (nonce seen, expired, unknown): it is used no more. */
void lp_sender_refused(struct lp_sender *sender, const struct lp_stake *stake);

/* signed = credit + pending + spent + returned + given_up, to the last unit. */
struct lp_sender_books {
	struct lp_amount credit, held, pending;		/* now */
	struct lp_amount signed_, spent, returned, given_up;	/* since the start; credit loaded counts as signed */
	uint64_t tickets;
	uint32_t in_flight;				/* stakes that are not settled */
};
void lp_sender_books(struct lp_sender_books *out, const struct lp_sender *sender, const struct lp_sender_key *key);

/* Forget sessions without a job that nobody touched since before, and offers that are over. */
size_t lp_sender_expire(struct lp_sender *sender, int64_t before);

struct lp_sender_change {
	enum { LP_SENDER_OFFER, LP_SENDER_CREDIT } kind;
	struct lp_hash rand_hash;	/* offer */
	uint64_t expiration_block;
	struct lp_sender_key key;	/* credit: what is not held; the span is good until the next call */
	struct lp_amount credit;
	int64_t touched;
};
/* False: the store knows all. */
bool lp_sender_next(struct lp_sender *sender, struct lp_sender_change *out);
/* At start: what the store has. */
enum lp_code lp_sender_load(struct lp_sender *sender, const struct lp_sender_change *row, struct lp_err *e) LP_MUST_USE;

#endif
