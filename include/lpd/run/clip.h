/* run/clip - what lpd-media does for a job: say how long a recording plays, make a video of frames.
 *
 * lpd-media is started with the first need.  Files go there and come back in pieces, through spools; nothing is
 * held whole here.  What it reads may break it: then that clip fails, and nothing else. */
#ifndef LPD_RUN_CLIP_H
#define LPD_RUN_CLIP_H

#include <lpd/base/log.h>
#include <lpd/base/metric.h>
#include <lpd/io/client.h>
#include <lpd/io/spool.h>

struct lp_clips;		/* lpd-media, from here */
struct lp_clip;			/* one thing asked of it */

struct lp_clips_want {
	struct lp_loop *loop;
	struct lp_client *client;
	struct lp_log *log;
	struct lp_metrics *metrics;
	const char *path;	/* of lpd-media; NULL or "": beside the running binary */
	const char *data_dir;
};

/* A missing lpd-media is an error only where `path` names it: without it, what needs it fails in words. */
enum lp_code lp_clips_open(struct lp_scope *scope, struct lp_clips **out, const struct lp_clips_want *want,
			   struct lp_err *e) LP_MUST_USE;

const struct lp_err *lp_clips_err(const struct lp_clips *clips);	/* LP_OK, or why nothing can be asked of it */

struct lp_clip_hook {
	void (*on_event)(void *self);	/* it is done */
	void *self;
};

/* Closing the scope ends it there too. */
struct lp_clip *lp_clip_measure(struct lp_scope *scope, struct lp_clips *clips, struct lp_spool *file,
				struct lp_clip_hook hook);

struct lp_clip_video {
	struct lp_spool *const *frames;	/* each a PNG or JPEG; ended */
	int n, fps, width, height;
	struct lp_spool_budget *budget;	/* for the video */
};
struct lp_clip *lp_clip_make(struct lp_scope *scope, struct lp_clips *clips, const struct lp_clip_video *want,
			     struct lp_clip_hook hook);

bool lp_clip_done(const struct lp_clip *clip);
/* LP_OK; LP_INVALID: what strangers sent is no recording, or no pictures; LP_UNAVAILABLE: lpd-media does not run;
 * LP_NO_ROOM, LP_STORE, LP_TIMEOUT. */
const struct lp_err *lp_clip_err(const struct lp_clip *clip);
int64_t lp_clip_milliseconds(const struct lp_clip *clip);
struct lp_spool *lp_clip_file(const struct lp_clip *clip);	/* the video, in the clip's scope */

#endif
