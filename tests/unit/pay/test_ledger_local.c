#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <lpd/pay/ledger_local.h>
#include <lpd/pay/rand.h>

#include "paid.h"
#include "temp_dir.h"

static const struct lp_address orch = { { 9 } }, other = { { 8 } };

struct fix {
	struct temp_dir dir;
	struct lp_scope *scope;
	struct lp_ledger *ledger;
	struct lp_chain chain;
	struct lp_key *key;
	struct lp_address payer;
	char path[128];
};

static int set_up(void **state)
{
	struct fix *f = calloc(1, sizeof *f);

	temp_dir_make(&f->dir);
	snprintf(f->path, sizeof f->path, "%s", temp_dir_file(&f->dir, "ledger.db"));
	f->scope = lp_scope_open(NULL, "test");
	assert_int_equal(lp_ledger_open(f->scope, &f->ledger, f->path, NULL), LP_OK);
	f->chain = lp_ledger_chain(f->ledger);
	f->key = paid_key(f->scope, 3);
	f->payer = lp_key_address(f->key);
	assert_int_equal(lp_ledger_register(f->ledger, orch, NULL), LP_OK);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fix *f = *state;

	lp_scope_close(&f->scope);
	temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

static void fund(struct fix *f, uint64_t deposit, uint64_t reserve)
{
	assert_int_equal(lp_ledger_fund(f->ledger, f->payer, lp_wei_of(deposit), lp_wei_of(reserve), NULL), LP_OK);
}

/* A ticket that wins for certain. */
static struct lp_redemption ticket(struct fix *f, uint32_t nonce, uint64_t face_value)
{
	struct lp_redemption what = { .rand = paid_hash(nonce) };
	struct lp_chain_clock clock;
	struct lp_hash hash;

	assert_int_equal(f->chain.ops->clock(f->chain.self, &clock, NULL), LP_OK);
	what.ticket = (struct lp_ticket){ .recipient = orch, .sender = f->payer, .face_value = lp_wei_of(face_value),
					  .win_prob = LP_U256_MAX, .nonce = nonce, .round = clock.rounds.last,
					  .round_hash = clock.rounds.last_hash };
	lp_rand_commit(&what.ticket.rand_hash, &what.rand);
	lp_ticket_hash(&hash, &what.ticket);
	lp_key_sign(&what.sig, f->key, &hash);
	return what;
}

static void assert_redeem(struct fix *f, const struct lp_redemption *what, const char *words, uint64_t paid)
{
	struct lp_redeemed got;
	struct lp_err e = { 0 };
	enum lp_code code = f->chain.ops->redeem(f->chain.self, &got, what, &e);

	if (words)
		assert_string_equal(e.words, words);
	assert_int_equal(code != LP_OK, words != NULL);
	assert_int_equal(lp_wei_cmp(got.paid, lp_wei_of(paid)), 0);
}

/* Whoever was killed before he wrote down what he got asks again, and is told. */
static void assert_used(struct fix *f, const struct lp_redemption *what, uint64_t before)
{
	struct lp_redeemed got;
	struct lp_err e = { 0 };

	assert_int_equal(f->chain.ops->redeem(f->chain.self, &got, what, &e), LP_BAD_TICKET);
	assert_string_equal(e.words, "ticket is used");
	assert_true(got.final && lp_wei_is_zero(got.paid));
	assert_int_equal(lp_wei_cmp(got.before, lp_wei_of(before)), 0);
}

static struct lp_chain_sender sender(struct fix *f, struct lp_address claimant)
{
	struct lp_chain_sender out;

	assert_int_equal(f->chain.ops->sender(f->chain.self, &out, f->payer, claimant, NULL), LP_OK);
	return out;
}

static void assert_fees(struct fix *f, uint64_t want)
{
	struct lp_wei fees;

	assert_int_equal(lp_ledger_fees(f->ledger, &fees, orch, NULL), LP_OK);
	assert_int_equal(lp_wei_cmp(fees, lp_wei_of(want)), 0);
}

static void a_winner_is_paid_once_from_the_deposit_then_from_the_share_of_the_reserve(void **state)
{
	struct fix *f = *state;
	struct lp_redemption one = ticket(f, 1, 100);

	fund(f, 150, 80);
	assert_int_equal(lp_ledger_register(f->ledger, other, NULL), LP_OK);
	assert_int_equal(lp_wei_cmp(lp_funds_share(&(struct lp_funds){ 0 }), lp_wei_of(0)), 0);
	assert_redeem(f, &one, NULL, 100);
	assert_used(f, &one, 100);
	struct lp_redemption two = ticket(f, 2, 100);
	assert_redeem(f, &two, NULL, 90);	/* 50 of the deposit, and of the reserve 80 / 2 */
	struct lp_chain_sender s = sender(f, orch);
	assert_true(lp_wei_is_zero(s.funds.deposit) && lp_wei_is_zero(lp_funds_share(&s.funds)));
	s = sender(f, other);
	assert_int_equal(lp_wei_cmp(lp_funds_share(&s.funds), lp_wei_of(40)), 0);
	/* nothing is left for us in this round: the ticket is burnt */
	struct lp_redemption three = ticket(f, 3, 100);
	assert_redeem(f, &three, NULL, 0);
	assert_used(f, &three, 0);
	/* the next round has a share again */
	assert_int_equal(lp_ledger_advance(f->ledger, LP_LEDGER_FIRST + LP_LEDGER_ROUND, NULL), LP_OK);
	struct lp_redemption four = ticket(f, 4, 100);
	assert_redeem(f, &four, NULL, 20);
	assert_fees(f, 210);
}

static void a_ticket_lasts_two_rounds(void **state)
{
	struct fix *f = *state;
	struct lp_redemption old = ticket(f, 1, 10), late = ticket(f, 2, 10);

	fund(f, 1000, 1000);
	assert_int_equal(lp_ledger_advance(f->ledger, LP_LEDGER_FIRST + 2 * LP_LEDGER_ROUND - 1, NULL), LP_OK);
	assert_redeem(f, &old, NULL, 10);
	assert_int_equal(lp_ledger_advance(f->ledger, LP_LEDGER_FIRST + 2 * LP_LEDGER_ROUND, NULL), LP_OK);
	assert_int_equal(lp_ledger_advance(f->ledger, 1, NULL), LP_OK);	/* does not go back */
	assert_redeem(f, &late, "ticket is expired", 0);
}

static void what_is_not_a_winner_is_refused_in_the_contracts_words(void **state)
{
	struct fix *f = *state;
	const struct lp_redemption good = ticket(f, 1, 10);
	struct lp_redemption bad = good;

	fund(f, 1000, 1000);
	bad.ticket.recipient = (struct lp_address){ { 0 } };
	assert_redeem(f, &bad, "ticket recipient is null address", 0);
	bad = good;
	bad.ticket.round++;
	assert_redeem(f, &bad, "ticket creationRound does not have a block hash", 0);
	bad = good;
	bad.ticket.round_hash.bytes[0] ^= 1;
	assert_redeem(f, &bad, "ticket creationRoundBlockHash invalid for creationRound", 0);
	bad = good;
	bad.rand.bytes[0] ^= 1;
	assert_redeem(f, &bad, "recipientRand does not match recipientRandHash", 0);
	bad = good;
	bad.ticket.face_value = lp_wei_of(11);
	assert_redeem(f, &bad, "invalid signature over ticket hash", 0);
	bad = good;
	bad.ticket.win_prob = LP_U256_ZERO;
	struct lp_hash hash;
	lp_ticket_hash(&hash, &bad.ticket);
	lp_key_sign(&bad.sig, f->key, &hash);
	assert_redeem(f, &bad, "ticket did not win", 0);
	bad = good;
	bad.ticket.recipient = (struct lp_address){ { 7 } };
	lp_ticket_hash(&hash, &bad.ticket);
	lp_key_sign(&bad.sig, f->key, &hash);
	assert_redeem(f, &bad, "transcoder must be registered", 0);
	assert_redeem(f, &good, NULL, 10);	/* none of that used it */
}

static void assert_refused(enum lp_code code, const struct lp_err *e, const char *words)
{
	assert_int_equal(code, LP_BAD_REQUEST);
	assert_string_equal(e->words, words);
}

static void funds_are_unlocked_and_withdrawn_as_on_the_chain(void **state)
{
	struct fix *f = *state;
	struct lp_redemption one = ticket(f, 1, 10);
	struct lp_wei got;
	struct lp_err e;

	assert_refused(lp_ledger_unlock(f->ledger, f->payer, &e), &e, "sender deposit and reserve are zero");
	assert_redeem(f, &one, "sender deposit and reserve are zero", 0);
	fund(f, 100, 50);
	assert_refused(lp_ledger_withdraw(f->ledger, &got, f->payer, &e), &e, "no unlock request in progress");
	assert_refused(lp_ledger_cancel_unlock(f->ledger, f->payer, &e), &e, "no unlock request in progress");
	assert_int_equal(lp_ledger_unlock(f->ledger, f->payer, &e), LP_OK);
	assert_refused(lp_ledger_unlock(f->ledger, f->payer, &e), &e, "unlock already initiated");
	assert_refused(lp_ledger_withdraw(f->ledger, &got, f->payer, &e), &e, "account is locked");
	assert_int_equal(sender(f, orch).withdraw_round, 12);
	fund(f, 1, 0);				/* which cancels it */
	assert_int_equal(sender(f, orch).withdraw_round, 0);
	assert_int_equal(lp_ledger_unlock(f->ledger, f->payer, &e), LP_OK);
	assert_int_equal(lp_ledger_advance(f->ledger, LP_LEDGER_FIRST + 2 * LP_LEDGER_ROUND, NULL), LP_OK);
	one = ticket(f, 2, 10);
	assert_redeem(f, &one, "sender is unlocked", 0);
	assert_int_equal(lp_ledger_withdraw(f->ledger, &got, f->payer, &e), LP_OK);
	assert_int_equal(lp_wei_cmp(got, lp_wei_of(151)), 0);
	assert_refused(lp_ledger_withdraw(f->ledger, &got, f->payer, &e), &e, "sender deposit and reserve are zero");
}

/* In a process of its own: the exit status is how many of the tickets it was paid for. */
static pid_t redeem_all(struct fix *f, const struct lp_redemption *tickets, int n)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	struct lp_scope *scope = lp_scope_open(NULL, "child");
	struct lp_ledger *ledger;
	int paid = 0;

	if (lp_ledger_open(scope, &ledger, f->path, NULL) != LP_OK)
		_exit(255);
	struct lp_chain chain = lp_ledger_chain(ledger);
	for (int i = 0; i < n; i++) {
		struct lp_redeemed got;

		if (chain.ops->redeem(chain.self, &got, &tickets[i], NULL) == LP_OK)
			paid++;
		else if (!got.final)
			_exit(254);
	}
	lp_scope_close(&scope);
	_exit(paid);
}

#define MANY 60
static void processes_that_race_for_the_same_winners_are_paid_for_each_once(void **state)
{
	struct fix *f = *state;
	struct lp_redemption tickets[MANY];
	int sum = 0, status;
	pid_t pids[3];

	fund(f, 10 * MANY, 0);
	for (uint32_t i = 0; i < MANY; i++)
		tickets[i] = ticket(f, i + 1, 10);
	/* SQLite's handles do not cross a fork */
	lp_scope_close(&f->scope);
	for (int i = 0; i < 3; i++)
		pids[i] = redeem_all(f, tickets, MANY);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 250);
		sum += WEXITSTATUS(status);
	}
	assert_int_equal(sum, MANY);
	f->scope = lp_scope_open(NULL, "test");
	assert_int_equal(lp_ledger_open(f->scope, &f->ledger, f->path, NULL), LP_OK);
	assert_fees(f, 10 * MANY);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_winner_is_paid_once_from_the_deposit_then_from_the_share_of_the_reserve),
		T(a_ticket_lasts_two_rounds),
		T(what_is_not_a_winner_is_refused_in_the_contracts_words),
		T(funds_are_unlocked_and_withdrawn_as_on_the_chain),
		T(processes_that_race_for_the_same_winners_are_paid_for_each_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
