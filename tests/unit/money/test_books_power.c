/* The store of money under a power cut at any of its writes: a ticket leaves only when its offer is safe, a winner's
 * credit counts only when the winner is safe, and nothing that lies on the disk afterwards says otherwise, however the
 * disk tore what was not synced.  The real books on the real store; the disk is support/fault_vfs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/money/books.h>

#include "fault_vfs.h"
#include "paid.h"
#include "real_loop.h"
#include "temp_dir.h"

#define PRICE 1000000000
#define JOBS 40

struct half {			/* a node: its store and its books */
	struct temp_dir dir;
	struct lp_scope *scope;
	struct lp_db *db;
	struct lp_books *books;
};

struct world {
	struct real_loop r;
	struct half half;	/* both roles in one store: the order of all writes is one */
	struct lp_key *key;
	struct lp_sender *sender;
	struct lp_recipient *recipient;
	struct lp_params params;
	bool safe, told;
	enum lp_code code;
	struct lp_hash left[JOBS];	/* offers of tickets that left */
	struct lp_hash won[JOBS * 4];	/* winners whose payment was credited */
	int n_left, n_won;
	struct lp_amount credited;
	uint64_t seeds;
};

static const struct lp_address us = { { 9 } };

static void open_half(struct world *w, struct half *half, const char *path)
{
	static const char *const steps[] = { LP_BOOKS_SCHEMA };
	static const struct lp_db_schema schema = { steps, 1 };
	struct lp_err e;

	half->scope = lp_scope_open(w->r.scope, "half");
	enum lp_code code = lp_db_open(half->scope, &half->db, w->r.loop, path, &schema, &e);

	if (code)
		print_error("%s\n", lp_err_words(&e));
	assert_int_equal(code, LP_OK);
	half->books = lp_books_open(half->scope, half->db, w->r.loop);
}

static void on_safe(void *self, enum lp_code code)
{
	struct world *w = self;

	w->safe = true;
	w->code = code;
}

static void on_told(void *self)
{
	((struct world *)self)->told = true;
}

static struct lp_sender_key key_to(void)
{
	return (struct lp_sender_key){ us, PAID_CAPABILITY, PAID_MODEL };
}

/* True: its tickets may leave. */
static bool pay(struct world *w, struct lp_stake *stake)
{
	const struct lp_payer_funds funds = paid_funds();
	const struct lp_quote quote = paid_quote(lp_key_address(w->key), PRICE);
	const struct lp_recipient_ask ask = { &quote, &funds, paid_hash(++w->seeds) };
	const struct lp_sender_key key = key_to();
	struct lp_sender_offer offer = { .has_params = true, .price_per_unit = PRICE, .units = 1 };
	const struct lp_sender_want want = { .key = key, .units = 8 * 20, .alone = true, .now = 1 };

	if (w->seeds % 3 == 1) {		/* a fresh offer for every third job */
		assert_int_equal(lp_recipient_offer(&w->params, w->recipient, &ask, NULL), LP_OK);
		offer.params = w->params;
		assert_int_equal(lp_sender_offer(w->sender, &key, &offer, 1, NULL), LP_OK);
	}
	assert_int_equal(lp_sender_pay(w->r.scope, w->sender, stake, &want, NULL), LP_OK);
	lp_payment_sign(&stake->payment, w->key);
	w->safe = false;
	lp_books_keep_sender(w->half.books, w->sender);
	lp_books_safe(w->half.scope, w->half.books, on_safe, w);
	real_loop_run_until(&w->r, &w->safe);
	return w->code == LP_OK;
}

static void take(struct world *w, struct lp_stake *stake)
{
	const struct lp_payer_funds funds = paid_funds();
	const struct lp_quote quote = paid_quote(lp_key_address(w->key), PRICE);
	struct lp_buf header = { 0 };
	struct lp_receipt *receipt = NULL;

	lp_payment_write(&header, &stake->payment);
	const struct lp_recipient_job job = { &stake->payment, lp_buf_span(&header), &quote, PAID_SESSION, &funds };

	assert_int_equal(lp_recipient_begin(w->recipient, &receipt, &job, NULL), LP_OK);
	lp_receipt_verify(receipt);
	assert_int_equal(lp_recipient_apply(w->recipient, receipt, 1, NULL), LP_OK);
	w->told = w->safe = false;
	lp_books_keep_recipient(w->half.books, w->recipient, on_told, w);
	lp_books_safe(w->half.scope, w->half.books, on_safe, w);
	real_loop_run_until(&w->r, &w->safe);
	/* What does not wait was credited: the winners of it are on the disk, whatever comes. */
	if (!lp_receipt_waits(receipt)) {
		struct lp_recipient_books books;

		lp_recipient_books(&books, w->recipient);
		w->credited = books.credited;
		w->n_won = (int)lp_winners_count(lp_recipient_winners(w->recipient));
	}
	lp_receipt_free(&receipt);
	lp_buf_clear(&header);
}

