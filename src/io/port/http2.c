/* The glue between nghttp2 and a conn that both sides share. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

#include "http2.h"

/* ---- the session ---- */

static void flush(void *self)
{
	struct lp_h2 *h2 = self;
	struct lp_buf *out = lp_conn_out(h2->conn);
	const uint8_t *bytes;
	ssize_t n = 0;

	lp_assert(!h2->inside);
	h2->inside = true;
	/* A peer that does not read fills the backlog; on_room brings us here again. */
	while (lp_conn_backlog(h2->conn) <= LP_CONN_HIGH) {
		n = nghttp2_session_mem_send(h2->session, &bytes);
		if (n <= 0)
			break;
		lp_buf_add(out, bytes, (size_t)n);
	}
	h2->inside = false;
	if (n < 0)
		h2->dead = true;
	lp_conn_flush_soon(h2->conn);
	h2->after(h2->self);
}

void lp_h2_dirty(struct lp_h2 *h2)
{
	lp_before_sleep(h2->loop, &h2->flush);
	lp_conn_flush_soon(h2->conn);	/* behind ours: both in one pass */
}

void lp_h2_receive(struct lp_h2 *h2, struct lp_span bytes)
{
	lp_assert(!h2->inside);
	if (h2->dead)
		return;
	h2->inside = true;
	ssize_t n = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.at, bytes.len);
	h2->inside = false;
	if (n < 0)
		h2->dead = true;
	lp_h2_dirty(h2);
	h2->after(h2->self);
}

void lp_h2_open(struct lp_h2 *h2, struct lp_loop *loop, struct lp_conn *conn)
{
	h2->loop = loop;
	h2->conn = conn;
	h2->flush = (struct lp_ready){ .run = flush, .self = h2 };
}

void lp_h2_settings(struct lp_h2 *h2, int streams, size_t window, size_t head_limit)
{
	nghttp2_settings_entry entries[4];
	size_t n = 0;

	h2->head_limit = head_limit;
	entries[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)window };
	entries[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)head_limit };
	if (streams > 0)
		entries[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)streams };
	else
		entries[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 };
	int failed = nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, entries, n);
	lp_assert(failed == 0);
	failed = nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, LP_H2_CONN_WINDOW);
	lp_assert(failed == 0);
	lp_h2_dirty(h2);
}

nghttp2_option *lp_h2_options(void)
{
	nghttp2_option *option;
	int failed = nghttp2_option_new(&option);

	lp_assert(failed == 0);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	/* Payments: 600 tickets are 58 KB in one field (network-protocol 2.4); the default is 64 KiB in all. */
	nghttp2_option_set_max_send_header_block_length(option, 512 * 1024);
	return option;
}

/* ---- heads in ---- */

static void grow_head(struct lp_h2_head *head)
{
	if (head->n < head->cap)
		return;
	head->cap = head->cap ? 2 * head->cap : 16;
	size_t cap = (size_t)head->cap;
	head->at = lp_mem_grow(head->at, cap * sizeof(*head->at));
	head->names = lp_mem_grow(head->names, cap * sizeof(*head->names));
	head->values = lp_mem_grow(head->values, cap * sizeof(*head->values));
}

static struct lp_span rc_span(nghttp2_rcbuf *rc)
{
	nghttp2_vec vec = nghttp2_rcbuf_get_buf(rc);

