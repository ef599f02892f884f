/* http2_frames - the fuzzer's bytes as HTTP/2.  An even first byte: frames, each four bytes (type, flags, stream,
 * length) and its payload, so that mutations stay frames; an odd one: whatever it is, as it is. */
#ifndef HTTP2_FRAMES_H
#define HTTP2_FRAMES_H

#include <lpd/base/buf.h>

#include "http1_pipe.h"

static inline void frames_add(struct lp_buf *to, const uint8_t *four, struct lp_span payload)
{
	const uint8_t head[9] = { 0, (uint8_t)(payload.len >> 8), (uint8_t)payload.len, four[0], four[1],
				  0, 0, 0, four[2] };

	lp_buf_add(to, head, sizeof(head));
	lp_buf_add_span(to, payload);
}

static inline void frames_build(struct lp_buf *to, const uint8_t *at, size_t len)
{
	if (at[0] & 1) {
		lp_buf_add(to, at + 1, len - 1);
		return;
	}
	at++;
	len--;
	while (len >= 4) {
		size_t n = at[3] < len - 4 ? at[3] : len - 4;
		frames_add(to, at, lp_span_of(at + 4, n));
		at += 4 + n;
		len -= 4 + n;
	}
}

#endif
