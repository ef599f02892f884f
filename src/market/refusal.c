#include <lpd/market/refusal.h>

#include <string.h>

#include <lpd/base/jsonscan.h>

/* A text of the network and the code that it stands for; matched anywhere, without case. */
struct text {
	const char *words;
	enum lp_code code;
};

/* Answers to a job (network-protocol 5.3, 7.7). */
static const struct text of_jobs[] = {
	{ "insufficient capacity", LP_NO_CAPACITY },
	{ "OrchestratorCapped", LP_NO_CAPACITY },
	{ "TicketParams expired", LP_PARAMS_EXPIRED },
	{ "invalid ticket senderNonce", LP_NONCE_SEEN },
	{ "Insufficient balance", LP_UNDERPAID },
	/* It was started anew and has another secret: what it offered before is nothing to it. */
	{ "invalid recipientRand", LP_PARAMS_EXPIRED },
	{ "invalid ticket signature", LP_BAD_TICKET },
	{ "invalid ticket recipient", LP_TICKET_RECIPIENT },
	{ "invalid ticket sender", LP_TICKET_SENDER },
	{ "Could not find Sender for payment", LP_TICKET_SENDER },
	{ "invalid expected price", LP_PRICE },
	{ "is set to unlock soon", LP_NO_FUNDS },
	{ "base64 decode error", LP_UNDERPAID }, /* of the payment header */
	{ "protobuf unmarshal error", LP_UNDERPAID },
	{ "missing auth token", LP_TOKEN },
	{ "invalid auth token", LP_TOKEN }, /* a restarted orchestrator has another secret */
	{ "expired auth token", LP_TOKEN },
	{ "incompatible capabilities", LP_INCOMPATIBLE },
	{ "ErrSegSig", LP_PEER_REFUSED },
	{ "ErrorSegEncoding", LP_PEER_REFUSED },
	/* We looked at the picture before: another orchestrator may read what this one cannot
	 * (WebP). */
	{ "unknown format", LP_PEER_REFUSED },
};

/* Answers to GetOrchestrator (network-protocol 4.7). */
static const struct text of_questions[] = {
	{ "OrchestratorCapped", LP_NO_CAPACITY },
	{ "sig check failed", LP_PEER_REFUSED },
	{ "authentication failed", LP_PEER_REFUSED },
	{ "insufficient sender reserve", LP_UNDERPAID },
};

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* LP_OK: none of them. */
static enum lp_code known(const struct text *texts, int n, struct lp_span in)
{
	for (int i = 0; i < n; i++) {
		if (lp_span_find_icase(in, texts[i].words) >= 0)
			return texts[i].code;
	}
	return LP_OK;
}

static struct lp_span strip(struct lp_span text)
{
	while (text.len && strchr(" \t\r\n", text.at[0]))
		text = lp_span_skip(text, 1);
	while (text.len && strchr(" \t\r\n", text.at[text.len - 1]))
		text.len--;
	return text;
}

/* Words from a peer: cut to what struct lp_err holds anyway, and never empty. */
static enum lp_code fail_with(struct lp_err *e, enum lp_code code, struct lp_span words)
{
	words = strip(words);
	if (words.len > 200)
		words.len = 200;
	if (!words.len)
		return lp_fail(e, code, "%s", lp_code_words(code));
	return lp_fail(e, code, "%.*s", LP_ARG(words));
}

/* A runner's status and what it says of the request.  400 of any kind is the client's doing;
 * everything else that a runner says is the trouble of who runs it. */
static enum lp_code code_of_runner(int status)
{
	switch (status) {
	case 400:
		return LP_BAD_REQUEST;
	case 413:
		return LP_TOO_LARGE;
	case 415:
		return LP_MEDIA_TYPE;
	case 422:
		return LP_INVALID;
	case 429:
	case 503:
		return LP_NO_CAPACITY;
	default:
		return LP_RUNNER;
	}
}

/* "<pipeline> container returned 400: msg" (ai-http-api 1.3), or of a chat that was to be streamed
 * "unexpected status code: 400": the number and what follows it. */
static bool returned(struct lp_span body, int *status, struct lp_span *words)
{
	static const char *const marks[] = { "returned ", "unexpected status code: " };
	struct lp_span rest = { 0 };
	uint64_t n;

	for (int i = 0; i < COUNT(marks) && !rest.len; i++) {
		ptrdiff_t at = lp_span_find(body, lp_span(marks[i]));

		if (at >= 0)
			rest = lp_span_skip(body, (size_t)at + strlen(marks[i]));
	}
	if (rest.len < 3 || !lp_span_u64(lp_span_of(rest.at, 3), &n))
		return false;
	*status = (int)n;
	*words = lp_span_skip(rest, 3);
	while (words->len && strchr(": ", words->at[0]))
		*words = lp_span_skip(*words, 1);
	return true;
}

