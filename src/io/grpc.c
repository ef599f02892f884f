/* gRPC as a server, over exchanges (network-protocol 2.4).
 *
 * The outcome travels in trailers; nothing is sent before there is something to say. */
#include <lpd/base/assert.h>
#include <lpd/io/timer.h>

#include "grpc_frame.h"

struct lp_grpc_server {
	const struct lp_grpc_method *methods;
	int n;
	size_t gathered;		/* in the answers' `in` */
};

struct lp_grpc_answer {
	struct lp_exchange *ex;
	struct lp_grpc_server *server;
	const struct lp_grpc_method *method;
	struct lp_buf in;		/* of a message that came in pieces */
	struct lp_timer deadline;
	void (*on_gone)(void *self);
	void *gone_self;
	bool called;			/* the method has its message */
	bool ended;
};

struct lp_grpc_server *lp_grpc_server_open(struct lp_scope *scope, const struct lp_grpc_method *methods, int n)
{
	struct lp_grpc_server *server = lp_new(scope, struct lp_grpc_server);
	struct lp_grpc_method *copy = lp_new_array(scope, struct lp_grpc_method, (size_t)n);

	for (int i = 0; i < n; i++) {
		copy[i] = methods[i];
		copy[i].path = lp_strdup(scope, lp_span(methods[i].path));
		copy[i].message_max = methods[i].message_max ? methods[i].message_max : LP_GRPC_REQUEST_MAX;
		lp_assert(copy[i].message_max <= LP_GRPC_MESSAGE_MAX);
	}
	server->methods = copy;
	server->n = n;
	return server;
}

struct lp_exchange *lp_grpc_exchange(struct lp_grpc_answer *answer)
{
	return answer->ex;
}

void lp_grpc_on_gone(struct lp_grpc_answer *answer, void (*fn)(void *self), void *self)
{
	answer->on_gone = fn;
	answer->gone_self = self;
}

/* Not sent before there is something to send, as Go's server does (network-protocol 2.4). */
static void send_head(struct lp_grpc_answer *answer)
{
	if (lp_reply_started(answer->ex))
		return;
	const struct lp_header headers[] = {
		{ LP_SPAN("content-type"), lp_exchange_header(answer->ex, "content-type"), false },
		{ LP_SPAN("trailer"), LP_SPAN("Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin"), false },
	};
	lp_reply_head(answer->ex, 200, -1, headers, 2);
}

void lp_grpc_send(struct lp_grpc_answer *answer, struct lp_span message)
{
	char prefix[LP_GRPC_PREFIX];

	if (answer->ended || lp_exchange_gone(answer->ex))
		return;
	send_head(answer);
	lp_grpc_frame_prefix(prefix, message.len);
	lp_reply_write(answer->ex, lp_span_of(prefix, LP_GRPC_PREFIX));
	lp_reply_write(answer->ex, message);
}

void lp_grpc_end(struct lp_grpc_answer *answer, int status, const char *words)
{
	struct lp_buf code = { .mem = NULL }, text = { .mem = NULL };

	if (answer->ended || lp_exchange_gone(answer->ex))
		return;
	answer->ended = true;
	lp_timer_clear(&answer->deadline);
	send_head(answer);
	lp_buf_add_u64(&code, (uint64_t)status);
	lp_grpc_words_encode(&text, words ? words : "");
	const struct lp_header trailers[] = {
		{ LP_SPAN("grpc-status"), lp_buf_span(&code), false },
		{ LP_SPAN("grpc-message"), lp_buf_span(&text), false },
	};
	lp_reply_end_trailers(answer->ex, trailers, 2);
	lp_buf_clear(&code);
	lp_buf_clear(&text);
}

void lp_grpc_reply(struct lp_grpc_answer *answer, struct lp_span message)
{
	lp_grpc_send(answer, message);
	lp_grpc_end(answer, LP_GRPC_OK, "");
}

