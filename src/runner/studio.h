/* runner/studio - everything that pictures are made with, opened once: the flow model, the engine, the networks
 * that are there; and the two pipelines over it.
 *
 * Used by one thread at a time.  What is missing is replaced by a rule, and that is said: in the parts' notes,
 * and in the warning of each result. */
#ifndef LPD_RUNNER_STUDIO_H
#define LPD_RUNNER_STUDIO_H

#include "catalog.h"
#include "crew.h"
#include "image.h"
#include "stop.h"

#define LP_SIDE_LEAST 64
#define LP_SIDE_MOST 2048	/* of a picture made from words */
#define LP_UPSCALE_SIDE 1024	/* of a picture to enlarge */

struct lp_studio;

/* crew: who may help with the networks; NULL: nobody.  LP_CONFIG only when the built-in model itself cannot be used. */
enum lp_code lp_studio_open(struct lp_scope *scope, struct lp_studio **out, const char *folder,
			    struct lp_crew *crew, struct lp_err *e) LP_MUST_USE;

/* A model of the catalogue. */
struct lp_offer {
	const struct lp_model_row *row;
	bool ready;			/* false: it cannot be asked for, and why says what to do */
	const char *engine;		/* "onnxruntime 1.32.0", "plain C" */
	bool fallback;			/* something simpler stands in for a part of it */
	const char *why;		/* in words; "" when nothing does */
	/* What it works with; the others are NULL. */
	struct lp_onnx_net *net;
	struct lp_voice *voice;
	struct lp_reader *reader;
	struct lp_names *names;
	struct lp_whisper *whisper;
	struct lp_smollm *smollm;
};

int lp_studio_offers(const struct lp_studio *studio, const struct lp_offer **out);
const struct lp_offer *lp_studio_find(const struct lp_studio *studio, struct lp_span model);	/* NULL: not offered */
/* The first of a pipeline that is ready, else the first. */
const struct lp_offer *lp_studio_default(const struct lp_studio *studio, const char *pipeline);

/* The network of a model, for another that builds on it; NULL: it is not there. */
struct lp_onnx_net *lp_studio_net(const struct lp_studio *studio, const char *model);

struct lp_sketch_want {
	struct lp_span prompt, negative;
	int w, h;			/* LP_SIDE_LEAST .. LP_SIDE_MOST */
	uint64_t seed;
	int steps;			/* 0: the model's own */
	float guidance;			/* as diffusion models count it, about 7.5; 0: the model's own */
	const struct lp_stop *stop;
};

struct lp_made {
	struct lp_image *picture;
	const char *warning;		/* "" or a sentence, in the scope */
};

/* The same want, the same picture on the same machine.  LP_GONE when it was stopped. */
enum lp_code lp_studio_sketch(struct lp_scope *scope, struct lp_made *made, const struct lp_studio *studio,
			      const struct lp_sketch_want *want, struct lp_err *e) LP_MUST_USE;

struct lp_upscale_want {
	const struct lp_offer *model;
	const struct lp_image *picture;
	const struct lp_stop *stop;
};

enum lp_code lp_studio_upscale(struct lp_scope *scope, struct lp_made *made, const struct lp_upscale_want *want,
			       struct lp_err *e) LP_MUST_USE;

#endif
