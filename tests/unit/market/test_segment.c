#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lpd/eth/signature.h>
#include <lpd/market/segment.h>
#include <lpd/proto/lp_rpc.pb-c.h>

#include "market/wire.h"
#include "vectors.h"

#define NOW 1700000000

static json_t *vectors;
static uint8_t secret[32]; /* 00 01 .. 1f, as in the vectors */

static int open_scope(void **state)
{
	*state = lp_scope_open(NULL, "test");
	vectors = vectors_open(*state, "network");
	for (int i = 0; i < 32; i++)
		secret[i] = (uint8_t)i;
	return 0;
}

static int close_scope(void **state)
{
	struct lp_scope *scope = *state;

	lp_scope_close(&scope);
	return 0;
}

static struct lp_span header_of(const char *name)
{
	return lp_json_str(vectors_row(vectors, "messages", name), "base64");
}

static void golden_headers_are_read_and_written_again(void **state)
{
	static const char *const names[] = { "livepeer_segment_t2i",
					     "livepeer_segment_t2i_offchain",
					     "livepeer_segment_live_payment" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct lp_segment segment;
		struct lp_buf made = { 0 };

		assert_int_equal(lp_segment_decode(*state, &segment, header_of(names[i]), NULL),
				 LP_OK);
		lp_segment_encode(&made, &segment);
		assert_true(lp_span_eq(lp_buf_span(&made), header_of(names[i])));
		lp_buf_clear(&made);
	}
}

static void a_header_built_here_is_gos_byte_by_byte(void **state)
{
	struct lp_segment segment = { .manifest_id = LP_SPAN("27_stabilityai/sdxl-turbo"),
				      .has_capabilities = true };
	struct lp_model_terms model = { .model = LP_SPAN("stabilityai/sdxl-turbo") };
	struct lp_buf made = { 0 };
	uint8_t mac[32];

	lp_capabilities_init(&segment.capabilities, *state, LP_SPAN("0.9.1"));
	lp_capabilities_add_model(*state, &segment.capabilities, 27, &model);
	lp_token_mac(mac, secret, LP_SPAN("0a1b2c3d"), NOW);
	segment.auth_token =
		(struct lp_auth_token){ true, lp_span_of(mac, 32), LP_SPAN("0a1b2c3d"), NOW };
	lp_segment_encode(&made, &segment);
	assert_true(lp_span_eq(lp_buf_span(&made), header_of("livepeer_segment_t2i_offchain")));
	lp_buf_clear(&made);
}

static void the_tokens_mac_is_the_networks(void **state)
{
	struct lp_auth_token token = { .present = true,
				       .session_id = LP_SPAN("0a1b2c3d"),
				       .expiration = NOW };
	struct lp_buf made = { 0 };
	uint8_t mac[32];
	char hex[65];

	lp_token_mac(mac, secret, token.session_id, NOW);
	assert_string_equal(lp_hex_write(hex, mac, 32),
			    "5db9ffaa298d78f4e94b0915d5922a2e04af0bcafb4996a4b0494a6c338ca487");
	token.token = lp_span_of(mac, 32);
	lp_message_write(&made, &lp_wire_of_token(*state, &token)->base);
	assert_true(lp_span_eq(lp_buf_span(&made), vectors_message(*state, vectors, "auth_token")));
	lp_buf_clear(&made);
}

static void a_mac_covers_every_byte_of_what_it_is_given(void **state)
{
	(void)state;
	uint8_t zero[32], one[32], minus[32], large[32];
	char id[300];

	lp_token_mac(zero, secret, LP_SPAN("a"), 0);
	lp_token_mac(one, secret, LP_SPAN("a\x01"), 0);
	lp_token_mac(minus, secret, LP_SPAN("a"), -1);
	lp_token_mac(large, secret, LP_SPAN("a"), INT64_MAX);
	assert_memory_not_equal(zero, one, 32);
	/* Go's minimal bytes of a number: 0 has none, and a sign is lost. */
	assert_memory_equal(minus, one, 32);
	assert_memory_not_equal(large, zero, 32);
	memset(id, 'x', sizeof id);
	lp_token_mac(zero, secret, lp_span_of(id, sizeof id), 0);
}

