#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "paid.h"

#define PRICE 1000
static const struct lp_address us = { { 9 } };

struct fix {
	struct lp_scope *scope;
	struct lp_key *key;
	struct lp_recipient *r;
	struct lp_payer_funds funds;
	struct lp_params params;
	struct lp_payment payment;
	struct lp_buf header;
	struct lp_payer who;
	uint64_t seed;
};

static struct lp_quote quote(struct fix *f)
{
	return paid_quote(lp_key_address(f->key), PRICE);
}

static enum lp_code ask(struct fix *f, struct lp_err *e)
{
	const struct lp_quote q = quote(f);
	const struct lp_recipient_ask want = { &q, &f->funds, paid_hash(++f->seed) };

	return lp_recipient_offer(&f->params, f->r, &want, e);
}

/* A payment of n tickets from this nonce on, signed. */
static void make(struct fix *f, uint32_t nonce, size_t n)
{
	struct lp_payment *p = &f->payment;

	*p = (struct lp_payment){ .sender = lp_key_address(f->key), .has_params = n > 0, .params = f->params,
				  .has_price = true, .price_per_unit = PRICE, .units = 1, .n = n };
	p->tickets = lp_new_array(f->scope, struct lp_payment_ticket, n + 1);
	for (size_t i = 0; i < n; i++)
		p->tickets[i].nonce = nonce + (uint32_t)i;
	lp_payment_sign(p, f->key);
	lp_buf_reset(&f->header);
	lp_payment_write(&f->header, p);
}

static enum lp_code begin(struct fix *f, struct lp_receipt **receipt, const struct lp_quote *q, struct lp_err *e)
{
	const struct lp_recipient_job job = { &f->payment, lp_buf_span(&f->header), q, PAID_SESSION, &f->funds };

	return lp_recipient_begin(f->r, receipt, &job, e);
}

/* All three steps, every winner safe at once. */
static enum lp_code give(struct fix *f, struct lp_err *e)
{
	const struct lp_quote q = quote(f);
	struct lp_recipient_change change;
	struct lp_receipt *receipt;
	enum lp_code code = begin(f, &receipt, &q, e);

	if (code)
		return code;
	lp_receipt_verify(receipt);
	code = lp_recipient_apply(f->r, receipt, 1, e);
	while (lp_recipient_next(f->r, &change)) {
		if (change.kind == LP_RECIPIENT_WINNER)
			lp_recipient_saved(f->r, &change.hash, LP_OK, 1);
	}
	assert_false(lp_receipt_waits(receipt));
	lp_receipt_free(&receipt);
	return code;
}

static void assert_tickets(struct fix *f, uint64_t n)
{
	struct lp_amount ev, all;

	assert_true(lp_ticket_ev(&ev, f->params.face_value, f->params.win_prob, LP_UP));
	assert_true(lp_amount_mul(&all, ev, n));
	assert_int_equal(lp_amount_cmp(lp_recipient_balance(f->r, &f->who), all), 0);
}

static int set_up(void **state)
{
	struct fix *f = calloc(1, sizeof *f);

	f->scope = lp_scope_open(NULL, "test");
	f->key = paid_key(f->scope, 1);
	f->r = paid_recipient(us, 5);
	f->funds = paid_funds();
	f->who = (struct lp_payer){ lp_key_address(f->key), PAID_SESSION };
	assert_int_equal(ask(f, NULL), LP_OK);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fix *f = *state;

	lp_recipient_free(&f->r);
	lp_buf_clear(&f->header);
	lp_scope_close(&f->scope);
	free(f);
	return 0;
}

static void a_payment_is_credited_at_what_its_tickets_are_worth(void **state)
{
	struct fix *f = *state;

	make(f, 1, 30);
	assert_int_equal(give(f, NULL), LP_OK);
	assert_tickets(f, 30);
	make(f, 31, 0);
	assert_int_equal(give(f, NULL), LP_OK);
	assert_tickets(f, 30);
}

