/* h1_fixture - a server with handlers of several tempers, for the tests of HTTP/1.1. */
#ifndef H1_FIXTURE_H
#define H1_FIXTURE_H

#include "peer.h"

#include <lpd/io/server.h>

struct fixture {
	struct real_loop r;
	struct lp_server *server;
	struct lp_server_want want;
	struct lp_exchange *ex;		/* of the last handler that holds on to one */
	struct lp_buf body;
	int handled, gone, ends;
	bool greedy;			/* consume the body as it comes */
	bool was_gone;
	size_t left;			/* to be written by /big */
	enum lp_code why;
};

/* ---- handlers ---- */

static inline void on_end_only(void *self)
{
	struct fixture *f = self;

	if (lp_exchange_gone(f->ex)) {
		f->was_gone = true;
		f->gone++;
		f->why = lp_exchange_err(f->ex)->code;
	}
}

static inline void on_echo(void *self)
{
	struct fixture *f = self;
	struct lp_exchange *ex = f->ex;
	struct lp_span bytes = lp_exchange_read(ex);

	if (lp_exchange_gone(ex)) {
		on_end_only(f);
		return;
	}
	if (f->greedy) {
		lp_buf_add_span(&f->body, bytes);
		lp_exchange_consume(ex, bytes.len);
	}
	if (lp_reply_started(ex))
		return;
	if (lp_exchange_body(ex) == LP_BODY_BROKEN)
		lp_reply_error(ex, lp_exchange_err(ex));
	else if (lp_exchange_body(ex) == LP_BODY_END && f->greedy)
		lp_reply(ex, 200, "text/plain", lp_buf_span(&f->body));
}

static inline void on_big(void *self)
{
	static const char zeros[10000];
	struct fixture *f = self;

	if (lp_exchange_gone(f->ex)) {
		on_end_only(f);
		return;
	}
	while (f->left && lp_reply_room(f->ex)) {
		size_t n = f->left < sizeof(zeros) ? f->left : sizeof(zeros);

		lp_reply_write(f->ex, lp_span_of(zeros, n));
		f->left -= n;
		if (!f->left)
			lp_reply_end(f->ex);
	}
}

static inline void describe(struct lp_exchange *ex)
{
	struct lp_buf text = { 0 };
	struct lp_headers headers = lp_exchange_headers(ex);

	lp_buf_fmt(&text, "%.*s|%.*s|%.*s|%d|", LP_ARG(lp_exchange_method(ex)), LP_ARG(lp_exchange_path(ex)),
		   LP_ARG(lp_exchange_query(ex)), (int)lp_exchange_length(ex));
	for (int i = 0; i < headers.n; i++)
		lp_buf_fmt(&text, "%.*s=%.*s;", LP_ARG(headers.at[i].name), LP_ARG(headers.at[i].value));
	lp_reply(ex, 200, "text/plain", lp_buf_span(&text));
	lp_buf_clear(&text);
}

static inline void handle(void *self, struct lp_exchange *ex)
{
	struct fixture *f = self;
	struct lp_span path = lp_exchange_path(ex);

	f->handled++;
	f->ex = ex;
	if (lp_span_is(path, "/hello")) {
		lp_reply(ex, 200, "text/plain", LP_SPAN("hello"));
	} else if (lp_span_is(path, "/echo")) {
		lp_exchange_watch(ex, on_echo, f);
	} else if (lp_span_is(path, "/hold")) {
		lp_exchange_watch(ex, on_end_only, f);
	} else if (lp_span_is(path, "/chunks")) {
		lp_reply_head(ex, 200, -1, NULL, 0);
		lp_reply_write(ex, LP_SPAN("first piece,"));
		lp_reply_write(ex, LP_SPAN("second"));
		lp_reply_end(ex);
	} else if (lp_span_is(path, "/big")) {
		lp_exchange_watch(ex, on_big, f);
		lp_reply_head(ex, 200, (int64_t)f->left, NULL, 0);
		on_big(f);
	} else if (lp_span_is(path, "/begun")) {
		lp_exchange_watch(ex, on_end_only, f);
		lp_reply_head(ex, 200, -1, NULL, 0);
		lp_reply_write(ex, LP_SPAN("begun"));
	} else if (lp_span_is(path, "/empty")) {
		lp_reply_head(ex, 204, 0, NULL, 0);
		lp_reply_end(ex);
	} else {
		describe(ex);
	}
}

/* ---- set-up ---- */

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	real_loop_open(&f->r);
	f->want.address.host = LP_SPAN("127.0.0.1");
	f->want.handle = handle;
	f->want.self = f;
	f->want.metrics = lp_metrics_open(f->r.scope);
	f->greedy = true;
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	lp_scope_close(&f->r.scope);
	lp_buf_clear(&f->body);
	free(f);
	return 0;
}

/* A peer of a server that is opened with what f->want says by now. */
static inline struct peer *meet(struct fixture *f)
{
	struct lp_err e = { 0 };

	if (!f->server)
		assert_int_equal(lp_server_open(f->r.scope, &f->server, f->r.loop, &f->want, &e), LP_OK);
	return peer_connect(&f->r, lp_server_port(f->server));
}

static inline int64_t refusals(struct fixture *f, const char *reason)
{
	return lp_metric_value(f->want.metrics, LP_M_HTTP_REFUSED, LP_LABELS(reason));
}

static inline bool has(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

#endif