static void after_the_cut(struct world *w, uint64_t seed)
{
	struct half half = { .scope = NULL };
	struct lp_sender *sender = paid_sender(w->key, 5);
	struct lp_recipient *recipient = paid_recipient(us, 50);
	const struct lp_payer who = { lp_key_address(w->key), PAID_SESSION };
	const struct lp_sender_key key = key_to();
	struct lp_err e;

	temp_dir_make(&half.dir);
	fault_vfs_torn_cut(half.dir.path, seed);
	open_half(w, &half, temp_dir_file(&half.dir, "lpd.db"));
	assert_int_equal(lp_books_load_sender(half.books, sender, &e), LP_OK);
	assert_int_equal(lp_books_load_recipient(half.books, recipient, &e), LP_OK);
	/* of whatever a ticket left, the offer is known, and never starts anew. */
	for (int i = 0; i < w->n_left; i++) {
		struct lp_sender_offer offer = { .has_params = true, .params = w->params, .price_per_unit = PRICE,
						 .units = 1 };

		offer.params.rand_hash = w->left[i];
		assert_int_equal(lp_sender_offer(sender, &key, &offer, 1, NULL), LP_PARAMS_EXPIRED);
	}
	/* No winner that was credited is lost, and no credit was made. */
	assert_true((int)lp_winners_count(lp_recipient_winners(recipient)) >= w->n_won);
	assert_true(lp_amount_cmp(lp_recipient_balance(recipient, &who), w->credited) <= 0 || w->code);
	lp_sender_free(&sender);
	lp_recipient_free(&recipient);
	lp_scope_close(&half.scope);
	temp_dir_remove(&half.dir);
}

static void begin(struct world *w, uint8_t secret)
{
	char path[128];

	memset(w, 0, sizeof *w);
	real_loop_open(&w->r);
	fault_vfs_open();
	temp_dir_make(&w->half.dir);
	snprintf(path, sizeof path, "file:%s?vfs=fault", temp_dir_file(&w->half.dir, "lpd.db"));
	open_half(w, &w->half, path);
	w->key = paid_key(w->r.scope, 1);
	w->sender = paid_sender(w->key, 5);
	w->recipient = paid_recipient(us, secret);
	w->credited = LP_AMOUNT_ZERO;
}

static void end(struct world *w)
{
	fault_vfs_heal();
	lp_scope_close(&w->half.scope);
	fault_vfs_close();
	lp_sender_free(&w->sender);
	lp_recipient_free(&w->recipient);
	temp_dir_remove(&w->half.dir);
	real_loop_close(&w->r);
}

static void a_power_cut_at_any_write_loses_no_winner_and_frees_no_nonce(void **state)
{
	(void)state;
	static struct world w;
	int winners = 0, failed = 0;

	for (int n = 4; n < 200; n += 7) {
		begin(&w, 50);
		fault_vfs_fail_after(n, n % 2 ? FAULT_IO : FAULT_FULL);
		for (int i = 0; i < JOBS && w.n_left < JOBS; i++) {
			struct lp_stake stake;

			if (!pay(&w, &stake)) {
				failed++;
				lp_sender_settle(w.sender, &stake, LP_PAID_NOT_TAKEN, LP_AMOUNT_ZERO, 1);
				break;		/* the disk is gone: nothing leaves any more */
			}
			w.left[w.n_left++] = stake.rand_hash;
			take(&w, &stake);
			lp_sender_settle(w.sender, &stake, LP_PAID_DONE, stake.fee, 1);
		}
		for (uint64_t seed = 0; seed < 4; seed++)
			after_the_cut(&w, (uint64_t)n * 4 + seed);
		winners += w.n_won;
		end(&w);
	}
	assert_true(winners > 20 && failed > 5);	/* or this showed nothing */
}

/* what nobody touched is forgotten on the disk as well, but never a debt. */
static void what_is_forgotten_on_the_disk_is_no_debt(void **state)
{
	(void)state;
	static struct world w;
	const struct lp_payer who = { { { 1 } }, PAID_SESSION };
	struct lp_recipient *after = paid_recipient(us, 50);
	const struct lp_recipient_change debt = { .kind = LP_RECIPIENT_CREDIT, .payer = who, .touched = 10,
						  .credit = lp_amount_neg(paid_wei(5)) };

	begin(&w, 50);
	assert_int_equal(lp_recipient_load(w.recipient, &debt, NULL), LP_OK);
	lp_recipient_settle(w.recipient, &who, (struct lp_settle){ LP_AMOUNT_ZERO, paid_wei(1) }, 10);
	lp_books_keep_recipient(w.half.books, w.recipient, NULL, NULL);
	lp_books_forget(w.half.books, 5000, 1000);
	lp_books_safe(w.half.scope, w.half.books, on_safe, &w);
	real_loop_run_until(&w.r, &w.safe);
	assert_int_equal(lp_books_load_recipient(w.half.books, after, NULL), LP_OK);
	assert_int_equal(lp_amount_cmp(lp_recipient_balance(after, &who), lp_amount_neg(paid_wei(6))), 0);
	lp_recipient_free(&after);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_power_cut_at_any_write_loses_no_winner_and_frees_no_nonce),
		cmocka_unit_test(what_is_forgotten_on_the_disk_is_no_debt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
