/* runner/sounds - recordings as samples: WAVE files by our own reader, all others by lpd-sound.so, a part of its own
 * with libav*, when that lies beside the program. */
#ifndef LPD_RUNNER_SOUNDS_H
#define LPD_RUNNER_SOUNDS_H

#include "stop.h"
#include "wav.h"

struct lp_sounds;

/* Before the process gives up reading files.  NULL path: beside the running program.  Never NULL: without the part
 * only WAVE files are read. */
struct lp_sounds *lp_sounds_open(struct lp_scope *scope, const char *path);
bool lp_sounds_all(const struct lp_sounds *sounds);	/* the part is there */

/* LP_MEDIA_TYPE in words; LP_TOO_LARGE; LP_GONE: stopped. */
struct lp_sounds_want {
	struct lp_span file;
	const struct lp_stop *stop;
};

enum lp_code lp_sounds_read(struct lp_scope *scope, struct lp_samples *out, const struct lp_sounds *sounds,
			    const struct lp_sounds_want *want, struct lp_err *e) LP_MUST_USE;

#endif
