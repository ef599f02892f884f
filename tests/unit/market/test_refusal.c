#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/market/refusal.h>

static const struct {
	int status;
	const char *body;
	enum lp_code code;
	const char *words;
} refusals[] = {
	{ 503, "insufficient capacity\n", LP_NO_CAPACITY, "insufficient capacity" },
	{ 503, "Insufficient Capacity for that", LP_NO_CAPACITY, "Insufficient Capacity for that" },
	{ 403, "OrchestratorCapped\n", LP_NO_CAPACITY, "OrchestratorCapped" },
	{ 400, "TicketParams expired\n", LP_PARAMS_EXPIRED, "TicketParams expired" },
	{ 400, "ticketparams expired", LP_PARAMS_EXPIRED, "ticketparams expired" },
	{ 400, "invalid ticket senderNonce: already seen 5\n", LP_NONCE_SEEN,
	  "invalid ticket senderNonce: already seen 5" },
	{ 400, "Insufficient balance\n", LP_UNDERPAID, "Insufficient balance" },
	{ 402, "base64 decode error: x\n", LP_UNDERPAID, "base64 decode error: x" },
	{ 402, "protobuf unmarshal error: x\n", LP_UNDERPAID, "protobuf unmarshal error: x" },
	{ 402, "pay first", LP_UNDERPAID, "pay first" },
	{ 403, "missing auth token\n", LP_TOKEN, "missing auth token" },
	{ 403, "invalid auth token\n", LP_TOKEN, "invalid auth token" },
	{ 403, "expired auth token\n", LP_TOKEN, "expired auth token" },
	{ 403, "incompatible capabilities\n", LP_INCOMPATIBLE, "incompatible capabilities" },
	{ 403, "ErrSegSig\n", LP_PEER_REFUSED, "ErrSegSig" },
	{ 403, "ErrorSegEncoding\n", LP_PEER_REFUSED, "ErrorSegEncoding" },
	{ 400, "image: unknown format\n", LP_PEER_REFUSED, "image: unknown format" },
	/* It has started anew, and what it offered before is nothing to it. */
	{ 400, "invalid recipientRand for ticket recipientRandHash", LP_PARAMS_EXPIRED,
	  "invalid recipientRand for ticket recipientRandHash" },
	{ 400, "invalid ticket signature\n", LP_BAD_TICKET, "invalid ticket signature" },
	{ 400, "invalid ticket recipient\n", LP_TICKET_RECIPIENT, "invalid ticket recipient" },
	{ 400, "invalid ticket sender\n", LP_TICKET_SENDER, "invalid ticket sender" },
	{ 400, "invalid ticket senderNonce: too many values sender=0x1 nonce=2", LP_NONCE_SEEN,
	  "invalid ticket senderNonce: too many values sender=0x1 nonce=2" },
	{ 400, "Could not find Sender for payment: x", LP_TICKET_SENDER, "Could not find Sender for payment: x" },
	{ 400, "invalid expected price sent with payment err=\"pixels per unit is 0\"", LP_PRICE,
	  "invalid expected price sent with payment err=\"pixels per unit is 0\"" },
	{ 400, "deposit and reserve for sender 0x1 is set to unlock soon", LP_NO_FUNDS,
	  "deposit and reserve for sender 0x1 is set to unlock soon" },
	{ 400, "orchestrator 0x1 is inactive in round 7, cannot process payments", LP_PEER_REFUSED,
	  "orchestrator 0x1 is inactive in round 7, cannot process payments" },
	{ 413, "too much", LP_TOO_LARGE, "too much" },
	{ 503, "later", LP_NO_CAPACITY, "later" },
	{ 429, "", LP_NO_CAPACITY, "the orchestrator is full" },
	{ 404, "404 page not found\n", LP_PEER_REFUSED, "404 page not found" },
	{ 500, "no workers can process job requested\n", LP_PEER_ERROR,
	  "no workers can process job requested" },
	{ 502, "", LP_PEER_ERROR, "the peer failed at the job" },
	{ 200, "<html>", LP_PEER_ERROR, "<html>" },
	/* What its runner said of the client's request. */
	{ 500, "text-to-image container returned 400: Prompt must be provided.\n", LP_BAD_REQUEST,
	  "Prompt must be provided." },
	{ 500, "llm container returned 400", LP_BAD_REQUEST, "the request is malformed" },
	{ 500, "x container returned 422: body.seed: no", LP_INVALID, "body.seed: no" },
	{ 500, "x container returned 413: big", LP_TOO_LARGE, "big" },
	{ 500, "x container returned 415: what", LP_MEDIA_TYPE, "what" },
	{ 422, "x container returned 400: seed is odd", LP_INVALID, "seed is odd" },
	{ 413, "x container returned 400: big", LP_TOO_LARGE, "big" },
	/* A go-livepeer worker's way to say it of a chat that was to be streamed: its runner's words are lost. */
	{ 500, "unexpected status code: 400\n", LP_BAD_REQUEST, "the request is malformed" },
	{ 500, "unexpected status code: 422\n", LP_INVALID, "a parameter is missing or out of range" },
	{ 500, "unexpected status code: 500\n", LP_PEER_ERROR, "the peer failed at the job" },
	/* A runner may say anything, also one of the network's texts. */
	{ 500, "x container returned 400: insufficient capacity", LP_BAD_REQUEST,
	  "insufficient capacity" },
	{ 500, "x container returned 500: Out of memory.", LP_PEER_ERROR, "Out of memory." },
	{ 500, "x container returned 503: busy", LP_PEER_ERROR, "busy" },
	{ 500, "x container returned nothing", LP_PEER_ERROR, "x container returned nothing" },
	{ 500, "it returned 4", LP_PEER_ERROR, "it returned 4" },
};

