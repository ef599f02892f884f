#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "paid.h"

struct fix {
	struct lp_scope *scope;
	struct lp_key *key;
	struct lp_sender *sender;
	struct lp_sender_key to;
};

/* A ticket is worth 1000 wei and wins with one half. */
static struct lp_sender_offer offer(uint64_t n, int64_t price)
{
	struct lp_u256 half = lp_u256_shr(LP_U256_MAX, 1);

	return (struct lp_sender_offer){ .has_params = true,
					 .params = { .recipient = { { 9 } }, .face_value = lp_wei_of(2000),
						     .win_prob = half, .rand_hash = paid_hash(n),
						     .expiration_block = 1040, .round = 7, .round_hash = paid_hash(7) },
					 .price_per_unit = price, .units = 1 };
}

static int set_up(void **state)
{
	struct fix *f = calloc(1, sizeof *f);

	f->scope = lp_scope_open(NULL, "test");
	f->key = paid_key(f->scope, 1);
	f->sender = paid_sender(f->key, 0);
	f->to = (struct lp_sender_key){ { { 9 } }, 27, LP_SPAN("m") };
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fix *f = *state;

	lp_sender_free(&f->sender);
	lp_scope_close(&f->scope);
	free(f);
	return 0;
}

static enum lp_code take(struct fix *f, uint64_t n, int64_t price, int64_t now)
{
	const struct lp_sender_offer o = offer(n, price);

	return lp_sender_offer(f->sender, &f->to, &o, now, NULL);
}

static enum lp_code pay(struct fix *f, struct lp_stake *stake, uint64_t units, struct lp_err *e)
{
	const struct lp_sender_want want = { .key = f->to, .units = units, .now = 1 };

	return lp_sender_pay(f->scope, f->sender, stake, &want, e);
}

static void settle(struct fix *f, struct lp_stake *stake, enum lp_paid how, uint64_t cost)
{
	lp_sender_settle(f->sender, stake, how, paid_wei(cost), 2);
}

/* signed = credit + pending + spent + returned + given up */
static struct lp_sender_books books(struct fix *f)
{
	struct lp_sender_books b;
	struct lp_amount sum;

	lp_sender_books(&b, f->sender, &f->to);
	assert_true(lp_amount_add(&sum, b.credit, b.pending) && lp_amount_add(&sum, sum, b.spent) &&
		    lp_amount_add(&sum, sum, b.returned) && lp_amount_add(&sum, sum, b.given_up));
	assert_int_equal(lp_amount_cmp(sum, b.signed_), 0);
	return b;
}

static void R6_a_known_offer_never_starts_anew(void **state)
{
	struct fix *f = *state;
	struct lp_stake a, b;

	assert_int_equal(take(f, 1, 1000, 1), LP_OK);
	assert_int_equal(pay(f, &a, 2, NULL), LP_OK);
	assert_int_equal(a.payment.n, 3);	/* a hair below 1000 wei is a ticket's worth, rounded down */
	assert_int_equal(a.payment.tickets[0].nonce, 1);
	/* the same again: it goes on */
	assert_int_equal(take(f, 1, 1000, 1), LP_OK);
	assert_int_equal(pay(f, &b, 2, NULL), LP_OK);
	assert_int_equal(b.payment.tickets[0].nonce, 4);
	/* another, then the first once more */
	assert_int_equal(take(f, 2, 1000, 1), LP_OK);
	assert_int_equal(take(f, 1, 1000, 1), LP_PARAMS_EXPIRED);
	settle(f, &a, LP_PAID_DONE, 2000);
	settle(f, &b, LP_PAID_DONE, 2000);
	books(f);
}