static void tell_gone(struct lp_grpc_answer *answer)
{
	void (*fn)(void *) = answer->on_gone;

	answer->on_gone = NULL;
	if (fn)
		fn(answer->gone_self);
}

static void out_of_time(void *self)
{
	struct lp_grpc_answer *answer = self;

	tell_gone(answer);
	lp_grpc_end(answer, LP_GRPC_DEADLINE, "context deadline exceeded");
}

static void refuse_large(struct lp_grpc_answer *answer, size_t length)
{
	struct lp_err e;

	lp_fail(&e, LP_TOO_LARGE, "grpc: received message larger than max (%zu vs. %zu)", length,
		answer->method->message_max);
	lp_grpc_end(answer, LP_GRPC_EXHAUSTED, e.words);
}

static void refuse_compressed(struct lp_grpc_answer *answer)
{
	struct lp_span encoding = lp_exchange_header(answer->ex, "grpc-encoding");
	struct lp_err e;

	if (!encoding.len || lp_span_is(encoding, "identity")) {
		lp_grpc_end(answer, LP_GRPC_INTERNAL, "grpc: compressed flag set with identity or empty encoding");
		return;
	}
	lp_fail(&e, LP_BAD_REQUEST, "grpc: Decompressor is not installed for grpc-encoding \"%.*s\"",
		encoding.len < 64 ? (int)encoding.len : 64, encoding.at);
	lp_grpc_end(answer, LP_GRPC_UNIMPLEMENTED, e.words);
}

static void refuse_short(struct lp_grpc_answer *answer)
{
	const struct lp_err *why = lp_exchange_err(answer->ex);

	if (why->code == LP_TOO_LARGE)
		refuse_large(answer, answer->method->message_max + 1);
	else if (why->code == LP_UNAVAILABLE)
		lp_grpc_end(answer, LP_GRPC_EXHAUSTED, lp_err_words(why));
	else
		lp_grpc_end(answer, LP_GRPC_INTERNAL, "the request ended before its message");
}

static void forget_piece(struct lp_grpc_answer *answer)
{
	answer->server->gathered -= answer->in.len;
	lp_buf_clear(&answer->in);
}

/* False: others hold all that may be held, and the call has ended. */
static bool keep_piece(struct lp_grpc_answer *answer, struct lp_span piece)
{
	if (piece.len > LP_GRPC_GATHERED_MAX - answer->server->gathered) {
		forget_piece(answer);
		lp_grpc_end(answer, LP_GRPC_EXHAUSTED, "too many requests come slowly");
		return false;
	}
	answer->server->gathered += piece.len;
	lp_buf_add_span(&answer->in, piece);
	lp_exchange_consume(answer->ex, piece.len);
	return true;
}

/* What has come of the message.  A message that is there in one piece is handed on without a copy. */
static void take_message(struct lp_grpc_answer *answer)
{
	struct lp_span piece = lp_exchange_read(answer->ex);
	struct lp_span in = piece, message;

	if (answer->in.len) {
		if (!keep_piece(answer, piece))
			return;
		piece.len = 0;
		in = lp_buf_span(&answer->in);
	}
	switch (lp_grpc_frame_read(in, answer->method->message_max, &message)) {
	case LP_FRAME_WHOLE:
		answer->called = true;
		answer->method->call(answer->method->self, answer, message);
		lp_exchange_consume(answer->ex, piece.len);
		forget_piece(answer);
		return;
	case LP_FRAME_LARGE:
		refuse_large(answer, lp_grpc_frame_length(in));
		forget_piece(answer);
		return;
	case LP_FRAME_COMPRESSED:
		refuse_compressed(answer);
		forget_piece(answer);
		return;
	case LP_FRAME_MORE:
		break;
	}
	if (lp_exchange_body(answer->ex) != LP_BODY_MORE) {
		refuse_short(answer);
		forget_piece(answer);
		return;
	}
	if (piece.len)
		keep_piece(answer, piece);
}

