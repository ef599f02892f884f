/* runner/speak - English speech by Flite, whose libraries are loaded when the system has them. */
#ifndef LPD_RUNNER_SPEAK_H
#define LPD_RUNNER_SPEAK_H

#include <stdint.h>

#include <lpd/base/err.h>
#include <lpd/base/scope.h>
#include <lpd/base/str.h>

#include "stop.h"

struct lp_voice;

/* library: "libflite_cmu_us_NAME.so.1".  LP_UNAVAILABLE in words. */
enum lp_code lp_voice_open(struct lp_scope *scope, struct lp_voice **out, const char *library,
			   struct lp_err *e) LP_MUST_USE;

struct lp_manner_of_speech {
	float pace;		/* 1: as it is, 0.8: slower */
	float pitch;		/* 1: as it is */
};

/* What a description says of pace and pitch: "slowly", "fast", "deep", "high-pitched". */
struct lp_manner_of_speech lp_speech_read(struct lp_span description);

struct lp_sound {
	int rate;		/* samples a second, one channel */
	int16_t *at;
	size_t n;
};

#define LP_SPEECH_SECONDS 900

struct lp_speech_want {
	struct lp_span text;
	struct lp_manner_of_speech manner;
	const struct lp_stop *stop;
};

/* Sentence by sentence.  LP_GONE when it was stopped; LP_TOO_LARGE beyond LP_SPEECH_SECONDS. */
enum lp_code lp_voice_say(struct lp_scope *scope, struct lp_sound *out, const struct lp_voice *voice,
			  const struct lp_speech_want *want, struct lp_err *e) LP_MUST_USE;

/* The next piece to say at once, up to a sentence's end; cut off the front of *rest.  at NULL: none is left. */
struct lp_span lp_speech_piece(struct lp_span *rest);

#endif