static void R6_an_offer_is_not_taken_up_again_after_a_restart(void **state)
{
	struct fix *f = *state;
	struct lp_sender_change rows[8];
	struct lp_stake a;
	int n = 0;

	assert_int_equal(take(f, 1, 1000, 1), LP_OK);
	assert_int_equal(pay(f, &a, 2, NULL), LP_OK);
	settle(f, &a, LP_PAID_DONE, 2000);
	while (n < 8 && lp_sender_next(f->sender, &rows[n]))
		n++;
	assert_int_equal(n, 2);
	struct lp_sender *fresh = paid_sender(f->key, 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(lp_sender_load(fresh, &rows[i], NULL), LP_OK);
	lp_sender_free(&f->sender);
	f->sender = fresh;
	assert_int_equal(take(f, 1, 1000, 1), LP_PARAMS_EXPIRED);
	/* credit is kept */
	assert_true(lp_amount_cmp(books(f).credit, paid_wei(999)) > 0);
}

static void two_processes_never_give_one_nonce_even_for_one_offer(void **state)
{
	struct fix *f = *state;
	struct lp_sender *other = paid_sender(f->key, 12345678);
	const struct lp_sender_offer o = offer(1, 1000);
	const struct lp_sender_want want = { .key = f->to, .units = 400, .now = 1 };
	struct lp_stake a, b;

	assert_int_equal(take(f, 1, 1000, 1), LP_OK);
	assert_int_equal(lp_sender_offer(other, &f->to, &o, 1, NULL), LP_OK);
	assert_int_equal(lp_sender_pay(f->scope, f->sender, &a, &want, NULL), LP_OK);
	assert_int_equal(lp_sender_pay(f->scope, other, &b, &want, NULL), LP_OK);
	assert_int_equal(a.payment.tickets[a.payment.n - 1].nonce, 401);
	assert_int_equal(b.payment.tickets[0].nonce, 12345679);
	settle(f, &a, LP_PAID_FAILED, 0);
	lp_sender_free(&other);
}

static void R12_params_are_refreshed_before_their_nonces_are_used_up(void **state)
{
	struct fix *f = *state;
	struct lp_stake a, b;
	struct lp_err e;

	assert_true(lp_sender_stale(f->sender, &f->to));
	assert_int_equal(take(f, 1, 1000, 1), LP_OK);
	assert_false(lp_sender_stale(f->sender, &f->to));
	assert_int_equal(pay(f, &a, 450, NULL), LP_OK);
	assert_true(lp_sender_stale(f->sender, &f->to));
	assert_int_equal(pay(f, &b, 200, &e), LP_PARAMS_EXPIRED);
	assert_int_equal(pay(f, &b, 501, &e), LP_TICKETS_FULL);
	assert_int_equal(take(f, 2, 1000, 1), LP_OK);
	assert_int_equal(pay(f, &b, 200, NULL), LP_OK);
	assert_int_equal(b.payment.tickets[0].nonce, 1);
	settle(f, &a, LP_PAID_NOT_TAKEN, 0);
	settle(f, &b, LP_PAID_NOT_TAKEN, 0);
	assert_true(lp_amount_is_zero(books(f).credit));
}

static void jobs_at_the_same_time_share_one_ticket(void **state)
{
	struct fix *f = *state;
	struct lp_stake stakes[100];
	uint64_t tickets = 0;

	assert_int_equal(take(f, 1, 1, 1), LP_OK);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(pay(f, &stakes[i], 5, NULL), LP_OK);
		tickets += stakes[i].payment.n;
		assert_int_equal(stakes[i].payment.n > 0, stakes[i].payment.has_params);
	}
	/* one to begin with, and one so that a ticket's worth is on the books while it is eaten up */
	assert_int_equal(tickets, 2);
	for (int i = 0; i < 100; i++)
		settle(f, &stakes[i], LP_PAID_DONE, 5);
	struct lp_sender_books b = books(f);
	assert_int_equal(lp_amount_cmp(b.spent, paid_wei(500)), 0);
	assert_true(lp_amount_is_zero(b.held) && lp_amount_is_zero(b.pending));
	assert_int_equal(b.in_flight, 0);
}

static void a_failing_job_costs_what_was_accepted_once(void **state)
{
	struct fix *f = *state;
	struct lp_stake stake;
	uint64_t tickets = 0;

	assert_int_equal(take(f, 1, 1, 1), LP_OK);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pay(f, &stake, 500, NULL), LP_OK);
		tickets += stake.payment.n;
		settle(f, &stake, LP_PAID_FAILED, 0);
	}
	assert_int_equal(tickets, 1);
}

