#include <lpd/pay/payment.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>

#include "wire.h"

static void write_tickets(struct lp_scope *scope, Net__Payment *message, const struct lp_payment *payment)
{
	Net__TicketSenderParams *row = lp_new_array(scope, Net__TicketSenderParams, payment->n + 1);

	message->n_ticket_sender_params = payment->n;
	message->ticket_sender_params = lp_new_array(scope, Net__TicketSenderParams *, payment->n + 1);
	for (size_t i = 0; i < payment->n; i++) {
		net__ticket_sender_params__init(&row[i]);
		row[i].sender_nonce = payment->tickets[i].nonce;
		row[i].sig = lp_message_lend(lp_span_of(payment->tickets[i].sig.bytes, LP_SIG_LEN));
		message->ticket_sender_params[i] = &row[i];
	}
}

void lp_payment_write(struct lp_buf *to, const struct lp_payment *payment)
{
	struct lp_scope *scope = lp_scope_open(NULL, "payment");
	struct lp_buf bytes = { 0 };
	Net__TicketExpirationParams round;
	struct lp_paywire_room room;
	Net__TicketParams params;
	Net__PriceInfo price;
	Net__Payment message;

	net__payment__init(&message);
	if (!lp_address_is_zero(payment->sender))
		message.sender = lp_message_lend(lp_span_of(payment->sender.bytes, LP_ADDRESS_LEN));
	if (payment->has_params) {
		lp_paywire_of_params(&params, &payment->params, &room);
		lp_paywire_of_round(&round, &payment->params);
		message.ticket_params = &params;
		message.expiration_params = &round;
		write_tickets(scope, &message, payment);
	}
	if (payment->has_price) {
		net__price_info__init(&price);
		price.priceperunit = payment->price_per_unit;
		price.pixelsperunit = payment->units;
		price.capability = payment->capability;
		price.constraint = lp_strdup(scope, payment->constraint);
		message.expected_price = &price;
	}
	lp_message_write(&bytes, &message.base);
	lp_b64_write(to, lp_buf_span(&bytes));
	lp_buf_clear(&bytes);
	lp_scope_close(&scope);
}

static enum lp_code read_tickets(struct lp_scope *scope, struct lp_payment *out, const Net__Payment *from,
				 struct lp_err *e)
{
	size_t n = from->n_ticket_sender_params;

	if (n > LP_NONCES_MAX)
		return lp_fail(e, LP_TICKETS_FULL, "a payment takes at most %d tickets", LP_NONCES_MAX);
	if (n && !out->has_params)
		return lp_fail(e, LP_BAD_TICKET, "tickets without ticket params");
	out->n = n;
	out->tickets = lp_new_array(scope, struct lp_payment_ticket, n + 1);
	for (size_t i = 0; i < n; i++) {
		const Net__TicketSenderParams *ticket = from->ticket_sender_params[i];

		out->tickets[i].nonce = ticket->sender_nonce;
		if (!lp_sig_of(&out->tickets[i].sig, lp_message_bytes(ticket->sig)))
			return lp_fail(e, LP_BAD_TICKET, "invalid ticket signature");
	}
	return LP_OK;
}

/* Where a payer is told that a ticket is wrong, what was read as a peer's fault is a bad ticket. */
static enum lp_code read_params(struct lp_payment *out, const Net__Payment *from, struct lp_err *e)
{
	struct lp_err why = { 0 };

	/* The incumbent crashes on this. */
	if (!from->expiration_params)
		return lp_fail(e, LP_BAD_TICKET, "ticket params without expiration params");
	/* A copy of the round inside the params is ignored: only the payment's counts. */
	if (lp_paywire_to_params(&out->params, from->ticket_params, &why) ||
	    lp_paywire_to_round(&out->params, from->expiration_params, &why))
		return lp_fail(e, LP_BAD_TICKET, "%s", why.words);
	if (lp_address_is_zero(out->sender))
		return lp_fail(e, LP_TICKET_SENDER, "Could not find Sender for payment");
	out->has_params = true;
	return LP_OK;
}

static enum lp_code read_price(struct lp_scope *scope, struct lp_payment *out, const Net__PriceInfo *from,
			       struct lp_err *e)
{
	if (from->priceperunit < 0 || from->pixelsperunit < 0)
		return lp_fail(e, LP_PRICE,
			       "invalid expected price sent with payment err=\"a price is negative\"");
	if (!lp_utf8_valid(lp_span(from->constraint)))
		return lp_fail(e, LP_UNDERPAID, "protobuf unmarshal error: a string is no UTF-8");
	out->has_price = true;
	out->price_per_unit = from->priceperunit;
	out->units = from->pixelsperunit;
	out->capability = from->capability;
	out->constraint = lp_span_dup(scope, lp_span(from->constraint));
	return LP_OK;
}

static enum lp_code take(struct lp_scope *scope, struct lp_payment *out, const Net__Payment *from,
			 struct lp_err *e)
{
	enum lp_code code = LP_OK;

	if (from->sender.len && !lp_address_of(&out->sender, lp_message_bytes(from->sender)))
		return lp_fail(e, LP_TICKET_SENDER, "invalid ticket sender");
	if (from->ticket_params)
		code = read_params(out, from, e);
	if (!code)
		code = read_tickets(scope, out, from, e);
	if (!code && from->expected_price)
		code = read_price(scope, out, from->expected_price, e);
	return code;
}

enum lp_code lp_payment_read(struct lp_scope *scope, struct lp_payment *out, struct lp_span header, struct lp_err *e)
{
	struct lp_scope *own;
	const Net__Payment *from;
	struct lp_span bytes;
	enum lp_code code;

	*out = (struct lp_payment){ 0 };
	if (header.len > LP_PAYMENT_MAX)
		return lp_fail(e, LP_TICKETS_FULL, "a payment takes at most %d tickets", LP_NONCES_MAX);
	own = lp_scope_open(NULL, "payment");
	if (!lp_b64_read_dup(own, &bytes, header)) {
		code = lp_fail(e, LP_UNDERPAID, "base64 decode error: the header is not base64");
	} else {
		from = lp_message_read(own, &net__payment__descriptor, bytes, LP_PAYMENT_MAX);
		code = from ? take(scope, out, from, e) :
			      lp_fail(e, LP_UNDERPAID, "protobuf unmarshal error: Payment cannot be parsed");
	}
	lp_scope_close(&own);
	if (code)
		*out = (struct lp_payment){ 0 };
	return code;
}

void lp_payment_ticket(struct lp_ticket *out, const struct lp_payment *payment, size_t i)
{
	const struct lp_params *params = &payment->params;

	lp_assert(i < payment->n);
	*out = (struct lp_ticket){ .recipient = params->recipient,
				   .sender = payment->sender,
				   .face_value = params->face_value,
				   .win_prob = params->win_prob,
				   .nonce = payment->tickets[i].nonce,
				   .rand_hash = params->rand_hash,
				   .round = params->round,
				   .round_hash = params->round_hash };
}
