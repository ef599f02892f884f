#include <lpd/market/pipeline.h>

#include "units.h"

#define MIB (1024 * 1024LL)
/* The runner takes files of 50 MiB where it looks at their size (ai-http-api 3.4); text fields come on top. */
#define FILE_LIMIT (50 * MIB)
#define FORM_LIMIT (52 * MIB)
/* Whole numbers that every JSON reader keeps exact.  A runner takes any seed of 64 bits, negative
 * ones too. */
#define SEED_MAX 9007199254740991.0
#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Tables are read by columns. */
/* clang-format off */

/* Fields that several rows share. */
#define MODEL { "model_id", LP_PARAM_STRING, .max = 512, \
		.help = "The model; empty: the pipeline's default." }
#define IMAGE { "image", LP_PARAM_FILE, .required = true, \
		.help = "The input picture: PNG, JPEG, GIF or WebP." }
#define PROMPT { "prompt", LP_PARAM_STRING, .required = true, .help = "What to make, in words." }
#define LORAS { "loras", LP_PARAM_STRING, .max = 8192, \
		.help = "JSON text {\"repository\": weight}, at most 4: small models mixed in." }
#define NEGATIVE { "negative_prompt", LP_PARAM_STRING, .help = "What to avoid, in words." }
#define GUIDANCE { "guidance_scale", LP_PARAM_FLOAT, .max = 100, \
		   .help = "How closely to follow the prompt." }
#define SAFETY { "safety_check", LP_PARAM_BOOL, .help = "Look for unsafe content and set nsfw." }
#define SEED { "seed", LP_PARAM_INT, .min = -SEED_MAX, .max = SEED_MAX, \
	       .help = "The same seed gives the same result; absent: a random one." }
#define STEPS(text) { "num_inference_steps", LP_PARAM_INT, .max = 1000, \
		      .help = "Denoising steps; absent: " text ", 0: what the model likes." }
#define SIDE(name, value) { name, LP_PARAM_INT, .fill = true, .preset = value, \
			    .min = 64, .max = 4096, \
			    .help = "Pixels of the result; absent: " value "." }
/* The runner refuses sides of a video that eight does not divide. */
#define VIDEO_SIDE(name, value) { name, LP_PARAM_INT, .fill = true, .preset = value, \
				  .min = 64, .max = 4096, .multiple = 8, \
				  .help = "Pixels of the result, a multiple of 8; absent: " value "." }
#define IMAGES { "num_images_per_prompt", LP_PARAM_INT, .fill = true, .raise = true, \
		 .preset = "1", .min = 1, .max = 10, \
		 .help = "How many pictures to make." }

/* In the order in which forms are forwarded (ai-http-api 1.5). */
static const struct lp_param text_to_image[] = {
	MODEL, LORAS, PROMPT, SIDE("height", "512"), SIDE("width", "512"), GUIDANCE, NEGATIVE,
	SAFETY, SEED, STEPS("50"), IMAGES,
};

static const struct lp_param image_to_image[] = {
	IMAGE, PROMPT, MODEL, LORAS,
	{ "strength", LP_PARAM_FLOAT, .max = 1, .help = "How far to go from the input: 0 to 1." },
	GUIDANCE,
	{ "image_guidance_scale", LP_PARAM_FLOAT, .max = 100,
	  .help = "How closely to follow the input picture." },
	NEGATIVE, SAFETY, SEED, IMAGES, STEPS("100"),
};

static const struct lp_param image_to_video[] = {
	IMAGE, MODEL, VIDEO_SIDE("height", "576"), VIDEO_SIDE("width", "1024"),
	/* Filled in, since runner and orchestrator have each another default. */
	{ "fps", LP_PARAM_INT, .fill = true, .preset = "6", .min = 1, .max = 120,
	  .help = "Frames a second; absent: 6." },
	{ "motion_bucket_id", LP_PARAM_INT, .max = 1023, .help = "How much motion." },
	{ "noise_aug_strength", LP_PARAM_FLOAT, .max = 10,
	  .help = "Noise added to the input picture." },
	SEED,
	/* The network's runner answers 500 to a false one, whatever the picture. */
	{ "safety_check", LP_PARAM_BOOL, .always = true, .preset = "true",
	  .help = "The input picture is always looked at for unsafe content." },
	STEPS("25"),
};

static const struct lp_param upscale[] = { IMAGE, PROMPT, MODEL, SAFETY, SEED, STEPS("75") };

static const struct lp_param audio_to_text[] = {
	{ "audio", LP_PARAM_FILE, .required = true, .max = FILE_LIMIT,
	  .help = "The recording: mp3, wav, flac, ogg, m4a, mp4, webm and others." },
	MODEL,
	{ "return_timestamps", LP_PARAM_STRING, .max = 32,
	  .help = "true or sentence (also when absent), false, or word." },
	{ "metadata", LP_PARAM_STRING, .ours = true, .max = 4096,
	  .help = "JSON text {\"duration\": \"seconds\"}." },
};

