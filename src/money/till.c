/* money/till - see the header: the part that is the same whoever signs.  An outlay is pending, then paid or failed,
 * then settled; the hook is called once, from the loop. */
#include <lpd/money/till.h>

#include <lpd/base/assert.h>

struct lp_till {
	struct lp_loop *loop;
	const struct lp_till_ops *ops;
	void *self;
};

struct lp_outlay {
	struct lp_till *till;
	struct lp_scope *scope;
	struct lp_till_want want;
	struct lp_sender_offer offer;
	struct lp_price max;
	struct lp_till_hook hook;
	struct lp_ready ready;
	enum { PENDING, PAID, FAILED, SETTLED } state;
	struct lp_err err;
	struct lp_outlay_paid paid;
	bool left;
	void *part;
};

struct lp_till *lp_till_new(struct lp_scope *scope, struct lp_loop *loop, const struct lp_till_ops *ops, void *self)
{
	struct lp_till *till = lp_new(scope, struct lp_till);

	*till = (struct lp_till){ loop, ops, self };
	return till;
}

static void tell(void *self)
{
	struct lp_outlay *outlay = self;

	outlay->hook.done(outlay->hook.self);
}

static void outlay_close(void *arg)
{
	struct lp_outlay *outlay = arg;

	lp_unready(&outlay->ready);
	if (outlay->state == PENDING || outlay->state == PAID)
		lp_outlay_settle(outlay, &(struct lp_outlay_end){ .how = outlay->left ? LP_PAID_UNKNOWN :
								  LP_PAID_NOT_TAKEN });
}

struct lp_outlay *lp_till_pay(struct lp_scope *scope, struct lp_till *till, const struct lp_till_want *want,
			      struct lp_till_hook hook)
{
	struct lp_outlay *outlay = lp_new(scope, struct lp_outlay);

	outlay->till = till;
	outlay->scope = scope;
	outlay->want = *want;
	if (want->offer) {
		outlay->offer = *want->offer;
		outlay->want.offer = &outlay->offer;
	}
	if (want->max) {
		outlay->max = *want->max;
		outlay->want.max = &outlay->max;
	}
	outlay->hook = hook;
	outlay->ready.run = tell;
	outlay->ready.self = outlay;
	lp_defer(scope, outlay_close, outlay);
	till->ops->pay(till->self, outlay, &outlay->want);
	return outlay;
}

bool lp_outlay_done(const struct lp_outlay *outlay)
{
	return outlay->state != PENDING;
}

const struct lp_err *lp_outlay_err(const struct lp_outlay *outlay)
{
	return &outlay->err;
}

struct lp_span lp_outlay_header(struct lp_outlay *outlay)
{
	lp_assert(outlay->state == PAID);
	outlay->left = true;
	return outlay->paid.header;
}

struct lp_amount lp_outlay_fee(const struct lp_outlay *outlay)
{
	return outlay->paid.fee;
}

void lp_outlay_settle(struct lp_outlay *outlay, const struct lp_outlay_end *end)
{
	if (outlay->state == FAILED)
		return;
	lp_assert(outlay->state != SETTLED);
	lp_assert(outlay->state == PAID || end->how == LP_PAID_NOT_TAKEN);
	lp_unready(&outlay->ready);
	outlay->state = SETTLED;
	outlay->till->ops->settle(outlay->till->self, outlay, end);
}

bool lp_till_stale(const struct lp_till *till, const struct lp_sender_key *to)
{
	return till->ops->stale(till->self, to);
}

/* ---- for those who implement it ---- */

void lp_outlay_paid(struct lp_outlay *outlay, const struct lp_outlay_paid *paid)
{
	lp_assert(outlay->state == PENDING);
	outlay->state = PAID;
	outlay->paid = *paid;
	lp_ready(outlay->till->loop, &outlay->ready);
}

void lp_outlay_failed(struct lp_outlay *outlay, const struct lp_err *why)
{
	lp_assert(outlay->state == PENDING && why->code != LP_OK);
	outlay->state = FAILED;
	outlay->err = *why;
	lp_ready(outlay->till->loop, &outlay->ready);
}

const struct lp_outlay_paid *lp_outlay_payment(const struct lp_outlay *outlay)
{
	return &outlay->paid;
}

bool lp_outlay_left(const struct lp_outlay *outlay)
{
	return outlay->left;
}

struct lp_scope *lp_outlay_scope(const struct lp_outlay *outlay)
{
	return outlay->scope;
}

const struct lp_till_want *lp_outlay_want(const struct lp_outlay *outlay)
{
	return &outlay->want;
}

void lp_outlay_keep(struct lp_outlay *outlay, void *part)
{
	outlay->part = part;
}

void *lp_outlay_part(const struct lp_outlay *outlay)
{
	return outlay->part;
}