static void R1_a_ticket_of_changed_params_is_none_of_ours(void **state)
{
	struct fix *f = *state;
	const struct lp_params good = f->params;
	struct lp_err e;

	f->params.expiration_block++;
	make(f, 1, 1);
	assert_int_equal(give(f, &e), LP_BAD_TICKET);
	assert_string_equal(e.words, "invalid recipientRand for ticket recipientRandHash");
	f->params = good;
	f->params.face_value = lp_wei_of(1);
	make(f, 1, 1);
	assert_int_equal(give(f, NULL), LP_BAD_TICKET);
	f->params = good;
	f->params.round++;
	make(f, 1, 1);
	assert_int_equal(give(f, NULL), LP_BAD_TICKET);
	f->params = good;
	f->params.recipient.bytes[3] = 1;
	make(f, 1, 1);
	assert_int_equal(give(f, NULL), LP_TICKET_RECIPIENT);
	f->params = good;
	make(f, 1, 1);
	assert_int_equal(give(f, NULL), LP_OK);
}

static void R4_tickets_of_cheap_work_do_not_pay_for_dear_work(void **state)
{
	struct fix *f = *state;
	struct lp_receipt *receipt;
	struct lp_quote q = quote(f);

	make(f, 1, 1);
	q.model = LP_SPAN("dear/model");
	assert_int_equal(begin(f, &receipt, &q, NULL), LP_BAD_TICKET);
	assert_null(receipt);
	q = quote(f);
	q.price_per_unit = PRICE + 1;
	assert_int_equal(begin(f, &receipt, &q, NULL), LP_PRICE);
	/* nor is a price left out */
	f->payment.has_price = false;
	q = quote(f);
	assert_int_equal(begin(f, &receipt, &q, NULL), LP_PRICE);
	/* nor does another pay with the quote */
	make(f, 1, 1);
	q.sender.bytes[0] ^= 1;
	assert_int_equal(begin(f, &receipt, &q, NULL), LP_TICKET_SENDER);
}

static void R5_a_payment_without_params_buys_nothing_but_what_is_left(void **state)
{
	struct fix *f = *state;
	struct lp_err e;

	make(f, 1, 0);
	assert_int_equal(give(f, NULL), LP_OK);
	assert_int_equal(lp_recipient_hold(f->r, &f->who, paid_wei(1), 1, &e), LP_UNDERPAID);
	assert_string_equal(e.words, "Insufficient balance");
	make(f, 1, 1);
	assert_int_equal(give(f, NULL), LP_OK);
	assert_int_equal(lp_recipient_hold(f->r, &f->who, paid_wei(PAID_EV / 2 + 1), 1, NULL), LP_OK);
	assert_int_equal(lp_recipient_hold(f->r, &f->who, paid_wei(PAID_EV / 2 + 1), 1, NULL), LP_UNDERPAID);
	lp_recipient_settle(f->r, &f->who, (struct lp_settle){ paid_wei(PAID_EV / 2 + 1), paid_wei(10) }, 1);
	assert_int_equal(lp_recipient_hold(f->r, &f->who, paid_wei(PAID_EV - 10), 1, NULL), LP_OK);
	lp_recipient_settle(f->r, &f->who, (struct lp_settle){ paid_wei(PAID_EV - 10), paid_wei(0) }, 1);
}

static void R12_a_payment_is_taken_as_a_whole_or_not_at_all(void **state)
{
	struct fix *f = *state;
	struct lp_err e;

	make(f, 1, 10);
	f->payment.tickets[9].sig.bytes[5] ^= 1;
	assert_int_equal(give(f, &e), LP_BAD_TICKET);
	assert_string_equal(e.words, "invalid ticket signature");
	assert_true(lp_amount_is_zero(lp_recipient_balance(f->r, &f->who)));
	assert_int_equal(lp_winners_count(lp_recipient_winners(f->r)), 0);
	/* its nonces are free */
	make(f, 1, 10);
	assert_int_equal(give(f, NULL), LP_OK);
	make(f, 10, 5);
	assert_int_equal(give(f, NULL), LP_NONCE_SEEN);
	make(f, 11, 591);
	assert_int_equal(give(f, NULL), LP_TICKETS_FULL);
	assert_tickets(f, 10);
}