static void every_text_of_an_orchestrator_has_its_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct lp_err e;
		enum lp_code code = lp_refusal_of_orchestrator(refusals[i].status,
							       lp_span(refusals[i].body), &e);

		if (code != refusals[i].code)
			print_message("%s\n", refusals[i].body);
		assert_int_equal(code, refusals[i].code);
		assert_int_equal(e.code, refusals[i].code);
		assert_string_equal(e.words, refusals[i].words);
	}
}

static void long_words_are_cut(void **state)
{
	(void)state;
	char body[1000];
	struct lp_err e;

	memset(body, 'x', sizeof body);
	lp_refusal_of_orchestrator(500, lp_span_of(body, sizeof body), &e);
	assert_int_equal(strlen(e.words), 200);
}

static void every_failure_of_a_question_has_its_code(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *words;
		enum lp_code code;
	} rows[] = {
		{ 2, "Invalid orchestrator request: OrchestratorCapped", LP_NO_CAPACITY },
		{ 2, "Invalid orchestrator request: orchestrator req sig check failed",
		  LP_PEER_REFUSED },
		{ 2, "authentication failed: no", LP_PEER_REFUSED },
		{ 2, "insufficient sender reserve", LP_UNDERPAID },
		{ 2, "pixels per unit is 0", LP_PEER_ERROR },
		{ 4, "context deadline exceeded", LP_TIMEOUT },
		{ 8, "", LP_NO_CAPACITY },
		{ 12, "unknown service net.Orchestrator", LP_BAD_PEER },
		{ 14, "", LP_CONNECT },
		{ 99, "", LP_PEER_ERROR },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct lp_err e;

		assert_int_equal(lp_refusal_of_grpc(rows[i].status, lp_span(rows[i].words), &e),
				 rows[i].code);
		assert_string_equal(e.words,
				    rows[i].words[0] ? rows[i].words : lp_code_words(rows[i].code));
	}
}

static void every_shape_of_a_runners_answer_is_understood(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *body;
		enum lp_code code;
		const char *words;
	} rows[] = {
		{ 400, "{\"detail\":{\"msg\":\"Prompt must be provided.\"}}", LP_BAD_REQUEST,
		  "Prompt must be provided." },
		{ 422,
		  "{\"detail\":[{\"loc\":[\"body\",\"seed\"],\"msg\":\"Input should be a valid "
		  "integer\",\"type\":\"x\"}]}",
		  LP_INVALID, "seed: Input should be a valid integer" },
		{ 422, "{\"detail\":[{\"loc\":[\"body\",\"messages\",0],\"msg\":\"bad\"}]}",
		  LP_INVALID, "messages: bad" },
		{ 422, "{\"detail\":[{\"type\":\"x\"}]}", LP_INVALID,
		  "a parameter is missing or out of range" },
		{ 422, "{\"detail\":[]}", LP_INVALID, "{\"detail\":[]}" },
		{ 404, "{\"detail\":\"Not Found\"}", LP_RUNNER, "Not Found" },
		{ 400, "{\"detail\":\"There was an error parsing the \\\"body\\\"\"}",
		  LP_BAD_REQUEST, "There was an error parsing the \"body\"" },
		{ 500, "Internal Server Error", LP_RUNNER, "Internal Server Error" },
		{ 500, "{\"detail\":{\"msg\":\"Out of memory.\"}}", LP_RUNNER, "Out of memory." },
		{ 401, "{\"detail\":{\"msg\":\"Invalid bearer token.\"}}", LP_RUNNER,
		  "Invalid bearer token." },
		{ 413, "{\"detail\":{\"msg\":\"File size exceeds limit\"}}", LP_TOO_LARGE,
		  "File size exceeds limit" },
		{ 415, "{\"detail\":{\"msg\":\"Unsupported\"}}", LP_MEDIA_TYPE, "Unsupported" },
		{ 503, "busy", LP_NO_CAPACITY, "busy" },
		{ 429, "{\"error\":{\"message\":\"slow down\",\"type\":\"x\"}}", LP_NO_CAPACITY,
		  "slow down" },
		{ 400, "{\"error\":\"no such model\"}", LP_BAD_REQUEST, "no such model" },
		{ 500, "", LP_RUNNER, "the runner failed at the job" },
		{ 500, "{\"detail\":7}", LP_RUNNER, "{\"detail\":7}" },
		{ 500, "{\"detail\":\"\\ud8\"}", LP_RUNNER, "\"\\ud8\"" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct lp_err e;
		enum lp_code code = lp_refusal_of_runner(rows[i].status, lp_span(rows[i].body), &e);

		assert_int_equal(code, rows[i].code);
		assert_string_equal(e.words, rows[i].words);
	}
}

