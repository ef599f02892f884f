#include <stdlib.h>
#include <string.h>

#include "real_loop.h"

#include "paid.h"

#include <lpd/base/mem.h>
#include <lpd/money/account.h>
#include <lpd/money/bank.h>
#include <lpd/money/books.h>
#include <lpd/money/own_till.h>

/* What stands behind a till is played here: an account, a bank and books that answer when the test says so. */
struct lp_account {
	struct lp_key *key;
};

struct lp_bank {
	struct lp_chain_clock clock;
	struct lp_bank_sender we;
	bool silent;			/* has no answer yet */
	struct lp_err *trouble;
	void (*tick)(void *self);
	void (*known)(void *self);
	void *tick_self, *known_self;
};

#define WAITS 8
#define LINES 64

struct lp_books {
	struct {
		void (*safe)(void *self, enum lp_code code);
		void *self;
	} waits[WAITS];
	int n_waits;
	struct lp_entry lines[LINES];
	int n_lines;
	int offers, credits;		/* rows kept */
	bool broken;
	struct lp_amount credit;	/* the last row's */
};

struct lp_address lp_account_address(const struct lp_account *account)
{
	return lp_key_address(account->key);
}

const struct lp_key *lp_account_key(const struct lp_account *account)
{
	return account->key;
}

const struct lp_chain_clock *lp_bank_clock(const struct lp_bank *bank)
{
	return &bank->clock;
}

const struct lp_err *lp_bank_trouble(const struct lp_bank *bank)
{
	return bank->trouble;
}

void lp_bank_watch(struct lp_scope *scope, struct lp_bank *bank, void (*tick)(void *self), void *self)
{
	(void)scope;
	bank->tick = tick;
	bank->tick_self = self;
}

const struct lp_bank_sender *lp_bank_sender(struct lp_scope *scope, struct lp_bank *bank, const struct lp_bank_who *who,
					    void (*known)(void *self), void *self)
{
	(void)scope;
	assert_true(lp_address_is_zero(who->claimant));
	bank->known = known;
	bank->known_self = self;
	return bank->silent ? NULL : &bank->we;
}

enum lp_code lp_books_load_sender(struct lp_books *books, struct lp_sender *sender, struct lp_err *e)
{
	(void)books;
	(void)sender;
	(void)e;
	return LP_OK;
}

void lp_books_keep_sender(struct lp_books *books, struct lp_sender *sender)
{
	struct lp_sender_change change;

	while (lp_sender_next(sender, &change)) {
		books->offers += change.kind == LP_SENDER_OFFER;
		books->credits += change.kind == LP_SENDER_CREDIT;
		if (change.kind == LP_SENDER_CREDIT)
			books->credit = change.credit;
	}
}

void lp_books_safe(struct lp_scope *scope, struct lp_books *books, void (*safe)(void *self, enum lp_code code),
		   void *self)
{
	(void)scope;
	assert_in_range(books->n_waits, 0, WAITS - 1);
	assert_int_not_equal(books->offers, 0);	/* queued before it is waited for */
	books->waits[books->n_waits].safe = safe;
	books->waits[books->n_waits++].self = self;
}

bool lp_books_broken(const struct lp_books *books)
{
	return books->broken;
}

void lp_books_forget(struct lp_books *books, uint64_t block, int64_t before)
{
	(void)books;
	(void)block;
	(void)before;
}

void lp_books_enter(struct lp_books *books, const struct lp_entry *entry)
{
	assert_in_range(books->n_lines, 0, LINES - 1);
	books->lines[books->n_lines++] = *entry;
}

struct fix {
	struct real_loop real;
	struct lp_account account;
	struct lp_bank bank;
	struct lp_books books;
	struct lp_till *till;
	struct lp_err trouble;
	struct lp_sender_key to;
};

static struct lp_till *open_till(struct fix *f, uint64_t multiplier)
{
	const struct lp_till_own own = {
		.loop = f->real.loop, .account = &f->account, .bank = &f->bank, .books = &f->books,
		.rules = { .max_ticket_ev = paid_wei(100000), .max_total_ev = paid_wei(1000000),
			   .deposit_multiplier = multiplier, .max_tickets = 500, .max_sessions = 100 },
	};
	struct lp_till *till;

