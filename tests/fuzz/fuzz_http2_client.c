/* A server of HTTP/2 that does as the fuzzer says, against calls that are stood in for: whatever comes, each is
 * told of one end and of nothing after it. */
#include "http2_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

#define CALLS 4

struct lp_call {
	struct lp_call_request request;
	const struct lp_call_wire *wire;
	void *stream;
	bool headed, over, cancelled;
	size_t body;
};

struct run {
	struct pipe_end pipe;
	struct lp_call calls[CALLS];
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

static void alive(const struct lp_call *call)
{
	lp_assert(call->wire && !call->over && !call->cancelled);
}

void lp_call_wire_sent(struct lp_call *call)
{
	alive(call);
}

void lp_call_wire_request_done(struct lp_call *call)
{
	alive(call);
}

void lp_call_wire_head(struct lp_call *call, int status, struct lp_headers headers, int64_t length)
{
	alive(call);
	lp_assert(!call->headed && status >= 200 && status < 1000 && length >= -1);
	for (int i = 0; i < headers.n; i++)
		lp_assert(headers.at[i].name.len > 0 && headers.at[i].name.at[0] != ':');
	call->headed = true;
}

void lp_call_wire_body(struct lp_call *call, struct lp_span bytes)
{
	alive(call);
	lp_assert(call->headed);
	call->body += bytes.len;
	if (call->body % 3)
		call->wire->consumed(call->stream, bytes.len);
}

void lp_call_wire_end(struct lp_call *call, struct lp_headers trailers)
{
	alive(call);
	lp_assert(call->headed && trailers.n >= 0);
	call->over = true;
}

void lp_call_wire_fail(struct lp_call *call, enum lp_code why, bool not_received, const char *words)
{
	alive(call);
	lp_assert(words && why != LP_OK && !(not_received && call->headed));
	call->over = true;
}

void lp_call_wire_room(struct lp_call *call)
{
	alive(call);
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

static void start(struct run *run, void *wire, int i)
{
	static const struct lp_url url = { .host = LP_SPAN("::1"), .port = 80, .path = LP_SPAN("/") };
	struct lp_call *call = &run->calls[i];

	call->request = (struct lp_call_request){ .method = i == 1 ? "HEAD" : "POST", .url = &url, .window = 400000 };
	if (i == 2) {
		call->request.body_streamed = true;
		call->request.body_length = -1;
	} else if (i == 3) {
		static const char big[100000];
		call->request.body = lp_span_of(big, sizeof(big));
	}
	if (lp_http2_client_ops.free_slots(wire) > 0)
		lp_http2_client_ops.start(wire, call);
	if (i == 2 && call->wire && !call->over)
		call->wire->write(call->stream, LP_SPAN("piece"));
}

static void ask(struct run *run, struct lp_loop *loop, struct lp_span input, size_t piece)
{
	static const struct lp_conn_user nobody;
	struct lp_conn *conn = lp_conn_accept(loop, pipe_open(&run->pipe, loop), NULL, &nobody, NULL);
	struct lp_client_conn_want want = { loop, on_change, on_closed, run };
	void *wire = lp_http2_client_open(&want, conn);

	for (int i = 0; i < CALLS; i++)
		start(run, wire, i);
	pipe_turns(&run->pipe, 1);
	if (piece % 8 == 5 && !run->calls[0].over) {
		run->calls[0].cancelled = true;
		run->calls[0].wire->cancel(run->calls[0].stream);
	}
	pipe_feed(&run->pipe, (const uint8_t *)input.at, input.len, piece);
	if (!run->closed)
		lp_http2_client_ops.close(wire);
	for (int i = 0; i < CALLS; i++)
		lp_assert(!run->calls[i].wire || run->calls[i].over || run->calls[i].cancelled);
	close(run->pipe.fd);
	pipe_turns(&run->pipe, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct run run = { .closed = false };
	struct lp_buf input = { .mem = NULL };

	if (len < 3 || len > INPUT_MAX / 4)
		return 0;
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_loop *loop = lp_loop_open(scope);

	frames_build(&input, at + 1, len - 1);
	ask(&run, loop, lp_buf_span(&input), at[0] < 128 ? INPUT_MAX - at[0] : (size_t)at[0] - 100);
	lp_buf_clear(&input);
	lp_scope_close(&scope);
	return 0;
}
