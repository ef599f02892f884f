#include <lpd/pay/receive.h>

#include <lpd/base/assert.h>
#include <lpd/pay/funds.h>

static enum lp_code check_sender(const struct lp_receive *with, struct lp_err *e)
{
	char sender[LP_ADDRESS_TEXT];

	lp_address_write(sender, with->offer.sender);
	if (with->unknown)
		return lp_fail(e, LP_UNAVAILABLE, "could not get sender info for %s: %s", sender, with->unknown);
	if (lp_funds_unlocking(with->withdraw_round, with->last_round))
		return lp_fail(e, LP_NO_FUNDS, "deposit and reserve for sender %s is set to unlock soon", sender);
	return LP_OK;
}

/* a winner waits until its offer has expired, so an end that is far away is money never redeemed. */
static bool ends_too_late(const struct lp_receive *with)
{
	const uint64_t life = LP_PARAMS_LIFE + LP_RECEIVE_SLACK;

	return with->offer.expiration_block > with->block && with->offer.expiration_block - with->block > life;
}

static enum lp_code check_worth(const struct lp_receive *with, const struct lp_ticket *ticket, struct lp_err *e)
{
	struct lp_amount ev;

	if (!lp_ticket_ev(&ev, ticket->face_value, ticket->win_prob, LP_UP))
		return lp_fail(e, LP_PRICE, "a ticket is worth more than can be counted");
	if (!lp_wei_is_zero(with->most_face_value) && lp_wei_cmp(ticket->face_value, with->most_face_value) > 0)
		return lp_fail(e, LP_PRICE, "ticket faceValue is more than we offer");
	if (lp_amount_cmp(ev, with->least_ev) < 0)
		return lp_fail(e, LP_PRICE, "ticket EV is less than we offer");
	return LP_OK;
}

enum lp_code lp_receive_offer(const struct lp_receive *with, const struct lp_ticket *ticket, struct lp_err *e)
{
	enum lp_code code = check_sender(with, e);

	if (!code)
		code = lp_ticket_check_offer(ticket, &with->rand, with->recipient, e);
	/* From here on the offer is ours, unchanged; the rest is against faults of our own. */
	if (!code && ends_too_late(with))
		code = lp_fail(e, LP_BAD_TICKET, "ticketParams expiration block is too far away");
	return code ? code : check_worth(with, ticket, e);
}

enum lp_code lp_receive_draw(bool *wins, const struct lp_ticket *ticket, const struct lp_sig *sig,
			     const struct lp_hash *rand, struct lp_err *e)
{
	enum lp_code code = lp_ticket_check_sig(ticket, sig, e);

	if (!code)
		*wins = lp_ticket_wins(ticket, sig, rand);
	return code;
}

enum lp_code lp_receive_nonces(const struct lp_receive *with, const struct lp_nonces *nonces, const uint32_t *list,
			       size_t n, struct lp_err *e)
{
	enum lp_code code = lp_nonces_check(nonces, &with->offer, list, n, e);

	if (!code && with->offer.expiration_block <= with->block)
		code = lp_fail(e, LP_PARAMS_EXPIRED, "TicketParams expired");
	return code;
}

struct lp_received lp_receive_ticket(const struct lp_receive *with, const struct lp_nonces *nonces,
				     const struct lp_ticket *ticket, const struct lp_sig *sig, struct lp_err *e)
{
	struct lp_received got = { .credit = LP_AMOUNT_ZERO };

	got.code = lp_receive_offer(with, ticket, e);
	got.fatal = got.code != LP_OK;
	if (!got.code)
		got.code = lp_receive_draw(&got.wins, ticket, sig, &with->rand, e);
	if (got.code)
		return got;
	got.code = lp_receive_nonces(with, nonces, &ticket->nonce, 1, e);
	got.uses_nonce = got.code == LP_OK || got.code == LP_PARAMS_EXPIRED;
	if (!got.code) {
		bool counted = lp_ticket_ev(&got.credit, ticket->face_value, ticket->win_prob, LP_UP);

		lp_assert(counted);	/* as check_worth has seen */
	}
	return got;
}