	assert_int_equal(lp_till_open(f->real.scope, &till, &own, NULL), LP_OK);
	return till;
}

static int set_up(void **state)
{
	struct fix *f = calloc(1, sizeof *f);

	real_loop_open(&f->real);
	f->account.key = paid_key(f->real.scope, 1);
	f->bank.clock = (struct lp_chain_clock){ .block = 1000, .rounds = { .last = 7 } };
	f->bank.we.is.funds = (struct lp_funds){ .deposit = lp_wei_of(1000000), .reserve = lp_wei_of(1000000) };
	f->to = (struct lp_sender_key){ { { 9 } }, 27, LP_SPAN("m") };
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fix *f = *state;

	real_loop_close(&f->real);
	free(f);
	return 0;
}

/* A ticket is worth 1000 wei and wins with one half; a unit costs 10 wei. */
static struct lp_sender_offer offer(uint64_t n)
{
	return (struct lp_sender_offer){ .has_params = true,
					 .params = { .recipient = { { 9 } }, .face_value = lp_wei_of(2000),
						     .win_prob = lp_u256_shr(LP_U256_MAX, 1), .rand_hash = paid_hash(n),
						     .expiration_block = 1040, .round = 7, .round_hash = paid_hash(7) },
					 .price_per_unit = 10, .units = 1 };
}

static void nothing(void *self)
{
	(void)self;
}

static struct lp_outlay *pay_with(struct fix *f, struct lp_scope *scope, uint64_t n, uint64_t units, bool alone)
{
	const struct lp_sender_offer o = offer(n);
	const struct lp_till_want want = { .to = f->to, .units = units, .alone = alone, .job = "job", .offer = &o };

	return lp_till_pay(scope, f->till, &want, (struct lp_till_hook){ nothing, NULL });
}

static struct lp_outlay *pay(struct fix *f, uint64_t n, uint64_t units)
{
	return pay_with(f, f->real.scope, n, units, false);
}

static void store_says(struct fix *f, enum lp_code code)
{
	int n = f->books.n_waits;

	assert_int_not_equal(n, 0);
	f->books.n_waits = 0;
	for (int i = 0; i < n; i++)
		f->books.waits[i].safe(f->books.waits[i].self, code);
}

/* Turns of the loop in which many tickets are signed. */
static void sign_all(struct fix *f)
{
	real_loop_run_for(&f->real, 20 * LP_MSEC);
}

static enum lp_code code_of(const struct lp_outlay *outlay)
{
	assert_true(lp_outlay_done(outlay));
	return lp_outlay_err(outlay)->code;
}

static void settle(struct lp_outlay *outlay, enum lp_paid how, uint64_t used)
{
	lp_outlay_settle(outlay, &(struct lp_outlay_end){ .how = how, .used = used });
}

/* Of the whole ledger: paid = spent + returned + given up + what the store was told of as credit. */
static struct lp_amount sum(struct fix *f, enum lp_entry_kind kind)
{
	struct lp_amount all = LP_AMOUNT_ZERO;

	for (int i = 0; i < f->books.n_lines; i++)
		if (f->books.lines[i].kind == kind)
			assert_true(lp_amount_add(&all, all, f->books.lines[i].amount));
	return all;
}

static void assert_sum(struct fix *f, enum lp_entry_kind kind, uint64_t wei)
{
	struct lp_amount diff;

	assert_true(lp_amount_sub(&diff, sum(f, kind), paid_wei(wei)));
	/* A half of 2^256 - 1 is a little less than a half. */
	assert_in_range(lp_amount_cmp(diff, paid_wei(1)) < 0 && lp_amount_cmp(diff, lp_amount_neg(paid_wei(1))) > 0, 1, 1);
}

static void assert_ledger_adds_up(struct fix *f)
{
	struct lp_amount left = sum(f, LP_ENTRY_PAID);

	assert_true(lp_amount_sub(&left, left, sum(f, LP_ENTRY_SPENT)) &&
		    lp_amount_sub(&left, left, sum(f, LP_ENTRY_RETURNED)) &&
		    lp_amount_sub(&left, left, sum(f, LP_ENTRY_GIVEN_UP)));
	assert_int_equal(lp_amount_cmp(left, f->books.credit), 0);
}

