#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/eth/key.h>
#include <lpd/pay/receive.h>

#include "incumbent_rand.h"

/* An orchestrator with one offer, and the gateway that holds it. */
struct pair {
	struct lp_scope *scope;
	struct lp_nonces *nonces;
	struct lp_key *payer;
	struct lp_hash secret;
	struct lp_rand_offer offer;
	struct lp_receive with;
	struct lp_ticket ticket;
};

/* The offer of the vectors' scenarios, as the reference has run them: round 3400, blocks around 21000000. */
static int open_pair(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct pair *pair = lp_new(scope, struct pair);
	json_t *scan = json_object_get(vectors_open(scope, "payments"), "winning_scan");
	struct lp_hash key = row_hash(scan, "private_key");

	pair->scope = scope;
	pair->nonces = lp_nonces_new(10);
	assert_int_equal(lp_key_open(scope, &pair->payer, key.bytes, NULL), LP_OK);
	pair->secret = row_hash(scan, "secret");
	pair->offer = row_rand_offer(json_object_get(scan, "inputs"));
	pair->ticket = (struct lp_ticket){ .recipient = row_address(scan, "recipient"),
					   .sender = row_address(scan, "sender"),
					   .face_value = row_wei(scan, "face_value"),
					   .win_prob = row_u256(scan, "win_prob"),
					   .nonce = 1,
					   .rand_hash = row_hash(scan, "recipient_rand_hash"),
					   .round = pair->offer.round,
					   .round_hash = pair->offer.round_hash };
	pair->with = (struct lp_receive){ .recipient = pair->ticket.recipient,
					  .block = 21000000,
					  .last_round = 3400,
					  .offer = { .rand_hash = pair->ticket.rand_hash,
						     .expiration_block = pair->offer.expiration_block,
						     .sender = pair->ticket.sender } };
	pair->with.rand = incumbent_rand(&pair->secret, &pair->offer);
	*state = pair;
	return 0;
}

static int close_pair(void **state)
{
	struct pair *pair = *state;

	lp_nonces_free(&pair->nonces);
	lp_scope_close(&pair->scope);
	return 0;
}

/* As the owner of the books does what the answer says. */
static struct lp_received receive(struct pair *pair, const struct lp_sig *sig, struct lp_err *e)
{
	struct lp_received got = lp_receive_ticket(&pair->with, pair->nonces, &pair->ticket, sig, e);

	if (got.uses_nonce)
		assert_int_equal(lp_nonces_take(pair->nonces, &pair->with.offer, &pair->ticket.nonce, 1, NULL), LP_OK);
	assert_int_equal(got.credit.below, false);
	assert_int_equal(lp_amount_is_zero(got.credit), got.code != LP_OK);
	return got;
}

static struct lp_sig sign(const struct pair *pair)
{
	struct lp_hash hash;
	struct lp_sig sig;

	lp_ticket_hash(&hash, &pair->ticket);
	lp_key_sign(&sig, pair->payer, &hash);
	return sig;
}

static struct lp_received receive_nonce(struct pair *pair, uint32_t nonce, struct lp_err *e)
{
	struct lp_sig sig;

	pair->ticket.nonce = nonce;
	sig = sign(pair);
	return receive(pair, &sig, e);
}

/* What a step of a scenario does otherwise than the offer says. */
static void change(struct pair *pair, json_t *step)
{
	json_t *ticket = json_object_get(step, "ticket"), *offer = json_object_get(step, "offer");

	pair->ticket.nonce = (uint32_t)json_integer_value(json_object_get(step, "nonce"));
	if (json_object_get(ticket, "recipient"))
		pair->ticket.recipient = row_address(ticket, "recipient");
	if (json_object_get(ticket, "sender"))
		pair->ticket.sender = row_address(ticket, "sender");
	if (json_object_get(ticket, "face_value"))
		pair->ticket.face_value = row_wei(ticket, "face_value");
	if (json_object_get(ticket, "win_prob"))
		pair->ticket.win_prob = row_u256(ticket, "win_prob");
	if (json_object_get(ticket, "creation_round"))
		pair->ticket.round = row_u64(ticket, "creation_round");
	if (json_object_get(offer, "price_num"))
		pair->offer.price_per_unit = row_i64(offer, "price_num");
	if (json_object_get(offer, "price_den"))
		pair->offer.units = row_i64(offer, "price_den");
	if (json_object_get(offer, "expiration_block"))
		pair->offer.expiration_block = row_u64(offer, "expiration_block");
	if (json_object_get(step, "last_seen_l1_block"))
		pair->with.block = row_u64(step, "last_seen_l1_block");
	if (json_object_get(step, "withdraw_round"))
		pair->with.withdraw_round = row_u64(step, "withdraw_round");
	pair->with.unknown = json_string_value(json_object_get(step, "sender_info_error"));
}