static void a_fresh_token_is_good_for_half_an_hour(void **state)
{
	struct lp_auth_token token, other;
	struct lp_err e;

	lp_token_make(*state, &token, secret, NOW);
	lp_token_make(*state, &other, secret, NOW);
	assert_int_equal(token.session_id.len, 8);
	assert_false(lp_span_eq(token.session_id, other.session_id));
	assert_int_equal(token.expiration, NOW + 1800);
	assert_int_equal(lp_token_check(&token, secret, NOW + 1800, &e), LP_OK);
	assert_int_equal(lp_token_check(&token, secret, NOW + 1801, &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "expired auth token");
}

static void a_forged_token_is_refused(void **state)
{
	struct lp_auth_token token;
	struct lp_err e;
	char id[300];

	lp_token_make(*state, &token, secret, NOW);
	token.expiration++;
	assert_int_equal(lp_token_check(&token, secret, NOW, &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "invalid auth token");
	lp_token_make(*state, &token, secret, NOW);
	token.token.len = 31;
	assert_int_equal(lp_token_check(&token, secret, NOW, &e), LP_FORBIDDEN);
	lp_token_make(*state, &token, secret, NOW);
	memset(id, 'x', sizeof id);
	token.session_id = lp_span_of(id, sizeof id);
	assert_int_equal(lp_token_check(&token, secret, NOW, &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "invalid auth token");
}

/* The orchestrator of the vectors: offers one model, owns the secret. */
static struct lp_segment_judge judge_new(struct lp_scope *scope)
{
	struct lp_capabilities *own = lp_new(scope, struct lp_capabilities);
	struct lp_model_terms model = { .model = LP_SPAN("stabilityai/sdxl-turbo"),
					.warm = true,
					.capacity = 1 };

	lp_capabilities_init(own, scope, LP_SPAN("0.9.1"));
	lp_capabilities_add_model(scope, own, 27, &model);
	return (struct lp_segment_judge){ .secret = secret, .own = own, .now_seconds = NOW + 60 };
}

/* One change of segment_checks to the message; false: not one that is judged off-chain. */
static bool change(struct lp_scope *scope, Net__SegData *message, const char *what)
{
	if (strcmp(what, "token of another orchestrator") == 0) {
		message->auth_token->token =
			lp_message_lend(LP_SPAN("0123456789abcdef0123456789abcdef"));
	} else if (strcmp(what, "duration = -1") == 0) {
		message->duration = -1;
	} else if (strstr(what, "requested model unknown")) {
		message->capabilities->constraints->percapability[0]->value->models[0]->key =
			lp_strdup(scope, LP_SPAN("x"));
	} else if (strstr(what, "bit 40")) {
		message->capabilities->bitstring[0] |= 1ULL << 40;
	} else if (strstr(what, "minVersion = 9.0.0")) {
		message->capabilities->constraints->minversion = lp_strdup(scope, LP_SPAN("9.0.0"));
	} else if (strcmp(what, "capabilities absent") == 0) {
		message->capabilities = NULL;
	} else if (strcmp(what, "auth_token absent") == 0) {
		message->auth_token = NULL;
	} else if (strstr(what, "expiration 1700000000")) {
		message->auth_token->expiration = NOW;
		uint8_t *mac = lp_alloc(scope, 32);

		lp_token_mac(mac, secret, lp_span(message->auth_token->session_id), NOW);
		message->auth_token->token = lp_message_lend(lp_span_of(mac, 32));
	} else {
		return strcmp(what, "none") == 0;
	}
	return true;
}

static Net__SegData *golden_message(struct lp_scope *scope)
{
	struct lp_span golden = vectors_message(scope, vectors, "livepeer_segment_t2i");
	Net__SegData *message =
		lp_message_read(scope, &net__seg_data__descriptor, golden, LP_WIRE_SMALL_MAX);
	struct lp_auth_token token;

	assert_non_null(message);
	lp_token_make(scope, &token, secret, NOW);
	message->auth_token = lp_wire_of_token(scope, &token);
	return message;
}

static enum lp_code judge_message(struct lp_scope *scope, Net__SegData *message, struct lp_err *e)
{
	struct lp_segment_judge judge = judge_new(scope);
	struct lp_buf bytes = { 0 }, header = { 0 };
	struct lp_segment segment;

	lp_message_write(&bytes, &message->base);
	lp_b64_write(&header, lp_buf_span(&bytes));
	enum lp_code code = lp_segment_decode(scope, &segment, lp_buf_span(&header), e);

	if (!code)
		code = lp_segment_check(&segment, &judge, e);
	lp_buf_clear(&bytes);
	lp_buf_clear(&header);
	return code;
}

static void the_networks_checks_have_the_networks_answers(void **state)
{
	json_t *row;
	size_t i;
	int judged = 0;

	json_array_foreach(json_object_get(json_object_get(vectors, "segment_checks"), "cases"), i,
			   row)
	{
		const char *expect = json_string_value(json_object_get(row, "expect"));
		Net__SegData *message = golden_message(*state);
		struct lp_err e = { 0 };

		if (!change(*state, message, json_string_value(json_object_get(row, "change"))))
			continue; /* signatures: on-chain only */
		judged++;
		enum lp_code code = judge_message(*state, message, &e);

		assert_int_equal(code, *expect ? LP_FORBIDDEN : LP_OK);
		assert_string_equal(e.words, expect);
	}
	assert_int_equal(judged, 9);
}

/* The cases of segment_checks that are about the signature. */
static void a_segment_is_signed_by_who_pays(void **state)
{
	static const char payer[] = "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1";
	struct lp_segment_judge judge = judge_new(*state);
	struct lp_address us, signer, other = { { 9 } };
	struct lp_segment segment, changed;
	struct lp_buf message = { 0 };
	struct lp_hash hash;
	struct lp_sig sig;
	struct lp_err e;

	assert_true(lp_address_read(&us, lp_span(payer)));
	assert_int_equal(lp_segment_decode(*state, &segment, header_of("livepeer_segment_t2i"), NULL), LP_OK);
	assert_true(lp_segment_signer(&signer, &segment));
	assert_true(lp_address_eq(signer, us));
	lp_segment_message(&message, segment.manifest_id);
	lp_keccak256(hash.bytes, lp_buf_span(&message).at, message.len);
	lp_buf_clear(&message);
	assert_true(lp_sig_of(&sig, segment.sig) && lp_sig_check(&sig, &hash, us));
	changed = segment;
	changed.manifest_id = LP_SPAN("27_x");
	assert_false(lp_segment_signer(&signer, &changed) && lp_address_eq(signer, us));
	changed = segment;
	changed.seq = 1;
	assert_false(lp_segment_signer(&signer, &changed) && lp_address_eq(signer, us));
	changed = segment;
	changed.sig.len--;
	assert_false(lp_segment_signer(&signer, &changed));
	/* the capabilities come after it, and the token is no matter of the segment's then */
	judge.sender = &other;
	judge.signer = &us;
	segment.capabilities.bits[0] |= UINT64_C(1) << 40;
	assert_int_equal(lp_segment_check(&segment, &judge, &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "ErrSegSig");
	judge.signer = NULL;
	assert_int_equal(lp_segment_check(&segment, &judge, &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "ErrSegSig");
	judge.sender = judge.signer = &us;
	assert_int_equal(lp_segment_check(&segment, &judge, &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "incompatible capabilities");
	segment.has_capabilities = false;
	assert_int_equal(lp_segment_check(&segment, &judge, &e), LP_OK);
}

static void capabilities_are_judged_before_the_token(void **state)
{
	Net__SegData *message = golden_message(*state);
	struct lp_err e;

	message->capabilities->bitstring[0] |= 1ULL << 40;
	message->auth_token->token = lp_message_lend(LP_SPAN("foreign"));
	assert_int_equal(judge_message(*state, message, &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "incompatible capabilities");
}

static void a_missing_header_lacks_a_token(void **state)
{
	struct lp_segment_judge judge = judge_new(*state);
	struct lp_segment segment;
	struct lp_err e;

	assert_int_equal(lp_segment_decode(*state, &segment, LP_SPAN(""), NULL), LP_OK);
	assert_int_equal(lp_segment_check(&segment, &judge, &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "missing auth token");
}

static void broken_headers_are_refused_in_the_networks_words(void **state)
{
	struct lp_segment segment;
	struct lp_err e;
	char *long_header = lp_alloc(*state, 100000);

	assert_int_equal(lp_segment_decode(*state, &segment, LP_SPAN("###"), &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "ErrorSegEncoding");
	/* The URL-safe alphabet is another one. */
	assert_int_equal(lp_segment_decode(*state, &segment, LP_SPAN("_-_-"), &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "ErrorSegEncoding");
	assert_int_equal(lp_segment_decode(*state, &segment, LP_SPAN("CgUA"), &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "protobuf unmarshal error: SegData cannot be parsed");
	memset(long_header, 'A', 100000);
	assert_int_equal(lp_segment_decode(*state, &segment, lp_span_of(long_header, 100000), &e),
			 LP_FORBIDDEN);
	assert_string_equal(e.words, "ErrorSegEncoding");
}

static void unknown_profiles_and_long_segments_are_refused(void **state)
{
	static const char *const words[] = { "unrecognized profile output format",
					     "unrecognized encoder profile",
					     "unrecognized video codec" };

	for (int field = 0; field < 9; field++) {
		Net__SegData *message = golden_message(*state);
		Net__VideoProfile profile, *list = &profile;
		struct lp_err e;

		net__video_profile__init(&profile);
		if (field % 3 == 0)
			profile.format = (Net__VideoProfile__Format)2;
		else if (field % 3 == 1)
			profile.profile = (Net__VideoProfile__Profile)5;
		else
			profile.encoder = (Net__VideoProfile__VideoCodec)4;
		*(field < 3   ? &message->n_fullprofiles
		  : field < 6 ? &message->n_fullprofiles2
			      : &message->n_fullprofiles3) = 1;
		*(field < 3   ? &message->fullprofiles
		  : field < 6 ? &message->fullprofiles2
			      : &message->fullprofiles3) = &list;
		assert_int_equal(judge_message(*state, message, &e), LP_FORBIDDEN);
		assert_string_equal(e.words, words[field % 3]);
	}
	Net__SegData *message = golden_message(*state);
	Net__VideoProfile known, *list = &known;
	struct lp_err e;

	net__video_profile__init(&known);
	message->n_fullprofiles = 1;
	message->fullprofiles = &list;
	message->duration = 300000;
	assert_int_equal(judge_message(*state, message, &e), LP_OK);
	message->duration = 300001;
	assert_int_equal(judge_message(*state, message, &e), LP_FORBIDDEN);
	assert_string_equal(e.words, "invalid duration");
}

static void a_payment_must_be_base64_and_protobuf(void **state)
{
	struct lp_err e;

	assert_int_equal(lp_payment_check(*state, LP_SPAN(""), &e), LP_OK);
	assert_int_equal(lp_payment_check(*state, header_of("livepeer_payment_0_tickets"), &e),
			 LP_OK);
	assert_int_equal(lp_payment_check(*state, header_of("livepeer_payment_2_tickets"), &e),
			 LP_OK);
	assert_int_equal(lp_payment_check(*state, LP_SPAN("!"), &e), LP_UNDERPAID);
	assert_true(lp_span_starts(lp_span(e.words), "base64 decode error: "));
	assert_int_equal(lp_payment_check(*state, LP_SPAN("CgUA"), &e), LP_UNDERPAID);
	assert_true(lp_span_starts(lp_span(e.words), "protobuf unmarshal error: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_headers_are_read_and_written_again),
		cmocka_unit_test(a_header_built_here_is_gos_byte_by_byte),
		cmocka_unit_test(the_tokens_mac_is_the_networks),
		cmocka_unit_test(a_mac_covers_every_byte_of_what_it_is_given),
		cmocka_unit_test(a_fresh_token_is_good_for_half_an_hour),
		cmocka_unit_test(a_forged_token_is_refused),
		cmocka_unit_test(the_networks_checks_have_the_networks_answers),
		cmocka_unit_test(a_segment_is_signed_by_who_pays),
		cmocka_unit_test(capabilities_are_judged_before_the_token),
		cmocka_unit_test(a_missing_header_lacks_a_token),
		cmocka_unit_test(broken_headers_are_refused_in_the_networks_words),
		cmocka_unit_test(unknown_profiles_and_long_segments_are_refused),
		cmocka_unit_test(a_payment_must_be_base64_and_protobuf),
	};

	return cmocka_run_group_tests(tests, open_scope, close_scope);
}
