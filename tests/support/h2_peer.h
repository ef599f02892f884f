/* support/h2_peer - the other end of an HTTP/2 connection, frame by frame, so that a test can say exactly what
 * an honest or a broken peer sends.  Heads are coded by nghttp2's HPACK alone. */
#ifndef H2_PEER_H
#define H2_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>

#include <lpd/base/buf.h>

#include "real_loop.h"

enum { F_DATA, F_HEADERS, F_PRIORITY, F_RST, F_SETTINGS, F_PUSH, F_PING, F_GOAWAY, F_WINDOW, F_CONTINUATION };
#define END_STREAM 1
#define ACK 1
#define END_HEADERS 4

struct h2_frame {
	int type, flags;
	int32_t id;
	struct lp_span payload;		/* until the next frame is asked for */
	char head[4096];		/* of HEADERS: "name: value\n"... */
};

struct h2_peer {
	struct real_loop *r;
	int fd;
	struct lp_buf in;
	size_t eat;
	bool closed;
	nghttp2_hd_deflater *deflater;
	nghttp2_hd_inflater *inflater;
};

static inline int h2_listen(uint16_t *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*port = ntohs(addr.sin_port);
	return fd;
}

static inline void h2_peer_start(struct h2_peer *p, struct real_loop *r, int fd)
{
	int on = 1;

	*p = (struct h2_peer){ .r = r, .fd = fd };
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	assert_int_equal(nghttp2_hd_deflate_new(&p->deflater, 4096), 0);
	assert_int_equal(nghttp2_hd_inflate_new(&p->inflater), 0);
}

static inline void h2_peer_close(struct h2_peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	lp_buf_clear(&p->in);
	if (p->deflater)
		nghttp2_hd_deflate_del(p->deflater);
	if (p->inflater)
		nghttp2_hd_inflate_del(p->inflater);
	p->deflater = NULL;
	p->inflater = NULL;
}

/* The loop of the other side runs while the socket is full. */
static inline void h2_send(struct h2_peer *p, const void *at, size_t len)
{
	const char *from = at;
	int tries = 0;

	while (len > 0 && tries < 2000) {
		ssize_t n = send(p->fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			from += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN)
			return;		/* the other side has closed: the test will see it */
		tries++;
		real_loop_run_for(p->r, LP_MSEC);
	}
}

static inline void h2_send_frame(struct h2_peer *p, int type, int flags, int32_t id, struct lp_span payload)
{
	unsigned char head[9] = { (unsigned char)(payload.len >> 16), (unsigned char)(payload.len >> 8),
				  (unsigned char)payload.len, (unsigned char)type, (unsigned char)flags,
				  (unsigned char)(id >> 24), (unsigned char)(id >> 16), (unsigned char)(id >> 8),
				  (unsigned char)id };

	h2_send(p, head, sizeof(head));
	if (payload.len)
		h2_send(p, payload.at, payload.len);
}

