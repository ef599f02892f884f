#include "studio.h"

#include <stdio.h>
#include <string.h>

#include <lpd/base/random.h>

#include "compose.h"
#include "enlarge.h"
#include "flow.h"
#include "look.h"
#include "ocr.h"
#include "onnx.h"
#include "paint.h"
#include "resize.h"
#include "restyle.h"
#include "smollm.h"
#include "speak.h"
#include "whisper.h"

#define OFFERS 32
#define DIRECT 1088		/* a longer side is composed at half the size and enlarged */
#define GUIDANCE 3.0f		/* of the flow model; what 7.5 is to a diffusion model */

struct lp_studio {
	struct lp_scope *scope;
	const char *folder;
	struct lp_crew *crew;
	struct lp_flow *flow;
	struct lp_onnx *onnx;			/* NULL: not there */
	char engine[40];
	char no_engine[200];			/* why not */
	struct lp_offer offers[OFFERS];
	int n_offers;
	struct lp_onnx_net *style;
	char no_style[200];
	struct lp_reader *reader;		/* NULL: not there */
};

static enum lp_code load(struct lp_studio *s, struct lp_onnx_net **out, const struct lp_model_row *row,
			 struct lp_err *e)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "load");
	struct lp_span model;
	enum lp_code code = LP_OK;

	*out = NULL;
	if (!s->onnx)
		code = lp_fail(e, LP_UNAVAILABLE, "%s", s->no_engine);
	if (code == LP_OK)
		code = lp_catalog_read(tmp, &model, row, s->folder, e);
	if (code == LP_OK)
		code = lp_onnx_load(s->scope, out, s->onnx, model, e);
	lp_scope_close(&tmp);
	return code;
}

/* The fetched library, else one that the system's loader knows. */
static void open_engine(struct lp_studio *s)
{
	const struct lp_model_row *row = lp_catalog_find(LP_SPAN("onnxruntime"));
	struct lp_err e = { .code = LP_OK };
	enum lp_code code = LP_UNAVAILABLE;

	switch (lp_catalog_state(row, s->folder)) {
	case LP_MODEL_HERE:
		code = lp_onnx_open(s->scope, &s->onnx, lp_catalog_path(s->scope, row, s->folder), &e);
		break;
	case LP_MODEL_DAMAGED:
		code = lp_fail(&e, LP_UNAVAILABLE, "onnxruntime is damaged: lpd models fetch onnxruntime");
		break;
	case LP_MODEL_MISSING:
		code = lp_onnx_open(s->scope, &s->onnx, "libonnxruntime.so.1", NULL);
		if (code != LP_OK)
			code = lp_fail(&e, LP_UNAVAILABLE, "onnxruntime is not fetched: lpd models fetch");
		break;
	}
	if (code == LP_OK) {
		snprintf(s->engine, sizeof s->engine, "onnxruntime %s", lp_onnx_version(s->onnx));
		lp_onnx_share(s->onnx, s->crew);
	} else {
		lp_span_copy(s->no_engine, sizeof s->no_engine, lp_span(e.words));
	}
}

/* ---- what is offered: one function for each pipeline ---- */

static void offer_upscaler(struct lp_studio *s, struct lp_offer *offer)
{
	struct lp_err e = { .code = LP_OK };

	offer->ready = true;
	offer->engine = s->engine;
	if (load(s, &offer->net, offer->row, &e) == LP_OK)
		return;
	/* One that is neither here nor brought by default has no stand-in: somebody wants that one. */
	offer->ready = offer->row->by_default;
	offer->engine = "plain C";
	offer->fallback = true;
	offer->why = offer->ready ? lp_fmt(s->scope, "enlarged by a Lanczos filter: %s", e.words) :
				    lp_strdup(s->scope, lp_span(e.words));
}

static void offer_sketch(struct lp_studio *s, struct lp_offer *offer)
{
	offer->ready = true;
	offer->engine = s->style ? lp_fmt(s->scope, "plain C, %s", s->engine) : "plain C";
	offer->fallback = !s->style;
	if (!s->style)
		offer->why = lp_fmt(s->scope, "composed but painted by rule, not by a network: %s", s->no_style);
}