static void a_payment_waits_until_its_offer_is_safe_and_the_next_does_not(void **state)
{
	struct fix *f = *state;

	f->till = open_till(f, 1);
	struct lp_outlay *first = pay(f, 1, 100), *second = pay(f, 1, 100);

	assert_false(lp_outlay_done(first) || lp_outlay_done(second));
	assert_int_equal(f->books.offers, 1);
	store_says(f, LP_OK);
	assert_int_equal(code_of(first), LP_OK);
	assert_int_equal(code_of(second), LP_OK);
	assert_int_equal(code_of(pay(f, 1, 100)), LP_OK);
	assert_int_equal(f->books.n_waits, 0);
	pay(f, 2, 100);
	assert_int_equal(f->books.n_waits, 1);
	store_says(f, LP_OK);
}

static void what_leaves_is_a_payment_whose_tickets_are_signed(void **state)
{
	struct fix *f = *state;
	struct lp_payment payment;
	struct lp_ticket ticket;

	f->till = open_till(f, 1);
	struct lp_outlay *outlay = pay(f, 1, 250);

	store_says(f, LP_OK);
	assert_int_equal(lp_payment_read(f->real.scope, &payment, lp_outlay_header(outlay), NULL), LP_OK);
	assert_true(lp_address_eq(payment.sender, lp_key_address(f->account.key)));
	assert_int_equal(payment.n, 3);
	assert_int_equal(lp_outlay_payment(outlay)->tickets, 3);
	assert_int_equal(lp_amount_cmp(lp_outlay_fee(outlay), paid_wei(2500)), 0);
	for (size_t i = 0; i < payment.n; i++) {
		lp_payment_ticket(&ticket, &payment, i);
		assert_int_equal(lp_ticket_check_sig(&ticket, &payment.tickets[i].sig, NULL), LP_OK);
	}
}

static void an_offer_that_cannot_be_kept_pays_nothing_and_is_not_used_again(void **state)
{
	struct fix *f = *state;

	f->till = open_till(f, 1);
	struct lp_outlay *first = pay(f, 1, 100), *second = pay(f, 1, 100);

	store_says(f, LP_STORE);
	assert_int_equal(code_of(first), LP_STORE);
	assert_int_equal(code_of(second), LP_STORE);
	assert_int_equal(code_of(pay(f, 1, 100)), LP_PARAMS_EXPIRED);
	assert_int_equal(f->books.n_lines, 0);
	assert_true(lp_amount_is_zero(f->books.credit));
}

static void the_first_payment_waits_for_news_of_the_deposit(void **state)
{
	struct fix *f = *state;

	f->bank.silent = true;
	f->till = open_till(f, 1);
	struct lp_outlay *outlay = pay(f, 1, 100);

	assert_int_equal(f->books.offers, 0);
	f->bank.silent = false;
	f->bank.known(f->bank.known_self);
	store_says(f, LP_OK);
	assert_int_equal(code_of(outlay), LP_OK);
}

static void a_chain_that_says_nothing_of_us_fails_it(void **state)
{
	struct fix *f = *state;

	f->bank.silent = true;
	f->till = open_till(f, 1);
	struct lp_outlay *outlay = pay(f, 1, 100);

	f->bank.silent = false;
	f->bank.we.unknown = "nobody is there";
	f->bank.known(f->bank.known_self);
	assert_int_equal(code_of(outlay), LP_UNAVAILABLE);
	/* and later it does */
	f->bank.we.unknown = NULL;
	f->bank.tick(f->bank.tick_self);
	outlay = pay(f, 1, 100);
	store_says(f, LP_OK);
	assert_int_equal(code_of(outlay), LP_OK);
}

/* One question that fails is no reason to stop. */
static void a_moment_without_news_of_the_chain_does_not_stop_it(void **state)
{
	struct fix *f = *state;

	f->till = open_till(f, 1);
	lp_fail(&f->trouble, LP_TIMEOUT, "no answer");
	f->bank.trouble = &f->trouble;
	f->bank.tick(f->bank.tick_self);
	struct lp_outlay *outlay = pay(f, 1, 100);

	store_says(f, LP_OK);
	assert_int_equal(code_of(outlay), LP_OK);
}

static void with_broken_books_nothing_is_signed(void **state)
{
	struct fix *f = *state;

	f->till = open_till(f, 1);
	f->books.broken = true;
	assert_int_equal(code_of(pay(f, 1, 100)), LP_STORE);
	assert_int_equal(f->books.n_waits, 0);
}