	return lp_span_of(vec.base, vec.len);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
		     uint8_t flags, void *user)
{
	struct lp_h2 *h2 = user;
	struct lp_h2_head *head = &h2->head;

	(void)session;
	(void)frame;
	struct lp_header field = { rc_span(name), rc_span(value), (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0 };
	head->size += field.name.len + field.value.len + 32;	/* RFC 9113, 6.5.2 */
	if (head->size > h2->head_limit)
		head->too_large = true;
	if (head->too_large)
		return 0;	/* the rest must still be decoded: the table is the connection's */
	grow_head(head);
	nghttp2_rcbuf_incref(name);
	nghttp2_rcbuf_incref(value);
	head->names[head->n] = name;
	head->values[head->n] = value;
	head->at[head->n++] = field;
	return 0;
}

/* nghttp2 would drop the field silently; a request without its payment header is not the same request. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
			     nghttp2_rcbuf *value, uint8_t flags, void *user)
{
	struct lp_h2 *h2 = user;

	(void)name;
	(void)value;
	(void)flags;
	h2->head.refused = true;
	nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_PROTOCOL_ERROR);
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

#define HEAD_KEPT 32	/* rows that a connection keeps between heads */

static void free_head(struct lp_h2_head *head)
{
	lp_mem_free(head->at);
	lp_mem_free(head->names);
	lp_mem_free(head->values);
	*head = (struct lp_h2_head){ .at = NULL };
}

void lp_h2_head_clear(struct lp_h2_head *head)
{
	for (int i = 0; i < head->n; i++) {
		nghttp2_rcbuf_decref(head->names[i]);
		nghttp2_rcbuf_decref(head->values[i]);
	}
	head->n = 0;
	head->size = 0;
	head->too_large = head->refused = false;
	if (head->cap > HEAD_KEPT)
		free_head(head);
}

struct lp_span lp_h2_head_pseudo(const struct lp_h2_head *head, const char *name)
{
	for (int i = 0; i < head->n && head->at[i].name.at[0] == ':'; i++) {
		if (lp_span_is(head->at[i].name, name))
			return head->at[i].value;
	}
	return (struct lp_span){ NULL, 0 };
}

/* nghttp2 has checked that pseudo-headers stand first. */
struct lp_headers lp_h2_head_fields(const struct lp_h2_head *head)
{
	int skip = 0;

	while (skip < head->n && head->at[skip].name.len && head->at[skip].name.at[0] == ':')
		skip++;
	return (struct lp_headers){ head->at ? head->at + skip : NULL, head->n - skip };
}

/* nghttp2 has checked that there is at most one and that it is a number. */
int64_t lp_h2_head_length(struct lp_headers fields)
{
	struct lp_span text = lp_headers_find(fields, "content-length");
	int64_t length;

	return text.at && lp_span_i64(text, &length) && length >= 0 ? length : -1;
}

void lp_h2_close(struct lp_h2 *h2)
{
	lp_assert(!h2->inside);
	lp_unready(&h2->flush);
	lp_h2_head_clear(&h2->head);
	free_head(&h2->head);
	nghttp2_session_del(h2->session);
	h2->session = NULL;
}

/* ---- heads out ---- */

void lp_h2_fields_init(struct lp_h2_fields *fields, int expected)
{
	fields->n = 0;
	fields->at = fields->few;
	fields->cap = LP_H2_FEW;
	if ((size_t)expected <= fields->cap)
		return;
	fields->cap = (size_t)expected;
	fields->at = lp_mem_get(fields->cap * sizeof(*fields->at));
}

/* nghttp2 copies when it takes the head, so the spans need to live no longer than that. */
void lp_h2_fields_add(struct lp_h2_fields *fields, struct lp_span name, struct lp_span value, bool secret)
{
	union { const char *in; uint8_t *out; } n = { name.at }, v = { value.at };

	lp_assert(fields->n < fields->cap);
	fields->at[fields->n++] = (nghttp2_nv){
		.name = n.out,
		.value = v.out,
		.namelen = name.len,
		.valuelen = value.len,
		.flags = secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
	};
}

/* Those of a connection have no meaning in HTTP/2 (RFC 9113, 8.2.2); host, date and content-length are ours. */
static bool may_pass(struct lp_span name)
{
	switch (name.len) {
	case 4:
		return !lp_span_is(name, "host") && !lp_span_is(name, "date");
	case 7:
		return !lp_span_is(name, "upgrade");
	case 10:
		return !lp_span_is(name, "connection") && !lp_span_is(name, "keep-alive");
	case 14:
		return !lp_span_is(name, "content-length");
	case 16:
		return !lp_span_is(name, "proxy-connection");
	case 17:
		return !lp_span_is(name, "transfer-encoding");
	}
	return name.len > 0;
}

void lp_h2_fields_add_all(struct lp_h2_fields *fields, struct lp_headers headers)
{
	for (int i = 0; i < headers.n; i++) {
		const struct lp_header *h = &headers.at[i];

		if (may_pass(h->name))
			lp_h2_fields_add(fields, h->name, h->value, h->secret);
	}
}

void lp_h2_fields_add_length(struct lp_h2_fields *fields, int64_t length)
{
	char *at = fields->digits + sizeof(fields->digits);
	uint64_t n = (uint64_t)length;

	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	size_t len = (size_t)(fields->digits + sizeof(fields->digits) - at);
	lp_h2_fields_add(fields, LP_SPAN("content-length"), lp_span_of(at, len), false);
}

void lp_h2_fields_clear(struct lp_h2_fields *fields)
{
	if (fields->at != fields->few)
		lp_mem_free(fields->at);
}

/* ---- bodies out ---- */

size_t lp_h2_out_left(const struct lp_h2_out *out)
{
	return out->fixed.len + out->buf.len;
}

size_t lp_h2_out_room(const struct lp_h2_out *out)
{
	size_t left = lp_h2_out_left(out);

	return left < LP_H2_OUT_HIGH ? LP_H2_OUT_HIGH - left : 0;
}

void lp_h2_out_add(struct lp_h2_out *out, struct lp_span bytes)
{
	lp_buf_add_span(&out->buf, bytes);
	if (out->buf.len >= LP_H2_OUT_HIGH)
		out->full = true;
}

void lp_h2_out_cut(struct lp_h2_out *out)
{
	lp_buf_clear(&out->buf);
	out->fixed = (struct lp_span){ NULL, 0 };
	out->cut = true;
}

/* How much the next DATA frame may carry: the bytes themselves go straight to the conn, in send_data. */
static ssize_t offer_data(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length, uint32_t *flags,
			  nghttp2_data_source *source, void *user)
{
	struct lp_h2_out *out = source->ptr;
	size_t left = lp_h2_out_left(out);

	(void)session;
	(void)id;
	(void)buf;
	(void)user;
	if (out->cut || (!left && !out->ended))
		return NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (left > length)
		return (ssize_t)length;
	if (out->ended) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (out->trailers) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			out->on_end(out->stream);
		}
	}
	return (ssize_t)left;
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length,
		     nghttp2_data_source *source, void *user)
{
	struct lp_h2 *h2 = user;
	struct lp_h2_out *out = source->ptr;
	struct lp_buf *to = lp_conn_out(h2->conn);
	size_t fixed = length < out->fixed.len ? length : out->fixed.len;

	(void)session;
	(void)frame;
	lp_buf_add(to, head, 9);
	if (fixed) {
		lp_buf_add(to, out->fixed.at, fixed);
		out->fixed = lp_span_skip(out->fixed, fixed);
	}
	if (length > fixed) {
		lp_buf_add(to, lp_buf_span(&out->buf).at, length - fixed);
		lp_buf_eat(&out->buf, length - fixed);
	}
	if (out->full && lp_h2_out_left(out) <= LP_H2_OUT_LOW) {
		out->full = false;
		out->on_room(out->stream);
	}
	return 0;
}

nghttp2_data_provider lp_h2_provider(struct lp_h2_out *out)
{
	return (nghttp2_data_provider){ .source = { .ptr = out }, .read_callback = offer_data };
}

/* ---- both ---- */

nghttp2_session_callbacks *lp_h2_callbacks(void)
{
	nghttp2_session_callbacks *callbacks;
	int failed = nghttp2_session_callbacks_new(&callbacks);

	lp_assert(failed == 0);
	nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
	return callbacks;
}

const char *lp_h2_error_words(uint32_t error_code)
{
	return nghttp2_http2_strerror(error_code);
}
