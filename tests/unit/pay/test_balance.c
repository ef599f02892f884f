#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/pay/balance.h>

#include "bigrat.h"
#include "payments.h"

static struct lp_amount wei(int64_t n)
{
	struct lp_amount out;

	assert_true(lp_amount_of(&out, lp_wei_of((uint64_t)llabs(n))));
	return n < 0 ? lp_amount_neg(out) : out;
}

static void assert_free(const struct lp_balances *balances, const struct lp_payer *who, int64_t want)
{
	assert_int_equal(lp_amount_cmp(lp_balance_free(balances, who), wei(want)), 0);
}

static const struct lp_payer alice = { { { 1 } }, { "27_model", 8 } };
static const struct lp_payer alices_other = { { { 1 } }, { "27_other", 8 } };
static const struct lp_payer bob = { { { 2 } }, { "27_model", 8 } };

static void credit_is_kept_by_sender_and_session(void **state)
{
	(void)state;
	struct lp_balances *b = lp_balances_new(10);

	assert_free(b, &alice, 0);
	assert_int_equal(lp_balance_credit(b, &alice, wei(100), 1, NULL), LP_OK);
	assert_int_equal(lp_balance_credit(b, &alice, wei(20), 1, NULL), LP_OK);
	assert_int_equal(lp_balance_credit(b, &bob, wei(7), 1, NULL), LP_OK);
	assert_free(b, &alice, 120);
	assert_free(b, &alices_other, 0);
	assert_free(b, &bob, 7);
	assert_int_equal(lp_balances_count(b), 2);
	lp_balances_free(&b);
	assert_null(b);
	lp_balances_free(&b);
}

/* jobs at the same time never spend the same credit. */
static void what_one_job_holds_no_other_can(void **state)
{
	(void)state;
	struct lp_balances *b = lp_balances_new(10);
	struct lp_err e;

	assert_int_equal(lp_balance_hold(b, &alice, wei(1), 1, &e), LP_UNDERPAID);
	assert_string_equal(e.words, "Insufficient balance");
	assert_int_equal(lp_balance_hold(b, &alice, wei(0), 1, &e), LP_OK);
	lp_balance_settle(b, &alice, (struct lp_settle){ wei(0), wei(0) }, 1);
	assert_int_equal(lp_balance_credit(b, &alice, wei(100), 1, &e), LP_OK);
	assert_int_equal(lp_balance_hold(b, &alice, wei(60), 1, &e), LP_OK);
	assert_int_equal(lp_balance_hold(b, &alice, wei(41), 1, &e), LP_UNDERPAID);
	assert_int_equal(lp_balance_hold(b, &alice, wei(40), 1, &e), LP_OK);
	assert_free(b, &alice, 0);
	assert_int_equal(lp_amount_cmp(lp_balance_all(b, &alice), wei(100)), 0);
	/* The first fails and costs nothing, the second costs less than it held. */
	lp_balance_settle(b, &alice, (struct lp_settle){ wei(60), wei(0) }, 2);
	assert_free(b, &alice, 60);
	lp_balance_settle(b, &alice, (struct lp_settle){ wei(40), wei(15) }, 2);
	assert_free(b, &alice, 85);
	lp_balances_free(&b);
}

/* */
static void a_debt_stays_and_credit_that_nobody_touches_goes(void **state)
{
	(void)state;
	struct lp_balances *b = lp_balances_new(10);
	struct lp_err e;

	assert_int_equal(lp_balance_credit(b, &alice, wei(10), 100, &e), LP_OK);
	assert_int_equal(lp_balance_hold(b, &alice, wei(10), 100, &e), LP_OK);
	assert_int_equal(lp_balance_credit(b, &bob, wei(10), 100, &e), LP_OK);
	assert_int_equal(lp_balance_credit(b, &alices_other, wei(3), 200, &e), LP_OK);
	assert_int_equal(lp_balances_expire(b, 100, NULL, NULL), 0);
	/* Alice's is held, her other row is young: only Bob's goes. */
	assert_int_equal(lp_balances_expire(b, 150, NULL, NULL), 1);
	assert_free(b, &bob, 0);
	lp_balance_settle(b, &alice, (struct lp_settle){ wei(10), wei(35) }, 100);
	assert_free(b, &alice, -25);
	assert_int_equal(lp_balance_hold(b, &alice, wei(0), 100, &e), LP_UNDERPAID);
	assert_int_equal(lp_balances_expire(b, 150, NULL, NULL), 0);
	assert_int_equal(lp_balances_expire(b, 1000, NULL, NULL), 1);
	assert_int_equal(lp_balances_count(b), 1);
	assert_int_equal(lp_balance_credit(b, &alice, wei(30), 1001, &e), LP_OK);
	assert_free(b, &alice, 5);
	lp_balances_free(&b);
}

struct lost {
	struct lp_amount sum;
	size_t rows;
};