static void offer_style(struct lp_studio *s, struct lp_offer *offer)
{
	offer->ready = true;
	offer->net = s->style;
	offer->engine = s->style ? s->engine : "plain C";
	offer->fallback = !s->style;
	if (!s->style)
		offer->why = lp_fmt(s->scope, "painted by rule, not by a network: %s", s->no_style);
}

static const char *wants_package(struct lp_studio *s, const struct lp_model_row *row)
{
	return lp_fmt(s->scope, "%s needs the system's package %s: apt-get install %s", row->name, row->debian,
		      row->debian);
}

static void offer_voice(struct lp_studio *s, struct lp_offer *offer)
{
	struct lp_err e = { .code = LP_OK };

	offer->engine = "flite";
	offer->ready = lp_voice_open(s->scope, &offer->voice, offer->row->library, &e) == LP_OK;
	if (!offer->ready)
		offer->why = wants_package(s, offer->row);
}

static void offer_cutter(struct lp_studio *s, struct lp_offer *offer)
{
	struct lp_err e = { .code = LP_OK };

	offer->engine = s->engine;
	offer->ready = load(s, &offer->net, offer->row, &e) == LP_OK;
	if (!offer->ready)
		offer->why = lp_strdup(s->scope, lp_span(e.words));
}

static void offer_describer(struct lp_studio *s, struct lp_offer *offer)
{
	const struct lp_model_row *tesseract = lp_catalog_find(LP_SPAN("builtin/tesseract-eng"));
	struct lp_err e = { .code = LP_OK };
	struct lp_span json;

	offer->reader = s->reader;
	offer->engine = s->reader ? lp_fmt(s->scope, "tesseract %s", lp_reader_version(s->reader)) : s->engine;
	offer->ready = s->reader != NULL;
	if (offer->row == tesseract) {
		offer->why = offer->ready ? "" : wants_package(s, offer->row);
		return;
	}
	enum lp_code code = load(s, &offer->net, offer->row, &e);

	if (code == LP_OK)
		code = lp_catalog_read(s->scope, &json, lp_catalog_find(LP_SPAN("imagenet-names")), s->folder, &e);
	if (code == LP_OK)
		code = lp_names_read(s->scope, &offer->names, json, &e);
	offer->ready = code == LP_OK;
	offer->fallback = offer->ready && !s->reader;
	if (offer->ready)
		offer->engine = s->reader ? lp_fmt(s->scope, "%s, %s", s->engine, offer->engine) : s->engine;
	if (!offer->ready)
		offer->why = lp_strdup(s->scope, lp_span(e.words));
	else if (!s->reader)
		offer->why = lp_fmt(s->scope, "text in pictures is not read: %s", wants_package(s, tesseract));
}

static void offer_motion(struct lp_studio *s, struct lp_offer *offer)
{
	offer_style(s, offer);
	if (!s->style)
		offer->why = lp_fmt(s->scope, "set in motion but not painted: %s", s->no_style);
}

static void offer_ears(struct lp_studio *s, struct lp_offer *offer)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "load");
	struct lp_err e = { .code = LP_OK };
	struct lp_span model, words;
	enum lp_code code = lp_catalog_read(tmp, &model, offer->row, s->folder, &e);

	offer->engine = "plain C";
	if (code == LP_OK)
		code = lp_catalog_read(tmp, &words, lp_catalog_find(lp_span(offer->row->needs[0])), s->folder, &e);
	if (code == LP_OK)
		code = lp_whisper_open(s->scope, &offer->whisper, model, words, &e);
	offer->ready = code == LP_OK;
	if (offer->ready)
		lp_whisper_share(offer->whisper, s->crew);
	else
		offer->why = lp_strdup(s->scope, lp_span(e.words));
	lp_scope_close(&tmp);
}

static void offer_mind(struct lp_studio *s, struct lp_offer *offer)
{
	struct lp_err e = { .code = LP_OK };
	struct lp_span model;
	enum lp_code code = lp_catalog_read(s->scope, &model, offer->row, s->folder, &e);

	offer->engine = "plain C";
	if (code == LP_OK)
		code = lp_smollm_open(s->scope, &offer->smollm, model, &e);
	offer->ready = code == LP_OK;
	if (offer->ready)
		lp_smollm_share(offer->smollm, s->crew);
	else
		offer->why = lp_strdup(s->scope, lp_span(e.words));
}

