/* io/http2 - what both sides of HTTP/2 share: an nghttp2 session on a conn, one flush for many, heads in and
 * out, bodies out.  Private to io/port.
 *
 * nghttp2 is not re-entrant: mem_recv and mem_send run only in lp_h2_receive and in the flush, never inside
 * a callback.  Everything else (submit, consume, reset) only queues, and may be called anywhere; it is
 * followed by lp_h2_dirty, which has the connection flushed once before the loop sleeps. */
#ifndef LPD_IO_HTTP2_H
#define LPD_IO_HTTP2_H

#include <nghttp2/nghttp2.h>

#include <lpd/base/buf.h>
#include <lpd/io/http.h>
#include <lpd/io/loop.h>

#include "conn.h"

/* Windows (research: trap 3).  The connection's is always given back at once, so that one slow reader
 * never stalls the others; only a stream's own is held back. */
#define LP_H2_STREAM_WINDOW (256 * 1024)
#define LP_H2_CONN_WINDOW (16 * 1024 * 1024)

/* Body bytes of one stream that wait for the peer's window before its writer is told to wait. */
#define LP_H2_OUT_HIGH (128 * 1024)
#define LP_H2_OUT_LOW (32 * 1024)

/* What is sent of a stream: bytes gathered here, or a body that stays with its owner. */
struct lp_h2_out {
	struct lp_buf buf;
	struct lp_span fixed;		/* borrowed; used before buf */
	bool ended;			/* no more will be added */
	bool cut;			/* a reset is queued: not one more byte */
	bool full;			/* the writer saw no room: it is to be told when there is some */
	bool trailers;			/* END_STREAM comes with them, not with the last DATA */
	void (*on_room)(void *stream);	/* inside nghttp2: may queue only */
	void (*on_end)(void *stream);	/* the last byte was framed: submit trailers here */
	void *stream;
};

/* A head being received: nghttp2's own counted strings, none copied. */
struct lp_h2_head {
	struct lp_header *at;
	nghttp2_rcbuf **names, **values;
	int n, cap;
	size_t size;			/* as SETTINGS_MAX_HEADER_LIST_SIZE counts */
	bool too_large;
	bool refused;			/* nghttp2 will not tell of its end */
};

struct lp_h2 {
	nghttp2_session *session;
	struct lp_conn *conn;
	struct lp_loop *loop;
	struct lp_ready flush;
	bool inside;			/* in mem_recv or mem_send */
	bool dead;			/* nghttp2 gave up, without words: close when its last bytes are out */
	size_t head_limit;
	struct lp_h2_head head;
	void (*after)(void *self);	/* outside nghttp2, after each receive and flush; may free all of it */
	void *self;
};

/* Fill in the callbacks that are the same on both sides: on_header, on_invalid_header, send_data. */
nghttp2_session_callbacks *lp_h2_callbacks(void);
nghttp2_option *lp_h2_options(void);

/* `user` is what nghttp2's callbacks get; its first member must be the struct lp_h2. */
void lp_h2_open(struct lp_h2 *h2, struct lp_loop *loop, struct lp_conn *conn);
void lp_h2_close(struct lp_h2 *h2);		/* the session, not the conn; never inside */
void lp_h2_settings(struct lp_h2 *h2, int streams, size_t window, size_t head_limit);
void lp_h2_receive(struct lp_h2 *h2, struct lp_span bytes);
void lp_h2_dirty(struct lp_h2 *h2);

/* The head that was received, and forgetting it. */
struct lp_span lp_h2_head_pseudo(const struct lp_h2_head *head, const char *name);
struct lp_headers lp_h2_head_fields(const struct lp_h2_head *head);	/* without the pseudo-headers */
void lp_h2_head_clear(struct lp_h2_head *head);
/* content-length as announced; -1: none. */
int64_t lp_h2_head_length(struct lp_headers fields);

/* A head being sent. */
#define LP_H2_FEW 24
struct lp_h2_fields {
	nghttp2_nv few[LP_H2_FEW];
	nghttp2_nv *at;
	size_t n, cap;
	char digits[24];		/* of content-length */
};

void lp_h2_fields_init(struct lp_h2_fields *fields, int expected);
void lp_h2_fields_add(struct lp_h2_fields *fields, struct lp_span name, struct lp_span value, bool secret);
void lp_h2_fields_add_all(struct lp_h2_fields *fields, struct lp_headers headers);	/* but those that h2 forbids */
void lp_h2_fields_add_length(struct lp_h2_fields *fields, int64_t length);
void lp_h2_fields_clear(struct lp_h2_fields *fields);

/* Body bytes out. */
nghttp2_data_provider lp_h2_provider(struct lp_h2_out *out);
void lp_h2_out_add(struct lp_h2_out *out, struct lp_span bytes);
size_t lp_h2_out_left(const struct lp_h2_out *out);
size_t lp_h2_out_room(const struct lp_h2_out *out);
void lp_h2_out_cut(struct lp_h2_out *out);	/* let go of all bytes, send no more */

const char *lp_h2_error_words(uint32_t error_code);	/* "REFUSED_STREAM" */

#endif
