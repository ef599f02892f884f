/* market/answer - read a media answer as it comes: {"images":[{"url":..,"seed":..,"nsfw":..}]} and the like.
 *
 * Never a tree, never the whole: text outside of media is kept as a small skeleton (1 MiB at most), data URLs
 * are decoded slice by slice and handed out.  Afterwards the skeleton is written with other URLs in their
 * places.  Every string member named "url" inside images[], audio or frames is media.  Pure. */
#ifndef LPD_MARKET_ANSWER_H
#define LPD_MARKET_ANSWER_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>
#include <lpd/base/scope.h>

struct lp_answer;

enum lp_answer_event {
	LP_ANSWER_NEED,		/* push more */
	LP_ANSWER_MEDIA,	/* media number `index` begins: a data URL of `type`; slices follow */
	LP_ANSWER_SLICE,	/* decoded bytes of it, at most 48 KiB, valid until the next pull */
	LP_ANSWER_MEDIA_END,
	LP_ANSWER_URL,		/* media number `index` is to be fetched from `url` (at most 8 KiB) */
	LP_ANSWER_DONE,
	LP_ANSWER_BAD,		/* e has the words */
};

struct lp_answer_item {
	int index;
	struct lp_span type, url, slice;
};

#define LP_ANSWER_MEDIA_MAX 256	/* more in one answer is LP_BAD_PEER */

struct lp_answer *lp_answer_open(struct lp_scope *scope);
void lp_answer_push(struct lp_answer *a, struct lp_span bytes);	/* borrowed until LP_ANSWER_NEED */
void lp_answer_finish(struct lp_answer *a);			/* no more will come */
enum lp_answer_event lp_answer_pull(struct lp_answer *a, struct lp_answer_item *item, struct lp_err *e);
int lp_answer_media(const struct lp_answer *a);			/* how many there were */

/* The answer in pieces: lp_answer_text(a, 0), url 0, lp_answer_text(a, 1), url 1, ..., lp_answer_text(a, n).
 * Each text ends and begins inside the quotes of the URL's string. */
struct lp_span lp_answer_text(const struct lp_answer *a, int i);

/* Of a small llm answer (or event): usage.total_tokens; 0 when there is none. */
uint64_t lp_answer_tokens(struct lp_span json);
/* The first choice's finish_reason is a non-empty string: the last event of a stream. */
bool lp_answer_is_last(struct lp_span event);
/* Copy with null members dropped ("delta":null, "message":null: published SDKs refuse them).  True when the
 * text was one whole JSON value. */
bool lp_answer_drop_nulls(struct lp_buf *to, struct lp_span json);

#endif
