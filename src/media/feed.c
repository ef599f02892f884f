#include "feed.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static ssize_t read_some(int fd, void *to, size_t n)
{
	ssize_t got;

	do {
		got = read(fd, to, n);
	} while (got < 0 && errno == EINTR);
	return got;
}

enum lp_code lp_feed_head(struct lp_feed *feed, struct lp_order *out, struct lp_err *e)
{
	ptrdiff_t end;

	while ((end = lp_span_find(lp_span_of(feed->head, feed->have), LP_SPAN("\r\n\r\n"))) < 0) {
		ssize_t got;

		if (feed->have == sizeof(feed->head))
			return lp_fail(e, LP_HEADERS_TOO_LARGE, "the request's head is too long");
		got = read_some(feed->fd, feed->head + feed->have, sizeof(feed->head) - feed->have);
		if (got <= 0)
			return lp_fail(e, LP_GONE, "the node left");
		feed->have += (size_t)got;
	}
	feed->at = (size_t)end + 4;
	if (lp_order_parse(out, lp_span_of(feed->head, (size_t)end), e) != LP_OK)
		return e->code;
	feed->left = out->length;
	return LP_OK;
}

enum lp_code lp_feed_read(struct lp_feed *feed, void *to, size_t n, struct lp_err *e)
{
	char *at = to;
	size_t early = feed->have - feed->at;

	if ((uint64_t)n > (uint64_t)feed->left)
		return lp_fail(e, LP_BAD_REQUEST, "the body ends too early");
	feed->left -= (int64_t)n;
	early = early < n ? early : n;
	memcpy(at, feed->head + feed->at, early);
	feed->at += early;
	for (size_t have = early; have < n;) {
		ssize_t got = read_some(feed->fd, at + have, n - have);

		if (got <= 0)
			return lp_fail(e, LP_GONE, "the node left");
		have += (size_t)got;
	}
	return LP_OK;
}

enum lp_code lp_feed_frame(struct lp_feed *feed, struct lp_buf *frame, struct lp_err *e)
{
	uint8_t length[4];
	uint32_t n;

	lp_buf_reset(frame);
	if (lp_feed_read(feed, length, sizeof(length), e) != LP_OK)
		return e->code;
	n = (uint32_t)length[0] << 24 | (uint32_t)length[1] << 16 | (uint32_t)length[2] << 8 | length[3];
	if (!n || n > LP_FEED_FRAME_MAX)
		return lp_fail(e, LP_INVALID, "a frame has %u bytes, where 1 to %u are taken", n, LP_FEED_FRAME_MAX);
	if ((int64_t)n > feed->left)	/* before there is room made for it */
		return lp_fail(e, LP_BAD_REQUEST, "the body ends too early");
	if (lp_feed_read(feed, lp_buf_room(frame, n), n, e) != LP_OK)
		return e->code;
	lp_buf_grew(frame, n);
	return LP_OK;
}

bool lp_feed_gone(const struct lp_feed *feed)
{
	struct pollfd look = { .fd = feed->fd, .events = POLLRDHUP };

	return poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static bool write_all(int fd, struct lp_span bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.at, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = lp_span_skip(bytes, (size_t)n);
	}
	return true;
}

void lp_feed_answer(struct lp_feed *feed, int status, const char *type, struct lp_span body)
{
	char head[256];
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
			 status == 200 ? "OK" : "Refused", type, body.len);

	if (write_all(feed->fd, lp_span_of(head, (size_t)n)))
		(void)write_all(feed->fd, body);
}

void lp_feed_refuse(struct lp_feed *feed, const struct lp_err *e)
{
	lp_feed_answer(feed, lp_code_status(e->code), "text/plain; charset=utf-8", lp_span(lp_err_words(e)));
}
