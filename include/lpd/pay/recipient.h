/* pay/recipient - the paid side: what we offer to be paid by, what we take, what a payer has left.  Pure.
 *
 * A payment goes three steps, since they belong to different threads: begin (cheap checks, on the loop), verify
 * (signatures and draws, anywhere), apply (what moves money, on the loop, whatever became of the asker).  It is
 * taken as a whole or not at all, and the same bytes a second time are taken as done.
 *
 * A payment with a winner is credited only when the winner is safe: lp_recipient_saved().
 *
 * State is in memory; what the store must learn is handed out by lp_recipient_next(), in an order in which any
 * beginning of it is sound: nonces, winners, then credit.  The secret must be the same after a restart, or every
 * offer made before dies with it (R-3b). */
#ifndef LPD_PAY_RECIPIENT_H
#define LPD_PAY_RECIPIENT_H

#include <lpd/pay/balance.h>
#include <lpd/pay/funds.h>
#include <lpd/pay/payment.h>
#include <lpd/pay/quote.h>
#include <lpd/pay/winners.h>

struct lp_recipient;

struct lp_recipient_setup {
	struct lp_address recipient;
	uint8_t secret[32];
	size_t max_offers, max_payers, max_winners;
};
struct lp_recipient *lp_recipient_new(const struct lp_recipient_setup *setup);
void lp_recipient_free(struct lp_recipient **recipient);

/* What the chain says; neither block nor round ever goes back. */
void lp_recipient_chain(struct lp_recipient *r, uint64_t block, const struct lp_rounds *rounds);
/* -ticketEV and the rest; also while running. */
void lp_recipient_terms(struct lp_recipient *r, const struct lp_offer_terms *terms);

/* What the chain says of a payer. */
struct lp_payer_funds {
	const char *unknown;		/* why it says nothing; NULL: it does */
	uint64_t withdraw_round;
	struct lp_funds funds;
};

/* Ticket parameters for this quote (its session and expiration do not matter here); seed is random and fresh
 * each time.  NO_FUNDS "insufficient sender reserve", winners not yet redeemed included; UNAVAILABLE. */
struct lp_recipient_ask {
	const struct lp_quote *quote;
	const struct lp_payer_funds *funds;
	struct lp_hash seed;
};
enum lp_code lp_recipient_offer(struct lp_params *out, const struct lp_recipient *r,
				const struct lp_recipient_ask *ask, struct lp_err *e) LP_MUST_USE;

/* ---- a payment ---- */

struct lp_receipt;

struct lp_recipient_job {
	const struct lp_payment *payment;
	struct lp_span header;		/* the bytes it was read from */
	const struct lp_quote *quote;	/* checked: what this job costs */
	struct lp_span session;		/* "<capability>_<model>" */
	const struct lp_payer_funds *funds;
};
/* PRICE when the payment names another price than the quote; what lp_receive_offer() and lp_receive_nonces()
 * say.  A payment without tickets is fine and brings nothing. */
enum lp_code lp_recipient_begin(struct lp_recipient *r, struct lp_receipt **out, const struct lp_recipient_job *job,
				struct lp_err *e) LP_MUST_USE;
void lp_receipt_verify(struct lp_receipt *receipt);
/* OK also when it still waits for winners. */
enum lp_code lp_recipient_apply(struct lp_recipient *r, struct lp_receipt *receipt, int64_t now,
				struct lp_err *e) LP_MUST_USE;
bool lp_receipt_waits(const struct lp_receipt *receipt);
struct lp_amount lp_receipt_credit(const struct lp_receipt *receipt);	/* 0 until applied, and for a repeat */
void lp_receipt_free(struct lp_receipt **receipt);	/* at any time; one that waits is credited all the same */
/* The store's answer about a winner.  Other than OK: it is handed out once more. */
void lp_recipient_saved(struct lp_recipient *r, const struct lp_hash *ticket, enum lp_code code, int64_t now);

/* ---- a job ---- */

/* Hold what it may cost: UNDERPAID "Insufficient balance". */
enum lp_code lp_recipient_hold(struct lp_recipient *r, const struct lp_payer *who, struct lp_amount fee, int64_t now,
			       struct lp_err *e) LP_MUST_USE;
void lp_recipient_settle(struct lp_recipient *r, const struct lp_payer *who, struct lp_settle what, int64_t now);
struct lp_amount lp_recipient_balance(const struct lp_recipient *r, const struct lp_payer *who);

/* ---- winners, the store ---- */

struct lp_winners *lp_recipient_winners(struct lp_recipient *r);
/* Credit that nobody touched since before is given up, logged by told; offers that are over are forgotten. */
size_t lp_recipient_expire(struct lp_recipient *r, int64_t before,
			   void (*told)(void *self, const struct lp_payer *who, struct lp_amount credit), void *self);

struct lp_recipient_books {
	struct lp_amount credited;	/* by tickets, since the start */
	struct lp_amount waiting;	/* for winners to be safe */
	struct lp_amount debited;	/* by jobs */
	struct lp_amount given_up;	/* by expiry */
	uint64_t tickets, won;
};
void lp_recipient_books(struct lp_recipient_books *out, const struct lp_recipient *r);

struct lp_recipient_change {
	enum { LP_RECIPIENT_NONCES, LP_RECIPIENT_WINNER, LP_RECIPIENT_WINNER_GONE, LP_RECIPIENT_CREDIT } kind;
	struct lp_hash hash;		/* an offer's rand, or a ticket */
	uint64_t expiration_block;	/* nonces: when the row may go */
	struct lp_span row;		/* nonces, winner: as the store keeps it; good until the next call */
	struct lp_payer payer;		/* credit: what is there, held or not; below zero is a debt */
	struct lp_amount credit;
	int64_t touched;
};
/* False: the store knows all.  For a WINNER the store's answer goes to lp_recipient_saved(). */
bool lp_recipient_next(struct lp_recipient *r, struct lp_recipient_change *out);
/* At start: what the store has.  STORE: damaged. */
enum lp_code lp_recipient_load(struct lp_recipient *r, const struct lp_recipient_change *row,
			       struct lp_err *e) LP_MUST_USE;

#endif
