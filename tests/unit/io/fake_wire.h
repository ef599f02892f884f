/* fake_wire - an exchange without a connection: the request is made up, the reply is noted. */
#ifndef FAKE_WIRE_H
#define FAKE_WIRE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/exchange_wire.h"
#include "real_loop.h"

struct fake_wire {
	struct real_loop r;
	struct lp_exchange_owner owner;
	struct lp_exchange *ex;
	struct lp_buf reply;	/* "200 5 name=value;|body.|END" */
	size_t consumed;
	int wanted;		/* consumed(0): somebody waits for the body */
	size_t room;
	bool full;		/* room() is 0 */
	bool aborted;
	enum lp_code why;
	bool done_at_end;	/* end() means that the stream is done */
};

static inline void fake_consumed(void *stream, size_t n)
{
	struct fake_wire *w = stream;

	w->consumed += n;
	w->wanted += n == 0;
}

static inline void fake_fields(struct fake_wire *w, struct lp_headers headers)
{
	for (int i = 0; i < headers.n; i++)
		lp_buf_fmt(&w->reply, "%.*s=%.*s;", LP_ARG(headers.at[i].name), LP_ARG(headers.at[i].value));
	lp_buf_add_char(&w->reply, '|');
}

static inline void fake_head(void *stream, int status, int64_t length, struct lp_headers headers)
{
	struct fake_wire *w = stream;

	lp_buf_fmt(&w->reply, "%d %d ", status, (int)length);
	fake_fields(w, headers);
}

static inline void fake_data(void *stream, struct lp_span bytes)
{
	struct fake_wire *w = stream;

	lp_buf_add_span(&w->reply, bytes);
	lp_buf_add_char(&w->reply, '.');
}

static inline void fake_end(void *stream, struct lp_headers trailers)
{
	struct fake_wire *w = stream;

	lp_buf_add_char(&w->reply, '|');
	if (trailers.n)
		fake_fields(w, trailers);
	lp_buf_add_text(&w->reply, "END");
	if (w->done_at_end)
		lp_exchange_wire_done(w->ex);
}

static inline size_t fake_room(const void *stream)
{
	const struct fake_wire *w = stream;

	return w->full ? 0 : 1000;
}

static inline void fake_abort(void *stream, enum lp_code why)
{
	struct fake_wire *w = stream;

	w->aborted = true;
	w->why = why;
}

static const struct lp_exchange_wire fake_wire_ops = { fake_consumed, fake_head, fake_data,
							fake_end,      fake_room, fake_abort, NULL };

static inline void fake_wire_open(struct fake_wire *w)
{
	*w = (struct fake_wire){ .done_at_end = true };
	real_loop_open(&w->r);
	w->owner.loop = w->r.loop;
	w->owner.body_limit = 100;
	w->owner.body_stall = LP_SEC;
	w->owner.write_stall = LP_SEC;
	w->owner.metrics = lp_metrics_open(w->r.scope);
}

static inline void fake_wire_close(struct fake_wire *w)
{
	lp_scope_close(&w->r.scope);
	lp_buf_clear(&w->reply);
}

/* A request; length 0: no body. */
static inline struct lp_exchange *fake_request(struct fake_wire *w, const char *method, const char *target,
					       int64_t length)
{
	struct lp_header host = { .name = LP_SPAN("host"), .value = LP_SPAN("a") };
	struct lp_exchange_head head = {
		.method = lp_span(method),
		.target = lp_span(target),
		.headers = { &host, 1 },
		.length = length,
		.no_body = length == 0,
		.peer = "192.0.2.1:5",
	};

	lp_buf_reset(&w->reply);
	w->ex = lp_exchange_wire_open(w->r.scope, &w->owner, &fake_wire_ops, w, &head);
	return w->ex;
}

static inline void fake_turn(struct fake_wire *w)
{
	real_loop_run_for(&w->r, 0);
	real_loop_run_for(&w->r, 0);
}

#endif
