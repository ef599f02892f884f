/* Payment headers as they come, and bytes put into base64 so that the parser behind it is reached.  What is
 * read and written again reads the same. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>
#include <lpd/pay/payment.h>
#include <lpd/pay/price.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void again(struct lp_scope *scope, const struct lp_payment *payment)
{
	struct lp_payment back;
	struct lp_buf header = { 0 };
	struct lp_err e;

	lp_payment_write(&header, payment);
	enum lp_code code = lp_payment_read(scope, &back, lp_buf_span(&header), &e);

	lp_assert(!code && back.n == payment->n && back.has_price == payment->has_price);
	lp_assert(!memcmp(&back.params, &payment->params, sizeof back.params));
	lp_assert(!payment->n || !memcmp(back.tickets, payment->tickets, payment->n * sizeof *back.tickets));
	lp_buf_clear(&header);
}

static void judge(struct lp_scope *scope, struct lp_span header)
{
	struct lp_payment payment;
	struct lp_price price;
	struct lp_err e;

	if (lp_payment_read(scope, &payment, header, &e)) {
		lp_assert(e.code == LP_UNDERPAID || e.code == LP_TICKETS_FULL || e.code == LP_BAD_TICKET ||
			  e.code == LP_TICKET_SENDER || e.code == LP_PRICE);
		return;
	}
	lp_assert(payment.n <= LP_NONCES_MAX && (payment.has_params || !payment.n));
	for (size_t i = 0; i < payment.n; i++) {
		struct lp_ticket ticket;
		struct lp_hash hash;

		lp_payment_ticket(&ticket, &payment, i);
		lp_ticket_hash(&hash, &ticket);
	}
	if (payment.has_price && !lp_price_of_wire(&price, payment.price_per_unit, payment.units, &e))
		lp_assert(!lp_u256_is_zero(price.den));
	again(scope, &payment);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_buf header = { 0 };

	judge(scope, lp_span_of(at, len));
	lp_b64_write(&header, lp_span_of(at, len));
	judge(scope, lp_buf_span(&header));
	lp_buf_clear(&header);
	lp_scope_close(&scope);
	return 0;
}
