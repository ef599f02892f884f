#include "sounds.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lpd/base/mem.h>

#include "sound/lpd_sound.h"

#define NAME "lpd-sound.so"

struct lp_sounds {
	void *library;
	/* NULL: it is not there */
	enum lpd_sound_result (*read)(const struct lpd_sound_want *want, struct lpd_sound *out);
};

/* The file beside the program that runs. */
static const char *beside(struct lp_scope *scope)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	if (n <= 0)
		return NAME;
	path[n] = 0;
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = 0;
	return lp_fmt(scope, "%s/" NAME, path);
}

struct lp_sounds *lp_sounds_open(struct lp_scope *scope, const char *path)
{
	struct lp_sounds *s = lp_new(scope, struct lp_sounds);

	/* Stays loaded: the libraries under libav* keep things of their own until the process ends. */
	s->library = dlopen(path ? path : beside(scope), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	void *found = s->library ? dlsym(s->library, LPD_SOUND_ENTRY) : NULL;

	memcpy(&s->read, &found, sizeof found);
	return s;
}

bool lp_sounds_all(const struct lp_sounds *sounds)
{
	return sounds->read != NULL;
}

static int stopped(const void *self)
{
	return lp_stopped(self);
}

static enum lp_code read_any(struct lp_scope *scope, struct lp_samples *out, const struct lp_sounds *sounds,
			     const struct lp_sounds_want *want, struct lp_err *e)
{
	struct lpd_sound_want ask = { (const unsigned char *)want->file.at, want->file.len, LP_WAV_SECONDS, stopped,
				      want->stop };
	struct lpd_sound got;

	switch (sounds->read(&ask, &got)) {
	case LPD_SOUND_UNKNOWN:
		return lp_fail(e, LP_MEDIA_TYPE, "the file is no recording that is known here");
	case LPD_SOUND_STOPPED:
		return lp_fail(e, LP_GONE, "stopped");
	case LPD_SOUND_READ:
		break;
	}
	*out = (struct lp_samples){ .at = lp_new_array(scope, float, got.n + 1), .n = got.n, .rate = got.rate };
	memcpy(out->at, got.samples, got.n * sizeof *out->at);
	free(got.samples);
	if (out->n / (size_t)out->rate >= LP_WAV_SECONDS)
		return lp_fail(e, LP_TOO_LARGE, "the recording is longer than %d s", LP_WAV_SECONDS);
	return LP_OK;
}

enum lp_code lp_sounds_read(struct lp_scope *scope, struct lp_samples *out, const struct lp_sounds *sounds,
			    const struct lp_sounds_want *want, struct lp_err *e)
{
	enum lp_code code = lp_wav_read(scope, out, want->file, e);

	return code == LP_MEDIA_TYPE && sounds->read ? read_any(scope, out, sounds, want, e) : code;
}
