/* role/gateway_pay - how a gateway's job pays: the terms, the payment, and in SETTLE what became of it.
 *
 * Off-chain there is no purse, and all of this is passed over. */
#ifndef LPD_ROLE_GATEWAY_PAY_H
#define LPD_ROLE_GATEWAY_PAY_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>
#include <lpd/eth/signature.h>
#include <lpd/market/tender.h>
#include <lpd/money/till.h>

#include "charges.h"

struct lp_account;
struct lp_remote_till;
struct lp_gateway;
struct lp_gateway_job;
struct lp_node;
struct lp_options;
struct lp_orch;

struct lp_purse {
	struct lp_gateway *gw;
	struct lp_till *till;
	struct lp_remote_till *remote;	/* NULL: the account is ours */
	struct lp_account *account;	/* signs what is no ticket */
	struct lp_address address;
	struct lp_sig proof;		/* that we are it */
	struct lp_tenders *tenders;
	double value_sent;		/* gwei, for metrics */
};

/* What the options say of paying; also for a remote signer. */
enum lp_code lp_purse_rules(struct lp_sender_rules *rules, const struct lp_options *options,
			    struct lp_err *e) LP_MUST_USE;
/* By node->money; leaves gw->purse NULL without it. */
enum lp_code lp_purse_open(struct lp_gateway *gw, struct lp_err *e) LP_MUST_USE;
enum lp_code lp_purse_check(struct lp_node *node, struct lp_err *e) LP_MUST_USE;
void lp_purse_measure(const struct lp_purse *purse);
void lp_purse_status(const struct lp_purse *purse, struct lp_buf *json);	/* adds an object; amounts in wei */
double lp_amount_gwei(struct lp_amount amount);
/* What goes into the segment of a job: our signature over its name (network-protocol 5.2); empty off-chain. */
struct lp_span lp_purse_segment_sig(struct lp_scope *scope, const struct lp_purse *purse, struct lp_span manifest_id);
/* The same from a remote signer: what came with its last payment for this work. */
struct lp_span lp_purse_remote_sig(struct lp_scope *scope, const struct lp_purse *purse, const struct lp_sender_key *to);
/* -remoteSignerUrl: fills in till, address and proof.  Blocks until the signer has answered. */
enum lp_code lp_purse_open_remote(struct lp_purse *purse, struct lp_err *e) LP_MUST_USE;

/* A job's part in it: what the try under way has, and what the last one paid. */
struct lp_job_pay {
	bool asking, asked;		/* for terms; once a try */
	struct lp_tender *tender;	/* held by the try */
	struct lp_outlay *outlay;
	struct lp_sender_key to;	/* good as long as the try */
	bool is_short;			/* the last try was told "Insufficient balance" */
	struct lp_orch *short_at;	/* held: where it was short once, and pays for itself alone */
	struct lp_outlay_paid last;	/* for the log; without the header */
	enum lp_paid how;
};

enum lp_paying {
	LP_PAYING_WAITS,
	LP_PAYING_DONE,		/* *info are the terms that it goes by; they live as long as the try */
	LP_PAYING_FAILED
};
/* State PAY, until it is no longer waiting; wakes the job. */
enum lp_paying lp_gateway_job_pay(struct lp_gateway_job *j, const struct lp_orch_info **info, struct lp_err *e);
/* SETTLE: once for a try, however it ended (code, and j->err behind it). */
void lp_gateway_job_settle(struct lp_gateway_job *j, enum lp_code code);
/* The terms are refused: others are asked for at the next try. */
void lp_gateway_job_terms_refused(struct lp_gateway_job *j);

/* "fee 120 wei"; false: none is paid. */
bool lp_gateway_job_fee_words(const struct lp_gateway_job *j, struct lp_buf *to);
/* "fee 120 wei paid, 2 tickets of 0.5 gwei ...", of the last try; nothing when none was paid. */
void lp_gateway_job_paid_words(const struct lp_gateway_job *j, struct lp_buf *to);

#endif
