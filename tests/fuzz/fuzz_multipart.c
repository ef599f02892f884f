/* A body is read whole and in pieces of a size that its first byte chooses: both must tell the same. */
#include <stdlib.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/io/multipart.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void add_span(struct lp_buf *said, struct lp_span span)
{
	lp_buf_add_text(said, span.at ? "'" : "-");
	lp_buf_add_span(said, span);
}

/* False: nothing more will come. */
static bool pull_all(struct lp_multipart *m, struct lp_buf *said)
{
	struct lp_part part;
	struct lp_err e;

	for (;;) {
		switch (lp_multipart_pull(m, &part, &e)) {
		case LP_PART_NEED:
			return true;
		case LP_PART_BEGIN:
			add_span(said, part.name);
			add_span(said, part.filename);
			add_span(said, part.type);
			lp_buf_add_text(said, "(");
			break;
		case LP_PART_DATA:
			lp_assert(part.data.len > 0);
			lp_buf_add_span(said, part.data);
			break;
		case LP_PART_END:
			lp_buf_add_text(said, ")");
			break;
		case LP_PART_DONE:
			lp_buf_add_text(said, "done");
			return false;
		case LP_PART_BAD:
			lp_buf_add_text(said, e.words);
			return false;
		}
	}
}

static void read_body(struct lp_buf *said, struct lp_span type, struct lp_span body, size_t piece)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_multipart *m;
	struct lp_err e;
	bool more = true;

	if (lp_multipart_open(scope, &m, type, &e) == LP_OK) {
		while (more && body.len) {
			size_t n = body.len < piece ? body.len : piece;
			char *copy = malloc(n);

			memcpy(copy, body.at, n);
			body = lp_span_skip(body, n);
			lp_multipart_push(m, lp_span_of(copy, n));
			more = pull_all(m, said);
			free(copy);
		}
		if (more) {
			lp_multipart_finish(m);
			more = pull_all(m, said);
			lp_assert(!more);
		}
	}
	lp_scope_close(&scope);
}

/* First byte: the size of the pieces.  Then a content type up to a newline, then the body. */
int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_buf whole = { .len = 0 }, pieces = { .len = 0 };

	if (len < 2)
		return 0;
	struct lp_span body = lp_span_of(at + 1, len - 1);
	struct lp_span type = lp_span_cut(&body, '\n');
	read_body(&whole, type, body, body.len + 1);
	read_body(&pieces, type, body, (size_t)at[0] + 1);
	lp_assert(lp_span_eq(lp_buf_span(&whole), lp_buf_span(&pieces)));
	lp_buf_clear(&whole);
	lp_buf_clear(&pieces);
	return 0;
}