static const struct lp_param segment_anything_2[] = {
	IMAGE, MODEL,
	{ "point_coords", LP_PARAM_STRING, .help = "JSON text [[x, y], ...] in pixels." },
	{ "point_labels", LP_PARAM_STRING,
	  .help = "JSON text [1, 0, ...]: in or out, for each point." },
	{ "box", LP_PARAM_STRING, .max = 1024, .help = "JSON text [x1, y1, x2, y2]." },
	{ "mask_input", LP_PARAM_STRING, .max = 1048576,
	  .help = "JSON text: a mask of an earlier answer." },
	{ "multimask_output", LP_PARAM_BOOL, .help = "Several masks." },
	{ "return_logits", LP_PARAM_BOOL, .help = "Masks as logits instead of 0 and 1." },
	{ "normalize_coords", LP_PARAM_BOOL, .help = "Scale coordinates to 0 .. 1 first." },
};

static const struct lp_param llm[] = {
	{ "messages", LP_PARAM_MESSAGES, .required = true,
	  .help = "The conversation: {role, content}, role being system, user or assistant." },
	{ "model", LP_PARAM_STRING, .max = 512,
	  .help = "The model; empty: the pipeline's default." },
	{ "max_tokens", LP_PARAM_INT, .gateway_fills = true, .preset = "256",
	  .min = 1, .max = 1048576,
	  .help = "At most this many tokens of answer; absent: 256." },
	{ "stream", LP_PARAM_BOOL, .fill = true, .preset = "false",
	  .help = "Answer as events, as it is made." },
	{ "temperature", LP_PARAM_FLOAT, .max = 2,
	  .help = "How free the choice of words is: 0 to 2." },
	{ "top_p", LP_PARAM_FLOAT, .max = 1,
	  .help = "Choose among the likeliest that make up this share." },
	{ "top_k", LP_PARAM_INT, .min = -1, .max = 1000000,
	  .help = "Choose among so many; -1: all." },
};

static const struct lp_param image_to_text[] = {
	{ "image", LP_PARAM_FILE, .required = true, .max = FILE_LIMIT,
	  .help = "The picture: PNG, JPEG, GIF or WebP." },
	{ "prompt", LP_PARAM_STRING, .help = "How the text is to begin, or a question." },
	MODEL,
};

static const struct lp_param live_video_to_video[] = {
	MODEL,
	{ "params", LP_PARAM_OBJECT, .help = "Parameters of the live pipeline." },
	{ "gateway_request_id", LP_PARAM_STRING, .max = 256,
	  .help = "The gateway's name for the request." },
	{ "stream_id", LP_PARAM_STRING, .max = 256, .help = "The stream's name." },
	{ "manifest_id", LP_PARAM_STRING, .max = 256,
	  .help = "The orchestrator's name for the stream." },
	{ "subscribe_url", LP_PARAM_STRING, .max = 2048, .help = "Where the video is read from." },
	{ "publish_url", LP_PARAM_STRING, .max = 2048, .help = "Where the result is written to." },
	{ "control_url", LP_PARAM_STRING, .max = 2048,
	  .help = "Where control messages are read from." },
	{ "events_url", LP_PARAM_STRING, .max = 2048, .help = "Where events are written to." },
};

static const struct lp_param text_to_speech[] = {
	MODEL,
	{ "text", LP_PARAM_STRING, .required = true, .max = 16384, .help = "What to say." },
	{ "description", LP_PARAM_STRING, .max = 4096, .help = "The voice, in words." },
};

