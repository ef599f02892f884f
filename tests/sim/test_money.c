/* Those who pay against those who are paid, with all that a network and a disk do to them, on one row of dice:
 * the same seed is the same story.  No loop and no sockets: the books themselves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/map.h>
#include <lpd/base/mem.h>
#include <lpd/pay/ledger_local.h>
#include <lpd/pay/rand.h>

#include "paid.h"
#include "temp_dir.h"

#define PAYERS 3		/* the first two are gateways on one account */
#define PAYEES 2
#define MODELS 2
#define PRICE 1000000000
#define UNITS 24		/* most of a job: three tickets' worths */

static const struct lp_span models[MODELS] = { { "m0", 2 }, { "m1", 2 } };
static const struct lp_span sessions[MODELS] = { { "27_m0", 5 }, { "27_m1", 5 } };
static struct lp_address payee_address(int i)
{
	return (struct lp_address){ { (uint8_t)(9 + i) } };
}

struct story {			/* in percent of the messages, or of the steps */
	uint64_t seed;
	int jobs;
	int lose, twice, fail;
	int restart;		/* of a thousand steps */
	int late;		/* of a thousand steps: some request of long ago once more */
	int leap;		/* of a thousand steps: a clock jumps, of a machine or of the chain */
	bool lapse;		/* credit that nobody touched is given up */
	uint64_t reserve;	/* in face values, for each account */
};

struct payer {
	struct lp_key *key;
	struct lp_sender *s;
	struct lp_sender_change saved[20000];
	int n_saved, n_synced;
};

struct row {
	struct lp_recipient_change change;
};

struct payee {
	struct lp_recipient *r;
	struct lp_map *disk;	/* what survives */
	int life;
	struct lp_amount credited, debited;	/* by the lives before */
	struct lp_amount given_up;
	struct lp_wei earned;			/* from the chain */
};

struct job {
	int payer, payee, model;
	uint64_t units;
	struct lp_stake stake;
	struct lp_buf header;
	struct lp_quote quote;
	uint8_t token[LP_QUOTE_TOKEN];
	struct lp_amount fee;	/* as the payee counts it */
	bool settled, orphan, accepted, left;
	int takes;		/* in how many lives its tickets were credited: 1, but for a disk that forgot */
	enum lp_paid how;
	int runs;		/* that were debited */
	int life;
};

enum what { REQUEST, FINISH, ANSWER };
struct event {
	enum what what;
	struct job *job;
	enum lp_paid how;
	bool refused;
	int life;
};

struct world {
	const struct story *story;
	struct lp_dice dice;
	struct lp_scope *scope;
	struct temp_dir dir;
	struct lp_ledger *ledger;
	struct lp_chain chain;
	struct payer payers[PAYERS];
	struct payee payees[PAYEES];
	struct job *jobs;
	int n_jobs, unpaid;
	struct event events[4096];
	int n_events;
	struct lp_sender_offer offers[PAYERS][PAYEES][MODELS];	/* the one before, offered again at times */
	struct lp_map *nonces;	/* every one ever signed */
	struct lp_map *redeemed;
	struct lp_wei paid[2];	/* by each account, on the chain */
	struct lp_wei deposit, reserve;		/* of each, in the beginning */
	uint64_t block;
	int64_t now;
	uint64_t seeds;
};

static bool chance(struct world *w, int percent)
{
	return lp_dice_below(&w->dice, 100) < (uint64_t)percent;
}

static struct lp_amount plus(struct lp_amount a, struct lp_amount b)
{
	assert_true(lp_amount_add(&a, a, b));
	return a;
}

static struct lp_amount minus(struct lp_amount a, struct lp_amount b)
{
	return plus(a, lp_amount_neg(b));
}

/* Equal but for the rounding of so many operations, each by 2^-64 wei. */
static void assert_same(struct lp_amount a, struct lp_amount b, uint64_t operations)
{
	struct lp_amount gap = minus(a, b);

	gap.below = false;
	assert_true(lp_amount_cmp(gap, (struct lp_amount){ lp_u256_of(operations), false }) <= 0);
}

static struct lp_sender_key key_to(int payee, int model)
{
	return (struct lp_sender_key){ payee_address(payee), PAID_CAPABILITY, models[model] };
}

static struct lp_payer payer_at(const struct world *w, int payer, int model)
{
	return (struct lp_payer){ lp_key_address(w->payers[payer].key), sessions[model] };
}

/* ---- the chain ---- */

static struct lp_chain_sender on_chain(struct world *w, int payer, int payee)
{
	struct lp_chain_sender out;

	assert_int_equal(w->chain.ops->sender(w->chain.self, &out, lp_key_address(w->payers[payer].key),
					      payee_address(payee), NULL), LP_OK);
	return out;
}

/* A provider that lags behind the one asked before. */
static uint64_t behind(struct world *w)
{
	return w->story->leap && chance(w, 30) ? lp_dice_below(&w->dice, 60) : 0;
}

