/* media/order - what the node asks of lpd-media: the head of an HTTP/1.1 request, read and checked.  Pure.
 *
 *	POST /duration                                     the body is a file; the answer {"milliseconds":N}
 *	POST /video?frames=N&fps=N&width=N&height=N        the body is N pictures, each behind its length in four
 *	                                                   bytes, most significant first; the answer is an mp4
 *	GET /health                                        {"status":"OK","encoder":NAME} */
#ifndef LPD_MEDIA_ORDER_H
#define LPD_MEDIA_ORDER_H

#include <lpd/base/err.h>
#include <lpd/base/str.h>

#define LP_ORDER_HEAD_MAX 4096		/* bytes of a head */
#define LP_ORDER_FRAMES_MAX 1024
#define LP_ORDER_FPS_MAX 120
#define LP_ORDER_SIDE_MIN 16		/* pixels */
#define LP_ORDER_SIDE_MAX 4096
#define LP_ORDER_BODY_MAX (INT64_C(1) << 30)

enum lp_order_kind { LP_ORDER_HEALTH, LP_ORDER_DURATION, LP_ORDER_VIDEO };

struct lp_order {
	enum lp_order_kind kind;
	int64_t length;			/* bytes of the body */
	int frames, fps, width, height;	/* of a video */
};

/* The head without the empty line that ends it.  LP_BAD_REQUEST, LP_NOT_FOUND or LP_TOO_LARGE, in words. */
enum lp_code lp_order_parse(struct lp_order *out, struct lp_span head, struct lp_err *e) LP_MUST_USE;

#endif
