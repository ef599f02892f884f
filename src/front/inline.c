/* The second half of front/collect: an answer written with data URLs, never whole in memory. */
#include <string.h>

#include <lpd/base/hex.h>
#include <lpd/front/collect.h>

#include "collect_priv.h"

#define SLICE 12288	/* bytes of a medium encoded at once; a multiple of 3 */

struct lp_inline {
	struct lp_collect *c;
	struct lp_exchange *ex;
	struct lp_loop *loop;
	struct lp_scope *scope;
	struct lp_ready pump;
	void (*on_event)(void *self);
	void *self;
	int at;				/* item being written */
	struct lp_spool_reader *reader;
	char rest[3];			/* bytes that did not fill a group of three */
	size_t n_rest;
	struct lp_buf out;
	bool done;
};

static void poke(void *self)
{
	lp_inline_poke(self);
}

static int64_t length(const struct lp_collect *c)
{
	int64_t sum = 0;

	for (int i = 0; i < c->n; i++) {
		const struct collect_item *item = c->items[i];

		sum += (int64_t)lp_answer_text(c->answer, i).len;
		sum += item->passed_on ? (int64_t)item->path.len :
			(int64_t)(sizeof("data:;base64,") - 1 + item->type.len) + LP_B64_LEN(item->size);
	}
	return sum + (int64_t)lp_answer_text(c->answer, c->n).len;
}

static void finish(struct lp_inline *in)
{
	in->done = true;
	in->on_event(in->self);
}

/* The text before item `at`, and what its URL begins with. */
static void begin_item(struct lp_inline *in)
{
	const struct lp_collect *c = in->c;
	const struct collect_item *item = in->at < c->n ? c->items[in->at] : NULL;

	lp_buf_add_span(&in->out, lp_answer_text(c->answer, in->at));
	if (!item)
		return;
	if (item->passed_on) {
		lp_buf_add_span(&in->out, item->path);
		return;
	}
	lp_buf_add_text(&in->out, "data:");
	lp_buf_add_span(&in->out, item->type);
	lp_buf_add_text(&in->out, ";base64,");
	in->reader = lp_spool_read(in->scope, item->spool, poke, in);
}

static void encode(struct lp_inline *in, struct lp_span bytes, bool last)
{
	char group[SLICE + 3];
	size_t n = in->n_rest;

	memcpy(group, in->rest, n);
	if (bytes.len)
		memcpy(group + n, bytes.at, bytes.len);
	n += bytes.len;
	in->n_rest = last ? 0 : n % 3;
	memcpy(in->rest, group + n - in->n_rest, in->n_rest);
	lp_b64_write(&in->out, lp_span_of(group, n - in->n_rest));
}

/* One step forward; false: wait. */
static bool step(struct lp_inline *in)
{
	if (!in->reader) {
		begin_item(in);
		if (!in->reader)
			in->at++;
		return true;
	}
	struct lp_span bytes = lp_spool_peek(in->reader);

	if (bytes.len > SLICE)
		bytes.len = SLICE;
	if (bytes.len) {
		encode(in, bytes, false);
		lp_spool_consume(in->reader, bytes.len);
		return true;
	}
	if (!lp_spool_at_end(in->reader))
		return false;
	encode(in, LP_SPAN(""), true);
	in->reader = NULL;
	in->at++;
	return true;
}

static void pump(void *self)
{
	struct lp_inline *in = self;

	if (in->done)
		return;
	while (in->at <= in->c->n) {
		if (lp_exchange_gone(in->ex)) {
			finish(in);
			return;
		}
		if (in->reader && lp_spool_reader_err(in->reader)->code != LP_OK) {
			lp_reply_abort(in->ex, LP_STORE);
			finish(in);
			return;
		}
		if (!lp_reply_room(in->ex) || !step(in))
			return;
		lp_reply_write(in->ex, lp_buf_span(&in->out));
		lp_buf_reset(&in->out);
	}
	lp_reply_end(in->ex);
	finish(in);
}

static void closed(void *arg)
{
	struct lp_inline *in = arg;

	lp_unready(&in->pump);
	lp_buf_clear(&in->out);
}

static void write_head(struct lp_inline *in, const struct lp_inline_want *want)
{
	struct lp_header headers[8] = {
		{ LP_SPAN("content-type"), LP_SPAN("application/json"), false },
	};
	int n = 1;

	for (int i = 0; i < want->n_headers && n < 8; i++)
		headers[n++] = want->headers[i];
	lp_reply_head(in->ex, 200, length(in->c), headers, n);
}

struct lp_inline *lp_inline_start(struct lp_scope *scope, const struct lp_inline_want *want,
				  void (*on_event)(void *self), void *self)
{
	struct lp_inline *in = lp_new(scope, struct lp_inline);

	in->c = want->collect;
	in->ex = want->ex;
	in->scope = scope;
	in->loop = in->c->want.loop;
	in->on_event = on_event;
	in->self = self;
	in->pump = (struct lp_ready){ .run = pump, .self = in };
	lp_defer(scope, closed, in);
	write_head(in, want);
	lp_inline_poke(in);
	return in;
}

void lp_inline_poke(struct lp_inline *in)
{
	if (!in->done)
		lp_ready(in->loop, &in->pump);
}

bool lp_inline_done(const struct lp_inline *in)
{
	return in->done;
}
