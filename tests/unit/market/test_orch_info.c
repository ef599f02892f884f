#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lpd/market/orch_info.h>
#include <lpd/proto/lp_rpc.pb-c.h>

#include "market/wire.h"
#include "vectors.h"

static json_t *vectors;

static int open_scope(void **state)
{
	*state = lp_scope_open(NULL, "test");
	vectors = vectors_open(*state, "network");
	return 0;
}

static int close_scope(void **state)
{
	struct lp_scope *scope = *state;

	lp_scope_close(&scope);
	return 0;
}

static void assert_bytes(struct lp_buf *made, struct lp_span wanted)
{
	struct lp_span is = lp_buf_span(made);

	assert_int_equal(is.len, wanted.len);
	assert_memory_equal(is.at, wanted.at, wanted.len);
	lp_buf_clear(made);
}

static void every_golden_answer_is_read_and_written_again(void **state)
{
	static const char *const names[] = { "orchestrator_info_onchain", "orchestrator_info_full",
					     "orchestrator_info_offchain" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct lp_span golden = vectors_message(*state, vectors, names[i]);
		struct lp_orch_info info;
		struct lp_buf made = { 0 };

		assert_int_equal(lp_orch_info_decode(*state, &info, golden, NULL), LP_OK);
		lp_orch_info_encode(&made, &info);
		assert_bytes(&made, golden);
	}
}

static void every_golden_question_is_read_and_written_again(void **state)
{
	static const char *const names[] = { "orchestrator_request_t2i",
					     "orchestrator_request_poller",
					     "orchestrator_request_offchain_t2i",
					     "orchestrator_request_live_refresh" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct lp_span golden = vectors_message(*state, vectors, names[i]);
		struct lp_orch_request request;
		struct lp_buf made = { 0 };

		assert_int_equal(lp_orch_request_decode(*state, &request, golden, NULL), LP_OK);
		lp_orch_request_encode(&made, &request);
		assert_bytes(&made, golden);
	}
}

static void a_question_built_here_is_gos_byte_by_byte(void **state)
{
	static const char zero[20];
	struct lp_orch_request request = { .address = { zero, 20 }, .has_capabilities = true };
	struct lp_model_terms model = { .model = LP_SPAN("stabilityai/sdxl-turbo") };
	struct lp_buf made = { 0 };

	lp_capabilities_init(&request.capabilities, *state, LP_SPAN("0.9.1"));
	lp_capabilities_add_model(*state, &request.capabilities, 27, &model);
	lp_orch_request_encode(&made, &request);
	assert_bytes(&made, vectors_message(*state, vectors, "orchestrator_request_offchain_t2i"));
}

static void the_fields_of_an_answer_arrive(void **state)
{
	struct lp_span golden = vectors_message(*state, vectors, "orchestrator_info_full");
	struct lp_orch_info info;

	assert_int_equal(lp_orch_info_decode(*state, &info, golden, NULL), LP_OK);
	assert_true(lp_span_is(info.transcoder, "https://orch.example.com:8935"));
	assert_int_equal(info.address.len, 20);
	assert_true(info.has_ticket_params);
	assert_true(info.price.present);
	assert_int_equal(info.price.price_per_unit, 3001);
	assert_int_equal(info.price.pixels_per_unit, 1000);
	assert_true(lp_span_is(info.auth_token.session_id, "0a1b2c3d"));
	assert_int_equal(info.auth_token.expiration, 1700000000);
	assert_true(info.n_prices > 0 && info.prices[0].constraint.len > 0);
	assert_true(info.n_hardware > 0 && info.hardware[0].n_gpus > 0);
	assert_true(info.hardware[0].gpus[0].memory_total > 0);
	const struct lp_model_terms *terms =
		lp_capabilities_model(&info.capabilities, 27, LP_SPAN("stabilityai/sdxl-turbo"));
	assert_non_null(terms);
	assert_true(terms->warm);
	assert_int_equal(terms->capacity, 2);
	assert_true(lp_span_is(terms->runner_version, "0.14.1"));
}

/* A gRPC frame of a capture, without its five bytes of prefix. */
static struct lp_span captured(struct lp_scope *scope, const char *name)
{
	return lp_span_skip(vectors_hex(scope, vectors_row(vectors, "captures", name), "body_hex"),
			    5);
}

static void captured_traffic_with_maps_in_any_order_is_read(void **state)
{
	struct lp_orch_request request;
	struct lp_orch_info info;

	assert_int_equal(lp_orch_request_decode(*state, &request,
						captured(*state, "grpc_get_orchestrator_request"),
						NULL),
			 LP_OK);
	assert_int_equal(request.capabilities.n_capacities, 16);
	assert_non_null(lp_capabilities_model(&request.capabilities, 27,
					      LP_SPAN("stabilityai/sdxl-turbo")));
	assert_int_equal(lp_orch_info_decode(*state, &info,
					     captured(*state, "grpc_get_orchestrator_response"),
					     NULL),
			 LP_OK);
	assert_true(lp_span_is(info.transcoder, "https://127.0.0.1:28935"));
	assert_true(lp_span_is(info.capabilities.min_version, "0.9.1"));
	assert_false(info.has_ticket_params);
	assert_false(info.price.present);
	assert_int_equal(lp_capabilities_check(&request.capabilities, &info.capabilities, NULL),
			 LP_OK);
}

