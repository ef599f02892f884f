/* A client of HTTP/2 that does as the fuzzer says, against handlers that answer in every way there is. */
#include "http2_frames.h"

#include <string.h>

#include <nghttp2/nghttp2.h>

#include "io/port/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

struct run {
	struct pipe_end pipe;
	bool closed;
};

/* Lives with its exchange. */
struct job {
	struct lp_exchange *ex;
	bool last;
};

static void answer(struct job *job)
{
	struct lp_header field = { LP_SPAN("grpc-status"), LP_SPAN("0"), true };
	struct lp_exchange *ex = job->ex;
	static const char big[20000];

	switch (lp_exchange_path(ex).len % 5) {
	case 0:
		lp_reply(ex, 200, "text/plain", LP_SPAN("ok"));
		break;
	case 1:
		lp_reply_head(ex, 200, -1, &field, 1);
		lp_reply_write(ex, lp_span_of(big, sizeof(big)));
		lp_reply_end_trailers(ex, &field, 1);
		break;
	case 2:
		lp_reply_head(ex, 200, -1, NULL, 0);
		lp_reply_abort(ex, LP_TIMEOUT);
		break;
	case 3:
		lp_reply_head(ex, 204, 0, NULL, 0);
		lp_reply_end(ex);
		break;
	case 4:
		break;		/* never */
	}
}

static void on_event(void *self)
{
	struct job *job = self;
	struct lp_exchange *ex = job->ex;
	struct lp_span bytes = lp_exchange_read(ex);

	lp_assert(!job->last);
	lp_exchange_consume(ex, bytes.len);
	job->last = lp_exchange_gone(ex);
	if (job->last || lp_reply_started(ex))
		return;
	if (lp_exchange_body(ex) == LP_BODY_BROKEN)
		lp_reply_error(ex, lp_exchange_err(ex));
	else if (lp_exchange_body(ex) == LP_BODY_END || lp_exchange_path(ex).len % 2)
		answer(job);
}

static void handle(void *self, struct lp_exchange *ex)
{
	struct job *job = lp_new(lp_exchange_scope(ex), struct job);
	struct lp_headers headers = lp_exchange_headers(ex);

	(void)self;
	lp_assert(lp_exchange_is_h2(ex) && lp_exchange_path(ex).len > 0);
	for (int i = 0; i < headers.n; i++) {
		struct lp_span name = headers.at[i].name;
		lp_assert(name.len > 0 && name.at[0] != ':' && !memchr(headers.at[i].value.at, '\n', headers.at[i].value.len));
	}
	job->ex = ex;
	lp_exchange_watch(ex, on_event, job);
}

static void on_closed(void *self)
{
	struct run *run = self;

	run->closed = true;
}

static void serve(struct lp_loop *loop, struct lp_span input, size_t piece)
{
	struct run run = { .closed = false };
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_http_date date = { 0 };
	struct lp_server_limits limits = {
		.streams = 5, .header_bytes = 4096, .header_time = LP_HOUR, .write_stall = LP_HOUR, .idle_time = LP_HOUR,
	};
	struct lp_exchange_owner owner = { .loop = loop, .handle = handle, .self = &run, .body_limit = 8192 };
	struct lp_server_conn_want want = {
		.scope = scope, .owner = &owner, .limits = &limits, .loop = loop, .date = &date,
		.on_closed = on_closed, .self = &run,
	};
	static const struct lp_conn_user nobody;
	struct lp_conn *conn = lp_conn_accept(loop, pipe_open(&run.pipe, loop), NULL, &nobody, NULL);
	void *wire = lp_http2_server_open(&want, conn, LP_SPAN(NGHTTP2_CLIENT_MAGIC));

	if (piece % 16 == 3)
		lp_http2_server_ops.drain(wire);
	pipe_feed(&run.pipe, (const uint8_t *)input.at, input.len, piece);
	if (!run.closed)
		lp_http2_server_ops.close(wire);
	lp_scope_close(&scope);
	close(run.pipe.fd);
	pipe_turns(&run.pipe, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_buf input = { .mem = NULL };

	if (len < 3 || len > INPUT_MAX / 4)
		return 0;
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_loop *loop = lp_loop_open(scope);

	frames_build(&input, at + 1, len - 1);
	size_t piece = at[0] < 128 ? INPUT_MAX - at[0] : (size_t)at[0] - 100;
	serve(loop, lp_buf_span(&input), piece);
	lp_buf_clear(&input);
	lp_scope_close(&scope);
	return 0;
}
