#include <lpd/base/buf.h>

#include <stdio.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

enum { FIRST_CAP = 256 };

void lp_buf_clear(struct lp_buf *buf)
{
	lp_mem_free(buf->mem);
	*buf = (struct lp_buf){ 0 };
}

void lp_buf_reset(struct lp_buf *buf)
{
	buf->off = buf->len = 0;
}

/* Make the free end at least n bytes long.  What was eaten at the front is won back first, but only when
 * it is half of the memory: then each byte is moved at most once for each byte that was eaten. */
static void make_room(struct lp_buf *buf, size_t n)
{
	lp_assert(n <= SIZE_MAX / 4 - buf->len);
	size_t need = buf->len + n;

	if (buf->off > 0 && buf->off >= buf->cap / 2 && need <= buf->cap) {
		memmove(buf->mem, buf->mem + buf->off, buf->len);
		buf->off = 0;
		return;
	}
	size_t cap = buf->cap ? buf->cap : FIRST_CAP;
	while (cap < need)
		cap *= 2;
	if (buf->off > 0) {
		char *mem = lp_mem_get(cap);
		memcpy(mem, buf->mem + buf->off, buf->len);
		lp_mem_free(buf->mem);
		buf->mem = mem;
		buf->off = 0;
	} else {
		buf->mem = lp_mem_grow(buf->mem, cap);
	}
	buf->cap = cap;
}

char *lp_buf_room(struct lp_buf *buf, size_t n)
{
	if (buf->cap - buf->off - buf->len < n || !buf->mem)
		make_room(buf, n);
	return buf->mem + buf->off + buf->len;
}

void lp_buf_grew(struct lp_buf *buf, size_t n)
{
	lp_assert(n <= buf->cap - buf->off - buf->len);
	buf->len += n;
}

void lp_buf_fit(struct lp_buf *buf)
{
	size_t used = buf->off + buf->len;

	if (!buf->len)
		lp_buf_clear(buf);
	else if (used < buf->cap) {
		buf->mem = lp_mem_grow(buf->mem, used);
		buf->cap = used;
	}
}

void lp_buf_eat(struct lp_buf *buf, size_t n)
{
	lp_assert(n <= buf->len);
	buf->len -= n;
	buf->off = buf->len ? buf->off + n : 0;
}

void lp_buf_add(struct lp_buf *buf, const void *at, size_t len)
{
	if (len == 0)
		return;
	memcpy(lp_buf_room(buf, len), at, len);
	buf->len += len;
}

void lp_buf_add_span(struct lp_buf *buf, struct lp_span span)
{
	lp_buf_add(buf, span.at, span.len);
}

void lp_buf_add_text(struct lp_buf *buf, const char *text)
{
	lp_buf_add(buf, text, strlen(text));
}

void lp_buf_add_char(struct lp_buf *buf, char c)
{
	*lp_buf_room(buf, 1) = c;
	buf->len++;
}

void lp_buf_add_u64(struct lp_buf *buf, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	lp_buf_add(buf, digits + at, sizeof(digits) - at);
}

void lp_buf_vfmt(struct lp_buf *buf, const char *fmt, va_list args)
{
	va_list again;
	char *to = lp_buf_room(buf, 64);
	size_t room = buf->cap - buf->off - buf->len;

	va_copy(again, args);
	int n = vsnprintf(to, room, fmt, args);
	lp_assert(n >= 0);
	if ((size_t)n >= room) {
		to = lp_buf_room(buf, (size_t)n + 1);
		vsnprintf(to, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	buf->len += (size_t)n;
}

void lp_buf_fmt(struct lp_buf *buf, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	lp_buf_vfmt(buf, fmt, args);
	va_end(args);
}

struct lp_span lp_buf_span(const struct lp_buf *buf)
{
	return buf->mem ? (struct lp_span){ buf->mem + buf->off, buf->len } : (struct lp_span){ NULL, 0 };
}

const char *lp_buf_text(struct lp_buf *buf)
{
	*lp_buf_room(buf, 1) = 0;
	return buf->mem + buf->off;
}