static void a_key_or_value_that_was_left_out_is_zero(void **state)
{
	/* capabilities { bits 1; capacities {} ; constraints { {} , { models {} } } } */
	static const char bytes[] =
		"\x1a\x11\x0a\x01\x01\x1a\x00\x2a\x0a\x12\x00\x12\x06\x12\x04\x0a\x02\x12\x00";
	struct lp_orch_request request;

	assert_int_equal(lp_orch_request_decode(*state, &request, lp_span_of(bytes, 19), NULL),
			 LP_OK);
	assert_int_equal(request.capabilities.n_capacities, 1);
	assert_int_equal(request.capabilities.capacities[0].capability, 0);
	assert_int_equal(request.capabilities.capacities[0].count, 0);
	assert_int_equal(request.capabilities.n_caps, 2);
	assert_int_equal(request.capabilities.caps[0].n, 0);
	assert_int_equal(request.capabilities.caps[1].n, 1);
	assert_int_equal(request.capabilities.caps[1].models[0].model.len, 0);
}

static void without_capacities_each_bit_counts_one(void **state)
{
	static const char bytes[] = "\x1a\x04\x0a\x02\x81\x10"; /* word 0x801 */
	struct lp_orch_request request;

	assert_int_equal(lp_orch_request_decode(*state, &request, lp_span_of(bytes, 6), NULL),
			 LP_OK);
	assert_int_equal(request.capabilities.n_capacities, 2);
	assert_int_equal(request.capabilities.capacities[1].capability, 11);
	assert_int_equal(request.capabilities.capacities[1].count, 1);
	assert_false(request.capabilities.has_constraints);
}

static void a_bit_string_may_come_unpacked_and_too_long(void **state)
{
	char bytes[2 + 2 * 10] = "\x1a\x14";
	struct lp_orch_request request;

	for (size_t i = 2; i < sizeof bytes; i += 2) {
		bytes[i] = 0x08; /* field 1, varint */
		bytes[i + 1] = 1;
	}
	assert_int_equal(lp_orch_request_decode(*state, &request, lp_span_of(bytes, sizeof bytes),
						NULL),
			 LP_OK);
	assert_int_equal(request.capabilities.n_bits, LP_CAP_WORDS);
	assert_true(lp_capabilities_has(&request.capabilities, 448));
}

static void an_empty_question_asks_for_everything(void **state)
{
	struct lp_orch_request request;

	assert_int_equal(lp_orch_request_decode(*state, &request, LP_SPAN(""), NULL), LP_OK);
	assert_false(request.has_capabilities);
	assert_int_equal(request.address.len, 0);
}

static void an_empty_sub_message_is_present(void **state)
{
	struct lp_orch_info info;

	assert_int_equal(lp_orch_info_decode(*state, &info, LP_SPAN("\x12\x00\x2a\x00"), NULL),
			 LP_OK);
	assert_true(info.has_ticket_params);
	assert_true(info.has_capabilities);
	assert_false(info.auth_token.present);
	struct lp_buf made = { 0 };

	lp_orch_info_encode(&made, &info);
	assert_bytes(&made, LP_SPAN("\x12\x00\x2a\x00"));
}

static void text_that_is_no_utf8_is_refused_wherever_it_stands(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "\x0a\x01\xff", 3 },         /* transcoder */
		{ "\x92\x02\x01\xff", 4 },     /* nodes */
		{ "\x1a\x03\x22\x01\xff", 5 }, /* price_info.constraint */
		{ "\x2a\x0b\x2a\x09\x12\x07\x12\x05\x0a\x03\x0a\x01\xff", 13 }, /* a model's id */
	};
	struct lp_orch_info info;
	struct lp_err e;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct lp_span bytes = lp_span_of(bad[i].bytes, bad[i].len);

		assert_int_equal(lp_orch_info_decode(*state, &info, bytes, &e), LP_BAD_PEER);
	}
}

static void malformed_bytes_are_refused(void **state)
{
	struct lp_orch_info info;
	struct lp_orch_request request;

	assert_int_equal(lp_orch_info_decode(*state, &info, LP_SPAN("\x0a\x05zz"), NULL),
			 LP_BAD_PEER);
	assert_int_equal(lp_orch_info_decode(*state, &info, LP_SPAN("\x12\x02\x0a\x05"), NULL),
			 LP_BAD_PEER);
	assert_int_equal(lp_orch_request_decode(*state, &request, LP_SPAN("\x0a"), NULL),
			 LP_BAD_REQUEST);
}

