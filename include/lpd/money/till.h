/* money/till - how a gateway pays: a payment for one try of a job, and what became of it.
 *
 * Two ways lie behind it: our own account (money/own_till: pay/sender, signed here, kept in the books), and a
 * remote signer that has the key, the sessions and the nonces, and is asked over HTTP.  A job sees neither. */
#ifndef LPD_MONEY_TILL_H
#define LPD_MONEY_TILL_H

#include <lpd/io/loop.h>
#include <lpd/pay/sender.h>

struct lp_till;
struct lp_outlay;		/* one try's part in it */

/* Copied but for what the spans and job point to, which lives as long as the scope. */
struct lp_till_want {
	/* Recipient, capability, and the model: its name, then perhaps a zero byte and where the node is, which keeps
	 * the books of nodes apart that are paid to one account. */
	struct lp_sender_key to;
	uint64_t units;
	const struct lp_price *max;	/* NULL: any */
	bool alone;			/* the last try was short: lean on no other credit */
	const char *job;		/* its id, for the ledger */
	struct lp_span info;		/* the orchestrator's OrchestratorInfo as it came, protobuf */
	const struct lp_sender_offer *offer;	/* read from it */
};

/* Later, once, unless the scope closes: ask *_done(). */
struct lp_till_hook {
	void (*done)(void *self);
	void *self;
};

/* LP_OK, then the value of Livepeer-Payment may leave (its offer is safe on disk).  Codes as lp_sender_offer() and
 * lp_sender_pay(): PARAMS_EXPIRED: get another OrchestratorInfo and come again.  When the scope closes before it was
 * settled, it is settled as UNKNOWN if its header had been asked for, else as NOT_TAKEN. */
struct lp_outlay *lp_till_pay(struct lp_scope *scope, struct lp_till *till, const struct lp_till_want *want,
			      struct lp_till_hook hook);
bool lp_outlay_done(const struct lp_outlay *outlay);
const struct lp_err *lp_outlay_err(const struct lp_outlay *outlay);
struct lp_span lp_outlay_header(struct lp_outlay *outlay);	/* base64; good as long as the scope */
struct lp_amount lp_outlay_fee(const struct lp_outlay *outlay);

/* Once.  used: of the units paid for, which the job really took (of a stream: tokens); what was not is kept as
 * credit where the peer does so.  refused: the peer will not have this offer any more. */
struct lp_outlay_end {
	enum lp_paid how;
	uint64_t used;			/* with DONE: 0 is all of them */
	bool refused;
	bool seen;			/* NOT_TAKEN: it has answered, so it has the tickets, and they may win */
};
/* Does nothing for one that failed. */
void lp_outlay_settle(struct lp_outlay *outlay, const struct lp_outlay_end *end);

/* The session has to be asked about before it can pay: true also for one that is about to run out of nonces. */
bool lp_till_stale(const struct lp_till *till, const struct lp_sender_key *to);

/* ---- for those who implement it ---- */

/* All from the loop.  pay: lp_outlay_paid() or lp_outlay_failed() follows once, at once or later, unless settle
 * comes before it.  settle: once for each that did not fail, also while it is not yet paid (NOT_TAKEN): whoever holds
 * the outlay must forget it then.  want lives as long as the outlay. */
struct lp_till_ops {
	void (*pay)(void *self, struct lp_outlay *outlay, const struct lp_till_want *want);
	void (*settle)(void *self, struct lp_outlay *outlay, const struct lp_outlay_end *end);
	bool (*stale)(const void *self, const struct lp_sender_key *to);
};
struct lp_till *lp_till_new(struct lp_scope *scope, struct lp_loop *loop, const struct lp_till_ops *ops, void *self);

/* What a payment is: its header lives as long as the outlay's scope. */
struct lp_outlay_paid {
	struct lp_span header;
	struct lp_amount fee;		/* what the job may cost */
	struct lp_amount value;		/* of the tickets that go with it */
	uint32_t tickets;
	struct lp_wei face_value;	/* of each */
};
void lp_outlay_paid(struct lp_outlay *outlay, const struct lp_outlay_paid *paid);
void lp_outlay_failed(struct lp_outlay *outlay, const struct lp_err *why);
const struct lp_outlay_paid *lp_outlay_payment(const struct lp_outlay *outlay);	/* zeros: none yet */
bool lp_outlay_left(const struct lp_outlay *outlay);	/* its header was asked for */
struct lp_scope *lp_outlay_scope(const struct lp_outlay *outlay);
const struct lp_till_want *lp_outlay_want(const struct lp_outlay *outlay);
/* One thing of the implementation's, for each; NULL at first. */
void lp_outlay_keep(struct lp_outlay *outlay, void *part);
void *lp_outlay_part(const struct lp_outlay *outlay);

#endif
