/* media/picture - one PNG or JPEG, decoded by libavcodec. */
#ifndef LPD_MEDIA_PICTURE_H
#define LPD_MEDIA_PICTURE_H

#include <lpd/base/err.h>
#include <lpd/base/str.h>

#include <libavutil/frame.h>

#define LP_PICTURE_PIXELS (8192LL * 8192)	/* of one: a frame of the largest video is a quarter of it */

/* *out is the caller's, who gives it back with av_frame_free().  LP_INVALID in words. */
enum lp_code lp_picture_decode(AVFrame **out, struct lp_span picture, struct lp_err *e) LP_MUST_USE;

#endif