static void look_at_chain(struct world *w)
{
	struct lp_chain_clock clock;

	assert_int_equal(w->chain.ops->clock(w->chain.self, &clock, NULL), LP_OK);
	w->block = clock.block;
	for (int i = 0; i < PAYEES; i++) {
		lp_recipient_chain(w->payees[i].r, clock.block - behind(w), &clock.rounds);
		lp_recipient_expire(w->payees[i].r, w->story->lapse ? w->now - 86400 : INT64_MIN, NULL, NULL);
	}
	for (int i = 0; i < PAYERS; i++) {
		const struct lp_chain_sender s = on_chain(w, i, 0);
		const struct lp_sender_chain chain = { clock.block - behind(w), clock.rounds.last, s.withdraw_round,
						       s.funds.deposit, s.funds.reserve };

		lp_sender_chain(w->payers[i].s, &chain);
		lp_sender_expire(w->payers[i].s, w->story->lapse ? w->now - 86400 : INT64_MIN);
	}
}

static void count_paid(struct world *w, int payee, const struct lp_ticket *ticket)
{
	const struct lp_address third = lp_key_address(w->payers[2].key);
	struct lp_wei *account = &w->paid[!memcmp(&ticket->sender, &third, sizeof third)];

	assert_true(lp_wei_add(account, *account, ticket->face_value));
	assert_true(lp_wei_add(&w->payees[payee].earned, w->payees[payee].earned, ticket->face_value));
}

static void redeem_ripe(struct world *w, int payee)
{
	struct lp_winners *winners = lp_recipient_winners(w->payees[payee].r);
	struct lp_winner winner;

	while (lp_winners_ripe(winners, &winner, w->block, w->now)) {
		const struct lp_redemption what = { winner.ticket, winner.sig, winner.rand };
		struct lp_redeemed got;
		struct lp_span key = lp_span_of(winner.hash.bytes, sizeof winner.hash.bytes);
		enum lp_code code = w->chain.ops->redeem(w->chain.self, &got, &what, NULL);

		/* One that was paid in a life before is there again, and is used. */
		if (lp_map_find(w->redeemed, key)) {
			assert_true(code == LP_BAD_TICKET && got.final);
		} else {
			assert_int_equal(code, LP_OK);
			assert_int_equal(lp_wei_cmp(got.paid, winner.ticket.face_value), 0);
			lp_map_put(w->redeemed, key, w);
			count_paid(w, payee, &winner.ticket);
		}
		lp_winners_gone(winners, &winner.hash);
	}
}

static void pass_blocks(struct world *w, uint64_t n)
{
	assert_int_equal(lp_ledger_advance(w->ledger, w->block + n, NULL), LP_OK);
	look_at_chain(w);
	for (int i = 0; i < PAYEES; i++)
		redeem_ripe(w, i);
}

/* ---- disks ---- */

/* Row by row, in order; as many as are wanted reach the disk. */
static void sync_payee(struct world *w, int i, uint64_t most)
{
	struct payee *p = &w->payees[i];
	struct lp_recipient_change c;

	while (most-- > 0 && lp_recipient_next(p->r, &c)) {
		char key[64];
		size_t len = 32;
		struct row *row = lp_new(w->scope, struct row);

		memcpy(key, c.hash.bytes, 32);
		if (c.kind == LP_RECIPIENT_CREDIT) {
			memcpy(key, c.payer.sender.bytes, LP_ADDRESS_LEN);
			memcpy(key + LP_ADDRESS_LEN, c.payer.session.at, c.payer.session.len);
			len = LP_ADDRESS_LEN + c.payer.session.len;
		}
		if (c.kind == LP_RECIPIENT_WINNER_GONE) {
			lp_map_take(p->disk, lp_span_of(key, len));
			continue;
		}
		row->change = c;
		row->change.row = lp_span_dup(w->scope, c.row);
		row->change.payer.session = lp_span_dup(w->scope, c.payer.session);
		lp_map_put(p->disk, lp_span_of(key, len), row);
		if (c.kind == LP_RECIPIENT_WINNER)
			lp_recipient_saved(p->r, &c.hash, LP_OK, w->now);
	}
}

static void start_payee(struct world *w, int i)
{
	struct payee *p = &w->payees[i];
	struct lp_span key;
	size_t at = 0;
	void *row;

	p->r = paid_recipient(payee_address(i), (uint8_t)(50 + i));
	while (p->disk && lp_map_next(p->disk, &at, &key, &row))
		assert_int_equal(lp_recipient_load(p->r, &((struct row *)row)->change, NULL), LP_OK);
	if (!p->disk)
		p->disk = lp_map_new();
	p->life++;
}

static void crash_payee(struct world *w, int i)
{
	struct payee *p = &w->payees[i];
	struct lp_recipient_books books;

	/* Some of what was written last is on the disk. */
	sync_payee(w, i, lp_dice_below(&w->dice, 4));
	lp_recipient_books(&books, p->r);
	p->credited = plus(p->credited, books.credited);
	p->debited = plus(p->debited, books.debited);
	p->given_up = plus(p->given_up, books.given_up);
	lp_recipient_free(&p->r);
	start_payee(w, i);
	look_at_chain(w);
}