/* What its runner said: the client's fault stays one, anything else is that orchestrator's
 * failure. */
static enum lp_code of_its_runner(int status, int http_status, struct lp_span words,
				  struct lp_err *e)
{
	/* lpd says 400 in the text, which go-livepeer looks for, and the finer status in the
	 * answer's head. */
	bool finer =
		status == 400 && (http_status == 413 || http_status == 415 || http_status == 422);
	enum lp_code code = code_of_runner(finer ? http_status : status);

	if (lp_code_fault(code) != LP_FAULT_CLIENT)
		code = LP_PEER_ERROR;
	return fail_with(e, code, words);
}

enum lp_code lp_refusal_of_orchestrator(int status, struct lp_span body, struct lp_err *e)
{
	enum lp_code code = known(of_jobs, COUNT(of_jobs), body);
	struct lp_span words;
	int inner;

	/* First what a runner said, since it may say anything: also one of the network's texts. */
	if (returned(body, &inner, &words))
		return of_its_runner(inner, status, words, e);
	if (code)
		return fail_with(e, code, body);
	if (status == 402)
		return fail_with(e, LP_UNDERPAID, body);
	if (status == 413)
		return fail_with(e, LP_TOO_LARGE, body);
	if (status == 429 || status == 503)
		return fail_with(e, LP_NO_CAPACITY, body);
	/* Other 4xx are about payment or about us: what we sent was checked here, so the client is
	 * not to blame. */
	return fail_with(e, status >= 400 && status < 500 ? LP_PEER_REFUSED : LP_PEER_ERROR, body);
}

enum lp_code lp_refusal_of_grpc(int grpc_status, struct lp_span words, struct lp_err *e)
{
	enum lp_code code = known(of_questions, COUNT(of_questions), words);

	if (code)
		return fail_with(e, code, words);
	switch (grpc_status) {
	case 4: /* DeadlineExceeded */
		return fail_with(e, LP_TIMEOUT, words);
	case 8: /* ResourceExhausted */
		return fail_with(e, LP_NO_CAPACITY, words);
	case 12: /* Unimplemented: no orchestrator lives there */
		return fail_with(e, LP_BAD_PEER, words);
	case 14: /* Unavailable */
		return fail_with(e, LP_CONNECT, words);
	default:
		return fail_with(e, LP_PEER_ERROR, words);
	}
}

/* One entry of a FastAPI validation error: {"loc":["body","seed"],"msg":"..."} as "seed: ...". */
static enum lp_code fail_with_entry(struct lp_err *e, enum lp_code code, struct lp_jval entry)
{
	char field[64] = "", msg[160] = "";
	struct lp_jval loc = lp_jscan_get(entry, "loc"), part;
	size_t at = 0, len = 0;

	while (lp_jscan_each(loc, &at, &part)) {
		if (lp_jscan_unescape(part, field, sizeof field - 1, &len))
			field[len] = 0;
	}
	if (lp_jscan_unescape(lp_jscan_get(entry, "msg"), msg, sizeof msg - 1, &len))
		msg[len] = 0;
	return lp_fail(e, code, "%s%s%s", field, field[0] ? ": " : "",
		       msg[0] ? msg : lp_code_words(code));
}

static enum lp_code fail_with_text(struct lp_err *e, enum lp_code code, struct lp_jval string)
{
	char text[512];
	size_t len;

	if (!lp_jscan_unescape(string, text, sizeof text, &len))
		return fail_with(e, code, string.raw);
	return fail_with(e, code, lp_span_of(text, len));
}

/* Four shapes of ai-runner, and the two of OpenAI's servers. */
enum lp_code lp_refusal_of_runner(int status, struct lp_span body, struct lp_err *e)
{
	enum lp_code code = code_of_runner(status);
	struct lp_jval all = lp_jscan(body);
	struct lp_jval detail = lp_jscan_get(all, "detail"), first;
	size_t at = 0;

	if (detail.kind == LP_J_BAD)
		detail = lp_jscan_get(all, "error");
	if (detail.kind == LP_J_STRING)
		return fail_with_text(e, code, detail);
	if (lp_jscan_each(detail, &at, &first))
		return fail_with_entry(e, code, first);
	struct lp_jval msg = lp_jscan_get(detail, "msg");