static void a_deposit_that_is_gone_pays_nothing(void **state)
{
	struct fix *f = *state;

	f->till = open_till(f, 1);
	f->bank.we.is.funds.deposit = lp_wei_of(0);
	f->bank.tick(f->bank.tick_self);
	assert_int_equal(code_of(pay(f, 1, 100)), LP_NO_FUNDS);
}

static void what_a_job_did_not_use_pays_for_the_next(void **state)
{
	struct fix *f = *state;

	f->till = open_till(f, 1);
	struct lp_outlay *outlay = pay(f, 1, 250);

	store_says(f, LP_OK);
	lp_outlay_header(outlay);
	settle(outlay, LP_PAID_DONE, 50);
	assert_sum(f, LP_ENTRY_PAID, 3000);
	assert_sum(f, LP_ENTRY_SPENT, 500);
	assert_ledger_adds_up(f);
	outlay = pay(f, 1, 200);
	assert_int_equal(lp_outlay_payment(outlay)->tickets, 0);
	lp_outlay_header(outlay);
	settle(outlay, LP_PAID_DONE, 0);
	assert_sum(f, LP_ENTRY_SPENT, 2500);
	assert_ledger_adds_up(f);
}

static void what_was_not_taken_comes_back(void **state)
{
	struct fix *f = *state;

	f->till = open_till(f, 1);
	struct lp_outlay *outlay = pay(f, 1, 250);

	store_says(f, LP_OK);
	lp_outlay_header(outlay);
	settle(outlay, LP_PAID_NOT_TAKEN, 0);
	assert_sum(f, LP_ENTRY_RETURNED, 3000);
	assert_true(lp_amount_is_zero(f->books.credit));
	assert_ledger_adds_up(f);
}

static void a_failed_job_costs_nothing_and_its_tickets_pay_for_the_next(void **state)
{
	struct fix *f = *state;

	f->till = open_till(f, 1);
	struct lp_outlay *outlay = pay(f, 1, 200);

	store_says(f, LP_OK);
	lp_outlay_header(outlay);
	settle(outlay, LP_PAID_FAILED, 0);
	assert_sum(f, LP_ENTRY_SPENT, 0);
	assert_ledger_adds_up(f);
	/* a half of 2^256 - 1 is not quite 1000 wei */
	assert_int_equal(lp_outlay_payment(pay(f, 1, 199))->tickets, 0);
}

static void what_nobody_knows_is_given_up(void **state)
{
	struct fix *f = *state;

	f->till = open_till(f, 1);
	struct lp_scope *scope = lp_scope_open(f->real.scope, "try");
	struct lp_outlay *outlay = pay_with(f, scope, 1, 200, false);

	store_says(f, LP_OK);
	lp_outlay_header(outlay);
	lp_scope_close(&scope);
	assert_sum(f, LP_ENTRY_SPENT, 0);
	assert_sum(f, LP_ENTRY_GIVEN_UP, 3000);	/* three tickets: if they came, the fee was taken of them */
	assert_ledger_adds_up(f);
}

static void one_that_is_left_while_it_waits_leaves_no_trace(void **state)
{
	struct fix *f = *state;

	f->till = open_till(f, 1);
	struct lp_scope *scope = lp_scope_open(f->real.scope, "try");

	pay_with(f, scope, 1, 200, false);
	lp_scope_close(&scope);
	store_says(f, LP_OK);
	assert_int_equal(f->books.n_lines, 0);
	assert_true(lp_amount_is_zero(f->books.credit));

	f->bank.silent = true;
	scope = lp_scope_open(f->real.scope, "try");
	pay_with(f, scope, 1, 200, false);
	lp_scope_close(&scope);
	assert_int_equal(f->books.n_lines, 0);
}