static void sync_payer(struct world *w, int i)
{
	struct payer *p = &w->payers[i];
	struct lp_sender_change c;

	while (lp_sender_next(p->s, &c)) {
		/* The span is lent; the name it has is one of ours. */
		for (int m = 0; m < MODELS; m++) {
			if (lp_span_eq(c.key.model, models[m]))
				c.key.model = models[m];
		}
		assert_true(p->n_saved < 20000);
		p->saved[p->n_saved++] = c;
	}
	p->n_synced = p->n_saved;
}

static void start_payer(struct world *w, int i)
{
	struct payer *p = &w->payers[i];

	p->s = paid_sender(p->key, (uint32_t)lp_dice_next(&w->dice));
	for (int k = 0; k < p->n_synced; k++)
		assert_int_equal(lp_sender_load(p->s, &p->saved[k], NULL), LP_OK);
}

static void crash_payer(struct world *w, int i)
{
	for (int k = 0; k < w->n_jobs; k++) {
		if (w->jobs[k].payer == i && !w->jobs[k].settled)
			w->jobs[k].settled = w->jobs[k].orphan = true;
	}
	lp_sender_free(&w->payers[i].s);
	start_payer(w, i);
	look_at_chain(w);
}

/* ---- messages ---- */

static void post(struct world *w, struct event event)
{
	assert_true(w->n_events < 4096);
	w->events[w->n_events++] = event;
}

static void settle(struct world *w, struct job *job, enum lp_paid how, bool refused)
{
	if (job->settled)
		return;
	job->settled = true;
	job->how = how;
	if (refused)
		lp_sender_refused(w->payers[job->payer].s, &job->stake);
	lp_sender_settle(w->payers[job->payer].s, &job->stake, how,
			 how == LP_PAID_DONE ? job->stake.fee : LP_AMOUNT_ZERO, w->now);
}

static void answer(struct world *w, struct job *job, enum lp_paid how, bool refused)
{
	if (chance(w, w->story->lose))
		how = LP_PAID_UNKNOWN;
	post(w, (struct event){ ANSWER, job, how, refused && how != LP_PAID_UNKNOWN, 0 });
}

static enum lp_code receive(struct world *w, struct job *job)
{
	struct payee *p = &w->payees[job->payee];
	struct lp_scope *scope = lp_scope_open(NULL, "receive");
	const struct lp_chain_sender chain = on_chain(w, job->payer, job->payee);
	const struct lp_payer_funds funds = { NULL, chain.withdraw_round, chain.funds };
	struct lp_receipt *receipt = NULL;
	struct lp_payment payment;
	struct lp_quote quote = job->quote;

	quote.price_per_unit = quote.units = 0;
	assert_int_equal(lp_quote_check(&quote, (const uint8_t[32]){ 7 }, lp_span_of(job->token, LP_QUOTE_TOKEN),
					1, NULL), LP_OK);
	assert_int_equal(lp_payment_read(scope, &payment, lp_buf_span(&job->header), NULL), LP_OK);
	const struct lp_recipient_job want = { &payment, lp_buf_span(&job->header), &quote, sessions[job->model],
					       &funds };
	enum lp_code code = lp_recipient_begin(p->r, &receipt, &want, NULL);
	if (!code) {
		lp_receipt_verify(receipt);
		code = lp_recipient_apply(p->r, receipt, w->now, NULL);
	}
	if (!code && lp_receipt_waits(receipt))
		sync_payee(w, job->payee, UINT64_MAX);
	if (!code && !lp_amount_is_zero(lp_receipt_credit(receipt))) {
		job->accepted = true;
		job->takes++;
		job->life = p->life;
	}
	lp_receipt_free(&receipt);
	lp_scope_close(&scope);
	return code;
}

static void on_request(struct world *w, struct job *job)
{
	struct payee *p = &w->payees[job->payee];
	const struct lp_payer who = payer_at(w, job->payer, job->model);

	if (receive(w, job) != LP_OK) {
		answer(w, job, LP_PAID_NOT_TAKEN, true);
	} else if (lp_recipient_hold(p->r, &who, job->fee, w->now, NULL) != LP_OK) {
		answer(w, job, LP_PAID_SHORT, false);
	} else {
		post(w, (struct event){ FINISH, job, LP_PAID_DONE, false, p->life });
	}
}

static void on_finish(struct world *w, const struct event *event)
{
	struct job *job = event->job;
	struct payee *p = &w->payees[job->payee];
	const struct lp_payer who = payer_at(w, job->payer, job->model);
	bool failed = chance(w, w->story->fail);

	if (event->life != p->life) {		/* it went down with its orchestrator */
		post(w, (struct event){ ANSWER, job, LP_PAID_UNKNOWN, false, 0 });
		return;
	}
	lp_recipient_settle(p->r, &who, (struct lp_settle){ job->fee, failed ? LP_AMOUNT_ZERO : job->fee }, w->now);
	job->runs += !failed;
	answer(w, job, failed ? LP_PAID_FAILED : LP_PAID_DONE, false);
}