static void a_job_that_was_short_pays_once_more_by_itself(void **state)
{
	struct fix *f = *state;
	struct lp_sender_want want = { .key = f->to, .units = 500, .alone = true, .now = 1 };
	struct lp_stake a, b, c;

	assert_int_equal(take(f, 1, 1, 1), LP_OK);
	assert_int_equal(pay(f, &a, 500, NULL), LP_OK);
	settle(f, &a, LP_PAID_FAILED, 0);
	assert_int_equal(pay(f, &b, 1, NULL), LP_OK);
	settle(f, &b, LP_PAID_SHORT, 0);
	/* the orchestrator has forgotten us: so do we */
	assert_int_equal(lp_amount_cmp(books(f).credit, b.value), 0);
	assert_int_equal(lp_sender_pay(f->scope, f->sender, &c, &want, NULL), LP_OK);
	assert_int_equal(c.payment.n, 1);	/* though a ticket's worth is there */
	settle(f, &c, LP_PAID_DONE, 500);
	books(f);
}

static void one_that_was_faster_than_the_tickets_of_others_writes_nothing_off(void **state)
{
	struct fix *f = *state;
	struct lp_stake a, b;

	assert_int_equal(take(f, 1, 1, 1), LP_OK);
	assert_int_equal(pay(f, &a, 1500, NULL), LP_OK);
	assert_int_equal(pay(f, &b, 1, NULL), LP_OK);
	settle(f, &b, LP_PAID_SHORT, 0);
	settle(f, &a, LP_PAID_DONE, 1500);
	assert_true(lp_amount_is_zero(books(f).given_up));
}

static void R11_what_is_prepaid_is_bounded(void **state)
{
	struct fix *f = *state;
	struct lp_sender_rules rules = { .account = { { 1 } }, .max_ticket_ev = paid_wei(5000),
					 .max_total_ev = paid_wei(100000), .deposit_multiplier = 1,
					 .max_prepaid = paid_wei(3000), .max_tickets = 100, .max_sessions = 1 };
	const struct lp_sender_chain chain = { .block = 1000, .deposit = lp_wei_of(9000), .reserve = lp_wei_of(1) };
	struct lp_stake a;

	lp_sender_free(&f->sender);
	f->sender = lp_sender_new(&rules);
	lp_sender_chain(f->sender, &chain);
	assert_int_equal(take(f, 1, 1000, 1), LP_OK);
	assert_int_equal(pay(f, &a, 4, NULL), LP_NO_FUNDS);
	assert_int_equal(pay(f, &a, 2, NULL), LP_OK);
	settle(f, &a, LP_PAID_DONE, 2000);
	f->to.capability = 28;
	assert_int_equal(take(f, 2, 1000, 1), LP_UNAVAILABLE);
}

static void the_price_is_checked_at_every_payment(void **state)
{
	struct fix *f = *state;
	struct lp_price most;
	struct lp_stake a;
	struct lp_err e;

	assert_true(lp_price_of(&most, lp_u256_of(10), lp_u256_of(1)));
	const struct lp_sender_want want = { .key = f->to, .units = 1, .max = &most, .now = 1 };
	assert_int_equal(take(f, 1, 11, 1), LP_OK);
	assert_int_equal(lp_sender_pay(f->scope, f->sender, &a, &want, &e), LP_PRICE);
	assert_int_equal(pay(f, &a, 1, NULL), LP_OK);
	settle(f, &a, LP_PAID_FAILED, 0);
	assert_int_equal(take(f, 2, 22, 2), LP_OK);
	assert_int_equal(pay(f, &a, 1, NULL), LP_OK);	/* exactly twice */
	/* named as it came, and no more than that */
	assert_true(a.payment.has_price && a.payment.price_per_unit == 22 && a.payment.units == 1);
	assert_true(a.payment.capability == 0 && a.payment.constraint.len == 0);
	settle(f, &a, LP_PAID_FAILED, 0);
	assert_int_equal(take(f, 3, 23, 3), LP_OK);
	assert_int_equal(pay(f, &a, 1, &e), LP_PRICE);
	/* an hour later what would have been paid is the new measure, and what would not is not */
	assert_int_equal(take(f, 4, 22, 5000), LP_OK);
	assert_int_equal(take(f, 5, 44, 5001), LP_OK);
	assert_int_equal(pay(f, &a, 1, NULL), LP_OK);
	settle(f, &a, LP_PAID_FAILED, 0);
	assert_int_equal(take(f, 6, 89, 50000), LP_OK);
	assert_int_equal(pay(f, &a, 1, NULL), LP_PRICE);
}

