#include "speak.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/base/buf.h>
#include <lpd/base/mem.h>

#define PIECE 400		/* bytes said at once at most: a job is stopped between two */
#define LIBRARY "libflite.so.1"
#define NAME "libflite_"	/* ..._cmu_us_slt.so.1 has register_cmu_us_slt */

/* Flite 2's wave, and the head of its voice; the rest is opaque. */
struct flite_wave {
	const char *type;
	int rate, n, channels;
	short *samples;
};

struct flite_voice {
	const char *name;
	struct flite_features *features;
};

struct lp_voice {
	void *core, *library;
	struct flite_voice *voice;
	int (*init)(void);
	struct flite_voice *(*enter)(const char *path);
	struct flite_wave *(*text_to_wave)(const char *text, struct flite_voice *voice);
	void (*delete_wave)(struct flite_wave *wave);
	void (*set_float)(struct flite_features *features, const char *name, float v);
	float pitch;		/* of the voice, in Hz */
};

/* dlsym's answer as a function: C has no cast for it. */
static bool bind(void *library, const char *name, void *to)
{
	void *found = library ? dlsym(library, name) : NULL;

	memcpy(to, &found, sizeof found);
	return found != NULL;
}

static void close_voice(void *arg)
{
	struct lp_voice *v = arg;

	/* The voice's own data is static in its library, which stays loaded: Flite keeps pointers into it. */
	if (v->core)
		dlclose(v->core);
}

static bool bind_all(struct lp_voice *v, const char *library)
{
	char enter[64] = "register_";
	struct lp_span rest = lp_span(library);

	if (!lp_span_starts(rest, NAME))
		return false;
	rest = lp_span_skip(rest, strlen(NAME));
	struct lp_span name = lp_span_cut(&rest, '.');

	snprintf(enter + strlen(enter), sizeof enter - strlen(enter), "%.*s", (int)(name.len < 40 ? name.len : 40),
		 name.at);
	return bind(v->core, "flite_init", &v->init) && bind(v->core, "flite_text_to_wave", &v->text_to_wave) &&
	       bind(v->core, "delete_wave", &v->delete_wave) && bind(v->core, "flite_feat_set_float", &v->set_float) &&
	       bind(v->library, enter, &v->enter);
}

enum lp_code lp_voice_open(struct lp_scope *scope, struct lp_voice **out, const char *library, struct lp_err *e)
{
	struct lp_voice *v = lp_new(scope, struct lp_voice);

	*out = NULL;
	lp_defer(scope, close_voice, v);
	v->core = dlopen(LIBRARY, RTLD_NOW | RTLD_GLOBAL);
	v->library = v->core ? dlopen(library, RTLD_NOW | RTLD_NODELETE) : NULL;
	if (!bind_all(v, library))
		return lp_fail(e, LP_UNAVAILABLE, "%s cannot be loaded", v->core ? library : LIBRARY);
	v->init();
	v->voice = v->enter(NULL);
	if (!v->voice)
		return lp_fail(e, LP_UNAVAILABLE, "%s has no voice", library);
	v->pitch = strstr(library, "slt") ? 170.0f : 110.0f;	/* about what each has of its own */
	*out = v;
	return LP_OK;
}

/* ---- what to say, and how ---- */

static bool names(struct lp_span text, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= text.len; i++) {
		if (lp_span_is_icase(lp_span_of(text.at + i, n), word))
			return true;
	}
	return false;
}

struct lp_manner_of_speech lp_speech_read(struct lp_span description)
{
	struct lp_manner_of_speech m = { 1.0f, 1.0f };

	if (names(description, "slow") || names(description, "calm"))
		m.pace = 0.82f;
	else if (names(description, "fast") || names(description, "quick") || names(description, "hurried"))
		m.pace = 1.22f;
	if (names(description, "deep") || names(description, "low pitch") || names(description, "low-pitch"))
		m.pitch = 0.85f;
	else if (names(description, "high pitch") || names(description, "high-pitch") || names(description, "bright"))
		m.pitch = 1.15f;
	if (names(description, "very"))
		m = (struct lp_manner_of_speech){ m.pace * m.pace, m.pitch * m.pitch };
	return m;
}