static const struct {
	const char *pipeline;
	void (*offer)(struct lp_studio *s, struct lp_offer *offer);
} kinds[] = {
	{ "text-to-image", offer_sketch },
	{ "image-to-image", offer_style },
	{ "image-to-video", offer_motion },
	{ "upscale", offer_upscaler },
	{ "text-to-speech", offer_voice },
	{ "segment-anything-2", offer_cutter },
	{ "image-to-text", offer_describer },
	{ "audio-to-text", offer_ears },
	{ "llm", offer_mind },
};

static void offer_row(struct lp_studio *s, const struct lp_model_row *row)
{
	struct lp_offer *offer = &s->offers[s->n_offers];

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strcmp(kinds[i].pipeline, row->pipeline) != 0)
			continue;
		*offer = (struct lp_offer){ .row = row, .engine = "", .why = "" };
		kinds[i].offer(s, offer);
		s->n_offers++;
	}
}

static void open_style(struct lp_studio *s)
{
	struct lp_err e = { .code = LP_OK };

	if (load(s, &s->style, lp_catalog_find(LP_SPAN("builtin/style26")), &e) != LP_OK)
		lp_span_copy(s->no_style, sizeof s->no_style, lp_span(e.words));
}

enum lp_code lp_studio_open(struct lp_scope *scope, struct lp_studio **out, const char *folder, struct lp_crew *crew,
			    struct lp_err *e)
{
	struct lp_studio *s = lp_new(scope, struct lp_studio);
	int n;
	const struct lp_model_row *rows = lp_catalog(&n);
	enum lp_code code = lp_flow_open(scope, &s->flow, lp_flow_weights(), lp_flow_tokens(), e);

	*out = NULL;
	if (code != LP_OK)
		return code;
	s->scope = scope;
	s->folder = lp_strdup(scope, lp_span(folder));
	s->crew = crew;
	open_engine(s);
	open_style(s);
	if (lp_reader_open(scope, &s->reader, lp_catalog_find(LP_SPAN("builtin/tesseract-eng"))->library,
			   NULL) != LP_OK)
		s->reader = NULL;
	for (int i = 0; i < n && s->n_offers < OFFERS; i++) {
		if (rows[i].pipeline)
			offer_row(s, &rows[i]);
	}
	*out = s;
	return LP_OK;
}

int lp_studio_offers(const struct lp_studio *studio, const struct lp_offer **out)
{
	*out = studio->offers;
	return studio->n_offers;
}

const struct lp_offer *lp_studio_find(const struct lp_studio *studio, struct lp_span model)
{
	for (int i = 0; i < studio->n_offers; i++) {
		if (lp_span_is(model, studio->offers[i].row->name))
			return &studio->offers[i];
	}
	return NULL;
}

const struct lp_offer *lp_studio_default(const struct lp_studio *studio, const char *pipeline)
{
	const struct lp_offer *first = NULL;

	for (int i = 0; i < studio->n_offers; i++) {
		const struct lp_offer *offer = &studio->offers[i];

		if (strcmp(offer->row->pipeline, pipeline) != 0)
			continue;
		if (offer->ready)
			return offer;
		first = first ? first : offer;
	}
	return first;
}

struct lp_onnx_net *lp_studio_net(const struct lp_studio *s, const char *name)
{
	const struct lp_offer *offer = lp_studio_find(s, lp_span(name));

	return offer ? offer->net : NULL;
}

/* ---- a picture from words ---- */

static enum lp_code repaint(const struct lp_studio *s, struct lp_image *im, enum lp_manner manner, uint64_t seed,
			    struct lp_err *e)
{
	struct lp_style_want want;

	if (!s->style) {
		lp_paint(im, manner, (uint32_t)seed);
		return LP_OK;
	}
	lp_manner_want(&want, manner);
	return want.strength > 0.0f ? lp_style_apply(s->style, im, &want, e) : LP_OK;
}

