/* Bytes to messages, words and timeouts of gRPC, and back. */
#include <lpd/base/hex.h>
#include <lpd/base/assert.h>

#include "grpc_frame.h"

size_t lp_grpc_frame_length(struct lp_span in)
{
	const unsigned char *p = (const unsigned char *)in.at;

	return (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
}

enum lp_frame lp_grpc_frame_read(struct lp_span in, size_t max, struct lp_span *message)
{
	if (in.len < LP_GRPC_PREFIX)
		return LP_FRAME_MORE;
	size_t length = lp_grpc_frame_length(in);
	if (length > max)
		return LP_FRAME_LARGE;
	if (in.at[0] != 0)
		return LP_FRAME_COMPRESSED;
	if (in.len - LP_GRPC_PREFIX < length)
		return LP_FRAME_MORE;
	*message = lp_span_of(in.at + LP_GRPC_PREFIX, length);
	return LP_FRAME_WHOLE;
}

void lp_grpc_frame_prefix(char to[LP_GRPC_PREFIX], size_t length)
{
	lp_assert(length <= UINT32_MAX);
	to[0] = 0;
	to[1] = (char)(length >> 24);
	to[2] = (char)(length >> 16);
	to[3] = (char)(length >> 8);
	to[4] = (char)length;
}

/* ---- grpc-message ---- */

/* Space to '~' but for '%' as they are, all else %XX. */
void lp_grpc_words_encode(struct lp_buf *to, const char *words)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < LP_GRPC_WORDS_MAX && words[i]; i++) {
		unsigned char c = (unsigned char)words[i];

		if (c >= ' ' && c <= '~' && c != '%') {
			lp_buf_add_char(to, (char)c);
			continue;
		}
		lp_buf_add_char(to, '%');
		lp_buf_add_char(to, digits[c >> 4]);
		lp_buf_add_char(to, digits[c & 15]);
	}
}

/* A broken escape stands for itself: words are for humans and not worth failing over. */
struct lp_span lp_grpc_words_decode(struct lp_scope *scope, struct lp_span from)
{
	size_t len = from.len < LP_GRPC_WORDS_MAX ? from.len : LP_GRPC_WORDS_MAX;
	char *to = lp_alloc(scope, len + 1);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int high = from.at[i] == '%' && i + 2 < len ? lp_hex_digit(from.at[i + 1]) : -1;
		int low = high >= 0 ? lp_hex_digit(from.at[i + 2]) : -1;

		to[n++] = low >= 0 ? (char)(high << 4 | low) : from.at[i];
		if (low >= 0)
			i += 2;
	}
	return lp_span_of(to, n);
}

/* ---- grpc-timeout ---- */

/* Microseconds in one unit; nanoseconds are rounded up, so that a timeout is never 0 by rounding. */
static int64_t unit_of(char c)
{
	switch (c) {
	case 'H':
		return LP_HOUR;
	case 'M':
		return LP_MIN;
	case 'S':
		return LP_SEC;
	case 'm':
		return LP_MSEC;
	case 'u':
		return LP_USEC;
	}
	return 0;
}

int64_t lp_grpc_timeout(struct lp_span value)
{
	uint64_t n;

	if (value.len < 2 || value.len > 9 || !lp_span_u64(lp_span_of(value.at, value.len - 1), &n))
		return LP_NEVER;
	char unit = value.at[value.len - 1];
	if (unit == 'n')
		return (int64_t)((n + 999) / 1000);
	int64_t micros = unit_of(unit);
	return micros ? (int64_t)n * micros : LP_NEVER;	/* 8 digits of hours fit */
}

/* The finest unit whose value has at most eight digits. */
void lp_grpc_timeout_write(struct lp_buf *to, int64_t micros)
{
	static const char units[] = "umSMH";
	uint64_t n = (uint64_t)(micros > 0 ? micros : 1);

	for (const char *unit = units; *unit; unit++) {
		uint64_t micros_each = (uint64_t)unit_of(*unit);
		uint64_t count = (n + micros_each - 1) / micros_each;

		if (count > 99999999 && unit[1])
			continue;
		lp_buf_add_u64(to, count);
		lp_buf_add_char(to, *unit);
		return;
	}
}