static void a_message_cut_anywhere_never_reads_beyond(void **state)
{
	struct lp_span golden = vectors_message(*state, vectors, "orchestrator_info_full");
	struct lp_orch_info info;
	int refused = 0;

	for (size_t n = 0; n < golden.len; n++) {
		struct lp_scope *scope = lp_scope_open(NULL, "cut");
		struct lp_span copy = lp_span_dup(scope, lp_span_of(golden.at, n));

		refused += lp_orch_info_decode(scope, &info, copy, NULL) != LP_OK;
		lp_scope_close(&scope);
	}
	assert_true(refused > 100);
}

static void a_message_beyond_its_bound_is_not_even_parsed(void **state)
{
	char *large = lp_alloc(*state, LP_WIRE_INFO_MAX + 1);
	struct lp_orch_info info;
	struct lp_orch_request request;

	memset(large, 0, LP_WIRE_INFO_MAX + 1);
	assert_int_equal(lp_orch_info_decode(*state, &info, lp_span_of(large, LP_WIRE_INFO_MAX + 1),
					     NULL),
			 LP_BAD_PEER);
	assert_int_equal(lp_orch_request_decode(*state, &request,
						lp_span_of(large, LP_WIRE_SMALL_MAX + 1), NULL),
			 LP_BAD_REQUEST);
}

static void a_small_message_cannot_take_much_memory(void **state)
{
	struct lp_scope *scope = lp_scope_open(NULL, "greedy");
	size_t len = 256 * 1024;
	char *bytes = lp_alloc(*state, len);
	struct lp_orch_info info;

	for (size_t i = 0; i < len; i += 2)
		bytes[i] = 0x3a; /* an empty HardwareInformation, two bytes each */
	assert_int_equal(lp_orch_info_decode(scope, &info, lp_span_of(bytes, len), NULL),
			 LP_BAD_PEER);
	assert_true(lp_scope_bytes(scope) < 48 * len);
	lp_scope_close(&scope);
}

static void unknown_fields_are_ignored(void **state)
{
	struct lp_orch_info info;

	assert_int_equal(lp_orch_info_decode(*state, &info, LP_SPAN("\xc2\x3e\x02hi\x0a\x01x"),
					     NULL),
			 LP_OK);
	assert_true(lp_span_is(info.transcoder, "x"));
}

/* The messages that later issues use: their numbers are right if golden bytes come out again. */
static void golden_worker_and_payment_messages_survive(void **state)
{
	static const struct {
		const char *name;
		const ProtobufCMessageDescriptor *kind;
	} rows[] = {
		{ "request_capabilities_t2i", &net__capabilities__descriptor },
		{ "register_ai_worker_request", &net__register_aiworker_request__descriptor },
		{ "notify_ai_job", &net__notify_aijob__descriptor },
		{ "notify_ai_job_big_task", &net__notify_aijob__descriptor },
		{ "livepeer_payment_0_tickets", &net__payment__descriptor },
		{ "livepeer_payment_2_tickets", &net__payment__descriptor },
		{ "payment_result", &net__payment_result__descriptor },
		{ "livepeer_segment_live_payment", &net__seg_data__descriptor },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct lp_span golden = vectors_message(*state, vectors, rows[i].name);
		const ProtobufCMessage *message =
			lp_message_read(*state, rows[i].kind, golden, LP_WIRE_SMALL_MAX);
		struct lp_buf made = { 0 };

		assert_non_null(message);
		assert_int_equal(message->n_unknown_fields, 0);
		lp_message_write(&made, message);
		assert_bytes(&made, golden);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_golden_answer_is_read_and_written_again),
		cmocka_unit_test(every_golden_question_is_read_and_written_again),
		cmocka_unit_test(a_question_built_here_is_gos_byte_by_byte),
		cmocka_unit_test(the_fields_of_an_answer_arrive),
		cmocka_unit_test(captured_traffic_with_maps_in_any_order_is_read),
		cmocka_unit_test(a_key_or_value_that_was_left_out_is_zero),
		cmocka_unit_test(without_capacities_each_bit_counts_one),
		cmocka_unit_test(a_bit_string_may_come_unpacked_and_too_long),
		cmocka_unit_test(an_empty_question_asks_for_everything),
		cmocka_unit_test(an_empty_sub_message_is_present),
		cmocka_unit_test(text_that_is_no_utf8_is_refused_wherever_it_stands),
		cmocka_unit_test(malformed_bytes_are_refused),
		cmocka_unit_test(a_message_cut_anywhere_never_reads_beyond),
		cmocka_unit_test(a_message_beyond_its_bound_is_not_even_parsed),
		cmocka_unit_test(a_small_message_cannot_take_much_memory),
		cmocka_unit_test(unknown_fields_are_ignored),
		cmocka_unit_test(golden_worker_and_payment_messages_survive),
	};

	return cmocka_run_group_tests(tests, open_scope, close_scope);
}