/* Our books said 3000, and the orchestrator had nothing of it. */
static void who_is_short_pays_once_more_leaning_on_nothing(void **state)
{
	struct fix *f = *state;

	f->till = open_till(f, 1);
	struct lp_outlay *outlay = pay(f, 1, 250);

	store_says(f, LP_OK);
	lp_outlay_header(outlay);
	settle(outlay, LP_PAID_FAILED, 0);
	outlay = pay(f, 1, 200);
	assert_int_equal(lp_outlay_payment(outlay)->tickets, 0);
	lp_outlay_header(outlay);
	settle(outlay, LP_PAID_SHORT, 0);
	assert_sum(f, LP_ENTRY_GIVEN_UP, 3000);
	assert_ledger_adds_up(f);
	outlay = pay_with(f, f->real.scope, 1, 200, true);
	assert_int_equal(lp_outlay_payment(outlay)->tickets, 3);
	lp_outlay_header(outlay);
	settle(outlay, LP_PAID_DONE, 0);
	assert_sum(f, LP_ENTRY_SPENT, 2000);
	assert_ledger_adds_up(f);
}

static void an_offer_that_is_refused_is_not_used_again(void **state)
{
	struct fix *f = *state;

	f->till = open_till(f, 1);
	struct lp_outlay *outlay = pay(f, 1, 250);

	store_says(f, LP_OK);
	assert_false(lp_till_stale(f->till, &f->to));
	lp_outlay_header(outlay);
	lp_outlay_settle(outlay, &(struct lp_outlay_end){ .how = LP_PAID_NOT_TAKEN, .refused = true });
	assert_true(lp_till_stale(f->till, &f->to));
	assert_int_equal(code_of(pay(f, 1, 100)), LP_PARAMS_EXPIRED);
}

/* Each of two gateways on one key has half of the deposit of 1000000, and neither asks the other. */
static void what_is_signed_in_a_while_stays_within_the_share_of_the_deposit(void **state)
{
	struct fix *f = *state;
	int paid = 0;

	f->till = open_till(f, 2);
	for (uint64_t i = 0; i < 20; i++) {
		struct lp_outlay *outlay = pay(f, i, 5000);

		sign_all(f);
		if (!lp_outlay_done(outlay))
			store_says(f, LP_OK);
		if (code_of(outlay) == LP_NO_FUNDS)
			break;
		assert_int_equal(code_of(outlay), LP_OK);
		lp_outlay_header(outlay);
		settle(outlay, LP_PAID_DONE, 0);
		paid++;
	}
	assert_in_range(paid, 8, 10);
	/* what is there as credit still pays */
	assert_true(lp_amount_cmp(sum(f, LP_ENTRY_PAID), paid_wei(500000)) <= 0);
}

/* As much as both can, and each winner may win as much as the other's. */
static void two_gateways_that_say_so_stay_within_one_deposit(void **state)
{
	struct fix *f = *state;
	struct lp_till *tills[2] = { open_till(f, 2), open_till(f, 2) };
	struct lp_amount left;
	int refused = 0;

	for (uint64_t i = 0; i < 40; i++) {
		f->till = tills[i % 2];
		f->to.recipient.bytes[1] = (uint8_t)(i % 2);
		struct lp_sender_offer o = offer(i);

		o.params.recipient = f->to.recipient;
		struct lp_outlay *outlay = lp_till_pay(f->real.scope, f->till, &(struct lp_till_want){
			.to = f->to, .units = 5000, .job = "job", .offer = &o }, (struct lp_till_hook){ nothing, NULL });

		sign_all(f);
		if (!lp_outlay_done(outlay))
			store_says(f, LP_OK);
		refused += code_of(outlay) == LP_NO_FUNDS;
		if (code_of(outlay) == LP_OK)
			lp_outlay_header(outlay);
		lp_outlay_settle(outlay, &(struct lp_outlay_end){ .how = LP_PAID_DONE });
	}
	assert_in_range(refused, 20, 24);
	assert_true(lp_amount_sub(&left, paid_wei(1000000), sum(f, LP_ENTRY_PAID)) && !left.below);
}

/* "Full", says one, and has them all the same: that must not cost more than the deposit allows. */
static void tickets_that_were_seen_count_though_they_are_said_not_to_be_taken(void **state)
{
	struct fix *f = *state;
	int paid = 0;

	f->till = open_till(f, 1);
	for (uint64_t i = 0; i < 40; i++) {
		struct lp_outlay *outlay = pay(f, i, 40000);

		sign_all(f);
		if (!lp_outlay_done(outlay))
			store_says(f, LP_OK);
		paid += code_of(outlay) == LP_OK;
		if (code_of(outlay) == LP_OK)
			lp_outlay_header(outlay);
		lp_outlay_settle(outlay, &(struct lp_outlay_end){ .how = LP_PAID_NOT_TAKEN, .seen = i >= 30 });
	}
	assert_int_equal(paid, 30 + 2);
}

