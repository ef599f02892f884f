/* role/payee - an orchestrator that is paid: its prices, what it offers to be paid by, its payers' books, its winners.
 *
 * Off-chain there is none (o->payee is NULL), and work is free.  Payments belong to it and not to the jobs that
 * brought them: whatever becomes of a job, what came with it is credited. */
#ifndef LPD_ROLE_PAYEE_H
#define LPD_ROLE_PAYEE_H

#include <lpd/io/grpc.h>
#include <lpd/market/segment.h>
#include <lpd/pay/recipient.h>
#include <lpd/role/money.h>
#include <lpd/run/prices.h>

#include "orchestrator_priv.h"

struct lp_payee {
	struct lp_orchestrator *o;
	struct lp_scope *scope;		/* ends before the node's money does */
	const struct lp_money *money;
	struct lp_address address;	/* us */
	struct lp_recipient *recipient;
	struct lp_scope *prices_scope;
	struct lp_prices prices;
	struct lp_offer_terms terms;
	bool adjust;			/* -autoAdjustPrice */
	struct lp_list takings;		/* payments under way (orchestrator_pay.c) */
	int redeeming;
	int64_t swept;			/* unix seconds */
	double redeemed;		/* gwei, since the start */
};

/* After the models are read.  Leaves o->payee NULL when the node has no money. */
enum lp_code lp_payee_open(struct lp_orchestrator *o, struct lp_err *e) LP_MUST_USE;
/* What it reads of options. */
enum lp_code lp_payee_check(struct lp_orchestrator *o, struct lp_err *e) LP_MUST_USE;
/* Prices anew, by options and models; the old ones stay when those cannot be used. */
void lp_payee_reload(struct lp_orchestrator *o);
void lp_payee_status(const struct lp_payee *payee, struct lp_buf *json);
void lp_payee_measure(const struct lp_payee *payee);
int64_t lp_payee_now(const struct lp_payee *payee);		/* unix seconds */
/* A line of the ledger; its time is filled in. */
void lp_payee_enter(struct lp_payee *payee, struct lp_entry entry);
/* Whatever changed goes to the store; winners that are safe wake whom they concern. */
void lp_payee_keep(struct lp_payee *payee);
/* Payments whose winners are safe are credited. */
void lp_takings_look(struct lp_payee *payee);
/* Why no tickets are taken now; NULL: they are. */
const char *lp_payee_trouble(const struct lp_payee *payee);

/* What a question asked for, or a job says that it asked for: pairs of a capability and a model.  The quote is for
 * all of them together, and is good for a job of any (network-protocol 4.5 adds their prices up). */
struct lp_kind {
	uint32_t capability;
	struct lp_span model;
};
struct lp_kinds {
	struct lp_kind *pairs;	/* in order */
	int n;
};
void lp_kinds_of(struct lp_scope *scope, struct lp_kinds *out, const struct lp_capabilities *caps);
bool lp_kinds_have(const struct lp_kinds *work, uint32_t capability, struct lp_span model);
/* The quote's capability and model: of one pair its own, of several a text that names them all. */
void lp_kinds_name(struct lp_scope *scope, const struct lp_kinds *work, struct lp_quote *quote);

/* What a segment's token promises, and to whom. */
struct lp_quoted {
	struct lp_address signer;	/* of the segment */
	struct lp_quote quote;
	struct lp_kinds work;
};

/* The answer to GetOrchestrator, now or when the payer's funds are known; fill makes all but what is about money. */
struct lp_payee_ask {
	struct lp_grpc_answer *answer;
	const struct lp_orch_request *request;	/* lives as long as the exchange */
	void (*fill)(struct lp_scope *scope, struct lp_orchestrator *o, struct lp_orch_info *info, bool full);
};
void lp_payee_answer(struct lp_payee *payee, const struct lp_payee_ask *ask);

#endif
