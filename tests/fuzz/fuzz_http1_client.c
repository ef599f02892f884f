/* Answers of a peer, read whole and in pieces: wherever the reads were cut, the call must be told the same.
 * The first byte chooses the size of the pieces, its lowest bit the method.  The call is a stand-in. */
#include "http1_pipe.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

struct lp_call {
	struct lp_call_request request;
	struct lp_buf head, body;
	const struct lp_call_wire *wire;
	void *stream;
	bool headed, over;
};

struct run {
	struct pipe_end pipe;
	struct lp_call call;
	bool closed;
};

const struct lp_call_request *lp_call_wire_request(const struct lp_call *call)
{
	return &call->request;
}

void lp_call_wire_bind(struct lp_call *call, const struct lp_call_wire *wire, void *stream)
{
	call->wire = wire;
	call->stream = stream;
}

void lp_call_wire_sent(struct lp_call *call)
{
	lp_assert(!call->over);
}

void lp_call_wire_request_done(struct lp_call *call)
{
	lp_assert(!call->over);
}

void lp_call_wire_head(struct lp_call *call, int status, struct lp_headers headers, int64_t length)
{
	lp_assert(!call->headed && !call->over && status >= 200 && status < 1000);
	call->headed = true;
	lp_buf_fmt(&call->head, "%d %lld ", status, (long long)length);
	for (int i = 0; i < headers.n; i++)
		lp_buf_fmt(&call->head, "%.*s:%.*s;", LP_ARG(headers.at[i].name), LP_ARG(headers.at[i].value));
}

void lp_call_wire_body(struct lp_call *call, struct lp_span bytes)
{
	lp_assert(call->headed && !call->over);
	lp_buf_add_span(&call->body, bytes);
	call->wire->consumed(call->stream, bytes.len);
}

void lp_call_wire_end(struct lp_call *call, struct lp_headers trailers)
{
	lp_assert(call->headed && !call->over);
	call->over = true;
	lp_buf_add_text(&call->head, " END ");
	for (int i = 0; i < trailers.n; i++)
		lp_buf_fmt(&call->head, "%.*s:%.*s;", LP_ARG(trailers.at[i].name), LP_ARG(trailers.at[i].value));
}

void lp_call_wire_fail(struct lp_call *call, enum lp_code why, bool not_received, const char *words)
{
	lp_assert(!call->over && words && !not_received);
	call->over = true;
	lp_buf_fmt(&call->head, " FAIL %s", lp_code_name(why));
}

void lp_call_wire_room(struct lp_call *call)
{
	lp_assert(!call->over);
}

static void on_change(void *self)
{
	(void)self;
}

static void on_closed(void *self)
{
	struct run *run = self;

	run->closed = true;
}

static void ask(struct run *run, struct lp_loop *loop, struct lp_span input, size_t piece)
{
	static const struct lp_conn_user nobody;
	struct lp_url url = { .host = LP_SPAN("a"), .port = 80, .path = LP_SPAN("/") };
	struct lp_conn *conn = lp_conn_accept(loop, pipe_open(&run->pipe, loop), NULL, &nobody, NULL);
	struct lp_client_conn_want want = { loop, on_change, on_closed, run };
	void *wire = lp_http1_client_open(&want, conn);

	run->call.request.url = &url;
	run->call.request.window = 4096;
	lp_http1_client_ops.start(wire, &run->call);
	pipe_turns(&run->pipe, 1);
	pipe_feed(&run->pipe, (const uint8_t *)input.at, input.len, piece);
	if (!run->closed)
		lp_http1_client_ops.close(wire);
	lp_assert(run->call.over);
	close(run->pipe.fd);
	pipe_turns(&run->pipe, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct run whole = { 0 }, pieces = { 0 };

	if (len < 2 || len > INPUT_MAX)
		return 0;
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_loop *loop = lp_loop_open(scope);
	struct lp_span input = lp_span_of(at + 1, len - 1);

	whole.call.request.method = pieces.call.request.method = at[0] & 1 ? "HEAD" : "GET";
	ask(&whole, loop, input, len);
	ask(&pieces, loop, input, 1 + at[0]);
	lp_assert(lp_span_eq(lp_buf_span(&whole.call.head), lp_buf_span(&pieces.call.head)));
	lp_assert(lp_span_eq(lp_buf_span(&whole.call.body), lp_buf_span(&pieces.call.body)));
	lp_buf_clear(&whole.call.head);
	lp_buf_clear(&whole.call.body);
	lp_buf_clear(&pieces.call.head);
	lp_buf_clear(&pieces.call.body);
	lp_scope_close(&scope);
	return 0;
}