/* Up to the end of a sentence, else of a word, else PIECE bytes. */
struct lp_span lp_speech_piece(struct lp_span *rest)
{
	while (rest->len && strchr(" \t\r\n", *rest->at))
		*rest = lp_span_skip(*rest, 1);
	size_t most = rest->len < PIECE ? rest->len : PIECE, end = 0, word = 0;

	for (size_t i = 0; i < most && !end; i++) {
		char c = rest->at[i];
		bool over = i + 1 == rest->len || rest->at[i + 1] == ' ' || rest->at[i + 1] == '\n';

		if (c == ' ' || c == '\n')
			word = i;
		if (over && (c == '.' || c == '!' || c == '?' || c == ';' || c == '\n'))
			end = i + 1;
	}
	if (!end)
		end = most == rest->len ? most : word ? word : most;
	struct lp_span piece = lp_span_of(rest->at, end);

	*rest = lp_span_skip(*rest, end);
	return piece.len ? piece : (struct lp_span){ NULL, 0 };
}

/* Flite reads English in ASCII: what is none becomes a blank, and the usual quotes and dashes what they mean. */
static char *plain(struct lp_scope *scope, struct lp_span piece)
{
	char *to = lp_new_array(scope, char, piece.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < piece.len; i++) {
		unsigned char c = (unsigned char)piece.at[i];

		if (c == 0xe2 && i + 2 < piece.len && (unsigned char)piece.at[i + 1] == 0x80) {
			unsigned char d = (unsigned char)piece.at[i + 2];

			to[n++] = d == 0x98 || d == 0x99 ? '\'' : d == 0x93 || d == 0x94 ? ',' : ' ';
			i += 2;
		} else {
			to[n++] = c >= 0x20 && c < 0x7f ? (char)c : ' ';
		}
	}
	return to;
}

static bool says_something(const char *text)
{
	for (; *text; text++) {
		if ((*text >= '0' && *text <= '9') || (*text >= 'A' && *text <= 'Z') || (*text >= 'a' && *text <= 'z'))
			return true;
	}
	return false;
}

static enum lp_code say_piece(struct lp_buf *to, int *rate, const struct lp_voice *v, const char *text,
			      struct lp_err *e)
{
	struct flite_wave *wave = v->text_to_wave(text, v->voice);
	enum lp_code code = LP_OK;

	if (!wave || wave->n < 0 || wave->rate < 8000 || wave->rate > 48000 || wave->channels != 1)
		code = lp_fail(e, LP_RUNNER, "the voice made no sound of a sentence");
	else if ((to->len / 2 + (size_t)wave->n) / (size_t)wave->rate > LP_SPEECH_SECONDS)
		code = lp_fail(e, LP_TOO_LARGE, "the text takes longer to say than %d s", LP_SPEECH_SECONDS);
	if (code == LP_OK) {
		*rate = wave->rate;
		lp_buf_add(to, wave->samples, (size_t)wave->n * 2);
	}
	if (wave)
		v->delete_wave(wave);
	return code;
}

enum lp_code lp_voice_say(struct lp_scope *scope, struct lp_sound *out, const struct lp_voice *voice,
			  const struct lp_speech_want *want, struct lp_err *e)
{
	struct lp_buf all = { .len = 0 };
	struct lp_span rest = want->text, piece;
	enum lp_code code = LP_OK;

	*out = (struct lp_sound){ .rate = 16000 };
	srandom(1);		/* Flite draws its noise from the C library: the same words sound the same */
	voice->set_float(voice->voice->features, "duration_stretch", 1.0f / want->manner.pace);
	voice->set_float(voice->voice->features, "int_f0_target_mean", voice->pitch * want->manner.pitch);
	while (code == LP_OK && (piece = lp_speech_piece(&rest)).at) {
		const char *text = plain(scope, piece);

		if (lp_stopped(want->stop))
			code = lp_fail(e, LP_GONE, "stopped");
		else if (says_something(text))
			code = say_piece(&all, &out->rate, voice, text, e);
	}
	out->n = all.len / 2;
	out->at = lp_new_array(scope, int16_t, out->n + 1);
	if (all.len)
		memcpy(out->at, lp_buf_span(&all).at, all.len);
	lp_buf_clear(&all);
	return code;
}