static void every_code_is_written_as_the_network_reads_it(void **state)
{
	(void)state;
	static const struct {
		enum lp_code code;
		const char *words;
		int status;
		const char *text;
	} rows[] = {
		{ LP_NO_CAPACITY, "", 503, "insufficient capacity\n" },
		{ LP_NO_CAPACITY, "insufficient capacity", 503, "insufficient capacity\n" },
		{ LP_DRAINING, "the node is going down", 503,
		  "insufficient capacity: the node is going down\n" },
		{ LP_PARAMS_EXPIRED, "", 400, "TicketParams expired\n" },
		{ LP_NONCE_SEEN, "invalid ticket senderNonce: already seen 3", 400,
		  "invalid ticket senderNonce: already seen 3\n" },
		{ LP_INCOMPATIBLE, "", 403, "incompatible capabilities\n" },
		{ LP_FORBIDDEN, "invalid auth token", 403, "invalid auth token\n" },
		{ LP_UNDERPAID, "base64 decode error: x", 402, "base64 decode error: x\n" },
		{ LP_UNDERPAID, "protobuf unmarshal error: x", 402,
		  "protobuf unmarshal error: x\n" },
		{ LP_UNDERPAID, "", 400, "Insufficient balance\n" },
		{ LP_NO_ROOM, "", 500, "Could not create storage to receive results\n" },
		{ LP_BAD_REQUEST, "MaxTokens not specified", 400, "MaxTokens not specified\n" },
		{ LP_BAD_REQUEST, "image: unknown format", 400, "image: unknown format\n" },
		{ LP_BAD_REQUEST, "Prompt must be provided.", 400,
		  "llm container returned 400: Prompt must be provided.\n" },
		{ LP_INVALID, "seed must be a whole number", 400,
		  "llm container returned 400: seed must be a whole number\n" },
		{ LP_TOO_LARGE, "too big", 413, "llm container returned 400: too big\n" },
		{ LP_MEDIA_TYPE, "", 415,
		  "llm container returned 400: this address does not take this content type\n" },
		{ LP_UNPAID, "no payment", 400, "Insufficient balance: no payment\n" },
		{ LP_BAD_TICKET, "invalid ticket signature", 400, "invalid ticket signature\n" },
		{ LP_TICKET_RECIPIENT, "invalid ticket recipient", 400, "invalid ticket recipient\n" },
		{ LP_TICKET_SENDER, "invalid ticket sender", 400, "invalid ticket sender\n" },
		{ LP_TICKETS_FULL, "invalid ticket senderNonce: too many values", 400,
		  "invalid ticket senderNonce: too many values\n" },
		{ LP_PRICE, "invalid expected price", 400, "invalid expected price\n" },
		{ LP_NO_FUNDS, "set to unlock soon", 400, "set to unlock soon\n" },
		{ LP_METHOD, "", 405, "this address does not take this method\n" },
		{ LP_NOT_FOUND, "404 page not found", 404, "404 page not found\n" },
		{ LP_RUNNER, "llm container returned 500: x", 500,
		  "llm container returned 500: x\n" },
		{ LP_TIMEOUT, "", 500, "the peer did not answer in time\n" },
		{ LP_INTERNAL, "", 500, "a fault of ours\n" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct lp_err e;
		struct lp_buf text = { 0 };
		int status = 0;

		lp_fail(&e, rows[i].code, "%s", rows[i].words);
		lp_refusal_write(&e, "llm", &status, &text);
		assert_int_equal(status, rows[i].status);
		assert_string_equal(lp_buf_text(&text), rows[i].text);
		lp_buf_clear(&text);
	}
}

/* Both ends are ours: the fault stays the client's, and full stays full. */
static void what_we_write_we_read_as_the_same_kind(void **state)
{
	(void)state;
	static const enum lp_code codes[] = { LP_BAD_REQUEST,  LP_TOO_LARGE,  LP_MEDIA_TYPE,
					      LP_NO_CAPACITY,  LP_NONCE_SEEN, LP_PARAMS_EXPIRED,
					      LP_INCOMPATIBLE, LP_UNDERPAID };

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		struct lp_err e, back;
		struct lp_buf text = { 0 };
		int status;

		lp_fail(&e, codes[i], "words");
		lp_refusal_write(&e, "upscale", &status, &text);
		assert_int_equal(lp_refusal_of_orchestrator(status, lp_buf_span(&text), &back),
				 codes[i]);
		lp_buf_clear(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_text_of_an_orchestrator_has_its_code),
		cmocka_unit_test(long_words_are_cut),
		cmocka_unit_test(every_failure_of_a_question_has_its_code),
		cmocka_unit_test(every_shape_of_a_runners_answer_is_understood),
		cmocka_unit_test(every_code_is_written_as_the_network_reads_it),
		cmocka_unit_test(what_we_write_we_read_as_the_same_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
