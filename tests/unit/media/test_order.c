/* What the node asks of lpd-media: heads and frames, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "feed.h"
#include "order.h"

#define POST(target, length) "POST " target " HTTP/1.1\r\nhost: x\r\nContent-Length: " length
#define VIDEO "/video?frames=14&fps=7&width=1024&height=576"

static void orders_are_understood(void **state)
{
	struct lp_order order;
	struct lp_err e;

	(void)state;
	assert_int_equal(lp_order_parse(&order, LP_SPAN(POST("/duration", "52")), &e), LP_OK);
	assert_int_equal(order.kind, LP_ORDER_DURATION);
	assert_int_equal(order.length, 52);
	assert_int_equal(lp_order_parse(&order, LP_SPAN(POST(VIDEO, "9")), &e), LP_OK);
	assert_int_equal(order.kind, LP_ORDER_VIDEO);
	assert_int_equal(order.frames, 14);
	assert_int_equal(order.fps, 7);
	assert_int_equal(order.width, 1024);
	assert_int_equal(order.height, 576);
	assert_int_equal(lp_order_parse(&order, LP_SPAN("GET /health HTTP/1.1\r\nhost: x"), &e), LP_OK);
	assert_int_equal(order.length, 0);
}

static void what_is_no_order_is_refused_in_words(void **state)
{
	static const struct {
		const char *head;
		enum lp_code code;
	} rows[] = {
		{ "", LP_BAD_REQUEST },
		{ "POST /duration", LP_BAD_REQUEST },
		{ "POST /duration HTTP/1.0\r\nContent-Length: 5", LP_BAD_REQUEST },
		{ "GET /duration HTTP/1.1", LP_NOT_FOUND },
		{ POST("/elsewhere", "5"), LP_NOT_FOUND },
		{ POST("/duration", "0"), LP_BAD_REQUEST },
		{ POST("/duration", "-5"), LP_BAD_REQUEST },
		{ POST("/duration", "5\r\ncontent-length: 6"), LP_BAD_REQUEST },
		{ POST("/duration", "99999999999999999999"), LP_BAD_REQUEST },
		{ POST("/duration", "1073741825"), LP_TOO_LARGE },
		{ "POST /duration HTTP/1.1\r\nTransfer-Encoding: chunked", LP_BAD_REQUEST },
		{ POST("/video", "5"), LP_BAD_REQUEST },
		{ POST("/video?frames=1&fps=7&width=64", "5"), LP_BAD_REQUEST },
		{ POST("/video?frames=0&fps=7&width=64&height=64", "5"), LP_BAD_REQUEST },
		{ POST("/video?frames=1025&fps=7&width=64&height=64", "5"), LP_BAD_REQUEST },
		{ POST("/video?frames=1&fps=121&width=64&height=64", "5"), LP_BAD_REQUEST },
		{ POST("/video?frames=1&fps=7&width=4097&height=64", "5"), LP_BAD_REQUEST },
		{ POST("/video?frames=1&fps=7&width=64&height=64&x=1", "5"), LP_BAD_REQUEST },
		{ POST("/video?frames=4294967297&fps=7&width=64&height=64", "5"), LP_BAD_REQUEST },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct lp_order order;
		struct lp_err e = { .code = LP_OK };

		assert_int_equal(lp_order_parse(&order, lp_span(rows[i].head), &e), rows[i].code);
		assert_true(e.words[0]);
	}
}

/* A connection that holds these bytes and then ends. */
static void open_feed(struct lp_feed *feed, int pair[2], struct lp_span bytes)
{
	*feed = (struct lp_feed){ 0 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(write(pair[1], bytes.at, bytes.len), (ssize_t)bytes.len);
	shutdown(pair[1], SHUT_WR);
	feed->fd = pair[0];
}

static void close_pair(int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

static void frames_come_one_by_one(void **state)
{
	struct lp_feed feed;
	struct lp_order order;
	struct lp_buf frame = { 0 };
	struct lp_err e;
	int pair[2];

	(void)state;
	open_feed(&feed, pair, LP_SPAN(POST(VIDEO, "13") "\r\n\r\n\0\0\0\3abc\0\0\0\2de"));
	assert_int_equal(lp_feed_head(&feed, &order, &e), LP_OK);
	assert_int_equal(lp_feed_frame(&feed, &frame, &e), LP_OK);
	assert_true(lp_span_is(lp_buf_span(&frame), "abc"));
	assert_int_equal(lp_feed_frame(&feed, &frame, &e), LP_OK);
	assert_true(lp_span_is(lp_buf_span(&frame), "de"));
	assert_int_equal(lp_feed_frame(&feed, &frame, &e), LP_BAD_REQUEST);
	lp_buf_clear(&frame);
	close_pair(pair);
}

static void bad_frames_take_no_memory(void **state)
{
	static const struct {
		struct lp_span body;
		enum lp_code code;
	} rows[] = {
		{ LP_SPAN("\0\0\0\0abcde"), LP_INVALID },		/* empty */
		{ LP_SPAN("\377\377\377\377abcde"), LP_INVALID },	/* 4 GiB */
		{ LP_SPAN("\4\0\0\0abcde"), LP_BAD_REQUEST },		/* 64 MiB, of which there are 5 bytes */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct lp_feed feed;
		struct lp_order order;
		struct lp_buf frame = { 0 }, all = { 0 };
		struct lp_err e;
		int pair[2];

		lp_buf_add_text(&all, POST(VIDEO, "9") "\r\n\r\n");
		lp_buf_add_span(&all, rows[i].body);
		open_feed(&feed, pair, lp_buf_span(&all));
		assert_int_equal(lp_feed_head(&feed, &order, &e), LP_OK);
		assert_int_equal(lp_feed_frame(&feed, &frame, &e), rows[i].code);
		assert_int_equal(frame.cap, 0);
		lp_buf_clear(&all);
		close_pair(pair);
	}
}

static void a_node_that_leaves_early_is_noticed(void **state)
{
	struct lp_feed feed;
	struct lp_order order;
	struct lp_err e;
	char bytes[9];
	int pair[2];

	(void)state;
	open_feed(&feed, pair, LP_SPAN("POST /dura"));
	assert_int_equal(lp_feed_head(&feed, &order, &e), LP_GONE);
	close_pair(pair);
	open_feed(&feed, pair, LP_SPAN(POST("/duration", "9") "\r\n\r\nabc"));
	assert_int_equal(lp_feed_head(&feed, &order, &e), LP_OK);
	assert_int_equal(lp_feed_read(&feed, bytes, 9, &e), LP_GONE);
	close_pair(pair);
}

static void a_head_without_end_is_not_read_for_ever(void **state)
{
	struct lp_feed feed;
	struct lp_order order;
	struct lp_buf head = { 0 };
	struct lp_err e;
	int pair[2];

	(void)state;
	lp_buf_add_text(&head, "POST /duration HTTP/1.1\r\n");
	for (int i = 0; i < 1000; i++)
		lp_buf_add_text(&head, "x: yyyyyy\r\n");
	open_feed(&feed, pair, lp_buf_span(&head));
	assert_int_equal(lp_feed_head(&feed, &order, &e), LP_HEADERS_TOO_LARGE);
	lp_buf_clear(&head);
	close_pair(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_are_understood),
		cmocka_unit_test(what_is_no_order_is_refused_in_words),
		cmocka_unit_test(frames_come_one_by_one),
		cmocka_unit_test(bad_frames_take_no_memory),
		cmocka_unit_test(a_node_that_leaves_early_is_noticed),
		cmocka_unit_test(a_head_without_end_is_not_read_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
