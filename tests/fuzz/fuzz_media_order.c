/* Whatever the node sends lpd-media: the head, the framing of pictures, no byte read beyond what came. */
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_feed feed = { 0 };
	struct lp_order order;
	struct lp_buf frame = { 0 };
	struct lp_err e;
	int pair[2];

	if (size > 65536 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return 0;
	if (write(pair[1], data, size) == (ssize_t)size) {
		shutdown(pair[1], SHUT_WR);
		feed.fd = pair[0];
		if (lp_feed_head(&feed, &order, &e) == LP_OK)
			while (lp_feed_frame(&feed, &frame, &e) == LP_OK)
				;
	}
	lp_buf_clear(&frame);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
