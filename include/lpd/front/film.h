/* front/film - a runner's frames become one video, kept in front/media (ai-http-api 2.9).
 *
 * {"frames":[[{"url","seed","nsfw"},...]]} in, {"images":[{"nsfw","seed","url":".../NAME.mp4"}]} out; a
 * "warning" of the runner goes on. */
#ifndef LPD_FRONT_FILM_H
#define LPD_FRONT_FILM_H

#include <lpd/front/collect.h>
#include <lpd/market/request.h>
#include <lpd/run/clip.h>

struct lp_film;

struct lp_film_want {
	struct lp_loop *loop;
	struct lp_clips *clips;
	struct lp_media *media;
	const struct lp_collect *collect;	/* done and well, not kept; lives as long */
	const struct lp_request *request;
	struct lp_span id;			/* of the job: the video is kept under it, and forgotten again when the
						 * scope closes unless lp_film_commit was called */
};

struct lp_film *lp_film_start(struct lp_scope *scope, const struct lp_film_want *want, struct lp_clip_hook hook);
bool lp_film_done(const struct lp_film *film);
/* LP_OK; LP_RUNNER: these are no frames; or that of lpd-media. */
const struct lp_err *lp_film_err(const struct lp_film *film);
void lp_film_commit(struct lp_film *film);
/* The answer: prefix (may be empty) before "/stream/...". */
void lp_film_write(const struct lp_film *film, struct lp_buf *to, struct lp_span prefix);

#endif
