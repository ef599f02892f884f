/* The till of a gateway without a key, against a signer that says what a test wants. */
#include <string.h>

#include <lpd/base/hex.h>
#include <lpd/io/server.h>
#include <lpd/money/remote_till.h>
#include <lpd/pay/signer.h>

#include "real_loop.h"

struct bench {
	struct real_loop r;
	struct lp_server *server;
	struct lp_key *key;
	struct lp_remote_till *till;
	struct lp_sender_offer offer;
	struct lp_till_want want;
	struct lp_outlay *outlay;
	bool done;
	int status;
	bool silent;
	const char *body;		/* NULL: a payment of two tickets */
	struct lp_buf asked;
	int calls;
};

struct asked {
	struct bench *b;
	struct lp_exchange *ex;
	bool answered;
};

static void write_payment(struct bench *b, struct lp_buf *to)
{
	struct lp_payment_ticket tickets[2] = { { .nonce = 1 }, { .nonce = 2 } };
	struct lp_payment payment = { .sender = lp_key_address(b->key), .has_params = true, .params = b->offer.params,
				      .has_price = true, .price_per_unit = 1, .units = 1, .n = 2, .tickets = tickets };

	lp_payment_sign(&payment, b->key);
	lp_buf_add_text(to, "{\"payment\":\"");
	lp_payment_write(to, &payment);
	lp_buf_fmt(to, "\",\"segCreds\":\"c2Vn\",\"state\":{\"State\":\"c3Q%d\",\"Sig\":\"c2ln\"}}\n", b->calls % 10);
}

static void on_asked(void *self)
{
	struct asked *a = self;
	struct bench *b = a->b;
	struct lp_buf body = { 0 };
	struct lp_span bytes;

	if (a->answered || lp_exchange_gone(a->ex))
		return;
	bytes = lp_exchange_read(a->ex);
	lp_buf_add_span(&b->asked, bytes);
	lp_exchange_consume(a->ex, bytes.len);
	if (lp_exchange_body(a->ex) == LP_BODY_MORE || b->silent)
		return;
	a->answered = true;
	b->calls++;
	if (b->body)
		lp_buf_add_text(&body, b->body);
	else
		write_payment(b, &body);
	lp_reply(a->ex, b->status, "application/json", lp_buf_span(&body));
	lp_buf_clear(&body);
}

static void handle(void *self, struct lp_exchange *ex)
{
	struct asked *a = lp_new(lp_exchange_scope(ex), struct asked);
	struct bench *b = self;

	a->b = b;
	a->ex = ex;
	lp_buf_reset(&b->asked);
	lp_exchange_watch(ex, on_asked, a);
	on_asked(a);
}

static void on_done(void *self)
{
	struct bench *b = self;

	b->done = true;
}

static int setup(void **state)
{
	static struct bench b;
	struct lp_server_want want = { .handle = handle, .self = &b };
	struct lp_err e;

	b = (struct bench){ .status = 200 };
	real_loop_open(&b.r);
	b.key = lp_key_create(b.r.scope);
	assert_int_equal(lp_url_parse_address(b.r.scope, &want.address, LP_SPAN("127.0.0.1:0"), 0, &e), LP_OK);
	assert_int_equal(lp_server_open(b.r.scope, &b.server, b.r.loop, &want, &e), LP_OK);
	b.offer = (struct lp_sender_offer){ .has_params = true, .price_per_unit = 1, .units = 1 };
	b.offer.params.face_value = lp_wei_of(1000);
	b.offer.params.win_prob = LP_U256_MAX;
	b.offer.params.expiration_block = 9;
	memset(b.offer.params.recipient.bytes, 7, LP_ADDRESS_LEN);
	memset(b.offer.params.rand_hash.bytes, 8, 32);
	b.want = (struct lp_till_want){ .to = { .capability = 27, .model = LP_SPAN("m") }, .units = 1500, .job = "",
					.info = LP_SPAN("info"), .offer = &b.offer };
	b.till = lp_remote_till_open(b.r.scope, &(struct lp_remote_till_want){
		.loop = b.r.loop,
		.fetcher = lp_fetcher_open(b.r.scope, b.r.loop),
		.url = lp_span(lp_fmt(b.r.scope, "http://127.0.0.1:%u", lp_server_port(b.server))),
		.account = lp_key_address(b.key),
		.timeout = 300 * LP_MSEC,
	});
	*state = &b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	lp_scope_close(&b->r.scope);
	lp_buf_clear(&b->asked);
	return 0;
}

