#include "pipes.h"

#include "picture.h"
#include "work.h"

#define JSON_BODY (1 << 20)
#define TEXT_ROOM (2 << 20)	/* of a form beside its file */
#define PICTURE_BODY ((int64_t)LP_PICTURE_BYTES + TEXT_ROOM)
#define SOUND_BODY ((int64_t)(50 << 20) + TEXT_ROOM)	/* ai-runner takes so much */
#define BIT(field) LP_ASK_BIT(LP_ASK_##field)

static const struct lp_pipe pipes[] = {
	{
		.name = "text-to-image",
		.failed = "Text-to-image pipeline error.",
		.shape = { .takes = BIT(MODEL) | BIT(PROMPT) | BIT(NEGATIVE) | BIT(LORAS) | BIT(WIDTH) | BIT(HEIGHT) |
				    BIT(GUIDANCE) | BIT(SAFETY) | BIT(SEED) | BIT(STEPS) | BIT(IMAGES),
			   .needs = BIT(PROMPT) },
		.body_limit = JSON_BODY,
		.model = LP_ASK_MODEL,
		.spoken = LP_ASK_PROMPT,
		.unspoken = "Prompt must be provided.",
		.check = lp_check_sketch,
		.work = lp_work_sketch,
	},
	{
		.name = "image-to-image",
		.failed = "Image-to-image pipeline error.",
		.shape = { .form = true, .file = "image",
			   .takes = BIT(MODEL) | BIT(PROMPT) | BIT(NEGATIVE) | BIT(LORAS) | BIT(STRENGTH) | BIT(GUIDANCE) |
				    BIT(IMAGE_GUIDANCE) | BIT(SAFETY) | BIT(SEED) | BIT(IMAGES) | BIT(STEPS),
			   .needs = BIT(PROMPT) },
		.body_limit = PICTURE_BODY,
		.model = LP_ASK_MODEL,
		.spoken = LP_ASK_FIELDS,
		.check = lp_check_restyle,
		.work = lp_work_restyle,
	},
	{
		.name = "image-to-video",
		.failed = "Image-to-video pipeline error.",
		.shape = { .form = true, .file = "image",
			   .takes = BIT(MODEL) | BIT(HEIGHT) | BIT(WIDTH) | BIT(FPS) | BIT(MOTION) | BIT(NOISE) | BIT(SAFETY) |
				    BIT(SEED) | BIT(STEPS) },
		.body_limit = PICTURE_BODY,
		.model = LP_ASK_MODEL,
		.spoken = LP_ASK_FIELDS,
		.check = lp_check_motion,
		.work = lp_work_motion,
	},
	{
		.name = "upscale",
		.failed = "Upscale pipeline error.",
		.shape = { .form = true, .file = "image",
			   .takes = BIT(MODEL) | BIT(PROMPT) | BIT(SAFETY) | BIT(SEED) | BIT(STEPS),
			   .needs = BIT(PROMPT) },
		.body_limit = PICTURE_BODY,
		.model = LP_ASK_MODEL,
		.spoken = LP_ASK_FIELDS,
		.zero_is_random = true,
		.work = lp_work_upscale,
	},
	{
		.name = "audio-to-text",
		.failed = "Audio-to-text pipeline error.",
		.shape = { .form = true, .file = "audio", .takes = BIT(MODEL) | BIT(TIMESTAMPS) | BIT(METADATA) },
		.body_limit = SOUND_BODY,
		.model = LP_ASK_MODEL,
		.spoken = LP_ASK_FIELDS,
		.check = lp_check_hear,
		.work = lp_work_hear,
	},
	{
		.name = "segment-anything-2",
		.failed = "Segment-anything-2 pipeline error.",
		.shape = { .form = true, .file = "image",
			   .takes = BIT(MODEL) | BIT(POINTS) | BIT(LABELS) | BIT(BOX) | BIT(MASK) | BIT(MULTIMASK) | BIT(LOGITS) |
				    BIT(NORMALIZE) },
		.body_limit = PICTURE_BODY,
		.model = LP_ASK_MODEL,
		.spoken = LP_ASK_FIELDS,
		.work = lp_work_segment,
	},
	{
		.name = "llm",
		.failed = "Internal server error during LLM processing.",
		.shape = { .takes = BIT(CHAT_MODEL) | BIT(MESSAGES) | BIT(MAX_TOKENS) | BIT(STREAM) | BIT(TEMPERATURE) | BIT(TOP_P) |
				    BIT(TOP_K),
			   .needs = BIT(MESSAGES) },
		.body_limit = JSON_BODY,
		.model = LP_ASK_CHAT_MODEL,
		.spoken = LP_ASK_FIELDS,
		.check = lp_check_chat,
		.work = lp_work_chat,
	},
	{
		.name = "image-to-text",
		.failed = "Image-to-text pipeline error.",
		.shape = { .form = true, .file = "image", .takes = BIT(MODEL) | BIT(PROMPT) },
		.body_limit = PICTURE_BODY,
		.model = LP_ASK_MODEL,
		.spoken = LP_ASK_FIELDS,
		.work = lp_work_describe,
	},
	{
		.name = "text-to-speech",
		.failed = "Text-to-speech pipeline error.",
		.shape = { .takes = BIT(MODEL) | BIT(TEXT) | BIT(DESCRIPTION) },
		.body_limit = JSON_BODY,
		.model = LP_ASK_MODEL,
		.spoken = LP_ASK_TEXT,
		.unspoken = "Text input must be provided.",
		.check = lp_check_speech,
		.work = lp_work_speech,
	},
};

const struct lp_pipe *lp_pipes(int *n)
{
	*n = (int)(sizeof pipes / sizeof pipes[0]);
	return pipes;
}
