/* money/books - what the store keeps of money: the state of pay/sender and pay/recipient over restarts, and the
 * ledger, a line for each thing that moved.
 *
 * Both states are read once at start and written behind, in the order in which they were handed out; an offer
 * that is used and a winner are safe before anything rests on them.  When a write fails, the books are broken until
 * the next start: the roles take and make no more payments, so that no more is at stake than what was under way.
 * The ledger only grows; `lpd ledger` reads it, also while the node runs. */
#ifndef LPD_MONEY_BOOKS_H
#define LPD_MONEY_BOOKS_H

#include <lpd/io/db.h>
#include <lpd/pay/recipient.h>
#include <lpd/pay/sender.h>

/* The step of lpd.db's schema that makes the tables. */
#define LP_BOOKS_SCHEMA                                                                                          \
	"CREATE TABLE pay_sent_offer (rand_hash BLOB PRIMARY KEY, expiration_block INTEGER NOT NULL)"            \
	" WITHOUT ROWID;"                                                                                        \
	"CREATE TABLE pay_credit (recipient BLOB NOT NULL, capability INTEGER NOT NULL, model BLOB NOT NULL,"    \
	" amount BLOB NOT NULL, touched INTEGER NOT NULL, PRIMARY KEY (recipient, capability, model))"           \
	" WITHOUT ROWID;"                                                                                        \
	"CREATE TABLE pay_nonces (rand_hash BLOB PRIMARY KEY, expiration_block INTEGER NOT NULL,"                \
	" nonces BLOB NOT NULL) WITHOUT ROWID;"                                                                  \
	"CREATE TABLE pay_winner (ticket BLOB PRIMARY KEY, winner BLOB NOT NULL) WITHOUT ROWID;"                 \
	"CREATE TABLE pay_balance (sender BLOB NOT NULL, session BLOB NOT NULL, amount BLOB NOT NULL,"           \
	" touched INTEGER NOT NULL, PRIMARY KEY (sender, session)) WITHOUT ROWID;"                               \
	"CREATE TABLE ledger (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL,"                  \
	" peer BLOB NOT NULL, capability INTEGER NOT NULL, model TEXT NOT NULL, job TEXT NOT NULL,"              \
	" amount BLOB NOT NULL, tickets INTEGER NOT NULL, units INTEGER NOT NULL);"                              \
	"CREATE INDEX ledger_at ON ledger (at)"

struct lp_books;
/* One for a db. */
struct lp_books *lp_books_open(struct lp_scope *scope, struct lp_db *db, struct lp_loop *loop);
/* Something of money could not be written since the start. */
bool lp_books_broken(const struct lp_books *books);

/* At start, before the loop runs. */
enum lp_code lp_books_load_sender(struct lp_books *books, struct lp_sender *sender, struct lp_err *e) LP_MUST_USE;
enum lp_code lp_books_load_recipient(struct lp_books *books, struct lp_recipient *recipient,
				     struct lp_err *e) LP_MUST_USE;

/* Queue all that the store does not know yet.  Of winners the recipient is told when they are safe, from the loop;
 * then told(self) (may be NULL), so that whoever waits looks again. */
void lp_books_keep_sender(struct lp_books *books, struct lp_sender *sender);
void lp_books_keep_recipient(struct lp_books *books, struct lp_recipient *recipient, void (*told)(void *self),
			     void *self);
/* safe(self, code) when everything queued so far is on disk: an offer taken up must be, before its first ticket
 * leaves (no nonce twice, R-6).  STORE: some of it is not, now or earlier. */
void lp_books_safe(struct lp_scope *scope, struct lp_books *books, void (*safe)(void *self, enum lp_code code),
		   void *self);

/* Rows that serve nothing any more: offers that were over before the block, credit that nobody touched since. */
void lp_books_forget(struct lp_books *books, uint64_t block, int64_t before);

/* ---- the ledger ---- */

enum lp_entry_kind {
	LP_ENTRY_PAID,		/* gateway: tickets sent with a job */
	LP_ENTRY_SPENT,		/* gateway: what a job cost */
	LP_ENTRY_RETURNED,	/* gateway: provably not taken */
	LP_ENTRY_GIVEN_UP,	/* gateway: nobody knows; orchestrator: credit that expired */
	LP_ENTRY_CREDITED,	/* orchestrator: tickets taken */
	LP_ENTRY_EARNED,	/* orchestrator: what a job was charged */
	LP_ENTRY_WON,		/* orchestrator: a winner's face value */
	LP_ENTRY_REDEEMED,	/* orchestrator: what the chain paid for one */
	LP_ENTRY_LOST,		/* orchestrator: a winner that the chain will never pay */
	LP_ENTRY_KINDS
};
const char *lp_entry_name(enum lp_entry_kind kind);	/* "paid" ... */

struct lp_entry {
	enum lp_entry_kind kind;
	int64_t at;			/* unix seconds */
	struct lp_address peer;		/* the orchestrator, for a gateway; the gateway, for an orchestrator */
	uint32_t capability;		/* 0: of no job */
	struct lp_span model;
	const char *job;		/* its id, "" for none */
	struct lp_amount amount;
	uint32_t tickets;
	uint64_t units;			/* of work */
};
void lp_books_enter(struct lp_books *books, const struct lp_entry *entry);

#endif
