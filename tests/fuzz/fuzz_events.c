/* A stream of events is read whole and in pieces: both must tell the same, and what was read, written again,
 * reads the same once more. */
#include <lpd/base/assert.h>
#include <lpd/io/events.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void read_stream(struct lp_buf *said, struct lp_buf *again, struct lp_span in, size_t piece, size_t limit)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_events *events = lp_events_open(scope, limit);
	struct lp_span name, data;
	struct lp_err e = { LP_OK, "" };

	while (in.len && e.code == LP_OK) {
		size_t n = in.len < piece ? in.len : piece;

		lp_events_push(events, lp_span_of(in.at, n));
		in = lp_span_skip(in, n);
		while (lp_events_pull(events, &name, &data, &e)) {
			lp_assert(data.len <= limit);
			lp_buf_add_span(said, data);
			lp_buf_add_char(said, '\f');
			if (again)
				lp_events_write(again, data);
		}
	}
	lp_scope_close(&scope);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_buf whole = { .len = 0 }, pieces = { .len = 0 }, again = { .len = 0 }, twice = { .len = 0 };

	if (len < 2)
		return 0;
	struct lp_span in = lp_span_of(at + 1, len - 1);
	read_stream(&whole, &again, in, in.len + 1, 300);
	read_stream(&pieces, NULL, in, (size_t)at[0] % 16 + 1, 300);
	lp_assert(lp_span_eq(lp_buf_span(&whole), lp_buf_span(&pieces)));
	read_stream(&twice, NULL, lp_buf_span(&again), again.len + 1, 400);
	lp_assert(lp_span_eq(lp_buf_span(&whole), lp_buf_span(&twice)));
	lp_buf_clear(&whole);
	lp_buf_clear(&pieces);
	lp_buf_clear(&again);
	lp_buf_clear(&twice);
	return 0;
}