static inline void h2_send_u32(struct h2_peer *p, int type, int32_t id, uint32_t value)
{
	char bytes[4] = { (char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value };

	h2_send_frame(p, type, 0, id, lp_span_of(bytes, 4));
}

/* One setting. */
static inline void h2_send_setting(struct h2_peer *p, int key, uint32_t value)
{
	char bytes[6] = { (char)(key >> 8), (char)key, (char)(value >> 24), (char)(value >> 16), (char)(value >> 8),
			  (char)value };

	h2_send_frame(p, F_SETTINGS, 0, 0, lp_span_of(bytes, 6));
}

static inline nghttp2_nv h2_nv(const char *name, const char *value)
{
	union { const char *in; uint8_t *out; } n = { name }, v = { value };

	return (nghttp2_nv){ n.out, v.out, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE };
}

/* Pairs of C strings, ended by NULL; blocks above 16 KiB go on in CONTINUATION frames. */
static inline void h2_send_head(struct h2_peer *p, int32_t id, int flags, const char *const *pairs)
{
	nghttp2_nv nv[64];
	size_t n = 0;

	for (; pairs[2 * n]; n++)
		nv[n] = h2_nv(pairs[2 * n], pairs[2 * n + 1]);
	size_t bound = nghttp2_hd_deflate_bound(p->deflater, nv, n);
	uint8_t *block = malloc(bound);
	ssize_t len = nghttp2_hd_deflate_hd(p->deflater, block, bound, nv, n);
	assert_true(len > 0);
	for (ssize_t off = 0; off < len; off += 16384) {
		ssize_t part = len - off < 16384 ? len - off : 16384;
		int last = off + part == len ? END_HEADERS : 0;
		h2_send_frame(p, off ? F_CONTINUATION : F_HEADERS, (off ? 0 : flags) | last, id,
			      lp_span_of(block + off, (size_t)part));
	}
	free(block);
}

#define H2_HEAD(...) ((const char *const[]){ __VA_ARGS__, NULL })

static inline void h2_pull(struct h2_peer *p)
{
	char bytes[65536];
	ssize_t n;

	while ((n = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		lp_buf_add(&p->in, bytes, (size_t)n);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		p->closed = true;
}

/* Runs the loop until that many bytes are there; false: the other side closed, or nothing came for 5 s. */
static inline bool h2_want(struct h2_peer *p, size_t len)
{
	lp_buf_eat(&p->in, p->eat);
	p->eat = 0;
	for (int i = 0; i < 5000; i++) {
		h2_pull(p);
		if (p->in.len >= len)
			return true;
		if (p->closed)
			return false;
		real_loop_run_for(p->r, LP_MSEC);
	}
	return false;
}

static inline void h2_inflate(struct h2_peer *p, struct h2_frame *f, struct lp_span block)
{
	const uint8_t *at = (const uint8_t *)block.at;
	size_t left = block.len, used = 0;
	int flags = 0;

	f->head[0] = '\0';
	for (;;) {
		nghttp2_nv nv;
		ssize_t n = nghttp2_hd_inflate_hd2(p->inflater, &nv, &flags, at, left, 1);
		assert_true(n >= 0);
		at += n;
		left -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			size_t room = sizeof(f->head) - used;
			if (nv.namelen + nv.valuelen + 4 < room)
				used += (size_t)snprintf(f->head + used, room, "%.*s: %.*s\n", (int)nv.namelen,
							 (const char *)nv.name, (int)nv.valuelen, (const char *)nv.value);
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && left == 0)
			break;
	}
	nghttp2_hd_inflate_end_headers(p->inflater);
}

/* The next frame, whatever it is; SETTINGS are acknowledged.  Only heads of one frame are decoded. */
static inline bool h2_next(struct h2_peer *p, struct h2_frame *f)
{
	if (!h2_want(p, 9))
		return false;
	const unsigned char *h = (const unsigned char *)lp_buf_span(&p->in).at;
	size_t len = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
	f->type = h[3];
	f->flags = h[4];
	f->id = (int32_t)((uint32_t)(h[5] & 0x7f) << 24 | (uint32_t)h[6] << 16 | (uint32_t)h[7] << 8 | h[8]);
	if (!h2_want(p, 9 + len))
		return false;
	f->payload = lp_span_of(lp_buf_span(&p->in).at + 9, len);
	p->eat = 9 + len;
	if (f->type == F_HEADERS && (f->flags & END_HEADERS))
		h2_inflate(p, f, f->payload);
	if (f->type == F_SETTINGS && !(f->flags & ACK))
		h2_send_frame(p, F_SETTINGS, ACK, 0, (struct lp_span){ NULL, 0 });
	return true;
}

/* The next frame of that type; others are passed over. */
static inline bool h2_next_of(struct h2_peer *p, struct h2_frame *f, int type)
{
	while (h2_next(p, f)) {
		if (f->type == type)
			return true;
	}
	return false;
}

static inline uint32_t h2_u32(struct lp_span bytes, size_t at)
{
	const unsigned char *b = (const unsigned char *)bytes.at + at;

	assert_true(bytes.len >= at + 4);
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* As a client: connect, say who we are. */
static inline void h2_connect(struct h2_peer *p, struct real_loop *r, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	h2_peer_start(p, r, fd);
	h2_send(p, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
	h2_send_frame(p, F_SETTINGS, 0, 0, (struct lp_span){ NULL, 0 });
}

/* As a server: take one connection, read its preface, say who we are. */
static inline void h2_accept(struct h2_peer *p, struct real_loop *r, int listener)
{
	int fd = -1;

	for (int i = 0; i < 5000 && fd < 0; i++) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			real_loop_run_for(r, LP_MSEC);
	}
	assert_true(fd >= 0);
	h2_peer_start(p, r, fd);
	assert_true(h2_want(p, NGHTTP2_CLIENT_MAGIC_LEN));
	assert_memory_equal(lp_buf_span(&p->in).at, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
	p->eat = NGHTTP2_CLIENT_MAGIC_LEN;
	h2_send_frame(p, F_SETTINGS, 0, 0, (struct lp_span){ NULL, 0 });
}

#endif
