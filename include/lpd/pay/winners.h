/* pay/winners - winning tickets from the draw until they are redeemed: none is lost, none is kept twice.  Pure.
 *
 * A winner is shown to nobody before its offer is over, since its rand would tell the payer which tickets
 * lose.  Then the one whose time ends first goes first, and one that is refused delays no other. */
#ifndef LPD_PAY_WINNERS_H
#define LPD_PAY_WINNERS_H

#include <lpd/base/buf.h>
#include <lpd/pay/ticket.h>

struct lp_winners;

struct lp_winner {
	struct lp_ticket ticket;
	struct lp_sig sig;
	struct lp_hash rand;
	uint64_t expiration_block;	/* of its offer */
	struct lp_hash hash;		/* of the ticket; filled in by add and read */
};

#define LP_WINNER_ROW 286	/* bytes in the store */

struct lp_winners *lp_winners_new(size_t max);
void lp_winners_free(struct lp_winners **winners);
size_t lp_winners_count(const struct lp_winners *winners);

/* NO_ROOM beyond max.  One that is there already stays as it is: OK, and *out is NULL.  Else *out is the row;
 * owner is whoever waits for it to be safe. */
struct lp_winner_row;
enum lp_code lp_winners_add(struct lp_winners *winners, struct lp_winner_row **out, const struct lp_winner *winner,
			    void *owner, struct lp_err *e) LP_MUST_USE;
/* Safe on disk (true: and its owner is to be told), or to be written once more. */
bool lp_winners_saved(struct lp_winners *winners, const struct lp_hash *ticket, bool safe, void **owner);
/* Face values of this sender's that are not redeemed. */
struct lp_wei lp_winners_open(const struct lp_winners *winners, struct lp_address sender);

/* The next to redeem at this block, which is then out until told.  False: none. */
bool lp_winners_ripe(struct lp_winners *winners, struct lp_winner *out, uint64_t block, int64_t now);
/* Redeemed, used or too late: it is gone.  Else it is tried again not before. */
void lp_winners_gone(struct lp_winners *winners, const struct lp_hash *ticket);
void lp_winners_later(struct lp_winners *winners, const struct lp_hash *ticket, int64_t not_before);

/* For the store: those to be written (gone is false: row is its row) or to be forgotten; false: none. */
struct lp_winner_change {
	struct lp_hash hash;
	bool gone;
	uint8_t row[LP_WINNER_ROW];
};
bool lp_winners_next(struct lp_winners *winners, struct lp_winner_change *out);
enum lp_code lp_winners_load(struct lp_winners *winners, struct lp_span row, struct lp_err *e) LP_MUST_USE;

#endif