	if (msg.kind == LP_J_BAD)
		msg = lp_jscan_get(detail, "message");
	return msg.kind == LP_J_STRING ? fail_with_text(e, code, msg) : fail_with(e, code, body);
}

/* The reference's own words for bad bodies: written as they are.  Everything else that is the
 * client's doing is written as a runner's 400, which stops a go-livepeer gateway from suspending
 * us for it. */
static bool bare(struct lp_span words)
{
	static const char *const texts[] = { "MaxTokens not specified", "Unknown request type",
					     "image: unknown format", "text field is required" };

	for (int i = 0; i < COUNT(texts); i++) {
		if (lp_span_is(words, texts[i]))
			return true;
	}
	return false;
}

static int write_client_fault(const struct lp_err *e, const char *pipeline, struct lp_buf *text)
{
	struct lp_span words = lp_span(lp_err_words(e));
	bool malformed = e->code == LP_BAD_REQUEST || e->code == LP_INVALID;

	if (malformed && bare(words))
		lp_buf_add_span(text, words);
	else
		lp_buf_fmt(text, "%s container returned 400: %.*s", pipeline, LP_ARG(words));
	return malformed ? 400 : lp_code_status(e->code);
}

/* Texts that go-livepeer peers look for are there, whatever else is said. */
static int write_fixed(const struct lp_err *e, const char *fixed, int status, struct lp_buf *text)
{
	bool said = lp_span_find_icase(lp_span(e->words), fixed) >= 0;

	lp_buf_add_text(text, said ? e->words : fixed);
	if (!said && e->words[0])
		lp_buf_fmt(text, ": %s", e->words);
	return status;
}

static int write_words(const struct lp_err *e, int status, struct lp_buf *text)
{
	lp_buf_add_text(text, lp_err_words(e));
	return status;
}

/* 402 is a payment that cannot be read, 400 one that does not suffice (network-protocol 5.3 steps
 * 2, 7). */
static int write_underpaid(const struct lp_err *e, struct lp_buf *text)
{
	struct lp_span words = lp_span(e->words);

	if (lp_span_starts(words, "base64 decode error") ||
	    lp_span_starts(words, "protobuf unmarshal error"))
		return write_words(e, 402, text);
	return write_fixed(e, "Insufficient balance", 400, text);
}

/* What a payment is refused for, in the words of network-protocol 5.4: 400 whatever it is. */
static bool is_of_payment(enum lp_code code)
{
	return code == LP_BAD_TICKET || code == LP_TICKET_RECIPIENT || code == LP_TICKET_SENDER ||
	       code == LP_TICKETS_FULL || code == LP_PRICE || code == LP_NO_FUNDS;
}

static int write_by_code(const struct lp_err *e, const char *pipeline, struct lp_buf *text)
{
	if (e->code == LP_NO_CAPACITY || e->code == LP_DRAINING)
		return write_fixed(e, "insufficient capacity", 503, text);
	if (e->code == LP_PARAMS_EXPIRED)
		return write_fixed(e, "TicketParams expired", 400, text);
	if (e->code == LP_NONCE_SEEN)
		return write_fixed(e, "invalid ticket senderNonce", 400, text);
	if (e->code == LP_INCOMPATIBLE)
		return write_fixed(e, "incompatible capabilities", 403, text);
	if (e->code == LP_UNDERPAID)
		return write_underpaid(e, text);
	if (e->code == LP_UNPAID)
		return write_fixed(e, "Insufficient balance", 400, text);
	if (is_of_payment(e->code))
		return write_words(e, 400, text);
	if (e->code == LP_NO_ROOM)
		return write_fixed(e, "Could not create storage to receive results", 500, text);
	if (e->code == LP_BAD_REQUEST || e->code == LP_INVALID || e->code == LP_TOO_LARGE ||
	    e->code == LP_MEDIA_TYPE)
		return write_client_fault(e, pipeline, text);
	/* To our peer, what failed behind us is our failure: 502 and 504 would name it. */
	int status = lp_code_status(e->code);

	return write_words(e, status >= 500 ? 500 : status, text);
}

void lp_refusal_write(const struct lp_err *e, const char *pipeline, int *status,
		      struct lp_buf *text)
{
	*status = write_by_code(e, pipeline, text);
	lp_buf_add_char(text, '\n');
}
