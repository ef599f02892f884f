/* Requests on one connection, read whole and in pieces of a size that the first byte chooses: wherever the
 * reads were cut, the same requests must reach the handler. */
#include "http1_pipe.h"

#include <string.h>

#include "io/port/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

struct run {
	struct pipe_end pipe;
	struct lp_buf said;
	struct lp_exchange *ex;
	struct lp_buf body;
	bool closed;
};

static void on_event(void *self)
{
	struct run *run = self;
	struct lp_exchange *ex = run->ex;
	struct lp_span bytes = lp_exchange_read(ex);

	lp_buf_add_span(&run->body, bytes);
	lp_exchange_consume(ex, bytes.len);
	if (lp_exchange_gone(ex) || lp_reply_started(ex))
		return;
	if (lp_exchange_body(ex) == LP_BODY_BROKEN) {
		lp_reply_error(ex, lp_exchange_err(ex));
		return;
	}
	if (lp_exchange_body(ex) == LP_BODY_MORE)
		return;
	struct lp_headers headers = lp_exchange_headers(ex);

	lp_buf_fmt(&run->said, "[%.*s %.*s ", LP_ARG(lp_exchange_method(ex)), LP_ARG(lp_exchange_path(ex)));
	for (int i = 0; i < headers.n; i++)
		lp_buf_fmt(&run->said, "%.*s:%.*s;", LP_ARG(headers.at[i].name), LP_ARG(headers.at[i].value));
	lp_buf_add_span(&run->said, lp_buf_span(&run->body));
	lp_buf_add_text(&run->said, "]");
	/* A reply of each kind of framing. */
	if (run->body.len % 2) {
		lp_reply(ex, 200, "text/plain", LP_SPAN("ok"));
	} else {
		lp_reply_head(ex, 200, -1, NULL, 0);
		lp_reply_write(ex, LP_SPAN("ok"));
		lp_reply_end(ex);
	}
}

static void handle(void *self, struct lp_exchange *ex)
{
	struct run *run = self;

	run->ex = ex;
	lp_buf_reset(&run->body);
	lp_exchange_watch(ex, on_event, run);
}

static void on_closed(void *self)
{
	struct run *run = self;

	run->closed = true;
}

static void serve(struct run *run, struct lp_loop *loop, struct lp_span input, size_t piece)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_http_date date = { 0 };
	struct lp_server_limits limits = {
		.header_bytes = 4096,
		.header_time = LP_HOUR,
		.write_stall = LP_HOUR,
		.idle_time = LP_HOUR,
	};
	struct lp_exchange_owner owner = { .loop = loop, .handle = handle, .self = run, .body_limit = 8192 };
	struct lp_server_conn_want want = {
		.scope = scope, .owner = &owner, .limits = &limits, .loop = loop, .date = &date,
		.on_closed = on_closed, .self = run,
	};
	static const struct lp_conn_user nobody;
	struct lp_conn *conn = lp_conn_accept(loop, pipe_open(&run->pipe, loop), NULL, &nobody, NULL);
	void *wire = lp_http1_server_open(&want, conn, (struct lp_span){ 0 });

	pipe_feed(&run->pipe, (const uint8_t *)input.at, input.len, piece);
	if (!run->closed)
		lp_http1_server_ops.close(wire);
	lp_scope_close(&scope);
	close(run->pipe.fd);
	pipe_turns(&run->pipe, 2);
	lp_buf_clear(&run->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct run whole = { 0 }, pieces = { 0 };

	if (len < 2 || len > INPUT_MAX)
		return 0;
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_loop *loop = lp_loop_open(scope);
	struct lp_span input = lp_span_of(at + 1, len - 1);

	serve(&whole, loop, input, len);
	serve(&pieces, loop, input, 1 + at[0]);
	lp_assert(lp_span_eq(lp_buf_span(&whole.said), lp_buf_span(&pieces.said)));
	lp_buf_clear(&whole.said);
	lp_buf_clear(&pieces.said);
	lp_scope_close(&scope);
	return 0;
}