static const struct lp_pipeline rows[] = {
	{
		.name = "text-to-image", .title = "Text to image", .capability = 27,
		.body = LP_BODY_JSON, .result = LP_RESULT_MEDIA, .media_extension = ".png",
		.model_param = "model_id", .default_model = "stabilityai/sdxl-turbo",
		.params = text_to_image, .n_params = COUNT(text_to_image), .body_limit = MIB,
		.units = lp_units_asked_pixels,
		.steps_param = "num_inference_steps", .default_steps = 50,
		.served = true, .help = "Make pictures from a description.",
	},
	{
		.name = "image-to-image", .title = "Image to image", .capability = 28,
		.body = LP_BODY_MULTIPART, .result = LP_RESULT_MEDIA, .media_extension = ".png",
		.model_param = "model_id", .default_model = "stabilityai/sdxl-turbo",
		.params = image_to_image, .n_params = COUNT(image_to_image),
		.body_limit = FORM_LIMIT,
		.units = lp_units_input_pixels_times,
		.steps_param = "num_inference_steps", .default_steps = 100,
		.served = true, .help = "Change a picture as described.",
	},
	{
		.name = "image-to-video", .title = "Image to video", .capability = 29,
		.body = LP_BODY_MULTIPART, .result = LP_RESULT_MEDIA, .media_extension = ".mp4",
		.model_param = "model_id",
		.default_model = "stabilityai/stable-video-diffusion-img2vid-xt",
		.params = image_to_video, .n_params = COUNT(image_to_video),
		.body_limit = FORM_LIMIT,
		.units = lp_units_video_pixels,
		.steps_param = "num_inference_steps", .default_steps = 25,
		.frames = true, .served = true, .help = "Set a picture in motion.",
	},
	{
		.name = "upscale", .title = "Upscale", .capability = 30,
		.body = LP_BODY_MULTIPART, .result = LP_RESULT_MEDIA, .media_extension = ".png",
		.model_param = "model_id",
		.default_model = "stabilityai/stable-diffusion-x4-upscaler",
		.params = upscale, .n_params = COUNT(upscale), .body_limit = FORM_LIMIT,
		.units = lp_units_input_pixels,
		.steps_param = "num_inference_steps", .default_steps = 75,
		.served = true, .help = "Enlarge a picture.",
	},
	{
		.name = "audio-to-text", .title = "Audio to text", .capability = 31,
		.body = LP_BODY_MULTIPART, .result = LP_RESULT_JSON, .answer = "TextResponse",
		.model_param = "model_id", .default_model = "openai/whisper-large-v3",
		.params = audio_to_text, .n_params = COUNT(audio_to_text), .body_limit = FORM_LIMIT,
		.units = lp_units_milliseconds, .measured = true, .served = true,
		.help = "Write down what is said in a recording.",
	},
	{
		.name = "segment-anything-2", .title = "Segment anything 2", .capability = 32,
		.body = LP_BODY_MULTIPART, .result = LP_RESULT_JSON, .answer = "MasksResponse",
		.model_param = "model_id", .default_model = "facebook/sam2-hiera-large",
		.params = segment_anything_2, .n_params = COUNT(segment_anything_2),
		.body_limit = FORM_LIMIT,
		.units = lp_units_input_pixels, .served = true, .help = "Cut a thing out of a picture.",
	},
	{
		.name = "llm", .title = "Llm", .capability = 33,
		.body = LP_BODY_JSON, .result = LP_RESULT_EVENTS,
		.model_param = "model", .default_model = "meta-llama/llama-3.1-8B-Instruct",
		.params = llm, .n_params = COUNT(llm), .body_limit = 4 * MIB,
		.units = lp_units_tokens, .served = true, .help = "Continue a conversation.",
	},
	{
		.name = "image-to-text", .title = "Image to text", .capability = 34,
		.body = LP_BODY_MULTIPART, .result = LP_RESULT_JSON, .answer = "ImageToTextResponse",
		.model_param = "model_id",
		.default_model = "Salesforce/blip-image-captioning-large",
		.params = image_to_text, .n_params = COUNT(image_to_text), .body_limit = FORM_LIMIT,
		.units = lp_units_input_pixels, .served = true, .help = "Say what is in a picture.",
	},
	{
		.name = "live-video-to-video", .title = "Live video to video", .capability = 35,
		.body = LP_BODY_JSON, .result = LP_RESULT_JSON,
		.model_param = "model_id", .default_model = "noop",
		.params = live_video_to_video, .n_params = COUNT(live_video_to_video),
		.body_limit = MIB,
		.units = lp_units_live_minute, .help = "Change video as it comes.",
	},
	{
		.name = "text-to-speech", .title = "Text to speech", .capability = 36,
		.body = LP_BODY_JSON, .result = LP_RESULT_MEDIA, .media_extension = ".wav",
		.model_param = "model_id", .default_model = "parler-tts/parler-tts-large-v1",
		.params = text_to_speech, .n_params = COUNT(text_to_speech), .body_limit = MIB,
		.units = lp_units_characters, .served = true, .help = "Say a text.",
	},
};

/* clang-format on */

const struct lp_pipeline *lp_pipelines(int *n)
{
	*n = COUNT(rows);
	return rows;
}

const struct lp_pipeline *lp_pipeline_find(struct lp_span name)
{
	for (int i = 0; i < COUNT(rows); i++) {
		if (lp_span_is(name, rows[i].name))
			return &rows[i];
	}
	return NULL;
}

const struct lp_pipeline *lp_pipeline_of_capability(uint32_t capability)
{
	for (int i = 0; i < COUNT(rows); i++) {
		if (rows[i].capability == capability)
			return &rows[i];
	}
	return NULL;
}

int lp_pipeline_param(const struct lp_pipeline *pipeline, struct lp_span name)
{
	for (int i = 0; i < pipeline->n_params; i++) {
		if (lp_span_is(name, pipeline->params[i].name))
			return i;
	}
	return -1;
}

int lp_pipeline_param_icase(const struct lp_pipeline *pipeline, struct lp_span name)
{
	int exact = lp_pipeline_param(pipeline, name);

	for (int i = 0; exact < 0 && i < pipeline->n_params; i++) {
		if (lp_span_is_icase(name, pipeline->params[i].name))
			return i;
	}
	return exact;
}