static void deliver(struct world *w)
{
	uint64_t at = lp_dice_below(&w->dice, (uint64_t)w->n_events);
	struct event event = w->events[at];

	w->events[at] = w->events[--w->n_events];
	switch (event.what) {
	case REQUEST:
		on_request(w, event.job);
		break;
	case FINISH:
		on_finish(w, &event);
		break;
	case ANSWER:
		settle(w, event.job, event.how, event.refused);
		break;
	}
}

/* ---- jobs ---- */

static bool fetch_offer(struct world *w, struct job *job)
{
	const struct lp_chain_sender chain = on_chain(w, job->payer, job->payee);
	const struct lp_payer_funds funds = { NULL, chain.withdraw_round, chain.funds };
	const struct lp_recipient_ask ask = { &job->quote, &funds, paid_hash(++w->seeds) };
	const struct lp_sender_key key = key_to(job->payee, job->model);
	struct lp_sender_offer *before = &w->offers[job->payer][job->payee][job->model];
	struct lp_sender_offer offer = { .has_params = true, .price_per_unit = PRICE, .units = 1 };

	/* An old one again, as a cache may hand out: it must not start anew. */
	if (before->has_params && chance(w, 30) &&
	    lp_sender_offer(w->payers[job->payer].s, &key, before, w->now, NULL) == LP_OK)
		return true;
	if (lp_recipient_offer(&offer.params, w->payees[job->payee].r, &ask, NULL) != LP_OK)
		return false;
	*before = offer;
	return lp_sender_offer(w->payers[job->payer].s, &key, &offer, w->now, NULL) == LP_OK;
}

static void note_nonces(struct world *w, const struct job *job)
{
	for (size_t i = 0; i < job->stake.payment.n; i++) {
		uint8_t key[36];
		uint32_t nonce = job->stake.payment.tickets[i].nonce;

		memcpy(key, job->stake.payment.params.rand_hash.bytes, 32);
		memcpy(key + 32, &nonce, 4);
		assert_null(lp_map_put(w->nonces, lp_span_of(key, sizeof key), w));
	}
}

static void new_job(struct world *w, bool alone)
{
	struct job *job = &w->jobs[w->n_jobs];
	const struct lp_price price = { lp_u256_of(PRICE), lp_u256_of(1) };

	*job = (struct job){ .payer = (int)lp_dice_below(&w->dice, PAYERS),
			     .payee = (int)lp_dice_below(&w->dice, PAYEES),
			     .model = (int)lp_dice_below(&w->dice, MODELS),
			     .units = 1 + lp_dice_below(&w->dice, UNITS) };
	struct payer *payer = &w->payers[job->payer];
	const struct lp_sender_want want = { .key = key_to(job->payee, job->model), .units = job->units,
					     .alone = alone, .now = w->now };

	job->quote = paid_quote(lp_key_address(payer->key), PRICE);
	job->quote.model = models[job->model];
	lp_quote_write(job->token, (const uint8_t[32]){ 7 }, &job->quote);
	assert_true(lp_price_fee(&job->fee, price, job->units, LP_DOWN));
	if (lp_sender_stale(payer->s, &want.key))
		fetch_offer(w, job);
	if (lp_sender_pay(w->scope, payer->s, &job->stake, &want, NULL) != LP_OK) {
		w->unpaid++;
		return;
	}
	note_nonces(w, job);
	lp_payment_sign(&job->stake.payment, payer->key);
	lp_payment_write(&job->header, &job->stake.payment);
	w->n_jobs++;
	if (chance(w, w->story->lose)) {
		post(w, (struct event){ ANSWER, job, chance(w, 50) ? LP_PAID_NOT_TAKEN : LP_PAID_UNKNOWN, false, 0 });
		return;
	}
	job->left = true;
	post(w, (struct event){ REQUEST, job, LP_PAID_DONE, false, 0 });
	if (chance(w, w->story->twice))
		post(w, (struct event){ REQUEST, job, LP_PAID_DONE, false, 0 });
}

/* A message that lay somewhere since long ago, its offer perhaps over, its orchestrator perhaps another life. */
static void repeat(struct world *w)
{
	struct job *job = &w->jobs[w->n_jobs ? lp_dice_below(&w->dice, (uint64_t)w->n_jobs) : 0];

	if (w->n_jobs && job->left && w->n_events < 1000)
		post(w, (struct event){ REQUEST, job, LP_PAID_DONE, false, 0 });
}

/* A machine's clock is set by days, either way; or the chain is found much further on than it was. */
static void leap(struct world *w)
{
	if (chance(w, 70))
		w->now += (int64_t)lp_dice_below(&w->dice, 20 * 86400) - 10 * 86400;
	else
		pass_blocks(w, 30 + lp_dice_below(&w->dice, 60));
}