static void R13_the_same_bytes_again_are_taken_as_done(void **state)
{
	struct fix *f = *state;
	const struct lp_quote q = quote(f);
	struct lp_receipt *first, *second;

	make(f, 1, 3);
	assert_int_equal(give(f, NULL), LP_OK);
	assert_int_equal(give(f, NULL), LP_OK);
	assert_tickets(f, 3);
	/* also when both are verified at the same time */
	make(f, 4, 3);
	assert_int_equal(begin(f, &first, &q, NULL), LP_OK);
	assert_int_equal(begin(f, &second, &q, NULL), LP_OK);
	lp_receipt_verify(first);
	lp_receipt_verify(second);
	assert_int_equal(lp_recipient_apply(f->r, first, 1, NULL), LP_OK);
	assert_int_equal(lp_recipient_apply(f->r, second, 1, NULL), LP_OK);
	assert_true(lp_amount_is_zero(lp_receipt_credit(second)));
	lp_receipt_free(&first);
	lp_receipt_free(&second);
}

/* One that nobody verifies, for speed. */
static enum lp_code give_unsigned(struct fix *f, uint32_t nonce, struct lp_err *e)
{
	const struct lp_quote q = quote(f);
	struct lp_payment_ticket ticket = { .nonce = nonce };
	struct lp_receipt *receipt;

	f->payment = (struct lp_payment){ .sender = q.sender, .has_params = true, .params = f->params,
					  .has_price = true, .price_per_unit = PRICE, .units = 1, .n = 1,
					  .tickets = &ticket };
	lp_buf_reset(&f->header);
	lp_buf_add(&f->header, f->params.rand_hash.bytes, 32);
	lp_buf_add(&f->header, &nonce, sizeof nonce);
	if (begin(f, &receipt, &q, e) != LP_OK)
		return e->code;
	enum lp_code code = lp_recipient_apply(f->r, receipt, 1, e);

	lp_receipt_free(&receipt);
	return code;
}

/* A busy orchestrator takes more payments within the life of an offer than it can remember. */
static void R13_more_payments_than_are_remembered_are_taken_all_the_same(void **state)
{
	struct fix *f = *state;
	const struct lp_params first = f->params;
	struct lp_err e;

	for (uint32_t i = 0; i < 101000; i++) {
		if (i % 600 == 599)
			assert_int_equal(ask(f, &e), LP_OK);
		assert_int_equal(give_unsigned(f, i, &e), LP_OK);
	}
	assert_tickets(f, 101000);
	/* the last is taken as done, the first has been seen; neither counts again */
	assert_int_equal(give_unsigned(f, 100999, &e), LP_OK);
	f->params = first;
	assert_int_equal(give_unsigned(f, 0, &e), LP_NONCE_SEEN);
	assert_tickets(f, 101000);
}

/* Tickets until one wins: its payment is the last. */
static struct lp_receipt *win(struct fix *f)
{
	const struct lp_quote q = quote(f);

	for (uint32_t nonce = 1; nonce < 20000; nonce++) {
		struct lp_receipt *receipt;

		if (nonce % 500 == 0)
			assert_int_equal(ask(f, NULL), LP_OK);
		make(f, nonce, 1);
		assert_int_equal(begin(f, &receipt, &q, NULL), LP_OK);
		lp_receipt_verify(receipt);
		assert_int_equal(lp_recipient_apply(f->r, receipt, 1, NULL), LP_OK);
		if (lp_receipt_waits(receipt))
			return receipt;
		lp_receipt_free(&receipt);
	}
	fail();
	return NULL;
}

static bool next_winner(struct fix *f, struct lp_recipient_change *change)
{
	while (lp_recipient_next(f->r, change)) {
		if (change->kind == LP_RECIPIENT_WINNER)
			return true;
	}
	return false;
}

