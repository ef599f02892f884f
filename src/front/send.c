#include <lpd/front/send.h>

struct sending {
	struct lp_exchange *ex;
	struct lp_spool_reader *reader;
	struct lp_span after;
	bool ended;
};

static void end(struct sending *s)
{
	s->ended = true;
	lp_reply_write(s->ex, s->after);
	lp_reply_end(s->ex);
}

static void more(void *self)
{
	struct sending *s = self;
	const struct lp_err *bad;

	if (s->ended || lp_exchange_gone(s->ex))
		return;
	for (;;) {
		struct lp_span bytes = lp_spool_peek(s->reader);
		size_t room = lp_reply_room(s->ex);

		bytes.len = bytes.len < room ? bytes.len : room;
		if (!bytes.len)
			break;
		lp_reply_write(s->ex, bytes);
		lp_spool_consume(s->reader, bytes.len);
	}
	bad = lp_spool_reader_err(s->reader);
	if (bad->code != LP_OK) {
		s->ended = true;
		lp_reply_abort(s->ex, bad->code);
	} else if (lp_spool_at_end(s->reader)) {
		end(s);
	}
}

void lp_send(const struct lp_send *what)
{
	struct lp_scope *scope = lp_exchange_scope(what->ex);
	struct sending *s = lp_new(scope, struct sending);
	int64_t length = -1;

	if (lp_spool_ready(what->spool))
		length = lp_spool_size(what->spool) + (int64_t)what->before.len + (int64_t)what->after.len;
	s->ex = what->ex;
	s->after = lp_span_dup(scope, what->after);
	s->reader = lp_spool_read(scope, what->spool, more, s);
	lp_exchange_watch(what->ex, more, s);
	lp_reply_head(what->ex, what->status, length, what->headers, what->n_headers);
	lp_reply_write(what->ex, what->before);
	more(s);
}