static void step(struct world *w)
{
	uint64_t dice = lp_dice_below(&w->dice, 1000);

	if (lp_dice_below(&w->dice, 1000) < (uint64_t)w->story->late)
		repeat(w);
	if (lp_dice_below(&w->dice, 1000) < (uint64_t)w->story->leap)
		leap(w);

	w->now += (int64_t)lp_dice_below(&w->dice, 2001) - 900;
	if (dice < (uint64_t)w->story->restart)
		crash_payee(w, (int)lp_dice_below(&w->dice, PAYEES));
	else if (dice < 2 * (uint64_t)w->story->restart)
		crash_payer(w, (int)lp_dice_below(&w->dice, PAYERS));
	else if (dice < 60)
		sync_payee(w, (int)lp_dice_below(&w->dice, PAYEES), lp_dice_below(&w->dice, 50));
	else if (dice < 100)
		sync_payer(w, (int)lp_dice_below(&w->dice, PAYERS));
	else if (dice < 108)
		pass_blocks(w, 1 + lp_dice_below(&w->dice, 12));
	else if (w->n_events > 40 || (w->n_events > 0 && dice < 700))
		deliver(w);
	else
		new_job(w, chance(w, 3));
}

static void begin(struct world *w, const struct story *story)
{
	const uint64_t face = 100ULL * PAID_EV;
	struct lp_wei deposit;

	memset(w, 0, sizeof *w);
	w->story = story;
	lp_dice_init(&w->dice, story->seed);
	temp_dir_make(&w->dir);
	w->scope = lp_scope_open(NULL, "money");
	assert_int_equal(lp_ledger_open(w->scope, &w->ledger, temp_dir_file(&w->dir, "ledger"), NULL), LP_OK);
	w->chain = lp_ledger_chain(w->ledger);
	w->jobs = lp_mem_zeroed((size_t)story->jobs, sizeof *w->jobs);
	w->nonces = lp_map_new();
	w->redeemed = lp_map_new();
	assert_true(lp_wei_mul(&deposit, lp_wei_of(face), 1000000));
	w->deposit = deposit;
	w->reserve = lp_wei_of(face * story->reserve);
	w->now = 1700000000;
	for (int i = 0; i < PAYERS; i++) {
		w->payers[i].key = paid_key(w->scope, i == 2 ? 2 : 1);
		start_payer(w, i);
		if (i > 0)
			assert_int_equal(lp_ledger_fund(w->ledger, lp_key_address(w->payers[i].key), deposit,
							lp_wei_of(face * story->reserve), NULL), LP_OK);
	}
	for (int i = 0; i < PAYEES; i++) {
		assert_int_equal(lp_ledger_register(w->ledger, payee_address(i), NULL), LP_OK);
		start_payee(w, i);
	}
	look_at_chain(w);
}

static void end(struct world *w)
{
	for (int i = 0; i < PAYERS; i++)
		lp_sender_free(&w->payers[i].s);
	for (int i = 0; i < PAYEES; i++) {
		lp_recipient_free(&w->payees[i].r);
		lp_map_free(&w->payees[i].disk);
	}
	for (int i = 0; i < w->n_jobs; i++)
		lp_buf_clear(&w->jobs[i].header);
	lp_mem_free(w->jobs);
	lp_map_free(&w->nonces);
	lp_map_free(&w->redeemed);
	lp_scope_close(&w->scope);
	temp_dir_remove(&w->dir);
}

/* ---- what must hold ---- */

/* Every sender's own: signed = credit + pending + spent + returned + given up. */
static void senders_add_up(struct world *w)
{
	for (int i = 0; i < PAYERS * PAYEES * MODELS; i++) {
		const struct lp_sender_key key = key_to(i / PAYERS % PAYEES, i / PAYERS / PAYEES);
		struct lp_sender_books b;

		lp_sender_books(&b, w->payers[i % PAYERS].s, &key);
		assert_int_equal(b.in_flight, 0);
		assert_true(lp_amount_is_zero(b.held) && lp_amount_is_zero(b.pending));
		assert_same(b.signed_, plus(plus(b.credit, b.spent), plus(b.returned, b.given_up)), 0);
	}
}

/* Over all lives: what orchestrators credited is what gateways signed less what never arrived or was refused, and it
 * was charged, has lapsed, or (where nobody crashed) is still there. */
static void nothing_comes_from_nothing(struct world *w)
{
	for (int p = 0; p < PAYEES; p++) {
		const struct payee *payee = &w->payees[p];
		struct lp_amount taken = LP_AMOUNT_ZERO, once = LP_AMOUNT_ZERO, signed_ = LP_AMOUNT_ZERO;
		struct lp_amount credited = payee->credited;
		struct lp_recipient_books b;
		uint64_t tickets = 0;

		for (int k = 0; k < w->n_jobs; k++) {
			const struct job *job = &w->jobs[k];

			if (job->payee != p)
				continue;
			signed_ = plus(signed_, job->stake.value);
			for (int i = 0; i < job->takes; i++)
				taken = plus(taken, job->stake.value);
			if (job->accepted)
				once = plus(once, job->stake.value);
			tickets += job->stake.payment.n * (uint64_t)(1 + job->takes);
		}
		lp_recipient_books(&b, payee->r);
		credited = plus(credited, b.credited);
		assert_same(credited, taken, tickets);
		assert_true(lp_amount_is_zero(b.waiting));
		assert_true(lp_amount_cmp(once, signed_) <= 0);
		if (payee->life == 1)
			assert_same(taken, once, 0);
	}
}

