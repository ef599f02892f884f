#include "real_loop.h"

#include <string.h>

#include <lpd/base/log.h>
#include <lpd/money/bank.h>

/* A chain that says what it is told to say. */
struct chain {
	uint64_t block;
	uint64_t deposit;
	bool down;
	int clocks, senders, redeemed;
};

static enum lp_code clock_of(void *self, struct lp_chain_clock *out, struct lp_err *e)
{
	struct chain *c = self;

	c->clocks++;
	if (c->down)
		return lp_fail(e, LP_UNAVAILABLE, "the chain is down");
	*out = (struct lp_chain_clock){ .block = c->block };
	return LP_OK;
}

static enum lp_code sender_of(void *self, struct lp_chain_sender *out, struct lp_address who,
			      struct lp_address claimant, struct lp_err *e)
{
	struct chain *c = self;

	(void)who;
	(void)claimant;
	c->senders++;
	if (c->down)
		return lp_fail(e, LP_UNAVAILABLE, "the chain is down");
	*out = (struct lp_chain_sender){ .funds.deposit = lp_wei_of(c->deposit) };
	return LP_OK;
}

static enum lp_code redeem(void *self, struct lp_redeemed *out, const struct lp_redemption *what, struct lp_err *e)
{
	struct chain *c = self;

	if (c->redeemed++)
		return lp_fail(e, LP_BAD_REQUEST, "ticket is used");
	*out = (struct lp_redeemed){ .paid = what->ticket.face_value };
	return LP_OK;
}

struct fixture {
	struct real_loop r;
	struct chain chain;
	struct lp_bank *bank;
	struct lp_log_sink sink;
	struct lp_err e;
	bool known, ticked, redeemed;
	enum lp_code code;
	struct lp_wei paid;
};

static const struct lp_bank_who anybody = { { { 1 } }, { { 2 } } };

static enum lp_code open_bank(struct fixture *f, int64_t clock_every, int64_t payers_every)
{
	static const struct lp_chain_ops ops = { clock_of, sender_of, redeem };
	const struct lp_bank_want want = {
		.loop = f->r.loop,
		.log = lp_log_open(f->r.scope, &f->sink),
		.chain = { &ops, &f->chain },
		.clock_every = clock_every,
		.payers_every = payers_every,
	};

	return lp_bank_open(f->r.scope, &f->bank, &want, &f->e);
}

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	real_loop_open(&f.r);
	lp_log_to_fd(&f.sink, 2, LP_BROKEN);
	f.chain.block = 7;
	f.chain.deposit = 1000;
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	real_loop_close(&f->r);
	return 0;
}

static void on_known(void *self)
{
	struct fixture *f = self;

	f->known = true;
}

static void on_tick(void *self)
{
	struct fixture *f = self;

	f->ticked = true;
}

static void a_node_does_not_start_with_a_chain_that_says_nothing(void **state)
{
	struct fixture *f = *state;

	f->chain.down = true;
	assert_int_equal(open_bank(f, LP_SEC, LP_SEC), LP_UNAVAILABLE);
}

static void the_clock_is_known_at_once_and_followed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_bank(f, 5 * LP_MSEC, LP_SEC), LP_OK);
	assert_int_equal(lp_bank_clock(f->bank)->block, 7);
	lp_bank_watch(f->r.scope, f->bank, on_tick, f);
	f->chain.block = 8;
	real_loop_run_until(&f->r, &f->ticked);
	assert_int_equal(lp_bank_clock(f->bank)->block, 8);
	assert_null(lp_bank_trouble(f->bank));
}

/* The test's loop turns until the flag: here the chain is asked again and again. */
static void an_outage_keeps_the_last_answer_and_is_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_bank(f, 2 * LP_MSEC, LP_SEC), LP_OK);
	f->chain.down = true;
	lp_bank_watch(f->r.scope, f->bank, on_tick, f);
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	assert_non_null(lp_bank_trouble(f->bank));
	assert_int_equal(lp_bank_clock(f->bank)->block, 7);
	f->chain.down = false;
	f->ticked = false;
	real_loop_run_until(&f->r, &f->ticked);
	assert_null(lp_bank_trouble(f->bank));
}