static void R19_a_block_that_goes_back_brings_no_offer_to_life(void **state)
{
	struct fix *f = *state;
	struct lp_sender_chain chain = { .block = 1039, .deposit = lp_wei_of(9000), .reserve = lp_wei_of(1) };
	struct lp_stake a;

	assert_int_equal(take(f, 1, 1000, 1), LP_OK);
	lp_sender_chain(f->sender, &chain);
	assert_int_equal(pay(f, &a, 2, NULL), LP_PARAMS_EXPIRED);
	chain.block = 1000;
	lp_sender_chain(f->sender, &chain);
	assert_int_equal(pay(f, &a, 2, NULL), LP_PARAMS_EXPIRED);
	assert_true(lp_sender_stale(f->sender, &f->to));
}

static void offers_of_others_and_of_too_much_are_refused(void **state)
{
	struct fix *f = *state;
	struct lp_sender_chain poor = { .block = 1000, .deposit = lp_wei_of(1999), .reserve = lp_wei_of(1) };
	struct lp_stake a;

	f->to.recipient.bytes[0] = 8;
	assert_int_equal(take(f, 1, 1000, 1), LP_BAD_PEER);
	f->to.recipient.bytes[0] = 9;
	assert_int_equal(pay(f, &a, 2, NULL), LP_PARAMS_EXPIRED);
	lp_sender_chain(f->sender, &poor);
	assert_int_equal(take(f, 1, 1000, 1), LP_NO_FUNDS);
	assert_int_equal(take(f, 1, -1, 1), LP_PRICE);
}

static void a_free_orchestrator_gets_no_tickets(void **state)
{
	struct fix *f = *state;
	struct lp_stake a;

	assert_int_equal(take(f, 1, 0, 1), LP_OK);
	assert_int_equal(pay(f, &a, 1000000, NULL), LP_OK);
	assert_int_equal(a.payment.n, 0);
	assert_false(a.payment.has_params);
	settle(f, &a, LP_PAID_DONE, 0);
}

static void idle_sessions_are_forgotten_once_the_store_knows_them(void **state)
{
	struct fix *f = *state;
	struct lp_sender_change row;

	assert_int_equal(take(f, 1, 1000, 1), LP_OK);
	assert_int_equal(lp_sender_expire(f->sender, 100), 0);
	while (lp_sender_next(f->sender, &row))
		;
	assert_int_equal(lp_sender_expire(f->sender, 100), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
/* Whatever became of it, so much is there at least: not the fee less than nothing, when tickets for it went along. */
static void what_nobody_knows_costs_the_tickets_or_the_credit_and_not_both(void **state)
{
	struct fix *f = *state;
	struct lp_stake stake;
	struct lp_amount before;

	assert_int_equal(take(f, 1, 1, 1), LP_OK);
	assert_int_equal(pay(f, &stake, 2500, NULL), LP_OK);	/* three tickets */
	settle(f, &stake, LP_PAID_UNKNOWN, 0);
	assert_true(lp_amount_is_zero(books(f).credit));
	assert_int_equal(lp_amount_cmp(books(f).spent, paid_wei(2500)), 0);
	assert_int_equal(pay(f, &stake, 2500, NULL), LP_OK);
	settle(f, &stake, LP_PAID_FAILED, 0);
	before = books(f).credit;
	assert_int_equal(pay(f, &stake, 1500, NULL), LP_OK);	/* of credit alone */
	settle(f, &stake, LP_PAID_UNKNOWN, 0);
	assert_true(lp_amount_sub(&before, before, paid_wei(1500)));
	assert_int_equal(lp_amount_cmp(books(f).credit, before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(R6_a_known_offer_never_starts_anew),
		T(R6_an_offer_is_not_taken_up_again_after_a_restart),
		T(two_processes_never_give_one_nonce_even_for_one_offer),
		T(R12_params_are_refreshed_before_their_nonces_are_used_up),
		T(jobs_at_the_same_time_share_one_ticket),
		T(a_failing_job_costs_what_was_accepted_once),
		T(a_job_that_was_short_pays_once_more_by_itself),
		T(one_that_was_faster_than_the_tickets_of_others_writes_nothing_off),
		T(R11_what_is_prepaid_is_bounded),
		T(the_price_is_checked_at_every_payment),
		T(R19_a_block_that_goes_back_brings_no_offer_to_life),
		T(offers_of_others_and_of_too_much_are_refused),
		T(a_free_orchestrator_gets_no_tickets),
		T(idle_sessions_are_forgotten_once_the_store_knows_them),
		T(what_nobody_knows_costs_the_tickets_or_the_credit_and_not_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
