/* media/video - pictures that come one after the other, as a video in an mp4 that browsers play. */
#ifndef LPD_MEDIA_VIDEO_H
#define LPD_MEDIA_VIDEO_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>

struct lp_video;

struct lp_video_want {
	int frames, fps, width, height;		/* sides are made even, as H.264 wants them */
};

/* The encoder that would be used, by name; NULL: libavcodec has none that will do. */
const char *lp_video_encoder(void);

enum lp_code lp_video_open(struct lp_video **out, const struct lp_video_want *want, struct lp_err *e) LP_MUST_USE;
/* A PNG or JPEG of any size: it is scaled.  LP_INVALID in words for anything else. */
enum lp_code lp_video_add(struct lp_video *video, struct lp_span picture, struct lp_err *e) LP_MUST_USE;
/* The file, in *to. */
enum lp_code lp_video_finish(struct lp_video *video, struct lp_buf *to, struct lp_err *e) LP_MUST_USE;
void lp_video_close(struct lp_video *video);

#endif