/* 500 tickets are 8 ms of signing: they hold up nobody else of the loop, and none is left out. */
static void many_tickets_are_signed_in_many_turns(void **state)
{
	struct fix *f = *state;
	struct lp_payment payment;
	struct lp_outlay *outlay;

	f->till = open_till(f, 1);
	outlay = pay(f, 1, 49000);
	assert_false(lp_outlay_done(outlay));
	assert_int_equal(f->books.n_waits, 0);
	sign_all(f);
	store_says(f, LP_OK);
	assert_int_equal(code_of(outlay), LP_OK);
	assert_int_equal(lp_payment_read(f->real.scope, &payment, lp_outlay_header(outlay), NULL), LP_OK);
	assert_in_range(payment.n, 490, 491);	/* half a chance is a little less than half */
	for (size_t i = 0; i < payment.n; i++) {
		struct lp_ticket ticket;
		struct lp_hash hash;

		lp_payment_ticket(&ticket, &payment, i);
		lp_ticket_hash(&hash, &ticket);
		assert_true(lp_sig_check(&payment.tickets[i].sig, &hash, lp_key_address(f->account.key)));
	}
	settle(outlay, LP_PAID_DONE, 49000);
}

/* A client that leaves while its tickets are signed: none of them leaves. */
static void who_leaves_while_tickets_are_signed_has_paid_nothing(void **state)
{
	struct fix *f = *state;
	struct lp_scope *scope = lp_scope_open(f->real.scope, "try");

	f->till = open_till(f, 1);
	assert_false(lp_outlay_done(pay_with(f, scope, 1, 49000, false)));
	lp_scope_close(&scope);
	sign_all(f);
	assert_int_equal(f->books.n_waits, 0);
	assert_int_equal(lp_amount_cmp(sum(f, LP_ENTRY_PAID), sum(f, LP_ENTRY_RETURNED)), 0);
}

static void two_processes_give_no_nonce_twice(void **state)
{
	struct fix *f = *state;
	struct lp_payment one, other;

	f->till = open_till(f, 1);
	struct lp_outlay *outlay = pay(f, 1, 100);

	store_says(f, LP_OK);
	assert_int_equal(lp_payment_read(f->real.scope, &one, lp_outlay_header(outlay), NULL), LP_OK);
	f->till = open_till(f, 1);
	outlay = pay(f, 1, 100);
	store_says(f, LP_OK);
	assert_int_equal(lp_payment_read(f->real.scope, &other, lp_outlay_header(outlay), NULL), LP_OK);
	assert_int_not_equal(one.tickets[0].nonce, other.tickets[0].nonce);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_payment_waits_until_its_offer_is_safe_and_the_next_does_not),
		T(what_leaves_is_a_payment_whose_tickets_are_signed),
		T(an_offer_that_cannot_be_kept_pays_nothing_and_is_not_used_again),
		T(the_first_payment_waits_for_news_of_the_deposit),
		T(a_chain_that_says_nothing_of_us_fails_it),
		T(a_moment_without_news_of_the_chain_does_not_stop_it),
		T(with_broken_books_nothing_is_signed),
		T(a_deposit_that_is_gone_pays_nothing),
		T(what_a_job_did_not_use_pays_for_the_next),
		T(what_was_not_taken_comes_back),
		T(a_failed_job_costs_nothing_and_its_tickets_pay_for_the_next),
		T(what_nobody_knows_is_given_up),
		T(one_that_is_left_while_it_waits_leaves_no_trace),
		T(who_is_short_pays_once_more_leaning_on_nothing),
		T(an_offer_that_is_refused_is_not_used_again),
		T(what_is_signed_in_a_while_stays_within_the_share_of_the_deposit),
		T(two_gateways_that_say_so_stay_within_one_deposit),
		T(tickets_that_were_seen_count_though_they_are_said_not_to_be_taken),
		T(many_tickets_are_signed_in_many_turns),
		T(who_leaves_while_tickets_are_signed_has_paid_nothing),
		T(two_processes_give_no_nonce_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
