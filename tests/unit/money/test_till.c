#include <stdlib.h>
#include <string.h>

#include "real_loop.h"

#include <lpd/money/till.h>

/* A till that pays when the test says so. */
struct fix {
	struct real_loop real;
	struct lp_till *till;
	struct lp_outlay *held;
	struct lp_outlay_end end;
	int paid, settled;
	bool told;
};

static void fake_pay(void *self, struct lp_outlay *outlay, const struct lp_till_want *want)
{
	struct fix *f = self;

	assert_ptr_equal(want, lp_outlay_want(outlay));
	f->held = outlay;
	f->paid++;
}

static void fake_settle(void *self, struct lp_outlay *outlay, const struct lp_outlay_end *end)
{
	struct fix *f = self;

	assert_ptr_equal(outlay, f->held);
	f->end = *end;
	f->settled++;
}

static bool fake_stale(const void *self, const struct lp_sender_key *to)
{
	(void)self;
	return to->capability == 1;
}

static const struct lp_till_ops fake = { fake_pay, fake_settle, fake_stale };

static void told(void *self)
{
	struct fix *f = self;

	assert_false(f->told);
	f->told = true;
}

static int set_up(void **state)
{
	struct fix *f = calloc(1, sizeof *f);

	real_loop_open(&f->real);
	f->till = lp_till_new(f->real.scope, f->real.loop, &fake, f);
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

static struct lp_outlay *pay(struct fix *f, struct lp_scope *scope)
{
	struct lp_price most = LP_PRICE_FREE;
	struct lp_sender_offer offer = { .price_per_unit = 7, .units = 1 };
	const struct lp_till_want want = { .units = 3, .max = &most, .offer = &offer, .job = "j" };

	return lp_till_pay(scope, f->till, &want, (struct lp_till_hook){ told, f });
}

static void say_paid(struct fix *f)
{
	lp_outlay_paid(f->held, &(struct lp_outlay_paid){ .header = LP_SPAN("SGVhZA=="), .tickets = 2 });
}

static void a_payment_is_told_of_later_and_once(void **state)
{
	struct fix *f = *state;
	struct lp_outlay *outlay = pay(f, f->real.scope);

	assert_false(lp_outlay_done(outlay));
	say_paid(f);
	assert_true(lp_outlay_done(outlay));
	assert_false(f->told);
	real_loop_run_until(&f->real, &f->told);
	assert_int_equal(lp_outlay_err(outlay)->code, LP_OK);
	assert_true(lp_span_is(lp_outlay_header(outlay), "SGVhZA=="));
	assert_int_equal(lp_outlay_payment(outlay)->tickets, 2);
	lp_outlay_settle(outlay, &(struct lp_outlay_end){ .how = LP_PAID_DONE, .used = 2 });
	assert_int_equal(f->end.used, 2);
}

/* The want, its offer and its price may be on the stack of who asks. */
static void what_is_wanted_is_kept(void **state)
{
	struct fix *f = *state;
	const struct lp_till_want *want = lp_outlay_want(pay(f, f->real.scope));

	assert_int_equal(want->offer->price_per_unit, 7);
	assert_true(lp_price_is_free(*want->max));
	assert_int_equal(want->units, 3);
}

static void one_that_failed_says_why_and_is_not_settled(void **state)
{
	struct fix *f = *state;
	struct lp_scope *scope = lp_scope_open(f->real.scope, "try");
	struct lp_outlay *outlay = pay(f, scope);

	lp_outlay_failed(outlay, &(struct lp_err){ LP_PRICE, "too dear" });
	real_loop_run_until(&f->real, &f->told);
	assert_int_equal(lp_outlay_err(outlay)->code, LP_PRICE);
	lp_outlay_settle(outlay, &(struct lp_outlay_end){ .how = LP_PAID_NOT_TAKEN });
	lp_scope_close(&scope);
	assert_int_equal(f->settled, 0);
}

static void a_scope_that_closes_before_the_payment_left_takes_it_back(void **state)
{
	struct fix *f = *state;
	struct lp_scope *scope = lp_scope_open(f->real.scope, "try");

	pay(f, scope);
	say_paid(f);
	lp_scope_close(&scope);
	assert_int_equal(f->settled, 1);
	assert_int_equal(f->end.how, LP_PAID_NOT_TAKEN);
	real_loop_run_for(&f->real, LP_MSEC);
	assert_false(f->told);
}

static void a_scope_that_closes_while_it_is_pending_takes_it_back(void **state)
{
	struct fix *f = *state;
	struct lp_scope *scope = lp_scope_open(f->real.scope, "try");

	pay(f, scope);
	lp_scope_close(&scope);
	assert_int_equal(f->settled, 1);
	assert_int_equal(f->end.how, LP_PAID_NOT_TAKEN);
}

static void a_scope_that_closes_after_the_payment_left_gives_it_up(void **state)
{
	struct fix *f = *state;
	struct lp_scope *scope = lp_scope_open(f->real.scope, "try");
	struct lp_outlay *outlay = pay(f, scope);

	say_paid(f);
	lp_outlay_header(outlay);
	lp_scope_close(&scope);
	assert_int_equal(f->settled, 1);
	assert_int_equal(f->end.how, LP_PAID_UNKNOWN);
}

static void one_that_was_settled_is_not_settled_again_by_its_scope(void **state)
{
	struct fix *f = *state;
	struct lp_scope *scope = lp_scope_open(f->real.scope, "try");
	struct lp_outlay *outlay = pay(f, scope);

	say_paid(f);
	lp_outlay_settle(outlay, &(struct lp_outlay_end){ .how = LP_PAID_FAILED, .refused = true });
	lp_scope_close(&scope);
	assert_int_equal(f->settled, 1);
	assert_int_equal(f->end.how, LP_PAID_FAILED);
	assert_true(f->end.refused);
}

static void who_signs_says_what_is_stale(void **state)
{
	struct fix *f = *state;

	assert_true(lp_till_stale(f->till, &(struct lp_sender_key){ .capability = 1 }));
	assert_false(lp_till_stale(f->till, &(struct lp_sender_key){ .capability = 2 }));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_payment_is_told_of_later_and_once),
		T(what_is_wanted_is_kept),
		T(one_that_failed_says_why_and_is_not_settled),
		T(a_scope_that_closes_before_the_payment_left_takes_it_back),
		T(a_scope_that_closes_while_it_is_pending_takes_it_back),
		T(a_scope_that_closes_after_the_payment_left_gives_it_up),
		T(one_that_was_settled_is_not_settled_again_by_its_scope),
		T(who_signs_says_what_is_stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
