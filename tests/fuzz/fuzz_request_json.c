/* First byte: which pipeline, which edge, JSON or a form.  What one hop takes and writes, the next takes too,
 * counts alike and writes the same. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/market/request.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

/* name=value lines. */
static enum lp_code read_form(struct lp_scope *scope, struct lp_request *req, struct lp_span body)
{
	enum lp_code code = LP_OK;

	while (body.len && !code) {
		struct lp_span line = lp_span_cut(&body, '\n');
		struct lp_span name = lp_span_cut(&line, '=');

		code = lp_request_read_field(scope, req, name, line, NULL);
	}
	return code;
}

static void give_file(struct lp_request *req)
{
	static const char png[33] =
		"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x03\0\0\0\x02\x08\x02\0\0\0crc";

	req->file = (struct lp_request_file){
		.given = true, .filename = LP_SPAN("x"), .type = LP_SPAN(""), .head = { png, 33 }, .size = 33
	};
}

static void next_hop(struct lp_scope *scope, const struct lp_request *req)
{
	struct lp_request *next = lp_request_new(scope, req->pipeline);
	struct lp_buf first = { 0 }, second = { 0 }, before = { 0 }, after = { 0 };

	lp_request_write_json(&first, req);
	give_file(next);
	lp_assert(lp_request_read_json(scope, next, lp_buf_span(&first), NULL) == LP_OK);
	lp_assert(lp_request_finish(scope, next, LP_EDGE_ORCHESTRATOR, NULL) == LP_OK);
	lp_assert(next->units == req->units && next->stream == req->stream);
	lp_request_write_json(&second, next);
	lp_assert(lp_span_eq(lp_buf_span(&first), lp_buf_span(&second)));
	lp_request_write_form(&before, &after, "B", req);
	(void)lp_request_work(req, 5);
	lp_buf_clear(&first);
	lp_buf_clear(&second);
	lp_buf_clear(&before);
	lp_buf_clear(&after);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	int n;
	const struct lp_pipeline *rows = lp_pipelines(&n);

	if (len > 0) {
		struct lp_request *req = lp_request_new(scope, &rows[at[0] % n]);
		enum lp_edge edge = at[0] & 0x40 ? LP_EDGE_ORCHESTRATOR : LP_EDGE_GATEWAY;
		struct lp_span body = lp_span_of(at + 1, len - 1);
		enum lp_code code = at[0] & 0x80 ? read_form(scope, req, body)
						 : lp_request_read_json(scope, req, body, NULL);

		give_file(req);
		if (!code)
			code = lp_request_finish(scope, req, edge, NULL);
		lp_assert(!code || code == LP_BAD_REQUEST || code == LP_INVALID);
		/* An object is passed on unread: -0.0 and 4e19 come out in forms that differ. */
		if (!code && !lp_request_value(req, "params"))
			next_hop(scope, req);
	}
	lp_scope_close(&scope);
	return 0;
}