/* What accounts lost on the chain is what orchestrators got there, and both is what was redeemed. */
static void the_chain_adds_up(struct world *w)
{
	struct lp_wei had, has, gone, fees;

	for (int i = 0; i < 2; i++) {
		const struct lp_chain_sender s = on_chain(w, i ? 2 : 1, 0);

		assert_true(lp_wei_add(&had, w->deposit, w->reserve));
		assert_true(lp_wei_add(&has, s.funds.deposit, s.funds.reserve));
		assert_true(lp_wei_sub(&gone, had, has));
		assert_int_equal(lp_wei_cmp(gone, w->paid[i]), 0);
	}
	for (int i = 0; i < PAYEES; i++) {
		assert_int_equal(lp_ledger_fees(w->ledger, &fees, payee_address(i), NULL), LP_OK);
		assert_int_equal(lp_wei_cmp(fees, w->payees[i].earned), 0);
	}
}

/* What recipients credited is what was signed and arrived; what they debited is what they ran; the rest is there. */
static void recipients_add_up(struct world *w)
{
	for (int p = 0; p < PAYEES; p++) {
		struct lp_amount arrived = LP_AMOUNT_ZERO, ran = LP_AMOUNT_ZERO, left = LP_AMOUNT_ZERO;
		struct lp_recipient_books b;
		uint64_t tickets = 0;

		for (int k = 0; k < w->n_jobs; k++) {
			const struct job *job = &w->jobs[k];

			if (job->payee != p)
				continue;
			for (int i = 0; i < job->runs; i++)
				ran = plus(ran, job->fee);
			if (job->accepted)
				arrived = plus(arrived, job->stake.value);
			tickets += job->stake.payment.n;
		}
		for (int i = 0; i < PAYERS * MODELS; i++) {
			const struct lp_payer who = payer_at(w, i % PAYERS, i / PAYERS);

			if (i % PAYERS != 1)	/* it has the account of 0 */
				left = plus(left, lp_recipient_balance(w->payees[p].r, &who));
		}
		lp_recipient_books(&b, w->payees[p].r);
		assert_true(lp_amount_is_zero(b.waiting) && (w->story->lapse || lp_amount_is_zero(b.given_up)));
		assert_same(b.credited, arrived, tickets);
		assert_same(b.debited, ran, 0);
		assert_same(left, minus(minus(b.credited, b.debited), b.given_up), 0);
	}
}

/* What an account believes to have at an orchestrator; given_up: and what it has written off there. */
static struct lp_amount believed(struct world *w, int payer, int payee, int model, bool given_up)
{
	const struct lp_sender_key key = key_to(payee, model);
	struct lp_sender_books a, b = { 0 };

	lp_sender_books(&a, w->payers[payer].s, &key);
	if (payer == 0)
		lp_sender_books(&b, w->payers[1].s, &key);
	if (given_up)
		return plus(plus(a.credit, b.credit), plus(a.given_up, b.given_up));
	return plus(a.credit, b.credit);
}

/* Debits that no payer knows of: jobs that ran because a message came twice. */
static struct lp_amount unknown_debits(const struct world *w, int payer, int payee, int model)
{
	struct lp_amount sum = LP_AMOUNT_ZERO;

	for (int k = 0; k < w->n_jobs; k++) {
		const struct job *job = &w->jobs[k];
		int known = job->how == LP_PAID_DONE || job->how == LP_PAID_UNKNOWN;

		if ((job->payer == 2) == (payer == 2) && job->payee == payee && job->model == model)
			for (int i = known; i < job->runs; i++)
				sum = plus(sum, job->fee);
	}
	return sum;
}

static void nobody_believes_more_than_is_there(struct world *w, bool exact)
{
	for (int i = 0; i < 2 * PAYEES * MODELS; i++) {
		int payer = i % 2 * 2, payee = i / 2 % PAYEES, model = i / 2 / PAYEES;
		const struct lp_payer who = payer_at(w, payer, model);
		struct lp_amount there = lp_recipient_balance(w->payees[payee].r, &who);
		struct lp_amount believe = believed(w, payer, payee, model, exact);

		there = plus(there, unknown_debits(w, payer, payee, model));
		if (exact)
			assert_same(believe, there, 100000);
		else
			assert_true(lp_amount_cmp(believe,
						  plus(there, (struct lp_amount){ lp_u256_of(100000), false })) <= 0);
	}
}