static void a_winner_is_safe_before_its_credit_counts(void **state)
{
	struct fix *f = *state;
	struct lp_receipt *receipt = win(f);
	struct lp_amount before = lp_recipient_balance(f->r, &f->who);
	struct lp_recipient_change change;

	assert_true(lp_amount_is_zero(lp_receipt_credit(receipt)));
	assert_true(next_winner(f, &change));
	lp_recipient_saved(f->r, &change.hash, LP_STORE, 1);
	assert_true(lp_receipt_waits(receipt));
	/* handed out once more, and credited though the asker has left */
	lp_receipt_free(&receipt);
	assert_true(next_winner(f, &change));
	lp_recipient_saved(f->r, &change.hash, LP_OK, 1);
	assert_true(lp_amount_cmp(lp_recipient_balance(f->r, &f->who), before) > 0);
	assert_false(next_winner(f, &change));
	lp_recipient_saved(f->r, &change.hash, LP_OK, 1);
}

static void R14_winners_that_are_not_redeemed_are_no_longer_float(void **state)
{
	struct fix *f = *state;
	struct lp_receipt *receipt;
	struct lp_err e;

	/* The reserve is one face value. */
	f->funds.funds.reserve = f->params.face_value;
	assert_int_equal(ask(f, NULL), LP_OK);
	receipt = win(f);
	assert_int_equal(ask(f, &e), LP_NO_FUNDS);
	assert_string_equal(e.words, "insufficient sender reserve");
	struct lp_recipient_change change;
	assert_true(next_winner(f, &change));
	lp_winners_gone(lp_recipient_winners(f->r), &change.hash);
	lp_recipient_saved(f->r, &change.hash, LP_OK, 1);
	assert_int_equal(ask(f, NULL), LP_OK);
	lp_receipt_free(&receipt);
}

static void R17_no_winner_is_shown_while_its_offer_takes_tickets(void **state)
{
	struct fix *f = *state;
	struct lp_receipt *receipt = win(f);
	struct lp_winners *winners = lp_recipient_winners(f->r);
	struct lp_recipient_change change;
	struct lp_winner winner;

	assert_false(lp_winners_ripe(winners, &winner, 1040, 1));	/* not safe */
	assert_true(next_winner(f, &change));
	lp_recipient_saved(f->r, &change.hash, LP_OK, 1);
	assert_false(lp_winners_ripe(winners, &winner, 1039, 1));
	assert_true(lp_winners_ripe(winners, &winner, 1040, 1));
	assert_memory_equal(&winner.hash, &change.hash, sizeof winner.hash);
	assert_false(lp_winners_ripe(winners, &winner, 1040, 1));	/* it is out */
	lp_winners_later(winners, &winner.hash, 50);
	assert_false(lp_winners_ripe(winners, &winner, 1040, 49));
	assert_true(lp_winners_ripe(winners, &winner, 1040, 50));
	lp_receipt_free(&receipt);
}

static void move(struct fix *f, uint64_t block)
{
	const struct lp_rounds rounds = { .last = 7, .last_hash = paid_hash(7) };

	lp_recipient_chain(f->r, block, &rounds);
}

/* The rows that the store has are handed to one who starts with the same secret, or another. */
static void restart(struct fix *f, int keep, uint8_t secret)
{
	struct lp_recipient *fresh = paid_recipient(us, secret);
	struct lp_recipient_change change;

	for (int i = 0; i < keep && lp_recipient_next(f->r, &change); i++)
		assert_int_equal(lp_recipient_load(fresh, &change, NULL), LP_OK);
	lp_recipient_free(&f->r);
	f->r = fresh;
}

static void R9_a_replay_brings_nothing_within_the_time_after_it_and_after_a_restart(void **state)
{
	struct fix *f = *state;
	const struct lp_quote q = quote(f);
	struct lp_receipt *receipt;

	make(f, 1, 3);
	assert_int_equal(begin(f, &receipt, &q, NULL), LP_OK);
	lp_receipt_verify(receipt);
	assert_int_equal(lp_recipient_apply(f->r, receipt, 1, NULL), LP_OK);
	lp_receipt_free(&receipt);
	restart(f, 1, 5);	/* crash behind "nonce recorded", before "credited" */
	assert_true(lp_amount_is_zero(lp_recipient_balance(f->r, &f->who)));
	assert_int_equal(give(f, NULL), LP_NONCE_SEEN);
	/* other bytes of the same tickets */
	f->payment.constraint = LP_SPAN("x");
	lp_buf_reset(&f->header);
	lp_payment_write(&f->header, &f->payment);
	assert_int_equal(give(f, NULL), LP_NONCE_SEEN);
	move(f, 1040);
	lp_recipient_expire(f->r, 0, NULL, NULL);
	assert_int_equal(give(f, NULL), LP_PARAMS_EXPIRED);
	restart(f, 100, 6);
	assert_int_equal(give(f, NULL), LP_BAD_TICKET);
}

