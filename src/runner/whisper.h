/* runner/whisper - what is said in a recording: Whisper (English, 16 kHz) in plain C, over CTranslate2's files.
 *
 * Half a minute at a time; each is heard whole by the encoder, then written down token by token, the likeliest each
 * time, by Whisper's own rules for times. */
#ifndef LPD_RUNNER_WHISPER_H
#define LPD_RUNNER_WHISPER_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>

#include "crew.h"
#include "stop.h"
#include "wav.h"

struct lp_whisper;

/* model: borrowed until it returns; words: one token a line.  LP_CONFIG in words. */
enum lp_code lp_whisper_open(struct lp_scope *scope, struct lp_whisper **out, struct lp_span model,
			     struct lp_span words, struct lp_err *e) LP_MUST_USE;
/* Let these help from now on; before it is used. */
void lp_whisper_share(struct lp_whisper *whisper, struct lp_crew *crew);

struct lp_heard {
	double from, to;		/* seconds */
	struct lp_span text;		/* begins with a blank, as Whisper writes */
};

#define LP_HEARD_MOST 4096

struct lp_transcript {
	struct lp_heard *at;
	int n;
};

struct lp_hear_want {
	const struct lp_samples *sound;	/* at LP_MEL_RATE */
	const struct lp_stop *stop;
};

/* LP_GONE when it was stopped. */
enum lp_code lp_whisper_hear(struct lp_scope *scope, struct lp_transcript *out, const struct lp_whisper *whisper,
			     const struct lp_hear_want *want, struct lp_err *e) LP_MUST_USE;

#endif