static enum lp_code pay(struct bench *b)
{
	b->done = false;
	b->outlay = lp_till_pay(b->r.scope, lp_remote_till(b->till), &b->want, (struct lp_till_hook){ on_done, b });
	real_loop_run_until(&b->r, &b->done);
	return lp_outlay_err(b->outlay)->code;
}

static void a_payment_is_passed_on_and_the_state_comes_along(void **state)
{
	struct bench *b = *state;

	assert_int_equal(pay(b), LP_OK);
	assert_string_equal(lp_buf_text(&b->asked),
			    "{\"inPixels\":1500,\"ManifestID\":\"27_m\",\"orchestrator\":\"aW5mbw==\"}");
	assert_int_equal(lp_outlay_payment(b->outlay)->tickets, 2);
	assert_true(lp_outlay_header(b->outlay).len > 100);
	assert_true(lp_span_is(lp_remote_till_segment(b->till, &b->want.to), "c2Vn"));
	assert_int_equal(pay(b), LP_OK);
	assert_non_null(strstr(lp_buf_text(&b->asked), ",\"state\":{\"State\":\"c3Q1\",\"Sig\":\"c2ln\"}}"));
}

static void what_tells_nodes_apart_is_not_told(void **state)
{
	struct bench *b = *state;

	b->want.to.model = lp_span_of("m\0https://a:1", 13);
	assert_int_equal(pay(b), LP_OK);
	assert_non_null(strstr(lp_buf_text(&b->asked), "\"ManifestID\":\"27_m\","));
}

static void what_the_signer_refuses_is_told(void **state)
{
	struct bench *b = *state;
	static const struct {
		int status;
		enum lp_code code;
	} rows[] = { { 480, LP_PARAMS_EXPIRED }, { 481, LP_PRICE }, { 400, LP_UNAVAILABLE }, { 500, LP_UNAVAILABLE },
		     { 302, LP_UNAVAILABLE } };

	b->body = "{}";
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		b->status = rows[i].status;
		assert_int_equal(pay(b), rows[i].code);
	}
}

static void credit_goes_without_tickets(void **state)
{
	struct bench *b = *state;
	struct lp_payment payment;

	b->status = 482;
	b->body = "{}";
	assert_int_equal(pay(b), LP_OK);
	assert_int_equal(lp_payment_read(b->r.scope, &payment, lp_outlay_header(b->outlay), NULL), LP_OK);
	assert_int_equal(payment.n, 0);
	assert_true(lp_address_eq(payment.sender, lp_key_address(b->key)));
	assert_true(payment.has_price && payment.price_per_unit == 1);
}

static void a_signer_that_lies_or_says_nothing_costs_an_error(void **state)
{
	struct bench *b = *state;
	static const char *const bodies[] = { "", "[]", "{}", "{\"payment\":\"AAAA\",\"segCreds\":\"c2Vn\"}",
		"{\"payment\":\"!\",\"segCreds\":\"c2Vn\",\"state\":{\"State\":\"c3Q1\",\"Sig\":\"c2ln\"}}",
		"{\"payment\":\"\",\"segCreds\":\"c2Vn\",\"state\":{\"State\":\"c3Q1\",\"Sig\":\"c2ln\"}}" };

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		b->body = bodies[i];
		assert_int_equal(pay(b), LP_UNAVAILABLE);
	}
	b->silent = true;
	assert_int_equal(pay(b), LP_UNAVAILABLE);
	b->silent = false;
	b->body = NULL;
	b->key = lp_key_create(b->r.scope);		/* another account's tickets */
	assert_int_equal(pay(b), LP_UNAVAILABLE);
	assert_int_equal(lp_remote_till_segment(b->till, &b->want.to).len, 0);
}

static void who_leaves_does_not_take_the_next_ones_turn(void **state)
{
	struct bench *b = *state;
	struct lp_scope *scope = lp_scope_open(b->r.scope, "job");

	lp_till_pay(scope, lp_remote_till(b->till), &b->want, (struct lp_till_hook){ on_done, b });
	lp_till_pay(scope, lp_remote_till(b->till), &b->want, (struct lp_till_hook){ on_done, b });
	lp_scope_close(&scope);
	assert_int_equal(pay(b), LP_OK);
	assert_int_equal(b->calls, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_payment_is_passed_on_and_the_state_comes_along),
		T(what_tells_nodes_apart_is_not_told),
		T(what_the_signer_refuses_is_told),
		T(credit_goes_without_tickets),
		T(a_signer_that_lies_or_says_nothing_costs_an_error),
		T(who_leaves_does_not_take_the_next_ones_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