/* Every ticket that won and was credited is redeemed in the end, once (or it waits, where the test has not). */
static void no_winner_is_lost(struct world *w)
{
	int won = 0;
	double tickets = 0;

	for (int i = 0; i < PAYEES; i++)
		sync_payee(w, i, UINT64_MAX);
	pass_blocks(w, 100);
	for (int k = 0; k < w->n_jobs; k++) {
		const struct job *job = &w->jobs[k];
		const struct lp_payment *p = &job->stake.payment;
		struct lp_rand_offer offer = { .recipient = p->params.recipient, .sender = p->sender,
					       .face_value = p->params.face_value, .win_prob = p->params.win_prob,
					       .expiration_block = p->params.expiration_block,
					       .price_per_unit = PRICE, .units = 1, .round = p->params.round,
					       .round_hash = p->params.round_hash };
		struct lp_hash rand;
		uint8_t secret[32];

		if (!job->accepted || !p->n)
			continue;
		memset(secret, 50 + job->payee, sizeof secret);
		lp_u256_write_32(offer.seed.bytes, p->params.seed);
		lp_quote_work(&offer.quote, PAID_CAPABILITY, models[job->model]);
		assert_true(lp_rand_check(&rand, secret, &offer, &p->params.rand_hash));
		for (size_t i = 0; i < p->n; i++) {
			struct lp_ticket t;
			struct lp_hash hash;

			tickets++;
			lp_payment_ticket(&t, p, i);
			lp_ticket_hash(&hash, &t);
			if (!lp_ticket_wins(&t, &p->tickets[i].sig, &rand))
				continue;
			won++;
			assert_non_null(lp_map_find(w->redeemed, lp_span_of(hash.bytes, sizeof hash.bytes)));
		}
	}
	assert_true(won > 10);
	/* One in a hundred wins: what was paid on the chain is what was owed, within 4 sigma. */
	assert_true(fabs(won - tickets / 100) <= 4 * sqrt(tickets * 0.01 * 0.99));
	the_chain_adds_up(w);
}

static void play(struct world *w, const struct story *story)
{
	begin(w, story);
	while (w->n_jobs < story->jobs && w->unpaid < 50 * story->jobs)
		step(w);
	while (w->n_events > 0)
		deliver(w);
	senders_add_up(w);
	nothing_comes_from_nothing(w);
}

static struct world *world(void)
{
	return lp_mem_zeroed(1, sizeof(struct world));
}

static void where_nothing_goes_wrong_both_sides_have_the_same_books(void **state)
{
	(void)state;
	struct world *w = world();

	play(w, &(struct story){ .seed = 1, .jobs = 3000, .fail = 10, .reserve = 100000 });
	recipients_add_up(w);
	nobody_believes_more_than_is_there(w, true);
	no_winner_is_lost(w);
	end(w);
	lp_mem_free(w);
}

static void losses_and_replays_create_no_money(void **state)
{
	(void)state;
	struct world *w = world();

	for (uint64_t seed = 10; seed < 12; seed++) {
		play(w, &(struct story){ .seed = seed, .jobs = 2500, .lose = 8, .twice = 10, .fail = 10,
					 .reserve = 100000 });
		recipients_add_up(w);
		nobody_believes_more_than_is_there(w, false);
		no_winner_is_lost(w);
		end(w);
	}
	lp_mem_free(w);
}

static void crashes_lose_no_winner_and_use_no_nonce_twice(void **state)
{
	(void)state;
	struct world *w = world();

	for (uint64_t seed = 20; seed < 23; seed++) {
		play(w, &(struct story){ .seed = seed, .jobs = 2500, .lose = 5, .twice = 5, .fail = 5, .restart = 8,
					 .reserve = 100000 });
		no_winner_is_lost(w);
		end(w);
	}
	lp_mem_free(w);
}

static void exhausted_reserves_stop_payments_and_lose_nothing(void **state)
{
	(void)state;
	struct world *w = world();

	play(w, &(struct story){ .seed = 30, .jobs = 2500, .lose = 3, .twice = 3, .fail = 3, .reserve = 2 });
	assert_true(w->unpaid > 0);
	recipients_add_up(w);
	nobody_believes_more_than_is_there(w, false);
	no_winner_is_lost(w);
	end(w);
	lp_mem_free(w);
}

/* Nothing is ever charged here, so that what is there is what was credited: of no ticket twice, though a disk forgot
 * that it was seen and the message came again in another life. */
