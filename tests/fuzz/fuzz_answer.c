/* An answer whole and in pieces of a size that the first byte chooses: both tell the same, and what is left of
 * it with URLs put in is JSON again. */
#include <stdlib.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/jsonscan.h>
#include <lpd/market/answer.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void note(struct lp_buf *said, enum lp_answer_event event, const struct lp_answer_item *item)
{
	if (event == LP_ANSWER_MEDIA)
		lp_buf_fmt(said, "M%d%.*s:", item->index, LP_ARG(item->type));
	else if (event == LP_ANSWER_URL)
		lp_buf_fmt(said, "U%d%.*s", item->index, LP_ARG(item->url));
	else if (event == LP_ANSWER_MEDIA_END)
		lp_buf_fmt(said, ";E%d", item->index);
	lp_assert(item->slice.len <= 48 * 1024);
	lp_buf_add_span(said, item->slice);
}

static void note_rest(struct lp_buf *said, const struct lp_answer *a)
{
	struct lp_buf json = { 0 };

	for (int i = 0; i <= lp_answer_media(a); i++) {
		lp_buf_add_text(&json, i ? "url" : "");
		lp_buf_add_span(&json, lp_answer_text(a, i));
	}
	lp_assert(lp_jscan(lp_buf_span(&json)).kind != LP_J_BAD);
	lp_buf_add_span(said, lp_buf_span(&json));
	lp_buf_clear(&json);
}

static void read_answer(struct lp_buf *said, struct lp_span body, size_t piece)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_answer *a = lp_answer_open(scope);
	struct lp_answer_item item;
	enum lp_answer_event event;
	char *copy = NULL;

	while ((event = lp_answer_pull(a, &item, NULL)) != LP_ANSWER_DONE &&
	       event != LP_ANSWER_BAD) {
		note(said, event, &item);
		if (event != LP_ANSWER_NEED)
			continue;
		size_t n = body.len < piece ? body.len : piece;

		free(copy);
		copy = malloc(n + 1);
		if (n)
			memcpy(copy, body.at, n);
		if (n)
			lp_answer_push(a, lp_span_of(copy, n));
		else
			lp_answer_finish(a);
		body = lp_span_skip(body, n);
	}
	free(copy);
	if (event == LP_ANSWER_DONE)
		note_rest(said, a);
	else
		lp_buf_reset(
			said); /* slices of a bad one may differ: it is told at another place */
	lp_buf_add_text(said, event == LP_ANSWER_DONE ? "done" : "bad");
	lp_scope_close(&scope);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_buf whole = { 0 }, pieces = { 0 }, thin = { 0 };

	if (len == 0)
		return 0;
	struct lp_span body = lp_span_of(at + 1, len - 1);

	read_answer(&whole, body, len);
	read_answer(&pieces, body, (size_t)at[0] + 1);
	lp_assert(lp_span_eq(lp_buf_span(&whole), lp_buf_span(&pieces)));
	if (lp_answer_drop_nulls(&thin, body))
		lp_assert(lp_jscan(lp_buf_span(&thin)).kind != LP_J_BAD);
	(void)lp_answer_tokens(body);
	(void)lp_answer_is_last(body);
	lp_buf_clear(&whole);
	lp_buf_clear(&pieces);
	lp_buf_clear(&thin);
	return 0;
}
