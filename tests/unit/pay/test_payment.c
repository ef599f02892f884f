#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/eth/key.h>
#include <lpd/pay/payment.h>
#include <lpd/pay/price.h>

#include "payments.h"

/* Read, then written: the same characters. */
static struct lp_payment both_ways(struct lp_scope *scope, struct lp_span header)
{
	struct lp_payment payment;
	struct lp_buf again = { 0 };
	struct lp_err e;

	if (lp_payment_read(scope, &payment, header, &e))
		fail_msg("%s", e.words);
	lp_payment_write(&again, &payment);
	assert_int_equal(again.len, header.len);
	if (header.len)
		assert_memory_equal(lp_buf_span(&again).at, header.at, header.len);
	lp_buf_clear(&again);
	return payment;
}

static void the_networks_payments_read_and_write_alike(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i, read = 0;
	json_t *row;

	json_array_foreach(payments_list(scope, "protobuf"), i, row)
	{
		struct lp_payment payment;
		struct lp_err e;

		if (!json_object_get(row, "base64_header"))
			continue;
		if (json_object_get(row, "expected_price")) {	/* -1000/1 */
			assert_int_equal(lp_payment_read(scope, &payment, row_text(row, "base64_header"), &e), LP_PRICE);
			continue;
		}
		payment = both_ways(scope, row_text(row, "base64_header"));
		read++;
		if (i == 1) {
			assert_int_equal(payment.n, 3);
			assert_int_equal(payment.params.round, 3400);
			assert_int_equal(payment.price_per_unit, 1000);
		}
		if (i == 6) {
			assert_int_equal(payment.capability, 27);
			assert_true(lp_span_is(payment.constraint, "stabilityai/sd-turbo"));
			assert_false(payment.has_params);
		}
		if (!row_text(row, "base64_header").len)
			assert_true(lp_address_is_zero(payment.sender) && !payment.has_price && !payment.n);
	}
	assert_int_equal(read, 4);
	lp_scope_close(&scope);
}

static void every_recorded_payment_is_valid_to_the_signature(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	size_t i, j, tickets = 0;
	json_t *row, *step;

	json_array_foreach(payments_list(scope, "process_payment"), i, row)
	{
		json_array_foreach(json_object_get(row, "steps"), j, step)
		{
			if (!json_object_get(step, "header"))
				continue;
			struct lp_payment payment = both_ways(scope, row_text(step, "header"));
			bool bad = lp_span_is(row_text(step, "error"), "invalid ticket signature");

			assert_int_equal(payment.n, json_array_size(json_object_get(step, "nonces")));
			for (size_t k = 0; k < payment.n; k++) {
				struct lp_ticket ticket;
				struct lp_hash hash;

				lp_payment_ticket(&ticket, &payment, k);
				assert_int_equal(ticket.nonce,
						 json_integer_value(json_array_get(json_object_get(step, "nonces"), k)));
				lp_ticket_hash(&hash, &ticket);
				assert_int_equal(lp_sig_check(&payment.tickets[k].sig, &hash, ticket.sender),
						 !(bad && k == 1));
				tickets++;
			}
		}
	}
	assert_true(tickets >= 25);
	lp_scope_close(&scope);
}

static struct lp_payment with_tickets(struct lp_scope *scope, size_t n)
{
	json_t *row = json_array_get(payments_list(scope, "protobuf"), 1);
	struct lp_payment payment = both_ways(scope, row_text(row, "base64_header"));
	struct lp_payment_ticket *tickets = lp_new_array(scope, struct lp_payment_ticket, n + 1);

	for (size_t i = 0; i < n; i++) {
		tickets[i] = payment.tickets[0];
		tickets[i].nonce = (uint32_t)(i + 1);
	}
	payment.tickets = tickets;
	payment.n = n;
	return payment;
}

static void sizes_are_those_of_the_network_and_bounded(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	json_t *sizes = json_object_get(vectors_open(scope, "payments"), "sizes");
	struct lp_payment payment = with_tickets(scope, LP_NONCES_MAX), back;
	struct lp_buf header = { 0 };
	struct lp_err e;

	lp_payment_write(&header, &payment);
	assert_int_equal(header.len, row_u64(sizes, "payment_600_tickets_base64"));
	assert_true(header.len <= LP_PAYMENT_MAX);
	both_ways(scope, lp_buf_span(&header));
	payment = with_tickets(scope, LP_NONCES_MAX + 1);
	lp_buf_reset(&header);
	lp_payment_write(&header, &payment);
	assert_int_equal(lp_payment_read(scope, &back, lp_buf_span(&header), &e), LP_TICKETS_FULL);
	payment = with_tickets(scope, 2500);
	lp_buf_reset(&header);
	lp_payment_write(&header, &payment);
	assert_int_equal(lp_payment_read(scope, &back, lp_buf_span(&header), &e), LP_TICKETS_FULL);
	assert_int_equal(back.n, 0);
	lp_buf_clear(&header);
	lp_scope_close(&scope);
}