/* The size that a picture is composed at: no smaller than a motif needs, no larger than networks like. */
static void work_size(const struct lp_sketch_want *want, int size[2])
{
	int w = want->w, h = want->h;

	if (w > DIRECT || h > DIRECT) {
		w = (w + 1) / 2;
		h = (h + 1) / 2;
	}
	while (w < 192 || h < 192) {
		w *= 2;
		h *= 2;
	}
	size[0] = w < LP_IMAGE_SIDE ? w : LP_IMAGE_SIDE;
	size[1] = h < LP_IMAGE_SIDE ? h : LP_IMAGE_SIDE;
}

static enum lp_code to_size(struct lp_scope *scope, const struct lp_studio *s, const struct lp_sketch_want *want,
			    struct lp_image **im, struct lp_err *e)
{
	struct lp_enlarge_want twice = { .net = lp_studio_net(s, "builtin/span-x2"), .factor = 2, .stop = want->stop };
	enum lp_code code = LP_OK;

	if (((*im)->w < want->w || (*im)->h < want->h) && twice.net)
		code = lp_enlarge(scope, im, *im, &twice, e);
	if (code == LP_OK && ((*im)->w != want->w || (*im)->h != want->h))
		*im = lp_image_resize(scope, *im, want->w, want->h);
	return code;
}

static const char *warning(struct lp_scope *scope, const struct lp_studio *s, const struct lp_scene *scene)
{
	const struct lp_offer *offer = lp_studio_default(s, "text-to-image");
	bool vague = scene->words && scene->understood * 2 < scene->words;

	return lp_fmt(scope, "%s%s%s", offer->why, *offer->why && vague ? "; " : "",
		      vague ? "most words of the prompt are unknown to this model" : "");
}

enum lp_code lp_studio_sketch(struct lp_scope *scope, struct lp_made *made, const struct lp_studio *studio,
			      const struct lp_sketch_want *want, struct lp_err *e)
{
	struct lp_scene scene;
	struct lp_onnx_net *drawn = lp_studio_net(studio, "builtin/animevideo-x4");
	struct lp_enlarge_want four = { .net = drawn ? drawn : lp_studio_net(studio, "builtin/span-x4"), .factor = 4,
					.stop = want->stop };
	int size[2];

	work_size(want, size);
	lp_scene_read(&scene, want->prompt, want->negative);
	struct lp_compose_want compose = {
		.flow = studio->flow, .scene = &scene, .seed = want->seed, .w = size[0], .h = size[1],
		.steps = want->steps, .guidance = want->guidance > 0.0f ? GUIDANCE * want->guidance / 7.5f : GUIDANCE,
		.enlarge = four.net ? &four : NULL, .stop = want->stop,
	};
	compose.guidance = compose.guidance > 6.0f ? 6.0f : compose.guidance < 0.5f ? 0.5f : compose.guidance;
	if (compose.steps > LP_FLOW_STEPS)
		compose.steps = LP_FLOW_STEPS;
	enum lp_code code = lp_compose(scope, &made->picture, &compose, e);

	if (code == LP_OK)
		code = repaint(studio, made->picture, scene.manner, want->seed, e);
	if (code == LP_OK && lp_stopped(want->stop))
		code = lp_fail(e, LP_GONE, "stopped");
	if (code == LP_OK)
		code = to_size(scope, studio, want, &made->picture, e);
	made->warning = warning(scope, studio, &scene);
	return code;
}

/* ---- enlarging ---- */

enum lp_code lp_studio_upscale(struct lp_scope *scope, struct lp_made *made, const struct lp_upscale_want *want,
			       struct lp_err *e)
{
	int factor = want->model->row->factor;
	struct lp_enlarge_want how = { .net = want->model->net, .factor = factor, .stop = want->stop };

	made->warning = want->model->why;
	if (want->picture->w > LP_UPSCALE_SIDE || want->picture->h > LP_UPSCALE_SIDE)
		return lp_fail(e, LP_TOO_LARGE, "the picture is larger than %d x %d pixels", LP_UPSCALE_SIDE,
			       LP_UPSCALE_SIDE);
	if (how.net)
		return lp_enlarge(scope, &made->picture, want->picture, &how, e);
	made->picture = lp_image_resize(scope, want->picture, want->picture->w * factor, want->picture->h * factor);
	return LP_OK;
}