static void a_payer_is_asked_for_once_and_then_at_hand(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_bank(f, LP_SEC, LP_SEC), LP_OK);
	assert_null(lp_bank_sender(f->r.scope, f->bank, &anybody, on_known, f));
	assert_null(lp_bank_sender(f->r.scope, f->bank, &anybody, NULL, NULL));
	assert_false(f->known);
	real_loop_run_until(&f->r, &f->known);
	const struct lp_bank_sender *got = lp_bank_sender(f->r.scope, f->bank, &anybody, NULL, NULL);

	assert_non_null(got);
	assert_null(got->unknown);
	assert_int_equal(lp_wei_cmp(got->is.funds.deposit, lp_wei_of(1000)), 0);
	assert_int_equal(f->chain.senders, 1);
}

static void what_changed_is_asked_for_again(void **state)
{
	struct fixture *f = *state;

	a_payer_is_asked_for_once_and_then_at_hand(state);
	f->chain.deposit = 5;
	lp_bank_forget(f->bank, anybody.sender);
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	assert_int_equal(f->chain.senders, 2);
	assert_int_equal(lp_wei_cmp(lp_bank_sender(f->r.scope, f->bank, &anybody, NULL, NULL)->is.funds.deposit,
				    lp_wei_of(5)), 0);
}

static void nobody_is_believed_to_have_funds_that_the_chain_does_not_tell(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_bank(f, LP_SEC, LP_SEC), LP_OK);
	f->chain.down = true;
	assert_null(lp_bank_sender(f->r.scope, f->bank, &anybody, on_known, f));
	real_loop_run_until(&f->r, &f->known);
	assert_string_equal(lp_bank_sender(f->r.scope, f->bank, &anybody, NULL, NULL)->unknown, "the chain is down");
}

static void one_who_asked_and_left_is_not_called(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *scope = lp_scope_open(f->r.scope, "asker");

	assert_int_equal(open_bank(f, LP_SEC, LP_SEC), LP_OK);
	assert_null(lp_bank_sender(scope, f->bank, &anybody, on_known, f));
	lp_scope_close(&scope);
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	assert_int_equal(f->chain.senders, 1);
	assert_false(f->known);
}

static void on_redeemed(void *self, const struct lp_redemption *what, const struct lp_redeemed *became,
			const struct lp_err *err)
{
	struct fixture *f = self;

	assert_int_equal(what->ticket.nonce, 3);
	f->redeemed = true;
	f->paid = became->paid;
	f->code = err->code;
}

static void a_redemption_tells_what_became_of_it(void **state)
{
	struct fixture *f = *state;
	const struct lp_bank_redeem want = {
		.what.ticket = { .face_value = lp_wei_of(42), .nonce = 3 },
		.done = on_redeemed,
		.self = f,
	};
	struct lp_scope *scope = lp_scope_open(f->r.scope, "asker");

	assert_int_equal(open_bank(f, LP_SEC, LP_SEC), LP_OK);
	lp_bank_redeem(scope, f->bank, &want);
	real_loop_run_until(&f->r, &f->redeemed);
	assert_int_equal(f->code, LP_OK);
	assert_int_equal(lp_wei_cmp(f->paid, lp_wei_of(42)), 0);
	f->redeemed = false;
	lp_bank_redeem(scope, f->bank, &want);
	real_loop_run_until(&f->r, &f->redeemed);
	assert_int_equal(f->code, LP_BAD_REQUEST);
	f->redeemed = false;
	lp_bank_redeem(scope, f->bank, &want);
	lp_scope_close(&scope);		/* it is done all the same, and nobody is told */
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	assert_int_equal(f->chain.redeemed, 3);
	assert_false(f->redeemed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_node_does_not_start_with_a_chain_that_says_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(the_clock_is_known_at_once_and_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(an_outage_keeps_the_last_answer_and_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_payer_is_asked_for_once_and_then_at_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(what_changed_is_asked_for_again, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_is_believed_to_have_funds_that_the_chain_does_not_tell, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_who_asked_and_left_is_not_called, setup, teardown),
		cmocka_unit_test_setup_teardown(a_redemption_tells_what_became_of_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