static void no_ticket_counts_twice_whatever_a_crash_forgot(void **state)
{
	(void)state;
	struct world *w = world();
	int again = 0;

	play(w, &(struct story){ .seed = 50, .jobs = 3000, .twice = 20, .fail = 100, .restart = 8, .late = 60,
				 .reserve = 100000 });
	for (int i = 0; i < 2 * PAYEES * MODELS; i++) {
		int payer = i % 2 * 2, payee = i / 2 % PAYEES, model = i / 2 / PAYEES;
		const struct lp_payer who = payer_at(w, payer, model);
		struct lp_amount once = LP_AMOUNT_ZERO;

		for (int k = 0; k < w->n_jobs; k++) {
			const struct job *job = &w->jobs[k];

			if ((job->payer == 2) != (payer == 2) || job->payee != payee || job->model != model)
				continue;
			if (job->accepted)
				once = plus(once, job->stake.value);
			again += job->takes > 1;
		}
		once = plus(once, (struct lp_amount){ lp_u256_of(100000), false });
		assert_true(lp_amount_cmp(lp_recipient_balance(w->payees[payee].r, &who), once) <= 0);
	}
	assert_true(again > 0);		/* or this proved nothing */
	no_winner_is_lost(w);
	end(w);
	lp_mem_free(w);
}

/* Clocks of machines jump by days, the chain's block is found behind and far ahead, credit lapses, and messages of
 * long ago come once more. */
static void clocks_that_jump_and_late_messages_create_no_money(void **state)
{
	(void)state;
	struct world *w = world();

	for (uint64_t seed = 60; seed < 62; seed++) {
		play(w, &(struct story){ .seed = seed, .jobs = 2500, .lose = 5, .twice = 10, .fail = 10, .late = 50,
					 .leap = 20, .lapse = seed % 2, .reserve = 100000 });
		recipients_add_up(w);
		if (seed % 2 == 0)
			nobody_believes_more_than_is_there(w, false);
		no_winner_is_lost(w);
		end(w);
	}
	lp_mem_free(w);
}

/* MONEY_WORLDS=n for more of them; SIM_SEED=n for exactly that one. */
static void everything_at_once_loses_no_winner_and_adds_up(void **state)
{
	(void)state;
	struct world *w = world();
	const char *seed = getenv("SIM_SEED"), *worlds = getenv("MONEY_WORLDS");
	uint64_t first = seed ? strtoull(seed, NULL, 10) : 100;
	uint64_t n = seed ? 1 : worlds ? strtoull(worlds, NULL, 10) : 4;

	for (uint64_t i = first; i < first + n; i++) {
		print_message("SIM_SEED=%llu\n", (unsigned long long)i);
		play(w, &(struct story){ .seed = i, .jobs = 2500, .lose = 5, .twice = 5, .fail = 5, .restart = 6,
					 .late = 20, .leap = 10, .lapse = i % 2,
					 .reserve = i % 4 == 3 ? 3 : 100000 });
		no_winner_is_lost(w);
		end(w);
	}
	lp_mem_free(w);
}

/* 100,000 tickets that win with one in a hundred: 1,000, and 4 sigma are 126.  What is paid is what was owed. */
static void tickets_win_as_often_as_they_say(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "statistics");
	struct lp_key *key = paid_key(scope, 1);
	struct lp_recipient *r = paid_recipient(payee_address(0), 77);
	const struct lp_payer_funds funds = paid_funds();
	const struct lp_quote quote = paid_quote(lp_key_address(key), PRICE);
	struct lp_params params;
	struct lp_hash rand;
	int won = 0;

	for (uint32_t i = 0; i < 100000; i++) {
		const struct lp_recipient_ask ask = { &quote, &funds, paid_hash(i) };
		struct lp_hash hash;
		struct lp_sig sig;

		if (i % 500 == 0) {
			assert_int_equal(lp_recipient_offer(&params, r, &ask, NULL), LP_OK);
			rand = paid_hash(i);	/* any will do: what matters is that the signature was not made for it */
		}
		const struct lp_ticket t = { params.recipient, quote.sender, params.face_value, params.win_prob, i,
					     params.rand_hash, params.round, params.round_hash };
		lp_ticket_hash(&hash, &t);
		lp_key_sign(&sig, key, &hash);
		won += lp_ticket_wins(&t, &sig, &rand);
	}
	assert_true(abs(won - 1000) <= 126);
	/* In money: won * face value against 100,000 * ev. */
	struct lp_wei paid, owed = lp_wei_of(100000ULL * PAID_EV), gap;
	assert_true(lp_wei_mul(&paid, params.face_value, (uint64_t)won));
	assert_true(lp_wei_sub(&gap, paid, owed) || lp_wei_sub(&gap, owed, paid));
	assert_true(lp_wei_cmp(gap, lp_wei_of(126ULL * 100 * PAID_EV)) <= 0);
	lp_recipient_free(&r);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_nothing_goes_wrong_both_sides_have_the_same_books),
		cmocka_unit_test(losses_and_replays_create_no_money),
		cmocka_unit_test(crashes_lose_no_winner_and_use_no_nonce_twice),
		cmocka_unit_test(exhausted_reserves_stop_payments_and_lose_nothing),
		cmocka_unit_test(no_ticket_counts_twice_whatever_a_crash_forgot),
		cmocka_unit_test(clocks_that_jump_and_late_messages_create_no_money),
		cmocka_unit_test(everything_at_once_loses_no_winner_and_adds_up),
		cmocka_unit_test(tickets_win_as_often_as_they_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
