/* Rows of the store about money, damaged in any way: what is taken in is handed out again the same, what is refused is
 * refused as damaged, and the books add up all the same.  The first byte says which kind of row. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/pay/recipient.h>
#include <lpd/pay/sender.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void read_credit(struct lp_amount *out, struct lp_span *in)
{
	*out = LP_AMOUNT_ZERO;
	if (in->len < 33)
		return;
	(void)!lp_amount_read(out, lp_span_of(in->at, 33));
	in->at += 33;
	in->len -= 33;
}

static void of_recipient(int kind, struct lp_span in)
{
	const struct lp_recipient_setup setup = { .max_offers = 4, .max_payers = 4, .max_winners = 4 };
	struct lp_recipient *r = lp_recipient_new(&setup);
	struct lp_recipient_change row = { .kind = kind == 0	 ? LP_RECIPIENT_NONCES
						   : kind == 1	 ? LP_RECIPIENT_WINNER
								 : LP_RECIPIENT_CREDIT };
	struct lp_recipient_change out;
	struct lp_err e;

	if (row.kind == LP_RECIPIENT_CREDIT) {
		read_credit(&row.credit, &in);
		row.payer.session = in;
	} else {
		row.row = in;
	}
	enum lp_code code = lp_recipient_load(r, &row, &e);

	if (row.kind != LP_RECIPIENT_CREDIT)
		lp_assert(!code || code == LP_STORE || code == LP_TOO_MANY);
	else if (!code && in.len)
		lp_assert(!lp_amount_cmp(lp_recipient_balance(r, &row.payer), row.credit));
	while (lp_recipient_next(r, &out))
		lp_assert(code || out.kind == row.kind);
	/* A second one of the same does no harm; a payer's row has a key, so there is none. */
	if (!code && row.kind != LP_RECIPIENT_CREDIT)
		(void)!lp_recipient_load(r, &row, &e);
	lp_recipient_free(&r);
}

static void of_sender(int kind, struct lp_span in)
{
	const struct lp_sender_rules rules = { .max_tickets = 10, .max_sessions = 4 };
	struct lp_sender *s = lp_sender_new(&rules);
	struct lp_sender_change row = { .kind = kind == 3 ? LP_SENDER_OFFER : LP_SENDER_CREDIT };
	struct lp_sender_books books;
	struct lp_err e;

	read_credit(&row.credit, &in);
	if (row.kind == LP_SENDER_OFFER && in.len >= 40) {
		memcpy(row.rand_hash.bytes, in.at, 32);
		memcpy(&row.expiration_block, in.at + 32, 8);
	}
	row.key.model = in;
	enum lp_code code = lp_sender_load(s, &row, &e);

	if (!code && row.kind == LP_SENDER_CREDIT) {
		lp_sender_books(&books, s, &row.key);
		lp_assert(!lp_amount_cmp(books.credit, books.signed_) && !books.in_flight);
	}
	if (!code)
		(void)!lp_sender_load(s, &row, &e);
	lp_sender_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	if (!len || len > 8192)
		return 0;
	if (at[0] % 5 < 3)
		of_recipient(at[0] % 5, lp_span_of(at + 1, len - 1));
	else
		of_sender(at[0] % 5, lp_span_of(at + 1, len - 1));
	return 0;
}