static void count_lost(void *self, const struct lp_payer *who, struct lp_amount credit)
{
	struct lost *lost = self;

	assert_true(lp_address_eq(who->sender, alice.sender) && lp_span_eq(who->session, alice.session));
	assert_true(lp_amount_add(&lost->sum, lost->sum, credit));
	lost->rows++;
}

static void credit_given_up_is_told(void **state)
{
	(void)state;
	struct lp_balances *b = lp_balances_new(10);
	struct lost lost = { LP_AMOUNT_ZERO, 0 };

	assert_int_equal(lp_balance_credit(b, &alice, wei(12), 5, NULL), LP_OK);
	assert_int_equal(lp_balances_expire(b, 6, count_lost, &lost), 1);
	assert_int_equal(lost.rows, 1);
	assert_int_equal(lp_amount_cmp(lost.sum, wei(12)), 0);
	lp_balances_free(&b);
}

static void rows_names_and_sums_are_bounded(void **state)
{
	(void)state;
	struct lp_balances *b = lp_balances_new(1);
	char name[LP_SESSION_MAX + 1] = { 0 };
	struct lp_payer who = { { { 9 } }, { name, sizeof name } };
	struct lp_amount top = { LP_U256_MAX, false };
	struct lp_err e;

	assert_int_equal(lp_balance_credit(b, &who, wei(1), 1, &e), LP_BAD_REQUEST);
	assert_free(b, &who, 0);
	who.session.len--;
	assert_int_equal(lp_balance_credit(b, &who, wei(-1), 1, &e), LP_PRICE);
	assert_int_equal(lp_balance_credit(b, &who, top, 1, &e), LP_OK);
	assert_int_equal(lp_balance_credit(b, &who, wei(1), 1, &e), LP_PRICE);
	assert_int_equal(lp_balance_hold(b, &who, wei(-1), 1, &e), LP_PRICE);
	assert_int_equal(lp_balance_credit(b, &bob, wei(1), 1, &e), LP_TOO_MANY);
	/* A payer without a session's name is one as well. */
	assert_int_equal(lp_balances_expire(b, 100, NULL, NULL), 1);
	who.session = lp_span_of(NULL, 0);
	assert_int_equal(lp_balance_credit(b, &who, wei(4), 1, &e), LP_OK);
	assert_free(b, &who, 4);
	lp_balances_free(&b);
}

/* The credits and debits of the recorded payments (payments 1.12), with tickets rounded up and fees down. */
static void the_networks_books_come_out(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i, j, compared = 0;
	json_t *row, *step;

	json_array_foreach(payments_list(scope, "process_payment"), i, row)
	{
		struct lp_balances *b = lp_balances_new(10);
		struct lp_amount before = LP_AMOUNT_ZERO;

		json_array_foreach(json_object_get(row, "steps"), j, step)
		{
			bool debit = lp_span_is(row_text(step, "op"), "debit");

			if (!json_is_string(json_object_get(step, "balance")))
				continue;
			struct lp_amount want = big_amount(row_text(step, "balance"), LP_UP), change;

			assert_true(lp_amount_sub(&change, want, before));
			if (debit) {
				struct lp_amount fee;
				uint64_t units = row_u64(step, "units");

				assert_true(lp_amount_mul_div(&fee, row_u256(step, "price_num"), lp_u256_of(units),
							      row_u256(step, "price_den"), LP_DOWN));
				lp_balance_settle(b, &alice, (struct lp_settle){ LP_AMOUNT_ZERO, fee }, 1);
			} else {
				assert_int_equal(lp_balance_credit(b, &alice, change, 1, NULL), LP_OK);
			}
			assert_true(amounts_near(lp_balance_all(b, &alice), want, 2 * (j + 1)));
			before = lp_balance_all(b, &alice);
			compared++;
		}
		lp_balances_free(&b);
	}
	assert_true(compared >= 20);
	lp_scope_close(&scope);
}

static void one_whom_nobody_knows_has_nothing(void **state)
{
	(void)state;
	struct lp_balances *balances = lp_balances_new(1);
	struct lp_payer nobody = { .session = LP_SPAN("27_model") };
	struct lp_settle nothing = { LP_AMOUNT_ZERO, LP_AMOUNT_ZERO };

	assert_true(lp_amount_is_zero(lp_balance_all(balances, &nobody)));
	assert_true(lp_amount_is_zero(lp_balance_free(balances, &nobody)));
	assert_int_equal(lp_balance_hold(balances, &nobody, LP_AMOUNT_ZERO, 1, NULL), LP_OK);
	lp_balance_settle(balances, &nobody, nothing, 1);
	assert_int_equal(lp_balances_count(balances), 0);
	lp_balances_free(&balances);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credit_is_kept_by_sender_and_session),
		cmocka_unit_test(what_one_job_holds_no_other_can),
		cmocka_unit_test(a_debt_stays_and_credit_that_nobody_touches_goes),
		cmocka_unit_test(credit_given_up_is_told),
		cmocka_unit_test(rows_names_and_sums_are_bounded),
		cmocka_unit_test(the_networks_books_come_out),
		cmocka_unit_test(one_whom_nobody_knows_has_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
