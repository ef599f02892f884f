/* runner/whisper_priv - what whisper's files share: the network, its words, the encoder, one step of the decoder. */
#ifndef LPD_RUNNER_WHISPER_PRIV_H
#define LPD_RUNNER_WHISPER_PRIV_H

#include "crew.h"
#include "whisper.h"

#define WHISPER_LAYERS 12
#define WHISPER_HEAD 64
#define WHISPER_PLACES 1500	/* of the encoder */
#define WHISPER_TEXT 448	/* tokens that a decoder has places for */

struct linear {
	float *w, *b;
};

struct normal {
	float *gain, *shift;
};

struct block {
	struct normal before_self, before_cross, before_feed;
	struct linear qkv, self_out, cross_q, cross_kv, cross_out, up, down;
};

struct lp_whisper {
	int d, heads, n_encoder, n_decoder, n_words;
	struct linear conv1, conv2;
	float *encoder_places, *decoder_places, *words;	/* words: n_words rows of d */
	struct normal encoder_end, decoder_end;
	struct block encoder[WHISPER_LAYERS], decoder[WHISPER_LAYERS];
	struct lp_span *text;			/* of each token, as bytes */
	unsigned char *special;			/* a token that is no text, or noise */
	int start, end, no_times, no_speech, first_time;
	struct lp_crew *crew;			/* who may help; NULL: nobody */
};

/* What the decoder remembers of one half minute. */
struct whisper_memory {
	float *cross[WHISPER_LAYERS];		/* keys, then values of each place: PLACES rows of 2 d */
	float *self[WHISPER_LAYERS];		/* TEXT rows of 2 d */
	float *scratch;
	float *logits;				/* n_words */
};

/* out: WHISPER_PLACES rows of d.  False: stopped. */
bool whisper_encode(float *out, const struct lp_whisper *w, const float *mel, const struct lp_stop *stop);
struct whisper_memory *whisper_memory_new(struct lp_scope *scope, const struct lp_whisper *w);
void whisper_remember(struct whisper_memory *m, const struct lp_whisper *w, const float *encoded);
/* The token at a place of the text; m->logits are of the one after it. */
void whisper_step(struct whisper_memory *m, const struct lp_whisper *w, int token, int place);

#endif