/* What came is what the rand is made again from. */
static void derive(struct pair *pair)
{
	pair->offer.sender = pair->ticket.sender;
	pair->offer.face_value = pair->ticket.face_value;
	pair->offer.win_prob = pair->ticket.win_prob;
	pair->offer.round = pair->ticket.round;
	pair->offer.round_hash = pair->ticket.round_hash;
	pair->with.offer.sender = pair->ticket.sender;
	pair->with.offer.expiration_block = pair->offer.expiration_block;
	pair->with.rand = incumbent_rand(&pair->secret, &pair->offer);
}

/* Signatures of other lengths never become an lp_sig; here they stand for one that is nobody's. */
static struct lp_sig signature_of(struct pair *pair, const json_t *step)
{
	struct lp_sig sig = { { 0 } };

	if (!json_object_get(step, "sig"))
		return sign(pair);
	if (!lp_sig_of(&sig, row_bytes(pair->scope, step, "sig")))
		memset(&sig, 0, sizeof sig);
	return sig;
}

static void run_step(const struct pair *start, json_t *step, const char *scenario)
{
	struct pair now = *start;
	struct lp_err e = { 0 };
	struct lp_sig sig;

	change(&now, step);
	derive(&now);
	sig = signature_of(&now, step);
	struct lp_received got = receive(&now, &sig, &e);

	if (strcmp(got.code ? e.words : "", json_string_value(json_object_get(step, "error"))) != 0)
		fail_msg("%s: %s", scenario, e.words);
	if (got.wins != json_is_true(json_object_get(step, "won")) ||
	    got.fatal != json_is_true(json_object_get(step, "fatal")))
		fail_msg("%s: won or fatal", scenario);
}

static void scenarios_of_the_reference_come_out_with_its_words(void **state)
{
	struct pair *start = *state;
	size_t i, k, steps = 0;
	json_t *row, *step;

	json_array_foreach(payments_list(start->scope, "receive_ticket"), i, row)
	{
		json_int_t before = json_integer_value(json_object_get(row, "nonces_1_to_n_received_before"));

		lp_nonces_free(&start->nonces);
		start->nonces = lp_nonces_new(10);
		for (uint32_t n = 1; n <= before; n++)
			assert_int_equal(lp_nonces_take(start->nonces, &start->with.offer, &n, 1, NULL), LP_OK);
		json_array_foreach(json_object_get(row, "steps"), k, step)
		{
			run_step(start, step, json_string_value(json_object_get(row, "description")));
			steps++;
		}
	}
	assert_int_equal(i, 18);
	assert_int_equal(steps, 35);
}

/* Each refusal has a code of its own, by which the roles tell what to do. */
static void each_refusal_has_its_code_and_leaves_the_books_alone(void **state)
{
	struct pair *pair = *state, good = *pair;
	struct lp_err e;

	pair->with.unknown = "the node does not answer";
	assert_int_equal(receive_nonce(pair, 1, &e).code, LP_UNAVAILABLE);
	*pair = good;
	pair->with.withdraw_round = 3401;
	assert_int_equal(receive_nonce(pair, 1, &e).code, LP_NO_FUNDS);
	*pair = good;
	pair->ticket.recipient.bytes[0] ^= 1;
	assert_int_equal(receive_nonce(pair, 1, &e).code, LP_TICKET_RECIPIENT);
	*pair = good;
	memset(&pair->ticket.sender, 0, sizeof pair->ticket.sender);
	assert_int_equal(receive_nonce(pair, 1, &e).code, LP_TICKET_SENDER);
	*pair = good;
	pair->with.rand.bytes[31] ^= 1;
	assert_int_equal(receive_nonce(pair, 1, &e).code, LP_BAD_TICKET);
	*pair = good;
	pair->ticket.sender.bytes[0] ^= 1;
	struct lp_received got = receive_nonce(pair, 1, &e);

	assert_int_equal(got.code, LP_BAD_TICKET);
	assert_false(got.fatal || got.wins || got.uses_nonce);
	*pair = good;
	assert_int_equal(lp_nonces_offers(pair->nonces), 0);
	assert_int_equal(receive_nonce(pair, 1, &e).code, LP_OK);
	assert_int_equal(receive_nonce(pair, 1, &e).code, LP_NONCE_SEEN);
	pair->with.block = pair->with.offer.expiration_block;
	got = receive_nonce(pair, 2, &e);
	assert_int_equal(got.code, LP_PARAMS_EXPIRED);
	assert_true(got.uses_nonce);
	*pair = good;
}

