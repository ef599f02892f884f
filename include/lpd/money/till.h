/* money/till - how a gateway pays: a payment for one try of a job, and what became of it.
 *
 * Two ways lie behind it: our own account (pay/sender, signed here, kept in the books), and a remote signer that
 * has the key, the sessions and the nonces, and is asked over HTTP.  A job sees neither. */
#ifndef LPD_MONEY_TILL_H
#define LPD_MONEY_TILL_H

#include <lpd/io/loop.h>
#include <lpd/pay/sender.h>

struct lp_till;
struct lp_outlay;		/* one try's part in it */

struct lp_till_want {
	struct lp_sender_key to;	/* recipient, capability, model: spans live as long as the scope */
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

/* LP_OK, then the value of Livepeer-Payment may leave (its offer is safe on disk).  Codes as lp_sender_pay():
 * PARAMS_EXPIRED: get another OrchestratorInfo and come again.  When the scope closes before it was settled, it is
 * settled as UNKNOWN if its header had been asked for, else as NOT_TAKEN. */
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
	uint64_t used;
	bool refused;
};
void lp_outlay_settle(struct lp_outlay *outlay, const struct lp_outlay_end *end);

/* The session has to be asked about before it can pay: true also for one that is about to run out of nonces. */
bool lp_till_stale(const struct lp_till *till, const struct lp_sender_key *to);

struct lp_account;
struct lp_bank;
struct lp_books;
struct lp_till_own {
	struct lp_loop *loop;
	struct lp_account *account;
	struct lp_bank *bank;
	struct lp_books *books;
	struct lp_sender_rules rules;	/* first_nonce is drawn here */
};
enum lp_code lp_till_open(struct lp_scope *scope, struct lp_till **out, const struct lp_till_own *own,
			  struct lp_err *e) LP_MUST_USE;

/* What an implementation brings (money/till.c: our own; money/remote_till.c: a signer elsewhere). */
struct lp_till_ops {
	void (*pay)(void *self, struct lp_outlay *outlay, const struct lp_till_want *want);
	void (*settle)(void *self, struct lp_outlay *outlay, const struct lp_outlay_end *end);
	bool (*stale)(const void *self, const struct lp_sender_key *to);
};

#endif
