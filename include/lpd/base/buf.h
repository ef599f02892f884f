/* base/buf - bytes that grow at the end and are eaten from the front.
 *
 * Owns heap memory.  A zeroed struct is an empty buffer.  The caller bounds what it adds. */
#ifndef LPD_BASE_BUF_H
#define LPD_BASE_BUF_H

#include <stdarg.h>
#include <stdint.h>

#include <lpd/base/str.h>

struct lp_buf {
	char *mem;
	size_t off;	/* first live byte */
	size_t len;	/* live bytes */
	size_t cap;
};

void lp_buf_clear(struct lp_buf *buf);			/* free the memory; the buffer is empty and usable */
void lp_buf_reset(struct lp_buf *buf);			/* forget the bytes, keep the memory */
void lp_buf_add(struct lp_buf *buf, const void *at, size_t len);
void lp_buf_add_span(struct lp_buf *buf, struct lp_span span);
void lp_buf_add_text(struct lp_buf *buf, const char *text);
void lp_buf_add_char(struct lp_buf *buf, char c);
void lp_buf_add_u64(struct lp_buf *buf, uint64_t n);	/* decimal, without printf */
void lp_buf_fmt(struct lp_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void lp_buf_vfmt(struct lp_buf *buf, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));

/* Room for n bytes at the end; write there, then lp_buf_grew(). */
char *lp_buf_room(struct lp_buf *buf, size_t n);
void lp_buf_grew(struct lp_buf *buf, size_t n);
void lp_buf_fit(struct lp_buf *buf);			/* no more will come: give back what is not used */
void lp_buf_eat(struct lp_buf *buf, size_t n);		/* drop n bytes at the front */

struct lp_span lp_buf_span(const struct lp_buf *buf);	/* valid until the buffer is next touched */
const char *lp_buf_text(struct lp_buf *buf);		/* as a C string; the zero byte is not counted */

#endif