static void on_exchange(void *self)
{
	struct lp_grpc_answer *answer = self;

	if (lp_exchange_gone(answer->ex)) {
		if (!answer->ended)
			tell_gone(answer);
		answer->ended = true;
		return;
	}
	if (answer->ended)
		return;
	if (!answer->called)
		take_message(answer);
	else
		lp_exchange_consume(answer->ex, lp_exchange_read(answer->ex).len);
}

static const struct lp_grpc_method *find_method(const struct lp_grpc_server *server, struct lp_span path)
{
	for (int i = 0; i < server->n; i++) {
		if (lp_span_is(path, server->methods[i].path))
			return &server->methods[i];
	}
	return NULL;
}

/* The part of "/service/method" before the last slash; at == NULL: it has no such form. */
static struct lp_span service_of(struct lp_span path)
{
	size_t end = path.len;

	while (end > 1 && path.at[end - 1] != '/')
		end--;
	return end > 1 ? lp_span_of(path.at + 1, end - 2) : (struct lp_span){ NULL, 0 };
}

static bool knows_service(const struct lp_grpc_server *server, struct lp_span service)
{
	for (int i = 0; i < server->n; i++) {
		if (lp_span_eq(service_of(lp_span(server->methods[i].path)), service))
			return true;
	}
	return false;
}

/* In the network's words (network-protocol 1.1). */
static void refuse_unknown(const struct lp_grpc_server *server, struct lp_grpc_answer *answer)
{
	struct lp_span path = lp_exchange_path(answer->ex);
	struct lp_span service = service_of(path);
	struct lp_err e;

	if (!service.at)
		lp_fail(&e, LP_NOT_FOUND, "malformed method name: \"%.*s\"", LP_ARG(path));
	else if (!knows_service(server, service))
		lp_fail(&e, LP_NOT_FOUND, "unknown service %.*s", LP_ARG(service));
	else
		lp_fail(&e, LP_NOT_FOUND, "unknown method %.*s for service %.*s",
			LP_ARG(lp_span_skip(path, service.len + 2)), LP_ARG(service));
	lp_grpc_end(answer, LP_GRPC_UNIMPLEMENTED, e.words);
}

static void clear_answer(void *arg)
{
	struct lp_grpc_answer *answer = arg;

	lp_timer_clear(&answer->deadline);
	forget_piece(answer);
}

static bool fits(struct lp_exchange *ex)
{
	struct lp_err e;

	if (!lp_exchange_is_h2(ex))
		lp_fail(&e, LP_VERSION, "gRPC requires HTTP/2");
	else if (!lp_span_is(lp_exchange_method(ex), "POST"))
		lp_fail(&e, LP_METHOD, "gRPC calls are POST requests");
	else
		return true;
	lp_reply_error(ex, &e);
	return false;
}

/* `te` and the like are not insisted on: a call that can be served is served. */
void lp_grpc_handle(void *grpc_server, struct lp_exchange *ex)
{
	struct lp_grpc_server *server = grpc_server;

	if (!fits(ex))
		return;
	struct lp_grpc_answer *answer = lp_new(lp_exchange_scope(ex), struct lp_grpc_answer);
	answer->ex = ex;
	answer->server = server;
	answer->deadline = (struct lp_timer){ .fire = out_of_time, .self = answer };
	lp_defer(lp_exchange_scope(ex), clear_answer, answer);
	lp_exchange_watch(ex, on_exchange, answer);
	answer->method = find_method(server, lp_exchange_path(ex));
	if (!answer->method) {
		refuse_unknown(server, answer);
		return;
	}
	/* Some room, so that one who sends too much hears by how much. */
	lp_exchange_limit_body(ex, LP_GRPC_PREFIX + (int64_t)answer->method->message_max + 64 * 1024);
	int64_t timeout = lp_grpc_timeout(lp_exchange_header(ex, "grpc-timeout"));
	lp_timer_set(&answer->deadline, lp_exchange_loop(ex), timeout);
	take_message(answer);
}