/* Fields added to a good payment: the last of a number counts, lists grow, messages merge. */
static enum lp_code with(struct lp_scope *scope, size_t which, const char *add, size_t len, struct lp_err *e)
{
	struct lp_span bytes = row_bytes(scope, json_array_get(payments_list(scope, "protobuf"), which), "bytes");
	struct lp_buf raw = { 0 }, header = { 0 };
	struct lp_payment payment;

	lp_buf_add_span(&raw, bytes);
	lp_buf_add(&raw, add, len);
	lp_b64_write(&header, lp_buf_span(&raw));
	enum lp_code code = lp_payment_read(scope, &payment, lp_buf_span(&header), e);

	lp_buf_clear(&raw);
	lp_buf_clear(&header);
	return code;
}

#define WITH(which, add) with(scope, which, add, sizeof(add) - 1, &e)

static void what_no_honest_payer_sends_is_refused(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_payment payment;
	struct lp_err e;

	/* 1 is a payment with tickets, 2 one without, 8 is empty. */
	assert_int_equal(WITH(1, ""), LP_OK);
	assert_int_equal(WITH(1, "\x12\x02zz"), LP_TICKET_SENDER);
	assert_string_equal(e.words, "invalid ticket sender");
	assert_int_equal(WITH(1, "\x22\x04\x08\x01\x12\x00"), LP_BAD_TICKET);
	assert_string_equal(e.words, "invalid ticket signature");
	assert_int_equal(WITH(1, "\x22\x02\x08\x01"), LP_BAD_TICKET);
	assert_int_equal(WITH(1, "\x0a\x04\x0a\x02zz"), LP_BAD_TICKET);
	assert_string_equal(e.words, "ticket params: the recipient is no address");
	assert_int_equal(WITH(1, "\x1a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), LP_BAD_TICKET);
	assert_string_equal(e.words, "ticket params: the round is negative");
	assert_int_equal(WITH(1, "\x2a\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), LP_PRICE);
	assert_int_equal(WITH(1, "\x2a\x03\x22\x01\xff"), LP_UNDERPAID);
	assert_int_equal(WITH(2, "\x22\x02\x08\x01"), LP_BAD_TICKET);
	assert_string_equal(e.words, "tickets without ticket params");
	assert_int_equal(WITH(2, "\x0a\x00"), LP_BAD_TICKET);
	assert_string_equal(e.words, "ticket params without expiration params");
	assert_int_equal(WITH(2, "\x0a"), LP_UNDERPAID);
	assert_true(lp_span_starts(lp_span(e.words), "protobuf unmarshal error: "));
	assert_int_equal(lp_payment_read(scope, &payment, LP_SPAN("!!!"), &e), LP_UNDERPAID);
	assert_true(lp_span_starts(lp_span(e.words), "base64 decode error: "));
	lp_scope_close(&scope);
}

static void tickets_without_a_sender_are_refused(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_payment payment = with_tickets(scope, 1), back;
	struct lp_buf header = { 0 };
	struct lp_err e;

	memset(&payment.sender, 0, sizeof payment.sender);
	lp_payment_write(&header, &payment);
	assert_int_equal(lp_payment_read(scope, &back, lp_buf_span(&header), &e), LP_TICKET_SENDER);
	assert_string_equal(e.words, "Could not find Sender for payment");
	lp_buf_clear(&header);
	lp_scope_close(&scope);
}

static void a_payment_stuffed_with_empty_tickets_costs_bounded_memory(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_buf raw = { 0 }, header = { 0 };
	struct lp_payment payment;
	struct lp_err e;

	for (int i = 0; i < 20000; i++)
		lp_buf_add(&raw, "\x22\x00", 2);
	lp_b64_write(&header, lp_buf_span(&raw));
	assert_true(header.len <= LP_PAYMENT_MAX);
	assert_int_not_equal(lp_payment_read(scope, &payment, lp_buf_span(&header), &e), LP_OK);
	assert_true(lp_scope_bytes(scope) < 1 << 20);
	lp_buf_clear(&raw);
	lp_buf_clear(&header);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_networks_payments_read_and_write_alike),
		cmocka_unit_test(every_recorded_payment_is_valid_to_the_signature),
		cmocka_unit_test(sizes_are_those_of_the_network_and_bounded),
		cmocka_unit_test(what_no_honest_payer_sends_is_refused),
		cmocka_unit_test(tickets_without_a_sender_are_refused),
		cmocka_unit_test(a_payment_stuffed_with_empty_tickets_costs_bounded_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
