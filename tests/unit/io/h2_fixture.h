/* h2_fixture - a server, asked over HTTP/2 by a client that is played frame by frame over loopback. */
#ifndef H2_FIXTURE_H
#define H2_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include <lpd/io/server.h>

#include "h2_peer.h"

#define SMALL 1000
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Run until it is so: a test that runs for a time instead fails on a busy machine. */
#define AWAIT(f, truth)                                                  \
	do {                                                             \
		for (int turn_ = 0; turn_ < 5000 && !(truth); turn_++)   \
			real_loop_run_for(&(f)->r, LP_MSEC);             \
		assert_true(truth);                                      \
	} while (0)

struct fixture {
	struct real_loop r;
	struct lp_server *server;
	struct lp_server_limits limits;
	struct h2_peer p;
	/* what the handler does, and what it saw */
	int answer;			/* status; 0: none */
	size_t answer_bytes;
	bool trailers, streamed, abort;
	bool eat;			/* consume the body */
	struct lp_exchange *ex;
	int handled, gone, ended;
	size_t body;
	char path[128], host[128], peer[64];
};

static inline void feed(struct fixture *f)
{
	static const char bytes[16384] = "x";

	while (f->answer_bytes && lp_reply_room(f->ex)) {
		size_t n = f->answer_bytes < sizeof(bytes) ? f->answer_bytes : sizeof(bytes);
		lp_reply_write(f->ex, lp_span_of(bytes, n));
		f->answer_bytes -= n;
	}
	if (!f->answer_bytes && f->streamed) {
		f->streamed = false;
		lp_reply_end(f->ex);
	}
}

/* Lives with its exchange; f->ex is the last one. */
struct served {
	struct fixture *f;
	struct lp_exchange *ex;
};

static inline void on_event(void *self)
{
	struct served *s = self;
	struct fixture *f = s->f;

	if (lp_exchange_gone(s->ex)) {
		f->gone++;
		lp_span_copy(f->peer, sizeof(f->peer), lp_span(lp_exchange_peer(s->ex)));
		return;
	}
	if (f->eat) {
		struct lp_span bytes = lp_exchange_read(s->ex);
		f->body += bytes.len;
		lp_exchange_consume(s->ex, bytes.len);
	}
	if (lp_exchange_body(s->ex) == LP_BODY_END)
		f->ended++;
	if (f->streamed)
		feed(f);
}

static inline void handle(void *self, struct lp_exchange *ex)
{
	struct fixture *f = self;
	char bytes[SMALL];

	struct served *s = lp_new(lp_exchange_scope(ex), struct served);

	*s = (struct served){ f, ex };
	f->handled++;
	f->ex = ex;
	lp_span_copy(f->path, sizeof(f->path), lp_exchange_path(ex));
	lp_span_copy(f->host, sizeof(f->host), lp_exchange_header(ex, "host"));
	lp_exchange_limit_body(ex, 100 * 1024 * 1024);
	lp_exchange_watch(ex, on_event, s);
	if (f->abort) {
		lp_reply_head(ex, 200, -1, NULL, 0);
		lp_reply_abort(ex, LP_INTERNAL);
	} else if (f->streamed) {
		lp_reply_head(ex, f->answer, -1, NULL, 0);
		feed(f);
	} else if (f->trailers) {
		struct lp_header trailer = { LP_SPAN("grpc-status"), LP_SPAN("12"), false };
		lp_reply_head(ex, f->answer, -1, NULL, 0);
		lp_reply_write(ex, LP_SPAN("abc"));
		lp_reply_end_trailers(ex, &trailer, 1);
	} else if (f->answer) {
		memset(bytes, 'b', sizeof(bytes));
		lp_reply(ex, f->answer, "text/plain", lp_span_of(bytes, f->answer_bytes));
	}
}

static inline void serve(struct fixture *f)
{
	struct lp_server_want want = { .handle = handle, .self = f, .limits = f->limits };
	struct lp_err e;

	want.address.host = LP_SPAN("127.0.0.1");
	assert_int_equal(lp_server_open(f->r.scope, &f->server, f->r.loop, &want, &e), LP_OK);
	h2_connect(&f->p, &f->r, lp_server_port(f->server));
}

/* The limits that the server announced are in force once they are acknowledged. */
static inline void settle(struct fixture *f)
{
	struct h2_frame frame;

	assert_true(h2_next_of(&f->p, &frame, F_SETTINGS));
	real_loop_run_for(&f->r, 5 * LP_MSEC);
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	real_loop_open(&f->r);
	f->answer = 200;
	f->eat = true;
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	h2_peer_close(&f->p);
	lp_scope_close(&f->r.scope);
	free(f);
	return 0;
}

static inline void ask(struct fixture *f, int32_t id, const char *method, int flags)
{
	h2_send_head(&f->p, id, flags,
		     H2_HEAD(":method", method, ":scheme", "http", ":authority", "node:1", ":path", "/a?b=c"));
}

static inline void expect_reset(struct fixture *f, int32_t id, uint32_t code)
{
	struct h2_frame frame;

	assert_true(h2_next_of(&f->p, &frame, F_RST));
	assert_int_equal(frame.id, id);
	assert_int_equal(h2_u32(frame.payload, 0), code);
}

static inline void expect_goaway(struct fixture *f, uint32_t code)
{
	struct h2_frame frame;

	assert_true(h2_next_of(&f->p, &frame, F_GOAWAY));
	assert_int_equal(h2_u32(frame.payload, 4), code);
}

static inline void expect_status(struct fixture *f, int32_t id, const char *line)
{
	struct h2_frame frame;

	assert_true(h2_next_of(&f->p, &frame, F_HEADERS));
	assert_int_equal(frame.id, id);
	if (!strstr(frame.head, line))
		print_error("%s\n", frame.head);
	assert_non_null(strstr(frame.head, line));
}

#endif