/* the offer lives 40 blocks, and our clock may be some behind the one that made it. */
static void an_offer_that_ends_too_far_away_is_refused(void **state)
{
	struct pair *pair = *state;
	uint64_t end = pair->with.offer.expiration_block;
	struct lp_err e;

	pair->with.block = end - LP_PARAMS_LIFE - LP_RECEIVE_SLACK;
	assert_int_equal(receive_nonce(pair, 1, &e).code, LP_OK);
	pair->with.block--;
	struct lp_received got = receive_nonce(pair, 2, &e);

	assert_int_equal(got.code, LP_BAD_TICKET);
	assert_string_equal(e.words, "ticketParams expiration block is too far away");
	assert_true(got.fatal);
	assert_false(got.uses_nonce || got.wins);
	pair->with.block = UINT64_MAX;
	assert_int_equal(receive_nonce(pair, 3, &e).code, LP_PARAMS_EXPIRED);
}

/* T-3. */
static void what_an_offer_is_worth_is_looked_at_once_more(void **state)
{
	struct pair *pair = *state;
	struct lp_amount ev, grain = { lp_u256_of(1), false };
	struct lp_err e;

	assert_true(lp_ticket_ev(&ev, pair->ticket.face_value, pair->ticket.win_prob, LP_UP));
	pair->with.most_face_value = pair->ticket.face_value;
	pair->with.least_ev = ev;
	struct lp_received got = receive_nonce(pair, 1, &e);

	assert_int_equal(got.code, LP_OK);
	assert_int_equal(lp_amount_cmp(got.credit, ev), 0);
	assert_true(lp_amount_add(&pair->with.least_ev, ev, grain));
	assert_int_equal(receive_nonce(pair, 2, &e).code, LP_PRICE);
	assert_string_equal(e.words, "ticket EV is less than we offer");
	pair->with.least_ev = ev;
	assert_true(lp_wei_sub(&pair->with.most_face_value, pair->with.most_face_value, lp_wei_of(1)));
	assert_int_equal(receive_nonce(pair, 2, &e).code, LP_PRICE);
	assert_string_equal(e.words, "ticket faceValue is more than we offer");
	pair->ticket.face_value.n = LP_U256_MAX;
	pair->ticket.win_prob = LP_U256_MAX;
	assert_int_equal(receive_nonce(pair, 2, &e).code, LP_PRICE);
	assert_string_equal(e.words, "a ticket is worth more than can be counted");
}

/* the nonces of a payment are asked for together. */
static void a_payment_of_many_tickets_is_judged_as_one(void **state)
{
	struct pair *pair = *state;
	static const uint32_t list[] = { 4, 5, 6 }, twice[] = { 7, 8, 7 };
	struct lp_err e;

	assert_int_equal(lp_receive_nonces(&pair->with, pair->nonces, list, 3, &e), LP_OK);
	assert_int_equal(lp_receive_nonces(&pair->with, pair->nonces, list, 3, &e), LP_OK);
	assert_int_equal(lp_receive_nonces(&pair->with, pair->nonces, twice, 3, &e), LP_NONCE_SEEN);
	assert_int_equal(lp_nonces_take(pair->nonces, &pair->with.offer, list + 1, 1, &e), LP_OK);
	assert_int_equal(lp_receive_nonces(&pair->with, pair->nonces, list, 3, &e), LP_NONCE_SEEN);
	assert_int_equal(lp_nonces_used(pair->nonces, &pair->with.offer.rand_hash), 1);
}

int main(void)
{
#define PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)
	const struct CMUnitTest tests[] = {
		PAIR(scenarios_of_the_reference_come_out_with_its_words),
		PAIR(each_refusal_has_its_code_and_leaves_the_books_alone),
		PAIR(an_offer_that_ends_too_far_away_is_refused),
		PAIR(what_an_offer_is_worth_is_looked_at_once_more),
		PAIR(a_payment_of_many_tickets_is_judged_as_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