static void R3b_offers_and_credit_outlive_a_restart(void **state)
{
	struct fix *f = *state;
	const struct lp_quote q = quote(f);
	struct lp_receipt *receipt;

	make(f, 1, 3);
	assert_int_equal(begin(f, &receipt, &q, NULL), LP_OK);
	lp_receipt_verify(receipt);
	assert_int_equal(lp_recipient_apply(f->r, receipt, 1, NULL), LP_OK);
	restart(f, 100, 5);
	lp_receipt_free(&receipt);
	assert_tickets(f, 3);
	make(f, 4, 3);
	assert_int_equal(give(f, NULL), LP_OK);
	assert_tickets(f, 6);
}

static void R19_a_block_that_goes_back_opens_no_offer(void **state)
{
	struct fix *f = *state;

	move(f, 1040);
	move(f, 1000);
	make(f, 1, 1);
	assert_int_equal(give(f, NULL), LP_PARAMS_EXPIRED);
}

static void R15_one_who_unlocks_is_offered_nothing_and_pays_nothing(void **state)
{
	struct fix *f = *state;

	f->funds.withdraw_round = 8;
	assert_int_equal(ask(f, NULL), LP_NO_FUNDS);
	make(f, 1, 1);
	assert_int_equal(give(f, NULL), LP_NO_FUNDS);
	f->funds.unknown = "no chain";
	assert_int_equal(ask(f, NULL), LP_UNAVAILABLE);
}

static void R3_credit_that_lapses_is_told_and_a_debt_stays(void **state)
{
	struct fix *f = *state;
	struct lp_recipient_books books;

	make(f, 1, 3);
	assert_int_equal(give(f, NULL), LP_OK);
	assert_int_equal(lp_recipient_expire(f->r, 1, NULL, NULL), 0);
	assert_int_equal(lp_recipient_expire(f->r, 2, NULL, NULL), 1);
	lp_recipient_books(&books, f->r);
	assert_int_equal(lp_amount_cmp(books.given_up, books.credited), 0);
	make(f, 4, 1);
	assert_int_equal(give(f, NULL), LP_OK);
	lp_recipient_settle(f->r, &f->who, (struct lp_settle){ paid_wei(0), paid_wei(2ULL * PAID_EV) }, 1);
	assert_int_equal(lp_recipient_expire(f->r, 100, NULL, NULL), 0);
	restart(f, 100, 5);
	assert_true(lp_recipient_balance(f->r, &f->who).below);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_payment_is_credited_at_what_its_tickets_are_worth),
		T(R1_a_ticket_of_changed_params_is_none_of_ours),
		T(R4_tickets_of_cheap_work_do_not_pay_for_dear_work),
		T(R5_a_payment_without_params_buys_nothing_but_what_is_left),
		T(R12_a_payment_is_taken_as_a_whole_or_not_at_all),
		T(R13_the_same_bytes_again_are_taken_as_done),
		T(R13_more_payments_than_are_remembered_are_taken_all_the_same),
		T(a_winner_is_safe_before_its_credit_counts),
		T(R14_winners_that_are_not_redeemed_are_no_longer_float),
		T(R17_no_winner_is_shown_while_its_offer_takes_tickets),
		T(R9_a_replay_brings_nothing_within_the_time_after_it_and_after_a_restart),
		T(R3b_offers_and_credit_outlive_a_restart),
		T(R19_a_block_that_goes_back_opens_no_offer),
		T(R15_one_who_unlocks_is_offered_nothing_and_pays_nothing),
		T(R3_credit_that_lapses_is_told_and_a_debt_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
